/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator orders. Shipping that is paused is like a peer that does not
 * read: changes wait in the log, and where it overflows in dirty buckets. The
 * link stays up meanwhile, and what the peer sends is applied. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/log.h"

static const char *peer_name(const struct node *node)
{
    return node->config.peer_name != NULL ? node->config.peer_name : "the peer";
}

static const char not_paired[] = "not paired";

static bool is_paired(const struct node *node)
{
    return node->peer.link != PEER_NO_LINK && node->peer.state == PEER_PAIRED;
}

const char *node_pause(struct node *node, uint64_t now_ns)
{
    node_touch_time(node, now_ns);
    if (node->peer.state == PEER_DRAINING)
        return "stopping";
    if (node->orders.paused)
        return "already paused";
    if (node->orders.resync == NODE_UNDER_WAY)
        return "a resync is under way";
    node->orders.paused = true;
    log_notice("replication: paused: nothing goes to %s", peer_name(node));
    return NULL;
}

void node_ship(struct node *node, const char *why)
{
    if (!node->orders.paused)
        return;
    node->orders.paused = false;
    log_notice("replication: resumed (%s): %s gets what it lacks", why,
               peer_name(node));
}

const char *node_resume(struct node *node, uint64_t now_ns)
{
    node_touch_time(node, now_ns);
    if (!node->orders.paused)
        return "not paused";
    node_ship(node, "ordered");
    return NULL;
}

/* ---- resync ---- */

static bool is_resyncing(const struct node *node)
{
    return !node->send.caught_up || node->send.scan.phase != NODE_SCAN_IDLE ||
           journal_is_dirty(node->log);
}

const char *node_resync(struct node *node, uint64_t now_ns,
                        enum resync_kind kind)
{
    node_touch_time(node, now_ns);
    if (!is_paired(node))
        return not_paired;
    if (node->orders.paused)
        return "paused";
    if (is_resyncing(node))
        return "a resync is under way";
    if (kind == RESYNC_DIGEST && (node_verify_is_running(node) ||
                                  node->compare.state == NODE_COMPARE_ASKED))
        return "a verify is under way";
    if (kind == RESYNC_DIGEST && !node_compare_is_known(node))
        return "the peer cannot compare";
    journal_doubt(node->log, kind != RESYNC_DELTA);
    node->send.plan = kind;
    node->send.plan_items = engine_items(node->config.engine);
    node->send.caught_up = false; /* It is worth a line. */
    node->round_ns = node->now_ns;
    node->round_items = 0;
    node->round_bytes = 0;
    node->orders.resync = NODE_UNDER_WAY;
    return NULL;
}

enum node_progress node_resync_progress(const struct node *node)
{
    return node->orders.resync;
}

void node_resync_ends(struct node *node, bool done)
{
    if (node->orders.resync == NODE_UNDER_WAY)
        node->orders.resync = done ? NODE_DONE : NODE_GIVEN_UP;
}

/* ---- handoff ---- */

const char *node_handoff(struct node *node, uint64_t now_ns)
{
    node_touch_time(node, now_ns);
    if (!is_paired(node))
        return not_paired;
    if (node->orders.paused)
        return "paused";
    node->orders.handoff_through = journal_last(node->log);
    node->orders.handoff_until_ns = now_ns + node->config.drain_ms * NS_PER_MS;
    return NULL;
}

void node_handoff_extend(struct node *node)
{
    struct journal_figures log;

    journal_figures(node->log, &log);
    if (log.confirmed < node->orders.handoff_through)
        node->orders.handoff_through = log.last;
}

enum node_progress node_handoff_progress(const struct node *node,
                                         uint64_t now_ns)
{
    struct journal_figures log;

    journal_figures(node->log, &log);
    if (!is_paired(node) || node->orders.paused)
        return NODE_GIVEN_UP;
    if ((log.dirty_buckets == 0 || !RULE(HANDOFF)) &&
        log.confirmed >= node->orders.handoff_through)
        return NODE_DONE;
    return now_ns >= node->orders.handoff_until_ns ? NODE_GIVEN_UP
                                                   : NODE_UNDER_WAY;
}

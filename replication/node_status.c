/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator sees of the node. */
#include "replication/node_inner.h"

static enum node_state state_of(const struct node *node, uint64_t dirty)
{
    switch (node->peer.state) {
    case PEER_IDLE:
    case PEER_SEEKING:
        return NODE_STARTING;
    case PEER_ALONE:
        return NODE_ALONE;
    case PEER_JOINING:
        return NODE_JOINING;
    case PEER_PAIRED:
        if (node->orders.paused)
            return NODE_PAUSED;
        return dirty > 0 ? NODE_LAGGING : NODE_PAIRED;
    case PEER_DRAINING:
    case PEER_STATES:
        break;
    }
    return NODE_DRAINING;
}

static void put_lag(const struct node *node, uint64_t now_ns,
                    const struct journal_figures *log, struct node_status *out)
{
    struct histogram_figures us;

    out->lag_ops = log->last - log->confirmed;
    if (node->sent > 0)
        out->lag_bytes = out->lag_ops * node->sent_bytes / node->sent;
    if (out->lag_ops > 0)
        out->lag_us =
            node_lag_ns(node, log->oldest_unconfirmed, now_ns) / NS_PER_US;
    out->lag_ms = out->lag_us / 1000;
    histogram_figures(&node->lag.us, now_ns, &us);
    out->lag_us_p50 = us.p50;
    out->lag_us_p99 = us.p99;
    out->lag_us_max = us.max;
    histogram_figures(&node->apply_us, now_ns, &us);
    out->apply_us_p99 = us.p99;
}

/* The present one if there is one: ours to the peer before its to us. */
static void put_resync(const struct node *node, uint64_t now_ns, bool paired,
                       struct node_status *out)
{
    const struct node_receive *receive = &node->receive;

    out->resync_kind = node->resync_kind;
    out->resync_items_done = node->resync_items_done;
    out->resync_items_total = node->resync_items_total;
    out->resync_bytes = node->resync_bytes;
    out->resync_ns = node->resync_ns;
    out->resyncing = paired;
    if (paired &&
        (!node->send.caught_up || node->send.scan.phase != NODE_SCAN_IDLE)) {
        out->resync_kind = node->send.plan;
        out->resync_items_done = node->round_items;
        out->resync_items_total = node->send.plan_items;
        out->resync_bytes = node->round_bytes;
        out->resync_ns = now_ns - node->round_ns;
    } else if (paired && receive->planned && receive->kind > RESYNC_CONTINUE) {
        out->resync_kind = receive->kind;
        out->resync_items_done = receive->items;
        out->resync_items_total = receive->total;
        out->resync_bytes = node->bytes_in - receive->bytes_before;
        out->resync_ns = now_ns - receive->since_ns;
    } else {
        out->resyncing = false;
    }
}

static void put_log(const struct journal_figures *log, struct node_status *out)
{
    out->seq_next = log->last + 1;
    out->seq_acked = log->confirmed;
    out->tombstones = log->tombstones;
    out->tombstone_overflows = log->overflows;
    out->dirty_buckets = log->dirty_buckets;
    out->ring_size = log->ring_size;
    out->ring_used = log->ring_used;
}

static void put_counters(const struct node *node, struct node_status *out)
{
    out->reconnects = node->pairings > 0 ? node->pairings - 1 : 0;
    out->seq_sent = node->send.through;
    out->seq_applied = node->line.applied;
    out->full_total = node->resyncs[RESYNC_FULL];
    out->delta_total = node->resyncs[RESYNC_DELTA];
    out->digest_total = node->resyncs[RESYNC_DIGEST];
    out->digest_checked = node->digest_checked;
    out->digest_mismatch = node->digest_mismatch;
    out->fetches = node->fetches;
    out->fetch_hits = node->fetch_hits;
    out->fetch_timeouts = node->fetch_timeouts;
    out->continue_total = node->resyncs[RESYNC_CONTINUE];
    out->floor_drops = node->floor_drops;
    out->conflicts = node->conflicts;
    out->conflicts_won = node->conflicts_won;
    out->conflicts_lost = node->conflicts_lost;
    out->sent = node->sent;
    out->applied = node->applied_count;
    out->rejected_old = node->rejected_old;
    out->touches = node->touches;
    out->wanted = node->wanted_count;
    out->bytes_in = node->bytes_in;
    out->bytes_out = node->bytes_out;
    out->refused = node->refused;
}

void node_status(const struct node *node, uint64_t now_ns,
                 struct node_status *out)
{
    bool paired = node->peer.link != PEER_NO_LINK;
    uint64_t since_ns = paired ? node->paired_ns : node->heal.apart_ns;
    struct journal_figures log;

    journal_figures(node->log, &log);
    *out = (struct node_status){
        .role = node->peer.dialer ? NODE_ROLE_DIALER : NODE_ROLE_LISTENER,
        .state = state_of(node, log.dirty_buckets),
        .clock_offset_us = node->offset.best_ns / (int64_t)NS_PER_US,
        .gen = node->line.incarnation,
        .paused = node->orders.paused,
        .healed = node->heal.last,
    };
    if (since_ns == 0)
        since_ns = node->started_ns;
    if (since_ns != 0 && since_ns < now_ns)
        out->since_s = (now_ns - since_ns) / NS_PER_S;
    out->link_up_s = paired ? out->since_s : 0;
    put_log(&log, out);
    put_counters(node, out);
    put_lag(node, now_ns, &log, out);
    node_confirm_status(node, out);
    put_resync(node, now_ns, paired, out);
}

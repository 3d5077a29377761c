/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened when two nodes that had been apart are a pair again: told once,
 * when both directions have caught up. */
#include "replication/node_inner.h"

#include "src/base/log.h"

static const char *const kinds[] = {"nothing", "continue", "delta", "full",
                                    "digest"};

void node_heal_apart(struct node *node)
{
    node->heal.under_way = false;
    node->heal.apart_ns = node->now_ns;
}

/* The streams have begun. */
void node_heal_begin(struct node *node)
{
    struct node_heal *heal = &node->heal;

    if (heal->apart_ns == 0)
        return; /* The first time is no healing. */
    heal->under_way = true;
    heal->said = (struct node_healed){
        .outage_ns = node->now_ns - heal->apart_ns,
        .sent_kind = node->send.plan,
        .received_kind = RESYNC_NONE,
    };
    heal->goal = journal_last(node->log);
    heal->sent = node->sent;
    heal->applied = node->applied_count + node->rejected_old;
    heal->won = node->conflicts_won;
    heal->lost = node->conflicts_lost;
    heal->floor_drops = node->floor_drops;
}

static bool is_through(const struct node *node)
{
    struct journal_figures log;

    journal_figures(node->log, &log);
    return node->receive.planned && node->send.caught_up &&
           (node->receive.kind == RESYNC_NONE ||
            node->receive.kind == RESYNC_CONTINUE) &&
           log.confirmed >= node->heal.goal && log.dirty_buckets == 0;
}

static void say(const struct node *node, const struct node_healed *said)
{
    log_notice("replication: healed with %s after %llu.%03llu s apart, in "
               "%llu.%03llu s: sent by %s %llu, received by %s %llu, conflicts "
               "won %llu, lost %llu, dropped by floor %llu",
               node->config.peer_name != NULL ? node->config.peer_name
                                              : "the peer",
               (unsigned long long)(said->outage_ns / NS_PER_S),
               (unsigned long long)(said->outage_ns / NS_PER_MS % 1000),
               (unsigned long long)(said->healing_ns / NS_PER_S),
               (unsigned long long)(said->healing_ns / NS_PER_MS % 1000),
               kinds[said->sent_kind], (unsigned long long)said->sent,
               kinds[said->received_kind], (unsigned long long)said->received,
               (unsigned long long)said->won, (unsigned long long)said->lost,
               (unsigned long long)said->floor_drops);
}

void node_heal_look(struct node *node)
{
    struct node_heal *heal = &node->heal;
    struct node_healed *said = &heal->said;

    if (!heal->under_way)
        return;
    if (node->receive.kind != RESYNC_NONE)
        said->received_kind = node->receive.kind;
    if (node->orders.paused || !is_through(node))
        return;
    heal->under_way = false;
    said->at_ns = node->now_ns;
    said->healing_ns = node->now_ns - node->paired_ns;
    said->sent = node->sent - heal->sent;
    said->received = node->applied_count + node->rejected_old - heal->applied;
    said->won = node->conflicts_won - heal->won;
    said->lost = node->conflicts_lost - heal->lost;
    said->floor_drops = node->floor_drops - heal->floor_drops;
    heal->last = *said;
    say(node, said);
}

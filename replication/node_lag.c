/* SPDX-License-Identifier: BSD-3-Clause */
/* How long changes are under way: from when they were made until the peer has
 * confirmed them, on our own clock. A batch that goes out is noted with the age
 * of its first and its last change; the stamps tell it, unless the other's
 * clock is ahead of ours and drives them. */
#include "replication/node_inner.h"

/* The time at which a change was made; none is older than when the peer last
 * had everything. */
static uint64_t made_at(const struct node *node, stamp_t stamp)
{
    uint64_t made_ns = stamp_ns(stamp);

    if (stamp == STAMP_NONE || made_ns > node->now_ns)
        return node->now_ns;
    return made_ns > node->lag.level_ns ? made_ns : node->lag.level_ns;
}

/* A repeat is of any age: only what is newer than all before it is new. */
void node_lag_look(struct node *node, const struct journal_reference *entries,
                   size_t count)
{
    struct node_lag *lag = &node->lag;

    if (count == 0)
        return;
    if (entries[0].stamp > lag->newest && lag->first == STAMP_NONE)
        lag->first = entries[0].stamp;
    if (entries[count - 1].stamp > lag->newest)
        lag->last = lag->newest = entries[count - 1].stamp;
}

void node_lag_sent(struct node *node, uint64_t through)
{
    struct node_lag *lag = &node->lag;
    struct node_probe *probe;

    if (lag->count < NODE_PROBES_MAX && through > lag->through) {
        probe = &lag->probes[(lag->at + lag->count++) % NODE_PROBES_MAX];
        *probe = (struct node_probe){.through = through,
                                     .changes = through - lag->through,
                                     .first_ns = made_at(node, lag->first),
                                     .last_ns = made_at(node, lag->last)};
        lag->through = through;
    }
    lag->first = lag->last = STAMP_NONE;
}

static void add(struct node *node, uint64_t since_ns, uint64_t changes)
{
    uint64_t lag_ns = node->now_ns > since_ns ? node->now_ns - since_ns : 0;

    histogram_add(&node->lag.us, node->now_ns, lag_ns / NS_PER_US, changes);
}

void node_lag_confirmed(struct node *node, uint64_t through)
{
    struct node_lag *lag = &node->lag;

    while (lag->count > 0 && lag->probes[lag->at].through <= through) {
        const struct node_probe *probe = &lag->probes[lag->at];

        add(node, probe->first_ns, probe->changes - probe->changes / 2);
        add(node, probe->last_ns, probe->changes / 2);
        lag->at = (lag->at + 1) % NODE_PROBES_MAX;
        lag->count--;
    }
    if (journal_last(node->log) == through)
        lag->level_ns = node->now_ns;
}

void node_lag_reset(struct node *node)
{
    node->lag.count = 0;
    node->lag.through = node->send.through;
    node->lag.first = node->lag.last = STAMP_NONE;
}

uint64_t node_lag_ns(const struct node *node, stamp_t oldest, uint64_t now_ns)
{
    const struct node_lag *lag = &node->lag;
    uint64_t since_ns = stamp_ns(oldest);

    if (lag->count > 0)
        since_ns = lag->probes[lag->at].first_ns;
    else if (since_ns < lag->level_ns || since_ns > now_ns)
        since_ns = lag->level_ns;
    if (since_ns == 0 || since_ns > now_ns)
        return 0;
    return now_ns - since_ns;
}

void node_applied_in(struct node *node, uint64_t now_ns, uint64_t took_ns)
{
    histogram_add(&node->apply_us, now_ns, took_ns / NS_PER_US, 1);
}

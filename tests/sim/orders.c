/* SPDX-License-Identifier: BSD-3-Clause */
/* An operator who orders this and that at the wrong moment. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"

static void tell(struct host *host, enum fault fault, const char *what,
                 const char *why)
{
    if (why == NULL)
        fault_count(host->world, fault);
    world_trace(host->world, "host %u is told to %s: %s", host->index, what,
                why != NULL ? why : "it does");
}

static void begin_handoff(struct host *host, uint64_t now_ns)
{
    const char *why = node_handoff(host->node, now_ns);

    host->hands_off = why == NULL;
    host->handed = stamp_last(engine_stamp_clock(host->engine));
    host->handed_ns = host->world->now_ns;
    tell(host, FAULT_HANDED_OFF, "hand off", why);
}

static void order_resync(struct host *host, uint64_t now_ns)
{
    static const enum resync_kind kinds[] = {RESYNC_FULL, RESYNC_DELTA,
                                             RESYNC_DIGEST};
    enum resync_kind kind =
        kinds[dice_below(&host->world->dice, COUNT_OF(kinds))];

    tell(host, FAULT_RESYNCED, "resync", node_resync(host->node, now_ns, kind));
}

void order_some(struct world *world)
{
    struct dice *dice = &world->dice;
    struct host *host = &world->hosts[dice_below(dice, HOSTS)];
    uint64_t roll = dice_below(dice, 100);
    uint64_t now_ns = host_now(world, host->index);

    if (!host->up || host->stopping || world->now_ns < host->frozen_until_ns)
        return;
    if (roll < 25)
        tell(host, FAULT_PAUSED, "pause", node_pause(host->node, now_ns));
    else if (roll < 50)
        tell(host, FAULT_RESUMED, "resume", node_resume(host->node, now_ns));
    else if (roll < 75)
        order_resync(host, now_ns);
    else if (!host->hands_off)
        begin_handoff(host, now_ns);
}

void orders_look(struct host *host)
{
    struct world *world = host->world;
    const struct host *peer = &world->hosts[1 - host->index];
    enum node_progress progress;

    if (!host->hands_off || host->stopping)
        return;
    progress = node_handoff_progress(host->node, host_now(world, host->index));
    if (progress == NODE_UNDER_WAY)
        return;
    host->hands_off = false;
    if (progress == NODE_GIVEN_UP || world->healing)
        return;
    /* A peer that is gone by now, unnoticed, had it. */
    if (peer->up && peer->node->line.followed == host->node->line.incarnation)
        check_told(host, CHECK_HANDOFF, host->handed);
    host_stop(world, host->index);
}

void orders_end(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++)
        if (world->hosts[i].up && world->hosts[i].node->orders.paused)
            (void)node_resume(world->hosts[i].node, host_now(world, i));
}

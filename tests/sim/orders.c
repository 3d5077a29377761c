/* SPDX-License-Identifier: BSD-3-Clause */
/* An operator who orders this and that at the wrong moment. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"

static void tell(struct host *host, const char *what, const char *why)
{
    world_trace(host->world, "host %u is told to %s: %s", host->index, what,
                why != NULL ? why : "it does");
}

static void begin_handoff(struct host *host, uint64_t now_ns)
{
    const char *why = node_handoff(host->node, now_ns);

    host->hands_off = why == NULL;
    host->handed = stamp_last(engine_stamp_clock(host->engine));
    host->handed_ns = host->world->now_ns;
    tell(host, "hand off", why);
}

void order_some(struct world *world)
{
    struct dice *dice = &world->operator;
    struct host *host = &world->hosts[dice_below(dice, HOSTS)];
    uint64_t roll = dice_below(dice, 100);
    uint64_t now_ns = host_now(world, host->index);

    if (!host->up || host->stopping || world->now_ns < host->frozen_until_ns)
        return;
    if (roll < 30)
        tell(host, "pause", node_pause(host->node, now_ns));
    else if (roll < 60)
        tell(host, "resume", node_resume(host->node, now_ns));
    else if (roll < 75)
        tell(host, "resync", node_resync(host->node, now_ns, RESYNC_FULL));
    else if (roll < 90)
        tell(host, "resync some",
             node_resync(host->node, now_ns, RESYNC_DELTA));
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
        check_handoff(world, &world->hosts[host->index]);
    host_stop(world, host->index);
}

void orders_end(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++)
        if (world->hosts[i].up && world->hosts[i].node->orders.paused)
            (void)node_resume(world->hosts[i].node, host_now(world, i));
}

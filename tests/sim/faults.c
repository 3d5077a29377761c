/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes wrong, by chance, and its end. Strangers who dial in are in
 * stranger.c, operators in orders.c. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "tests/sim/heap.h"

#define NO_MEMORY_STEPS_MAX 30

/* ---- the net ---- */

static struct conn *some_conn(struct world *world)
{
    struct conn *conn = &world->conns[dice_below(&world->dice, CONNS_MAX)];

    for (unsigned i = 0; i < CONNS_MAX && !conn->used; i++)
        conn = &world->conns[i];
    return conn->used ? conn : NULL;
}

/* A frame has come in part, or is under way to a reader that took a part. */
static bool is_in_frame(const struct world *world, const struct conn *conn)
{
    for (unsigned end = 0; end < 2; end++) {
        const struct host *host =
            conn->host[end] < HOSTS ? &world->hosts[conn->host[end]] : NULL;
        int link = conn->link[end];

        if (host != NULL && link >= 0 && link < NODE_LINKS_MAX &&
            host->links[link].in_size > 0)
            return true;
    }
    return false;
}

static void break_conn(struct world *world)
{
    struct conn *conn = some_conn(world);

    if (conn == NULL || conn->reset)
        return;
    world_trace(world, "a connection is reset");
    fault_count(world, FAULT_RESET);
    if (is_in_frame(world, conn))
        fault_count(world, FAULT_CUT);
    wire_reset(world, (int)(conn - world->conns));
}

static void stall_conn(struct world *world)
{
    struct conn *conn = some_conn(world);
    unsigned way = (unsigned)dice_below(&world->dice, 2);

    if (conn == NULL)
        return;
    world_trace(world, "host %u is not heard any more", conn->host[way]);
    fault_count(world, FAULT_STALLED);
    conn->stalled[0] = conn->stalled[1] = false;
    conn->stalled[way] = true;
    conn->stalled_until_ns =
        world->now_ns + dice_below(&world->dice, 30) * MS(100);
}

static void garble_conn(struct world *world)
{
    struct conn *conn = some_conn(world);
    int way = (int)dice_below(&world->dice, 2);

    if (conn == NULL)
        return;
    if (dice_percent(&world->dice, 70)) {
        if (wire_garble(world, (int)(conn - world->conns), way))
            fault_count(world, FAULT_GARBLED);
    } else if (wire_tear(world, (int)(conn - world->conns), way)) {
        fault_count(world, FAULT_TORN);
    }
}

static void part_hosts(struct world *world)
{
    if (world->partitioned)
        return;
    world->partitioned = true;
    world->partition_until_ns =
        world->now_ns + dice_below(&world->dice, 40) * MS(100);
    world_trace(world, "the hosts are cut off from each other");
    fault_count(world, FAULT_PARTED);
}

/* ---- hosts ---- */

static void freeze_host(struct world *world)
{
    struct host *host = &world->hosts[dice_below(&world->dice, HOSTS)];

    host->frozen_until_ns =
        world->now_ns + dice_below(&world->dice, 30) * MS(100);
    world_trace(world, "host %u freezes", host->index);
    fault_count(world, FAULT_FROZEN);
}

static bool is_syncing(const struct host *host)
{
    const struct node *node = host->node;

    return host->up && node->peer.link != PEER_NO_LINK &&
           (node->send.scan.phase != NODE_SCAN_IDLE ||
            node->receive.kind != RESYNC_NONE ||
            node->peer.state == PEER_JOINING);
}

static void crash_some(struct world *world)
{
    unsigned index = (unsigned)dice_below(&world->dice, HOSTS);
    bool silently = dice_percent(&world->dice, 40);

    if (!world->hosts[index].up)
        return;
    fault_count(world, FAULT_CRASHED);
    if (silently)
        fault_count(world, FAULT_VANISHED);
    if (is_syncing(&world->hosts[0]) || is_syncing(&world->hosts[1]))
        fault_count(world, FAULT_CRASHED_SYNCING);
    host_crash(world, index, silently);
}

static void stop_some(struct world *world)
{
    struct host *host = &world->hosts[dice_below(&world->dice, HOSTS)];

    if (!host->up || host->stopping)
        return;
    fault_count(world, FAULT_STOPPED);
    host_stop(world, host->index);
}

static void suspend(struct world *world, unsigned index)
{
    if (!world->hosts[index].up)
        return;
    fault_count(world, FAULT_SUSPENDED);
    host_suspend(world, index);
}

/* It comes back as another release. */
static void upgrade_some(struct world *world)
{
    unsigned index = (unsigned)dice_below(&world->dice, HOSTS);

    world->upgrade[index] = true;
    suspend(world, index);
}

/* ---- memory ---- */

static void run_out_of_memory(struct world *world)
{
    world->no_memory_until =
        world->step + 1 +
        (unsigned)dice_below(&world->dice, NO_MEMORY_STEPS_MAX);
    world->no_memory_percent = dice_percent(&world->dice, 50)
                                   ? 100
                                   : 1 + (unsigned)dice_below(&world->dice, 50);
    world_trace(world, "%u of 100 allocations fail", world->no_memory_percent);
}

void faults_begin(struct world *world)
{
    if (world->step < world->no_memory_until && !world->healing)
        heap_fail(world->no_memory_percent, dice_next(&world->dice));
    world->heap_failures = heap_failures();
}

void faults_end(struct world *world)
{
    heap_fail(0, 0);
    world->faults[FAULT_NO_MEMORY] += heap_failures() - world->heap_failures;
}

/* ---- all of it ---- */

/* No harm, but it must not do any. */
static void verify_some(struct world *world)
{
    struct dice *dice = &world->dice;
    struct host *host = &world->hosts[dice_below(dice, HOSTS)];
    bool repair = dice_percent(dice, 50);

    if (!host->up || host->stopping ||
        node_verify(host->node, host_now(world, host->index), repair) != NULL)
        return;
    world_trace(world, "host %u verifies%s", host->index,
                repair ? " and repairs" : "");
    fault_count(world, FAULT_VERIFIED);
    if (repair)
        fault_count(world, FAULT_REPAIRED);
}

void faults_some(struct world *world)
{
    struct dice *dice = &world->dice;
    const struct knobs *knobs = &world->knobs;

    if (dice_mille(dice, knobs->resets))
        break_conn(world);
    if (dice_mille(dice, knobs->stalls))
        stall_conn(world);
    if (dice_mille(dice, knobs->garbles))
        garble_conn(world);
    if (dice_mille(dice, knobs->freezes))
        freeze_host(world);
    if (dice_mille(dice, knobs->partitions))
        part_hosts(world);
    if (dice_mille(dice, knobs->crashes))
        crash_some(world);
    if (dice_mille(dice, knobs->stops))
        stop_some(world);
    if (dice_mille(dice, knobs->suspends))
        suspend(world, (unsigned)dice_below(dice, HOSTS));
    if (dice_mille(dice, knobs->evictions))
        client_evict(world, (unsigned)dice_below(dice, HOSTS));
    if (dice_mille(dice, knobs->upgrades))
        upgrade_some(world);
    if (dice_mille(dice, knobs->no_memory))
        run_out_of_memory(world);
    if (dice_mille(dice, knobs->verifies))
        verify_some(world);
    if (dice_mille(dice, knobs->orders))
        order_some(world);
    if (dice_mille(dice, knobs->strangers))
        stranger_dials(world);
}

void faults_heal(struct world *world)
{
    world->healing = true;
    world->partition_until_ns = world->now_ns;
    for (unsigned i = 0; i < CONNS_MAX; i++)
        world->conns[i].stalled_until_ns = world->now_ns;
    for (unsigned i = 0; i < HOSTS; i++) {
        world->hosts[i].frozen_until_ns = world->now_ns;
        if (host_is_alien(&world->hosts[i]) && !world->hosts[i].stopping)
            suspend(world, i); /* For a release that can talk. */
    }
    stranger_goes(world);
    orders_end(world);
    world_trace(world, "all faults end");
}

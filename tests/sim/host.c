/* SPDX-License-Identifier: BSD-3-Clause */
/* One node, driven as the daemon's loop does it, with a fake clock. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "src/base/hash.h"
#include "src/base/memory.h"

#include <string.h>

#define TIMEOUT_NS MS(1000)
#define UPKEEP_ROUNDS_MAX 100

/* Both stay on the grid of time. */
uint64_t host_now(const struct world *world, unsigned index)
{
    int64_t lived_ms = (int64_t)((world->now_ns - START_NS) / NS_PER_MS);
    int64_t drift_ns = lived_ms * world->knobs.drift_ppm[index];

    return world->now_ns + (uint64_t)world->ahead_ns[index] +
           (uint64_t)(drift_ns / (int64_t)QUANTUM_NS * (int64_t)QUANTUM_NS);
}

static uint64_t now(const struct host *host)
{
    return host_now(host->world, host->index);
}

/* ---- what the node asks for ---- */

static void on_dial(void *ctx)
{
    struct host *host = ctx;
    struct world *world = host->world;

    check_that(world, CHECK_HOOKS, !host->dialing,
               "host %u dials while it dials", host->index);
    host->dialing = true;
    host->dial_due_ns = world->now_ns + world->knobs.latency_ns;
    if (world->partitioned)
        host->dial_due_ns = world->now_ns + TIMEOUT_NS;
}

static int on_listen(void *ctx, bool open)
{
    struct host *host = ctx;

    check_that(host->world, CHECK_HOOKS, host->listening != open,
               "host %u listens twice or not at all", host->index);
    host->listening = open;
    return 0;
}

static void on_close(void *ctx, unsigned link)
{
    struct host *host = ctx;

    check_that(host->world, CHECK_HOOKS,
               host->links[link].conn >= 0 && !host->links[link].closing,
               "host %u closes link %u, which is not open", host->index, link);
    host->links[link].closing = true;
}

static void on_serve(void *ctx)
{
    struct host *host = ctx;

    check_that(host->world, CHECK_HOOKS, !host->serving,
               "host %u begins to serve twice", host->index);
    host->serving = true;
    world_trace(host->world, "host %u serves", host->index);
}

/* ---- life ---- */

static void make_engine(struct host *host, const struct leaving *leaving)
{
    const struct knobs *knobs = &host->world->knobs;
    struct engine_config config = {
        .memory_bytes = knobs->memory_bytes,
        .item_bytes_max = knobs->memory_bytes / 2,
        .page_bytes = 64 * KIB,
        .growth = 2.0,
        .table_power = knobs->table_power,
        .node = knobs->same_bit ? 0 : host->index,
        .in_file = true,
        .file = host->world->left[host->index].file,
    };
    char words[ENGINE_WORDS_MAX];
    int error;

    if (config.item_bytes_max > MIB)
        config.item_bytes_max = MIB;
    if (host->index == 1 && knobs->unlike)
        config.item_bytes_max = 32 * KIB;
    error = engine_new(&config, &host->engine);
    INVARIANT(error == 0);
    if (leaving == NULL)
        return;
    error = engine_restore(
        host->engine, slice_make(leaving->engine, leaving->engine_size), words);
    INVARIANT(error == 0);
}

static void make_client(struct host *host)
{
    host->client = engine_thread_new(host->engine);
    INVARIANT(host->client != NULL);
    engine_thread_set_now(host->client, now(host));
}

static void make_node(struct host *host, const struct leaving *leaving)
{
    struct world *world = host->world;
    const struct knobs *knobs = &world->knobs;
    const struct release *release = &world->release[host->index];
    struct node_hooks hooks = {.ctx = host,
                               .dial = on_dial,
                               .listen = on_listen,
                               .close = on_close,
                               .serve = on_serve};
    struct node_config config = {
        .engine = host->engine,
        .node = dice_next(&world->dice) | 1,
        .incarnation = lineage_number(now(host), dice_next(&world->dice)),
        .pair = "sim",
        .peer_name = host->index == 0 ? "host 1" : "host 0",
        .dials = host->index == 1 || !knobs->one_dials,
        .item_bytes_max = MIB,
        .join_wait_ms = 2000,
        .dead_ms = 1000,
        .drain_ms = 5000,
        .ring_entries = knobs->ring,
        .tombstones_max = knobs->tombstones,
        .bucket_bits = knobs->bucket_bits,
        .features_off = release->features_off,
        .confirm = host->talk.confirm,
        .confirm_quick_ns = MS(20) + 2 * knobs->latency_ns,
        .random_seed = dice_next(&world->dice),
        .fetches = knobs->fetches ? host->fetches : NULL,
    };
    int error = node_new(&config, &hooks, &host->node);

    INVARIANT(error == 0);
    host->node->peer.config.version_min = release->version_min;
    host->node->peer.config.version_max = release->version_max;
    if (leaving != NULL) {
        error = node_restore(host->node,
                             slice_make(leaving->node, leaving->node_size));
        INVARIANT(error == 0);
        host->met = leaving->met;
        host->last_stamp = leaving->last_stamp;
    }
    host->inner = journal_hooks(host->node->log);
}

static void choose_release(struct world *world, unsigned index)
{
    struct release *release = &world->release[index];
    unsigned roll = (unsigned)dice_below(&world->dice, 3);

    *release = (struct release){.version_min = MESSAGE_PROTOCOL_VERSION,
                                .version_max = MESSAGE_PROTOCOL_VERSION};
    if (!world->upgrade[index])
        return;
    world->upgrade[index] = false;
    if (roll == 0) {
        fault_count(world, FAULT_OLD_PEER);
        release->features_off = dice_next(&world->dice) | 1;
    } else if (roll == 1 || world->healing) {
        fault_count(world, FAULT_NEW_PEER);
        release->version_max++;
    } else {
        fault_count(world, FAULT_ALIEN_PEER);
        release->version_max++;
        release->version_min = release->version_max;
    }
    world_trace(world, "host %u is another release (%u)", index, roll);
}

bool host_is_alien(const struct host *host)
{
    return host->up &&
           host->node->peer.config.version_min > MESSAGE_PROTOCOL_VERSION;
}

/* The ends of lives, and a flush to come, are of the clock that they were made
 * by, and of two nodes on one host the one with the later clock counts as the
 * later one, where somebody comes back with data. */
static void set_clock(struct world *world, unsigned index, bool empty)
{
    const struct knobs *knobs = &world->knobs;
    int64_t hours = 1 + (int64_t)dice_below(&world->dice, 6);
    bool nobody_comes_back =
        knobs->suspends == 0 && knobs->warm == 0 && knobs->upgrades == 0;

    if (!dice_percent(&world->dice, knobs->clock_steps) ||
        (!empty && (knobs->expiry || knobs->flush_later || knobs->counting)))
        return;
    if (nobody_comes_back && dice_percent(&world->dice, 50))
        hours = -hours;
    world->ahead_ns[index] += hours * (int64_t)MS(3600000);
    fault_count(world, FAULT_CLOCK_SET);
    world_trace(world, "host %u has its clock set by %lld h", index,
                (long long)hours);
}

/* A start for which memory does not suffice comes to nothing, and that is all
 * it comes to. */
static void start_in_vain(struct world *world)
{
    const struct node_hooks hooks = {.ctx = NULL};
    struct engine_config with = {.memory_bytes = 1 * MIB,
                                 .item_bytes_max = 64 * KIB,
                                 .page_bytes = 64 * KIB,
                                 .table_power = 8};
    struct node_config config = {.node = 1,
                                 .incarnation = 1,
                                 .pair = "sim",
                                 .dead_ms = 1000,
                                 .ring_entries = 2,
                                 .tombstones_max = 1};
    uint64_t failures = heap_failures();
    struct node *node;

    heap_fail(1 + (unsigned)dice_below(&world->dice, 30),
              dice_next(&world->dice));
    if (engine_new(&with, &config.engine) == 0) {
        if (node_new(&config, &hooks, &node) == 0)
            node_free(&node);
        engine_free(&config.engine);
    }
    heap_fail(0, 0);
    world->faults[FAULT_NO_START] += heap_failures() > failures;
}

void host_boot(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];
    struct leaving *leaving = restart_choose(world, index);
    unsigned life = host->life + 1;

    if (world->knobs.no_memory > 0)
        start_in_vain(world);
    if (life > 1)
        set_clock(world, index, leaving == NULL);
    if (world->knobs.drift_ppm[index] != 0)
        fault_count(world, FAULT_CLOCK_DRIFTS);
    choose_release(world, index);
    *host =
        (struct host){.world = world, .index = index, .up = true, .life = life};
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        host->links[i].conn = -1;
    host->heap_bytes = heap_use().bytes;
    make_engine(host, leaving);
    talk_prepare(host);
    fetches_boot(host);
    make_node(host, leaving);
    restart_taken(leaving);
    history_listen(host);
    make_client(host);
    talk_open(host);
    host->heap_bytes = heap_use().bytes - host->heap_bytes;
    world_trace(world, "host %u boots", index);
    node_start(host->node, now(host));
}

void host_fini(struct host *host)
{
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        link_free(&host->links[i]);
    talk_close(host);
    node_free(&host->node);
    talk_fini(host);
    fetches_fini(host);
    if (host->client != NULL)
        engine_thread_free(&host->client);
    if (host->engine != NULL)
        engine_free(&host->engine);
    host->up = false;
}

/* All connections end, in one way or the other. */
static void go_down(struct host *host, bool silently)
{
    struct world *world = host->world;

    for (unsigned i = 0; i < NODE_LINKS_MAX; i++) {
        int conn = host->links[i].conn;

        if (conn < 0)
            continue;
        if (!silently)
            wire_reset(world, conn);
        wire_vanish(world, conn, host->links[i].end);
    }
    for (unsigned i = 0; i < host->accepts; i++) {
        wire_reset(world, host->accept[i]);
        wire_vanish(world, host->accept[i], 1);
    }
    host_fini(host);
    host->up_at_ns =
        world->now_ns + MS(100) + dice_below(&world->dice, 8) * MS(500);
}

void host_crash(struct world *world, unsigned index, bool silently)
{
    world_trace(world, "host %u crashes%s", index, silently ? " silently" : "");
    history_crash(world, index);
    go_down(&world->hosts[index], silently);
}

void host_stop(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];

    world_trace(world, "host %u stops", index);
    host->stopping = true;
    host->leaves = dice_percent(&world->dice, world->knobs.warm);
    node_drain(host->node, now(host));
}

void host_suspend(struct world *world, unsigned index)
{
    world_trace(world, "host %u is suspended", index);
    restart_leave(&world->hosts[index]);
    go_down(&world->hosts[index], dice_percent(&world->dice, 40));
}

static void stop_if_drained(struct host *host)
{
    struct world *world = host->world;
    struct host *other = &world->hosts[1 - host->index];
    bool told = host->node->send.goodbye_said && other->up &&
                other->node->line.followed == host->node->line.incarnation;

    if (!host->stopping || !node_drained(host->node))
        return;
    world_trace(world, "host %u is down, %s", host->index,
                told ? "all is told" : "not all is told");
    if (told)
        check_told(host, CHECK_STOPPED, STAMP_MAX);
    if (host->leaves)
        restart_leave(host);
    else if (told)
        history_stop(world, host->index);
    else
        history_crash(world, host->index);
    go_down(host, false);
}

/* ---- a turn ---- */

static void upkeep(struct host *host)
{
    unsigned rounds = 0;

    engine_thread_set_now(host->client, now(host));
    while (engine_upkeep(host->client) == 0 && rounds < UPKEEP_ROUNDS_MAX)
        rounds++;
    engine_thread_settle(host->client);
}

void host_run(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];

    if (!host->up || world->now_ns < host->frozen_until_ns)
        return;
    if (dice_percent(&world->dice, world->knobs.late)) {
        fault_count(world, FAULT_LATE);
        return;
    }
    rule_yields = world->knobs.yields;
    engine_thread_set_now(host->client, now(host));
    if (host->dialing && world->now_ns >= host->dial_due_ns)
        links_dial(host);
    links_run(host);
    if (now(host) >= node_deadline(host->node))
        node_tick(host->node, now(host));
    waits_look(host);
    upkeep(host);
    orders_look(host);
    fetches_look(host);
    client_look(host);
    stop_if_drained(host);
}

/* ---- looking ---- */

uint64_t content_of(const struct host *host, const struct engine_view *view)
{
    static char bytes[VALUE_MAX + MIB];
    struct node_fill fill = {host->client, view->item};

    /* The token is a hint, and no part of a version. */
    uint32_t state = view->state & ~ITEM_STATE_WON;
    struct tally tally = {.base_stamp = STAMP_NONE};
    const size_t head = 16 + sizeof(tally);

    INVARIANT(view->value_size + head <= sizeof(bytes));
    engine_view_tally(view, &tally);
    memcpy(bytes, &view->client_flags, 4);
    memcpy(bytes + 4, &state, 4);
    memcpy(bytes + 8, &view->cas, 8);
    memcpy(bytes + 16, &tally, sizeof(tally));
    node_fill_value(&fill, bytes + head, view->value_size);
    return hash_key(1, slice_make(bytes, view->value_size + head));
}

struct holding host_holds(struct host *host, uint64_t hash)
{
    struct holding holding = {.live = false};
    struct engine_view view;

    engine_thread_set_now(host->client, now(host));
    if (!engine_find(host->client, hash, &view))
        return holding;
    holding = (struct holding){.live = true,
                               .stamp = view.stamp,
                               .cas = view.cas,
                               .content = content_of(host, &view),
                               .expires_at_s = view.expires_at_s};
    engine_view_end(host->client, &view);
    return holding;
}

uint64_t host_bytes(struct host *host)
{
    uint64_t bytes = 0;
    struct engine_view view;

    for (unsigned i = 0; host->up && i < host->world->knobs.keys; i++) {
        if (!engine_find(host->client, host->world->keys[i].hash, &view))
            continue;
        bytes += view.value_size;
        engine_view_end(host->client, &view);
    }
    return bytes;
}

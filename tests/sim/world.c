/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes things happen, some of them bad, and then heals and waits. Which kinds
 * of bad things a world knows is itself up to the seed: a world with one kind
 * finds other faults than one with all. */
#include "tests/sim/sim.h"

#include "src/base/log.h"
#include "src/base/memory.h"

#include <stdarg.h>
#include <string.h>

#define TRACE_ROOM (4 * MIB)
#define HEAL_STEPS_MAX 12000
#define VERIFY_STEPS_MAX 4000
#define FETCHES_PERCENT 90
#define HEAL_SETTLE_NS (3 * NS_PER_S)
#define START_NS (1700000000ull * NS_PER_S / QUANTUM_NS * QUANTUM_NS)

/* ---- dice: splitmix64 ---- */

uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t dice_below(struct dice *dice, uint64_t n)
{
    return dice_next(dice) % n;
}

bool dice_percent(struct dice *dice, unsigned percent)
{
    return dice_below(dice, 100) < percent;
}

static bool per_mille(struct dice *dice, unsigned n)
{
    return dice_below(dice, 1000) < n;
}

static uint64_t pick(struct dice *dice, const uint64_t *from, size_t count)
{
    return from[dice_below(dice, count)];
}
#define PICK(dice, ...) \
    pick(dice, (const uint64_t[]){__VA_ARGS__}, \
         sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* ---- trace ---- */

void world_trace(struct world *world, const char *format, ...)
{
    size_t room = world->trace_room - world->trace_size;
    va_list args;
    int size;

    if (!world->tracing || room < 512)
        return;
    size = snprintf(
        world->trace + world->trace_size, room, "%5u %9llu.%03llu ",
        world->step,
        (unsigned long long)((world->now_ns - START_NS) / NS_PER_MS),
        (unsigned long long)((world->now_ns - START_NS) / NS_PER_US % 1000));
    world->trace_size += (size_t)size;
    room -= (size_t)size;
    va_start(args, format);
    size = vsnprintf(world->trace + world->trace_size, room - 1, format, args);
    va_end(args);
    world->trace_size += (size_t)size < room - 1 ? (size_t)size : room - 2;
    world->trace[world->trace_size++] = '\n';
}

static void trace_log(void *ctx, enum log_level level, const char *line)
{
    (void)level;
    world_trace(ctx, "log: %s", line);
}

/* ---- the beginning ---- */

static void choose_bounds(struct dice *dice, struct knobs *knobs)
{
    knobs->keys = (unsigned)PICK(dice, 4, 12, 24, 24, 200);
    knobs->ring = PICK(dice, 4, 8, 16, 64, 1024);
    knobs->tombstones = PICK(dice, 2, 4, 16, 1024);
    knobs->bucket_bits = (unsigned)PICK(dice, 1, 3, 5, 10, 16);
    knobs->memory_bytes = PICK(dice, 1 * MIB, 2 * MIB, 16 * MIB, 16 * MIB);
    knobs->value_max = PICK(dice, 16, 100, 4000, 20000);
    knobs->big_values = dice_percent(dice, 30);
    knobs->expiry = dice_percent(dice, 40);
    knobs->flush = dice_percent(dice, 30);
    knobs->flush_later = dice_percent(dice, 20);
    if (dice_percent(dice, 25)) { /* More than fits. */
        knobs->keys = 200;
        knobs->value_max = 20000;
        knobs->memory_bytes = 1 * MIB;
    }
}

static void choose_net(struct dice *dice, struct knobs *knobs)
{
    uint64_t offset_ns =
        PICK(dice, 0, 0, MS(30), MS(700), MS(2600), MS(90000), MS(3600000));

    knobs->offset_ns = offset_ns + QUANTUM_NS / 2;
    knobs->offset_behind = dice_percent(dice, 50);
    knobs->latency_ns = PICK(dice, 0, MS(1), MS(5), MS(40));
    knobs->rate = PICK(dice, 2000, 20000, 100000, 400000);
    if ((knobs->big_values || knobs->value_max > 4000) && knobs->rate < 20000)
        knobs->rate = 20000;
    knobs->one_dials = dice_percent(dice, 20);
    knobs->same_bit = dice_percent(dice, 50);
}

/* Whoever goes comes back with all that he had. */
static void choose_to_count(struct knobs *knobs)
{
    knobs->counting = true;
    knobs->keys = knobs->keys > 12 ? 12 : knobs->keys;
    knobs->memory_bytes = 16 * MIB;
    knobs->flush = false;
    knobs->flush_later = false;
    knobs->crashes = 0;
    knobs->stops = 0;
    knobs->copies = 0;
    knobs->evictions = 0;
}

/* So that there is something to prolong that only one of the hosts has. */
static void choose_to_touch(struct knobs *knobs)
{
    knobs->touching = true;
    knobs->memory_bytes = 16 * MIB;
    knobs->ring = 1024;
    knobs->evictions = 300;
}

static void choose_faults(struct dice *dice, struct knobs *knobs)
{
    knobs->resets = dice_percent(dice, 50) ? 10 : 0;
    knobs->stalls = dice_percent(dice, 30) ? 5 : 0;
    knobs->freezes = dice_percent(dice, 30) ? 3 : 0;
    knobs->crashes = dice_percent(dice, 30) ? 4 : 0;
    knobs->partitions = dice_percent(dice, 40) ? 4 : 0;
    knobs->stops = dice_percent(dice, 30) ? 4 : 0;
    knobs->writes = (unsigned)PICK(dice, 10, 50, 90);
    knobs->steps = (unsigned)PICK(dice, 200, 500, 900);
    knobs->suspends = (unsigned)PICK(dice, 0, 0, 4, 8);
    knobs->warm = (unsigned)PICK(dice, 0, 50, 100);
    knobs->copies = dice_percent(dice, 40) ? 70 : 0;
    knobs->orders = dice_percent(&(struct dice){dice->state}, 40) ? 20 : 0;
}

/* Who joins does so often, and long enough to be asked for something. */
static void choose_to_fetch(struct dice *dice, struct knobs *knobs)
{
    knobs->fetches = true;
    if (dice_percent(dice, 50))
        return;
    knobs->keys = 200;
    knobs->value_max = 100;
    knobs->big_values = dice_percent(dice, 20);
    knobs->rate = knobs->big_values ? 20000 : 1000;
    knobs->latency_ns = MS(5);
    knobs->crashes = 5;
    knobs->stops = knobs->suspends = 0;
    knobs->steps = 900;
}

void world_init(struct world *world, uint64_t seed, bool tracing)
{
    *world = (struct world){.seed = seed,
                            .dice = {seed},
                            .operator= {~seed},
                            .now_ns = START_NS,
                            .tracing = tracing};
    if (tracing) {
        world->trace = memory_new(1, TRACE_ROOM);
        INVARIANT(world->trace != NULL);
        world->trace_room = TRACE_ROOM;
    }
    log_set_sink(trace_log, world);
    choose_bounds(&world->dice, &world->knobs);
    choose_net(&world->dice, &world->knobs);
    choose_faults(&world->dice, &world->knobs);
    world->verify_dice.state = ~seed;
    world->evict_dice.state = seed ^ 0x5851F42D4C957F2Dull;
    world->knobs.evictions = (unsigned)PICK(&world->evict_dice, 0, 0, 50, 300);
    world->fetch_dice.state = ~seed;
    if (seed % 2 == 0)
        choose_to_fetch(&world->fetch_dice, &world->knobs);
    world->knobs.verifies = (unsigned)PICK(&world->verify_dice, 0, 0, 10, 50);
    if (dice_percent(&world->evict_dice, 20))
        choose_to_touch(&world->knobs);
    if (seed % 3 == 0)
        choose_to_count(&world->knobs);
    restart_init(world);
    history_init(world);
}

void world_fini(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++)
        host_fini(&world->hosts[i]);
    wire_fini(world);
    restart_fini(world);
    history_fini(world);
    memory_free(&world->trace);
    log_set_sink(NULL, NULL);
}

/* ---- faults ---- */

static struct conn *some_conn(struct world *world)
{
    struct conn *conn = &world->conns[dice_below(&world->dice, CONNS_MAX)];

    for (unsigned i = 0; i < CONNS_MAX && !conn->used; i++)
        conn = &world->conns[i];
    return conn->used ? conn : NULL;
}

static void break_conn(struct world *world)
{
    struct conn *conn = some_conn(world);

    if (conn == NULL)
        return;
    world_trace(world, "a connection is reset");
    wire_reset(world, (int)(conn - world->conns));
}

static void stall_conn(struct world *world)
{
    struct conn *conn = some_conn(world);
    unsigned way = (unsigned)dice_below(&world->dice, 2);

    if (conn == NULL)
        return;
    world_trace(world, "host %u is not heard any more", conn->host[way]);
    conn->stalled[0] = conn->stalled[1] = false;
    conn->stalled[way] = true;
    conn->stalled_until_ns =
        world->now_ns + dice_below(&world->dice, 30) * MS(100);
}

static void freeze_host(struct world *world)
{
    struct host *host = &world->hosts[dice_below(&world->dice, HOSTS)];

    host->frozen_until_ns =
        world->now_ns + dice_below(&world->dice, 30) * MS(100);
    world_trace(world, "host %u freezes", host->index);
}

static void part_hosts(struct world *world)
{
    if (world->partitioned)
        return;
    world->partitioned = true;
    world->partition_until_ns =
        world->now_ns + dice_below(&world->dice, 40) * MS(100);
    world_trace(world, "the hosts are cut off from each other");
}

static void crash_some(struct world *world)
{
    unsigned index = (unsigned)dice_below(&world->dice, HOSTS);

    if (world->hosts[index].up)
        host_crash(world, index, dice_percent(&world->dice, 40));
}

static void stop_some(struct world *world)
{
    struct host *host = &world->hosts[dice_below(&world->dice, HOSTS)];

    if (host->up && !host->stopping)
        host_stop(world, host->index);
}

static void suspend_some(struct world *world)
{
    unsigned index = (unsigned)dice_below(&world->dice, HOSTS);

    if (world->hosts[index].up)
        host_suspend(world, index);
}

/* No harm, but it must not do any. */
static void verify_some(struct world *world)
{
    struct dice *dice = &world->verify_dice;
    struct host *host = &world->hosts[dice_below(dice, HOSTS)];
    bool repair = dice_percent(dice, 50);

    if (host->up && !host->stopping &&
        node_verify(host->node, host_now(world, host->index), repair) == NULL)
        world_trace(world, "host %u verifies%s", host->index,
                    repair ? " and repairs" : "");
}

static void do_harm(struct world *world)
{
    const struct knobs *knobs = &world->knobs;

    if (per_mille(&world->dice, knobs->resets))
        break_conn(world);
    if (per_mille(&world->dice, knobs->stalls))
        stall_conn(world);
    if (per_mille(&world->dice, knobs->freezes))
        freeze_host(world);
    if (per_mille(&world->dice, knobs->partitions))
        part_hosts(world);
    if (per_mille(&world->dice, knobs->crashes))
        crash_some(world);
    if (per_mille(&world->dice, knobs->stops))
        stop_some(world);
    if (per_mille(&world->dice, knobs->suspends))
        suspend_some(world);
    if (per_mille(&world->evict_dice, knobs->evictions))
        client_evict(world, (unsigned)dice_below(&world->evict_dice, HOSTS));
    if (per_mille(&world->verify_dice, knobs->verifies))
        verify_some(world);
    if (per_mille(&world->operator, knobs->orders))
        order_some(world);
}

static void end_of_partition(struct world *world)
{
    if (!world->partitioned || world->now_ns < world->partition_until_ns)
        return;
    world->partitioned = false;
    world_trace(world, "the hosts see each other again");
}

static void heal(struct world *world)
{
    world->healing = true;
    world->partition_until_ns = world->now_ns;
    for (unsigned i = 0; i < CONNS_MAX; i++)
        world->conns[i].stalled_until_ns = world->now_ns;
    for (unsigned i = 0; i < HOSTS; i++)
        world->hosts[i].frozen_until_ns = world->now_ns;
    orders_end(world);
    world_trace(world, "all faults end");
}

/* ---- steps ---- */

static void pass_time(struct world *world)
{
    unsigned roll = (unsigned)dice_below(&world->dice, 100);
    uint64_t quanta = 1 + dice_below(&world->dice, 4);

    if (roll < 40)
        quanta = 1 + dice_below(&world->dice, 80);
    if (roll < 3)
        quanta = 1 + dice_below(&world->dice, 4000);
    world->now_ns += quanta * QUANTUM_NS;
}

static void boot_what_is_down(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++)
        if (!world->hosts[i].up && world->now_ns >= world->hosts[i].up_at_ns)
            host_boot(world, i);
}

static void work(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++)
        while (dice_percent(&world->dice, world->knobs.writes))
            client_work(world, i);
}

/* They change nothing, so they may ask at any time. */
static void ask(struct world *world)
{
    for (unsigned i = 0; i < HOSTS && world->knobs.fetches; i++)
        while (dice_percent(&world->fetch_dice, FETCHES_PERCENT))
            fetches_ask(world, i);
}

static void run_step(struct world *world)
{
    unsigned first = (unsigned)dice_below(&world->dice, HOSTS);

    world->step++;
    pass_time(world);
    end_of_partition(world);
    boot_what_is_down(world);
    if (!world->healing) {
        do_harm(world);
        work(world);
    }
    ask(world);
    host_run(world, first);
    host_run(world, 1 - first);
    check_step(world);
}

/* Lives that end meanwhile make less to differ. */
static void verify(struct world *world)
{
    struct host *host = &world->hosts[dice_below(&world->dice, HOSTS)];
    unsigned most = check_differing(world, false);
    struct node_verified result;
    const char *why;

    for (unsigned i = 0; i < VERIFY_STEPS_MAX; i++) {
        if (!node_verify_is_running(host->node))
            break; /* One that began before. */
        run_step(world);
    }
    why = node_verify(host->node, host_now(world, host->index), false);
    if (!check_that(world, CHECK_VERIFY, why == NULL, "no verify: %s", why))
        return;
    for (unsigned i = 0; i < VERIFY_STEPS_MAX; i++) {
        if (!node_verify_is_running(host->node))
            break;
        run_step(world);
    }
    check_that(world, CHECK_VERIFY, node_verify_result(host->node, &result),
               "verify was cut short");
    check_that(world, CHECK_VERIFY,
               result.differing <= most &&
                   result.differing >= check_differing(world, true) &&
                   result.unsettled == 0,
               "verify finds %llu differing, not %u",
               (unsigned long long)result.differing, most);
}

void world_run(struct world *world)
{
    uint64_t healed_ns;

    while (world->step < world->knobs.steps && !world->failed)
        run_step(world);
    heal(world);
    healed_ns = world->now_ns;
    for (unsigned i = 0; i < HEAL_STEPS_MAX && !world->failed; i++) {
        run_step(world);
        if (world->now_ns > healed_ns + HEAL_SETTLE_NS && check_is_quiet(world))
            break;
    }
    if (!world->failed)
        check_end(world);
    if (!world->failed)
        verify(world);
}

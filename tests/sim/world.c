/* SPDX-License-Identifier: BSD-3-Clause */
/* Makes things happen, some of them bad (faults.c), and then heals and waits.
 */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "src/base/log.h"
#include "src/base/memory.h"

#include <stdarg.h>
#include <string.h>

#define TRACE_ROOM (4 * MIB)
#define HEAL_STEPS 12000
#define RESYNCS_MAX 4
#define STEP_NS MS(10) /* On average. */
#define VERIFY_STEPS_MAX 4000
#define FETCHES_PERCENT 90
#define HEAL_SETTLE_NS (3 * NS_PER_S)

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

bool dice_mille(struct dice *dice, unsigned n)
{
    return dice_below(dice, 1000) < n;
}

uint64_t dice_pick(struct dice *dice, const uint64_t *from, size_t count)
{
    return from[dice_below(dice, count)];
}

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
    const struct world *world = ctx;

    world_trace(ctx, "log: %s", line);
    if (level != LOG_LEVEL_ERROR)
        return;
    /* A broken invariant: this process will not tell anything else. */
    fwrite(world->trace, 1, world->trace_size, stdout);
    printf("seed %llu: step %u: %s\n", (unsigned long long)world->seed,
           world->step, line);
    fflush(stdout);
}

/* ---- the beginning ---- */

void world_init(struct world *world, uint64_t seed, bool tracing)
{
    *world = (struct world){
        .seed = seed, .dice = {seed}, .now_ns = START_NS, .tracing = tracing};
    if (tracing) {
        world->trace = keep_new(1, TRACE_ROOM);
        world->trace_room = TRACE_ROOM;
    }
    world->heap = heap_use();
    log_set_sink(trace_log, world);
    knobs_choose(world);
    world->ahead_ns[1] = world->knobs.offset_ns;
    restart_init(world);
    history_init(world);
    stranger_init(world);
}

void world_end(struct world *world)
{
    struct heap_use left;

    for (unsigned i = 0; i < HOSTS; i++)
        host_fini(&world->hosts[i]);
    stranger_fini(world);
    left = heap_use();
    check_that(
        world, CHECK_FREED,
        left.pieces == world->heap.pieces && left.bytes == world->heap.bytes &&
            left.regions == world->heap.regions,
        "%zu bytes in %zu pieces are left over", left.bytes - world->heap.bytes,
        left.pieces - world->heap.pieces);
}

void world_fini(struct world *world)
{
    wire_fini(world);
    restart_fini(world);
    history_fini(world);
    keep_free(&world->trace);
    log_set_sink(NULL, NULL);
}

/* ---- steps ---- */

static void end_of_partition(struct world *world)
{
    if (!world->partitioned || world->now_ns < world->partition_until_ns)
        return;
    world->partitioned = false;
    world_trace(world, "the hosts see each other again");
}

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
        while (dice_percent(&world->dice, FETCHES_PERCENT))
            fetches_ask(world, i);
}

static void run_step(struct world *world)
{
    unsigned first = (unsigned)dice_below(&world->dice, HOSTS);

    world->step++;
    pass_time(world);
    end_of_partition(world);
    boot_what_is_down(world);
    faults_begin(world);
    if (!world->healing) {
        faults_some(world);
        work(world);
    }
    ask(world);
    host_run(world, first);
    host_run(world, 1 - first);
    faults_end(world);
    stranger_run(world);
    check_step(world);
}

/* Lives that end meanwhile make less to differ. */
static void verify(struct world *world)
{
    struct host *host = &world->hosts[dice_below(&world->dice, HOSTS)];
    unsigned most = check_differing(world, false);
    struct node_verified result;
    const char *why;

    if (!node_compare_is_known(host->node))
        return; /* One of them is an older release. */

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

/* How many steps may pass until all is told: some for what has to be said at
 * all, and for every byte that may have to be carried what the wire takes for
 * it, several times, as one resync may be followed by another. */
static unsigned quiet_within(struct world *world)
{
    const struct knobs *knobs = &world->knobs;
    uint64_t round_ns = STEP_NS + 2 * knobs->latency_ns;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < HOSTS; i++)
        bytes += host_bytes(&world->hosts[i]);
    if (knobs->yields) /* An item is as much as a whole turn's bytes. */
        bytes += (uint64_t)HOSTS * knobs->keys * knobs->rate;
    return HEAL_STEPS +
           (unsigned)(RESYNCS_MAX * bytes / knobs->rate * (round_ns / STEP_NS));
}

void world_run(struct world *world)
{
    uint64_t healed_ns;
    unsigned most;

    while (world->step < world->knobs.steps && !world->failed)
        run_step(world);
    faults_heal(world);
    healed_ns = world->now_ns;
    most = quiet_within(world);
    for (unsigned i = 0; i < most && !world->failed; i++) {
        run_step(world);
        if (world->now_ns > healed_ns + HEAL_SETTLE_NS && check_is_quiet(world))
            break;
    }
    if (!world->failed)
        check_end(world);
    if (!world->failed)
        verify(world);
}

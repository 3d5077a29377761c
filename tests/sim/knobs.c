/* SPDX-License-Identifier: BSD-3-Clause */
/* What a seed decides at the beginning: how large everything is, and which
 * faults its world knows, and how often. A world with one kind of fault finds
 * other mistakes than one with all. */
#include "tests/sim/sim.h"

#include "src/base/memory.h"

#define PICK(dice, ...) \
    dice_pick(dice, (const uint64_t[]){__VA_ARGS__}, \
              COUNT_OF(((const uint64_t[]){__VA_ARGS__})))
#define HOURS(n) MS((n)*3600000ull)
/* Lives are checked to the half second, and no world is older than minutes. */
#define DRIFT_PPM_MAX 1000

static void choose_bounds(struct dice *dice, struct knobs *knobs)
{
    knobs->keys = (unsigned)PICK(dice, 4, 12, 24, 24, 200);
    knobs->ring = PICK(dice, 2, 4, 8, 8, 16, 64, 1024);
    knobs->tombstones = PICK(dice, 1, 2, 3, 4, 6, 16, 1024);
    knobs->bucket_bits = (unsigned)PICK(dice, 1, 3, 5, 10, 16);
    knobs->table_power = (unsigned)PICK(dice, 4, 4, 8);
    knobs->memory_bytes = PICK(dice, 1 * MIB, 2 * MIB, 16 * MIB, 16 * MIB);
    knobs->value_max = PICK(dice, 16, 100, 4000, 20000);
    knobs->big_values = dice_percent(dice, 30);
    knobs->unlike = dice_percent(dice, 10);
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
    uint64_t offset_ns = PICK(dice, 0, 0, MS(30), MS(700), MS(2600), MS(90000),
                              HOURS(1), HOURS(5));

    knobs->offset_ns = (int64_t)(offset_ns + QUANTUM_NS / 2);
    if (dice_percent(dice, 50))
        knobs->offset_ns = -knobs->offset_ns;
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

/* Hosts come and go all the time, some of them with data of yesterday. */
static void choose_to_go_back(struct knobs *knobs)
{
    knobs->keys = 24;
    knobs->memory_bytes = 16 * MIB;
    knobs->crashes = knobs->stops = 0;
    knobs->suspends = 20;
    knobs->copies = 70;
    knobs->steps = 900;
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
    knobs->copies = dice_percent(dice, 30) ? 70 : 0;
    if (knobs->copies > 0)
        knobs->suspends = 12;
    knobs->orders = dice_percent(dice, 40) ? 20 : 0;
    knobs->verifies = (unsigned)PICK(dice, 0, 0, 10, 50);
}

static void choose_clocks(struct dice *dice, struct knobs *knobs)
{
    knobs->clock_steps = dice_percent(dice, 30) ? 50 : 0;
    for (unsigned i = 0; i < HOSTS; i++)
        if (dice_percent(dice, 30))
            knobs->drift_ppm[i] =
                (int64_t)dice_below(dice, 2 * DRIFT_PPM_MAX) - DRIFT_PPM_MAX;
}

static void choose_mischief(struct dice *dice, struct knobs *knobs)
{
    knobs->garbles = dice_percent(dice, 20) ? 10 : 0;
    knobs->no_memory = dice_percent(dice, 20) ? 10 : 0;
    knobs->strangers = dice_percent(dice, 25) ? 20 : 0;
    knobs->upgrades = dice_percent(dice, 20) ? 4 : 0;
    knobs->short_writes = dice_percent(dice, 20);
    knobs->late = dice_percent(dice, 20) ? 30 : 0;
    knobs->yields = dice_percent(dice, 20);
}

static void choose_clients(struct dice *dice, struct knobs *knobs)
{
    knobs->talks = (unsigned)PICK(dice, 0, 30, 30, 100);
    knobs->ack = (enum world_ack)PICK(dice, WORLD_ASYNC, WORLD_ASYNC,
                                      WORLD_APPLIED, WORLD_PREFIX);
    if (knobs->ack == WORLD_ASYNC)
        return;
    /* Where the log overflows all the time, nobody ever waits. */
    knobs->ring = PICK(dice, 64, 1024);
    knobs->writes = (unsigned)PICK(dice, 10, 30);
}

void knobs_choose(struct world *world)
{
    struct dice *dice = &world->dice;
    struct knobs *knobs = &world->knobs;

    choose_bounds(dice, knobs);
    choose_net(dice, knobs);
    choose_faults(dice, knobs);
    choose_clocks(dice, knobs);
    choose_mischief(dice, knobs);
    choose_clients(dice, knobs);
    if (dice_percent(dice, 40))
        choose_to_fetch(dice, knobs);
    knobs->evictions = (unsigned)PICK(dice, 0, 0, 50, 300);
    if (dice_percent(dice, 20))
        choose_to_touch(knobs);
    if (world->seed % 3 == 0)
        choose_to_count(knobs);
    if (world->seed % 12 == 5)
        choose_to_go_back(knobs);
}

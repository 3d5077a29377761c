/* SPDX-License-Identifier: BSD-3-Clause */
/* CLOCK_BOOTTIME rather than CLOCK_MONOTONIC: it counts on while a machine is
 * suspended, so an item that should have expired meanwhile has. Both are read
 * in the vDSO (Linux 5.3 and later) and cost the same, about 30 ns. The coarse
 * clocks, at a third of that, tick in milliseconds: too coarse for stamps. */
#include "src/base/clock.h"

#include "src/base/invariant.h"

#include <time.h>

#define INIT_READINGS 8

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);

    INVARIANT(failed == 0); /* Only an unknown clock can fail. */
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The wall clock is read between two readings of the counter, several times,
 * and the closest counts: who is interrupted in between would be wrong by
 * milliseconds for as long as the process lives. */
void clock_init_real(struct clock *clock)
{
    uint64_t best_ns = UINT64_MAX;

    *clock = (struct clock){.base_ns = 0};
    for (int i = 0; i < INIT_READINGS; i++) {
        uint64_t before_ns = read_ns(CLOCK_BOOTTIME);
        uint64_t wall_ns = read_ns(CLOCK_REALTIME);
        uint64_t took_ns = read_ns(CLOCK_BOOTTIME) - before_ns;

        if (took_ns >= best_ns)
            continue;
        best_ns = took_ns;
        clock->base_ns = wall_ns - before_ns - took_ns / 2;
    }
}

void clock_init_fake(struct clock *clock, uint64_t now_ns)
{
    *clock = (struct clock){.fake_ns = now_ns, .kind = CLOCK_FAKE};
}

static uint64_t real_now(const struct clock *clock)
{
    return clock->base_ns + read_ns(CLOCK_BOOTTIME);
}

static uint64_t load(const uint64_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void store(uint64_t *field, uint64_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* Away from the real clock, which every request reads. */
static uint64_t __attribute__((noinline)) unreal_now(const struct clock *clock)
{
    uint64_t paused_ns;

    if (clock->kind == CLOCK_FAKE)
        return clock->fake_ns;
    paused_ns = __atomic_load_n(&clock->paused_ns, __ATOMIC_ACQUIRE);
    return paused_ns != 0 ? paused_ns
                          : real_now(clock) + load(&clock->ahead_ns);
}

uint64_t clock_now(const struct clock *clock)
{
    if (UNLIKELY(clock->kind != CLOCK_REAL))
        return unreal_now(clock);
    return real_now(clock);
}

void clock_set(struct clock *clock, uint64_t now_ns)
{
    INVARIANT(clock->kind == CLOCK_FAKE);

    clock->fake_ns = now_ns;
}

/* ---- movable ---- */

void clock_init_movable(struct clock *clock)
{
    clock_init_real(clock);
    clock->kind = CLOCK_MOVABLE;
}

void clock_pause(struct clock *clock)
{
    INVARIANT(clock->kind == CLOCK_MOVABLE);

    store(&clock->paused_ns, clock_now(clock));
}

/* Ahead by less than nothing, after a while of standing: unsigned sums do
 * that. Who reads in between sees the time at which it stood. */
void clock_resume(struct clock *clock)
{
    uint64_t paused_ns = load(&clock->paused_ns);

    INVARIANT(clock->kind == CLOCK_MOVABLE);

    if (paused_ns == 0)
        return;
    store(&clock->ahead_ns, paused_ns - real_now(clock));
    __atomic_store_n(&clock->paused_ns, 0, __ATOMIC_RELEASE);
}

void clock_advance(struct clock *clock, uint64_t by_ns)
{
    uint64_t paused_ns = load(&clock->paused_ns);

    INVARIANT(clock->kind == CLOCK_MOVABLE);

    if (paused_ns != 0)
        store(&clock->paused_ns, paused_ns + by_ns);
    else
        store(&clock->ahead_ns, load(&clock->ahead_ns) + by_ns);
}

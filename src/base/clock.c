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
    *clock = (struct clock){.fake_ns = now_ns, .fake = 1};
}

uint64_t clock_now(const struct clock *clock)
{
    if (UNLIKELY(clock->fake))
        return clock->fake_ns;
    return clock->base_ns + read_ns(CLOCK_BOOTTIME);
}

void clock_set(struct clock *clock, uint64_t now_ns)
{
    INVARIANT(clock->fake);

    clock->fake_ns = now_ns;
}

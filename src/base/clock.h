/* SPDX-License-Identifier: BSD-3-Clause */
/* The time, as a handle: real in the daemon, set by hand in tests.
 *
 * There is one clock: nanoseconds since 1970 that never step. It is the wall
 * clock at the start of the process plus what CLOCK_BOOTTIME has counted
 * since, so a step of the wall clock neither expires nor revives an item. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

struct clock {
    uint64_t base_ns; /* Added to the counter; unused when fake. */
    uint64_t fake_ns; /* The time itself when fake. */
    int fake;
};

/* Thread: init by one thread; clock_now() by any thread for a real clock, by
 *         one thread for a fake one. */
void clock_init_real(struct clock *clock);
void clock_init_fake(struct clock *clock, uint64_t now_ns);

/* Units: nanoseconds since 1970-01-01. Never goes back on a real clock. */
uint64_t clock_now(const struct clock *clock);

/* Moves a fake clock; forward or, for the tests of it, back. */
void clock_set(struct clock *clock, uint64_t now_ns);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The time, as a handle: real in the daemon, set by hand in tests, moved by
 * commands in a daemon that is built for tests.
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

enum clock_kind { CLOCK_REAL, CLOCK_FAKE, CLOCK_MOVABLE };

struct clock {
    uint64_t base_ns; /* Added to the counter; unused when fake. */
    uint64_t fake_ns; /* The time itself when fake. */
    enum clock_kind kind;
    /* Of a movable clock, atomics: what it is ahead of the real one,
     * and the time it stands at; 0: it runs. */
    uint64_t ahead_ns;
    uint64_t paused_ns;
};

/* Thread: init by one thread; clock_now() by any thread for a real clock, by
 *         one thread for a fake one. */
void clock_init_real(struct clock *clock);
void clock_init_fake(struct clock *clock, uint64_t now_ns);

/* Units: nanoseconds since 1970-01-01. Never goes back on a real clock. */
uint64_t clock_now(const struct clock *clock);

/* Moves a fake clock; forward or, for the tests of it, back. */
void clock_set(struct clock *clock, uint64_t now_ns);

/* A real clock that may be stopped and put forward, and never goes back.
 * Thread: clock_now() by any, the others by one at a time. */
void clock_init_movable(struct clock *clock);
void clock_pause(struct clock *clock);  /* No effect on one that stands. */
void clock_resume(struct clock *clock); /* From where it stands. */
void clock_advance(struct clock *clock, uint64_t by_ns);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Version stamps: a hybrid logical clock in 64 bits (Kulkarni et al., "Logical
 * Physical Clocks", 2014), and at the same time the cas unique of an item.
 *
 *    63                                                      1    0
 *   +--------------------------------------------------------+------+
 *   | clock in ticks of 2 ns, since 1970                     | node |
 *   +--------------------------------------------------------+------+
 *
 * The two nodes of a pair have different node bits, so no two stamps are equal.
 * There is no counter apart: stamps that come faster than the clock take the
 * next ticks, which is harmless, as they only have to rise, and to be above
 * every stamp seen. Ticks must be shorter than a round trip to a client, or of
 * two writes at the two nodes, the second begun after the first was answered,
 * the second could get the lower stamp and lose. */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdatomic.h>
#include <stdint.h>

typedef uint64_t stamp_t;

#define STAMP_NONE ((stamp_t)0)
#define STAMP_MAX UINT64_MAX
#define STAMP_TICK_NS 2ull

/* No stamp from elsewhere moves the clock beyond this (the year 2545), so that
 * a lying peer cannot make it wrap around. */
#define STAMP_ABSORB_MAX (STAMP_MAX - ((uint64_t)1 << 58))

/* Thread: any; one per engine. */
struct stamp_clock {
    _Atomic uint64_t last; /* Highest stamp issued or seen. */
    _Atomic unsigned node; /* 0 or 1. */
};

void stamp_clock_init(struct stamp_clock *clock, unsigned node);
void stamp_clock_set_node(struct stamp_clock *clock, unsigned node);

/* A new stamp, above every one issued or seen before. */
stamp_t stamp_next(struct stamp_clock *clock, uint64_t now_ns);

/* Takes note of a stamp from elsewhere. */
void stamp_absorb(struct stamp_clock *clock, stamp_t seen);

stamp_t stamp_last(const struct stamp_clock *clock);

static inline unsigned stamp_node(stamp_t stamp)
{
    return (unsigned)(stamp & 1);
}

/* The time a stamp was made, cut to the tick. */
static inline uint64_t stamp_ns(stamp_t stamp)
{
    return stamp & ~(STAMP_TICK_NS - 1);
}

#endif

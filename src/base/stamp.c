/* SPDX-License-Identifier: BSD-3-Clause */
/* One word holds the whole clock, so that issuing a stamp is one compare and
 * swap. Relaxed order is enough: the changes of a single atomic have one order
 * that all threads agree on, and whoever learned of a stamp through a lock
 * finds the word at least that high. */
#include "src/base/stamp.h"

#include "src/base/invariant.h"

#include <stdbool.h>

void stamp_clock_init(struct stamp_clock *clock, unsigned node)
{
    atomic_init(&clock->last, STAMP_NONE);
    atomic_init(&clock->node, 0);
    stamp_clock_set_node(clock, node);
}

void stamp_clock_set_node(struct stamp_clock *clock, unsigned node)
{
    INVARIANT(node <= 1);

    atomic_store_explicit(&clock->node, node, memory_order_relaxed);
}

/* The lowest stamp of a node above another stamp. */
static stamp_t above(stamp_t last, unsigned node)
{
    return (((last >> 1) + 1) << 1) | node;
}

stamp_t stamp_next(struct stamp_clock *clock, uint64_t now_ns)
{
    unsigned node = atomic_load_explicit(&clock->node, memory_order_relaxed);
    stamp_t wall = (now_ns & ~(STAMP_TICK_NS - 1)) | node;
    stamp_t last = atomic_load_explicit(&clock->last, memory_order_relaxed);
    stamp_t next;

    do {
        next = wall > last ? wall : above(last, node);
    } while (!atomic_compare_exchange_weak_explicit(
        &clock->last, &last, next, memory_order_relaxed, memory_order_relaxed));
    return next;
}

void stamp_absorb(struct stamp_clock *clock, stamp_t seen)
{
    stamp_t last = atomic_load_explicit(&clock->last, memory_order_relaxed);

    if (seen > STAMP_ABSORB_MAX)
        seen = STAMP_ABSORB_MAX;
    while (seen > last) {
        if (atomic_compare_exchange_weak_explicit(&clock->last, &last, seen,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
    }
}

stamp_t stamp_last(const struct stamp_clock *clock)
{
    return atomic_load_explicit(&clock->last, memory_order_relaxed);
}

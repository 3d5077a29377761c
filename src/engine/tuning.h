/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator may change while the engine runs. */
#ifndef ENGINE_TUNING_H
#define ENGINE_TUNING_H

#include "src/engine/engine.h"
#include "src/engine/lru.h"

#include <stdatomic.h>

/* Read by anyone (relaxed), each by itself; written under the lock. */
struct tuning {
    struct lock lock; /* Rank STATS. */
    _Atomic uint32_t hot_percent;
    _Atomic uint32_t warm_percent;
    _Atomic double hot_age_factor;
    _Atomic double warm_age_factor;
    _Atomic int64_t temporary_ttl_s;
    _Atomic bool segmented;
    _Atomic bool maintain;
    _Atomic bool reassign;
    _Atomic uint32_t automove;
    _Atomic double automove_ratio;
    _Atomic uint32_t automove_window_s;
    _Atomic double automove_free_ratio;
    /* Every new item goes to the hot list: segmented, and nothing is
     * temporary. What the hot path asks. */
    _Atomic bool plain;
};

/* Errors: -ERR_RANGE; tuning_fini() in any case. */
MUST_CHECK int tuning_init(struct tuning *tuning,
                           const struct engine_tuning *initial);
void tuning_fini(struct tuning *tuning);

/* What the lists go by, at this moment. */
struct lru_rules tuning_rules(const struct tuning *tuning);

/* The list that a new item begins in. */
static inline enum lru_list tuning_list_for(const struct tuning *tuning,
                                            uint32_t now_s,
                                            uint32_t expires_at_s)
{
    int64_t ttl_s;

    if (LIKELY(atomic_load_explicit(&tuning->plain, memory_order_relaxed)))
        return LRU_HOT;
    ttl_s =
        atomic_load_explicit(&tuning->temporary_ttl_s, memory_order_relaxed);
    if (!atomic_load_explicit(&tuning->segmented, memory_order_relaxed))
        return LRU_COLD;
    if (expires_at_s != 0 && ttl_s >= 0 &&
        (int64_t)expires_at_s - (int64_t)now_s <= ttl_s)
        return LRU_TEMP;
    return LRU_HOT;
}

#endif

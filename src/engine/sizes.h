/* SPDX-License-Identifier: BSD-3-Clause */
/* How many items there are of each size, for who asked for it to be counted
 * (-o track_sizes). Shared by all threads: a count changes where an item comes
 * or goes, and then it costs an atomic addition. */
#ifndef ENGINE_SIZES_H
#define ENGINE_SIZES_H

#include "src/base/error.h"
#include "src/base/invariant.h"

#include <stddef.h>
#include <stdint.h>

#define SIZES_STEP_BYTES 32u

struct sizes {
    int64_t *counts; /* Relaxed atomic; NULL: nothing is counted. */
    size_t buckets;  /* Of sizes up to so many steps, the last one too. */
};

/* Sizes up to bytes_max. Errors: -ERR_MEMORY. */
MUST_CHECK int sizes_init(struct sizes *sizes, uint64_t bytes_max);
void sizes_fini(struct sizes *sizes);

void sizes_add(struct sizes *sizes, size_t bytes, int64_t change);

static inline void sizes_count(struct sizes *sizes, size_t bytes,
                               int64_t change)
{
    if (UNLIKELY(sizes->counts != NULL))
        sizes_add(sizes, bytes, change);
}

#endif

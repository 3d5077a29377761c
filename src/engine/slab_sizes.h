/* SPDX-License-Identifier: BSD-3-Clause */
/* Which chunk sizes there are. Pure arithmetic. */
#ifndef ENGINE_SLAB_SIZES_H
#define ENGINE_SLAB_SIZES_H

#include "src/engine/engine.h"

#include <stdint.h>

struct slab_sizes_input {
    uint64_t page_bytes;
    uint64_t chunk_bytes_max;
    uint64_t granule_bytes;
    uint32_t room_bytes_min; /* -n; 0: the default. */
    double growth;           /* -f; 0: the finer default classes. */
    const uint32_t *given;   /* Instead of these two: rising; NULL: none. */
    unsigned given_count;
};

/* Fills sizes[1..] in rising order, the last one chunk_bytes_max.
 * Errors: 0 classes for limits that cannot work; else how many. */
unsigned slab_sizes_make(const struct slab_sizes_input *input,
                         uint32_t sizes[ENGINE_CLASSES_MAX]);

#endif

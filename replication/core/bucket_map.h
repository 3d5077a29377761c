/* SPDX-License-Identifier: BSD-3-Clause */
/* A set of buckets. A bucket is the high bits of a key's hash, so it is a
 * contiguous range of hashes, whatever size the engine's table has. */
#ifndef REPLICATION_CORE_BUCKET_MAP_H
#define REPLICATION_CORE_BUCKET_MAP_H

#include "src/base/invariant.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BUCKET_BITS_MAX 16u
#define BUCKETS_MAX (1u << BUCKET_BITS_MAX)
#define BUCKET_WORDS (BUCKETS_MAX / 64)

struct bucket_map {
    uint64_t words[BUCKET_WORDS];
    uint32_t count; /* How many are in it. */
};

static inline bool bucket_map_has(const struct bucket_map *map, uint32_t bucket)
{
    return (map->words[bucket / 64] >> (bucket % 64)) & 1;
}

static inline void bucket_map_add(struct bucket_map *map, uint32_t bucket)
{
    INVARIANT(bucket < BUCKETS_MAX);
    map->count += !bucket_map_has(map, bucket);
    map->words[bucket / 64] |= (uint64_t)1 << (bucket % 64);
}

static inline void bucket_map_drop(struct bucket_map *map, uint32_t bucket)
{
    INVARIANT(bucket < BUCKETS_MAX);
    map->count -= bucket_map_has(map, bucket);
    map->words[bucket / 64] &= ~((uint64_t)1 << (bucket % 64));
}

static inline void bucket_map_clear(struct bucket_map *map)
{
    memset(map, 0, sizeof(*map));
}

/* The first bucket of the set at or above `from`; BUCKETS_MAX: none. */
static inline uint32_t bucket_map_next(const struct bucket_map *map,
                                       uint32_t from)
{
    uint32_t word = from / 64;
    uint64_t bits;

    if (from >= BUCKETS_MAX)
        return BUCKETS_MAX;
    bits = map->words[word] & (UINT64_MAX << (from % 64));
    while (bits == 0) {
        if (++word == BUCKET_WORDS)
            return BUCKETS_MAX;
        bits = map->words[word];
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

#endif

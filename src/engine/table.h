/* SPDX-License-Identifier: BSD-3-Clause */
/* The hash table: where a key's item is.
 *
 * Buckets of one cache line, indexed by the high bits of the hash:
 *
 *    0            12                                          60   63
 *   +------------+-------------------------------------------+------+
 *   | 12 tags    | 12 handles                                | word |
 *   +------------+-------------------------------------------+------+
 *
 * A tag is a byte of the hash, 0 for an empty slot. The word's lowest bit is
 * the bucket's lock, the other bits number an overflow bucket; overflow
 * buckets chain in the same way. All buckets of a chain are full but the
 * last, or have holes only in the first.
 *
 * The table doubles in place, inside one mapping, while it serves. Bucket i
 * becomes 2i and 2i+1; from the high end down, these are vacant when i's turn
 * comes. `geometry` says how far that got: a caller computes the bucket from
 * it, locks, and looks again, because the bucket may have moved meanwhile. */
#ifndef ENGINE_TABLE_H
#define ENGINE_TABLE_H

#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/lock.h"
#include "src/engine/item.h"
#include "src/engine/region.h"
#include "src/engine/table_match.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TABLE_SLOTS 12
#define TABLE_CHAIN_MAX 32 /* Overflow buckets behind one bucket. */
#define TABLE_ITEMS_MAX ((TABLE_CHAIN_MAX + 1) * TABLE_SLOTS)
/* A bucket counts as 8 slots where memcached's users see a power of two. */
#define TABLE_POWER_PER_BUCKET 3
#define TABLE_POWER_MIN 4
#define TABLE_POWER_MAX 35
/* Items per ten buckets at which the table starts to grow, and at which the
 * writers help. */
#define TABLE_GROW_TENTHS 95u
#define TABLE_HELP_TENTHS 105u

struct bucket {
    uint8_t tags[TABLE_SLOTS];
    uint32_t handles[TABLE_SLOTS];
    _Atomic uint32_t word;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct bucket) == 64, "a bucket is a cache line");

struct table {
    struct bucket *buckets;
    struct bucket *overflow; /* Indexed from 1. */
    const struct region *region;
    uint64_t hash_seed;
    unsigned power_reserved;    /* Of the number of buckets: address space. */
    bool fixed;                 /* Never grows; */
    uint64_t fixed_items;       /* but has overflow buckets for so many. */
    _Atomic unsigned power_max; /* Of the number of buckets; under growth. */
    /* Power of the number of old buckets, in the top byte; below it, how many
     * of them are not yet split. All of them: the table is at rest. */
    _Atomic uint64_t geometry __attribute__((aligned(64)));
    _Atomic int64_t items __attribute__((aligned(64))); /* About. */
    _Atomic int64_t expected; /* As many will come: table_expect(). */
    struct lock growth;       /* Rank GROWTH: whoever moves the geometry. */
    struct lock pool;         /* Rank PAGES: the pool of overflow buckets. */
    uint32_t overflow_max;    /* How many may be used. */
    uint32_t overflow_free;   /* Chained through their words. */
    uint32_t overflow_fresh;
    _Atomic uint32_t overflow_used;
};

/* A bucket, locked. */
struct place {
    struct bucket *bucket;
    uint64_t index;
};

/* A slot of the chain of a locked bucket. */
struct slot {
    struct bucket *bucket;
    unsigned index;
    struct item *item; /* NULL: not found. */
};

struct table_sizes {
    unsigned slots_power;    /* At the start. */
    bool fixed;              /* And for ever. */
    uint64_t items_max;      /* That there is memory for. */
    uint64_t items_ever_max; /* That there may be memory for one day. */
};

/* Errors: -ERR_MEMORY.
 * Owns:   caller, until table_fini(); region stays the caller's. */
MUST_CHECK int table_init(struct table *table, const struct region *region,
                          uint64_t hash_seed, const struct table_sizes *sizes);
void table_fini(struct table *table);
/* There is memory for so many items now: the table may grow as far as that
 * needs. It never becomes smaller.
 * Errors: -ERR_MEMORY. */
MUST_CHECK int table_allow(struct table *table, uint64_t items_max);

static inline unsigned geometry_power(uint64_t geometry)
{
    return (unsigned)(geometry >> 56);
}

static inline uint64_t geometry_old(uint64_t geometry)
{
    return geometry & (((uint64_t)1 << 56) - 1);
}

static inline uint64_t geometry_position(uint64_t geometry, uint64_t hash)
{
    unsigned power = geometry_power(geometry);
    uint64_t position = hash >> (64 - power);

    return LIKELY(position < geometry_old(geometry)) ? position
                                                     : hash >> (63 - power);
}

static inline uint8_t table_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;

    return tag != 0 ? tag : 1;
}

static inline uint64_t table_hash(const struct table *table,
                                  const struct item *item)
{
    return hash_key(table->hash_seed, item_key(item));
}

static inline void table_unlock(struct place place)
{
    lock_bit_release(&place.bucket->word, LOCK_RANK_BUCKET);
}

/* The bucket of a hash, locked. If the geometry has changed in between, the
 * bucket may be another by now. */
static inline struct place table_lock(struct table *table, uint64_t hash)
{
    struct place place;
    uint64_t before;
    uint64_t after;

    for (;;) {
        before = atomic_load_explicit(&table->geometry, memory_order_relaxed);
        place.index = geometry_position(before, hash);
        place.bucket = &table->buckets[place.index];
        lock_bit_take(&place.bucket->word, LOCK_RANK_BUCKET);
        after = atomic_load_explicit(&table->geometry, memory_order_relaxed);
        if (LIKELY(after == before) ||
            geometry_position(after, hash) == place.index)
            return place;
        table_unlock(place);
    }
}

/* The same without waiting. */
bool table_try(struct table *table, uint64_t hash, struct place *out);

static inline uint32_t bucket_overflow(const struct bucket *bucket)
{
    return atomic_load_explicit(&bucket->word, memory_order_relaxed) >> 1;
}

static inline struct bucket *bucket_next(const struct table *table,
                                         const struct bucket *bucket)
{
    uint32_t overflow = bucket_overflow(bucket);

    return LIKELY(overflow == 0) ? NULL : &table->overflow[overflow];
}

/* From here on the caller holds the bucket. */

static inline struct slot table_find(const struct table *table,
                                     struct place place, uint64_t hash,
                                     struct slice key)
{
    struct bucket *bucket = place.bucket;
    uint8_t tag = table_tag(hash);

    for (; bucket != NULL; bucket = bucket_next(table, bucket)) {
        unsigned mask = match_tags(bucket->tags, tag);

        for (; mask != 0; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);
            struct item *item = region_item(table->region, bucket->handles[i]);

            if (LIKELY(item_has_key(item, key)))
                return (struct slot){bucket, i, item};
        }
    }
    return (struct slot){.item = NULL};
}

struct slot table_find_hash(const struct table *table, struct place place,
                            uint64_t hash);
/* The same; quicker if the key is still at that version, which no other key
 * has ever been at. */
struct slot table_find_version(const struct table *table, struct place place,
                               uint64_t hash, stamp_t stamp);
struct slot table_find_item(const struct table *table, struct place place,
                            uint64_t hash, const struct item *item);
/* False when the chain has reached its bound, or no bucket is left. */
bool table_add(struct table *table, struct place place, uint64_t hash,
               const struct item *item);
void table_replace(const struct table *table, struct slot slot,
                   const struct item *item);
void table_remove(struct table *table, struct place place, struct slot slot);
/* All items of the bucket; returns how many. */
unsigned table_list(const struct table *table, struct place place,
                    struct item *items[TABLE_ITEMS_MAX]);
/* The last hash that the locked bucket is for. */
uint64_t table_last_hash(const struct table *table, uint64_t hash);

void table_prefetch_bucket(const struct table *table, uint64_t hash);
void table_prefetch_item(const struct table *table, uint64_t hash,
                         size_t bytes);

/* ---- growth ---- */

uint64_t table_buckets(const struct table *table);
uint64_t table_bytes(const struct table *table);
bool table_is_growing(const struct table *table);
/* Grows, now, to what so many items need, as far as it may ever grow. */
void table_expect(struct table *table, uint64_t items);
/* Whether there are more items than tenths per ten buckets. */
bool table_is_crowded(const struct table *table, unsigned tenths);
/* Splits up to buckets_max buckets if the table is growing or crowded; returns
 * how many. Does nothing while another thread is at it. */
unsigned table_grow(struct table *table, unsigned buckets_max);

#endif

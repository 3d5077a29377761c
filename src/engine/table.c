/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding, adding and removing inside one bucket and its chain. Tags and
 * handles are written atomically, though only under the lock: a prefetch
 * reads them without. */
#include "src/engine/table.h"

#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"

#include <sched.h>

#define OVERFLOW_MIN 1024u
#define OVERFLOW_MAX ((uint64_t)1 << 30)
#define GROW_AT_ONCE 1024u
#define LINE_BYTES sizeof(struct bucket)
#define PREFETCH_BYTES_MIN (2 * LINE_BYTES + 1) /* Three lines at least. */
#define PREFETCH_BYTES_MAX 512u /* Of one item; the processor sees to more. */

/* The table must hold items_max without going above the growth's mark. */
static unsigned power_for(uint64_t items_max)
{
    unsigned power = TABLE_POWER_MIN - TABLE_POWER_PER_BUCKET;

    while (power < TABLE_POWER_MAX - TABLE_POWER_PER_BUCKET &&
           ((uint64_t)1 << power) * TABLE_GROW_TENTHS < items_max * 10)
        power++;
    return power;
}

static uint64_t geometry_make(unsigned power, uint64_t old)
{
    return ((uint64_t)power << 56) | old;
}

/* A table that does not grow has most of its items there, and the last bucket
 * of each chain is half full on average. */
static uint32_t overflow_for(const struct table *table, unsigned power)
{
    uint64_t overflow = ((uint64_t)1 << power) / 4 + OVERFLOW_MIN +
                        table->fixed_items / (TABLE_SLOTS / 2);

    return (uint32_t)(overflow < OVERFLOW_MAX ? overflow : OVERFLOW_MAX);
}

static size_t buckets_bytes(unsigned power)
{
    return sizeof(struct bucket) << power;
}

static size_t overflow_bytes(const struct table *table, unsigned power)
{
    return sizeof(struct bucket) * ((size_t)overflow_for(table, power) + 1);
}

/* Opens what a table of that power needs. The caller holds growth, or is the
 * only one. */
static int open_for(struct table *table, unsigned power)
{
    if (memory_open(table->buckets, buckets_bytes(power)) != 0 ||
        memory_open(table->overflow, overflow_bytes(table, power)) != 0)
        return -ERR_MEMORY;
    lock_take(&table->pool);
    table->overflow_max = overflow_for(table, power);
    lock_release(&table->pool);
    atomic_store_explicit(&table->power_max, power, memory_order_relaxed);
    return 0;
}

static unsigned at_least(unsigned power, unsigned other)
{
    return power > other ? power : other;
}

int table_init(struct table *table, const struct region *region,
               uint64_t hash_seed, const struct table_sizes *sizes)
{
    unsigned power = sizes->slots_power - TABLE_POWER_PER_BUCKET;
    unsigned power_max;

    INVARIANT(sizes->slots_power >= TABLE_POWER_MIN);
    INVARIANT(sizes->slots_power <= TABLE_POWER_MAX);

    *table = (struct table){
        .region = region, .hash_seed = hash_seed, .fixed = sizes->fixed};
    if (table->fixed)
        table->fixed_items = sizes->items_ever_max;
    power_max =
        table->fixed ? power : at_least(power, power_for(sizes->items_max));
    table->power_reserved =
        table->fixed ? power
                     : at_least(power_max, power_for(sizes->items_ever_max));
    atomic_init(&table->geometry, geometry_make(power, (uint64_t)1 << power));
    lock_init(&table->growth, LOCK_RANK_GROWTH);
    lock_init(&table->pool, LOCK_RANK_PAGES);
    table->buckets =
        memory_reserve_closed(buckets_bytes(table->power_reserved));
    table->overflow =
        memory_reserve_closed(overflow_bytes(table, table->power_reserved));
    if (table->buckets == NULL || table->overflow == NULL ||
        open_for(table, power_max) != 0) {
        table_fini(table);
        return -ERR_MEMORY;
    }
    memory_prefer_huge(table->buckets, buckets_bytes(table->power_reserved));
    return 0;
}

void table_fini(struct table *table)
{
    if (table->region == NULL)
        return;
    memory_unreserve(table->buckets, buckets_bytes(table->power_reserved));
    memory_unreserve(table->overflow,
                     overflow_bytes(table, table->power_reserved));
    lock_fini(&table->growth);
    lock_fini(&table->pool);
    *table = (struct table){.region = NULL};
}

int table_allow(struct table *table, uint64_t items_max)
{
    unsigned power = power_for(items_max);
    int error = 0;

    if (power > table->power_reserved)
        power = table->power_reserved;
    lock_take(&table->growth);
    if (!table->fixed && power > table->power_max)
        error = open_for(table, power);
    lock_release(&table->growth);
    return error;
}

bool table_try(struct table *table, uint64_t hash, struct place *out)
{
    out->index = geometry_position(
        atomic_load_explicit(&table->geometry, memory_order_relaxed), hash);
    out->bucket = &table->buckets[out->index];
    if (!lock_bit_try(&out->bucket->word, LOCK_RANK_BUCKET))
        return false;
    if (LIKELY(geometry_position(
                   atomic_load_explicit(&table->geometry, memory_order_relaxed),
                   hash) == out->index))
        return true;
    table_unlock(*out);
    return false;
}

static void set_slot(struct bucket *bucket, unsigned index, uint8_t tag,
                     handle_t handle)
{
    __atomic_store_n(&bucket->tags[index], tag, __ATOMIC_RELAXED);
    __atomic_store_n(&bucket->handles[index], handle, __ATOMIC_RELAXED);
}

/* The holder of the lock writes the word; a waiter may set the lock bit, that
 * is set already. For overflow buckets the bit stays 0. */
static void set_overflow(struct bucket *bucket, uint32_t overflow)
{
    uint32_t word = atomic_load_explicit(&bucket->word, memory_order_relaxed);

    atomic_store_explicit(&bucket->word, (overflow << 1) | (word & 1),
                          memory_order_relaxed);
}

struct slot table_find_version(const struct table *table, struct place place,
                               uint64_t hash, stamp_t stamp)
{
    struct bucket *bucket = place.bucket;
    uint8_t tag = table_tag(hash);

    for (; bucket != NULL; bucket = bucket_next(table, bucket)) {
        unsigned mask = match_tags(bucket->tags, tag);

        for (; mask != 0; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);
            struct item *item = region_item(table->region, bucket->handles[i]);

            if ((stamp != STAMP_NONE && item_stamp(item) == stamp) ||
                table_hash(table, item) == hash)
                return (struct slot){bucket, i, item};
        }
    }
    return (struct slot){.item = NULL};
}

struct slot table_find_hash(const struct table *table, struct place place,
                            uint64_t hash)
{
    return table_find_version(table, place, hash, STAMP_NONE);
}

struct slot table_find_item(const struct table *table, struct place place,
                            uint64_t hash, const struct item *item)
{
    struct bucket *bucket = place.bucket;
    handle_t handle = region_handle(table->region, item);
    uint8_t tag = table_tag(hash);

    for (; bucket != NULL; bucket = bucket_next(table, bucket)) {
        unsigned mask = match_tags(bucket->tags, tag);

        for (; mask != 0; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);

            if (bucket->handles[i] == handle)
                return (struct slot){bucket, i,
                                     region_item(table->region, handle)};
        }
    }
    return (struct slot){.item = NULL};
}

/* An empty overflow bucket; 0 when there is none. */
static uint32_t take_overflow(struct table *table)
{
    uint32_t index = 0;

    lock_take(&table->pool);
    if (table->overflow_free != 0) {
        index = table->overflow_free;
        table->overflow_free = bucket_overflow(&table->overflow[index]);
    } else if (table->overflow_fresh < table->overflow_max) {
        table->overflow_fresh++;
        index = table->overflow_fresh;
    }
    if (index != 0) {
        set_overflow(&table->overflow[index], 0);
        table->overflow_used++;
    }
    lock_release(&table->pool);
    return index;
}

static void give_overflow(struct table *table, uint32_t index)
{
    lock_take(&table->pool);
    set_overflow(&table->overflow[index], table->overflow_free);
    table->overflow_free = index;
    table->overflow_used--;
    lock_release(&table->pool);
}

/* Adds to a chain. *spare is a chain of overflow buckets to be used first. */
static bool chain_add(struct table *table, struct bucket *bucket, uint8_t tag,
                      handle_t handle, uint32_t *spare)
{
    unsigned length = 0;
    unsigned empty;
    uint32_t index;

    while ((empty = match_tags(bucket->tags, 0)) == 0) {
        struct bucket *next = bucket_next(table, bucket);

        if (next == NULL) {
            if (length == TABLE_CHAIN_MAX)
                return false;
            index = *spare;
            if (index != 0)
                *spare = bucket_overflow(&table->overflow[index]);
            else
                index = take_overflow(table);
            if (index == 0)
                return false;
            next = &table->overflow[index];
            set_overflow(next, 0);
            set_overflow(bucket, index);
        }
        bucket = next;
        length++;
    }
    set_slot(bucket, (unsigned)__builtin_ctz(empty), tag, handle);
    return true;
}

bool table_add(struct table *table, struct place place, uint64_t hash,
               const struct item *item)
{
    uint32_t spare = 0;

    return chain_add(table, place.bucket, table_tag(hash),
                     region_handle(table->region, item), &spare);
}

void table_replace(const struct table *table, struct slot slot,
                   const struct item *item)
{
    __atomic_store_n(&slot.bucket->handles[slot.index],
                     region_handle(table->region, item), __ATOMIC_RELAXED);
}

/* Fills the hole from the chain's end, so that only the last bucket of a chain
 * has holes, and gives that one back when it becomes empty. */
static void close_hole(struct table *table, struct bucket *first,
                       struct slot hole)
{
    struct bucket *before = NULL;
    struct bucket *last = first;
    struct bucket *next;
    unsigned used;
    unsigned i;

    while ((next = bucket_next(table, last)) != NULL) {
        before = last;
        last = next;
    }
    used = ~match_tags(last->tags, 0) & MATCH_ALL;
    if (last != hole.bucket) {
        i = (unsigned)__builtin_ctz(used);
        set_slot(hole.bucket, hole.index, last->tags[i], last->handles[i]);
        set_slot(last, i, 0, HANDLE_NONE);
        used &= used - 1;
    }
    if (used == 0 && before != NULL) {
        uint32_t index = bucket_overflow(before);

        set_overflow(before, 0);
        give_overflow(table, index);
    }
}

void table_remove(struct table *table, struct place place, struct slot slot)
{
    set_slot(slot.bucket, slot.index, 0, HANDLE_NONE);
    if (UNLIKELY(bucket_overflow(place.bucket) != 0))
        close_hole(table, place.bucket, slot);
}

unsigned table_list(const struct table *table, struct place place,
                    struct item *items[TABLE_ITEMS_MAX])
{
    const struct bucket *bucket = place.bucket;
    unsigned count = 0;

    for (; bucket != NULL; bucket = bucket_next(table, bucket)) {
        unsigned used = ~match_tags(bucket->tags, 0) & MATCH_ALL;

        for (; used != 0; used &= used - 1) {
            items[count] = region_item(table->region,
                                       bucket->handles[__builtin_ctz(used)]);
            __builtin_prefetch(items[count]);
            count++;
        }
    }
    return count;
}

uint64_t table_last_hash(const struct table *table, uint64_t hash)
{
    uint64_t geometry =
        atomic_load_explicit(&table->geometry, memory_order_relaxed);
    unsigned power = geometry_power(geometry);

    if ((hash >> (64 - power)) >= geometry_old(geometry))
        power++;
    return hash | (UINT64_MAX >> power);
}

void table_prefetch_bucket(const struct table *table, uint64_t hash)
{
    __builtin_prefetch(
        &table->buckets[geometry_position(
            atomic_load_explicit(&table->geometry, memory_order_relaxed),
            hash)],
        1);
}

/* An item begins anywhere in a line, and so it ends. What is waited for later
 * costs more than a line for nothing. */
static void prefetch_lines(const char *item, size_t bytes)
{
    size_t at = LINE_BYTES;

    __builtin_prefetch(item, 1);
    for (; at < bytes; at += LINE_BYTES)
        __builtin_prefetch(item + at);
    __builtin_prefetch(item + bytes - 1);
}

void table_prefetch_item(const struct table *table, uint64_t hash, size_t bytes)
{
    const struct bucket *bucket = &table->buckets[geometry_position(
        atomic_load_explicit(&table->geometry, memory_order_relaxed), hash)];
    unsigned mask = match_tags_racing(bucket->tags, table_tag(hash));

    bytes += ITEM_HEADER_BYTES;
    if (bytes < PREFETCH_BYTES_MIN)
        bytes = PREFETCH_BYTES_MIN;
    if (bytes > PREFETCH_BYTES_MAX)
        bytes = PREFETCH_BYTES_MAX;
    for (; mask != 0; mask &= mask - 1) {
        handle_t handle = __atomic_load_n(&bucket->handles[__builtin_ctz(mask)],
                                          __ATOMIC_RELAXED);

        prefetch_lines((const char *)region_item(table->region, handle), bytes);
    }
}

uint64_t table_buckets(const struct table *table)
{
    uint64_t geometry =
        atomic_load_explicit(&table->geometry, memory_order_relaxed);
    uint64_t total = (uint64_t)1 << geometry_power(geometry);

    /* Each bucket that is split counts twice. */
    return total + (total - geometry_old(geometry));
}

uint64_t table_bytes(const struct table *table)
{
    return (table_buckets(table) +
            atomic_load_explicit(&table->overflow_used, memory_order_relaxed)) *
           sizeof(struct bucket);
}

bool table_is_growing(const struct table *table)
{
    uint64_t geometry =
        atomic_load_explicit(&table->geometry, memory_order_relaxed);

    return geometry_old(geometry) != (uint64_t)1 << geometry_power(geometry);
}

bool table_is_crowded(const struct table *table, unsigned tenths)
{
    int64_t items = atomic_load_explicit(&table->items, memory_order_relaxed);
    int64_t expected =
        atomic_load_explicit(&table->expected, memory_order_relaxed);

    if (items < expected)
        items = expected;
    return items > 0 && (uint64_t)items * 10 > table_buckets(table) * tenths;
}

/* The entries of a bucket that is being split. */
struct uprooted {
    unsigned count;
    uint32_t spare; /* Its overflow buckets, chained. */
    uint8_t tags[TABLE_ITEMS_MAX];
    handle_t handles[TABLE_ITEMS_MAX];
};

static void uproot(struct table *table, struct bucket *first,
                   struct uprooted *out)
{
    struct bucket *bucket = first;
    unsigned i;

    out->count = 0;
    out->spare = bucket_overflow(first);
    for (; bucket != NULL; bucket = bucket_next(table, bucket)) {
        for (i = 0; i < TABLE_SLOTS; i++) {
            if (bucket->tags[i] == 0)
                continue;
            out->tags[out->count] = bucket->tags[i];
            out->handles[out->count] = bucket->handles[i];
            out->count++;
            __builtin_prefetch(region_item(table->region, bucket->handles[i]));
            set_slot(bucket, i, 0, HANDLE_NONE);
        }
    }
    set_overflow(first, 0);
}

static void replant(struct table *table, struct uprooted *from,
                    struct bucket *low, struct bucket *high, unsigned shift)
{
    unsigned i;

    for (i = 0; i < from->count; i++) {
        const struct item *item = region_item(table->region, from->handles[i]);
        bool is_high = (table_hash(table, item) >> shift) & 1;
        bool added = chain_add(table, is_high ? high : low, from->tags[i],
                               from->handles[i], &from->spare);

        /* Two chains need no more overflow buckets than one had. */
        INVARIANT(added);
    }
    while (from->spare != 0) {
        uint32_t index = from->spare;

        from->spare = bucket_overflow(&table->overflow[index]);
        give_overflow(table, index);
    }
}

/* Locks a vacant bucket. Who holds it came with an old geometry, and leaves at
 * once. */
static void lock_vacant(struct bucket *bucket)
{
    while (!lock_bit_try(&bucket->word, LOCK_RANK_BUCKET))
        sched_yield();
}

/* Splits the last of the old buckets. */
static void split_one(struct table *table, unsigned power, uint64_t old)
{
    uint64_t index = old - 1;
    struct bucket *source = &table->buckets[index];
    struct bucket *low = &table->buckets[2 * index];
    struct bucket *high = &table->buckets[2 * index + 1];
    struct uprooted uprooted;

    lock_bit_take(&source->word, LOCK_RANK_BUCKET);
    if (low != source)
        lock_vacant(low);
    lock_vacant(high);
    uproot(table, source, &uprooted);
    replant(table, &uprooted, low, high, 63 - power);
    atomic_store_explicit(&table->geometry,
                          index != 0
                              ? geometry_make(power, index)
                              : geometry_make(power + 1, (uint64_t)2 << power),
                          memory_order_release);
    lock_bit_release(&high->word, LOCK_RANK_BUCKET);
    if (low != source)
        lock_bit_release(&low->word, LOCK_RANK_BUCKET);
    lock_bit_release(&source->word, LOCK_RANK_BUCKET);
}

unsigned table_grow(struct table *table, unsigned buckets_max)
{
    unsigned done = 0;

    if (!lock_try(&table->growth))
        return 0;
    while (done < buckets_max) {
        uint64_t geometry =
            atomic_load_explicit(&table->geometry, memory_order_relaxed);
        unsigned power = geometry_power(geometry);

        if (!table_is_growing(table) &&
            (power == table->power_max ||
             !table_is_crowded(table, TABLE_GROW_TENTHS)))
            break;
        split_one(table, power, geometry_old(geometry));
        done++;
    }
    lock_release(&table->growth);
    return done;
}

void table_expect(struct table *table, uint64_t items)
{
    uint64_t bound = (uint64_t)TABLE_SLOTS << table->power_max;

    if (items > bound)
        items = bound;
    atomic_store_explicit(&table->expected, (int64_t)items,
                          memory_order_relaxed);
    while (table_is_growing(table) ||
           (table_is_crowded(table, TABLE_GROW_TENTHS) &&
            table_buckets(table) < (uint64_t)1 << table->power_max))
        if (table_grow(table, GROW_AT_ONCE) == 0)
            sched_yield(); /* Somebody else is at it. */
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The upkeep, in rounds of some tens of microseconds: a due flush, table
 * growth, LRU balance, and a sweep through the table for dead items. Nothing
 * here depends on anything but the state and the time handed in, so a
 * simulation can drive it. */
#include "src/base/invariant.h"
#include "src/engine/change.h"
#include "src/engine/flush.h"
#include "src/engine/lru.h"

#define GROW_BUCKETS 64u     /* Split in one round. */
#define LRU_MOVES 500u       /* Items moved between lists in one round. */
#define LRU_MOVES_CLASS 100u /* Of these, under one taking of a lock. */
#define SWEEP_BUCKETS 64u    /* Looked at in one round. */
#define SWEEP_EVERY_NS (60 * NS_PER_S)
#define REST_MIN_NS NS_PER_MS
#define REST_MAX_NS NS_PER_S

static bool needs_balance(const struct slab_class *class)
{
    uint64_t hot =
        __atomic_load_n(&class->lists[LRU_HOT].count, __ATOMIC_RELAXED);
    uint64_t warm =
        __atomic_load_n(&class->lists[LRU_WARM].count, __ATOMIC_RELAXED);
    uint64_t all = lru_count(class);

    return hot * 100 > all * LRU_HOT_PERCENT ||
           warm * 100 > all * LRU_WARM_PERCENT;
}

/* Every class gets its turn, however busy one of them is: the next round goes
 * on behind the one that used this round up. */
static unsigned balance(struct engine *engine)
{
    struct upkeep *upkeep = &engine->upkeep;
    unsigned moves = 0;
    unsigned seen;

    for (seen = 0; seen < engine->slabs.count && moves < LRU_MOVES; seen++) {
        unsigned index = upkeep->next_class % engine->slabs.count + 1;
        struct slab_class *class = slab_class_at(&engine->slabs, index);

        upkeep->next_class = index;
        while (moves < LRU_MOVES && needs_balance(class)) {
            lock_take(&class->lock);
            moves += lru_balance(&engine->slabs, index, LRU_MOVES_CLASS);
            lock_release(&class->lock);
        }
    }
    return moves;
}

static void sweep_item(struct engine_thread *thread, struct place place,
                       struct item *item)
{
    struct table *table = &thread->engine->table;
    struct engine_class_counters *counts =
        engine_class_counts(thread, item->slab_class);
    uint64_t hash;

    METRIC_UP(counts->crawler_items_checked);
    if (!engine_is_dead(thread, item))
        return;
    METRIC_UP(counts->crawler_reclaimed);
    hash = table_hash(table, item);
    change_forget(thread, hash, item);
    table_remove(table, place, table_find_item(table, place, hash, item));
    alloc_retire(thread, item);
}

/* One bucket; returns the hash at which the next one begins, 0 at the end. */
static uint64_t sweep_bucket(struct engine_thread *thread, uint64_t hash)
{
    struct table *table = &thread->engine->table;
    struct place place = table_lock(table, hash);
    uint64_t last = table_last_hash(table, hash);
    struct item *items[TABLE_ITEMS_MAX];
    unsigned count = table_list(table, place, items);
    unsigned i;

    for (i = 0; i < count; i++)
        sweep_item(thread, place, items[i]);
    table_unlock(place);
    return last + 1;
}

/* A sweep begins every minute, and at once after a flush. */
static void begin_sweep(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    struct upkeep *upkeep = &engine->upkeep;
    stamp_t floor = atomic_load_explicit(&engine->floor, memory_order_relaxed);

    if (upkeep->sweeping)
        return;
    if (thread->now_ns < upkeep->sweep_due_ns && floor == upkeep->swept_floor)
        return;
    upkeep->sweeping = true;
    upkeep->sweep_hash = 0;
    upkeep->swept_floor = floor;
    upkeep->sweep_due_ns = thread->now_ns + SWEEP_EVERY_NS;
    atomic_fetch_add_explicit(&engine->sweeps, 1, memory_order_relaxed);
    atomic_store_explicit(&engine->sweeping, true, memory_order_relaxed);
}

static void sweep(struct engine_thread *thread)
{
    struct upkeep *upkeep = &thread->engine->upkeep;
    unsigned i;

    begin_sweep(thread);
    for (i = 0; i < SWEEP_BUCKETS && upkeep->sweeping; i++) {
        upkeep->sweep_hash = sweep_bucket(thread, upkeep->sweep_hash);
        upkeep->sweeping = upkeep->sweep_hash != 0;
    }
    if (!upkeep->sweeping)
        atomic_store_explicit(&thread->engine->sweeping, false,
                              memory_order_relaxed);
}

/* Short rests while there is something going on, then longer and longer. */
static uint64_t next_rest(uint64_t rest_ns, bool idle)
{
    if (!idle || rest_ns < REST_MIN_NS)
        return REST_MIN_NS;
    return rest_ns * 2 < REST_MAX_NS ? rest_ns * 2 : REST_MAX_NS;
}

uint64_t engine_upkeep(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    struct upkeep *upkeep = &engine->upkeep;
    unsigned moves;
    unsigned grown;
    uint64_t due_ns;

    atomic_fetch_add_explicit(&engine->juggles, 1, memory_order_relaxed);
    flush_if_due(thread);
    grown = table_grow(&engine->table, GROW_BUCKETS);
    moves = balance(engine);
    sweep(thread);
    engine_thread_settle(thread);
    if (grown == GROW_BUCKETS || moves >= LRU_MOVES)
        return 0;

    upkeep->rest_ns =
        next_rest(upkeep->rest_ns, moves == 0 && !upkeep->sweeping);
    due_ns =
        atomic_load_explicit(&engine->flush_due_hint_ns, memory_order_relaxed);
    if (due_ns > thread->now_ns && due_ns - thread->now_ns < upkeep->rest_ns)
        return due_ns - thread->now_ns;
    return upkeep->rest_ns;
}

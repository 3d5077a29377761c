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
    uint64_t crawl_ns;

    atomic_fetch_add_explicit(&engine->juggles, 1, memory_order_relaxed);
    flush_if_due(thread);
    grown = table_grow(&engine->table, GROW_BUCKETS);
    moves = balance(engine);
    crawl_ns = crawler_round(thread);
    engine_thread_settle(thread);
    if (grown == GROW_BUCKETS || moves >= LRU_MOVES)
        return 0;

    upkeep->rest_ns =
        next_rest(upkeep->rest_ns, moves == 0 && crawl_ns == CRAWLER_IDLE);
    if (crawl_ns < upkeep->rest_ns)
        return crawl_ns;
    due_ns =
        atomic_load_explicit(&engine->flush_due_hint_ns, memory_order_relaxed);
    if (due_ns > thread->now_ns && due_ns - thread->now_ns < upkeep->rest_ns)
        return due_ns - thread->now_ns;
    return upkeep->rest_ns;
}

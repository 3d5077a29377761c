/* SPDX-License-Identifier: BSD-3-Clause */
/* The upkeep, in rounds of some tens of microseconds: a due flush, table
 * growth, LRU balance, page moves, and the crawler. Nothing here depends on
 * anything but the state and the time handed in, so a simulation can drive
 * it. */
#include "src/base/invariant.h"
#include "src/engine/automove.h"
#include "src/engine/change.h"
#include "src/engine/evict.h"
#include "src/engine/flush.h"
#include "src/engine/lru.h"
#include "src/engine/mover.h"

#define GROW_BUCKETS 64u     /* Split in one round. */
#define LRU_MOVES 500u       /* Items moved between lists in one round. */
#define LRU_MOVES_CLASS 100u /* Of these, under one taking of a lock. */
#define AGE_EVERY_NS NS_PER_S
#define REST_MIN_NS NS_PER_MS
#define REST_MAX_NS NS_PER_S

/* Every class gets its turn, however busy one of them is: the next round goes
 * on behind the one that used this round up. */
static unsigned balance(struct engine *engine)
{
    struct upkeep *upkeep = &engine->upkeep;
    struct lru_rules rules = tuning_rules(&engine->tuning);
    unsigned moves = 0;
    unsigned seen;

    for (seen = 0; seen < engine->slabs.count && moves < LRU_MOVES; seen++) {
        unsigned index = upkeep->next_class % engine->slabs.count + 1;
        struct slab_class *class = slab_class_at(&engine->slabs, index);

        upkeep->next_class = index;
        while (moves < LRU_MOVES && lru_is_unbalanced(class, &rules)) {
            lock_take(&class->lock);
            moves +=
                lru_balance(&engine->slabs, index, &rules, LRU_MOVES_CLASS);
            lock_release(&class->lock);
        }
    }
    return moves;
}

/* Once a second: what has been hot or warm for too long, and what was to be
 * temporary. */
static unsigned age(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    struct lru_rules rules = tuning_rules(&engine->tuning);
    unsigned moves = 0;
    unsigned i;

    if (thread->now_ns < engine->upkeep.age_due_ns)
        return 0;
    engine->upkeep.age_due_ns = thread->now_ns + AGE_EVERY_NS;
    for (i = 1; i <= engine->slabs.count; i++) {
        struct slab_class *class = slab_class_at(&engine->slabs, i);

        if (lru_count(class) == 0)
            continue;
        lock_take(&class->lock);
        moves +=
            lru_age(&engine->slabs, i, &rules, thread->now_s, LRU_MOVES_CLASS);
        lock_release(&class->lock);
        moves += evict_temporary(thread, i, LRU_MOVES_CLASS);
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
    enum mover_rest moving;
    enum mover_rest moves_next;
    unsigned moves = 0;
    unsigned grown;
    uint64_t due_ns;
    uint64_t crawl_ns;

    atomic_fetch_add_explicit(&engine->juggles, 1, memory_order_relaxed);
    flush_if_due(thread);
    grown = table_grow(&engine->table, GROW_BUCKETS);
    if (atomic_load_explicit(&engine->tuning.maintain, memory_order_relaxed))
        moves = balance(engine) + age(thread);
    moving = mover_work(thread);
    moves_next = automove_work(thread);
    if (moves_next > moving)
        moving = moves_next;
    crawl_ns = crawler_round(thread);
    engine_thread_settle(thread);
    if (grown == GROW_BUCKETS || moves >= LRU_MOVES || moving == MOVER_BUSY)
        return 0;

    upkeep->rest_ns =
        next_rest(upkeep->rest_ns, moves == 0 && crawl_ns == CRAWLER_IDLE &&
                                       moving == MOVER_IDLE);
    if (crawl_ns < upkeep->rest_ns)
        return crawl_ns;
    due_ns =
        atomic_load_explicit(&engine->flush_due_hint_ns, memory_order_relaxed);
    if (due_ns > thread->now_ns && due_ns - thread->now_ns < upkeep->rest_ns)
        return due_ns - thread->now_ns;
    return upkeep->rest_ns;
}

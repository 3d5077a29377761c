/* SPDX-License-Identifier: BSD-3-Clause */
/* Items that give way to others: the least used of a class first.
 *
 * Whoever looks at a list has its class and may only try for the item's
 * bucket. A thread that was put aside while it had a bucket would let all such
 * attempts fail, so there is a second way that waits: it remembers some items
 * of the tails, lets the class go, and takes the locks in their order. */
#include "src/engine/evict.h"

#include "src/base/invariant.h"
#include "src/engine/alloc.h"
#include "src/engine/lru.h"
#include "src/engine/tell.h"

/* Items remembered by evict_waiting(). */
#define WAITING_MAX 8u

static const enum lru_list order[] = {LRU_COLD, LRU_HOT, LRU_WARM, LRU_TEMP};

static void count_victim(struct engine_thread *thread, struct slab_class *class,
                         const struct item *item, bool dead)
{
    struct engine_lru_counters *counters = &class->counters;
    bool fetched = item_marks(item) & ITEM_FETCHED;

    if (dead) {
        METRIC_UP(counters->reclaimed);
        if (!fetched)
            METRIC_UP(counters->expired_unfetched);
        return;
    }
    tell_evicted(thread, item);
    METRIC_UP(counters->evicted);
    if (!thread->moving) {
        METRIC_UP(counters->direct_reclaims);
        thread->evicted = true;
    }
    if (item->expires_at_s != 0)
        METRIC_UP(counters->evicted_nonzero);
    if (!fetched)
        METRIC_UP(counters->evicted_unfetched);
    if (item_marks(item) & ITEM_ACTIVE)
        METRIC_UP(counters->evicted_active);
    class->evicted_age_s = thread->now_s > item_accessed(item)
                               ? thread->now_s - item_accessed(item)
                               : 0;
}

bool evict_in_place(struct engine_thread *thread, struct place place,
                    uint64_t hash, struct item *item)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, item->slab_class);
    bool dead = engine_is_dead(thread, item);
    struct slot slot;

    if (item_references(item) > 1 || (engine->keep_all && !dead)) {
        if (item_references(item) > 1)
            METRIC_UP(class->counters.lrutail_reflocked);
        return false;
    }
    slot = table_find_item(&engine->table, place, hash, item);
    INVARIANT(slot.item == item); /* Linked under both locks. */
    count_victim(thread, class, item, dead);
    if (engine->has_journal) {
        engine->journal.forget(engine->journal.ctx, hash, item_stamp(item));
        thread->recorded = true;
    }
    table_remove(&engine->table, place, slot);
    lru_unlink(&engine->slabs, item);
    item_set_kind(item, CHUNK_HELD);
    alloc_count_item(thread, item, -1);
    return true;
}

bool evict_item(struct engine_thread *thread, struct item *item)
{
    struct table *table = &thread->engine->table;
    uint64_t hash = table_hash(table, item);
    struct place place;
    bool evicted;

    if (!table_try(table, hash, &place))
        return false;
    evicted = evict_in_place(thread, place, hash, item);
    table_unlock(place);
    return evicted;
}

/* A used item at the cold tail gets a second life: in warm, or, where all are
 * in one list, at its front. */
static bool is_spared(struct slabs *slabs, struct slab_class *class,
                      const struct lru_rules *rules, struct item *item)
{
    unsigned marks = item_marks(item);

    if (!(marks & ITEM_ACTIVE) || item_list(item) != LRU_COLD)
        return false;
    item_set_marks(item, marks & ~ITEM_ACTIVE);
    if (rules->segmented) {
        lru_move(slabs, item, LRU_WARM);
        METRIC_UP(class->counters.moves_to_warm);
    } else {
        lru_move(slabs, item, LRU_COLD);
        METRIC_UP(class->counters.moves_within_lru);
    }
    return true;
}

static struct item *evict_from(struct engine_thread *thread, unsigned index,
                               const struct lru_rules *rules,
                               enum lru_list list, unsigned tries)
{
    struct slabs *slabs = &thread->engine->slabs;
    struct slab_class *class = slab_class_at(slabs, index);
    handle_t at = class->lists[list].tail;

    while (at != HANDLE_NONE && tries-- > 0) {
        struct item *item = region_item(slabs->region, at);

        at = item->prev;
        if (item_kind(item) != CHUNK_LINKED)
            continue;
        if (is_spared(slabs, class, rules, item))
            continue;
        if (evict_item(thread, item))
            return item;
        /* Held by a reader: out of the way of the next search. */
        if (item_references(item) > 1)
            lru_move(slabs, item, list);
    }
    return NULL;
}

struct item *evict_one(struct engine_thread *thread, unsigned index,
                       unsigned tries)
{
    struct slabs *slabs = &thread->engine->slabs;
    struct slab_class *class = slab_class_at(slabs, index);
    struct lru_rules rules = tuning_rules(&thread->engine->tuning);
    struct item *victim;
    unsigned i;

    if (class->lists[LRU_COLD].count == 0)
        (void)lru_balance(slabs, index, &rules, tries);
    for (i = 0; i < COUNT_OF(order); i++) {
        victim = evict_from(thread, index, &rules, order[i], tries);
        if (victim != NULL)
            return victim;
    }
    return NULL;
}

/* ---- waiting ---- */

struct candidate {
    struct item *item;
    uint64_t hash;
};

/* Remembers items of the tails that nobody holds. */
static unsigned remember(struct engine *engine, unsigned index,
                         struct candidate out[WAITING_MAX])
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    unsigned count = 0;
    unsigned i;

    lock_take(&class->lock);
    for (i = 0; i < COUNT_OF(order); i++) {
        handle_t at = class->lists[order[i]].tail;
        unsigned tries = ALLOC_TRIES;

        while (at != HANDLE_NONE && tries-- > 0 && count < WAITING_MAX) {
            struct item *item = region_item(&engine->region, at);

            at = item->prev;
            if (item_kind(item) != CHUNK_LINKED || item_references(item) > 1)
                continue;
            out[count].item = item;
            out[count].hash = table_hash(&engine->table, item);
            count++;
        }
    }
    lock_release(&class->lock);
    return count;
}

struct item *evict_waiting(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    struct candidate candidates[WAITING_MAX];
    unsigned count = remember(engine, index, candidates);
    bool evicted = false;
    unsigned i;

    for (i = 0; i < count && !evicted; i++) {
        struct candidate *candidate = &candidates[i];
        struct place place = table_lock(&engine->table, candidate->hash);

        /* Its chunk may have got another life since, of another class even. */
        if (table_find_item(&engine->table, place, candidate->hash,
                            candidate->item)
                    .item != NULL &&
            candidate->item->slab_class == index) {
            lock_take(&class->lock);
            evicted =
                evict_in_place(thread, place, candidate->hash, candidate->item);
            lock_release(&class->lock);
        }
        table_unlock(place);
    }
    return evicted ? candidates[i - 1].item : NULL;
}

/* ---- temporary items ---- */

/* What becomes of one at the tail. */
enum tended { TENDED_FREED, TENDED_MOVED, TENDED_STAYS };

/* The caller holds the class and the bucket. */
static enum tended tend(struct engine_thread *thread, struct place place,
                        uint64_t hash, struct item *item)
{
    struct engine *engine = thread->engine;

    if (engine_is_dead(thread, item))
        return evict_in_place(thread, place, hash, item) ? TENDED_FREED
                                                         : TENDED_STAYS;
    if (engine_list_for(thread, item->expires_at_s) == LRU_TEMP)
        return TENDED_STAYS;
    lru_move(&engine->slabs, item, LRU_COLD);
    return TENDED_MOVED;
}

/* One step; *freed is to be freed by the caller, without the class. */
static bool tend_tail(struct engine_thread *thread, struct slab_class *class,
                      struct item **freed)
{
    struct engine *engine = thread->engine;
    handle_t tail = class->lists[LRU_TEMP].tail;
    enum tended tended;
    struct place place;
    struct item *item;
    uint64_t hash;

    *freed = NULL;
    if (tail == HANDLE_NONE)
        return false;
    item = region_item(&engine->region, tail);
    if (item_kind(item) != CHUNK_LINKED)
        return false;
    hash = table_hash(&engine->table, item);
    if (!table_try(&engine->table, hash, &place))
        return false;
    tended = tend(thread, place, hash, item);
    table_unlock(place);
    if (tended == TENDED_FREED)
        *freed = item;
    return tended != TENDED_STAYS;
}

unsigned evict_temporary(struct engine_thread *thread, unsigned index,
                         unsigned tries)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    unsigned done = 0;
    bool more = true;

    while (more && done < tries) {
        struct item *freed;

        lock_take(&class->lock);
        more = tend_tail(thread, class, &freed);
        lock_release(&class->lock);
        if (freed != NULL)
            alloc_free(engine, freed);
        done += more;
    }
    return done;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists through handles: `next` leads to the older neighbor, `prev` to the
 * younger. */
#include "src/engine/lru.h"

#include "src/base/invariant.h"

void lru_link(struct slabs *slabs, struct item *item, enum lru_list list)
{
    struct slab_class *class = slab_class_at(slabs, item->slab_class);
    struct lru_ends *ends = &class->lists[list];
    handle_t handle = region_handle(slabs->region, item);

    __atomic_store_n(&item->list, (uint8_t)list, __ATOMIC_RELAXED);
    item->prev = HANDLE_NONE;
    item->next = ends->head;
    if (ends->head != HANDLE_NONE)
        region_item(slabs->region, ends->head)->prev = handle;
    else
        ends->tail = handle;
    ends->head = handle;
    METRIC_ADD(ends->count, 1);
}

void lru_unlink(struct slabs *slabs, struct item *item)
{
    struct slab_class *class = slab_class_at(slabs, item->slab_class);
    struct lru_ends *ends = &class->lists[item_list(item)];

    INVARIANT(ends->count > 0);
    if (item->prev != HANDLE_NONE)
        region_item(slabs->region, item->prev)->next = item->next;
    else
        ends->head = item->next;
    if (item->next != HANDLE_NONE)
        region_item(slabs->region, item->next)->prev = item->prev;
    else
        ends->tail = item->prev;
    METRIC_ADD(ends->count, -(uint64_t)1);
}

void lru_replace(struct slabs *slabs, struct item *old, struct item *item)
{
    struct slab_class *class = slab_class_at(slabs, old->slab_class);
    struct lru_ends *ends = &class->lists[item_list(old)];
    handle_t handle = region_handle(slabs->region, item);

    __atomic_store_n(&item->list, (uint8_t)item_list(old), __ATOMIC_RELAXED);
    item->prev = old->prev;
    item->next = old->next;
    if (item->prev != HANDLE_NONE)
        region_item(slabs->region, item->prev)->next = handle;
    else
        ends->head = handle;
    if (item->next != HANDLE_NONE)
        region_item(slabs->region, item->next)->prev = handle;
    else
        ends->tail = handle;
}

void lru_move(struct slabs *slabs, struct item *item, enum lru_list list)
{
    lru_unlink(slabs, item);
    lru_link(slabs, item, list);
}

void lru_cool(struct slabs *slabs, struct item *item)
{
    struct slab_class *class = slab_class_at(slabs, item->slab_class);
    struct lru_ends *ends = &class->lists[LRU_COLD];
    handle_t handle = region_handle(slabs->region, item);

    lru_unlink(slabs, item);
    __atomic_store_n(&item->list, (uint8_t)LRU_COLD, __ATOMIC_RELAXED);
    item->prev = ends->tail;
    item->next = HANDLE_NONE;
    if (ends->tail != HANDLE_NONE)
        region_item(slabs->region, ends->tail)->next = handle;
    else
        ends->head = handle;
    ends->tail = handle;
    METRIC_ADD(ends->count, 1);
}

uint64_t lru_count(const struct slab_class *class)
{
    uint64_t count = 0;
    unsigned i;

    for (i = 0; i < LRU_LISTS; i++)
        count += __atomic_load_n(&class->lists[i].count, __ATOMIC_RELAXED);
    return count;
}

/* Takes the item at a tail where it belongs: used ones to warm (in warm: to
 * its front), the others to cold. */
static void settle_tail(struct slabs *slabs, struct slab_class *class,
                        const struct lru_rules *rules, enum lru_list from)
{
    struct item *item = region_item(slabs->region, class->lists[from].tail);
    unsigned marks = item_marks(item);

    if (!(marks & ITEM_ACTIVE) || !rules->segmented) {
        lru_move(slabs, item, LRU_COLD);
        METRIC_UP(class->counters.moves_to_cold);
        return;
    }
    item_set_marks(item, marks & ~ITEM_ACTIVE);
    lru_move(slabs, item, LRU_WARM);
    if (from == LRU_WARM)
        METRIC_UP(class->counters.moves_within_lru);
    else
        METRIC_UP(class->counters.moves_to_warm);
}

static uint64_t count_of(const struct slab_class *class, enum lru_list list)
{
    return __atomic_load_n(&class->lists[list].count, __ATOMIC_RELAXED);
}

static bool is_over(const struct slab_class *class,
                    const struct lru_rules *rules, enum lru_list list)
{
    unsigned percent =
        list == LRU_HOT ? rules->hot_percent : rules->warm_percent;

    if (!rules->segmented)
        return count_of(class, list) > 0;
    return count_of(class, list) * 100 > lru_count(class) * percent;
}

bool lru_is_unbalanced(const struct slab_class *class,
                       const struct lru_rules *rules)
{
    return is_over(class, rules, LRU_HOT) || is_over(class, rules, LRU_WARM) ||
           (!rules->segmented && count_of(class, LRU_TEMP) > 0);
}

unsigned lru_balance(struct slabs *slabs, unsigned index,
                     const struct lru_rules *rules, unsigned moves_max)
{
    static const enum lru_list lists[] = {LRU_HOT, LRU_WARM, LRU_TEMP};
    struct slab_class *class = slab_class_at(slabs, index);
    unsigned last = rules->segmented ? 2 : 3; /* Temporary ones stay. */
    unsigned moves = 0;
    unsigned i;

    for (i = 0; i < last; i++) {
        while (moves < moves_max && is_over(class, rules, lists[i])) {
            settle_tail(slabs, class, rules, lists[i]);
            moves++;
        }
    }
    return moves;
}

static uint32_t age_of_tail(const struct slabs *slabs, unsigned index,
                            enum lru_list list, uint32_t now_s)
{
    handle_t tail = slab_class_at(slabs, index)->lists[list].tail;
    uint32_t used_at_s = now_s;

    if (tail != HANDLE_NONE)
        used_at_s = item_accessed(region_item(slabs->region, tail));
    return now_s > used_at_s ? now_s - used_at_s : 0;
}

unsigned lru_age(struct slabs *slabs, unsigned index,
                 const struct lru_rules *rules, uint32_t now_s,
                 unsigned moves_max)
{
    struct slab_class *class = slab_class_at(slabs, index);
    double cold_s = (double)age_of_tail(slabs, index, LRU_COLD, now_s);
    unsigned moves = 0;

    if (count_of(class, LRU_COLD) == 0 || !rules->segmented)
        return 0;
    while (moves < moves_max &&
           (double)age_of_tail(slabs, index, LRU_HOT, now_s) >
               cold_s * rules->hot_age_factor) {
        settle_tail(slabs, class, rules, LRU_HOT);
        moves++;
    }
    while (moves < moves_max &&
           (double)age_of_tail(slabs, index, LRU_WARM, now_s) >
               cold_s * rules->warm_age_factor) {
        settle_tail(slabs, class, rules, LRU_WARM);
        moves++;
    }
    return moves;
}

uint32_t lru_tail_age(const struct slabs *slabs, unsigned index, uint32_t now_s)
{
    static const enum lru_list order[] = {LRU_COLD, LRU_HOT, LRU_WARM,
                                          LRU_TEMP};
    const struct slab_class *class = slab_class_at(slabs, index);
    unsigned i;

    for (i = 0; i < COUNT_OF(order); i++) {
        if (class->lists[order[i]].tail != HANDLE_NONE)
            return age_of_tail(slabs, index, order[i], now_s);
    }
    return 0;
}

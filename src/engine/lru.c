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

void lru_move(struct slabs *slabs, struct item *item, enum lru_list list)
{
    lru_unlink(slabs, item);
    lru_link(slabs, item, list);
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
                        enum lru_list from)
{
    struct item *item = region_item(slabs->region, class->lists[from].tail);
    unsigned marks = item_marks(item);

    if (!(marks & ITEM_ACTIVE)) {
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

static bool is_over(const struct slab_class *class, enum lru_list list,
                    unsigned percent)
{
    return class->lists[list].count * 100 > lru_count(class) * percent;
}

unsigned lru_balance(struct slabs *slabs, unsigned index, unsigned moves_max)
{
    struct slab_class *class = slab_class_at(slabs, index);
    unsigned moves = 0;

    while (moves < moves_max && is_over(class, LRU_HOT, LRU_HOT_PERCENT)) {
        settle_tail(slabs, class, LRU_HOT);
        moves++;
    }
    while (moves < moves_max && is_over(class, LRU_WARM, LRU_WARM_PERCENT)) {
        settle_tail(slabs, class, LRU_WARM);
        moves++;
    }
    return moves;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The segmented LRU of a slab class: new items are hot; what was asked for
 * again goes to warm, what was not to cold, and cold's tail gives way. A hit
 * only marks an item; the lists move when somebody comes by the tail. */
#ifndef ENGINE_LRU_H
#define ENGINE_LRU_H

#include "src/engine/slab.h"

/* Most of a class that the hot and the warm list may be. */
#define LRU_HOT_PERCENT 20u
#define LRU_WARM_PERCENT 40u

/* The caller holds the lock of the item's class. */
void lru_link(struct slabs *slabs, struct item *item, enum lru_list list);
void lru_unlink(struct slabs *slabs, struct item *item);
void lru_move(struct slabs *slabs, struct item *item, enum lru_list list);

/* Brings hot and warm back to their share, at most moves_max items; returns
 * how many it moved. The caller holds the lock of the class. */
unsigned lru_balance(struct slabs *slabs, unsigned index, unsigned moves_max);

/* Items in all lists of the class. Thread: any. */
uint64_t lru_count(const struct slab_class *class);

/* Marks an item as used. The caller holds the item's bucket. Returns the
 * list it is in. */
static inline unsigned lru_touch(struct item *item, uint32_t now_s)
{
    if (item_marks(item) != (ITEM_FETCHED | ITEM_ACTIVE))
        item_set_marks(item, ITEM_FETCHED | ITEM_ACTIVE);
    if (item_accessed(item) != now_s)
        item_set_accessed(item, now_s);
    return item_list(item);
}

#endif

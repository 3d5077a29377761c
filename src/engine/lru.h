/* SPDX-License-Identifier: BSD-3-Clause */
/* The segmented LRU of a slab class: new items are hot; what was asked for
 * again goes to warm, what was not to cold, and cold's tail gives way. A hit
 * only marks an item; the lists move when somebody comes by the tail. */
#ifndef ENGINE_LRU_H
#define ENGINE_LRU_H

#include "src/engine/slab.h"

/* How the lists share a class. */
struct lru_rules {
    uint32_t hot_percent; /* Most of a class that the list may be. */
    uint32_t warm_percent;
    double hot_age_factor; /* And older than so many times the cold tail. */
    double warm_age_factor;
    bool segmented; /* Else all there is goes to cold. */
};

/* The caller holds the lock of the item's class. */
void lru_link(struct slabs *slabs, struct item *item, enum lru_list list);
void lru_unlink(struct slabs *slabs, struct item *item);
void lru_move(struct slabs *slabs, struct item *item, enum lru_list list);
/* To the tail of cold: it is the next to give way. */
void lru_cool(struct slabs *slabs, struct item *item);

/* Takes the place of another item of the class. */
void lru_replace(struct slabs *slabs, struct item *old, struct item *item);

/* Brings hot and warm back to their share, at most moves_max items; returns
 * how many it moved. The caller holds the lock of the class. */
unsigned lru_balance(struct slabs *slabs, unsigned index,
                     const struct lru_rules *rules, unsigned moves_max);
/* Whether that has something to do. Thread: any. */
bool lru_is_unbalanced(const struct slab_class *class,
                       const struct lru_rules *rules);
/* Moves on what has been hot or warm for too long, compared with the cold
 * tail; likewise. */
unsigned lru_age(struct slabs *slabs, unsigned index,
                 const struct lru_rules *rules, uint32_t now_s,
                 unsigned moves_max);
/* How long ago the item that the class needs least was used; 0 for an empty
 * class. The caller holds the lock of the class. */
uint32_t lru_tail_age(const struct slabs *slabs, unsigned index,
                      uint32_t now_s);

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

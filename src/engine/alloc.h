/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks for items, whatever it takes: free ones, a page from the pool, the
 * chunk of an item that is not needed any more, a page of another class. And
 * the way back. */
#ifndef ENGINE_ALLOC_H
#define ENGINE_ALLOC_H

#include "src/engine/state.h"

/* Victims looked at under a bucket's lock, and without. */
#define ALLOC_TRIES_QUICK 8u
#define ALLOC_TRIES 50u
/* Rounds of everything before a store is refused; each lets others run, the
 * last ones for a millisecond. */
#define ALLOC_ROUNDS (LOCK_YIELDS + 10u)

/* The class for an item of so many bytes; the last one for large items. */
unsigned alloc_class(const struct engine *engine, size_t bytes);
bool alloc_is_large(const struct engine *engine, size_t bytes);

/* A chunk that can be had at once, linked as the youngest of that list of its
 * class, still RESERVED. NULL when none can. The caller may hold one bucket. */
struct item *alloc_quick(struct engine_thread *thread, unsigned class,
                         enum lru_list list);
/* A chunk RESERVED and not linked; NULL when there is none to be had. The
 * caller holds no lock. */
struct item *alloc_chunk(struct engine_thread *thread, unsigned class);

/* Writes key and header into a chunk that holds it all; and the header alone,
 * over an item that has that key. */
void alloc_write_key(struct item *item, const struct item_shape *shape);
void alloc_write_header(struct item *item, const struct item_shape *shape);
/* A whole item, large ones with all their parts; RESERVED, not linked. NULL
 * when there is no memory. The caller holds no lock. */
struct item *alloc_item(struct engine_thread *thread,
                        const struct item_shape *shape);

/* Makes a chunk of an evicted item: RESERVED. The caller holds no class. */
void alloc_recycle(struct engine *engine, struct item *victim);
/* Gives an item's chunks back; it is in no table and no list, and nobody
 * holds it. */
void alloc_free(struct engine *engine, struct item *item);
/* Ends one reference; the last one frees. */
void alloc_release(struct engine *engine, struct item *item);

/* Counts an item as stored, or as gone. */
void alloc_count_item(struct engine_thread *thread, const struct item *item,
                      int sign);
/* Takes an item that is in no bucket any more from its list and ends the
 * owner's reference. */
void alloc_retire(struct engine_thread *thread, struct item *item);

#endif

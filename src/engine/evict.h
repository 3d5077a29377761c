/* SPDX-License-Identifier: BSD-3-Clause */
/* Items that give way to others. */
#ifndef ENGINE_EVICT_H
#define ENGINE_EVICT_H

#include "src/engine/state.h"

/* Takes a linked item out of everything to make room, if its bucket can be
 * had at once and nobody holds it: then true, and it is the caller's, HELD.
 * With -M only the dead give way. The caller holds the item's class. */
bool evict_item(struct engine_thread *thread, struct item *item);
/* The same for whoever holds the item's bucket, too, and knows the place. */
bool evict_in_place(struct engine_thread *thread, struct place place,
                    uint64_t hash, struct item *item);

/* An item of the class that is needed least, likewise; looks at up to tries
 * in each list. NULL when none gives way. The caller holds the class. */
struct item *evict_one(struct engine_thread *thread, unsigned class,
                       unsigned tries);
/* The same, waiting for buckets. The caller holds no lock. */
struct item *evict_waiting(struct engine_thread *thread, unsigned class);

/* Looks at the oldest of the temporary items: frees the dead, and puts those
 * that have got a longer life where the others are. Returns how many. The
 * caller holds no lock. */
unsigned evict_temporary(struct engine_thread *thread, unsigned class,
                         unsigned tries);

#endif

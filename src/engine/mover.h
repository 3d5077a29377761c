/* SPDX-License-Identifier: BSD-3-Clause */
/* Pages from class to class, one at a time: because a class has nothing left,
 * because an operator or the automover says so, or because the memory limit
 * has fallen. */
#ifndef ENGINE_MOVER_H
#define ENGINE_MOVER_H

#include "src/engine/state.h"

/* Pages tried for one chunk. */
#define MOVER_PAGES_MAX 32u
#define MOVER_PAGES_SPARED_MAX 4u /* With -M, where each store may fail. */
/* Passes over a page: by who waits for it, and by the upkeep. */
#define MOVER_PASSES_HASTY 2u
#define MOVER_PASSES 200u

void mover_init(struct mover *mover);
void mover_fini(struct mover *mover);

/* A chunk RESERVED of a class that has none and nothing to evict: of a page
 * that another class gives up at once. NULL when none can. With -M only pages
 * whose items find other places are given up. The caller holds no lock. */
struct item *mover_provide(struct engine_thread *thread, unsigned class);

/* What a round of the upkeep does. */
enum mover_rest { MOVER_IDLE, MOVER_WAITS, MOVER_BUSY };
enum mover_rest mover_work(struct engine_thread *thread);

/* Begins to move a page of a class, to another or to the pool (0), unless one
 * is moving already. */
bool mover_begin(struct engine *engine, unsigned from, unsigned to);
/* Whether a page is moving. Thread: any. */
bool mover_is_running(const struct engine *engine);

/* The class that would miss a page least, but for one, of those with so many:
 * with unused chunks for a page, else the one with the oldest tail; a class's
 * last page is taken from it only where there is no other. 0: none. */
unsigned mover_donor(struct engine *engine, unsigned but, uint32_t pages_min);

#endif

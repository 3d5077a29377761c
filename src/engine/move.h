/* SPDX-License-Identifier: BSD-3-Clause */
/* Emptying one page, step by step. The caller holds the mover throughout. */
#ifndef ENGINE_MOVE_H
#define ENGINE_MOVE_H

#include "src/engine/state.h"

/* Chunks looked at in one step, and bytes copied in it, about. */
#define MOVE_CHUNKS 64u
#define MOVE_BYTES (256u * 1024)

/* Begins with a page of the class `from`, for the class `to` (0: the pool).
 * False when another thread has moved it meanwhile. */
bool move_begin(struct engine *engine, uint32_t page, unsigned from,
                unsigned to);

enum move_step {
    MOVE_GOES_ON,
    MOVE_WAITS, /* A pass is over, and something was in the way. */
    MOVE_EMPTY, /* The page is empty and belongs to nobody: move_finish(). */
    MOVE_GAVE_UP,
};
/* passes_max: how often a page is looked at before it is given up. */
enum move_step move_step(struct engine_thread *thread, unsigned passes_max);
/* From the next step on it is only undone. */
void move_give_up(struct engine *engine);
/* The page is on its way: nothing is moving any more. */
uint32_t move_finish(struct engine *engine);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides by itself which class should give a page to which. */
#ifndef ENGINE_AUTOMOVE_H
#define ENGINE_AUTOMOVE_H

#include "src/engine/mover.h"

/* Looks around once a second, and begins with a page where one is to move.
 * MOVER_WAITS: one will be as soon as a class has filled what it got. For the
 * upkeep's thread. */
enum mover_rest automove_work(struct engine_thread *thread);

#endif

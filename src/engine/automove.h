/* SPDX-License-Identifier: BSD-3-Clause */
/* Decides by itself which class should give a page to which. */
#ifndef ENGINE_AUTOMOVE_H
#define ENGINE_AUTOMOVE_H

#include "src/engine/state.h"

/* Looks around once a second, and begins with a page where one is to move.
 * True when it did. For the upkeep's thread. */
bool automove_work(struct engine_thread *thread);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* A page from one class to another: what makes sure that a class that owns no
 * page gets one when all memory is given out. */
#ifndef ENGINE_TAKEOVER_H
#define ENGINE_TAKEOVER_H

#include "src/engine/state.h"

/* Pages tried in one call. */
#define TAKEOVER_PAGES_MAX 32u
/* Chunks emptied before the lock of their class is let go for a moment. */
#define TAKEOVER_BATCH 128u

/* Empties a page, of another class if one has any, and gives it to the class.
 * False when none of those tried could be emptied. With -M only pages without
 * live items can. The caller holds no lock. */
bool takeover_page(struct engine_thread *thread, unsigned class);

#endif

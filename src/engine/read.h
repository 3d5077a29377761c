/* SPDX-License-Identifier: BSD-3-Clause */
/* Views, for whoever holds a bucket. Inside the engine only. */
#ifndef ENGINE_READ_H
#define ENGINE_READ_H

#include "src/engine/change.h"

/* Fills the view of an item in the locked bucket. */
void read_open_view(struct engine_view *view, struct item *item,
                    struct place place);
/* Counts where the item was found. */
void read_count_hit(struct engine_thread *thread, const struct item *item,
                    unsigned list);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine tells whoever watches. */
#ifndef ENGINE_TELL_H
#define ENGINE_TELL_H

#include "src/engine/state.h"

void tell_eviction(struct engine_thread *thread, const struct item *item);

/* A live item gives way; before it leaves its list. */
static inline void tell_evicted(struct engine_thread *thread,
                                const struct item *item)
{
    if (UNLIKELY(watch_wanted(thread->watched) & WATCH_EVICTIONS))
        tell_eviction(thread, item);
}

/* What the engine does by itself: one line in the words of printf. */
#define tell_event(thread, ...) \
    do { \
        if (UNLIKELY(watch_wanted((thread)->watched) & WATCH_SYSEVENTS)) \
            watch_line((thread)->ring, WATCH_SYSEVENTS, __VA_ARGS__); \
    } while (0)

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The words are memcached's. */
#include "src/engine/tell.h"

#include <stdarg.h>
#include <stdio.h>

void tell_eviction(struct engine_thread *thread, const struct item *item)
{
    char key[WATCH_KEY_TEXT_MAX];
    int64_t ttl_s = -1;

    if (item->expires_at_s != 0)
        ttl_s = (int64_t)item->expires_at_s - thread->now_s;
    watch_line(thread->ring, WATCH_EVICTIONS,
               "type=eviction key=%s fetch=%s ttl=%lld la=%lld clsid=%u "
               "size=%u",
               watch_key(item_key(item), key),
               item_marks(item) & ITEM_FETCHED ? "yes" : "no", (long long)ttl_s,
               (long long)thread->now_s - item_accessed(item),
               (unsigned)item->slab_class, item->value_size);
}

void engine_tell(struct engine_thread *thread, const char *format, ...)
{
    char text[WATCH_LINE_MAX];
    va_list args;

    if (!(watch_wanted(thread->watched) & WATCH_SYSEVENTS))
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    watch_line(thread->ring, WATCH_SYSEVENTS, "%s", text);
}

/* ---- a thread's ring ---- */

void engine_set_watch(struct engine *engine, struct watch *watch)
{
    INVARIANT(engine->threads == NULL);
    engine->watch = watch;
}

struct watch_ring *engine_thread_ring(const struct engine_thread *thread)
{
    return thread->ring;
}

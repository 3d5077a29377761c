/* SPDX-License-Identifier: BSD-3-Clause */
/* A watcher that is slow loses whole lines, and is told how many as soon as
 * there is room for that and the next one. */
#include "src/base/watcher.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"

#define SKIPPED_MAX (sizeof("skipped=\n") + NUMBER_DIGITS_MAX)

struct watcher *watcher_make(struct watch *watch, struct watch_hub *hub,
                             size_t room)
{
    struct watcher *watcher = memory_new(1, sizeof(*watcher));

    if (watcher == NULL)
        return NULL;
    watcher->bytes = memory_new(room, 1);
    if (watcher->bytes == NULL) {
        memory_free(&watcher);
        return NULL;
    }
    watcher->watch = watch;
    watcher->hub = hub;
    watcher->room = room;
    lock_init(&watcher->lock, LOCK_RANK_WATCH_LINES);
    return watcher;
}

void watcher_unmake(struct watcher **watcher)
{
    lock_fini(&(*watcher)->lock);
    memory_free(&(*watcher)->bytes);
    memory_free(watcher);
}

/* Under the lock. */
static void append(struct watcher *watcher, const char *data, size_t size)
{
    size_t at = watcher->write_at % watcher->room;
    size_t first = size < watcher->room - at ? size : watcher->room - at;

    memcpy(watcher->bytes + at, data, first);
    memcpy(watcher->bytes, data + first, size - first);
    watcher->write_at += size;
}

static size_t write_skipped(char *to, uint64_t skipped)
{
    size_t size = 0;

    memcpy(to, "skipped=", 8);
    size = 8 + number_write_u64(to + 8, skipped);
    to[size++] = '\n';
    return size;
}

/* Under the lock. */
static bool append_line(struct watcher *watcher, struct slice line)
{
    char skipped[SKIPPED_MAX];
    size_t size = 0;

    if (watcher->skipped > 0)
        size = write_skipped(skipped, watcher->skipped);
    if (size + line.size >
        watcher->room - (watcher->write_at - watcher->read_at))
        return false;
    append(watcher, skipped, size);
    append(watcher, line.data, line.size);
    watcher->skipped = 0;
    return true;
}

void watcher_give(struct watcher *watcher, struct slice line)
{
    bool given;

    lock_take(&watcher->lock);
    given = append_line(watcher, line);
    if (!given)
        watcher->skipped++;
    lock_release(&watcher->lock);
    atomic_fetch_add_explicit(given ? &watcher->hub->log_watcher_sent
                                    : &watcher->hub->log_watcher_skipped,
                              1, memory_order_relaxed);
}

void watcher_tell(struct watcher *watcher)
{
    lock_take(&watcher->lock);
    if (!watcher->told && watcher->wake != NULL &&
        watcher->read_at < watcher->write_at) {
        watcher->told = true;
        watcher->wake(watcher->ctx);
    }
    lock_release(&watcher->lock);
}

void watcher_await(struct watcher *watcher, watcher_wake_fn *wake, void *ctx)
{
    lock_take(&watcher->lock);
    watcher->wake = wake;
    watcher->ctx = ctx;
    lock_release(&watcher->lock);
    watcher_tell(watcher);
}

size_t watcher_take(struct watcher *watcher, char *to, size_t room)
{
    size_t at, first, size;

    lock_take(&watcher->lock);
    size = watcher->write_at - watcher->read_at;
    if (size > room)
        size = room;
    else
        watcher->told = false;
    at = watcher->read_at % watcher->room;
    first = size < watcher->room - at ? size : watcher->room - at;
    memcpy(to, watcher->bytes + at, first);
    memcpy(to + first, watcher->bytes, size - first);
    watcher->read_at += size;
    lock_release(&watcher->lock);
    return size;
}

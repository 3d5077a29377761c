/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines about what happens, for whoever watches.
 *
 *   a thread --watch_line()--> its ring \
 *   a thread --watch_line()--> its ring --> one thread --> a watcher's buffer
 *   all others --------------> a shared /    in order  \-> another's buffer
 *
 * A line costs a copy into a ring of a known size, and nothing at all while
 * nobody watches its class. A full ring drops lines and a full buffer skips
 * them, both counted: nobody who is watched ever waits for a watcher.
 *
 * Lines begin with the time and a number that orders the lines of all threads:
 * "ts=1700000000.5 gid=7 type=item_get key=foo\n". */
#ifndef BASE_WATCH_H
#define BASE_WATCH_H

#include "src/base/clock.h"
#include "src/base/error.h"
#include "src/base/metrics.h"
#include "src/base/slice.h"

#include <stdatomic.h>

/* In the words of `watch`. The proxy's are known and never come. */
#define WATCH_CLASSES(X) \
    X(FETCHERS, "fetchers", "keys that were looked for") \
    X(MUTATIONS, "mutations", "values that were to be stored") \
    X(EVICTIONS, "evictions", "items that gave way to others") \
    X(CONNEVENTS, "connevents", "connections that came and went") \
    X(DELETIONS, "deletions", "items that were deleted") \
    X(SYSEVENTS, "sysevents", "what the daemon does by itself") \
    X(RAWCMDS, "rawcmds", "commands as they came: nothing yet") \
    X(PROXYREQS, "proxyreqs", "nothing: there is no proxy") \
    X(PROXYEVENTS, "proxyevents", "nothing: there is no proxy") \
    X(PROXYUSER, "proxyuser", "nothing: there is no proxy")

enum watch_number {
#define X(name, word, help) WATCH_NUMBER_##name,
    WATCH_CLASSES(X)
#undef X
        WATCH_CLASS_COUNT
};

/* Several of them are or-ed. */
enum watch_class {
#define X(name, word, help) WATCH_##name = 1u << WATCH_NUMBER_##name,
    WATCH_CLASSES(X)
#undef X
};

#define WATCH_WATCHERS_MAX 20
#define WATCH_LINE_MAX 1024 /* Behind time and number; longer ones are cut. */
#define WATCH_KEY_TEXT_MAX (3 * 250 + 1)

struct watch;      /* All of it. */
struct watch_ring; /* Lines of one thread. */
struct watcher;    /* One who watches. */

struct watch_config {
    const struct clock *clock;
    /* Lines of one thread that wait, and for one watcher; less than what some
     * lines take is as much as that. */
    size_t ring_bytes;
    size_t watcher_bytes;
};

/* Errors: NULL when memory is exhausted.
 * Owns:   caller, until watch_free(); rings and watchers go before. */
struct watch *watch_new(const struct watch_config *config);
void watch_free(struct watch **watch);

/* Errors: NULL when memory is exhausted. Thread: any. */
struct watch_ring *watch_ring_new(struct watch *watch);
void watch_ring_free(struct watch_ring **ring);

/* The classes somebody watches: what to ask before a line is made. */
struct watch_classes {
    _Atomic unsigned wanted;
};
const struct watch_classes *watch_classes(const struct watch *watch);

static inline unsigned watch_wanted(const struct watch_classes *classes)
{
    return atomic_load_explicit(&classes->wanted, memory_order_relaxed);
}

/* One line without its beginning and its end. Never waits for a watcher.
 * Thread: any, under any lock; a ring is best used by one alone. */
__attribute__((format(printf, 3, 4))) void watch_line(struct watch_ring *ring,
                                                      enum watch_class class,
                                                      const char *format, ...);
/* The same for threads without a ring. */
struct watch_ring *watch_shared_ring(struct watch *watch);

/* A key as it stands in a line: what is neither letter, digit nor one of -._~
 * becomes %XX. Returns text. */
const char *watch_key(struct slice key, char text[WATCH_KEY_TEXT_MAX]);

/* ---- who watches ---- */

/* The number of a class by its word, or WATCH_CLASS_COUNT. */
unsigned watch_class_of(struct slice word);

/* Lines from now on. The thread that deals them out starts with the first.
 * Errors: -ERR_LIMIT, -ERR_MEMORY, -ERR_SYSTEM.
 * Thread: any. */
MUST_CHECK int watcher_new(struct watch *watch, unsigned classes,
                           struct watcher **out);
void watcher_free(struct watcher **watcher);
/* Called whenever there are lines where there were none, at once if there are
 * some now. From another thread, under a lock: it must not block, nor call
 * anything of a watcher. */
typedef void watcher_wake_fn(void *ctx);
void watcher_await(struct watcher *watcher, watcher_wake_fn *wake, void *ctx);
/* Takes up to room bytes of the lines that wait. */
size_t watcher_take(struct watcher *watcher, char *to, size_t room);

/* ---- statistics ---- */

/* The log_ lines of plain `stats`. Thread: any. */
void watch_stats(struct watch *watch, struct stats_out *out);
void watch_stats_reset(struct watch *watch);

#endif

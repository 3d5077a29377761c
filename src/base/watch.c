/* SPDX-License-Identifier: BSD-3-Clause */
/* Dealing out. A number is drawn under the lock of the ring that the line goes
 * to. So once the dealer has had the locks of all rings, every number below
 * the one that was next before is in a ring, and merging up to there gives the
 * lines of all threads in the order of their numbers. */
#include "src/base/watch.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/base/watch_ring.h"
#include "src/base/watcher.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* Lines gather for so long before they are dealt out: who is watched has more
 * of the processor, who watches gets more at once. */
#define GATHER_NS (1000l * 1000)

struct watch {
    struct watch_config config;
    struct watch_classes classes;
    struct watch_hub hub;
    struct watch_ring *shared;
    sem_t wake;

    /* Under lock. */
    struct lock lock;
    struct watch_ring *rings;
    struct watcher *watchers;
    unsigned watcher_count;
    bool dealing; /* The thread runs. */
    pthread_t thread;
    struct watch_counts forgotten; /* At the last reset. */
};

/* ---- dealing out ---- */

/* From here on every line up to limit is in a ring. */
static uint64_t settle_rings(struct watch *watch)
{
    uint64_t limit = atomic_load(&watch->hub.next_number);

    for (struct watch_ring *ring = watch->rings; ring != NULL;
         ring = ring->next)
        watch_ring_settle(ring);
    return limit;
}

static struct watch_ring *oldest(struct watch *watch)
{
    struct watch_ring *first = NULL;

    for (struct watch_ring *ring = watch->rings; ring != NULL;
         ring = ring->next) {
        if (first == NULL || ring->head_number < first->head_number)
            first = ring;
    }
    return first;
}

static size_t write_beginning(char *at, const struct watch_record *record)
{
    uint64_t us = record->time_ns / NS_PER_US;

    /* The fraction is a number without leading zeros, as memcached has it. */
    return (size_t)snprintf(at, WATCH_BEGINNING_MAX, "ts=%llu.%llu gid=%llu ",
                            (unsigned long long)(us / 1000000),
                            (unsigned long long)(us % 1000000),
                            (unsigned long long)record->number);
}

static void deal(struct watch *watch, const struct watch_record *record,
                 const char *text)
{
    char line[WATCH_BEGINNING_MAX + WATCH_LINE_MAX + 1];
    size_t size = write_beginning(line, record);

    memcpy(line + size, text, record->size);
    size += record->size;
    line[size++] = '\n';
    for (struct watcher *watcher = watch->watchers; watcher != NULL;
         watcher = watcher->next) {
        if ((watcher->classes & record->class) != 0 &&
            record->number >= watcher->since)
            watcher_give(watcher, slice_make(line, size));
    }
}

/* True when there was a line. */
static bool deal_all(struct watch *watch)
{
    char text[WATCH_LINE_MAX];
    struct watch_record record;
    struct watch_ring *ring;
    bool any = false;
    uint64_t limit;

    lock_take(&watch->lock);
    limit = settle_rings(watch);
    while ((ring = oldest(watch))->head_number < limit) {
        watch_ring_take(ring, &record, text);
        deal(watch, &record, text);
        any = true;
    }
    for (struct watcher *watcher = watch->watchers; watcher != NULL;
         watcher = watcher->next)
        watcher_tell(watcher);
    lock_release(&watch->lock);
    return any;
}

/* Who fills half of a ring meanwhile ends the rest. */
static void gather(struct watch *watch)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += GATHER_NS;
    if (until.tv_nsec >= (long)NS_PER_S) {
        until.tv_nsec -= (long)NS_PER_S;
        until.tv_sec++;
    }
    atomic_store(&watch->hub.resting, true);
    (void)sem_timedwait(&watch->wake, &until);
    atomic_store(&watch->hub.resting, false);
}

/* A producer that sees the dealer asleep posts; one whose line came before is
 * seen by the look that follows. */
static void *deal_out(void *arg)
{
    struct watch *watch = arg;
    struct watch_hub *hub = &watch->hub;

    while (!atomic_load(&hub->stop)) {
        if (deal_all(watch)) {
            gather(watch);
            continue;
        }
        atomic_store(&hub->asleep, true);
        if (deal_all(watch) || atomic_load(&hub->stop)) {
            atomic_store(&hub->asleep, false);
            continue;
        }
        (void)sem_wait(&watch->wake);
        gather(watch);
    }
    return NULL;
}

static void wake_dealer(void *ctx)
{
    struct watch *watch = ctx;

    (void)sem_post(&watch->wake);
}

/* Under the lock. */
MUST_CHECK static int start_dealing(struct watch *watch)
{
    if (watch->dealing)
        return 0;
    if (pthread_create(&watch->thread, NULL, deal_out, watch) != 0)
        return -ERR_SYSTEM;
    (void)pthread_setname_np(watch->thread, "twin-watch");
    watch->dealing = true;
    return 0;
}

static void stop_dealing(struct watch *watch)
{
    if (!watch->dealing)
        return;
    atomic_store(&watch->hub.stop, true);
    wake_dealer(watch);
    (void)pthread_join(watch->thread, NULL);
    watch->dealing = false;
}

/* ---- life ---- */

struct watch *watch_new(const struct watch_config *config)
{
    struct watch *watch = memory_new(1, sizeof(*watch));

    if (watch == NULL)
        return NULL;
    watch->config = *config;
    if (watch->config.ring_bytes < WATCH_ROOM_MIN)
        watch->config.ring_bytes = WATCH_ROOM_MIN;
    if (watch->config.watcher_bytes < WATCH_ROOM_MIN)
        watch->config.watcher_bytes = WATCH_ROOM_MIN;
    watch->hub.clock = config->clock;
    watch->hub.wake = wake_dealer;
    watch->hub.ctx = watch;
    atomic_store(&watch->hub.next_number, 1);
    lock_init(&watch->lock, LOCK_RANK_WATCH);
    (void)sem_init(&watch->wake, 0, 0);
    watch->shared = watch_ring_new(watch);
    if (watch->shared == NULL)
        watch_free(&watch);
    return watch;
}

void watch_free(struct watch **watch_at)
{
    struct watch *watch = *watch_at;

    if (watch == NULL)
        return;
    stop_dealing(watch);
    watch_ring_free(&watch->shared);
    INVARIANT(watch->rings == NULL);
    INVARIANT(watch->watchers == NULL);
    (void)sem_destroy(&watch->wake);
    lock_fini(&watch->lock);
    memory_free(watch_at);
}

const struct watch_classes *watch_classes(const struct watch *watch)
{
    return &watch->classes;
}

/* ---- rings ---- */

struct watch_ring *watch_ring_new(struct watch *watch)
{
    struct watch_ring *ring =
        watch_ring_make(watch, &watch->hub, watch->config.ring_bytes);

    if (ring == NULL)
        return NULL;
    lock_take(&watch->lock);
    ring->next = watch->rings;
    watch->rings = ring;
    lock_release(&watch->lock);
    return ring;
}

void watch_ring_free(struct watch_ring **ring_at)
{
    struct watch_ring *ring = *ring_at;
    struct watch_ring **link;

    if (ring == NULL)
        return;
    lock_take(&ring->watch->lock);
    for (link = &ring->watch->rings; *link != ring; link = &(*link)->next)
        INVARIANT(*link != NULL);
    *link = ring->next;
    lock_release(&ring->watch->lock);
    watch_ring_unmake(ring_at);
}

struct watch_ring *watch_shared_ring(struct watch *watch)
{
    return watch->shared;
}

void watch_line(struct watch_ring *ring, enum watch_class class,
                const char *format, ...)
{
    char text[WATCH_LINE_MAX];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    INVARIANT(size >= 0);
    if ((size_t)size >= sizeof(text))
        size = (int)sizeof(text) - 1;
    watch_ring_put(ring, class, slice_make(text, (size_t)size));
}

const char *watch_key(struct slice key, char text[WATCH_KEY_TEXT_MAX])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    static const char digits[] = "0123456789ABCDEF";
    char *at = text;

    INVARIANT(key.size <= (WATCH_KEY_TEXT_MAX - 1) / 3);
    for (size_t i = 0; i < key.size; i++) {
        unsigned char byte = (unsigned char)key.data[i];

        if (byte != '\0' && strchr(plain, byte) != NULL) {
            *at++ = (char)byte;
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 0xf];
        }
    }
    *at = '\0';
    return text;
}

/* ---- who watches ---- */

unsigned watch_class_of(struct slice word)
{
    static const char *const words[] = {
#define X(name, word, help) word,
        WATCH_CLASSES(X)
#undef X
    };
    unsigned i;

    for (i = 0; i < COUNT_OF(words); i++) {
        if (slice_equal(word, slice_of(words[i])))
            break;
    }
    return i;
}

/* Under the lock. */
static void tell_producers(struct watch *watch)
{
    unsigned wanted = 0;

    for (const struct watcher *watcher = watch->watchers; watcher != NULL;
         watcher = watcher->next)
        wanted |= watcher->classes;
    atomic_store(&watch->classes.wanted, wanted);
}

/* Under the lock. */
MUST_CHECK static int add_watcher(struct watch *watch, struct watcher *watcher)
{
    int error;

    if (watch->watcher_count >= WATCH_WATCHERS_MAX)
        return -ERR_LIMIT;
    error = start_dealing(watch);
    if (error != 0)
        return error;
    watcher->since = atomic_load(&watch->hub.next_number);
    watcher->next = watch->watchers;
    watch->watchers = watcher;
    watch->watcher_count++;
    tell_producers(watch);
    return 0;
}

int watcher_new(struct watch *watch, unsigned classes, struct watcher **out)
{
    struct watcher *watcher =
        watcher_make(watch, &watch->hub, watch->config.watcher_bytes);
    int error;

    *out = NULL;
    if (watcher == NULL)
        return -ERR_MEMORY;
    watcher->classes = classes;
    lock_take(&watch->lock);
    error = add_watcher(watch, watcher);
    lock_release(&watch->lock);
    if (error != 0)
        watcher_unmake(&watcher);
    *out = watcher;
    return error;
}

void watcher_free(struct watcher **watcher_at)
{
    struct watcher *watcher = *watcher_at;
    struct watcher **link;
    struct watch *watch;

    if (watcher == NULL)
        return;
    watch = watcher->watch;
    lock_take(&watch->lock);
    for (link = &watch->watchers; *link != watcher; link = &(*link)->next)
        INVARIANT(*link != NULL);
    *link = watcher->next;
    watch->watcher_count--;
    tell_producers(watch);
    lock_release(&watch->lock);
    watcher_unmake(watcher_at);
}

/* ---- statistics ---- */

void watch_stats(struct watch *watch, struct stats_out *out)
{
    struct watch_counts now = watch_hub_counts(&watch->hub);
    unsigned watchers;

    lock_take(&watch->lock);
#define X(name, help) now.name -= watch->forgotten.name;
    WATCH_METRICS(X)
#undef X
    watchers = watch->watcher_count;
    lock_release(&watch->lock);
#define X(name, help) stats_put_u64(out, #name, now.name);
    WATCH_METRICS(X)
#undef X
    stats_put_u64(out, "log_watchers", watchers);
}

void watch_stats_reset(struct watch *watch)
{
    lock_take(&watch->lock);
    watch->forgotten = watch_hub_counts(&watch->hub);
    lock_release(&watch->lock);
}

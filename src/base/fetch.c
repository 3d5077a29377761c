/* SPDX-License-Identifier: BSD-3-Clause */
/* A list under a short lock. A fetch has two owners, who ask and who gets;
 * the second of them to let go frees it. */
#include "src/base/fetch.h"

#include "src/base/invariant.h"
#include "src/base/lock.h"
#include "src/base/memory.h"

#include <stdatomic.h>
#include <string.h>

struct fetches {
    struct lock lock;
    struct fetch *first; /* Under the lock. */
    struct fetch **last;
    atomic_bool open; /* Written under the lock. */
    atomic_bool waiting;
    atomic_uint count;   /* Under way. */
    fetch_wake_fn *wake; /* Immutable once there are fetches. */
    void *ctx;
};

struct fetch {
    struct fetches *fetches;
    struct fetch *next;
    atomic_uint owners;
    atomic_bool dropped; /* By the asker. */
    atomic_bool done;
    fetch_wake_fn *wake;
    void *ctx;
    size_t count;
    uint64_t hashes[];
};

struct fetches *fetches_new(void)
{
    struct fetches *fetches = memory_new(1, sizeof(*fetches));

    if (fetches == NULL)
        return NULL;
    lock_init(&fetches->lock, LOCK_RANK_STATS);
    fetches->last = &fetches->first;
    return fetches;
}

static void release(struct fetch **fetch)
{
    if (atomic_fetch_sub(&(*fetch)->owners, 1) == 1) {
        atomic_fetch_sub(&(*fetch)->fetches->count, 1);
        memory_free(fetch);
    }
    *fetch = NULL;
}

void fetches_free(struct fetches **fetches)
{
    struct fetch *fetch;

    if (*fetches == NULL)
        return;
    while ((fetch = fetches_take(*fetches)) != NULL)
        fetch_done(&fetch);
    INVARIANT(atomic_load(&(*fetches)->count) == 0);
    lock_fini(&(*fetches)->lock);
    memory_free(fetches);
}

/* ---- for those who ask ---- */

bool fetches_are_open(const struct fetches *fetches)
{
    return atomic_load_explicit(&fetches->open, memory_order_relaxed);
}

static struct fetch *make(struct fetches *fetches, const uint64_t *hashes,
                          size_t count)
{
    struct fetch *fetch =
        memory_new(1, sizeof(*fetch) + count * sizeof(hashes[0]));

    if (fetch == NULL)
        return NULL;
    fetch->fetches = fetches;
    atomic_store(&fetch->owners, 2);
    fetch->count = count;
    memcpy(fetch->hashes, hashes, count * sizeof(hashes[0]));
    return fetch;
}

/* False when the gate is closed. */
static bool put(struct fetches *fetches, struct fetch *fetch, bool *first)
{
    bool open;

    lock_take(&fetches->lock);
    open = atomic_load(&fetches->open);
    *first = open && fetches->first == NULL;
    if (open) {
        *fetches->last = fetch;
        fetches->last = &fetch->next;
        atomic_store(&fetches->waiting, true);
    }
    lock_release(&fetches->lock);
    return open;
}

struct fetch *fetch_begin(struct fetches *fetches, const uint64_t *hashes,
                          size_t count, fetch_wake_fn *wake, void *ctx)
{
    struct fetch *fetch = NULL;
    bool first;

    INVARIANT(count > 0);
    INVARIANT(count <= FETCH_KEYS_MAX);
    if (atomic_fetch_add(&fetches->count, 1) < FETCHES_MAX)
        fetch = make(fetches, hashes, count);
    if (fetch == NULL) {
        atomic_fetch_sub(&fetches->count, 1);
        return NULL;
    }
    fetch->wake = wake;
    fetch->ctx = ctx;
    if (!put(fetches, fetch, &first)) {
        atomic_store(&fetch->owners, 1);
        release(&fetch);
        return NULL;
    }
    if (first && fetches->wake != NULL)
        fetches->wake(fetches->ctx);
    return fetch;
}

bool fetch_is_done(const struct fetch *fetch)
{
    return atomic_load(&fetch->done);
}

void fetch_drop(struct fetch **fetch)
{
    if (*fetch == NULL)
        return;
    atomic_store(&(*fetch)->dropped, true);
    release(fetch);
}

/* ---- for the one who gets them ---- */

void fetches_set_wake(struct fetches *fetches, fetch_wake_fn *wake, void *ctx)
{
    fetches->wake = wake;
    fetches->ctx = ctx;
}

void fetches_open(struct fetches *fetches, bool open)
{
    lock_take(&fetches->lock);
    atomic_store(&fetches->open, open);
    lock_release(&fetches->lock);
}

struct fetch *fetches_take(struct fetches *fetches)
{
    struct fetch *fetch;

    if (!fetches_wait(fetches))
        return NULL;
    lock_take(&fetches->lock);
    fetch = fetches->first;
    if (fetch != NULL)
        fetches->first = fetch->next;
    if (fetches->first == NULL) {
        fetches->last = &fetches->first;
        atomic_store(&fetches->waiting, false);
    }
    lock_release(&fetches->lock);
    return fetch;
}

bool fetches_wait(const struct fetches *fetches)
{
    return atomic_load(&fetches->waiting);
}

const uint64_t *fetch_hashes(const struct fetch *fetch, size_t *count)
{
    *count = fetch->count;
    return fetch->hashes;
}

/* Who asked may be gone by the time that it is woken, but not its thread:
 * unless it was gone before. */
void fetch_done(struct fetch **fetch)
{
    fetch_wake_fn *wake = (*fetch)->wake;
    void *ctx = (*fetch)->ctx;
    bool dropped = atomic_load(&(*fetch)->dropped);

    atomic_store(&(*fetch)->done, true);
    release(fetch);
    if (!dropped)
        wake(ctx);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A lock for one producer and the dealer is hardly ever waited for, and lets a
 * ring be shared by threads that seldom have something to say. */
#include "src/base/watch_ring.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

struct watch_counts watch_hub_counts(struct watch_hub *hub)
{
    return (struct watch_counts){
#define X(name, help) .name = atomic_load(&hub->name),
        WATCH_METRICS(X)
#undef X
    };
}

struct watch_ring *watch_ring_make(struct watch *watch, struct watch_hub *hub,
                                   size_t room)
{
    struct watch_ring *ring = memory_new(1, sizeof(*ring));

    if (ring == NULL)
        return NULL;
    ring->bytes = memory_new(room, 1);
    if (ring->bytes == NULL) {
        memory_free(&ring);
        return NULL;
    }
    ring->watch = watch;
    ring->hub = hub;
    ring->room = room;
    ring->head_number = UINT64_MAX;
    lock_init(&ring->lock, LOCK_RANK_WATCH_LINES);
    return ring;
}

void watch_ring_unmake(struct watch_ring **ring)
{
    lock_fini(&(*ring)->lock);
    memory_free(&(*ring)->bytes);
    memory_free(ring);
}

/* ---- bytes around the end ---- */

static void copy_in(struct watch_ring *ring, const void *data, size_t size)
{
    size_t at = ring->write_at % ring->room;
    size_t first = size < ring->room - at ? size : ring->room - at;

    memcpy(ring->bytes + at, data, first);
    memcpy(ring->bytes, (const char *)data + first, size - first);
    ring->write_at += size;
}

static void copy_out(const struct watch_ring *ring, size_t from, void *data,
                     size_t size)
{
    size_t at = from % ring->room;
    size_t first = size < ring->room - at ? size : ring->room - at;

    memcpy(data, ring->bytes + at, first);
    memcpy((char *)data + first, ring->bytes, size - first);
}

/* ---- lines ---- */

/* Lets the dealer know, if it does not look anyway. */
static void wake_dealer(struct watch_hub *hub, bool is_half_full)
{
    if (atomic_load(&hub->asleep) && atomic_exchange(&hub->asleep, false))
        hub->wake(hub->ctx);
    else if (is_half_full && atomic_load(&hub->resting) &&
             atomic_exchange(&hub->resting, false))
        hub->wake(hub->ctx);
}

/* False: there is no room. */
static bool put_record(struct watch_ring *ring, struct watch_record *record,
                       struct slice text, bool *is_half_full)
{
    size_t size = sizeof(*record) + text.size;
    bool fits;

    lock_take(&ring->lock);
    fits = size <= ring->room - (ring->write_at - ring->read_at);
    if (fits) {
        record->number = atomic_fetch_add(&ring->hub->next_number, 1);
        copy_in(ring, record, sizeof(*record));
        copy_in(ring, text.data, text.size);
    }
    *is_half_full = ring->write_at - ring->read_at > ring->room / 2;
    lock_release(&ring->lock);
    return fits;
}

void watch_ring_put(struct watch_ring *ring, enum watch_class class,
                    struct slice text)
{
    struct watch_hub *hub = ring->hub;
    struct watch_record record = {.time_ns = clock_now(hub->clock),
                                  .class = (uint32_t) class,
                                  .size = (uint32_t)text.size};

    bool is_half_full;

    INVARIANT(text.size < WATCH_LINE_MAX);
    if (put_record(ring, &record, text, &is_half_full))
        count(&hub->log_worker_written);
    else
        count(&hub->log_worker_dropped);
    wake_dealer(hub, is_half_full);
}

/* Under the lock. */
static void look_at_head(struct watch_ring *ring)
{
    struct watch_record record = {.number = UINT64_MAX};

    if (ring->read_at < ring->write_at)
        copy_out(ring, ring->read_at, &record, sizeof(record));
    ring->head_number = record.number;
}

void watch_ring_settle(struct watch_ring *ring)
{
    lock_take(&ring->lock);
    look_at_head(ring);
    lock_release(&ring->lock);
}

void watch_ring_take(struct watch_ring *ring, struct watch_record *record,
                     char text[WATCH_LINE_MAX])
{
    lock_take(&ring->lock);
    INVARIANT(ring->read_at < ring->write_at);
    copy_out(ring, ring->read_at, record, sizeof(*record));
    INVARIANT(record->size < WATCH_LINE_MAX);
    copy_out(ring, ring->read_at + sizeof(*record), text, record->size);
    ring->read_at += sizeof(*record) + record->size;
    look_at_head(ring);
    lock_release(&ring->lock);
}

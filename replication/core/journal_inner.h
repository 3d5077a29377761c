/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the journal share: journal.c is written to by the engine
 * and read by the sender, journal_resync.c brings a peer up to date,
 * journal_snapshot.c takes it across a restart. All of the functions here want
 * the lock held, but those that say otherwise. */
#ifndef REPLICATION_CORE_JOURNAL_INNER_H
#define REPLICATION_CORE_JOURNAL_INNER_H

#include "replication/core/bucket_map.h"
#include "replication/core/journal.h"
#include "replication/core/rules.h"
#include "replication/core/tombstones.h"
#include "src/base/invariant.h"
#include "src/base/lock.h"

#include <stdatomic.h>

#define JOURNAL_SLICE_MAX 256 /* Tombstones or buckets under one lock. */

struct journal_entry {
    uint64_t hash;
    stamp_t stamp;
};

struct journal_log {
    struct lock lock; /* Everything below, but what is atomic. */
    struct stamp_clock *clock;
    struct journal_entry *ring;
    uint64_t *touched; /* Both: a bit for each place in the ring. */
    uint64_t *removed;
    uint64_t mask;
    _Atomic uint64_t next; /* Number of the next entry; the first is 1.
                              Written under the lock. */
    uint64_t first;        /* The lowest that was made in this process. */
    uint64_t confirmed;
    _Atomic uint64_t watermark[2]; /* Written under the lock. */
    struct tombstones tombs;
    stamp_t *floors; /* One per bucket; 0: none. */
    uint32_t floors_count;
    unsigned bucket_bits;
    struct bucket_map dirty;
    struct bucket_map syncing;  /* Being scanned; disjoint in meaning only. */
    uint64_t overflows;         /* Tombstones that found no room. */
    uint64_t round_next;        /* `next` when the scan began. */
    uint32_t round_bucket;      /* Buckets below it are confirmed. */
    atomic_bool may_be_removed; /* There is a tombstone or a floor. */
    atomic_bool sleeping;
    void (*wake)(void *ctx);
    void *wake_ctx;
};

static inline uint32_t journal_bucket_of(const struct journal_log *log,
                                         uint64_t hash)
{
    return (uint32_t)(hash >> (64 - log->bucket_bits));
}

static inline uint64_t journal_bucket_first(const struct journal_log *log,
                                            uint32_t bucket)
{
    return (uint64_t)bucket << (64 - log->bucket_bits);
}

static inline uint64_t journal_bucket_last(const struct journal_log *log,
                                           uint32_t bucket)
{
    return journal_bucket_first(log, bucket) | (UINT64_MAX >> log->bucket_bits);
}

static inline uint32_t journal_buckets(const struct journal_log *log)
{
    return (uint32_t)1 << log->bucket_bits;
}

static inline uint64_t journal_oldest_kept(const struct journal_log *log)
{
    uint64_t size = log->mask + 1;

    return log->next - log->first > size ? log->next - size : log->first;
}

static inline bool journal_is_marked(const struct journal_log *log,
                                     const uint64_t *marks, uint64_t seq)
{
    uint64_t place = seq & log->mask;

    return (marks[place / 64] >> place % 64) & 1;
}

static inline bool journal_behind(const struct journal_log *log)
{
    return log->dirty.count + log->syncing.count > 0;
}

static inline unsigned journal_own_bit(const struct journal_log *log)
{
    return atomic_load_explicit(&log->clock->node, memory_order_relaxed) & 1;
}

static inline stamp_t journal_watermark_of(const struct journal_log *log,
                                           unsigned bit)
{
    return atomic_load_explicit(&log->watermark[bit], memory_order_relaxed);
}

static inline void journal_set_watermark(struct journal_log *log, unsigned bit,
                                         stamp_t to)
{
    atomic_store_explicit(&log->watermark[bit], to, memory_order_relaxed);
}

/* The ring loses what the peer has not confirmed. */
void journal_lose(struct journal_log *log, const struct journal_entry *entry);
/* The oldest removals give way until there is room for one. */
void journal_make_room(struct journal_log *log);
void journal_note_removals(struct journal_log *log);
/* The watermark follows what is confirmed, unless something is missing. */
void journal_advance(struct journal_log *log);
/* Lets tombstones go that have done their work. Without the lock held. */
void journal_collect(struct journal_log *log);

#endif

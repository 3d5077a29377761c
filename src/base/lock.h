/* SPDX-License-Identifier: BSD-3-Clause */
/* Locks with ranks. A thread takes locks in rising rank only; a build with
 * --enable-debug asserts it, which makes a deadlock impossible by order. A
 * try never waits, so it may go against the order. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Lowest first: what is taken first. */
#define LOCK_RANKS(X) \
    X(SERVER, "server: listeners and the list of connections") \
    X(GROWTH, "engine: geometry of the table while it grows") \
    X(BUCKET, "engine: one bucket of the table and its items") \
    X(CLASS, "engine: one slab class: free chunks and LRU lists") \
    X(PAGES, "engine: the pool of free pages") \
    X(JOURNAL, "replication: the log of changes and the tombstones") \
    X(STATS, "anywhere: sums of counters")

enum lock_rank {
#define X(name, what) LOCK_RANK_##name,
    LOCK_RANKS(X)
#undef X
    LOCK_RANK_COUNT
};

/* A mutex that spins a little before it sleeps; for what is held shortly. */
struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_fini(struct lock *lock);
void lock_take(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);

/* The lowest bit of a word as a spin lock, for a lock inside a cache line.
 * Held for tens of nanoseconds; a waiter spins, then yields the processor.
 * The other 31 bits belong to the holder and are kept. */
void lock_bit_take(_Atomic uint32_t *word, enum lock_rank rank);
bool lock_bit_try(_Atomic uint32_t *word, enum lock_rank rank);
void lock_bit_release(_Atomic uint32_t *word, enum lock_rank rank);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Locks with ranks. A thread takes locks in rising rank only; a build with
 * --enable-debug asserts it, which makes a deadlock impossible by order. A
 * try never waits, so it may go against the order. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "src/base/error.h"
#include "src/base/invariant.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Lowest first: what is taken first. */
#define LOCK_RANKS(X) \
    X(PORT, "server: listeners, while they open and close") \
    X(SERVER, "server: connections on their way to a worker") \
    X(CONNS, "server: the table of connections") \
    X(GROWTH, "engine: geometry of the table while it grows") \
    X(MOVER, "engine: the page that is being emptied") \
    X(BUCKET, "engine: one bucket of the table and its items") \
    X(CLASS, "engine: one slab class: free chunks and LRU lists") \
    X(PAGES, "engine: the pool of free pages") \
    X(JOURNAL, "replication: the log of changes and the tombstones") \
    X(WATCH, "watchers: the lists of producers and watchers") \
    X(WATCH_LINES, "watchers: lines of one producer or for one watcher") \
    X(STATS, "anywhere: sums of counters") \
    X(CONFIRM, "replies that wait for the peer: who is to be woken") \
    X(PREFIXES, "command: a stripe of the counts of stats detail")

enum lock_rank {
#define X(name, what) LOCK_RANK_##name,
    LOCK_RANKS(X)
#undef X
        LOCK_RANK_COUNT
};

/* What the debug build remembers of this thread: that a rank may be waited
 * for now, that one is held, that it is no more. */
#ifdef DEBUG_BUILD
void lock_rank_rises(enum lock_rank rank);
void lock_rank_hold(enum lock_rank rank);
void lock_rank_drop(enum lock_rank rank);
#else
static inline void lock_rank_rises(enum lock_rank rank)
{
    (void)rank;
}

static inline void lock_rank_hold(enum lock_rank rank)
{
    (void)rank;
}

static inline void lock_rank_drop(enum lock_rank rank)
{
    (void)rank;
}
#endif

/* A mutex that spins a little before it sleeps; for what is held shortly. */
struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_fini(struct lock *lock);
void lock_take(struct lock *lock);
MUST_CHECK bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);

/* Lets other threads run, for whoever can only try again: at first the others
 * of this processor, from the LOCK_YIELDS-th round on for a millisecond. */
#define LOCK_YIELDS 50u
void lock_give_way(unsigned round);

/* The lowest bit of a word as a spin lock, for a lock inside a cache line.
 * Held for tens of nanoseconds; a waiter spins, then yields the processor.
 * The other 31 bits belong to the holder and are kept: nobody else writes
 * them. */
void lock_bit_wait(_Atomic uint32_t *word);

static inline void lock_bit_take(_Atomic uint32_t *word, enum lock_rank rank)
{
    lock_rank_rises(rank);
    if (UNLIKELY(atomic_fetch_or_explicit(word, 1, memory_order_acquire) & 1))
        lock_bit_wait(word);
    lock_rank_hold(rank);
}

MUST_CHECK static inline bool lock_bit_try(_Atomic uint32_t *word,
                                           enum lock_rank rank)
{
    if (atomic_fetch_or_explicit(word, 1, memory_order_acquire) & 1)
        return false;
    lock_rank_hold(rank);
    return true;
}

/* A plain store, not a read-modify-write: whoever else writes the word
 * meanwhile only sets the bit that is set already. */
static inline void lock_bit_release(_Atomic uint32_t *word, enum lock_rank rank)
{
    uint32_t bits = atomic_load_explicit(word, memory_order_relaxed);

    INVARIANT(bits & 1);
    lock_rank_drop(rank);
    atomic_store_explicit(word, bits & ~(uint32_t)1, memory_order_release);
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The slow halves of the locks, and in a debug build the memory of what this
 * thread holds: a count per rank. */
#include "src/base/lock.h"

#include "src/base/invariant.h"

#include <sched.h>
#include <time.h>

/* About a microsecond: longer than a bucket is held, shorter than a switch. */
#define SPINS_BEFORE_YIELD 64

#ifdef DEBUG_BUILD
static _Thread_local unsigned held[LOCK_RANK_COUNT];

void lock_rank_rises(enum lock_rank rank)
{
    unsigned above;

    INVARIANT(rank < LOCK_RANK_COUNT);
    for (above = rank; above < LOCK_RANK_COUNT; above++)
        INVARIANT(held[above] == 0);
}

void lock_rank_hold(enum lock_rank rank)
{
    INVARIANT(rank < LOCK_RANK_COUNT);
    held[rank]++;
}

void lock_rank_drop(enum lock_rank rank)
{
    INVARIANT(rank < LOCK_RANK_COUNT);
    INVARIANT(held[rank] > 0);
    held[rank]--;
}
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
    pthread_mutexattr_t kind;
    int failed;

    INVARIANT(rank < LOCK_RANK_COUNT);

    failed = pthread_mutexattr_init(&kind);
    failed |= pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
    failed |= pthread_mutex_init(&lock->mutex, &kind);
    failed |= pthread_mutexattr_destroy(&kind);
    INVARIANT(failed == 0); /* Fails for unknown kinds alone. */
    lock->rank = rank;
}

void lock_fini(struct lock *lock)
{
    int failed = pthread_mutex_destroy(&lock->mutex);

    INVARIANT(failed == 0); /* Still held. */
}

void lock_take(struct lock *lock)
{
    int failed;

    lock_rank_rises(lock->rank);
    failed = pthread_mutex_lock(&lock->mutex);
    INVARIANT(failed == 0);
    lock_rank_hold(lock->rank);
}

bool lock_try(struct lock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex) != 0)
        return false;
    lock_rank_hold(lock->rank);
    return true;
}

void lock_release(struct lock *lock)
{
    int failed;

    lock_rank_drop(lock->rank);
    failed = pthread_mutex_unlock(&lock->mutex);
    INVARIANT(failed == 0);
}

void lock_give_way(unsigned round)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    if (round < LOCK_YIELDS)
        (void)sched_yield();
    else
        (void)nanosleep(&moment, NULL);
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Reads until the bit looks free, because a read shares the cache line and an
 * attempt tears it from the holder; then attempts. */
void lock_bit_wait(_Atomic uint32_t *word)
{
    unsigned spins = 0;

    do {
        while (atomic_load_explicit(word, memory_order_relaxed) & 1) {
            if (++spins % SPINS_BEFORE_YIELD == 0)
                sched_yield();
            else
                relax();
        }
    } while (atomic_fetch_or_explicit(word, 1, memory_order_acquire) & 1);
}

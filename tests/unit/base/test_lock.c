/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/lock.h"

#include "tests/unit/unit.h"

#define THREADS 4
#define ROUNDS 50000

/* One of each kind around one plain counter each. */
struct shared {
    pthread_barrier_t start; /* Lest the first be done before the last. */
    struct lock lock;
    _Atomic uint32_t word;
    unsigned by_lock;
    unsigned by_bit;
};

static void *count_up(void *ctx)
{
    struct shared *shared = ctx;
    unsigned i;

    (void)pthread_barrier_wait(&shared->start);
    for (i = 0; i < ROUNDS; i++) {
        lock_take(&shared->lock);
        shared->by_lock++;
        lock_release(&shared->lock);
    }
    (void)pthread_barrier_wait(&shared->start);
    for (i = 0; i < ROUNDS; i++) {
        lock_bit_take(&shared->word, LOCK_RANK_BUCKET);
        shared->by_bit++;
        /* The holder changes its own bits with the lock in place. */
        atomic_fetch_add_explicit(&shared->word, 2, memory_order_relaxed);
        lock_bit_release(&shared->word, LOCK_RANK_BUCKET);
    }
    return NULL;
}

START_TEST(keep_threads_apart)
{
    struct shared shared = {.word = 0};
    pthread_t threads[THREADS];
    unsigned t;

    ck_assert_int_eq(pthread_barrier_init(&shared.start, NULL, THREADS), 0);
    lock_init(&shared.lock, LOCK_RANK_STATS);
    for (t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, count_up, &shared),
                         0);
    for (t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    lock_fini(&shared.lock);

    ck_assert_uint_eq(shared.by_lock, THREADS * ROUNDS);
    ck_assert_uint_eq(shared.by_bit, THREADS * ROUNDS);
    ck_assert_uint_eq(shared.word, 2 * THREADS * ROUNDS);
}
END_TEST

START_TEST(a_bit_leaves_the_others_alone)
{
    _Atomic uint32_t word = 0xfffffffe;

    lock_bit_take(&word, LOCK_RANK_BUCKET);
    ck_assert_uint_eq(word, 0xffffffff);
    lock_bit_release(&word, LOCK_RANK_BUCKET);
    ck_assert_uint_eq(word, 0xfffffffe);
}
END_TEST

START_TEST(a_bit_that_is_held_is_refused)
{
    _Atomic uint32_t word = 0;

    ck_assert(lock_bit_try(&word, LOCK_RANK_BUCKET));
    ck_assert(!lock_bit_try(&word, LOCK_RANK_BUCKET));
    lock_bit_release(&word, LOCK_RANK_BUCKET);
    ck_assert(lock_bit_try(&word, LOCK_RANK_BUCKET));
    lock_bit_release(&word, LOCK_RANK_BUCKET);
}
END_TEST

START_TEST(a_bit_that_is_free_cannot_be_released)
{
    _Atomic uint32_t word = 2;

    unit_assert_aborts(lock_bit_release(&word, LOCK_RANK_BUCKET));
}
END_TEST

static void *try_elsewhere(void *ctx)
{
    struct lock *lock = ctx;

    if (!lock_try(lock))
        return NULL;
    lock_release(lock);
    return lock;
}

static bool another_thread_gets(struct lock *lock)
{
    pthread_t thread;
    void *got = NULL;

    ck_assert_int_eq(pthread_create(&thread, NULL, try_elsewhere, lock), 0);
    ck_assert_int_eq(pthread_join(thread, &got), 0);
    return got != NULL;
}

START_TEST(a_mutex_that_is_held_is_refused)
{
    struct lock lock;

    lock_init(&lock, LOCK_RANK_PAGES);
    lock_take(&lock);
    ck_assert(!another_thread_gets(&lock));
    lock_release(&lock);
    ck_assert(another_thread_gets(&lock));
    lock_fini(&lock);
}
END_TEST

START_TEST(rising_ranks_pass)
{
    _Atomic uint32_t bucket = 0;
    struct lock class;
    struct lock pages;

    lock_init(&class, LOCK_RANK_CLASS);
    lock_init(&pages, LOCK_RANK_PAGES);
    lock_bit_take(&bucket, LOCK_RANK_BUCKET);
    lock_take(&class);
    lock_take(&pages);
    /* Released in any order. */
    lock_bit_release(&bucket, LOCK_RANK_BUCKET);
    lock_release(&pages);
    /* A try may go down. */
    ck_assert(lock_bit_try(&bucket, LOCK_RANK_BUCKET));
    lock_bit_release(&bucket, LOCK_RANK_BUCKET);
    lock_release(&class);
    /* With none held, any rank again. */
    lock_bit_take(&bucket, LOCK_RANK_BUCKET);
    lock_bit_release(&bucket, LOCK_RANK_BUCKET);
    lock_fini(&class);
    lock_fini(&pages);
}
END_TEST

#ifdef DEBUG_BUILD
START_TEST(falling_ranks_abort)
{
    _Atomic uint32_t bucket = 0;
    struct lock class;

    lock_init(&class, LOCK_RANK_CLASS);
    lock_take(&class);
    unit_assert_aborts(lock_bit_take(&bucket, LOCK_RANK_BUCKET));
    lock_release(&class);
    lock_fini(&class);
}
END_TEST

START_TEST(equal_ranks_abort)
{
    struct lock first;
    struct lock second;

    lock_init(&first, LOCK_RANK_CLASS);
    lock_init(&second, LOCK_RANK_CLASS);
    lock_take(&first);
    unit_assert_aborts(lock_take(&second));
    lock_release(&first);
    lock_fini(&first);
    lock_fini(&second);
}
END_TEST

START_TEST(a_rank_not_held_cannot_be_dropped)
{
    _Atomic uint32_t bucket = 0;

    lock_bit_take(&bucket, LOCK_RANK_BUCKET);
    unit_assert_aborts(lock_bit_release(&bucket, LOCK_RANK_CLASS));
    lock_bit_release(&bucket, LOCK_RANK_BUCKET);
}
END_TEST
#endif

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, keep_threads_apart);
    tcase_add_test(tests, a_bit_leaves_the_others_alone);
    tcase_add_test(tests, a_bit_that_is_held_is_refused);
    tcase_add_test(tests, a_bit_that_is_free_cannot_be_released);
    tcase_add_test(tests, a_mutex_that_is_held_is_refused);
    tcase_add_test(tests, rising_ranks_pass);
#ifdef DEBUG_BUILD
    tcase_add_test(tests, falling_ranks_abort);
    tcase_add_test(tests, equal_ranks_abort);
    tcase_add_test(tests, a_rank_not_held_cannot_be_dropped);
#endif
}
UNIT_MAIN("lock", add_tests)

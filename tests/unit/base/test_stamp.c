/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/stamp.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdbool.h>

#define THREADS 4
#define STAMPS_EACH 200000

/* 2026-01-01, and not on a tick. */
static const uint64_t now_ns = 1767225600ull * 1000000000 + 12345;

START_TEST(carries_the_time_and_the_node)
{
    struct stamp_clock clock;
    stamp_t stamp;

    stamp_clock_init(&clock, 1);
    stamp = stamp_next(&clock, now_ns);
    ck_assert_uint_eq(stamp_node(stamp), 1);
    ck_assert_uint_eq(stamp_ns(stamp), now_ns - now_ns % STAMP_TICK_NS);
    stamp_clock_set_node(&clock, 0);
    ck_assert_uint_eq(stamp_node(stamp_next(&clock, now_ns)), 0);
}
END_TEST

START_TEST(rises_while_the_time_stands_or_goes_back)
{
    struct stamp_clock clock;
    stamp_t last = STAMP_NONE;
    unsigned i;

    /* Faster than the clock: the stamps run ahead of it. */
    stamp_clock_init(&clock, 0);
    for (i = 0; i < 100000; i++) {
        stamp_t stamp = stamp_next(&clock, now_ns - i);

        ck_assert_uint_gt(stamp, last);
        ck_assert_uint_eq(stamp_node(stamp), 0);
        last = stamp;
    }
    ck_assert_uint_eq(stamp_last(&clock), last);
}
END_TEST

START_TEST(rises_when_the_node_changes)
{
    struct stamp_clock clock;
    stamp_t first;
    stamp_t second;

    stamp_clock_init(&clock, 1);
    first = stamp_next(&clock, now_ns);
    stamp_clock_set_node(&clock, 0);
    second = stamp_next(&clock, now_ns);
    stamp_clock_set_node(&clock, 1);
    ck_assert_uint_gt(second, first);
    ck_assert_uint_gt(stamp_next(&clock, now_ns), second);
}
END_TEST

START_TEST(goes_above_what_it_absorbed)
{
    struct stamp_clock clock;
    stamp_t seen = (now_ns + 3600 * 1000000000ull) | 1;

    stamp_clock_init(&clock, 0);
    (void)stamp_next(&clock, now_ns);
    stamp_absorb(&clock, seen);
    ck_assert_uint_eq(stamp_last(&clock), seen);
    ck_assert_uint_gt(stamp_next(&clock, now_ns), seen);
}
END_TEST

START_TEST(older_stamps_do_not_turn_it_back)
{
    struct stamp_clock clock;
    stamp_t first;

    stamp_clock_init(&clock, 0);
    first = stamp_next(&clock, now_ns);
    stamp_absorb(&clock, first - 1);
    stamp_absorb(&clock, STAMP_NONE);
    ck_assert_uint_eq(stamp_last(&clock), first);
}
END_TEST

START_TEST(a_lying_peer_cannot_wrap_it_around)
{
    struct stamp_clock clock;
    stamp_t first;

    stamp_clock_init(&clock, 1);
    stamp_absorb(&clock, STAMP_MAX);
    first = stamp_next(&clock, now_ns);
    stamp_absorb(&clock, STAMP_MAX);
    ck_assert_uint_gt(stamp_next(&clock, now_ns), first);
    ck_assert_uint_gt(first, STAMP_ABSORB_MAX);
}
END_TEST

START_TEST(there_are_two_nodes)
{
    struct stamp_clock clock;

    unit_assert_aborts(stamp_clock_init(&clock, 2));
}
END_TEST

struct issuer {
    struct stamp_clock *clock;
    pthread_barrier_t *start; /* Lest the first be done before the last. */
    stamp_t issued[STAMPS_EACH];
};

static void *issue(void *ctx)
{
    struct issuer *issuer = ctx;
    unsigned i;

    (void)pthread_barrier_wait(issuer->start);
    for (i = 0; i < STAMPS_EACH; i++) {
        issuer->issued[i] = stamp_next(issuer->clock, now_ns + i);
        if (i % 16 == 0)
            stamp_absorb(issuer->clock, issuer->issued[i] + 3);
    }
    return NULL;
}

static int compare_stamps(const void *a, const void *b)
{
    const stamp_t *x = a;
    const stamp_t *y = b;

    return (*x > *y) - (*x < *y);
}

START_TEST(threads_never_get_the_same)
{
    static struct issuer issuers[THREADS];
    static stamp_t all[THREADS * STAMPS_EACH];
    struct stamp_clock clock;
    pthread_barrier_t start;
    pthread_t threads[THREADS];
    bool rising = true;
    size_t i;
    size_t t;

    stamp_clock_init(&clock, 0);
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (t = 0; t < THREADS; t++) {
        issuers[t].clock = &clock;
        issuers[t].start = &start;
        ck_assert_int_eq(pthread_create(&threads[t], NULL, issue, &issuers[t]),
                         0);
    }
    for (t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
        for (i = 0; i < STAMPS_EACH; i++) {
            all[t * STAMPS_EACH + i] = issuers[t].issued[i];
            rising &= i == 0 || issuers[t].issued[i] > issuers[t].issued[i - 1];
        }
    }
    ck_assert(rising);
    qsort(all, COUNT_OF(all), sizeof(all[0]), compare_stamps);
    for (i = 1; i < COUNT_OF(all); i++)
        rising &= all[i] > all[i - 1];
    ck_assert(rising);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, carries_the_time_and_the_node);
    tcase_add_test(tests, rises_while_the_time_stands_or_goes_back);
    tcase_add_test(tests, rises_when_the_node_changes);
    tcase_add_test(tests, goes_above_what_it_absorbed);
    tcase_add_test(tests, older_stamps_do_not_turn_it_back);
    tcase_add_test(tests, a_lying_peer_cannot_wrap_it_around);
    tcase_add_test(tests, there_are_two_nodes);
    tcase_add_test(tests, threads_never_get_the_same);
}
UNIT_MAIN("stamp", add_tests)

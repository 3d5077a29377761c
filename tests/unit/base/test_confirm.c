/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/confirm.h"

#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>

static struct confirm *confirm;
static unsigned woken[2];

static void wake(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void begin(void)
{
    confirm = confirm_new();
    woken[0] = woken[1] = 0;
    ck_assert_uint_eq(confirm_join(confirm, wake, &woken[0]), 0);
    ck_assert_uint_eq(confirm_join(confirm, wake, &woken[1]), 1);
}

static void end(void)
{
    confirm_free(&confirm);
}

START_TEST(nobody_waits_while_it_is_closed)
{
    ck_assert(!confirm_is_on(confirm));
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_OFF);
    confirm_open(confirm, true);
    ck_assert(confirm_is_on(confirm));
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_PENDING);
    confirm_open(confirm, false);
    ck_assert_uint_eq(woken[0], 1);
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_OFF);
}
END_TEST

START_TEST(who_waits_is_woken_once_and_nobody_else)
{
    confirm_open(confirm, true);
    confirm_reach(confirm, 5);
    ck_assert_int_eq(confirm_ask(confirm, 1, 5), CONFIRM_DONE);
    ck_assert_int_eq(confirm_ask(confirm, 1, 6), CONFIRM_PENDING);
    confirm_reach(confirm, 5);
    ck_assert_uint_eq(woken[1], 0);
    confirm_reach(confirm, 6);
    confirm_reach(confirm, 7);
    ck_assert_uint_eq(woken[0], 0);
    ck_assert_uint_eq(woken[1], 1);
    ck_assert_int_eq(confirm_ask(confirm, 1, 6), CONFIRM_DONE);
    confirm_reach(confirm, 3); /* Numbers never fall. */
    ck_assert_int_eq(confirm_ask(confirm, 1, 6), CONFIRM_DONE);
}
END_TEST

START_TEST(giving_up_ends_every_wait_until_it_is_rearmed)
{
    confirm_open(confirm, true);
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_PENDING);
    ck_assert_int_eq(confirm_ask(confirm, 1, 1), CONFIRM_PENDING);
    confirm_give_up(confirm);
    confirm_give_up(confirm);
    ck_assert_uint_eq(woken[0], 1);
    ck_assert_uint_eq(woken[1], 1);
    ck_assert(confirm_is_given_up(confirm));
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_OFF);
    confirm_open(confirm, true);
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_OFF);
    confirm_rearm(confirm);
    ck_assert_int_eq(confirm_ask(confirm, 0, 1), CONFIRM_PENDING);
}
END_TEST

START_TEST(it_tells_once_that_somebody_asked)
{
    confirm_open(confirm, true);
    confirm_reach(confirm, 1);
    (void)confirm_ask(confirm, 0, 1);
    ck_assert(!confirm_take_asked(confirm));
    (void)confirm_ask(confirm, 0, 2);
    ck_assert(confirm_take_asked(confirm));
    ck_assert(!confirm_take_asked(confirm));
}
END_TEST

START_TEST(who_left_is_not_woken)
{
    confirm_open(confirm, true);
    (void)confirm_ask(confirm, 0, 1);
    confirm_leave(confirm, 0);
    confirm_reach(confirm, 1);
    ck_assert_uint_eq(woken[0], 0);
}
END_TEST

START_TEST(counters_are_added_up)
{
    struct confirm_counters sum;

    METRIC_ADD(confirm_counters(confirm, 0)->waits, 3);
    METRIC_UP(confirm_counters(confirm, 1)->waits);
    METRIC_UP(confirm_counters(confirm, 1)->timeouts);
    confirm_sum(confirm, &sum);
    ck_assert_uint_eq(sum.waits, 4);
    ck_assert_uint_eq(sum.timeouts, 1);
    ck_assert_uint_eq(sum.unconfirmed, 0);
}
END_TEST

/* ---- no wake is lost between two threads ---- */

#define NUMBERS 200000u

static atomic_uint wakes;

static void count_wake(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&wakes, 1);
}

static void *announce(void *arg)
{
    (void)arg;
    for (uint64_t number = 1; number <= NUMBERS; number++)
        confirm_reach(confirm, number);
    return NULL;
}

START_TEST(no_wake_is_lost)
{
    unsigned waiter = confirm_join(confirm, count_wake, NULL);
    pthread_t thread;

    confirm_open(confirm, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, announce, NULL), 0);
    for (uint64_t number = 1; number <= NUMBERS; number += 7) {
        unsigned before = atomic_load(&wakes);

        while (confirm_ask(confirm, waiter, number) == CONFIRM_PENDING) {
            while (atomic_load(&wakes) == before)
                ; /* A lost wake is a test that does not end. */
            before = atomic_load(&wakes);
        }
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, nobody_waits_while_it_is_closed);
    tcase_add_test(tests, who_waits_is_woken_once_and_nobody_else);
    tcase_add_test(tests, giving_up_ends_every_wait_until_it_is_rearmed);
    tcase_add_test(tests, it_tells_once_that_somebody_asked);
    tcase_add_test(tests, who_left_is_not_woken);
    tcase_add_test(tests, counters_are_added_up);
    tcase_add_test(tests, no_wake_is_lost);
}

UNIT_MAIN("confirm", add_tests)

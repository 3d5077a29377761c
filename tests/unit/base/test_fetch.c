/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/fetch.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/unit.h"

static struct fetches *fetches;
static unsigned woken, called;
static const uint64_t hashes[] = {11, 12, 13};

static void wake(void *ctx)
{
    ck_assert_ptr_eq(ctx, &woken);
    woken++;
}

static void call(void *ctx)
{
    ck_assert_ptr_eq(ctx, &called);
    called++;
}

static void setup(void)
{
    fetches = fetches_new();
    ck_assert_ptr_nonnull(fetches);
    fetches_set_wake(fetches, call, &called);
    fetches_open(fetches, true);
    woken = called = 0;
}

static void teardown(void)
{
    fetches_free(&fetches);
}

static struct fetch *ask(size_t count)
{
    return fetch_begin(fetches, hashes, count, wake, &woken);
}

START_TEST(who_asks_is_woken_when_it_is_done)
{
    struct fetch *asked = ask(3);
    struct fetch *taken;
    size_t count;

    ck_assert_ptr_nonnull(asked);
    ck_assert_uint_eq(called, 1);
    ck_assert(fetches_wait(fetches));
    taken = fetches_take(fetches);
    ck_assert_ptr_eq(taken, asked);
    ck_assert(!fetches_wait(fetches));
    ck_assert_ptr_null(fetches_take(fetches));
    ck_assert_mem_eq(fetch_hashes(taken, &count), hashes, sizeof(hashes));
    ck_assert_uint_eq(count, 3);
    ck_assert(!fetch_is_done(asked));
    fetch_done(&taken);
    ck_assert_ptr_null(taken);
    ck_assert(fetch_is_done(asked));
    ck_assert_uint_eq(woken, 1);
    fetch_drop(&asked);
    fetch_drop(&asked);
}
END_TEST

START_TEST(first_come_first_served_and_one_call_for_all)
{
    struct fetch *asked[3];

    for (size_t i = 0; i < COUNT_OF(asked); i++)
        asked[i] = ask(1 + i);
    ck_assert_uint_eq(called, 1);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        struct fetch *taken = fetches_take(fetches);

        ck_assert_ptr_eq(taken, asked[i]);
        fetch_done(&taken);
        fetch_drop(&asked[i]);
    }
    asked[0] = ask(1);
    ck_assert_uint_eq(called, 2);
    fetch_drop(&asked[0]);
}
END_TEST

/* Its thread may not be there any more. */
START_TEST(who_has_gone_is_not_woken)
{
    struct fetch *asked = ask(1);
    struct fetch *taken = fetches_take(fetches);

    fetch_drop(&asked);
    fetch_done(&taken);
    ck_assert_uint_eq(woken, 0);
}
END_TEST

START_TEST(a_closed_gate_lets_nobody_in)
{
    struct fetch *before = ask(1);
    struct fetch *taken;

    fetches_open(fetches, false);
    ck_assert(!fetches_are_open(fetches));
    ck_assert_ptr_null(ask(1));
    taken = fetches_take(fetches);
    ck_assert_ptr_eq(taken, before);
    fetch_done(&taken);
    fetch_drop(&before);
    ck_assert_ptr_null(fetches_take(fetches));
    fetches_open(fetches, true);
    before = ask(1);
    ck_assert_ptr_nonnull(before);
    fetch_drop(&before);
}
END_TEST

START_TEST(so_many_and_no_more)
{
    static struct fetch *asked[FETCHES_MAX];
    struct fetch *taken;

    for (size_t i = 0; i < FETCHES_MAX; i++) {
        asked[i] = ask(1);
        ck_assert_ptr_nonnull(asked[i]);
    }
    ck_assert_ptr_null(ask(1));
    taken = fetches_take(fetches);
    fetch_done(&taken);
    ck_assert_ptr_null(ask(1)); /* Its asker still has it. */
    fetch_drop(&asked[0]);
    asked[0] = ask(1);
    ck_assert_ptr_nonnull(asked[0]);
    for (size_t i = 0; i < FETCHES_MAX; i++)
        fetch_drop(&asked[i]);
}
END_TEST

START_TEST(without_memory_there_is_nothing_to_wait_for)
{
    struct fetch *asked;

    memory_fail_at(1);
    ck_assert_ptr_null(ask(1));
    memory_fail_at(0);
    asked = ask(1);
    ck_assert_ptr_nonnull(asked);
    fetch_drop(&asked);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, who_asks_is_woken_when_it_is_done);
    tcase_add_test(tests, first_come_first_served_and_one_call_for_all);
    tcase_add_test(tests, who_has_gone_is_not_woken);
    tcase_add_test(tests, a_closed_gate_lets_nobody_in);
    tcase_add_test(tests, so_many_and_no_more);
    tcase_add_test(tests, without_memory_there_is_nothing_to_wait_for);
}
UNIT_MAIN("fetch", add_tests)

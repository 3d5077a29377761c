/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/clock.h"

#include "tests/unit/unit.h"

#include <time.h>

static uint64_t wall_ns(void)
{
    struct timespec now;

    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

START_TEST(real_starts_at_the_wall_clock)
{
    struct clock clock;
    uint64_t now;

    clock_init_real(&clock);
    now = clock_now(&clock);
    /* Another process may run between the readings, but not for a minute. */
    ck_assert_uint_le(now, wall_ns() + 60 * NS_PER_S);
    ck_assert_uint_ge(now + 60 * NS_PER_S, wall_ns());
}
END_TEST

START_TEST(real_runs_and_never_back)
{
    struct clock clock;
    uint64_t first;
    uint64_t last;
    unsigned i;

    clock_init_real(&clock);
    first = last = clock_now(&clock);
    for (i = 0; i < 100000; i++) {
        uint64_t now = clock_now(&clock);

        ck_assert_uint_ge(now, last);
        last = now;
    }
    ck_assert_uint_gt(last, first);
}
END_TEST

START_TEST(two_processes_would_agree)
{
    struct clock first;
    struct clock second;
    uint64_t apart_ns;

    clock_init_real(&first);
    clock_init_real(&second);
    apart_ns = first.base_ns > second.base_ns ? first.base_ns - second.base_ns
                                              : second.base_ns - first.base_ns;
    ck_assert_uint_lt(apart_ns, NS_PER_MS);
}
END_TEST

START_TEST(fake_stands_until_set)
{
    struct clock clock;

    clock_init_fake(&clock, 5 * NS_PER_S);
    ck_assert_uint_eq(clock_now(&clock), 5 * NS_PER_S);
    ck_assert_uint_eq(clock_now(&clock), 5 * NS_PER_S);
    clock_set(&clock, 6 * NS_PER_S);
    ck_assert_uint_eq(clock_now(&clock), 6 * NS_PER_S);
    clock_set(&clock, NS_PER_MS);
    ck_assert_uint_eq(clock_now(&clock), NS_PER_MS);
}
END_TEST

START_TEST(real_cannot_be_set)
{
    struct clock clock;

    clock_init_real(&clock);
    unit_assert_aborts(clock_set(&clock, 1));
}
END_TEST

START_TEST(movable_runs_like_a_real_one)
{
    struct clock movable, real;

    clock_init_real(&real);
    clock_init_movable(&movable);
    movable.base_ns = real.base_ns;
    for (int i = 0; i < 1000; i++) {
        uint64_t before = clock_now(&real);
        uint64_t now = clock_now(&movable);

        ck_assert_uint_ge(now, before);
        ck_assert_uint_le(now, clock_now(&real));
    }
}
END_TEST

START_TEST(movable_stands_while_paused)
{
    struct clock clock;
    uint64_t stands_at;

    clock_init_movable(&clock);
    clock_pause(&clock);
    stands_at = clock_now(&clock);
    ck_assert_uint_eq(clock_now(&clock), stands_at);
    clock_pause(&clock);
    ck_assert_uint_eq(clock_now(&clock), stands_at);
    clock_advance(&clock, 5 * NS_PER_S);
    ck_assert_uint_eq(clock_now(&clock), stands_at + 5 * NS_PER_S);
}
END_TEST

/* It goes on where it stood: not where it would be, and never back. */
START_TEST(movable_resumes_where_it_stood)
{
    struct clock clock, real;
    uint64_t stood_at;

    clock_init_movable(&clock);
    clock_init_real(&real);
    real.base_ns = clock.base_ns;
    clock_resume(&clock);
    clock_pause(&clock);
    stood_at = clock_now(&clock);
    while (clock_now(&real) < stood_at + 20 * NS_PER_MS)
        continue;
    clock_resume(&clock);
    ck_assert_uint_ge(clock_now(&clock), stood_at);
    ck_assert_uint_lt(clock_now(&clock) + 10 * NS_PER_MS, clock_now(&real));
    while (clock_now(&clock) == stood_at)
        continue;
}
END_TEST

START_TEST(movable_is_put_forward_as_it_runs)
{
    struct clock clock;
    uint64_t before;

    clock_init_movable(&clock);
    before = clock_now(&clock);
    clock_advance(&clock, 3600 * NS_PER_S);
    ck_assert_uint_ge(clock_now(&clock), before + 3600 * NS_PER_S);
    ck_assert_uint_lt(clock_now(&clock), before + 3660 * NS_PER_S);
}
END_TEST

START_TEST(real_cannot_be_moved)
{
    struct clock clock;

    clock_init_real(&clock);
    unit_assert_aborts(clock_pause(&clock));
    unit_assert_aborts(clock_resume(&clock));
    unit_assert_aborts(clock_advance(&clock, 1));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, real_starts_at_the_wall_clock);
    tcase_add_test(tests, real_runs_and_never_back);
    tcase_add_test(tests, two_processes_would_agree);
    tcase_add_test(tests, fake_stands_until_set);
    tcase_add_test(tests, real_cannot_be_set);
    tcase_add_test(tests, movable_runs_like_a_real_one);
    tcase_add_test(tests, movable_stands_while_paused);
    tcase_add_test(tests, movable_resumes_where_it_stood);
    tcase_add_test(tests, movable_is_put_forward_as_it_runs);
    tcase_add_test(tests, real_cannot_be_moved);
}
UNIT_MAIN("clock", add_tests)

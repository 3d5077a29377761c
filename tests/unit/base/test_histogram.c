/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/histogram.h"

#include "src/base/clock.h"
#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#define T0 (1700000000 * NS_PER_S)

static struct histogram histogram;
static struct histogram_figures figures;

static void look(uint64_t now_ns)
{
    histogram_figures(&histogram, now_ns, &figures);
}

START_TEST(nothing_is_zeros)
{
    look(T0);
    ck_assert_uint_eq(figures.count, 0);
    ck_assert_uint_eq(figures.p99, 0);
    ck_assert_uint_eq(figures.max, 0);
}
END_TEST

START_TEST(one_value_is_all_quantiles)
{
    histogram_add(&histogram, T0, 777, 1);
    look(T0);
    ck_assert_uint_eq(figures.count, 1);
    ck_assert_uint_eq(figures.p50, 777);
    ck_assert_uint_eq(figures.p99, 777);
    ck_assert_uint_eq(figures.max, 777);
}
END_TEST

/* At most an eighth too high, never too low. */
START_TEST(quantiles_are_close)
{
    for (uint64_t value = 1; value <= 100000; value++)
        histogram_add(&histogram, T0, value, 1);
    look(T0);
    ck_assert_uint_ge(figures.p50, 50000);
    ck_assert_uint_le(figures.p50, 50000 + 50000 / 8);
    ck_assert_uint_ge(figures.p99, 99000);
    ck_assert_uint_le(figures.p99, 100000);
    ck_assert_uint_eq(figures.max, 100000);
}
END_TEST

START_TEST(every_value_has_a_bucket)
{
    const uint64_t values[] = {0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 1ull << 33};

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        histogram = (struct histogram){.filling = 0};
        histogram_add(&histogram, T0, values[i], 1);
        histogram_add(&histogram, T0, UINT64_MAX, 1);
        look(T0);
        ck_assert_uint_ge(figures.p50, values[i]);
        ck_assert_uint_le(figures.p50, values[i] + values[i] / 8);
        ck_assert_uint_eq(figures.max, UINT64_MAX);
    }
}
END_TEST

START_TEST(a_value_counts_as_often_as_it_was_seen)
{
    histogram_add(&histogram, T0, 1, 989);
    histogram_add(&histogram, T0, 6, 11);
    histogram_add(&histogram, T0, 100, 0);
    look(T0);
    ck_assert_uint_eq(figures.count, 1000);
    ck_assert_uint_eq(figures.p50, 1);
    ck_assert_uint_eq(figures.p99, 6);
    ck_assert_uint_eq(figures.max, 6);
}
END_TEST

START_TEST(what_is_old_is_forgotten)
{
    histogram_add(&histogram, T0, 5, 1);
    histogram_add(&histogram, T0 + 61 * NS_PER_S, 3, 1);
    look(T0 + 62 * NS_PER_S);
    ck_assert_uint_eq(figures.count, 2);
    ck_assert_uint_eq(figures.max, 5);
    look(T0 + 122 * NS_PER_S);
    ck_assert_uint_eq(figures.count, 1);
    ck_assert_uint_eq(figures.max, 3);
    look(T0 + 200 * NS_PER_S);
    ck_assert_uint_eq(figures.count, 0);
    histogram_add(&histogram, T0 + 300 * NS_PER_S, 2, 1);
    look(T0 + 300 * NS_PER_S);
    ck_assert_uint_eq(figures.count, 1);
    ck_assert_uint_eq(figures.max, 2);
}
END_TEST

START_TEST(a_clock_that_steps_back_does_no_harm)
{
    histogram_add(&histogram, T0, 5, 1);
    histogram_add(&histogram, T0 - 500 * NS_PER_S, 6, 1);
    look(T0 - 500 * NS_PER_S);
    ck_assert_uint_eq(figures.count, 2);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, nothing_is_zeros);
    tcase_add_test(tests, one_value_is_all_quantiles);
    tcase_add_test(tests, quantiles_are_close);
    tcase_add_test(tests, every_value_has_a_bucket);
    tcase_add_test(tests, a_value_counts_as_often_as_it_was_seen);
    tcase_add_test(tests, what_is_old_is_forgotten);
    tcase_add_test(tests, a_clock_that_steps_back_does_no_harm);
}
UNIT_MAIN("histogram", add_tests)

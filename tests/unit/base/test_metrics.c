/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/metrics.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define ROUNDS 10000

#define SAMPLE_METRICS(X) \
    X(hits, "Found") \
    X(misses, "Not found")
METRICS_STRUCT(sample_counters, SAMPLE_METRICS);

static const char *const sample_names[] = {
#define X(name, help) #name,
    SAMPLE_METRICS(X)
#undef X
};

START_TEST(one_table_makes_the_struct_and_the_names)
{
    ck_assert_uint_eq(sizeof(struct sample_counters), 2 * sizeof(uint64_t));
    ck_assert_uint_eq(COUNT_OF(sample_names), 2);
    ck_assert_str_eq(sample_names[1], "misses");
}
END_TEST

START_TEST(sums_add_up_field_by_field)
{
    struct sample_counters sum = {.hits = 1, .misses = 2};
    struct sample_counters one = {.hits = 10, .misses = 20};

    METRIC_UP(one.hits);
    METRIC_ADD(one.misses, 5);
    METRICS_ADD(&sum, &one);
    ck_assert_uint_eq(sum.hits, 12);
    ck_assert_uint_eq(sum.misses, 27);
    ck_assert_uint_eq(one.hits, 11);
}
END_TEST

static void *count_up(void *ctx)
{
    struct sample_counters *own = ctx;
    unsigned i;

    for (i = 0; i < ROUNDS; i++)
        METRIC_UP(own->hits);
    return NULL;
}

START_TEST(sums_may_be_taken_while_others_count)
{
    static struct sample_counters own[THREADS];
    struct sample_counters sum;
    pthread_t threads[THREADS];
    uint64_t last = 0;
    unsigned t;
    unsigned i;

    for (t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, count_up, &own[t]),
                         0);
    for (i = 0; i < 100; i++) {
        sum = (struct sample_counters){0};
        for (t = 0; t < THREADS; t++)
            METRICS_ADD(&sum, &own[t]);
        ck_assert_uint_ge(sum.hits, last);
        last = sum.hits;
    }
    sum = (struct sample_counters){0};
    for (t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
        METRICS_ADD(&sum, &own[t]);
    }
    ck_assert_uint_eq(sum.hits, THREADS * ROUNDS);
}
END_TEST

struct one_line {
    struct stats_out out; /* First, so that the two are one address. */
    char line[2 * STATS_VALUE_MAX];
};

static void keep_line(struct stats_out *out, const char *name,
                      const char *value)
{
    struct one_line *kept = (struct one_line *)(void *)out;

    (void)snprintf(kept->line, sizeof(kept->line), "%s=%s", name, value);
}

START_TEST(statistics_come_as_text)
{
    struct one_line kept = {.out = {.put = keep_line}};

    stats_put_u64(&kept.out, "pid", UINT64_MAX);
    ck_assert_str_eq(kept.line, "pid=18446744073709551615");
    stats_put_i64(&kept.out, "offset", INT64_MIN);
    ck_assert_str_eq(kept.line, "offset=-9223372036854775808");
    stats_put(&kept.out, "role", "%s of %d", "listener", 2);
    ck_assert_str_eq(kept.line, "role=listener of 2");
}
END_TEST

START_TEST(a_value_too_long_is_cut)
{
    struct one_line kept = {.out = {.put = keep_line}};

    stats_put(&kept.out, "x", "%*d", 5 * STATS_VALUE_MAX, 1);
    ck_assert_uint_eq(strlen(kept.line), strlen("x=") + STATS_VALUE_MAX - 1);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, one_table_makes_the_struct_and_the_names);
    tcase_add_test(tests, sums_add_up_field_by_field);
    tcase_add_test(tests, sums_may_be_taken_while_others_count);
    tcase_add_test(tests, statistics_come_as_text);
    tcase_add_test(tests, a_value_too_long_is_cut);
}
UNIT_MAIN("metrics", add_tests)

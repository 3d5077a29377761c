/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/core/bucket_map.h"

#include "tests/unit/unit.h"

static struct bucket_map map;

START_TEST(it_counts_each_bucket_once)
{
    bucket_map_clear(&map);
    bucket_map_add(&map, 5);
    bucket_map_add(&map, 5);
    ck_assert_uint_eq(map.count, 1);
    ck_assert(bucket_map_has(&map, 5));
    ck_assert(!bucket_map_has(&map, 4));
    bucket_map_drop(&map, 5);
    bucket_map_drop(&map, 5);
    ck_assert_uint_eq(map.count, 0);
}
END_TEST

START_TEST(next_finds_the_ends_of_words_and_of_the_map)
{
    static const uint32_t in[] = {0, 63, 64, 127, 4096, BUCKETS_MAX - 1};
    uint32_t at = 0;

    bucket_map_clear(&map);
    ck_assert_uint_eq(bucket_map_next(&map, 0), BUCKETS_MAX);
    for (size_t i = 0; i < COUNT_OF(in); i++)
        bucket_map_add(&map, in[i]);
    for (size_t i = 0; i < COUNT_OF(in); i++) {
        at = bucket_map_next(&map, at);
        ck_assert_uint_eq(at, in[i]);
        at++;
    }
    ck_assert_uint_eq(bucket_map_next(&map, at), BUCKETS_MAX);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, it_counts_each_bucket_once);
    tcase_add_test(tests, next_finds_the_ends_of_words_and_of_the_map);
}

UNIT_MAIN("bucket_map", add_tests)

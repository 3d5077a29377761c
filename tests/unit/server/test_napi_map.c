/* SPDX-License-Identifier: BSD-3-Clause */
/* Receive queues of network cards that no test machine has. */
#include "src/server/napi_map.h"

#include "tests/unit/unit.h"

START_TEST(each_queue_has_a_worker_of_its_own)
{
    struct napi_map map = {.max = 3};
    size_t worker;

    ck_assert(napi_map_find(&map, 8193, &worker));
    ck_assert_uint_eq(worker, 0);
    ck_assert(napi_map_find(&map, 8200, &worker));
    ck_assert_uint_eq(worker, 1);
    ck_assert(napi_map_find(&map, 8193, &worker));
    ck_assert_uint_eq(worker, 0);
    ck_assert(napi_map_find(&map, 8194, &worker));
    ck_assert_uint_eq(worker, 2);
}
END_TEST

START_TEST(a_queue_too_many_is_noticed)
{
    struct napi_map map = {.max = 1};
    size_t worker;

    ck_assert(napi_map_find(&map, 1, &worker));
    ck_assert(!napi_map_find(&map, 2, &worker));
    ck_assert(napi_map_find(&map, 1, &worker));
    ck_assert_uint_eq(worker, 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, each_queue_has_a_worker_of_its_own);
    tcase_add_test(tests, a_queue_too_many_is_noticed);
}

UNIT_MAIN("napi_map", add_tests)

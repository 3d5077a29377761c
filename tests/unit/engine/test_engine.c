/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include "src/base/invariant.h"

static const struct {
    const char *what;
    struct engine_config config;
    int error;
} configs[] = {
    {"usual", {.memory_bytes = 64 * MIB, .item_bytes_max = MIB}, 0},
    {"little", {.memory_bytes = MIB, .item_bytes_max = MIB}, 0},
    {"much", {.memory_bytes = 100 * GIB, .item_bytes_max = GIB}, 0},
    {"no items", {.memory_bytes = 64 * MIB}, -ERR_RANGE},
    {"items above memory",
     {.memory_bytes = MIB, .item_bytes_max = 2 * MIB},
     -ERR_RANGE},
    {"odd page",
     {.memory_bytes = MIB, .item_bytes_max = MIB, .page_bytes = 100000},
     -ERR_RANGE},
    {"chunk above page",
     {.memory_bytes = 64 * MIB,
      .item_bytes_max = MIB,
      .chunk_bytes_max = 2 * MIB},
     -ERR_RANGE},
    {"growth of one",
     {.memory_bytes = 64 * MIB, .item_bytes_max = MIB, .growth = 1.0},
     -ERR_RANGE},
    {"table too small",
     {.memory_bytes = 64 * MIB, .item_bytes_max = MIB, .table_power = 3},
     -ERR_RANGE},
    {"table too large",
     {.memory_bytes = 64 * MIB, .item_bytes_max = MIB, .table_power = 36},
     -ERR_RANGE},
    {"third node",
     {.memory_bytes = 64 * MIB, .item_bytes_max = MIB, .node = 2},
     -ERR_RANGE},
};

START_TEST(a_configuration_works_or_is_refused)
{
    struct engine *engine;

    ck_assert_msg(engine_new(&configs[_i].config, &engine) == configs[_i].error,
                  "%s", configs[_i].what);
    ck_assert_int_eq(engine != NULL, configs[_i].error == 0);
    engine_free(&engine);
    ck_assert_ptr_null(engine);
    engine_free(&engine);
}
END_TEST

/* Every allocation fails once; nothing is left behind (a sanitizer tells). */
START_TEST(no_memory_is_an_error)
{
    struct engine_config config = fixture_config(4);
    struct engine *engine = NULL;
    int error = -ERR_MEMORY;
    size_t nth;

    for (nth = 1; error != 0; nth++) {
        ck_assert_uint_lt(nth, 100);
        memory_fail_at(nth);
        error = engine_new(&config, &engine);
        memory_fail_at(0);
        ck_assert(error == 0 || error == -ERR_MEMORY);
        ck_assert_int_eq(engine == NULL, error != 0);
    }
    ck_assert_uint_gt(nth, 5);
    memory_fail_at(1);
    ck_assert_ptr_null(engine_thread_new(engine));
    memory_fail_at(0);
    engine_free(&engine);
}
END_TEST

START_TEST(engines_do_not_know_each_other)
{
    struct engine_config config = fixture_config(4);
    struct fixture a;
    struct fixture b;

    fixture_init(&a, &config);
    config.node = 1;
    config.hash_seed = 99;
    fixture_init(&b, &config);
    put(&a, "k", "in a");
    put(&b, "k", "in b");
    ck_assert_str_eq(value_of(&a, "k"), "in a");
    ck_assert_str_eq(value_of(&b, "k"), "in b");
    ck_assert_uint_eq(stamp_node(stamp_of(&a, "k")), 0);
    ck_assert_uint_eq(stamp_node(stamp_of(&b, "k")), 1);
    engine_flush(a.thread, 0);
    ck_assert(!has(&a, "k"));
    ck_assert(has(&b, "k"));
    fixture_fini(&a);
    fixture_fini(&b);
}
END_TEST

static const struct {
    int64_t exptime_s;
    uint32_t expires_at_s;
} times[] = {
    {0, 0},
    {-1, ENGINE_EXPIRED},
    {INT64_MIN, ENGINE_EXPIRED},
    {1, NOW_S + 1},
    {2592000, NOW_S + 2592000},
    {2592001, 2592001},
    {NOW_S + 5, NOW_S + 5},
    {UINT32_MAX, UINT32_MAX},
    {INT64_MAX, UINT32_MAX},
};

START_TEST(exptime_means_what_it_means_in_memcached)
{
    struct engine_config config = fixture_config(4);
    struct fixture fx;

    fixture_init(&fx, &config);
    ck_assert_uint_eq(engine_expires_at(fx.thread, times[_i].exptime_s),
                      times[_i].expires_at_s);
    ck_assert_uint_eq(engine_thread_now(fx.thread), NOW_NS);
    fixture_fini(&fx);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, a_configuration_works_or_is_refused, 0,
                        (int)COUNT_OF(configs));
    tcase_add_test(tests, no_memory_is_an_error);
    tcase_add_test(tests, engines_do_not_know_each_other);
    tcase_add_loop_test(tests, exptime_means_what_it_means_in_memcached, 0,
                        (int)COUNT_OF(times));
}
UNIT_MAIN("engine", add_tests)

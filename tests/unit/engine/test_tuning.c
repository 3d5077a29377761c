/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/tuning.h"

#include "tests/unit/engine/fixture.h"

#include <stdio.h>

static struct fixture fx;
static struct engine_tuning tuning;

static void set_up(void)
{
    struct engine_config config = fixture_config(8);

    tuning = engine_tuning_default;
    fixture_init(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static void apply(void)
{
    ck_assert_int_eq(engine_tuning_set(fx.engine, &tuning), 0);
}

static enum engine_outcome put_for(const char *key, uint32_t ttl_s)
{
    return store(&fx, ENGINE_SET, key, "v", 0, ttl_s != 0 ? NOW_S + ttl_s : 0,
                 0);
}

START_TEST(what_cannot_be_is_refused)
{
    tuning.hot_percent = 41;
    ck_assert_int_eq(engine_tuning_set(fx.engine, &tuning), -ERR_RANGE);
    tuning = engine_tuning_default;
    tuning.automove_window_s = 2;
    ck_assert_int_eq(engine_tuning_set(fx.engine, &tuning), -ERR_RANGE);
    tuning = engine_tuning_default;
    tuning.warm_age_factor = 0.0;
    ck_assert_int_eq(engine_tuning_set(fx.engine, &tuning), -ERR_RANGE);
    engine_tuning_get(fx.engine, &tuning);
    ck_assert_uint_eq(tuning.hot_percent, 20);
}
END_TEST

/* A short life goes to a list of its own; when it becomes longer, or over, the
 * upkeep sees to it. */
START_TEST(temporary_items_have_a_list)
{
    tuning.temporary_ttl_s = 60;
    apply();
    put_for("short", 60);
    put_for("long", 61);
    put_for("ever", 0);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_temp"), 1);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number"), 3);
    put_for("long", 5); /* Another list, so not in place. */
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_temp"), 2);
    (void)has(&fx, "long");
    ck_assert_uint_eq(stat_of(&fx, "items:1:hits_to_temp"), 1);
    touch(&fx, "short", 0);
    (void)engine_upkeep(fx.thread);
    fixture_set_now(&fx, NOW_S + 6);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_temp"), 0);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number"), 2);
    ck_assert(has(&fx, "short"));
}
END_TEST

START_TEST(flat_is_one_list)
{
    char text[32];
    unsigned i;

    for (i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        put_for(text, 0);
        (void)has(&fx, text);
    }
    tuning.segmented = false;
    apply();
    put_for("new", 0);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_hot"), 0);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_warm"), 0);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_cold"), 101);
}
END_TEST

/* In one list, too, what is used outlives what is not. */
START_TEST(flat_gives_a_second_life)
{
    char text[32];
    unsigned i;

    tuning.segmented = false;
    apply();
    put_for("used", 0);
    for (i = 0; i < 20000; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        put_for(text, 0);
        if (i % 100 == 0)
            ck_assert(has(&fx, "used"));
    }
    ck_assert_uint_gt(stat_of(&fx, "evictions"), 1000);
    ck_assert(has(&fx, "used"));
}
END_TEST

/* Hot for longer than its part of the cold tail's age. */
START_TEST(what_has_aged_leaves_the_hot_list)
{
    char text[32];
    unsigned i;

    for (i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        put_for(text, 0);
    }
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_hot"), 20);
    fixture_set_now(&fx, NOW_S + 10);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_hot"), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, temporary_items_have_a_list);
    tcase_add_test(tests, flat_is_one_list);
    tcase_add_test(tests, flat_gives_a_second_life);
    tcase_add_test(tests, what_has_aged_leaves_the_hot_list);
}
UNIT_MAIN("tuning", add_tests)

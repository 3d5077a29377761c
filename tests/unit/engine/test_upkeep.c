/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include <stdio.h>

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    fixture_init_with_journal(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static void put_many(unsigned count, uint32_t expires_at_s)
{
    char text[32];
    unsigned i;

    for (i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "key-%u", i);
        ck_assert_int_eq(
            store(&fx, ENGINE_SET, text, "value", 0, expires_at_s, 0),
            ENGINE_STORED);
    }
}

START_TEST(idle_rests_get_longer_up_to_a_second)
{
    uint64_t before = 0;
    unsigned i;

    (void)engine_upkeep(fx.thread);
    for (i = 0; i < 20; i++) {
        uint64_t rest = engine_upkeep(fx.thread);

        ck_assert_uint_ge(rest, before);
        ck_assert_uint_le(rest, NS_PER_S);
        before = rest;
    }
    ck_assert_uint_eq(before, NS_PER_S);
    put_many(100, 0);
    ck_assert_uint_eq(engine_upkeep(fx.thread), NS_PER_MS);
}
END_TEST

START_TEST(the_table_grows_until_it_has_room)
{
    put_many(5000, 0);
    upkeep_until_idle(&fx);
    ck_assert_uint_le(5000 * 10, table_buckets(&fx.engine->table) * 95);
    ck_assert_uint_eq(stat_of(&fx, "hash_is_expanding"), 0);
    ck_assert_uint_eq(stat_of(&fx, "hash_power_level"), 13);
    ck_assert_uint_ge(stat_of(&fx, "hash_bytes"), 1024 * 64);
}
END_TEST

START_TEST(one_round_is_bounded)
{
    put_many(6000, 0);
    while (table_grow(&fx.engine->table, 100) != 0)
        continue;
    ck_assert_uint_eq(engine_upkeep(fx.thread), 0);
    ck_assert_uint_le(stat_of(&fx, "moves_to_cold"), 600);
    ck_assert_uint_le(stat_of(&fx, "crawler_items_checked"), 64 * 108);
}
END_TEST

START_TEST(lists_keep_their_shares)
{
    put_many(6000, 0);
    upkeep_until_idle(&fx);
    ck_assert_uint_le(stat_of(&fx, "items:1:number_hot"), 1200);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number"), 6000);
    ck_assert_uint_ge(stat_of(&fx, "items:1:number_cold"), 4000);
}
END_TEST

START_TEST(the_expired_are_swept_within_a_minute)
{
    put_many(1000, NOW_S + 10);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1000);
    fixture_set_now(&fx, NOW_S + 11);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1000);
    fixture_set_now(&fx, NOW_S + 60);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), 1000);
    ck_assert_uint_eq(stat_of(&fx, "expired_unfetched"), 1000);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), 1000);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_starts"), 2);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_running"), 0);
}
END_TEST

START_TEST(the_same_calls_give_the_same_state)
{
    struct fixture other;
    struct engine_config config = fixture_config(64);
    unsigned i;

    fixture_init_with_journal(&other, &config);
    for (i = 0; i < 500; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "key-%u", i * 7919 % 400);
        put(&fx, text, text);
        put(&other, text, text);
        ck_assert_uint_eq(engine_upkeep(fx.thread),
                          engine_upkeep(other.thread));
    }
    ck_assert_uint_eq(stat_of(&fx, "moves_to_cold"),
                      stat_of(&other, "moves_to_cold"));
    fixture_fini(&other);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, idle_rests_get_longer_up_to_a_second);
    tcase_add_test(tests, the_table_grows_until_it_has_room);
    tcase_add_test(tests, one_round_is_bounded);
    tcase_add_test(tests, lists_keep_their_shares);
    tcase_add_test(tests, the_expired_are_swept_within_a_minute);
    tcase_add_test(tests, the_same_calls_give_the_same_state);
}
UNIT_MAIN("upkeep", add_tests)

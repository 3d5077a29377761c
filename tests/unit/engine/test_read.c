/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include <string.h>

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

START_TEST(a_hit_is_counted_and_marks_the_item)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;

    put(&fx, "k", "v");
    fixture_set_now(&fx, NOW_S + 5);
    ck_assert(engine_get(fx.thread, &key, &view));
    ck_assert(!view.fetched);
    ck_assert_uint_eq(view.accessed_at_s, NOW_S);
    engine_view_end(fx.thread, &view);
    ck_assert(engine_get(fx.thread, &key, &view));
    ck_assert(view.fetched);
    ck_assert_uint_eq(view.accessed_at_s, NOW_S + 5);
    engine_view_end(fx.thread, &view);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 2);
    ck_assert_uint_eq(stat_of(&fx, "cmd_get"), 2);
    ck_assert_uint_eq(stat_of(&fx, "get_misses"), 0);
}
END_TEST

START_TEST(a_miss_is_counted)
{
    ck_assert(!has(&fx, "k"));
    ck_assert_uint_eq(stat_of(&fx, "get_misses"), 1);
    ck_assert_uint_eq(stat_of(&fx, "cmd_get"), 1);
}
END_TEST

START_TEST(find_counts_and_marks_nothing)
{
    struct engine_view view;

    put(&fx, "k", "v");
    ck_assert(engine_find(fx.thread, key_of(&fx, "k").hash, &view));
    ck_assert(slice_equal(view.key, SLICE_LITERAL("k")));
    engine_view_end(fx.thread, &view);
    ck_assert(engine_find(fx.thread, key_of(&fx, "k").hash, &view));
    ck_assert(!view.fetched);
    engine_view_end(fx.thread, &view);
    ck_assert(!engine_find(fx.thread, key_of(&fx, "l").hash, &view));
    ck_assert_uint_eq(stat_of(&fx, "cmd_get"), 0);
}
END_TEST

START_TEST(an_item_lives_until_the_second_of_its_expiry)
{
    stamp_t stamp;

    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 10, 0);
    stamp = stamp_of(&fx, "k");
    fixture_set_now(&fx, NOW_S + 9);
    ck_assert(has(&fx, "k"));
    fixture_set_now(&fx, NOW_S + 10);
    ck_assert(!has(&fx, "k"));
    ck_assert_uint_eq(stat_of(&fx, "get_expired"), 1);
    ck_assert_uint_eq(stat_of(&fx, "get_misses"), 1);
    /* It was removed on the way, and the journal heard of it. */
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
    ck_assert_uint_eq(last_note(&fx, NOTE_FORGET)->stamp, stamp);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 0);
}
END_TEST

START_TEST(what_is_dead_on_arrival_is_never_seen)
{
    ck_assert_int_eq(store(&fx, ENGINE_SET, "k", "v", 0, ENGINE_EXPIRED, 0),
                     ENGINE_STORED);
    ck_assert(!has(&fx, "k"));
}
END_TEST

START_TEST(a_longer_life_keeps_the_version)
{
    stamp_t stamp;

    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 10, 0);
    stamp = stamp_of(&fx, "k");
    forget_notes(&fx);
    ck_assert_int_eq(touch(&fx, "k", NOW_S + 20), ENGINE_STORED);
    ck_assert_uint_eq(expiry_of(&fx, "k"), NOW_S + 20);
    ck_assert_uint_eq(stamp_of(&fx, "k"), stamp);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 1);
    ck_assert_uint_eq(last_note(&fx, NOTE_REPEAT)->stamp, stamp);
    ck_assert_int_eq(touch(&fx, "k", 0), ENGINE_STORED);
    ck_assert_uint_eq(expiry_of(&fx, "k"), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 2);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 0);
}
END_TEST

START_TEST(an_equal_life_is_no_change)
{
    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 10, 0);
    forget_notes(&fx);
    ck_assert_int_eq(touch(&fx, "k", NOW_S + 10), ENGINE_STORED);
    ck_assert_uint_eq(fx.journal.count, 0);
}
END_TEST

START_TEST(a_shorter_life_is_a_new_version)
{
    stamp_t stamp;

    put(&fx, "k", "v");
    stamp = stamp_of(&fx, "k");
    forget_notes(&fx);
    ck_assert_int_eq(touch(&fx, "k", NOW_S + 20), ENGINE_STORED);
    ck_assert_uint_gt(stamp_of(&fx, "k"), stamp);
    ck_assert_uint_eq(last_note(&fx, NOTE_RECORD_SET)->stamp,
                      stamp_of(&fx, "k"));
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 0);
    ck_assert_int_eq(touch(&fx, "k", ENGINE_EXPIRED), ENGINE_STORED);
    ck_assert(!has(&fx, "k"));
}
END_TEST

static stamp_t cas_of(const char *name)
{
    struct engine_key key = key_of(&fx, name);
    struct engine_view view;
    stamp_t cas;

    ck_assert(engine_find(fx.thread, key.hash, &view));
    cas = view.cas;
    engine_view_end(fx.thread, &view);
    return cas;
}

/* Of any size: some have room in their chunk, others move, large ones in
 * parts. And whoever reads meanwhile reads what he has found. */
START_TEST(a_shorter_life_keeps_the_cas_unique)
{
    static char value[200 * KIB];
    size_t size = (size_t)1 << _i;
    struct engine_key key = key_of(&fx, "k");
    struct engine_write write = {
        .key = key, .client_flags = 5, .value_size = size};
    struct engine_view view;
    struct item *held;
    stamp_t cas;

    pattern_fill(value, size, 7);
    ck_assert_int_eq(engine_store(fx.thread, &write, value, &cas),
                     ENGINE_STORED);
    ck_assert(engine_find(fx.thread, key.hash, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    ck_assert_int_eq(touch(&fx, "k", NOW_S + 30), ENGINE_STORED);
    ck_assert_uint_eq(cas_of("k"), cas);
    ck_assert_uint_gt(stamp_of(&fx, "k"), cas);
    ck_assert(pattern_holds(fx.thread, held, size, 7));
    engine_item_release(fx.thread, &held);
    ck_assert_int_eq(touch(&fx, "k", NOW_S + 20), ENGINE_STORED);
    ck_assert_uint_eq(cas_of("k"), cas);
    ck_assert(engine_find(fx.thread, key.hash, &view));
    ck_assert(pattern_holds(fx.thread, view.item, size, 7));
    ck_assert_uint_eq(view.client_flags, 5);
    ck_assert_uint_eq(view.expires_at_s, NOW_S + 20);
    engine_view_end(fx.thread, &view);
    ck_assert_uint_eq(stat_of(&fx, "total_items"), 1);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
    ck_assert_uint_eq(stat_of(&fx, "cmd_set"), 1);
    put(&fx, "k", "v");
    ck_assert_uint_eq(cas_of("k"), stamp_of(&fx, "k"));
}
END_TEST

START_TEST(without_memory_a_shorter_life_is_a_write)
{
    char value[3000];
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;
    struct item *held;
    stamp_t cas;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    put(&fx, "k", value);
    cas = cas_of("k");
    ck_assert(engine_find(fx.thread, key.hash, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    fx.engine->item_bytes_max = 3000;
    ck_assert_int_eq(touch(&fx, "k", NOW_S + 30), ENGINE_STORED);
    ck_assert_uint_eq(expiry_of(&fx, "k"), NOW_S + 30);
    ck_assert_uint_gt(cas_of("k"), cas);
    engine_item_release(fx.thread, &held);
}
END_TEST

START_TEST(touches_are_counted)
{
    ck_assert_int_eq(touch(&fx, "k", 0), ENGINE_NOT_FOUND);
    put(&fx, "k", "v");
    ck_assert_int_eq(touch(&fx, "k", 0), ENGINE_STORED);
    ck_assert_uint_eq(stat_of(&fx, "cmd_touch"), 2);
    ck_assert_uint_eq(stat_of(&fx, "touch_hits"), 1);
    ck_assert_uint_eq(stat_of(&fx, "touch_misses"), 1);
    ck_assert_uint_eq(stat_of(&fx, "cmd_get"), 0);
}
END_TEST

START_TEST(get_and_touch_gives_the_value_and_a_new_life)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;

    ck_assert(!engine_get_and_touch(fx.thread, &key, 0, &view));
    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 10, 0);
    ck_assert(engine_get_and_touch(fx.thread, &key, NOW_S + 30, &view));
    ck_assert_uint_eq(view.expires_at_s, NOW_S + 30);
    ck_assert_uint_eq(view.value_size, 1);
    engine_view_end(fx.thread, &view);
    ck_assert_uint_eq(stat_of(&fx, "touch_hits"), 1);
    ck_assert_uint_eq(stat_of(&fx, "touch_misses"), 1);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 0);
    fixture_set_now(&fx, NOW_S + 30);
    ck_assert(!engine_get_and_touch(fx.thread, &key, 0, &view));
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
}
END_TEST

START_TEST(a_held_item_outlives_its_key)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;
    struct item *held;

    put(&fx, "k", "value");
    ck_assert(engine_get(fx.thread, &key, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    ck_assert_int_eq(drop(&fx, "k"), ENGINE_STORED);
    ck_assert(!has(&fx, "k"));
    ck_assert(slice_equal(engine_item_bytes(fx.thread, held, 1),
                          SLICE_LITERAL("alue")));
    ck_assert_uint_eq(engine_item_bytes(fx.thread, held, 5).size, 0);
    engine_item_release(fx.thread, &held);
}
END_TEST

START_TEST(holders_have_a_limit)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;
    struct item *held = NULL;
    struct item *again;
    unsigned holders = 0;

    put(&fx, "k", "value");
    ck_assert(engine_get(fx.thread, &key, &view));
    while ((again = engine_view_hold(fx.thread, &view)) != NULL) {
        held = again;
        holders++;
    }
    engine_view_end(fx.thread, &view);
    ck_assert_uint_eq(holders, ENGINE_HOLDERS_MAX - 1);
    while (holders-- > 0) {
        again = held;
        engine_item_release(fx.thread, &again);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_hit_is_counted_and_marks_the_item);
    tcase_add_test(tests, a_miss_is_counted);
    tcase_add_test(tests, find_counts_and_marks_nothing);
    tcase_add_test(tests, an_item_lives_until_the_second_of_its_expiry);
    tcase_add_test(tests, what_is_dead_on_arrival_is_never_seen);
    tcase_add_test(tests, a_longer_life_keeps_the_version);
    tcase_add_test(tests, an_equal_life_is_no_change);
    tcase_add_test(tests, a_shorter_life_is_a_new_version);
    tcase_add_loop_test(tests, a_shorter_life_keeps_the_cas_unique, 0, 18);
    tcase_add_test(tests, without_memory_a_shorter_life_is_a_write);
    tcase_add_test(tests, touches_are_counted);
    tcase_add_test(tests, get_and_touch_gives_the_value_and_a_new_life);
    tcase_add_test(tests, a_held_item_outlives_its_key);
    tcase_add_test(tests, holders_have_a_limit);
}
UNIT_MAIN("read", add_tests)

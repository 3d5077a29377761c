/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include <string.h>

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    config.item_bytes_max = 200 * KIB;
    fixture_init_with_journal(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

/* A text of that many letters. */
static const char *text_of(size_t size)
{
    static char text[256 * KIB];

    pattern_fill(text, size, size);
    text[size] = '\0';
    return text;
}

START_TEST(a_set_stores_value_flags_and_expiry)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;

    ck_assert_int_eq(store(&fx, ENGINE_SET, "k", "value", 7, NOW_S + 10, 0),
                     ENGINE_STORED);
    ck_assert(engine_get(fx.thread, &key, &view));
    ck_assert_uint_eq(view.value_size, 5);
    ck_assert_uint_eq(view.client_flags, 7);
    ck_assert_uint_eq(view.expires_at_s, NOW_S + 10);
    ck_assert(slice_equal(view.key, SLICE_LITERAL("k")));
    engine_view_end(fx.thread, &view);
    ck_assert_str_eq(value_of(&fx, "k"), "value");
    ck_assert_uint_eq(last_note(&fx, NOTE_RECORD_SET)->hash, key.hash);
    ck_assert_uint_eq(last_note(&fx, NOTE_RECORD_SET)->stamp,
                      stamp_of(&fx, "k"));
}
END_TEST

START_TEST(an_empty_value_is_a_value)
{
    ck_assert_int_eq(put(&fx, "k", ""), ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "");
}
END_TEST

START_TEST(the_longest_key_is_kept_whole)
{
    char key[ENGINE_KEY_MAX + 1];

    memset(key, 'x', ENGINE_KEY_MAX);
    key[ENGINE_KEY_MAX] = '\0';
    ck_assert_int_eq(put(&fx, key, "v"), ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, key), "v");
}
END_TEST

/* Every pair of sizes: in place, to another class, to several chunks. */
START_TEST(one_value_takes_the_place_of_another)
{
    static const size_t sizes[] = {0,    1,     10,    11,    100,
                                   3000, 20000, 32000, 33000, 150000};
    size_t from = sizes[_i % 10];
    size_t to = sizes[_i / 10];
    stamp_t before;

    ck_assert_int_eq(
        store(&fx, ENGINE_SET, "k", text_of(from), (uint32_t)_i % 2, 0, 0),
        ENGINE_STORED);
    before = stamp_of(&fx, "k");
    ck_assert_int_eq(
        store(&fx, ENGINE_SET, "k", text_of(to), (uint32_t)_i % 3, 0, 0),
        ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), text_of(to));
    ck_assert_uint_gt(stamp_of(&fx, "k"), before);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
}
END_TEST

START_TEST(add_stores_only_what_is_absent)
{
    ck_assert_int_eq(store(&fx, ENGINE_ADD, "k", "a", 0, 0, 0), ENGINE_STORED);
    ck_assert_int_eq(store(&fx, ENGINE_ADD, "k", "b", 0, 0, 0),
                     ENGINE_NOT_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "a");
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 1);
}
END_TEST

START_TEST(add_stores_over_what_has_expired)
{
    store(&fx, ENGINE_SET, "k", "a", 0, NOW_S + 5, 0);
    fixture_set_now(&fx, NOW_S + 5);
    ck_assert_int_eq(store(&fx, ENGINE_ADD, "k", "b", 0, 0, 0), ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "b");
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), 0);
}
END_TEST

START_TEST(replace_stores_only_what_is_there)
{
    ck_assert_int_eq(store(&fx, ENGINE_REPLACE, "k", "a", 0, 0, 0),
                     ENGINE_NOT_STORED);
    put(&fx, "k", "a");
    ck_assert_int_eq(store(&fx, ENGINE_REPLACE, "k", "b", 0, 0, 0),
                     ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "b");
}
END_TEST

START_TEST(append_and_prepend_keep_flags_and_expiry)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;

    ck_assert_int_eq(store(&fx, ENGINE_APPEND, "k", "x", 0, 0, 0),
                     ENGINE_NOT_STORED);
    store(&fx, ENGINE_SET, "k", "middle", 5, NOW_S + 9, 0);
    ck_assert_int_eq(store(&fx, ENGINE_APPEND, "k", "-end", 1, 0, 0),
                     ENGINE_STORED);
    ck_assert_int_eq(store(&fx, ENGINE_PREPEND, "k", "start-", 1, 0, 0),
                     ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "start-middle-end");
    ck_assert(engine_get(fx.thread, &key, &view));
    ck_assert_uint_eq(view.client_flags, 5);
    ck_assert_uint_eq(view.expires_at_s, NOW_S + 9);
    engine_view_end(fx.thread, &view);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 3);
}
END_TEST

/* From a small value to one of many chunks, a letter or a lot at a time. */
START_TEST(appending_goes_on_as_the_value_grows)
{
    static char wanted[200 * KIB];
    size_t size = 3;
    size_t more = (size_t)_i;

    memcpy(wanted, "abc", 4);
    put(&fx, "k", wanted);
    while (size + more < 150 * KIB) {
        memcpy(wanted + size, text_of(more), more + 1);
        size += more;
        ck_assert_int_eq(store(&fx, ENGINE_APPEND, "k", text_of(more), 0, 0, 0),
                         ENGINE_STORED);
        more += more / 3 + 1;
    }
    ck_assert_str_eq(value_of(&fx, "k"), wanted);
}
END_TEST

START_TEST(an_append_past_the_limit_keeps_the_old_value)
{
    put(&fx, "k", text_of(150 * KIB));
    ck_assert_int_eq(
        store(&fx, ENGINE_APPEND, "k", text_of(100 * KIB), 0, 0, 0),
        ENGINE_NOT_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), text_of(150 * KIB));
}
END_TEST

START_TEST(cas_compares_the_version)
{
    stamp_t version;

    ck_assert_int_eq(store(&fx, ENGINE_CAS, "k", "b", 0, 0, 1),
                     ENGINE_NOT_FOUND);
    put(&fx, "k", "a");
    version = stamp_of(&fx, "k");
    ck_assert_int_eq(store(&fx, ENGINE_CAS, "k", "b", 0, 0, version + 2),
                     ENGINE_EXISTS);
    ck_assert_int_eq(store(&fx, ENGINE_CAS, "k", "b", 0, 0, version),
                     ENGINE_STORED);
    ck_assert_int_eq(store(&fx, ENGINE_CAS, "k", "c", 0, 0, version),
                     ENGINE_EXISTS);
    ck_assert_str_eq(value_of(&fx, "k"), "b");
    ck_assert_uint_eq(stat_of(&fx, "cas_misses"), 1);
    ck_assert_uint_eq(stat_of(&fx, "cas_badval"), 2);
    ck_assert_uint_eq(stat_of(&fx, "cas_hits"), 1);
}
END_TEST

START_TEST(a_set_too_large_takes_the_old_value_along)
{
    put(&fx, "k", "old");
    ck_assert_int_eq(put(&fx, "k", text_of(201 * KIB)), ENGINE_TOO_LARGE);
    ck_assert(!has(&fx, "k"));
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 1);
    ck_assert_uint_eq(stat_of(&fx, "store_too_large"), 1);
}
END_TEST

START_TEST(an_add_too_large_leaves_the_old_value)
{
    put(&fx, "k", "old");
    ck_assert_int_eq(store(&fx, ENGINE_ADD, "k", text_of(201 * KIB), 0, 0, 0),
                     ENGINE_TOO_LARGE);
    ck_assert_str_eq(value_of(&fx, "k"), "old");
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 0);
}
END_TEST

START_TEST(the_largest_item_is_exactly_the_limit)
{
    size_t room = 200 * KIB - ITEM_HEADER_BYTES - 1;

    ck_assert_int_eq(put(&fx, "k", text_of(room)), ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), text_of(room));
    ck_assert_int_eq(put(&fx, "k", text_of(room + 1)), ENGINE_TOO_LARGE);
}
END_TEST

START_TEST(a_version_is_above_all_before_it)
{
    stamp_t before;

    put(&fx, "k", "a");
    before = stamp_of(&fx, "k");
    engine_thread_set_now(fx.thread, 0); /* A clock that goes back. */
    put(&fx, "k", "b");
    ck_assert_uint_gt(stamp_of(&fx, "k"), before);
}
END_TEST

START_TEST(overwriting_in_place_needs_no_chunk_and_marks_as_used)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;
    const struct item *item;

    put(&fx, "k", "aaaa");
    (void)has(&fx, "k");
    ck_assert(engine_find(fx.thread, key.hash, &view));
    item = view.item;
    engine_view_end(fx.thread, &view);
    put(&fx, "k", "bbb");
    ck_assert(engine_find(fx.thread, key.hash, &view));
    ck_assert_ptr_eq(view.item, item);
    ck_assert(!view.fetched);
    ck_assert_uint_eq(item_marks(item), ITEM_ACTIVE);
    engine_view_end(fx.thread, &view);
    ck_assert_uint_eq(stat_of(&fx, "total_items"), 2);
}
END_TEST

START_TEST(a_held_item_is_not_written_over)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;
    struct item *held;

    put(&fx, "k", "aaaa");
    ck_assert(engine_get(fx.thread, &key, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    put(&fx, "k", "bbbb");
    ck_assert_int_eq(
        memcmp(engine_item_bytes(fx.thread, held, 0).data, "aaaa", 4), 0);
    ck_assert_str_eq(value_of(&fx, "k"), "bbbb");
    engine_item_release(fx.thread, &held);
    ck_assert_ptr_null(held);
}
END_TEST

START_TEST(a_value_can_come_in_pieces)
{
    size_t size = (size_t)_i * 40 * KIB + 10;
    struct engine_write write = {
        .key = key_of(&fx, "k"), .client_flags = 3, .value_size = size};
    const char *value = text_of(size);
    struct item *item;
    size_t done = 0;
    stamp_t stamp;
    size_t room;

    ck_assert_int_eq(engine_reserve(fx.thread, &write, &item), ENGINE_STORED);
    ck_assert(!has(&fx, "k"));
    while (done < size) {
        char *space = engine_item_space(fx.thread, item, done, &room);

        if (room > 1000)
            room = 1000;
        memcpy(space, value + done, room);
        done += room;
    }
    (void)engine_item_space(fx.thread, item, size, &room);
    ck_assert_uint_eq(room, 0);
    ck_assert_int_eq(engine_commit(fx.thread, &write, &item, &stamp),
                     ENGINE_STORED);
    ck_assert_ptr_null(item);
    ck_assert_str_eq(value_of(&fx, "k"), value);
    ck_assert_uint_eq(stamp_of(&fx, "k"), stamp);
}
END_TEST

START_TEST(what_is_reserved_can_be_discarded)
{
    struct engine_write write = {.key = key_of(&fx, "k"),
                                 .value_size = 150 * KIB};
    struct item *item;

    put(&fx, "k", "old");
    ck_assert_int_eq(engine_reserve(fx.thread, &write, &item), ENGINE_STORED);
    engine_discard(fx.thread, &item);
    ck_assert_ptr_null(item);
    engine_discard(fx.thread, &item);
    ck_assert_str_eq(value_of(&fx, "k"), "old");
}
END_TEST

START_TEST(the_mode_is_checked_at_commit)
{
    struct engine_write write = {
        .key = key_of(&fx, "k"), .mode = ENGINE_ADD, .value_size = 2};
    struct item *item;
    stamp_t stamp;

    ck_assert_int_eq(engine_reserve(fx.thread, &write, &item), ENGINE_STORED);
    put(&fx, "k", "faster");
    ck_assert_int_eq(engine_commit(fx.thread, &write, &item, &stamp),
                     ENGINE_NOT_STORED);
    ck_assert_ptr_null(item);
    ck_assert_str_eq(value_of(&fx, "k"), "faster");
}
END_TEST

START_TEST(settle_wakes_once_after_a_record)
{
    engine_thread_settle(fx.thread);
    ck_assert_uint_eq(notes_of(&fx, NOTE_SETTLE), 0);
    put(&fx, "k", "a");
    put(&fx, "l", "a");
    engine_thread_settle(fx.thread);
    engine_thread_settle(fx.thread);
    ck_assert_uint_eq(notes_of(&fx, NOTE_SETTLE), 1);
}
END_TEST

/* Forward, and back again, with a cursor that has seen more. */
START_TEST(a_cursor_finds_what_a_walk_finds)
{
    struct engine_config config = fixture_config(64);
    struct engine_cursor cursor = {.part = NULL};
    const size_t size = 150 * KIB;
    struct engine_write write = {.value_size = size};
    char *value = malloc(size);
    struct engine_view view;
    stamp_t stamp;
    size_t i;

    ck_assert_ptr_nonnull(value);
    config.item_bytes_max = 200 * KIB;
    fixture_fini(&fx);
    fixture_init(&fx, &config);
    write.key = key_of(&fx, "k");
    pattern_fill(value, size, 7);
    ck_assert_int_eq(engine_store(fx.thread, &write, value, &stamp),
                     ENGINE_STORED);
    ck_assert(engine_get(fx.thread, &write.key, &view));
    for (i = 0; i <= 2 * size; i += 4099) {
        size_t offset = i <= size ? i : 2 * size - i;
        struct slice there = engine_item_bytes(fx.thread, view.item, offset);
        struct slice found =
            engine_item_bytes_on(fx.thread, view.item, offset, &cursor);

        ck_assert_ptr_eq(found.data, there.data);
        ck_assert_uint_eq(found.size, there.size);
    }
    ck_assert_uint_eq(
        engine_item_bytes_on(fx.thread, view.item, size, &cursor).size, 0);
    engine_view_end(fx.thread, &view);
    free(value);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_cursor_finds_what_a_walk_finds);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_set_stores_value_flags_and_expiry);
    tcase_add_test(tests, an_empty_value_is_a_value);
    tcase_add_test(tests, the_longest_key_is_kept_whole);
    tcase_add_loop_test(tests, one_value_takes_the_place_of_another, 0, 100);
    tcase_add_test(tests, add_stores_only_what_is_absent);
    tcase_add_test(tests, add_stores_over_what_has_expired);
    tcase_add_test(tests, replace_stores_only_what_is_there);
    tcase_add_test(tests, append_and_prepend_keep_flags_and_expiry);
    tcase_add_loop_test(tests, appending_goes_on_as_the_value_grows, 1, 4);
    tcase_add_test(tests, an_append_past_the_limit_keeps_the_old_value);
    tcase_add_test(tests, cas_compares_the_version);
    tcase_add_test(tests, a_set_too_large_takes_the_old_value_along);
    tcase_add_test(tests, an_add_too_large_leaves_the_old_value);
    tcase_add_test(tests, the_largest_item_is_exactly_the_limit);
    tcase_add_test(tests, a_version_is_above_all_before_it);
    tcase_add_test(tests,
                   overwriting_in_place_needs_no_chunk_and_marks_as_used);
    tcase_add_test(tests, a_held_item_is_not_written_over);
    tcase_add_loop_test(tests, a_value_can_come_in_pieces, 0, 5);
    tcase_add_test(tests, what_is_reserved_can_be_discarded);
    tcase_add_test(tests, the_mode_is_checked_at_commit);
    tcase_add_test(tests, settle_wakes_once_after_a_record);
}
UNIT_MAIN("store", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory under pressure: no set that fits is ever refused while items may be
 * evicted, and nothing leaks. fixture_fini() counts the chunks. */
#include "src/engine/alloc.h"

#include "tests/unit/engine/fixture.h"

#include <stdio.h>
#include <string.h>

static struct fixture fx;
static char value[320 * KIB];

static enum engine_outcome put_sized(unsigned number, size_t size)
{
    char text[32];
    struct engine_write write = {.value_size = size};
    stamp_t stamp;

    (void)snprintf(text, sizeof(text), "key-%u", number);
    write.key = key_of(&fx, text);
    pattern_fill(value, size, number);
    return engine_store(fx.thread, &write, value, &stamp);
}

static bool is_right(unsigned number, size_t size)
{
    char text[32];
    struct engine_key key;
    struct engine_view view;
    bool right;

    (void)snprintf(text, sizeof(text), "key-%u", number);
    key = key_of(&fx, text);
    if (!engine_get(fx.thread, &key, &view))
        return false;
    right = view.value_size == size &&
            pattern_holds(fx.thread, view.item, size, number);
    engine_view_end(fx.thread, &view);
    return right;
}

START_TEST(mixed_sizes_for_ever_are_never_refused)
{
    struct engine_config config = fixture_config(10);
    uint64_t random = (uint64_t)_i + 1;
    unsigned i;

    config.item_bytes_max = 3 * PAGE_BYTES;
    fixture_init_with_journal(&fx, &config);
    for (i = 0; i < 20000; i++) {
        uint64_t choice = next_random(&random);
        size_t size = choice % 100 == 0  ? (choice >> 8) % (180 * KIB)
                      : choice % 10 == 0 ? (choice >> 8) % (30 * KIB)
                                         : (choice >> 8) % 1000;

        ck_assert_int_eq(put_sized(i, size), ENGINE_STORED);
        ck_assert(is_right(i, size));
        if (i % 64 == 0)
            (void)engine_upkeep(fx.thread);
        if (i % 4096 == 0)
            audit(fx.engine);
    }
    ck_assert_uint_gt(stat_of(&fx, "evictions"), 1000);
    ck_assert_uint_gt(stat_of(&fx, "slabs_moved"), 10);
    fixture_fini(&fx);
}
END_TEST

/* Each eviction is told to the journal, with the item's stamp. */
START_TEST(an_eviction_is_forgotten)
{
    struct engine_config config = fixture_config(2);
    unsigned stored = 0;

    fixture_init_with_journal(&fx, &config);
    while (stat_of(&fx, "evictions") == 0)
        put_sized(stored++, 1000);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), 1);
    ck_assert_uint_eq(last_note(&fx, NOTE_FORGET)->hash,
                      key_of(&fx, "key-0").hash);
    ck_assert_uint_eq(last_note(&fx, NOTE_FORGET)->stamp,
                      fx.journal.notes[0].stamp);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), stored - 1);
    fixture_fini(&fx);
}
END_TEST

/* A working set that is asked for stays, however much passes through. */
START_TEST(what_is_used_outlives_what_is_not)
{
    struct engine_config config = fixture_config(8);
    unsigned i;
    unsigned k;
    unsigned kept = 0;

    fixture_init(&fx, &config);
    for (k = 0; k < 50; k++)
        put_sized(k, 500);
    for (i = 1000; i < 10000; i++) {
        put_sized(i, 500);
        (void)engine_upkeep(fx.thread);
        if (i % 50 == 0) {
            for (k = 0; k < 50; k++)
                (void)is_right(k, 500);
        }
    }
    for (k = 0; k < 50; k++)
        kept += is_right(k, 500);
    ck_assert_uint_eq(kept, 50);
    fixture_fini(&fx);
}
END_TEST

START_TEST(with_evictions_off_a_set_is_refused)
{
    struct engine_config config = fixture_config(2);
    unsigned stored = 0;
    unsigned i;

    config.keep_all = true;
    fixture_init(&fx, &config);
    while (put_sized(stored, 1000) == ENGINE_STORED)
        stored++;
    ck_assert_uint_gt(stored, 100);
    ck_assert_uint_eq(stat_of(&fx, "evictions"), 0);
    for (i = 0; i < stored; i++)
        ck_assert(is_right(i, 1000));
    /* A set that cannot be done takes the old value along; what is not there
     * makes room. */
    ck_assert_int_eq(put_sized(0, 2000), ENGINE_NO_MEMORY);
    ck_assert(!is_right(0, 1000));
    ck_assert_int_eq(put_sized(stored, 1000), ENGINE_STORED);
    ck_assert_uint_eq(stat_of(&fx, "store_no_memory"), 2);
    fixture_fini(&fx);
}
END_TEST

START_TEST(with_evictions_off_the_dead_make_room)
{
    struct engine_config config = fixture_config(2);
    unsigned stored = 0;

    config.keep_all = true;
    fixture_init(&fx, &config);
    while (put_sized(stored, 1000) == ENGINE_STORED)
        stored++;
    engine_flush(fx.thread, 0);
    ck_assert_int_eq(put_sized(1, 1000), ENGINE_STORED);
    ck_assert_int_eq(put_sized(2, 20000), ENGINE_STORED);
    fixture_fini(&fx);
}
END_TEST

START_TEST(a_large_item_evicts_what_it_needs)
{
    struct engine_config config = fixture_config(8);
    unsigned i;

    config.item_bytes_max = 6 * PAGE_BYTES;
    fixture_init(&fx, &config);
    for (i = 0; i < 2000; i++)
        put_sized(i, 300);
    ck_assert_int_eq(put_sized(5000, 5 * PAGE_BYTES - 20000), ENGINE_STORED);
    ck_assert(is_right(5000, 5 * PAGE_BYTES - 20000));
    fixture_fini(&fx);
}
END_TEST

START_TEST(a_large_item_that_cannot_be_leaves_nothing_behind)
{
    struct engine_config config = fixture_config(4);
    struct engine_write write = {.value_size = 2 * PAGE_BYTES};
    struct item *first;
    struct item *second;

    config.item_bytes_max = 4 * PAGE_BYTES;
    fixture_init(&fx, &config);
    write.key = key_of(&fx, "k");
    ck_assert_int_eq(engine_reserve(fx.thread, &write, &first), ENGINE_STORED);
    ck_assert_int_eq(engine_reserve(fx.thread, &write, &second),
                     ENGINE_NO_MEMORY);
    ck_assert_ptr_null(second);
    engine_discard(fx.thread, &first);
    ck_assert_int_eq(engine_reserve(fx.thread, &write, &second), ENGINE_STORED);
    engine_discard(fx.thread, &second);
    fixture_fini(&fx);
}
END_TEST

/* Whoever holds an item keeps its bytes, whatever passes through. */
START_TEST(a_held_item_survives_all_pressure)
{
    struct engine_config config = fixture_config(4);
    struct engine_key key;
    struct engine_view view;
    struct item *held;
    unsigned i;

    fixture_init(&fx, &config);
    put_sized(1, 20000);
    key = key_of(&fx, "key-1");
    ck_assert(engine_get(fx.thread, &key, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    if (_i == 1)
        ck_assert_int_eq(drop(&fx, "key-1"), ENGINE_STORED);
    for (i = 1000; i < 4000; i++)
        ck_assert_int_eq(put_sized(i, i * 7 % 20000), ENGINE_STORED);
    ck_assert(pattern_holds(fx.thread, held, 20000, 1));
    engine_item_release(fx.thread, &held);
    fixture_fini(&fx);
}
END_TEST

/* All of one size, then all of another: the second gets its pages. */
START_TEST(a_class_without_a_page_gets_one)
{
    struct engine_config config = fixture_config(6);
    static const size_t sizes[] = {100, 8000, 300, 30000, 60000, 1500, 20};
    unsigned round;
    unsigned i;

    fixture_init(&fx, &config);
    for (round = 0; round < sizeof(sizes) / sizeof(sizes[0]); round++) {
        for (i = 0; i < 1500; i++) {
            ck_assert_int_eq(put_sized(i, sizes[round]), ENGINE_STORED);
            ck_assert(is_right(i, sizes[round]));
        }
        audit(fx.engine);
    }
    fixture_fini(&fx);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, mixed_sizes_for_ever_are_never_refused, 0, 3);
    tcase_add_test(tests, an_eviction_is_forgotten);
    tcase_add_test(tests, what_is_used_outlives_what_is_not);
    tcase_add_test(tests, with_evictions_off_a_set_is_refused);
    tcase_add_test(tests, with_evictions_off_the_dead_make_room);
    tcase_add_test(tests, a_large_item_evicts_what_it_needs);
    tcase_add_test(tests, a_large_item_that_cannot_be_leaves_nothing_behind);
    tcase_add_loop_test(tests, a_held_item_survives_all_pressure, 0, 2);
    tcase_add_test(tests, a_class_without_a_page_gets_one);
}
UNIT_MAIN("alloc", add_tests)

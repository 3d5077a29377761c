/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/takeover.h"

#include "tests/unit/engine/fixture.h"

#include <stdio.h>

static struct fixture fx;
static char value[128 * KIB];

static void set_up(uint64_t pages, bool keep_all)
{
    struct engine_config config = fixture_config(pages);

    config.keep_all = keep_all;
    config.item_bytes_max = 2 * PAGE_BYTES;
    fixture_init_with_journal(&fx, &config);
}

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

static struct item *hold(unsigned number)
{
    char text[32];
    struct engine_key key;
    struct engine_view view;
    struct item *held;

    (void)snprintf(text, sizeof(text), "key-%u", number);
    key = key_of(&fx, text);
    ck_assert(engine_get(fx.thread, &key, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    return held;
}

static uint32_t pages_of(unsigned class)
{
    return slab_class_at(&fx.engine->slabs, class)->pages;
}

START_TEST(a_page_changes_hands_and_its_items_are_forgotten)
{
    unsigned class;
    unsigned i;

    set_up(2, false);
    for (i = 0; i < 100; i++)
        put_sized(i, 1000);
    class = slab_class_for(&fx.engine->slabs, 1040);
    ck_assert_uint_eq(pages_of(class), 2);
    ck_assert(takeover_page(fx.thread, 1));
    ck_assert_uint_eq(pages_of(class), 1);
    ck_assert_uint_eq(pages_of(1), 1);
    ck_assert_uint_eq(stat_of(&fx, "slabs_moved"), 1);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), stat_of(&fx, "evictions"));
    ck_assert_uint_eq(stat_of(&fx, "curr_items"),
                      100 - stat_of(&fx, "evictions"));
    fixture_fini(&fx);
}
END_TEST

/* One item of each page is being read: no page can be had, and what was
 * begun is undone. */
START_TEST(a_page_that_is_in_use_stays)
{
    struct item *held[4];
    unsigned i;

    set_up(2, false);
    for (i = 0; i < 4; i++)
        put_sized(i, 30000);
    for (i = 0; i < 4; i++)
        held[i] = hold(i);
    ck_assert(!takeover_page(fx.thread, 1));
    audit(fx.engine);
    for (i = 0; i < 4; i++)
        engine_item_release(fx.thread, &held[i]);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 4);
    ck_assert(takeover_page(fx.thread, 1));
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 2);
    fixture_fini(&fx);
}
END_TEST

/* The reserved chunk keeps its page with all that lies in it, and the other
 * page is taken. */
START_TEST(another_page_will_do)
{
    struct engine_write write = {.value_size = 30000};
    struct item *item;

    set_up(2, false);
    put_sized(1, 30000);
    write.key = key_of(&fx, "k");
    ck_assert_int_eq(engine_reserve(fx.thread, &write, &item), ENGINE_STORED);
    put_sized(2, 30000);
    put_sized(3, 30000);
    ck_assert(takeover_page(fx.thread, 1));
    ck_assert(has(&fx, "key-1"));
    ck_assert(!has(&fx, "key-2"));
    ck_assert(!has(&fx, "key-3"));
    engine_discard(fx.thread, &item);
    fixture_fini(&fx);
}
END_TEST

/* The large item goes as a whole, wherever its parts lie. */
START_TEST(a_part_takes_its_item_along)
{
    unsigned moved = 0;

    set_up(4, false);
    put_sized(1, 100 * KIB);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
    while (takeover_page(fx.thread, 1) && moved < 4)
        moved++;
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), 1);
    fixture_fini(&fx);
}
END_TEST

START_TEST(with_evictions_off_only_the_dead_give_way)
{
    unsigned i;

    set_up(2, true);
    for (i = 0; i < 4; i++)
        put_sized(i, 30000);
    ck_assert(!takeover_page(fx.thread, 1));
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 4);
    engine_flush(fx.thread, 0);
    ck_assert(takeover_page(fx.thread, 1));
    ck_assert_uint_eq(stat_of(&fx, "evictions"), 0);
    fixture_fini(&fx);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_page_changes_hands_and_its_items_are_forgotten);
    tcase_add_test(tests, a_page_that_is_in_use_stays);
    tcase_add_test(tests, another_page_will_do);
    tcase_add_test(tests, a_part_takes_its_item_along);
    tcase_add_test(tests, with_evictions_off_only_the_dead_give_way);
}
UNIT_MAIN("takeover", add_tests)

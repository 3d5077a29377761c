/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/mover.h"

#include "src/engine/alloc.h"
#include "src/engine/move_chunk.h"
#include "tests/unit/engine/fixture.h"

#include <stdio.h>

#define SMALL 1000u  /* per_page() to a page. */
#define MIDDLE 9000u /* Copied without a lock. */
#define LARGE (100 * KIB)

static struct fixture fx;
static char value[128 * KIB];

static void set_up(uint64_t pages, bool keep_all)
{
    struct engine_config config = fixture_config(pages);

    config.keep_all = keep_all;
    config.item_bytes_max = 2 * PAGE_BYTES;
    fixture_init_with_journal(&fx, &config);
}

static const char *name_of(unsigned number)
{
    static char text[32];

    (void)snprintf(text, sizeof(text), "key-%u", number);
    return text;
}

static enum engine_outcome put_sized(unsigned number, size_t size)
{
    struct engine_write write = {.key = key_of(&fx, name_of(number)),
                                 .value_size = size};
    stamp_t stamp;

    pattern_fill(value, size, number);
    return engine_store(fx.thread, &write, value, &stamp);
}

static void put_many(unsigned from, unsigned to, size_t size)
{
    for (; from < to; from++)
        ck_assert_int_eq(put_sized(from, size), ENGINE_STORED);
}

static bool is_whole(unsigned number, size_t size)
{
    struct engine_key key = key_of(&fx, name_of(number));
    struct engine_view view;
    bool whole;

    if (!engine_get(fx.thread, &key, &view))
        return false;
    whole = view.value_size == size &&
            pattern_holds(fx.thread, view.item, size, number);
    engine_view_end(fx.thread, &view);
    return whole;
}

static struct item *hold(unsigned number)
{
    struct engine_key key = key_of(&fx, name_of(number));
    struct engine_view view;
    struct item *held;

    ck_assert(engine_get(fx.thread, &key, &view));
    held = engine_view_hold(fx.thread, &view);
    engine_view_end(fx.thread, &view);
    return held;
}

static unsigned class_of(size_t size)
{
    unsigned class = slab_class_for(&fx.engine->slabs, size + 45);

    return class != 0 ? class : fx.engine->slabs.count;
}

static unsigned per_page(size_t size)
{
    return slab_class_at(&fx.engine->slabs, class_of(size))->per_page;
}

static uint32_t pages_of(unsigned class)
{
    return slab_class_at(&fx.engine->slabs, class)->pages;
}

static void reassign(unsigned from, unsigned to)
{
    ck_assert_int_eq(engine_reassign_page(fx.engine, (int)from, (int)to),
                     ENGINE_REASSIGN_BEGUN);
}

/* As often as the upkeep tries before it gives up. */
static void work(void)
{
    unsigned i;

    for (i = 0; i < 10 * MOVER_PASSES && mover_is_running(fx.engine); i++) {
        (void)mover_work(fx.thread);
        audit(fx.engine);
    }
    ck_assert(!mover_is_running(fx.engine));
}

/* Of class 1, which has nothing. */
static bool provide(void)
{
    struct item *chunk = mover_provide(fx.thread, 1);

    if (chunk != NULL)
        alloc_free(fx.engine, chunk);
    return chunk != NULL;
}

/* ---- by order ---- */

/* With room elsewhere nothing is lost, nothing is told, and the order in which
 * items will give way is what it was. */
static void nothing_changes(size_t size)
{
    unsigned class;
    stamp_t stamps[400];
    unsigned count;
    unsigned i;

    set_up(6, false);
    count = 4 * per_page(size);
    put_many(0, count, size);
    class = class_of(size);
    ck_assert_uint_eq(pages_of(class), 4);
    for (i = 0; i < count; i += 2)
        drop(&fx, name_of(i));
    for (i = 1; i < count; i += 2)
        stamps[i] = stamp_of(&fx, name_of(i));
    forget_notes(&fx);
    reassign(class, 0);
    work();
    reassign(class, 1);
    work();
    ck_assert_uint_eq(pages_of(class), 2);
    ck_assert_uint_eq(pages_of(1), 1);
    ck_assert_uint_eq(stat_of(&fx, "slabs_moved"), 2);
    ck_assert_uint_gt(stat_of(&fx, "slab_reassign_rescues"), 0);
    ck_assert_uint_eq(stat_of(&fx, "evictions"), 0);
    ck_assert_uint_eq(fx.journal.count, 0);
    for (i = 1; i < count; i += 2) {
        ck_assert(is_whole(i, size));
        ck_assert_uint_eq(stamp_of(&fx, name_of(i)), stamps[i]);
    }
    fixture_fini(&fx);
}

START_TEST(small_items_find_other_places)
{
    nothing_changes(SMALL);
}
END_TEST

START_TEST(larger_items_find_other_places)
{
    nothing_changes(MIDDLE);
}
END_TEST

START_TEST(the_order_of_a_list_stays)
{
    const struct lru_ends *hot;
    unsigned class;
    unsigned half;
    handle_t at;
    unsigned i;

    set_up(4, false);
    half = per_page(SMALL);
    put_many(0, 2 * half, SMALL);
    class = class_of(SMALL);
    for (i = 0; i < half; i++)
        drop(&fx, name_of(2 * (half - 1 - i))); /* The page of the oldest. */
    reassign(class, 0);
    work();
    hot = &slab_class_at(&fx.engine->slabs, class)->lists[LRU_HOT];
    for (i = 0, at = hot->tail; at != HANDLE_NONE; i++) {
        const struct item *item = region_item(&fx.engine->region, at);

        ck_assert(slice_equal(item_key(item), slice_of(name_of(2 * i + 1))));
        at = item->prev;
    }
    ck_assert_uint_eq(i, half);
    fixture_fini(&fx);
}
END_TEST

/* Memory is full: what goes is what was used least, wherever it lay. */
START_TEST(without_room_the_tail_goes)
{
    unsigned gone;
    unsigned i;

    set_up(4, false);
    put_many(0, 4 * per_page(SMALL), SMALL);
    reassign(class_of(SMALL), 1);
    work();
    gone = (unsigned)stat_of(&fx, "evictions");
    ck_assert_uint_eq(gone, per_page(SMALL));
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), gone);
    for (i = 0; i < 4 * per_page(SMALL); i++)
        ck_assert_int_eq(is_whole(i, SMALL), i >= gone);
    fixture_fini(&fx);
}
END_TEST

START_TEST(the_dead_are_not_carried_along)
{
    unsigned i;

    set_up(6, false);
    for (i = 0; i < 2 * per_page(SMALL); i++) {
        put_sized(i, SMALL);
        if (i % 2 != 0)
            touch(&fx, name_of(i), NOW_S + 10);
    }
    fixture_set_now(&fx, NOW_S + 11);
    reassign(class_of(SMALL), 0);
    ck_assert_int_eq(engine_reassign_page(fx.engine, (int)class_of(SMALL), 0),
                     ENGINE_REASSIGN_BUSY);
    work();
    ck_assert_uint_gt(stat_of(&fx, "slab_reassign_inline_reclaim"), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET),
                      stat_of(&fx, "slab_reassign_inline_reclaim") +
                          stat_of(&fx, "evictions") +
                          stat_of(&fx, "reclaimed"));
    fixture_fini(&fx);
}
END_TEST

/* Heads and parts, until each has moved. */
START_TEST(large_items_move_piece_by_piece)
{
    unsigned class;
    unsigned round;
    unsigned i;

    set_up(12, false);
    put_many(0, 4, LARGE);
    class = fx.engine->slabs.count;
    for (round = 0; round < 40; round++) {
        (void)engine_reassign_page(fx.engine, (int)class, 0);
        work();
        for (i = 0; i < 4; i++)
            ck_assert(is_whole(i, LARGE));
    }
    ck_assert_uint_gt(stat_of(&fx, "slab_reassign_rescues"), 4);
    ck_assert_uint_gt(stat_of(&fx, "slab_reassign_chunk_rescues"), 4);
    ck_assert_uint_eq(stat_of(&fx, "evictions"), 0);
    fixture_fini(&fx);
}
END_TEST

/* The key's item is the copy; who reads the old one goes on reading it, and
 * the page is there for others once that is over. */
START_TEST(what_is_read_moves_and_stays)
{
    size_t size = _i != 0 ? MIDDLE : SMALL;
    unsigned count;
    struct item *held;
    unsigned i;

    set_up(6, false);
    count = per_page(size);
    put_many(0, 2 * count, size);
    for (i = 1; i < 2 * count; i += 2)
        drop(&fx, name_of(i));
    held = hold(0);
    reassign(class_of(size), 0); /* Off either page. */
    for (i = 0; i < MOVER_PASSES / 2; i++)
        (void)mover_work(fx.thread);
    ck_assert(pattern_holds(fx.thread, held, size, 0));
    ck_assert(is_whole(0, size));
    put_many(0, 1, size / 2);
    ck_assert(pattern_holds(fx.thread, held, size, 0));
    engine_item_release(fx.thread, &held);
    work();
    ck_assert_uint_eq(stat_of(&fx, "slabs_moved"), 1);
    ck_assert(is_whole(0, size / 2));
    ck_assert_uint_eq(stat_of(&fx, "evictions"), 0);
    fixture_fini(&fx);
}
END_TEST

START_TEST(a_reader_of_parts_is_waited_for)
{
    struct item *held;
    unsigned i;

    set_up(4, false);
    put_many(0, 1, LARGE);
    held = hold(0);
    reassign(fx.engine->slabs.count, 0);
    for (i = 0; i < 10; i++)
        (void)mover_work(fx.thread);
    ck_assert(mover_is_running(fx.engine));
    ck_assert_uint_gt(stat_of(&fx, "slab_reassign_busy_items"), 0);
    ck_assert_uint_eq(stat_of(&fx, "slab_reassign_last_busy_status"),
                      MOVE_BUSY_HELD);
    ck_assert(pattern_holds(fx.thread, held, LARGE, 0));
    engine_item_release(fx.thread, &held);
    work();
    ck_assert(is_whole(0, LARGE));
    fixture_fini(&fx);
}
END_TEST

static const struct {
    int from;
    int to;
    enum engine_reassign result;
} orders[] = {
    {1, 1, ENGINE_REASSIGN_SAME},       {0, 0, ENGINE_REASSIGN_SAME},
    {1, 255, ENGINE_REASSIGN_NO_CLASS}, {255, 1, ENGINE_REASSIGN_NO_CLASS},
    {1, -1, ENGINE_REASSIGN_NO_CLASS},  {1, 2, ENGINE_REASSIGN_NO_SPARE},
    {-1, 2, ENGINE_REASSIGN_NO_CLASS},  {0, 2, ENGINE_REASSIGN_NO_SPARE},
};

START_TEST(orders_are_answered)
{
    set_up(4, false);
    ck_assert_int_eq(
        engine_reassign_page(fx.engine, orders[_i].from, orders[_i].to),
        orders[_i].result);
    work();
    fixture_fini(&fx);
}
END_TEST

START_TEST(the_pool_gives_what_it_was_given)
{
    set_up(4, false);
    put_many(0, 3 * per_page(SMALL), SMALL);
    reassign(class_of(SMALL), 0);
    work();
    ck_assert_uint_eq(stat_of(&fx, "slab_global_page_pool"), 1);
    reassign(0, 2);
    ck_assert_uint_eq(stat_of(&fx, "slab_global_page_pool"), 0);
    ck_assert_uint_eq(pages_of(2), 1);
    ck_assert_int_eq(engine_reassign_page(fx.engine, -1, 3),
                     ENGINE_REASSIGN_BEGUN);
    work();
    ck_assert_uint_eq(pages_of(3), 1);
    fixture_fini(&fx);
}
END_TEST

START_TEST(no_page_moves_where_that_is_off)
{
    struct engine_config config = fixture_config(4);
    struct engine_tuning tuning = engine_tuning_default;

    tuning.reassign = false;
    config.tuning = &tuning;
    config.memory_bytes_max = 8 * PAGE_BYTES;
    fixture_init_with_journal(&fx, &config);
    put_many(0, 400, SMALL);
    ck_assert_int_eq(engine_reassign_page(fx.engine, 1, 2),
                     ENGINE_REASSIGN_OFF);
    /* The first page of a class, and no other, comes from beyond. */
    ck_assert(provide());
    ck_assert_uint_eq(pages_of(1), 1);
    ck_assert_uint_eq(pages_of(class_of(SMALL)), 4);
    ck_assert(!has_stat(&fx, "slab_reassign_running"));
    fixture_fini(&fx);
}
END_TEST

/* ---- in need ---- */

START_TEST(a_class_in_need_gets_a_page)
{
    unsigned class;

    set_up(2, false);
    put_many(0, 2 * per_page(SMALL), SMALL);
    class = class_of(SMALL);
    ck_assert_uint_eq(pages_of(class), 2);
    ck_assert(provide());
    ck_assert_uint_eq(pages_of(class), 1);
    ck_assert_uint_eq(pages_of(1), 1);
    ck_assert_uint_eq(stat_of(&fx, "slabs_moved"), 1);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), stat_of(&fx, "evictions"));
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), per_page(SMALL));
    fixture_fini(&fx);
}
END_TEST

/* The upkeep was about to move a page for another reason. */
START_TEST(what_is_under_way_serves_who_is_in_need)
{
    unsigned class;

    set_up(4, false);
    put_many(0, 4 * per_page(SMALL), SMALL);
    class = class_of(SMALL);
    reassign(class, 3);
    ck_assert(mover_is_running(fx.engine));
    ck_assert(provide());
    ck_assert(!mover_is_running(fx.engine));
    ck_assert_uint_eq(pages_of(1), 1);
    ck_assert_uint_eq(pages_of(3), 0);
    fixture_fini(&fx);
}
END_TEST

/* One item of each page is being filled: no page can be had, and what was
 * begun is undone. */
START_TEST(a_page_that_is_in_use_stays)
{
    struct item *items[4];
    unsigned i;

    set_up(2, false);
    for (i = 0; i < 4; i++) {
        struct engine_write write = {.key = key_of(&fx, name_of(i)),
                                     .value_size = 30000};

        ck_assert_int_eq(engine_reserve(fx.thread, &write, &items[i]),
                         ENGINE_STORED);
    }
    ck_assert(!provide());
    audit(fx.engine);
    for (i = 0; i < 4; i++)
        engine_discard(fx.thread, &items[i]);
    ck_assert(provide());
    fixture_fini(&fx);
}
END_TEST

/* The reserved chunk keeps its page, and the other page is taken. */
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
    ck_assert(provide());
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
    engine_discard(fx.thread, &item);
    fixture_fini(&fx);
}
END_TEST

START_TEST(with_evictions_off_only_the_dead_give_way)
{
    set_up(2, true);
    put_many(0, 4, 30000);
    ck_assert(!provide());
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 4);
    engine_flush(fx.thread, 0);
    ck_assert(provide());
    ck_assert_uint_eq(stat_of(&fx, "evictions"), 0);
    fixture_fini(&fx);
}
END_TEST

START_TEST(with_evictions_off_there_may_be_room_all_the_same)
{
    unsigned half;
    unsigned i;

    set_up(2, true);
    half = per_page(SMALL);
    put_many(0, 2 * half, SMALL);
    for (i = 0; i < half; i++)
        drop(&fx, name_of(2 * i));
    ck_assert(provide());
    for (i = 0; i < half; i++)
        ck_assert(is_whole(2 * i + 1, SMALL));
    fixture_fini(&fx);
}
END_TEST

/* ---- the memory limit ---- */

START_TEST(a_lower_limit_gives_pages_back)
{
    struct engine_config config = fixture_config(16);
    unsigned half;
    unsigned i;

    config.memory_bytes_max = 32 * PAGE_BYTES;
    fixture_init_with_journal(&fx, &config);
    half = 8 * per_page(SMALL);
    put_many(0, 2 * half, SMALL);
    ck_assert_int_eq(engine_set_memory(fx.engine, 8 * PAGE_BYTES), 0);
    ck_assert_uint_eq(stat_of(&fx, "limit_maxbytes"), 8 * PAGE_BYTES);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(fx.engine->region.pages_used, 8);
    ck_assert_uint_eq(fx.engine->region.pages_bare, 8);
    ck_assert_uint_eq(stat_of(&fx, "evictions"), half);
    for (i = half; i < 2 * half; i++)
        ck_assert(is_whole(i, SMALL));
    put_many(2000, 2100, SMALL);
    ck_assert_uint_eq(fx.engine->region.pages_used, 8);

    ck_assert_int_eq(engine_set_memory(fx.engine, 33 * PAGE_BYTES), -ERR_RANGE);
    ck_assert_int_eq(engine_set_memory(fx.engine, 32 * PAGE_BYTES), 0);
    put_many(3000, 5000, SMALL);
    ck_assert_uint_eq(fx.engine->region.pages_used, 32);
    fixture_fini(&fx);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, small_items_find_other_places);
    tcase_add_test(tests, larger_items_find_other_places);
    tcase_add_test(tests, the_order_of_a_list_stays);
    tcase_add_test(tests, without_room_the_tail_goes);
    tcase_add_test(tests, the_dead_are_not_carried_along);
    tcase_add_test(tests, large_items_move_piece_by_piece);
    tcase_add_loop_test(tests, what_is_read_moves_and_stays, 0, 2);
    tcase_add_test(tests, a_reader_of_parts_is_waited_for);
    tcase_add_loop_test(tests, orders_are_answered, 0, COUNT_OF(orders));
    tcase_add_test(tests, the_pool_gives_what_it_was_given);
    tcase_add_test(tests, no_page_moves_where_that_is_off);
    tcase_add_test(tests, a_class_in_need_gets_a_page);
    tcase_add_test(tests, what_is_under_way_serves_who_is_in_need);
    tcase_add_test(tests, a_page_that_is_in_use_stays);
    tcase_add_test(tests, another_page_will_do);
    tcase_add_test(tests, with_evictions_off_only_the_dead_give_way);
    tcase_add_test(tests, with_evictions_off_there_may_be_room_all_the_same);
    tcase_add_test(tests, a_lower_limit_gives_pages_back);
}
UNIT_MAIN("mover", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/lru.h"

#include "src/base/memory.h"
#include "tests/unit/unit.h"

#define ITEMS 100u

static const struct lru_rules rules = {.hot_percent = 20,
                                       .warm_percent = 40,
                                       .hot_age_factor = 0.2,
                                       .warm_age_factor = 2.0,
                                       .segmented = true};

struct stand {
    struct region region;
    struct slabs slabs;
    struct slab_class *class;
    unsigned index;
    struct item *items[ITEMS]; /* Oldest first; all hot. */
};

static void set_up(struct stand *stand)
{
    const struct slab_sizes sizes = {.chunk_bytes_max = 32 * KIB};
    unsigned i;

    ck_assert_int_eq(region_init(&stand->region, MIB, 0, 64 * KIB), 0);
    ck_assert_int_eq(slabs_init(&stand->slabs, &stand->region, &sizes), 0);
    stand->index = 3;
    stand->class = slab_class_at(&stand->slabs, stand->index);
    for (i = 0; i < ITEMS; i++) {
        stand->items[i] = slab_take(&stand->slabs, stand->index);
        lru_link(&stand->slabs, stand->items[i], LRU_HOT);
    }
}

static void tear_down(struct stand *stand)
{
    slabs_fini(&stand->slabs);
    region_fini(&stand->region);
}

START_TEST(the_oldest_is_at_the_tail)
{
    struct stand stand;

    set_up(&stand);
    ck_assert_ptr_eq(
        region_item(&stand.region, stand.class->lists[LRU_HOT].tail),
        stand.items[0]);
    ck_assert_ptr_eq(
        region_item(&stand.region, stand.class->lists[LRU_HOT].head),
        stand.items[ITEMS - 1]);
    ck_assert_uint_eq(lru_count(stand.class), ITEMS);
    tear_down(&stand);
}
END_TEST

START_TEST(unlinking_head_middle_and_tail_keeps_the_rest)
{
    struct stand stand;
    struct lru_ends *hot;
    unsigned i;

    set_up(&stand);
    hot = &stand.class->lists[LRU_HOT];
    lru_unlink(&stand.slabs, stand.items[0]);
    lru_unlink(&stand.slabs, stand.items[50]);
    lru_unlink(&stand.slabs, stand.items[ITEMS - 1]);
    ck_assert_uint_eq(hot->count, ITEMS - 3);
    ck_assert_ptr_eq(region_item(&stand.region, hot->tail), stand.items[1]);
    ck_assert_ptr_eq(region_item(&stand.region, hot->head),
                     stand.items[ITEMS - 2]);
    for (i = 1; i < ITEMS - 1; i++) {
        if (i != 50)
            lru_unlink(&stand.slabs, stand.items[i]);
    }
    ck_assert_uint_eq(hot->head, HANDLE_NONE);
    ck_assert_uint_eq(hot->tail, HANDLE_NONE);
    tear_down(&stand);
}
END_TEST

START_TEST(what_is_cooled_is_next_to_give_way)
{
    struct stand stand;
    struct lru_ends *cold;

    set_up(&stand);
    cold = &stand.class->lists[LRU_COLD];
    lru_move(&stand.slabs, stand.items[1], LRU_COLD);
    lru_cool(&stand.slabs, stand.items[7]);
    lru_cool(&stand.slabs, stand.items[3]);
    lru_cool(&stand.slabs, stand.items[7]);
    ck_assert_uint_eq(cold->count, 3);
    ck_assert_uint_eq(lru_count(stand.class), ITEMS);
    ck_assert_uint_eq(item_list(stand.items[7]), LRU_COLD);
    ck_assert_ptr_eq(region_item(&stand.region, cold->tail), stand.items[7]);
    ck_assert_ptr_eq(region_item(&stand.region, cold->head), stand.items[1]);
    ck_assert_uint_eq(stand.items[7]->prev,
                      region_handle(&stand.region, stand.items[3]));
    ck_assert_uint_eq(stand.items[3]->next, cold->tail);
    ck_assert_uint_eq(stand.items[7]->next, HANDLE_NONE);
    tear_down(&stand);
}
END_TEST

START_TEST(a_touch_marks_and_moves_nothing)
{
    struct stand stand;

    set_up(&stand);
    ck_assert_uint_eq(lru_touch(stand.items[0], 77), LRU_HOT);
    ck_assert_uint_eq(item_marks(stand.items[0]), ITEM_FETCHED | ITEM_ACTIVE);
    ck_assert_uint_eq(item_accessed(stand.items[0]), 77);
    ck_assert_ptr_eq(
        region_item(&stand.region, stand.class->lists[LRU_HOT].tail),
        stand.items[0]);
    tear_down(&stand);
}
END_TEST

START_TEST(balance_sends_the_used_to_warm_and_the_others_to_cold)
{
    struct stand stand;
    unsigned i;

    set_up(&stand);
    for (i = 0; i < ITEMS; i += 4)
        (void)lru_touch(stand.items[i], 1);
    ck_assert_uint_eq(lru_balance(&stand.slabs, stand.index, &rules, 1000), 80);
    ck_assert_uint_eq(stand.class->lists[LRU_HOT].count, 20);
    ck_assert_uint_eq(stand.class->lists[LRU_WARM].count, 20);
    ck_assert_uint_eq(stand.class->lists[LRU_COLD].count, 60);
    for (i = 0; i < 80; i++)
        ck_assert_uint_eq(item_list(stand.items[i]),
                          i % 4 == 0 ? LRU_WARM : LRU_COLD);
    /* The mark was good for one move. */
    ck_assert_uint_eq(item_marks(stand.items[0]), ITEM_FETCHED);
    ck_assert_uint_eq(stand.class->counters.moves_to_warm, 20);
    ck_assert_uint_eq(stand.class->counters.moves_to_cold, 60);
    ck_assert_uint_eq(lru_balance(&stand.slabs, stand.index, &rules, 1000), 0);
    tear_down(&stand);
}
END_TEST

START_TEST(warm_has_its_bound_too)
{
    struct stand stand;
    unsigned i;

    set_up(&stand);
    for (i = 0; i < ITEMS; i++)
        lru_move(&stand.slabs, stand.items[i], LRU_WARM);
    (void)lru_touch(stand.items[0], 1); /* The tail, but used. */
    ck_assert_uint_eq(lru_balance(&stand.slabs, stand.index, &rules, 1000), 61);
    ck_assert_uint_eq(stand.class->lists[LRU_WARM].count, 40);
    ck_assert_uint_eq(item_list(stand.items[0]), LRU_WARM);
    ck_assert_uint_eq(stand.class->counters.moves_within_lru, 1);
    tear_down(&stand);
}
END_TEST

START_TEST(balance_keeps_to_the_moves_allowed)
{
    struct stand stand;

    set_up(&stand);
    ck_assert_uint_eq(lru_balance(&stand.slabs, stand.index, &rules, 7), 7);
    ck_assert_uint_eq(stand.class->lists[LRU_COLD].count, 7);
    tear_down(&stand);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, the_oldest_is_at_the_tail);
    tcase_add_test(tests, unlinking_head_middle_and_tail_keeps_the_rest);
    tcase_add_test(tests, what_is_cooled_is_next_to_give_way);
    tcase_add_test(tests, a_touch_marks_and_moves_nothing);
    tcase_add_test(tests,
                   balance_sends_the_used_to_warm_and_the_others_to_cold);
    tcase_add_test(tests, warm_has_its_bound_too);
    tcase_add_test(tests, balance_keeps_to_the_moves_allowed);
}
UNIT_MAIN("lru", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/table.h"

#include "src/base/hash.h"
#include "src/base/memory.h"
#include "src/engine/table_match.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define ITEM_BYTES 88u
#define ITEMS_MAX 20000u
#define SEED 5

/* Items that are only keys, one after the other in a region. */
struct bench {
    struct region region;
    struct table table;
};

static void set_up(struct bench *bench, unsigned power)
{
    const struct table_sizes sizes = {.slots_power = power,
                                      .items_max = ITEMS_MAX};

    ck_assert_int_eq(region_init(&bench->region, 4 * MIB, 0, 64 * KIB), 0);
    ck_assert_int_eq(table_init(&bench->table, &bench->region, SEED, &sizes),
                     0);
}

static void tear_down(struct bench *bench)
{
    table_fini(&bench->table);
    region_fini(&bench->region);
}

static struct item *item_at(struct bench *bench, unsigned number)
{
    struct item *item = (struct item *)(void *)(region_page(&bench->region, 1) +
                                                (size_t)number * ITEM_BYTES);
    char text[32];
    int size = snprintf(text, sizeof(text), "key-%u", number);

    item->key_size = (uint8_t)size;
    memcpy(item->data, text, (size_t)size);
    return item;
}

static bool add(struct bench *bench, struct item *item)
{
    uint64_t hash = table_hash(&bench->table, item);
    struct place place = table_lock(&bench->table, hash);
    bool added = table_add(&bench->table, place, hash, item);

    table_unlock(place);
    atomic_fetch_add(&bench->table.items, added);
    return added;
}

static bool find(struct bench *bench, struct item *item)
{
    uint64_t hash = table_hash(&bench->table, item);
    struct place place = table_lock(&bench->table, hash);
    struct slot by_key = table_find(&bench->table, place, hash, item_key(item));
    struct slot by_hash = table_find_hash(&bench->table, place, hash);
    struct slot by_item = table_find_item(&bench->table, place, hash, item);

    table_unlock(place);
    ck_assert_ptr_eq(by_key.item, by_hash.item);
    ck_assert_ptr_eq(by_key.item, by_item.item);
    return by_key.item == item;
}

static void take_out(struct bench *bench, struct item *item)
{
    uint64_t hash = table_hash(&bench->table, item);
    struct place place = table_lock(&bench->table, hash);

    table_remove(&bench->table, place,
                 table_find(&bench->table, place, hash, item_key(item)));
    table_unlock(place);
    atomic_fetch_sub(&bench->table.items, 1);
}

START_TEST(tags_match_where_they_are)
{
    uint8_t tags[MATCH_SLOTS] = {1, 2, 3, 0, 2, 0xff, 7, 2, 9, 10, 2, 12};

    ck_assert_uint_eq(match_tags(tags, 2),
                      1u << 1 | 1u << 4 | 1u << 7 | 1u << 10);
    ck_assert_uint_eq(match_tags(tags, 0), 1u << 3);
    ck_assert_uint_eq(match_tags(tags, 0xff), 1u << 5);
    ck_assert_uint_eq(match_tags(tags, 12), 1u << 11);
    ck_assert_uint_eq(match_tags(tags, 99), 0);
}
END_TEST

START_TEST(what_was_added_is_found_until_removed)
{
    struct bench bench;
    unsigned i;

    set_up(&bench, 8);
    for (i = 0; i < 300; i++)
        ck_assert(add(&bench, item_at(&bench, i)));
    for (i = 0; i < 300; i++)
        ck_assert(find(&bench, item_at(&bench, i)));
    ck_assert(!find(&bench, item_at(&bench, 300)));
    for (i = 0; i < 300; i += 2)
        take_out(&bench, item_at(&bench, i));
    for (i = 0; i < 300; i++)
        ck_assert_int_eq(find(&bench, item_at(&bench, i)), i % 2);
    tear_down(&bench);
}
END_TEST

/* Two buckets of 12 cannot hold 150 items: their chains can, and all overflow
 * buckets are back in the end. */
START_TEST(a_full_bucket_overflows_and_recovers)
{
    struct bench bench;
    unsigned i;

    set_up(&bench, TABLE_POWER_MIN);
    for (i = 0; i < 150; i++)
        ck_assert(add(&bench, item_at(&bench, i)));
    ck_assert_uint_ge(bench.table.overflow_used, 10);
    for (i = 0; i < 150; i++)
        ck_assert(find(&bench, item_at(&bench, i)));
    for (i = 0; i < 150; i++) {
        take_out(&bench, item_at(&bench, i));
        ck_assert(!find(&bench, item_at(&bench, i)));
        if (i < 149)
            ck_assert(find(&bench, item_at(&bench, 149)));
    }
    ck_assert_uint_eq(bench.table.overflow_used, 0);
    tear_down(&bench);
}
END_TEST

START_TEST(a_chain_has_an_end)
{
    struct bench bench;
    unsigned refused = 0;
    unsigned added = 0;
    unsigned i;

    set_up(&bench, TABLE_POWER_MIN);
    for (i = 0; i < 2000; i++) {
        if (add(&bench, item_at(&bench, i)))
            added++;
        else
            refused++;
    }
    ck_assert_uint_eq(added, 2 * TABLE_ITEMS_MAX);
    ck_assert_uint_gt(refused, 0);
    tear_down(&bench);
}
END_TEST

/* At every step of the growth everything is where it is looked for. */
START_TEST(growth_loses_nothing_at_any_step)
{
    struct bench bench;
    unsigned steps = 0;
    unsigned i;

    set_up(&bench, TABLE_POWER_MIN);
    for (i = 0; i < 200; i++)
        ck_assert(add(&bench, item_at(&bench, i)));
    ck_assert(table_is_crowded(&bench.table, TABLE_GROW_TENTHS));
    while (table_grow(&bench.table, 1) == 1) {
        steps++;
        for (i = 0; i < 200; i++)
            ck_assert(find(&bench, item_at(&bench, i)));
        ck_assert_uint_eq(table_buckets(&bench.table), 2 + steps);
    }
    ck_assert_uint_eq(table_buckets(&bench.table), 32);
    ck_assert(!table_is_growing(&bench.table));
    tear_down(&bench);
}
END_TEST

START_TEST(it_grows_as_far_as_its_items_need)
{
    struct bench bench;
    unsigned i;

    set_up(&bench, TABLE_POWER_MIN);
    for (i = 0; i < ITEMS_MAX; i++) {
        ck_assert(add(&bench, item_at(&bench, i)));
        if (table_is_crowded(&bench.table, TABLE_HELP_TENTHS))
            (void)table_grow(&bench.table, 2);
    }
    while (table_grow(&bench.table, 64) != 0)
        continue;
    ck_assert_uint_le((uint64_t)ITEMS_MAX * 10,
                      table_buckets(&bench.table) * TABLE_GROW_TENTHS);
    for (i = 0; i < ITEMS_MAX; i++)
        ck_assert(find(&bench, item_at(&bench, i)));
    ck_assert_uint_lt(table_bytes(&bench.table) / ITEMS_MAX, 14);
    tear_down(&bench);
}
END_TEST

/* Items in the order of their hashes crowd into one bucket after the other,
 * unless there is room for them first. */
START_TEST(what_is_expected_finds_room)
{
    struct bench bench;

    set_up(&bench, TABLE_POWER_MIN);
    table_expect(&bench.table, ITEMS_MAX / 2);
    ck_assert_uint_le((uint64_t)ITEMS_MAX / 2 * 10,
                      table_buckets(&bench.table) * TABLE_GROW_TENTHS);
    ck_assert(!table_is_growing(&bench.table));
    table_expect(&bench.table, UINT64_MAX);
    ck_assert_uint_eq(table_buckets(&bench.table),
                      (uint64_t)1 << bench.table.power_max);
    tear_down(&bench);
}
END_TEST

/* The ranges of hashes that the buckets are for lie side by side, also in the
 * middle of a growth. */
START_TEST(buckets_are_ranges_of_hashes_without_gaps)
{
    struct bench bench;
    unsigned buckets = 0;
    uint64_t hash = 0;
    unsigned i;

    set_up(&bench, 7);
    for (i = 0; i < 2000; i++)
        (void)add(&bench, item_at(&bench, i));
    ck_assert_uint_eq(table_grow(&bench.table, 5), 5);
    ck_assert(table_is_growing(&bench.table));
    do {
        struct place place = table_lock(&bench.table, hash);

        table_unlock(place);
        buckets++;
        hash = table_last_hash(&bench.table, hash) + 1;
    } while (hash != 0);
    ck_assert_uint_eq(buckets, table_buckets(&bench.table));
    ck_assert_uint_eq(buckets, 16 + 5);
    tear_down(&bench);
}
END_TEST

START_TEST(a_bucket_that_is_locked_cannot_be_tried)
{
    struct bench bench;
    struct place place;
    struct place second;

    set_up(&bench, 7);
    place = table_lock(&bench.table, 1);
    ck_assert(!table_try(&bench.table, 1, &second));
    table_unlock(place);
    ck_assert(table_try(&bench.table, 1, &second));
    ck_assert_uint_eq(second.index, place.index);
    table_unlock(second);
    tear_down(&bench);
}
END_TEST

/* It holds as many as its chains may be long. */
START_TEST(a_fixed_table_stays_and_holds_much)
{
    const struct table_sizes sizes = {.slots_power = 7,
                                      .fixed = true,
                                      .items_max = 100,
                                      .items_ever_max = ITEMS_MAX};
    struct bench bench;
    unsigned i;

    ck_assert_int_eq(region_init(&bench.region, 4 * MIB, 0, 64 * KIB), 0);
    ck_assert_int_eq(table_init(&bench.table, &bench.region, SEED, &sizes), 0);
    for (i = 0; i < 16 * TABLE_ITEMS_MAX / 2; i++) {
        const struct item *item = item_at(&bench, i);
        uint64_t hash = table_hash(&bench.table, item);
        struct place place = table_lock(&bench.table, hash);

        ck_assert(table_add(&bench.table, place, hash, item));
        table_unlock(place);
        atomic_fetch_add(&bench.table.items, 1);
    }
    ck_assert_uint_eq(table_grow(&bench.table, 1000), 0);
    ck_assert_uint_eq(table_buckets(&bench.table), 16);
    tear_down(&bench);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    const struct table_sizes sizes = {.slots_power = 8, .items_max = 100};
    struct region region;
    struct table table;
    size_t i;

    ck_assert_int_eq(region_init(&region, MIB, 0, 64 * KIB), 0);
    for (i = 1; i <= 4; i++) {
        memory_fail_at(i);
        ck_assert_int_eq(table_init(&table, &region, SEED, &sizes),
                         -ERR_MEMORY);
        memory_fail_at(0);
    }
    region_fini(&region);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_fixed_table_stays_and_holds_much);
    tcase_add_test(tests, tags_match_where_they_are);
    tcase_add_test(tests, what_was_added_is_found_until_removed);
    tcase_add_test(tests, a_full_bucket_overflows_and_recovers);
    tcase_add_test(tests, a_chain_has_an_end);
    tcase_add_test(tests, growth_loses_nothing_at_any_step);
    tcase_add_test(tests, it_grows_as_far_as_its_items_need);
    tcase_add_test(tests, what_is_expected_finds_room);
    tcase_add_test(tests, buckets_are_ranges_of_hashes_without_gaps);
    tcase_add_test(tests, a_bucket_that_is_locked_cannot_be_tried);
    tcase_add_test(tests, no_memory_is_an_error);
}
UNIT_MAIN("table", add_tests)

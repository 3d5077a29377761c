/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/core/tombstones.h"

#include "tests/unit/unit.h"

static struct tombstones tombs;

static void begin(void)
{
    ck_assert_int_eq(tombstones_init(&tombs, 3), 0);
}

static void end(void)
{
    tombstones_fini(&tombs);
}

START_TEST(what_was_added_is_found)
{
    tombstones_add(&tombs, 0x10, 5, 1);
    ck_assert_ptr_null(tombstones_find(&tombs, 0x11));
    ck_assert_uint_eq(tombstones_find(&tombs, 0x10)->stamp, 5);
    ck_assert_uint_eq(tombs.count, 1);
}
END_TEST

/* 4 heads: these three share one. */
START_TEST(hashes_with_one_head_are_kept_apart)
{
    tombstones_add(&tombs, 0x14, 1, 1);
    tombstones_add(&tombs, 0x24, 2, 2);
    tombstones_add(&tombs, 0x34, 3, 3);
    tombstones_drop(&tombs, tombstones_find(&tombs, 0x24));
    ck_assert_uint_eq(tombstones_find(&tombs, 0x14)->stamp, 1);
    ck_assert_ptr_null(tombstones_find(&tombs, 0x24));
    ck_assert_uint_eq(tombstones_find(&tombs, 0x34)->stamp, 3);
}
END_TEST

START_TEST(the_oldest_comes_first_whoever_leaves)
{
    tombstones_add(&tombs, 1, 1, 1);
    tombstones_add(&tombs, 2, 2, 2);
    tombstones_add(&tombs, 3, 3, 3);
    tombstones_drop(&tombs, tombstones_find(&tombs, 2));
    ck_assert_uint_eq(tombstones_oldest(&tombs)->hash, 1);
    tombstones_drop(&tombs, tombstones_oldest(&tombs));
    ck_assert_uint_eq(tombstones_oldest(&tombs)->hash, 3);
    tombstones_add(&tombs, 4, 4, 4);
    tombstones_drop(&tombs, tombstones_oldest(&tombs));
    ck_assert_uint_eq(tombstones_oldest(&tombs)->hash, 4);
    tombstones_drop(&tombs, tombstones_oldest(&tombs));
    ck_assert_ptr_null(tombstones_oldest(&tombs));
}
END_TEST

START_TEST(a_slot_is_used_again)
{
    for (uint64_t i = 1; i <= 100; i++) {
        tombstones_add(&tombs, i, i, i);
        if (tombs.count == 3)
            tombstones_drop(&tombs, tombstones_oldest(&tombs));
    }
    ck_assert_uint_eq(tombs.count, 2);
    ck_assert_uint_eq(tombstones_oldest(&tombs)->hash, 99);
}
END_TEST

START_TEST(a_walk_goes_on_when_its_place_leaves)
{
    tombstones_add(&tombs, 1, 1, 1);
    tombstones_add(&tombs, 2, 2, 2);
    tombstones_rewind(&tombs);
    ck_assert_uint_eq(tombstones_walk(&tombs)->hash, 1);
    tombstones_drop(&tombs, tombstones_find(&tombs, 2));
    tombstones_add(&tombs, 3, 3, 3);
    ck_assert_ptr_null(tombstones_walk(&tombs));
    tombstones_rewind(&tombs);
    tombstones_drop(&tombs, tombstones_find(&tombs, 1));
    ck_assert_uint_eq(tombstones_walk(&tombs)->hash, 3);
    ck_assert_ptr_null(tombstones_walk(&tombs));
}
END_TEST

START_TEST(a_size_that_cannot_be_is_refused)
{
    struct tombstones none;

    ck_assert_int_eq(tombstones_init(&none, 0), -ERR_RANGE);
    ck_assert_int_eq(tombstones_init(&none, TOMBSTONES_LIMIT + 1), -ERR_RANGE);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, what_was_added_is_found);
    tcase_add_test(tests, hashes_with_one_head_are_kept_apart);
    tcase_add_test(tests, the_oldest_comes_first_whoever_leaves);
    tcase_add_test(tests, a_slot_is_used_again);
    tcase_add_test(tests, a_walk_goes_on_when_its_place_leaves);
    tcase_add_test(tests, a_size_that_cannot_be_is_refused);
}

UNIT_MAIN("tombstones", add_tests)

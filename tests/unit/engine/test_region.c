/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/region.h"

#include "src/base/memory.h"
#include "tests/unit/unit.h"

START_TEST(pages_come_until_all_are_out_and_come_back)
{
    struct region region;
    uint32_t page;

    ck_assert_int_eq(region_init(&region, 3 * MIB, 0, MIB), 0);
    ck_assert_uint_eq(region_pool(&region), 3);
    ck_assert_uint_eq(region_take_page(&region), 1);
    ck_assert_uint_eq(region_take_page(&region), 2);
    page = region_take_page(&region);
    ck_assert_uint_eq(page, 3);
    ck_assert_uint_eq(region_take_page(&region), 0);
    region_give_page(&region, page);
    ck_assert_uint_eq(region_pool(&region), 1);
    ck_assert_uint_eq(region_take_page(&region), page);
    region_fini(&region);
}
END_TEST

START_TEST(a_handle_names_its_chunk)
{
    struct region region;
    struct item *item;

    ck_assert_int_eq(region_init(&region, 2 * MIB, 0, MIB), 0);
    item = (struct item *)(void *)(region_page(&region, 2) + 88);
    ck_assert_uint_eq(region_handle(&region, item), (2 * MIB + 88) / 8);
    ck_assert_ptr_eq(region_item(&region, region_handle(&region, item)), item);
    ck_assert_uint_eq(region_page_of(&region, item), 2);
    region_fini(&region);
}
END_TEST

/* 32 GiB, less the page that is none, are what 32 bits of 8 bytes can name. */
START_TEST(granules_grow_with_the_memory)
{
    struct region region;
    struct item *last;

    ck_assert_int_eq(region_init(&region, 32 * GIB - 2 * MIB, 0, MIB), 0);
    ck_assert_uint_eq(region.granule_shift, 3);
    region_fini(&region);

    ck_assert_int_eq(region_init(&region, 40 * GIB, 0, MIB), 0);
    ck_assert_uint_eq(region.granule_shift, 4);
    last = (struct item *)(void *)(region_page(&region, region.pages_max) +
                                   MIB - 16);
    ck_assert_ptr_eq(region_item(&region, region_handle(&region, last)), last);
    region_fini(&region);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    struct region region;

    ck_assert_int_eq(region_init(&region, MIB, 0, 3 * KIB), -ERR_RANGE);
    ck_assert_int_eq(region_init(&region, MIB, 0, 2 * KIB), -ERR_RANGE);
    ck_assert_int_eq(region_init(&region, MIB, 0, 100000), -ERR_RANGE);
    ck_assert_int_eq(region_init(&region, UINT64_MAX, 0, MIB), -ERR_RANGE);
    region_fini(&region);
}
END_TEST

START_TEST(a_little_memory_is_two_pages)
{
    struct region region;

    ck_assert_int_eq(region_init(&region, 1, 0, MIB), 0);
    ck_assert_uint_eq(region.pages_max, 2);
    region_fini(&region);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    struct region region;
    size_t i;

    for (i = 1; i <= 4; i++) {
        memory_fail_at(i);
        ck_assert_int_eq(region_init(&region, 2 * MIB, 0, MIB), -ERR_MEMORY);
        memory_fail_at(0);
    }
}
END_TEST

/* Up, as far as the mapping goes, and down. */
START_TEST(the_limit_rises_and_falls)
{
    struct region region;
    uint32_t page;
    unsigned i;

    ck_assert_int_eq(region_init(&region, 4 * MIB, 8 * MIB, MIB), 0);
    ck_assert_uint_eq(region.pages_max, 8);
    for (i = 0; i < 4; i++)
        memset(region_page(&region, region_take_page(&region)), 'x', MIB);
    ck_assert_uint_eq(region_take_page(&region), 0);
    ck_assert_int_eq(region_set_limit(&region, 9 * MIB), -ERR_RANGE);
    ck_assert_int_eq(region_set_limit(&region, 6 * MIB), 0);
    ck_assert_uint_eq(region_pool(&region), 2);
    page = region_take_page(&region);
    memset(region_page(&region, page), 'x', MIB);

    ck_assert_int_eq(region_set_limit(&region, 2 * MIB), 0);
    ck_assert_uint_eq(region_pool(&region), 0);
    ck_assert_uint_eq(region_excess(&region), 3);
    ck_assert(!region_discard_one(&region));
    region_give_page(&region, page);
    ck_assert_uint_eq(region_excess(&region), 2);
    ck_assert(region_discard_one(&region));
    ck_assert(!region_discard_one(&region));
    ck_assert_int_eq(region_page(&region, page)[5], 0);

    ck_assert_int_eq(region_set_limit(&region, 5 * MIB), 0);
    ck_assert_uint_eq(region_take_page(&region), page);
    ck_assert_uint_eq(region_take_page(&region), 0);
    region_fini(&region);
}
END_TEST

/* What the limit has room for keeps its memory. */
START_TEST(a_page_in_the_pool_stays)
{
    struct region region;
    uint32_t page;

    ck_assert_int_eq(region_init(&region, 4 * MIB, 0, MIB), 0);
    page = region_take_page(&region);
    region_page(&region, page)[0] = 'x';
    region_give_page(&region, page);
    ck_assert(!region_discard_one(&region));
    ck_assert_uint_eq(region_take_page(&region), page);
    ck_assert_int_eq(region_page(&region, page)[0], 'x');
    region_fini(&region);
}
END_TEST

START_TEST(a_page_beyond_the_limit)
{
    struct region region;
    unsigned i;

    ck_assert_int_eq(region_init(&region, 2 * MIB, 4 * MIB, MIB), 0);
    for (i = 1; i <= 4; i++) {
        ck_assert_uint_eq(region_take_page_beyond(&region), i);
        region_page(&region, i)[0] = 'x';
    }
    ck_assert_uint_eq(region_take_page_beyond(&region), 0);
    ck_assert_uint_eq(region_excess(&region), 2);
    region_fini(&region);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, pages_come_until_all_are_out_and_come_back);
    tcase_add_test(tests, a_handle_names_its_chunk);
    tcase_add_test(tests, granules_grow_with_the_memory);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, a_little_memory_is_two_pages);
    tcase_add_test(tests, no_memory_is_an_error);
    tcase_add_test(tests, the_limit_rises_and_falls);
    tcase_add_test(tests, a_page_in_the_pool_stays);
    tcase_add_test(tests, a_page_beyond_the_limit);
}
UNIT_MAIN("region", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/memory.h"

#include "tests/unit/unit.h"

#include <stdint.h>
#include <stdio.h>

START_TEST(new_is_zeroed)
{
    unsigned char *bytes = memory_new(1000, 1);
    size_t i;

    /* The heap hands out again what was given back, as it was. */
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 0xff, 1000);
    memory_free(&bytes);
    bytes = memory_new(1000, 1);
    ck_assert_ptr_nonnull(bytes);
    for (i = 0; i < 1000; i++)
        ck_assert_uint_eq(bytes[i], 0);
    memory_free(&bytes);
    ck_assert_ptr_null(bytes);
}
END_TEST

START_TEST(free_accepts_null)
{
    char *nothing = NULL;

    memory_free(&nothing);
    ck_assert_ptr_null(nothing);
}
END_TEST

START_TEST(a_product_that_overflows_is_refused)
{
    /* 4 times this is 4. Volatile, lest the compiler foresee and object. */
    volatile size_t count = SIZE_MAX / 4 + 2;
    char *old = memory_new(1, 1);

    ck_assert_ptr_nonnull(old);
    ck_assert_ptr_null(memory_new(count, 4));
    ck_assert_ptr_null(memory_resize(old, count, 4));
    memory_free(&old);
}
END_TEST

START_TEST(resize_keeps_the_bytes)
{
    char *text = memory_resize(NULL, 4, 1);
    char *grown;

    ck_assert_ptr_nonnull(text);
    memcpy(text, "abc", 4);
    grown = memory_resize(text, 100000, 1);
    ck_assert_ptr_nonnull(grown);
    ck_assert_str_eq(grown, "abc");
    text = memory_resize(grown, 0, 1);
    ck_assert_ptr_nonnull(text);
    memory_free(&text);
}
END_TEST

START_TEST(the_chosen_allocation_fails_once)
{
    char *kept;
    char *grown;

    memory_fail_at(2);
    kept = memory_new(1, 8);
    ck_assert_ptr_nonnull(kept);
    ck_assert_ptr_null(memory_resize(kept, 2, 8));
    grown = memory_resize(kept, 2, 8);
    ck_assert_ptr_nonnull(grown);
    memory_free(&grown);

    memory_fail_at(1);
    ck_assert_ptr_null(memory_reserve(4096));
    memory_fail_at(1);
    memory_fail_at(0);
    kept = memory_new(1, 8);
    ck_assert_ptr_nonnull(kept);
    memory_free(&kept);
}
END_TEST

/* Pages of this process that are in memory. */
static long resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long total = 0;
    long resident = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return resident;
}

START_TEST(memory_in_huge_pages_costs_no_more_than_is_open)
{
    long before = resident_pages();
    unsigned char *base = memory_reserve_closed(GIB);

    ck_assert_ptr_nonnull(base);
    memory_prefer_huge(base, GIB);
    ck_assert_int_eq(memory_open(base, 5 * MIB), 0);
    base[0] = base[5 * MIB - 1] = 1;
    ck_assert_uint_eq(base[2 * MIB], 0);
    ck_assert_int_lt(resident_pages() - before, 2000);
    memory_unreserve(base, GIB);
}
END_TEST

START_TEST(reserved_memory_costs_nothing_until_touched)
{
    long before = resident_pages();
    unsigned char *base = memory_reserve(4 * GIB);

    ck_assert_ptr_nonnull(base);
    ck_assert_int_lt(resident_pages() - before, 1000);
    ck_assert_uint_eq(base[3 * GIB], 0);
    base[3 * GIB] = 1;
    ck_assert_uint_eq(base[3 * GIB], 1);
    memory_unreserve(base, 4 * GIB);
}
END_TEST

START_TEST(more_than_there_are_addresses_is_refused)
{
    ck_assert_ptr_null(memory_reserve(SIZE_MAX / 2));
    ck_assert_ptr_null(memory_reserve(0));
    memory_unreserve(NULL, 4096);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, new_is_zeroed);
    tcase_add_test(tests, free_accepts_null);
    tcase_add_test(tests, a_product_that_overflows_is_refused);
    tcase_add_test(tests, resize_keeps_the_bytes);
    tcase_add_test(tests, the_chosen_allocation_fails_once);
    tcase_add_test(tests, reserved_memory_costs_nothing_until_touched);
    tcase_add_test(tests, memory_in_huge_pages_costs_no_more_than_is_open);
    tcase_add_test(tests, more_than_there_are_addresses_is_refused);
}
UNIT_MAIN("memory", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/slice.h"

#include "tests/unit/unit.h"

START_TEST(equal_means_size_and_bytes)
{
    ck_assert(slice_equal(slice_of("abc"), SLICE_LITERAL("abc")));
    ck_assert(slice_equal(slice_make("abcd", 3), slice_of("abc")));
    ck_assert(!slice_equal(slice_of("abc"), slice_of("abd")));
    ck_assert(!slice_equal(slice_of("abc"), slice_of("ab")));
    ck_assert(!slice_equal(slice_of("ab"), slice_of("abc")));
    ck_assert(slice_equal(slice_make(NULL, 0), slice_of("")));
    ck_assert(!slice_equal(slice_make("a\0b", 3), slice_make("a\0c", 3)));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, equal_means_size_and_bytes);
}
UNIT_MAIN("slice", add_tests)

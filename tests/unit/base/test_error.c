/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/error.h"

#include "tests/unit/unit.h"

#include <string.h>

START_TEST(every_code_has_words_of_its_own)
{
    int error;
    int other;

    for (error = 0; error < ERROR_CODES; error++) {
        ck_assert_ptr_nonnull(error_words(-error));
        ck_assert_uint_gt(strlen(error_words(-error)), 0);
        for (other = 0; other < error; other++)
            ck_assert_str_ne(error_words(-error), error_words(-other));
    }
}
END_TEST

START_TEST(words_belong_to_their_code)
{
    ck_assert_str_eq(error_words(0), "no error");
    ck_assert_str_eq(error_words(-ERR_MEMORY), "out of memory");
    ck_assert_str_eq(error_words(-ERR_REFUSED), "refused");
}
END_TEST

START_TEST(a_code_that_is_none_is_a_bug)
{
    unit_assert_aborts((void)error_words(1));
    unit_assert_aborts((void)error_words(-ERROR_CODES));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, every_code_has_words_of_its_own);
    tcase_add_test(tests, words_belong_to_their_code);
    tcase_add_test(tests, a_code_that_is_none_is_a_bug);
}
UNIT_MAIN("error", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/errand.h"

#include "src/base/memory.h"
#include "tests/unit/unit.h"

#include <string.h>

static unsigned woken;

static void wake(void *ctx)
{
    ck_assert_ptr_eq(ctx, &woken);
    woken++;
}

static struct errand *make(void)
{
    struct errand *errand = errand_new(SLICE_LITERAL("do this"), wake, &woken);

    ck_assert_ptr_nonnull(errand);
    return errand;
}

START_TEST(the_answer_is_there_when_it_is_done)
{
    struct errand *asker = make();
    struct errand *executor = asker;
    struct slice answer;

    ck_assert(slice_equal(errand_words(executor), SLICE_LITERAL("do this")));
    errand_put(executor, "A %d\r\n", 1);
    ck_assert(!errand_answer(asker, &answer));
    errand_put(executor, "B\r\n");
    errand_done(&executor);
    ck_assert_ptr_null(executor);
    ck_assert_uint_eq(woken, 1);
    ck_assert(errand_answer(asker, &answer));
    ck_assert(slice_equal(answer, SLICE_LITERAL("A 1\r\nB\r\n")));
    errand_drop(&asker);
    errand_drop(&asker);
}
END_TEST

START_TEST(either_may_go_first)
{
    struct errand *asker = make();
    struct errand *executor = asker;

    ck_assert(!errand_is_dropped(executor));
    errand_drop(&asker);
    ck_assert(errand_is_dropped(executor));
    errand_put(executor, "OK\r\n");
    errand_done(&executor);
}
END_TEST

START_TEST(what_finds_no_room_is_left_out)
{
    struct errand *asker = make();
    struct errand *executor = asker;
    char line[100];
    struct slice answer;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    for (int i = 0; i < 100; i++)
        errand_put(executor, "%s", line);
    errand_done(&executor);
    ck_assert(errand_answer(asker, &answer));
    ck_assert_uint_lt(answer.size, ERRAND_ANSWER_MAX);
    ck_assert_uint_eq(answer.size % 99, 0);
    errand_drop(&asker);
}
END_TEST

START_TEST(too_many_words_or_no_memory_is_no_errand)
{
    char words[ERRAND_WORDS_MAX + 1] = "";

    ck_assert_ptr_null(
        errand_new(slice_make(words, sizeof(words)), wake, &woken));
    memory_fail_at(1);
    ck_assert_ptr_null(errand_new(SLICE_LITERAL("x"), wake, &woken));
    memory_fail_at(0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, the_answer_is_there_when_it_is_done);
    tcase_add_test(tests, either_may_go_first);
    tcase_add_test(tests, what_finds_no_room_is_left_out);
    tcase_add_test(tests, too_many_words_or_no_memory_is_no_errand);
}
UNIT_MAIN("errand", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    fixture_init_with_journal(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static enum engine_outcome count(const char *key, bool decrement,
                                 uint64_t delta, uint64_t *value)
{
    struct engine_arith arith = {
        .key = key_of(&fx, key), .delta = delta, .decrement = decrement};
    stamp_t stamp;
    enum engine_outcome outcome =
        engine_arith(fx.thread, &arith, value, &stamp);

    if (outcome == ENGINE_STORED)
        ck_assert_uint_eq(stamp, stamp_of(&fx, key));
    return outcome;
}

static const struct {
    const char *before;
    bool decrement;
    uint64_t delta;
    const char *after; /* NULL: not a number. */
} rows[] = {
    {"1", false, 1, "2"},
    {"9", false, 1, "10"},
    {"99", false, 1, "100"},
    {"10", true, 1, "9 "},
    {"100", true, 99, "1  "},
    {"5", true, 9, "0"},
    {"0", true, 0, "0"},
    {"18446744073709551615", false, 1, "0                   "},
    {"18446744073709551615", false, 2, "1                   "},
    {"9 ", false, 5, "14"},
    {" 7", false, 1, "8 "},
    {"007", false, 1, "8  "},
    {"", false, 1, NULL},
    {" ", false, 1, NULL},
    {"-1", false, 1, NULL},
    {"1x", false, 1, NULL},
    {"1 2", false, 1, NULL},
    {"18446744073709551616", false, 1, NULL},
};

START_TEST(counting_gives_what_memcached_gives)
{
    uint64_t value;

    store(&fx, ENGINE_SET, "k", rows[_i].before, 3, NOW_S + 50, 0);
    forget_notes(&fx);
    if (rows[_i].after == NULL) {
        ck_assert_int_eq(count("k", rows[_i].decrement, rows[_i].delta, &value),
                         ENGINE_NOT_A_NUMBER);
        ck_assert_str_eq(value_of(&fx, "k"), rows[_i].before);
        ck_assert_uint_eq(fx.journal.count, 0);
        return;
    }
    ck_assert_int_eq(count("k", rows[_i].decrement, rows[_i].delta, &value),
                     ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), rows[_i].after);
    ck_assert_uint_eq(strtoull(rows[_i].after, NULL, 10), value);
    ck_assert_uint_eq(expiry_of(&fx, "k"), NOW_S + 50);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 1);
}
END_TEST

START_TEST(an_absent_key_cannot_be_counted)
{
    uint64_t value;

    ck_assert_int_eq(count("k", false, 1, &value), ENGINE_NOT_FOUND);
    ck_assert_int_eq(count("k", true, 1, &value), ENGINE_NOT_FOUND);
    store(&fx, ENGINE_SET, "k", "1", 0, NOW_S + 5, 0);
    fixture_set_now(&fx, NOW_S + 5);
    ck_assert_int_eq(count("k", false, 1, &value), ENGINE_NOT_FOUND);
    ck_assert_uint_eq(stat_of(&fx, "incr_misses"), 2);
    ck_assert_uint_eq(stat_of(&fx, "decr_misses"), 1);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), 1);
}
END_TEST

/* "9" lies in a chunk that is full with it; "10" needs the next class. */
START_TEST(a_longer_number_can_need_another_chunk)
{
    char key[ENGINE_KEY_MAX + 1] = {0};
    size_t i;
    uint64_t value;

    for (i = 0; i < 104 - ITEM_HEADER_BYTES - 1; i++)
        key[i] = 'k';
    put(&fx, key, "9");
    ck_assert_int_eq(count(key, false, 1, &value), ENGINE_STORED);
    ck_assert_uint_eq(value, 10);
    ck_assert_str_eq(value_of(&fx, key), "10");
    ck_assert_uint_eq(stat_of(&fx, "incr_hits"), 1);
}
END_TEST

START_TEST(white_space_around_a_number_is_nothing)
{
    static const char *const texts[] = {" 7", "7 ", "\t7", "7\r\n", "+7"};
    uint64_t value;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put(&fx, "k", texts[i]);
        ck_assert_int_eq(count("k", false, 1, &value), ENGINE_STORED);
        ck_assert_uint_eq(value, 8);
    }
    put(&fx, "k", "7 7");
    ck_assert_int_eq(count("k", false, 1, &value), ENGINE_NOT_A_NUMBER);
    put(&fx, "k", " ");
    ck_assert_int_eq(count("k", false, 1, &value), ENGINE_NOT_A_NUMBER);
}
END_TEST

START_TEST(a_large_value_is_no_number)
{
    static char digits[40 * KIB + 1];
    uint64_t value;
    size_t i;

    for (i = 0; i < 40 * KIB; i++)
        digits[i] = '0';
    put(&fx, "k", digits);
    ck_assert_int_eq(count("k", false, 1, &value), ENGINE_NOT_A_NUMBER);
}
END_TEST

START_TEST(a_removal_is_told_also_when_nothing_was_here)
{
    ck_assert_int_eq(drop(&fx, "k"), ENGINE_NOT_FOUND);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 1);
    ck_assert_uint_eq(last_note(&fx, NOTE_RECORD_REMOVE)->hash,
                      key_of(&fx, "k").hash);
    put(&fx, "k", "v");
    ck_assert_int_eq(drop(&fx, "k"), ENGINE_STORED);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 2);
    ck_assert(!has(&fx, "k"));
    ck_assert_uint_eq(stat_of(&fx, "delete_hits"), 1);
    ck_assert_uint_eq(stat_of(&fx, "delete_misses"), 1);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
}
END_TEST

START_TEST(removing_what_has_expired_finds_nothing)
{
    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 5, 0);
    fixture_set_now(&fx, NOW_S + 5);
    ck_assert_int_eq(drop(&fx, "k"), ENGINE_NOT_FOUND);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 1);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, counting_gives_what_memcached_gives, 0,
                        sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(tests, an_absent_key_cannot_be_counted);
    tcase_add_test(tests, a_longer_number_can_need_another_chunk);
    tcase_add_test(tests, white_space_around_a_number_is_nothing);
    tcase_add_test(tests, a_large_value_is_no_number);
    tcase_add_test(tests, a_removal_is_told_also_when_nothing_was_here);
    tcase_add_test(tests, removing_what_has_expired_finds_nothing);
}
UNIT_MAIN("write", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/number.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

#define UNTOUCHED 77

static const struct {
    const char *text;
    int error;
    uint64_t value;
} u64_rows[] = {
    {"0", 0, 0},
    {"7", 0, 7},
    {"007", 0, 7},
    {"00000000000000000000000000000042", 0, 42},
    {"9999999999999999999", 0, 9999999999999999999ull},
    {"18446744073709551615", 0, UINT64_MAX},
    {"18446744073709551616", -ERR_RANGE, UNTOUCHED},
    {"99999999999999999999", -ERR_RANGE, UNTOUCHED},
    {"184467440737095516150", -ERR_RANGE, UNTOUCHED},
    {"18446744073709551616x", -ERR_SYNTAX, UNTOUCHED},
    {"1844674407370955161x", -ERR_SYNTAX, UNTOUCHED},
    {"1844674407370955161:", -ERR_SYNTAX, UNTOUCHED},
    {"", -ERR_SYNTAX, UNTOUCHED},
    {" 1", -ERR_SYNTAX, UNTOUCHED},
    {"1 ", -ERR_SYNTAX, UNTOUCHED},
    {"+1", 0, 1},
    {"+18446744073709551615", 0, UINT64_MAX},
    {"+18446744073709551616", -ERR_RANGE, UNTOUCHED},
    {"+", -ERR_SYNTAX, UNTOUCHED},
    {"++1", -ERR_SYNTAX, UNTOUCHED},
    {"+-1", -ERR_SYNTAX, UNTOUCHED},
    {"1+", -ERR_SYNTAX, UNTOUCHED},
    {"-1", -ERR_SYNTAX, UNTOUCHED},
    {"0x1", -ERR_SYNTAX, UNTOUCHED},
    {"1:", -ERR_SYNTAX, UNTOUCHED}, /* The character after '9'. */
    {"1/", -ERR_SYNTAX, UNTOUCHED}, /* And the one before '0'. */
};

START_TEST(u64_reads_as_written)
{
    uint64_t value = UNTOUCHED;

    ck_assert_int_eq(number_u64(slice_of(u64_rows[_i].text), &value),
                     u64_rows[_i].error);
    ck_assert_uint_eq(value, u64_rows[_i].value);
}
END_TEST

START_TEST(bytes_after_the_slice_do_not_matter)
{
    uint64_t value;

    ck_assert_int_eq(number_u64(slice_make("1234", 2), &value), 0);
    ck_assert_uint_eq(value, 12);
}
END_TEST

START_TEST(u32_ends_at_32_bits)
{
    uint32_t value = UNTOUCHED;

    ck_assert_int_eq(number_u32(slice_of("4294967296"), &value), -ERR_RANGE);
    ck_assert_int_eq(number_u32(slice_of("x"), &value), -ERR_SYNTAX);
    ck_assert_uint_eq(value, UNTOUCHED);
    ck_assert_int_eq(number_u32(slice_of("4294967295"), &value), 0);
    ck_assert_uint_eq(value, UINT32_MAX);
}
END_TEST

static const struct {
    const char *text;
    int error;
    int64_t value;
} i64_rows[] = {
    {"0", 0, 0},
    {"-0", 0, 0},
    {"-1", 0, -1},
    {"9223372036854775807", 0, INT64_MAX},
    {"9223372036854775808", -ERR_RANGE, UNTOUCHED},
    {"-9223372036854775808", 0, INT64_MIN},
    {"-9223372036854775809", -ERR_RANGE, UNTOUCHED},
    {"-18446744073709551615", -ERR_RANGE, UNTOUCHED},
    {"-", -ERR_SYNTAX, UNTOUCHED},
    {"--1", -ERR_SYNTAX, UNTOUCHED},
    {"+1", 0, 1},
    {"-+1", -ERR_SYNTAX, UNTOUCHED},
    {"+-1", -ERR_SYNTAX, UNTOUCHED},
    {"", -ERR_SYNTAX, UNTOUCHED},
};

START_TEST(i64_reads_as_written)
{
    int64_t value = UNTOUCHED;

    ck_assert_int_eq(number_i64(slice_of(i64_rows[_i].text), &value),
                     i64_rows[_i].error);
    ck_assert_int_eq(value, i64_rows[_i].value);
}
END_TEST

START_TEST(i32_ends_at_32_bits)
{
    int32_t value = UNTOUCHED;

    ck_assert_int_eq(number_i32(slice_of("2147483648"), &value), -ERR_RANGE);
    ck_assert_int_eq(number_i32(slice_of("-2147483649"), &value), -ERR_RANGE);
    ck_assert_int_eq(number_i32(slice_of("1-"), &value), -ERR_SYNTAX);
    ck_assert_int_eq(value, UNTOUCHED);
    ck_assert_int_eq(number_i32(slice_of("2147483647"), &value), 0);
    ck_assert_int_eq(value, INT32_MAX);
    ck_assert_int_eq(number_i32(slice_of("-2147483648"), &value), 0);
    ck_assert_int_eq(value, INT32_MIN);
}
END_TEST

static const struct {
    const char *text;
    int error;
    uint64_t bytes;
} size_rows[] = {
    {"512", 0, 512},
    {"1k", 0, 1024},
    {"1K", 0, 1024},
    {"16m", 0, 16777216},
    {"2G", 0, 2147483648},
    {"17179869183g", 0, 17179869183ull << 30},
    {"17179869184g", -ERR_RANGE, UNTOUCHED},
    {"1kk", -ERR_SYNTAX, UNTOUCHED},
    {"k", -ERR_SYNTAX, UNTOUCHED},
    {"1t", -ERR_SYNTAX, UNTOUCHED},
    {"-1k", -ERR_SYNTAX, UNTOUCHED},
    {"", -ERR_SYNTAX, UNTOUCHED},
};

START_TEST(size_reads_as_written)
{
    uint64_t bytes = UNTOUCHED;

    ck_assert_int_eq(number_size(slice_of(size_rows[_i].text), &bytes),
                     size_rows[_i].error);
    ck_assert_uint_eq(bytes, size_rows[_i].bytes);
}
END_TEST

static const struct {
    const char *text;
    int error;
    double value;
} double_rows[] = {
    {"1.25", 0, 1.25},
    {"2", 0, 2.0},
    {"0.1", 0, 0.1},
    {"1.08", 0, 1.08},
    {".5", 0, 0.5},
    {"-1.5", 0, -1.5},
    {"123456789.123456", 0, 123456789.123456},
    {"1.000000000000000", -ERR_RANGE, UNTOUCHED},
    {"1.2.3", -ERR_SYNTAX, UNTOUCHED},
    {"1e3", -ERR_SYNTAX, UNTOUCHED},
    {"nan", -ERR_SYNTAX, UNTOUCHED},
    {"inf", -ERR_SYNTAX, UNTOUCHED},
    {".", -ERR_SYNTAX, UNTOUCHED},
    {"-", -ERR_SYNTAX, UNTOUCHED},
    {"1,5", -ERR_SYNTAX, UNTOUCHED},
    {"1:", -ERR_SYNTAX, UNTOUCHED},
    {"", -ERR_SYNTAX, UNTOUCHED},
};

START_TEST(double_reads_as_written)
{
    double value = UNTOUCHED;

    ck_assert_int_eq(number_double(slice_of(double_rows[_i].text), &value),
                     double_rows[_i].error);
    ck_assert_double_eq(value, double_rows[_i].value);
}
END_TEST

static void check_written(uint64_t value)
{
    char expected[NUMBER_DIGITS_MAX + 1];
    char written[NUMBER_DIGITS_MAX + 1];
    int size;

    size = snprintf(expected, sizeof(expected), "%" PRIu64, value);
    memset(written, '#', sizeof(written));
    ck_assert_uint_eq(number_write_u64(written, value), (size_t)size);
    ck_assert_mem_eq(written, expected, (size_t)size);
    ck_assert_int_eq(written[size], '#');
}

START_TEST(every_length_is_written)
{
    uint64_t power = 1;
    unsigned digits;

    check_written(0);
    for (digits = 1; digits <= NUMBER_DIGITS_MAX; digits++, power *= 10) {
        check_written(power);
        check_written(power - 1);
        check_written(power + power / 3);
    }
    check_written(UINT64_MAX);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, u64_reads_as_written, 0, COUNT_OF(u64_rows));
    tcase_add_test(tests, bytes_after_the_slice_do_not_matter);
    tcase_add_test(tests, u32_ends_at_32_bits);
    tcase_add_loop_test(tests, i64_reads_as_written, 0, COUNT_OF(i64_rows));
    tcase_add_test(tests, i32_ends_at_32_bits);
    tcase_add_loop_test(tests, size_reads_as_written, 0, COUNT_OF(size_rows));
    tcase_add_loop_test(tests, double_reads_as_written, 0,
                        COUNT_OF(double_rows));
    tcase_add_test(tests, every_length_is_written);
}
UNIT_MAIN("number", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Written by hand rather than with the C library's, which skips blanks, needs
 * a NUL and listens to the locale. */
#include "src/base/number.h"

#include "src/base/invariant.h"

#include <stdbool.h>
#include <string.h>

/* So many digits fit a uint64_t whatever they are. */
#define DIGITS_SAFE 19

/* Integers up to 10^15 and powers of ten up to there are exact in a double, so
 * one division of the two is rounded correctly. */
#define FRACTION_DIGITS_MAX 15

/* Appends a digit.
 * Errors: -ERR_SYNTAX, -ERR_RANGE. */
static int push_digit(uint64_t *value, char c)
{
    unsigned digit = (unsigned char)c - (unsigned)'0';

    if (digit > 9)
        return -ERR_SYNTAX;
    if (__builtin_mul_overflow(*value, 10, value) ||
        __builtin_add_overflow(*value, digit, value))
        return -ERR_RANGE;
    return 0;
}

/* A number too large is only that when digits are all it holds. */
static bool all_digits(struct slice text)
{
    size_t i;

    for (i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return true;
}

static int unsigned_u64(struct slice text, uint64_t *out)
{
    uint64_t value = 0;
    size_t i;

    if (text.size == 0)
        return -ERR_SYNTAX;
    for (i = 0; i < text.size && i < DIGITS_SAFE; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';

        if (digit > 9)
            return -ERR_SYNTAX;
        value = value * 10 + digit;
    }
    for (; i < text.size; i++) {
        if (push_digit(&value, text.data[i]) != 0)
            return all_digits(text) ? -ERR_RANGE : -ERR_SYNTAX;
    }
    *out = value;
    return 0;
}

static struct slice without_sign(struct slice text)
{
    return slice_make(text.data + 1, text.size - 1);
}

int number_u64(struct slice text, uint64_t *out)
{
    if (UNLIKELY(text.size > 0 && text.data[0] == '+'))
        text = without_sign(text);
    return unsigned_u64(text, out);
}

int number_u32(struct slice text, uint32_t *out)
{
    uint64_t value;
    int error = number_u64(text, &value);

    if (error != 0)
        return error;
    if (value > UINT32_MAX)
        return -ERR_RANGE;
    *out = (uint32_t)value;
    return 0;
}

int number_i64(struct slice text, int64_t *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t size;
    int error;

    error = negative ? unsigned_u64(without_sign(text), &size)
                     : number_u64(text, &size);
    if (error != 0)
        return error;
    if (size > limit)
        return -ERR_RANGE;
    *out = (int64_t)(negative ? 0 - size : size);
    return 0;
}

int number_i32(struct slice text, int32_t *out)
{
    int64_t value;
    int error = number_i64(text, &value);

    if (error != 0)
        return error;
    if (value < INT32_MIN || value > INT32_MAX)
        return -ERR_RANGE;
    *out = (int32_t)value;
    return 0;
}

/* The power of two that a suffix stands for; 0 when it is none. */
static unsigned suffix_shift(char c)
{
    switch (c) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

int number_size(struct slice text, uint64_t *out_bytes)
{
    unsigned shift = text.size > 0 ? suffix_shift(text.data[text.size - 1]) : 0;
    uint64_t value;
    int error;

    if (shift != 0)
        text.size--;
    error = number_u64(text, &value);
    if (error != 0)
        return error;
    if (value > UINT64_MAX >> shift)
        return -ERR_RANGE;
    *out_bytes = value << shift;
    return 0;
}

int number_double(struct slice text, double *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    bool fraction = false;
    uint64_t digits = 0;
    unsigned count = 0;
    double scale = 1.0;
    size_t i;

    for (i = negative ? 1 : 0; i < text.size; i++) {
        if (text.data[i] == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (++count > FRACTION_DIGITS_MAX)
            return -ERR_RANGE;
        if (push_digit(&digits, text.data[i]) != 0)
            return -ERR_SYNTAX;
        if (fraction)
            scale *= 10.0;
    }
    if (count == 0)
        return -ERR_SYNTAX;
    *out = (negative ? -1.0 : 1.0) * ((double)digits / scale);
    return 0;
}

static const char digit_pairs[] =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value)
{
    size_t count = 1;

    while (value >= 10000) {
        value /= 10000;
        count += 4;
    }
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* Two digits per division, from the right. */
size_t number_write_u64(char *out, uint64_t value)
{
    size_t count = count_digits(value);
    char *at = out + count;

    INVARIANT(count <= NUMBER_DIGITS_MAX);

    while (value >= 100) {
        at -= 2;
        memcpy(at, &digit_pairs[2 * (value % 100)], 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(at - 2, &digit_pairs[2 * value], 2);
    else
        at[-1] = (char)('0' + value);
    return count;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Decimal numbers in bytes, both ways, with every bound checked. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdint.h>

#define NUMBER_DIGITS_MAX 20 /* 18446744073709551615 */

/* The whole slice must be a number: digits, before which may stand one '+',
 * for the signed one '-' as well; no blanks.
 * Errors: -ERR_SYNTAX (empty, other characters), -ERR_RANGE. *out is
 *         untouched then. */
MUST_CHECK int number_u64(struct slice text, uint64_t *out);
MUST_CHECK int number_u32(struct slice text, uint32_t *out);
MUST_CHECK int number_i64(struct slice text, int64_t *out);
MUST_CHECK int number_i32(struct slice text, int32_t *out);

/* A size with an optional suffix k, m, g (or K, M, G): powers of 1024. */
MUST_CHECK int number_size(struct slice text, uint64_t *out_bytes);

/* A finite decimal fraction like 1.25. */
MUST_CHECK int number_double(struct slice text, double *out);

/* Writes value in decimal, without a NUL; returns the number of digits.
 * out has room for NUMBER_DIGITS_MAX characters. */
size_t number_write_u64(char *out, uint64_t value);

#endif

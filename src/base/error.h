/* SPDX-License-Identifier: BSD-3-Clause */
/* Every error of the program, once: its name, and the words for a person.
 * Functions that can fail return int: 0, or the negative of one of these. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define ERROR_TABLE(X) \
    X(MEMORY, "out of memory") \
    X(LIMIT, "a limit was reached") \
    X(RANGE, "number out of range") \
    X(SYNTAX, "malformed input") \
    X(TRUNCATED, "input ends too early") \
    X(CHECKSUM, "checksum does not match") \
    X(VERSION, "unknown version") \
    X(SYSTEM, "system call failed") \
    X(BUSY, "in use") \
    X(MISSING, "not found") \
    X(REFUSED, "refused")

enum error_code {
    ERROR_NONE = 0,
#define X(name, words) ERR_##name,
    ERROR_TABLE(X)
#undef X
    ERROR_CODES
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Words for 0 or a negative error code; never NULL. */
const char *error_words(int error);

#endif

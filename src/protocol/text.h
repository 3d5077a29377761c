/* SPDX-License-Identifier: BSD-3-Clause */
/* The text protocol's requests. Pure functions over bytes.
 *
 * Where clients may see a difference, this is memcached 1.6.45. */
#ifndef PROTOCOL_TEXT_H
#define PROTOCOL_TEXT_H

#include "src/protocol/request.h"

#include <endian.h>

/* What may stand before a line's end. A line that grows beyond is given up,
 * unless it is a `get` or `gets`. */
#define TEXT_LINE_MAX 2048
#define TEXT_GET_LINE_MAX (16u * 1024 * 1024)
/* Later words of a line are not looked at. */
#define TEXT_TOKENS_MAX 24

enum text_cut {
    TEXT_LINE,     /* There is a whole one. */
    TEXT_PART,     /* More bytes are needed. */
    TEXT_OVERLONG, /* No line will come of this. */
};

/* Finds the line at the front of input, of which the first `scanned` bytes
 * are known to hold no end of line. *line is without its end; *taken counts
 * it. The answer does not depend on how much more is behind the line. */
enum text_cut text_cut_line(struct slice input, size_t scanned,
                            struct slice *line, size_t *taken);

/* Every line gives a request: what is wrong with it is in request->error.
 * Owns: the request borrows the line. */
void text_parse(struct slice line, struct request *request);

/* The first blank of [at, end), or end: eight bytes at a time, by the word
 * trick that finds a zero byte (its lowest hit is exact). Words are too short
 * for memchr() to pay. */
static inline const char *text_blank(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word, zeros;

    for (; end - at >= 8; at += 8) {
        memcpy(&word, at, sizeof(word));
        word = le64toh(word) ^ (ones * ' ');
        zeros = (word - ones) & ~word & (ones << 7);
        if (zeros != 0)
            return at + (__builtin_ctzll(zeros) >> 3);
    }
    while (at < end && *at != ' ')
        at++;
    return at;
}

/* Takes the next word off the front of *text; empty when there is none. */
static inline struct slice text_take(struct slice *text)
{
    const char *at = text->data;
    const char *end = at + text->size;
    struct slice word;

    while (at < end && *at == ' ')
        at++;
    word.data = at;
    at = text_blank(at, end);
    word.size = (size_t)(at - word.data);
    *text = slice_make(at, (size_t)(end - at));
    return word;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The text protocol's requests. Pure functions over bytes.
 *
 * Where clients may see a difference, this is memcached 1.6.45. */
#ifndef PROTOCOL_TEXT_H
#define PROTOCOL_TEXT_H

#include "src/protocol/request.h"

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

/* Takes the next word off the front of *text; empty when there is none. */
struct slice text_take(struct slice *text);

#endif

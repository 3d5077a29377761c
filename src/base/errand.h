/* SPDX-License-Identifier: BSD-3-Clause */
/* What one thread asks of another in words, without waiting for it: the asker
 * hands the errand over, is woken when there is an answer, and takes it. Either
 * may lose interest first. */
#ifndef BASE_ERRAND_H
#define BASE_ERRAND_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdbool.h>

#define ERRANDS_MAX 8          /* Under way at once, in one daemon. */
#define ERRAND_WORDS_MAX 64    /* What is asked. */
#define ERRAND_ANSWER_MAX 2048 /* Whole lines, with their CRLF. */

struct errand;

/* Called by the thread that answers; must not block. */
typedef void errand_wake_fn(void *ctx);

/* Errors: NULL when memory is exhausted, or the words are too many.
 * Owns:   the asker, until errand_drop(), and whoever executes it, until
 *         errand_done(): each of them once. */
struct errand *errand_new(struct slice words, errand_wake_fn *wake, void *ctx);

/* ---- for the asker ---- */

/* The answer, which lives as long as the asker keeps the errand; false as long
 * as there is none. */
bool errand_answer(const struct errand *errand, struct slice *answer);
/* Who asked does not wait any more, or has taken the answer. */
void errand_drop(struct errand **errand);

/* ---- for whoever executes it ---- */

struct slice errand_words(const struct errand *errand);
/* Adds to the answer; what finds no room is left out. */
__attribute__((format(printf, 2, 3))) void errand_put(struct errand *errand,
                                                      const char *format, ...);
/* The answer is complete. */
void errand_done(struct errand **errand);
/* Nobody waits for the answer any more. */
bool errand_is_dropped(const struct errand *errand);

#endif

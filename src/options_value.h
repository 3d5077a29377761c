/* SPDX-License-Identifier: BSD-3-Clause */
/* One option's text to its value. For options.c. */
#ifndef OPTIONS_VALUE_H
#define OPTIONS_VALUE_H

#include "src/base/error.h"
#include "src/options.h"

/* Composes the sentence; gives status. */
__attribute__((format(printf, 3, 4))) int
options_fail(int status, char words[OPTIONS_WORDS_MAX], const char *format,
             ...);

/* Sets the field of an option that is given with text, NULL for none.
 * Gives: 0, or the status to exit with and a sentence. */
MUST_CHECK int option_set(struct options *options,
                          const struct option_spec *spec, const char *text,
                          char words[OPTIONS_WORDS_MAX]);
/* NAME may not stand alone. */
bool option_value_is_needed(const struct option_spec *spec);
/* There is a no_NAME, and what it does. */
bool option_can_be_cleared(const struct option_spec *spec);
void option_clear(struct options *options, const struct option_spec *spec);

#endif

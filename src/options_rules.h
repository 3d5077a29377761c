/* SPDX-License-Identifier: BSD-3-Clause */
/* What options mean together. For options.c. */
#ifndef OPTIONS_RULES_H
#define OPTIONS_RULES_H

#include "src/base/error.h"
#include "src/options.h"

/* Fills in what follows from other options and refuses what does not go
 * together.
 * Gives: 0, or the status to exit with and a sentence. */
MUST_CHECK int options_settle(struct options *options,
                              char words[OPTIONS_WORDS_MAX]);

#endif

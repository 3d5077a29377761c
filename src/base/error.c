/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of the error table. */
#include "src/base/error.h"

#include "src/base/invariant.h"

static const char *const words[ERROR_CODES] = {
    [ERROR_NONE] = "no error",
#define X(name, text) [ERR_##name] = text,
    ERROR_TABLE(X)
#undef X
};

const char *error_words(int error)
{
    INVARIANT(error <= 0);
    INVARIANT(error > -ERROR_CODES);

    return words[-error];
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The last line of a process that found a bug in itself. */
#include "src/base/invariant.h"

#include "src/base/log.h"

#include <stdlib.h>

void invariant_failed(const char *condition, const char *file, int line,
                      const char *function)
{
    log_error("%s:%d: %s: broken invariant: %s", file, line, function,
              condition);
    abort();
}

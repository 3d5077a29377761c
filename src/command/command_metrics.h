/* SPDX-License-Identifier: BSD-3-Clause */
/* What the commands count themselves; the rest of what they do is counted by
 * the engine. The names are memcached's. */
#ifndef COMMAND_COMMAND_METRICS_H
#define COMMAND_COMMAND_METRICS_H

#include "src/base/metrics.h"

#define COMMAND_METRICS(X) \
    X(cmd_meta, "Meta commands that ask about an item (me)") \
    X(cmd_flush, "flush_all commands that were refused") \
    X(delete_misses, "md commands that found another version") \
    X(auth_cmds, "Times that clients tried to prove who they are") \
    X(auth_errors, "Times that they failed")

METRICS_STRUCT(command_counters, COMMAND_METRICS);

#endif

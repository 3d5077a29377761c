/* SPDX-License-Identifier: BSD-3-Clause */
/* The reply to `stats GROUP`. */
#ifndef COMMAND_STATS_H
#define COMMAND_STATS_H

#include "src/command/commands.h"
#include "src/protocol/sink.h"

/* Errors: -ERR_MISSING when there is no such group, -ERR_MEMORY; nothing is
 *         put then. */
MUST_CHECK int stats_show(struct commands *commands, struct slice group,
                          struct sink *out);
void stats_reset(struct commands *commands);

#endif

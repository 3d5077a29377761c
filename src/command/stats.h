/* SPDX-License-Identifier: BSD-3-Clause */
/* The reply to `stats GROUP`. */
#ifndef COMMAND_STATS_H
#define COMMAND_STATS_H

#include "src/command/commands.h"
#include "src/protocol/sink.h"

/* Puts the lines of a group; an empty one is plain `stats`.
 * Errors: -ERR_MISSING when there is no such group, -ERR_MEMORY; nothing is
 *         put then. */
MUST_CHECK int stats_visit(struct commands *commands, struct slice group,
                           struct stats_out *out);
/* The same as text, with its end. */
MUST_CHECK int stats_show(struct commands *commands, struct slice group,
                          struct sink *out);
void stats_reset(struct commands *commands);

#endif

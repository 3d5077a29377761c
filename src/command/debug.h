/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of a daemon that is built for tests (--enable-debug-commands).
 *
 *   debugtime p|r|SECONDS   stops the clock, lets it run on, puts it forward
 *   debugitem KEY           shows what the cache knows of an item
 *
 * Rows of the table in admin.c. */
#ifndef COMMAND_DEBUG_H
#define COMMAND_DEBUG_H

#include "src/command/admin.h"

void debug_time(const struct admin_call *call);
void debug_item(const struct admin_call *call);

#endif

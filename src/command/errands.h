/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of the operator that another thread executes. The client's session
 * rests until the answer is there; its worker goes on with others. */
#ifndef COMMAND_ERRANDS_H
#define COMMAND_ERRANDS_H

#include "src/command/admin.h"

/* `repl` and its words, for the replication. */
admin_fn errands_repl;

#endif

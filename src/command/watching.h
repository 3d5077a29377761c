/* SPDX-License-Identifier: BSD-3-Clause */
/* `watch`: a client that from then on gets lines of what happens. */
#ifndef COMMAND_WATCHING_H
#define COMMAND_WATCHING_H

#include "src/command/admin.h"

void watching_start(const struct admin_call *call);

#endif

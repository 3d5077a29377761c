/* SPDX-License-Identifier: BSD-3-Clause */
/* The command lru_crawler. */
#ifndef COMMAND_CRAWLER_H
#define COMMAND_CRAWLER_H

#include "src/command/admin.h"

void crawler_command(const struct admin_call *call);

#endif

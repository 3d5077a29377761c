/* SPDX-License-Identifier: BSD-3-Clause */
/* stats detail over the binary protocol. */
#ifndef COMMAND_BINARY_DETAIL_H
#define COMMAND_BINARY_DETAIL_H

#include "src/command/thread.h"

/* Answers `detail on`, `off` and `dump`; false: the key is something else. */
bool binary_detail(struct command_thread *thread, const struct request *request,
                   struct sink *out);

#endif

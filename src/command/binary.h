/* SPDX-License-Identifier: BSD-3-Clause */
/* What requests of the binary protocol do, and what is answered. They end at
 * the same functions of the engine as those of the text protocol. */
#ifndef COMMAND_BINARY_H
#define COMMAND_BINARY_H

#include "src/command/execute.h"
#include "src/protocol/binary.h"

/* As execute(), execute_write() and execute_stored(). */
void binary_execute(struct command_thread *thread, const struct op *op,
                    const struct request *request, struct sink *out);
void binary_write(struct command_thread *thread, const struct op *op,
                  const struct request *request, struct engine_write *write);
void binary_stored(const struct command_thread *thread,
                   const struct request *request,
                   const struct execute_stored *stored, struct sink *out);

/* A status and a value. */
void binary_answer(const struct request *request, enum binary_status status,
                   struct slice value, struct sink *out);
/* A status in its own words. */
void binary_answer_status(const struct request *request,
                          enum binary_status status, struct sink *out);

#endif

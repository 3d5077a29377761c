/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator reads of each request with -vv. */
#ifndef COMMAND_REQUEST_LOG_H
#define COMMAND_REQUEST_LOG_H

#include "src/command/thread.h"

/* "<30 get foo": the line at the front of the input, up to and with its end. */
void request_log_line(const struct command_thread *thread, struct slice line);
/* The header of a binary request at the front of the input. */
void request_log_frame(const struct command_thread *thread, struct slice input);
/* ">30 END": what was answered behind the first `from` bytes of out. op is the
 * key that it was the answer to, where there are several. */
void request_log_answer(const struct command_thread *thread,
                        const struct op *op, const struct request *request,
                        const struct sink *out, size_t from);

#endif

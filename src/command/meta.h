/* SPDX-License-Identifier: BSD-3-Clause */
/* What the meta commands do, and what is answered. */
#ifndef COMMAND_META_H
#define COMMAND_META_H

#include "src/command/execute.h"

void meta_get(struct command_thread *thread, const struct op *op,
              const struct request *request, struct sink *out);
void meta_delete(struct command_thread *thread, const struct op *op,
                 const struct request *request, struct sink *out);
void meta_arith(struct command_thread *thread, const struct op *op,
                const struct request *request, struct sink *out);
void meta_show(struct command_thread *thread, const struct op *op,
               const struct request *request, struct sink *out);
void meta_nothing(struct command_thread *thread, const struct op *op,
                  const struct request *request, struct sink *out);

/* How the value of an ms is to be stored. */
void meta_write(const struct command_thread *thread, const struct op *op,
                const struct request *request, struct engine_write *write);
/* Answers what became of it. False, and nothing was answered, where the words
 * are those of every store. */
bool meta_stored(const struct command_thread *thread,
                 const struct request *request,
                 const struct execute_stored *stored, struct sink *out);

#endif

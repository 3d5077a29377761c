/* SPDX-License-Identifier: BSD-3-Clause */
/* What each request does, and what is answered. */
#ifndef COMMAND_EXECUTE_H
#define COMMAND_EXECUTE_H

#include "src/command/thread.h"

/* Executes one step of a batch whose value, if it has one, is there.
 * Thread: the owner of thread. */
void execute(struct command_thread *thread, const struct op *op,
             const struct request *request, struct sink *out);

/* flush_all with a delay as it was given. False: it is not allowed (-F). */
bool execute_flush(struct command_thread *thread, int64_t exptime_s);

/* In what mode, by what cas unique and so on op's value is to be stored. */
void execute_write(struct command_thread *thread, const struct op *op,
                   const struct request *request, struct engine_write *write);
/* Answers what became of it, if anything is to be answered. */
struct execute_stored {
    enum engine_outcome outcome;
    stamp_t cas; /* STAMP_NONE when nothing was stored. */
    size_t size; /* Of the whole value. */
};
void execute_stored(const struct command_thread *thread,
                    const struct request *request,
                    const struct execute_stored *stored, struct sink *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What is told of each request: lines for those who watch, and with -vv lines
 * for the operator. All of it is asked for once per run of a session; while
 * nobody asks, a request costs one branch. */
#ifndef COMMAND_OBSERVE_H
#define COMMAND_OBSERVE_H

#include "src/base/invariant.h"
#include "src/command/thread.h"

/* What struct command_thread.observed has: these classes, and with -vv: */
#define OBSERVE_WATCHED (WATCH_FETCHERS | WATCH_MUTATIONS | WATCH_DELETIONS)
#define OBSERVE_LOG (1u << WATCH_CLASS_COUNT)

/* A run of a session begins: what is asked for now? fd is how the client is
 * called. */
void observe_start(struct command_thread *thread, int fd);

/* Takes a step of a batch and tells of it. */
typedef void observe_step_fn(void *ctx, const struct op *op,
                             const struct request *request, struct sink *out);
void observe_step(struct command_thread *thread, const struct op *op,
                  const struct request *request, struct sink *out,
                  observe_step_fn *step, void *ctx);

/* A key is looked for: told for stores when their value is there. */
void observe_lookup(struct command_thread *thread,
                    const struct engine_key *key);

/* What became of a value that was to be stored. */
void observe_store(struct command_thread *thread,
                   const struct engine_write *write,
                   enum engine_outcome outcome, size_t size);

static inline void observe_stored(struct command_thread *thread,
                                  const struct engine_write *write,
                                  enum engine_outcome outcome, size_t size)
{
    if (UNLIKELY(thread->observed & WATCH_MUTATIONS))
        observe_store(thread, write, outcome, size);
}

/* The same of one that is not even read. */
void observe_refused(struct command_thread *thread,
                     const struct engine_write *write,
                     enum engine_outcome outcome);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* stats detail: how often the keys of each prefix are asked for, stored and
 * deleted. A prefix is what stands before the first delimiter in a key; keys
 * without one are not counted. */
#ifndef COMMAND_DETAIL_H
#define COMMAND_DETAIL_H

#include "src/base/invariant.h"
#include "src/command/thread.h"

/* Prefixes that are told apart; keys of further ones are not counted. */
#define DETAIL_PREFIXES_MAX 65536u

enum detail_event {
    DETAIL_MISS,
    DETAIL_HIT,
    DETAIL_SET,
    DETAIL_DELETE,
};

/* Errors: NULL when memory is exhausted. */
struct detail *detail_new(char delimiter);
void detail_free(struct detail **detail);

void detail_switch(struct commands *commands, bool on);
/* Forgets all prefixes. */
void detail_clear(struct detail *detail);

/* `stats detail`, with the words behind it. */
void detail_execute(struct command_thread *thread, struct slice words,
                    struct sink *out);
/* Puts the next lines; begins with *place 0. False: those were the last. */
bool detail_dump(struct detail *detail, unsigned *place, struct sink *out);

/* Counts what was done with a key, while that is switched on. Not while the
 * caller holds a view. */
void detail_record(struct command_thread *thread, struct slice key,
                   enum detail_event event);

static inline void detail_count(struct command_thread *thread, struct slice key,
                                enum detail_event event)
{
    if (UNLIKELY(atomic_load_explicit(&thread->commands->detail_on,
                                      memory_order_relaxed)))
        detail_record(thread, key, event);
}

#endif

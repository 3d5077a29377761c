/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of what is stored: lru_crawler metadump and mgdump, and
 * stats cachedump. All are streams. */
#ifndef COMMAND_DUMP_H
#define COMMAND_DUMP_H

#include "src/command/thread.h"

/* Class numbers up to here are fine in a command, whether there is such a
 * class or not: memcached has no more, and scripts count up to them. */
#define DUMP_CLASSES_MIN 63u

enum dump_kind {
    DUMP_META, /* A line of metadata per item. */
    DUMP_MG,   /* A request that gets it. */
};

/* Answers with the items of these classes, or that it cannot. */
void dump_start(struct command_thread *thread, enum dump_kind kind,
                const struct engine_classes *classes, struct sink *out);

/* stats cachedump CLASS LIMIT; the words are what follows its name. */
void dump_cached(struct command_thread *thread, struct slice words,
                 struct sink *out);

/* The largest class number that a command may name. */
unsigned dump_class_max(const struct command_thread *thread);

#endif

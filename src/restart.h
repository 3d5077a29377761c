/* SPDX-License-Identifier: BSD-3-Clause */
/* Warm restart: an engine whose items lie in a file, and the state of its
 * replication, from one daemon to the next. */
#ifndef RESTART_H
#define RESTART_H

#include "src/base/clock.h"
#include "src/engine/engine.h"
#include "src/memory_file.h"

#include "replication/replication.h"

#define RESTART_WORDS_MAX MEMORY_FILE_WORDS_MAX

struct restart {
    struct memory_file file;
    bool open;
    bool warm;          /* The engine has the items of a former daemon. */
    struct slice saved; /* Of the replication; in the file's meta. */
};

/* Opens the file and makes the engine: with what a former daemon left there,
 * or empty, and says which. config is completed.
 * Gives: 0, or the status to exit with and a sentence in words; an engine that
 *        cannot be with that configuration is *error, without words. */
MUST_CHECK int restart_begin(struct restart *restart, const char *path,
                             const char *user, struct engine_config *config,
                             const struct clock *clock, struct engine **engine,
                             int *error, char words[RESTART_WORDS_MAX]);
/* What the former daemon left has been read. */
void restart_settled(struct restart *restart);
/* A warning when a graceful stop could not save. After the switch of users. */
void restart_check(const struct restart *restart);
/* Saves everything for the next daemon; all threads are gone. replication may
 * be NULL. Gives: 0, or the status to exit with; the log says why. */
int restart_save(struct restart *restart, struct engine *engine,
                 struct replication *replication, const struct clock *clock);
void restart_end(struct restart *restart);

#endif

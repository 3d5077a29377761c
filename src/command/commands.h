/* SPDX-License-Identifier: BSD-3-Clause */
/* What all sessions of a daemon share, and what each worker thread has of its
 * own. Made by main, used by the server through session.h. */
#ifndef COMMAND_COMMANDS_H
#define COMMAND_COMMANDS_H

#include "src/base/errand.h"
#include "src/base/error.h"
#include "src/base/metrics.h"
#include "src/engine/engine.h"

struct ack_policy;
struct authenticator;
struct commands;
struct command_thread;
struct fetches;

/* Reads the files of TLS again, in a worker's thread.
 * Errors: negative, and a sentence in words; all stays as it was. */
#define COMMANDS_WORDS_MAX 512
typedef int commands_refresh_fn(void *ctx, char words[COMMANDS_WORDS_MAX]);

typedef void commands_shut_down_fn(void *ctx, bool graceful);

/* Executes the words of a `repl` command, on another thread.
 * Owns: the errand, until it is done. */
typedef void commands_errand_fn(void *ctx, struct errand *errand);

struct commands_config {
    const char *version; /* For the reply to `version`; outlives us. */
    uint64_t item_bytes_max;
    bool cas_shown;        /* False with -C: gets shows 0, and every cas finds
                              another version. */
    bool flush_allowed;    /* False with -F. */
    bool dump_allowed;     /* False with --disable-dumping. */
    bool detail_on;        /* stats detail, from the start. */
    char prefix_delimiter; /* For stats detail; 0: a colon. */
    struct clock *clock;   /* What debugtime moves, where it is built in. */
    /* For refresh_certs; NULL: there is no TLS. */
    commands_refresh_fn *refresh_certs;
    void *refresh_ctx;
    /* Who clients have to prove to be; NULL: nobody in particular. Outlives
     * us. */
    const struct authenticator *authenticator;
    /* Which replies wait for the peer; NULL: none. Outlives us. */
    const struct ack_policy *ack;
    /* Where keys are fetched that are not here yet; NULL: nowhere. Outlives
     * us. */
    struct fetches *fetches;
    bool watch_allowed;  /* False with -W. */
    struct watch *watch; /* NULL: nobody can watch. */
    /* For shutdown, which returns while the daemon ends; NULL without -A. */
    commands_shut_down_fn *shut_down;
    void *shut_down_ctx;
    commands_errand_fn *repl; /* NULL: there is no replication. */
    void *repl_ctx;
};

/* Errors: NULL when memory is exhausted. */
struct commands *commands_new(struct engine *engine,
                              const struct commands_config *config);
void commands_free(struct commands **commands);

/* `stats GROUP` shows what the group's sources put; "" is plain `stats`, whose
 * lines come in memcached's order whatever the order of the sources. Several
 * sources per group are allowed, and where two put the same number in plain
 * `stats` it is added up. The commands' own counters are there from the
 * start; those of the engine and all others are for main to add.
 * Errors: -ERR_LIMIT.
 * Thread: before any thread runs. */
#define COMMAND_SOURCES_MAX 32
typedef void commands_stats_fn(void *ctx, struct stats_out *out);
MUST_CHECK int commands_add_stats(struct commands *commands, const char *group,
                                  commands_stats_fn *fn, void *ctx);
/* Whether stats detail is counted now. Thread: any. */
bool commands_detail_is_on(const struct commands *commands);
/* Called by `stats reset`. */
typedef void commands_reset_fn(void *ctx);
MUST_CHECK int commands_add_reset(struct commands *commands,
                                  commands_reset_fn *fn, void *ctx);

/* One per worker: its engine thread, counters, scratch for batches.
 * Errors: NULL when memory is exhausted. */
struct command_thread *command_thread_new(struct commands *commands);
void command_thread_free(struct command_thread **thread);

#endif

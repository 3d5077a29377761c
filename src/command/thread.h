/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sources of this layer know of each other: the shared part and the
 * part of each worker thread. */
#ifndef COMMAND_THREAD_H
#define COMMAND_THREAD_H

#include "src/base/fetch.h"
#include "src/base/lock.h"
#include "src/command/ack.h"
#include "src/command/command_metrics.h"
#include "src/command/commands.h"
#include "src/command/session.h"
#include "src/protocol/request.h"
#include "src/protocol/sink.h"

#define BATCH_MAX 32

/* One step of a batch: a request, or one key of a request with several. */
struct op {
    struct engine_key key;
    const char *value; /* All of it and its CRLF, where the verb has one. */
    size_t end;        /* Input taken once this is done. */
    size_t line_end;   /* Of the line it comes from. */
    uint32_t expires_at_s;
    unsigned char request; /* Index into the batch's requests. */
    bool last;             /* No more keys of this request. */
    bool turning; /* The session goes on in another state: the last op. */
};

/* Requests parsed ahead, so that the memory of one is fetched while another
 * is executed. Requests point to the input of one session_run(). */
struct batch {
    unsigned ops;
    unsigned requests;
    struct op op[BATCH_MAX];
    struct request request[BATCH_MAX];
};

struct detail;
struct stream;

/* Owner: its worker's thread; but the counters are read by any. */
struct command_thread {
    struct commands *commands;
    struct engine_thread *engine_thread;
    struct engine *engine;
    struct command_counters counters;
    struct command_thread *next; /* Under the lock of the commands. */
    struct stream *stream; /* Of the request being executed: stream_start(). */
    bool datagram;         /* That request came by UDP. */
    unsigned number;       /* 0 for the first thread, and so on. */
    bool ends;             /* It ends its session. */

    /* Of the session being run; see observe.h. */
    int fd;
    unsigned observed;
    struct engine_glimpse before; /* The key of the step being executed. */

    const struct ack_policy *ack; /* NULL: no reply waits for the peer. */
    bool awaited;                 /* One does, since this was last asked. */

    struct fetches *fetches; /* NULL: no key is ever fetched. */

    const struct watch_classes *watched;
    struct watch_ring *ring; /* The engine thread's; may be NULL. */
    command_wake_fn *wake;   /* NULL: nobody can be woken. */
    void *wake_ctx;
    struct batch batch;
};

struct stats_source {
    const char *group;
    commands_stats_fn *fn;
    void *ctx;
};

struct reset_source {
    commands_reset_fn *fn;
    void *ctx;
};

/* Immutable once threads run, but for what the lock protects. */
struct commands {
    struct engine *engine;
    struct commands_config config;
    _Atomic bool detail_on;   /* Written any time. */
    _Atomic unsigned errands; /* Sessions that wait for one; any time. */
    struct detail *detail;
    struct watch_classes unwatched;
    struct stats_source sources[COMMAND_SOURCES_MAX];
    size_t sources_count;
    struct reset_source resets[COMMAND_SOURCES_MAX];
    size_t resets_count;
    struct lock lock;
    struct command_thread *threads;
    unsigned threads_made;
    struct command_counters gone;  /* Of threads that are no more. */
    struct command_counters reset; /* Sums at the last reset. */
};

#endif

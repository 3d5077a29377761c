/* SPDX-License-Identifier: BSD-3-Clause */
/* All that a running daemon is made of. For main.c and what is beside it. */
#ifndef DAEMON_H
#define DAEMON_H

#include "src/base/clock.h"
#include "src/base/confirm.h"
#include "src/base/error.h"
#include "src/base/fetch.h"
#include "src/base/watch.h"
#include "src/command/ack.h"
#include "src/command/commands.h"
#include "src/engine/engine.h"
#include "src/options.h"
#include "src/restart.h"
#include "src/server/auth_file.h"
#include "src/server/sasl_users.h"
#include "src/server/server.h"
#include "src/tls/tls.h"

#include "replication/replication.h"

/* The first thread's, which starts and stops it all. What the other threads
 * use of it does not change while they run. */
struct daemon {
    struct options options;
    struct clock clock;
    uint64_t started_at_ns;
    struct watch *watch;
    struct restart restart; /* Without -e: nothing is open. */
    struct engine *engine;
    struct commands *commands;
    struct command_thread *threads[SERVER_THREADS_MAX];
    struct tls *tls;               /* NULL: without -Z. */
    struct tls *link_tls;          /* Of the peer; NULL: without. */
    struct auth_file *auth_file;   /* NULL: without -Y. */
    struct sasl_users *sasl_users; /* NULL: without -S. */
    struct ack_policy ack;
    struct confirm *confirm; /* NULL: no reply waits for the peer. */
    struct fetches *fetches; /* NULL: clients wait until we have the data. */
    struct server *server;
    struct replication *replication; /* NULL: a node without a peer. */
    struct endpoint peer_address;    /* Where it listens. */
    bool upkeep;                     /* The janitor runs. */
    bool replicating;                /* The replication's thread runs. */
    bool started;
    bool graceful;      /* The stop keeps what a next start may use. */
    bool calls_left;    /* To a name service that does not answer. */
    _Atomic int status; /* To exit with. */
};

/* What `stats` shows and resets, in daemon_stats.c. Before any thread runs. */
MUST_CHECK int daemon_register_stats(struct daemon *daemon);

#endif

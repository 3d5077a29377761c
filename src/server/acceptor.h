/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that accepts connections and deals them out to the workers. */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include "src/server/listener.h"
#include "src/server/napi_map.h"
#include "src/server/worker.h"

struct acceptor;

/* A listening socket, as its event sees it. */
struct acceptor_socket {
    struct event event;
    struct acceptor *acceptor;
    const struct listener *listener;
};

struct acceptor {
    /* Immutable after start. */
    struct listeners listeners;
    struct worker *const *workers;
    size_t worker_count;
    uint64_t connections_max;
    bool pause_at_limit;
    struct conn_census *census;
    const struct clock *clock;
    struct event_base *base;
    int wake_fd;
    pthread_t thread;

    /* The thread's own. */
    struct event wake_event;
    struct event retry_event;
    struct acceptor_socket sockets[SERVER_LISTENERS_MAX];
    size_t socket_count;
    size_t next_worker;
    struct napi_map napi;     /* Its max: at most the workers. */
    bool limited;             /* Paused at the limit, not for want of memory. */
    uint64_t paused_since_ns; /* When it was paused last. */
    struct server_counters counters; /* Read by any thread. */

    _Atomic bool open;   /* The sockets listen. */
    _Atomic bool paused; /* Nobody can be served at the moment. */
    _Atomic bool stop_asked;
};

/* Prepares what the thread needs. The caller has set listeners, workers,
 * connections_max, pause_at_limit, napi.max, census and clock.
 * Errors: -ERR_MEMORY, -ERR_SYSTEM. */
MUST_CHECK int acceptor_init(struct acceptor *acceptor);
void acceptor_fini(struct acceptor *acceptor);

MUST_CHECK int acceptor_start(struct acceptor *acceptor);
/* The sockets listen: accept from now on. Thread: any. */
void acceptor_open(struct acceptor *acceptor);
void acceptor_stop(struct acceptor *acceptor); /* Waits for its end. */

#endif

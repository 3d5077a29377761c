/* SPDX-License-Identifier: BSD-3-Clause */
/* A thread that serves connections: one event loop, one buffer to read into,
 * one sink to write from. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "src/base/clock.h"
#include "src/base/errand.h"
#include "src/base/error.h"
#include "src/base/fetch.h"
#include "src/base/lock.h"
#include "src/base/watch.h"
#include "src/command/session.h"
#include "src/server/census.h"
#include "src/server/conn.h"
#include "src/server/hold.h"
#include "src/server/idle_wheel.h"
#include "src/server/registry.h"
#include "src/server/server_metrics.h"
#include "src/server/tls_link.h"
#include "src/server/udp.h"

#include <pthread.h>
#include <sys/uio.h>

#define WORKER_INPUT_BYTES (64u * 1024)
#define WORKER_VECTORS_MAX 512

struct worker_config {
    const struct clock *clock;
    struct command_thread *commands;
    struct conn_census *census;
    struct registry *registry;
    const struct listeners *listeners;
    size_t index; /* Among the workers: which UDP sockets are its own. */
    size_t turn_requests_max;
    uint64_t stop_ns;
    uint32_t idle_timeout_s; /* 0: none. */
    uint64_t held_bytes_max; /* What its connections may hold; 0: any. */
    struct tls *tls;         /* NULL: none. */
    size_t tls_record_bytes;
    struct confirm *confirm; /* NULL: no reply waits for the peer. */
    uint64_t confirm_ns;     /* One that does waits so long at most. */
};

struct worker {
    /* Immutable after start. */
    const struct clock *clock;
    struct command_thread *commands;
    struct conn_census *census;
    struct registry *registry;
    size_t turn_requests_max;
    uint64_t stop_ns;
    uint64_t held_bytes_max;
    struct tls *tls; /* NULL: none. */
    struct event_base *base;
    int wake_fd;
    pthread_t thread;
    bool started; /* The thread is there; of whoever starts and joins it. */

    /* The worker's own. */
    struct event wake_event;
    struct sink *sink;
    char *input;             /* WORKER_INPUT_BYTES */
    struct tls_room records; /* Without TLS there is none. */
    struct idle_wheel wheel; /* Its connections. */
    struct event idle_event;
    struct udp_sockets udp;
    uint32_t now_s;      /* As of this round. */
    uint64_t held_bytes; /* By connections, between turns. Read by any. */
    struct conn *ready;  /* Those that gave way, first come first served. */
    struct conn **ready_tail;
    struct holds holds;
    struct conn *watchers[WATCH_WATCHERS_MAX];
    size_t watcher_count;
    struct conn *askers[ERRANDS_MAX + FETCHES_MAX];
    size_t asker_count;
    bool now_known; /* The time was set in this round of the loop. */
    bool stopping;
    struct server_counters counters; /* Read by any thread. */
    struct iovec vectors[WORKER_VECTORS_MAX];

    _Atomic bool lines_came; /* For those that watch or ask. Set by any. */

    /* Under lock. */
    struct lock lock;
    struct conn *arrivals;
    struct conn **arrivals_tail;
    bool open_asked;
    bool stop_asked;
};

/* Errors: NULL when memory or descriptors are exhausted. */
struct worker *worker_new(const struct worker_config *config);
void worker_free(struct worker **worker);

MUST_CHECK int worker_start(struct worker *worker);
/* UDP is served from now on. Thread: any. */
void worker_open(struct worker *worker);
/* Asks it to send what is pending and end; then waits until it has ended.
 * What is answered to it from then on is for nobody, but may be. */
void worker_ask_stop(struct worker *worker);
void worker_join(struct worker *worker);

/* Hands over a connection. Thread: any. Owns: the worker from now on. */
void worker_give(struct worker *worker, struct conn *conn);

/* ---- for connections, in the worker's thread ---- */

/* Before a session runs: sets the time, once per round. */
void worker_set_now(struct worker *worker);
/* Are others waiting for their turn in this round? */
bool worker_is_wanted(const struct worker *worker);
/* A connection holds so much more memory between its turns; false when that is
 * beyond the limit of all (read_buf_mem_limit), and it is not counted then. */
MUST_CHECK bool worker_hold_more(struct worker *worker, size_t size);
void worker_hold_less(struct worker *worker, size_t size);
/* It watches: conn_take_lines() comes with each line; until it ends. */
void worker_add_watcher(struct worker *worker, struct conn *conn);
void worker_remove_watcher(struct worker *worker, struct conn *conn);
/* It waits for an answer: conn_take_lines() comes when there may be one. */
void worker_add_asker(struct worker *worker, struct conn *conn);
void worker_remove_asker(struct worker *worker, struct conn *conn);
/* Gives way: conn_resume() comes when the others had their turn. */
void worker_queue(struct worker *worker, struct conn *conn);
/* It ends instead, in the turn in which it gave way. */
void worker_unqueue(struct worker *worker, struct conn *conn);

#endif

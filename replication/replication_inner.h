/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the daemon's replication share. */
#ifndef REPLICATION_REPLICATION_INNER_H
#define REPLICATION_REPLICATION_INNER_H

#include "replication/dialer.h"
#include "replication/doorman.h"
#include "replication/link.h"
#include "replication/listener.h"
#include "replication/node.h"
#include "replication/replication.h"
#include "src/base/clock.h"
#include "src/base/lock.h"

#include <uv.h>

#define REPLICATION_PEER_TEXT_MAX 280 /* A host name and its port. */

/* A command that has been begun and is not answered yet. */
struct order {
    struct errand *errand;
    enum node_progress (*progress)(const struct replication *replication,
                                   uint64_t now_ns);
    void (*done)(struct replication *replication, struct errand *errand);
};

struct replication {
    /* Immutable after start. */
    const struct clock *clock;
    struct node *node;
    char *peer_host; /* NULL: none. */
    char peer_text[REPLICATION_PEER_TEXT_MAX];
    char pair[MESSAGE_PAIR_NAME_MAX + 1];
    uint16_t peer_port, listen_port;
    bool listen_host_given;
    struct tls *tls; /* NULL: none. */
    uint64_t dead_ms;
    struct confirm *confirm; /* NULL: no client waits for the peer. */
    void (*serve)(void *ctx);
    void *serve_ctx;
    void (*leave)(void *ctx);
    void *leave_ctx;
    pthread_t thread;
    bool started;

    /* The replication thread's. */
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_poll_t wake;
    struct link links[NODE_LINKS_MAX];
    struct listener listener;
    struct dialer dialer;
    struct doorman doorman;
    uint64_t timer_ns;              /* What the timer is set to; 0: nothing. */
    uint64_t rate_ns, rate_changes; /* When so many changes were counted. */
    bool patient; /* So many that others may use the processor first. */
    bool dial_wanted;
    bool draining;
    struct order orders[ERRANDS_MAX];
    size_t orders_count;
    bool closing; /* Drained; the links part, then the loop ends. */

    /* Any thread's; immutable between start and end. */
    int wake_fd;
    _Atomic bool stop_wanted;

    /* Commands that came; under their lock. */
    struct lock errands_lock;
    struct errand *errands[ERRANDS_MAX];
    size_t errands_count;
    bool errands_closed; /* Nobody executes them any more. */

    /* The status, for whoever asks; under its lock. */
    struct lock status_lock;
    pthread_cond_t status_fresh;
    struct node_status status;
    char tls_text[TLS_ENGINE_TEXT_MAX]; /* What secures the link. */
    uint64_t status_asked, status_told; /* Numbers of questions. */
    bool running;
};

/* ---- replication_loop.c: the thread ---- */

/* What the node wants of us; ctx is the replication. */
extern const struct node_hooks replication_hooks;
/* Errors: -ERR_SYSTEM. */
MUST_CHECK int replication_loop_init(struct replication *replication);
/* Of a loop that does not run, or whose thread has ended. False when something
 * that cannot be called off still uses it. */
MUST_CHECK bool replication_loop_fini(struct replication *replication);
void *replication_loop_run(void *replication);
void replication_wake(void *replication);

/* ---- replication_orders.c ---- */

void replication_orders_init(struct replication *replication);
void replication_orders_fini(struct replication *replication);
/* Begins what came, answers what is done. */
void replication_orders_turn(struct replication *replication, uint64_t now_ns);
/* The thread ends: what is left is answered. */
void replication_orders_end(struct replication *replication);

/* ---- replication_stats.c ---- */

extern const char *const replication_role_words[];
extern const char *const replication_state_words[];
extern const char *const replication_resync_words[];
/* Thread: the replication's. */
void replication_status(const struct replication *replication, uint64_t now_ns,
                        struct node_status *out);

MUST_CHECK int replication_status_init(struct replication *replication);
void replication_status_fini(struct replication *replication);
/* Answers those who ask. */
void replication_status_tell(struct replication *replication, uint64_t now_ns);
/* From now on nobody needs to wait for an answer. */
void replication_status_end(struct replication *replication, uint64_t now_ns);

#endif

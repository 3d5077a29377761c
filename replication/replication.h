/* SPDX-License-Identifier: BSD-3-Clause */
/* The replication of a daemon: a thread with a libuv loop that runs a node
 * (node.h) on real sockets. */
#ifndef REPLICATION_REPLICATION_H
#define REPLICATION_REPLICATION_H

#include "src/base/errand.h"
#include "src/base/error.h"
#include "src/base/metrics.h"
#include "src/base/slice.h"
#include "src/engine/engine.h"
#include "src/tls/tls.h"

#define REPLICATION_PORT_DEFAULT 11212
#define REPLICATION_ALPN "twin-repl/1" /* What is spoken inside of TLS. */

struct replication;

struct replication_config {
    struct engine *engine;
    const struct clock *clock;
    const char *peer_host; /* Name or address, -x; NULL: none. Resolved at
                              start and again at every dial. */
    uint16_t peer_port;
    const char *listen_host; /* -l; NULL: all addresses. */
    uint16_t listen_port;    /* 0: any free one (see replication_port()). */
    const char *pair;
    struct tls *tls; /* Of a peer, outlives the replication; NULL: without. */
    uint64_t item_bytes_max;
    uint64_t memory_bytes; /* -m, from which the limits below follow when 0. */
    size_t ring_bytes;
    size_t ring_bytes_min; /* -q: at least so much. */
    size_t tombstones_max;
    uint64_t dead_ms;  /* 0: 1000. */
    uint64_t drain_ms; /* 0: 5000. */
    /* Warm restart: the engine has the items of a former daemon, which saved
     * that; empty when it had no replication. */
    bool warm;
    struct slice saved;
    /* Where those wait whose replies are to be confirmed by the peer first, and
     * how long at most; NULL: nobody does. Outlives the replication. */
    struct confirm *confirm;
    uint64_t confirm_ms;
    /* For clients of a node that has no data yet; NULL: they come when it has.
     * Outlives the replication. */
    struct fetches *fetches;
    /* Called once, on the replication thread, when clients may come. */
    void (*serve)(void *ctx);
    void *serve_ctx;
    /* Ends the daemon in the way of SIGTERM, from another thread, for
     * `handoff`; NULL: clients may not. */
    void (*leave)(void *ctx);
    void *leave_ctx;
};

#define REPLICATION_WORDS_MAX 256

/* Checks the configuration, resolves the peer, chooses the engine's node bit,
 * sets its journal; before the engine's threads run. What config points to is
 * needed by the call alone, but for the engine and the clock.
 * Errors: negative, and a sentence for the operator in words.
 * Owns:   caller owns *out until replication_free(). */
MUST_CHECK int replication_new(const struct replication_config *config,
                               struct replication **out,
                               char words[REPLICATION_WORDS_MAX]);
/* Starts the thread.
 * Errors: -ERR_SYSTEM. */
MUST_CHECK int replication_start(struct replication *replication);
/* Drains (bounded by drain_ms) and ends the thread. Statistics stay. */
void replication_stop(struct replication *replication);
/* Stops it first if need be. The engine's threads are gone before: its journal
 * goes with it. False when a name service has not answered yet: a thread of
 * libuv still waits for it, and exit() would wait for that one. */
bool replication_free(struct replication **replication);

/* What the next daemon needs to go on with this one's data, so long. It is
 * stopped, and good for replication_free() alone then. */
size_t replication_save_bytes(struct replication *replication);
void replication_save(struct replication *replication, struct writer *out);

/* Executes the words behind `repl`:
 *
 *   status                 lines about the pair, then END
 *   pause, resume          shipping to the peer
 *   resync [full|delta|digest]  answered when the peer has confirmed it
 *   verify [repair]        answered with what differs
 *   handoff                answered when the peer has everything; the daemon
 *                          then stops
 *
 * The answer is OK, or SERVER_ERROR and why not.
 * Owns:   the errand. Thread: any. */
void replication_ask(struct replication *replication, struct errand *errand);

/* The port it listens on, or will. */
uint16_t replication_port(const struct replication *replication);

/* The lines of `stats replication`; and repcached's three of plain `stats`.
 * They are of this moment; when the replication thread cannot say within a
 * tenth of a second, of the last time that it did.
 * Thread: any, without a lock. */
void replication_stats(struct replication *replication, struct stats_out *out);
void replication_stats_repcached(struct replication *replication,
                                 struct stats_out *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The client port: one thread accepts, worker threads serve. Each worker has
 * one buffer to read into and one sink to write from, shared by all of its
 * connections, so that an idle connection holds neither.
 *
 *   new -> bind -> start -> open -> ... -> stop -> free
 *
 * bind and open are apart because the port of a node that still gets its data
 * from the peer stays closed, yet a port that somebody else has must be known
 * when the daemon starts. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "src/base/clock.h"
#include "src/base/error.h"
#include "src/base/metrics.h"
#include "src/command/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERVER_THREADS_MAX 256
#define SERVER_LISTENERS_MAX 64
#define SERVER_WORDS_MAX 512
/* Descriptors beyond those of clients: each thread's (its epoll, its eventfd,
 * libevent's pipe) and the program's. */
#define SERVER_THREAD_FDS 4
#define SERVER_THREAD_UDP_FDS 2 /* With UDP, by IPv4 and IPv6. */
#define SERVER_OTHER_FDS 64

struct command_thread;
struct confirm;
struct server;
struct tls;

enum listener_kind {
    LISTENER_TCP,
    LISTENER_UDP,
    LISTENER_UNIX,
};

struct server_config {
    const struct clock *clock;
    const char *version; /* As `stats` shows it. */
    /* One for each worker. Borrowed until server_stop(). */
    struct command_thread *const *command_threads;
    unsigned threads; /* 1..SERVER_THREADS_MAX */
    /* Addresses, several in one text after commas; none: all of this host. */
    const char *const *listen;
    size_t listen_count;
    int port;              /* 1..65535; 0: no TCP; below: any free one. */
    int udp_port;          /* The same for UDP. */
    const char *unix_path; /* NULL: no UNIX socket. */
    unsigned unix_mode;    /* Its permissions. */
    int backlog;
    uint64_t connections_max;
    size_t turn_requests_max; /* -R */
    struct session_config sessions;
    bool pause_at_limit;     /* Instead of telling one client too many so. */
    uint32_t idle_timeout_s; /* 0: none. */
    uint64_t held_bytes_max; /* By slow clients, in all; 0: any. */
    unsigned napi_ids;       /* -N; 0: connections are dealt in turn. */
    uint32_t socket_mark;    /* sock_cookie_id; 0: none. */
    uint64_t stop_ms;        /* How long a stop waits for slow readers. */
    struct tls *tls; /* Of the TCP ports; NULL: none. Borrowed until free. */
    size_t tls_record_bytes; /* Replies are gathered up to this; at least 1. */
    /* For replies that wait for the peer, and how long at most; NULL: none
     * does. Outlives us. */
    struct confirm *confirm;
    uint64_t confirm_ms;
};

/* Copies nothing of the config but the struct: texts and arrays stay the
 * caller's and outlive the server.
 * Errors: -ERR_MEMORY, -ERR_SYSTEM. Owns: caller, until server_free(). */
MUST_CHECK int server_new(const struct server_config *config,
                          struct server **out);
void server_free(struct server **server);

/* Takes the addresses, but refuses clients until server_open().
 * Errors: negative, and a sentence for the operator in words. */
MUST_CHECK int server_bind(struct server *server, char words[SERVER_WORDS_MAX]);
/* Starts the threads. Signals that are blocked here are blocked in them.
 * Errors: -ERR_SYSTEM, -ERR_MEMORY; then nothing runs. */
MUST_CHECK int server_start(struct server *server);
/* Lets clients in. After server_start(); without effect once it is stopped.
 * Errors: -ERR_SYSTEM: another program got the port meanwhile; in words.
 * Thread: any, once. */
MUST_CHECK int server_open(struct server *server, char words[SERVER_WORDS_MAX]);
/* Closes the port, sends what is under way (bounded by stop_ms), closes the
 * connections, ends the threads. Accepts a server that was not started, or is
 * stopped. What clients had asked of other threads may still be answered: who
 * may do so ends before server_free(). */
void server_stop(struct server *server);

/* A bound socket. */
struct server_address {
    enum listener_kind kind;
    bool ipv6;
    uint16_t port;    /* 0 for a UNIX socket. */
    const char *path; /* Of a UNIX socket, else NULL. */
};

/* Each of them. Thread: after server_bind(). */
typedef void server_address_fn(void *ctx, const struct server_address *address);
void server_addresses(const struct server *server, server_address_fn *fn,
                      void *ctx);

/* The server's lines of plain `stats`. Thread: any. */
void server_stats(struct server *server, struct stats_out *out);
void server_stats_reset(struct server *server);
/* The lines of `stats conns`: every socket and what it does. */
void server_stats_conns(struct server *server, struct stats_out *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that clients connect to. Bound at start, listening when the node is
 * ready. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "src/server/listener_spec.h"

#include <sys/types.h>

/* The file of a UNIX socket. */
struct listener_file {
    char *path; /* Absolute. */
    ino_t inode;
};

/* Immutable once bound. Its connections point to it and end before it does. */
struct listener {
    enum listener_kind kind;
    int fd;
    int *fds; /* UDP: one for each worker, fd the first; else NULL. */
    size_t fds_count;
    bool ipv6;
    uint16_t port;             /* As bound; 0 for a UNIX socket. */
    struct listener_file file; /* UNIX only. */
    struct listener_spec spec;
    struct session_config session; /* Of all who come in here. */
};

struct listeners {
    struct listener at[SERVER_LISTENERS_MAX];
    size_t count;
};

/* What all sockets of a kind have in common. */
struct listener_defaults {
    enum listener_kind kind; /* TCP or UDP. */
    int port;                /* Below 0: any free one. */
    size_t threads;          /* UDP: sockets for each address. */
    uint32_t mark;           /* sock_cookie_id; 0: none. */
    bool tls;                /* -Z, without which no entry may speak of it. */
    struct session_config session;
};

/* Binds every address of one -l text (several after commas), or, for NULL,
 * every address of this host. What is bound already is not bound again.
 * Errors: negative, with words; what was bound stays in listeners. */
MUST_CHECK int listeners_bind(struct listeners *listeners, const char *text,
                              const struct listener_defaults *defaults,
                              char words[SERVER_WORDS_MAX]);
/* From now on the kernel accepts connections.
 * Errors: -ERR_SYSTEM, with words. */
MUST_CHECK int listeners_open(struct listeners *listeners, int backlog,
                              char words[SERVER_WORDS_MAX]);
/* How many sockets they are. */
size_t listeners_sockets(const struct listeners *listeners);
/* Closes what accepts. */
void listeners_close(struct listeners *listeners);
/* Closes all of it, when nobody uses it any more. */
void listeners_fini(struct listeners *listeners);

#endif

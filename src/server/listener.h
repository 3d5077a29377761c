/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that clients connect to. Bound at start, listening when the node is
 * ready. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "src/server/listener_spec.h"

enum listener_kind {
    LISTENER_TCP,
    LISTENER_UDP,
    LISTENER_UNIX,
};

/* Immutable once bound. Its connections point to it and end before it does. */
struct listener {
    enum listener_kind kind;
    int fd;
    bool ipv6;
    uint16_t port; /* As bound. */
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
    int port;                /* 0 or below: any free one. */
    struct session_config session;
};

/* Binds every address of one -l text (several after commas), or, for NULL,
 * every address of this host. What is bound already is not bound again.
 * Errors: negative, with words; what was bound stays in listeners. */
MUST_CHECK int listeners_bind(struct listeners *listeners, const char *text,
                              const struct listener_defaults *defaults,
                              char words[SERVER_WORDS_MAX]);
/* From now on the kernel accepts. Errors: -ERR_SYSTEM, with words. */
MUST_CHECK int listeners_open(struct listeners *listeners, int backlog,
                              char words[SERVER_WORDS_MAX]);
void listeners_close(struct listeners *listeners);

#endif

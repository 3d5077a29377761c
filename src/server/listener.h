/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that clients connect to. Bound at start, listening when the node is
 * ready. */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include "src/server/server.h"

struct listener {
    int fd;
    bool ipv6;
    uint16_t port; /* As bound. */
};

struct listeners {
    struct listener at[SERVER_LISTENERS_MAX];
    size_t count;
};

/* Binds every address of one -l text (several after commas), or, for NULL,
 * every address of this host.
 * Errors: negative, with words; what was bound stays in listeners. */
MUST_CHECK int listeners_bind(struct listeners *listeners, const char *text,
                              int port, char words[SERVER_WORDS_MAX]);
/* From now on the kernel accepts. Errors: -ERR_SYSTEM, with words. */
MUST_CHECK int listeners_open(struct listeners *listeners, int backlog,
                              char words[SERVER_WORDS_MAX]);
void listeners_close(struct listeners *listeners);

#endif

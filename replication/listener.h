/* SPDX-License-Identifier: BSD-3-Clause */
/* The replication port: its sockets, one for each address. */
#ifndef REPLICATION_LISTENER_H
#define REPLICATION_LISTENER_H

#include "replication/address.h"

#include <uv.h>

struct listener;

struct listener_socket {
    uv_poll_t poll;
    struct listener *listener;
    int fd;
    enum { LISTENER_FREE, LISTENER_OPEN, LISTENER_CLOSING } state;
};

/* Owned by the replication thread. */
struct listener {
    uv_loop_t *loop;
    struct address_list addresses; /* With the port. */
    struct listener_socket sockets[ADDRESSES_MAX];
    /* Somebody connected; owns fd from then on. */
    void (*accepted)(void *ctx, int fd, const struct address *from);
    void *ctx;
    bool open;
    bool told_busy; /* Logged once, until it opens. */
    bool paused;    /* No file descriptors: until listener_resume(). */
};

/* Errors: -ERR_BUSY: the port is somebody else's now; -ERR_SYSTEM. Nothing is
 *         open then. */
MUST_CHECK int listener_open(struct listener *listener);
void listener_close(struct listener *listener);
/* To be called now and then. */
void listener_resume(struct listener *listener);

/* A port that is free now on all the addresses, for port 0.
 * Errors: -ERR_SYSTEM. */
MUST_CHECK int listener_find_port(const struct address_list *addresses,
                                  uint16_t *port);

#endif

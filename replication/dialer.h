/* SPDX-License-Identifier: BSD-3-Clause */
/* Connects to the peer: looks its name up anew each time, and tries all its
 * addresses. */
#ifndef REPLICATION_DIALER_H
#define REPLICATION_DIALER_H

#include "replication/address.h"

#include <uv.h>

#define DIALER_WAIT_MS 1000u        /* For all of the first dial... */
#define DIALER_RETRY_WAIT_MS 500u   /* ...and of each later one, at least. */
#define DIALER_ADDRESS_WAIT_MS 250u /* For one address, at least. */

/* Owned by the replication thread. */
struct dialer {
    uv_loop_t *loop;
    const char *host; /* NULL: nobody is dialed. */
    uint16_t port;
    const struct address_list *sources; /* Where we listen; NULL: anywhere. */
    /* The end of a dial: a socket, whose owner ctx becomes; or -1 and why. */
    void (*done)(void *ctx, int fd, const char *why);
    /* The peer's addresses, whenever they were looked up. */
    void (*resolved)(void *ctx, const struct address_list *addresses);
    void *ctx;

    enum {
        DIALER_IDLE,
        DIALER_RESOLVING,
        DIALER_CONNECTING,
        DIALER_CLOSING, /* An attempt ends; another, or the end, follows. */
    } state;
    bool resolving; /* The name service is slow; it may outlive a dial. */
    bool stopped;
    uv_getaddrinfo_t lookup;
    uv_timer_t timer;
    uv_poll_t poll;
    struct address_list addresses;
    size_t next; /* Of addresses. */
    /* Of this dial. When a network heals, the first packet of a dial that
     * began before is lost, and comes again only after a second: the next dial
     * is faster. The first is worth more patience, as its end opens an empty
     * node to clients. */
    unsigned wait_ms;
    unsigned retry_wait_ms; /* Of the next ones. */
    int fd;
    bool connected;
    const char *why;
};

/* Errors: -ERR_SYSTEM. */
MUST_CHECK int dialer_init(struct dialer *dialer);
/* Not while one is under way. done() is never called from inside. */
void dialer_start(struct dialer *dialer);
/* Ends everything; done() will not be called any more. */
void dialer_stop(struct dialer *dialer);
/* Nothing of it is left in the loop but its timer, which is closed. */
bool dialer_stopped(const struct dialer *dialer);

#endif

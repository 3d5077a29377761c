/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS of one connection, over a socket that never blocks. Reading and writing
 * look like recv() and send(): bytes, or -1 and errno, EAGAIN when the socket
 * has to be waited for, EPROTO when the client broke the protocol.
 *
 *   new -> shake, until it is done -> read, write ... -> free
 *
 * Thread: the worker that owns the connection. */
#ifndef SERVER_TLS_LINK_H
#define SERVER_TLS_LINK_H

#include "src/server/listener_spec.h"
#include "src/tls/tls.h"

#include <sys/types.h>
#include <sys/uio.h>

struct tls_link;

/* Where a worker gathers replies into records (ssl_wbuf_size). */
struct tls_room {
    char *data;
    size_t size;
};

enum tls_shaken {
    TLS_SHAKEN,       /* Requests may come, and may be there already. */
    TLS_SHAKES,       /* Wait for the socket. */
    TLS_SHAKE_FAILED, /* tls_link_words() says why. */
    TLS_SHAKE_LEFT,   /* The client left before it said anything. */
};

/* now_s: only to be told again, by tls_link_began_s().
 * Errors: NULL when memory is exhausted. Owns: caller; fd is borrowed. */
struct tls_link *tls_link_new(struct tls *tls, enum listener_tls mode, int fd,
                              uint32_t now_s);
/* Says goodbye to the client if there is a conversation, without waiting. */
void tls_link_free(struct tls_link **link);

/* The next step of the handshake. */
enum tls_shaken tls_link_shake(struct tls_link *link);
bool tls_link_is_shaken(const struct tls_link *link);
uint32_t tls_link_began_s(const struct tls_link *link);
/* A full handshake: the client did not resume a session. */
bool tls_link_is_new(const struct tls_link *link);
/* The kernel encrypts what is sent. */
bool tls_link_is_by_kernel(const struct tls_link *link);

/* Fills as much as has come; 0: the client will send no more. */
ssize_t tls_link_read(struct tls_link *link, char *data, size_t size);
ssize_t tls_link_readv(struct tls_link *link, const struct iovec *vectors,
                       size_t count);
/* What was not taken must come again, at the front of the next call. */
ssize_t tls_link_write(struct tls_link *link, const struct tls_room *room,
                       const struct iovec *vectors, size_t count);

/* There are bytes of which the socket knows nothing any more. */
bool tls_link_has_input(const struct tls_link *link);
/* Is the socket to be waited for to be writable? writes: what the connection
 * would wait for itself. */
bool tls_link_waits_to_write(const struct tls_link *link, bool writes);
/* Why the link is at its end. */
const char *tls_link_words(const struct tls_link *link);

#endif

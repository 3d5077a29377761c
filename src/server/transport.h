/* SPDX-License-Identifier: BSD-3-Clause */
/* Between a connection and its socket. A plain one calls the system as if
 * nothing were between; one with TLS goes by OpenSSL.
 *
 * Errors: as the system's, in errno; of TLS only EPROTO comes on top, counted
 *         and told already. */
#ifndef SERVER_TRANSPORT_H
#define SERVER_TRANSPORT_H

#include "src/base/invariant.h"
#include "src/server/conn.h"
#include "src/server/tls_link.h"

#include <sys/socket.h>

/* A client that does not come to an end of its handshake is given up after
 * this, or after twice as long when it dribbles. */
#define TRANSPORT_SHAKE_S 10

/* At the start of a connection: TLS if its listener has it.
 * Errors: -ERR_MEMORY. */
MUST_CHECK int transport_open(struct conn *conn);
void transport_close(struct conn *conn);

/* The handshake goes on, or is given up because it took too long. A failure is
 * counted and told. */
enum tls_shaken transport_shake(struct conn *conn, bool too_long);
/* How long to wait for the socket; NULL: for ever. */
const struct timeval *transport_patience(const struct conn *conn);

ssize_t transport_read_tls(struct conn *conn, char *data, size_t size);
ssize_t transport_readv_tls(struct conn *conn, const struct iovec *vectors,
                            size_t count);
ssize_t transport_write_tls(struct conn *conn, const struct iovec *vectors,
                            size_t count);

static inline bool transport_is_shaken(const struct conn *conn)
{
    return LIKELY(conn->tls == NULL) || tls_link_is_shaken(conn->tls);
}

static inline ssize_t transport_read(struct conn *conn, char *data, size_t size)
{
    if (UNLIKELY(conn->tls != NULL))
        return transport_read_tls(conn, data, size);
    return recv(conn->fd, data, size, 0);
}

static inline ssize_t transport_readv(struct conn *conn,
                                      const struct iovec *vectors, size_t count)
{
    if (UNLIKELY(conn->tls != NULL))
        return transport_readv_tls(conn, vectors, count);
    return readv(conn->fd, vectors, (int)count);
}

static inline ssize_t transport_write(struct conn *conn, struct iovec *vectors,
                                      size_t count)
{
    const struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};

    if (UNLIKELY(conn->tls != NULL))
        return transport_write_tls(conn, vectors, count);
    if (count == 1)
        return send(conn->fd, vectors[0].iov_base, vectors[0].iov_len,
                    MSG_NOSIGNAL);
    return sendmsg(conn->fd, &message, MSG_NOSIGNAL);
}

#endif

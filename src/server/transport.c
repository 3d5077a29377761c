/* SPDX-License-Identifier: BSD-3-Clause */
/* What a connection with TLS does beside reading and writing: its beginning,
 * its end, and the one place where its errors are known. */
#include "src/server/transport.h"

#include "src/base/log.h"
#include "src/server/conn_events.h"
#include "src/server/listener.h"
#include "src/server/worker.h"

#include <errno.h>

/* ---- errors ---- */

static void tell_handshake_error(struct conn *conn, const char *words)
{
    METRIC_UP(conn->worker->counters.ssl_handshake_errors);
    log_v(LOG_LEVEL_V, "<%d TLS handshake failed: %s", conn->fd, words);
    conn_events_tls(conn, words);
}

static ssize_t check(struct conn *conn, ssize_t size)
{
    int saved = errno;

    if (size >= 0 || saved != EPROTO)
        return size;
    METRIC_UP(conn->worker->counters.ssl_proto_errors);
    log_v(LOG_LEVEL_V, "<%d TLS error: %s", conn->fd,
          tls_link_words(conn->tls));
    conn_events_tls(conn, tls_link_words(conn->tls));
    errno = saved;
    return size;
}

/* ---- life ---- */

static bool has_tls(const struct conn *conn)
{
    return conn->worker->tls != NULL && conn->listener->kind == LISTENER_TCP &&
           conn->listener->spec.tls != LISTENER_TLS_OFF;
}

int transport_open(struct conn *conn)
{
    if (LIKELY(!has_tls(conn)))
        return 0;
    conn->tls = tls_link_new(conn->worker->tls, conn->listener->spec.tls,
                             conn->fd, conn->worker->now_s);
    return conn->tls != NULL ? 0 : -ERR_MEMORY;
}

void transport_close(struct conn *conn)
{
    if (UNLIKELY(conn->tls != NULL))
        tls_link_free(&conn->tls);
}

/* ---- handshake ---- */

const struct timeval *transport_patience(const struct conn *conn)
{
    static const struct timeval limit = {.tv_sec = TRANSPORT_SHAKE_S};

    return transport_is_shaken(conn) ? NULL : &limit;
}

/* The timer runs since the client was last heard, so the whole is looked at
 * too: since the connection came nothing but this has happened. */
static bool is_too_late(const struct conn *conn)
{
    return conn->worker->now_s - tls_link_began_s(conn->tls) >
           TRANSPORT_SHAKE_S;
}

static void note_shaken(struct conn *conn)
{
    if (tls_link_is_new(conn->tls))
        METRIC_UP(conn->worker->counters.ssl_new_sessions);
    if (!tls_link_is_by_kernel(conn->tls))
        tls_tell_no_kernel(conn->worker->tls);
}

enum tls_shaken transport_shake(struct conn *conn, bool too_long)
{
    enum tls_shaken shaken;

    if (too_long || is_too_late(conn)) {
        tell_handshake_error(conn, "it took too long");
        return TLS_SHAKE_FAILED;
    }
    shaken = tls_link_shake(conn->tls);
    if (shaken == TLS_SHAKE_FAILED)
        tell_handshake_error(conn, tls_link_words(conn->tls));
    if (shaken == TLS_SHAKEN)
        note_shaken(conn);
    return shaken;
}

/* ---- bytes ---- */

ssize_t transport_read_tls(struct conn *conn, char *data, size_t size)
{
    return check(conn, tls_link_read(conn->tls, data, size));
}

ssize_t transport_readv_tls(struct conn *conn, const struct iovec *vectors,
                            size_t count)
{
    return check(conn, tls_link_readv(conn->tls, vectors, count));
}

ssize_t transport_write_tls(struct conn *conn, const struct iovec *vectors,
                            size_t count)
{
    return check(conn, tls_link_write(conn->tls, &conn->worker->records,
                                      vectors, count));
}

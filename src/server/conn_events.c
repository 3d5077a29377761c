/* SPDX-License-Identifier: BSD-3-Clause */
/* The words are memcached's. The kernel is asked for the client's address only
 * when somebody watches; it has none of a client that broke the connection. */
#include "src/server/conn_events.h"

#include "src/base/invariant.h"
#include "src/base/watch.h"
#include "src/server/listener.h"
#include "src/server/worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct origin {
    char host[INET6_ADDRSTRLEN];
    unsigned port;
    const char *transport;
};

static void name_inet(struct origin *origin,
                      const struct sockaddr_storage *address)
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *in6 = (const void *)address;
    bool is_six = address->ss_family == AF_INET6;
    const void *host =
        is_six ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr;

    (void)inet_ntop(address->ss_family, host, origin->host,
                    sizeof(origin->host));
    origin->port = ntohs(is_six ? in6->sin6_port : in->sin_port);
}

static struct origin origin_of(const struct conn *conn)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    struct origin origin = {.host = "unknown", .transport = "tcp"};

    if (conn->listener->kind == LISTENER_UNIX)
        return (struct origin){.host = "unix", .transport = "local"};
    if (getpeername(conn->fd, (struct sockaddr *)&address, &size) == 0 &&
        (address.ss_family == AF_INET || address.ss_family == AF_INET6))
        name_inet(&origin, &address);
    return origin;
}

static bool is_watched(const struct conn *conn)
{
    const struct command_thread *thread = conn->worker->commands;

    return UNLIKELY(watch_wanted(command_thread_watched(thread)) &
                    WATCH_CONNEVENTS);
}

static struct watch_ring *ring_of(const struct conn *conn)
{
    return command_thread_ring(conn->worker->commands);
}

void conn_events_begin(const struct conn *conn)
{
    struct origin origin;

    if (!is_watched(conn))
        return;
    origin = origin_of(conn);
    watch_line(ring_of(conn), WATCH_CONNEVENTS,
               "type=conn_new rip=%s rport=%u transport=%s cfd=%d", origin.host,
               origin.port, origin.transport, conn->fd);
}

static const char *word_of(enum conn_end reason)
{
    switch (reason) {
    case CONN_END_NORMAL:
        return "normal";
    case CONN_END_ERROR:
        return "error";
    case CONN_END_IDLE:
        return "idle_timeout";
    case CONN_END_SHUTDOWN:
        return "shutdown";
    }
    return "normal";
}

void conn_events_end(const struct conn *conn, enum conn_end reason)
{
    struct origin origin;

    if (!is_watched(conn))
        return;
    origin = origin_of(conn);
    watch_line(ring_of(conn), WATCH_CONNEVENTS,
               "type=conn_close rip=%s rport=%u transport=%s reason=%s cfd=%d",
               origin.host, origin.port, origin.transport, word_of(reason),
               conn->fd);
}

void conn_events_tls(const struct conn *conn, const char *words)
{
    if (is_watched(conn))
        watch_line(ring_of(conn), WATCH_CONNEVENTS,
                   "type=conntlserr fd=%d msg=%s", conn->fd, words);
}

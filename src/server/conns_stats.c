/* SPDX-License-Identifier: BSD-3-Clause */
/* `stats conns`: sockets that listen, those of UDP, then the connections, each
 * by its descriptor and in memcached's words. */
#include "src/base/invariant.h"
#include "src/server/server_inner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#define NAME_MAX_BYTES 64
#define ADDRESS_MAX_BYTES (sizeof(struct sockaddr_un) + INET6_ADDRSTRLEN)

struct view {
    struct stats_out *out;
    uint32_t now_s;
};

/* ---- addresses ---- */

static void write_inet(const struct sockaddr_storage *address, const char *kind,
                       char out[ADDRESS_MAX_BYTES])
{
    const struct sockaddr_in *in = (const void *)address;
    char host[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
    (void)snprintf(out, ADDRESS_MAX_BYTES, "%s:%s:%u", kind, host,
                   ntohs(in->sin_port));
}

static void write_inet6(const struct sockaddr_storage *address,
                        const char *kind, char out[ADDRESS_MAX_BYTES])
{
    const struct sockaddr_in6 *in6 = (const void *)address;
    char host[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
    (void)snprintf(out, ADDRESS_MAX_BYTES, "%s6:[%s]:%u", kind, host,
                   ntohs(in6->sin6_port));
}

/* Clients of a UNIX socket mostly have no name. */
static void write_unix(const struct sockaddr_storage *address, socklen_t size,
                       char out[ADDRESS_MAX_BYTES])
{
    const struct sockaddr_un *un = (const void *)address;
    size_t path_size = size > offsetof(struct sockaddr_un, sun_path)
                           ? size - offsetof(struct sockaddr_un, sun_path)
                           : 0;

    if (path_size == 0 || un->sun_path[0] == '\0')
        (void)snprintf(out, ADDRESS_MAX_BYTES, "unix:<AF 0>");
    else
        (void)snprintf(out, ADDRESS_MAX_BYTES, "unix:%.*s", (int)path_size,
                       un->sun_path);
}

static void write_address(const struct sockaddr_storage *address,
                          socklen_t size, enum listener_kind kind,
                          char out[ADDRESS_MAX_BYTES])
{
    const char *word = kind == LISTENER_UDP ? "udp" : "tcp";

    if (kind == LISTENER_UNIX)
        write_unix(address, size, out);
    else if (address->ss_family == AF_INET6)
        write_inet6(address, word, out);
    else
        write_inet(address, word, out);
}

typedef int name_fn(int fd, struct sockaddr *address, socklen_t *size);

/* As the kernel knows it, from getsockname() or getpeername(). */
static void put_address(struct stats_out *out, int fd, const char *field,
                        name_fn *ask, enum listener_kind kind)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);
    char name[NAME_MAX_BYTES];
    char text[ADDRESS_MAX_BYTES] = "";

    (void)snprintf(name, sizeof(name), "%d:%s", fd, field);
    if (ask(fd, (struct sockaddr *)&address, &size) == 0)
        write_address(&address, size, kind, text);
    out->put(out, name, text);
}

/* ---- lines ---- */

static void put_field(struct stats_out *out, int fd, const char *field,
                      const char *value)
{
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof(name), "%d:%s", fd, field);
    out->put(out, name, value);
}

static void put_since(const struct view *view, int fd, uint32_t active_s)
{
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof(name), "%d:secs_since_last_cmd", fd);
    stats_put_u64(view->out, name,
                  view->now_s > active_s ? view->now_s - active_s : 0);
}

static void put_listener(const struct view *view,
                         const struct listener *listener, uint32_t started_s)
{
    put_address(view->out, listener->fd, "addr", getsockname, listener->kind);
    put_field(view->out, listener->fd, "state", "conn_listening");
    put_since(view, listener->fd, started_s);
}

static void put_udp(const struct view *view, const struct udp_socket *udp)
{
    put_field(view->out, udp->fd, "UDP", "UDP");
    put_address(view->out, udp->fd, "addr", getsockname, LISTENER_UDP);
    put_field(view->out, udp->fd, "state", "conn_read");
    put_since(view, udp->fd, __atomic_load_n(&udp->active_s, __ATOMIC_RELAXED));
}

/* Replies that wait are gathered: they count as one. */
static void put_conn(void *ctx, const struct conn *conn)
{
    static const char *const words[] = {
#define X(name, word) [CONN_STATE_##name] = (word),
        CONN_STATES(X)
#undef X
    };
    const struct view *view = ctx;
    unsigned char state = __atomic_load_n(&conn->state, __ATOMIC_RELAXED);
    enum listener_kind kind = conn->listener->kind;

    INVARIANT(state < COUNT_OF(words));
    put_address(view->out, conn->fd, "addr", getpeername, kind);
    put_address(view->out, conn->fd, "listen_addr", getsockname, kind);
    put_field(view->out, conn->fd, "state", words[state]);
    if (state == CONN_STATE_WRITE)
        put_field(view->out, conn->fd, "resps_waiting", "1");
    put_since(view, conn->fd,
              __atomic_load_n(&conn->active_s, __ATOMIC_RELAXED));
}

static void put_sockets(struct server *server, const struct view *view)
{
    const struct listeners *listeners = &server->acceptor.listeners;
    uint32_t started_s = (uint32_t)(server->started_ns / NS_PER_S);

    lock_take(&server->port_lock); /* A stop closes them. */
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].kind != LISTENER_UDP && listeners->at[i].fd >= 0)
            put_listener(view, &listeners->at[i], started_s);
    }
    lock_release(&server->port_lock);
    for (size_t i = 0; i < server->worker_count; i++) {
        const struct udp_sockets *udp = &server->workers[i]->udp;

        for (size_t k = 0; k < udp->count; k++)
            put_udp(view, &udp->at[k]);
    }
}

void server_stats_conns(struct server *server, struct stats_out *out)
{
    struct view view = {
        .out = out,
        .now_s = (uint32_t)(clock_now(server->config.clock) / NS_PER_S)};

    put_sockets(server, &view);
    registry_each(&server->registry, put_conn, &view);
}

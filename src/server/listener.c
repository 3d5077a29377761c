/* SPDX-License-Identifier: BSD-3-Clause */
/* From what -l says to bound sockets. */
#include "src/server/listener.h"

#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/server/listener_unix.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is to be bound: one entry of -l. */
struct wish {
    const struct listener_defaults *defaults;
    struct listener_spec spec;
    const char *host; /* NULL: all addresses of this host. */
    int port;         /* 0: any free one. */
    bool same_port;   /* All sockets of an entry share the port found. */
    bool found;       /* At least one socket serves it. */
};

__attribute__((format(printf, 3, 4))) static int
fail(int error, char words[SERVER_WORDS_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, SERVER_WORDS_MAX, format, args);
    va_end(args);
    return error;
}

/* ---- one socket ---- */

/* Replies of some hundred datagrams go out at once. */
#define UDP_SEND_BYTES (1024 * 1024)

static void set_udp_options(int fd)
{
    int bytes = UDP_SEND_BYTES;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* What the listening socket has, an accepted one inherits. */
static void set_tcp_options(int fd)
{
    const struct linger linger = {0};
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* For packet filters. */
static void set_mark(int fd, uint32_t mark)
{
    if (mark != 0 &&
        setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
        log_error("warning: cannot mark sockets with sock_cookie_id %u: %s",
                  mark, strerror(errno));
}

static void set_options(int fd, const struct wish *wish, int family)
{
    int on = 1;

    if (wish->defaults->kind == LISTENER_UDP)
        set_udp_options(fd);
    else
        set_tcp_options(fd);
    set_mark(fd, wish->defaults->mark);
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
}

static void set_port(struct addrinfo *address, int port)
{
    struct sockaddr *any = address->ai_addr;

    if (address->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)any)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)(void *)any)->sin_port = htons((uint16_t)port);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;

    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET6)
        return a6->sin6_port == b6->sin6_port &&
               a6->sin6_scope_id == b6->sin6_scope_id &&
               IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
    return a4->sin_port == b4->sin_port &&
           a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

/* Do we have that very address already? Names may mean the same. */
static bool is_bound(const struct listeners *listeners, enum listener_kind kind,
                     const struct addrinfo *address)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct sockaddr_storage bound;
        socklen_t size = sizeof(bound);

        if (listeners->at[i].kind == kind &&
            getsockname(listeners->at[i].fd, (struct sockaddr *)&bound,
                        &size) == 0 &&
            same_address((struct sockaddr *)&bound, address->ai_addr))
            return true;
    }
    return false;
}

/* shared: with the sockets of this address that we have already.
 * Errors: -1, and errno. */
static int open_bound(const struct wish *wish, const struct addrinfo *address,
                      bool shared)
{
    int fd = socket(address->ai_family,
                    address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    int on = 1;
    int saved;

    if (fd < 0)
        return -1;
    set_options(fd, wish, address->ai_family);
    if (shared)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* A UDP socket of its own for each worker, among which the kernel divides the
 * senders. Only the first had the port to itself when it was bound, so that a
 * port in use is noticed. */
static bool open_shared(const struct wish *wish, struct listener *listener,
                        struct addrinfo *address)
{
    int on = 1;

    listener->fds = memory_new(wish->defaults->threads, sizeof(int));
    if (listener->fds == NULL)
        return false;
    listener->fds[listener->fds_count++] = listener->fd;
    (void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    set_port(address, listener->port);
    while (listener->fds_count < wish->defaults->threads) {
        int fd = open_bound(wish, address, true);

        if (fd < 0)
            return false;
        listener->fds[listener->fds_count++] = fd;
    }
    return true;
}

/* ---- one entry ---- */

/* "All addresses" means those of the families that this host has. */
static bool family_is_missing(const struct wish *wish)
{
    return wish->host == NULL &&
           (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static int open_wished(const struct wish *wish, struct addrinfo *address)
{
    int fd = open_bound(wish, address, false);

    if (fd >= 0 || errno != EADDRINUSE || !wish->same_port)
        return fd;
    set_port(address, 0);
    return open_bound(wish, address, false);
}

static struct listener *keep(struct listeners *listeners, struct wish *wish,
                             int fd, bool ipv6)
{
    struct listener *listener = &listeners->at[listeners->count++];

    *listener = (struct listener){.kind = wish->defaults->kind,
                                  .fd = fd,
                                  .ipv6 = ipv6,
                                  .port = bound_port(fd),
                                  .spec = wish->spec,
                                  .session = wish->defaults->session};
    listener->session.datagram = wish->defaults->kind == LISTENER_UDP;
    if (wish->spec.has_protocol)
        listener->session.protocol = wish->spec.protocol;
    wish->found = true;
    if (wish->port == 0) {
        wish->port = listener->port;
        wish->same_port = true;
    }
    return listener;
}

static int fail_to_bind(const struct wish *wish, char words[SERVER_WORDS_MAX])
{
    bool udp = wish->defaults->kind == LISTENER_UDP;

    return fail(-ERR_SYSTEM, words,
                "cannot listen on %s %sport %d: %s; another address (-l) or "
                "port (-%c) may be free",
                wish->host != NULL ? wish->host : "any address",
                udp ? "UDP " : "", wish->port, strerror(errno),
                udp ? 'U' : 'p');
}

MUST_CHECK static int bind_one(struct listeners *listeners, struct wish *wish,
                               struct addrinfo *address,
                               char words[SERVER_WORDS_MAX])
{
    struct listener *listener;
    int fd;

    if (listeners->count == SERVER_LISTENERS_MAX)
        return fail(-ERR_LIMIT, words, "cannot listen on more than %d sockets",
                    SERVER_LISTENERS_MAX);
    set_port(address, wish->port);
    if (is_bound(listeners, wish->defaults->kind, address)) {
        wish->found = true;
        return 0;
    }
    fd = open_wished(wish, address);
    if (fd < 0 && family_is_missing(wish))
        return 0;
    if (fd < 0)
        return fail_to_bind(wish, words);
    listener = keep(listeners, wish, fd, address->ai_family == AF_INET6);
    if (listener->kind == LISTENER_UDP && !open_shared(wish, listener, address))
        return fail_to_bind(wish, words);
    return 0;
}

MUST_CHECK static int resolve(const struct wish *wish, struct addrinfo **out,
                              char words[SERVER_WORDS_MAX])
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype =
            wish->defaults->kind == LISTENER_UDP ? SOCK_DGRAM : SOCK_STREAM,
        .ai_flags = AI_PASSIVE};
    int error = getaddrinfo(wish->host, "0", &hints, out);

    if (error == 0)
        return 0;
    return fail(-ERR_SYSTEM, words, "cannot listen on \"%s\": %s", wish->host,
                error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
}

MUST_CHECK static int bind_wish(struct listeners *listeners, struct wish *wish,
                                char words[SERVER_WORDS_MAX])
{
    struct addrinfo *addresses;
    int error = resolve(wish, &addresses, words);

    if (error != 0)
        return error;
    for (struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
            continue;
        error = bind_one(listeners, wish, at, words);
        if (error != 0)
            break;
    }
    freeaddrinfo(addresses);
    if (error == 0 && !wish->found)
        error =
            fail(-ERR_SYSTEM, words, "this host has no address to listen on");
    return error;
}

/* ---- all of a text ---- */

/* Has an entry asked for the same before? With any free port it would get
 * another one each time. */
static bool is_repeated(const struct listeners *listeners,
                        const struct wish *wish)
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->at[i];
        const struct endpoint *a = &listener->spec.endpoint;
        const struct endpoint *b = &wish->spec.endpoint;

        if (listener->kind == wish->defaults->kind &&
            strcmp(a->host, b->host) == 0 && a->has_port == b->has_port &&
            a->port == b->port)
            return true;
    }
    return false;
}

MUST_CHECK static int bind_entry(struct listeners *listeners,
                                 struct slice entry,
                                 const struct listener_defaults *defaults,
                                 char words[SERVER_WORDS_MAX])
{
    struct wish wish = {.defaults = defaults, .port = defaults->port};
    int error = listener_spec_parse(entry, &wish.spec, words);

    if (error != 0)
        return error;
    if (wish.spec.tls != LISTENER_TLS_DEFAULT && !defaults->tls)
        return fail(-ERR_SYNTAX, words,
                    "notls:, btls: and mtls: of -l are valid only with TLS "
                    "(-Z): %.*s",
                    (int)entry.size, entry.data);
    if (is_repeated(listeners, &wish))
        return 0;
    wish.host = wish.spec.endpoint.host;
    if (wish.host[0] == '\0' || strcmp(wish.host, "*") == 0)
        wish.host = NULL;
    if (wish.spec.endpoint.has_port)
        wish.port = wish.spec.endpoint.port;
    if (wish.port < 0)
        wish.port = 0;
    return bind_wish(listeners, &wish, words);
}

int listeners_bind(struct listeners *listeners, const char *text,
                   const struct listener_defaults *defaults,
                   char words[SERVER_WORDS_MAX])
{
    struct slice entry;
    int error = 0;

    if (text == NULL)
        text = "*";
    while (error == 0 && listener_spec_next(&text, &entry))
        error = bind_entry(listeners, entry, defaults, words);
    return error;
}

static int fail_to_listen(const struct listener *listener,
                          char words[SERVER_WORDS_MAX])
{
    if (listener->kind == LISTENER_UNIX)
        return fail(-ERR_SYSTEM, words, "cannot listen on %s: %s",
                    listener->file.path, strerror(errno));
    return fail(-ERR_SYSTEM, words, "cannot listen on port %u: %s",
                listener->port, strerror(errno));
}

int listeners_open(struct listeners *listeners, int backlog,
                   char words[SERVER_WORDS_MAX])
{
    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->at[i];

        if (listener->kind != LISTENER_UDP &&
            listen(listener->fd, backlog) != 0)
            return fail_to_listen(listener, words);
    }
    return 0;
}

size_t listeners_sockets(const struct listeners *listeners)
{
    size_t count = listeners->count;

    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].kind == LISTENER_UDP)
            count += listeners->at[i].fds_count - 1;
    }
    return count;
}

static void close_listener(struct listener *listener)
{
    if (listener->kind == LISTENER_UNIX)
        listener_unix_remove(listener);
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    for (size_t i = 1; i < listener->fds_count; i++)
        close(listener->fds[i]);
    memory_free(&listener->fds);
    listener->fds_count = 0;
}

void listeners_close(struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].kind != LISTENER_UDP)
            close_listener(&listeners->at[i]);
    }
}

void listeners_fini(struct listeners *listeners)
{
    while (listeners->count > 0)
        close_listener(&listeners->at[--listeners->count]);
}

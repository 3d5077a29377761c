/* SPDX-License-Identifier: BSD-3-Clause */
/* From what -l says to bound sockets. */
#include "src/server/listener.h"

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

/* What the listening socket has, an accepted one inherits. */
static void set_options(int fd, const struct addrinfo *address)
{
    const struct linger linger = {0};
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (address->ai_family == AF_INET6)
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
static bool is_bound(const struct listeners *listeners,
                     const struct addrinfo *address)
{
    for (size_t i = 0; i < listeners->count; i++) {
        struct sockaddr_storage bound;
        socklen_t size = sizeof(bound);

        if (getsockname(listeners->at[i].fd, (struct sockaddr *)&bound,
                        &size) == 0 &&
            same_address((struct sockaddr *)&bound, address->ai_addr))
            return true;
    }
    return false;
}

/* Errors: -1, and errno. */
static int open_bound(const struct addrinfo *address)
{
    int fd = socket(address->ai_family,
                    address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    address->ai_protocol);
    int saved;

    if (fd < 0)
        return -1;
    set_options(fd, address);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
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
    int fd = open_bound(address);

    if (fd >= 0 || errno != EADDRINUSE || !wish->same_port)
        return fd;
    set_port(address, 0);
    return open_bound(address);
}

static void keep(struct listeners *listeners, struct wish *wish, int fd,
                 bool ipv6)
{
    struct listener *listener = &listeners->at[listeners->count++];

    *listener = (struct listener){.kind = wish->defaults->kind,
                                  .fd = fd,
                                  .ipv6 = ipv6,
                                  .port = bound_port(fd),
                                  .spec = wish->spec,
                                  .session = wish->defaults->session};
    if (wish->spec.has_protocol)
        listener->session.protocol = wish->spec.protocol;
    wish->found = true;
    if (wish->port == 0) {
        wish->port = listener->port;
        wish->same_port = true;
    }
}

MUST_CHECK static int bind_one(struct listeners *listeners, struct wish *wish,
                               struct addrinfo *address,
                               char words[SERVER_WORDS_MAX])
{
    int fd;

    if (listeners->count == SERVER_LISTENERS_MAX)
        return fail(-ERR_LIMIT, words, "cannot listen on more than %d sockets",
                    SERVER_LISTENERS_MAX);
    set_port(address, wish->port);
    if (is_bound(listeners, address)) {
        wish->found = true;
        return 0;
    }
    fd = open_wished(wish, address);
    if (fd < 0 && family_is_missing(wish))
        return 0;
    if (fd < 0)
        return fail(-ERR_SYSTEM, words,
                    "cannot listen on %s port %d: %s; another address (-l) or "
                    "port (-p) may be free",
                    wish->host != NULL ? wish->host : "any address", wish->port,
                    strerror(errno));
    keep(listeners, wish, fd, address->ai_family == AF_INET6);
    return 0;
}

MUST_CHECK static int resolve(const struct wish *wish, struct addrinfo **out,
                              char words[SERVER_WORDS_MAX])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
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

int listeners_open(struct listeners *listeners, int backlog,
                   char words[SERVER_WORDS_MAX])
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listen(listeners->at[i].fd, backlog) != 0)
            return fail(-ERR_SYSTEM, words, "cannot listen on port %u: %s",
                        listeners->at[i].port, strerror(errno));
    }
    return 0;
}

void listeners_close(struct listeners *listeners)
{
    while (listeners->count > 0)
        close(listeners->at[--listeners->count].fd);
}

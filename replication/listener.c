/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain sockets under uv_poll rather than uv_listen(): a stranger can then be
 * looked at and closed without memory for a handle. */
#include "replication/listener.h"

#include "src/base/invariant.h"
#include "src/base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define LISTENER_BACKLOG 16
#define LISTENER_ACCEPTS_MAX 16 /* At one go. */
#define LISTENER_PORT_TRIES 16

/* A bound socket, or -errno. */
static int bind_to(const struct address *address)
{
    int fd, saved, on = 1;

    fd = socket(address->storage.ss_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Beside IPv4 on its own socket, as both have the same port. */
    if (address->storage.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, (const struct sockaddr *)&address->storage, address->size) ==
            0)
        return fd;
    saved = errno;
    (void)close(fd);
    return -saved;
}

/* 0 or -errno. */
static int accept_one(struct listener *listener, int fd)
{
    struct address from = {.size = sizeof(from.storage)};
    int accepted;

    accepted = accept4(fd, (struct sockaddr *)&from.storage, &from.size,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0)
        return -errno;
    listener->accepted(listener->ctx, accepted, &from);
    return 0;
}

/* What is out of descriptors stays readable: looking away saves the loop. */
static void pause_all(struct listener *listener)
{
    size_t i;

    for (i = 0; i < listener->addresses.count; i++) {
        if (listener->sockets[i].state == LISTENER_OPEN)
            (void)uv_poll_stop(&listener->sockets[i].poll);
    }
    listener->paused = true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener_socket *socket = poll->data;
    struct listener *listener = socket->listener;
    unsigned i;
    int error = 0;

    (void)status;
    (void)events;
    for (i = 0; i < LISTENER_ACCEPTS_MAX && error != -EAGAIN; i++) {
        error = accept_one(listener, socket->fd);
        if (error == -EMFILE || error == -ENFILE || error == -ENOMEM) {
            pause_all(listener);
            return;
        }
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct listener_socket *socket = handle->data;

    socket->state = LISTENER_FREE;
}

/* 0 or -errno. */
static int open_socket(struct listener_socket *socket,
                       const struct address *address)
{
    int fd = bind_to(address);
    int saved;

    if (fd < 0)
        return fd;
    if (listen(fd, LISTENER_BACKLOG) != 0 ||
        uv_poll_init(socket->listener->loop, &socket->poll, fd) != 0) {
        saved = errno;
        (void)close(fd);
        return saved != 0 ? -saved : -EINVAL;
    }
    socket->fd = fd;
    socket->poll.data = socket;
    socket->state = LISTENER_OPEN;
    return uv_poll_start(&socket->poll, UV_READABLE, on_readable);
}

static void close_socket(struct listener_socket *socket)
{
    if (socket->state != LISTENER_OPEN)
        return;
    socket->state = LISTENER_CLOSING;
    uv_close((uv_handle_t *)&socket->poll, on_closed);
    (void)close(socket->fd);
}

static int open_failed(struct listener *listener, int error,
                       const struct address *address)
{
    char text[ADDRESS_TEXT_MAX];

    listener_close(listener);
    address_text(address, text);
    if (!listener->told_busy)
        log_v(LOG_LEVEL_V,
              "replication: cannot listen on %s: %s; will try again", text,
              strerror(-error));
    listener->told_busy = true;
    return error == -EADDRINUSE ? -ERR_BUSY : -ERR_SYSTEM;
}

/* A host without IPv6 listens on what it has. */
static bool is_no_family(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

int listener_open(struct listener *listener)
{
    const struct address *address;
    size_t i, opened = 0;
    int error = 0, no_family = 0;

    INVARIANT(!listener->open);

    for (i = 0; i < listener->addresses.count; i++) {
        if (listener->sockets[i].state != LISTENER_FREE)
            return -ERR_BUSY; /* Closed just now: next time. */
    }
    for (i = 0; i < listener->addresses.count; i++) {
        address = &listener->addresses.at[i];
        listener->sockets[i].listener = listener;
        error = open_socket(&listener->sockets[i], address);
        if (error == 0)
            opened++;
        else if (is_no_family(error))
            no_family = error;
        else
            return open_failed(listener, error, address);
    }
    if (opened == 0)
        return open_failed(listener, no_family, &listener->addresses.at[0]);
    listener->open = true;
    listener->told_busy = false;
    listener->paused = false;
    log_notice("replication: listening on port %u",
               (unsigned)address_port(&listener->addresses.at[0]));
    return 0;
}

void listener_close(struct listener *listener)
{
    size_t i;

    for (i = 0; i < listener->addresses.count; i++)
        close_socket(&listener->sockets[i]);
    listener->open = false;
}

void listener_resume(struct listener *listener)
{
    size_t i;

    if (!listener->paused)
        return;
    listener->paused = false;
    for (i = 0; i < listener->addresses.count; i++) {
        if (listener->sockets[i].state == LISTENER_OPEN)
            (void)uv_poll_start(&listener->sockets[i].poll, UV_READABLE,
                                on_readable);
    }
}

/* Whether all of them can be bound; with port 0 the first decides which. */
static int try_port(struct address_list *addresses)
{
    int fds[ADDRESSES_MAX], error = 0;
    struct address bound;
    size_t i, j, count = 0;

    for (i = 0; i < addresses->count && error == 0; i++) {
        fds[count] = bind_to(&addresses->at[i]);
        if (fds[count] < 0) {
            error = is_no_family(fds[count]) ? 0 : fds[count];
            continue;
        }
        bound.size = sizeof(bound.storage);
        if (getsockname(fds[count++], (struct sockaddr *)&bound.storage,
                        &bound.size) != 0)
            error = -errno;
        for (j = 0; error == 0 && j < addresses->count; j++)
            address_set_port(&addresses->at[j], address_port(&bound));
    }
    while (count > 0)
        (void)close(fds[--count]);
    return error;
}

int listener_find_port(const struct address_list *addresses, uint16_t *port)
{
    struct address_list tried;
    unsigned i;
    size_t j;

    for (i = 0; i < LISTENER_PORT_TRIES; i++) {
        tried = *addresses;
        for (j = 0; j < tried.count; j++)
            address_set_port(&tried.at[j], 0);
        if (try_port(&tried) == 0) {
            *port = address_port(&tried.at[0]);
            return *port != 0 ? 0 : -ERR_SYSTEM;
        }
    }
    return -ERR_SYSTEM;
}

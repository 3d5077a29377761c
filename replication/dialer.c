/* SPDX-License-Identifier: BSD-3-Clause */
/* One dial: look up, then one attempt after the other.
 *
 *   IDLE -> RESOLVING -> CONNECTING -> CLOSING -> CONNECTING (next address)
 *                                             '-> IDLE (done)
 *
 * An attempt always ends in CLOSING, since its handle can be used again only
 * when libuv has let go of it; what it led to is decided there. A name service
 * that does not answer cannot be called off: the dial ends without it, and the
 * next one waits for the same answer. */
#include "replication/dialer.h"

#include "src/base/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void finish(struct dialer *dialer, int fd, const char *why)
{
    (void)uv_timer_stop(&dialer->timer);
    dialer->state = DIALER_IDLE;
    dialer->wait_ms = dialer->retry_wait_ms;
    if (!dialer->stopped)
        dialer->done(dialer->ctx, fd, why);
    else if (fd >= 0)
        (void)close(fd);
}

/* ---- one address ---- */

static void on_attempt_closed(uv_handle_t *handle);

static void end_attempt(struct dialer *dialer, const char *why)
{
    INVARIANT(dialer->state == DIALER_CONNECTING);

    dialer->state = DIALER_CLOSING;
    dialer->connected = why == NULL;
    dialer->why = why;
    uv_close((uv_handle_t *)&dialer->poll, on_attempt_closed);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct dialer *dialer = poll->data;
    socklen_t size = sizeof(int);
    int error = 0;

    (void)status;
    (void)events;
    if (getsockopt(dialer->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    end_attempt(dialer, error == 0 ? NULL : uv_strerror(-error));
}

static void on_time(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    if (dialer->state == DIALER_CONNECTING)
        end_attempt(dialer, "no answer");
    else if (dialer->state == DIALER_RESOLVING)
        finish(dialer, -1, "the name service does not answer");
}

/* The address that we listen on, if the peer can be reached from there: so it
 * sees the one it expects. */
static const struct address *find_source(const struct dialer *dialer,
                                         const struct address *there)
{
    const struct address *source;
    size_t i;

    for (i = 0; dialer->sources != NULL && i < dialer->sources->count; i++) {
        source = &dialer->sources->at[i];
        if (source->storage.ss_family == there->storage.ss_family &&
            !address_is_any(source) &&
            address_is_loopback(source) == address_is_loopback(there))
            return source;
    }
    return NULL;
}

static int bind_source(const struct dialer *dialer, int fd,
                       const struct address *there)
{
    const struct address *found = find_source(dialer, there);
    struct address source;

    if (found == NULL)
        return 0;
    source = *found;
    address_set_port(&source, 0);
    return bind(fd, (const struct sockaddr *)&source.storage, source.size);
}

/* A socket on its way to that address, or -errno. */
static int connect_to(const struct dialer *dialer, const struct address *there)
{
    int saved, fd;

    fd = socket(there->storage.ss_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind_source(dialer, fd, there) == 0 &&
        (connect(fd, (const struct sockaddr *)&there->storage, there->size) ==
             0 ||
         errno == EINPROGRESS))
        return fd;
    saved = errno;
    (void)close(fd);
    return -saved;
}

static unsigned wait_ms(const struct dialer *dialer)
{
    unsigned each = dialer->wait_ms / (unsigned)dialer->addresses.count;

    return each > DIALER_ADDRESS_WAIT_MS ? each : DIALER_ADDRESS_WAIT_MS;
}

/* 0, or -errno when there is no attempt to wait for. */
static int attempt(struct dialer *dialer, const struct address *there)
{
    int error;

    dialer->fd = connect_to(dialer, there);
    if (dialer->fd < 0)
        return dialer->fd;
    error = uv_poll_init(dialer->loop, &dialer->poll, dialer->fd);
    if (error != 0) {
        (void)close(dialer->fd);
        return error;
    }
    dialer->poll.data = dialer;
    dialer->state = DIALER_CONNECTING;
    (void)uv_poll_start(&dialer->poll, UV_WRITABLE, on_writable);
    (void)uv_timer_start(&dialer->timer, on_time, wait_ms(dialer), 0);
    return 0;
}

static void try_next(struct dialer *dialer)
{
    struct address there;
    int error;

    while (dialer->next < dialer->addresses.count) {
        there = dialer->addresses.at[dialer->next++];
        address_set_port(&there, dialer->port);
        error = attempt(dialer, &there);
        if (error == 0)
            return;
        dialer->why = uv_strerror(error);
    }
    finish(dialer, -1, dialer->why);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct dialer *dialer = handle->data;

    if (dialer->connected) {
        finish(dialer, dialer->fd, NULL);
        return;
    }
    (void)close(dialer->fd);
    if (dialer->stopped)
        dialer->state = DIALER_IDLE;
    else
        try_next(dialer);
}

/* ---- the name ---- */

static void on_lookup(uv_getaddrinfo_t *lookup, int status,
                      struct addrinfo *found)
{
    struct dialer *dialer = lookup->data;

    dialer->resolving = false;
    if (dialer->state == DIALER_RESOLVING) {
        dialer->next = 0;
        dialer->addresses.count = 0;
        dialer->why = status != 0 ? uv_strerror(status) : "no such address";
        if (status == 0)
            address_list_take(&dialer->addresses, found);
        if (dialer->addresses.count > 0)
            dialer->resolved(dialer->ctx, &dialer->addresses);
        try_next(dialer);
    }
    uv_freeaddrinfo(found);
}

static int look_up(struct dialer *dialer)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    int error;

    if (dialer->resolving)
        return 0;
    dialer->lookup.data = dialer;
    error = uv_getaddrinfo(dialer->loop, &dialer->lookup, on_lookup,
                           dialer->host, NULL, &hints);
    dialer->resolving = error == 0;
    return error;
}

int dialer_init(struct dialer *dialer)
{
    dialer->state = DIALER_IDLE;
    dialer->wait_ms = DIALER_WAIT_MS;
    if (dialer->retry_wait_ms < DIALER_RETRY_WAIT_MS)
        dialer->retry_wait_ms = DIALER_RETRY_WAIT_MS;
    if (dialer->retry_wait_ms > DIALER_WAIT_MS)
        dialer->retry_wait_ms = DIALER_WAIT_MS;
    dialer->timer.data = dialer;
    return uv_timer_init(dialer->loop, &dialer->timer) == 0 ? 0 : -ERR_SYSTEM;
}

/* A number needs no name service, and no threads to wait for one: the timer
 * takes the place of its answer, so that done() never comes from inside. */
static void on_numeric(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;

    dialer->next = 0;
    dialer->why = "no such address";
    if (address_list_resolve(&dialer->addresses, dialer->host, dialer->port) !=
        0)
        dialer->addresses.count = 0;
    try_next(dialer);
}

static void on_no_lookup(uv_timer_t *timer)
{
    finish(timer->data, -1, "the name cannot be looked up");
}

void dialer_start(struct dialer *dialer)
{
    INVARIANT(dialer->host != NULL);
    INVARIANT(dialer->state == DIALER_IDLE);

    dialer->state = DIALER_RESOLVING;
    if (address_is_numeric(dialer->host))
        (void)uv_timer_start(&dialer->timer, on_numeric, 0, 0);
    else if (look_up(dialer) == 0)
        (void)uv_timer_start(&dialer->timer, on_time, dialer->wait_ms, 0);
    else
        (void)uv_timer_start(&dialer->timer, on_no_lookup, 0, 0);
}

void dialer_stop(struct dialer *dialer)
{
    if (dialer->stopped)
        return;
    dialer->stopped = true;
    if (dialer->resolving)
        (void)uv_cancel((uv_req_t *)&dialer->lookup);
    if (dialer->state == DIALER_CONNECTING)
        end_attempt(dialer, "stopped");
    else if (dialer->state == DIALER_RESOLVING)
        dialer->state = DIALER_IDLE;
    uv_close((uv_handle_t *)&dialer->timer, NULL);
}

bool dialer_stopped(const struct dialer *dialer)
{
    return dialer->stopped && dialer->state == DIALER_IDLE &&
           !dialer->resolving;
}

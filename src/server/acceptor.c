/* SPDX-License-Identifier: BSD-3-Clause */
/* Accepts until the backlog is empty, a bounded number at a time, and gives
 * the connections to the workers in turn. */
#include "src/server/acceptor.h"

#include "src/base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_MAX 64 /* In one round. */
#define RETRY_MS 10    /* Pause when the process is out of descriptors. */

static const char refusal[] = "ERROR Too many open connections\r\n";

/* ---- accepting ---- */

static void refuse(struct acceptor *acceptor, int fd)
{
    ssize_t sent;

    METRIC_UP(acceptor->counters.rejected_connections);
    sent = send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* It is a courtesy. */
    close(fd);
}

static bool at_limit(const struct acceptor *acceptor)
{
    return atomic_load(&acceptor->census->current) >= acceptor->connections_max;
}

/* ---- choosing a worker ---- */

static size_t worker_in_turn(struct acceptor *acceptor)
{
    size_t index = acceptor->next_worker;

    acceptor->next_worker = (index + 1) % acceptor->worker_count;
    return index;
}

static size_t choose_worker(struct acceptor *acceptor, int fd)
{
    unsigned id = 0;
    socklen_t size = sizeof(id);
    size_t index;

    if (acceptor->napi.max == 0)
        return worker_in_turn(acceptor);
    if (getsockopt(fd, SOL_SOCKET, SO_INCOMING_NAPI_ID, &id, &size) == 0 &&
        id != 0) {
        if (napi_map_find(&acceptor->napi, id, &index))
            return index;
        METRIC_UP(acceptor->counters.unexpected_napi_ids);
    }
    METRIC_UP(acceptor->counters.round_robin_fallback);
    return worker_in_turn(acceptor);
}

/* False: nobody can be served at the moment. */
static bool deal(struct acceptor *acceptor, const struct listener *listener,
                 int fd)
{
    struct conn *conn;

    if (at_limit(acceptor)) {
        refuse(acceptor, fd);
        return true;
    }
    conn = conn_new(fd, listener);
    if (conn == NULL) {
        close(fd);
        return false;
    }
    METRIC_UP(acceptor->counters.total_connections);
    atomic_fetch_add(&acceptor->census->current, 1);
    worker_give(acceptor->workers[choose_worker(acceptor, fd)], conn);
    return true;
}

/* ---- pausing ---- */

static void watch(struct acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->socket_count; i++)
        (void)event_add(&acceptor->sockets[i].event, NULL);
}

static void pause_accepting(struct acceptor *acceptor)
{
    acceptor->paused_since_ns = clock_now(acceptor->clock);
    METRIC_UP(acceptor->counters.listen_disabled_num);
    for (size_t i = 0; i < acceptor->socket_count; i++)
        event_del(&acceptor->sockets[i].event);
    atomic_store(&acceptor->paused, true);
}

static void resume(struct acceptor *acceptor)
{
    uint64_t paused_ns = clock_now(acceptor->clock) - acceptor->paused_since_ns;

    METRIC_ADD(acceptor->counters.listen_disabled_us, paused_ns / NS_PER_US);
    acceptor->limited = false;
    atomic_store(&acceptor->paused, false);
    watch(acceptor);
}

/* Out of something that only time can bring back. */
static void pause_for_a_while(struct acceptor *acceptor, const char *why)
{
    const struct timeval rest = {.tv_usec = RETRY_MS * 1000};

    log_error("server: cannot accept connections for the moment: %s", why);
    pause_accepting(acceptor);
    (void)event_add(&acceptor->retry_event, &rest);
}

/* Asks to be told of the next connection that ends; there may have been one
 * before it could be told. */
static void resume_below_limit(struct acceptor *acceptor)
{
    atomic_store(&acceptor->census->awaited, true);
    if (at_limit(acceptor))
        return;
    atomic_store(&acceptor->census->awaited, false);
    resume(acceptor);
}

static void pause_until_one_leaves(struct acceptor *acceptor)
{
    log_v(LOG_LEVEL_V, "server: too many open connections; others wait");
    pause_accepting(acceptor);
    acceptor->limited = true;
    resume_below_limit(acceptor);
}

/* ---- events ---- */

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* False: enough for this round. */
static bool accept_one(struct acceptor *acceptor,
                       const struct acceptor_socket *socket)
{
    int fd =
        accept4(socket->listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        if (deal(acceptor, socket->listener, fd))
            return true;
        pause_for_a_while(acceptor, "out of memory");
        return false;
    }
    if (is_shortage(errno))
        pause_for_a_while(acceptor, strerror(errno));
    /* Anything else is a client that has left, or nobody. */
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_client(evutil_socket_t fd, short what, void *arg)
{
    const struct acceptor_socket *socket = arg;
    struct acceptor *acceptor = socket->acceptor;

    (void)fd;
    (void)what;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        if (acceptor->pause_at_limit && at_limit(acceptor)) {
            if (i == 0) /* Somebody waits. */
                pause_until_one_leaves(acceptor);
            return;
        }
        if (!accept_one(acceptor, socket))
            return;
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    resume(arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct acceptor *acceptor = arg;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));

    (void)got;
    (void)what;
    if (atomic_load(&acceptor->stop_asked))
        (void)event_base_loopbreak(acceptor->base);
    else if (acceptor->limited)
        resume_below_limit(acceptor);
    else if (atomic_load(&acceptor->open) && !atomic_load(&acceptor->paused))
        watch(acceptor);
}

/* ---- the loop ---- */

static void *accept_clients(void *arg)
{
    struct acceptor *acceptor = arg;

    (void)event_base_dispatch(acceptor->base);
    return NULL;
}

static void wake(struct acceptor *acceptor)
{
    uint64_t one = 1;
    ssize_t written = write(acceptor->wake_fd, &one, sizeof(one));

    (void)written; /* Full means that it is awake already. */
}

void acceptor_open(struct acceptor *acceptor)
{
    atomic_store(&acceptor->open, true);
    wake(acceptor);
}

/* ---- life ---- */

static bool assign_socket(struct acceptor *acceptor,
                          const struct listener *listener)
{
    struct acceptor_socket *socket =
        &acceptor->sockets[acceptor->socket_count++];

    socket->acceptor = acceptor;
    socket->listener = listener;
    return event_assign(&socket->event, acceptor->base, listener->fd,
                        EV_READ | EV_PERSIST, on_client, socket) == 0;
}

static bool assign_events(struct acceptor *acceptor)
{
    const struct listeners *listeners = &acceptor->listeners;
    struct event_base *base = acceptor->base;
    bool good = true;

    good &= event_assign(&acceptor->wake_event, base, acceptor->wake_fd,
                         EV_READ | EV_PERSIST, on_wake, acceptor) == 0;
    good &= event_assign(&acceptor->retry_event, base, -1, 0, on_retry,
                         acceptor) == 0;
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->at[i].kind != LISTENER_UDP)
            good &= assign_socket(acceptor, &listeners->at[i]);
    }
    return good && event_add(&acceptor->wake_event, NULL) == 0;
}

int acceptor_init(struct acceptor *acceptor)
{
    acceptor->base = event_base_new();
    acceptor->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (acceptor->base == NULL || acceptor->wake_fd < 0)
        return -ERR_SYSTEM;
    acceptor->census->wake_fd = acceptor->wake_fd;
    METRIC_ADD(acceptor->counters.total_connections, acceptor->listeners.count);
    return assign_events(acceptor) ? 0 : -ERR_SYSTEM;
}

void acceptor_fini(struct acceptor *acceptor)
{
    if (acceptor->base != NULL)
        event_base_free(acceptor->base);
    if (acceptor->wake_fd >= 0)
        close(acceptor->wake_fd);
    acceptor->base = NULL;
    acceptor->wake_fd = -1;
}

int acceptor_start(struct acceptor *acceptor)
{
    if (pthread_create(&acceptor->thread, NULL, accept_clients, acceptor) != 0)
        return -ERR_SYSTEM;
    (void)pthread_setname_np(acceptor->thread, "twin-acceptor");
    return 0;
}

void acceptor_stop(struct acceptor *acceptor)
{
    atomic_store(&acceptor->stop_asked, true);
    wake(acceptor);
    (void)pthread_join(acceptor->thread, NULL);
    for (size_t i = 0; i < acceptor->socket_count; i++)
        event_del(&acceptor->sockets[i].event);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop of a worker: one round polls the sockets, gives every connection
 * that has something to do a turn, and then another one to those that gave
 * way. */
#include "src/server/worker.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* ---- arrivals ---- */

static void wake(struct worker *worker)
{
    uint64_t one = 1;
    ssize_t written = write(worker->wake_fd, &one, sizeof(one));

    (void)written; /* Full means that it is awake already. */
}

void worker_give(struct worker *worker, struct conn *conn)
{
    bool first;

    conn->next = NULL;
    lock_take(&worker->lock);
    first = worker->arrivals == NULL;
    *worker->arrivals_tail = conn;
    worker->arrivals_tail = &conn->next;
    lock_release(&worker->lock);
    if (first)
        wake(worker);
}

static struct conn *take_arrivals(struct worker *worker)
{
    struct conn *arrivals;

    lock_take(&worker->lock);
    arrivals = worker->arrivals;
    worker->arrivals = NULL;
    worker->arrivals_tail = &worker->arrivals;
    if (worker->stop_asked)
        worker->stopping = true;
    if (worker->open_asked)
        udp_open(&worker->udp);
    worker->open_asked = false;
    lock_release(&worker->lock);
    return arrivals;
}

/* ---- those whose replies wait for the peer ---- */

static void on_confirmed(void *arg)
{
    wake(arg);
}

/* ---- those that watch ---- */

/* Under the lock of a watcher. */
static void on_lines(void *arg)
{
    struct worker *worker = arg;

    if (!atomic_exchange(&worker->lines_came, true))
        wake(worker);
}

/* Backwards, because one that ends gives its place to the last. */
static void take_lines(struct worker *worker)
{
    if (!atomic_exchange(&worker->lines_came, false))
        return;
    for (size_t i = worker->watcher_count; i-- > 0;) {
        struct conn *conn = worker->watchers[i];

        if (!conn_take_lines(conn))
            conn_end(&conn, conn->end);
    }
    for (size_t i = worker->asker_count; i-- > 0;) {
        struct conn *conn = worker->askers[i];

        if (!session_is_waiting(conn->session) && !conn_take_lines(conn))
            conn_end(&conn, conn->end);
    }
}

void worker_add_watcher(struct worker *worker, struct conn *conn)
{
    INVARIANT(worker->watcher_count < COUNT_OF(worker->watchers));
    conn->watches = true;
    worker->watchers[worker->watcher_count++] = conn;
}

void worker_remove_watcher(struct worker *worker, struct conn *conn)
{
    size_t i = 0;

    while (worker->watchers[i] != conn) {
        i++;
        INVARIANT(i < worker->watcher_count);
    }
    worker->watchers[i] = worker->watchers[--worker->watcher_count];
    conn->watches = false;
}

void worker_add_asker(struct worker *worker, struct conn *conn)
{
    INVARIANT(worker->asker_count < COUNT_OF(worker->askers));
    conn->asks = true;
    worker->askers[worker->asker_count++] = conn;
}

void worker_remove_asker(struct worker *worker, struct conn *conn)
{
    size_t i = 0;

    while (worker->askers[i] != conn) {
        i++;
        INVARIANT(i < worker->asker_count);
    }
    worker->askers[i] = worker->askers[--worker->asker_count];
    conn->asks = false;
}

/* ---- waking up ---- */

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    struct conn *conn, *next;

    (void)got;
    (void)what;
    worker_set_now(worker);
    for (conn = take_arrivals(worker); conn != NULL; conn = next) {
        next = conn->next;
        if (conn_start(conn, worker) != 0)
            conn_end(&conn, CONN_END_ERROR);
    }
    take_lines(worker);
    if (worker->holds.first != NULL)
        holds_review(worker);
}

/* ---- turns ---- */

void worker_set_now(struct worker *worker)
{
    uint64_t now_ns;

    if (worker->now_known)
        return;
    worker->now_known = true;
    now_ns = clock_now(worker->clock);
    worker->now_s = (uint32_t)(now_ns / NS_PER_S);
    command_thread_set_now(worker->commands, now_ns);
}

bool worker_hold_more(struct worker *worker, size_t size)
{
    if (worker->held_bytes_max > 0 &&
        worker->held_bytes + size > worker->held_bytes_max)
        return false;
    METRIC_ADD(worker->held_bytes, size);
    return true;
}

void worker_hold_less(struct worker *worker, size_t size)
{
    INVARIANT(size <= worker->held_bytes);
    __atomic_store_n(&worker->held_bytes, worker->held_bytes - size,
                     __ATOMIC_RELAXED);
}

bool worker_is_wanted(const struct worker *worker)
{
    return worker->ready != NULL ||
           event_base_get_num_events(worker->base, EVENT_BASE_COUNT_ACTIVE) > 0;
}

void worker_queue(struct worker *worker, struct conn *conn)
{
    INVARIANT(!conn->ready);

    conn->ready = true;
    conn->ready_next = NULL;
    *worker->ready_tail = conn;
    worker->ready_tail = &conn->ready_next;
}

void worker_unqueue(struct worker *worker, struct conn *conn)
{
    struct conn **at = &worker->ready;

    if (!conn->ready)
        return;
    while (*at != conn)
        at = &(*at)->ready_next;
    *at = conn->ready_next;
    if (*at == NULL)
        worker->ready_tail = at;
    conn->ready = false;
}

static struct conn *take_ready(struct worker *worker)
{
    struct conn *ready = worker->ready;

    worker->ready = NULL;
    worker->ready_tail = &worker->ready;
    return ready;
}

static void resume_ready(struct worker *worker)
{
    struct conn *conn, *next;

    for (conn = take_ready(worker); conn != NULL; conn = next) {
        next = conn->ready_next;
        conn->ready = false;
        if (!conn_resume(conn))
            conn_end(&conn, conn->end);
    }
}

static void run_round(struct worker *worker)
{
    int flags = EVLOOP_ONCE;

    if (worker->ready != NULL)
        flags |= EVLOOP_NONBLOCK;
    worker->now_known = false;
    (void)event_base_loop(worker->base, flags);
    if (worker->ready != NULL)
        resume_ready(worker);
}

/* ---- the idle ---- */

/* Who watches or asks waits for us, not we for it. */
static void kick(struct conn *conn)
{
    if (conn->watches || conn->asks || conn->ready || conn_is_held(conn))
        return;
    METRIC_UP(conn->worker->counters.idle_kicks);
    conn_end(&conn, CONN_END_IDLE);
}

static void on_idle_tick(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;

    (void)fd;
    (void)what;
    worker_set_now(worker);
    idle_wheel_turn(&worker->wheel, worker->now_s, kick);
}

/* One timer for all; without a timeout there is none at all. */
static bool await_idle(struct worker *worker)
{
    const struct timeval tick = {.tv_sec = 1};

    return event_assign(&worker->idle_event, worker->base, -1, EV_PERSIST,
                        on_idle_tick, worker) == 0 &&
           (worker->wheel.timeout_s == 0 ||
            event_add(&worker->idle_event, &tick) == 0);
}

/* ---- the end ---- */

static void close_sent(struct conn *conn)
{
    if (conn->unsent == NULL)
        conn_end(&conn, CONN_END_SHUTDOWN);
}

static void close_any(struct conn *conn)
{
    conn_end(&conn, CONN_END_SHUTDOWN);
}

/* Those that have nothing unsent. */
static void close_idle(struct worker *worker)
{
    struct conn *conn;

    for (conn = take_ready(worker); conn != NULL; conn = conn->ready_next)
        conn->ready = false;
    idle_wheel_each(&worker->wheel, close_sent);
}

static void close_all(struct worker *worker)
{
    struct conn *conn;

    idle_wheel_each(&worker->wheel, close_any);
    while ((conn = worker->arrivals) != NULL) {
        worker->arrivals = conn->next;
        conn_free(&conn);
    }
}

/* Slow readers get some time for what is on its way to them. */
static void finish(struct worker *worker)
{
    uint64_t deadline_ns = clock_now(worker->clock) + worker->stop_ns;
    uint64_t now_ns;

    udp_close(&worker->udp);
    for (close_idle(worker); !idle_wheel_is_empty(&worker->wheel);
         close_idle(worker)) {
        struct timeval rest;

        now_ns = clock_now(worker->clock);
        if (now_ns >= deadline_ns)
            break;
        rest.tv_sec = (time_t)((deadline_ns - now_ns) / NS_PER_S);
        rest.tv_usec =
            (suseconds_t)((deadline_ns - now_ns) % NS_PER_S / NS_PER_US);
        (void)event_base_loopexit(worker->base, &rest);
        worker->now_known = false;
        (void)event_base_loop(worker->base, EVLOOP_ONCE);
    }
    close_all(worker);
}

static void *serve(void *arg)
{
    struct worker *worker = arg;

    while (!worker->stopping)
        run_round(worker);
    finish(worker);
    return NULL;
}

/* ---- life ---- */

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    if (config == NULL)
        return NULL;
    /* Timers are rare here, so libevent need not keep the time; and only this
     * thread uses the base. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
                                      EVENT_BASE_FLAG_IGNORE_ENV |
                                      EVENT_BASE_FLAG_NO_CACHE_TIME);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static bool await_wake(struct worker *worker)
{
    return event_assign(&worker->wake_event, worker->base, worker->wake_fd,
                        EV_READ | EV_PERSIST, on_wake, worker) == 0 &&
           event_add(&worker->wake_event, NULL) == 0;
}

static bool open_all(struct worker *worker)
{
    worker->base = new_base();
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->sink = sink_new();
    worker->input = memory_new(WORKER_INPUT_BYTES, 1);
    if (worker->tls != NULL)
        worker->records.data = memory_new(worker->records.size, 1);
    return worker->base != NULL && worker->wake_fd >= 0 &&
           worker->sink != NULL && worker->input != NULL &&
           (worker->tls == NULL || worker->records.data != NULL) &&
           await_wake(worker) && await_idle(worker);
}

struct worker *worker_new(const struct worker_config *config)
{
    struct worker *worker = memory_new(1, sizeof(*worker));

    if (worker == NULL)
        return NULL;
    worker->clock = config->clock;
    worker->commands = config->commands;
    worker->census = config->census;
    worker->registry = config->registry;
    worker->held_bytes_max = config->held_bytes_max;
    worker->turn_requests_max = config->turn_requests_max;
    worker->stop_ns = config->stop_ns;
    worker->tls = config->tls;
    worker->records.size = config->tls_record_bytes;
    worker->ready_tail = &worker->ready;
    worker->arrivals_tail = &worker->arrivals;
    worker->now_s = (uint32_t)(clock_now(config->clock) / NS_PER_S);
    idle_wheel_init(&worker->wheel, config->idle_timeout_s, worker->now_s);
    lock_init(&worker->lock, LOCK_RANK_SERVER);
    command_thread_set_wake(worker->commands, on_lines, worker);
    if (!open_all(worker) ||
        holds_init(&worker->holds, worker, config->confirm, config->confirm_ns,
                   on_confirmed) != 0 ||
        udp_init(&worker->udp, worker, config->listeners, config->index) != 0)
        worker_free(&worker);
    return worker;
}

void worker_free(struct worker **worker_at)
{
    struct worker *worker = *worker_at;

    if (worker == NULL)
        return;
    close_all(worker);
    holds_fini(&worker->holds);
    udp_fini(&worker->udp);
    if (event_initialized(&worker->wake_event))
        event_del(&worker->wake_event);
    if (event_initialized(&worker->idle_event))
        event_del(&worker->idle_event);
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    if (worker->base != NULL)
        event_base_free(worker->base);
    sink_free(&worker->sink);
    memory_free(&worker->input);
    memory_free(&worker->records.data);
    lock_fini(&worker->lock);
    memory_free(worker_at);
}

int worker_start(struct worker *worker)
{
    if (pthread_create(&worker->thread, NULL, serve, worker) != 0)
        return -ERR_SYSTEM;
    worker->started = true;
    (void)pthread_setname_np(worker->thread, "twin-worker");
    return 0;
}

void worker_open(struct worker *worker)
{
    lock_take(&worker->lock);
    worker->open_asked = true;
    lock_release(&worker->lock);
    wake(worker);
}

void worker_ask_stop(struct worker *worker)
{
    lock_take(&worker->lock);
    worker->stop_asked = true;
    lock_release(&worker->lock);
    wake(worker);
}

void worker_join(struct worker *worker)
{
    if (worker->started)
        (void)pthread_join(worker->thread, NULL);
    worker->started = false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole of it: workers, acceptor, statistics. */
#include "src/server/server.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/server/acceptor.h"

#include <event2/event.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct server {
    struct server_config config;
    struct acceptor acceptor;
    struct conn_census census;
    struct worker *workers[SERVER_THREADS_MAX];
    size_t worker_count; /* Made, and running. */
    uint64_t started_ns;

    struct lock port_lock; /* Opening and closing the port. */
    bool accepting;        /* The acceptor's thread runs. */

    struct lock counts_lock;
    struct server_counters forgotten; /* Counts at the last reset. */
};

/* ---- life ---- */

int server_new(const struct server_config *config, struct server **out)
{
    struct server *server = memory_new(1, sizeof(*server));

    INVARIANT(config->threads >= 1);
    INVARIANT(config->threads <= SERVER_THREADS_MAX);
    if (server == NULL)
        return -ERR_MEMORY;
    server->config = *config;
    server->acceptor.wake_fd = -1;
    server->started_ns = clock_now(config->clock);
    lock_init(&server->port_lock, LOCK_RANK_SERVER);
    lock_init(&server->counts_lock, LOCK_RANK_STATS);
    *out = server;
    return 0;
}

void server_free(struct server **server_at)
{
    struct server *server = *server_at;

    if (server == NULL)
        return;
    server_stop(server);
    lock_fini(&server->counts_lock);
    lock_fini(&server->port_lock);
    memory_free(server_at);
}

int server_bind(struct server *server, char words[SERVER_WORDS_MAX])
{
    const struct server_config *config = &server->config;
    const struct listener_defaults defaults = {.kind = LISTENER_TCP,
                                               .port = config->port,
                                               .session = config->sessions};
    struct listeners *listeners = &server->acceptor.listeners;
    int error;

    if (config->listen_count == 0)
        return listeners_bind(listeners, NULL, &defaults, words);
    for (size_t i = 0; i < config->listen_count; i++) {
        error = listeners_bind(listeners, config->listen[i], &defaults, words);
        if (error != 0)
            return error;
    }
    return 0;
}

static int start_worker(struct server *server, size_t index)
{
    const struct worker_config config = {
        .clock = server->config.clock,
        .commands = server->config.command_threads[index],
        .census = &server->census,
        .turn_requests_max = server->config.turn_requests_max,
        .stop_ns = server->config.stop_ms * NS_PER_MS};
    struct worker *worker = worker_new(&config);
    int error;

    if (worker == NULL)
        return -ERR_MEMORY;
    error = worker_start(worker);
    if (error != 0) {
        worker_free(&worker);
        return error;
    }
    server->workers[server->worker_count++] = worker;
    return 0;
}

static int start_acceptor(struct server *server)
{
    struct acceptor *acceptor = &server->acceptor;
    int error;

    acceptor->workers = server->workers;
    acceptor->worker_count = server->worker_count;
    acceptor->connections_max = server->config.connections_max;
    acceptor->census = &server->census;
    acceptor->clock = server->config.clock;
    error = acceptor_init(acceptor);
    if (error == 0)
        error = acceptor_start(acceptor);
    server->accepting = error == 0;
    return error;
}

int server_start(struct server *server)
{
    int error = 0;

    for (size_t i = 0; i < server->config.threads && error == 0; i++)
        error = start_worker(server, i);
    if (error == 0)
        error = start_acceptor(server);
    if (error != 0)
        server_stop(server);
    return error;
}

static void log_listeners(const struct listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        log_v(LOG_LEVEL_VV, "<%d server listening (auto-negotiate)",
              listeners->at[i].fd);
}

int server_open(struct server *server, char words[SERVER_WORDS_MAX])
{
    struct listeners *listeners = &server->acceptor.listeners;
    int error = 0;

    lock_take(&server->port_lock);
    if (server->accepting)
        error = listeners_open(listeners, server->config.backlog, words);
    if (server->accepting && error == 0) {
        log_listeners(listeners);
        acceptor_open(&server->acceptor);
    }
    lock_release(&server->port_lock);
    return error;
}

static void close_port(struct server *server)
{
    lock_take(&server->port_lock);
    if (server->accepting)
        acceptor_stop(&server->acceptor);
    server->accepting = false;
    acceptor_fini(&server->acceptor);
    listeners_close(&server->acceptor.listeners);
    lock_release(&server->port_lock);
}

void server_stop(struct server *server)
{
    close_port(server);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_ask_stop(server->workers[i]);
    for (size_t i = 0; i < server->worker_count; i++)
        worker_join(server->workers[i]);
    while (server->worker_count > 0)
        worker_free(&server->workers[--server->worker_count]);
}

void server_addresses(const struct server *server, server_address_fn *fn,
                      void *ctx)
{
    const struct listeners *listeners = &server->acceptor.listeners;

    for (size_t i = 0; i < listeners->count; i++)
        fn(ctx, listeners->at[i].ipv6, listeners->at[i].port);
}

/* ---- statistics ---- */

static void sum_counters(const struct server *server,
                         struct server_counters *sum)
{
    *sum = (struct server_counters){0};
    METRICS_ADD(sum, &server->acceptor.counters);
    for (size_t i = 0; i < server->worker_count; i++)
        METRICS_ADD(sum, &server->workers[i]->counters);
}

/* What was counted since the last reset. */
static void read_counters(struct server *server, struct server_counters *out)
{
    struct server_counters forgotten;

    lock_take(&server->counts_lock);
    forgotten = server->forgotten;
    lock_release(&server->counts_lock);
    sum_counters(server, out);
#define X(name, help) out->name -= forgotten.name;
    SERVER_METRICS(X)
#undef X
}

void server_stats_reset(struct server *server)
{
    struct server_counters sum;

    sum_counters(server, &sum);
    lock_take(&server->counts_lock);
    server->forgotten = sum;
    lock_release(&server->counts_lock);
}

static void put_time(struct stats_out *out, const char *name,
                     struct timeval time)
{
    stats_put(out, name, "%ld.%06ld", (long)time.tv_sec, (long)time.tv_usec);
}

static void put_process(const struct server *server, struct stats_out *out)
{
    uint64_t now_ns = clock_now(server->config.clock);
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    stats_put_i64(out, "pid", getpid());
    stats_put_u64(out, "uptime", (now_ns - server->started_ns) / NS_PER_S);
    stats_put_u64(out, "time", now_ns / NS_PER_S);
    stats_put(out, "version", "%s", server->config.version);
    stats_put(out, "libevent", "%s", event_get_version());
    stats_put_u64(out, "pointer_size", 8 * sizeof(void *));
    put_time(out, "rusage_user", usage.ru_utime);
    put_time(out, "rusage_system", usage.ru_stime);
}

static void put_connections(const struct server *server,
                            const struct server_counters *counters,
                            struct stats_out *out)
{
    uint64_t current = atomic_load(&server->census.current);
    unsigned threads = server->config.threads;

    stats_put_u64(out, "max_connections", server->config.connections_max);
    stats_put_u64(out, "curr_connections", current);
    stats_put_u64(out, "total_connections", counters->total_connections);
    stats_put_u64(out, "rejected_connections", counters->rejected_connections);
    stats_put_u64(out, "connection_structures", current);
    stats_put_u64(out, "reserved_fds",
                  (uint64_t)threads * SERVER_THREAD_FDS + SERVER_OTHER_FDS);
    stats_put_u64(out, "accepting_conns",
                  atomic_load(&server->acceptor.open) &&
                      !atomic_load(&server->acceptor.paused));
    stats_put_u64(out, "listen_disabled_num", counters->listen_disabled_num);
    stats_put_u64(out, "time_in_listen_disabled_us",
                  counters->listen_disabled_us);
    stats_put_u64(out, "threads", threads);
}

/* Replies and input are the workers': each has one buffer of either kind. */
static void put_buffers(const struct server *server, struct stats_out *out)
{
    uint64_t threads = server->config.threads;

    stats_put_u64(out, "response_obj_oom", 0);
    stats_put_u64(out, "response_obj_count", threads);
    stats_put_u64(out, "response_obj_bytes", threads * SINK_FULL_BYTES);
    stats_put_u64(out, "read_buf_count", threads);
    stats_put_u64(out, "read_buf_bytes", threads * WORKER_INPUT_BYTES);
    stats_put_u64(out, "read_buf_bytes_free", 0);
    stats_put_u64(out, "read_buf_oom", 0);
}

/* What memcached has and a server without authentication, watchers and
 * network queues of its own does not. */
static void put_absent(struct stats_out *out)
{
    static const char *const names[] = {
        "auth_cmds",          "auth_errors",         "log_worker_dropped",
        "log_worker_written", "log_watcher_skipped", "log_watcher_sent",
        "log_watchers",       "unexpected_napi_ids", "round_robin_fallback"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        stats_put_u64(out, names[i], 0);
}

void server_stats(struct server *server, struct stats_out *out)
{
    struct server_counters counters;

    read_counters(server, &counters);
    put_process(server, out);
    put_connections(server, &counters, out);
    put_buffers(server, out);
    stats_put_u64(out, "bytes_read", counters.bytes_read);
    stats_put_u64(out, "bytes_written", counters.bytes_written);
    stats_put_u64(out, "conn_yields", counters.conn_yields);
    put_absent(out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The server's part of `stats`. */
#include "src/base/invariant.h"
#include "src/server/server_inner.h"

#include <event2/event.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* memcached counts the sockets that it listens on too, but for one. */
static uint64_t current_connections(const struct server *server)
{
    return atomic_load(&server->census.current) +
           listeners_sockets(&server->acceptor.listeners);
}

static void put_connections(const struct server *server,
                            const struct server_counters *counters,
                            struct stats_out *out)
{
    uint64_t current = current_connections(server);
    unsigned threads = server->config.threads;

    stats_put_u64(out, "max_connections", server->config.connections_max);
    stats_put_u64(out, "curr_connections", current - 1);
    stats_put_u64(out, "total_connections", counters->total_connections);
    if (!server->config.pause_at_limit)
        stats_put_u64(out, "rejected_connections",
                      counters->rejected_connections);
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
    if (server->config.idle_timeout_s > 0)
        stats_put_u64(out, "idle_kicks", counters->idle_kicks);
    stats_put_u64(out, "unexpected_napi_ids", counters->unexpected_napi_ids);
    stats_put_u64(out, "round_robin_fallback", counters->round_robin_fallback);
}

static uint64_t held_bytes(const struct server *server)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < server->worker_count; i++)
        sum +=
            __atomic_load_n(&server->workers[i]->held_bytes, __ATOMIC_RELAXED);
    return sum;
}

/* Replies and input are the workers': each has one buffer of either kind. What
 * connections hold on top counts as read. */
static void put_buffers(const struct server *server,
                        const struct server_counters *counters,
                        struct stats_out *out)
{
    uint64_t threads = server->config.threads;

    stats_put_u64(out, "response_obj_oom", counters->response_obj_oom);
    stats_put_u64(out, "response_obj_count", threads);
    stats_put_u64(out, "response_obj_bytes", threads * SINK_FULL_BYTES);
    stats_put_u64(out, "read_buf_count", threads);
    stats_put_u64(out, "read_buf_bytes",
                  threads * WORKER_INPUT_BYTES + held_bytes(server));
    stats_put_u64(out, "read_buf_bytes_free", 0);
    stats_put_u64(out, "read_buf_oom", counters->read_buf_oom);
}

static void put_tls(const struct server *server,
                    const struct server_counters *counters,
                    struct stats_out *out)
{
    struct tls *tls = server->config.tls;

    if (tls == NULL)
        return;
    if (tls_has_session_cache(tls))
        stats_put_u64(out, "ssl_new_sessions", counters->ssl_new_sessions);
    stats_put_u64(out, "ssl_handshake_errors", counters->ssl_handshake_errors);
    stats_put_u64(out, "ssl_proto_errors", counters->ssl_proto_errors);
    stats_put_u64(out, "time_since_server_cert_refresh", tls_age_s(tls));
}

void server_stats(struct server *server, struct stats_out *out)
{
    struct server_counters counters;

    read_counters(server, &counters);
    put_process(server, out);
    put_connections(server, &counters, out);
    put_buffers(server, &counters, out);
    stats_put_u64(out, "bytes_read", counters.bytes_read);
    stats_put_u64(out, "bytes_written", counters.bytes_written);
    stats_put_u64(out, "conn_yields", counters.conn_yields);
    put_tls(server, &counters, out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole of it: workers, acceptor, and their start and end. */
#include "src/server/server.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/server/listener_unix.h"
#include "src/server/server_inner.h"

/* ---- life ---- */

/* A descriptor is the lowest that is free: only what a program that starts us
 * leaves open comes on top. */
static size_t fds_max(const struct server_config *config)
{
    return (size_t)config->connections_max +
           (size_t)config->threads * SERVER_THREAD_FDS + SERVER_OTHER_FDS +
           SERVER_FOREIGN_FDS;
}

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
    lock_init(&server->port_lock, LOCK_RANK_PORT);
    lock_init(&server->counts_lock, LOCK_RANK_STATS);
    if (registry_init(&server->registry, fds_max(config)) != 0) {
        server_free(&server);
        return -ERR_MEMORY;
    }
    *out = server;
    return 0;
}

void server_free(struct server **server_at)
{
    struct server *server = *server_at;

    if (server == NULL)
        return;
    server_stop(server);
    while (server->worker_count > 0)
        worker_free(&server->workers[--server->worker_count]);
    acceptor_fini(&server->acceptor);
    registry_fini(&server->registry);
    lock_fini(&server->counts_lock);
    lock_fini(&server->port_lock);
    memory_free(server_at);
}

MUST_CHECK static int bind_ports(struct server *server, enum listener_kind kind,
                                 int port, char words[SERVER_WORDS_MAX])
{
    const struct server_config *config = &server->config;
    const struct listener_defaults defaults = {.kind = kind,
                                               .port = port,
                                               .threads = config->threads,
                                               .mark = config->socket_mark,
                                               .tls = config->tls != NULL,
                                               .session = config->sessions};
    struct listeners *listeners = &server->acceptor.listeners;
    int error = 0;

    if (port == 0)
        return 0;
    if (config->listen_count == 0)
        return listeners_bind(listeners, NULL, &defaults, words);
    for (size_t i = 0; i < config->listen_count && error == 0; i++)
        error = listeners_bind(listeners, config->listen[i], &defaults, words);
    return error;
}

int server_bind(struct server *server, char words[SERVER_WORDS_MAX])
{
    const struct server_config *config = &server->config;
    int error = 0;

    if (config->unix_path != NULL)
        error =
            listener_unix_bind(&server->acceptor.listeners, config->unix_path,
                               config->unix_mode, &config->sessions, words);
    if (error == 0)
        error = bind_ports(server, LISTENER_TCP, config->port, words);
    if (error == 0)
        error = bind_ports(server, LISTENER_UDP, config->udp_port, words);
    return error;
}

static int start_worker(struct server *server, size_t index)
{
    const struct worker_config config = {
        .clock = server->config.clock,
        .commands = server->config.command_threads[index],
        .census = &server->census,
        .registry = &server->registry,
        .listeners = &server->acceptor.listeners,
        .index = index,
        .turn_requests_max = server->config.turn_requests_max,
        .stop_ns = server->config.stop_ms * NS_PER_MS,
        .idle_timeout_s = server->config.idle_timeout_s,
        .held_bytes_max =
            server->config.held_bytes_max / server->config.threads,
        .tls = server->config.tls,
        .tls_record_bytes = server->config.tls_record_bytes,
        .confirm = server->config.confirm,
        .confirm_ns = server->config.confirm_ms * NS_PER_MS};
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
    acceptor->pause_at_limit = server->config.pause_at_limit;
    acceptor->napi.max = server->config.napi_ids;
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
        for (size_t i = 0; i < server->worker_count; i++)
            worker_open(server->workers[i]);
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
    listeners_fini(&server->acceptor.listeners);
}

void server_addresses(const struct server *server, server_address_fn *fn,
                      void *ctx)
{
    const struct listeners *listeners = &server->acceptor.listeners;

    for (size_t i = 0; i < listeners->count; i++) {
        const struct listener *listener = &listeners->at[i];
        const struct server_address address = {.kind = listener->kind,
                                               .ipv6 = listener->ipv6,
                                               .port = listener->port,
                                               .path = listener->file.path};

        fn(ctx, &address);
    }
}

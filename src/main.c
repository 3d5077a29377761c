/* SPDX-License-Identifier: BSD-3-Clause */
/* Puts the layers together: engine, commands, server, replication. What can
 * fail is tried in the foreground and before the first thread. */
#include "src/daemon.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/engine_options.h"
#include "src/port_file.h"
#include "src/process.h"
#include "src/version.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define WORDS_MAX 512
#define STOP_MS 1000 /* For replies under way to slow readers. */
/* What a stop may take beyond that and the drain: all else is the work of
 * moments, on a machine that may have other work. */
#define STOP_MARGIN_MS 10000
#define RING_ENTRY_BYTES 16

_Static_assert(WORDS_MAX >= SERVER_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= REPLICATION_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= TLS_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= COMMANDS_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= OPTIONS_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= PROCESS_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= RESTART_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= AUTH_FILE_WORDS_MAX, "room for any sentence");
_Static_assert(WORDS_MAX >= SASL_USERS_WORDS_MAX, "room for any sentence");

static const char license[] =
#include "src/license.inc"
    ;

/* A step of the start. Returns 0, or the status to exit with and a sentence
 * for the operator. */
typedef int step_fn(struct daemon *daemon, char words[WORDS_MAX]);

static int fail(int status, char words[WORDS_MAX], const char *sentence)
{
    (void)snprintf(words, WORDS_MAX, "%s", sentence);
    return status;
}

/* ---- the process ---- */

static uint64_t fds_needed(const struct options *options)
{
    uint64_t of_thread = SERVER_THREAD_FDS;

    if (options->udp_port != 0)
        of_thread += SERVER_THREAD_UDP_FDS;
    return (uint64_t)options->connections_max + SERVER_OTHER_FDS +
           (uint64_t)options->threads * of_thread;
}

static int prepare_process(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    int status = process_check_user(options->user, words);

    if (status == 0 && options->core_dumps)
        status = process_allow_cores(words);
    if (options->lock_memory)
        process_allow_lock();
    if (status == 0)
        status = process_need_fds(fds_needed(options), words);
    if (status == 0 && options->daemonize)
        status = process_detach(words);
    if (status == 0)
        process_block_signals();
    return status;
}

static int settle_process(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    int status;

    port_file_write(daemon->server);
    if (options->pid_file != NULL)
        process_write_pid_file(options->pid_file, options->user);
    status = process_switch_user(options->user, options->core_dumps, words);
    if (status == 0)
        restart_check(&daemon->restart);
    return status;
}

/* ---- the engine ---- */

static const char *pair_name(const struct options *options)
{
    return options->repl_name != NULL ? options->repl_name : "";
}

static void print_class(void *ctx, const char *text)
{
    (void)ctx;
    log_v(LOG_LEVEL_VV, "%s", text);
}

static int make_engine(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    struct engine_setup setup;
    int status = 0;
    int error = 0;

    engine_options_fill(options, &setup);
    if (options->memory_file != NULL)
        status = restart_begin(&daemon->restart, options->memory_file,
                               options->user, &setup.config, &daemon->clock,
                               &daemon->engine, &error, words);
    else
        error = engine_new(&setup.config, &daemon->engine);
    if (status != 0)
        return status;
    if (error == -ERR_RANGE)
        return fail(EX_USAGE, words,
                    "-m, -I, -f and -n do not fit together: give more memory "
                    "or smaller items");
    if (error != 0)
        return fail(EX_OSERR, words,
                    "the system refuses the memory that -m asks for");
    engine_print_classes(daemon->engine, print_class, NULL);
    return 0;
}

/* Before the first thread of the engine, which will have lines. */
static int make_watch(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    const struct watch_config config = {
        .clock = &daemon->clock,
        .ring_bytes = (size_t)options->worker_logbuf_size * KIB,
        .watcher_bytes = (size_t)options->watcher_logbuf_size * KIB};

    daemon->watch = watch_new(&config);
    if (daemon->watch == NULL)
        return fail(EX_OSERR, words, "out of memory at the start");
    engine_set_watch(daemon->engine, daemon->watch);
    return 0;
}

/* ---- authentication ---- */

static int make_authentication(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    int error = 0;

    if (options->auth_file != NULL)
        error = auth_file_new(options->auth_file, &daemon->auth_file, words);
    if (error == 0 && options->sasl)
        error = sasl_users_new(&daemon->sasl_users, words);
    return error == 0 ? 0 : EXIT_FAILURE;
}

static const struct authenticator *authenticator_of(const struct daemon *daemon)
{
    if (daemon->auth_file != NULL)
        return auth_file_authenticator(daemon->auth_file);
    if (daemon->sasl_users != NULL)
        return sasl_users_authenticator(daemon->sasl_users);
    return NULL;
}

/* ---- commands ---- */

static int refresh_certs(void *ctx, char words[COMMANDS_WORDS_MAX])
{
    return tls_reload(((struct daemon *)ctx)->tls, words);
}

/* Signals are awaited by the first thread. */
static void shut_down(void *ctx, bool graceful)
{
    (void)ctx;
    (void)kill(getpid(), graceful ? SIGUSR1 : SIGINT);
}

static void ask_replication(void *ctx, struct errand *errand)
{
    replication_ask(((struct daemon *)ctx)->replication, errand);
}

static int make_commands(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    const struct commands_config config = {
        .version = PROTOCOL_VERSION,
        .item_bytes_max = (uint64_t)options->item_bytes_max,
        .cas_shown = !options->no_cas,
        .clock = &daemon->clock,
        .dump_allowed = !options->no_dump,
        .detail_on = options->detail_enabled,
        .prefix_delimiter = (char)options->prefix_delimiter,
        .flush_allowed = !options->no_flush,
        .watch_allowed = !options->no_watch,
        .watch = daemon->watch,
        .ack = daemon->confirm != NULL ? &daemon->ack : NULL,
        .fetches = daemon->fetches,
        .shut_down = options->shutdown_allowed ? shut_down : NULL,
        .authenticator = authenticator_of(daemon),
        .repl = daemon->replication != NULL ? ask_replication : NULL,
        .repl_ctx = daemon,
        .refresh_certs = daemon->tls != NULL ? refresh_certs : NULL,
        .refresh_ctx = daemon};

    daemon->commands = commands_new(daemon->engine, &config);
    if (daemon->commands == NULL || daemon_register_stats(daemon) != 0)
        return fail(EX_OSERR, words, "out of memory at the start");
    for (int64_t i = 0; i < options->threads; i++) {
        daemon->threads[i] = command_thread_new(daemon->commands);
        if (daemon->threads[i] == NULL)
            return fail(EX_OSERR, words, "out of memory at the start");
    }
    return 0;
}

/* ---- the server ---- */

static int make_tls(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    const struct tls_config config = {
        .clock = &daemon->clock,
        .chain_path = options->ssl_chain_cert,
        .key_path = options->ssl_key,
        .ca_path = options->ssl_ca_cert,
        .ciphers = options->ssl_ciphers,
        .key_format = (enum tls_key_format)options->ssl_keyformat,
        .verify = (enum tls_verify)options->ssl_verify_mode,
        .version_min = (unsigned)options->ssl_min_version,
        .session_cache = options->ssl_session_cache,
        .kernel = options->ssl_kernel_tls};

    if (!options->tls || tls_new(&config, &daemon->tls, words) == 0)
        return 0;
    return EX_USAGE;
}

/* Of the link to the peer. */
static int make_link_tls(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    const struct tls_config config = {.clock = &daemon->clock,
                                      .role = TLS_ROLE_PEER,
                                      .chain_path = options->repl_tls_cert,
                                      .key_path = options->repl_tls_key,
                                      .ca_path = options->repl_tls_ca,
                                      .key_format = TLS_KEY_PEM,
                                      .verify = TLS_VERIFY_REQUIRE,
                                      .version_min = 3,
                                      .secret_path = options->repl_secret,
                                      .identity = pair_name(options),
                                      .pin = options->repl_tls_peer,
                                      .alpn = REPLICATION_ALPN};

    if (options->repl_secret == NULL && options->repl_tls_cert == NULL)
        return 0;
    return tls_new(&config, &daemon->link_tls, words) == 0 ? 0 : EX_USAGE;
}

static const enum session_protocol protocols[] = {
    [OPTION_PROTOCOL_AUTO] = SESSION_AUTO,
    [OPTION_PROTOCOL_ASCII] = SESSION_TEXT,
    [OPTION_PROTOCOL_BINARY] = SESSION_BINARY,
};

static int make_server(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    const struct server_config config = {
        .clock = &daemon->clock,
        .version = PROTOCOL_VERSION,
        .command_threads = daemon->threads,
        .threads = (unsigned)options->threads,
        .listen = options->listen.at,
        .listen_count = options->listen.count,
        .port = (int)options->port,
        .backlog = (int)options->backlog,
        .connections_max = (uint64_t)options->connections_max,
        .turn_requests_max = (size_t)options->turn_requests_max,
        .sessions = {.protocol = protocols[options->protocol]},
        .udp_port = (int)options->udp_port,
        .unix_path = options->unix_socket,
        .unix_mode = (unsigned)options->unix_mask,
        .pause_at_limit = !options->maxconns_fast,
        .idle_timeout_s = (uint32_t)options->idle_timeout,
        .held_bytes_max = (uint64_t)options->read_buf_mem_limit * MIB,
        .napi_ids = (unsigned)options->napi_ids,
        .socket_mark = (uint32_t)options->sock_cookie_id,
        .stop_ms = STOP_MS,
        .tls = daemon->tls,
        .tls_record_bytes = (size_t)options->ssl_wbuf_size * KIB,
        .confirm = daemon->confirm,
        .confirm_ms = (uint64_t)options->repl_ack_timeout_ms};

    if (server_new(&config, &daemon->server) != 0)
        return fail(EX_OSERR, words, "out of memory at the start");
    return server_bind(daemon->server, words) == 0 ? 0 : EX_OSERR;
}

/* ---- replication ---- */

/* The node has the data, or can fetch it: let clients in. A port that somebody
 * else took since it was bound ends the daemon, or it would be a node that
 * nobody reaches. */
static void serve_clients(void *ctx)
{
    struct daemon *daemon = ctx;
    char words[SERVER_WORDS_MAX];

    if (server_open(daemon->server, words) == 0)
        return;
    log_error("%s", words);
    atomic_store(&daemon->status, EX_OSERR);
    (void)kill(getpid(), SIGTERM);
}

/* -q counts changes, and only ever makes the log larger: to the next power of
 * two, which is what the log has. */
static size_t queue_bytes(const struct options *options)
{
    size_t entries = 1;

    if (!options->given[OPTION_ID_queue_length])
        return 0;
    while (entries < (size_t)options->queue_length)
        entries *= 2;
    return entries * RING_ENTRY_BYTES;
}

/* The peer has everything: as SIGTERM does, which drains once more. */
static void leave(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGTERM);
}

static const enum ack_mode ack_modes[] = {
    [OPTION_ACK_ASYNC] = ACK_ASYNC,
    [OPTION_ACK_RECEIVED] = ACK_RECEIVED,
    [OPTION_ACK_APPLIED] = ACK_APPLIED,
};

_Static_assert(ACK_PREFIXES_MAX >= OPTIONS_LIST_MAX, "room for each of them");

static int make_acks(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    struct slice prefix;
    int64_t mode;
    int error = 0;

    daemon->ack.mode = ack_modes[options->repl_ack];
    for (size_t i = 0; i < options->repl_ack_prefix.count && error == 0; i++) {
        error =
            options_ack_prefix(options->repl_ack_prefix.at[i], &prefix, &mode);
        if (error == 0)
            error = ack_policy_add(&daemon->ack, prefix, ack_modes[mode]);
    }
    INVARIANT(error == 0); /* The options were checked. */
    if (!options_replicate(options) || !ack_policy_waits(&daemon->ack))
        return 0;
    daemon->confirm = confirm_new();
    return daemon->confirm != NULL
               ? 0
               : fail(EX_OSERR, words, "out of memory at the start");
}

static int make_fetches(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;

    if (!options_replicate(options) || !options->repl_fetch)
        return 0;
    daemon->fetches = fetches_new();
    return daemon->fetches != NULL
               ? 0
               : fail(EX_OSERR, words, "out of memory at the start");
}

static int make_replication(struct daemon *daemon, char words[WORDS_MAX])
{
    const struct options *options = &daemon->options;
    const struct replication_config config = {
        .engine = daemon->engine,
        .clock = &daemon->clock,
        .peer_host = options->peer != NULL ? options->peer_endpoint.host : NULL,
        .peer_port = options->peer_endpoint.port,
        .listen_host = options_peer_address(options, &daemon->peer_address),
        .listen_port = (uint16_t)options->repl_port,
        .pair = pair_name(options),
        .tls = daemon->link_tls,
        .item_bytes_max = (uint64_t)options->item_bytes_max,
        .memory_bytes = (uint64_t)options->memory_mib * MIB,
        .ring_bytes = (size_t)options->repl_log_bytes,
        .ring_bytes_min = queue_bytes(options),
        .tombstones_max = (size_t)options->repl_tombstones,
        .dead_ms = (uint64_t)options->repl_timeout_ms,
        .drain_ms = (uint64_t)options->repl_drain_ms,
        .warm = daemon->restart.warm,
        .saved = daemon->restart.saved,
        .confirm = daemon->confirm,
        .confirm_ms = (uint64_t)options->repl_ack_timeout_ms,
        .fetches = daemon->fetches,
        .serve = serve_clients,
        .serve_ctx = daemon,
        .leave = options->shutdown_allowed ? leave : NULL};

    if (!options_replicate(options))
        return 0;
    return replication_new(&config, &daemon->replication, words) == 0
               ? 0
               : EX_OSERR;
}

/* ---- running ---- */

static int start_threads(struct daemon *daemon, char words[WORDS_MAX])
{
    const char *refused = "the system refuses more threads";

    if (server_start(daemon->server) != 0)
        return fail(EX_OSERR, words, refused);
    if (engine_janitor_start(daemon->engine, &daemon->clock) != 0)
        return fail(EX_OSERR, words, refused);
    daemon->upkeep = true;
    if (daemon->replication == NULL)
        return server_open(daemon->server, words) == 0 ? 0 : EX_OSERR;
    if (replication_start(daemon->replication) != 0)
        return fail(EX_OSERR, words, refused);
    daemon->replicating = true;
    return 0;
}

/* The engine tells the replication of changes from its first thread on, so
 * the replication comes before the commands. */
static step_fn *const steps[] = {
    prepare_process,  make_tls,      make_link_tls, make_authentication,
    make_engine,      make_watch,    make_acks,     make_fetches,
    make_replication, make_commands, make_server,   settle_process,
    start_threads,
};

static int start(struct daemon *daemon)
{
    char words[WORDS_MAX];
    int status = 0;

    for (size_t i = 0; i < COUNT_OF(steps) && status == 0; i++)
        status = steps[i](daemon, words);
    if (status != 0)
        (void)fprintf(stderr, "%s: %s\n", PACKAGE_NAME, words);
    return status;
}

/* At a graceful stop; and what came back goes back when the start fails. */
static int save(struct daemon *daemon)
{
    if (!daemon->graceful && (daemon->started || !daemon->restart.warm))
        return 0;
    if (!daemon->restart.open)
        return 0;
    process_lift_limit();
    return restart_save(&daemon->restart, daemon->engine, daemon->replication,
                        &daemon->clock);
}

/* Clients first: what they were told is then on its way to the peer. */
static int stop(struct daemon *daemon)
{
    int status;

    process_stop_awaits("its clients");
    if (daemon->server != NULL)
        server_stop(daemon->server);
    process_stop_awaits("the replication");
    if (daemon->replicating)
        replication_stop(daemon->replication);
    process_stop_awaits("the upkeep");
    if (daemon->upkeep)
        engine_janitor_stop(daemon->engine);
    process_stop_awaits("its memory");
    server_free(&daemon->server);
    tls_free(&daemon->tls);
    for (size_t i = 0; i < COUNT_OF(daemon->threads); i++)
        command_thread_free(&daemon->threads[i]);
    status = save(daemon);
    commands_free(&daemon->commands);
    auth_file_free(&daemon->auth_file);
    sasl_users_free(&daemon->sasl_users);
    daemon->calls_left = !replication_free(&daemon->replication);
    tls_free(&daemon->link_tls);
    confirm_free(&daemon->confirm);
    fetches_free(&daemon->fetches);
    engine_free(&daemon->engine);
    watch_free(&daemon->watch);
    restart_end(&daemon->restart);
    return status;
}

/* What SIGHUP asks for: files that the command line names may have changed. */
static void reload(struct daemon *daemon)
{
    char words[WORDS_MAX];

    log_v(LOG_LEVEL_V, "reading files again on SIGHUP");
    if (daemon->tls != NULL && tls_reload(daemon->tls, words) != 0)
        log_error("TLS goes on with the old certificates: %s", words);
    if (daemon->link_tls != NULL && tls_reload(daemon->link_tls, words) != 0)
        log_error("replication goes on with the old secret or certificate: %s",
                  words);
    if (daemon->auth_file != NULL &&
        auth_file_reload(daemon->auth_file, words) != 0)
        log_error("users stay those of before: %s", words);
}

/* SIGUSR1 is also what `shutdown graceful` sends. */
static void await_end(struct daemon *daemon)
{
    uint64_t limit_ms = STOP_MS + STOP_MARGIN_MS;
    int number = process_await_signal();

    while (number == SIGHUP) {
        reload(daemon);
        number = process_await_signal();
    }
    daemon->graceful = number == SIGUSR1;
    process_allow_interrupt();
    if (daemon->replicating)
        limit_ms += (uint64_t)daemon->options.repl_drain_ms;
    process_limit_stop(limit_ms);
    log_v(LOG_LEVEL_V, "stopping on signal %d", number);
}

static int run(struct daemon *daemon)
{
    const struct options *options = &daemon->options;
    int status = start(daemon);
    int saved;

    if (status == 0) {
        daemon->started = true;
        restart_settled(&daemon->restart);
        if (options->lock_memory)
            process_lock_memory();
        process_release(options->verbosity > 0, options->core_dumps);
        await_end(daemon);
        status = atomic_load(&daemon->status);
    }
    saved = stop(daemon);
    process_remove_pid_file();
    return status != 0 ? status : saved;
}

/* True when that was all that was asked for. */
static bool tell(const struct options *options)
{
    if (options->help)
        options_print_help(stdout);
    else if (options->version)
        (void)printf("%s %s\n", PACKAGE_NAME, PACKAGE_VERSION);
    else if (options->license)
        (void)fputs(license, stdout);
    return options->help || options->version || options->license;
}

int main(int argc, char *argv[])
{
    static struct daemon daemon;
    char words[OPTIONS_WORDS_MAX];
    int status = options_parse(&daemon.options, argc, argv, words);

    if (status != 0) {
        (void)fprintf(stderr, "%s\n", words);
        return status;
    }
    if (tell(&daemon.options))
        return EXIT_SUCCESS;
    log_set_verbosity((int)daemon.options.verbosity);
    options_warn(&daemon.options);
#ifdef DEBUG_COMMANDS
    clock_init_movable(&daemon.clock);
#else
    clock_init_real(&daemon.clock);
#endif
    daemon.started_at_ns = clock_now(&daemon.clock);
    status = run(&daemon);
    if (daemon.calls_left)
        _exit(status); /* exit() would wait for them. */
    return status;
}

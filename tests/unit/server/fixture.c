/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/server/fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct clock wall;
static struct engine *engine;
static struct commands *commands;
static struct command_thread *threads[THREADS];
struct server *server;
uint16_t port;
uint16_t udp_port;
static const char *listen_on[] = {"127.0.0.1"};

/* ---- the server under test ---- */

struct errand *asked;

static void keep_errand(void *ctx, struct errand *errand)
{
    (void)ctx;
    __atomic_store_n(&asked, errand, __ATOMIC_RELEASE);
}

void note_port(void *ctx, const struct server_address *address)
{
    (void)ctx;
    if (address->kind == LISTENER_TCP)
        port = address->port;
    if (address->kind == LISTENER_UDP)
        udp_port = address->port;
}

struct server_config config_of_test(void)
{
    return (struct server_config){.clock = &wall,
                                  .version = "1.6.45",
                                  .command_threads = threads,
                                  .threads = THREADS,
                                  .listen = listen_on,
                                  .listen_count = 1,
                                  .port = -1,
                                  .backlog = 128,
                                  .connections_max = CONNECTIONS_MAX,
                                  .turn_requests_max = REQUESTS_MAX,
                                  .stop_ms = 1000 * PATIENCE_S};
}

static void make_commands(void)
{
    const struct engine_config engine_config = {.memory_bytes = 64 * MIB,
                                                .item_bytes_max = 8 * MIB};
    const struct commands_config config = {.version = "1.6.45",
                                           .item_bytes_max = 8 * MIB,
                                           .cas_shown = true,
                                           .flush_allowed = true,
                                           .repl = keep_errand};

    ck_assert_int_eq(engine_new(&engine_config, &engine), 0);
    commands = commands_new(engine, &config);
    ck_assert_ptr_nonnull(commands);
    for (size_t i = 0; i < THREADS; i++) {
        threads[i] = command_thread_new(commands);
        ck_assert_ptr_nonnull(threads[i]);
    }
}

static void start_with(const struct server_config *config)
{
    char words[SERVER_WORDS_MAX];

    ck_assert_int_eq(server_new(config, &server), 0);
    ck_assert_msg(server_bind(server, words) == 0, "%s", words);
    server_addresses(server, note_port, NULL);
    ck_assert_int_eq(server_start(server), 0);
}

static void open_up(void)
{
    char words[SERVER_WORDS_MAX];

    ck_assert_int_eq(server_open(server, words), 0);
}

void setup(void)
{
    struct server_config config;

    clock_init_real(&wall);
    make_commands();
    config = config_of_test();
    start_with(&config);
}

void setup_open(void)
{
    setup();
    open_up();
}

void setup_with(const struct server_config *config)
{
    clock_init_real(&wall);
    make_commands();
    start_with(config);
    open_up();
}

void teardown(void)
{
    server_free(&server);
    for (size_t i = 0; i < THREADS; i++)
        command_thread_free(&threads[i]);
    commands_free(&commands);
    engine_free(&engine);
}

/* ---- statistics ---- */

struct seen {
    struct stats_out out; /* First. */
    const char *name;
    char value[STATS_VALUE_MAX];
    unsigned times;
};

static void look(struct stats_out *out, const char *name, const char *value)
{
    struct seen *seen = (struct seen *)(void *)out;

    if (strcmp(name, seen->name) != 0)
        return;
    seen->times++;
    (void)snprintf(seen->value, sizeof(seen->value), "%s", value);
}

uint64_t stat_of(const char *name)
{
    struct seen seen = {.out = {look}, .name = name};

    server_stats(server, &seen.out);
    ck_assert_uint_eq(seen.times, 1);
    return strtoull(seen.value, NULL, 10);
}

bool conns_line(const char *name, char value[STATS_VALUE_MAX])
{
    struct seen seen = {.out = {look}, .name = name};

    server_stats_conns(server, &seen.out);
    memcpy(value, seen.value, sizeof(seen.value));
    return seen.times > 0;
}

/* ---- clients ---- */

int dial(void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void say_bytes(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        bytes += sent;
        size -= (size_t)sent;
    }
}

void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

size_t hear_bytes(int fd, char *bytes, size_t size)
{
    size_t heard = 0;

    while (heard < size) {
        ssize_t got = recv(fd, bytes + heard, size - heard, 0);

        ck_assert_msg(got >= 0 || errno == ECONNRESET, "recv: %s",
                      strerror(errno));
        if (got <= 0)
            break;
        heard += (size_t)got;
    }
    return heard;
}

void hear(int fd, const char *text)
{
    char bytes[4096];
    size_t size = strlen(text);

    ck_assert_uint_lt(size, sizeof(bytes));
    bytes[hear_bytes(fd, bytes, size)] = '\0';
    ck_assert_str_eq(bytes, text);
}

void hear_end(int fd)
{
    char byte;

    ck_assert_uint_eq(hear_bytes(fd, &byte, 1), 0);
}

char *filled(size_t size, char byte)
{
    char *bytes = malloc(size);

    ck_assert_ptr_nonnull(bytes);
    memset(bytes, byte, size);
    return bytes;
}

void store(int fd, const char *key, size_t size)
{
    char *value = filled(size, 'v');
    char line[128];

    (void)snprintf(line, sizeof(line), "set %s 0 0 %zu\r\n", key, size);
    say(fd, line);
    say_bytes(fd, value, size);
    say(fd, "\r\n");
    free(value);
    hear(fd, "STORED\r\n");
}

void hear_value(int fd, const char *key, size_t size)
{
    char *value = malloc(size);
    char line[128];

    ck_assert_ptr_nonnull(value);
    (void)snprintf(line, sizeof(line), "VALUE %s 0 %zu\r\n", key, size);
    hear(fd, line);
    ck_assert_uint_eq(hear_bytes(fd, value, size), size);
    for (size_t i = 0; i < size; i++) {
        if (value[i] != 'v')
            ck_abort_msg("byte %zu of %zu is wrong", i, size);
    }
    free(value);
    hear(fd, "\r\nEND\r\n");
}

int dial_served(void)
{
    for (;;) {
        char first;
        int fd = dial();

        ck_assert_int_ge(fd, 0);
        if (send(fd, "version\r\n", 9, MSG_NOSIGNAL) == 9 &&
            recv(fd, &first, 1, 0) == 1 && first == 'V') {
            hear(fd, "ERSION 1.6.45\r\n");
            return fd;
        }
        close(fd);
    }
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole replications with real engines, threads and sockets on loopback; what
 * the node decides is tested in the simulation, here it is the sockets. */
#include "replication/replication.h"

#include "replication/replication_metrics.h"

#include "replication/codec.h"
#include "replication/listener.h"
#include "replication/node.h"
#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 20000 /* Until a test gives up; a slow machine needs some. */
#define DEAD_MS 1000
#define STARTS 20 /* Simultaneous ones. */
#define VALUE_MAX (3u * 1024 * 1024)

struct daemon {
    struct clock clock;
    struct engine *engine;
    struct engine_thread *thread; /* The test's own. */
    struct replication *replication;
    _Atomic bool serves;
};

static char value_room[VALUE_MAX];

/* ---- daemons ---- */

static void on_serve(void *ctx)
{
    struct daemon *daemon = ctx;

    atomic_store(&daemon->serves, true);
}

static void open_engine(struct daemon *daemon)
{
    const struct engine_config config = {
        .memory_bytes = 64 * MIB,
        .item_bytes_max = 4 * MIB,
        .hash_seed = 1,
    };

    clock_init_real(&daemon->clock);
    ck_assert_int_eq(engine_new(&config, &daemon->engine), 0);
}

static struct replication_config config_of(struct daemon *daemon,
                                           const char *peer_host,
                                           uint16_t peer_port,
                                           uint16_t listen_port)
{
    return (struct replication_config){
        .engine = daemon->engine,
        .clock = &daemon->clock,
        .peer_host = peer_host,
        .peer_port = peer_port,
        .listen_port = listen_port,
        .pair = "test",
        .item_bytes_max = 4 * MIB,
        .memory_bytes = 64 * MIB,
        .dead_ms = DEAD_MS,
        .serve = on_serve,
        .serve_ctx = daemon,
    };
}

static void start_with(struct daemon *daemon,
                       const struct replication_config *config)
{
    char words[REPLICATION_WORDS_MAX];

    ck_assert_int_eq(replication_new(config, &daemon->replication, words), 0);
    daemon->thread = engine_thread_new(daemon->engine);
    ck_assert_ptr_nonnull(daemon->thread);
    engine_thread_set_now(daemon->thread, clock_now(&daemon->clock));
    ck_assert_int_eq(replication_start(daemon->replication), 0);
}

static void start(struct daemon *daemon, const char *peer_host,
                  uint16_t peer_port, uint16_t listen_port)
{
    struct replication_config config;

    memset(daemon, 0, sizeof(*daemon));
    open_engine(daemon);
    config = config_of(daemon, peer_host, peer_port, listen_port);
    start_with(daemon, &config);
}

static void stop(struct daemon *daemon)
{
    replication_stop(daemon->replication);
    engine_thread_free(&daemon->thread);
    ck_assert(replication_free(&daemon->replication));
    ck_assert_ptr_null(daemon->replication);
    engine_free(&daemon->engine);
}

static void two_ports(uint16_t ports[2])
{
    struct address_list all;

    ck_assert_int_eq(address_list_resolve(&all, NULL, 0), 0);
    ck_assert_int_eq(listener_find_port(&all, &ports[0]), 0);
    do
        ck_assert_int_eq(listener_find_port(&all, &ports[1]), 0);
    while (ports[0] == ports[1]);
}

/* ---- keys ---- */

static void set(struct daemon *daemon, const char *key, const char *value,
                size_t size)
{
    struct engine_write write = {
        .key = engine_key_of(daemon->engine, slice_of(key)),
        .mode = ENGINE_SET,
        .client_flags = 7,
        .value_size = size,
    };
    stamp_t stamp;

    engine_thread_set_now(daemon->thread, clock_now(&daemon->clock));
    ck_assert_int_eq(engine_store(daemon->thread, &write, value, &stamp),
                     ENGINE_STORED);
    engine_thread_settle(daemon->thread);
}

static void drop(struct daemon *daemon, const char *key)
{
    const struct engine_key of = engine_key_of(daemon->engine, slice_of(key));

    engine_thread_set_now(daemon->thread, clock_now(&daemon->clock));
    (void)engine_remove(daemon->thread, &of);
    engine_thread_settle(daemon->thread);
}

/* NULL: shall not be there. */
static bool holds(struct daemon *daemon, const char *key, const char *value,
                  size_t size)
{
    const struct engine_key of = engine_key_of(daemon->engine, slice_of(key));
    struct engine_view view;
    struct slice piece;
    size_t offset = 0;
    bool same;

    engine_thread_set_now(daemon->thread, clock_now(&daemon->clock));
    if (!engine_get(daemon->thread, &of, &view))
        return value == NULL;
    same = value != NULL && view.value_size == size && view.client_flags == 7;
    while (same && offset < size) {
        piece = engine_item_bytes(daemon->thread, view.item, offset);
        if (piece.size > size - offset)
            piece.size = size - offset;
        same = piece.size > 0 &&
               memcmp(piece.data, value + offset, piece.size) == 0;
        offset += piece.size;
    }
    engine_view_end(daemon->thread, &view);
    return same;
}

/* ---- waiting ---- */

static uint64_t monotonic_ms(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

#define UNTIL(condition) \
    do { \
        uint64_t until_ms = monotonic_ms() + WAIT_MS; \
        while (!(condition)) { \
            ck_assert_msg(monotonic_ms() < until_ms, "never: %s", #condition); \
            (void)poll(NULL, 0, 1); \
        } \
    } while (0)

struct wanted_stat {
    struct stats_out out;
    const char *name;
    char value[STATS_VALUE_MAX];
};

static void keep_wanted(struct stats_out *out, const char *name,
                        const char *value)
{
    struct wanted_stat *wanted = (struct wanted_stat *)(void *)out;

    if (strcmp(name, wanted->name) == 0)
        (void)snprintf(wanted->value, sizeof(wanted->value), "%s", value);
}

static const char *stat_of(struct daemon *daemon, const char *name)
{
    static struct wanted_stat wanted;

    wanted = (struct wanted_stat){.out = {keep_wanted}, .name = name};
    replication_stats(daemon->replication, &wanted.out);
    replication_stats_repcached(daemon->replication, &wanted.out);
    return wanted.value;
}

static bool stat_is(struct daemon *daemon, const char *name, const char *value)
{
    return strcmp(stat_of(daemon, name), value) == 0;
}

static uint64_t stat_number(struct daemon *daemon, const char *name)
{
    return strtoull(stat_of(daemon, name), NULL, 10);
}

static void pair_up(struct daemon *a, struct daemon *b, uint16_t ports[2])
{
    two_ports(ports);
    start(a, "127.0.0.1", ports[1], ports[0]);
    start(b, "127.0.0.1", ports[0], ports[1]);
    UNTIL(stat_is(a, "repl_state", "paired"));
    UNTIL(stat_is(b, "repl_state", "paired"));
    ck_assert(atomic_load(&a->serves));
    ck_assert(atomic_load(&b->serves));
}

/* ---- a pair ---- */

START_TEST(a_pair_mirrors_both_ways)
{
    struct daemon a, b;
    uint16_t ports[2];

    pair_up(&a, &b, ports);
    set(&a, "one", "eins", 4);
    set(&b, "two", "zwei", 4);
    UNTIL(holds(&b, "one", "eins", 4));
    UNTIL(holds(&a, "two", "zwei", 4));
    drop(&b, "one");
    UNTIL(holds(&a, "one", NULL, 0));
    ck_assert_uint_ge(stat_number(&a, "repl_sent"), 1);
    ck_assert_uint_ge(stat_number(&a, "repl_applied"), 2);
    UNTIL(stat_is(&a, "repl_lag_ops", "0"));
    stop(&a);
    stop(&b);
}
END_TEST

/* Not when the next heartbeat is due, which is in a fifth of DEAD_MS. */
START_TEST(a_change_wakes_the_sender)
{
    struct daemon a, b;
    uint64_t since_ms;
    uint16_t ports[2];
    char value[16];
    int i;

    pair_up(&a, &b, ports);
    since_ms = monotonic_ms();
    for (i = 0; i < 50; i++) {
        (void)snprintf(value, sizeof(value), "%d", i);
        set(&a, "k", value, strlen(value));
        UNTIL(holds(&b, "k", value, strlen(value)));
    }
    ck_assert_uint_lt(monotonic_ms() - since_ms, 50 * DEAD_MS / 5 / 4);
    stop(&a);
    stop(&b);
}
END_TEST

START_TEST(values_of_every_size_arrive)
{
    static const size_t sizes[] = {0,     1,     1000,   32768,    32769,
                                   65536, 65537, 262144, VALUE_MAX};
    struct daemon a, b;
    uint16_t ports[2];
    char key[32];
    size_t i;

    for (i = 0; i < sizeof(value_room); i++)
        value_room[i] = (char)(i * 7 + i / 251);
    pair_up(&a, &b, ports);
    for (i = 0; i < COUNT_OF(sizes); i++) {
        (void)snprintf(key, sizeof(key), "size%zu", sizes[i]);
        set(&a, key, value_room, sizes[i]);
    }
    for (i = 0; i < COUNT_OF(sizes); i++) {
        (void)snprintf(key, sizeof(key), "size%zu", sizes[i]);
        UNTIL(holds(&b, key, value_room, sizes[i]));
    }
    stop(&b);
    stop(&a);
}
END_TEST

START_TEST(the_survivor_listens_and_the_peer_comes_back)
{
    struct daemon a, b;
    uint16_t ports[2];
    char key[32];
    int i;

    pair_up(&a, &b, ports);
    set(&a, "before", "1", 1);
    stop(&b);
    UNTIL(stat_is(&a, "repl_state", "alone"));
    UNTIL(stat_is(&a, "repl_role", "listener"));
    for (i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        set(&a, key, key, strlen(key));
    }
    start(&b, "127.0.0.1", ports[0], ports[1]);
    UNTIL(atomic_load(&b.serves));
    ck_assert(holds(&b, "before", "1", 1));
    for (i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        ck_assert(holds(&b, key, key, strlen(key)));
    }
    UNTIL(stat_is(&a, "repl_state", "paired"));
    ck_assert_str_eq(stat_of(&b, "repl_resync_kind"), "full");
    UNTIL(stat_is(&a, "repl_reconnects", "1"));
    stop(&a);
    UNTIL(stat_is(&b, "repl_state", "alone"));
    UNTIL(stat_is(&b, "repl_role", "listener"));
    ck_assert(holds(&b, "before", "1", 1));
    stop(&b);
}
END_TEST

START_TEST(a_clean_stop_leaves_everything_at_the_peer)
{
    struct daemon a, b;
    uint16_t ports[2];
    char key[32];
    int i;

    pair_up(&a, &b, ports);
    for (i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        set(&a, key, key, strlen(key));
    }
    stop(&a);
    for (i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        ck_assert(holds(&b, key, key, strlen(key)));
    }
    stop(&b);
}
END_TEST

START_TEST(simultaneous_starts_pair)
{
    struct daemon a, b;
    uint16_t ports[2];
    int i;

    for (i = 0; i < STARTS; i++) {
        pair_up(&a, &b, ports);
        stop(&a);
        stop(&b);
    }
}
END_TEST

START_TEST(two_nodes_share_a_host_and_a_port)
{
    struct daemon a, b;
    uint16_t ports[2];

    two_ports(ports);
    start(&a, "127.0.0.1", ports[0], ports[0]);
    UNTIL(atomic_load(&a.serves));
    set(&a, "k", "v", 1);
    start(&b, "127.0.0.1", ports[0], ports[0]);
    UNTIL(atomic_load(&b.serves));
    ck_assert(holds(&b, "k", "v", 1));
    stop(&a);
    UNTIL(stat_is(&b, "repl_role", "listener"));
    UNTIL(stat_is(&b, "repl_state", "alone"));
    start(&a, "127.0.0.1", ports[0], ports[0]);
    UNTIL(atomic_load(&a.serves));
    ck_assert(holds(&a, "k", "v", 1));
    stop(&a);
    stop(&b);
}
END_TEST

START_TEST(a_pair_by_name)
{
    struct daemon a, b;
    uint16_t ports[2];

    two_ports(ports);
    start(&a, "localhost", ports[1], ports[0]);
    start(&b, "localhost", ports[0], ports[1]);
    UNTIL(stat_is(&a, "repl_state", "paired"));
    set(&b, "k", "v", 1);
    UNTIL(holds(&a, "k", "v", 1));
    stop(&b);
    UNTIL(stat_is(&a, "repl_state", "alone"));
    start(&b, "localhost", ports[0], ports[1]);
    UNTIL(stat_is(&a, "repl_state", "paired"));
    stop(&a);
    stop(&b);
}
END_TEST

START_TEST(a_pair_on_ipv6_bound_to_an_address)
{
    struct replication_config config;
    struct daemon a, b;
    uint16_t ports[2];

    two_ports(ports);
    start(&a, "::1", ports[1], ports[0]);
    memset(&b, 0, sizeof(b));
    open_engine(&b);
    config = config_of(&b, "::1", ports[0], ports[1]);
    config.listen_host = "::1";
    start_with(&b, &config);
    UNTIL(stat_is(&a, "repl_state", "paired"));
    set(&b, "k", "v", 1);
    UNTIL(holds(&a, "k", "v", 1));
    stop(&a);
    stop(&b);
}
END_TEST

/* ---- those who are not the peer ---- */

/* A connected socket from 127.0.0.from, or -1. */
static int knock(uint16_t port, unsigned from)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    address.sin_addr.s_addr = htonl(0x7f000000u | from);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int knock_until_open(uint16_t port, unsigned from)
{
    int fd = -1;

    UNTIL((fd = knock(port, from)) >= 0);
    return fd;
}

/* How many bytes came before the other side closed. */
static size_t read_to_the_end(int fd)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    char bytes[4096];
    size_t total = 0;
    ssize_t size;

    do {
        ck_assert_int_gt(poll(&event, 1, WAIT_MS), 0);
        size = read(fd, bytes, sizeof(bytes));
        if (size > 0)
            total += (size_t)size;
    } while (size > 0);
    (void)close(fd);
    return total;
}

static void send_all(int fd, const char *bytes, size_t size)
{
    ssize_t sent;

    while (size > 0) {
        sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return;
        ck_assert_int_gt(sent, 0);
        bytes += sent;
        size -= (size_t)sent;
    }
}

static _Atomic unsigned stranger_lines;

static void count_strangers(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    if (strstr(line, "refused a connection") != NULL)
        atomic_fetch_add(&stranger_lines, 1);
}

START_TEST(a_stranger_gets_nothing)
{
    uint16_t ports[2];
    struct daemon a;
    int i;

    log_set_sink(count_strangers, NULL);
    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    for (i = 0; i < 50; i++)
        ck_assert_uint_eq(read_to_the_end(knock_until_open(ports[0], 3)), 0);
    ck_assert_uint_eq(stat_number(&a, "repl_refused"), 50);
    ck_assert_uint_ge(atomic_load(&stranger_lines), 1);
    ck_assert_uint_lt(atomic_load(&stranger_lines), 10);
    stop(&a);
    log_set_sink(NULL, NULL);
}
END_TEST

START_TEST(without_a_peer_this_host_may_come)
{
    struct daemon a, b;
    uint16_t ports[2];

    two_ports(ports);
    start(&a, NULL, 0, ports[0]);
    UNTIL(atomic_load(&a.serves));
    start(&b, "127.0.0.1", ports[0], ports[1]);
    UNTIL(stat_is(&b, "repl_state", "paired"));
    ck_assert_str_eq(stat_of(&a, "repl_peer"), "none");
    stop(&b);
    stop(&a);
}
END_TEST

#define SAID(text) \
    { \
        (text), sizeof(text) - 1 \
    }

START_TEST(garbage_ends_its_connection_only)
{
    static const struct slice speeches[] = {
        SAID("get foo\r\nget foo\r\n"),
        SAID("stats\r\nstats\r\n"),
        SAID("GET / HTTP/1.0\r\n\r\n"),
        SAID("\x80\x0a\0\0\0\0\0\0\0\0\0\0"),
    };
    struct daemon a, b;
    uint16_t ports[2];
    size_t i;
    int fd;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    for (i = 0; i < COUNT_OF(speeches); i++) {
        fd = knock_until_open(ports[0], 1);
        send_all(fd, speeches[i].data, speeches[i].size);
        (void)read_to_the_end(fd);
    }
    fd = knock_until_open(ports[0], 1);
    memset(value_room, 0xa5, sizeof(value_room));
    send_all(fd, value_room, sizeof(value_room));
    (void)read_to_the_end(fd);
    start(&b, "127.0.0.1", ports[0], ports[1]);
    UNTIL(stat_is(&a, "repl_state", "paired"));
    stop(&a);
    stop(&b);
}
END_TEST

static size_t hello_frame(char *out, size_t room)
{
    const struct message message = {.type = MESSAGE_HELLO,
                                    .hello = {.version_min = 1,
                                              .version_max = 1,
                                              .pair = {"test", 4},
                                              .node = 42,
                                              .incarnation = 43,
                                              .node_bit = 1,
                                              .now_ns = 1,
                                              .stamp_last = 1}};
    struct codec *codec = codec_new();
    size_t size;

    ck_assert_ptr_nonnull(codec);
    size = codec_encode(codec, &message, out, room);
    codec_free(&codec);
    ck_assert_uint_gt(size, 0);
    return size;
}

/* Each says less than a hello, and keeps its place not for long. */
START_TEST(half_a_hello_dies_in_time)
{
    char frame[512];
    size_t size = hello_frame(frame, sizeof(frame));
    struct daemon a, b;
    uint16_t ports[2];
    int fds[NODE_LINKS_MAX];
    size_t i;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    for (i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = knock_until_open(ports[0], 1);
        send_all(fds[i], frame, i * (size / COUNT_OF(fds)));
    }
    start(&b, "127.0.0.1", ports[0], ports[1]);
    for (i = 0; i < COUNT_OF(fds); i++)
        ck_assert_uint_eq(read_to_the_end(fds[i]), 0);
    UNTIL(stat_is(&a, "repl_state", "paired"));
    stop(&a);
    stop(&b);
}
END_TEST

START_TEST(a_hello_in_single_bytes_is_a_hello)
{
    struct pollfd event = {.events = POLLIN};
    char frame[512];
    size_t i, size = hello_frame(frame, sizeof(frame));
    uint16_t ports[2];
    struct daemon a;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    event.fd = knock_until_open(ports[0], 1);
    for (i = 0; i < size; i++) {
        send_all(event.fd, frame + i, 1);
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_eq(poll(&event, 1, WAIT_MS), 1);
    ck_assert_int_gt(read(event.fd, frame, sizeof(frame)), 12);
    UNTIL(!stat_is(&a, "repl_state", "alone"));
    (void)close(event.fd);
    UNTIL(stat_is(&a, "repl_state", "alone"));
    stop(&a);
}
END_TEST

/* All that comes until the other side closes; returns its size. */
static size_t read_all(int fd, char *out, size_t room)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    size_t total = 0;
    ssize_t size;

    do {
        ck_assert_int_gt(poll(&event, 1, WAIT_MS), 0);
        size = read(fd, out + total, room - total);
        if (size > 0)
            total += (size_t)size;
    } while (size > 0 && total < room);
    (void)close(fd);
    return total;
}

START_TEST(a_third_node_is_refused_in_words)
{
    struct codec *codec = codec_new();
    size_t size, consumed, needed;
    struct message message;
    struct daemon a, b;
    uint16_t ports[2];
    char frame[512];
    int fd;

    pair_up(&a, &b, ports);
    fd = knock_until_open(
        stat_is(&a, "repl_role", "listener") ? ports[0] : ports[1], 1);
    send_all(fd, frame, hello_frame(frame, sizeof(frame)));
    size = read_all(fd, frame, sizeof(frame));
    ck_assert_int_eq(codec_decode(codec, slice_make(frame, size), &message,
                                  &consumed, &needed),
                     0);
    ck_assert_uint_eq(consumed, size);
    ck_assert_int_eq(message.type, MESSAGE_REFUSE);
    ck_assert_int_eq(message.refuse.reason, REFUSAL_PAIRED);
    ck_assert_uint_gt(message.refuse.words.size, 0);
    ck_assert_str_eq(stat_of(&a, "repl_state"), "paired");
    codec_free(&codec);
    stop(&a);
    stop(&b);
}
END_TEST

#define BIG_COUNT 25u
#define BIG_BYTES 30000u

/* A frame of the size that only other programs send. */
START_TEST(a_frame_of_nearly_a_mebibyte_arrives)
{
    const struct message plan = {
        .type = MESSAGE_PLAN,
        .plan = {.kind = RESYNC_CONTINUE, .live_after = 0}};
    struct mutation mutation = {.client_flags = 7};
    struct codec *codec = codec_new();
    struct codec_batch batch;
    char frame[512], key[8];
    uint16_t ports[2];
    struct daemon a;
    unsigned i;
    char *large;
    int fd;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    fd = knock_until_open(ports[0], 1);
    send_all(fd, frame, hello_frame(frame, sizeof(frame)));
    send_all(fd, frame, codec_encode(codec, &plan, frame, sizeof(frame)));
    large = memory_new(1, MIB);
    ck_assert_ptr_nonnull(large);
    ck_assert(codec_batch_begin(&batch, large, MIB));
    memset(value_room, 'b', BIG_BYTES);
    mutation.value = slice_make(value_room, BIG_BYTES);
    for (i = 0; i < BIG_COUNT; i++) {
        (void)snprintf(key, sizeof(key), "big%u", i);
        mutation.key = slice_of(key);
        mutation.hash = engine_key_of(a.engine, mutation.key).hash;
        mutation.stamp = clock_now(&a.clock);
        ck_assert(codec_batch_add(&batch, &mutation, BIG_BYTES, NULL, NULL));
    }
    send_all(fd, large, codec_batch_end(&batch, 1));
    for (i = 0; i < BIG_COUNT; i++) {
        (void)snprintf(key, sizeof(key), "big%u", i);
        UNTIL(holds(&a, key, value_room, BIG_BYTES));
    }
    (void)close(fd);
    memory_free(&large);
    codec_free(&codec);
    stop(&a);
}
END_TEST

static size_t resident_bytes(void)
{
    unsigned long pages = 0, ignored = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu %lu", &ignored, &pages), 2);
    (void)fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* It says hello, then lives without ever reading. */
START_TEST(a_peer_that_does_not_read_costs_nothing)
{
    char frame[512], key[32];
    uint16_t ports[2];
    struct daemon a;
    size_t before, i;
    int fd;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    memset(value_room, 'v', sizeof(value_room));
    for (i = 0; i < 1000; i++) { /* What items need is there already. */
        (void)snprintf(key, sizeof(key), "k%zu", i);
        set(&a, key, value_room, 20000);
    }
    fd = knock_until_open(ports[0], 1);
    send_all(fd, frame, hello_frame(frame, sizeof(frame)));
    UNTIL(!stat_is(&a, "repl_state", "alone"));
    before = resident_bytes();
    for (i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof(key), "k%zu", i % 1000);
        set(&a, key, value_room, 20000);
    }
    ck_assert_uint_lt(resident_bytes(), before + 40 * MIB);
    UNTIL(stat_is(&a, "repl_state", "alone"));
    (void)close(fd);
    stop(&a);
}
END_TEST

/* ---- ports and peers that are not there ---- */

/* A socket that has the port, and takes so many connections into its queue. */
static int occupy(uint16_t port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

START_TEST(a_port_that_is_taken_is_tried_again)
{
    uint16_t ports[2];
    struct daemon a;
    int taken;

    two_ports(ports);
    taken = occupy(ports[0], 1);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    UNTIL(stat_is(&a, "repl_state", "alone"));
    (void)close(taken);
    (void)close(knock_until_open(ports[0], 1));
    stop(&a);
}
END_TEST

/* With its queue full the kernel answers nobody: a host that is down. */
START_TEST(a_peer_that_does_not_answer_costs_two_seconds)
{
    uint16_t ports[2];
    int silent, queued[2];
    struct daemon a;
    uint64_t since_ms;

    two_ports(ports);
    silent = occupy(ports[1], 1);
    queued[0] = knock_until_open(ports[1], 1);
    queued[1] = knock_until_open(ports[1], 1);
    since_ms = monotonic_ms();
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    ck_assert_uint_ge(monotonic_ms() - since_ms, 1000);
    ck_assert_uint_le(monotonic_ms() - since_ms, 4000);
    (void)close(queued[0]);
    (void)close(queued[1]);
    (void)close(silent);
    stop(&a);
}
END_TEST

START_TEST(two_nodes_choose_different_bits)
{
    struct stamp_clock *first, *second;
    struct daemon a, b;
    uint16_t ports[2];
    int i;

    for (i = 0; i < 10; i++) {
        two_ports(ports);
        start(&a, "127.0.0.1", ports[1], ports[0]);
        first = engine_stamp_clock(a.engine);
        start(&b, "127.0.0.1", ports[0], ports[1]);
        second = engine_stamp_clock(b.engine);
        ck_assert_uint_eq(atomic_load(&first->node), ports[0] > ports[1]);
        ck_assert_uint_eq(atomic_load(&second->node), ports[0] < ports[1]);
        stop(&a);
        stop(&b);
    }
}
END_TEST

/* ---- what is told ---- */

#define NAMES_MAX 64

struct name_list {
    struct stats_out out;
    char names[NAMES_MAX][40];
    size_t count;
};

static void keep_name(struct stats_out *out, const char *name,
                      const char *value)
{
    struct name_list *list = (struct name_list *)(void *)out;

    ck_assert_uint_lt(list->count, NAMES_MAX);
    ck_assert_str_ne(value, "");
    (void)snprintf(list->names[list->count++], 40, "%s", name);
}

/* README.md is held to the same table, where daemons are tested. */
START_TEST(stats_have_the_names_of_the_table)
{
    static const char *const names[] = {
#define X(name, kind, help) "repl_" #name,
        REPLICATION_METRICS(X)
#undef X
            "replication",
        "repcached_version",
        "repcached_qi_free",
    };
    struct name_list list = {.out = {keep_name}};
    uint16_t ports[2];
    struct daemon a;
    char peer[32];
    size_t i;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    replication_stats(a.replication, &list.out);
    replication_stats_repcached(a.replication, &list.out);
    ck_assert_uint_eq(list.count, COUNT_OF(names));
    for (i = 0; i < list.count; i++)
        ck_assert_str_eq(list.names[i], names[i]);
    ck_assert_str_eq(stat_of(&a, "replication"), "MASTER");
    (void)snprintf(peer, sizeof(peer), "127.0.0.1:%u", (unsigned)ports[1]);
    ck_assert_str_eq(stat_of(&a, "repl_peer"), peer);
    ck_assert_uint_eq(stat_number(&a, "repl_ring_size"), 65536);
    ck_assert_uint_eq(stat_number(&a, "repcached_qi_free"), 65536);
    UNTIL(atomic_load(&a.serves));
    for (i = 0; i < 10; i++)
        set(&a, "k", "v", 1);
    ck_assert_uint_eq(stat_number(&a, "repl_seq_next"), 11);
    stop(&a);
}
END_TEST

START_TEST(stats_outlive_the_thread)
{
    uint16_t ports[2];
    struct daemon a;

    two_ports(ports);
    start(&a, "127.0.0.1", ports[1], ports[0]);
    UNTIL(atomic_load(&a.serves));
    replication_stop(a.replication);
    ck_assert_str_eq(stat_of(&a, "repl_state"), "draining");
    stop(&a);
}
END_TEST

static const struct {
    const char *peer_host;
    uint16_t peer_port;
    const char *listen_host;
    const char *pair;
    const char *words;
} wrong[] = {
    {"", 1, NULL, "", "empty"},
    {"127.0.0.1", 0, NULL, "", "port"},
    {"no such host", 1, NULL, "", "no such host"},
    {"127.0.0.1", 1, "no such host", "", "no such host"},
    {"127.0.0.1", 1, NULL,
     "01234567890123456789012345678901234567890123456789012345678901234",
     "name"},
};

START_TEST(what_cannot_work_is_said_in_words)
{
    char words[REPLICATION_WORDS_MAX];
    struct replication_config config;
    struct replication *replication;
    struct daemon a = {.serves = false};

    open_engine(&a);
    config = config_of(&a, wrong[_i].peer_host, wrong[_i].peer_port, 0);
    config.listen_host = wrong[_i].listen_host;
    config.pair = wrong[_i].pair;
    ck_assert_int_lt(replication_new(&config, &replication, words), 0);
    ck_assert_ptr_null(replication);
    ck_assert_msg(strstr(words, wrong[_i].words) != NULL, "%s", words);
    engine_free(&a.engine);
}
END_TEST

/* Every allocation of the beginning fails once; none of it stays. */
START_TEST(no_memory_is_no_replication)
{
    char words[REPLICATION_WORDS_MAX];
    struct replication_config config;
    struct replication *replication = NULL;
    struct daemon a = {.serves = false};
    size_t nth;

    for (nth = 1; replication == NULL; nth++) {
        open_engine(&a);
        config = config_of(&a, "127.0.0.1", 1, 0);
        memory_fail_at(nth);
        if (replication_new(&config, &replication, words) != 0) {
            ck_assert_ptr_null(replication);
            engine_free(&a.engine);
        }
        memory_fail_at(0);
        ck_assert_uint_lt(nth, 100);
    }
    ck_assert_uint_gt(nth, 3);
    ck_assert_uint_ne(replication_port(replication), 0);
    ck_assert(replication_free(&replication));
    engine_free(&a.engine);
}
END_TEST

static void add_tests(TCase *tests)
{
    log_set_verbosity(0);
    tcase_add_test(tests, a_pair_mirrors_both_ways);
    tcase_add_test(tests, a_change_wakes_the_sender);
    tcase_add_test(tests, values_of_every_size_arrive);
    tcase_add_test(tests, the_survivor_listens_and_the_peer_comes_back);
    tcase_add_test(tests, a_clean_stop_leaves_everything_at_the_peer);
    tcase_add_test(tests, simultaneous_starts_pair);
    tcase_add_test(tests, two_nodes_share_a_host_and_a_port);
    tcase_add_test(tests, a_pair_by_name);
    tcase_add_test(tests, a_pair_on_ipv6_bound_to_an_address);
    tcase_add_test(tests, a_stranger_gets_nothing);
    tcase_add_test(tests, without_a_peer_this_host_may_come);
    tcase_add_test(tests, garbage_ends_its_connection_only);
    tcase_add_test(tests, half_a_hello_dies_in_time);
    tcase_add_test(tests, a_hello_in_single_bytes_is_a_hello);
    tcase_add_test(tests, a_third_node_is_refused_in_words);
    tcase_add_test(tests, a_frame_of_nearly_a_mebibyte_arrives);
    tcase_add_test(tests, a_port_that_is_taken_is_tried_again);
    tcase_add_test(tests, a_peer_that_does_not_answer_costs_two_seconds);
    tcase_add_test(tests, two_nodes_choose_different_bits);
    tcase_add_test(tests, a_peer_that_does_not_read_costs_nothing);
    tcase_add_test(tests, stats_have_the_names_of_the_table);
    tcase_add_test(tests, stats_outlive_the_thread);
    tcase_add_loop_test(tests, what_cannot_work_is_said_in_words, 0,
                        (int)COUNT_OF(wrong));
    tcase_add_test(tests, no_memory_is_no_replication);
}
UNIT_MAIN("replication", add_tests)

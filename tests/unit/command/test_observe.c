/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/observe.h"

#include "src/base/log.h"
#include "src/base/watch.h"
#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <sched.h>
#include <stdio.h>

#define LOG_MAX 4096
#define SEEN_MAX 8192

static struct clock wall;
static struct watch *watch;
static struct host host;
static struct client client;
static char logged[LOG_MAX];
static unsigned shut_downs;

static void keep_line(void *ctx, enum log_level level, const char *line)
{
    size_t size = strlen(logged);

    (void)ctx;
    (void)level;
    (void)snprintf(logged + size, sizeof(logged) - size, "%s\n", line);
}

static void wake_nobody(void *ctx)
{
    (void)ctx;
}

static void shut_down(void *ctx, bool graceful)
{
    (void)ctx;
    shut_downs += graceful ? 10 : 1;
}

static void set_up(void)
{
    const struct watch_config watched = {
        .clock = &wall, .ring_bytes = SEEN_MAX, .watcher_bytes = SEEN_MAX};
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    struct commands_config commands = {.version = "1.2.3",
                                       .item_bytes_max = engine.item_bytes_max,
                                       .cas_shown = true,
                                       .flush_allowed = true,
                                       .watch_allowed = true,
                                       .shut_down = shut_down};

    clock_init_fake(&wall, CLIENT_NOW_NS);
    watch = watch_new(&watched);
    ck_assert_ptr_nonnull(watch);
    INVARIANT(engine_new(&engine, &host.engine) == 0);
    engine_set_watch(host.engine, watch);
    commands.watch = watch;
    host.commands = commands_new(host.engine, &commands);
    host.thread = command_thread_new(host.commands);
    command_thread_set_now(host.thread, CLIENT_NOW_NS);
    command_thread_set_wake(host.thread, wake_nobody, NULL);
    client_init(&client, &host);
    logged[0] = '\0';
    shut_downs = 0;
}

static void tear_down(void)
{
    log_set_sink(NULL, NULL);
    log_set_verbosity(LOG_LEVEL_QUIET);
    client_fini(&client);
    host_fini(&host);
    watch_free(&watch);
}

static void expect(const char *request, const char *reply)
{
    client.replies_size = 0;
    client_send(&client, slice_of(request));
    client_receive(&client, "", 1);
    ck_assert_str_eq(client.replies, reply);
}

START_TEST(lines_are_logged_before_their_replies)
{
    log_set_sink(keep_line, NULL);
    log_set_verbosity(LOG_LEVEL_VV);
    expect("set a 0 0 1\r\nx\r\nset a 0 0 1 noreply\r\ny\r\nget a b\r\n"
           "delete a\r\nbogus\r\nmg b\r\n",
           "STORED\r\nVALUE a 0 1\r\ny\r\nEND\r\nDELETED\r\nERROR\r\nEN\r\n");
    ck_assert_str_eq(logged, "30: Client using the ascii protocol\n"
                             "<30 set a 0 0 1\n"
                             ">30 STORED\n"
                             "<30 set a 0 0 1 noreply\n"
                             ">30 NOREPLY STORED\n"
                             "<30 get a b\n"
                             ">30 sending key a\n"
                             ">30 END\n"
                             "<30 delete a\n"
                             ">30 DELETED\n"
                             "<30 bogus\n"
                             ">30 ERROR\n"
                             "<30 mg b\n");
}
END_TEST

START_TEST(binary_headers_are_logged)
{
    static const char noop[24] = {(char)0x80, 0x0a};

    log_set_sink(keep_line, NULL);
    log_set_verbosity(LOG_LEVEL_VV);
    client_send(&client, slice_make(noop, sizeof(noop)));
    ck_assert_uint_eq(client.replies_size, 24);
    ck_assert_str_eq(logged, "30: Client using the binary protocol\n"
                             "<30 Read binary protocol data:\n"
                             "<30    0x80 0x0a 0x00 0x00\n"
                             "<30    0x00 0x00 0x00 0x00\n"
                             "<30    0x00 0x00 0x00 0x00\n"
                             "<30    0x00 0x00 0x00 0x00\n"
                             "<30    0x00 0x00 0x00 0x00\n"
                             "<30    0x00 0x00 0x00 0x00\n"
                             ">30 Writing bin response:\n"
                             ">30   0x81 0x0a 0x00 0x00\n"
                             ">30   0x00 0x00 0x00 0x00\n"
                             ">30   0x00 0x00 0x00 0x00\n"
                             ">30   0x00 0x00 0x00 0x00\n"
                             ">30   0x00 0x00 0x00 0x00\n"
                             ">30   0x00 0x00 0x00 0x00\n");
}
END_TEST

START_TEST(replies_are_the_same_whether_logged_or_not)
{
    static const char requests[] =
        "set a 0 0 1\r\nx\r\nget a b c d a\r\nset b 0 0 1 noreply\r\nx\r\n"
        "mg a v k\r\nms a 2 q\r\nxy\r\nincr a 1\r\nset z 0 0 1\r\nxyz\r\n"
        "get a\r\nversion\r\n";
    char plain[1024];

    client_send(&client, slice_of(requests));
    client_receive(&client, "", 1);
    ck_assert_uint_lt(client.replies_size, sizeof(plain));
    memcpy(plain, client.replies, client.replies_size);
    expect("flush_all\r\n", "OK\r\n");
    log_set_sink(keep_line, NULL);
    log_set_verbosity(LOG_LEVEL_VV);
    expect(requests, plain);
}
END_TEST

START_TEST(a_watcher_sees_what_others_do)
{
    static const struct session_config config = {0};
    struct session *session = session_new(host.thread, &config, 31);
    struct sink *sink = sink_new();
    struct slice line = SLICE_LITERAL("watch fetchers mutations deletions\r\n");
    char seen[SEEN_MAX] = "";
    size_t size = 0;
    enum session_want want;

    ck_assert_uint_eq(session_run(session, line, 20, sink, &want), line.size);
    ck_assert_int_eq(want, SESSION_WATCH);
    expect("set k 0 0 1\r\nx\r\ndelete k\r\n", "STORED\r\nDELETED\r\n");
    while (strstr(seen, "type=deleted") == NULL) {
        /* What it says meanwhile is of no interest. */
        ck_assert_uint_eq(
            session_run(session, SLICE_LITERAL("quit\r\n"), 20, sink, &want),
            6);
        ck_assert_int_eq(want, SESSION_WATCH);
        size += sink_peek(sink, size, seen + size, sizeof(seen) - 1 - size);
        seen[size] = '\0';
        sched_yield();
    }
    ck_assert_str_eq(
        seen,
        "OK\r\n"
        "ts=1700000000.0 gid=1 type=item_get key=k status=not_found clsid=0 "
        "cfd=30 size=0\n"
        "ts=1700000000.0 gid=2 type=item_store key=k status=stored cmd=set "
        "ttl=0 clsid=1 cfd=30 size=1\n"
        "ts=1700000000.0 gid=3 type=item_get key=k status=found clsid=1 "
        "cfd=30 size=1\n"
        "ts=1700000000.0 gid=4 type=deleted key=k cmd=delete clsid=1 "
        "size=1\n");
    session_free(&session);
    sink_free(&sink);
    ck_assert_uint_eq(watch_wanted(watch_classes(watch)), 0);
}
END_TEST

START_TEST(shutdown_ends_the_session)
{
    expect("shutdown now\r\nversion\r\n",
           "CLIENT_ERROR invalid shutdown mode\r\nVERSION 1.2.3\r\n");
    ck_assert_uint_eq(shut_downs, 0);
    expect("shutdown graceful\r\nversion\r\n", "");
    ck_assert(client.closed);
    ck_assert_uint_eq(shut_downs, 10);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, lines_are_logged_before_their_replies);
    tcase_add_test(tests, binary_headers_are_logged);
    tcase_add_test(tests, replies_are_the_same_whether_logged_or_not);
    tcase_add_test(tests, a_watcher_sees_what_others_do);
    tcase_add_test(tests, shutdown_ends_the_session);
}
UNIT_MAIN("observe", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/detail.h"

#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

static struct host host;
static struct client client;

static void start(bool on, char delimiter)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    const struct commands_config commands = {.version = "1.2.3",
                                             .item_bytes_max = 1u << 20,
                                             .cas_shown = true,
                                             .dump_allowed = true,
                                             .detail_on = on,
                                             .prefix_delimiter = delimiter};

    host_init_with(&host, &engine, &commands);
    client_init(&client, &host);
}

static void teardown(void)
{
    client_fini(&client);
    host_fini(&host);
}

static void expect(const char *request, const char *reply)
{
    ck_assert_str_eq(client_ask(&client, request), reply);
}

START_TEST(it_is_switched_on_and_off)
{
    const char *usage = "CLIENT_ERROR usage: stats detail on|off|dump\r\n";

    start(false, '\0');
    expect("stats detail\r\n", usage);
    expect("stats detail foo\r\n", usage);
    expect("stats detail dump\r\n", "END\r\n");
    (void)client_ask(&client, "get a:b\r\n");
    expect("stats detail dump\r\n", "END\r\n");
    ck_assert(!commands_detail_is_on(host.commands));
    expect("stats detail on x\r\n", "OK\r\n");
    ck_assert(commands_detail_is_on(host.commands));
    (void)client_ask(&client, "get a:b\r\n");
    expect("stats detail off\r\n", "OK\r\n");
    (void)client_ask(&client, "get a:b\r\n");
    expect("stats detail dump x\r\n",
           "PREFIX a get 1 hit 0 set 0 del 0\r\nEND\r\n");
    teardown();
}
END_TEST

/* What each request adds, as 1.6.18 counts it. */
START_TEST(each_command_counts_as_what_it_is)
{
    static const struct {
        const char *request;
        const char *counts;
    } rows[] = {
        {"set a|b 0 0 1\r\n1\r\n", "get 0 hit 0 set 1 del 0"},
        {"get a|b\r\n", "get 1 hit 1 set 1 del 0"},
        {"get a|c\r\n", "get 2 hit 1 set 1 del 0"},
        {"gets a|b a|c\r\n", "get 4 hit 2 set 1 del 0"},
        {"get a\r\n", "get 4 hit 2 set 1 del 0"},
        {"delete a|c\r\n", "get 4 hit 2 set 1 del 1"},
        {"delete a|b\r\n", "get 4 hit 2 set 1 del 2"},
        {"add a|b 0 0 1\r\n1\r\n", "get 4 hit 2 set 2 del 2"},
        {"add a|b 0 0 1\r\n1\r\n", "get 4 hit 2 set 3 del 2"},
        {"append a|q 0 0 1\r\n1\r\n", "get 4 hit 2 set 4 del 2"},
        {"cas a|b 0 0 1 5\r\n1\r\n", "get 4 hit 2 set 5 del 2"},
        {"incr a|b 1\r\n", "get 4 hit 2 set 5 del 2"},
        {"touch a|b 0\r\n", "get 4 hit 2 set 5 del 2"},
        {"gat 0 a|b\r\n", "get 5 hit 3 set 5 del 2"},
        {"mg a|b v\r\n", "get 5 hit 3 set 5 del 2"},
        {"ms a|b 1\r\n1\r\n", "get 5 hit 3 set 5 del 2"},
        {"set a|b 0 0 -1\r\n", "get 5 hit 3 set 5 del 2"},
        {"set a|b 0 0 2\r\n1xx\r\n", "get 5 hit 3 set 6 del 2"},
        {"set a|b|c 0 0 1\r\nx\r\n", "get 5 hit 3 set 7 del 2"},
        {"set a:c 0 0 1\r\nx\r\n", "get 5 hit 3 set 7 del 2"},
    };
    char reply[128];

    start(true, '|');
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)client_ask(&client, rows[i].request);
        (void)snprintf(reply, sizeof(reply), "PREFIX a %s\r\nEND\r\n",
                       rows[i].counts);
        expect("stats detail dump\r\n", reply);
    }
    teardown();
}
END_TEST

START_TEST(a_large_value_counts_once)
{
    static char request[70000];
    int size;

    start(true, ':');
    size = snprintf(request, sizeof(request),
                    "set big:1 0 0 60000\r\n%060000d"
                    "\r\n",
                    0);
    ck_assert_int_gt(size, 60000);
    expect(request, "STORED\r\n");
    expect("stats detail dump\r\n",
           "PREFIX big get 0 hit 0 set 1 del 0\r\nEND\r\n");
    teardown();
}
END_TEST

START_TEST(a_prefix_may_be_empty)
{
    start(true, ':');
    (void)client_ask(&client, "get :x\r\n");
    expect("stats detail dump\r\n",
           "PREFIX  get 1 hit 0 set 0 del 0\r\nEND\r\n");
    teardown();
}
END_TEST

START_TEST(a_reset_forgets)
{
    start(true, ':');
    (void)client_ask(&client, "get a:x\r\n");
    expect("stats reset\r\n", "RESET\r\n");
    expect("stats detail dump\r\n", "END\r\n");
    (void)client_ask(&client, "get a:x\r\n");
    expect("stats detail dump\r\n",
           "PREFIX a get 1 hit 0 set 0 del 0\r\nEND\r\n");
    teardown();
}
END_TEST

static unsigned count_lines(void)
{
    const char *at = client_ask(&client, "stats detail dump\r\n");
    unsigned lines = 0;

    for (; *at != '\0'; at++)
        lines += *at == '\n';
    return lines - 1; /* Without END. */
}

START_TEST(there_is_a_limit)
{
    char key[64];
    unsigned i;

    start(true, ':');
    for (i = 0; i < DETAIL_PREFIXES_MAX + 1000; i++) {
        int size = snprintf(key, sizeof(key), "%u:x", i);

        detail_record(host.thread, slice_make(key, (size_t)size), DETAIL_SET);
    }
    ck_assert_uint_eq(count_lines(), DETAIL_PREFIXES_MAX);
    ck_assert_uint_le(client.pending_max, 2 * SINK_FULL_BYTES);
    detail_clear(host.commands->detail);
    (void)client_ask(&client, "get another:one\r\n");
    ck_assert_uint_eq(count_lines(), 1);
    teardown();
}
END_TEST

/* ---- several threads ---- */

#define ROUNDS 20000u

static void *count_much(void *arg)
{
    struct command_thread *thread = arg;
    char key[32];

    for (unsigned i = 0; i < ROUNDS; i++) {
        int size = snprintf(key, sizeof(key), "p%u:x", i % 100);

        detail_count(thread, slice_make(key, (size_t)size), DETAIL_HIT);
        detail_count(thread, slice_of("all:x"), DETAIL_SET);
    }
    return NULL;
}

static void run_threads(bool clear)
{
    struct command_thread *threads[3];
    pthread_t ids[3];

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        threads[i] = command_thread_new(host.commands);
        ck_assert_ptr_nonnull(threads[i]);
        ck_assert_int_eq(pthread_create(&ids[i], NULL, count_much, threads[i]),
                         0);
    }
    for (unsigned i = 0; clear && i < 200; i++)
        detail_clear(host.commands->detail);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
        command_thread_free(&threads[i]);
    }
}

START_TEST(threads_add_up)
{
    start(true, ':');
    run_threads(false);
    ck_assert_uint_eq(count_lines(), 101);
    ck_assert_ptr_nonnull(
        strstr(client.replies, "PREFIX all get 0 hit 0 set 60000 del 0\r\n"));
    ck_assert_ptr_nonnull(
        strstr(client.replies, "PREFIX p42 get 600 hit 600 set 0 del 0\r\n"));
    teardown();
}
END_TEST

START_TEST(threads_may_be_cleared_under)
{
    start(true, ':');
    run_threads(true);
    ck_assert_uint_le(count_lines(), 101);
    teardown();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, it_is_switched_on_and_off);
    tcase_add_test(tests, each_command_counts_as_what_it_is);
    tcase_add_test(tests, a_large_value_counts_once);
    tcase_add_test(tests, a_prefix_may_be_empty);
    tcase_add_test(tests, a_reset_forgets);
    tcase_add_test(tests, there_is_a_limit);
    tcase_add_test(tests, threads_add_up);
    tcase_add_test(tests, threads_may_be_cleared_under);
}
UNIT_MAIN("detail", add_tests)

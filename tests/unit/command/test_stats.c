/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/stats.h"

#include "src/base/memory.h"
#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static void put_some(void *ctx, struct stats_out *out)
{
    (void)ctx;
    stats_put_u64(out, "ours_first", 1);
    stats_put_u64(out, "touch_misses", 2);
    stats_put_u64(out, "pid", 3);
    stats_put(out, "version", "%s", "1.2.3");
}

static void put_others(void *ctx, struct stats_out *out)
{
    (void)ctx;
    stats_put_u64(out, "get_hits", 4);
    stats_put_u64(out, "ours_second", 5);
    stats_put_u64(out, "cmd_get", 6);
    stats_put_u64(out, "cmd_flush", 7);
    stats_put(out, "ours_first", "%s", "again");
}

static void put_group(void *ctx, struct stats_out *out)
{
    stats_put(out, "pid", "%s", (const char *)ctx);
    stats_put(out, "a", "%s", "");
}

static void count_reset(void *ctx)
{
    unsigned *count = ctx;

    (*count)++;
}

static void expect(struct client *client, const char *request,
                   const char *reply)
{
    client->replies_size = 0;
    client_send(client, slice_of(request));
    client_receive(client, "", 1);
    ck_assert_str_eq(client->replies, reply);
}

static void start(struct host *host, struct client *client)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    const struct commands_config commands = {.version = "1.2.3"};

    host_init_with(host, &engine, &commands);
    client_init(client, host);
}

#define OTHERS \
    "STAT cmd_meta 0\r\nSTAT delete_misses 0\r\nSTAT auth_cmds 0\r\n" \
    "STAT auth_errors 0\r\n"

START_TEST(plain_statistics_come_in_the_known_order)
{
    struct client client;
    struct host host;

    start(&host, &client);
    ck_assert_int_eq(commands_add_stats(host.commands, "", put_some, NULL), 0);
    ck_assert_int_eq(commands_add_stats(host.commands, "", put_others, NULL),
                     0);
    /* Refused here, as flushing is: the engine would not have counted it. */
    expect(&client, "flush_all noreply\r\nstats\r\n",
           "STAT pid 3\r\n"
           "STAT version 1.2.3\r\n"
           "STAT cmd_get 6\r\n"
           "STAT cmd_flush 8\r\n"
           "STAT cmd_meta 0\r\n"
           "STAT get_hits 4\r\n"
           "STAT delete_misses 0\r\n"
           "STAT touch_misses 2\r\n"
           "STAT auth_cmds 0\r\n"
           "STAT auth_errors 0\r\n"
           "STAT ours_first 1\r\n"
           "STAT ours_second 5\r\n"
           "STAT ours_first again\r\n"
           "END\r\n");
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_group_shows_its_sources_as_they_come)
{
    struct client client;
    struct host host;
    char one[] = "one";
    char two[] = "two";

    start(&host, &client);
    ck_assert_int_eq(commands_add_stats(host.commands, "g", put_group, one), 0);
    ck_assert_int_eq(commands_add_stats(host.commands, "g", put_group, two), 0);
    expect(&client, "stats g\r\nstats  g  more\r\nstats gg\r\n",
           "STAT pid one\r\nSTAT a \r\nSTAT pid two\r\nSTAT a \r\nEND\r\n"
           "STAT pid one\r\nSTAT a \r\nSTAT pid two\r\nSTAT a \r\nEND\r\n"
           "ERROR\r\n");
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(reset_tells_all_that_asked_and_zeroes_what_is_counted_here)
{
    struct client client;
    struct host host;
    unsigned count = 0;

    start(&host, &client);
    ck_assert_int_eq(commands_add_reset(host.commands, count_reset, &count), 0);
    expect(&client, "flush_all noreply\r\nstats\r\nstats reset\r\nstats\r\n",
           "STAT cmd_flush 1\r\n" OTHERS "END\r\nRESET\r\n"
           "STAT cmd_flush 0\r\n" OTHERS "END\r\n");
    ck_assert_uint_eq(count, 1);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(counters_of_a_thread_that_ended_still_count)
{
    struct client client, last;
    struct host host, other;

    start(&host, &client);
    other = host;
    other.thread = command_thread_new(host.commands);
    client_init(&last, &other);
    expect(&last, "flush_all noreply\r\n", "");
    client_fini(&last);
    command_thread_free(&other.thread);
    expect(&client, "stats\r\n", "STAT cmd_flush 1\r\n" OTHERS "END\r\n");
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(sources_have_a_limit)
{
    struct client client;
    struct host host;
    int error = 0;
    unsigned i;

    start(&host, &client);
    for (i = 0; i < COMMAND_SOURCES_MAX && error == 0; i++)
        error = commands_add_stats(host.commands, "", put_some, NULL);
    ck_assert_int_eq(error, -ERR_LIMIT);
    error = 0;
    for (i = 0; i < COMMAND_SOURCES_MAX && error == 0; i++)
        error = commands_add_reset(host.commands, count_reset, NULL);
    ck_assert_int_eq(error, -ERR_LIMIT);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(lack_of_memory_is_said)
{
    struct client client;
    struct host host;

    start(&host, &client);
    expect(&client, "version\r\n", "VERSION 1.2.3\r\n");
    memory_fail_at(1);
    expect(&client, "stats\r\n",
           "SERVER_ERROR out of memory writing stats\r\n");
    memory_fail_at(0);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, plain_statistics_come_in_the_known_order);
    tcase_add_test(tests, a_group_shows_its_sources_as_they_come);
    tcase_add_test(tests,
                   reset_tells_all_that_asked_and_zeroes_what_is_counted_here);
    tcase_add_test(tests, counters_of_a_thread_that_ended_still_count);
    tcase_add_test(tests, sources_have_a_limit);
    tcase_add_test(tests, lack_of_memory_is_said);
}
UNIT_MAIN("stats", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/stream.h"

#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* A reply of some lines, as a source of statistics starts it: a request that
 * may be answered so is all that the session asks for. */
struct counting {
    struct stream stream; /* First. */
    unsigned next;
    unsigned end;
    unsigned *freed;
};

static struct host host;
static struct client client;
static unsigned freed;
static unsigned lines;

static enum stream_state count(struct stream *stream,
                               struct command_thread *thread, struct sink *out)
{
    struct counting *counting = (struct counting *)(void *)stream;
    char line[1024];
    int size;

    ck_assert_ptr_eq(thread, host.thread);
    size = snprintf(line, sizeof(line), "%01021u\r\n", counting->next);
    ck_assert_int_eq(size, 1023);
    sink_put(out, line, (size_t)size);
    counting->next++;
    return counting->next < counting->end ? STREAM_MORE : STREAM_END;
}

static void forget(struct stream *stream, struct command_thread *thread)
{
    struct counting *counting = (struct counting *)(void *)stream;

    ck_assert_ptr_eq(thread, host.thread);
    (*counting->freed)++;
    free(counting);
}

static void begin(void *ctx, struct stats_out *out)
{
    struct counting *counting = malloc(sizeof(*counting));

    (void)ctx;
    (void)out;
    ck_assert_ptr_nonnull(counting);
    *counting = (struct counting){{count, forget}, 0, lines, &freed};
    stream_start(host.thread, &counting->stream);
}

static void setup(void)
{
    host_init(&host);
    ck_assert_int_eq(commands_add_stats(host.commands, "count", begin, NULL),
                     0);
    client_init(&client, &host);
    freed = 0;
    lines = 1000;
}

static void teardown(void)
{
    client_fini(&client);
    host_fini(&host);
}

/* "END" of the group itself, then the lines, then what came behind. */
static void expect_all(void)
{
    size_t size = 5 + 1023ul * lines + strlen("VERSION 1.2.3\r\n");

    ck_assert_uint_eq(client.replies_size, size);
    ck_assert_mem_eq(client.replies, "END\r\n", 5);
    ck_assert_mem_eq(client.replies + size - 17, "\r\nVERSION 1.2.3\r\n", 17);
    ck_assert_uint_eq(freed, 1);
}

START_TEST(what_follows_waits_for_the_end)
{
    client_send(&client, slice_of("stats count\r\nversion\r\n"));
    expect_all();
}
END_TEST

START_TEST(a_slow_reader_costs_one_sink)
{
    client.drained = 100;
    client.piece = 1;
    client.requests_max = 1;
    client_send(&client, slice_of("stats count\r\nversion\r\n"));
    expect_all();
    ck_assert_uint_le(client.pending_max, SINK_FULL_BYTES + 1023);
}
END_TEST

/* Runs the session until it wants to be sent or others to have their turn. */
static enum session_want run_once(size_t requests_max)
{
    enum session_want want;

    (void)session_run(client.session, slice_of(""), requests_max, client.sink,
                      &want);
    return want;
}

START_TEST(a_piece_counts_as_a_request)
{
    enum session_want want;

    (void)session_run(client.session, slice_of("stats count\r\n"), 5,
                      client.sink, &want);
    ck_assert_int_eq(want, SESSION_YIELD);
    ck_assert_uint_eq(sink_pending(client.sink), 5 + 4 * 1023);
    ck_assert_int_eq(run_once(3), SESSION_YIELD);
    ck_assert_uint_eq(sink_pending(client.sink), 5 + 7 * 1023);
    ck_assert_int_eq(run_once(1000), SESSION_DRAIN);
    ck_assert_int_eq(run_once(1000), SESSION_DRAIN);
    ck_assert_uint_eq(freed, 0);
}
END_TEST

START_TEST(a_client_that_goes_ends_it)
{
    enum session_want want;

    (void)session_run(client.session, slice_of("stats count\r\n"), 5,
                      client.sink, &want);
    session_free(&client.session);
    ck_assert_uint_eq(freed, 1);
}
END_TEST

START_TEST(a_sink_that_failed_ends_it)
{
    enum session_want want;

    (void)session_run(client.session, slice_of("stats count\r\n"), 5,
                      client.sink, &want);
    ck_assert_ptr_null(sink_room(client.sink, SINK_BYTES_MAX + 1));
    ck_assert_int_eq(run_once(1000), SESSION_CLOSE);
    ck_assert_uint_eq(freed, 1);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_follows_waits_for_the_end);
    tcase_add_test(tests, a_slow_reader_costs_one_sink);
    tcase_add_test(tests, a_piece_counts_as_a_request);
    tcase_add_test(tests, a_client_that_goes_ends_it);
    tcase_add_test(tests, a_sink_that_failed_ends_it);
}
UNIT_MAIN("stream", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/errands.h"

#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct host host;
static struct client client;
static struct errand *asked[2 * ERRANDS_MAX];
static size_t asked_count;
static unsigned woken;

static void execute(void *ctx, struct errand *errand)
{
    ck_assert_ptr_eq(ctx, &host);
    asked[asked_count++] = errand;
}

static void wake(void *ctx)
{
    ck_assert_ptr_eq(ctx, &host);
    woken++;
}

static void setup_with(commands_errand_fn *repl)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    const struct commands_config commands = {
        .version = "1.2.3", .repl = repl, .repl_ctx = &host};

    host_init_with(&host, &engine, &commands);
    command_thread_set_wake(host.thread, wake, &host);
    client_init(&client, &host);
    asked_count = 0;
    woken = 0;
}

static void setup(void)
{
    setup_with(execute);
}

static void teardown(void)
{
    client_fini(&client);
    while (asked_count > 0)
        errand_done(&asked[--asked_count]);
    host_fini(&host);
}

/* The input that it leaves has to come again. */
static size_t run(const char *input, enum session_want expected)
{
    enum session_want want;
    size_t taken = client_run(&client, slice_of(input), &want);

    ck_assert_int_eq(want, expected);
    return taken;
}

static void expect(const char *replies)
{
    client_receive(&client, "", 1);
    ck_assert_str_eq(client.replies, replies);
    client.replies_size = 0;
}

START_TEST(the_session_rests_until_there_is_an_answer)
{
    const char *input = "repl  foo   bar \r\nversion\r\n";
    size_t taken;

    setup();
    taken = run(input, SESSION_ASK);
    ck_assert_uint_eq(taken, strlen("repl  foo   bar \r\n"));
    ck_assert_uint_eq(asked_count, 1);
    ck_assert(slice_equal(errand_words(asked[0]), SLICE_LITERAL("foo bar")));
    ck_assert_uint_eq(run(input + taken, SESSION_ASK), 0);
    expect("");
    errand_put(asked[0], "STAT a b\r\nEND\r\n");
    errand_done(&asked[0]);
    asked_count = 0;
    ck_assert_uint_eq(woken, 1);
    ck_assert_uint_gt(run(input + taken, SESSION_INPUT), 0);
    expect("STAT a b\r\nEND\r\nVERSION 1.2.3\r\n");
    teardown();
}
END_TEST

START_TEST(a_client_may_leave_before_the_answer)
{
    setup();
    run("repl foo\r\n", SESSION_ASK);
    client_fini(&client);
    ck_assert(errand_is_dropped(asked[0]));
    errand_done(&asked[0]);
    host_fini(&host);
}
END_TEST

START_TEST(so_many_and_no_more)
{
    struct client others[ERRANDS_MAX + 1];
    enum session_want want;

    setup();
    for (size_t i = 0; i <= ERRANDS_MAX; i++) {
        client_init(&others[i], &host);
        (void)client_run(&others[i], SLICE_LITERAL("repl x\r\n"), &want);
        ck_assert_int_eq(want, i < ERRANDS_MAX ? SESSION_ASK : SESSION_INPUT);
    }
    ck_assert_uint_eq(asked_count, ERRANDS_MAX);
    ck_assert_uint_gt(others[ERRANDS_MAX].replies_size, 0);
    client_fini(&others[0]);
    run("repl x\r\n", SESSION_ASK);
    for (size_t i = 1; i <= ERRANDS_MAX; i++)
        client_fini(&others[i]);
    teardown();
}
END_TEST

START_TEST(what_cannot_be_asked_is_refused)
{
    char input[2 * ERRAND_WORDS_MAX];

    setup();
    run("repl\r\n", SESSION_INPUT);
    expect("CLIENT_ERROR bad command line format\r\n");
    (void)snprintf(input, sizeof(input), "repl %065d\r\n", 0);
    run(input, SESSION_INPUT);
    expect("CLIENT_ERROR bad command line format\r\n");
    (void)snprintf(input, sizeof(input), "repl %040d %040d\r\n", 0, 0);
    run(input, SESSION_INPUT);
    expect("CLIENT_ERROR bad command line format\r\n");
    command_thread_set_wake(host.thread, NULL, NULL);
    run("repl x\r\n", SESSION_INPUT);
    expect("CLIENT_ERROR repl commands need a connection\r\n");
    ck_assert_uint_eq(asked_count, 0);
    teardown();
}
END_TEST

START_TEST(without_replication_there_is_no_such_thing)
{
    setup_with(NULL);
    run("repl status\r\n", SESSION_INPUT);
    expect("SERVER_ERROR replication not enabled\r\n");
    teardown();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, the_session_rests_until_there_is_an_answer);
    tcase_add_test(tests, a_client_may_leave_before_the_answer);
    tcase_add_test(tests, so_many_and_no_more);
    tcase_add_test(tests, what_cannot_be_asked_is_refused);
    tcase_add_test(tests, without_replication_there_is_no_such_thing);
}
UNIT_MAIN("errands", add_tests)

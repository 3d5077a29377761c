/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/ack.h"

#include "src/engine/mutation.h"
#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

/* ---- the policy ---- */

static enum ack_mode mode_of(const struct ack_policy *policy, const char *key)
{
    return ack_policy_mode(policy, slice_of(key));
}

START_TEST(the_longest_prefix_counts)
{
    struct ack_policy policy = {.mode = ACK_RECEIVED};

    ck_assert(ack_policy_waits(&policy));
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("a"), ACK_ASYNC), 0);
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("abc"), ACK_APPLIED), 0);
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("ab"), ACK_RECEIVED), 0);
    ck_assert_int_eq(mode_of(&policy, "x"), ACK_RECEIVED);
    ck_assert_int_eq(mode_of(&policy, ""), ACK_RECEIVED);
    ck_assert_int_eq(mode_of(&policy, "a"), ACK_ASYNC);
    ck_assert_int_eq(mode_of(&policy, "ac"), ACK_ASYNC);
    ck_assert_int_eq(mode_of(&policy, "ab"), ACK_RECEIVED);
    ck_assert_int_eq(mode_of(&policy, "abc"), ACK_APPLIED);
    ck_assert_int_eq(mode_of(&policy, "abcd"), ACK_APPLIED);
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("abc"), ACK_ASYNC), 0);
    ck_assert_uint_eq(policy.count, 3);
    ck_assert_int_eq(mode_of(&policy, "abcd"), ACK_ASYNC);
}
END_TEST

START_TEST(prefixes_have_a_maximum)
{
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct ack_policy policy = {.mode = ACK_ASYNC};

    for (size_t i = 0; i < ACK_PREFIXES_MAX; i++) {
        ck_assert(!ack_policy_waits(&policy));
        ck_assert_int_eq(
            ack_policy_add(&policy, slice_make(text + i, 1), ACK_ASYNC), 0);
    }
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("-"), ACK_APPLIED),
                     -ERR_LIMIT);
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("0"), ACK_APPLIED), 0);
    ck_assert(ack_policy_waits(&policy));
}
END_TEST

/* ---- sessions ---- */

static uint64_t last;

static stamp_t on_record(void *ctx, struct stamp_clock *clock, uint64_t now_ns,
                         uint64_t hash, enum mutation_kind kind)
{
    (void)ctx;
    (void)hash;
    (void)kind;
    last++;
    return stamp_next(clock, now_ns);
}

static void on_change(void *ctx, uint64_t hash, stamp_t stamp)
{
    (void)ctx;
    (void)hash;
    (void)stamp;
    last++;
}

static void on_nothing(void *ctx, uint64_t hash, stamp_t stamp)
{
    (void)ctx;
    (void)hash;
    (void)stamp;
}

static stamp_t on_removed_at(void *ctx, uint64_t hash)
{
    (void)ctx;
    (void)hash;
    return STAMP_NONE;
}

static void on_flushed(void *ctx)
{
    (void)ctx;
    last++;
}

static void on_settle(void *ctx)
{
    (void)ctx;
}

static uint64_t on_last(void *ctx)
{
    (void)ctx;
    return last;
}

static struct host host;
static struct client client;
static struct ack_policy policy;

static void begin(void)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    const struct commands_config commands = {
        .version = "1.2.3",
        .item_bytes_max = engine.item_bytes_max,
        .cas_shown = true,
        .flush_allowed = true,
        .ack = &policy,
    };
    const struct journal journal = {.record = on_record,
                                    .repeat = on_change,
                                    .forget = on_nothing,
                                    .removed_at = on_removed_at,
                                    .applied = on_nothing,
                                    .flushed = on_flushed,
                                    .settle = on_settle,
                                    .last = on_last};

    last = 0;
    policy = (struct ack_policy){.mode = ACK_ASYNC};
    ck_assert_int_eq(ack_policy_add(&policy, slice_of("l"), ACK_APPLIED), 0);
    INVARIANT(engine_new(&engine, &host.engine) == 0);
    engine_set_journal(host.engine, &journal);
    host.commands = commands_new(host.engine, &commands);
    host.thread = command_thread_new(host.commands);
    command_thread_set_now(host.thread, CLIENT_NOW_NS);
    client_init(&client, &host);
}

static void end(void)
{
    client_fini(&client);
    host_fini(&host);
}

/* Does the reply wait, and for a change that was made by then? */
static bool is_awaited(const char *text)
{
    enum session_want want;
    uint64_t number;
    struct slice input = slice_of(text);

    ck_assert_uint_eq(client_run(&client, input, &want), input.size);
    number = command_thread_awaits(host.thread);
    ck_assert_uint_eq(command_thread_awaits(host.thread), 0);
    ck_assert(number == 0 || number == last);
    return number != 0;
}

static const struct {
    const char *text;
    bool waits;
} rows[] = {
    {"set l 0 0 1\r\n1\r\n", true},
    {"set k 0 0 1\r\n1\r\n", false},
    {"set l 0 0 1 noreply\r\n1\r\n", false},
    {"set k 0 0 1\r\n1\r\nset l 0 0 1\r\n1\r\n", true},
    {"set l 0 0 1\r\n1\r\nset k 0 0 1\r\n1\r\nget k\r\n", true},
    {"set k 0 0 1\r\n1\r\nget l\r\n", false},
    {"get l\r\n", false},
    {"replace l2 0 0 1\r\n1\r\n", false},
    {"incr l 1\r\n", false}, /* There is none. */
    {"delete l\r\n", true},  /* The peer may have one. */
    {"flush_all\r\n", true},
    {"ms l 1 q\r\n1\r\n", true},
    {"md l q\r\n", true},
    {"mg l N30\r\n", true},
    {"mg l\r\n", false},
    {"mn\r\n", false},
    {"gat 30 l\r\n", false},
    {"version\r\n", false},
};

START_TEST(a_row_waits_or_does_not)
{
    ck_assert_msg(is_awaited(rows[_i].text) == rows[_i].waits, "%s",
                  rows[_i].text);
}
END_TEST

START_TEST(a_large_value_waits_when_it_is_there)
{
    enum { SIZE = 100000 };
    char *value = calloc(SIZE + 3, 1);

    memset(value, 'x', SIZE);
    memcpy(value + SIZE, "\r\n", 2);
    ck_assert(!is_awaited("set l 0 0 100000\r\n"));
    ck_assert(is_awaited(value));
    ck_assert(!is_awaited("set l 0 0 100000 noreply\r\n"));
    ck_assert(!is_awaited(value));
    ck_assert(!is_awaited("set k 0 0 100000\r\n"));
    ck_assert(!is_awaited(value));
    free(value);
}
END_TEST

START_TEST(lives_that_change_wait)
{
    ck_assert(is_awaited("set l 0 0 1\r\n1\r\n"));
    ck_assert(is_awaited("touch l 1000\r\n"));
    ck_assert(is_awaited("touch l 10\r\n"));
    ck_assert(is_awaited("gat 100 l\r\n"));
    ck_assert(!is_awaited("gat 100 l\r\n")); /* It has that very life. */
    ck_assert(is_awaited("incr l 1\r\n"));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, the_longest_prefix_counts);
    tcase_add_test(tests, prefixes_have_a_maximum);
    tcase_add_loop_test(tests, a_row_waits_or_does_not, 0, (int)COUNT_OF(rows));
    tcase_add_test(tests, a_large_value_waits_when_it_is_there);
    tcase_add_test(tests, lives_that_change_wait);
}

UNIT_MAIN("ack", add_tests)

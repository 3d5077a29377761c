/* SPDX-License-Identifier: BSD-3-Clause */
/* A session on a node that has no data yet, and a peer that has: what a fetch
 * asks for is put into the cache before the fetch is done. */
#include "src/base/fetch.h"

#include "src/base/invariant.h"
#include "src/protocol/binary.h"
#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define BATCH_KEYS 32 /* Executed together. */

static struct host host;
static struct client client;
static struct fetches *fetches;
static struct engine_thread *peer;
static struct fetch *taken[8];
static size_t taken_count;
static unsigned woken;

static void wake(void *ctx)
{
    ck_assert_ptr_eq(ctx, &host);
    woken++;
}

static void setup_with(const struct session_config *session)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    struct commands_config commands = {.version = "1.2.3",
                                       .item_bytes_max = 1u << 20,
                                       .cas_shown = true,
                                       .flush_allowed = true};

    fetches = fetches_new();
    fetches_open(fetches, true);
    commands.fetches = fetches;
    host_init_with(&host, &engine, &commands);
    command_thread_set_wake(host.thread, wake, &host);
    client_init_with(&client, &host, session);
    peer = engine_thread_new(host.engine);
    engine_thread_set_now(peer, CLIENT_NOW_NS);
    taken_count = 0;
    woken = 0;
}

static void setup(void)
{
    static const struct session_config session = {0};

    setup_with(&session);
}

static void teardown(void)
{
    client_fini(&client);
    while (taken_count > 0)
        fetch_done(&taken[--taken_count]);
    engine_thread_free(&peer);
    host_fini(&host);
    fetches_free(&fetches);
}

static size_t run(const char *input, enum session_want expected)
{
    enum session_want want;
    size_t size = client_run(&client, slice_of(input), &want);

    ck_assert_int_eq(want, expected);
    return size;
}

static void expect(const char *replies)
{
    client_receive(&client, "", 1);
    ck_assert_str_eq(client.replies, replies);
    client.replies_size = 0;
}

static void arrives(const char *key, const char *value)
{
    struct engine_write write = {.key =
                                     engine_key_of(host.engine, slice_of(key)),
                                 .value_size = strlen(value)};
    stamp_t stamp;

    ck_assert_int_eq(engine_store(peer, &write, value, &stamp), ENGINE_STORED);
}

/* How many keys the next fetch asks for; 0: there is none. */
static size_t asked(void)
{
    size_t count = 0;
    struct fetch *fetch = fetches_take(fetches);

    if (fetch == NULL)
        return 0;
    (void)fetch_hashes(fetch, &count);
    taken[taken_count++] = fetch;
    return count;
}

static void done(void)
{
    fetch_done(&taken[--taken_count]);
}

START_TEST(a_get_waits_for_what_the_peer_has)
{
    const char *input = "get k\r\n";

    setup();
    ck_assert_uint_eq(run(input, SESSION_ASK), 0);
    ck_assert_uint_eq(asked(), 1);
    ck_assert(session_is_waiting(client.session));
    ck_assert_uint_eq(run(input, SESSION_ASK), 0);
    ck_assert_uint_eq(asked(), 0);
    arrives("k", "v");
    done();
    ck_assert_uint_eq(woken, 1);
    ck_assert(!session_is_waiting(client.session));
    ck_assert_uint_eq(run(input, SESSION_INPUT), strlen(input));
    expect("VALUE k 0 1\r\nv\r\nEND\r\n");
    teardown();
}
END_TEST

START_TEST(what_is_here_is_not_asked_for)
{
    setup();
    arrives("k", "v");
    run("get k\r\n", SESSION_INPUT);
    expect("VALUE k 0 1\r\nv\r\nEND\r\n");
    ck_assert_uint_eq(asked(), 0);
    teardown();
}
END_TEST

START_TEST(what_is_nowhere_is_asked_for_once)
{
    setup();
    run("get k\r\n", SESSION_ASK);
    ck_assert_uint_eq(asked(), 1);
    done();
    run("get k\r\n", SESSION_INPUT);
    expect("END\r\n");
    ck_assert_uint_eq(asked(), 0);
    run("get k\r\n", SESSION_ASK);
    ck_assert_uint_eq(asked(), 1);
    teardown();
}
END_TEST

START_TEST(all_keys_of_a_pipeline_are_asked_for_at_once)
{
    const char *input = "get a b c\r\nset d 0 0 1\r\nx\r\nincr n 1\r\n"
                        "get b a e\r\nversion\r\n";

    setup();
    arrives("e", "5");
    ck_assert_uint_eq(run(input, SESSION_ASK), 0);
    ck_assert_uint_eq(asked(), 4);
    arrives("b", "2");
    arrives("n", "41");
    done();
    ck_assert_uint_eq(run(input, SESSION_INPUT), strlen(input));
    expect("VALUE b 0 1\r\n2\r\nEND\r\nSTORED\r\n42\r\n"
           "VALUE b 0 1\r\n2\r\nVALUE e 0 1\r\n5\r\nEND\r\nVERSION 1.2.3\r\n");
    ck_assert_uint_eq(asked(), 0);
    teardown();
}
END_TEST

/* A batch holds some dozens. */
START_TEST(many_keys_of_a_line_are_asked_for_by_the_dozen)
{
    char input[1024] = "get";
    char key[8];
    size_t used = 3, size = 0;
    size_t fetched = 0;

    setup();
    for (unsigned i = 0; i < 70; i++)
        used += (size_t)snprintf(input + used, sizeof(input) - used, " k%u", i);
    (void)snprintf(input + used, sizeof(input) - used, "\r\n");
    arrives("k40", "v");
    for (unsigned rounds = 0; rounds < 3; rounds++) {
        size += run(input + size, SESSION_ASK);
        fetched += asked();
        (void)snprintf(key, sizeof(key), "k%u", rounds * BATCH_KEYS + 1);
        arrives(key, "v");
        done();
    }
    ck_assert_uint_eq(size + run(input + size, SESSION_INPUT), strlen(input));
    ck_assert_uint_eq(fetched, 69);
    expect("VALUE k1 0 1\r\nv\r\nVALUE k33 0 1\r\nv\r\nVALUE k40 0 1\r\nv\r\n"
           "VALUE k65 0 1\r\nv\r\nEND\r\n");
    teardown();
}
END_TEST

START_TEST(what_comes_in_meanwhile_is_asked_for_next)
{
    setup();
    run("get a\r\nge", SESSION_ASK);
    ck_assert_uint_eq(asked(), 1);
    done();
    ck_assert_uint_eq(run("get a\r\nget b\r\nget c", SESSION_ASK),
                      strlen("get a\r\n"));
    ck_assert_uint_eq(asked(), 1);
    arrives("b", "2");
    done();
    ck_assert_uint_eq(run("get b\r\nget c", SESSION_INPUT),
                      strlen("get b\r\n"));
    expect("END\r\nVALUE b 0 1\r\n2\r\nEND\r\n");
    teardown();
}
END_TEST

static const struct {
    const char *request;
    const char *with; /* The reply when the peer has "5". */
    const char *without;
    bool fetches;
} rows[] = {
    {"get k\r\n", "VALUE k 0 1\r\n5\r\nEND\r\n", "END\r\n", true},
    {"gat 0 k\r\n", "VALUE k 0 1\r\n5\r\nEND\r\n", "END\r\n", true},
    {"mg k v\r\n", "VA 1\r\n5\r\n", "EN\r\n", true},
    {"mg k s N30 v\r\n", "VA 1 s1\r\n5\r\n", "VA 0 s0 W\r\n\r\n", true},
    {"set k 0 0 1\r\nx\r\n", "STORED\r\n", "STORED\r\n", false},
    {"add k 0 0 1\r\nx\r\n", "NOT_STORED\r\n", "STORED\r\n", true},
    {"replace k 0 0 1\r\nx\r\n", "STORED\r\n", "NOT_STORED\r\n", true},
    {"append k 0 0 1\r\nx\r\n", "STORED\r\n", "NOT_STORED\r\n", true},
    {"prepend k 0 0 1\r\nx\r\n", "STORED\r\n", "NOT_STORED\r\n", true},
    {"cas k 0 0 1 7\r\nx\r\n", "EXISTS\r\n", "NOT_FOUND\r\n", true},
    {"incr k 2\r\n", "7\r\n", "NOT_FOUND\r\n", true},
    {"decr k 2\r\n", "3\r\n", "NOT_FOUND\r\n", true},
    {"touch k 0\r\n", "TOUCHED\r\n", "NOT_FOUND\r\n", true},
    {"delete k\r\n", "DELETED\r\n", "NOT_FOUND\r\n", true},
    {"ms k 1\r\nx\r\n", "HD\r\n", "HD\r\n", false},
    {"ms k 1 MS\r\nx\r\n", "HD\r\n", "HD\r\n", false},
    {"ms k 1 ME\r\nx\r\n", "NS\r\n", "HD\r\n", true},
    {"ms k 1 MR\r\nx\r\n", "HD\r\n", "NS\r\n", true},
    {"ms k 1 MA\r\nx\r\n", "HD\r\n", "NS\r\n", true},
    {"ms k 1 C7\r\nx\r\n", "EX\r\n", "NF\r\n", true},
    {"md k\r\n", "HD\r\n", "NF\r\n", true},
    {"ma k v\r\n", "VA 1\r\n6\r\n", "NF\r\n", true},
    {"mn\r\n", "MN\r\n", "MN\r\n", false},
    {"flush_all\r\n", "OK\r\n", "OK\r\n", false},
    {"bad k\r\n", "ERROR\r\n", "ERROR\r\n", false},
};

static void play(const char *request, bool waits, bool peer_has,
                 const char *reply)
{
    setup();
    run(request, waits ? SESSION_ASK : SESSION_INPUT);
    ck_assert_uint_eq(asked(), waits ? 1 : 0);
    if (waits) {
        if (peer_has)
            arrives("k", "5");
        done();
        run(request, SESSION_INPUT);
    }
    expect(reply);
    teardown();
}

START_TEST(whatever_depends_on_the_item_waits)
{
    play(rows[_i].request, rows[_i].fetches, true, rows[_i].with);
    play(rows[_i].request, rows[_i].fetches, false, rows[_i].without);
}
END_TEST

START_TEST(so_does_a_large_value_before_it_is_read)
{
    static char input[40000];
    size_t size = (size_t)snprintf(input, sizeof(input), "add k 0 0 30000\r\n");

    setup();
    memset(input + size, 'x', 30000);
    memcpy(input + size + 30000, "\r\n", 3);
    ck_assert_uint_eq(run(input, SESSION_ASK), 0);
    ck_assert_uint_eq(asked(), 1);
    arrives("k", "v");
    done();
    ck_assert_uint_eq(run(input, SESSION_INPUT), strlen(input));
    expect("NOT_STORED\r\n");
    teardown();
}
END_TEST

/* A get, and a set with a cas unique. */
START_TEST(the_binary_protocol_waits_too)
{
    static const struct session_config session = {.protocol = SESSION_BINARY};
    char input[BINARY_HEADER_BYTES + 9] = {(char)BINARY_MAGIC};
    enum session_want want;

    setup_with(&session);
    input[1] = 0x00; /* get */
    input[3] = 1;
    input[11] = 1;
    input[BINARY_HEADER_BYTES] = 'k';
    (void)client_run(&client, slice_make(input, BINARY_HEADER_BYTES + 1),
                     &want);
    ck_assert_int_eq(want, SESSION_ASK);
    ck_assert_uint_eq(asked(), 1);
    arrives("k", "v");
    done();
    (void)client_run(&client, slice_make(input, BINARY_HEADER_BYTES + 1),
                     &want);
    ck_assert_int_eq(want, SESSION_INPUT);
    ck_assert_int_eq(client.replies[7], 0);
    input[1] = 0x01; /* set */
    input[4] = 8;
    input[11] = 9;
    input[BINARY_HEADER_BYTES] = 0;
    input[BINARY_HEADER_BYTES + 8] = 'l';
    (void)client_run(&client, slice_make(input, sizeof(input)), &want);
    ck_assert_int_eq(want, SESSION_INPUT);
    input[23] = 1;
    (void)client_run(&client, slice_make(input, sizeof(input)), &want);
    ck_assert_int_eq(want, SESSION_INPUT); /* It was stored just now. */
    input[BINARY_HEADER_BYTES + 8] = 'm';
    (void)client_run(&client, slice_make(input, sizeof(input)), &want);
    ck_assert_int_eq(want, SESSION_ASK);
    ck_assert_uint_eq(asked(), 1);
    teardown();
}
END_TEST

START_TEST(a_datagram_does_not_wait)
{
    static const struct session_config session = {.datagram = true};

    setup_with(&session);
    run("get k\r\n", SESSION_INPUT);
    expect("END\r\n");
    ck_assert_uint_eq(asked(), 0);
    teardown();
}
END_TEST

START_TEST(behind_a_closed_gate_all_is_as_ever)
{
    setup();
    fetches_open(fetches, false);
    run("get k\r\nadd k 0 0 1\r\nx\r\n", SESSION_INPUT);
    expect("END\r\nSTORED\r\n");
    teardown();
}
END_TEST

START_TEST(a_client_may_leave_while_it_waits)
{
    setup();
    run("get k\r\n", SESSION_ASK);
    ck_assert_uint_eq(asked(), 1);
    session_free(&client.session);
    done();
    ck_assert_uint_eq(woken, 0);
    teardown();
}
END_TEST

/* Replies that go out one after the other, in between what was fetched. */
START_TEST(a_full_sink_forgets_nothing)
{
    char input[400] = "";
    char value[16001];
    size_t used = 0, size;

    setup();
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < 20; i++)
        used += (size_t)snprintf(input + used, sizeof(input) - used,
                                 "get big k%u\r\n", i);
    client.drained = 1000;
    client.requests_max = 3;
    arrives("big", value);
    size = run(input, SESSION_ASK);
    while (size < strlen(input)) {
        ck_assert_uint_gt(asked(), 0);
        done();
        size += run(input + size,
                    size + strlen("get big k0\r\n") * 3 < strlen(input)
                        ? SESSION_ASK
                        : SESSION_INPUT);
    }
    ck_assert_uint_eq(client.replies_size,
                      20 *
                          (strlen("VALUE big 0 16000\r\n\r\nEND\r\n") + 16000));
    teardown();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_get_waits_for_what_the_peer_has);
    tcase_add_test(tests, what_is_here_is_not_asked_for);
    tcase_add_test(tests, what_is_nowhere_is_asked_for_once);
    tcase_add_test(tests, all_keys_of_a_pipeline_are_asked_for_at_once);
    tcase_add_test(tests, many_keys_of_a_line_are_asked_for_by_the_dozen);
    tcase_add_test(tests, what_comes_in_meanwhile_is_asked_for_next);
    tcase_add_loop_test(tests, whatever_depends_on_the_item_waits, 0,
                        COUNT_OF(rows));
    tcase_add_test(tests, so_does_a_large_value_before_it_is_read);
    tcase_add_test(tests, the_binary_protocol_waits_too);
    tcase_add_test(tests, a_datagram_does_not_wait);
    tcase_add_test(tests, behind_a_closed_gate_all_is_as_ever);
    tcase_add_test(tests, a_client_may_leave_while_it_waits);
    tcase_add_test(tests, a_full_sink_forgets_nothing);
}
UNIT_MAIN("fetching", add_tests)

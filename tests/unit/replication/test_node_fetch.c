/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients of a joining node ask for comes ahead of the scan. A has the
 * data, B joins, and so that the scan has not brought everything at once there
 * is more of it than one output of A holds. */
#include "tests/unit/replication/sides.h"

#include "src/base/memory.h"

#include <stdio.h>
#include <string.h>

#define MANY 200
#define VALUE_BYTES 8000
#define BIG_BYTES (3 * CODEC_PART_BYTES)

static unsigned woken;

static void wake(void *ctx)
{
    ck_assert_ptr_eq(ctx, &woken);
    woken++;
}

static uint64_t hash_of(const char *key)
{
    return engine_key_of(a.engine, slice_of(key)).hash;
}

static struct fetch *ask(const char *key)
{
    uint64_t hash = hash_of(key);

    return fetch_begin(b.fetches, &hash, 1, wake, &woken);
}

static bool has(struct side *side, const char *key)
{
    return strcmp(get(side, key), "(none)") != 0;
}

/* A key that the scan brings late: those with the highest hash. */
static char late[16];

static void fill(unsigned count)
{
    static char value[VALUE_BYTES];
    char key[16];

    memset(value, 'v', sizeof(value));
    memcpy(late, "key0", 5);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        put(&a, key, value, sizeof(value));
        if (hash_of(key) > hash_of(late))
            memcpy(late, key, sizeof(key));
    }
}

static void boot_a(void)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    set(&a, "k", "v");
    fill(MANY);
}

/* Both have said hello, and nothing of the data is on its way. */
static void greet(void)
{
    connect_to(&b, &a);
    ck_assert(pass_on(&b, 0));
    a.at_link[0] = &b;
    forget_trace();
}

/* What A says in one go does not reach B whole. */
static void hear_hello(void)
{
    size_t needed = 0;
    size_t size = node_output(a.node, now_ns, 0, out, sizeof(out));
    size_t hello = CODEC_HEADER_BYTES;

    ck_assert_uint_gt(size, hello);
    hello += (unsigned char)out[2] * 256u + (unsigned char)out[3];
    ck_assert_uint_eq(
        node_received(b.node, now_ns, 0, slice_make(out, hello), &needed),
        hello);
    deliver(&b, 0, slice_make(out + hello, size - hello));
}

static void join(void)
{
    boot_a();
    boot_fed(&b, 'B', 2);
    greet();
    hear_hello();
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    ck_assert(!has(&b, late));
    woken = 0;
    forget_trace();
}

START_TEST(clients_may_come_before_the_data)
{
    join();
    ck_assert(b.serving);
    ck_assert(fetches_are_open(b.fetches));
    settle();
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
    ck_assert(!fetches_are_open(b.fetches));
    ck_assert(has(&b, late));
    ck_assert_uint_eq(engine_items(b.engine), MANY + 1);
}
END_TEST

START_TEST(a_key_comes_ahead_of_the_scan)
{
    struct fetch *fetch;

    join();
    fetch = ask(late);
    ck_assert_ptr_nonnull(fetch);
    ck_assert(pass_on(&b, 0));
    ck_assert(!fetch_is_done(fetch));
    ck_assert(pass_on(&a, 0));
    ck_assert(fetch_is_done(fetch));
    ck_assert_uint_eq(woken, 1);
    ck_assert(has(&b, late));
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    ck_assert_uint_eq(status(&b).fetches, 1);
    ck_assert_uint_eq(status(&b).fetch_hits, 1);
    fetch_drop(&fetch);
    settle();
    ck_assert_uint_eq(status(&b).resync_items_done, MANY + 1);
}
END_TEST

START_TEST(what_is_not_there_is_answered_too)
{
    struct fetch *fetch;

    join();
    fetch = ask("nothing");
    ck_assert(pass_on(&b, 0));
    ck_assert(pass_on(&a, 0));
    ck_assert(fetch_is_done(fetch));
    ck_assert_uint_eq(status(&b).fetches, 1);
    ck_assert_uint_eq(status(&b).fetch_hits, 0);
    ck_assert_uint_eq(status(&b).fetch_timeouts, 0);
    fetch_drop(&fetch);
}
END_TEST

START_TEST(a_value_in_parts_is_there_when_it_is_answered)
{
    static char value[BIG_BYTES];
    struct fetch *fetches[2];
    unsigned rounds = 0;

    boot_a();
    put(&a, "big", value, sizeof(value));
    boot_fed(&b, 'B', 2);
    greet();
    hear_hello();
    fetches[0] = ask("big");
    fetches[1] = ask(late);
    ck_assert(pass_on(&b, 0));
    while (!fetch_is_done(fetches[0]) || !fetch_is_done(fetches[1])) {
        ck_assert(pass_on(&a, 0));
        ck_assert(has(&b, "big") || !fetch_is_done(fetches[0]));
        ck_assert_uint_lt(++rounds, 10);
    }
    ck_assert(has(&b, late));
    ck_assert_uint_eq(status(&b).fetch_hits, 2);
    fetch_drop(&fetches[0]);
    fetch_drop(&fetches[1]);
    settle();
    ck_assert_uint_eq(status(&b).resync_items_done, MANY + 2);
}
END_TEST

START_TEST(a_version_made_here_meanwhile_stays)
{
    struct fetch *fetch;

    join();
    fetch = ask(late);
    ck_assert(pass_on(&b, 0));
    now_ns += NS_PER_MS;
    set(&b, late, "new");
    ck_assert(pass_on(&a, 0));
    ck_assert(fetch_is_done(fetch));
    ck_assert_str_eq(get(&b, late), "new");
    fetch_drop(&fetch);
    settle();
    ck_assert_str_eq(get(&a, late), "new");
}
END_TEST

START_TEST(what_was_removed_here_does_not_come_back)
{
    struct fetch *fetch;

    join();
    fetch = ask(late);
    ck_assert(pass_on(&b, 0));
    now_ns += NS_PER_MS;
    drop(&b, late);
    ck_assert(pass_on(&a, 0));
    ck_assert(fetch_is_done(fetch));
    ck_assert(!has(&b, late));
    fetch_drop(&fetch);
    settle();
    ck_assert(!has(&a, late));
    ck_assert(!has(&b, late));
}
END_TEST

START_TEST(nobody_waits_for_a_link_that_is_lost)
{
    struct fetch *sent, *waiting;

    join();
    sent = ask(late);
    ck_assert(pass_on(&b, 0));
    waiting = ask("key0");
    end_link(&b, 0);
    ck_assert(fetch_is_done(sent));
    ck_assert(fetch_is_done(waiting));
    ck_assert_uint_eq(woken, 2);
    ck_assert_ptr_null(ask(late));
    fetch_drop(&sent);
    fetch_drop(&waiting);
}
END_TEST

START_TEST(a_node_that_lost_its_link_joins_again)
{
    struct fetch *fetch;

    join();
    end_link(&b, 0);
    ck_assert_int_eq(status(&b).state, NODE_ALONE);
    set(&b, "mine", "x");
    b.dialing = true;
    greet();
    hear_hello();
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    fetch = ask(late);
    ck_assert_ptr_nonnull(fetch);
    settle();
    ck_assert(fetch_is_done(fetch));
    fetch_drop(&fetch);
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
    ck_assert_str_eq(get(&a, "mine"), "x");
    ck_assert(has(&b, late));
    end_link(&b, 0);
    b.dialing = true;
    greet();
    hear_hello();
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
}
END_TEST

/* A lost its end of the link first, and calls B. */
START_TEST(who_called_anew_is_asked_anew)
{
    struct fetch *old, *fetch;

    join();
    old = ask(late);
    ck_assert(pass_on(&b, 0));
    a.at_link[0] = NULL;
    node_lost(a.node, now_ns, 0, "reset");
    now_ns += NS_PER_MS;
    a.dialing = true;
    connect_to(&a, &b);
    ck_assert(pass_on(&a, 0));
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    ck_assert(fetch_is_done(old));
    fetch_drop(&old);
    fetch = ask(late);
    ck_assert_ptr_nonnull(fetch);
    ck_assert(pass_on(&b, 1));
    while (!fetch_is_done(fetch))
        ck_assert(pass_on(&a, 0));
    ck_assert(has(&b, late));
    fetch_drop(&fetch);
}
END_TEST

/* So that A is not taken for dead while it does not answer. */
static void hear_heartbeat(void)
{
    struct message message = {.type = MESSAGE_HEARTBEAT,
                              .heartbeat = {.now_ns = now_ns}};
    struct codec *codec = codec_new();
    size_t size = codec_encode(codec, &message, out, sizeof(out));

    deliver(&b, 0, slice_make(out, size));
    codec_free(&codec);
}

START_TEST(a_wait_has_its_bound)
{
    struct fetch *first, *second;

    join();
    first = ask(late);
    ck_assert(pass_on(&b, 0));
    now_ns += NODE_FETCH_WAIT_NS / 2;
    second = ask("key0");
    (void)node_output(b.node, now_ns, 0, out, sizeof(out));
    hear_heartbeat();
    ck_assert_uint_le(node_deadline(b.node), T0 + NODE_FETCH_WAIT_NS);
    now_ns = T0 + NODE_FETCH_WAIT_NS - 1;
    node_tick(b.node, now_ns);
    ck_assert(!fetch_is_done(first));
    now_ns = T0 + NODE_FETCH_WAIT_NS;
    node_tick(b.node, now_ns);
    ck_assert(fetch_is_done(first));
    ck_assert(!fetch_is_done(second));
    ck_assert_uint_eq(status(&b).fetch_timeouts, 1);
    fetch_drop(&first);
    fetch_drop(&second);
}
END_TEST

START_TEST(so_many_keys_and_no_more)
{
    struct fetch *fetches[NODE_FETCH_KEYS_MAX / FETCH_KEYS_MAX + 1];
    uint64_t hashes[FETCH_KEYS_MAX];
    const size_t last = COUNT_OF(fetches) - 1;

    join();
    for (size_t i = 0; i < COUNT_OF(fetches); i++) {
        for (size_t n = 0; n < FETCH_KEYS_MAX; n++)
            hashes[n] = i * FETCH_KEYS_MAX + n + 1;
        fetches[i] =
            fetch_begin(b.fetches, hashes, FETCH_KEYS_MAX, wake, &woken);
        ck_assert_ptr_nonnull(fetches[i]);
    }
    while (pass_on(&b, 0))
        ;
    for (size_t i = 0; i < last; i++)
        ck_assert(!fetch_is_done(fetches[i]));
    ck_assert(fetch_is_done(fetches[last]));
    ck_assert_uint_eq(status(&b).fetches, NODE_FETCH_KEYS_MAX);
    for (unsigned i = 0; i < 20; i++)
        (void)pass_on(&a, 0);
    for (size_t i = 0; i <= last; i++) {
        ck_assert(fetch_is_done(fetches[i]));
        fetch_drop(&fetches[i]);
    }
    ck_assert_uint_eq(status(&b).fetch_hits, 0);
}
END_TEST

START_TEST(who_asks_for_more_loses_the_link)
{
    uint64_t hashes[MESSAGE_FETCH_MAX] = {1};
    struct message message = {
        .type = MESSAGE_FETCH,
        .fetch = {.hashes = hashes, .count = MESSAGE_FETCH_MAX}};
    struct codec *codec = codec_new();
    size_t size;

    join();
    size = codec_encode(codec, &message, out, sizeof(out));
    codec_free(&codec);
    for (unsigned i = 0; i < NODE_FETCH_KEYS_MAX / MESSAGE_FETCH_MAX; i++)
        deliver(&a, 0, slice_make(out, size));
    ck_assert(!a.closing[0]);
    deliver(&a, 0, slice_make(out, size));
    ck_assert(a.closing[0]);
}
END_TEST

static const struct {
    uint64_t answered, found;
    bool fine;
} counts[] = {
    {1, 0, true},  {2, 0, true},  {2, 1, true},
    {3, 0, false}, {0, 0, false}, {1, 1, false},
};

/* Two keys were asked for, and the first was answered: it was not there. */
START_TEST(who_counts_wrong_loses_the_link)
{
    struct message message = {.type = MESSAGE_FETCHED,
                              .fetched = {.answered = 1}};
    struct codec *codec = codec_new();
    struct fetch *fetches[2];
    size_t size;

    join();
    for (unsigned i = 0; i < 2; i++) {
        fetches[i] = ask(i == 0 ? "nothing" : "nothing more");
        (void)node_output(b.node, now_ns, 0, out, sizeof(out));
    }
    size = codec_encode(codec, &message, out, sizeof(out));
    deliver(&b, 0, slice_make(out, size));
    ck_assert(fetch_is_done(fetches[0]));
    message.fetched.answered = counts[_i].answered;
    message.fetched.found = counts[_i].found;
    size = codec_encode(codec, &message, out, sizeof(out));
    deliver(&b, 0, slice_make(out, size));
    codec_free(&codec);
    ck_assert_int_eq(b.closing[0], !counts[_i].fine);
    ck_assert_int_eq(fetch_is_done(fetches[1]),
                     counts[_i].answered == 2 || !counts[_i].fine);
    fetch_drop(&fetches[0]);
    fetch_drop(&fetches[1]);
}
END_TEST

START_TEST(a_pause_does_not_keep_the_peers_clients_waiting)
{
    struct fetch *fetch;

    join();
    ck_assert_ptr_null(node_pause(a.node, now_ns));
    fetch = ask(late);
    ck_assert(pass_on(&b, 0));
    ck_assert(pass_on(&a, 0));
    ck_assert(fetch_is_done(fetch));
    ck_assert(has(&b, late));
    fetch_drop(&fetch);
}
END_TEST

START_TEST(without_the_option_clients_come_with_the_data)
{
    boot_a();
    boot(&b, 'B', 2, true);
    greet();
    hear_hello();
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    ck_assert(!b.serving);
    settle();
    ck_assert(b.serving);
}
END_TEST

/* It ends a link on which it is asked. */
START_TEST(a_peer_that_cannot_answer_is_not_asked)
{
    boot_a();
    boot_fed(&b, 'B', 2);
    connect_to(&b, &a);
    ck_assert(pass_on(&b, 0));
    ck_assert(a.node->links[0].hello_due);
    a.node->links[0].hello.features = MESSAGE_FEATURE_DIGEST;
    hear_hello();
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    ck_assert(!b.serving);
    ck_assert_ptr_null(ask(late));
    settle();
    ck_assert(b.serving);
}
END_TEST

START_TEST(a_node_with_data_of_its_own_compares_it_first)
{
    boot_a();
    boot_fed(&b, 'B', 2);
    set(&b, "k", "old");
    greet();
    hear_hello();
    ck_assert_int_eq(status(&b).state, NODE_JOINING);
    ck_assert(!b.serving);
    settle();
    ck_assert(b.serving);
}
END_TEST

START_TEST(a_stop_ends_all_waits)
{
    struct fetch *fetch;

    join();
    fetch = ask(late);
    ck_assert(pass_on(&b, 0));
    node_drain(b.node, now_ns);
    ck_assert(fetch_is_done(fetch));
    ck_assert_ptr_null(ask(late));
    fetch_drop(&fetch);
}
END_TEST

/* A node that is refused has said hello, too. */
START_TEST(a_third_node_does_not_change_what_the_peer_can)
{
    struct fetch *fetch;
    uint64_t incarnation;

    join();
    incarnation = b.node->theirs.incarnation;
    boot(&c, 'C', 3, true);
    connect_to(&c, &b);
    c.node->peer.config.node = 3;
    ck_assert(pass_on(&c, 0));
    ck_assert(pass_on(&b, 1));
    ck_assert_uint_eq(b.node->theirs.incarnation, incarnation);
    fetch = ask(late);
    ck_assert(pass_on(&b, 0));
    ck_assert(pass_on(&a, 0));
    ck_assert(fetch_is_done(fetch));
    fetch_drop(&fetch);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, clients_may_come_before_the_data);
    tcase_add_test(tests, a_key_comes_ahead_of_the_scan);
    tcase_add_test(tests, what_is_not_there_is_answered_too);
    tcase_add_test(tests, a_value_in_parts_is_there_when_it_is_answered);
    tcase_add_test(tests, a_version_made_here_meanwhile_stays);
    tcase_add_test(tests, what_was_removed_here_does_not_come_back);
    tcase_add_test(tests, nobody_waits_for_a_link_that_is_lost);
    tcase_add_test(tests, a_node_that_lost_its_link_joins_again);
    tcase_add_test(tests, who_called_anew_is_asked_anew);
    tcase_add_test(tests, a_wait_has_its_bound);
    tcase_add_test(tests, so_many_keys_and_no_more);
    tcase_add_test(tests, who_asks_for_more_loses_the_link);
    tcase_add_loop_test(tests, who_counts_wrong_loses_the_link, 0,
                        COUNT_OF(counts));
    tcase_add_test(tests, a_pause_does_not_keep_the_peers_clients_waiting);
    tcase_add_test(tests, without_the_option_clients_come_with_the_data);
    tcase_add_test(tests, a_peer_that_cannot_answer_is_not_asked);
    tcase_add_test(tests, a_node_with_data_of_its_own_compares_it_first);
    tcase_add_test(tests, a_stop_ends_all_waits);
    tcase_add_test(tests, a_third_node_does_not_change_what_the_peer_can);
}
UNIT_MAIN("node_fetch", add_tests)

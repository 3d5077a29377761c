/* SPDX-License-Identifier: BSD-3-Clause */
/* What two nodes say to each other, and when. The simulation looks for what
 * nobody thought of; here is what must be so. */
#include "tests/unit/replication/sides.h"

#include "src/base/memory.h"

#include <stdio.h>
#include <string.h>

/* ---- scenarios ---- */

START_TEST(a_joining_node_serves_when_it_has_the_data)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    set(&a, "k", "v");
    now_ns += 10 * NS_PER_S;
    boot(&b, 'B', 2, true);
    connect_to(&b, &a);
    settle();
    expect_trace("A listens\n"
                 "A serves\n"
                 "B>A HELLO\n"
                 "A>B HELLO\n"
                 "A>B PLAN 3\n"
                 "A>B BATCH 1\n"
                 "A>B MARK\n"
                 "B listens\n"
                 "B serves\n"
                 "B>A PLAN 1\n");
    ck_assert_str_eq(get(&b, "k"), "v");
    ck_assert_int_eq(status(&a).role, NODE_ROLE_LISTENER);
    ck_assert_int_eq(status(&b).role, NODE_ROLE_DIALER);
    ck_assert_int_eq(status(&a).resync_kind, RESYNC_FULL);
    ck_assert_uint_eq(status(&b).dirty_buckets, 0);
}
END_TEST

START_TEST(changes_go_both_ways)
{
    pair_up();
    set(&a, "x", "1");
    set(&b, "y", "2");
    settle();
    expect_trace("A>B BATCH 1\nB>A BATCH 1\n");
    ck_assert_str_eq(get(&b, "x"), "1");
    ck_assert_str_eq(get(&a, "y"), "2");
    ck_assert_uint_eq(status(&a).lag_ops, 0);
}
END_TEST

START_TEST(a_hot_key_goes_once)
{
    pair_up();
    for (unsigned i = 0; i < 20; i++)
        set(&a, "hot", i < 19 ? "old" : "new");
    settle();
    expect_trace("A>B BATCH 1\n");
    ck_assert_str_eq(get(&b, "hot"), "new");
    ck_assert_uint_eq(status(&a).seq_acked, 20);
}
END_TEST

START_TEST(nothing_comes_back_to_where_it_was_written)
{
    pair_up();
    set(&a, "k", "v");
    settle();
    ck_assert_uint_eq(status(&b).sent, 0);
    ck_assert_uint_eq(status(&b).seq_next, 1);
}
END_TEST

START_TEST(a_removal_goes_even_on_a_miss)
{
    pair_up();
    set(&b, "k", "v");
    drop(&a, "k"); /* A has not got it yet. */
    settle();
    ck_assert_str_eq(get(&a, "k"), get(&b, "k"));
    drop(&a, "k");
    settle();
    ck_assert_str_eq(get(&b, "k"), "(none)");
    ck_assert_uint_eq(status(&a).tombstones, 0);
}
END_TEST

START_TEST(of_two_writes_at_once_one_wins_on_both)
{
    pair_up();
    set(&a, "k", "from A");
    set(&b, "k", "from B");
    settle();
    ck_assert_str_ne(get(&a, "k"), "(none)");
    ck_assert_int_eq(strcmp(get(&a, "k"), "from A") == 0,
                     strcmp(get(&b, "k"), "from A") == 0);
    ck_assert_uint_eq(status(&a).conflicts + status(&b).conflicts, 1);
}
END_TEST

START_TEST(a_flush_goes_ahead_of_what_follows_it)
{
    pair_up();
    set(&a, "old", "1");
    settle();
    forget_trace();
    now_ns += NS_PER_S;
    engine_thread_set_now(a.client, now_ns);
    engine_flush(a.client, 0);
    set(&a, "new", "2");
    settle();
    expect_trace("A>B FLUSH\nA>B BATCH 1\n");
    ck_assert_str_eq(get(&b, "old"), "(none)");
    ck_assert_str_eq(get(&b, "new"), "2");
}
END_TEST

START_TEST(a_big_value_goes_in_parts)
{
    static char big[300000];
    struct engine_view view;
    struct engine_key key;

    memset(big, 'x', sizeof(big));
    pair_up();
    put(&a, "big", big, sizeof(big));
    set(&a, "small", "1");
    settle();
    ck_assert_ptr_nonnull(strstr(trace, "A>B PART\nA>B PART\n"));
    ck_assert_str_eq(get(&b, "small"), "1");
    key = engine_key_of(b.engine, SLICE_LITERAL("big"));
    ck_assert(engine_get(b.client, &key, &view));
    ck_assert_uint_eq(view.value_size, sizeof(big));
    ck_assert_uint_eq(view.client_flags, 7);
    engine_view_end(b.client, &view);
    ck_assert_uint_eq(status(&a).lag_ops, 0);
}
END_TEST

START_TEST(a_short_cut_goes_on_where_it_was)
{
    pair_up();
    end_link(&b, 0);
    set(&a, "k", "v");
    expect_trace("");
    pass_time(1000);
    connect_to(&b, &a);
    settle();
    ck_assert_ptr_nonnull(strstr(trace, "A>B PLAN 1\n"));
    ck_assert_ptr_nonnull(strstr(trace, "B>A PLAN 1\n"));
    ck_assert_str_eq(get(&b, "k"), "v");
    ck_assert_int_eq(status(&a).resync_kind, RESYNC_CONTINUE);
    ck_assert_uint_eq(status(&a).reconnects, 1);
}
END_TEST

START_TEST(after_a_long_cut_only_what_is_dirty_goes)
{
    char key[16];

    pair_up();
    set(&a, "quiet", "1");
    settle();
    end_link(&b, 0);
    for (unsigned i = 0; i < 100; i++) { /* The ring has 64. */
        snprintf(key, sizeof(key), "k%u", i);
        set(&a, key, "v");
    }
    pass_time(1000);
    connect_to(&b, &a);
    settle();
    ck_assert_ptr_nonnull(strstr(trace, "A>B PLAN 2\n"));
    ck_assert_str_eq(get(&b, "k0"), "v");
    ck_assert_str_eq(get(&b, "k99"), "v");
    ck_assert_uint_eq(status(&a).resync_items_done, 36);
    ck_assert_uint_eq(status(&a).dirty_buckets, 0);
}
END_TEST

/* ---- longer lives ---- */

static void prolong(struct side *side, const char *key, int64_t exptime_s)
{
    struct engine_key wanted = engine_key_of(side->engine, slice_of(key));

    engine_thread_set_now(side->client, now_ns);
    ck_assert_int_eq(engine_touch(side->client, &wanted,
                                  engine_expires_at(side->client, exptime_s)),
                     ENGINE_STORED);
}

/* UINT32_MAX: it is not there. */
static uint32_t end_of(struct side *side, const char *key)
{
    struct engine_key wanted = engine_key_of(side->engine, slice_of(key));
    struct engine_view view;
    uint32_t expires_at_s = UINT32_MAX;

    engine_thread_set_now(side->client, now_ns);
    if (engine_get(side->client, &wanted, &view)) {
        expires_at_s = view.expires_at_s;
        engine_view_end(side->client, &view);
    }
    return expires_at_s;
}

static bool keep_nothing(void *ctx, uint64_t hash)
{
    (void)ctx;
    (void)hash;
    return false;
}

/* Without a word to the other, as an eviction does of what that has
 * confirmed. */
static void let_go(struct side *side, const char *key)
{
    uint64_t hash = engine_key_of(side->engine, slice_of(key)).hash;

    ck_assert_uint_eq(
        engine_purge(side->client, hash, hash, STAMP_MAX, keep_nothing, NULL),
        1);
}

START_TEST(a_longer_life_goes_without_the_value)
{
    static const char *const keys[] = {"small", "large", "count"};
    static char value[100000];
    struct engine_arith one = {.delta = 1};
    struct engine_counted counted;
    uint64_t sent;

    pair_up();
    put_for(&a, "small", value, 20000, 10);
    put_for(&b, "large", value, sizeof(value), 10);
    put_for(&a, "count", "5", 1, 10);
    settle();
    one.key = engine_key_of(b.engine, SLICE_LITERAL("count"));
    ck_assert_int_eq(engine_count(b.client, &one, &counted), ENGINE_STORED);
    settle();
    sent = status(&a).bytes_out;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        prolong(&a, keys[i], 1000);
    settle();
    ck_assert_uint_lt(status(&a).bytes_out - sent, 3 * 40 + 20);
    ck_assert_uint_eq(status(&a).touches, 3);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        ck_assert_uint_eq(end_of(&b, keys[i]), end_of(&a, keys[i]));
    ck_assert_uint_eq(end_of(&b, "large"), T0 / NS_PER_S + 1000);
    ck_assert_uint_eq(status(&b).wanted, 0);
}
END_TEST

START_TEST(what_was_let_go_meanwhile_is_asked_for)
{
    pair_up();
    put_for(&a, "k", "v", 1, 10);
    settle();
    let_go(&b, "k");
    forget_trace();
    prolong(&a, "k", 1000);
    settle();
    expect_trace("A>B BATCH 1\n"
                 "B>A WANT\n"
                 "A>B BATCH 1\n");
    ck_assert_str_eq(get(&b, "k"), "v");
    ck_assert_uint_eq(end_of(&b, "k"), T0 / NS_PER_S + 1000);
    ck_assert_uint_eq(status(&b).wanted, 1);
}
END_TEST

/* The acknowledgement of the longer life is not enough for a handoff. */
START_TEST(a_handoff_waits_for_what_is_asked_for)
{
    pair_up();
    put_for(&a, "k", "v", 1, 10);
    settle();
    let_go(&b, "k");
    prolong(&a, "k", 1000);
    ck_assert_ptr_null(node_handoff(a.node, now_ns));
    ck_assert(pass_on(&a, 0));
    ck_assert(pass_on(&b, 0));
    ck_assert_int_eq(node_handoff_progress(a.node, now_ns), NODE_UNDER_WAY);
    settle();
    ck_assert_int_eq(node_handoff_progress(a.node, now_ns), NODE_DONE);
    ck_assert_str_eq(get(&b, "k"), "v");
}
END_TEST

/* It had acknowledged nothing, as far as the other knows; but says so itself
 * on the next link. */
START_TEST(what_was_asked_for_on_a_lost_link_comes_on_the_next)
{
    pair_up();
    put_for(&a, "k", "v", 1, 10);
    settle();
    let_go(&b, "k");
    prolong(&a, "k", 1000);
    ck_assert(pass_on(&a, 0));
    ck_assert_uint_eq(status(&b).wanted, 1);
    ck_assert_uint_eq(end_of(&b, "k"), UINT32_MAX);
    end_link(&b, 0);
    pass_time(1000);
    connect_to(&b, &a);
    settle();
    ck_assert_int_eq(status(&a).resync_kind, RESYNC_CONTINUE);
    ck_assert_str_eq(get(&b, "k"), "v");
}
END_TEST

START_TEST(a_longer_life_brings_nothing_back)
{
    pair_up();
    put_for(&a, "removed", "v", 1, 10);
    put_for(&a, "replaced", "v", 1, 10);
    settle();
    drop(&b, "removed");
    put_for(&b, "replaced", "w", 1, 10);
    prolong(&a, "removed", 1000);
    prolong(&a, "replaced", 1000);
    ck_assert(pass_on(&a, 0));
    settle();
    for (struct side *side = &a; side != NULL; side = side == &a ? &b : NULL) {
        ck_assert_str_eq(get(side, "removed"), "(none)");
        ck_assert_str_eq(get(side, "replaced"), "w");
        ck_assert_uint_eq(end_of(side, "replaced"), T0 / NS_PER_S + 10);
    }
    ck_assert_uint_eq(status(&b).wanted, 0);
}
END_TEST

/* What the peer may want has room there. */
START_TEST(no_more_touches_are_under_way_than_can_be_asked_for)
{
    uint64_t acked;

    pair_up();
    put_for(&a, "k", "v", 1, 10);
    settle();
    prolong(&a, "k", 1000);
    acked = a.node->send.confirmed;
    a.node->send.confirmed -= NODE_TOUCHES_MAX;
    settle();
    ck_assert_uint_eq(end_of(&b, "k"), T0 / NS_PER_S + 10);
    ck_assert(node_may_sleep(a.node));
    a.node->send.confirmed = acked;
    settle();
    ck_assert_uint_eq(end_of(&b, "k"), T0 / NS_PER_S + 1000);
    for (size_t i = 0; i < NODE_WANTS_MAX; i++)
        ck_assert(node_want(b.node, i + 1));
    ck_assert(!node_want(b.node, 1));
    forget_trace();
    settle();
    expect_trace("B>A WANT\nB>A WANT\nB>A WANT\nB>A WANT\nB>A WANT\n");
}
END_TEST

/* What the peer has never got must not leave an older version alive there. */
static void expire_during_a_cut(unsigned others)
{
    char key[16];

    pair_up();
    set(&a, "k", "old");
    settle();
    ck_assert_str_eq(get(&b, "k"), "old");
    end_link(&b, 0);
    put_for(&a, "k", "new", 3, 1);
    for (unsigned i = 0; i < others; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        set(&a, key, "v");
    }
    pass_time(2000);
    connect_to(&b, &a);
    settle();
    ck_assert_str_eq(get(&a, "k"), "(none)");
    ck_assert_str_eq(get(&b, "k"), "(none)");
    ck_assert_uint_eq(status(&a).tombstones, 0);
}

START_TEST(what_expired_on_its_way_is_a_removal)
{
    expire_during_a_cut(0);
}
END_TEST

START_TEST(what_expired_before_a_scan_is_a_removal)
{
    expire_during_a_cut(100);
}
END_TEST

/* Two versions of one key, both expired unseen: it is the later one that the
 * peer's must give way to. */
START_TEST(what_expired_last_is_what_is_removed)
{
    pair_up();
    end_link(&b, 0);
    put_for(&a, "k", "first", 5, 1);
    pass_time(1);
    set(&b, "k", "between");
    pass_time(1);
    put_for(&a, "k", "last", 4, 1);
    pass_time(2000);
    connect_to(&b, &a);
    settle();
    ck_assert_str_eq(get(&a, "k"), "(none)");
    ck_assert_str_eq(get(&b, "k"), "(none)");
}
END_TEST

START_TEST(a_longer_life_is_told_and_keeps_the_version)
{
    struct engine_key key;
    struct engine_view view;
    stamp_t stamp;

    pair_up();
    put_for(&a, "k", "v", 1, 10);
    settle();
    key = engine_key_of(a.engine, SLICE_LITERAL("k"));
    ck_assert(engine_get(a.client, &key, &view));
    stamp = view.stamp;
    engine_view_end(a.client, &view);
    ck_assert_int_eq(engine_touch(a.client, &key, 0), ENGINE_STORED);
    settle();
    pass_time(900);
    settle();
    now_ns += 20 * NS_PER_S;
    engine_thread_set_now(b.client, now_ns);
    ck_assert(engine_get(b.client, &key, &view));
    ck_assert_uint_eq(view.stamp, stamp);
    ck_assert_uint_eq(view.expires_at_s, 0);
    engine_view_end(b.client, &view);
}
END_TEST

START_TEST(a_longer_life_is_told_although_its_version_was)
{
    static char filler[30000];
    struct engine_view view;
    struct engine_key key;
    char name[16];

    pair_up();
    put_for(&a, "k", "v", 1, 10);
    for (unsigned i = 0; i < 20; i++) { /* More than one output takes. */
        snprintf(name, sizeof(name), "k%u", i);
        put(&a, name, filler, sizeof(filler));
    }
    put_for(&a, "k", "w", 1, 10);
    ck_assert(pass_on(&a, 0)); /* Sends k as it is, ahead of its entry. */
    key = engine_key_of(a.engine, SLICE_LITERAL("k"));
    ck_assert_int_eq(engine_touch(a.client, &key, 0), ENGINE_STORED);
    settle();
    engine_thread_set_now(b.client, now_ns);
    ck_assert(engine_get(b.client, &key, &view));
    ck_assert_uint_eq(view.expires_at_s, 0);
    engine_view_end(b.client, &view);
}
END_TEST

START_TEST(a_survivor_keeps_what_it_has_and_gives_it_back)
{
    pair_up();
    set(&b, "k", "v");
    settle();
    halt(&b);
    end_link(&a, 0);
    ck_assert_int_eq(status(&a).state, NODE_ALONE);
    ck_assert(a.listening);
    set(&a, "k2", "v2");
    now_ns += NS_PER_S;
    boot(&b, 'B', 3, true);
    connect_to(&b, &a);
    settle();
    ck_assert_str_eq(get(&b, "k"), "v");
    ck_assert_str_eq(get(&b, "k2"), "v2");
}
END_TEST

START_TEST(two_that_ran_alone_agree_and_the_later_removal_wins)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    boot(&b, 'B', 2, true);
    nobody_there(&b);
    set(&a, "k", "old");
    set(&a, "a", "1");
    now_ns += NS_PER_S;
    drop(&b, "k");
    set(&b, "b", "2");
    pass_time(1000);
    connect_to(&b, &a);
    settle();
    ck_assert_str_eq(get(&a, "k"), "(none)");
    ck_assert_str_eq(get(&b, "k"), "(none)");
    ck_assert_str_eq(get(&b, "a"), "1");
    ck_assert_str_eq(get(&a, "b"), "2");
}
END_TEST

START_TEST(calls_that_cross_end_as_one_link)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    boot(&b, 'B', 2, true);
    nobody_there(&b);
    pass_time(1000);
    connect_to(&a, &b);
    connect_to(&b, &a);
    settle();
    settle();
    ck_assert_int_eq(status(&a).state, NODE_PAIRED);
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
    /* The lower node's call stays. */
    ck_assert_int_eq(status(&a).role, NODE_ROLE_DIALER);
    ck_assert_int_eq(status(&b).role, NODE_ROLE_LISTENER);
}
END_TEST

START_TEST(a_third_node_is_refused_in_words)
{
    pair_up();
    boot(&c, 'C', 9, true);
    connect_to(&c, &a);
    settle();
    expect_trace("C>A HELLO\nA>C REFUSE 3\n");
    ck_assert_int_eq(status(&c).state, NODE_STARTING);
    ck_assert(!c.serving);
    ck_assert_int_eq(status(&a).state, NODE_PAIRED);
    ck_assert_uint_eq(status(&a).refused, 1);
}
END_TEST

START_TEST(nothing_is_said_to_who_says_no_hello)
{
    boot(&a, 'A', 1, false);
    boot(&c, 'C', 9, true);
    c.at_link[0] = &a;
    a.at_link[0] = &c;
    node_accepted(a.node, now_ns, 0);
    ck_assert_uint_eq(node_output(a.node, now_ns, 0, out, sizeof(out)), 0);
    deliver(&a, 0, SLICE_LITERAL("stats\r\nget k\r\n"));
    ck_assert_uint_eq(node_output(a.node, now_ns, 0, out, sizeof(out)), 0);
    ck_assert(a.closing[0]);
    a.at_link[0] = c.at_link[0] = NULL;
}
END_TEST

START_TEST(a_clean_stop_tells_everything_first)
{
    pair_up();
    set(&a, "k", "v");
    node_drain(a.node, now_ns);
    ck_assert(pass_all(&a));
    ck_assert(!pass_all(&a)); /* No goodbye before B has confirmed. */
    ck_assert(!node_drained(a.node));
    settle();
    expect_trace("A stops listening\nA>B BATCH 1\nA>B GOODBYE\n");
    ck_assert(node_drained(a.node));
    ck_assert_str_eq(get(&b, "k"), "v");
    ck_assert_int_eq(status(&b).state, NODE_ALONE);
}
END_TEST

START_TEST(a_clean_stop_ends_when_the_peer_does_not_answer)
{
    pair_up();
    set(&a, "k", "v");
    node_drain(a.node, now_ns);
    now_ns += 5 * NS_PER_S;
    node_tick(a.node, now_ns);
    ck_assert(node_drained(a.node));
}
END_TEST

START_TEST(a_sleeper_is_told_of_what_came_in_between)
{
    pair_up();
    ck_assert(node_may_sleep(a.node));
    set(&a, "k", "v");
    ck_assert(!node_may_sleep(a.node));
    settle();
    ck_assert(node_may_sleep(a.node));
}
END_TEST

START_TEST(whoever_hashes_otherwise_is_left)
{
    static const char key[] = "k";
    struct codec_batch batch;
    struct mutation wrong = {.kind = MUTATION_SET,
                             .hash = 12345,
                             .stamp = T0,
                             .key = {key, 1},
                             .value = {key, 1}};

    pair_up();
    ck_assert(codec_batch_begin(&batch, out, sizeof(out)));
    /* A value of one byte, which fill copies from where it lies. */
    wrong.value = slice_make(NULL, 0);
    ck_assert(codec_batch_add(&batch, &wrong, 0, NULL, NULL));
    deliver(&b, 0, slice_make(out, codec_batch_end(&batch, 0)));
    ck_assert_int_eq(status(&b).state, NODE_ALONE);
    ck_assert_str_eq(get(&b, "k"), "(none)");
}
END_TEST

START_TEST(an_acknowledgement_of_the_future_is_a_lie)
{
    struct message message = {.type = MESSAGE_ACK};
    struct codec *codec = codec_new();
    size_t size;

    pair_up();
    message.ack.applied = 1000000;
    size = codec_encode(codec, &message, out, sizeof(out));
    deliver(&a, 0, slice_make(out, size));
    ck_assert_int_eq(status(&a).state, NODE_ALONE);
    codec_free(&codec);
}
END_TEST

START_TEST(a_config_that_cannot_work_is_refused)
{
    struct node_hooks hooks = {.ctx = NULL};
    struct node_config config = {.pair = "pair"};
    struct node *node = NULL;

    ck_assert_int_eq(node_new(&config, &hooks, &node), -ERR_RANGE);
    ck_assert_ptr_null(node);
}
END_TEST

/* ---- two that hold much and know nothing of each other ---- */

#define MANY 3000

static void set_many(struct side *side)
{
    static char value[200];
    char key[16];

    memset(value, 'v', sizeof(value));
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "many-%u", i);
        put(side, key, value, sizeof(value));
        if (i % 50 == 0)
            settle();
    }
    settle();
    forget_trace();
}

/* As after the loss of what each knew of the other. */
static void forget_each_other(void)
{
    a.node->line = (struct lineage){.incarnation = 101};
    b.node->line = (struct lineage){.incarnation = 102};
}

START_TEST(strangers_that_hold_the_same_compare_it)
{
    uint64_t bytes;

    boot(&a, 'A', 1, true);
    nobody_there(&a);
    set_many(&a);
    boot(&b, 'B', 2, true);
    connect_to(&b, &a);
    settle();
    bytes = status(&a).bytes_out;
    end_link(&b, 0);
    for (unsigned i = 0; i < MANY / 100; i++) {
        char key[16];

        snprintf(key, sizeof(key), "many-%u", i * 7);
        if (i % 3 > 0)
            set(i % 3 == 1 ? &a : &b, key, "new");
        else
            drop(&a, key);
    }
    pass_time(500);
    forget_each_other();
    forget_trace();
    connect_to(&b, &a);
    settle();
    ck_assert_ptr_nonnull(strstr(trace, "A>B PLAN 4\n"));
    ck_assert_ptr_nonnull(strstr(trace, "B>A PLAN 4\n"));
    ck_assert_int_eq(status(&a).resync_kind, RESYNC_DIGEST);
    ck_assert_str_eq(get(&b, "many-0"), "(none)");
    ck_assert_str_eq(get(&b, "many-7"), "new");
    ck_assert_str_eq(get(&a, "many-14"), "new");
    ck_assert_uint_eq(engine_items(a.engine), MANY - MANY / 300);
    ck_assert_uint_eq(engine_items(b.engine), MANY - MANY / 300);
    ck_assert_uint_lt(status(&a).bytes_out - bytes, bytes * 3 / 100);
    ck_assert_uint_gt(status(&a).digest_checked, MANY / 32);
    ck_assert_uint_gt(status(&a).digest_mismatch, 10);
    ck_assert_uint_lt(status(&a).digest_mismatch, MANY / 100 + 5);
}
END_TEST

START_TEST(who_cannot_compare_gets_all)
{
    pair_up();
    set(&a, "k", "v");
    settle();
    end_link(&b, 0);
    pass_time(500);
    forget_each_other();
    connect_to(&b, &a);
    b.node->links[0].hello.features = 0;
    settle();
    ck_assert_ptr_nonnull(strstr(trace, "A>B PLAN 3\n"));
    ck_assert_ptr_nonnull(strstr(trace, "B>A PLAN 4\n"));
    ck_assert_str_eq(get(&b, "k"), "v");
}
END_TEST

START_TEST(an_answer_to_no_question_ends_the_link)
{
    struct message message = {.type = MESSAGE_DIFFER};
    struct codec *codec = codec_new();

    pair_up();
    message.differ.through = UINT64_MAX;
    deliver(&a, 0,
            slice_make(out, codec_encode(codec, &message, out, sizeof(out))));
    ck_assert_int_eq(status(&a).state, NODE_ALONE);
    codec_free(&codec);
}
END_TEST

/* ---- clocks ---- */

/* That of B is set while the link is down, as by a restart on the same data:
 * what was measured before it says nothing any more. */
START_TEST(a_clock_that_was_set_is_measured_anew)
{
    const int64_t ten_minutes_us = 600 * 1000 * 1000;

    pair_up();
    for (unsigned beat = 0; beat < 20; beat++) {
        pass_time(200);
        settle();
    }
    ck_assert_int_eq(status(&a).clock_offset_us, 0);
    end_link(&b, 0);
    b.ahead_ns = 600 * NS_PER_S;
    pass_time(1000);
    connect_to(&b, &a);
    settle();
    ck_assert_int_eq(status(&a).clock_offset_us, ten_minutes_us);
    ck_assert_int_eq(status(&b).clock_offset_us, -ten_minutes_us);
}
END_TEST

START_TEST(a_long_round_trip_does_not_spoil_a_short_one)
{
    struct node_offset offset = {.count = 0};

    node_offset_add(&offset, 5 * NS_PER_S, NS_PER_MS);
    node_offset_add(&offset, 6 * NS_PER_S, 3 * NS_PER_S);
    ck_assert_int_eq(offset.best_ns, 5 * NS_PER_S);
    /* Half of both round trips cannot explain this one. */
    node_offset_add(&offset, 8 * NS_PER_S, 3 * NS_PER_S);
    ck_assert_int_eq(offset.best_ns, 8 * NS_PER_S);
    node_offset_add(&offset, INT64_MIN, NS_PER_MS);
    ck_assert_int_eq(offset.best_ns, 8 * NS_PER_S);
}
END_TEST

/* ---- verify ---- */

static struct node_verified verified(struct side *side, bool repair)
{
    struct node_verified result;

    ck_assert_ptr_null(node_verify(side->node, now_ns, repair));
    for (unsigned i = 0; i < 200 && node_verify_is_running(side->node); i++) {
        settle();
        pass_time(50);
        forget_trace();
    }
    ck_assert(!node_verify_is_running(side->node));
    ck_assert(node_verify_result(side->node, &result));
    return result;
}

/* A version that only this side gets. */
static void slip_in(struct side *side, const char *key, stamp_t stamp)
{
    struct mutation mutation = {.kind = MUTATION_SET, .stamp = stamp};

    mutation.hash = engine_key_of(side->engine, slice_of(key)).hash;
    mutation.key = slice_of(key);
    mutation.value = SLICE_LITERAL("slipped in");
    ck_assert_int_eq(engine_apply(side->client, &mutation), APPLY_DONE);
}

/* ---- data of another time ---- */

#define DOUBTED (T0 + 1000)

/* B comes with data of which it knows no more than that it is old: A has some
 * of it, and newer, and older, and has removed some; B's own is newer. */
static void come_with_old_data(void)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    boot(&b, 'B', 2, true);
    for (struct side *side = &a; side != NULL; side = side == &a ? &b : NULL) {
        slip_in(side, "same", T0 + 100);
        slip_in(side, side == &a ? "new at a" : "gone", T0 + 200);
        slip_in(side, "newer at a", T0 + (side == &a ? 310 : 300));
        slip_in(side, "newer at b", T0 + (side == &a ? 400 : 410));
    }
    slip_in(&b, "of b", DOUBTED + 1);
    b.node->doubted = DOUBTED;
}

static stamp_t version_of(struct side *side, const char *key)
{
    struct engine_key wanted = engine_key_of(side->engine, slice_of(key));
    struct engine_view view;
    stamp_t stamp = STAMP_NONE;

    engine_thread_set_now(side->client, now_ns);
    if (engine_get(side->client, &wanted, &view)) {
        stamp = view.stamp;
        engine_view_end(side->client, &view);
    }
    return stamp;
}

static void expect_what_a_holds(void)
{
    for (struct side *side = &a; side != NULL; side = side == &a ? &b : NULL) {
        ck_assert_uint_eq(version_of(side, "same"), T0 + 100);
        ck_assert_uint_eq(version_of(side, "gone"), STAMP_NONE);
        ck_assert_uint_eq(version_of(side, "new at a"), T0 + 200);
        ck_assert_uint_eq(version_of(side, "newer at a"), T0 + 310);
        ck_assert_uint_eq(version_of(side, "newer at b"), T0 + 400);
        ck_assert_uint_eq(version_of(side, "of b"), DOUBTED + 1);
        ck_assert_uint_eq(engine_items(side->engine), 5);
    }
}

START_TEST(of_doubted_data_what_the_peer_holds_stays)
{
    come_with_old_data();
    connect_to(&b, &a);
    settle();
    pass_time(1);
    settle();
    ck_assert_ptr_nonnull(strstr(trace, "A>B PLAN 4\n"));
    expect_what_a_holds();
    ck_assert_uint_eq(b.node->doubted, STAMP_NONE);
    ck_assert_uint_eq(a.node->theirs.doubted, STAMP_NONE);
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
}
END_TEST

/* Whoever is left alone with it serves none of it. */
START_TEST(doubted_data_is_never_served)
{
    uint64_t incarnation;
    unsigned steps;

    come_with_old_data();
    incarnation = b.node->line.incarnation;
    connect_to(&b, &a);
    for (steps = 0; steps < (unsigned)_i; steps++) {
        (void)pass_on(&b, 0);
        (void)pass_on(&a, 0);
    }
    ck_assert(!b.serving || b.node->doubted == STAMP_NONE);
    ck_assert_uint_eq(version_of(&a, "gone"), STAMP_NONE);
    end_link(&b, 0);
    ck_assert(b.serving);
    ck_assert_uint_eq(b.node->doubted, STAMP_NONE);
    ck_assert_uint_eq(version_of(&b, "gone"), STAMP_NONE);
    if (b.node->line.incarnation != incarnation)
        ck_assert_uint_eq(engine_items(b.engine), 1);
    pass_time(1000);
    connect_to(&b, &a);
    settle();
    expect_what_a_holds();
}
END_TEST

START_TEST(two_that_both_doubt_keep_nothing_of_it)
{
    come_with_old_data();
    a.node->doubted = DOUBTED;
    connect_to(&b, &a);
    settle();
    pass_time(1);
    settle();
    for (struct side *side = &a; side != NULL; side = side == &a ? &b : NULL) {
        ck_assert_uint_eq(engine_items(side->engine), 1);
        ck_assert_uint_eq(version_of(side, "of b"), DOUBTED + 1);
        ck_assert_int_eq(status(side).state, NODE_PAIRED);
    }
}
END_TEST

START_TEST(verify_finds_no_difference_where_there_is_none)
{
    struct node_verified result;

    pair_up();
    set_many(&a);
    set(&b, "mine", "1");
    put_for(&a, "short", "v", 1, 3600);
    settle();
    result = verified(&b, false);
    ck_assert_uint_eq(result.items, MANY + 2);
    ck_assert_uint_eq(result.differing, 0);
    ck_assert_uint_eq(result.unsettled, 0);
    ck_assert_uint_gt(status(&b).digest_checked, 100);
    ck_assert_uint_eq(status(&b).digest_mismatch, 0);
}
END_TEST

START_TEST(verify_finds_what_differs_and_mends_it)
{
    struct node_verified result;
    stamp_t newer;

    pair_up();
    set_many(&a);
    let_go(&a, "many-1");
    let_go(&b, "many-2");
    let_go(&b, "many-3");
    newer = stamp_last(engine_stamp_clock(a.engine)) + 2;
    slip_in(&a, "many-4", newer);
    slip_in(&b, "many-5", newer + 2);
    result = verified(&a, false);
    ck_assert_uint_eq(result.differing, 5);
    ck_assert_uint_eq(result.missing_here, 1);
    ck_assert_uint_eq(result.missing_there, 2);
    ck_assert_uint_eq(result.repaired, 0);
    ck_assert_uint_eq(result.keys_count, 5);

    result = verified(&a, true);
    ck_assert_uint_eq(result.differing, 5);
    ck_assert_uint_eq(result.repaired, 5);
    settle();
    result = verified(&b, false);
    ck_assert_uint_eq(result.differing, 0);
    ck_assert_str_eq(get(&b, "many-4"), "slipped in");
    ck_assert_str_eq(get(&a, "many-5"), "slipped in");
    ck_assert_uint_eq(engine_items(a.engine), MANY);
    ck_assert_uint_eq(engine_items(b.engine), MANY);
}
END_TEST

/* A longer life keeps the version: it is content all the same. */
START_TEST(verify_finds_lives_that_differ_and_mends_them)
{
    static const char *const keys[] = {"longer", "ever", "shorter"};
    struct mutation touch = {.kind = MUTATION_TOUCH};
    struct node_verified result;

    pair_up();
    set_many(&a);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        put_for(&a, keys[i], "v", 1, 1000);
    settle();
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct side *side = i == 2 ? &b : &a;
        struct engine_key key = engine_key_of(side->engine, slice_of(keys[i]));
        struct engine_view view;

        ck_assert(engine_get(side->client, &key, &view));
        touch.hash = key.hash;
        touch.stamp = view.stamp;
        touch.expires_at_s = i == 1 ? 0 : view.expires_at_s + 1000;
        engine_view_end(side->client, &view);
        ck_assert_int_eq(engine_apply(side->client, &touch), APPLY_DONE);
    }
    for (unsigned i = 0; i < 2; i++) {
        result = verified(i == 0 ? &a : &b, i == 1);
        ck_assert_uint_eq(result.differing, 3);
        ck_assert_uint_eq(result.missing_here + result.missing_there, 0);
    }
    ck_assert_uint_eq(result.repaired, 3);
    settle();
    ck_assert_uint_eq(verified(&a, false).differing, 0);
    for (struct side *side = &a; side != NULL; side = side == &a ? &b : NULL) {
        ck_assert_uint_eq(end_of(side, "longer"), T0 / NS_PER_S + 2000);
        ck_assert_uint_eq(end_of(side, "shorter"), T0 / NS_PER_S + 2000);
        ck_assert_uint_eq(end_of(side, "ever"), 0);
    }
}
END_TEST

static struct tally tally_of(struct side *side, const char *key, stamp_t *stamp)
{
    struct engine_key wanted = engine_key_of(side->engine, slice_of(key));
    struct engine_view view;
    struct tally tally;

    ck_assert(engine_get(side->client, &wanted, &view));
    *stamp = view.stamp;
    engine_view_tally(&view, &tally);
    engine_view_end(side->client, &view);
    return tally;
}

/* What both have counted is a version that neither had: so digests, which
 * know versions alone, know the shares. */
START_TEST(equal_versions_of_a_counter_have_equal_shares)
{
    struct engine_arith one = {.delta = 1};
    struct engine_counted counted;
    struct tally tally[2];
    stamp_t stamp[2];

    pair_up();
    set(&a, "n", "5");
    settle();
    for (unsigned turn = 0; turn < 20; turn++) {
        for (unsigned i = 0; i < 1 + turn % 3; i++) {
            struct side *side = (turn + i) % 2 == 0 ? &a : &b;

            one.key = engine_key_of(side->engine, SLICE_LITERAL("n"));
            ck_assert_int_eq(engine_count(side->client, &one, &counted),
                             ENGINE_STORED);
        }
        if (turn % 4 == 1) /* Only half of it arrives. */
            (void)pass_on(&a, 0);
        if (turn % 4 != 3)
            continue;
        settle();
        tally[0] = tally_of(&a, "n", &stamp[0]);
        tally[1] = tally_of(&b, "n", &stamp[1]);
        ck_assert_uint_eq(stamp[0], stamp[1]);
        ck_assert_mem_eq(&tally[0], &tally[1], sizeof(tally[0]));
        ck_assert_uint_ne(tally[0].base_stamp, STAMP_NONE);
    }
    ck_assert_str_eq(get(&b, "n"), "44");
    ck_assert_uint_eq(verified(&a, false).differing, 0);
}
END_TEST

START_TEST(what_is_under_way_is_no_difference)
{
    struct node_verified result;
    char key[16];

    pair_up();
    set_many(&a);
    ck_assert_ptr_null(node_verify(a.node, now_ns, false));
    for (unsigned i = 0; node_verify_is_running(a.node); i++) {
        ck_assert_uint_lt(i, 5000);
        for (unsigned n = 0; n < 5; n++) {
            snprintf(key, sizeof(key), "many-%u", (i * 37 + n * 311) % MANY);
            set(n % 2 == 0 ? &a : &b, key, "changed");
        }
        (void)pass_all(i % 2 == 0 ? &a : &b);
        pass_time(1);
        forget_trace();
    }
    ck_assert(node_verify_result(a.node, &result));
    ck_assert_uint_gt(status(&a).digest_mismatch, 0);
    ck_assert_uint_eq(result.differing, 0);
}
END_TEST

START_TEST(verify_ends_with_the_link)
{
    struct node_verified result;

    pair_up();
    set(&a, "k", "v");
    settle();
    ck_assert_ptr_null(node_verify(a.node, now_ns, false));
    ck_assert_str_eq(node_verify(a.node, now_ns, false), "already under way");
    end_link(&b, 0);
    ck_assert(!node_verify_is_running(a.node));
    ck_assert(!node_verify_result(a.node, &result));
    ck_assert_str_eq(node_verify(a.node, now_ns, false), "not paired");
}
END_TEST

/* ---- clients that wait for the peer ---- */

static void begin_to_wait(void)
{
    pair_up();
    (void)confirm_join(a.confirm, note_nothing, NULL);
    ck_assert(confirm_is_on(a.confirm));
    ck_assert(confirm_is_on(b.confirm));
}

static enum confirm_state wait_for_last(void)
{
    return confirm_ask(a.confirm, 0, engine_last_change(a.client));
}

START_TEST(a_change_is_confirmed_when_the_peer_has_it)
{
    begin_to_wait();
    set(&a, "k", "v");
    ck_assert_int_eq(wait_for_last(), CONFIRM_PENDING);
    ck_assert(pass_on(&a, 0));
    ck_assert_int_eq(wait_for_last(), CONFIRM_PENDING);
    ck_assert_str_eq(get(&b, "k"), "v");
    ck_assert(pass_on(&b, 0));
    ck_assert_int_eq(wait_for_last(), CONFIRM_DONE);
}
END_TEST

START_TEST(nobody_waits_without_a_peer_or_while_it_joins)
{
    boot(&a, 'A', 1, true);
    (void)confirm_join(a.confirm, note_nothing, NULL);
    nobody_there(&a);
    set(&a, "k", "v");
    ck_assert_int_eq(wait_for_last(), CONFIRM_OFF);
    boot(&b, 'B', 2, true);
    connect_to(&b, &a);
    while (strcmp(get(&b, "k"), "(none)") == 0) {
        bool moved = pass_all(&a);

        ck_assert_int_eq(wait_for_last(), CONFIRM_OFF);
        moved = pass_all(&b) || moved;
        ck_assert(moved);
    }
    ck_assert_int_eq(wait_for_last(), CONFIRM_OFF);
    settle();
    ck_assert_int_eq(wait_for_last(), CONFIRM_DONE);
    set(&a, "k", "w");
    ck_assert_int_eq(wait_for_last(), CONFIRM_PENDING);
    end_link(&a, 0);
    ck_assert_int_eq(wait_for_last(), CONFIRM_OFF);
}
END_TEST

START_TEST(after_a_cut_what_was_missed_comes_before_any_wait)
{
    begin_to_wait();
    end_link(&a, 0);
    set(&a, "k", "v");
    pass_time(2000);
    ck_assert(a.dialing || b.dialing);
    if (a.dialing)
        connect_to(&a, &b);
    else
        connect_to(&b, &a);
    while (strcmp(get(&b, "k"), "v") != 0) {
        (void)pass_all(&b);
        (void)pass_all(&a);
        ck_assert_int_eq(wait_for_last(), CONFIRM_OFF);
    }
    settle();
    ck_assert_int_eq(wait_for_last(), CONFIRM_DONE);
}
END_TEST

START_TEST(a_log_that_lost_changes_confirms_nothing)
{
    char key[16];

    begin_to_wait();
    for (int i = 0; i < 200; i++) { /* The ring has 64. */
        snprintf(key, sizeof(key), "k%d", i);
        set(&a, key, "v");
    }
    ck_assert(pass_all(&a));
    ck_assert_uint_gt(status(&a).dirty_buckets, 0);
    ck_assert_int_eq(wait_for_last(), CONFIRM_OFF);
    settle();
    ck_assert_int_eq(wait_for_last(), CONFIRM_DONE);
}
END_TEST

/* A change that takes so long to be confirmed. */
static void change_slowly(uint64_t ns)
{
    set(&a, "k", "v");
    (void)pass_on(&a, 0);
    now_ns += ns;
    settle();
}

START_TEST(who_was_slow_has_to_be_quick_for_a_second)
{
    begin_to_wait();
    confirm_give_up(a.confirm);
    change_slowly(0);
    ck_assert(confirm_is_given_up(a.confirm));
    for (int i = 0; i < 19; i++) {
        pass_time(50);
        change_slowly(NS_PER_MS / 2);
        ck_assert(confirm_is_given_up(a.confirm));
    }
    change_slowly(2 * NS_PER_MS);
    for (int i = 0; i < 19; i++) {
        pass_time(50);
        change_slowly(NS_PER_MS / 2);
        ck_assert(confirm_is_given_up(a.confirm));
    }
    pass_time(50);
    change_slowly(NS_PER_MS / 2);
    ck_assert(!confirm_is_given_up(a.confirm));
    ck_assert(confirm_is_on(a.confirm));
}
END_TEST

START_TEST(who_is_silent_is_not_quick)
{
    begin_to_wait();
    set(&a, "k", "v");
    (void)pass_on(&a, 0);
    confirm_give_up(a.confirm);
    for (int i = 0; i < 9; i++) {
        pass_time(100);
        (void)node_output(a.node, now_ns, 0, out, sizeof(out));
    }
    settle();
    ck_assert(confirm_is_given_up(a.confirm));
}
END_TEST

START_TEST(both_hurry_as_long_as_somebody_waits)
{
    begin_to_wait();
    ck_assert(!node_is_prompt(a.node));
    ck_assert(!node_is_prompt(b.node));
    set(&a, "k", "v");
    ck_assert_int_eq(wait_for_last(), CONFIRM_PENDING);
    settle();
    ck_assert(node_is_prompt(a.node));
    ck_assert(node_is_prompt(b.node));
    pass_time(150);
    settle();
    ck_assert(!node_is_prompt(a.node));
    ck_assert(!node_is_prompt(b.node));
}
END_TEST

/* A has several times what fits into B, and a tenth of it is used. */
#define COLD_ITEMS 2000u
#define COLD_BYTES 2000u
#define HOT_EVERY 10u

static void fill_and_use(void)
{
    static char value[COLD_BYTES];
    char key[16];

    for (unsigned i = 0; i < COLD_ITEMS; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        put(&a, key, value, sizeof(value));
    }
    now_ns += 100 * NS_PER_S;
    engine_thread_set_now(a.client, now_ns);
    while (engine_upkeep(a.client) == 0)
        ;
    for (unsigned i = 0; i < COLD_ITEMS; i += HOT_EVERY) {
        snprintf(key, sizeof(key), "key%u", i);
        ck_assert_str_ne(get(&a, key), "(none)");
    }
    now_ns += 100 * NS_PER_S;
    engine_thread_set_now(a.client, now_ns);
}

START_TEST(a_small_node_gets_what_is_used_and_not_all_of_the_rest)
{
    char key[16];

    boot(&a, 'A', 1, true);
    nobody_there(&a);
    fill_and_use();
    boot_small(&b, 'B', 2);
    connect_to(&b, &a);
    settle();
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
    for (unsigned i = 0; i < COLD_ITEMS; i += HOT_EVERY) {
        snprintf(key, sizeof(key), "key%u", i);
        ck_assert_msg(strcmp(get(&b, key), "(none)") != 0, "%s", key);
    }
    ck_assert_uint_gt(engine_items(b.engine), COLD_ITEMS / HOT_EVERY);
    ck_assert_uint_lt(status(&a).sent, COLD_ITEMS / 2);
    ck_assert_uint_eq(status(&a).dirty_buckets, 0);
}
END_TEST

/* For a node that has all the room there is nothing goes twice. */
START_TEST(what_went_ahead_does_not_go_again)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    fill_and_use();
    boot(&b, 'B', 2, true);
    connect_to(&b, &a);
    settle();
    ck_assert_uint_eq(engine_items(b.engine), COLD_ITEMS);
    ck_assert_uint_eq(status(&a).sent, COLD_ITEMS);
    ck_assert_uint_eq(status(&b).resync_items_done, COLD_ITEMS);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_joining_node_serves_when_it_has_the_data);
    tcase_add_test(tests,
                   a_small_node_gets_what_is_used_and_not_all_of_the_rest);
    tcase_add_test(tests, what_went_ahead_does_not_go_again);
    tcase_add_test(tests, changes_go_both_ways);
    tcase_add_test(tests, a_hot_key_goes_once);
    tcase_add_test(tests, nothing_comes_back_to_where_it_was_written);
    tcase_add_test(tests, a_removal_goes_even_on_a_miss);
    tcase_add_test(tests, of_two_writes_at_once_one_wins_on_both);
    tcase_add_test(tests, a_flush_goes_ahead_of_what_follows_it);
    tcase_add_test(tests, a_big_value_goes_in_parts);
    tcase_add_test(tests, a_short_cut_goes_on_where_it_was);
    tcase_add_test(tests, after_a_long_cut_only_what_is_dirty_goes);
    tcase_add_test(tests, what_expired_on_its_way_is_a_removal);
    tcase_add_test(tests, what_expired_before_a_scan_is_a_removal);
    tcase_add_test(tests, what_expired_last_is_what_is_removed);
    tcase_add_test(tests, a_longer_life_is_told_and_keeps_the_version);
    tcase_add_test(tests, a_longer_life_is_told_although_its_version_was);
    tcase_add_test(tests, a_longer_life_goes_without_the_value);
    tcase_add_test(tests, what_was_let_go_meanwhile_is_asked_for);
    tcase_add_test(tests, a_handoff_waits_for_what_is_asked_for);
    tcase_add_test(tests, what_was_asked_for_on_a_lost_link_comes_on_the_next);
    tcase_add_test(tests, a_longer_life_brings_nothing_back);
    tcase_add_test(tests, no_more_touches_are_under_way_than_can_be_asked_for);
    tcase_add_test(tests, a_survivor_keeps_what_it_has_and_gives_it_back);
    tcase_add_test(tests, two_that_ran_alone_agree_and_the_later_removal_wins);
    tcase_add_test(tests, calls_that_cross_end_as_one_link);
    tcase_add_test(tests, a_third_node_is_refused_in_words);
    tcase_add_test(tests, nothing_is_said_to_who_says_no_hello);
    tcase_add_test(tests, a_clean_stop_tells_everything_first);
    tcase_add_test(tests, a_clean_stop_ends_when_the_peer_does_not_answer);
    tcase_add_test(tests, a_sleeper_is_told_of_what_came_in_between);
    tcase_add_test(tests, whoever_hashes_otherwise_is_left);
    tcase_add_test(tests, an_acknowledgement_of_the_future_is_a_lie);
    tcase_add_test(tests, a_config_that_cannot_work_is_refused);
    tcase_add_test(tests, a_clock_that_was_set_is_measured_anew);
    tcase_add_test(tests, a_long_round_trip_does_not_spoil_a_short_one);
    tcase_add_test(tests, strangers_that_hold_the_same_compare_it);
    tcase_add_test(tests, of_doubted_data_what_the_peer_holds_stays);
    tcase_add_loop_test(tests, doubted_data_is_never_served, 1, 8);
    tcase_add_test(tests, two_that_both_doubt_keep_nothing_of_it);
    tcase_add_test(tests, verify_finds_no_difference_where_there_is_none);
    tcase_add_test(tests, verify_finds_what_differs_and_mends_it);
    tcase_add_test(tests, verify_finds_lives_that_differ_and_mends_them);
    tcase_add_test(tests, equal_versions_of_a_counter_have_equal_shares);
    tcase_add_test(tests, what_is_under_way_is_no_difference);
    tcase_add_test(tests, verify_ends_with_the_link);
    tcase_add_test(tests, who_cannot_compare_gets_all);
    tcase_add_test(tests, an_answer_to_no_question_ends_the_link);
    tcase_add_test(tests, a_change_is_confirmed_when_the_peer_has_it);
    tcase_add_test(tests, nobody_waits_without_a_peer_or_while_it_joins);
    tcase_add_test(tests, after_a_cut_what_was_missed_comes_before_any_wait);
    tcase_add_test(tests, a_log_that_lost_changes_confirms_nothing);
    tcase_add_test(tests, who_was_slow_has_to_be_quick_for_a_second);
    tcase_add_test(tests, who_is_silent_is_not_quick);
    tcase_add_test(tests, both_hurry_as_long_as_somebody_waits);
}

UNIT_MAIN("node", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer that says a valid hello and then something that makes no sense. What
 * just makes sense is taken; one more, and the link ends with a word why, the
 * node serves on with what it had, and an honest peer may come again. */
#include "tests/unit/replication/played_peer.h"

#include "replication/node_inner.h"
#include "src/base/log.h"

static char logged[4096];

static void keep_line(void *ctx, enum log_level level, const char *line)
{
    size_t used = strlen(logged);

    (void)ctx;
    (void)level;
    snprintf(logged + used, sizeof(logged) - used, "%s\n", line);
}

static void setup_lies(void)
{
    setup();
    logged[0] = '\0';
    log_set_sink(keep_line, NULL);
}

static void teardown_lies(void)
{
    teardown();
    log_set_sink(NULL, NULL);
}

static void say_message(const struct message *message)
{
    size_t size = codec_encode(codec, message, frame, sizeof(frame));

    ck_assert_uint_gt(size, 0);
    say(size);
}

/* ---- the words of a peer ---- */

static uint64_t hash_of(const char *key)
{
    return engine_key_of(engine, slice_of(key)).hash;
}

static void say_hello_with(uint64_t features, uint64_t items)
{
    struct message hello = hello_of(1, 1, features);

    hello.hello.now_ns = now_ns;
    hello.hello.items = items;
    say_message(&hello);
}

static void say_plan(enum resync_kind kind, uint64_t live_after)
{
    struct message message = {.type = MESSAGE_PLAN};

    message.plan.kind = kind;
    message.plan.live_after = live_after;
    say_message(&message);
}

static void say_mutation(const struct mutation *mutation, uint64_t through)
{
    struct codec_batch batch;

    ck_assert(codec_batch_begin(&batch, frame, sizeof(frame)));
    if (mutation != NULL)
        ck_assert(codec_batch_add(&batch, mutation, mutation->value.size, NULL,
                                  NULL));
    say(codec_batch_end(&batch, through));
}

static void say_through(uint64_t through)
{
    say_mutation(NULL, through);
}

/* A piece of a value of 100 bytes, in tens. */
static struct message piece(const char *key, unsigned index)
{
    static char ten[] = "0123456789";

    return (struct message){.type = MESSAGE_PART,
                            .part = {.head = {.kind = MUTATION_SET,
                                              .hash = hash_of(key),
                                              .stamp = T0 + 1,
                                              .key = slice_of(key)},
                                     .value_size = 100,
                                     .offset = 10u * index,
                                     .data = {ten, 10}}};
}

static void say_piece(const char *key, unsigned index)
{
    struct message message = piece(key, index);

    say_message(&message);
}

static void say_mark(uint64_t through_hash, bool done)
{
    struct message message = {.type = MESSAGE_MARK};

    message.mark.through_hash = through_hash;
    message.mark.done = done;
    say_message(&message);
}

static void say_ack(uint64_t applied, uint64_t through_hash, bool done)
{
    struct message message = {.type = MESSAGE_ACK};

    message.ack.applied = applied;
    message.ack.through_hash = through_hash;
    message.ack.done = done;
    say_message(&message);
}

static void say_purge(uint64_t from, uint64_t to, stamp_t floor)
{
    struct message message = {.type = MESSAGE_PURGE};

    message.purge.from = from;
    message.purge.to = to;
    message.purge.floor = floor;
    say_message(&message);
}

static struct message question(void)
{
    static const uint64_t sums[2];
    static const uint32_t counts[2];

    return (struct message){
        .type = MESSAGE_DIGEST,
        .digest = {
            .to = UINT64_MAX, .sums = sums, .counts = counts, .count = 2}};
}

/* What the node asked, answered with "all the same". */
static struct message answer(void)
{
    struct message message = {.type = MESSAGE_DIFFER};

    ck_assert_uint_gt(said[MESSAGE_DIGEST], 0);
    message.differ.from = heard[MESSAGE_DIGEST].digest.from;
    message.differ.through = heard[MESSAGE_DIGEST].digest.to;
    return message;
}

/* Without hearing what the node has to say in between. */
static void say_twice(const struct message *message)
{
    size_t size = codec_encode(codec, message, frame, sizeof(frame));
    size_t taken, needed;

    memcpy(frame + size, frame, size);
    taken =
        node_received(node, now_ns, 0, slice_make(frame, 2 * size), &needed);
    taken += node_received(
        node, now_ns, 0, slice_make(frame + taken, 2 * size - taken), &needed);
    ck_assert_uint_eq(taken, 2 * size);
    hear_all();
}

/* ---- before a plan ---- */

static void data_at_once(void)
{
    say_through(1);
}

static void part_at_once(void)
{
    say_piece("k", 0);
}

static void purge_at_once(void)
{
    say_purge(0, UINT64_MAX, T0);
}

static void mark_at_once(void)
{
    say_mark(1, false);
}

static void hello_again(void)
{
    say_hello_with(MESSAGE_FEATURE_DIGEST, 0);
}

static void refuse_late(void)
{
    struct message message = {.type = MESSAGE_REFUSE};

    message.refuse.reason = REFUSAL_PAIRED;
    message.refuse.words = SLICE_LITERAL("no");
    say_message(&message);
}

/* ---- numbers ---- */

static void plan_from_7(void)
{
    say_plan(RESYNC_DELTA, 7);
}

static void plan_again(void)
{
    say_plan(RESYNC_DELTA, 7);
}

static void through_8(void)
{
    say_through(8);
    say_through(9);
}

static void through_9(void)
{
    say_through(9);
}

static void through_3(void)
{
    say_through(3);
}

static void last_piece_says(uint64_t through)
{
    struct message message = piece("k", 9);

    for (unsigned i = 0; i < 9; i++)
        say_piece("k", i);
    message.part.through = through;
    say_message(&message);
}

static void piece_through_10(void)
{
    last_piece_says(10);
    ck_assert(node_has("k"));
}

static void piece_through_7(void)
{
    last_piece_says(7);
}

/* ---- values in parts ---- */

static void pieces_in_order(void)
{
    say_piece("k", 0);
    say_piece("k", 1);
}

static void piece_in_the_middle(void)
{
    say_piece("k", 1);
}

static void piece_left_out(void)
{
    say_piece("k", 3);
}

static void piece_said_twice(void)
{
    say_piece("k", 1);
}

static void piece_of_another_key(void)
{
    say_piece("other", 2);
}

static void piece_of_another_version(void)
{
    struct message message = piece("k", 2);

    message.part.head.stamp++;
    say_message(&message);
}

static void piece_of_another_size(void)
{
    struct message message = piece("k", 2);

    message.part.value_size++;
    say_message(&message);
}

static void piece_after_a_batch(void)
{
    say_through(8);
    ck_assert(!closing);
    say_piece("k", 2);
}

static void piece_of_a_wrong_hash(void)
{
    struct message message = piece("k", 0);

    message.part.head.hash++;
    say_message(&message);
}

static void set_of_a_wrong_hash(void)
{
    const struct mutation wrong = {.kind = MUTATION_SET,
                                   .hash = hash_of("k") + 1,
                                   .stamp = T0 + 1,
                                   .key = SLICE_LITERAL("k")};

    say_mutation(&wrong, 0);
}

/* ---- versions from ahead of all clocks ---- */

static void say_set_at(stamp_t stamp)
{
    const struct mutation set = {.kind = MUTATION_SET,
                                 .hash = hash_of("k"),
                                 .stamp = stamp,
                                 .key = SLICE_LITERAL("k")};

    say_mutation(&set, 0);
}

static void say_flush_at(stamp_t floor, stamp_t pending)
{
    struct message message = {.type = MESSAGE_FLUSH};

    message.flush.floor = floor;
    message.flush.pending = pending;
    message.flush.due_ns = UINT64_MAX;
    say_message(&message);
}

static void say_heartbeat_at(stamp_t stamp)
{
    struct message message = {.type = MESSAGE_HEARTBEAT};

    message.heartbeat.now_ns = now_ns;
    message.heartbeat.stamp_last = stamp;
    say_message(&message);
}

static void say_piece_at(stamp_t stamp)
{
    struct message message = piece("k", 0);

    message.part.head.stamp = stamp;
    say_message(&message);
}

#define LAST_STAMP (now_ns + NODE_HORIZON_NS)

static void all_as_late_as_may_be(void)
{
    say_set_at(LAST_STAMP);
    say_piece_at(LAST_STAMP);
    say_flush_at(0, LAST_STAMP);
    say_heartbeat_at(LAST_STAMP);
    say_purge(5, 6, LAST_STAMP);
}

static void set_too_late(void)
{
    say_set_at(LAST_STAMP + 1);
}

static void piece_too_late(void)
{
    say_piece_at(LAST_STAMP + 1);
}

static void flush_too_late(void)
{
    say_flush_at(LAST_STAMP + 1, 0);
}

static void next_flush_too_late(void)
{
    say_flush_at(0, LAST_STAMP + 1);
}

static void heartbeat_too_late(void)
{
    say_heartbeat_at(LAST_STAMP + 1);
}

static void purge_too_late(void)
{
    say_purge(5, 6, LAST_STAMP + 1);
}

/* ---- a scan, and what is confirmed of ours ---- */

static void marks_in_order(void)
{
    say_mark(5, false);
    say_mark(5, false);
    say_mark(6, false);
}

static void mark_back(void)
{
    say_mark(5, false);
}

static void end_too_early(void)
{
    say_mark(UINT64_MAX - 1, true);
}

static void ends_of_two_rounds(void)
{
    say_mark(UINT64_MAX, true);
    say_mark(3, false);
    say_mark(UINT64_MAX, true);
}

static void end_twice_at_once(void)
{
    struct message message = {.type = MESSAGE_MARK};

    message.mark.through_hash = UINT64_MAX;
    message.mark.done = true;
    say_twice(&message);
}

static void confirm_all(void)
{
    store("new", "v");
    hear_all();
    ck_assert_uint_eq(heard[MESSAGE_MARK].mark.through_hash, UINT64_MAX);
    say_ack(heard[MESSAGE_BATCH].batch.through, 0, false);
    say_ack(heard[MESSAGE_BATCH].batch.through, UINT64_MAX - 1, false);
    say_ack(heard[MESSAGE_BATCH].batch.through, UINT64_MAX, true);
    ck_assert_int_eq(state(), NODE_PAIRED);
}

static void confirm_too_much(void)
{
    say_ack(heard[MESSAGE_BATCH].batch.through + 1, 0, false);
}

static void confirm_less(void)
{
    say_ack(heard[MESSAGE_BATCH].batch.through - 1, 0, false);
}

static void confirm_no_scan(void)
{
    say_ack(heard[MESSAGE_BATCH].batch.through, 1, false);
}

static void confirm_no_end(void)
{
    say_ack(heard[MESSAGE_BATCH].batch.through, 0, true);
}

static void confirm_end_in_the_middle(void)
{
    say_ack(heard[MESSAGE_PLAN].plan.live_after, UINT64_MAX - 1, true);
}

/* ---- comparing ---- */

static void ask(void)
{
    struct message message = question();

    say_message(&message);
    say_message(&message);
    ck_assert_uint_eq(said[MESSAGE_DIFFER], 2);
}

static void ask_twice_at_once(void)
{
    struct message message = question();

    say_twice(&message);
}

static void answer_nothing(void)
{
    struct message message = {.type = MESSAGE_DIFFER};

    message.differ.through = UINT64_MAX;
    say_message(&message);
}

static void begin_verify(void)
{
    ck_assert_ptr_null(node_verify(node, now_ns, true));
    hear_all();
    ck_assert_uint_gt(said[MESSAGE_DIGEST], 0);
}

/* The last group that was asked about differs, and has what was asked for. */
static void answer_well(void)
{
    static uint64_t hash, stamp = 1;
    static uint32_t expiry, group;
    struct message message;

    say_mark(UINT64_MAX, true);
    confirm_all();
    begin_verify();
    message = answer();
    group = (uint32_t)heard[MESSAGE_DIGEST].digest.count - 1;
    hash = message.differ.through;
    message.differ.groups = &group;
    message.differ.groups_count = 1;
    message.differ.hashes = &hash;
    message.differ.stamps = &stamp;
    message.differ.expiries = &expiry;
    message.differ.items_count = 1;
    say_message(&message);
    hear_all();
    ck_assert_uint_eq(said[MESSAGE_DIGEST], 2); /* It looks once more. */
}

static void answer_other_range(void)
{
    struct message message = answer();

    message.differ.from = 1;
    say_message(&message);
}

static void answer_more_groups(void)
{
    struct message message = answer();
    uint32_t group = (uint32_t)heard[MESSAGE_DIGEST].digest.count;

    message.differ.groups = &group;
    message.differ.groups_count = 1;
    say_message(&message);
}

static void answer_next_to_nothing(void)
{
    struct message message = answer();

    message.differ.through = message.differ.from;
    say_message(&message);
}

static const struct {
    const char *words;
    void (*good)(void);
    void (*bad)(void);
    enum resync_kind plan; /* That was said before; NONE: none was. */
} lies[] = {
    {"data before a plan", NULL, data_at_once, RESYNC_NONE},
    {"data before a plan", NULL, part_at_once, RESYNC_NONE},
    {"data before a plan", NULL, purge_at_once, RESYNC_NONE},
    {"data before a plan", NULL, mark_at_once, RESYNC_NONE},
    {"a second hello", NULL, hello_again, RESYNC_NONE},
    {"a refusal after its hello", NULL, refuse_late, RESYNC_NONE},
    {"a second hello", NULL, hello_again, RESYNC_DELTA},
    {"a refusal after its hello", NULL, refuse_late, RESYNC_DELTA},
    {"a second plan", plan_from_7, plan_again, RESYNC_NONE},
    {"its numbers go backwards", through_8, through_9, RESYNC_DELTA},
    {"its numbers go backwards", through_8, through_3, RESYNC_DELTA},
    {"its numbers go backwards", piece_through_10, piece_through_7,
     RESYNC_DELTA},
    {"a piece of a value out of order", NULL, piece_in_the_middle,
     RESYNC_DELTA},
    {"a piece of a value out of order", pieces_in_order, piece_left_out,
     RESYNC_DELTA},
    {"a piece of a value out of order", pieces_in_order, piece_said_twice,
     RESYNC_DELTA},
    {"a piece of a value out of order", pieces_in_order, piece_of_another_key,
     RESYNC_DELTA},
    {"a piece of a value out of order", pieces_in_order,
     piece_of_another_version, RESYNC_DELTA},
    {"a piece of a value out of order", pieces_in_order, piece_of_another_size,
     RESYNC_DELTA},
    {"a piece of a value out of order", pieces_in_order, piece_after_a_batch,
     RESYNC_DELTA},
    {"it hashes keys otherwise", pieces_in_order, piece_of_a_wrong_hash,
     RESYNC_DELTA},
    {"it hashes keys otherwise", pieces_in_order, set_of_a_wrong_hash,
     RESYNC_DELTA},
    {"a version from centuries ahead", all_as_late_as_may_be, set_too_late,
     RESYNC_DELTA},
    {"a version from centuries ahead", all_as_late_as_may_be, piece_too_late,
     RESYNC_DELTA},
    {"a version from centuries ahead", all_as_late_as_may_be, flush_too_late,
     RESYNC_DELTA},
    {"a version from centuries ahead", all_as_late_as_may_be,
     next_flush_too_late, RESYNC_DELTA},
    {"a version from centuries ahead", all_as_late_as_may_be,
     heartbeat_too_late, RESYNC_DELTA},
    {"a version from centuries ahead", all_as_late_as_may_be, purge_too_late,
     RESYNC_DELTA},
    {"a mark out of order", marks_in_order, mark_back, RESYNC_DELTA},
    {"a mark out of order", marks_in_order, end_too_early, RESYNC_DELTA},
    {"a mark out of order", ends_of_two_rounds, end_twice_at_once,
     RESYNC_DELTA},
    {"it confirms what was not sent", confirm_all, confirm_too_much,
     RESYNC_DELTA},
    {"it confirms what was not sent", confirm_all, confirm_no_scan,
     RESYNC_DELTA},
    {"it confirms what was not sent", confirm_all, confirm_no_end,
     RESYNC_DELTA},
    {"it confirms what was not sent", NULL, confirm_end_in_the_middle,
     RESYNC_DELTA},
    {"it takes back what it has confirmed", confirm_all, confirm_less,
     RESYNC_DELTA},
    {"a question before the answer", ask, ask_twice_at_once, RESYNC_DELTA},
    {"an answer to what was not asked", NULL, answer_nothing, RESYNC_DELTA},
    {"an answer to what was not asked", answer_well, answer_other_range,
     RESYNC_DELTA},
    {"an answer to what was not asked", answer_well, answer_more_groups,
     RESYNC_DELTA},
    {"an answer to what was not asked", answer_well, answer_next_to_nothing,
     RESYNC_DELTA},
};

static void meet_again(void)
{
    node_lost(node, now_ns, 0, "closed");
    closing = false;
    node_accepted(node, ++now_ns, 0);
    say_hello_with(MESSAGE_FEATURE_DIGEST, 0);
    say_plan(RESYNC_FULL, 100);
    ck_assert(!closing);
}

START_TEST(a_lie_ends_the_link_in_words_and_nothing_else)
{
    store("ours", "x");
    call();
    say_hello_with(MESSAGE_FEATURE_DIGEST, 0);
    if (lies[_i].plan != RESYNC_NONE)
        say_plan(lies[_i].plan, 7);
    if (lies[_i].good != NULL)
        lies[_i].good();
    ck_assert_msg(!closing, "the good one: %s", logged);
    lies[_i].bad();
    ck_assert(closing);
    ck_assert_msg(strstr(logged, lies[_i].words) != NULL, "%s: %s",
                  lies[_i].words, logged);
    ck_assert_int_eq(state(), NODE_ALONE);
    ck_assert(node_has("ours"));
    meet_again();
}
END_TEST

/* Before a hello there is nothing to be said but that. */
START_TEST(who_has_said_no_hello_says_nothing_else)
{
    const struct message messages[] = {
        {.type = MESSAGE_ACK},
        {.type = MESSAGE_HEARTBEAT},
        {.type = MESSAGE_FLUSH},
        {.type = MESSAGE_WANT},
        {.type = MESSAGE_GOODBYE, .goodbye = {SLICE_LITERAL("bye")}},
        {.type = MESSAGE_REFUSE, .refuse = {REFUSAL_SELF, {"no", 2}}},
    };

    store("ours", "x");
    call();
    say_message(&messages[_i]);
    ck_assert(closing);
    ck_assert_uint_eq(said[MESSAGE_HELLO], 0);
    ck_assert_int_eq(state(), NODE_ALONE);
}
END_TEST

static void come_again(uint64_t live_after, enum resync_kind kind)
{
    struct message hello = hello_of(1, 1, MESSAGE_FEATURE_DIGEST);

    node_lost(node, now_ns, 0, "cut");
    node_accepted(node, ++now_ns, 0);
    hello.hello.acked_by = node->line.incarnation;
    hello.hello.acked = 50;
    say_message(&hello);
    say_plan(kind, live_after);
}

START_TEST(a_log_that_goes_on_does_not_go_back)
{
    const enum resync_kind kind = _i == 0 ? RESYNC_CONTINUE : RESYNC_DELTA;

    call();
    say_hello_with(MESSAGE_FEATURE_DIGEST, 0);
    say_plan(RESYNC_CONTINUE, 0);
    say_through(50);
    come_again(50, kind);
    ck_assert(!closing);
    come_again(49, kind);
    ck_assert(closing);
    ck_assert_ptr_nonnull(strstr(logged, "a plan that goes backwards"));
}
END_TEST

/* Longer lives that it does not know to be confirmed it may tell again. */
START_TEST(a_log_goes_back_to_what_it_knows_to_be_confirmed)
{
    struct message hello = hello_of(1, 1, MESSAGE_FEATURE_TOUCH);

    call();
    say_message(&hello);
    say_plan(RESYNC_CONTINUE, 0);
    say_through(50);
    node_lost(node, now_ns, 0, "cut");
    node_accepted(node, ++now_ns, 0);
    hello.hello.acked_by = node->line.incarnation;
    hello.hello.acked = 40;
    say_message(&hello);
    say_plan(RESYNC_CONTINUE, 40 - (uint64_t)_i);
    ck_assert_int_eq(closing, _i);
    ck_assert_uint_eq(node->line.applied, _i == 0 ? 40 : 50);
}
END_TEST

START_TEST(who_does_not_compare_does_not_ask_either)
{
    struct message messages[] = {
        question(), {.type = MESSAGE_DIFFER}, {.type = MESSAGE_WANT}};

    call();
    say_hello_with(~(uint64_t)(MESSAGE_FEATURE_DIGEST | MESSAGE_FEATURE_TOUCH),
                   0);
    say_plan(RESYNC_CONTINUE, 0);
    say_message(&messages[_i]);
    ck_assert(closing);
    ck_assert_ptr_nonnull(strstr(logged, "not agreed on"));
}
END_TEST

/* Whoever else says hello meanwhile is refused, and changes nothing of what is
 * known of the peer. */
START_TEST(a_third_hello_is_not_the_peers)
{
    struct message hello = hello_of(1, 1, 0);
    size_t size, needed;

    call();
    say_hello_with(MESSAGE_FEATURE_DIGEST, 3);
    node_accepted(node, now_ns, 1);
    hello.hello.node = 55;
    hello.hello.incarnation = 56;
    size = codec_encode(codec, &hello, frame, sizeof(frame));
    ck_assert_uint_eq(
        node_received(node, now_ns, 1, slice_make(frame, size), &needed), size);
    ck_assert(closing_other);
    ck_assert(!closing);
    say_plan(RESYNC_FULL, 7);
    ck_assert_uint_eq(node->line.followed, 100);
    ck_assert_uint_eq(node->theirs.items, 3);
    ck_assert_uint_eq(node->theirs.features, MESSAGE_FEATURE_DIGEST);
}
END_TEST

START_TEST(a_hello_may_be_as_late_as_may_be)
{
    struct message hello = hello_of(1, 1, 0);

    call();
    hello.hello.stamp_last = LAST_STAMP;
    hello.hello.flush.floor = _i == 1 ? LAST_STAMP + 1 : 0;
    hello.hello.flush.pending = _i == 2 ? LAST_STAMP + 1 : LAST_STAMP;
    hello.hello.stamp_last += _i == 3;
    say_message(&hello);
    ck_assert_int_eq(closing, _i > 0);
}
END_TEST

/* Whoever was told the latest version that there may be still makes versions
 * that any other node takes. */
START_TEST(nobody_is_led_where_nobody_follows)
{
    stamp_t last;

    call();
    say_hello_with(0, 0);
    say_plan(RESYNC_CONTINUE, 0);
    say_heartbeat_at(LAST_STAMP);
    now_ns += NS_PER_MS;
    node_tick(node, now_ns);
    for (unsigned i = 0; i < 100; i++)
        store("ours", "x");
    last = stamp_last(engine_stamp_clock(engine));
    ck_assert_uint_gt(last, LAST_STAMP - NS_PER_S);
    ck_assert(node_can_follow(node, last));
    ck_assert(!closing);
}
END_TEST

/* ---- what is no lie, and much ---- */

START_TEST(a_purge_of_everything_is_one_turn)
{
    struct message message = {.type = MESSAGE_PURGE};
    size_t size, needed;

    call();
    say_hello_with(0, 0);
    say_plan(RESYNC_FULL, 0);
    message.purge.to = UINT64_MAX;
    size = codec_encode(codec, &message, frame, sizeof(frame));
    memcpy(frame + size, frame, size);
    ck_assert_uint_eq(
        node_received(node, now_ns, 0, slice_make(frame, 2 * size), &needed),
        size);
    ck_assert_uint_eq(needed, CODEC_HEADER_BYTES);
}
END_TEST

/* Again and again, and never heard: the log stays as long as it is. */
START_TEST(wishes_do_not_grow_the_log)
{
    static uint64_t wanted[MESSAGE_LIST_MAX];
    struct message message = {.type = MESSAGE_WANT};
    struct node_status status;
    size_t size, needed;

    store("ours", "x");
    call();
    say_hello_with(MESSAGE_FEATURE_DIGEST, 0);
    say_plan(RESYNC_CONTINUE, 0);
    for (size_t i = 0; i < MESSAGE_LIST_MAX; i++)
        wanted[i] = hash_of("ours");
    message.want.hashes = wanted;
    message.want.count = MESSAGE_LIST_MAX;
    size = codec_encode(codec, &message, frame, sizeof(frame));
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(
            node_received(node, now_ns, 0, slice_make(frame, size), &needed),
            size);
    node_status(node, now_ns, &status);
    ck_assert_uint_eq(status.ring_size, 64);
    ck_assert_uint_le(status.ring_used, status.ring_size);
    hear_all();
    ck_assert(!closing);
    ck_assert(node_has("ours"));
}
END_TEST

START_TEST(a_value_that_never_ends_is_given_up_with_its_link)
{
    uint64_t before = engine_items(engine);

    call();
    say_hello_with(0, 0);
    say_plan(RESYNC_FULL, 0);
    pieces_in_order();
    node_lost(node, now_ns, 0, "cut");
    ck_assert_uint_eq(engine_items(engine), before);
    ck_assert(!node_has("k"));
}
END_TEST

/* ---- a peer that lives and brings nothing ---- */

static void beat(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct message message = {.type = MESSAGE_HEARTBEAT};

        now_ns += 400 * NS_PER_MS;
        message.heartbeat.now_ns = now_ns;
        node_tick(node, now_ns);
        say_message(&message);
    }
}

static void join(void)
{
    node_dialed(node, now_ns, 0);
    hear_all();
    say_hello_with(0, 1000);
    ck_assert_int_eq(state(), NODE_JOINING);
}

START_TEST(who_only_lives_keeps_no_port_closed)
{
    join();
    if (_i == 1)
        say_plan(RESYNC_FULL, 1);
    beat(24);
    ck_assert(!serves);
    beat(2);
    ck_assert(serves);
    ck_assert(!closing);
    ck_assert_ptr_nonnull(strstr(logged, "its data does not come"));
}
END_TEST

START_TEST(who_brings_something_is_waited_for)
{
    join();
    say_plan(RESYNC_FULL, 1);
    for (unsigned i = 1; i < 10; i++) {
        beat(20);
        ck_assert(!serves);
        say_mark(i, false);
    }
    say_mark(UINT64_MAX, true);
    ck_assert(serves);
    ck_assert_ptr_null(strstr(logged, "its data does not come"));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup_lies, teardown_lies);
    tcase_add_loop_test(tests, a_lie_ends_the_link_in_words_and_nothing_else, 0,
                        COUNT_OF(lies));
    tcase_add_loop_test(tests, who_has_said_no_hello_says_nothing_else, 0, 6);
    tcase_add_loop_test(tests, a_log_that_goes_on_does_not_go_back, 0, 2);
    tcase_add_loop_test(tests, a_log_goes_back_to_what_it_knows_to_be_confirmed,
                        0, 2);
    tcase_add_loop_test(tests, who_does_not_compare_does_not_ask_either, 0, 3);
    tcase_add_test(tests, a_third_hello_is_not_the_peers);
    tcase_add_loop_test(tests, a_hello_may_be_as_late_as_may_be, 0, 4);
    tcase_add_test(tests, nobody_is_led_where_nobody_follows);
    tcase_add_test(tests, a_purge_of_everything_is_one_turn);
    tcase_add_test(tests, wishes_do_not_grow_the_log);
    tcase_add_test(tests, a_value_that_never_ends_is_given_up_with_its_link);
    tcase_add_loop_test(tests, who_only_lives_keeps_no_port_closed, 0, 2);
    tcase_add_test(tests, who_brings_something_is_waited_for);
}
UNIT_MAIN("node lies", add_tests)

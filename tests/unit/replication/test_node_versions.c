/* SPDX-License-Identifier: BSD-3-Clause */
/* A node meets an older and a newer one, played byte by byte: what they can
 * both do works, and what only one of them knows is not said or not heard. */
#include "tests/unit/replication/codec_twin.h"
#include "replication/node_inner.h"
#include "tests/unit/replication/played_peer.h"

static char payload[OUT_BYTES];

/* Fields with numbers that nobody has given yet, behind the known ones. */
static void say_with_more(const struct message *message)
{
    static const char more[] = "\xfa\x7f\x03new\xf1\x7f"
                               "8 bytes!";
    size_t size = codec_encode(codec, message, payload, sizeof(payload));

    ck_assert_uint_gt(size, 0);
    memcpy(payload + size, more, sizeof(more) - 1);
    say(twin_frame(frame, message->type, payload + CODEC_HEADER_BYTES,
                   size + sizeof(more) - 1 - CODEC_HEADER_BYTES));
}

static void say_batch(const char *key, bool more)
{
    struct mutation mutation = {.kind = MUTATION_SET,
                                .stamp = T0,
                                .key = slice_of(key),
                                .value = SLICE_LITERAL("value")};
    struct codec_batch batch;
    size_t size;

    mutation.hash = engine_key_of(engine, mutation.key).hash;
    ck_assert(codec_batch_begin(&batch, payload, sizeof(payload)));
    ck_assert(codec_batch_add(&batch, &mutation, 5, NULL, NULL));
    size = codec_batch_end(&batch, 1);
    if (more) {
        memcpy(payload + size, "\xfa\x7f\x03new", 6);
        size += 6;
    }
    say(twin_frame(frame, MESSAGE_BATCH, payload + CODEC_HEADER_BYTES,
                   size - CODEC_HEADER_BYTES));
}

/* ---- those who are older ---- */

/* Everything that a client can do, and a resync of what both hold: to a node
 * of the first version it is told in the words of the first version. */
START_TEST(an_older_peer_is_told_nothing_that_it_does_not_know)
{
    const struct engine_key number = engine_key_of(engine, slice_of("number"));
    const struct engine_key gone = engine_key_of(engine, slice_of("gone"));
    const struct engine_arith plus = {.key = number, .delta = 5};
    struct message greeting = hello_of(1, 1, 0);
    struct engine_counted counted;

    greeting.hello.items = 3;
    store("number", "10");
    call();
    say(codec_encode(codec, &greeting, frame, sizeof(frame)));
    say(codec_encode(codec, &plan, frame, sizeof(frame)));
    ck_assert_int_eq(state(), NODE_LAGGING);
    say_batch("theirs", false);
    ck_assert_int_eq(engine_count(client, &plus, &counted), ENGINE_STORED);
    store("gone", "x");
    hear_all();
    (void)engine_remove(client, &gone);
    store("k", "v");
    hear_all();
    now_ns += 300 * NS_PER_MS;
    node_tick(node, now_ns);
    hear_all();
    ck_assert(node_has("theirs"));
    for (unsigned type = MESSAGE_GOODBYE + 1; type < TYPES; type++)
        ck_assert_msg(said[type] == 0, "it was told of type %u", type);
    ck_assert_ptr_nonnull(strstr(its_keys, "0:number "));
    ck_assert_ptr_nonnull(strstr(its_keys, "0:k "));
    ck_assert_ptr_null(strpbrk(its_keys, "3456789"));
    ck_assert(!closing);
}
END_TEST

/* A longer life goes without the value only to who offers to take it so. */
START_TEST(a_longer_life_is_told_as_the_peer_knows_it)
{
    const struct engine_key ours = engine_key_of(engine, SLICE_LITERAL("ours"));
    const struct engine_key theirs =
        engine_key_of(engine, SLICE_LITERAL("theirs"));
    struct message greeting = hello_of(
        1, 1, _i == 0 ? MESSAGE_FEATURE_DIGEST : MESSAGE_FEATURE_TOUCH);
    struct message ack = {.type = MESSAGE_ACK,
                          .ack = {.through_hash = UINT64_MAX, .done = true}};

    store("ours", "x");
    ck_assert_int_eq(engine_touch(client, &ours, T0 / NS_PER_S + 10),
                     ENGINE_STORED);
    call();
    say(codec_encode(codec, &greeting, frame, sizeof(frame)));
    say(codec_encode(codec, &plan, frame, sizeof(frame)));
    say_batch("theirs", false);
    ack.ack.applied = heard[MESSAGE_PLAN].plan.live_after;
    say(codec_encode(codec, &ack, frame, sizeof(frame)));
    its_keys[0] = '\0';
    ck_assert_int_eq(engine_touch(client, &ours, 0), ENGINE_STORED);
    hear_all();
    ck_assert_str_eq(its_keys, _i == 0 ? "0:ours " : "2: ");
    ck_assert_int_eq(engine_touch(client, &theirs, T0 / NS_PER_S + 10),
                     ENGINE_STORED); /* Shorter: a version of its own. */
    ck_assert_int_eq(engine_touch(client, &theirs, 0), ENGINE_STORED);
    its_keys[0] = '\0';
    hear_all();
    ck_assert_str_eq(its_keys, _i == 0 ? "0:theirs 0:theirs " : "0:theirs 2: ");
    ck_assert(!closing);
}
END_TEST

/* What it told again of longer lives, when it still could, it tells again after
 * it was put back to an older release, too: that is no talk to end a link. */
START_TEST(a_peer_that_knew_more_once_may_tell_lives_again)
{
    struct message greeting = hello_of(1, 1, MESSAGE_FEATURE_TOUCH);

    call();
    say(codec_encode(codec, &greeting, frame, sizeof(frame)));
    say(codec_encode(codec, &plan, frame, sizeof(frame)));
    say_batch("theirs", false);
    ck_assert(!closing);
    node_lost(node, now_ns, 0, "gone");
    greeting = hello_of(1, 1, 0);
    greeting.hello.now_ns += NS_PER_S;
    greeting.hello.acked_by = its_hello.incarnation; /* Up to 0. */
    node_accepted(node, now_ns, 0);
    say(codec_encode(codec, &greeting, frame, sizeof(frame)));
    say(codec_encode(codec, &plan, frame, sizeof(frame)));
    say_batch("theirs", false);
    ck_assert(!closing);
    ck_assert(state() == NODE_PAIRED || state() == NODE_LAGGING);
}
END_TEST

/* It cannot tell what of old data is to go: so all of it goes. */
START_TEST(a_peer_that_knows_no_doubts_gives_everything)
{
    struct message greeting = hello_of(
        1, 1, MESSAGE_FEATURE_DIGEST | (_i == 0 ? 0 : MESSAGE_FEATURE_DOUBT));

    store("old", "x");
    node->doubted = stamp_last(engine_stamp_clock(engine));
    greeting.hello.items = 1;
    node_dialed(node, now_ns, 0);
    hear_all();
    ck_assert_uint_eq(its_hello.doubted, node->doubted);
    say(codec_encode(codec, &greeting, frame, sizeof(frame)));
    ck_assert_int_eq(node_has("old"), _i);
    ck_assert_uint_eq(node->doubted != STAMP_NONE, (unsigned)_i);
    say(codec_encode(codec, &plan, frame, sizeof(frame)));
    ck_assert(!node_has("old")); /* Nothing is compared in that plan. */
    ck_assert_uint_eq(node->doubted, STAMP_NONE);
}
END_TEST

/* ---- those who are newer ---- */

START_TEST(a_newer_peer_that_knows_our_version_pairs)
{
    struct message greeting = hello_of(1, 9, ~(uint64_t)MESSAGE_FEATURE_DIGEST);

    store("ours", "x");
    call();
    say_with_more(&greeting);
    ck_assert_uint_eq(said[MESSAGE_HELLO], 1);
    ck_assert_uint_eq(its_hello.version_min, 1);
    ck_assert_uint_eq(its_hello.version_max, MESSAGE_PROTOCOL_VERSION);
    say_with_more(&plan);
    say_batch("theirs", true);
    ck_assert(node_has("theirs"));
    ck_assert_ptr_nonnull(strstr(its_keys, "0:ours "));
    for (unsigned type = MESSAGE_GOODBYE + 1; type < TYPES; type++)
        ck_assert_uint_eq(said[type], 0);
    ck_assert(!closing);
}
END_TEST

START_TEST(a_peer_without_a_version_in_common_is_refused_in_words)
{
    struct message greeting = hello_of(MESSAGE_PROTOCOL_VERSION + 1, 9, 0);

    call();
    say_with_more(&greeting);
    ck_assert_uint_eq(said[MESSAGE_HELLO], 0);
    ck_assert_uint_eq(said[MESSAGE_REFUSE], 1);
    ck_assert_int_eq(its_refusal, REFUSAL_VERSION);
    ck_assert(closing);
    ck_assert_int_eq(state(), NODE_ALONE);
}
END_TEST

START_TEST(a_newer_node_may_refuse_us_for_what_we_do_not_know)
{
    char words[] = "too old for me";
    WIRE(Refuse) refusal;

    node_dialed(node, now_ns, 0);
    hear_all();
    ck_assert_uint_eq(said[MESSAGE_HELLO], 1);
    WIRE_INIT(refuse, &refusal);
    refusal.reason = 77;
    refusal.words = words;
    say(twin_frame(frame, MESSAGE_REFUSE, payload,
                   protobuf_c_message_pack(&refusal.base, (uint8_t *)payload)));
    ck_assert(closing);
    ck_assert_int_eq(state(), NODE_STARTING); /* It tries again. */
}
END_TEST

/* What we did not offer and get all the same is no talk to go on with. */
START_TEST(what_was_not_agreed_on_ends_the_link)
{
    struct message greeting = hello_of(1, 9, ~0ull);

    call();
    say_with_more(&greeting);
    say_with_more(&plan);
    ck_assert(!closing);
    say(_i == 0 ? twin_frame(frame, TYPES + 1, "", 0)
                : twin_frame(frame, MESSAGE_BATCH,
                             "\x0a\x0d\x08\x0f\x11hhhhhhhhB\x01", 15));
    ck_assert(closing);
    ck_assert_int_eq(state(), NODE_ALONE);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_older_peer_is_told_nothing_that_it_does_not_know);
    tcase_add_loop_test(tests, a_longer_life_is_told_as_the_peer_knows_it, 0,
                        2);
    tcase_add_test(tests, a_peer_that_knew_more_once_may_tell_lives_again);
    tcase_add_loop_test(tests, a_peer_that_knows_no_doubts_gives_everything, 0,
                        2);
    tcase_add_test(tests, a_newer_peer_that_knows_our_version_pairs);
    tcase_add_test(tests,
                   a_peer_without_a_version_in_common_is_refused_in_words);
    tcase_add_test(tests, a_newer_node_may_refuse_us_for_what_we_do_not_know);
    tcase_add_loop_test(tests, what_was_not_agreed_on_ends_the_link, 0, 2);
}
UNIT_MAIN("node versions", add_tests)

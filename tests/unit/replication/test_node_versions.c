/* SPDX-License-Identifier: BSD-3-Clause */
/* A node meets an older and a newer one, played byte by byte: what they can
 * both do works, and what only one of them knows is not said or not heard. */
#include "replication/node.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/replication/codec_twin.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define T0 (1700000000 * NS_PER_S)
#define OUT_BYTES (4 * CODEC_PART_BYTES)
#define OUTPUTS_MAX 100
#define TYPES 64

static struct engine *engine;
static struct engine_thread *client;
static struct node *node;
static struct codec *codec;
static uint64_t now_ns;
static bool dials, closing;
static char out[OUT_BYTES], frame[OUT_BYTES], payload[OUT_BYTES];
/* What the node said to the one that is played. */
static unsigned said[TYPES];
static struct hello its_hello;
static enum refusal its_refusal;
static char its_keys[1024];

static void on_dial(void *ctx)
{
    (void)ctx;
    dials = true;
}

static int on_listen(void *ctx, bool open)
{
    (void)ctx;
    (void)open;
    return 0;
}

static void on_close(void *ctx, unsigned link)
{
    (void)ctx;
    ck_assert_uint_eq(link, 0);
    closing = true;
}

static void on_serve(void *ctx)
{
    (void)ctx;
}

static void setup(void)
{
    const struct engine_config with = {.memory_bytes = 16 * MIB,
                                       .item_bytes_max = 2 * MIB,
                                       .page_bytes = 64 * KIB};
    const struct node_hooks hooks = {.dial = on_dial,
                                     .listen = on_listen,
                                     .close = on_close,
                                     .serve = on_serve};
    struct node_config config = {.node = 7,
                                 .incarnation = 8,
                                 .pair = "pair",
                                 .peer_name = "peer",
                                 .dials = true,
                                 .item_bytes_max = MIB,
                                 .join_wait_ms = 2000,
                                 .dead_ms = 1000,
                                 .drain_ms = 5000,
                                 .ring_entries = 64,
                                 .tombstones_max = 16,
                                 .random_seed = 1};

    now_ns = T0;
    dials = closing = false;
    memset(said, 0, sizeof(said));
    its_keys[0] = '\0';
    codec = codec_new();
    ck_assert_int_eq(engine_new(&with, &engine), 0);
    config.engine = engine;
    ck_assert_int_eq(node_new(&config, &hooks, &node), 0);
    client = engine_thread_new(engine);
    engine_thread_set_now(client, now_ns);
    node_start(node, now_ns);
    ck_assert(dials);
}

static void teardown(void)
{
    node_free(&node);
    engine_thread_free(&client);
    engine_free(&engine);
    codec_free(&codec);
}

/* ---- what the node says ---- */

static void hear_batch(const struct message *batch)
{
    struct mutation mutation;
    size_t at = 0, used = strlen(its_keys);

    while (codec_next_mutation(batch, &at, &mutation))
        used += (size_t)snprintf(its_keys + used, sizeof(its_keys) - used,
                                 "%d:%.*s ", (int)mutation.kind,
                                 (int)mutation.key.size, mutation.key.data);
}

static void hear_frame(const struct message *message)
{
    ck_assert_uint_lt(message->type, TYPES);
    said[message->type]++;
    if (message->type == MESSAGE_HELLO)
        its_hello = message->hello;
    if (message->type == MESSAGE_REFUSE)
        its_refusal = message->refuse.reason;
    if (message->type == MESSAGE_BATCH)
        hear_batch(message);
}

static void hear_all(void)
{
    size_t size = 1, consumed, needed;
    struct message message;

    for (unsigned i = 0; i < OUTPUTS_MAX && size > 0; i++) {
        struct slice bytes;

        size = node_output(node, now_ns, 0, out, sizeof(out));
        bytes = slice_make(out, size);
        while (bytes.size > 0) {
            ck_assert_int_eq(
                codec_decode(codec, bytes, &message, &consumed, &needed), 0);
            ck_assert_uint_gt(consumed, 0);
            hear_frame(&message);
            bytes.data += consumed;
            bytes.size -= consumed;
        }
    }
    ck_assert_uint_eq(size, 0);
}

/* ---- what the other says ---- */

static void say(size_t size)
{
    size_t needed;

    ck_assert_uint_eq(
        node_received(node, now_ns, 0, slice_make(frame, size), &needed), size);
    hear_all();
}

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

static struct message hello_of(uint32_t version_min, uint32_t version_max,
                               uint64_t features)
{
    return (struct message){.type = MESSAGE_HELLO,
                            .hello = {.version_min = version_min,
                                      .version_max = version_max,
                                      .features = features,
                                      .pair = SLICE_LITERAL("pair"),
                                      .node = 99,
                                      .incarnation = 100,
                                      .node_bit = 1,
                                      .now_ns = T0,
                                      .item_bytes_max = MIB}};
}

static const struct message plan = {.type = MESSAGE_PLAN,
                                    .plan = {.kind = RESYNC_CONTINUE}};

/* It calls a node that serves alone. */
static void call(void)
{
    node_dial_failed(node, now_ns, "nobody");
    node_accepted(node, now_ns, 0);
}

static bool node_has(const char *key)
{
    struct engine_key wanted = engine_key_of(engine, slice_of(key));
    struct engine_view view;
    bool found;

    engine_thread_set_now(client, now_ns);
    found = engine_get(client, &wanted, &view);
    if (found)
        engine_view_end(client, &view);
    return found;
}

static void store(const char *key, const char *value)
{
    struct engine_write write = {.key = engine_key_of(engine, slice_of(key)),
                                 .mode = ENGINE_SET,
                                 .value_size = strlen(value)};
    stamp_t stamp;

    engine_thread_set_now(client, now_ns);
    ck_assert_int_eq(engine_store(client, &write, value, &stamp),
                     ENGINE_STORED);
}

static enum node_state state(void)
{
    struct node_status status;

    node_status(node, now_ns, &status);
    return status.state;
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
    tcase_add_test(tests, a_newer_peer_that_knows_our_version_pairs);
    tcase_add_test(tests,
                   a_peer_without_a_version_in_common_is_refused_in_words);
    tcase_add_test(tests, a_newer_node_may_refuse_us_for_what_we_do_not_know);
    tcase_add_loop_test(tests, what_was_not_agreed_on_ends_the_link, 0, 2);
}
UNIT_MAIN("node versions", add_tests)

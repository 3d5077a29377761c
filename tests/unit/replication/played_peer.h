/* SPDX-License-Identifier: BSD-3-Clause */
/* A node and somebody at its other end who is played byte by byte, on link 0:
 * an older node, a newer one, or one that means harm. */
#ifndef TESTS_PLAYED_PEER_H
#define TESTS_PLAYED_PEER_H

#include "replication/node.h"

#include "replication/codec.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"
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
static bool dials, serves;
static bool closing, closing_other; /* Link 0, or any other one. */
static char out[OUT_BYTES], frame[OUT_BYTES];
/* What the node said to the one that is played. */
static unsigned said[TYPES];
static struct message heard[TYPES]; /* The last of each; its numbers only. */
static struct hello its_hello;
static enum refusal its_refusal;
static char its_keys[1024];

static inline void on_dial(void *ctx)
{
    (void)ctx;
    dials = true;
}

static inline int on_listen(void *ctx, bool open)
{
    (void)ctx;
    (void)open;
    return 0;
}

static inline void on_close(void *ctx, unsigned link)
{
    (void)ctx;
    if (link == 0)
        closing = true;
    else
        closing_other = true;
}

static inline void on_serve(void *ctx)
{
    (void)ctx;
    serves = true;
}

static inline void setup(void)
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
    dials = serves = closing = closing_other = false;
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

static inline void teardown(void)
{
    node_free(&node);
    engine_thread_free(&client);
    engine_free(&engine);
    codec_free(&codec);
}

/* ---- what the node says ---- */

static inline void hear_batch(const struct message *batch)
{
    struct mutation mutation;
    size_t at = 0, used = strlen(its_keys);

    while (codec_next_mutation(batch, &at, &mutation))
        used += (size_t)snprintf(its_keys + used, sizeof(its_keys) - used,
                                 "%d:%.*s ", (int)mutation.kind,
                                 (int)mutation.key.size, mutation.key.data);
}

static inline void hear_frame(const struct message *message)
{
    ck_assert_uint_lt(message->type, TYPES);
    said[message->type]++;
    heard[message->type] = *message;
    if (message->type == MESSAGE_HELLO)
        its_hello = message->hello;
    if (message->type == MESSAGE_REFUSE)
        its_refusal = message->refuse.reason;
    if (message->type == MESSAGE_BATCH)
        hear_batch(message);
}

static inline void hear_all(void)
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

static inline void say(size_t size)
{
    size_t needed;

    ck_assert_uint_eq(
        node_received(node, now_ns, 0, slice_make(frame, size), &needed), size);
    hear_all();
}

static inline struct message hello_of(uint32_t version_min,
                                      uint32_t version_max, uint64_t features)
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
static inline void call(void)
{
    node_dial_failed(node, now_ns, "nobody");
    node_accepted(node, now_ns, 0);
}

static inline bool node_has(const char *key)
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

static inline void store(const char *key, const char *value)
{
    struct engine_write write = {.key = engine_key_of(engine, slice_of(key)),
                                 .mode = ENGINE_SET,
                                 .value_size = strlen(value)};
    stamp_t stamp;

    engine_thread_set_now(client, now_ns);
    ck_assert_int_eq(engine_store(client, &write, value, &stamp),
                     ENGINE_STORED);
}

static inline enum node_state state(void)
{
    struct node_status status;

    node_status(node, now_ns, &status);
    return status.state;
}

#endif

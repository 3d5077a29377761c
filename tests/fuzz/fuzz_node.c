/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer that says anything, to a whole node with an engine. The input is a
 * script: each step is a byte that chooses what happens and some that choose
 * how. Frames get a good header, and mutations the hash of their key, so that
 * the fuzzer spends itself on meaning and not on checksums.
 *
 * A lying peer may lose its link, and may change what it could change anyway;
 * the node must not break, wait, grow, or say anything that is no frame. */
#include "replication/codec.h"
#include "replication/node.h"
#include "src/base/clock.h"
#include "src/base/cursor.h"
#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "tests/unit/replication/codec_twin.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define START_NS (1700000000ull * NS_PER_S)
#define STEPS_MAX 512
#define KEYS 16
#define OUTPUTS_MAX 64 /* Of one link at one time: then it must be quiet. */
#define OUT_BYTES (256u * 1024)
#define IN_BYTES (1024u * 1024)

struct world {
    struct clock clock;
    struct engine *engine;
    struct engine_thread *client;
    struct node *node;
    struct codec *codec; /* Of the other side. */
    struct reader script;
    struct link {
        bool open;
        bool closing;
        size_t in_size;
    } links[NODE_LINKS_MAX];
    bool dialing;
    bool listening;
    bool serving;
};

static char out[OUT_BYTES];
static char in[NODE_LINKS_MAX][IN_BYTES]; /* What waits for the node. */
static char frame[TWIN_FRAME_MAX];
static char value[CODEC_PART_BYTES];

static uint64_t now(const struct world *world)
{
    return clock_now(&world->clock);
}

/* ---- hooks ---- */

static void on_dial(void *ctx)
{
    struct world *world = ctx;

    INVARIANT(!world->dialing);
    world->dialing = true;
}

static int on_listen(void *ctx, bool open)
{
    struct world *world = ctx;

    INVARIANT(world->listening != open);
    world->listening = open;
    return 0;
}

static void on_close(void *ctx, unsigned link)
{
    struct world *world = ctx;

    INVARIANT(world->links[link].open);
    INVARIANT(!world->links[link].closing);
    world->links[link].closing = true;
}

static void on_serve(void *ctx)
{
    struct world *world = ctx;

    INVARIANT(!world->serving);
    world->serving = true;
}

/* ---- what goes out ---- */

static void check_frames(struct world *world, struct slice bytes)
{
    size_t consumed, needed;
    struct message message;

    while (bytes.size > 0) {
        INVARIANT(codec_decode(world->codec, bytes, &message, &consumed,
                               &needed) == 0);
        INVARIANT(consumed > 0);
        bytes = slice_make(bytes.data + consumed, bytes.size - consumed);
    }
}

static void pull(struct world *world, unsigned link)
{
    size_t size, rounds = 0;

    do {
        size = node_output(world->node, now(world), link, out, sizeof(out));
        INVARIANT(size <= sizeof(out));
        INVARIANT(rounds++ < OUTPUTS_MAX);
        check_frames(world, slice_make(out, size));
    } while (size > 0);
}

static void lose(struct world *world, unsigned link)
{
    world->links[link] = (struct link){.open = false};
    node_lost(world->node, now(world), link, "fuzzed");
}

/* Links that the node closed say their last words and go. */
static void settle(struct world *world)
{
    unsigned link;

    for (link = 0; link < NODE_LINKS_MAX; link++) {
        if (!world->links[link].closing)
            continue;
        pull(world, link);
        lose(world, link);
    }
}

/* ---- what comes in ---- */

static void receive(struct world *world, unsigned link, const char *bytes,
                    size_t size)
{
    struct link *to = &world->links[link];
    size_t taken, needed = 0;

    if (!to->open || size > IN_BYTES - to->in_size)
        return;
    memcpy(in[link] + to->in_size, bytes, size);
    to->in_size += size;
    do {
        taken = node_received(world->node, now(world), link,
                              slice_make(in[link], to->in_size), &needed);
        INVARIANT(taken <= to->in_size);
        to->in_size -= taken;
        memmove(in[link], in[link] + taken, to->in_size);
    } while (taken > 0 && to->in_size > 0 && !to->closing);
    INVARIANT(needed <= TWIN_FRAME_MAX);
    INVARIANT(to->in_size < needed || to->closing || to->in_size == 0);
}

static void say(struct world *world, unsigned link,
                const struct message *message)
{
    size_t size = codec_encode(world->codec, message, frame, sizeof(frame));

    INVARIANT(size > 0);
    receive(world, link, frame, size);
}

static uint8_t byte(struct world *world)
{
    return reader_u8(&world->script);
}

/* Some of the rest of the script as it stands. */
static struct slice bytes_of(struct world *world)
{
    size_t size = reader_u16(&world->script);

    if (size > reader_left(&world->script))
        size = reader_left(&world->script);
    return reader_bytes(&world->script, size);
}

static struct slice key_of(uint8_t number, char room[8])
{
    int size = snprintf(room, 8, "key%u", number % KEYS);

    return slice_make(room, (size_t)size);
}

static stamp_t stamp_of(struct world *world)
{
    /* Around now, and with either bit. */
    return (now(world) & ~(STAMP_TICK_NS - 1)) + ((uint64_t)byte(world) << 14) -
           (64u << 14);
}

static uint64_t number_of(struct world *world)
{
    uint8_t chosen = byte(world);

    return chosen < 0xf0 ? chosen : UINT64_MAX >> (chosen & 0xf) * 4;
}

static void say_hello(struct world *world, unsigned link)
{
    uint8_t who = byte(world);
    struct message message = {.type = MESSAGE_HELLO,
                              .hello = {.version_min = 1,
                                        .version_max = 1 + (who >> 7),
                                        .pair = SLICE_LITERAL("fuzz"),
                                        .node = 1 + (who & 3),
                                        .incarnation = 1 + (who >> 2 & 3),
                                        .node_bit = who >> 4 & 1,
                                        .node_bit_fixed = who >> 5 & 1,
                                        .joining = who >> 6 & 1,
                                        .now_ns = now(world),
                                        .item_bytes_max = MIB}};

    message.hello.peer_incarnation = byte(world) & 1 ? 8 : 0;
    message.hello.peer_applied = number_of(world);
    message.hello.stamp_last = stamp_of(world);
    message.hello.items = byte(world);
    message.hello.flush.floor = byte(world) & 1 ? stamp_of(world) : 0;
    say(world, link, &message);
}

static struct mutation mutation_of(struct world *world, char room[8])
{
    struct mutation mutation = {.kind = (enum mutation_kind)(byte(world) % 3)};

    mutation.key = key_of(byte(world), room);
    mutation.hash = engine_key_of(world->engine, mutation.key).hash;
    mutation.stamp = stamp_of(world);
    mutation.client_flags = byte(world);
    mutation.expires_at_s =
        byte(world) & 1 ? (uint32_t)(now(world) / NS_PER_S) + 3 : 0;
    if (mutation.kind != MUTATION_SET)
        mutation.key.size = 0;
    return mutation;
}

static void say_batch(struct world *world, unsigned link)
{
    unsigned i, count = byte(world) % 8;
    struct codec_batch batch;
    struct mutation mutation;
    size_t size;
    char room[8];

    INVARIANT(codec_batch_begin(&batch, frame, sizeof(frame)));
    for (i = 0; i < count; i++) {
        mutation = mutation_of(world, room);
        size = mutation.kind == MUTATION_SET ? 8u * byte(world) : 0;
        mutation.value = slice_make(value, size);
        INVARIANT(codec_batch_add(&batch, &mutation, size, NULL, NULL));
    }
    size = codec_batch_end(&batch, number_of(world));
    receive(world, link, frame, size);
}

static void say_part(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_PART};
    char room[8];

    message.part.head = mutation_of(world, room);
    message.part.head.kind = MUTATION_SET;
    message.part.head.key = slice_make(room, strlen(room));
    message.part.offset = 1024u * byte(world);
    message.part.data = slice_make(value, 1u + 256u * byte(world));
    message.part.value_size =
        message.part.offset + message.part.data.size + byte(world);
    message.part.through = number_of(world);
    say(world, link, &message);
}

static void say_control(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_PLAN};
    uint64_t present[2];
    uint32_t numbers[2] = {0, 1};

    switch (byte(world) % 9) {
    case 0:
        message.plan.kind = (enum resync_kind)(1 + byte(world) % 4);
        message.plan.live_after = number_of(world);
        break;
    case 1:
        message.type = MESSAGE_PURGE;
        message.purge.from = number_of(world);
        message.purge.to = UINT64_MAX;
        message.purge.floor = stamp_of(world);
        present[0] = message.purge.from;
        present[1] = UINT64_MAX;
        message.purge.present = present;
        message.purge.present_count = byte(world) & 1;
        break;
    case 2:
        message.type = MESSAGE_MARK;
        message.mark.through_hash = number_of(world);
        message.mark.done = byte(world) & 1;
        break;
    case 3:
        message.type = MESSAGE_ACK;
        message.ack.applied = number_of(world);
        message.ack.through_hash = number_of(world);
        message.ack.done = byte(world) & 1;
        message.ack.prompt = message.ack.done;
        break;
    case 4:
        message.type = MESSAGE_FLUSH;
        message.flush.floor = stamp_of(world);
        message.flush.pending = byte(world) & 1 ? stamp_of(world) : 0;
        message.flush.due_ns = now(world) + byte(world) * NS_PER_MS;
        break;
    case 5:
        message.type = MESSAGE_HEARTBEAT;
        message.heartbeat.now_ns = now(world) + byte(world);
        message.heartbeat.echo_ns = now(world) - number_of(world);
        message.heartbeat.echo_delay_ns = number_of(world);
        message.heartbeat.stamp_last = stamp_of(world);
        break;
    case 7:
        message.type = MESSAGE_DIGEST;
        message.digest.from = number_of(world);
        message.digest.to = UINT64_MAX;
        present[0] = number_of(world);
        present[1] = number_of(world);
        numbers[0] = byte(world);
        message.digest.sums = present;
        message.digest.counts = numbers;
        message.digest.count = 1 + (byte(world) & 1);
        break;
    case 8:
        message.type = MESSAGE_DIFFER;
        message.differ.from = byte(world) & 1 ? number_of(world) : 0;
        message.differ.through = UINT64_MAX;
        message.differ.groups = numbers;
        message.differ.groups_count = byte(world) % 3;
        present[0] = message.differ.from;
        present[1] = number_of(world);
        message.differ.hashes = present;
        message.differ.stamps = present + 1;
        message.differ.expiries = numbers;
        message.differ.items_count = byte(world) & 1;
        message.differ.last = number_of(world);
        break;
    default:
        message.type = byte(world) & 1 ? MESSAGE_GOODBYE : MESSAGE_REFUSE;
        message.refuse.reason = REFUSAL_PAIRED;
        message.refuse.words = SLICE_LITERAL("no");
        if (message.type == MESSAGE_GOODBYE)
            message.goodbye.words = SLICE_LITERAL("bye");
        break;
    }
    say(world, link, &message);
}

static void say_frame(struct world *world, unsigned link)
{
    uint8_t type = byte(world) % (MESSAGE_GOODBYE + 2);
    struct slice bytes = bytes_of(world);

    receive(world, link, frame,
            twin_frame(frame, type, bytes.data, bytes.size));
}

/* ---- what happens besides ---- */

static void connect_one(struct world *world)
{
    unsigned link;

    for (link = 0; link < NODE_LINKS_MAX; link++) {
        if (world->links[link].open)
            continue;
        world->links[link] = (struct link){.open = true};
        if (world->dialing && byte(world) & 1) {
            world->dialing = false;
            node_dialed(world->node, now(world), link);
        } else if (world->listening) {
            node_accepted(world->node, now(world), link);
        } else {
            world->links[link].open = false;
        }
        return;
    }
}

static void change_here(struct world *world)
{
    uint8_t how = byte(world);
    struct engine_write write = {.mode = ENGINE_SET};
    stamp_t stamp;
    char room[8];

    write.key = engine_key_of(world->engine, key_of(how, room));
    write.value_size = how & 0x40 ? 50000 : how;
    engine_thread_set_now(world->client, now(world));
    if (how == 0xff)
        engine_flush(world->client, 0);
    else if (how & 0x80)
        (void)engine_remove(world->client, &write.key);
    else
        (void)engine_store(world->client, &write, value, &stamp);
    engine_thread_settle(world->client);
}

static void pass_time(struct world *world)
{
    clock_set(&world->clock, now(world) + (1u + byte(world)) * 5 * NS_PER_MS);
    node_tick(world->node, now(world));
}

static void step(struct world *world)
{
    uint8_t what = byte(world);
    unsigned link = what >> 4 & (NODE_LINKS_MAX - 1);

    switch (what & 0xf) {
    case 0:
        connect_one(world);
        break;
    case 1:
        say_hello(world, link);
        break;
    case 2:
        say_frame(world, link);
        break;
    case 3: {
        struct slice bytes = bytes_of(world);

        if (bytes.size > 0)
            receive(world, link, bytes.data, bytes.size);
        break;
    }
    case 4:
    case 5:
        say_batch(world, link);
        break;
    case 6:
        say_part(world, link);
        break;
    case 7:
    case 8:
        say_control(world, link);
        break;
    case 9:
        pass_time(world);
        break;
    case 10:
        if (world->links[link].open)
            lose(world, link);
        break;
    case 11:
        change_here(world);
        break;
    case 12:
        if (world->dialing) {
            world->dialing = false;
            node_dial_failed(world->node, now(world), "fuzzed");
        }
        break;
    default:
        if (world->links[link].open)
            pull(world, link);
        (void)node_may_sleep(world->node);
        break;
    }
    settle(world);
}

/* ---- life ---- */

static void open_world(struct world *world)
{
    const struct engine_config engine = {
        .memory_bytes = 4 * MIB,
        .item_bytes_max = MIB,
        .page_bytes = 64 * KIB,
        .growth = 2.0,
        .table_power = 8,
        .hash_seed = 1,
    };
    struct node_config node = {
        .node = 7,
        .incarnation = 8,
        .pair = "fuzz",
        .peer_name = "peer",
        .dials = true,
        .item_bytes_max = MIB,
        .join_wait_ms = 200,
        .dead_ms = 1000,
        .drain_ms = 1000,
        .ring_entries = 16,
        .tombstones_max = 8,
        .bucket_bits = 4,
        .random_seed = 1,
    };
    const struct node_hooks hooks = {
        .ctx = world,
        .dial = on_dial,
        .listen = on_listen,
        .close = on_close,
        .serve = on_serve,
    };

    clock_init_fake(&world->clock, START_NS);
    INVARIANT(engine_new(&engine, &world->engine) == 0);
    node.engine = world->engine;
    INVARIANT(node_new(&node, &hooks, &world->node) == 0);
    world->client = engine_thread_new(world->engine);
    world->codec = codec_new();
    INVARIANT(world->client != NULL);
    INVARIANT(world->codec != NULL);
    node_start(world->node, now(world));
    settle(world);
}

static void close_world(struct world *world)
{
    unsigned link;

    for (link = 0; link < NODE_LINKS_MAX; link++) {
        if (world->links[link].open)
            lose(world, link);
    }
    engine_thread_free(&world->client);
    node_free(&world->node);
    codec_free(&world->codec);
    engine_free(&world->engine);
}

static void drop_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.dialing = false};
    unsigned i;

    log_set_sink(drop_line, NULL);
    open_world(&world);
    reader_init(&world.script, data, size);
    for (i = 0; i < STEPS_MAX && reader_left(&world.script) > 0; i++)
        step(&world);
    close_world(&world);
    return 0;
}

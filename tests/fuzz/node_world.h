/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole node with an engine and no sockets, for targets that play its peer.
 * They may say anything: a lying peer may lose its link, and may change what it
 * could change anyway; the node must not break, wait, grow, or say anything
 * that is no frame. And whatever it was told, an honest node that joins it
 * later gets what it holds. */
#ifndef TESTS_FUZZ_NODE_WORLD_H
#define TESTS_FUZZ_NODE_WORLD_H

#include "replication/codec.h"
#include "replication/node.h"
#include "src/base/clock.h"
#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "tests/unit/replication/codec_twin.h"

#include <stdio.h>

#define WORLD_START_NS (1700000000ull * NS_PER_S)
#define WORLD_KEYS 16
/* Of one link at one time: then it is quiet. A key that the peer asks for may
 * take one for itself. */
#define WORLD_OUTPUTS_MAX 4200
#define WORLD_OUT_BYTES (256u * 1024)
#define WORLD_IN_BYTES (1024u * 1024)
#define WORLD_RING 16
#define WORLD_TOMBSTONES 8

/* What a peer that listens knows. */
struct heard {
    uint64_t plan_after, through, marked;
    bool marked_done;
    struct mutation counter; /* The last one; of its key, the hash. */
    unsigned questions;      /* Unanswered ones. */
    uint64_t from, to;
    size_t groups;
};

struct world {
    struct engine *engine;
    struct engine_thread *client;
    struct confirm *confirm;
    unsigned waiter;
    struct fetches *fetches;
    struct fetch *fetch; /* Of a client that waits; NULL: none does. */
    struct node *node;
    struct codec *codec; /* Of the other side. */
    struct link {
        bool open;
        bool closing;
        size_t in_size;
    } links[NODE_LINKS_MAX];
    bool dialing;
    bool listening;
    bool port_is_taken;
    bool serving;
    bool drained;
    struct heard heard;
};

static struct clock world_clock;
static char world_out[WORLD_OUT_BYTES];
/* What waits for the node. */
static char world_in[NODE_LINKS_MAX][WORLD_IN_BYTES];
static char world_frame[TWIN_FRAME_MAX];
static char world_value[CODEC_PART_BYTES];

static inline uint64_t world_now(void)
{
    return clock_now(&world_clock);
}

/* ---- hooks ---- */

static inline void world_on_dial(void *ctx)
{
    struct world *world = ctx;

    INVARIANT(!world->dialing);
    world->dialing = true;
}

static inline int world_on_listen(void *ctx, bool open)
{
    struct world *world = ctx;

    INVARIANT(world->listening != open);
    if (open && world->port_is_taken)
        return -ERR_BUSY;
    world->listening = open;
    return 0;
}

static inline void world_on_close(void *ctx, unsigned link)
{
    struct world *world = ctx;

    INVARIANT(world->links[link].open);
    INVARIANT(!world->links[link].closing);
    world->links[link].closing = true;
}

static inline void world_on_serve(void *ctx)
{
    struct world *world = ctx;

    INVARIANT(!world->serving);
    world->serving = true;
}

/* ---- what goes out ---- */

static inline void world_hear_batch(struct heard *heard,
                                    const struct message *message)
{
    struct mutation mutation;
    size_t at = 0;

    if (message->batch.through != 0)
        heard->through = message->batch.through;
    while (codec_next_mutation(message, &at, &mutation))
        if (mutation.tally.base_stamp != STAMP_NONE)
            heard->counter = mutation;
}

static inline void world_hear(struct heard *heard,
                              const struct message *message)
{
    switch (message->type) {
    case MESSAGE_PLAN:
        *heard = (struct heard){.plan_after = message->plan.live_after,
                                .through = message->plan.live_after};
        break;
    case MESSAGE_BATCH:
        world_hear_batch(heard, message);
        break;
    case MESSAGE_PART:
        if (message->part.through != 0)
            heard->through = message->part.through;
        break;
    case MESSAGE_MARK:
        heard->marked = message->mark.through_hash;
        heard->marked_done = message->mark.done;
        break;
    case MESSAGE_DIGEST:
        heard->questions++;
        heard->from = message->digest.from;
        heard->to = message->digest.to;
        heard->groups = message->digest.count;
        break;
    default:
        break;
    }
}

static inline void world_check_frames(struct world *world, struct slice bytes)
{
    size_t consumed, needed;
    struct message message;

    while (bytes.size > 0) {
        INVARIANT(codec_decode(world->codec, bytes, &message, &consumed,
                               &needed) == 0);
        INVARIANT(consumed > 0);
        world_hear(&world->heard, &message);
        bytes = slice_make(bytes.data + consumed, bytes.size - consumed);
    }
}

static inline void world_pull(struct world *world, unsigned link)
{
    size_t size, rounds = 0;

    do {
        size = node_output(world->node, world_now(), link, world_out,
                           sizeof(world_out));
        INVARIANT(size <= sizeof(world_out));
        INVARIANT(rounds++ < WORLD_OUTPUTS_MAX);
        world_check_frames(world, slice_make(world_out, size));
    } while (size > 0);
}

static inline void world_lose(struct world *world, unsigned link)
{
    world->links[link] = (struct link){.open = false};
    node_lost(world->node, world_now(), link, "fuzzed");
}

/* Links that the node closed say their last words and go. */
static inline void world_settle(struct world *world)
{
    struct node_status status;
    unsigned link;

    for (link = 0; link < NODE_LINKS_MAX; link++) {
        if (!world->links[link].closing)
            continue;
        world_pull(world, link);
        world_lose(world, link);
    }
    node_status(world->node, world_now(), &status);
    INVARIANT(status.ring_used <= WORLD_RING);
    INVARIANT(status.tombstones <= WORLD_TOMBSTONES);
}

/* ---- what comes in ---- */

static inline void world_receive(struct world *world, unsigned link,
                                 const char *bytes, size_t size)
{
    struct link *to = &world->links[link];
    char *in = world_in[link];
    size_t taken, needed = 0;

    if (!to->open || size > WORLD_IN_BYTES - to->in_size)
        return;
    if (size > 0)
        memcpy(in + to->in_size, bytes, size);
    to->in_size += size;
    do {
        taken = node_received(world->node, world_now(), link,
                              slice_make(in, to->in_size), &needed);
        INVARIANT(taken <= to->in_size);
        to->in_size -= taken;
        memmove(in, in + taken, to->in_size);
    } while (taken > 0 && to->in_size > 0 && !to->closing);
    INVARIANT(needed <= TWIN_FRAME_MAX);
    INVARIANT(to->in_size < needed || to->closing || to->in_size == 0);
}

static inline void world_say(struct world *world, unsigned link,
                             const struct message *message)
{
    size_t size =
        codec_encode(world->codec, message, world_frame, sizeof(world_frame));

    INVARIANT(size > 0);
    world_receive(world, link, world_frame, size);
}

/* The first free link becomes one that was dialed, or accepted. */
static inline void world_connect(struct world *world, bool dialed)
{
    unsigned link;

    for (link = 0; link < NODE_LINKS_MAX; link++) {
        if (world->links[link].open)
            continue;
        world->links[link] = (struct link){.open = true};
        if (world->dialing && dialed) {
            world->dialing = false;
            node_dialed(world->node, world_now(), link);
        } else if (world->listening) {
            node_accepted(world->node, world_now(), link);
        } else {
            world->links[link].open = false;
        }
        return;
    }
}

/* ---- what happens here ---- */

static inline struct slice world_key(uint8_t number, char room[8])
{
    int size = snprintf(room, 8, "key%u", number % WORLD_KEYS);

    return slice_make(room, (size_t)size);
}

/* The lower bits choose a key, the upper ones what is done to it. */
static inline void world_change(struct world *world, uint8_t how, size_t size)
{
    const bool is_number = (how & 0x30) == 0x30;
    struct engine_write write = {.mode = ENGINE_SET,
                                 .value_size = is_number ? 2 : size};
    struct engine_arith plus = {.delta = how};
    struct engine_counted counted;
    stamp_t stamp;
    char room[8];

    write.key = plus.key = engine_key_of(world->engine, world_key(how, room));
    engine_thread_set_now(world->client, world_now());
    if (how == 0xff)
        engine_flush(world->client, 0);
    else if (how >= 0xc0)
        (void)engine_count(world->client, &plus, &counted);
    else if (how >= 0x80)
        (void)engine_remove(world->client, &write.key);
    else
        (void)engine_store(world->client, &write,
                           is_number ? "17" : world_value, &stamp);
    (void)confirm_ask(world->confirm, world->waiter,
                      engine_last_change(world->client));
    engine_thread_settle(world->client);
}

/* When all was done that was due, the node wants to be left alone for a while:
 * it does not spin. */
static inline void world_pass(struct world *world, uint64_t ms)
{
    unsigned link;

    clock_set(&world_clock, world_now() + ms * NS_PER_MS);
    node_tick(world->node, world_now());
    if (node_deadline(world->node) > world_now())
        return;
    for (link = 0; link < NODE_LINKS_MAX; link++)
        if (world->links[link].open)
            world_pull(world, link);
    INVARIANT(node_deadline(world->node) > world_now());
}

/* ---- life ---- */

static inline void world_drop_line(void *ctx, enum log_level level,
                                   const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static inline void world_woken(void *ctx)
{
    (void)ctx;
}

/* adopts: its data came with a restart, and nobody has proved it good. */
static inline void world_open(struct world *world, uint64_t node, bool adopts)
{
    const struct engine_config engine = {
        .memory_bytes = 4 * MIB,
        .item_bytes_max = MIB,
        .page_bytes = 64 * KIB,
        .growth = 2.0,
        .table_power = 8,
        .hash_seed = 1,
    };
    struct node_config config = {
        .node = node,
        .incarnation = node + 1,
        .pair = "fuzz",
        .peer_name = "peer",
        .dials = true,
        .item_bytes_max = MIB,
        .join_wait_ms = 200,
        .dead_ms = 1000,
        .drain_ms = 1000,
        .ring_entries = WORLD_RING,
        .tombstones_max = WORLD_TOMBSTONES,
        .bucket_bits = 4,
        .random_seed = 1,
        .confirm_quick_ns = NS_PER_MS,
    };
    const struct node_hooks hooks = {
        .ctx = world,
        .dial = world_on_dial,
        .listen = world_on_listen,
        .close = world_on_close,
        .serve = world_on_serve,
    };

    *world = (struct world){.confirm = confirm_new(), .fetches = fetches_new()};
    INVARIANT(world->confirm != NULL);
    INVARIANT(world->fetches != NULL);
    INVARIANT(engine_new(&engine, &world->engine) == 0);
    config.engine = world->engine;
    config.confirm = world->confirm;
    config.fetches = world->fetches;
    INVARIANT(node_new(&config, &hooks, &world->node) == 0);
    world->waiter = confirm_join(world->confirm, world_woken, NULL);
    world->client = engine_thread_new(world->engine);
    world->codec = codec_new();
    INVARIANT(world->client != NULL);
    INVARIANT(world->codec != NULL);
    if (adopts) {
        world_change(world, 1, 10);
        node_adopt(world->node);
    }
    node_start(world->node, world_now());
    world_settle(world);
}

static inline void world_lose_all(struct world *world)
{
    unsigned link;

    for (link = 0; link < NODE_LINKS_MAX; link++) {
        if (world->links[link].open)
            world_lose(world, link);
    }
}

static inline void world_close(struct world *world)
{
    world_lose_all(world);
    confirm_leave(world->confirm, world->waiter);
    engine_thread_free(&world->client);
    node_free(&world->node);
    codec_free(&world->codec);
    engine_free(&world->engine);
    confirm_free(&world->confirm);
    fetch_drop(&world->fetch);
    fetches_free(&world->fetches);
}

static inline void world_begin(void)
{
    log_set_sink(world_drop_line, NULL);
    clock_init_fake(&world_clock, WORLD_START_NS);
}

/* ---- an honest node ---- */

static inline bool world_hand_over(struct world *from, struct world *to)
{
    size_t size, at, needed;

    size =
        node_output(from->node, world_now(), 0, world_out, sizeof(world_out));
    for (at = 0; at < size && to->links[0].open && !to->links[0].closing;)
        at += node_received(to->node, world_now(), 0,
                            slice_make(world_out + at, size - at), &needed);
    return size > 0;
}

static inline void world_mirror(struct world *one, struct world *other)
{
    unsigned rounds = 0;
    bool more = true;

    while (more) {
        more = world_hand_over(one, other);
        more |= world_hand_over(other, one);
        INVARIANT(rounds++ < 8 * WORLD_OUTPUTS_MAX);
    }
}

static inline bool world_find(struct world *world, struct slice key,
                              struct engine_view *view)
{
    struct engine_key wanted = engine_key_of(world->engine, key);
    bool found;

    engine_thread_set_now(world->client, world_now());
    found = engine_get(world->client, &wanted, view);
    if (found)
        engine_view_end(world->client, view);
    return found;
}

static inline void world_compare(struct world *one, struct world *other)
{
    struct engine_view here, there;
    bool found;
    char room[8];

    for (uint8_t i = 0; i < WORLD_KEYS; i++) {
        found = world_find(one, world_key(i, room), &here);
        INVARIANT(found == world_find(other, world_key(i, room), &there));
        if (!found)
            continue;
        INVARIANT(here.stamp == there.stamp);
        INVARIANT(here.value_size == there.value_size);
        INVARIANT(here.client_flags == there.client_flags);
    }
}

/* Whatever this node was told before: another one that calls it holds the same
 * afterwards. */
static inline void world_is_sound(struct world *world)
{
    struct world other;

    world_lose_all(world);
    world->port_is_taken = false;
    (void)node_resume(world->node, world_now());
    world_pass(world, 3000); /* It has given up to wait for anybody. */
    world_pass(world, 1);
    INVARIANT(world->serving);
    world_open(&other, 99, false);
    INVARIANT(other.dialing);
    if (world->listening) {
        other.links[0].open = world->links[0].open = true;
        other.dialing = false;
        node_dialed(other.node, world_now(), 0);
        node_accepted(world->node, world_now(), 0);
        world_mirror(world, &other);
        INVARIANT(!world->links[0].closing);
        INVARIANT(!other.links[0].closing);
        INVARIANT(other.serving);
        world_compare(world, &other);
    }
    world_close(&other);
}

#endif

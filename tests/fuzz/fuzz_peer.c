/* SPDX-License-Identifier: BSD-3-Clause */
/* A node that is paired, and messages of any bytes from its peer. The first
 * four bytes say how the two met: whether the peer compares, who called, what
 * both hold, its plan, and whether our node verifies; then come frames, each a
 * type, a size and that many bytes, which get a good header, so that what is
 * inside is what the state machine sees. Types beyond those of messages stand
 * for what happens in between. */
#include "tests/fuzz/node_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 256

enum between {
    PULL = 0x80,
    PASS,
    CHANGE,
    CONFIRM,
    CUT, /* A frame that comes in two pieces, with others in between. */
    MEET,
    BETWEEN_END,
};

static struct reader script;

static uint8_t byte(void)
{
    return reader_u8(&script);
}

static void greet(struct world *world, uint8_t how)
{
    struct message hello = {.type = MESSAGE_HELLO,
                            .hello = {.version_min = 1,
                                      .version_max = 1,
                                      .features = how & 1 ? 7 : 0,
                                      .peer_incarnation = how & 0x40 ? 8 : 0,
                                      .peer_applied = how & 0x40 ? 1 : 0,
                                      .acked_by = how & 0x80 ? 8 : 0,
                                      .pair = SLICE_LITERAL("fuzz"),
                                      .node = 1,
                                      .incarnation = 2,
                                      .node_bit = how >> 1 & 1,
                                      .now_ns = world_now(),
                                      .items = how & 4 ? 10 : 0,
                                      .item_bytes_max = MIB}};

    world_connect(world, how & 8);
    world_pull(world, 0);
    world_say(world, 0, &hello);
    world_pull(world, 0);
}

static void confirm(struct world *world)
{
    struct message message = {.type = MESSAGE_ACK};

    message.ack.applied = world->heard.through;
    message.ack.through_hash = world->heard.marked;
    message.ack.done = world->heard.marked_done;
    world->heard.marked = 0;
    world->heard.marked_done = false;
    world_say(world, 0, &message);
}

static void plan(struct world *world, uint8_t how)
{
    struct message message = {.type = MESSAGE_PLAN};

    message.plan.kind = (enum resync_kind)(1 + (how & 3));
    message.plan.live_after = how >> 4;
    if (how & 4)
        return;
    world_say(world, 0, &message);
    world_pull(world, 0);
    confirm(world);
}

static void meet(struct world *world)
{
    uint8_t how = byte(), planned = byte(), held = byte(), ordered = byte();

    for (uint8_t i = 0; i < (held & 15); i++)
        world_change(world, i, held & 0x80 ? 40000 : i * 8u);
    if (how & 0x10 && world->dialing) {
        world->dialing = false;
        node_dial_failed(world->node, world_now(), "nobody");
    }
    greet(world, how);
    plan(world, planned);
    if (ordered & 1)
        (void)node_verify(world->node, world_now(), ordered & 2);
    if (ordered & 4)
        (void)node_resync(
            world->node, world_now(),
            (enum resync_kind)(RESYNC_DELTA + (ordered >> 4) % 3));
    if (ordered & 8)
        world_pull(world, 0);
    world_settle(world);
}

static struct slice bytes_of(void)
{
    size_t size = reader_u16(&script);

    if (size > reader_left(&script))
        size = reader_left(&script);
    return reader_bytes(&script, size);
}

static void say_frame(struct world *world, uint8_t type, bool cut)
{
    struct slice bytes = bytes_of();
    size_t size = twin_frame(world_frame, type, bytes.data, bytes.size);
    size_t first = cut ? byte() : size;

    if (first > size)
        first = size;
    world_receive(world, 0, world_frame, first);
    if (first == size)
        return;
    world_pass(world, 1);
    world_receive(world, 0, world_frame + first, size - first);
}

static void step(struct world *world)
{
    uint8_t what = byte();

    if (what < PULL || what >= BETWEEN_END) {
        say_frame(world, what, false);
    } else if (what == PASS) {
        world_pass(world, (1u + byte()) * 5);
    } else if (what == CHANGE) {
        what = byte();
        world_change(world, what, what & 0x40 ? 50000 : what);
    } else if (what == CONFIRM) {
        confirm(world);
    } else if (what == CUT) {
        say_frame(world, byte(), true);
    } else if (what == MEET) {
        if (world->links[0].open)
            world_lose(world, 0);
        meet(world);
    } else if (world->links[0].open) {
        world_pull(world, 0);
    }
    world_settle(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    unsigned i;

    world_begin();
    world_open(&world, 7, size > 0 && data[0] & 0x20);
    reader_init(&script, data, size);
    meet(&world);
    for (i = 0; i < STEPS_MAX && reader_left(&script) > 0; i++)
        step(&world);
    world_is_sound(&world);
    world_close(&world);
    return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer that says anything, in messages that are well formed. The input is a
 * script: each step is a byte that chooses what happens and some that choose
 * how. Frames get a good header, and mutations the hash of their key, so that
 * the fuzzer spends itself on meaning and not on checksums; and there are steps
 * that do what an honest peer would, so that it comes to where lies matter. */
#include "tests/fuzz/node_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 512
#define LAST_NS (400ull * 365 * 24 * 3600 * NS_PER_S) /* What a node follows. \
                                                       */

/* The rest of the input, and what it has said. */
static struct reader script;
static uint64_t number_said;
static struct message part_said;
static char part_key[8];

static uint8_t byte(void)
{
    return reader_u8(&script);
}

/* Some of the rest of the script as it stands. */
static struct slice bytes_of(void)
{
    size_t size = reader_u16(&script);

    if (size > reader_left(&script))
        size = reader_left(&script);
    return reader_bytes(&script, size);
}

/* Around now, with either bit; and the ends of what there is. */
static stamp_t stamp_of(void)
{
    uint8_t chosen = byte();
    stamp_t ticks = world_now() & ~(STAMP_TICK_NS - 1);

    if (chosen == 0xff)
        return world_now() + LAST_NS;
    if (chosen == 0xfe)
        return world_now() + LAST_NS + 1;
    if (chosen == 0xfd)
        return 1;
    return ticks + ((uint64_t)(chosen >> 1) << 14) - (32u << 14) + (chosen & 1);
}

static uint64_t number_of(void)
{
    uint8_t chosen = byte();

    return chosen < 0xf0 ? chosen : UINT64_MAX >> (chosen & 0xf) * 4;
}

static uint64_t time_of(void)
{
    uint8_t chosen = byte();

    return chosen < 0xfc ? world_now() + (chosen - 100u) * NS_PER_MS
                         : UINT64_MAX >> (chosen & 3) * 21;
}

static uint64_t features_of(uint8_t more)
{
    return (more & 3u) | (more & 64 ? MESSAGE_FEATURE_FETCH : 0);
}

static void say_hello(struct world *world, unsigned link)
{
    uint8_t who = byte();
    uint8_t more = byte();
    struct message message = {.type = MESSAGE_HELLO,
                              .hello = {.version_min = 1,
                                        .version_max = 1 + (who >> 7),
                                        .features = features_of(more),
                                        .pair = SLICE_LITERAL("fuzz"),
                                        .node = 1 + (who & 3),
                                        .incarnation = 1 + (who >> 2 & 3),
                                        .node_bit = who >> 4 & 1,
                                        .node_bit_fixed = who >> 5 & 1,
                                        .joining = who >> 6 & 1,
                                        .item_bytes_max = MIB}};

    if (who == 0xff)
        message.hello.version_min = message.hello.version_max;
    if (more & 64)
        message.hello.pair = SLICE_LITERAL("other");
    if (more & 128)
        message.hello.node = 7;
    message.hello.now_ns = time_of();
    if (more & 4)
        message.hello.peer_incarnation = 8;
    message.hello.peer_applied = number_of();
    if (more & 8)
        message.hello.acked_by = 8;
    message.hello.acked = number_of();
    message.hello.stamp_last = stamp_of();
    message.hello.items = number_of();
    if (more & 16)
        message.hello.flush.floor = stamp_of();
    if (more & 32) {
        message.hello.flush.pending = stamp_of();
        message.hello.flush.due_ns = time_of();
    }
    world_say(world, link, &message);
}

static stamp_t stamp_below(stamp_t stamp)
{
    stamp_t other = stamp_of();

    return other < stamp ? other : stamp;
}

/* Both nodes have counted something. */
static void count(struct mutation *mutation)
{
    mutation->tally = (struct tally){
        .base_stamp = stamp_below(mutation->stamp),
        .base = number_of(),
        .share = {(int64_t)number_of(), (int64_t)number_of()},
        .counted = {stamp_below(mutation->stamp), stamp_below(mutation->stamp)},
    };
}

static struct mutation mutation_of(struct world *world, char room[8])
{
    struct mutation mutation = {.kind = (enum mutation_kind)(byte() % 3)};
    uint8_t more = byte();

    mutation.key = world_key(more, room);
    mutation.hash = engine_key_of(world->engine, mutation.key).hash;
    mutation.stamp = stamp_of();
    mutation.client_flags = more >> 7;
    mutation.state = more >> 4 & 7;
    more = byte();
    if (more & 1)
        mutation.expires_at_s = (uint32_t)(world_now() / NS_PER_S) + more % 8;
    if (more & 8)
        mutation.cas = number_of();
    if (mutation.kind != MUTATION_SET)
        mutation.key.size = 0;
    else if ((more & 0x30) == 0x30)
        count(&mutation);
    return mutation;
}

static struct slice value_of(const struct mutation *mutation, char room[24])
{
    uint8_t chosen = byte();

    if (mutation->kind != MUTATION_SET)
        return slice_make(NULL, 0);
    if (chosen < 0x80 && mutation->tally.base_stamp == STAMP_NONE)
        return slice_make(world_value, 8u * chosen);
    return slice_make(room, (size_t)snprintf(room, 24, "%llu",
                                             (unsigned long long)number_of()));
}

/* Mostly the next one. */
static uint64_t next_number(void)
{
    uint8_t chosen = byte();

    if (chosen == 0xff)
        number_said = number_of();
    else if (chosen >= 0x40)
        number_said += chosen - 0x3f;
    return chosen < 0x40 ? 0 : number_said;
}

static void say_batch(struct world *world, unsigned link)
{
    unsigned i, mutations = byte() % 8;
    struct codec_batch batch;
    struct mutation mutation;
    size_t size;
    char room[8], digits[24];

    INVARIANT(codec_batch_begin(&batch, world_frame, sizeof(world_frame)));
    for (i = 0; i < mutations; i++) {
        mutation = mutation_of(world, room);
        mutation.value = value_of(&mutation, digits);
        INVARIANT(codec_batch_add(&batch, &mutation, mutation.value.size, NULL,
                                  NULL));
    }
    size = codec_batch_end(&batch, next_number());
    world_receive(world, link, world_frame, size);
}

static void begin_part(struct world *world, uint8_t how)
{
    part_said = (struct message){.type = MESSAGE_PART};
    part_said.part.head = mutation_of(world, part_key);
    part_said.part.head.kind = MUTATION_SET;
    part_said.part.head.tally = (struct tally){0};
    part_said.part.head.key = slice_make(part_key, strlen(part_key));
    part_said.part.value_size = 1 + 256u * byte();
    if (how & 16)
        part_said.part.value_size = 2 * MIB;
    part_said.part.offset = how & 2 ? 1024u * byte() : 0;
}

/* One piece, or the next one of what was begun. */
static void say_part(struct world *world, unsigned link)
{
    uint8_t how = byte();
    uint64_t left;

    if (part_said.type != MESSAGE_PART || (how & 1) == 0)
        begin_part(world, how);
    else
        part_said.part.offset += part_said.part.data.size;
    left = part_said.part.value_size - part_said.part.offset;
    part_said.part.data = slice_make(world_value, 1u + 128u * byte());
    if (how & 4 && left <= CODEC_PART_BYTES)
        part_said.part.data.size = left;
    part_said.part.through = how & 8 ? next_number() : 0;
    world_say(world, link, &part_said);
}

/* ---- control ---- */

static void say_plan(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_PLAN};

    message.plan.kind = (enum resync_kind)(1 + byte() % 4);
    message.plan.live_after = number_said = number_of();
    message.plan.items = number_of();
    world_say(world, link, &message);
}

static void say_purge(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_PURGE};
    uint64_t present[2];

    message.purge.from = number_of();
    message.purge.to = UINT64_MAX;
    message.purge.floor = stamp_of();
    present[0] = message.purge.from;
    present[1] = UINT64_MAX;
    message.purge.present = present;
    message.purge.present_count = byte() % 3;
    world_say(world, link, &message);
}

static void say_mark(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_MARK};

    message.mark.through_hash = number_of();
    message.mark.done = byte() & 1;
    world_say(world, link, &message);
}

static void say_ack(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_ACK};

    message.ack.applied = number_of();
    message.ack.through_hash = number_of();
    message.ack.done = byte() & 1;
    message.ack.prompt = message.ack.done;
    world_say(world, link, &message);
}

static void say_flush(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_FLUSH};

    message.flush.floor = stamp_of();
    message.flush.pending = byte() & 1 ? stamp_of() : 0;
    message.flush.due_ns = time_of();
    world_say(world, link, &message);
}

static void say_heartbeat(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_HEARTBEAT};

    message.heartbeat.now_ns = time_of();
    message.heartbeat.echo_ns = time_of();
    message.heartbeat.echo_delay_ns = number_of();
    message.heartbeat.stamp_last = stamp_of();
    world_say(world, link, &message);
}

static void say_digest(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_DIGEST};
    static uint64_t sums[MESSAGE_GROUPS_MAX];
    static uint32_t counts[MESSAGE_GROUPS_MAX];

    message.digest.from = number_of();
    message.digest.to = UINT64_MAX - number_of();
    if (message.digest.to < message.digest.from)
        message.digest.to = message.digest.from;
    sums[0] = number_of();
    counts[0] = byte();
    message.digest.sums = sums;
    message.digest.counts = counts;
    message.digest.count = 1 + byte() * 4u;
    if (message.digest.count > MESSAGE_GROUPS_MAX)
        message.digest.count = MESSAGE_GROUPS_MAX;
    world_say(world, link, &message);
}

static void say_differ(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_DIFFER};
    uint64_t present[2];
    uint32_t numbers[2] = {0, 1};

    message.differ.from = byte() & 1 ? number_of() : 0;
    message.differ.through = UINT64_MAX;
    message.differ.groups = numbers;
    message.differ.groups_count = byte() % 3;
    present[0] = message.differ.from;
    present[1] = number_of();
    message.differ.hashes = present;
    message.differ.stamps = present + 1;
    message.differ.expiries = numbers;
    message.differ.items_count = byte() & 1;
    message.differ.last = number_of();
    world_say(world, link, &message);
}

static void say_words(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_REFUSE};

    message.refuse.reason = (enum refusal)(1 + byte() % REFUSAL_OTHERWISE);
    message.refuse.words = SLICE_LITERAL("no");
    if (byte() & 1)
        message = (struct message){.type = MESSAGE_GOODBYE,
                                   .goodbye = {SLICE_LITERAL("bye")}};
    world_say(world, link, &message);
}

static void say_want(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_WANT};
    uint64_t wanted[WORLD_KEYS * 2];
    char room[8];

    message.want.count = byte() % COUNT_OF(wanted);
    for (size_t i = 0; i < message.want.count; i++)
        wanted[i] =
            engine_key_of(world->engine, world_key((uint8_t)i, room)).hash;
    if (message.want.count > 0 && byte() & 1)
        wanted[0] = number_of() | 1;
    message.want.hashes = wanted;
    world_say(world, link, &message);
}

static void say_fetch(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_FETCH};
    uint64_t hashes[512];
    uint8_t how = byte();
    char room[8];

    message.fetch.count = how & 2 ? 8u * (how >> 2) + 1 : 1u + (how >> 2);
    message.fetch.hashes = hashes;
    for (size_t i = 0; i < message.fetch.count; i++)
        hashes[i] =
            engine_key_of(world->engine, world_key((uint8_t)(how + i), room))
                .hash;
    if (how & 1)
        message = (struct message){.type = MESSAGE_FETCHED,
                                   .fetched = {.answered = number_of()}};
    if (how & 1)
        message.fetched.found = message.fetched.answered / (1u + (how >> 1));
    world_say(world, link, &message);
}

static void wake_nobody(void *ctx)
{
    (void)ctx;
}

/* A client asks for what may not be here, and the last one does not wait. */
static void ask_here(struct world *world, unsigned link)
{
    uint64_t hashes[FETCH_KEYS_MAX];
    uint8_t how = byte();
    size_t count = 1 + how % FETCH_KEYS_MAX;
    char room[8];

    (void)link;
    fetch_drop(&world->fetch);
    for (size_t i = 0; i < count; i++)
        hashes[i] =
            engine_key_of(world->engine, world_key((uint8_t)(how + i), room))
                .hash;
    world->fetch =
        fetch_begin(world->fetches, hashes, count, wake_nobody, NULL);
}

typedef void say_fn(struct world *world, unsigned link);

static say_fn *const controls[] = {
    say_plan,  say_purge,  say_mark,   say_ack,  say_flush, say_heartbeat,
    say_words, say_digest, say_differ, say_want, say_fetch, ask_here};

static void say_control(struct world *world, unsigned link)
{
    controls[byte() % COUNT_OF(controls)](world, link);
}

static void say_frame(struct world *world, unsigned link)
{
    uint8_t type = byte() % (MESSAGE_FETCHED + 2);
    struct slice bytes = bytes_of();

    world_receive(world, link, world_frame,
                  twin_frame(world_frame, type, bytes.data, bytes.size));
}

static void say_bytes(struct world *world, unsigned link)
{
    struct slice bytes = bytes_of();

    world_receive(world, link, bytes.data, bytes.size);
}

/* ---- what an honest peer would say ---- */

static void confirm_what_came(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_ACK};

    message.ack.applied = world->heard.through;
    message.ack.through_hash = world->heard.marked;
    message.ack.done = world->heard.marked_done;
    message.ack.prompt = byte() & 1;
    world->heard.marked = 0;
    world->heard.marked_done = false;
    world_say(world, link, &message);
}

static void end_scan(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_MARK};

    message.mark.through_hash = UINT64_MAX;
    message.mark.done = true;
    world_say(world, link, &message);
}

static int ascending(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* All groups differ, in some of the keys. */
static void list_keys(struct world *world, struct message *message)
{
    static uint64_t hashes[WORLD_KEYS], stamps[WORLD_KEYS];
    static uint32_t expiries[WORLD_KEYS], groups[MESSAGE_GROUPS_MAX];
    uint16_t listed = reader_u16(&script);
    size_t items = 0;
    char room[8];

    for (uint32_t i = 0; i < world->heard.groups; i++)
        groups[i] = i;
    for (uint8_t i = 0; i < WORLD_KEYS; i++) {
        uint64_t hash = engine_key_of(world->engine, world_key(i, room)).hash;

        if (listed >> i & 1 && hash >= message->differ.from &&
            hash <= message->differ.through)
            hashes[items++] = hash;
    }
    qsort(hashes, items, sizeof(hashes[0]), ascending);
    for (size_t i = 0; i < items; i++) {
        stamps[i] = stamp_of();
        expiries[i] = byte() & 1 ? (uint32_t)(world_now() / NS_PER_S) + 9 : 0;
    }
    message->differ.groups = groups;
    message->differ.groups_count = world->heard.groups;
    message->differ.hashes = hashes;
    message->differ.stamps = stamps;
    message->differ.expiries = expiries;
    message->differ.items_count = items;
}

static void answer(struct world *world, unsigned link)
{
    struct message message = {.type = MESSAGE_DIFFER};
    uint8_t how = byte();

    message.differ.from = world->heard.from;
    message.differ.through = world->heard.to;
    if (how & 2) /* A part of it. */
        message.differ.through -=
            (world->heard.to - world->heard.from) / (2u + (how >> 4));
    message.differ.last = how & 4 ? number_of() : 0;
    message.differ.behind = how & 8;
    if (how & 1)
        list_keys(world, &message);
    if (world->heard.questions > 0)
        world->heard.questions--;
    world_say(world, link, &message);
}

/* On a counter that it has heard of, in its own share. */
static void count_too(struct world *world, unsigned link)
{
    struct mutation mutation = world->heard.counter;
    struct codec_batch batch;
    char room[8];
    uint8_t how = byte();

    for (uint8_t i = 0; i < WORLD_KEYS; i++) {
        mutation.key = world_key(i, room);
        if (engine_key_of(world->engine, mutation.key).hash == mutation.hash)
            break;
    }
    if (mutation.hash == 0)
        return;
    mutation.stamp += 2u * how;
    mutation.tally.share[how & 1] += (int64_t)number_of();
    mutation.tally.counted[how & 1] = mutation.stamp;
    mutation.value = SLICE_LITERAL("99");
    INVARIANT(codec_batch_begin(&batch, world_frame, sizeof(world_frame)));
    INVARIANT(codec_batch_add(&batch, &mutation, 2, NULL, NULL));
    world_receive(world, link, world_frame, codec_batch_end(&batch, 0));
}

static void act_well(struct world *world, unsigned link)
{
    static say_fn *const ways[] = {confirm_what_came, confirm_what_came, answer,
                                   end_scan, count_too};

    if (world->links[link].open)
        world_pull(world, link);
    ways[byte() % COUNT_OF(ways)](world, link);
    if (world->links[link].open && !world->links[link].closing)
        world_pull(world, link);
}

/* ---- what happens besides ---- */

static void order(struct world *world)
{
    struct node_verified verified;
    uint64_t now_ns = world_now();
    uint8_t what = byte();

    switch (what % 10) {
    case 0:
    case 1:
        (void)node_verify(world->node, now_ns, what & 1);
        break;
    case 2:
    case 3:
        (void)node_resync(world->node, now_ns,
                          (enum resync_kind)(RESYNC_DELTA + what / 10 % 3));
        break;
    case 4:
        (void)node_pause(world->node, now_ns);
        break;
    case 5:
        (void)node_resume(world->node, now_ns);
        break;
    case 6:
        (void)node_handoff(world->node, now_ns);
        break;
    case 7:
        confirm_give_up(world->confirm);
        break;
    case 8:
        world->port_is_taken = !world->port_is_taken;
        break;
    default:
        if (what < 0xe0 || world->drained)
            break;
        world->drained = true;
        node_drain(world->node, now_ns);
        break;
    }
    (void)node_verify_result(world->node, &verified);
    (void)node_resync_progress(world->node);
    (void)node_handoff_progress(world->node, now_ns);
}

static void change_here(struct world *world)
{
    uint8_t how = byte();

    world_change(world, how, how & 0x40 ? 50000 : how);
}

static void step(struct world *world)
{
    uint8_t what = byte();
    unsigned link = what >> 4 & (NODE_LINKS_MAX - 1);
    static say_fn *const says[] = {
        [1] = say_hello,   [2] = say_frame,   [3] = say_bytes,
        [4] = say_batch,   [5] = say_batch,   [6] = say_part,
        [7] = say_control, [8] = say_control, [14] = act_well,
    };

    switch (what & 0xf) {
    case 0:
        world_connect(world, byte() & 1);
        break;
    case 9:
        world_pass(world, (1u + byte()) * 5);
        break;
    case 10:
        if (world->links[link].open && what & 0x40)
            node_insecure(world->node, world_now(), link, "no secret");
        else if (world->links[link].open)
            world_lose(world, link);
        break;
    case 11:
        change_here(world);
        break;
    case 12:
        if (world->dialing) {
            world->dialing = false;
            node_dial_failed(world->node, world_now(), "fuzzed");
        }
        break;
    case 13:
        order(world);
        break;
    case 15:
        if (world->links[link].open)
            world_pull(world, link);
        (void)node_may_sleep(world->node);
        break;
    default:
        says[what & 0xf](world, link);
        break;
    }
    world_settle(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    unsigned i;

    world_begin();
    world_open(&world, 7, size > 0 && data[0] >= 0x80);
    reader_init(&script, data, size);
    number_said = 0;
    part_said = (struct message){.type = MESSAGE_HELLO};
    for (i = 0; i < STEPS_MAX && reader_left(&script) > 0; i++)
        step(&world);
    if (!world.drained)
        world_is_sound(&world);
    world_close(&world);
    return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/codec.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/replication/codec_twin.h"
#include "tests/unit/unit.h"

#define RANDOM_BATCHES 3000
#define RANDOM_PARTS 3000
#define BATCH_RANDOM_MAX 12

static struct codec *codec;
static char frame[TWIN_FRAME_MAX];
static char room[TWIN_FRAME_MAX];
static char bytes_of_anything[CODEC_PART_BYTES];

static void set_up(void)
{
    codec = codec_new();
    ck_assert_ptr_nonnull(codec);
}

static void tear_down(void)
{
    codec_free(&codec);
    ck_assert_ptr_null(codec);
}

/* ---- random messages ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t random_below(uint64_t bound)
{
    return random_u64() % bound;
}

/* Of any number of bits, so that varints of every length come up. */
static uint64_t random_wide(void)
{
    return random_u64() >> random_below(64);
}

static struct slice random_bytes(size_t size)
{
    size_t i;

    for (i = 0; i < 64; i++)
        bytes_of_anything[random_below(sizeof(bytes_of_anything))] =
            (char)random_u64();
    return slice_make(bytes_of_anything +
                          random_below(sizeof(bytes_of_anything) - size + 1),
                      size);
}

static struct tally random_tally(stamp_t stamp)
{
    return (struct tally){
        .base_stamp = 1 + random_wide() % stamp,
        .base = random_wide() * random_below(2),
        .share = {(int64_t)(random_wide() * random_below(2)),
                  (int64_t)(random_wide() * random_below(2))},
        .counted = {random_wide() % (stamp + 1) * random_below(2),
                    random_wide() % (stamp + 1) * random_below(2)}};
}

static struct mutation random_mutation(void)
{
    struct mutation mutation = {
        .kind = (enum mutation_kind)random_below(3),
        .hash = random_wide() | 1,
        .stamp = random_wide() % STAMP_ABSORB_MAX + 1,
        .expires_at_s = (uint32_t)(random_wide() * random_below(2)),
        .client_flags = (uint32_t)(random_wide() * random_below(2)),
        .state = (uint32_t)random_below(8),
        .cas = random_wide() * random_below(2),
    };

    if (mutation.kind != MUTATION_SET)
        return mutation;
    mutation.key = random_bytes(1 + random_below(MESSAGE_KEY_MAX));
    mutation.value =
        random_bytes(random_below(2) * random_below(1u << random_below(13)));
    if (mutation.value.size <= TALLY_VALUE_MAX && random_below(2) == 0)
        mutation.tally = random_tally(mutation.stamp);
    return mutation;
}

/* protobuf-c wants what it only reads as if it were to write it. */
static ProtobufCBinaryData lend(struct slice bytes)
{
    ProtobufCBinaryData lent = {.len = bytes.size};

    memcpy(&lent.data, &bytes.data, sizeof(lent.data));
    return lent;
}

static void wire_mutation(WIRE(Mutation) * wire,
                          const struct mutation *mutation)
{
    WIRE_INIT(mutation, wire);
    wire->kind = mutation->kind;
    wire->hash = mutation->hash;
    wire->stamp = mutation->stamp;
    wire->expires_at_s = mutation->expires_at_s;
    wire->client_flags = mutation->client_flags;
    wire->state = mutation->state;
    wire->cas = mutation->cas;
    wire->key = lend(mutation->key);
    wire->value = lend(mutation->value);
    wire->base_stamp = mutation->tally.base_stamp;
    wire->base_value = mutation->tally.base;
    wire->share_0 = mutation->tally.share[0];
    wire->counted_0 = mutation->tally.counted[0];
    wire->share_1 = mutation->tally.share[1];
    wire->counted_1 = mutation->tally.counted[1];
}

/* The message of a whole frame, which must be one. */
static struct slice decode(size_t size, struct message *message)
{
    size_t consumed, needed;

    ck_assert_int_eq(codec_decode(codec, slice_make(frame, size), message,
                                  &consumed, &needed),
                     0);
    ck_assert_uint_eq(consumed, size);
    return slice_make(frame + CODEC_HEADER_BYTES, size - CODEC_HEADER_BYTES);
}

static int refuse(uint32_t type, const void *bytes, size_t size)
{
    size_t consumed, needed, framed = twin_frame(frame, type, bytes, size);
    struct message message;
    int error;

    error = codec_decode(codec, slice_make(frame, framed), &message, &consumed,
                         &needed);
    ck_assert_uint_eq(consumed, error == 0 ? framed : 0);
    return error;
}

static size_t pack(const ProtobufCMessage *wire)
{
    ck_assert_uint_le(protobuf_c_message_get_packed_size(wire), sizeof(room));
    return protobuf_c_message_pack(wire, (uint8_t *)room);
}

/* ---- the hot path is what protobuf-c would make of it ---- */

static void fill(void *ctx, char *to, size_t size)
{
    memcpy(to, ctx, size);
}

START_TEST(random_batches_are_those_of_protobuf_c)
{
    struct mutation mutations[BATCH_RANDOM_MAX];
    WIRE(Mutation) wires[BATCH_RANDOM_MAX], *each[BATCH_RANDOM_MAX];
    struct codec_batch batch;
    struct message message;
    WIRE(Batch) wire;
    size_t round, i, size;

    for (round = 0; round < RANDOM_BATCHES; round++) {
        WIRE_INIT(batch, &wire);
        wire.mutations = each;
        wire.n_mutations = random_below(BATCH_RANDOM_MAX + 1);
        wire.through = random_wide() * random_below(2);
        for (i = 0; i < wire.n_mutations; i++) {
            mutations[i] = random_mutation();
            wire_mutation(&wires[i], &mutations[i]);
            each[i] = &wires[i];
        }
        ck_assert(codec_batch_begin(&batch, frame, sizeof(frame)));
        for (i = 0; i < wire.n_mutations; i++)
            ck_assert(codec_batch_add(
                &batch, &mutations[i], mutations[i].value.size,
                random_below(2) ? fill : NULL, wires[i].value.data));
        size = codec_batch_end(&batch, wire.through);
        ck_assert(twin_packs_to(&wire.base, frame, size));
        ck_assert(twin_batch_agrees(decode(size, &message), &message, room));
        ck_assert(twin_batch_equal(&wire, &message));
    }
}
END_TEST

static void random_part(struct message *message)
{
    message->type = MESSAGE_PART;
    do
        message->part.head = random_mutation();
    while (message->part.head.kind != MUTATION_SET);
    message->part.head.value = slice_make(NULL, 0);
    message->part.head.tally = (struct tally){.base_stamp = STAMP_NONE};
    message->part.data = random_bytes(1 + random_below(CODEC_PART_BYTES));
    message->part.offset = random_wide() % (MESSAGE_VALUE_MAX / 2);
    message->part.value_size = message->part.offset + message->part.data.size +
                               random_below(MESSAGE_VALUE_MAX / 4);
    message->part.through = random_wide() * random_below(2);
}

START_TEST(random_parts_are_those_of_protobuf_c)
{
    struct message message, decoded;
    WIRE(Mutation) head;
    WIRE(Part) wire;
    size_t round, size;

    for (round = 0; round < RANDOM_PARTS; round++) {
        random_part(&message);
        WIRE_INIT(part, &wire);
        wire_mutation(&head, &message.part.head);
        wire.head = &head;
        wire.value_size = message.part.value_size;
        wire.offset = message.part.offset;
        wire.data = lend(message.part.data);
        wire.through = message.part.through;

        size = codec_encode(codec, &message, frame, sizeof(frame));
        ck_assert(twin_packs_to(&wire.base, frame, size));
        ck_assert(
            twin_part_agrees(decode(size, &decoded), codec, &decoded, room));
        ck_assert(twin_part_equal(&wire, &decoded));
    }
}
END_TEST

/* ---- control messages ---- */

static const uint32_t numbers[] = {1, 5, 1000};
static const uint64_t present[] = {17, 18, 1000};

static const struct message controls[] = {
    {.type = MESSAGE_HELLO,
     .hello = {.version_min = 1,
               .version_max = 3,
               .features = 1ull << 63,
               .pair = {"sessions", 8},
               .node = 11,
               .incarnation = 12,
               .node_bit = 1,
               .node_bit_fixed = true,
               .peer_incarnation = 13,
               .peer_applied = 1ull << 40,
               .acked_by = 18,
               .acked = 1ull << 41,
               .doubted = STAMP_ABSORB_MAX,
               .now_ns = 14,
               .stamp_last = 15,
               .items = 16,
               .item_bytes_max = 1u << 20,
               .flush = {.floor = 5, .pending = 9, .due_ns = 77},
               .joining = true}},
    {.type = MESSAGE_REFUSE,
     .refuse = {.reason = REFUSAL_PAIRED, .words = {"taken", 5}}},
    {.type = MESSAGE_PLAN,
     .plan = {.kind = RESYNC_DELTA, .live_after = 100, .items = 5}},
    {.type = MESSAGE_PURGE,
     .purge = {.from = 17,
               .to = 1000,
               .floor = 4711,
               .present = present,
               .present_count = 3}},
    {.type = MESSAGE_MARK, .mark = {.through_hash = 1ull << 50, .done = true}},
    {.type = MESSAGE_MARK, .mark = {.through_hash = 0, .done = false}},
    {.type = MESSAGE_MARK, .mark = {.idle = true}},
    {.type = MESSAGE_ACK,
     .ack = {.applied = 300, .through_hash = UINT64_MAX, .done = true}},
    {.type = MESSAGE_ACK, .ack = {.applied = 1, .prompt = true, .full = true}},
    {.type = MESSAGE_FLUSH,
     .flush = {.floor = 5, .pending = STAMP_ABSORB_MAX, .due_ns = 77}},
    {.type = MESSAGE_HEARTBEAT,
     .heartbeat =
         {.now_ns = 1, .echo_ns = 2, .echo_delay_ns = 3, .stamp_last = 4}},
    {.type = MESSAGE_GOODBYE, .goodbye = {.words = {"bye", 3}}},
    {.type = MESSAGE_DIGEST,
     .digest = {.from = 17,
                .to = UINT64_MAX,
                .sums = present,
                .counts = numbers,
                .count = 3}},
    {.type = MESSAGE_DIFFER,
     .differ = {.from = 1,
                .through = UINT64_MAX,
                .groups = numbers,
                .groups_count = 3,
                .hashes = present,
                .stamps = present,
                .expiries = numbers,
                .items_count = 3,
                .last = 99,
                .behind = true}},
    {.type = MESSAGE_WANT, .want = {.hashes = present, .count = 3}},
    {.type = MESSAGE_FETCH, .fetch = {.hashes = present, .count = 3}},
    {.type = MESSAGE_FETCHED, .fetched = {.answered = 1ull << 40, .found = 7}},
};

static void assert_hello_equal(const struct hello *a, const struct hello *b)
{
    ck_assert_uint_eq(a->version_min, b->version_min);
    ck_assert_uint_eq(a->version_max, b->version_max);
    ck_assert_uint_eq(a->features, b->features);
    ck_assert(slice_equal(a->pair, b->pair));
    ck_assert_uint_eq(a->node, b->node);
    ck_assert_uint_eq(a->incarnation, b->incarnation);
    ck_assert_uint_eq(a->node_bit, b->node_bit);
    ck_assert_int_eq(a->node_bit_fixed, b->node_bit_fixed);
    ck_assert_uint_eq(a->peer_incarnation, b->peer_incarnation);
    ck_assert_uint_eq(a->peer_applied, b->peer_applied);
    ck_assert_uint_eq(a->acked_by, b->acked_by);
    ck_assert_uint_eq(a->acked, b->acked);
    ck_assert_uint_eq(a->doubted, b->doubted);
    ck_assert_uint_eq(a->now_ns, b->now_ns);
    ck_assert_uint_eq(a->stamp_last, b->stamp_last);
    ck_assert_uint_eq(a->items, b->items);
    ck_assert_uint_eq(a->item_bytes_max, b->item_bytes_max);
    ck_assert_mem_eq(&a->flush, &b->flush, sizeof(a->flush));
    ck_assert_int_eq(a->joining, b->joining);
}

static void assert_differ_equal(const struct message *a,
                                const struct message *b)
{
    const size_t items = a->differ.items_count;

    ck_assert_uint_eq(a->differ.from, b->differ.from);
    ck_assert_uint_eq(a->differ.through, b->differ.through);
    ck_assert_uint_eq(a->differ.groups_count, b->differ.groups_count);
    ck_assert_mem_eq(a->differ.groups, b->differ.groups,
                     4 * a->differ.groups_count);
    ck_assert_uint_eq(items, b->differ.items_count);
    ck_assert_mem_eq(a->differ.hashes, b->differ.hashes, 8 * items);
    ck_assert_mem_eq(a->differ.stamps, b->differ.stamps, 8 * items);
    ck_assert_mem_eq(a->differ.expiries, b->differ.expiries, 4 * items);
    ck_assert_uint_eq(a->differ.last, b->differ.last);
    ck_assert_int_eq(a->differ.behind, b->differ.behind);
}

static void assert_equal(const struct message *a, const struct message *b)
{
    ck_assert_int_eq(a->type, b->type);
    switch (a->type) {
    case MESSAGE_HELLO:
        assert_hello_equal(&a->hello, &b->hello);
        break;
    case MESSAGE_REFUSE:
        ck_assert_int_eq(a->refuse.reason, b->refuse.reason);
        ck_assert(slice_equal(a->refuse.words, b->refuse.words));
        break;
    case MESSAGE_PLAN:
        ck_assert_int_eq(a->plan.kind, b->plan.kind);
        ck_assert_uint_eq(a->plan.live_after, b->plan.live_after);
        ck_assert_uint_eq(a->plan.items, b->plan.items);
        break;
    case MESSAGE_PURGE:
        ck_assert_uint_eq(a->purge.from, b->purge.from);
        ck_assert_uint_eq(a->purge.to, b->purge.to);
        ck_assert_uint_eq(a->purge.floor, b->purge.floor);
        ck_assert_uint_eq(a->purge.present_count, b->purge.present_count);
        ck_assert_mem_eq(a->purge.present, b->purge.present,
                         8 * a->purge.present_count);
        break;
    case MESSAGE_MARK:
        ck_assert_uint_eq(a->mark.through_hash, b->mark.through_hash);
        ck_assert_int_eq(a->mark.done, b->mark.done);
        ck_assert_int_eq(a->mark.idle, b->mark.idle);
        break;
    case MESSAGE_ACK:
        ck_assert_uint_eq(a->ack.applied, b->ack.applied);
        ck_assert_uint_eq(a->ack.through_hash, b->ack.through_hash);
        ck_assert_int_eq(a->ack.done, b->ack.done);
        ck_assert_int_eq(a->ack.prompt, b->ack.prompt);
        ck_assert_int_eq(a->ack.full, b->ack.full);
        break;
    case MESSAGE_FLUSH:
        ck_assert_mem_eq(&a->flush, &b->flush, sizeof(a->flush));
        break;
    case MESSAGE_HEARTBEAT:
        ck_assert_mem_eq(&a->heartbeat, &b->heartbeat, sizeof(a->heartbeat));
        break;
    case MESSAGE_GOODBYE:
        ck_assert(slice_equal(a->goodbye.words, b->goodbye.words));
        break;
    case MESSAGE_DIGEST:
        ck_assert_uint_eq(a->digest.from, b->digest.from);
        ck_assert_uint_eq(a->digest.to, b->digest.to);
        ck_assert_uint_eq(a->digest.count, b->digest.count);
        ck_assert_mem_eq(a->digest.sums, b->digest.sums, 8 * a->digest.count);
        ck_assert_mem_eq(a->digest.counts, b->digest.counts,
                         4 * a->digest.count);
        break;
    case MESSAGE_DIFFER:
        assert_differ_equal(a, b);
        break;
    case MESSAGE_WANT:
        ck_assert_uint_eq(a->want.count, b->want.count);
        ck_assert_mem_eq(a->want.hashes, b->want.hashes, 8 * a->want.count);
        break;
    case MESSAGE_FETCH:
        ck_assert_uint_eq(a->fetch.count, b->fetch.count);
        ck_assert_mem_eq(a->fetch.hashes, b->fetch.hashes, 8 * a->fetch.count);
        break;
    case MESSAGE_FETCHED:
        ck_assert_uint_eq(a->fetched.answered, b->fetched.answered);
        ck_assert_uint_eq(a->fetched.found, b->fetched.found);
        break;
    case MESSAGE_BATCH:
    case MESSAGE_PART:
        ck_abort_msg("not a control message");
    }
}

START_TEST(a_control_message_comes_back_as_it_went)
{
    struct message message;
    size_t size;

    size = codec_encode(codec, &controls[_i], frame, sizeof(frame));
    ck_assert_uint_ge(size, CODEC_HEADER_BYTES);
    (void)decode(size, &message);
    assert_equal(&controls[_i], &message);
}
END_TEST

START_TEST(no_room_no_frame)
{
    size_t size = codec_encode(codec, &controls[_i], frame, sizeof(frame));
    size_t less;

    for (less = 0; less < size; less++)
        ck_assert_uint_eq(codec_encode(codec, &controls[_i], frame, less), 0);
    ck_assert_uint_eq(codec_encode(codec, &controls[_i], frame, size), size);
}
END_TEST

START_TEST(a_cut_frame_asks_for_the_rest)
{
    size_t size = codec_encode(codec, &controls[_i], frame, sizeof(frame));
    size_t cut, consumed, needed;
    struct message message;

    for (cut = 0; cut < size; cut++) {
        ck_assert_int_eq(codec_decode(codec, slice_make(frame, cut), &message,
                                      &consumed, &needed),
                         0);
        ck_assert_uint_eq(consumed, 0);
        ck_assert_uint_eq(needed,
                          cut < CODEC_HEADER_BYTES ? CODEC_HEADER_BYTES : size);
    }
}
END_TEST

START_TEST(a_flipped_bit_is_noticed)
{
    size_t size = codec_encode(codec, &controls[0], frame, sizeof(frame));
    size_t consumed, needed, bit;
    struct message message;

    for (bit = 64; bit < 8 * size; bit++) {
        frame[bit / 8] ^= (char)(1 << bit % 8);
        ck_assert_int_eq(codec_decode(codec, slice_make(frame, size), &message,
                                      &consumed, &needed),
                         -ERR_CHECKSUM);
        frame[bit / 8] ^= (char)(1 << bit % 8);
    }
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    uint32_t size, type;
    int error;
} headers[] = {
    {0, 0, -ERR_SYNTAX},
    {0, MESSAGE_FETCHED + 1, -ERR_SYNTAX},
    {0, UINT32_MAX, -ERR_SYNTAX},
    {CODEC_MESSAGE_MAX + 1, MESSAGE_BATCH, -ERR_LIMIT},
    {UINT32_MAX, MESSAGE_BATCH, -ERR_LIMIT},
    {CODEC_MESSAGE_MAX, MESSAGE_PART, -ERR_LIMIT},
    {4097, MESSAGE_HELLO, -ERR_LIMIT},
    {4097, MESSAGE_HEARTBEAT, -ERR_LIMIT},
    {CODEC_MESSAGE_MAX, MESSAGE_BATCH, 0},
};

START_TEST(a_header_is_judged_before_its_message_comes)
{
    struct message message;
    size_t consumed, needed;
    struct writer writer;

    writer_init(&writer, frame, sizeof(frame));
    writer_u32(&writer, headers[_i].size);
    writer_u32(&writer, headers[_i].type);
    writer_u32(&writer, 0);
    ck_assert_int_eq(codec_decode(codec, slice_make(frame, CODEC_HEADER_BYTES),
                                  &message, &consumed, &needed),
                     headers[_i].error);
    ck_assert_uint_eq(consumed, 0);
}
END_TEST

#define GOOD \
    { \
        .kind = MUTATION_SET, .hash = 1, .stamp = 1, .key = {"k", 1}, \
    }

/* Each differs from a good one in a single thing. */
START_TEST(a_mutation_must_make_sense)
{
    const struct mutation good = GOOD;
    struct mutation bad[] = {good, good, good, good, good, good, good,
                             good, good, good, good, good, good, good};
    const int errors[] = {
        0,           -ERR_RANGE, -ERR_RANGE,  -ERR_RANGE, -ERR_SYNTAX,
        -ERR_SYNTAX, -ERR_RANGE, -ERR_SYNTAX, 0,          -ERR_RANGE,
        -ERR_RANGE,  -ERR_LIMIT, -ERR_LIMIT,  0,
    };
    struct codec_batch batch;
    struct message message;
    size_t consumed, needed, size;

    bad[1].hash = 0;
    bad[2].stamp = 0;
    bad[3].stamp = STAMP_ABSORB_MAX + 1;
    bad[4].key.size = 0;
    bad[5].kind = MUTATION_REMOVE;
    bad[5].value = SLICE_LITERAL("v");
    bad[6].state = 8;
    bad[7].kind = MUTATION_TOUCH;
    bad[7].value = SLICE_LITERAL("v");
    bad[8].tally = (struct tally){1, 0, {0, 0}, {1, 1}};
    bad[9].tally = (struct tally){2, 0, {0, 0}, {0, 0}};
    bad[10].tally = (struct tally){1, 0, {0, 0}, {0, 2}};
    bad[11].tally = bad[8].tally;
    bad[11].value = slice_make(bytes_of_anything, TALLY_VALUE_MAX + 1);
    bad[12].tally = bad[8].tally;
    bad[12].kind = MUTATION_TOUCH;
    bad[13].tally = bad[8].tally;
    bad[13].value = slice_make(bytes_of_anything, TALLY_VALUE_MAX);
    ck_assert(codec_batch_begin(&batch, frame, sizeof(frame)));
    ck_assert(codec_batch_add(&batch, &good, 0, NULL, NULL));
    ck_assert(
        codec_batch_add(&batch, &bad[_i], bad[_i].value.size, NULL, NULL));
    size = codec_batch_end(&batch, 1);
    ck_assert_int_eq(codec_decode(codec, slice_make(frame, size), &message,
                                  &consumed, &needed),
                     errors[_i]);
}
END_TEST

START_TEST(a_kind_or_key_out_of_bounds_is_refused)
{
    const struct mutation good = GOOD;
    WIRE(Mutation) wire, *each = &wire;
    WIRE(Batch) batch;

    WIRE_INIT(batch, &batch);
    batch.mutations = &each;
    batch.n_mutations = 1;
    wire_mutation(&wire, &good);
    wire.key = lend(random_bytes(MESSAGE_KEY_MAX));
    ck_assert_int_eq(refuse(MESSAGE_BATCH, room, pack(&batch.base)), 0);
    wire.key = lend(random_bytes(MESSAGE_KEY_MAX + 1));
    ck_assert_int_eq(refuse(MESSAGE_BATCH, room, pack(&batch.base)),
                     -ERR_LIMIT);
    wire_mutation(&wire, &good);
    wire.kind = MUTATION_TOUCH + 1;
    ck_assert_int_eq(refuse(MESSAGE_BATCH, room, pack(&batch.base)),
                     -ERR_RANGE);
}
END_TEST

static const struct {
    uint64_t value_size, offset;
    size_t data_size;
    int error;
} pieces[] = {
    {10, 0, 10, 0},
    {10, 9, 1, 0},
    {10, 0, 11, -ERR_RANGE},
    {10, 10, 1, -ERR_RANGE},
    {10, 11, 1, -ERR_RANGE},
    {10, UINT64_MAX, 2, -ERR_RANGE},
    {10, 5, 0, -ERR_RANGE},
    {MESSAGE_VALUE_MAX, 0, CODEC_PART_BYTES, 0},
    {MESSAGE_VALUE_MAX + 1, 0, 1, -ERR_LIMIT},
};

START_TEST(a_part_lies_within_its_value)
{
    struct message message = {
        .type = MESSAGE_PART,
        .part = {.head = GOOD,
                 .value_size = pieces[_i].value_size,
                 .offset = pieces[_i].offset,
                 .data = {bytes_of_anything, pieces[_i].data_size}}};
    struct message decoded;
    size_t consumed, needed, size;

    size = codec_encode(codec, &message, frame, sizeof(frame));
    ck_assert_int_eq(codec_decode(codec, slice_make(frame, size), &decoded,
                                  &consumed, &needed),
                     pieces[_i].error);
}
END_TEST

START_TEST(a_part_has_one_head_that_is_a_set)
{
    static const char headless[] = "\x10\x01\x22\x01v";
    static const char removal[] = "\x0a\x14\x08\x01\x11"
                                  "hhhhhhhh\x19"
                                  "sssssss\0"
                                  "\x10\x01\x22\x01v";
    static const char head[] = "\x0a\x15\x11"
                               "hhhhhhhh\x19"
                               "sssssss\0B\x01k";
    static const char rest[] = "\x10\x01\x22\x01v";
    char bytes[64];

    ck_assert_int_eq(refuse(MESSAGE_PART, headless, sizeof(headless) - 1),
                     -ERR_SYNTAX);
    ck_assert_int_eq(refuse(MESSAGE_PART, removal, sizeof(removal) - 1),
                     -ERR_SYNTAX);
    memcpy(bytes, head, 23);
    memcpy(bytes + 23, rest, 5);
    ck_assert_int_eq(refuse(MESSAGE_PART, bytes, 28), 0);
    memcpy(bytes + 23, head, 23);
    memcpy(bytes + 46, rest, 5);
    ck_assert_int_eq(refuse(MESSAGE_PART, bytes, 51), -ERR_SYNTAX);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
    int error;
} batches[] = {
    {"", 0, 0},
    {"\x10\x05", 2, 0},
    {"\x10", 1, -ERR_SYNTAX},                     /* A tag and no more. */
    {"\x11........", 9, -ERR_SYNTAX},             /* Not that wire type. */
    {"\x0a\x05", 2, -ERR_SYNTAX},                 /* Longer than the message. */
    {"\x0a\xff\xff\xff\xff\x0f", 6, -ERR_SYNTAX}, /* By far. */
    {"\x0a\x80\x80\x80\x80\x80\x00", 7, -ERR_SYNTAX}, /* Padded length. */
    {"\x00\x01", 2, -ERR_SYNTAX},                     /* Field 0. */
    {"\x13\x14", 2, -ERR_SYNTAX},                     /* A group. */
    {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, -ERR_SYNTAX},
    {"\x78\x01", 2, 0},     /* Unknown: a varint, */
    {"\x79........", 9, 0}, /* a fixed64, */
    {"\x7a\x03new", 5, 0},  /* bytes, */
    {"\x7d....", 5, 0},     /* a fixed32. */
    {"\x7d...", 4, -ERR_SYNTAX},
    {"\x7a\x04new", 5, -ERR_SYNTAX},
};

START_TEST(a_batch_is_read_as_bytes_come)
{
    ck_assert_int_eq(refuse(MESSAGE_BATCH, batches[_i].bytes, batches[_i].size),
                     batches[_i].error);
}
END_TEST

START_TEST(fields_of_a_newer_peer_are_skipped)
{
    static const char bytes[] = "\x7a\x03new\x0a\x20\x85\x01....\x11"
                                "hhhhhhhh\x19"
                                "sssssss\0B\x01k\x82\x01\x02no"
                                "\x10\x07";
    struct mutation mutation;
    struct message message;
    size_t at = 0, size;

    size = twin_frame(frame, MESSAGE_BATCH, bytes, 5 + 34 + 2);
    (void)decode(size, &message);
    ck_assert_uint_eq(message.batch.count, 1);
    ck_assert_uint_eq(message.batch.through, 7);
    ck_assert(codec_next_mutation(&message, &at, &mutation));
    ck_assert(slice_equal(mutation.key, SLICE_LITERAL("k")));
    ck_assert_uint_eq(mutation.hash, 0x6868686868686868u);
    ck_assert(!codec_next_mutation(&message, &at, &mutation));
}
END_TEST

START_TEST(a_hello_of_a_newer_peer_is_understood)
{
    size_t size = codec_encode(codec, &controls[0], room, sizeof(room));
    struct message message;

    memcpy(room + size, "\xfa\x01\x03new", 6);
    size = twin_frame(frame, MESSAGE_HELLO, room + CODEC_HEADER_BYTES,
                      size - CODEC_HEADER_BYTES + 6);
    (void)decode(size, &message);
    assert_hello_equal(&controls[0].hello, &message.hello);
}
END_TEST

START_TEST(a_newer_peer_may_refuse_for_reasons_of_its_own)
{
    WIRE(Refuse) refusal;
    struct message message;
    char words[] = "the moon is full";
    size_t size;

    WIRE_INIT(refuse, &refusal);
    refusal.reason = REFUSAL_OTHERWISE + 50;
    refusal.words = words;
    size = twin_frame(frame, MESSAGE_REFUSE, room, pack(&refusal.base));
    (void)decode(size, &message);
    ck_assert_int_eq(message.refuse.reason, REFUSAL_OTHERWISE);
    ck_assert(slice_equal(message.refuse.words, slice_of(words)));
}
END_TEST

START_TEST(a_hello_must_make_sense)
{
    struct message bad[] = {controls[0], controls[0], controls[0], controls[0],
                            controls[0], controls[0], controls[0], controls[0],
                            controls[0], controls[0]};
    struct message message;
    size_t consumed, needed, size;

    bad[0].hello.node = 0;
    bad[1].hello.incarnation = 0;
    bad[2].hello.node_bit = 2;
    bad[3].hello.version_min = 0;
    bad[4].hello.version_min = 4;
    bad[5].hello.stamp_last = STAMP_MAX;
    bad[6].hello.flush.floor = STAMP_MAX;
    bad[7].hello.flush.pending = STAMP_MAX;
    bad[8].hello.pair = SLICE_LITERAL("a\nb");
    bad[9].hello.doubted = STAMP_ABSORB_MAX + 1;
    size = codec_encode(codec, &bad[_i], frame, sizeof(frame));
    ck_assert_int_ne(codec_decode(codec, slice_make(frame, size), &message,
                                  &consumed, &needed),
                     0);
}
END_TEST

START_TEST(enums_and_stamps_are_bounded)
{
    WIRE(Heartbeat) heartbeat;
    WIRE(Refuse) refusal;
    WIRE(Plan) plan;

    WIRE_INIT(heartbeat, &heartbeat);
    heartbeat.stamp_last = STAMP_MAX;
    ck_assert_int_eq(refuse(MESSAGE_HEARTBEAT, room, pack(&heartbeat.base)),
                     -ERR_RANGE);
    WIRE_INIT(refuse, &refusal);
    ck_assert_int_eq(refuse(MESSAGE_REFUSE, room, pack(&refusal.base)),
                     -ERR_RANGE);
    WIRE_INIT(plan, &plan);
    ck_assert_int_eq(refuse(MESSAGE_PLAN, room, pack(&plan.base)), -ERR_RANGE);
    plan.kind = RESYNC_DIGEST + 1;
    ck_assert_int_eq(refuse(MESSAGE_PLAN, room, pack(&plan.base)), -ERR_RANGE);
}
END_TEST

START_TEST(words_write_no_lines_of_their_own)
{
    struct message message = {
        .type = MESSAGE_GOODBYE,
        .goodbye = {.words = SLICE_LITERAL("bye\nroot: \x1b[2J\x7f")}};
    struct message decoded;

    (void)decode(codec_encode(codec, &message, frame, sizeof(frame)), &decoded);
    ck_assert(
        slice_equal(decoded.goodbye.words, SLICE_LITERAL("bye?root: ?[2J?")));
}
END_TEST

START_TEST(words_are_cut_and_long_ones_refused)
{
    struct message message = {.type = MESSAGE_GOODBYE}, decoded;
    char words[MESSAGE_WORDS_MAX + 2];
    WIRE(Goodbye) wire;

    memset(words, 'w', sizeof(words));
    message.goodbye.words = slice_make(words, sizeof(words));
    (void)decode(codec_encode(codec, &message, frame, sizeof(frame)), &decoded);
    ck_assert_uint_eq(decoded.goodbye.words.size, MESSAGE_WORDS_MAX);

    words[MESSAGE_WORDS_MAX + 1] = '\0';
    WIRE_INIT(goodbye, &wire);
    wire.words = words;
    ck_assert_int_eq(refuse(MESSAGE_GOODBYE, room, pack(&wire.base)),
                     -ERR_LIMIT);
}
END_TEST

START_TEST(present_hashes_ascend_within_the_range)
{
    static uint64_t hashes[MESSAGE_PRESENT_MAX + 1];
    WIRE(Purge) wire;
    size_t i;

    WIRE_INIT(purge, &wire);
    for (i = 0; i < COUNT_OF(hashes); i++)
        hashes[i] = 10 + i;
    wire.from = 10;
    wire.to = 100000;
    wire.present = hashes;
    wire.n_present = MESSAGE_PRESENT_MAX;
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, pack(&wire.base)), 0);
    wire.n_present++;
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, pack(&wire.base)), -ERR_LIMIT);
    wire.n_present = 3;
    hashes[1] = hashes[2];
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, pack(&wire.base)),
                     -ERR_SYNTAX);
    hashes[1] = 11;
    wire.from = 11;
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, pack(&wire.base)), -ERR_RANGE);
    wire.from = 10;
    wire.to = 11;
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, pack(&wire.base)), -ERR_RANGE);
    wire.n_present = 0;
    wire.to = 9;
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, pack(&wire.base)), -ERR_RANGE);
}
END_TEST

START_TEST(a_digest_has_as_many_sums_as_counts)
{
    static uint64_t sums[MESSAGE_GROUPS_MAX + 1];
    static uint32_t counts[MESSAGE_GROUPS_MAX + 1];
    WIRE(Digest) wire;

    memset(counts, 0xff, sizeof(counts));
    WIRE_INIT(digest, &wire);
    ck_assert_int_eq(refuse(MESSAGE_DIGEST, room, pack(&wire.base)),
                     -ERR_SYNTAX);
    wire.to = 5;
    wire.sums = sums;
    wire.counts = counts;
    wire.n_sums = wire.n_counts = MESSAGE_GROUPS_MAX;
    ck_assert_int_eq(refuse(MESSAGE_DIGEST, room, pack(&wire.base)), 0);
    wire.from = 6;
    ck_assert_int_eq(refuse(MESSAGE_DIGEST, room, pack(&wire.base)),
                     -ERR_RANGE);
    wire.from = 5;
    wire.n_counts--;
    ck_assert_int_eq(refuse(MESSAGE_DIGEST, room, pack(&wire.base)),
                     -ERR_SYNTAX);
    wire.n_sums = wire.n_counts = MESSAGE_GROUPS_MAX + 1;
    ck_assert_int_eq(refuse(MESSAGE_DIGEST, room, pack(&wire.base)),
                     -ERR_LIMIT);
}
END_TEST

START_TEST(a_differ_lists_what_ascends_within_its_range)
{
    static uint64_t hashes[MESSAGE_LIST_MAX + 1], stamps[MESSAGE_LIST_MAX + 1];
    static uint32_t expiries[MESSAGE_LIST_MAX + 1];
    uint32_t groups[] = {0, 7, MESSAGE_GROUPS_MAX - 1};
    WIRE(Differ) wire;

    WIRE_INIT(differ, &wire);
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        hashes[i] = 10 + i;
        stamps[i] = 1;
    }
    wire.from = 10;
    wire.through = 9 + MESSAGE_LIST_MAX;
    wire.groups = groups;
    wire.n_groups = COUNT_OF(groups);
    wire.hashes = hashes;
    wire.stamps = stamps;
    wire.expiries = expiries;
    wire.n_hashes = wire.n_stamps = wire.n_expiries = MESSAGE_LIST_MAX;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)), 0);
    stamps[1] = STAMP_MAX;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_RANGE);
    stamps[1] = 1;
    wire.n_stamps--;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_SYNTAX);
    wire.n_hashes = wire.n_stamps = wire.n_expiries = MESSAGE_LIST_MAX + 1;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_LIMIT);
    wire.n_hashes = wire.n_stamps = wire.n_expiries = 3;
    groups[2]++;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_RANGE);
    groups[2] = 7;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_SYNTAX);
    groups[2] = 8;
    wire.through = 11;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_RANGE);
    wire.through = 12;
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)), 0);
    hashes[1] = hashes[0];
    ck_assert_int_eq(refuse(MESSAGE_DIFFER, room, pack(&wire.base)),
                     -ERR_SYNTAX);
}
END_TEST

/* protobuf-c notes every field it does not know; the arena ends that. */
START_TEST(a_crowd_of_unknown_fields_is_refused)
{
    size_t i;

    for (i = 0; i < 30000; i += 2)
        memcpy(room + i, "\x78\x01", 2);
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, i), -ERR_LIMIT);
    ck_assert_int_eq(refuse(MESSAGE_PURGE, room, 200), 0);
}
END_TEST

/* ---- composing ---- */

START_TEST(a_batch_ends_where_its_room_ends)
{
    const struct mutation mutation = GOOD;
    struct codec_batch batch, before;
    struct message message;
    size_t size, limit;

    for (limit = 0; limit < 400; limit++) {
        if (!codec_batch_begin(&batch, room, limit))
            continue;
        do
            before = batch;
        while (codec_batch_add(&batch, &mutation, 30, fill, bytes_of_anything));
        ck_assert_mem_eq(&before, &batch, sizeof(batch));
        size = codec_batch_end(&batch, UINT64_MAX);
        ck_assert_uint_le(size, limit);
        memcpy(frame, room, size);
        (void)decode(size, &message);
        ck_assert_uint_eq(message.batch.count, batch.count);
        ck_assert_uint_eq(message.batch.through, UINT64_MAX);
    }
    ck_assert_uint_ge(batch.count, 5);
}
END_TEST

START_TEST(a_batch_is_full_at_its_bounds)
{
    const struct mutation small = GOOD;
    struct codec_batch batch;
    struct message message;
    size_t i;

    ck_assert(codec_batch_begin(&batch, frame, SIZE_MAX));
    for (i = 0; i < MESSAGE_BATCH_MAX; i++)
        ck_assert(codec_batch_add(&batch, &small, 0, NULL, NULL));
    ck_assert(!codec_batch_add(&batch, &small, 0, NULL, NULL));
    (void)decode(codec_batch_end(&batch, 0), &message);
    ck_assert_uint_eq(message.batch.count, MESSAGE_BATCH_MAX);

    ck_assert(codec_batch_begin(&batch, frame, SIZE_MAX));
    while (codec_batch_add(&batch, &small, CODEC_WHOLE_VALUE_MAX, fill,
                           bytes_of_anything))
        continue;
    ck_assert_uint_le(codec_batch_end(&batch, UINT64_MAX), TWIN_FRAME_MAX);
}
END_TEST

START_TEST(one_mutation_too_many_is_refused)
{
    const struct mutation good = GOOD;
    struct codec_batch batch;
    size_t size, one;

    ck_assert(codec_batch_begin(&batch, room, sizeof(room)));
    ck_assert(codec_batch_add(&batch, &good, 0, NULL, NULL));
    one = batch.used - CODEC_HEADER_BYTES;
    while (codec_batch_add(&batch, &good, 0, NULL, NULL))
        continue;
    size = codec_batch_end(&batch, 0);
    memcpy(room + size, room + CODEC_HEADER_BYTES, one);
    ck_assert_int_eq(refuse(MESSAGE_BATCH, room + CODEC_HEADER_BYTES,
                            size - CODEC_HEADER_BYTES + one),
                     -ERR_LIMIT);
}
END_TEST

START_TEST(the_overhead_is_an_upper_bound)
{
    const struct mutation widest = {
        .kind = MUTATION_TOUCH,
        .hash = UINT64_MAX,
        .stamp = UINT64_MAX,
        .expires_at_s = UINT32_MAX,
        .client_flags = UINT32_MAX,
        .state = UINT32_MAX,
        .cas = UINT64_MAX,
        .key = {bytes_of_anything, MESSAGE_KEY_MAX},
        .tally = {UINT64_MAX, UINT64_MAX, {-1, -1}, {UINT64_MAX, UINT64_MAX}},
    };
    struct codec_batch batch;

    ck_assert(codec_batch_begin(&batch, frame, sizeof(frame)));
    ck_assert(codec_batch_add(&batch, &widest, CODEC_WHOLE_VALUE_MAX, fill,
                              bytes_of_anything));
    ck_assert_uint_le(batch.used - CODEC_HEADER_BYTES,
                      MESSAGE_KEY_MAX + CODEC_WHOLE_VALUE_MAX +
                          CODEC_MUTATION_OVERHEAD);
}
END_TEST

START_TEST(without_memory_there_is_no_codec)
{
    struct codec *none;

    memory_fail_at(1);
    ck_assert_ptr_null(codec_new());
    memory_fail_at(2);
    ck_assert_ptr_null(codec_new());
    memory_fail_at(0);
    none = NULL;
    codec_free(&none);
}
END_TEST

static void add_tests(TCase *tests)
{
    const int controls_count = (int)COUNT_OF(controls);

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, random_batches_are_those_of_protobuf_c);
    tcase_add_test(tests, random_parts_are_those_of_protobuf_c);
    tcase_add_loop_test(tests, a_control_message_comes_back_as_it_went, 0,
                        controls_count);
    tcase_add_loop_test(tests, no_room_no_frame, 0, controls_count);
    tcase_add_loop_test(tests, a_cut_frame_asks_for_the_rest, 0,
                        controls_count);
    tcase_add_test(tests, a_flipped_bit_is_noticed);
    tcase_add_loop_test(tests, a_header_is_judged_before_its_message_comes, 0,
                        (int)COUNT_OF(headers));
    tcase_add_loop_test(tests, a_mutation_must_make_sense, 0, 14);
    tcase_add_test(tests, a_kind_or_key_out_of_bounds_is_refused);
    tcase_add_loop_test(tests, a_part_lies_within_its_value, 0,
                        (int)COUNT_OF(pieces));
    tcase_add_test(tests, a_part_has_one_head_that_is_a_set);
    tcase_add_loop_test(tests, a_batch_is_read_as_bytes_come, 0,
                        (int)COUNT_OF(batches));
    tcase_add_test(tests, fields_of_a_newer_peer_are_skipped);
    tcase_add_test(tests, a_hello_of_a_newer_peer_is_understood);
    tcase_add_test(tests, a_newer_peer_may_refuse_for_reasons_of_its_own);
    tcase_add_loop_test(tests, a_hello_must_make_sense, 0, 10);
    tcase_add_test(tests, enums_and_stamps_are_bounded);
    tcase_add_test(tests, words_write_no_lines_of_their_own);
    tcase_add_test(tests, words_are_cut_and_long_ones_refused);
    tcase_add_test(tests, present_hashes_ascend_within_the_range);
    tcase_add_test(tests, a_digest_has_as_many_sums_as_counts);
    tcase_add_test(tests, a_differ_lists_what_ascends_within_its_range);
    tcase_add_test(tests, a_crowd_of_unknown_fields_is_refused);
    tcase_add_test(tests, a_batch_ends_where_its_room_ends);
    tcase_add_test(tests, a_batch_is_full_at_its_bounds);
    tcase_add_test(tests, one_mutation_too_many_is_refused);
    tcase_add_test(tests, the_overhead_is_an_upper_bound);
    tcase_add_test(tests, without_memory_there_is_no_codec);
}
UNIT_MAIN("codec", add_tests)

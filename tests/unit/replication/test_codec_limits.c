/* SPDX-License-Identifier: BSD-3-Clause */
/* Every limit of the decoder from both sides: what just fits is taken, what is
 * one more is not. */
#include "src/base/invariant.h"
#include "tests/unit/replication/codec_twin.h"
#include "tests/unit/unit.h"

#include "replication/codec_inner.h"

#include <stdio.h>
#include <string.h>

#define LIST_BYTES (16u * 1024)

static struct codec *codec;
static char room[TWIN_FRAME_MAX], frame[TWIN_FRAME_MAX];
static char text[CODEC_PART_BYTES + 2];
static uint64_t hashes[LIST_BYTES], stamps[LIST_BYTES];
static uint32_t small[LIST_BYTES];

static void setup(void)
{
    codec = codec_new();
    ck_assert_ptr_nonnull(codec);
    memset(text, 't', sizeof(text));
    for (size_t i = 0; i < LIST_BYTES; i++) {
        hashes[i] = i + 1;
        stamps[i] = 1;
        small[i] = 0;
    }
}

static void teardown(void)
{
    codec_free(&codec);
}

static int decode(uint32_t type, size_t size)
{
    size_t framed = twin_frame(frame, type, room, size);
    struct message message;
    size_t consumed, needed;

    return codec_decode(codec, slice_make(frame, framed), &message, &consumed,
                        &needed);
}

static int decode_wire(uint32_t type, const ProtobufCMessage *wire)
{
    ck_assert_uint_le(protobuf_c_message_get_packed_size(wire), sizeof(room));
    return decode(type, protobuf_c_message_pack(wire, (uint8_t *)room));
}

static ProtobufCBinaryData bytes_of(uint64_t size)
{
    ck_assert_uint_le(size, sizeof(text));
    return (ProtobufCBinaryData){size, (uint8_t *)text};
}

static char *text_of(uint64_t size)
{
    ck_assert_uint_lt(size, sizeof(text));
    memset(text, 't', size);
    text[size] = '\0';
    return text;
}

/* ---- messages of which one thing is as large as it is said ---- */

static WIRE(Hello) some_hello(void)
{
    WIRE(Hello) wire;

    WIRE_INIT(hello, &wire);
    wire.version_min = wire.version_max = 1;
    wire.node = wire.incarnation = 1;
    return wire;
}

static int pair_name(uint64_t size)
{
    WIRE(Hello) wire = some_hello();

    wire.pair = text_of(size);
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int node_bit(uint64_t bit)
{
    WIRE(Hello) wire = some_hello();

    wire.node_bit = (uint32_t)bit;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int version_min(uint64_t version)
{
    WIRE(Hello) wire = some_hello();

    wire.version_max = 5;
    wire.version_min = (uint32_t)version;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int hello_stamp(uint64_t stamp)
{
    WIRE(Hello) wire = some_hello();

    wire.stamp_last = stamp;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int hello_flush(uint64_t stamp)
{
    WIRE(Hello) wire = some_hello();
    WIRE(Flush) flush;

    WIRE_INIT(flush, &flush);
    flush.pending = stamp;
    wire.flush = &flush;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int flush_stamp(uint64_t stamp)
{
    WIRE(Flush) wire;

    WIRE_INIT(flush, &wire);
    wire.floor = stamp;
    return decode_wire(MESSAGE_FLUSH, &wire.base);
}

static int heartbeat_stamp(uint64_t stamp)
{
    WIRE(Heartbeat) wire;

    WIRE_INIT(heartbeat, &wire);
    wire.stamp_last = stamp;
    return decode_wire(MESSAGE_HEARTBEAT, &wire.base);
}

static int words(uint64_t size)
{
    WIRE(Goodbye) wire;

    WIRE_INIT(goodbye, &wire);
    wire.words = text_of(size);
    return decode_wire(MESSAGE_GOODBYE, &wire.base);
}

static int refusal_words(uint64_t size)
{
    WIRE(Refuse) wire;

    WIRE_INIT(refuse, &wire);
    wire.reason = 1;
    wire.words = text_of(size);
    return decode_wire(MESSAGE_REFUSE, &wire.base);
}

static int plan_kind(uint64_t kind)
{
    WIRE(Plan) wire;

    WIRE_INIT(plan, &wire);
    wire.kind = (uint32_t)kind;
    return decode_wire(MESSAGE_PLAN, &wire.base);
}

static int purge_count(uint64_t count)
{
    WIRE(Purge) wire;

    WIRE_INIT(purge, &wire);
    wire.to = UINT64_MAX;
    wire.n_present = count;
    wire.present = hashes;
    return decode_wire(MESSAGE_PURGE, &wire.base);
}

static int purge_floor(uint64_t stamp)
{
    WIRE(Purge) wire;

    WIRE_INIT(purge, &wire);
    wire.floor = stamp;
    return decode_wire(MESSAGE_PURGE, &wire.base);
}

static int purge_hash(uint64_t hash)
{
    WIRE(Purge) wire;
    uint64_t present = hash;

    WIRE_INIT(purge, &wire);
    wire.from = 5;
    wire.to = 10;
    wire.n_present = 1;
    wire.present = &present;
    return decode_wire(MESSAGE_PURGE, &wire.base);
}

static int digest_groups(uint64_t count)
{
    WIRE(Digest) wire;

    WIRE_INIT(digest, &wire);
    wire.to = UINT64_MAX;
    wire.n_sums = wire.n_counts = count;
    wire.sums = hashes;
    wire.counts = small;
    return decode_wire(MESSAGE_DIGEST, &wire.base);
}

static int differ_items(uint64_t count)
{
    WIRE(Differ) wire;

    WIRE_INIT(differ, &wire);
    wire.through = UINT64_MAX;
    wire.n_hashes = wire.n_stamps = wire.n_expiries = count;
    wire.hashes = hashes;
    wire.stamps = stamps;
    wire.expiries = small;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int want_hashes(uint64_t count)
{
    WIRE(Want) wire;

    WIRE_INIT(want, &wire);
    wire.n_hashes = count;
    wire.hashes = hashes;
    return decode_wire(MESSAGE_WANT, &wire.base);
}

static WIRE(Mutation) some_mutation(void)
{
    WIRE(Mutation) wire;

    WIRE_INIT(mutation, &wire);
    wire.hash = wire.stamp = 1;
    wire.key = bytes_of(1);
    return wire;
}

static int decode_batch(WIRE(Mutation) * mutation)
{
    WIRE(Batch) wire;

    WIRE_INIT(batch, &wire);
    wire.n_mutations = 1;
    wire.mutations = &mutation;
    return decode_wire(MESSAGE_BATCH, &wire.base);
}

static int key(uint64_t size)
{
    WIRE(Mutation) wire = some_mutation();

    wire.key = bytes_of(size);
    return decode_batch(&wire);
}

static int mutation_stamp(uint64_t stamp)
{
    WIRE(Mutation) wire = some_mutation();

    wire.stamp = stamp;
    return decode_batch(&wire);
}

static int mutation_count(uint64_t count)
{
    static WIRE(Mutation) * each[MESSAGE_BATCH_MAX + 1];
    WIRE(Mutation) one = some_mutation();
    WIRE(Batch) wire;

    ck_assert_uint_le(count, COUNT_OF(each));
    for (size_t i = 0; i < count; i++)
        each[i] = &one;
    WIRE_INIT(batch, &wire);
    wire.n_mutations = count;
    wire.mutations = each;
    return decode_wire(MESSAGE_BATCH, &wire.base);
}

static int decode_part(uint64_t value_size, uint64_t offset, uint64_t data)
{
    WIRE(Mutation) head = some_mutation();
    WIRE(Part) wire;

    WIRE_INIT(part, &wire);
    wire.head = &head;
    wire.value_size = value_size;
    wire.offset = offset;
    wire.data = bytes_of(data);
    return decode_wire(MESSAGE_PART, &wire.base);
}

static int part_data(uint64_t size)
{
    return decode_part(2 * CODEC_PART_BYTES, 0, size);
}

static int part_value(uint64_t size)
{
    return decode_part(size, 0, 1);
}

static int part_end(uint64_t offset)
{
    return decode_part(1000, offset, 10);
}

#define STAMP(fn) \
    { \
#fn, fn, STAMP_ABSORB_MAX, STAMP_ABSORB_MAX + 1 \
    }

static const struct {
    const char *name;
    int (*decode)(uint64_t n);
    uint64_t fits, too_much;
} limits[] = {
    {"pair_name", pair_name, MESSAGE_PAIR_NAME_MAX, MESSAGE_PAIR_NAME_MAX + 1},
    {"node_bit", node_bit, 1, 2},
    {"version", version_min, 5, 6},
    {"version 0", version_min, 1, 0},
    STAMP(hello_stamp),
    STAMP(hello_flush),
    STAMP(flush_stamp),
    STAMP(heartbeat_stamp),
    STAMP(purge_floor),
    STAMP(mutation_stamp),
    {"no stamp", mutation_stamp, 1, 0},
    {"words", words, MESSAGE_WORDS_MAX, MESSAGE_WORDS_MAX + 1},
    {"refusal", refusal_words, MESSAGE_WORDS_MAX, MESSAGE_WORDS_MAX + 1},
    {"plan", plan_kind, RESYNC_DIGEST, RESYNC_DIGEST + 1},
    {"no plan", plan_kind, RESYNC_CONTINUE, RESYNC_NONE},
    {"present", purge_count, MESSAGE_PRESENT_MAX, MESSAGE_PRESENT_MAX + 1},
    {"present, low", purge_hash, 5, 4},
    {"present, high", purge_hash, 10, 11},
    {"groups", digest_groups, MESSAGE_GROUPS_MAX, MESSAGE_GROUPS_MAX + 1},
    {"items", differ_items, MESSAGE_LIST_MAX, MESSAGE_LIST_MAX + 1},
    {"wanted", want_hashes, MESSAGE_LIST_MAX, MESSAGE_LIST_MAX + 1},
    {"key", key, MESSAGE_KEY_MAX, MESSAGE_KEY_MAX + 1},
    {"no key", key, 1, 0},
    {"batch", mutation_count, MESSAGE_BATCH_MAX, MESSAGE_BATCH_MAX + 1},
    {"part", part_data, CODEC_PART_BYTES, CODEC_PART_BYTES + 1},
    {"no part", part_data, 1, 0},
    {"value", part_value, MESSAGE_VALUE_MAX, MESSAGE_VALUE_MAX + 1},
    {"end of value", part_end, 990, 991},
};

START_TEST(what_fits_is_taken_and_one_more_is_not)
{
    int error = limits[_i].decode(limits[_i].fits);

    ck_assert_msg(error == 0, "%s: %s", limits[_i].name, error_words(error));
    ck_assert_msg(limits[_i].decode(limits[_i].too_much) != 0, "%s",
                  limits[_i].name);
}
END_TEST

/* ---- sizes of frames, judged by their headers ---- */

static const struct {
    uint32_t type, size_max;
} frames[] = {
    {MESSAGE_HELLO, 4096},
    {MESSAGE_REFUSE, 4096},
    {MESSAGE_PLAN, 4096},
    {MESSAGE_BATCH, CODEC_MESSAGE_MAX},
    {MESSAGE_PART, CODEC_PART_BYTES + 4096},
    {MESSAGE_PURGE, CODEC_CONTROL_MAX},
    {MESSAGE_MARK, 4096},
    {MESSAGE_ACK, 4096},
    {MESSAGE_FLUSH, 4096},
    {MESSAGE_HEARTBEAT, 4096},
    {MESSAGE_GOODBYE, 4096},
    {MESSAGE_DIGEST, CODEC_DIGEST_MAX},
    {MESSAGE_DIFFER, CODEC_DIFFER_MAX},
    {MESSAGE_WANT, CODEC_DIFFER_MAX},
};

static int judge(uint32_t type, uint32_t size, size_t *needed)
{
    struct message message;
    struct writer writer;
    size_t consumed;

    writer_init(&writer, frame, CODEC_HEADER_BYTES);
    writer_u32(&writer, size);
    writer_u32(&writer, type);
    writer_u32(&writer, 0);
    return codec_decode(codec, slice_make(frame, CODEC_HEADER_BYTES), &message,
                        &consumed, needed);
}

START_TEST(a_frame_is_as_large_as_its_type_allows)
{
    size_t needed;

    ck_assert_int_eq(judge(frames[_i].type, frames[_i].size_max, &needed), 0);
    ck_assert_uint_eq(needed, CODEC_HEADER_BYTES + frames[_i].size_max);
    ck_assert_int_eq(judge(frames[_i].type, frames[_i].size_max + 1, &needed),
                     -ERR_LIMIT);
}
END_TEST

START_TEST(types_have_an_end)
{
    uint32_t last = frames[COUNT_OF(frames) - 1].type;
    size_t needed;

    ck_assert_int_eq(judge(last, 1, &needed), 0);
    ck_assert_int_eq(judge(last + 1, 1, &needed), -ERR_SYNTAX);
    ck_assert_int_eq(judge(0, 1, &needed), -ERR_SYNTAX);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, what_fits_is_taken_and_one_more_is_not, 0,
                        COUNT_OF(limits));
    tcase_add_loop_test(tests, a_frame_is_as_large_as_its_type_allows, 0,
                        COUNT_OF(frames));
    tcase_add_test(tests, types_have_an_end);
}
UNIT_MAIN("codec limits", add_tests)

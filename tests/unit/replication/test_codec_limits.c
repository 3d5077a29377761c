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

static int hello_node(uint64_t node)
{
    WIRE(Hello) wire = some_hello();

    wire.node = node;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int hello_incarnation(uint64_t incarnation)
{
    WIRE(Hello) wire = some_hello();

    wire.incarnation = incarnation;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int hello_stamp(uint64_t stamp)
{
    WIRE(Hello) wire = some_hello();

    wire.stamp_last = stamp;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int hello_with_flush(uint64_t floor, uint64_t pending)
{
    WIRE(Hello) wire = some_hello();
    WIRE(Flush) flush;

    WIRE_INIT(flush, &flush);
    flush.floor = floor;
    flush.pending = pending;
    wire.flush = &flush;
    return decode_wire(MESSAGE_HELLO, &wire.base);
}

static int hello_floor(uint64_t stamp)
{
    return hello_with_flush(stamp, 0);
}

static int hello_pending(uint64_t stamp)
{
    return hello_with_flush(0, stamp);
}

static int flush(uint64_t floor, uint64_t pending)
{
    WIRE(Flush) wire;

    WIRE_INIT(flush, &wire);
    wire.floor = floor;
    wire.pending = pending;
    return decode_wire(MESSAGE_FLUSH, &wire.base);
}

static int flush_floor(uint64_t stamp)
{
    return flush(stamp, 0);
}

static int flush_pending(uint64_t stamp)
{
    return flush(0, stamp);
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

static int refusal_reason(uint64_t reason)
{
    WIRE(Refuse) wire;

    WIRE_INIT(refuse, &wire);
    wire.reason = (uint32_t)reason;
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

static int purge_of(uint64_t from, uint64_t first, uint64_t second)
{
    uint64_t present[] = {first, second};
    WIRE(Purge) wire;

    WIRE_INIT(purge, &wire);
    wire.from = from;
    wire.to = 10;
    wire.n_present = first == second ? 1 : 2;
    wire.present = present;
    return decode_wire(MESSAGE_PURGE, &wire.base);
}

static int purge_hash(uint64_t hash)
{
    return purge_of(5, hash, hash);
}

static int purge_second(uint64_t hash)
{
    return purge_of(5, 7, hash);
}

/* An empty range would be one that begins behind its end. */
static int purge_from(uint64_t from)
{
    WIRE(Purge) wire;

    WIRE_INIT(purge, &wire);
    wire.from = from;
    wire.to = 10;
    return decode_wire(MESSAGE_PURGE, &wire.base);
}

static int digest(uint64_t from, uint64_t sums, uint64_t counts)
{
    WIRE(Digest) wire;

    WIRE_INIT(digest, &wire);
    wire.from = from;
    wire.to = 10;
    wire.n_sums = sums;
    wire.n_counts = counts;
    wire.sums = hashes;
    wire.counts = small;
    return decode_wire(MESSAGE_DIGEST, &wire.base);
}

static int digest_groups(uint64_t count)
{
    return digest(0, count, count);
}

static int digest_counts(uint64_t count)
{
    return digest(0, 5, count);
}

static int digest_from(uint64_t from)
{
    return digest(from, 1, 1);
}

static WIRE(Differ) some_differ(size_t items)
{
    WIRE(Differ) wire;

    WIRE_INIT(differ, &wire);
    wire.from = 1;
    wire.through = LIST_BYTES;
    wire.n_hashes = wire.n_stamps = wire.n_expiries = items;
    wire.hashes = hashes;
    wire.stamps = stamps;
    wire.expiries = small;
    return wire;
}

static int differ_items(uint64_t count)
{
    WIRE(Differ) wire = some_differ(count);

    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int differ_stamps(uint64_t count)
{
    WIRE(Differ) wire = some_differ(5);

    wire.n_stamps = count;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int differ_expiries(uint64_t count)
{
    WIRE(Differ) wire = some_differ(5);

    wire.n_expiries = count;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int differ_from(uint64_t from)
{
    WIRE(Differ) wire = some_differ(0);

    wire.from = from;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

/* The second of two; the first has hash 5 and stamp 1. */
static int differ_item(uint64_t hash, uint64_t stamp)
{
    uint64_t two[] = {5, hash}, both[] = {1, stamp};
    WIRE(Differ) wire = some_differ(2);

    wire.hashes = two;
    wire.stamps = both;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int differ_hash(uint64_t hash)
{
    return differ_item(hash, 1);
}

static int differ_stamp(uint64_t stamp)
{
    return differ_item(6, stamp);
}

static int differ_first_hash(uint64_t hash)
{
    WIRE(Differ) wire = some_differ(1);

    wire.from = 0;
    wire.hashes = &hash;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int differ_group(uint64_t group)
{
    uint32_t groups[] = {5, (uint32_t)group};
    WIRE(Differ) wire = some_differ(0);

    wire.n_groups = 2;
    wire.groups = groups;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

/* That they ascend below their bound says it already. */
static int differ_groups(uint64_t count)
{
    uint32_t groups[MESSAGE_GROUPS_MAX + 1];
    WIRE(Differ) wire = some_differ(0);

    for (uint32_t i = 0; i < COUNT_OF(groups); i++)
        groups[i] = i;
    wire.n_groups = count;
    wire.groups = groups;
    return decode_wire(MESSAGE_DIFFER, &wire.base);
}

static int want_hash(uint64_t hash)
{
    WIRE(Want) wire;

    WIRE_INIT(want, &wire);
    wire.n_hashes = 1;
    wire.hashes = &hash;
    return decode_wire(MESSAGE_WANT, &wire.base);
}

static int want_hashes(uint64_t count)
{
    WIRE(Want) wire;

    WIRE_INIT(want, &wire);
    wire.n_hashes = count;
    wire.hashes = hashes;
    return decode_wire(MESSAGE_WANT, &wire.base);
}

static int fetch_hashes(uint64_t count)
{
    WIRE(Fetch) wire;

    WIRE_INIT(fetch, &wire);
    wire.n_hashes = count;
    wire.hashes = hashes;
    return decode_wire(MESSAGE_FETCH, &wire.base);
}

static int fetched_found(uint64_t found)
{
    WIRE(Fetched) wire;

    WIRE_INIT(fetched, &wire);
    wire.answered = 10;
    wire.found = found;
    return decode_wire(MESSAGE_FETCHED, &wire.base);
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

static int mutation_hash(uint64_t hash)
{
    WIRE(Mutation) wire = some_mutation();

    wire.hash = hash;
    return decode_batch(&wire);
}

static int mutation_kind(uint64_t kind)
{
    WIRE(Mutation) wire = some_mutation();

    wire.kind = (uint32_t)kind;
    return decode_batch(&wire);
}

static int mutation_state(uint64_t state)
{
    WIRE(Mutation) wire = some_mutation();

    wire.state = (uint32_t)state;
    return decode_batch(&wire);
}

static int removed_value(uint64_t size)
{
    WIRE(Mutation) wire = some_mutation();

    wire.kind = MUTATION_REMOVE;
    wire.value = bytes_of(size);
    return decode_batch(&wire);
}

static int touched_value(uint64_t size)
{
    WIRE(Mutation) wire = some_mutation();

    wire.kind = MUTATION_TOUCH;
    wire.value = bytes_of(size);
    return decode_batch(&wire);
}

/* Of version 9, all that is in it at most as new. */
static WIRE(Mutation) some_counter(void)
{
    WIRE(Mutation) wire = some_mutation();

    wire.stamp = 9;
    wire.value = bytes_of(1);
    wire.base_stamp = 9;
    return wire;
}

static int tally_base(uint64_t stamp)
{
    WIRE(Mutation) wire = some_counter();

    wire.base_stamp = stamp;
    return decode_batch(&wire);
}

static int tally_counted_0(uint64_t stamp)
{
    WIRE(Mutation) wire = some_counter();

    wire.counted_0 = stamp;
    return decode_batch(&wire);
}

static int tally_counted_1(uint64_t stamp)
{
    WIRE(Mutation) wire = some_counter();

    wire.counted_1 = stamp;
    return decode_batch(&wire);
}

static int tally_value(uint64_t size)
{
    WIRE(Mutation) wire = some_counter();

    wire.value = bytes_of(size);
    return decode_batch(&wire);
}

static int tally_kind(uint64_t kind)
{
    WIRE(Mutation) wire = some_counter();

    wire.value = bytes_of(0);
    wire.kind = (uint32_t)kind;
    return decode_batch(&wire);
}

/* Without a version to begin from there is nothing to count. */
static int no_tally(uint64_t field)
{
    WIRE(Mutation) wire = some_counter();

    wire.base_stamp = 0;
    wire.base_value = field == 1;
    wire.share_0 = field == 2;
    wire.counted_0 = field == 3;
    wire.share_1 = field == 4;
    wire.counted_1 = field == 5;
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

static int part_head(WIRE(Mutation) * head)
{
    WIRE(Part) wire;

    WIRE_INIT(part, &wire);
    wire.head = head;
    wire.value_size = 1;
    wire.data = bytes_of(1);
    return decode_wire(MESSAGE_PART, &wire.base);
}

static int part_heads(uint64_t count)
{
    WIRE(Mutation) head = some_mutation();

    return part_head(count > 0 ? &head : NULL);
}

static int part_kind(uint64_t kind)
{
    WIRE(Mutation) head = some_mutation();

    head.kind = (uint32_t)kind;
    return part_head(&head);
}

static int part_head_value(uint64_t size)
{
    WIRE(Mutation) head = some_mutation();

    head.value = bytes_of(size);
    return part_head(&head);
}

static int part_tally(uint64_t stamp)
{
    WIRE(Mutation) head = some_mutation();

    head.base_stamp = stamp;
    return part_head(&head);
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
    {"pair name", pair_name, MESSAGE_PAIR_NAME_MAX, MESSAGE_PAIR_NAME_MAX + 1},
    {"node bit", node_bit, 1, 2},
    {"version", version_min, 5, 6},
    {"version 0", version_min, 1, 0},
    {"node", hello_node, 1, 0},
    {"incarnation", hello_incarnation, 1, 0},
    STAMP(hello_stamp),
    STAMP(hello_floor),
    STAMP(hello_pending),
    STAMP(flush_floor),
    STAMP(flush_pending),
    STAMP(heartbeat_stamp),
    STAMP(purge_floor),
    STAMP(mutation_stamp),
    STAMP(differ_stamp),
    {"no stamp", mutation_stamp, 1, 0},
    {"no stamp listed", differ_stamp, 1, 0},
    {"no hash", mutation_hash, 1, 0},
    {"no hash listed", differ_first_hash, 1, 0},
    {"no hash wanted", want_hash, 1, 0},
    {"words", words, MESSAGE_WORDS_MAX, MESSAGE_WORDS_MAX + 1},
    {"refusal", refusal_words, MESSAGE_WORDS_MAX, MESSAGE_WORDS_MAX + 1},
    {"no reason", refusal_reason, REFUSAL_VERSION, 0},
    {"plan", plan_kind, RESYNC_DIGEST, RESYNC_DIGEST + 1},
    {"no plan", plan_kind, RESYNC_CONTINUE, RESYNC_NONE},
    {"present", purge_count, MESSAGE_PRESENT_MAX, MESSAGE_PRESENT_MAX + 1},
    {"present, low", purge_hash, 5, 4},
    {"present, high", purge_hash, 10, 11},
    {"present, second", purge_second, 8, 6},
    {"purge, range", purge_from, 10, 11},
    {"groups", digest_groups, MESSAGE_GROUPS_MAX, MESSAGE_GROUPS_MAX + 1},
    {"no groups", digest_groups, 1, 0},
    {"more counts than sums", digest_counts, 5, 6},
    {"less counts than sums", digest_counts, 5, 4},
    {"digest, range", digest_from, 10, 11},
    {"items", differ_items, MESSAGE_LIST_MAX, MESSAGE_LIST_MAX + 1},
    {"more stamps", differ_stamps, 5, 6},
    {"less stamps", differ_stamps, 5, 4},
    {"more expiries", differ_expiries, 5, 6},
    {"less expiries", differ_expiries, 5, 4},
    {"differ, range", differ_from, LIST_BYTES, LIST_BYTES + 1},
    {"hash, low", differ_hash, 6, 5},
    {"hash, high", differ_hash, LIST_BYTES, LIST_BYTES + 1},
    {"group, low", differ_group, 6, 5},
    {"group, high", differ_group, MESSAGE_GROUPS_MAX - 1, MESSAGE_GROUPS_MAX},
    {"differing", differ_groups, MESSAGE_GROUPS_MAX, MESSAGE_GROUPS_MAX + 1},
    {"wanted", want_hashes, MESSAGE_LIST_MAX, MESSAGE_LIST_MAX + 1},
    {"fetch", fetch_hashes, MESSAGE_FETCH_MAX, MESSAGE_FETCH_MAX + 1},
    {"no fetch", fetch_hashes, 1, 0},
    {"found", fetched_found, 10, 11},
    {"key", key, MESSAGE_KEY_MAX, MESSAGE_KEY_MAX + 1},
    {"no key", key, 1, 0},
    {"kind", mutation_kind, MUTATION_TOUCH, MUTATION_TOUCH + 1},
    {"kind, far", mutation_kind, MUTATION_REMOVE, UINT32_MAX},
    {"state", mutation_state, 7, 8},
    {"removed value", removed_value, 0, 1},
    {"touched value", touched_value, 0, 1},
    {"counter's base", tally_base, 9, 10},
    {"counter's share 0", tally_counted_0, 9, 10},
    {"counter's share 1", tally_counted_1, 9, 10},
    {"counter's value", tally_value, TALLY_VALUE_MAX, TALLY_VALUE_MAX + 1},
    {"counter, removed", tally_kind, MUTATION_SET, MUTATION_REMOVE},
    {"counter, touched", tally_kind, MUTATION_SET, MUTATION_TOUCH},
    {"no base, value", no_tally, 0, 1},
    {"no base, share 0", no_tally, 0, 2},
    {"no base, counted 0", no_tally, 0, 3},
    {"no base, share 1", no_tally, 0, 4},
    {"no base, counted 1", no_tally, 0, 5},
    {"batch", mutation_count, MESSAGE_BATCH_MAX, MESSAGE_BATCH_MAX + 1},
    {"part", part_data, CODEC_PART_BYTES, CODEC_PART_BYTES + 1},
    {"no part", part_data, 1, 0},
    {"value", part_value, MESSAGE_VALUE_MAX, MESSAGE_VALUE_MAX + 1},
    {"end of value", part_end, 990, 991},
    {"beyond the value", part_end, 990, UINT64_MAX},
    {"no head", part_heads, 1, 0},
    {"removed head", part_kind, MUTATION_SET, MUTATION_REMOVE},
    {"touched head", part_kind, MUTATION_SET, MUTATION_TOUCH},
    {"head with a value", part_head_value, 0, 1},
    {"head of a counter", part_tally, 0, 1},
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
    {MESSAGE_FETCH, CODEC_FETCH_MAX},
    {MESSAGE_FETCHED, 4096},
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

/* ---- messages as bytes ---- */

static const struct {
    uint32_t type;
    int error;
} empties[] = {
    {MESSAGE_HELLO, -ERR_RANGE}, {MESSAGE_REFUSE, -ERR_RANGE},
    {MESSAGE_PLAN, -ERR_RANGE},  {MESSAGE_BATCH, 0},
    {MESSAGE_PART, -ERR_SYNTAX}, {MESSAGE_PURGE, 0},
    {MESSAGE_MARK, 0},           {MESSAGE_ACK, 0},
    {MESSAGE_FLUSH, 0},          {MESSAGE_HEARTBEAT, 0},
    {MESSAGE_GOODBYE, 0},        {MESSAGE_DIGEST, -ERR_SYNTAX},
    {MESSAGE_DIFFER, 0},         {MESSAGE_WANT, 0},
};

START_TEST(an_empty_message_is_all_noughts)
{
    ck_assert_int_eq(decode(empties[_i].type, 0), empties[_i].error);
}
END_TEST

#define HASHES "hhhhhhhh"
#define STAMPS "sssssss\0"

/* What has to be said, and bytes that follow: fields again, and none. */
static const struct {
    uint32_t type;
    const char *bytes;
    size_t size;
    int error;
} odd[] = {
#define ODD(type, text, error) \
    { \
        type, text, sizeof(text) - 1, error \
    }
    /* A number that comes twice: the last one counts. */
    ODD(MESSAGE_PLAN, "\x08\x05\x08\x01", 0),
    ODD(MESSAGE_PLAN, "\x08\x01\x08\x05", -ERR_RANGE),
    ODD(MESSAGE_BATCH,
        "\x0a\x19\x08\x05\x08\x00\x11" HASHES "\x19" STAMPS "B\x01k", 0),
    ODD(MESSAGE_BATCH,
        "\x0a\x19\x08\x00\x08\x05\x11" HASHES "\x19" STAMPS "B\x01k",
        -ERR_RANGE),
    /* Numbers of as many bytes as there may be, and of one more. */
    ODD(MESSAGE_ACK, "\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 0),
    ODD(MESSAGE_ACK, "\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x10\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 0),
    ODD(MESSAGE_BATCH, "\x10\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x90\x80\x80\x80\x00\x01", 0), /* A tag of 5. */
    ODD(MESSAGE_BATCH, "\x90\x80\x80\x80\x80\x00\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0a\x80\x80\x80\x80\x00", -ERR_RANGE), /* No key. */
    ODD(MESSAGE_BATCH, "\x7a\x80\x80\x80\x80\x00", 0),          /* Unknown. */
    ODD(MESSAGE_BATCH, "\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x10\x01",
        -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x90\x80\x80\x80\x10\x01",
        -ERR_SYNTAX), /* A large tag. */
    /* Another wire type than the schema's, and a mutation that is cut. */
    ODD(MESSAGE_BATCH, "\x11" HASHES, -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0a\x16\x11" HASHES "\x19" STAMPS "B\x01k\x25",
        -ERR_SYNTAX),
    /* Lengths of nothing. */
    ODD(MESSAGE_BATCH, "\x0a\x00", -ERR_RANGE),
    ODD(MESSAGE_BATCH, "\x7a\x00", 0),
    ODD(MESSAGE_PART, "\x0a\x00\x10\x01\x22\x01v", -ERR_RANGE),
    ODD(MESSAGE_GOODBYE, "\x0a\x00", 0),
    ODD(MESSAGE_WANT, "\x0a\x00", 0),
    ODD(MESSAGE_PURGE, "\x22\x00", 0),
    /* Lists in one piece, in single numbers, in both. */
    ODD(MESSAGE_WANT, "\x0a\x08" HASHES, 0),
    ODD(MESSAGE_WANT, "\x09" HASHES, 0),
    ODD(MESSAGE_WANT, "\x09" HASHES "\x0a\x08" HASHES, 0),
    ODD(MESSAGE_WANT, "\x0a\x07hhhhhhh", -ERR_SYNTAX),
    ODD(MESSAGE_WANT,
        "\x0d"
        "hhhh",
        -ERR_SYNTAX),
    /* Field 0, a group, wire types that there are not, a field too many. */
    ODD(MESSAGE_ACK, "\x00\x01", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x0b\x0c", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x0e\x01", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x0f\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0e\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0f\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x7b\x10\x01", -ERR_SYNTAX),
    ODD(MESSAGE_HELLO, "\x22\x01\n", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x78\x01", 0),
    ODD(MESSAGE_ACK, "\x78", -ERR_SYNTAX),
#undef ODD
};

START_TEST(odd_bytes_mean_what_the_schema_says)
{
    memcpy(room, odd[_i].bytes, odd[_i].size);
    ck_assert_int_eq(decode(odd[_i].type, odd[_i].size), odd[_i].error);
}
END_TEST

/* Pieces of a list count together. */
START_TEST(a_list_in_pieces_has_one_limit)
{
    WIRE(Want) wire;
    size_t size;

    WIRE_INIT(want, &wire);
    wire.n_hashes = MESSAGE_LIST_MAX;
    wire.hashes = hashes;
    size = protobuf_c_message_pack(&wire.base, (uint8_t *)room);
    ck_assert_int_eq(decode(MESSAGE_WANT, size), 0);
    memcpy(room + size, "\x09" HASHES, 9);
    ck_assert_int_eq(decode(MESSAGE_WANT, size + 9), -ERR_LIMIT);
}
END_TEST

/* ---- cut at every byte ---- */

static size_t packed(const ProtobufCMessage *wire)
{
    return protobuf_c_message_pack(wire, (uint8_t *)room);
}

static size_t some_message(uint32_t type)
{
    WIRE(Mutation) mutation = some_counter(), *each[] = {&mutation, &mutation};
    WIRE(Batch) batch;
    WIRE(Part) part;
    WIRE(Differ) differ = some_differ(3);
    WIRE(Hello) hello = some_hello();

    switch (type) {
    case MESSAGE_HELLO:
        hello.pair = text_of(5);
        return packed(&hello.base);
    case MESSAGE_BATCH:
        WIRE_INIT(batch, &batch);
        batch.n_mutations = COUNT_OF(each);
        batch.mutations = each;
        batch.through = 300;
        return packed(&batch.base);
    case MESSAGE_PART:
        mutation = some_mutation();
        WIRE_INIT(part, &part);
        part.head = &mutation;
        part.value_size = part.offset = 300;
        part.value_size += 20;
        part.data = bytes_of(20);
        return packed(&part.base);
    default:
        return packed(&differ.base);
    }
}

static const struct {
    uint32_t type;
    const ProtobufCMessageDescriptor *wire;
} whole[] = {
    {MESSAGE_HELLO, &twincached__replication__hello__descriptor},
    {MESSAGE_BATCH, &twincached__replication__batch__descriptor},
    {MESSAGE_PART, &twincached__replication__part__descriptor},
    {MESSAGE_DIFFER, &twincached__replication__differ__descriptor},
};

static bool is_readable(const ProtobufCMessageDescriptor *type, size_t size)
{
    ProtobufCMessage *wire =
        protobuf_c_message_unpack(type, NULL, size, (const uint8_t *)room);
    bool readable = wire != NULL;

    protobuf_c_message_free_unpacked(wire, NULL);
    return readable;
}

/* Whole, it is taken; where a field is cut in two it is not, and nowhere is
 * there a byte read behind its end, which a sanitizer would tell. */
START_TEST(a_message_cut_anywhere_is_no_more_than_it_says)
{
    const size_t size = some_message(whole[_i].type);
    size_t taken = 0;

    ck_assert_int_eq(decode(whole[_i].type, size), 0);
    for (size_t cut = 0; cut < size; cut++) {
        bool good = decode(whole[_i].type, cut) == 0;

        ck_assert_msg(!good || is_readable(whole[_i].wire, cut), "cut at %zu",
                      cut);
        taken += good;
    }
    ck_assert_uint_lt(taken, size / 4);
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
    tcase_add_loop_test(tests, an_empty_message_is_all_noughts, 0,
                        COUNT_OF(empties));
    tcase_add_loop_test(tests, odd_bytes_mean_what_the_schema_says, 0,
                        COUNT_OF(odd));
    tcase_add_test(tests, a_list_in_pieces_has_one_limit);
    tcase_add_loop_test(tests, a_message_cut_anywhere_is_no_more_than_it_says,
                        0, COUNT_OF(whole));
}
UNIT_MAIN("codec limits", add_tests)

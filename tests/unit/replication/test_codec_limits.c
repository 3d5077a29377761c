/* SPDX-License-Identifier: BSD-3-Clause */
/* Every limit of the decoder from both sides: what just fits is taken, what is
 * one more is not. */
#include "tests/unit/replication/codec_room.h"

#include "replication/codec_inner.h"

#include <string.h>

#define LIST_BYTES (16u * 1024)

static char text[CODEC_PART_BYTES + 2];
static uint64_t hashes[LIST_BYTES], stamps[LIST_BYTES];
static uint32_t small[LIST_BYTES], ascending[MESSAGE_GROUPS_MAX + 1];

static void setup(void)
{
    room_setup();
    memset(text, 't', sizeof(text));
    for (size_t i = 0; i < LIST_BYTES; i++) {
        hashes[i] = i + 1;
        stamps[i] = 1;
        small[i] = 0;
    }
    for (uint32_t i = 0; i < COUNT_OF(ascending); i++)
        ascending[i] = i;
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

/* Good ones, each with all that the table below changes. */
static struct {
    WIRE(Hello) hello;
    WIRE(Flush) flush;
    WIRE(Refuse) refuse;
    WIRE(Plan) plan;
    WIRE(Mutation) mutation, removal, touch, counter;
    WIRE(Batch) batch;
    WIRE(Mutation) * mutations[MESSAGE_BATCH_MAX + 1];
    WIRE(Mutation) head;
    WIRE(Part) part;
    WIRE(Purge) purge;
    WIRE(Heartbeat) heartbeat;
    WIRE(Goodbye) goodbye;
    WIRE(Digest) digest;
    WIRE(Differ) differ;
    WIRE(Want) want;
    WIRE(Fetch) fetch;
    WIRE(Fetched) fetched;
} good;

static void make_mutations(void)
{
    WIRE_INIT(mutation, &good.mutation);
    good.mutation.hash = good.mutation.stamp = 9;
    good.removal = good.touch = good.counter = good.mutation;
    good.removal.kind = MUTATION_REMOVE;
    good.touch.kind = MUTATION_TOUCH;
    good.mutation.key = good.counter.key = bytes_of(1);
    good.counter.value = bytes_of(0);
    good.counter.base_stamp = 9;
    good.head = good.mutation;
    WIRE_INIT(batch, &good.batch);
    good.batch.mutations = good.mutations;
    WIRE_INIT(part, &good.part);
    good.part.head = &good.head;
    good.part.value_size = 2 * CODEC_PART_BYTES;
    good.part.offset = 10;
    good.part.data = bytes_of(1);
}

static void make_lists(void)
{
    WIRE_INIT(purge, &good.purge);
    good.purge.to = LIST_BYTES;
    good.purge.present = hashes;
    WIRE_INIT(digest, &good.digest);
    good.digest.to = LIST_BYTES;
    good.digest.sums = hashes;
    good.digest.counts = small;
    good.digest.n_sums = good.digest.n_counts = 5;
    WIRE_INIT(differ, &good.differ);
    good.differ.from = 1;
    good.differ.through = LIST_BYTES;
    good.differ.groups = ascending;
    good.differ.hashes = hashes;
    good.differ.stamps = stamps;
    good.differ.expiries = small;
    good.differ.n_hashes = good.differ.n_stamps = good.differ.n_expiries = 5;
    WIRE_INIT(want, &good.want);
    good.want.hashes = hashes;
    WIRE_INIT(fetch, &good.fetch);
    good.fetch.hashes = hashes;
    WIRE_INIT(fetched, &good.fetched);
    good.fetched.answered = 5;
}

static void make_good(void)
{
    WIRE_INIT(flush, &good.flush);
    WIRE_INIT(hello, &good.hello);
    good.hello.version_min = 1;
    good.hello.version_max = 5;
    good.hello.node = good.hello.incarnation = 1;
    good.hello.flush = &good.flush;
    WIRE_INIT(refuse, &good.refuse);
    good.refuse.reason = REFUSAL_VERSION;
    WIRE_INIT(plan, &good.plan);
    good.plan.kind = RESYNC_FULL;
    WIRE_INIT(heartbeat, &good.heartbeat);
    WIRE_INIT(goodbye, &good.goodbye);
    make_mutations();
    make_lists();
}

/* Sets the field of that name: a number, how long it is, or how many. */
static void set(ProtobufCMessage *wire, const char *name, uint64_t n)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(wire->descriptor, name);
    char *at;
    uint32_t low = (uint32_t)n;
    char *words = text_of(n < sizeof(text) ? n : 0);
    ProtobufCBinaryData bytes = bytes_of(n < sizeof(text) ? n : 0);

    ck_assert_ptr_nonnull(field);
    at = (char *)wire + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        memcpy((char *)wire + field->quantifier_offset, &n, sizeof(n));
    else if (field->type == PROTOBUF_C_TYPE_STRING)
        memcpy(at, &words, sizeof(words));
    else if (field->type == PROTOBUF_C_TYPE_BYTES)
        memcpy(at, &bytes, sizeof(bytes));
    else if (field->type == PROTOBUF_C_TYPE_UINT32 ||
             field->type == PROTOBUF_C_TYPE_FIXED32)
        memcpy(at, &low, sizeof(low));
    else
        memcpy(at, &n, sizeof(n));
}

/* Batches carry as many of that mutation as they are said to have; others are
 * encoded as they are. */
static const ProtobufCMessage *wrapped(const ProtobufCMessage *wire,
                                       uint32_t *type)
{
    static const struct {
        uint32_t type;
        const ProtobufCMessage *wire;
    } outer[] = {
        {MESSAGE_HELLO, &good.hello.base},
        {MESSAGE_FLUSH, &good.flush.base},
        {MESSAGE_REFUSE, &good.refuse.base},
        {MESSAGE_PLAN, &good.plan.base},
        {MESSAGE_BATCH, &good.batch.base},
        {MESSAGE_PART, &good.part.base},
        {MESSAGE_PURGE, &good.purge.base},
        {MESSAGE_HEARTBEAT, &good.heartbeat.base},
        {MESSAGE_GOODBYE, &good.goodbye.base},
        {MESSAGE_DIGEST, &good.digest.base},
        {MESSAGE_DIFFER, &good.differ.base},
        {MESSAGE_WANT, &good.want.base},
        {MESSAGE_FETCH, &good.fetch.base},
        {MESSAGE_FETCHED, &good.fetched.base},
    };

    if (wire == &good.head.base)
        wire = &good.part.base;
    for (size_t i = 0; i < COUNT_OF(outer); i++) {
        *type = outer[i].type;
        if (outer[i].wire == wire)
            return wire;
    }
    good.batch.n_mutations = 1;
    *type = MESSAGE_BATCH;
    return &good.batch.base;
}

static int decode_with(ProtobufCMessage *wire, const char *name, uint64_t n)
{
    const ProtobufCMessage *outer;
    uint32_t type;

    make_good();
    for (size_t i = 0; i < COUNT_OF(good.mutations); i++)
        good.mutations[i] = wire->descriptor == good.mutation.base.descriptor
                                ? (WIRE(Mutation) *)wire
                                : &good.mutation;
    set(wire, name, n);
    outer = wrapped(wire, &type);
    return decode_wire(type, outer);
}

#define STAMP(wire, field) \
    { \
        &good.wire.base, field, STAMP_ABSORB_MAX, STAMP_ABSORB_MAX + 1 \
    }

static const struct {
    ProtobufCMessage *wire;
    const char *field;
    uint64_t fits, too_much;
} limits[] = {
    {&good.hello.base, "pair", MESSAGE_PAIR_NAME_MAX,
     MESSAGE_PAIR_NAME_MAX + 1},
    {&good.hello.base, "node_bit", 1, 2},
    {&good.hello.base, "version_min", 5, 6},
    {&good.hello.base, "version_min", 1, 0},
    {&good.hello.base, "node", 1, 0},
    {&good.hello.base, "incarnation", 1, 0},
    STAMP(hello, "stamp_last"),
    STAMP(flush, "floor"),
    STAMP(flush, "pending"),
    STAMP(heartbeat, "stamp_last"),
    STAMP(purge, "floor"),
    STAMP(mutation, "stamp"),
    {&good.mutation.base, "stamp", 1, 0},
    {&good.mutation.base, "hash", 1, 0},
    {&good.goodbye.base, "words", MESSAGE_WORDS_MAX, MESSAGE_WORDS_MAX + 1},
    {&good.refuse.base, "words", MESSAGE_WORDS_MAX, MESSAGE_WORDS_MAX + 1},
    {&good.refuse.base, "reason", REFUSAL_VERSION, 0},
    {&good.plan.base, "kind", RESYNC_DIGEST, RESYNC_DIGEST + 1},
    {&good.plan.base, "kind", RESYNC_CONTINUE, RESYNC_NONE},
    {&good.purge.base, "present", MESSAGE_PRESENT_MAX, MESSAGE_PRESENT_MAX + 1},
    {&good.purge.base, "from", LIST_BYTES, LIST_BYTES + 1},
    {&good.digest.base, "counts", 5, 6},
    {&good.digest.base, "counts", 5, 4},
    {&good.digest.base, "from", LIST_BYTES, LIST_BYTES + 1},
    {&good.differ.base, "stamps", 5, 6},
    {&good.differ.base, "stamps", 5, 4},
    {&good.differ.base, "expiries", 5, 6},
    {&good.differ.base, "expiries", 5, 4},
    {&good.differ.base, "through", 5, 4},
    /* That groups ascend below their bound limits them already. */
    {&good.differ.base, "groups", MESSAGE_GROUPS_MAX, MESSAGE_GROUPS_MAX + 1},
    {&good.want.base, "hashes", MESSAGE_LIST_MAX, MESSAGE_LIST_MAX + 1},
    {&good.fetch.base, "hashes", MESSAGE_FETCH_MAX, MESSAGE_FETCH_MAX + 1},
    {&good.fetch.base, "hashes", 1, 0},
    {&good.fetched.base, "found", 5, 6},
    {&good.batch.base, "mutations", MESSAGE_BATCH_MAX, MESSAGE_BATCH_MAX + 1},
    {&good.mutation.base, "key", MESSAGE_KEY_MAX, MESSAGE_KEY_MAX + 1},
    {&good.mutation.base, "key", 1, 0},
    {&good.mutation.base, "kind", MUTATION_TOUCH, MUTATION_TOUCH + 1},
    {&good.mutation.base, "kind", MUTATION_REMOVE, UINT32_MAX},
    {&good.mutation.base, "state", 7, 8},
    {&good.removal.base, "value", 0, 1},
    {&good.touch.base, "value", 0, 1},
    /* Of a counter all is at most as new as its version. */
    {&good.counter.base, "base_stamp", 9, 10},
    {&good.counter.base, "counted_0", 9, 10},
    {&good.counter.base, "counted_1", 9, 10},
    {&good.counter.base, "value", TALLY_VALUE_MAX, TALLY_VALUE_MAX + 1},
    {&good.counter.base, "kind", MUTATION_SET, MUTATION_REMOVE},
    {&good.counter.base, "kind", MUTATION_SET, MUTATION_TOUCH},
    /* Without a version to begin from there is nothing to count. */
    {&good.mutation.base, "base_value", 0, 1},
    {&good.mutation.base, "share_0", 0, 1},
    {&good.mutation.base, "counted_0", 0, 1},
    {&good.mutation.base, "share_1", 0, 1},
    {&good.mutation.base, "counted_1", 0, 1},
    {&good.part.base, "data", CODEC_PART_BYTES, CODEC_PART_BYTES + 1},
    {&good.part.base, "data", 1, 0},
    {&good.part.base, "value_size", MESSAGE_VALUE_MAX, MESSAGE_VALUE_MAX + 1},
    {&good.part.base, "value_size", 11, 10}, /* Where this piece ends. */
    {&good.part.base, "offset", 2 * CODEC_PART_BYTES - 1, 2 * CODEC_PART_BYTES},
    {&good.part.base, "offset", 0, UINT64_MAX},
    {&good.head.base, "kind", MUTATION_SET, MUTATION_REMOVE},
    {&good.head.base, "kind", MUTATION_SET, MUTATION_TOUCH},
    {&good.head.base, "value", 0, 1},
    {&good.head.base, "base_stamp", 0, 1},
};

START_TEST(what_fits_is_taken_and_one_more_is_not)
{
    ProtobufCMessage *wire = limits[_i].wire;
    const char *field = limits[_i].field;
    int error = decode_with(wire, field, limits[_i].fits);

    ck_assert_msg(error == 0, "%s: %s", field, error_words(error));
    ck_assert_msg(decode_with(wire, field, limits[_i].too_much) != 0, "%s",
                  field);
}
END_TEST

/* ---- lists ---- */

static int purge_of(uint64_t first, uint64_t second)
{
    uint64_t present[] = {first, second};

    make_good();
    good.purge.from = 5;
    good.purge.to = 10;
    good.purge.n_present = first == second ? 1 : 2;
    good.purge.present = present;
    return decode_wire(MESSAGE_PURGE, &good.purge.base);
}

static int purge_hash(uint64_t hash)
{
    return purge_of(hash, hash);
}

static int purge_second(uint64_t hash)
{
    return purge_of(7, hash);
}

static int digest_groups(uint64_t count)
{
    make_good();
    good.digest.n_sums = good.digest.n_counts = count;
    return decode_wire(MESSAGE_DIGEST, &good.digest.base);
}

static int differ_items(uint64_t count)
{
    make_good();
    good.differ.n_hashes = good.differ.n_stamps = good.differ.n_expiries =
        count;
    return decode_wire(MESSAGE_DIFFER, &good.differ.base);
}

/* The second of two; the first has hash 5 and stamp 1. */
static int differ_item(uint64_t hash, uint64_t stamp)
{
    uint64_t two[] = {5, hash}, both[] = {1, stamp};

    make_good();
    good.differ.n_hashes = good.differ.n_stamps = good.differ.n_expiries = 2;
    good.differ.hashes = two;
    good.differ.stamps = both;
    return decode_wire(MESSAGE_DIFFER, &good.differ.base);
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
    make_good();
    good.differ.from = 0;
    good.differ.n_hashes = good.differ.n_stamps = good.differ.n_expiries = 1;
    good.differ.hashes = &hash;
    return decode_wire(MESSAGE_DIFFER, &good.differ.base);
}

static int differ_group(uint64_t group)
{
    uint32_t groups[] = {5, (uint32_t)group};

    make_good();
    good.differ.n_groups = 2;
    good.differ.groups = groups;
    return decode_wire(MESSAGE_DIFFER, &good.differ.base);
}

static int want_hash(uint64_t hash)
{
    make_good();
    good.want.n_hashes = 1;
    good.want.hashes = &hash;
    return decode_wire(MESSAGE_WANT, &good.want.base);
}

static int part_heads(uint64_t count)
{
    make_good();
    if (count == 0)
        good.part.head = NULL;
    return decode_wire(MESSAGE_PART, &good.part.base);
}

static const struct {
    const char *name;
    int (*decode)(uint64_t n);
    uint64_t fits, too_much;
} lists[] = {
    {"present, low", purge_hash, 5, 4},
    {"present, high", purge_hash, 10, 11},
    {"present, second", purge_second, 8, 6},
    {"groups", digest_groups, MESSAGE_GROUPS_MAX, MESSAGE_GROUPS_MAX + 1},
    {"no groups", digest_groups, 1, 0},
    {"items", differ_items, MESSAGE_LIST_MAX, MESSAGE_LIST_MAX + 1},
    {"hash, low", differ_hash, 6, 5},
    {"hash, high", differ_hash, LIST_BYTES, LIST_BYTES + 1},
    {"stamp", differ_stamp, STAMP_ABSORB_MAX, STAMP_ABSORB_MAX + 1},
    {"no stamp", differ_stamp, 1, 0},
    {"no hash", differ_first_hash, 1, 0},
    {"group, low", differ_group, 6, 5},
    {"group, high", differ_group, MESSAGE_GROUPS_MAX - 1, MESSAGE_GROUPS_MAX},
    {"no hash wanted", want_hash, 1, 0},
    {"no head", part_heads, 1, 0},
};

START_TEST(what_a_list_may_hold_is_taken_and_no_more)
{
    int error = lists[_i].decode(lists[_i].fits);

    ck_assert_msg(error == 0, "%s: %s", lists[_i].name, error_words(error));
    ck_assert_msg(lists[_i].decode(lists[_i].too_much) != 0, "%s",
                  lists[_i].name);
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

    writer_init(&writer, room, CODEC_HEADER_BYTES);
    writer_u32(&writer, size);
    writer_u32(&writer, type);
    writer_u32(&writer, 0);
    return codec_decode(codec, slice_make(room, CODEC_HEADER_BYTES), &message,
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

/* ---- as bytes ---- */

/* Pieces of a list count together. */
START_TEST(a_list_in_pieces_has_one_limit)
{
    size_t size;

    make_good();
    good.want.n_hashes = MESSAGE_LIST_MAX;
    size = protobuf_c_message_pack(&good.want.base, (uint8_t *)room);
    ck_assert_int_eq(decode(MESSAGE_WANT, size), 0);
    memcpy(room + size, "\x09hhhhhhhh", 9);
    ck_assert_int_eq(decode(MESSAGE_WANT, size + 9), -ERR_LIMIT);
}
END_TEST

/* ---- cut at every byte ---- */

static const struct {
    uint32_t type;
    const ProtobufCMessage *wire;
} whole[] = {
    {MESSAGE_HELLO, &good.hello.base},
    {MESSAGE_BATCH, &good.batch.base},
    {MESSAGE_PART, &good.part.base},
    {MESSAGE_DIFFER, &good.differ.base},
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
    size_t size, taken = 0;

    make_good();
    good.mutations[0] = good.mutations[1] = &good.counter;
    good.batch.n_mutations = 2;
    good.batch.through = 300;
    good.hello.pair = text_of(5);
    size = protobuf_c_message_pack(whole[_i].wire, (uint8_t *)room);
    ck_assert_int_eq(decode(whole[_i].type, size), 0);
    for (size_t cut = 0; cut < size; cut++) {
        bool fits = decode(whole[_i].type, cut) == 0;

        ck_assert_msg(!fits || is_readable(whole[_i].wire->descriptor, cut),
                      "cut at %zu", cut);
        taken += fits;
    }
    ck_assert_uint_lt(taken, size / 4);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, room_teardown);
    tcase_add_loop_test(tests, what_fits_is_taken_and_one_more_is_not, 0,
                        COUNT_OF(limits));
    tcase_add_loop_test(tests, what_a_list_may_hold_is_taken_and_no_more, 0,
                        COUNT_OF(lists));
    tcase_add_loop_test(tests, a_frame_is_as_large_as_its_type_allows, 0,
                        COUNT_OF(frames));
    tcase_add_test(tests, types_have_an_end);
    tcase_add_test(tests, a_list_in_pieces_has_one_limit);
    tcase_add_loop_test(tests, a_message_cut_anywhere_is_no_more_than_it_says,
                        0, COUNT_OF(whole));
}
UNIT_MAIN("codec limits", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Batches and parts: the same bytes as protobuf-c would make of the schema, by
 * hand, because this is where a pair spends its time. Values are copied once,
 * from the item into the frame, and never on the way in.
 *
 *   Batch:    { 0a size Mutation } ...  10 through
 *   Mutation: 08 kind  11 hash  19 stamp  25 expires_at_s  2d client_flags
 *             30 state  39 cas  42 size key  4a size value
 *             51 base_stamp  59 base  61 share_0  69 counted_0
 *             71 share_1  79 counted_1
 *   Part:     0a size Mutation  10 value_size  18 offset  22 size data
 *             28 through
 *
 * A number that is 0 and bytes that are empty are left out, fixed numbers are
 * little endian, all others are varints (protobuf.dev/programming-guides/
 * encoding). The reader takes fields in any order and skips those it does not
 * know, and takes nothing that protobuf-c would not take. */
#include "replication/codec_inner.h"

#include "src/base/invariant.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
    WIRE_NONE = 7, /* Of a number that is no field of ours. */
};

#define TAG(number, wire) (char)((number) << 3 | (wire))

enum mutation_field {
    MUTATION_FIELD_KIND = 1,
    MUTATION_FIELD_HASH,
    MUTATION_FIELD_STAMP,
    MUTATION_FIELD_EXPIRES_AT_S,
    MUTATION_FIELD_CLIENT_FLAGS,
    MUTATION_FIELD_STATE,
    MUTATION_FIELD_CAS,
    MUTATION_FIELD_KEY,
    MUTATION_FIELD_VALUE,
    MUTATION_FIELD_BASE_STAMP,
    MUTATION_FIELD_BASE,
    MUTATION_FIELD_SHARE_0,
    MUTATION_FIELD_COUNTED_0,
    MUTATION_FIELD_SHARE_1,
    MUTATION_FIELD_COUNTED_1,
};

enum batch_field {
    BATCH_FIELD_MUTATION = 1,
    BATCH_FIELD_THROUGH,
};

enum part_field {
    PART_FIELD_HEAD = 1,
    PART_FIELD_VALUE_SIZE,
    PART_FIELD_OFFSET,
    PART_FIELD_DATA,
    PART_FIELD_THROUGH,
};

#define VARINT_BYTES_MAX 10
#define VARINT32_BYTES_MAX 5 /* Of a tag or a length. */
#define THROUGH_BYTES_MAX (1 + VARINT_BYTES_MAX)

#define STATE_KNOWN (ITEM_STATE_STALE | ITEM_STATE_WON | ITEM_STATE_BINARY_KEY)

/* Each of these is called once for every mutation that goes out. */
#define EACH static inline __attribute__((always_inline))

/* ---- writing ---- */

static inline size_t varint_size(uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);

    if (LIKELY(value < (1u << 14)))
        return 1 + (value >= 1u << 7);

    return (bits + 6) / 7;
}

static inline char *put_varint(char *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (char)(value | 0x80);
        value >>= 7;
    }
    *at++ = (char)value;
    return at;
}

static inline char *put_number(char *at, char tag, uint64_t value)
{
    if (value == 0)
        return at;
    *at++ = tag;
    return put_varint(at, value);
}

static inline char *put_fixed64(char *at, char tag, uint64_t value)
{
    if (value == 0)
        return at;
    *at++ = tag;
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

static inline char *put_fixed32(char *at, char tag, uint32_t value)
{
    if (value == 0)
        return at;
    *at++ = tag;
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

static inline char *put_bytes(char *at, char tag, struct slice bytes)
{
    if (bytes.size == 0)
        return at;
    *at++ = tag;
    at = put_varint(at, bytes.size);
    memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static inline size_t number_size(uint64_t value)
{
    return value != 0 ? 1 + varint_size(value) : 0;
}

static inline size_t bytes_size(size_t size)
{
    return size != 0 ? 1 + varint_size(size) + size : 0;
}

/* All but the value. */
EACH size_t head_size(const struct mutation *mutation)
{
    return number_size(mutation->kind) + (mutation->hash != 0 ? 9u : 0u) +
           (mutation->stamp != 0 ? 9u : 0u) +
           (mutation->expires_at_s != 0 ? 5u : 0u) +
           (mutation->client_flags != 0 ? 5u : 0u) +
           number_size(mutation->state) + (mutation->cas != 0 ? 9u : 0u) +
           bytes_size(mutation->key.size);
}

/* Behind the value, which is what an older peer takes. */
EACH size_t tally_size(const struct tally *tally)
{
    if (LIKELY(tally->base_stamp == STAMP_NONE))
        return 0;
    return 9u + (tally->base != 0 ? 9u : 0u) +
           (tally->share[0] != 0 ? 9u : 0u) +
           (tally->counted[0] != 0 ? 9u : 0u) +
           (tally->share[1] != 0 ? 9u : 0u) +
           (tally->counted[1] != 0 ? 9u : 0u);
}

static char *put_tally(char *at, const struct tally *tally)
{
    if (tally->base_stamp == STAMP_NONE)
        return at;
    at = put_fixed64(at, TAG(MUTATION_FIELD_BASE_STAMP, WIRE_FIXED64),
                     tally->base_stamp);
    at = put_fixed64(at, TAG(MUTATION_FIELD_BASE, WIRE_FIXED64), tally->base);
    at = put_fixed64(at, TAG(MUTATION_FIELD_SHARE_0, WIRE_FIXED64),
                     (uint64_t)tally->share[0]);
    at = put_fixed64(at, TAG(MUTATION_FIELD_COUNTED_0, WIRE_FIXED64),
                     tally->counted[0]);
    at = put_fixed64(at, TAG(MUTATION_FIELD_SHARE_1, WIRE_FIXED64),
                     (uint64_t)tally->share[1]);
    return put_fixed64(at, TAG(MUTATION_FIELD_COUNTED_1, WIRE_FIXED64),
                       tally->counted[1]);
}

EACH char *put_head(char *at, const struct mutation *mutation)
{
    INVARIANT(mutation->key.size <= MESSAGE_KEY_MAX);

    at = put_number(at, TAG(MUTATION_FIELD_KIND, WIRE_VARINT), mutation->kind);
    at =
        put_fixed64(at, TAG(MUTATION_FIELD_HASH, WIRE_FIXED64), mutation->hash);
    at = put_fixed64(at, TAG(MUTATION_FIELD_STAMP, WIRE_FIXED64),
                     mutation->stamp);
    at = put_fixed32(at, TAG(MUTATION_FIELD_EXPIRES_AT_S, WIRE_FIXED32),
                     mutation->expires_at_s);
    at = put_fixed32(at, TAG(MUTATION_FIELD_CLIENT_FLAGS, WIRE_FIXED32),
                     mutation->client_flags);
    at =
        put_number(at, TAG(MUTATION_FIELD_STATE, WIRE_VARINT), mutation->state);
    at = put_fixed64(at, TAG(MUTATION_FIELD_CAS, WIRE_FIXED64), mutation->cas);
    return put_bytes(at, TAG(MUTATION_FIELD_KEY, WIRE_BYTES), mutation->key);
}

bool codec_batch_begin(struct codec_batch *batch, char *out, size_t room)
{
    if (room > CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX)
        room = CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX;
    if (room < CODEC_HEADER_BYTES + THROUGH_BYTES_MAX)
        return false;
    *batch = (struct codec_batch){
        .out = out,
        .room = room - THROUGH_BYTES_MAX,
        .used = CODEC_HEADER_BYTES,
    };
    return true;
}

bool codec_batch_add(struct codec_batch *batch, const struct mutation *mutation,
                     size_t value_size, codec_fill_fn *fill, void *ctx)
{
    size_t size = head_size(mutation) + bytes_size(value_size) +
                  tally_size(&mutation->tally);
    char *at = batch->out + batch->used;

    if (batch->count == MESSAGE_BATCH_MAX ||
        1 + varint_size(size) + size > batch->room - batch->used)
        return false;
    *at++ = TAG(BATCH_FIELD_MUTATION, WIRE_BYTES);
    at = put_varint(at, size);
    at = put_head(at, mutation);
    if (value_size > 0) {
        *at++ = TAG(MUTATION_FIELD_VALUE, WIRE_BYTES);
        at = put_varint(at, value_size);
        if (fill != NULL)
            fill(ctx, at, value_size);
        else
            memcpy(at, mutation->value.data, value_size);
        at += value_size;
    }
    at = put_tally(at, &mutation->tally);
    batch->used = (size_t)(at - batch->out);
    batch->count++;
    return true;
}

size_t codec_batch_end(struct codec_batch *batch, uint64_t through)
{
    char *at = batch->out + batch->used;

    at = put_number(at, TAG(BATCH_FIELD_THROUGH, WIRE_VARINT), through);
    batch->used = (size_t)(at - batch->out);
    codec_write_header(batch->out, MESSAGE_BATCH,
                       batch->used - CODEC_HEADER_BYTES);
    return batch->used;
}

void codec_write_part(struct codec *codec, const struct message *message,
                      struct writer *out)
{
    const struct mutation *head = &message->part.head;
    size_t size = head_size(head);
    char *at = (char *)out->at;

    INVARIANT(message->part.data.size <= CODEC_PART_BYTES);

    (void)codec;
    if (1 + varint_size(size) + size + number_size(message->part.value_size) +
            number_size(message->part.offset) +
            bytes_size(message->part.data.size) +
            number_size(message->part.through) >
        writer_left(out)) {
        out->failed = true;
        return;
    }
    *at++ = TAG(PART_FIELD_HEAD, WIRE_BYTES);
    at = put_varint(at, size);
    at = put_head(at, head);
    at = put_number(at, TAG(PART_FIELD_VALUE_SIZE, WIRE_VARINT),
                    message->part.value_size);
    at = put_number(at, TAG(PART_FIELD_OFFSET, WIRE_VARINT),
                    message->part.offset);
    at = put_bytes(at, TAG(PART_FIELD_DATA, WIRE_BYTES), message->part.data);
    at = put_number(at, TAG(PART_FIELD_THROUGH, WIRE_VARINT),
                    message->part.through);
    out->at = (unsigned char *)at;
}

/* ---- reading ---- */

struct field {
    uint64_t number;
    unsigned wire;      /* enum wire_type, or one that proto3 has not. */
    uint64_t value;     /* Of the numeric kinds. */
    struct slice bytes; /* Of WIRE_BYTES. */
};

static uint64_t take_varint(struct reader *reader, unsigned bytes_max)
{
    uint64_t value = 0;
    unsigned i;
    uint8_t byte;

    for (i = 0; i < bytes_max; i++) {
        byte = reader_u8(reader);
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    reader->failed = true;
    return 0;
}

static uint64_t take_fixed64(struct reader *reader)
{
    /* The reader is big endian as the frame's header is; this is not. */
    return __builtin_bswap64(reader_u64(reader));
}

static uint32_t take_fixed32(struct reader *reader)
{
    return __builtin_bswap32(reader_u32(reader));
}

/* False at the end, and when the reader failed. wires: of the fields that are
 * known, by number; a known one with another wire type is a failure, and so
 * is number 0, which has none. */
static inline bool next_field(struct reader *reader, const uint8_t *wires,
                              size_t wires_count, struct field *field)
{
    uint64_t tag;

    if (reader_left(reader) == 0)
        return false;
    tag = take_varint(reader, VARINT32_BYTES_MAX);
    field->number = tag >> 3;
    field->wire = (unsigned)(tag & 7);
    field->value = 0;
    switch (field->wire) {
    case WIRE_VARINT:
        field->value = take_varint(reader, VARINT_BYTES_MAX);
        break;
    case WIRE_FIXED64:
        field->value = take_fixed64(reader);
        break;
    case WIRE_BYTES:
        field->bytes =
            reader_bytes(reader, take_varint(reader, VARINT32_BYTES_MAX));
        break;
    case WIRE_FIXED32:
        field->value = take_fixed32(reader);
        break;
    default: /* Groups, for one. */
        reader->failed = true;
        break;
    }
    if (tag > UINT32_MAX ||
        (field->number < wires_count && wires[field->number] != field->wire))
        reader->failed = true;
    return !reader->failed;
}

static const uint8_t mutation_wires[] = {
    [0] = WIRE_NONE,
    [MUTATION_FIELD_KIND] = WIRE_VARINT,
    [MUTATION_FIELD_HASH] = WIRE_FIXED64,
    [MUTATION_FIELD_STAMP] = WIRE_FIXED64,
    [MUTATION_FIELD_EXPIRES_AT_S] = WIRE_FIXED32,
    [MUTATION_FIELD_CLIENT_FLAGS] = WIRE_FIXED32,
    [MUTATION_FIELD_STATE] = WIRE_VARINT,
    [MUTATION_FIELD_CAS] = WIRE_FIXED64,
    [MUTATION_FIELD_KEY] = WIRE_BYTES,
    [MUTATION_FIELD_VALUE] = WIRE_BYTES,
    [MUTATION_FIELD_BASE_STAMP] = WIRE_FIXED64,
    [MUTATION_FIELD_BASE] = WIRE_FIXED64,
    [MUTATION_FIELD_SHARE_0] = WIRE_FIXED64,
    [MUTATION_FIELD_COUNTED_0] = WIRE_FIXED64,
    [MUTATION_FIELD_SHARE_1] = WIRE_FIXED64,
    [MUTATION_FIELD_COUNTED_1] = WIRE_FIXED64,
};

static const uint8_t batch_wires[] = {
    [0] = WIRE_NONE,
    [BATCH_FIELD_MUTATION] = WIRE_BYTES,
    [BATCH_FIELD_THROUGH] = WIRE_VARINT,
};

static const uint8_t part_wires[] = {
    [0] = WIRE_NONE,
    [PART_FIELD_HEAD] = WIRE_BYTES,
    [PART_FIELD_VALUE_SIZE] = WIRE_VARINT,
    [PART_FIELD_OFFSET] = WIRE_VARINT,
    [PART_FIELD_DATA] = WIRE_BYTES,
    [PART_FIELD_THROUGH] = WIRE_VARINT,
};

static int check_tally(const struct mutation *mutation)
{
    const struct tally *tally = &mutation->tally;

    if (tally->base_stamp == STAMP_NONE)
        return (tally->base | (uint64_t)tally->share[0] | tally->counted[0] |
                (uint64_t)tally->share[1] | tally->counted[1]) == 0
                   ? 0
                   : -ERR_SYNTAX;
    if (mutation->kind != MUTATION_SET ||
        mutation->value.size > TALLY_VALUE_MAX)
        return -ERR_LIMIT;
    if (tally->base_stamp > mutation->stamp ||
        tally->counted[0] > mutation->stamp ||
        tally->counted[1] > mutation->stamp)
        return -ERR_RANGE;
    return 0;
}

static int check_mutation(const struct mutation *mutation, uint64_t kind,
                          uint64_t state)
{
    if (kind > MUTATION_TOUCH || (state & ~(uint64_t)STATE_KNOWN) != 0)
        return -ERR_RANGE;
    if (mutation->hash == 0 || mutation->stamp == STAMP_NONE ||
        !codec_stamp_ok(mutation->stamp))
        return -ERR_RANGE;
    if (mutation->key.size > MESSAGE_KEY_MAX)
        return -ERR_LIMIT;
    if (kind == MUTATION_SET ? mutation->key.size == 0
                             : mutation->value.size > 0)
        return -ERR_SYNTAX;
    return check_tally(mutation);
}

/* Fields in any order, from anybody. */
static int read_in_any_order(struct slice bytes, struct mutation *mutation)
{
    uint64_t kind = 0, state = 0;
    struct reader reader;
    struct field field;

    *mutation = (struct mutation){.kind = MUTATION_SET};
    reader_init(&reader, bytes.data, bytes.size);
    while (
        next_field(&reader, mutation_wires, COUNT_OF(mutation_wires), &field)) {
        switch (field.number) {
        case MUTATION_FIELD_KIND:
            kind = field.value;
            break;
        case MUTATION_FIELD_HASH:
            mutation->hash = field.value;
            break;
        case MUTATION_FIELD_STAMP:
            mutation->stamp = field.value;
            break;
        case MUTATION_FIELD_EXPIRES_AT_S:
            mutation->expires_at_s = (uint32_t)field.value;
            break;
        case MUTATION_FIELD_CLIENT_FLAGS:
            mutation->client_flags = (uint32_t)field.value;
            break;
        case MUTATION_FIELD_STATE:
            state = field.value;
            break;
        case MUTATION_FIELD_CAS:
            mutation->cas = field.value;
            break;
        case MUTATION_FIELD_KEY:
            mutation->key = field.bytes;
            break;
        case MUTATION_FIELD_VALUE:
            mutation->value = field.bytes;
            break;
        case MUTATION_FIELD_BASE_STAMP:
            mutation->tally.base_stamp = field.value;
            break;
        case MUTATION_FIELD_BASE:
            mutation->tally.base = field.value;
            break;
        case MUTATION_FIELD_SHARE_0:
            mutation->tally.share[0] = (int64_t)field.value;
            break;
        case MUTATION_FIELD_COUNTED_0:
            mutation->tally.counted[0] = field.value;
            break;
        case MUTATION_FIELD_SHARE_1:
            mutation->tally.share[1] = (int64_t)field.value;
            break;
        case MUTATION_FIELD_COUNTED_1:
            mutation->tally.counted[1] = field.value;
            break;
        default: /* Of a newer peer. */
            break;
        }
    }
    if (reader.failed)
        return -ERR_SYNTAX;
    mutation->kind = (enum mutation_kind)kind;
    mutation->state = (uint32_t)state;
    return check_mutation(mutation, kind, state);
}

/* ---- the same bytes as we would have written, read as fast ---- */

static inline uint64_t peek_fixed64(const unsigned char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static inline uint32_t peek_fixed32(const unsigned char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

/* A length of one or two bytes at *at, and what it counts. */
static inline bool peek_bytes(const unsigned char **at,
                              const unsigned char *end, struct slice *bytes)
{
    const unsigned char *next = *at;
    size_t size;

    if (end - next < 2)
        return false;
    size = *next++;
    if (size >= 0x80) {
        if (*next >= 0x80)
            return false;
        size = (size & 0x7f) | (size_t)*next++ << 7;
    }
    if (size > (size_t)(end - next))
        return false;
    *bytes = slice_make((const char *)next, size);
    *at = next + size;
    return true;
}

/* Every fixed field that may come, with its tag, and both small numbers. */
#define FIXED_BYTES_MAX (2 + 9 + 9 + 5 + 5 + 2)

/* Fields in our own order, each at most once. False when they are not: then it
 * is for the patient reader to say what they are. */
static inline bool read_in_order(struct slice bytes, struct mutation *mutation)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    const unsigned char *end = at + bytes.size;

    if (bytes.size < FIXED_BYTES_MAX)
        return false;
    /* One by one: all at once would be a loop of the processor's own. */
    mutation->kind = MUTATION_SET;
    mutation->expires_at_s = mutation->client_flags = mutation->state = 0;
    mutation->cas = STAMP_NONE;
    mutation->key = mutation->value = slice_make(NULL, 0);
    mutation->tally = (struct tally){.base_stamp = STAMP_NONE};
    if (*at == TAG(MUTATION_FIELD_KIND, WIRE_VARINT)) {
        if (at[1] >= 0x80)
            return false;
        mutation->kind = (enum mutation_kind)at[1];
        at += 2;
    }
    if (*at++ != TAG(MUTATION_FIELD_HASH, WIRE_FIXED64))
        return false;
    mutation->hash = peek_fixed64(at);
    at += 8;
    if (*at++ != TAG(MUTATION_FIELD_STAMP, WIRE_FIXED64))
        return false;
    mutation->stamp = peek_fixed64(at);
    at += 8;
    if (*at == TAG(MUTATION_FIELD_EXPIRES_AT_S, WIRE_FIXED32)) {
        mutation->expires_at_s = peek_fixed32(at + 1);
        at += 5;
    }
    if (*at == TAG(MUTATION_FIELD_CLIENT_FLAGS, WIRE_FIXED32)) {
        mutation->client_flags = peek_fixed32(at + 1);
        at += 5;
    }
    if (*at == TAG(MUTATION_FIELD_STATE, WIRE_VARINT)) {
        if (at[1] >= 0x80)
            return false;
        mutation->state = at[1];
        at += 2;
    }
    if (at != end && *at == TAG(MUTATION_FIELD_KEY, WIRE_BYTES)) {
        at++;
        if (!peek_bytes(&at, end, &mutation->key))
            return false;
    }
    if (at != end && *at == TAG(MUTATION_FIELD_VALUE, WIRE_BYTES)) {
        at++;
        if (!peek_bytes(&at, end, &mutation->value))
            return false;
    }
    return at == end;
}

static int read_mutation(struct slice bytes, struct mutation *mutation)
{
    if (read_in_order(bytes, mutation))
        return check_mutation(mutation, mutation->kind, mutation->state);
    return read_in_any_order(bytes, mutation);
}

static inline bool next_in_batch(struct reader *reader, struct field *field)
{
    const unsigned char *at = reader->at;

    if (reader_left(reader) > 0 &&
        *at++ == TAG(BATCH_FIELD_MUTATION, WIRE_BYTES) &&
        peek_bytes(&at, reader->end, &field->bytes)) {
        field->number = BATCH_FIELD_MUTATION;
        reader->at = at;
        return true;
    }
    return next_field(reader, batch_wires, COUNT_OF(batch_wires), field);
}

int codec_read_batch(struct codec *codec, struct slice bytes,
                     struct message *message)
{
    struct mutation mutation;
    struct reader reader;
    struct field field;
    int error = 0;

    (void)codec;
    message->batch.encoded = bytes;
    message->batch.count = 0;
    message->batch.through = 0;
    reader_init(&reader, bytes.data, bytes.size);
    while (error == 0 && next_in_batch(&reader, &field)) {
        if (field.number == BATCH_FIELD_THROUGH)
            message->batch.through = field.value;
        if (field.number != BATCH_FIELD_MUTATION)
            continue;
        if (message->batch.count++ == MESSAGE_BATCH_MAX)
            return -ERR_LIMIT;
        error = read_mutation(field.bytes, &mutation);
    }
    return reader.failed ? -ERR_SYNTAX : error;
}

bool codec_next_mutation(const struct message *batch, size_t *at,
                         struct mutation *mutation)
{
    struct slice left = batch->batch.encoded;
    struct reader reader;
    struct field field;

    INVARIANT(batch->type == MESSAGE_BATCH);
    INVARIANT(*at <= left.size);

    reader_init(&reader, left.data + *at, left.size - *at);
    while (next_in_batch(&reader, &field)) {
        if (field.number != BATCH_FIELD_MUTATION)
            continue;
        *at = left.size - reader_left(&reader);
        return read_mutation(field.bytes, mutation) == 0;
    }
    *at = left.size;
    return false;
}

static int check_part(const struct message *message)
{
    const struct mutation *head = &message->part.head;
    uint64_t size = message->part.value_size;

    if (head->kind != MUTATION_SET || head->value.size > 0 ||
        head->tally.base_stamp != STAMP_NONE)
        return -ERR_SYNTAX;
    if (size > MESSAGE_VALUE_MAX || message->part.data.size > CODEC_PART_BYTES)
        return -ERR_LIMIT;
    if (message->part.data.size == 0 || message->part.offset > size ||
        message->part.data.size > size - message->part.offset)
        return -ERR_RANGE;
    return 0;
}

int codec_read_part(struct codec *codec, struct slice bytes,
                    struct message *message)
{
    struct reader reader;
    struct field field;
    bool headed = false;
    int error = 0;

    (void)codec;
    memset(&message->part, 0, sizeof(message->part));
    reader_init(&reader, bytes.data, bytes.size);
    while (error == 0 &&
           next_field(&reader, part_wires, COUNT_OF(part_wires), &field)) {
        switch (field.number) {
        case PART_FIELD_HEAD:
            /* A second one would have to be merged into the first. */
            error = headed ? -ERR_SYNTAX
                           : read_mutation(field.bytes, &message->part.head);
            headed = true;
            break;
        case PART_FIELD_VALUE_SIZE:
            message->part.value_size = field.value;
            break;
        case PART_FIELD_OFFSET:
            message->part.offset = field.value;
            break;
        case PART_FIELD_DATA:
            message->part.data = field.bytes;
            break;
        case PART_FIELD_THROUGH:
            message->part.through = field.value;
            break;
        default: /* Of a newer peer. */
            break;
        }
    }
    if (reader.failed || (error == 0 && !headed))
        return -ERR_SYNTAX;
    return error == 0 ? check_part(message) : error;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Batches and parts, read: fields in any order, and those of a newer peer are
 * skipped; nothing is taken that protobuf-c would not take. Values stay where
 * they are, in the frame. */
#include "replication/codec_inner.h"

#include "replication/codec_fields.h"
#include "src/base/invariant.h"

#define STATE_KNOWN (ITEM_STATE_STALE | ITEM_STATE_WON | ITEM_STATE_BINARY_KEY)

/* ---- fields ---- */

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

/* ---- one mutation ---- */

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

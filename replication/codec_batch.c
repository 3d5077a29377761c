/* SPDX-License-Identifier: BSD-3-Clause */
/* Batches and parts, composed. Values are copied once, from the item into the
 * frame. */
#include "replication/codec_inner.h"

#include "replication/codec_fields.h"
#include "src/base/invariant.h"

#define THROUGH_BYTES_MAX (1 + VARINT_BYTES_MAX)

/* Each of these is called once for every mutation that goes out. */
#define EACH static inline __attribute__((always_inline))

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

/* ---- batches ---- */

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

/* ---- parts ---- */

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

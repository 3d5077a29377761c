/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds the coder by hand against protobuf-c: the same bytes must mean the
 * same to both, and be written the same by both. For the unit test and the
 * fuzzer. */
#ifndef TESTS_CODEC_TWIN_H
#define TESTS_CODEC_TWIN_H

#include "replication/codec.h"
#include "replication/codec_wire.h"
#include "src/base/cursor.h"
#include "src/base/hash.h"

#include <stdlib.h>

#define TWIN_FRAME_MAX (CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX)

/* A frame around any bytes. Returns its size; out has room for it. */
static inline size_t twin_frame(char *out, uint32_t type, const void *bytes,
                                size_t size)
{
    struct writer writer;

    writer_init(&writer, out, CODEC_HEADER_BYTES + size);
    writer_u32(&writer, (uint32_t)size);
    writer_u32(&writer, type);
    writer_u32(&writer, hash_checksum(bytes, size));
    writer_bytes(&writer, bytes, size);
    return writer_used(&writer);
}

static inline bool twin_bytes_equal(ProtobufCBinaryData wire,
                                    struct slice bytes)
{
    return slice_equal(slice_make((const char *)wire.data, wire.len), bytes);
}

static inline bool twin_mutation_equal(const WIRE(Mutation) * wire,
                                       const struct mutation *mutation)
{
    return wire->kind == mutation->kind && wire->hash == mutation->hash &&
           wire->stamp == mutation->stamp &&
           wire->expires_at_s == mutation->expires_at_s &&
           wire->client_flags == mutation->client_flags &&
           wire->state == mutation->state && wire->cas == mutation->cas &&
           twin_bytes_equal(wire->key, mutation->key) &&
           twin_bytes_equal(wire->value, mutation->value) &&
           wire->base_stamp == mutation->tally.base_stamp &&
           wire->base_value == mutation->tally.base &&
           wire->share_0 == mutation->tally.share[0] &&
           wire->counted_0 == mutation->tally.counted[0] &&
           wire->share_1 == mutation->tally.share[1] &&
           wire->counted_1 == mutation->tally.counted[1];
}

/* Fields that neither of us knows are not written again by us; protobuf-c
 * keeps them (on the heap, by its default allocator). */
static inline void twin_forget_unknown(ProtobufCMessage *wire)
{
    unsigned i;

    for (i = 0; i < wire->n_unknown_fields; i++)
        free(wire->unknown_fields[i].data);
    free(wire->unknown_fields);
    wire->unknown_fields = NULL;
    wire->n_unknown_fields = 0;
}

/* Whether protobuf-c writes the message that is in a frame of ours. */
static inline bool twin_packs_to(const ProtobufCMessage *wire,
                                 const char *frame, size_t size)
{
    unsigned char *packed;
    bool equal;

    if (size != CODEC_HEADER_BYTES + protobuf_c_message_get_packed_size(wire))
        return false;
    packed = malloc(size);
    if (packed == NULL)
        abort();
    size = protobuf_c_message_pack(wire, packed);
    equal = memcmp(frame + CODEC_HEADER_BYTES, packed, size) == 0;
    free(packed);
    return equal;
}

/* A decoded batch in a frame of ours; 0 when it cannot be. */
static inline size_t twin_batch_again(const struct message *message, char *out)
{
    struct mutation mutation;
    struct codec_batch batch;
    size_t at = 0;

    if (!codec_batch_begin(&batch, out, TWIN_FRAME_MAX))
        return 0;
    while (codec_next_mutation(message, &at, &mutation)) {
        if (!codec_batch_add(&batch, &mutation, mutation.value.size, NULL,
                             NULL))
            return 0;
    }
    return codec_batch_end(&batch, message->batch.through);
}

static inline bool twin_batch_equal(const WIRE(Batch) * wire,
                                    const struct message *message)
{
    struct mutation mutation;
    size_t i, at = 0;

    for (i = 0; i < wire->n_mutations; i++) {
        if (!codec_next_mutation(message, &at, &mutation) ||
            !twin_mutation_equal(wire->mutations[i], &mutation))
            return false;
    }
    return !codec_next_mutation(message, &at, &mutation) &&
           message->batch.count == wire->n_mutations &&
           message->batch.through == wire->through;
}

/* bytes: the message that was decoded. room: TWIN_FRAME_MAX to work in. */
static inline bool twin_batch_agrees(struct slice bytes,
                                     const struct message *message, char *room)
{
    WIRE(Batch) *wire = twincached__replication__batch__unpack(
        NULL, bytes.size, (const uint8_t *)bytes.data);
    bool agrees;
    size_t i;

    if (wire == NULL)
        return false;
    agrees = twin_batch_equal(wire, message);
    twin_forget_unknown(&wire->base);
    for (i = 0; i < wire->n_mutations; i++)
        twin_forget_unknown(&wire->mutations[i]->base);
    agrees = agrees &&
             twin_packs_to(&wire->base, room, twin_batch_again(message, room));
    twincached__replication__batch__free_unpacked(wire, NULL);
    return agrees;
}

static inline bool twin_part_equal(const WIRE(Part) * wire,
                                   const struct message *message)
{
    return wire->head != NULL &&
           twin_mutation_equal(wire->head, &message->part.head) &&
           wire->value_size == message->part.value_size &&
           wire->offset == message->part.offset &&
           twin_bytes_equal(wire->data, message->part.data) &&
           wire->through == message->part.through;
}

static inline bool twin_part_agrees(struct slice bytes, struct codec *codec,
                                    const struct message *message, char *room)
{
    WIRE(Part) *wire = twincached__replication__part__unpack(
        NULL, bytes.size, (const uint8_t *)bytes.data);
    bool agrees;

    if (wire == NULL)
        return false;
    agrees = twin_part_equal(wire, message);
    twin_forget_unknown(&wire->base);
    if (wire->head != NULL)
        twin_forget_unknown(&wire->head->base);
    agrees = agrees &&
             twin_packs_to(&wire->base, room,
                           codec_encode(codec, message, room, TWIN_FRAME_MAX));
    twincached__replication__part__free_unpacked(wire, NULL);
    return agrees;
}

#endif

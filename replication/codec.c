/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames: how messages are cut out of a stream of bytes.
 *
 * The header alone decides whether a frame may come at all: its type must be
 * known and its size within that type's bound, before anybody waits for the
 * rest of it. A type that is not known ends the link, since a newer peer sends
 * one only when both hellos name the feature. */
#include "replication/codec.h"

#include "replication/codec_inner.h"
#include "replication/core/rules.h"
#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"

static const struct frame_type {
    uint32_t size_max;
    codec_read_fn *read;
    codec_write_fn *write; /* NULL: a batch, which is composed in place. */
} frame_types[] = {
    [MESSAGE_HELLO] = {4096, codec_read_hello, codec_write_hello},
    [MESSAGE_REFUSE] = {4096, codec_read_refuse, codec_write_refuse},
    [MESSAGE_PLAN] = {4096, codec_read_plan, codec_write_plan},
    [MESSAGE_BATCH] = {CODEC_MESSAGE_MAX, codec_read_batch, NULL},
    [MESSAGE_PART] = {CODEC_PART_BYTES + 4096, codec_read_part,
                      codec_write_part},
    [MESSAGE_PURGE] = {CODEC_CONTROL_MAX, codec_read_purge, codec_write_purge},
    [MESSAGE_MARK] = {4096, codec_read_mark, codec_write_mark},
    [MESSAGE_ACK] = {4096, codec_read_ack, codec_write_ack},
    [MESSAGE_FLUSH] = {4096, codec_read_flush, codec_write_flush},
    [MESSAGE_HEARTBEAT] = {4096, codec_read_heartbeat, codec_write_heartbeat},
    [MESSAGE_GOODBYE] = {4096, codec_read_goodbye, codec_write_goodbye},
    [MESSAGE_DIGEST] = {CODEC_DIGEST_MAX, codec_read_digest,
                        codec_write_digest},
    [MESSAGE_DIFFER] = {CODEC_DIFFER_MAX, codec_read_differ,
                        codec_write_differ},
    [MESSAGE_WANT] = {CODEC_DIFFER_MAX, codec_read_want, codec_write_want},
    [MESSAGE_FETCH] = {CODEC_FETCH_MAX, codec_read_fetch, codec_write_fetch},
    [MESSAGE_FETCHED] = {4096, codec_read_fetched, codec_write_fetched},
};

struct codec *codec_new(void)
{
    struct codec *codec = memory_new(1, sizeof(*codec));

    if (codec == NULL)
        return NULL;
    codec->arena.bytes = memory_new(1, CODEC_ARENA_BYTES);
    if (codec->arena.bytes == NULL)
        codec_free(&codec);
    return codec;
}

void codec_free(struct codec **codec)
{
    if (*codec != NULL)
        memory_free(&(*codec)->arena.bytes);
    memory_free(codec);
}

static const struct frame_type *find_type(uint32_t type)
{
    if (type >= COUNT_OF(frame_types) || frame_types[type].read == NULL)
        return NULL;
    return &frame_types[type];
}

int codec_decode(struct codec *codec, struct slice input,
                 struct message *message, size_t *consumed, size_t *needed)
{
    const struct frame_type *frame;
    uint32_t size, type, check;
    struct reader reader;
    struct slice bytes;
    int error;

    reader_init(&reader, input.data, input.size);
    size = reader_u32(&reader);
    type = reader_u32(&reader);
    check = reader_u32(&reader);
    *consumed = 0;
    *needed = CODEC_HEADER_BYTES;
    if (reader.failed)
        return 0;
    frame = find_type(type);
    if (frame == NULL)
        return -ERR_SYNTAX;
    if (size > frame->size_max)
        return -ERR_LIMIT;
    *needed += size;
    bytes = reader_bytes(&reader, size);
    if (reader.failed)
        return 0;
    if (hash_checksum(bytes.data, bytes.size) != check && RULE(CHECKSUM))
        return -ERR_CHECKSUM;

    codec->arena.used = 0;
    codec->arena.exhausted = false;
    message->type = (enum message_type)type;
    error = frame->read(codec, bytes, message);
    if (error == 0)
        *consumed = *needed;
    return error;
}

void codec_write_header(char *header, enum message_type type, size_t size)
{
    struct writer writer;

    INVARIANT(size <= frame_types[type].size_max);

    writer_init(&writer, header, CODEC_HEADER_BYTES);
    writer_u32(&writer, (uint32_t)size);
    writer_u32(&writer, (uint32_t)type);
    writer_u32(&writer, hash_checksum(header + CODEC_HEADER_BYTES, size));
}

size_t codec_encode(struct codec *codec, const struct message *message,
                    char *out, size_t room)
{
    const struct frame_type *frame = find_type(message->type);
    struct writer writer;

    INVARIANT(frame != NULL);
    INVARIANT(frame->write != NULL);

    if (room < CODEC_HEADER_BYTES)
        return 0;
    writer_init(&writer, out + CODEC_HEADER_BYTES, room - CODEC_HEADER_BYTES);
    frame->write(codec, message, &writer);
    if (writer.failed)
        return 0;
    codec_write_header(out, message->type, writer_used(&writer));
    return CODEC_HEADER_BYTES + writer_used(&writer);
}

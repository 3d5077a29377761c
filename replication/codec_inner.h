/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the codec share: frames (codec.c) know how a message is
 * wrapped, control messages (codec_control.c) go through the generated code,
 * batches and parts (codec_batch.c, codec_mutation.c) through a coder by hand.
 */
#ifndef REPLICATION_CODEC_INNER_H
#define REPLICATION_CODEC_INNER_H

#include "replication/codec.h"
#include "src/base/cursor.h"

/* Bytes of the largest control message: a Purge with all its hashes, and some
 * for fields that only a newer peer knows. */
#define CODEC_CONTROL_MAX (8u * MESSAGE_PRESENT_MAX + 4096u)

#define CODEC_DIGEST_MAX (13u * MESSAGE_GROUPS_MAX + 4096u)
#define CODEC_DIFFER_MAX \
    (2u * MESSAGE_GROUPS_MAX + 20u * MESSAGE_LIST_MAX + 4096u)
#define CODEC_FETCH_MAX (8u * MESSAGE_FETCH_MAX + 4096u)

/* What decoding one control message may take: the hashes of a Purge, and
 * protobuf-c's notes on some hundreds of fields. */
#define CODEC_ARENA_BYTES (192u * 1024)

/* Memory that is only handed out, and taken back all at once. */
struct codec_arena {
    char *bytes;
    size_t used;
    bool exhausted;
};

struct codec {
    struct codec_arena arena;         /* Holds the last decoded message. */
    char text[MESSAGE_WORDS_MAX + 1]; /* A string on its way out. */
};

static inline bool codec_stamp_ok(stamp_t stamp)
{
    /* Beyond it no clock follows, and the version could never be replaced. */
    return stamp <= STAMP_ABSORB_MAX;
}

/* One message each, without its frame. A read gives 0, -ERR_SYNTAX, -ERR_RANGE
 * or -ERR_LIMIT; a write that does not fit leaves the writer failed. */
typedef int codec_read_fn(struct codec *codec, struct slice bytes,
                          struct message *message);
typedef void codec_write_fn(struct codec *codec, const struct message *message,
                            struct writer *out);

codec_read_fn codec_read_hello, codec_read_refuse, codec_read_plan,
    codec_read_purge, codec_read_mark, codec_read_ack, codec_read_flush,
    codec_read_heartbeat, codec_read_goodbye, codec_read_digest,
    codec_read_differ, codec_read_want, codec_read_fetch, codec_read_fetched;
codec_write_fn codec_write_hello, codec_write_refuse, codec_write_plan,
    codec_write_purge, codec_write_mark, codec_write_ack, codec_write_flush,
    codec_write_heartbeat, codec_write_goodbye, codec_write_digest,
    codec_write_differ, codec_write_want, codec_write_fetch,
    codec_write_fetched;

codec_read_fn codec_read_batch, codec_read_part;
codec_write_fn codec_write_part;

/* The header of the message that lies behind it. */
void codec_write_header(char *header, enum message_type type, size_t size);

#endif

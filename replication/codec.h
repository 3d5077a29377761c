/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames and messages as bytes, and back. Pure functions over memory; every
 * length and count is checked before anything is allocated or copied.
 *
 * What a decoded message promises, so that nobody checks it again: enums are
 * in range; no stamp is above STAMP_ABSORB_MAX; node and incarnation of a
 * hello are not 0 and its versions ascend; the pair's name and words fit
 * their bounds and hold no control characters. A mutation has a hash and a
 * stamp, no state but ITEM_STATE_*, and a key of 1..MESSAGE_KEY_MAX bytes if
 * it is a SET (a REMOVE or TOUCH has no value). The head of a part is such a
 * SET, its data is 1..CODEC_PART_BYTES bytes that end within value_size, which
 * is at most MESSAGE_VALUE_MAX. Present hashes ascend within [from, to]. A
 * digest has 1..MESSAGE_GROUPS_MAX groups; the groups of a differ ascend below
 * that bound, and its hashes within [from, through]; what it lists, and what is
 * wanted, has a hash, and a listed version a stamp.
 * Whether a hash is that of its key is for the receiver to find out. */
#ifndef REPLICATION_CODEC_H
#define REPLICATION_CODEC_H

#include "replication/message.h"
#include "src/base/error.h"

#define CODEC_HEADER_BYTES 12
#define CODEC_MESSAGE_MAX (1024u * 1024)   /* Bytes in one message. */
#define CODEC_PART_BYTES (64u * 1024)      /* Value bytes in one Part. */
#define CODEC_WHOLE_VALUE_MAX (32u * 1024) /* Bigger values go in parts. */

/* Decoding memory, reused from frame to frame. Owned by one thread.
 * Errors: NULL when memory is exhausted. */
struct codec;
struct codec *codec_new(void);
void codec_free(struct codec **codec);

/* Takes one frame off the front of input.
 * Gives:  0 and *consumed > 0: a message, valid until the next call and as
 *         long as input stays; 0 and *consumed == 0: more bytes are needed
 *         (*needed in all, at most CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX).
 * Errors: -ERR_LIMIT, -ERR_SYNTAX, -ERR_RANGE, -ERR_CHECKSUM: the link ends. */
MUST_CHECK int codec_decode(struct codec *codec, struct slice input,
                            struct message *message, size_t *consumed,
                            size_t *needed);

/* Mutations of a decoded batch: at is 0 at first; false at the end. Slices
 * point into the frame. */
bool codec_next_mutation(const struct message *batch, size_t *at,
                         struct mutation *mutation);

/* Writes a whole frame of any message but a batch. Returns its bytes, or 0
 * when it does not fit into room. Words that are too long are cut. A decoded
 * message stays valid. */
size_t codec_encode(struct codec *codec, const struct message *message,
                    char *out, size_t room);

/* A batch, composed in place: begin, add while it says true, end. */
struct codec_batch {
    char *out;
    size_t room;
    size_t used;
    size_t count;
};
/* False when room is too small for even the header. */
bool codec_batch_begin(struct codec_batch *batch, char *out, size_t room);
/* value_size and fill: the value is copied by fill(ctx, to) right into place,
 * so that it is copied once; without fill it is mutation->value. False, and
 * nothing changed, when it does not fit or the batch is full. */
typedef void codec_fill_fn(void *ctx, char *to, size_t size);
bool codec_batch_add(struct codec_batch *batch, const struct mutation *mutation,
                     size_t value_size, codec_fill_fn *fill, void *ctx);
/* Returns the frame's bytes. */
size_t codec_batch_end(struct codec_batch *batch, uint64_t through);
/* What a mutation takes in a batch at most, beyond key and value. */
#define CODEC_MUTATION_OVERHEAD 128

#endif

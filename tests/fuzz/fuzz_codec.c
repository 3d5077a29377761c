/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as frames of a peer. The first byte chooses: a frame type, around
 * whose message a good header is put, so that the fuzzer need not guess a
 * checksum; anything else means that the rest is a stream of whole frames.
 *
 * What is accepted must mean the same to protobuf-c, be written again as
 * protobuf-c would write it, and once more come back as the same bytes; and a
 * frame that has come only in part is never accepted or held to be too short
 * by less than it is. */
#include "replication/codec.h"

#include "src/base/invariant.h"
#include "tests/unit/replication/codec_twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char again[TWIN_FRAME_MAX];
static char once_more[TWIN_FRAME_MAX];

static void check_control(struct codec *codec, const struct message *message)
{
    size_t size = codec_encode(codec, message, again, sizeof(again));
    size_t consumed, needed;
    struct message copy;

    INVARIANT(size > 0);
    INVARIANT(codec_decode(codec, slice_make(again, size), &copy, &consumed,
                           &needed) == 0);
    INVARIANT(consumed == size);
    INVARIANT(codec_encode(codec, &copy, once_more, sizeof(once_more)) == size);
    INVARIANT(memcmp(again, once_more, size) == 0);
}

static void check(struct codec *codec, const struct message *message,
                  struct slice frame)
{
    struct slice bytes = slice_make(frame.data + CODEC_HEADER_BYTES,
                                    frame.size - CODEC_HEADER_BYTES);

    if (message->type == MESSAGE_BATCH)
        INVARIANT(twin_batch_agrees(bytes, message, again));
    else if (message->type == MESSAGE_PART)
        INVARIANT(twin_part_agrees(bytes, codec, message, again));
    else
        check_control(codec, message);
}

static void check_cut(struct codec *codec, struct slice frame)
{
    size_t consumed, needed, cut = frame.size / 2;
    struct message message;

    INVARIANT(codec_decode(codec, slice_make(frame.data, cut), &message,
                           &consumed, &needed) == 0);
    INVARIANT(consumed == 0);
    INVARIANT(needed > cut);
    INVARIANT(needed <= frame.size);
}

static void run(struct codec *codec, struct slice input)
{
    size_t consumed, needed;
    struct message message;
    struct slice frame;

    while (codec_decode(codec, input, &message, &consumed, &needed) == 0 &&
           consumed > 0) {
        frame = slice_make(input.data, consumed);
        check(codec, &message, frame);
        check_cut(codec, frame);
        input = slice_make(input.data + consumed, input.size - consumed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codec *codec = codec_new();
    char *frame;

    INVARIANT(codec != NULL);

    if (size > 0 && data[0] <= MESSAGE_FETCHED && size <= CODEC_MESSAGE_MAX) {
        frame = malloc(CODEC_HEADER_BYTES + size - 1);
        INVARIANT(frame != NULL);
        size = twin_frame(frame, data[0], data + 1, size - 1);
        run(codec, slice_make(frame, size));
        free(frame);
    } else if (size > 0) {
        run(codec, slice_make((const char *)data + 1, size - 1));
    }
    codec_free(&codec);
    return 0;
}

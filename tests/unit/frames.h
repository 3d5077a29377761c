/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of the binary protocol as a test writes them down. */
#ifndef TESTS_UNIT_FRAMES_H
#define TESTS_UNIT_FRAMES_H

#include "src/base/cursor.h"
#include "src/base/invariant.h"
#include "src/protocol/binary.h"

/* Sizes are those of the parts. */
struct frame {
    unsigned char opcode;
    struct slice key;
    struct slice value;
    struct slice extras;
    uint64_t cas;
    uint32_t opaque;
};

#define FRAME_TEXT(text) \
    { \
        text, sizeof(text) - 1 \
    }
#define FRAME_EXPTIME(last) FRAME_TEXT("\0\0\0" last)
#define FRAME_STORE(flags) FRAME_TEXT("\0\0\0" flags "\0\0\0\0")
/* Delta and initial below 256; an exptime of four bytes. */
#define FRAME_COUNT(delta, initial, exptime) \
    FRAME_TEXT("\0\0\0\0\0\0\0" delta "\0\0\0\0\0\0\0" initial exptime)

/* Writes a header with these sizes. */
static inline char *frame_write_header(char *at, const struct frame *frame,
                                       uint16_t key_size, uint8_t extras_size,
                                       uint32_t body_size)
{
    const uint16_t key = htobe16(key_size);
    const uint32_t body = htobe32(body_size);
    const uint32_t opaque = htobe32(frame->opaque);
    const uint64_t cas = htobe64(frame->cas);

    memset(at, 0, BINARY_HEADER_BYTES);
    at[0] = (char)BINARY_MAGIC;
    at[1] = (char)frame->opcode;
    memcpy(at + 2, &key, sizeof(key));
    at[4] = (char)extras_size;
    memcpy(at + 8, &body, sizeof(body));
    memcpy(at + 12, &opaque, sizeof(opaque));
    memcpy(at + 16, &cas, sizeof(cas));
    return at + BINARY_HEADER_BYTES;
}

static inline char *frame_write_part(char *at, struct slice part)
{
    if (part.size > 0)
        memcpy(at, part.data, part.size);
    return at + part.size;
}

/* Writes a frame where there is room and returns where it ends. */
static inline char *frame_write(char *at, const struct frame *frame)
{
    at = frame_write_header(
        at, frame, (uint16_t)frame->key.size, (uint8_t)frame->extras.size,
        (uint32_t)(frame->extras.size + frame->key.size + frame->value.size));
    at = frame_write_part(at, frame->extras);
    at = frame_write_part(at, frame->key);
    return frame_write_part(at, frame->value);
}

#endif

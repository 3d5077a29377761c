/* SPDX-License-Identifier: BSD-3-Clause */
/* A codec, and room for a message that is framed and decoded. */
#ifndef TESTS_CODEC_ROOM_H
#define TESTS_CODEC_ROOM_H

#include "src/base/invariant.h"
#include "tests/unit/replication/codec_twin.h"
#include "tests/unit/unit.h"

static struct codec *codec;
static char room[TWIN_FRAME_MAX];

static inline void room_setup(void)
{
    codec = codec_new();
    ck_assert_ptr_nonnull(codec);
}

static inline void room_teardown(void)
{
    codec_free(&codec);
}

/* What lies in the room. */
static inline int decode(uint32_t type, size_t size)
{
    static char framed[TWIN_FRAME_MAX];
    size_t consumed, needed;
    struct message message;

    return codec_decode(
        codec, slice_make(framed, twin_frame(framed, type, room, size)),
        &message, &consumed, &needed);
}

#endif

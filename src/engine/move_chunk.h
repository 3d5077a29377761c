/* SPDX-License-Identifier: BSD-3-Clause */
/* One chunk off a page that is being emptied: what lives there goes on living
 * in another chunk of its class, under the same stamp, at the same place of
 * its list, and nobody hears of it. */
#ifndef ENGINE_MOVE_CHUNK_H
#define ENGINE_MOVE_CHUNK_H

#include "src/engine/state.h"

/* What is to be moved: what a look at the page found. */
struct moving {
    struct item *chunk;
    struct item *owner; /* The item that a part belongs to; else chunk. */
    uint64_t hash;      /* Of the item's key. */
};

/* Why a chunk is still there. As `stats` tells it. */
enum move_busy {
    MOVE_BUSY_NOT,
    MOVE_BUSY_CHANGED, /* It is not what it was. */
    MOVE_BUSY_HELD,    /* Somebody reads it from where it lies. */
    MOVE_BUSY_FILLING, /* Somebody is about to store it. */
    MOVE_BUSY_NO_ROOM, /* There is no other chunk. */
};

/* Moves it, or what lived in it is dead and goes. The caller holds the mover
 * and no other lock. */
enum move_busy move_item(struct engine_thread *thread,
                         const struct moving *moving);
enum move_busy move_part(struct engine_thread *thread,
                         const struct moving *moving);

#endif

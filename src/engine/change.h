/* SPDX-License-Identifier: BSD-3-Clause */
/* One change of one key under its bucket's lock: what store, arith, touch,
 * remove and apply have in common.
 *
 *   change_begin()      lock, find
 *   change_room()       an item for the new value; perhaps the old one's
 *   ... fill ...
 *   change_publish()    from now on that is the key's item
 *   change_end()        unlock
 *
 * Where change_room() finds no chunk, the caller ends the change, gets a
 * spare one by change_fetch_spare(), with no lock held, and begins anew. */
#ifndef ENGINE_CHANGE_H
#define ENGINE_CHANGE_H

#include "src/engine/alloc.h"
#include "src/engine/state.h"

/* Values up to here are copied under the bucket's lock; larger ones into an
 * item that nobody sees yet. */
#define CHANGE_INLINE_BYTES_MAX 4096u

struct change {
    struct engine_thread *thread;
    struct engine_key key;
    struct place place;
    struct slot slot;      /* slot.item is the key's item until now, or NULL. */
    bool live;             /* It is there, and neither expired nor flushed. */
    struct item *item;     /* The new one, perhaps the same. */
    size_t old_bytes;      /* Of slot.item. */
    struct item *spare;    /* Chunk got beforehand; stays for the next try. */
    unsigned class_wanted; /* Of the chunk; 0: none was looked for. */
    bool revises; /* The item is the same one with other bytes: not counted as
                     one more. */
    bool cas_gives_way; /* There is no room to keep the cas unique. */
    unsigned widened;   /* Times that change_widen() looked for some. */
};

void change_init(struct change *change, struct engine_thread *thread,
                 const struct engine_key *key);
/* Frees a spare chunk that was not needed. */
void change_fini(struct change *change);

void change_begin(struct change *change);
/* The same for a client, who may come upon a dead item: counted as such. */
void change_begin_lookup(struct change *change);
/* The same for whoever knows the hash alone. */
void change_begin_by_hash(struct change *change);
void change_end(struct change *change);

/* Room for an item of that shape: `item` then has header and key, its value
 * is to be filled in. It may be the old item, if its chunk fits.
 * False when there is no chunk: see above; or when the bucket is full of held
 * items: then class_wanted is 0. */
bool change_room(struct change *change, const struct item_shape *shape);
/* Makes an item that the caller reserved the key's item. False: see above. */
bool change_adopt(struct change *change, struct item *item);
/* The new item is complete: stamps it and shows it. */
void change_publish(struct change *change, stamp_t stamp);
/* Nobody uses it: it is the next to give way. */
void change_cool(struct change *change);

/* The key's item is gone. The journal is the caller's business. */
void change_drop(struct change *change);
/* A lookup came upon a dead item. */
void change_count_dead(struct engine_thread *thread, const struct item *item);
/* Drops a dead item and tells the journal that it was forgotten. */
void change_drop_dead(struct change *change);
/* The same if there is one. */
void change_clear(struct change *change);

/* Tells the journal of an item that goes by itself: evicted or expired. */
void change_forget(struct engine_thread *thread, uint64_t hash,
                   const struct item *item);

/* A new life for the key's item. A longer one is told as such and keeps the
 * version; a shorter one is a new version, because of two lives the longer
 * wins at the peer, but keeps the cas unique: a touch is no write to clients.
 * False, and nothing is changed, when the item has no room for a cas unique
 * that is not its stamp: the caller ends the change, calls change_widen() and
 * begins anew. */
bool change_set_life(struct change *change, uint32_t expires_at_s);
/* The key's item, as it is, in a chunk with room for a cas unique; when there
 * is none, the cas unique will give way. The caller holds no lock. */
void change_widen(struct change *change);
/* Tells the journal that the key's version changed in what is joined where
 * two nodes hold that version: a longer life, a token given out. */
void change_repeat(struct change *change);

/* A version for a local change. */
stamp_t change_record(struct change *change, enum mutation_kind kind);

/* Gets the chunk that change_room() wanted. False when there is none. The
 * caller holds no lock. */
bool change_fetch_spare(struct change *change);

#endif

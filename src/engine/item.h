/* SPDX-License-Identifier: BSD-3-Clause */
/* What lies in a chunk of the region: an item, or a part of a large one.
 *
 *    0        8     12    16      20       24     28    30    32
 *   +--------+-----+-----+-------+--------+------+-----+-----+
 *   | stamp  |next |prev |access | expiry | size | refs|flags|
 *   +--------+-----+-----+-------+--------+------+-----+-----+
 *   | key size | class | list | kind |       32 .. 35
 *   +----------+-------+------+------+
 *   | key | client flags 4, if not 0 | cas 8, if a client gave one |
 *   | tally 48, if both nodes of a pair may count on | first part 4, if large |
 *   | value |
 *
 * No padding, no terminator: a 16-byte key with a 32-byte value takes 84 bytes.
 * In a part `next` names the next part, `prev` the item that owns it, and
 * `value_size` says how many bytes of the value it holds, from data on. In a
 * free chunk `next` and `prev` link the list of free chunks. */
#ifndef ENGINE_ITEM_H
#define ENGINE_ITEM_H

#include "src/base/slice.h"
#include "src/base/stamp.h"
#include "src/engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

/* Names a chunk: its offset in the region, in granules. */
typedef uint32_t handle_t;
#define HANDLE_NONE ((handle_t)0)

/* What a chunk is. Changes under the lock of its class, but for RESERVED to
 * LINKED, which the holder of the bucket does by itself. */
enum chunk_kind {
    CHUNK_FREE = 0,
    CHUNK_RESERVED, /* Somebody fills it; nobody finds it. */
    CHUNK_LINKED,   /* An item of the table and of an LRU list. */
    CHUNK_PART,     /* A part of a large item. */
    CHUNK_HELD,     /* Out of the table; a reader holds it still. */
    CHUNK_PULLED,   /* Free, and kept back: its page is being cleared. */
};

/* item.flags: ITEM_STATE_* below, and these. Under the bucket's lock. */
#define ITEM_HAS_FLAGS 0x10u /* Client flags stand before the value. */
#define ITEM_LARGE 0x20u     /* The value goes on in parts. */
#define ITEM_HAS_CAS 0x40u   /* A cas unique of its own stands before it. */
#define ITEM_HAS_TALLY 0x80u /* A struct tally does. Never of a large item. */
#define ITEM_STATE_MASK 0x0fu
/* These two change by readers and by the LRU, without a lock in common: a
 * lost mark is an item that ages a little early. */
#define ITEM_FETCHED 0x1u
#define ITEM_ACTIVE 0x2u

struct item {
    uint32_t stamp_words[2]; /* As words, so that 36 bytes stay 36. */
    handle_t next;           /* Under the lock of the class. */
    handle_t prev;
    uint32_t accessed_at_s; /* Relaxed atomic. */
    uint32_t expires_at_s;  /* From here on under the bucket's lock. */
    uint32_t value_size;
    uint16_t references; /* Atomic: 1 for the owner, 1 for each holder. */
    uint8_t flags;       /* Relaxed atomic: its state may change while held. */
    uint8_t marks;       /* ITEM_FETCHED, ITEM_ACTIVE: relaxed atomic. */
    uint8_t key_size;
    uint8_t slab_class;
    uint8_t list; /* enum lru_list; relaxed atomic. */
    uint8_t kind; /* enum chunk_kind; atomic. */
    char data[];
};

#define ITEM_HEADER_BYTES 36u
#define ITEM_FIELD_BYTES 4u /* Client flags, or the name of the first part. */
#define ITEM_CAS_BYTES 8u
#define ITEM_TALLY_BYTES sizeof(struct tally)
_Static_assert(sizeof(struct item) == ITEM_HEADER_BYTES, "header of an item");

static inline stamp_t item_stamp(const struct item *item)
{
    stamp_t stamp;

    memcpy(&stamp, item->stamp_words, sizeof(stamp));
    return stamp;
}

static inline void item_set_stamp(struct item *item, stamp_t stamp)
{
    memcpy(item->stamp_words, &stamp, sizeof(stamp));
}

static inline enum chunk_kind item_kind(const struct item *item)
{
    return (enum chunk_kind)__atomic_load_n(&item->kind, __ATOMIC_ACQUIRE);
}

static inline void item_set_kind(struct item *item, enum chunk_kind kind)
{
    __atomic_store_n(&item->kind, (uint8_t)kind, __ATOMIC_RELEASE);
}

static inline unsigned item_references(const struct item *item)
{
    return __atomic_load_n(&item->references, __ATOMIC_ACQUIRE);
}

static inline unsigned item_list(const struct item *item)
{
    return __atomic_load_n(&item->list, __ATOMIC_RELAXED);
}

static inline unsigned item_marks(const struct item *item)
{
    return __atomic_load_n(&item->marks, __ATOMIC_RELAXED);
}

static inline void item_set_marks(struct item *item, unsigned marks)
{
    __atomic_store_n(&item->marks, (uint8_t)marks, __ATOMIC_RELAXED);
}

static inline void item_set_accessed(struct item *item, uint32_t now_s)
{
    __atomic_store_n(&item->accessed_at_s, now_s, __ATOMIC_RELAXED);
}

static inline uint32_t item_accessed(const struct item *item)
{
    return __atomic_load_n(&item->accessed_at_s, __ATOMIC_RELAXED);
}

static inline struct slice item_key(const struct item *item)
{
    return slice_make(item->data, item->key_size);
}

static inline bool item_has_key(const struct item *item, struct slice key)
{
    return item->key_size == key.size &&
           memcmp(item->data, key.data, key.size) == 0;
}

static inline unsigned item_flags(const struct item *item)
{
    return __atomic_load_n(&item->flags, __ATOMIC_RELAXED);
}

static inline uint32_t item_state(const struct item *item)
{
    return item_flags(item) & ITEM_STATE_MASK;
}

static inline void item_set_state(struct item *item, uint32_t state)
{
    unsigned others = item_flags(item) & ~ITEM_STATE_MASK;

    __atomic_store_n(&item->flags, (uint8_t)(others | state), __ATOMIC_RELAXED);
}

/* Of an item that gets more before its value. */
static inline void item_add_flags(struct item *item, unsigned flags)
{
    __atomic_store_n(&item->flags, (uint8_t)(item_flags(item) | flags),
                     __ATOMIC_RELAXED);
}

static inline uint32_t item_client_flags(const struct item *item)
{
    uint32_t flags = 0;

    if (item_flags(item) & ITEM_HAS_FLAGS)
        memcpy(&flags, item->data + item->key_size, sizeof(flags));
    return flags;
}

/* Where a cas unique that a client gave stands, from data. */
static inline size_t item_cas_offset(const struct item *item)
{
    return item->key_size +
           ((item_flags(item) & ITEM_HAS_FLAGS) ? ITEM_FIELD_BYTES : 0);
}

/* The cas unique: the stamp, unless a client gave another one. */
static inline stamp_t item_cas(const struct item *item)
{
    stamp_t cas = item_stamp(item);

    if (item_flags(item) & ITEM_HAS_CAS)
        memcpy(&cas, item->data + item_cas_offset(item), sizeof(cas));
    return cas;
}

/* Of an item that has room for one. */
static inline void item_set_cas(struct item *item, stamp_t cas)
{
    memcpy(item->data + item_cas_offset(item), &cas, sizeof(cas));
}

/* Where a tally stands, from data. */
static inline size_t item_tally_offset(const struct item *item)
{
    return item_cas_offset(item) +
           ((item_flags(item) & ITEM_HAS_CAS) ? ITEM_CAS_BYTES : 0);
}

/* base_stamp is STAMP_NONE when there is none. */
static inline void item_tally(const struct item *item, struct tally *tally)
{
    if (item_flags(item) & ITEM_HAS_TALLY)
        memcpy(tally, item->data + item_tally_offset(item), sizeof(*tally));
    else
        tally->base_stamp = STAMP_NONE;
}

/* Of an item that has room for one. */
static inline void item_set_tally(struct item *item, const struct tally *tally)
{
    memcpy(item->data + item_tally_offset(item), tally, sizeof(*tally));
}

/* Where the value begins, from data. */
static inline size_t item_value_offset(const struct item *item)
{
    unsigned flags = item_flags(item);

    return item->key_size + ((flags & ITEM_HAS_FLAGS) ? ITEM_FIELD_BYTES : 0) +
           ((flags & ITEM_HAS_CAS) ? ITEM_CAS_BYTES : 0) +
           ((flags & ITEM_HAS_TALLY) ? ITEM_TALLY_BYTES : 0) +
           ((flags & ITEM_LARGE) ? ITEM_FIELD_BYTES : 0);
}

static inline char *item_value(struct item *item)
{
    return item->data + item_value_offset(item);
}

/* The name of the first part stands right before the value. */
static inline handle_t item_first_part(const struct item *item)
{
    handle_t part;

    memcpy(&part, item->data + item_value_offset(item) - sizeof(part),
           sizeof(part));
    return part;
}

static inline void item_set_first_part(struct item *item, handle_t part)
{
    memcpy(item->data + item_value_offset(item) - sizeof(part), &part,
           sizeof(part));
}

/* What the item takes: the header, the key, the value; not its parts'
 * headers. */
static inline size_t item_bytes(const struct item *item)
{
    return ITEM_HEADER_BYTES + item_value_offset(item) + item->value_size;
}

/* What an item to be made looks like. */
struct item_shape {
    struct slice key;
    uint32_t client_flags;
    uint32_t expires_at_s;
    uint32_t state; /* ITEM_STATE_*. */
    stamp_t cas;    /* Given by a client; STAMP_NONE: the stamp is it. */
    size_t value_size;
    const struct tally *tally; /* NULL: none. */
};

/* What the item will take. */
static inline size_t item_shape_bytes(const struct item_shape *shape)
{
    return ITEM_HEADER_BYTES + shape->key.size +
           (shape->client_flags != 0 ? ITEM_FIELD_BYTES : 0) +
           (shape->cas != STAMP_NONE ? ITEM_CAS_BYTES : 0) +
           (shape->tally != NULL ? ITEM_TALLY_BYTES : 0) + shape->value_size;
}

/* Whether life a is longer than life b; 0 is for ever. */
static inline bool item_lives_longer(uint32_t a_s, uint32_t b_s)
{
    return b_s != 0 && (a_s == 0 || a_s > b_s);
}

#endif

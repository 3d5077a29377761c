/* SPDX-License-Identifier: BSD-3-Clause */
/* Moving one chunk.
 *
 * A small item is copied under its bucket's lock. A large chunk is held, as by
 * a reader, and copied without a lock; then it is looked at again: nobody
 * writes over an item that is held, so either all is as it was but the header,
 * or it is somebody else's turn now and the copy was in vain.
 *
 * An item that a reader holds can be moved all the same if it is small: the
 * copy becomes the key's item, and the old bytes go when their reader does. */
#include "src/engine/move_chunk.h"

#include "src/base/invariant.h"
#include "src/engine/alloc.h"
#include "src/engine/change.h"
#include "src/engine/evict.h"
#include "src/engine/lru.h"

/* Larger chunks are copied without a lock. */
#define COPIED_INSIDE_MAX CHANGE_INLINE_BYTES_MAX
/* Victims for one target: some lie on the page that is being emptied. */
#define VICTIMS_MAX 256u

static struct slab_class *class_of(const struct engine *engine,
                                   const struct item *chunk)
{
    return slab_class_at(&engine->slabs, chunk->slab_class);
}

static bool is_leaving(const struct engine *engine,
                       const struct slab_class *class, const struct item *chunk)
{
    return region_page_of(&engine->region, chunk) == class->clearing;
}

/* A free chunk of the class on another page; of one of the pool, if need be:
 * as long as there is room anywhere, nothing gives way. The caller holds the
 * class. */
static struct item *take_free(struct engine *engine, unsigned index)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    struct item *chunk = slab_take(&engine->slabs, index);

    while (chunk != NULL && is_leaving(engine, class, chunk)) {
        slab_give(&engine->slabs, chunk); /* Which keeps it back. */
        chunk = slab_take(&engine->slabs, index);
    }
    return chunk;
}

/* Whether the item would be the next one to give way anyhow. The caller holds
 * its class. */
static bool is_last(const struct engine *engine, const struct item *item)
{
    handle_t tail = class_of(engine, item)->lists[LRU_COLD].tail;

    return tail == region_handle(&engine->region, item) &&
           !(item_marks(item) & ITEM_ACTIVE);
}

/* A chunk to move to: RESERVED. When memory is full it is the least needed
 * item's of the class; which may turn out to be `item` itself, then that is
 * returned. NULL: none. The caller may hold the bucket of item. */
static struct item *take_target(struct engine_thread *thread, unsigned index,
                                struct item *item)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    unsigned tries;

    for (tries = 0; tries < VICTIMS_MAX; tries++) {
        struct item *victim = NULL;
        struct item *chunk;
        bool leaving = false;

        lock_take(&class->lock);
        chunk = take_free(engine, index);
        if (chunk == NULL && item != NULL && !engine->keep_all &&
            is_last(engine, item))
            chunk = item;
        if (chunk == NULL)
            victim = evict_one(thread, index, ALLOC_TRIES);
        if (victim != NULL)
            leaving = is_leaving(engine, class, victim);
        lock_release(&class->lock);
        if (victim == NULL)
            return chunk;
        if (!leaving) {
            alloc_recycle(engine, victim);
            return victim;
        }
        alloc_free(engine, victim);
    }
    return NULL;
}

/* ---- items ---- */

/* How many bytes of the chunk the item has. */
static size_t bytes_inside(const struct engine *engine, const struct item *item)
{
    if (item_flags(item) & ITEM_LARGE)
        return class_of(engine, item)->chunk_bytes;
    return item_bytes(item);
}

/* The parts of a large item learn their owner's new name. The caller holds the
 * mover, which is who asks for it, and a reference. */
static void rename_owner(struct engine *engine, const struct item *owner)
{
    handle_t name = region_handle(&engine->region, owner);
    handle_t at;

    if (!(item_flags(owner) & ITEM_LARGE))
        return;
    for (at = item_first_part(owner); at != HANDLE_NONE;) {
        struct item *part = region_item(&engine->region, at);

        part->prev = name;
        at = part->next;
    }
}

/* The target, which has the value already, becomes the key's item instead of
 * the one in the slot. Of that, `holds` references are ours or the owner's;
 * when others read it, it stays until they are done. The caller holds the
 * bucket. */
static void take_place(struct engine *engine, struct slot slot,
                       struct item *target, unsigned holds)
{
    struct item *item = slot.item;
    struct slab_class *class = class_of(engine, item);
    bool held;

    lock_take(&class->lock);
    /* The header and what stands before the value may have changed. */
    memcpy(target, item, ITEM_HEADER_BYTES + item_value_offset(item));
    __atomic_store_n(&target->references, (uint16_t)1, __ATOMIC_RELAXED);
    lru_replace(&engine->slabs, item, target);
    item_set_kind(target, CHUNK_LINKED);
    held = item_references(item) > holds;
    if (held)
        item_set_kind(item, CHUNK_HELD);
    else
        slab_give(&engine->slabs, item);
    lock_release(&class->lock);
    table_replace(&engine->table, slot, target);
    if (!held)
        return;
    METRIC_UP(engine->mover.counters.busy_deletes);
    while (holds-- > 0)
        alloc_release(engine, item);
}

static void drop_dead(struct engine_thread *thread, struct place place,
                      struct slot slot, uint64_t hash)
{
    struct item *item = slot.item;

    METRIC_UP(thread->engine->mover.counters.inline_reclaim);
    change_forget(thread, hash, item);
    table_remove(&thread->engine->table, place, slot);
    alloc_retire(thread, item);
}

/* The item gives way: it is the one that the class needs least. */
static enum move_busy drop_last(struct engine_thread *thread,
                                struct place place, uint64_t hash,
                                struct item *item)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = class_of(engine, item);
    bool evicted;

    lock_take(&class->lock);
    evicted = evict_in_place(thread, place, hash, item);
    lock_release(&class->lock);
    if (!evicted)
        return MOVE_BUSY_HELD;
    alloc_free(engine, item);
    return MOVE_BUSY_NOT;
}

/* The caller holds the bucket. */
static enum move_busy move_small(struct engine_thread *thread,
                                 struct place place, struct slot slot,
                                 uint64_t hash)
{
    struct engine *engine = thread->engine;
    struct item *item = slot.item;
    struct item *target = take_target(thread, item->slab_class, item);

    if (target == NULL)
        return MOVE_BUSY_NO_ROOM;
    if (target == item)
        return drop_last(thread, place, hash, item);
    memcpy(target->data + item_value_offset(item),
           item->data + item_value_offset(item), item->value_size);
    take_place(engine, slot, target, 1);
    METRIC_UP(engine->mover.counters.rescues);
    return MOVE_BUSY_NOT;
}

static struct slot find(const struct engine *engine, struct place place,
                        const struct moving *moving)
{
    return table_find_item(&engine->table, place, moving->hash, moving->owner);
}

/* ---- large chunks ---- */

/* Parts belong to one item: they cannot stay with those who read the old one
 * and go with the copy. */
static bool is_in_use(const struct item *item, unsigned holds)
{
    return (item_flags(item) & ITEM_LARGE) && item_references(item) > holds;
}

/* Holds the item that is moving, if it is still what it was. Else *held is
 * false. */
static enum move_busy hold(struct engine_thread *thread,
                           const struct moving *moving, bool *held)
{
    struct engine *engine = thread->engine;
    struct place place = table_lock(&engine->table, moving->hash);
    struct slot slot = find(engine, place, moving);
    enum move_busy busy = MOVE_BUSY_NOT;

    *held = false;
    if (slot.item == NULL) {
        busy = MOVE_BUSY_CHANGED;
    } else if (engine_is_dead(thread, slot.item)) {
        drop_dead(thread, place, slot, moving->hash);
    } else if (is_in_use(slot.item, 1) ||
               item_references(slot.item) >= ENGINE_HOLDERS_MAX) {
        busy = MOVE_BUSY_HELD;
    } else {
        __atomic_fetch_add(&slot.item->references, 1, __ATOMIC_RELAXED);
        *held = true;
    }
    table_unlock(place);
    return busy;
}

/* The slot of the item that we hold, if it is still the key's and nobody came
 * who would be in the way. The caller holds the bucket. */
static struct slot find_held(const struct engine *engine, struct place place,
                             const struct moving *moving)
{
    struct slot slot = find(engine, place, moving);

    if (slot.item != NULL && is_in_use(slot.item, 2))
        slot.item = NULL;
    return slot;
}

/* The item is ours to read: copies it and puts the copy in its place. False,
 * and the target is still the caller's, when that cannot be done now. */
static bool copy_item(struct engine_thread *thread, const struct moving *moving,
                      struct item *target)
{
    struct engine *engine = thread->engine;
    struct item *item = moving->owner;
    size_t begin = ITEM_HEADER_BYTES + item_value_offset(item);
    struct place place;
    struct slot slot;

    memcpy((char *)target + begin, (const char *)item + begin,
           bytes_inside(engine, item) - begin);
    place = table_lock(&engine->table, moving->hash);
    slot = find_held(engine, place, moving);
    if (slot.item != NULL) {
        take_place(engine, slot, target, 2);
        /* Ours, until its parts know. */
        __atomic_store_n(&target->references, (uint16_t)2, __ATOMIC_RELAXED);
    }
    table_unlock(place);
    if (slot.item == NULL) {
        alloc_release(engine, item);
        return false;
    }
    rename_owner(engine, target);
    alloc_release(engine, target);
    return true;
}

static enum move_busy move_large(struct engine_thread *thread,
                                 const struct moving *moving)
{
    struct engine *engine = thread->engine;
    struct item *target = take_target(thread, moving->chunk->slab_class, NULL);
    enum move_busy busy;
    bool held;

    if (target == NULL)
        return MOVE_BUSY_NO_ROOM;
    busy = hold(thread, moving, &held);
    if (held && copy_item(thread, moving, target)) {
        METRIC_UP(engine->mover.counters.rescues);
        return MOVE_BUSY_NOT;
    }
    alloc_free(engine, target);
    return held ? MOVE_BUSY_CHANGED : busy;
}

enum move_busy move_item(struct engine_thread *thread,
                         const struct moving *moving)
{
    struct engine *engine = thread->engine;
    unsigned index = moving->chunk->slab_class;
    enum move_busy busy = MOVE_BUSY_NOT;
    struct place place;
    struct slot slot;

    if (index == engine->slabs.count ||
        slab_class_at(&engine->slabs, index)->chunk_bytes > COPIED_INSIDE_MAX)
        return move_large(thread, moving);
    place = table_lock(&engine->table, moving->hash);
    slot = find(engine, place, moving);
    if (slot.item == NULL)
        busy = MOVE_BUSY_CHANGED;
    else if (engine_is_dead(thread, slot.item))
        drop_dead(thread, place, slot, moving->hash);
    else
        busy = move_small(thread, place, slot, moving->hash);
    table_unlock(place);
    return busy;
}

/* ---- parts ---- */

/* The part before it in the chain: NULL when it is the first one. False when
 * it is none of the item's. The item is held. */
static bool find_before(const struct engine *engine, const struct item *owner,
                        const struct item *part, struct item **before)
{
    handle_t at = item_first_part(owner);

    *before = NULL;
    while (at != HANDLE_NONE) {
        struct item *seen = region_item(&engine->region, at);

        if (seen == part)
            return true;
        *before = seen;
        at = seen->next;
    }
    return false;
}

/* The caller holds the owner's bucket, and nobody else reads the item. */
static void relink_part(struct engine *engine, struct item *owner,
                        struct item *before, struct item *part,
                        struct item *target)
{
    struct slab_class *class = class_of(engine, part);
    handle_t name = region_handle(&engine->region, target);

    target->next = part->next;
    target->prev = part->prev;
    target->value_size = part->value_size;
    item_set_kind(target, CHUNK_PART);
    if (before != NULL)
        before->next = name;
    else
        item_set_first_part(owner, name);
    lock_take(&class->lock);
    slab_give(&engine->slabs, part);
    lock_release(&class->lock);
}

/* The owner is ours to read. False, and the target is still the caller's, when
 * it cannot be done now. */
static bool copy_part(struct engine_thread *thread, const struct moving *moving,
                      struct item *target)
{
    struct engine *engine = thread->engine;
    struct item *part = moving->chunk;
    struct item *before;
    struct place place;
    struct slot slot;

    if (!(item_flags(moving->owner) & ITEM_LARGE) ||
        !find_before(engine, moving->owner, part, &before))
        return false;
    memcpy(target->data, part->data, part->value_size);
    place = table_lock(&engine->table, moving->hash);
    slot = find_held(engine, place, moving);
    if (slot.item != NULL)
        relink_part(engine, slot.item, before, part, target);
    table_unlock(place);
    return slot.item != NULL;
}

enum move_busy move_part(struct engine_thread *thread,
                         const struct moving *moving)
{
    struct engine *engine = thread->engine;
    struct item *target = take_target(thread, moving->chunk->slab_class, NULL);
    enum move_busy busy;
    bool moved = false;
    bool held;

    if (target == NULL)
        return MOVE_BUSY_NO_ROOM;
    busy = hold(thread, moving, &held);
    if (held) {
        moved = copy_part(thread, moving, target);
        alloc_release(engine, moving->owner);
        busy = moved ? MOVE_BUSY_NOT : MOVE_BUSY_CHANGED;
    }
    if (moved)
        METRIC_UP(engine->mover.counters.chunk_rescues);
    else
        alloc_free(engine, target);
    return busy;
}

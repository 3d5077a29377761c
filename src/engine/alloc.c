/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and freeing items.
 *
 * A chunk that alloc_quick() hands out is in its LRU list before it is filled,
 * so that a store takes the lock of the class once. Its kind says RESERVED
 * until the bucket's holder is done; whoever meets it in the list passes by. */
#include "src/engine/alloc.h"

#include "src/base/invariant.h"
#include "src/engine/evict.h"
#include "src/engine/lru.h"
#include "src/engine/mover.h"

/* Items of table.items that a thread keeps to itself. */
#define ITEMS_UNTOLD_MAX 32

unsigned alloc_class(const struct engine *engine, size_t bytes)
{
    unsigned class = slab_class_for(&engine->slabs, bytes);

    return class != 0 ? class : engine->slabs.count;
}

static uint32_t chunk_bytes_max(const struct engine *engine)
{
    return slab_class_at(&engine->slabs, engine->slabs.count)->chunk_bytes;
}

bool alloc_is_large(const struct engine *engine, size_t bytes)
{
    return bytes > chunk_bytes_max(engine);
}

/* ---- chunks ---- */

static void free_parts(struct engine *engine, struct item *item)
{
    handle_t at = item_first_part(item);

    while (at != HANDLE_NONE) {
        struct item *part = region_item(&engine->region, at);
        struct slab_class *class =
            slab_class_at(&engine->slabs, part->slab_class);

        at = part->next;
        lock_take(&class->lock);
        slab_give(&engine->slabs, part);
        lock_release(&class->lock);
    }
    item_set_first_part(item, HANDLE_NONE);
}

void alloc_recycle(struct engine *engine, struct item *victim)
{
    if (victim->flags & ITEM_LARGE)
        free_parts(engine, victim);
    slab_renew(victim);
}

struct item *alloc_quick(struct engine_thread *thread, unsigned index,
                         enum lru_list list)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    struct item *victim = NULL;
    struct item *chunk;

    lock_take(&class->lock);
    chunk = slab_take(&engine->slabs, index);
    if (chunk == NULL) {
        chunk = victim = evict_one(thread, index, ALLOC_TRIES_QUICK);
        if (victim != NULL && !(victim->flags & ITEM_LARGE))
            slab_renew(victim);
    }
    if (chunk != NULL)
        lru_link(&engine->slabs, chunk, list);
    lock_release(&class->lock);
    if (victim != NULL && item_kind(victim) == CHUNK_HELD)
        alloc_recycle(engine, victim);
    return chunk;
}

static struct item *take_or_evict(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    struct item *victim = NULL;
    struct item *chunk;

    lock_take(&class->lock);
    chunk = slab_take(&engine->slabs, index);
    if (chunk == NULL)
        victim = evict_one(thread, index, ALLOC_TRIES);
    lock_release(&class->lock);
    if (victim == NULL)
        victim = chunk == NULL ? evict_waiting(thread, index) : NULL;
    if (victim == NULL)
        return chunk;
    alloc_recycle(engine, victim);
    return victim;
}

/* What stands in the way is another thread's item half done, or one on its way
 * to a client. The former is over in a moment, if that thread gets to run, so
 * a store is not refused before the others had their turn. */
struct item *alloc_chunk(struct engine_thread *thread, unsigned index)
{
    struct slab_class *class = slab_class_at(&thread->engine->slabs, index);
    unsigned round;

    for (round = 0; round < ALLOC_ROUNDS; round++) {
        struct item *chunk = take_or_evict(thread, index);

        if (chunk == NULL)
            chunk = mover_provide(thread, index);
        if (chunk != NULL)
            return chunk;
        if (thread->engine->keep_all)
            break;
        lock_give_way(round);
    }
    lock_take(&class->lock);
    METRIC_UP(class->counters.outofmemory);
    lock_release(&class->lock);
    return NULL;
}

/* ---- items ---- */

void alloc_write_key(struct item *item, const struct item_shape *shape)
{
    INVARIANT(shape->key.size > 0);
    INVARIANT(shape->key.size <= ENGINE_KEY_MAX);

    item->key_size = (uint8_t)shape->key.size;
    memcpy(item->data, shape->key.data, shape->key.size);
    alloc_write_header(item, shape);
}

void alloc_write_header(struct item *item, const struct item_shape *shape)
{
    unsigned fields = (shape->client_flags != 0 ? ITEM_HAS_FLAGS : 0) |
                      (shape->cas != STAMP_NONE ? ITEM_HAS_CAS : 0) |
                      (shape->tally != NULL ? ITEM_HAS_TALLY : 0);

    item->flags = (uint8_t)((shape->state & ITEM_STATE_MASK) | fields);
    item->expires_at_s = shape->expires_at_s;
    item->value_size = (uint32_t)shape->value_size;
    if (shape->client_flags != 0)
        memcpy(item->data + shape->key.size, &shape->client_flags,
               sizeof(shape->client_flags));
    if (shape->cas != STAMP_NONE)
        item_set_cas(item, shape->cas);
    if (shape->tally != NULL)
        item_set_tally(item, shape->tally);
}

/* Chains parts for the bytes of the value that the head has no room for. */
static bool add_parts(struct engine_thread *thread, struct item *item,
                      size_t left)
{
    struct engine *engine = thread->engine;
    size_t room = chunk_bytes_max(engine) - ITEM_HEADER_BYTES;
    struct item *last = NULL;

    while (left > 0) {
        size_t size = left < room ? left : room;
        struct item *part =
            alloc_chunk(thread, alloc_class(engine, ITEM_HEADER_BYTES + size));

        if (part == NULL)
            return false;
        part->next = HANDLE_NONE;
        part->prev = region_handle(&engine->region, item);
        part->value_size = (uint32_t)size;
        item_set_kind(part, CHUNK_PART);
        if (last == NULL)
            item_set_first_part(item, region_handle(&engine->region, part));
        else
            last->next = region_handle(&engine->region, part);
        last = part;
        left -= size;
    }
    return true;
}

static struct item *alloc_large(struct engine_thread *thread,
                                const struct item_shape *shape)
{
    struct engine *engine = thread->engine;
    struct item *item = alloc_chunk(thread, engine->slabs.count);
    size_t room;

    if (item == NULL)
        return NULL;
    alloc_write_key(item, shape);
    item->flags |= ITEM_LARGE;
    item_set_first_part(item, HANDLE_NONE);
    room =
        chunk_bytes_max(engine) - ITEM_HEADER_BYTES - item_value_offset(item);
    if (add_parts(thread, item, shape->value_size - room))
        return item;
    alloc_free(engine, item);
    return NULL;
}

struct item *alloc_item(struct engine_thread *thread,
                        const struct item_shape *shape)
{
    size_t bytes = item_shape_bytes(shape);
    struct item *item;

    INVARIANT(bytes <= thread->engine->item_bytes_max);

    if (alloc_is_large(thread->engine, bytes))
        return alloc_large(thread, shape);
    item = alloc_chunk(thread, alloc_class(thread->engine, bytes));
    if (item != NULL)
        alloc_write_key(item, shape);
    return item;
}

void alloc_free(struct engine *engine, struct item *item)
{
    struct slab_class *class = slab_class_at(&engine->slabs, item->slab_class);

    INVARIANT(item_kind(item) == CHUNK_RESERVED ||
              item_kind(item) == CHUNK_HELD);

    if (item->flags & ITEM_LARGE)
        free_parts(engine, item);
    lock_take(&class->lock);
    slab_give(&engine->slabs, item);
    lock_release(&class->lock);
}

void alloc_release(struct engine *engine, struct item *item)
{
    uint16_t before =
        __atomic_fetch_sub(&item->references, 1, __ATOMIC_ACQ_REL);

    INVARIANT(before > 0);
    if (before == 1)
        alloc_free(engine, item);
}

void alloc_count_item(struct engine_thread *thread, const struct item *item,
                      int sign)
{
    struct engine_class_counters *counts =
        engine_class_counts(thread, item->slab_class);
    uint64_t bytes = item_bytes(item);

    METRIC_ADD(counts->bytes, sign > 0 ? bytes : -bytes);
    sizes_count(&thread->engine->sizes, bytes, sign);
    thread->items_untold += sign;
    if (thread->items_untold <= ITEMS_UNTOLD_MAX &&
        thread->items_untold >= -ITEMS_UNTOLD_MAX)
        return;
    atomic_fetch_add_explicit(&thread->engine->table.items,
                              thread->items_untold, memory_order_relaxed);
    thread->items_untold = 0;
}

void alloc_retire(struct engine_thread *thread, struct item *item)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, item->slab_class);
    bool is_last = item_references(item) == 1;

    alloc_count_item(thread, item, -1);
    lock_take(&class->lock);
    lru_unlink(&engine->slabs, item);
    /* One reference, the owner's: nobody can add another without the bucket,
     * which the caller has. */
    if (is_last && !(item->flags & ITEM_LARGE)) {
        slab_give(&engine->slabs, item);
        lock_release(&class->lock);
        return;
    }
    item_set_kind(item, CHUNK_HELD);
    lock_release(&class->lock);
    alloc_release(engine, item);
}

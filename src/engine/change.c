/* SPDX-License-Identifier: BSD-3-Clause */
/* The steps of a change. An old item of the right class that nobody holds is
 * written over: no chunk changes hands and no lock but the bucket's is taken,
 * which is what makes overwriting cheap. */
#include "src/engine/change.h"

#include "src/base/invariant.h"
#include "src/engine/lru.h"
#include "src/engine/tell.h"

/* Buckets that a writer splits when the janitor is late. */
#define HELP_BUCKETS 2u

void change_init(struct change *change, struct engine_thread *thread,
                 const struct engine_key *key)
{
    change->thread = thread;
    change->key = *key;
    change->spare = NULL;
    change->class_wanted = 0;
    change->revises = false;
    change->cas_gives_way = false;
    change->widened = 0;
}

void change_fini(struct change *change)
{
    if (change->spare != NULL)
        alloc_release(change->thread->engine, change->spare);
    change->spare = NULL;
}

static void note_old(struct change *change)
{
    struct item *old = change->slot.item;

    change->item = NULL;
    change->live = false;
    if (old == NULL)
        return;
    change->live = !engine_is_dead(change->thread, old);
    change->old_bytes = item_bytes(old);
}

void change_begin(struct change *change)
{
    struct table *table = &change->thread->engine->table;

    change->place = table_lock(table, change->key.hash);
    change->slot =
        table_find(table, change->place, change->key.hash, change->key.bytes);
    note_old(change);
}

void change_count_dead(struct engine_thread *thread, const struct item *item)
{
    if (engine_is_flushed(thread, item))
        METRIC_UP(thread->counts.all.get_flushed);
    else
        METRIC_UP(thread->counts.all.get_expired);
}

void change_begin_lookup(struct change *change)
{
    change_begin(change);
    if (UNLIKELY(change->slot.item != NULL && !change->live) &&
        change->spare == NULL) /* Else it is the second try. */
        change_count_dead(change->thread, change->slot.item);
}

void change_begin_by_hash(struct change *change)
{
    struct table *table = &change->thread->engine->table;

    change->place = table_lock(table, change->key.hash);
    change->slot = table_find_hash(table, change->place, change->key.hash);
    note_old(change);
}

void change_end(struct change *change)
{
    struct table *table = &change->thread->engine->table;

    bool is_new = change->item != NULL && change->slot.item == NULL;

    table_unlock(change->place);
    if (is_new && UNLIKELY(table_is_crowded(table, TABLE_HELP_TENTHS)))
        (void)table_grow(table, HELP_BUCKETS);
}

/* Whether the new life is as temporary as the old one. */
static bool is_of_the_list(const struct change *change,
                           const struct item_shape *shape)
{
    return (engine_list_for(change->thread, shape->expires_at_s) == LRU_TEMP) ==
           (item_list(change->slot.item) == LRU_TEMP);
}

/* Whether the old item's chunk may be written over. A field more or less before
 * the value would move it while an append still needs it where it is. */
static bool is_in_place(const struct change *change, unsigned class,
                        const struct item_shape *shape)
{
    const struct item *old = change->slot.item;

    return old != NULL && old->slab_class == class &&
           item_references(old) == 1 && !(old->flags & ITEM_LARGE) &&
           is_of_the_list(change, shape) &&
           (shape->cas != STAMP_NONE) == ((old->flags & ITEM_HAS_CAS) != 0) &&
           (shape->tally != NULL) == ((old->flags & ITEM_HAS_TALLY) != 0);
}

void change_forget(struct engine_thread *thread, uint64_t hash,
                   const struct item *item)
{
    const struct engine *engine = thread->engine;

    if (!engine->has_journal)
        return;
    thread->recorded = true;
    engine->journal.forget(engine->journal.ctx, hash, item_stamp(item));
}

/* Another item of the bucket gives way, because its chain is full. Only when
 * growth is far behind. */
static bool evict_neighbor(struct change *change)
{
    struct engine_thread *thread = change->thread;
    struct engine *engine = thread->engine;
    struct item *items[TABLE_ITEMS_MAX];
    unsigned count = table_list(&engine->table, change->place, items);
    unsigned i;

    for (i = 0; i < count; i++) {
        struct item *item = items[i];
        uint64_t hash = table_hash(&engine->table, item);

        if (item_kind(item) != CHUNK_LINKED || item_references(item) > 1)
            continue;
        if (engine->keep_all && !engine_is_dead(thread, item))
            continue;
        if (!engine_is_dead(thread, item))
            tell_evicted(thread, item);
        change_forget(thread, hash, item);
        table_remove(
            &engine->table, change->place,
            table_find_item(&engine->table, change->place, hash, item));
        alloc_retire(thread, item);
        return true;
    }
    return false;
}

/* Puts the new item where the key is looked up. Nobody looks before the
 * bucket is let go. */
static bool enter(struct change *change, struct item *item)
{
    struct table *table = &change->thread->engine->table;

    if (change->slot.item != NULL) {
        table_replace(table, change->slot, item);
        return true;
    }
    return table_add(table, change->place, change->key.hash, item) ||
           (evict_neighbor(change) &&
            table_add(table, change->place, change->key.hash, item));
}

/* The spare chunk if it fits, else one that can be had at once; in its list. */
static struct item *take_chunk(struct change *change, unsigned class,
                               enum lru_list list)
{
    struct slabs *slabs = &change->thread->engine->slabs;
    struct item *chunk = change->spare;

    if (chunk == NULL || chunk->slab_class != class)
        return alloc_quick(change->thread, class, list);
    change->spare = NULL;
    lock_take(&slab_class_at(slabs, class)->lock);
    lru_link(slabs, chunk, list);
    lock_release(&slab_class_at(slabs, class)->lock);
    return chunk;
}

/* A linked chunk that found no place in the table. */
static void unlink_chunk(struct change *change, struct item *chunk)
{
    struct slabs *slabs = &change->thread->engine->slabs;
    struct slab_class *class = slab_class_at(slabs, chunk->slab_class);

    lock_take(&class->lock);
    lru_unlink(slabs, chunk);
    lock_release(&class->lock);
}

bool change_room(struct change *change, const struct item_shape *shape)
{
    struct engine_thread *thread = change->thread;
    size_t bytes = item_shape_bytes(shape);
    unsigned class = slab_class_for(&thread->engine->slabs, bytes);

    INVARIANT(class != 0); /* Large items come by change_adopt(). */

    change->class_wanted = class;
    if (is_in_place(change, class, shape)) {
        change->item = change->slot.item;
        item_set_marks(change->item, ITEM_ACTIVE);
        alloc_write_header(change->item, shape);
        return true;
    }
    change->item =
        take_chunk(change, class, engine_list_for(thread, shape->expires_at_s));
    if (change->item == NULL)
        return false;
    alloc_write_key(change->item, shape);
    if (LIKELY(enter(change, change->item)))
        return true;
    unlink_chunk(change, change->item);
    alloc_free(thread->engine, change->item);
    change->item = NULL;
    change->class_wanted = 0;
    return false;
}

bool change_adopt(struct change *change, struct item *item)
{
    struct slabs *slabs = &change->thread->engine->slabs;
    struct slab_class *class = slab_class_at(slabs, item->slab_class);

    INVARIANT(item_kind(item) == CHUNK_RESERVED);

    change->class_wanted = 0;
    if (!enter(change, item))
        return false;
    change->item = item;
    lock_take(&class->lock);
    lru_link(slabs, item, engine_list_for(change->thread, item->expires_at_s));
    lock_release(&class->lock);
    return true;
}

/* An item that was written over in place. */
static void count_resized(struct engine_thread *thread, const struct item *item,
                          size_t old_bytes)
{
    struct sizes *sizes = &thread->engine->sizes;
    size_t bytes = item_bytes(item);

    if (bytes == old_bytes)
        return;
    METRIC_ADD(engine_class_counts(thread, item->slab_class)->bytes,
               bytes - old_bytes);
    sizes_count(sizes, old_bytes, -1);
    sizes_count(sizes, bytes, 1);
}

void change_publish(struct change *change, stamp_t stamp)
{
    struct engine_thread *thread = change->thread;
    struct item *item = change->item;
    struct item *old = change->slot.item;

    item_set_stamp(item, stamp);
    item_set_accessed(item, thread->now_s);
    if (!change->revises)
        METRIC_UP(thread->counts.all.total_items);
    if (item == old) {
        count_resized(thread, item, change->old_bytes);
        return;
    }
    item_set_kind(item, CHUNK_LINKED);
    alloc_count_item(thread, item, 1);
    if (old != NULL)
        alloc_retire(thread, old);
}

void change_cool(struct change *change)
{
    struct slabs *slabs = &change->thread->engine->slabs;
    struct slab_class *class = slab_class_at(slabs, change->item->slab_class);

    lock_take(&class->lock);
    if (item_list(change->item) != LRU_TEMP)
        lru_cool(slabs, change->item);
    lock_release(&class->lock);
}

void change_drop(struct change *change)
{
    struct item *old = change->slot.item;

    table_remove(&change->thread->engine->table, change->place, change->slot);
    change->slot.item = NULL;
    change->live = false;
    alloc_retire(change->thread, old);
}

void change_drop_dead(struct change *change)
{
    change_forget(change->thread, change->key.hash, change->slot.item);
    change_drop(change);
}

void change_clear(struct change *change)
{
    if (change->slot.item != NULL && !change->live)
        change_drop_dead(change);
}

/* Moves the value, and a tally, up for a cas unique before it, which is the
 * present one. False when the chunk has no room, or somebody reads the value.
 */
static bool make_cas_field(struct change *change)
{
    struct engine_thread *thread = change->thread;
    struct item *item = change->slot.item;
    size_t bytes = item_bytes(item);
    stamp_t cas = item_cas(item);
    size_t from = item_cas_offset(item);
    size_t moved = item_value_offset(item) - from + item->value_size;

    if ((item->flags & ITEM_LARGE) || item_references(item) > 1 ||
        item->value_size > CHANGE_INLINE_BYTES_MAX ||
        bytes + ITEM_CAS_BYTES >
            slab_class_at(&thread->engine->slabs, item->slab_class)
                ->chunk_bytes ||
        bytes + ITEM_CAS_BYTES > thread->engine->item_bytes_max)
        return false;
    memmove(item->data + from + ITEM_CAS_BYTES, item->data + from, moved);
    item_add_flags(item, ITEM_HAS_CAS);
    item_set_cas(item, cas);
    count_resized(thread, item, bytes);
    return true;
}

/* A new version that clients see as the old one. */
static bool renew_unseen(struct change *change)
{
    struct item *item = change->slot.item;

    if (!change->thread->engine->has_journal)
        return true; /* There is nobody to win over. */
    if (!(item_flags(item) & ITEM_HAS_CAS) && !change->cas_gives_way &&
        !make_cas_field(change))
        return false;
    item_set_stamp(item, change_record(change, MUTATION_SET));
    return true;
}

bool change_set_life(struct change *change, uint32_t expires_at_s)
{
    struct item *item = change->slot.item;
    uint32_t expired_at_s = item->expires_at_s;

    if (expires_at_s == expired_at_s)
        return true;
    item->expires_at_s = expires_at_s;
    if (item_lives_longer(expires_at_s, expired_at_s)) {
        change_repeat(change);
        return true;
    }
    if (renew_unseen(change))
        return true;
    item->expires_at_s = expired_at_s;
    return false;
}

void change_repeat(struct change *change)
{
    struct engine_thread *thread = change->thread;
    struct engine *engine = thread->engine;

    if (!engine->has_journal)
        return;
    engine->journal.repeat(engine->journal.ctx, change->key.hash,
                           item_stamp(change->slot.item));
    thread->recorded = true;
    thread->changed = true;
}

stamp_t change_record(struct change *change, enum mutation_kind kind)
{
    struct engine_thread *thread = change->thread;
    struct engine *engine = thread->engine;

    if (!engine->has_journal)
        return stamp_next(&engine->clock, thread->now_ns);
    thread->recorded = true;
    thread->changed = true;
    return engine->journal.record(engine->journal.ctx, &engine->clock,
                                  thread->now_ns, change->key.hash, kind);
}

bool change_fetch_spare(struct change *change)
{
    change_fini(change);
    if (change->class_wanted == 0)
        return false;
    change->spare = alloc_chunk(change->thread, change->class_wanted);
    return change->spare != NULL;
}

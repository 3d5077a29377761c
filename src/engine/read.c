/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading: a view under the bucket's lock. A hit marks the item and takes no
 * other lock; an item found dead is removed on the way. */
#include "src/engine/read.h"

#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/engine/change.h"
#include "src/engine/lru.h"

struct engine_key engine_key_of(const struct engine *engine, struct slice bytes)
{
    return (struct engine_key){bytes, hash_key(engine->hash_seed, bytes)};
}

void engine_prefetch_bucket(const struct engine *engine, uint64_t hash)
{
    table_prefetch_bucket(&engine->table, hash);
}

void engine_prefetch_item(const struct engine *engine, uint64_t hash,
                          size_t bytes)
{
    table_prefetch_item(&engine->table, hash, bytes);
}

void read_open_view(struct engine_view *view, struct item *item,
                    struct place place)
{
    unsigned marks = item_marks(item);

    view->item = item;
    view->key = item_key(item);
    view->value_size = item->value_size;
    view->stamp = item_stamp(item);
    view->cas = item_cas(item);
    view->client_flags = item_client_flags(item);
    view->expires_at_s = item->expires_at_s;
    view->accessed_at_s = item_accessed(item);
    view->state = item_state(item);
    view->fetched = marks & ITEM_FETCHED;
    view->slab_class = item->slab_class;
    view->bucket = place.index;
}

void read_count_hit(struct engine_thread *thread, const struct item *item,
                    unsigned list)
{
    struct engine_class_counters *counts =
        engine_class_counts(thread, item->slab_class);

    switch ((enum lru_list)list) {
    case LRU_HOT:
        METRIC_UP(counts->hits_to_hot);
        return;
    case LRU_WARM:
        METRIC_UP(counts->hits_to_warm);
        return;
    case LRU_COLD:
        METRIC_UP(counts->hits_to_cold);
        return;
    case LRU_TEMP:
        METRIC_UP(counts->hits_to_temp);
        return;
    case LRU_LISTS:
        return;
    }
}

bool engine_get(struct engine_thread *thread, const struct engine_key *key,
                struct engine_view *view)
{
    struct table *table = &thread->engine->table;
    struct place place = table_lock(table, key->hash);
    struct slot slot = table_find(table, place, key->hash, key->bytes);

    if (LIKELY(slot.item != NULL)) {
        if (LIKELY(!engine_is_dead(thread, slot.item))) {
            read_open_view(view, slot.item, place);
            read_count_hit(thread, slot.item,
                           lru_touch(slot.item, thread->now_s));
            return true;
        }
        struct change change = {
            .thread = thread, .key = *key, .place = place, .slot = slot};

        change_count_dead(thread, slot.item);
        change_drop_dead(&change);
    }
    METRIC_UP(thread->counts.all.get_misses);
    table_unlock(place);
    return false;
}

/* The live item under a change, with its life changed; or false, counted. The
 * change is begun. */
static bool touch_live(struct change *change, uint32_t expires_at_s)
{
    struct engine_thread *thread = change->thread;

    change_begin_lookup(change);
    while (change->live && !change_set_life(change, expires_at_s)) {
        change_end(change);
        change_widen(change);
        change_begin_lookup(change);
    }
    METRIC_UP(thread->counts.all.cmd_touch);
    if (!change->live) {
        METRIC_UP(thread->counts.all.touch_misses);
        if (change->slot.item != NULL)
            change_drop_dead(change);
        return false;
    }
    METRIC_UP(
        engine_class_counts(thread, change->slot.item->slab_class)->touch_hits);
    return true;
}

bool engine_get_and_touch(struct engine_thread *thread,
                          const struct engine_key *key, uint32_t expires_at_s,
                          struct engine_view *view)
{
    struct change change;

    change_init(&change, thread, key);
    if (!touch_live(&change, expires_at_s)) {
        change_end(&change);
        return false;
    }
    read_open_view(view, change.slot.item, change.place);
    (void)lru_touch(change.slot.item, thread->now_s);
    return true;
}

enum engine_outcome engine_touch(struct engine_thread *thread,
                                 const struct engine_key *key,
                                 uint32_t expires_at_s)
{
    struct change change;
    bool found;

    change_init(&change, thread, key);
    found = touch_live(&change, expires_at_s);
    if (found)
        (void)lru_touch(change.slot.item, thread->now_s);
    change_end(&change);
    return found ? ENGINE_STORED : ENGINE_NOT_FOUND;
}

bool engine_find_version(struct engine_thread *thread, uint64_t hash,
                         stamp_t stamp, struct engine_view *view)
{
    struct table *table = &thread->engine->table;
    struct place place = table_lock(table, hash);
    struct slot slot = table_find_version(table, place, hash, stamp);

    if (slot.item != NULL && !engine_is_dead(thread, slot.item)) {
        read_open_view(view, slot.item, place);
        return true;
    }
    table_unlock(place);
    return false;
}

bool engine_find(struct engine_thread *thread, uint64_t hash,
                 struct engine_view *view)
{
    return engine_find_version(thread, hash, STAMP_NONE, view);
}

static void glimpse_live(const struct item *item, struct engine_glimpse *out)
{
    *out = (struct engine_glimpse){.fate = ENGINE_LIVE,
                                   .slab_class = item->slab_class,
                                   .value_size = item->value_size,
                                   .expires_at_s = item->expires_at_s};
}

void engine_glimpse(struct engine_thread *thread, const struct engine_key *key,
                    struct engine_glimpse *out)
{
    struct table *table = &thread->engine->table;
    struct place place = table_lock(table, key->hash);
    struct slot slot = table_find(table, place, key->hash, key->bytes);

    *out = (struct engine_glimpse){.fate = ENGINE_ABSENT};
    if (slot.item != NULL) {
        if (!engine_is_dead(thread, slot.item))
            glimpse_live(slot.item, out);
        else if (engine_is_flushed(thread, slot.item))
            out->fate = ENGINE_FLUSHED;
        else
            out->fate = ENGINE_LAPSED;
    }
    table_unlock(place);
}

void engine_view_end(struct engine_thread *thread, struct engine_view *view)
{
    struct place place = {
        .bucket = &thread->engine->table.buckets[view->bucket],
        .index = view->bucket,
    };

    view->item = NULL;
    table_unlock(place);
}

void engine_view_tally(const struct engine_view *view, struct tally *tally)
{
    item_tally(view->item, tally);
}

struct slice engine_view_value(const struct engine_view *view)
{
    const struct item *item = view->item;

    if (UNLIKELY(item_flags(item) & ITEM_LARGE))
        return slice_make(NULL, 0);
    return slice_make(item->data + item_value_offset(item), item->value_size);
}

size_t engine_view_bytes(const struct engine_view *view)
{
    return item_bytes(view->item);
}

bool engine_view_is_hot(const struct engine_view *view)
{
    return item_list(view->item) != LRU_COLD ||
           (item_marks(view->item) & ITEM_ACTIVE) != 0;
}

const char *engine_view_list(const struct engine_view *view)
{
    static const char *const names[] = {
        [LRU_HOT] = "hot",
        [LRU_WARM] = "warm",
        [LRU_COLD] = "cold",
        [LRU_TEMP] = "temp",
    };
    unsigned list = item_list(view->item);

    INVARIANT(list < COUNT_OF(names));
    return names[list];
}

unsigned engine_view_references(const struct engine_view *view)
{
    return item_references(view->item);
}

struct item *engine_view_hold(struct engine_thread *thread,
                              struct engine_view *view)
{
    (void)thread;
    if (item_references(view->item) >= ENGINE_HOLDERS_MAX)
        return NULL;
    __atomic_fetch_add(&view->item->references, 1, __ATOMIC_RELAXED);
    return view->item;
}

void engine_item_release(struct engine_thread *thread, struct item **item)
{
    if (*item != NULL)
        alloc_release(thread->engine, *item);
    *item = NULL;
}

/* The bytes of a value from offset on that lie together. */
static struct slice value_at(const struct engine *engine,
                             const struct item *item, size_t offset,
                             struct engine_cursor *cursor)
{
    const char *at = item->data + item_value_offset(item);
    size_t begin = 0;
    size_t size = item->value_size;
    handle_t next = HANDLE_NONE;

    INVARIANT(offset <= item->value_size);

    if (item_flags(item) & ITEM_LARGE) {
        size = slab_class_at(&engine->slabs, item->slab_class)->chunk_bytes -
               ITEM_HEADER_BYTES - item_value_offset(item);
        next = item_first_part(item);
    }
    if (cursor->part != NULL && offset >= cursor->begin) {
        at = cursor->part->data;
        begin = cursor->begin;
        size = cursor->part->value_size;
        next = cursor->part->next;
    }
    while (offset >= begin + size && next != HANDLE_NONE) {
        const struct item *part = region_item(&engine->region, next);

        begin += size;
        at = part->data;
        size = part->value_size;
        next = part->next;
        *cursor = (struct engine_cursor){part, begin};
    }
    return slice_make(at + (offset - begin), begin + size - offset);
}

struct slice engine_item_bytes_on(const struct engine_thread *thread,
                                  const struct item *item, size_t offset,
                                  struct engine_cursor *cursor)
{
    return value_at(thread->engine, item, offset, cursor);
}

struct slice engine_item_bytes(const struct engine_thread *thread,
                               const struct item *item, size_t offset)
{
    struct engine_cursor cursor = {.part = NULL};

    return value_at(thread->engine, item, offset, &cursor);
}

char *engine_item_space_on(struct engine_thread *thread, struct item *item,
                           size_t offset, size_t *room,
                           struct engine_cursor *cursor)
{
    struct slice space = value_at(thread->engine, item, offset, cursor);
    ptrdiff_t into = space.data - (const char *)item;

    /* Through the item that may be written, not the slice that may not. */
    *room = space.size;
    return (char *)item + into;
}

char *engine_item_space(struct engine_thread *thread, struct item *item,
                        size_t offset, size_t *room)
{
    struct engine_cursor cursor = {.part = NULL};

    return engine_item_space_on(thread, item, offset, room, &cursor);
}

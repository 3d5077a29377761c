/* SPDX-License-Identifier: BSD-3-Clause */
/* Item memory that comes from a file. Nothing in it is believed: an item must
 * lie where a chunk of its class lies, fit into it, have parts that are its
 * own and be in the one list that it names. What has passed this can be used
 * like an item that was made here, whatever bytes the file had.
 *
 * The table is built anew. Items lie in no order of their hashes, so the
 * memory of some buckets is asked for before they are filled together. */
#include "src/engine/restart.h"

#include "src/engine/lru.h"

#define AHEAD 16u
#define FLAGS_KNOWN \
    (ITEM_STATE_MASK | ITEM_HAS_FLAGS | ITEM_LARGE | ITEM_HAS_CAS | \
     ITEM_HAS_TALLY)

/* ---- what a handle may name ---- */

/* The chunk; NULL when there is none. */
static struct item *chunk_named(const struct engine *engine, handle_t handle)
{
    const struct region *region = &engine->region;
    uint64_t at = (uint64_t)handle << region->granule_shift;
    uint64_t page = at >> region->page_shift;
    uint64_t offset = at & (region->page_bytes - 1);
    const struct slab_class *class;

    if (page == 0 || page > region->pages_open ||
        region_class(region, (uint32_t)page) == 0)
        return NULL;
    class = slab_class_at(&engine->slabs, region_class(region, (uint32_t)page));
    if (offset % class->chunk_bytes != 0 ||
        offset / class->chunk_bytes >= region->pages[page].carved)
        return NULL;
    return region_item(region, handle);
}

static unsigned class_of(const struct engine *engine, const struct item *item)
{
    return region_class(&engine->region, region_page_of(&engine->region, item));
}

/* Bytes that a chunk has behind its header. */
static size_t room_of(const struct engine *engine, unsigned index)
{
    return slab_class_at(&engine->slabs, index)->chunk_bytes -
           ITEM_HEADER_BYTES;
}

/* ---- one item ---- */

static bool has_its_parts(struct restoring *restoring, const struct item *item,
                          size_t left)
{
    const struct engine *engine = restoring->engine;
    handle_t owner = region_handle(&engine->region, item);
    handle_t at = item_first_part(item);

    while (left > 0) {
        const struct item *part = chunk_named(engine, at);

        /* Each leads on, and names its owner, so none is met twice. */
        if (part == NULL || part->kind != CHUNK_PART || part->prev != owner ||
            part->value_size == 0 || part->value_size > left ||
            part->value_size > room_of(engine, class_of(engine, part)))
            return false;
        left -= part->value_size;
        at = part->next;
        restoring->parts_owned++;
    }
    return at == HANDLE_NONE;
}

static bool is_sound_large(struct restoring *restoring, const struct item *item,
                           unsigned index)
{
    const struct engine *engine = restoring->engine;
    size_t room = room_of(engine, index) - item_value_offset(item);

    return index == engine->slabs.count && !(item->flags & ITEM_HAS_TALLY) &&
           item->value_size > room &&
           item_bytes(item) <= engine->item_bytes_max &&
           has_its_parts(restoring, item, item->value_size - room);
}

static bool is_sound(struct restoring *restoring, const struct item *item,
                     unsigned index)
{
    if (item->slab_class != index || item->list >= LRU_LISTS ||
        item->key_size == 0 || item->key_size > ENGINE_KEY_MAX ||
        (item->flags & ~FLAGS_KNOWN) != 0 ||
        item_value_offset(item) > room_of(restoring->engine, index))
        return false;
    if (item->flags & ITEM_LARGE)
        return is_sound_large(restoring, item, index);
    return item_value_offset(item) + item->value_size <=
           room_of(restoring->engine, index);
}

/* ---- some items ---- */

struct some {
    unsigned count;
    struct item *items[AHEAD];
    uint64_t hashes[AHEAD];
};

/* False when that key is there already, or the table is not made for so much
 * in one place: neither happens to items that were made here. */
static bool enter(struct restoring *restoring, const struct item *item,
                  uint64_t hash)
{
    struct table *table = &restoring->engine->table;
    struct place place = table_lock(table, hash);
    bool entered =
        table_find(table, place, hash, item_key(item)).item == NULL &&
        table_add(table, place, hash, item);

    table_unlock(place);
    return entered;
}

static int enter_some(struct restoring *restoring, struct some *some)
{
    unsigned i;

    for (i = 0; i < some->count; i++)
        if (!enter(restoring, some->items[i], some->hashes[i]))
            return restart_damaged(restoring, "a key is in it twice");
    some->count = 0;
    return 0;
}

static void note(struct restoring *restoring, struct some *some,
                 struct item *item)
{
    const struct table *table = &restoring->engine->table;
    uint64_t hash = table_hash(table, item);

    table_prefetch_bucket(table, hash);
    some->items[some->count] = item;
    some->hashes[some->count] = hash;
    some->count++;
}

static void count(struct restoring *restoring, const struct item *item)
{
    struct engine *engine = restoring->engine;
    unsigned index = item->slab_class;

    restoring->items++;
    restoring->listed[index][item->list]++;
    engine->retired.classes[index].bytes += item_bytes(item);
    sizes_count(&engine->sizes, item_bytes(item), 1);
}

/* ---- one page ---- */

/* Whoever held a chunk is gone with the process that it was in. */
static int restore_chunk(struct restoring *restoring, struct some *some,
                         struct item *chunk, unsigned index)
{
    struct slabs *slabs = &restoring->engine->slabs;

    switch ((unsigned)chunk->kind) {
    case CHUNK_FREE:
    case CHUNK_RESERVED:
    case CHUNK_HELD:
    case CHUNK_PULLED:
        slab_restore_free(slabs, index, chunk);
        return 0;
    case CHUNK_PART:
        restoring->parts++;
        chunk->slab_class = (uint8_t)index;
        return 0;
    case CHUNK_LINKED:
        break;
    default:
        return restart_damaged(restoring, "a chunk is of no known kind");
    }
    if (!is_sound(restoring, chunk, index))
        return restart_damaged(restoring, "an item is out of its bounds");
    chunk->references = 1;
    count(restoring, chunk);
    note(restoring, some, chunk);
    return some->count == AHEAD ? enter_some(restoring, some) : 0;
}

int restart_page(struct restoring *restoring, uint32_t page)
{
    struct engine *engine = restoring->engine;
    unsigned index = region_class(&engine->region, page);
    uint32_t chunk_bytes = slab_class_at(&engine->slabs, index)->chunk_bytes;
    char *base = region_page(&engine->region, page);
    struct some some = {.count = 0};
    uint32_t i;
    int error = 0;

    slab_restore_page(&engine->slabs, index, page);
    for (i = 0; i < engine->region.pages[page].carved && error == 0; i++)
        error = restore_chunk(
            restoring, &some,
            (struct item *)(void *)(base + (size_t)i * chunk_bytes), index);
    return error == 0 ? enter_some(restoring, &some) : error;
}

/* ---- lists ---- */

/* As each item names the one before it, none can be met twice; and as many
 * are met as name this list, so none is left out. */
static bool is_sound_list(struct restoring *restoring, unsigned index,
                          enum lru_list list)
{
    const struct engine *engine = restoring->engine;
    const struct lru_ends *ends = &restoring->ends[index][list];
    handle_t before = HANDLE_NONE;
    handle_t at = ends->head;
    uint64_t left = restoring->listed[index][list];

    for (; at != HANDLE_NONE && left > 0; left--) {
        const struct item *item = chunk_named(engine, at);

        if (item == NULL || item->kind != CHUNK_LINKED ||
            item->slab_class != index || item->list != list ||
            item->prev != before)
            return false;
        before = at;
        at = item->next;
    }
    return left == 0 && at == HANDLE_NONE && ends->tail == before;
}

int restart_lists(struct restoring *restoring)
{
    struct slabs *slabs = &restoring->engine->slabs;
    unsigned i;
    unsigned list;

    if (restoring->parts != restoring->parts_owned)
        return restart_damaged(restoring, "a part of a large item is loose");
    for (i = 1; i <= slabs->count; i++) {
        for (list = 0; list < LRU_LISTS; list++) {
            if (!is_sound_list(restoring, i, (enum lru_list)list))
                return restart_damaged(restoring, "an LRU list is broken");
            slab_class_at(slabs, i)->lists[list] = restoring->ends[i][list];
            slab_class_at(slabs, i)->lists[list].count =
                restoring->listed[i][list];
        }
    }
    return 0;
}

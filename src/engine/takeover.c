/* SPDX-License-Identifier: BSD-3-Clause */
/* Clearing a page: its free chunks are pulled out of the list first, then its
 * items give way one by one. A chunk that is being filled, or read from where
 * it lies, makes the page unusable for now; another one will do. */
#include "src/engine/takeover.h"

#include "src/base/invariant.h"
#include "src/engine/alloc.h"

struct clearing {
    struct engine_thread *thread;
    struct slab_class *class;
    unsigned index;
    uint32_t page;
    uint32_t carved;
    unsigned dying_count; /* Large items to be freed without the lock. */
    struct item *dying[TAKEOVER_BATCH];
};

static struct item *chunk_at(const struct clearing *clearing, uint32_t index)
{
    const struct region *region = &clearing->thread->engine->region;

    return (struct item *)(void *)(region_page(region, clearing->page) +
                                   (size_t)index *
                                       clearing->class->chunk_bytes);
}

/* Pulls what is free. False when a chunk cannot be moved at all. */
static bool pull_free(struct clearing *clearing)
{
    struct slabs *slabs = &clearing->thread->engine->slabs;
    uint32_t i;

    for (i = 0; i < clearing->carved; i++) {
        enum chunk_kind kind = item_kind(chunk_at(clearing, i));

        if (kind == CHUNK_RESERVED || kind == CHUNK_HELD)
            return false;
        if (kind == CHUNK_FREE)
            (void)slab_clear_pull(slabs, chunk_at(clearing, i));
    }
    return true;
}

/* An item leaves the table and its list; small ones free their chunk at once,
 * large ones later, as their parts may be of other classes. */
static bool empty_item(struct clearing *clearing, struct item *item)
{
    if (!alloc_vacate(clearing->thread, item))
        return false;
    if (item->flags & ITEM_LARGE) {
        clearing->dying[clearing->dying_count] = item;
        clearing->dying_count++;
        return true;
    }
    slab_give(&clearing->thread->engine->slabs, item);
    return true;
}

/* A part goes with its owner, whose name is good as long as the part is one:
 * parts are freed before their owner. */
static bool empty_part(struct clearing *clearing, const struct item *part)
{
    struct slabs *slabs = &clearing->thread->engine->slabs;
    struct item *owner = region_item(slabs->region, part->prev);
    struct slab_class *class = slab_class_at(slabs, slabs->count);
    bool emptied;
    unsigned i;

    for (i = 0; i < clearing->dying_count; i++) {
        if (clearing->dying[i] == owner)
            return true;
    }
    if (class != clearing->class && !lock_try(&class->lock))
        return false;
    emptied = item_kind(owner) == CHUNK_LINKED && empty_item(clearing, owner);
    if (class != clearing->class)
        lock_release(&class->lock);
    return emptied;
}

static bool empty_chunk(struct clearing *clearing, struct item *chunk)
{
    switch (item_kind(chunk)) {
    case CHUNK_FREE:
    case CHUNK_PULLED:
        return slab_clear_pull(&clearing->thread->engine->slabs, chunk);
    case CHUNK_LINKED:
        return empty_item(clearing, chunk);
    case CHUNK_PART:
        return empty_part(clearing, chunk);
    case CHUNK_HELD: /* Dying, perhaps by our own hand: the end will tell. */
        return true;
    case CHUNK_RESERVED:
        return false;
    }
    return false;
}

/* Lets others at the class, and frees what needs that. */
static void breathe(struct clearing *clearing)
{
    unsigned i;

    lock_release(&clearing->class->lock);
    for (i = 0; i < clearing->dying_count; i++)
        alloc_free(clearing->thread->engine, clearing->dying[i]);
    clearing->dying_count = 0;
    lock_take(&clearing->class->lock);
}

static bool empty_page(struct clearing *clearing)
{
    bool usable = pull_free(clearing);
    uint32_t i;

    for (i = 0; i < clearing->carved && usable; i++) {
        usable = empty_chunk(clearing, chunk_at(clearing, i));
        if ((i + 1) % TAKEOVER_BATCH == 0)
            breathe(clearing);
    }
    breathe(clearing);
    return usable;
}

/* Clears one page; true when it belongs to nobody now. */
static bool clear_page(struct engine_thread *thread, uint32_t page)
{
    struct engine *engine = thread->engine;
    struct clearing clearing = {.thread = thread, .page = page};
    bool cleared = false;

    clearing.index = region_class(&engine->region, page);
    if (clearing.index == 0)
        return false;
    clearing.class = slab_class_at(&engine->slabs, clearing.index);
    lock_take(&clearing.class->lock);
    if (clearing.class->clearing == 0 &&
        region_class(&engine->region, page) == clearing.index) {
        slab_clear_begin(&engine->slabs, clearing.index, page);
        clearing.carved = engine->region.pages[page].carved;
        cleared = empty_page(&clearing) &&
                  slab_clear_end(&engine->slabs, clearing.index);
        if (!cleared)
            slab_clear_undo(&engine->slabs, clearing.index);
    }
    lock_release(&clearing.class->lock);
    return cleared;
}

/* The class with the most pages, but the one in need. */
static unsigned richest(const struct engine *engine, unsigned in_need)
{
    unsigned best = 0;
    uint32_t most = 0;
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        uint32_t pages = __atomic_load_n(
            &slab_class_at(&engine->slabs, i)->pages, __ATOMIC_RELAXED);

        if (i != in_need && pages > most) {
            best = i;
            most = pages;
        }
    }
    return best;
}

/* The page of the item that the class would miss least; 0 for none. */
static uint32_t oldest_page(struct engine *engine, unsigned index)
{
    static const enum lru_list order[] = {LRU_COLD, LRU_WARM, LRU_HOT};
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    uint32_t page = 0;
    unsigned i;

    lock_take(&class->lock);
    for (i = 0; i < COUNT_OF(order) && page == 0; i++) {
        handle_t tail = class->lists[order[i]].tail;

        if (tail != HANDLE_NONE)
            page = region_page_of(&engine->region,
                                  region_item(&engine->region, tail));
    }
    lock_release(&class->lock);
    return page;
}

static bool give_to(struct engine_thread *thread, unsigned index, uint32_t page)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);

    lock_take(&class->lock);
    slab_add_page(&engine->slabs, index, page);
    lock_release(&class->lock);
    atomic_fetch_add_explicit(&engine->pages_moved, 1, memory_order_relaxed);
    return true;
}

bool takeover_page(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    uint32_t pages_max = engine->region.pages_max;
    unsigned donor = richest(engine, index);
    uint32_t page = donor != 0 ? oldest_page(engine, donor) : 0;
    unsigned tries;

    if (page != 0 && clear_page(thread, page))
        return give_to(thread, index, page);
    for (tries = 0; tries < TAKEOVER_PAGES_MAX && tries < pages_max; tries++) {
        page = 1 + atomic_fetch_add_explicit(&engine->takeover_page, 1,
                                             memory_order_relaxed) %
                       pages_max;
        if (clear_page(thread, page))
            return give_to(thread, index, page);
    }
    return false;
}

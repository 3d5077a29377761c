/* SPDX-License-Identifier: BSD-3-Clause */
/* Free chunks of one class: first the ones given back, newest first because
 * they are warm in the cache, then the ones of a page that were never used.
 * Pages with such chunks wait in line, so that adding one costs nothing.
 * The list is doubly linked, so that a page can be pulled out of it. */
#include "src/engine/slab.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/engine/slab_sizes.h"

static void fill_lookup(struct slabs *slabs)
{
    unsigned class = 1;
    size_t i;

    for (i = 0; i < COUNT_OF(slabs->lookup); i++) {
        while (class <= slabs->count &&
               slabs->classes[class].chunk_bytes < i * SLAB_LOOKUP_STEP)
            class ++;
        slabs->lookup[i] = (uint8_t)(class <= slabs->count ? class : 0);
    }
}

int slabs_init(struct slabs *slabs, struct region *region,
               const struct slab_sizes *sizes)
{
    const uint64_t granule = (uint64_t)1 << region->granule_shift;
    const struct slab_sizes_input input = {
        .page_bytes = region->page_bytes,
        .chunk_bytes_max =
            (sizes->chunk_bytes_max + granule - 1) & ~(granule - 1),
        .granule_bytes = granule,
        .room_bytes_min = sizes->room_bytes_min,
        .growth = sizes->growth,
        .given = sizes->given,
        .given_count = sizes->given_count,
    };
    uint32_t chunk_bytes[ENGINE_CLASSES_MAX];
    unsigned count = slab_sizes_make(&input, chunk_bytes);
    unsigned i;

    *slabs = (struct slabs){.region = region};
    if (count == 0)
        return -ERR_RANGE;
    slabs->classes = memory_new(count + 1, sizeof(*slabs->classes));
    if (slabs->classes == NULL)
        return -ERR_MEMORY;
    slabs->count = count;
    for (i = 1; i <= count; i++) {
        struct slab_class *class = &slabs->classes[i];

        lock_init(&class->lock, LOCK_RANK_CLASS);
        class->chunk_bytes = chunk_bytes[i];
        class->per_page = (uint32_t)(region->page_bytes / chunk_bytes[i]);
    }
    fill_lookup(slabs);
    return 0;
}

void slabs_fini(struct slabs *slabs)
{
    unsigned i;

    for (i = 1; i <= slabs->count; i++)
        lock_fini(&slabs->classes[i].lock);
    memory_free(&slabs->classes);
    slabs->count = 0;
}

unsigned slab_class_search(const struct slabs *slabs, size_t bytes)
{
    unsigned low = 1;
    unsigned high = slabs->count;

    if (bytes > slabs->classes[high].chunk_bytes)
        return 0;
    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (slabs->classes[middle].chunk_bytes >= bytes)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void list_push(struct slabs *slabs, struct slab_class *class,
                      struct item *chunk)
{
    handle_t handle = region_handle(slabs->region, chunk);

    chunk->next = class->free;
    chunk->prev = HANDLE_NONE;
    if (class->free != HANDLE_NONE)
        region_item(slabs->region, class->free)->prev = handle;
    class->free = handle;
    class->free_count++;
}

static void list_unlink(struct slabs *slabs, struct slab_class *class,
                        const struct item *chunk)
{
    if (chunk->prev != HANDLE_NONE)
        region_item(slabs->region, chunk->prev)->next = chunk->next;
    else
        class->free = chunk->next;
    if (chunk->next != HANDLE_NONE)
        region_item(slabs->region, chunk->next)->prev = chunk->prev;
    class->free_count--;
}

void slab_renew(struct item *chunk)
{
    chunk->expires_at_s = 0;
    chunk->flags = 0;
    item_set_marks(chunk, 0);
    __atomic_store_n(&chunk->references, (uint16_t)1, __ATOMIC_RELAXED);
    item_set_kind(chunk, CHUNK_RESERVED);
}

static void count_used(struct slab_class *class, uint32_t used)
{
    __atomic_store_n(&class->used, used, __ATOMIC_RELAXED);
}

static struct item *chunk_at(const struct slabs *slabs,
                             const struct slab_class *class, uint32_t page,
                             uint32_t index)
{
    return (struct item *)(void *)(region_page(slabs->region, page) +
                                   (size_t)index * class->chunk_bytes);
}

/* The next chunk of the page that is being carved. */
static struct item *carve(struct slabs *slabs, unsigned index)
{
    struct slab_class *class = slab_class_at(slabs, index);
    struct page *page = &slabs->region->pages[class->carving];
    struct item *chunk = chunk_at(slabs, class, class->carving, page->carved);

    page->carved++;
    if (page->carved == class->per_page) {
        class->carving = class->waiting;
        if (class->waiting != 0)
            class->waiting = slabs->region->pages[class->waiting].next;
    }
    chunk->slab_class = (uint8_t)index;
    return chunk;
}

struct item *slab_take_own(struct slabs *slabs, unsigned index)
{
    struct slab_class *class = slab_class_at(slabs, index);
    struct item *chunk;

    if (class->free != HANDLE_NONE) {
        chunk = region_item(slabs->region, class->free);
        INVARIANT(item_kind(chunk) == CHUNK_FREE);
        list_unlink(slabs, class, chunk);
    } else {
        if (class->carving == 0)
            return NULL;
        chunk = carve(slabs, index);
    }
    count_used(class, class->used + 1);
    slab_renew(chunk);
    return chunk;
}

struct item *slab_take(struct slabs *slabs, unsigned index)
{
    struct slab_class *class = slab_class_at(slabs, index);

    if (class->free == HANDLE_NONE && class->carving == 0) {
        uint32_t page = region_take_page(slabs->region);

        if (page == 0)
            return NULL;
        slab_add_page(slabs, index, page);
    }
    return slab_take_own(slabs, index);
}

void slab_give(struct slabs *slabs, struct item *chunk)
{
    struct slab_class *class = slab_class_at(slabs, chunk->slab_class);

    INVARIANT(class->used > 0);
    count_used(class, class->used - 1);
    if (UNLIKELY(class->clearing != 0) &&
        region_page_of(slabs->region, chunk) == class->clearing) {
        item_set_kind(chunk, CHUNK_PULLED);
        class->pulled++;
        return;
    }
    item_set_kind(chunk, CHUNK_FREE);
    list_push(slabs, class, chunk);
}

/* Puts a page with chunks that were never used in line to be carved. */
static void add_uncarved(struct slabs *slabs, struct slab_class *class,
                         uint32_t page)
{
    if (class->carving == 0) {
        class->carving = page;
        return;
    }
    slabs->region->pages[page].next = class->waiting;
    class->waiting = page;
}

void slab_add_page(struct slabs *slabs, unsigned index, uint32_t page)
{
    struct slab_class *class = slab_class_at(slabs, index);

    slabs->region->pages[page].carved = 0;
    __atomic_store_n(&slabs->region->pages[page].slab_class, (uint8_t)index,
                     __ATOMIC_RELAXED);
    add_uncarved(slabs, class, page);
    __atomic_store_n(&class->pages, class->pages + 1, __ATOMIC_RELAXED);
}

/* Takes a page out of the line. */
static void remove_uncarved(struct slabs *slabs, struct slab_class *class,
                            uint32_t page)
{
    struct page *pages = slabs->region->pages;
    uint32_t *link = &class->waiting;

    if (class->carving == page) {
        class->carving = class->waiting;
        if (class->waiting != 0)
            class->waiting = pages[class->waiting].next;
        return;
    }
    while (*link != 0 && *link != page)
        link = &pages[*link].next;
    if (*link == page)
        *link = pages[page].next;
}

void slab_clear_begin(struct slabs *slabs, unsigned index, uint32_t page)
{
    struct slab_class *class = slab_class_at(slabs, index);

    INVARIANT(class->clearing == 0);
    INVARIANT(class->pulled == 0);
    INVARIANT(region_class(slabs->region, page) == index);

    class->clearing = page;
    /* What was never used need not be pulled. */
    if (slabs->region->pages[page].carved < class->per_page)
        remove_uncarved(slabs, class, page);
}

bool slab_clear_pull(struct slabs *slabs, struct item *chunk)
{
    struct slab_class *class = slab_class_at(slabs, chunk->slab_class);

    if (item_kind(chunk) == CHUNK_FREE) {
        list_unlink(slabs, class, chunk);
        item_set_kind(chunk, CHUNK_PULLED);
        class->pulled++;
    }
    return item_kind(chunk) == CHUNK_PULLED;
}

bool slab_clear_end(struct slabs *slabs, unsigned index)
{
    struct slab_class *class = slab_class_at(slabs, index);
    struct page *page = &slabs->region->pages[class->clearing];

    if (class->pulled != page->carved)
        return false;
    __atomic_store_n(&page->slab_class, (uint8_t)0, __ATOMIC_RELAXED);
    page->carved = 0;
    class->clearing = 0;
    class->pulled = 0;
    __atomic_store_n(&class->pages, class->pages - 1, __ATOMIC_RELAXED);
    return true;
}

void slab_clear_stop(struct slabs *slabs, unsigned index)
{
    struct slab_class *class = slab_class_at(slabs, index);

    if (slabs->region->pages[class->clearing].carved < class->per_page)
        add_uncarved(slabs, class, class->clearing);
    class->clearing = 0;
}

bool slab_clear_return(struct slabs *slabs, uint32_t page, uint32_t *at,
                       uint32_t chunks_max)
{
    struct slab_class *class =
        slab_class_at(slabs, region_class(slabs->region, page));
    uint32_t carved = slabs->region->pages[page].carved;

    for (; *at < carved && chunks_max > 0; ++*at, chunks_max--) {
        struct item *chunk = chunk_at(slabs, class, page, *at);

        if (item_kind(chunk) != CHUNK_PULLED)
            continue;
        item_set_kind(chunk, CHUNK_FREE);
        list_push(slabs, class, chunk);
        class->pulled--;
    }
    return *at < carved;
}

void slab_restore_page(struct slabs *slabs, unsigned index, uint32_t page)
{
    struct slab_class *class = slab_class_at(slabs, index);
    uint32_t carved = slabs->region->pages[page].carved;

    class->pages++;
    class->used += carved;
    if (carved < class->per_page)
        add_uncarved(slabs, class, page);
}

void slab_restore_free(struct slabs *slabs, unsigned index, struct item *chunk)
{
    chunk->slab_class = (uint8_t)index;
    slab_give(slabs, chunk);
}

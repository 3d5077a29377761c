/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of all items: one mapping, cut into pages. Pages are handed out
 * on demand, so what was never needed costs nothing. */
#ifndef ENGINE_REGION_H
#define ENGINE_REGION_H

#include "src/base/lock.h"
#include "src/engine/item.h"

#include <stddef.h>
#include <stdint.h>

#define REGION_GRANULE_SHIFT_MIN 3 /* 8 bytes, up to 32 GiB. */
#define REGION_GRANULE_SHIFT_MAX 12
#define REGION_PAGE_BYTES_MIN ((uint64_t)4096)
#define REGION_PAGES_MIN 2

/* One page. Under the lock of the class that owns it; the class itself
 * changes under that lock and is read without (relaxed). */
struct page {
    uint32_t carved;    /* Chunks from the start on that have been used. */
    uint8_t slab_class; /* 0: in the pool. */
    uint8_t clearing;   /* Chunks freed in it are kept back. */
};

struct region {
    char *base;
    uint64_t page_bytes;
    unsigned page_shift;
    unsigned granule_shift;
    uint32_t pages_max; /* Pages 1..pages_max; 0 is none. */
    struct page *pages; /* Indexed 0..pages_max. */
    struct lock lock;   /* Rank PAGES: the two below, and the free list. */
    _Atomic uint32_t pages_fresh; /* Pages handed out from the end so far. */
    _Atomic uint32_t pages_free;  /* Pages given back. */
    uint32_t *free_pages;         /* pages_free of them. */
};

/* Errors: -ERR_MEMORY; -ERR_RANGE when handles cannot name so much.
 * Owns:   caller, until region_fini(). */
MUST_CHECK int region_init(struct region *region, uint64_t memory_bytes,
                           uint64_t page_bytes);
void region_fini(struct region *region);

/* A page from the pool; 0 when there is none. */
uint32_t region_take_page(struct region *region);
/* Back to the pool. */
void region_give_page(struct region *region, uint32_t page);
/* How many are left in the pool. */
uint32_t region_pool(const struct region *region);

static inline struct item *region_item(const struct region *region,
                                       handle_t handle)
{
    return (struct item *)(void *)(region->base +
                                   ((uint64_t)handle << region->granule_shift));
}

static inline handle_t region_handle(const struct region *region,
                                     const struct item *item)
{
    return (handle_t)((uint64_t)((const char *)item - region->base) >>
                      region->granule_shift);
}

static inline uint32_t region_page_of(const struct region *region,
                                      const struct item *item)
{
    return (uint32_t)((uint64_t)((const char *)item - region->base) >>
                      region->page_shift);
}

static inline char *region_page(const struct region *region, uint32_t page)
{
    return region->base + ((uint64_t)page << region->page_shift);
}

static inline unsigned region_class(const struct region *region, uint32_t page)
{
    return __atomic_load_n(&region->pages[page].slab_class, __ATOMIC_RELAXED);
}

#endif

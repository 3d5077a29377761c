/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of all items: one mapping, cut into pages. Pages are handed out
 * on demand, so what was never needed costs nothing; and up to a limit that
 * may rise, as far as the mapping goes, and fall. */
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
    uint32_t next;      /* Of the pages of a class that wait to be carved. */
    uint8_t slab_class; /* 0: in the pool. */
};

struct region {
    char *base;
    uint64_t page_bytes;
    unsigned page_shift;
    unsigned granule_shift;
    uint32_t pages_max;  /* Pages 1..pages_max of the mapping; 0 is none. */
    struct page *pages;  /* Indexed 0..pages_max. */
    struct lock lock;    /* Rank PAGES: all below. */
    uint32_t pages_open; /* Of the mapping, that may be touched. */
    _Atomic uint32_t pages_limit; /* That classes may own. */
    _Atomic uint32_t pages_used;  /* That classes own. */
    uint32_t pages_fresh;         /* Handed out from the end so far. */
    _Atomic uint32_t pages_idle;  /* Given back; their memory is still here. */
    uint32_t pages_bare;          /* Given back; and their memory, too. */
    uint32_t *free_pages;         /* Idle from the front, bare from the end. */
};

/* memory_bytes_max: what the limit may ever become; as far as the handles go
 * and the system grants address space, the rest is silently left out.
 * Errors: -ERR_MEMORY; -ERR_RANGE when handles cannot name so much.
 * Owns:   caller, until region_fini(). */
MUST_CHECK int region_init(struct region *region, uint64_t memory_bytes,
                           uint64_t memory_bytes_max, uint64_t page_bytes);
/* How long the file of a region is. */
uint64_t region_file_bytes(uint64_t memory_bytes, uint64_t page_bytes);
/* All pages lie in that open file from now on, one behind the other; before any
 * is handed out. Errors: -ERR_SYSTEM. */
MUST_CHECK int region_use_file(struct region *region, int file);
void region_fini(struct region *region);

/* What is owned by a class is so already; the rest makes the pool. */
void region_restore(struct region *region);

/* A page from the pool; 0 when there is none. */
uint32_t region_take_page(struct region *region);
/* The same beyond the limit, if the mapping goes that far. */
uint32_t region_take_page_beyond(struct region *region);
/* Back to the pool. */
void region_give_page(struct region *region, uint32_t page);
/* How many are left in the pool; and how many of these were given back. */
uint32_t region_pool(const struct region *region);
uint32_t region_idle(const struct region *region);

/* Errors: -ERR_RANGE when the mapping does not go so far; -ERR_MEMORY. */
MUST_CHECK int region_set_limit(struct region *region, uint64_t memory_bytes);
/* How many pages the classes own too many. */
uint32_t region_excess(const struct region *region);
/* Gives the memory of one page that the limit has no room for back to the
 * system. False when there is none. */
bool region_discard_one(struct region *region);

/* Takes all memory up to the limit from the system now. */
void region_populate(struct region *region);

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

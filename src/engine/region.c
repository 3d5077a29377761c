/* SPDX-License-Identifier: BSD-3-Clause */
/* The region and its pool of pages. Page 0 is never handed out, so that handle
 * 0 can mean none.
 *
 * Address space costs nothing, so as much of it is reserved as handles of the
 * same granule can name; what is beyond the limit stays closed. */
#include "src/engine/region.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"

/* The smallest granule that lets 32 bits name every chunk. */
static unsigned granule_shift_for(uint64_t bytes)
{
    unsigned shift = REGION_GRANULE_SHIFT_MIN;

    while ((bytes >> shift) > UINT32_MAX)
        shift++;
    return shift;
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool can_be(uint64_t pages, uint64_t page_bytes)
{
    return pages < UINT32_MAX && pages + 1 <= UINT64_MAX / page_bytes &&
           granule_shift_for((pages + 1) * page_bytes) <=
               REGION_GRANULE_SHIFT_MAX;
}

static uint64_t pages_for(uint64_t memory_bytes, uint64_t page_bytes)
{
    uint64_t pages = memory_bytes / page_bytes;

    return pages < REGION_PAGES_MIN ? REGION_PAGES_MIN : pages;
}

uint64_t region_file_bytes(uint64_t memory_bytes, uint64_t page_bytes)
{
    return pages_for(memory_bytes, page_bytes) * page_bytes;
}

/* How many pages the same granule can name, but not more than wanted. */
static uint64_t pages_to_reserve(const struct region *region, uint64_t pages,
                                 uint64_t memory_bytes_max)
{
    uint64_t wanted = pages_for(memory_bytes_max, region->page_bytes);
    uint64_t named =
        (((uint64_t)UINT32_MAX << region->granule_shift) >> region->page_shift);

    if (wanted > named - 1)
        wanted = named - 1;
    return wanted > pages ? wanted : pages;
}

/* Reserves as many as are granted, down to pages. */
static void reserve(struct region *region, uint64_t pages, uint64_t pages_max)
{
    while (pages_max > pages) {
        region->base =
            memory_reserve_closed((pages_max + 1) * region->page_bytes);
        if (region->base != NULL)
            break;
        pages_max = pages_max / 2 > pages ? pages_max / 2 : pages;
    }
    if (region->base == NULL)
        region->base =
            memory_reserve_closed((pages_max + 1) * region->page_bytes);
    region->pages_max = (uint32_t)pages_max;
}

static int open_pages(struct region *region, uint32_t pages)
{
    if (pages <= region->pages_open)
        return 0;
    if (memory_open(region->base, ((uint64_t)pages + 1) * region->page_bytes) !=
        0)
        return -ERR_MEMORY;
    region->pages_open = pages;
    return 0;
}

int region_init(struct region *region, uint64_t memory_bytes,
                uint64_t memory_bytes_max, uint64_t page_bytes)
{
    uint64_t pages;

    *region = (struct region){.pages_max = 0};
    if (!is_power_of_two(page_bytes) || page_bytes < REGION_PAGE_BYTES_MIN)
        return -ERR_RANGE;
    pages = pages_for(memory_bytes, page_bytes);
    if (!can_be(pages, page_bytes))
        return -ERR_RANGE;

    region->page_bytes = page_bytes;
    region->page_shift = (unsigned)__builtin_ctzll(page_bytes);
    region->granule_shift = granule_shift_for((pages + 1) * page_bytes);
    lock_init(&region->lock, LOCK_RANK_PAGES);
    reserve(region, pages, pages_to_reserve(region, pages, memory_bytes_max));
    region->pages =
        memory_new((size_t)region->pages_max + 1, sizeof(*region->pages));
    region->free_pages =
        memory_new(region->pages_max, sizeof(*region->free_pages));
    if (region->pages == NULL || region->free_pages == NULL ||
        region->base == NULL || open_pages(region, (uint32_t)pages) != 0) {
        region_fini(region);
        return -ERR_MEMORY;
    }
    region->pages_limit = (uint32_t)pages;
    return 0;
}

/* Without page 0, which is never used: the file has as many bytes as -m. */
int region_use_file(struct region *region, int file)
{
    INVARIANT(region->pages_fresh == 0);

    return memory_map_file(region_page(region, 1),
                           region->pages_max * region->page_bytes, file);
}

void region_fini(struct region *region)
{
    if (region->pages_max == 0)
        return;
    memory_unreserve(region->base,
                     ((uint64_t)region->pages_max + 1) * region->page_bytes);
    memory_free(&region->pages);
    memory_free(&region->free_pages);
    lock_fini(&region->lock);
    *region = (struct region){.base = NULL};
}

/* The caller holds the lock. 0 when none is left. */
static uint32_t take(struct region *region)
{
    uint32_t page = 0;

    if (region->pages_idle != 0) {
        region->pages_idle--;
        page = region->free_pages[region->pages_idle];
    } else if (region->pages_bare != 0) {
        page = region->free_pages[region->pages_max - region->pages_bare];
        region->pages_bare--;
    } else if (region->pages_fresh < region->pages_open) {
        region->pages_fresh++;
        page = region->pages_fresh;
    }
    if (page != 0)
        region->pages_used++;
    return page;
}

uint32_t region_take_page(struct region *region)
{
    uint32_t page = 0;

    if (region_pool(region) == 0)
        return 0;
    lock_take(&region->lock);
    if (region->pages_used < region->pages_limit)
        page = take(region);
    lock_release(&region->lock);
    return page;
}

uint32_t region_take_page_beyond(struct region *region)
{
    uint32_t page;

    lock_take(&region->lock);
    page = take(region);
    if (page == 0 && region->pages_open < region->pages_max &&
        open_pages(region, region->pages_open + 1) == 0)
        page = take(region);
    lock_release(&region->lock);
    return page;
}

void region_give_page(struct region *region, uint32_t page)
{
    INVARIANT(page != 0);
    INVARIANT(page <= region->pages_max);

    lock_take(&region->lock);
    INVARIANT(region->pages_used > 0);
    region->free_pages[region->pages_idle] = page;
    region->pages_idle++;
    region->pages_used--;
    lock_release(&region->lock);
}

void region_restore(struct region *region)
{
    uint32_t page = region->pages_open;

    INVARIANT(region->pages_fresh == 0);
    while (page > 0 && region_class(region, page) == 0)
        page--;
    region->pages_fresh = page;
    for (; page > 0; page--) {
        if (region_class(region, page) != 0)
            region->pages_used++;
        else
            region->free_pages[region->pages_idle++] = page;
    }
}

uint32_t region_pool(const struct region *region)
{
    uint32_t limit =
        atomic_load_explicit(&region->pages_limit, memory_order_relaxed);
    uint32_t used =
        atomic_load_explicit(&region->pages_used, memory_order_relaxed);

    return limit > used ? limit - used : 0;
}

uint32_t region_idle(const struct region *region)
{
    return atomic_load_explicit(&region->pages_idle, memory_order_relaxed);
}

int region_set_limit(struct region *region, uint64_t memory_bytes)
{
    uint64_t pages = pages_for(memory_bytes, region->page_bytes);
    int error;

    if (pages > region->pages_max)
        return -ERR_RANGE;
    lock_take(&region->lock);
    error = open_pages(region, (uint32_t)pages);
    if (error == 0)
        region->pages_limit = (uint32_t)pages;
    lock_release(&region->lock);
    return error;
}

uint32_t region_excess(const struct region *region)
{
    uint32_t limit =
        atomic_load_explicit(&region->pages_limit, memory_order_relaxed);
    uint32_t used =
        atomic_load_explicit(&region->pages_used, memory_order_relaxed);

    return used > limit ? used - limit : 0;
}

bool region_discard_one(struct region *region)
{
    uint32_t page = 0;

    if (atomic_load_explicit(&region->pages_idle, memory_order_relaxed) <=
        region_pool(region))
        return false;
    lock_take(&region->lock);
    if (region->pages_idle > region_pool(region)) {
        region->pages_idle--;
        page = region->free_pages[region->pages_idle];
    }
    lock_release(&region->lock);
    if (page == 0)
        return false;
    /* Belongs to nobody meanwhile, so it takes no lock. */
    memory_discard(region_page(region, page), region->page_bytes);
    lock_take(&region->lock);
    region->pages_bare++;
    region->free_pages[region->pages_max - region->pages_bare] = page;
    lock_release(&region->lock);
    return true;
}

void region_populate(struct region *region)
{
    memory_populate(region_page(region, 1),
                    (uint64_t)region->pages_open * region->page_bytes);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The region and its pool of pages. Page 0 is never handed out, so that handle
 * 0 can mean none. */
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

int region_init(struct region *region, uint64_t memory_bytes,
                uint64_t page_bytes)
{
    uint64_t pages;

    *region = (struct region){.pages_max = 0};
    if (!is_power_of_two(page_bytes) || page_bytes < REGION_PAGE_BYTES_MIN)
        return -ERR_RANGE;
    pages = memory_bytes / page_bytes;
    if (pages < REGION_PAGES_MIN)
        pages = REGION_PAGES_MIN;
    if (!can_be(pages, page_bytes))
        return -ERR_RANGE;

    region->pages_max = (uint32_t)pages;
    region->page_bytes = page_bytes;
    region->page_shift = (unsigned)__builtin_ctzll(page_bytes);
    region->granule_shift = granule_shift_for((pages + 1) * page_bytes);
    lock_init(&region->lock, LOCK_RANK_PAGES);
    region->pages = memory_new(pages + 1, sizeof(*region->pages));
    region->free_pages = memory_new(pages, sizeof(*region->free_pages));
    region->base = memory_reserve((pages + 1) * page_bytes);
    if (region->pages == NULL || region->free_pages == NULL ||
        region->base == NULL) {
        region_fini(region);
        return -ERR_MEMORY;
    }
    return 0;
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

uint32_t region_take_page(struct region *region)
{
    uint32_t page = 0;

    if (region_pool(region) == 0)
        return 0;
    lock_take(&region->lock);
    if (region->pages_free != 0) {
        region->pages_free--;
        page = region->free_pages[region->pages_free];
    } else if (region->pages_fresh < region->pages_max) {
        region->pages_fresh++;
        page = region->pages_fresh;
    }
    lock_release(&region->lock);
    return page;
}

void region_give_page(struct region *region, uint32_t page)
{
    INVARIANT(page != 0);
    INVARIANT(page <= region->pages_max);

    lock_take(&region->lock);
    INVARIANT(region->pages_free < region->pages_max);
    region->free_pages[region->pages_free] = page;
    region->pages_free++;
    lock_release(&region->lock);
}

uint32_t region_pool(const struct region *region)
{
    return region->pages_max - region->pages_fresh + region->pages_free;
}

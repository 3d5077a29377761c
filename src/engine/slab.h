/* SPDX-License-Identifier: BSD-3-Clause */
/* Slab classes: chunks of one size each, cut from pages. A class owns its free
 * chunks and the LRU lists of its items under one lock, because a store needs
 * both. */
#ifndef ENGINE_SLAB_H
#define ENGINE_SLAB_H

#include "src/base/invariant.h"
#include "src/base/lock.h"
#include "src/engine/engine.h"
#include "src/engine/engine_metrics.h"
#include "src/engine/item.h"
#include "src/engine/region.h"

#include <stdint.h>

#define SLAB_LOOKUP_BYTES 4096u /* Classes up to here are found by a table. */
#define SLAB_LOOKUP_STEP 8u

enum lru_list { LRU_HOT, LRU_WARM, LRU_COLD, LRU_TEMP, LRU_LISTS };

struct lru_ends {
    handle_t head; /* Youngest. */
    handle_t tail;
    uint64_t count; /* Written under the lock, read by anyone (relaxed). */
};

struct slab_class {
    struct lock lock; /* Rank CLASS: all below but the sizes. */
    uint32_t chunk_bytes;
    uint32_t per_page;
    handle_t free; /* Newest free chunk. */
    uint32_t free_count;
    uint32_t carving;  /* Page with chunks never used; 0: none. */
    uint32_t waiting;  /* Pages to be carved after it, chained; 0: none. */
    uint32_t clearing; /* Page being cleared; 0: none. */
    uint32_t pulled;   /* Chunks of that page that are kept back. */
    uint32_t pages;    /* Read by anyone (relaxed). */
    uint32_t used;     /* Chunks that are neither free nor pulled; likewise. */
    struct lru_ends lists[LRU_LISTS];
    uint32_t evicted_age_s; /* Of the last victim. */
    struct engine_lru_counters counters;
};

struct slabs {
    struct region *region;
    unsigned count; /* Classes are 1..count. */
    uint8_t lookup[SLAB_LOOKUP_BYTES / SLAB_LOOKUP_STEP + 1];
    struct slab_class *classes; /* Indexed 0..count; 0 is unused. */
};

struct slab_sizes {
    uint64_t chunk_bytes_max;
    uint32_t room_bytes_min; /* -n; 0: the default. */
    double growth;           /* -f; 0: the finer default classes. */
    const uint32_t *given;   /* Instead of these two; NULL: none. */
    unsigned given_count;
};

/* Errors: -ERR_MEMORY, -ERR_RANGE.
 * Owns:   caller, until slabs_fini(); region stays the caller's. */
MUST_CHECK int slabs_init(struct slabs *slabs, struct region *region,
                          const struct slab_sizes *sizes);
void slabs_fini(struct slabs *slabs);

unsigned slab_class_search(const struct slabs *slabs, size_t bytes);

/* The smallest class with chunks of at least bytes; 0 when there is none. */
static inline unsigned slab_class_for(const struct slabs *slabs, size_t bytes)
{
    if (LIKELY(bytes <= SLAB_LOOKUP_BYTES))
        return slabs->lookup[(bytes + SLAB_LOOKUP_STEP - 1) / SLAB_LOOKUP_STEP];
    return slab_class_search(slabs, bytes);
}

static inline struct slab_class *slab_class_at(const struct slabs *slabs,
                                               unsigned index)
{
    return &slabs->classes[index];
}

/* From here on the caller holds the lock of the class. */

/* A chunk that is free at once: RESERVED, one reference. NULL when none is. */
struct item *slab_take(struct slabs *slabs, unsigned index);
/* The same, but of the pages that the class has. */
struct item *slab_take_own(struct slabs *slabs, unsigned index);
/* Readies a chunk that was just vacated for its next life. */
void slab_renew(struct item *chunk);
void slab_give(struct slabs *slabs, struct item *chunk);

/* Gives a page that nobody uses to the class. */
void slab_add_page(struct slabs *slabs, unsigned index, uint32_t page);

/* Clearing: from begin on, chunks of the page are kept back instead of used.
 * Then either the page is empty and leaves the class, or all is undone, in
 * steps: clear_stop, then clear_return until it says false. One page of a
 * class at a time, and one undoing. */
void slab_clear_begin(struct slabs *slabs, unsigned index, uint32_t page);
bool slab_clear_pull(struct slabs *slabs, struct item *chunk);
/* True when the page was empty and now belongs to nobody. */
bool slab_clear_end(struct slabs *slabs, unsigned index);
void slab_clear_stop(struct slabs *slabs, unsigned index);
/* Looks at chunks from *at on, so many; false when that was the last one. */
bool slab_clear_return(struct slabs *slabs, uint32_t page, uint32_t *at,
                       uint32_t chunks_max);

/* Chunks that are not used, wherever they are. Thread: any. */
static inline uint64_t slab_unused(const struct slab_class *class)
{
    uint64_t chunks =
        (uint64_t)__atomic_load_n(&class->pages, __ATOMIC_RELAXED) *
        class->per_page;
    uint32_t used = __atomic_load_n(&class->used, __ATOMIC_RELAXED);

    return chunks > used ? chunks - used : 0;
}

/* A page of a warm restart that is the class's already, with so many chunks in
 * use as it says; and of these, one that is not. */
void slab_restore_page(struct slabs *slabs, unsigned index, uint32_t page);
void slab_restore_free(struct slabs *slabs, unsigned index, struct item *chunk);

#endif

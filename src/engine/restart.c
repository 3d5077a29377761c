/* SPDX-License-Identifier: BSD-3-Clause */
/* Warm restart. Items name each other by their place in the region, so item
 * memory is good wherever it is mapped next; what the engine knows beside it
 * is written down: what it was laid out for, its clock and flush state, who
 * owns which page, where the LRU lists begin and end. Table and free chunks
 * are found again by looking at every chunk.
 *
 *   layout, byte order   what all below depends on
 *   fit                  sizes and seed: must be those of this engine
 *   state                clock, flush, number of items
 *   classes              the ends of their lists
 *   pages                owner, chunks in use, checksum of these
 *
 * The checksums are for accidents: a file of another day, a disk that lost
 * something. They are not what keeps this process safe; restart_pages.c is. */
#include "src/engine/restart.h"

#include "src/base/cursor.h"
#include "src/base/memory.h"

#include <stdarg.h>
#include <stdio.h>

#define BYTE_ORDER_MARK 0x01020304u
#define FIXED_BYTES 128u
#define CLASS_BYTES (4u + LRU_LISTS * 8u)
#define PAGE_ENTRY_BYTES 13u

__attribute__((format(printf, 3, 0))) static int
refuse(struct restoring *restoring, int error, const char *format, va_list args)
{
    (void)vsnprintf(restoring->words, ENGINE_WORDS_MAX, format, args);
    return error;
}

int restart_damaged(struct restoring *restoring, const char *format, ...)
{
    va_list args;
    int error;

    va_start(args, format);
    error = refuse(restoring, -ERR_CHECKSUM, format, args);
    va_end(args);
    return error;
}

__attribute__((format(printf, 2, 3))) static int
unfit(struct restoring *restoring, const char *format, ...)
{
    va_list args;
    int error;

    va_start(args, format);
    error = refuse(restoring, -ERR_REFUSED, format, args);
    va_end(args);
    return error;
}

/* ---- writing down ---- */

size_t engine_save_bytes(const struct engine *engine)
{
    return FIXED_BYTES + (size_t)engine->slabs.count * CLASS_BYTES +
           (size_t)engine->region.pages_max * PAGE_ENTRY_BYTES;
}

static void save_fit(const struct engine *engine, struct writer *out)
{
    const uint32_t mark = BYTE_ORDER_MARK;

    writer_u32(out, RESTART_LAYOUT);
    writer_bytes(out, &mark, sizeof(mark));
    writer_u64(out, engine->memory_bytes);
    writer_u64(out, engine->item_bytes_max);
    writer_u64(out, engine->hash_seed);
    writer_u64(out, engine->region.page_bytes);
    writer_u32(out, engine->region.pages_max);
    writer_u32(out, engine->region.granule_shift);
    writer_u32(out, engine->slabs.count);
}

static void save_state(const struct engine *engine, struct writer *out)
{
    struct flush_state flush;

    engine_flush_state(engine, &flush);
    writer_u64(out, stamp_last(&engine->clock));
    writer_u64(out, flush.floor);
    writer_u64(out, flush.pending);
    writer_u64(out, flush.due_ns);
    writer_u64(out, engine_items(engine));
}

static void save_classes(const struct engine *engine, struct writer *out)
{
    unsigned i;
    unsigned list;

    for (i = 1; i <= engine->slabs.count; i++) {
        const struct slab_class *class = slab_class_at(&engine->slabs, i);

        writer_u32(out, class->chunk_bytes);
        for (list = 0; list < LRU_LISTS; list++) {
            writer_u32(out, class->lists[list].head);
            writer_u32(out, class->lists[list].tail);
        }
    }
}

static uint64_t checksum_of(const struct engine *engine, uint32_t page)
{
    const struct slab_class *class =
        slab_class_at(&engine->slabs, region_class(&engine->region, page));

    return hash_bytes(region_page(&engine->region, page),
                      (size_t) class->chunk_bytes *
                          engine->region.pages[page].carved);
}

static void save_pages(const struct engine *engine, struct writer *out)
{
    const struct region *region = &engine->region;
    uint32_t page;

    for (page = 1; page <= region->pages_max; page++) {
        unsigned index = region_class(region, page);

        writer_u8(out, (uint8_t)index);
        writer_u32(out, index != 0 ? region->pages[page].carved : 0);
        writer_u64(out, index != 0 ? checksum_of(engine, page) : 0);
    }
}

void engine_save(const struct engine *engine, struct writer *out)
{
    save_fit(engine, out);
    save_state(engine, out);
    save_classes(engine, out);
    save_pages(engine, out);
}

/* ---- reading back ---- */

static unsigned long long in_mib(uint64_t bytes)
{
    return bytes / MIB;
}

static int check_build(struct restoring *restoring, struct reader *in)
{
    uint32_t layout = reader_u32(in);
    uint32_t mark = 0;
    struct slice bytes = reader_bytes(in, sizeof(mark));

    if (in->failed)
        return restart_damaged(restoring, "it ends too early");
    memcpy(&mark, bytes.data, sizeof(mark));
    if (layout != RESTART_LAYOUT || mark != BYTE_ORDER_MARK)
        return unfit(restoring, "it was left by another build");
    return 0;
}

static int check_fit(struct restoring *restoring, struct reader *in)
{
    const struct engine *engine = restoring->engine;
    uint64_t memory_bytes = reader_u64(in);
    uint64_t item_bytes_max = reader_u64(in);
    uint64_t hash_seed = reader_u64(in);
    uint64_t page_bytes = reader_u64(in);
    uint32_t pages_max = reader_u32(in);
    uint32_t granule_shift = reader_u32(in);
    uint32_t count = reader_u32(in);

    if (in->failed)
        return restart_damaged(restoring, "it ends too early");
    if (memory_bytes != engine->memory_bytes)
        return unfit(restoring, "-m was %llu and is %llu", in_mib(memory_bytes),
                     in_mib(engine->memory_bytes));
    if (item_bytes_max != engine->item_bytes_max)
        return unfit(restoring, "-I was %llu bytes and is %llu",
                     (unsigned long long)item_bytes_max,
                     (unsigned long long)engine->item_bytes_max);
    if (hash_seed != engine->hash_seed)
        return unfit(restoring, "the pair had another name (repl_name)");
    if (count != engine->slabs.count)
        return unfit(restoring, "it had other slab classes (-f, -n, "
                                "slab_sizes, slab_chunk_max)");
    if (page_bytes != engine->region.page_bytes ||
        pages_max != engine->region.pages_max ||
        granule_shift != engine->region.granule_shift)
        return unfit(restoring, "it was left by another build");
    return 0;
}

static void restore_state(struct restoring *restoring, struct reader *in)
{
    struct engine *engine = restoring->engine;

    stamp_absorb(&engine->clock, reader_u64(in));
    atomic_store(&engine->floor, reader_u64(in));
    engine->flush_pending = reader_u64(in);
    engine->flush_due_ns = reader_u64(in);
    atomic_store(&engine->flush_due_hint_ns, engine->flush_due_ns);
    restoring->items_saved = reader_u64(in);
}

static int restore_classes(struct restoring *restoring, struct reader *in)
{
    struct slabs *slabs = &restoring->engine->slabs;
    bool same = true;
    unsigned i;
    unsigned list;

    for (i = 1; i <= slabs->count; i++) {
        same &= reader_u32(in) == slab_class_at(slabs, i)->chunk_bytes;
        for (list = 0; list < LRU_LISTS; list++) {
            restoring->ends[i][list].head = reader_u32(in);
            restoring->ends[i][list].tail = reader_u32(in);
        }
    }
    if (in->failed)
        return restart_damaged(restoring, "it ends too early");
    return same ? 0
                : unfit(restoring, "it had other slab classes (-f, -n, "
                                   "slab_sizes, slab_chunk_max)");
}

static int restore_owners(struct restoring *restoring, struct reader in)
{
    const struct slabs *slabs = &restoring->engine->slabs;
    struct region *region = &restoring->engine->region;
    uint64_t chunks = 0;
    uint32_t page;

    for (page = 1; page <= region->pages_max; page++) {
        unsigned index = reader_u8(&in);
        uint32_t carved = reader_u32(&in);

        (void)reader_u64(&in);
        if (index > slabs->count ||
            carved > (index != 0 ? slab_class_at(slabs, index)->per_page : 0))
            return restart_damaged(restoring, "a page is out of its bounds");
        region->pages[page].slab_class = (uint8_t)index;
        region->pages[page].carved = carved;
        chunks += carved;
    }
    if (in.failed || reader_left(&in) != 0)
        return restart_damaged(restoring, "it has the wrong length");
    region_restore(region);
    if (restoring->items_saved > chunks)
        return restart_damaged(restoring, "it counts too many items");
    return 0;
}

static int restore_pages(struct restoring *restoring, struct reader *in)
{
    struct engine *engine = restoring->engine;
    uint32_t page;
    int error = 0;

    table_expect(&engine->table, restoring->items_saved);
    for (page = 1; page <= engine->region.pages_max && error == 0; page++) {
        uint64_t checksum;

        (void)reader_u8(in);
        (void)reader_u32(in);
        checksum = reader_u64(in);
        if (region_class(&engine->region, page) == 0)
            continue;
        if (checksum_of(engine, page) != checksum)
            return restart_damaged(
                restoring, "page %u has changed since it was left", page);
        error = restart_page(restoring, page);
    }
    return error;
}

static void count_restored(struct restoring *restoring)
{
    struct engine *engine = restoring->engine;

    table_expect(&engine->table, 0);
    atomic_store(&engine->table.items, (int64_t)restoring->items);
    engine->retired.all.total_items = restoring->items;
}

int engine_restore(struct engine *engine, struct slice saved,
                   char words[ENGINE_WORDS_MAX])
{
    struct restoring restoring = {.engine = engine, .words = words};
    struct reader in;
    int error;

    INVARIANT(engine->threads == NULL);
    INVARIANT(region_pool(&engine->region) == engine->region.pages_max);

    reader_init(&in, saved.data, saved.size);
    error = check_build(&restoring, &in);
    if (error == 0)
        error = check_fit(&restoring, &in);
    if (error == 0) {
        restore_state(&restoring, &in);
        error = restore_classes(&restoring, &in);
    }
    if (error == 0)
        error = restore_owners(&restoring, in);
    if (error == 0)
        error = restore_pages(&restoring, &in);
    if (error == 0)
        error = restart_lists(&restoring);
    if (error == 0)
        count_restored(&restoring);
    return error;
}

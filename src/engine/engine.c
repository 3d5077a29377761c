/* SPDX-License-Identifier: BSD-3-Clause */
/* The door: an engine's life, its threads, its time. */
#include "src/engine/engine.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/engine/mover.h"
#include "src/engine/state.h"

#define PAGE_BYTES_DEFAULT MIB
#define TABLE_POWER_DEFAULT 16
#define EXPTIME_RELATIVE_MAX_S (60 * 60 * 24 * 30)

static int check(const struct engine_config *config)
{
    if (config->item_bytes_max == 0 ||
        config->item_bytes_max > config->memory_bytes || config->node > 1)
        return -ERR_RANGE;
    if (config->table_power != 0 && (config->table_power < TABLE_POWER_MIN ||
                                     config->table_power > TABLE_POWER_MAX))
        return -ERR_RANGE;
    return 0;
}

static uint64_t page_bytes_of(const struct engine_config *config)
{
    return config->page_bytes != 0 ? config->page_bytes : PAGE_BYTES_DEFAULT;
}

uint64_t engine_file_bytes(const struct engine_config *config)
{
    return region_file_bytes(config->memory_bytes, page_bytes_of(config));
}

static int init_memory(struct engine *engine,
                       const struct engine_config *config)
{
    uint64_t page_bytes = page_bytes_of(config);
    struct slab_sizes sizes = {
        .chunk_bytes_max = config->chunk_bytes_max != 0
                               ? config->chunk_bytes_max
                               : page_bytes / 2,
        .room_bytes_min = config->chunk_bytes_min,
        .growth = config->growth,
        .given = config->chunk_sizes,
        .given_count = config->chunk_sizes_count,
    };
    /* A file is as long as it is. */
    int error =
        region_init(&engine->region, config->memory_bytes,
                    config->in_file ? 0 : config->memory_bytes_max, page_bytes);

    if (error == 0 && config->in_file)
        error = region_use_file(&engine->region, config->file);
    if (error == 0)
        error = slabs_init(&engine->slabs, &engine->region, &sizes);
    if (error == 0 && config->huge_pages)
        region_populate(&engine->region);
    return error;
}

/* How many items there can be in so much memory. */
static uint64_t items_in(const struct engine *engine, uint64_t bytes)
{
    return bytes / slab_class_at(&engine->slabs, 1)->chunk_bytes;
}

static int init_table(struct engine *engine, const struct engine_config *config)
{
    const struct region *region = &engine->region;
    const struct table_sizes sizes = {
        .slots_power = config->table_power != 0 ? config->table_power
                                                : TABLE_POWER_DEFAULT,
        .fixed = config->table_fixed,
        .items_max = items_in(engine, region->pages_limit * region->page_bytes),
        .items_ever_max =
            items_in(engine, region->pages_max * region->page_bytes),
    };

    return table_init(&engine->table, region, config->hash_seed, &sizes);
}

int engine_new(const struct engine_config *config, struct engine **out)
{
    struct engine *engine;
    int error = check(config);

    *out = NULL;
    if (error != 0)
        return error;
    /* Reserved, not allocated: its fields keep to their own cache lines. */
    engine = memory_reserve(sizeof(*engine));
    if (engine == NULL)
        return -ERR_MEMORY;
    engine->memory_bytes = config->memory_bytes;
    engine->item_bytes_max = config->item_bytes_max;
    engine->hash_seed = config->hash_seed;
    engine->keep_all = config->keep_all;
    engine->counters_add_up = !config->counters_overwrite;
    engine->preallocated = config->huge_pages || config->in_file;
    stamp_clock_init(&engine->clock, config->node);
    lock_init(&engine->flush_lock, LOCK_RANK_STATS);
    lock_init(&engine->threads_lock, LOCK_RANK_STATS);
    crawler_init(&engine->crawler, config);
    mover_init(&engine->mover);
    error = tuning_init(&engine->tuning, config->tuning != NULL
                                             ? config->tuning
                                             : &engine_tuning_default);
    if (error == 0)
        error = init_memory(engine, config);
    if (error == 0)
        error = init_table(engine, config);
    if (error == 0 && config->track_sizes)
        error = sizes_init(&engine->sizes, config->item_bytes_max);
    if (error != 0) {
        engine_free(&engine);
        return error;
    }
    *out = engine;
    return 0;
}

void engine_free(struct engine **engine)
{
    struct engine *gone = *engine;

    if (gone == NULL)
        return;
    INVARIANT(gone->threads == NULL);
    INVARIANT(!gone->janitor.running);

    sizes_fini(&gone->sizes);
    table_fini(&gone->table);
    slabs_fini(&gone->slabs);
    region_fini(&gone->region);
    crawler_fini(&gone->crawler);
    lock_fini(&gone->flush_lock);
    lock_fini(&gone->threads_lock);
    mover_fini(&gone->mover);
    tuning_fini(&gone->tuning);
    memory_unreserve(gone, sizeof(*gone));
    *engine = NULL;
}

int engine_set_memory(struct engine *engine, uint64_t memory_bytes)
{
    int error;

    /* What was taken at once is not given back. */
    if (engine->preallocated)
        return -ERR_RANGE;
    /* Before there is the memory to have so many. */
    error = table_allow(&engine->table, items_in(engine, memory_bytes));
    if (error == 0)
        error = region_set_limit(&engine->region, memory_bytes);
    if (error == 0)
        atomic_store_explicit(&engine->memory_bytes, memory_bytes,
                              memory_order_relaxed);
    return error;
}

uint64_t engine_memory(const struct engine *engine)
{
    return atomic_load_explicit(&engine->memory_bytes, memory_order_relaxed);
}

void engine_set_journal(struct engine *engine, const struct journal *journal)
{
    INVARIANT(engine->threads == NULL);

    engine->has_journal = journal != NULL;
    if (journal != NULL)
        engine->journal = *journal;
}

struct stamp_clock *engine_stamp_clock(struct engine *engine)
{
    return &engine->clock;
}

static bool join_watch(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;

    thread->watched = &engine->unwatched;
    if (engine->watch == NULL)
        return true;
    thread->watched = watch_classes(engine->watch);
    thread->ring = watch_ring_new(engine->watch);
    return thread->ring != NULL;
}

struct engine_thread *engine_thread_new(struct engine *engine)
{
    struct engine_thread *thread = memory_new(1, sizeof(*thread));

    if (thread == NULL)
        return NULL;
    thread->engine = engine;
    if (!join_watch(thread)) {
        memory_free(&thread);
        return NULL;
    }
    lock_take(&engine->threads_lock);
    thread->next = engine->threads;
    if (thread->next != NULL)
        thread->next->previous = thread;
    engine->threads = thread;
    lock_release(&engine->threads_lock);
    return thread;
}

void engine_thread_free(struct engine_thread **thread)
{
    struct engine_thread *gone = *thread;
    struct engine *engine;

    if (gone == NULL)
        return;
    engine = gone->engine;
    atomic_fetch_add_explicit(&engine->table.items, gone->items_untold,
                              memory_order_relaxed);
    lock_take(&engine->threads_lock);
    METRICS_ADD(&engine->retired, &gone->counts);
    if (gone->next != NULL)
        gone->next->previous = gone->previous;
    if (gone->previous != NULL)
        gone->previous->next = gone->next;
    else
        engine->threads = gone->next;
    lock_release(&engine->threads_lock);
    watch_ring_free(&gone->ring);
    memory_free(thread);
}

void engine_thread_set_now(struct engine_thread *thread, uint64_t now_ns)
{
    uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);

    thread->now_ns = now_ns;
    if (thread->now_s == now_s)
        return;
    thread->now_s = now_s;
    atomic_store_explicit(&thread->engine->now_s, now_s, memory_order_relaxed);
}

uint64_t engine_thread_now(const struct engine_thread *thread)
{
    return thread->now_ns;
}

void engine_thread_settle(struct engine_thread *thread)
{
    const struct engine *engine = thread->engine;

    if (!thread->recorded)
        return;
    thread->recorded = false;
    engine->journal.settle(engine->journal.ctx);
}

bool engine_take_changed(struct engine_thread *thread)
{
    bool changed = thread->changed;

    thread->changed = false;
    return changed;
}

bool engine_take_evicted(struct engine_thread *thread)
{
    bool evicted = thread->evicted;

    thread->evicted = false;
    return evicted;
}

uint64_t engine_last_change(const struct engine_thread *thread)
{
    const struct engine *engine = thread->engine;

    return engine->has_journal ? engine->journal.last(engine->journal.ctx) : 0;
}

uint32_t engine_expires_at(const struct engine_thread *thread,
                           int64_t exptime_s)
{
    if (exptime_s == 0)
        return 0;
    if (exptime_s < 0)
        return ENGINE_EXPIRED;
    if (exptime_s <= EXPTIME_RELATIVE_MAX_S)
        return thread->now_s + (uint32_t)exptime_s;
    return exptime_s < UINT32_MAX ? (uint32_t)exptime_s : UINT32_MAX;
}

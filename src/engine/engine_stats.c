/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics: sums over the threads and the classes, under memcached's names.
 * `stats reset` hides what was counted until then. */
#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/engine/lru.h"
#include "src/engine/state.h"

#include <stdio.h>

#define LINE_MAX_BYTES 128
#define NAME_MAX_BYTES 64

/* Everything counted, at one moment. */
struct sums {
    struct engine_counts counts;
    struct engine_class_counters classes; /* Over all classes. */
    struct engine_lru_counters lru[ENGINE_CLASSES_MAX];
    struct engine_lru_counters lru_all;
};

static void subtract(uint64_t *from, const uint64_t *what, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        from[i] -= what[i];
}

#define SUBTRACT(from, what) \
    subtract((uint64_t *)(void *)(from), \
             (const uint64_t *)(const void *)(what), \
             sizeof(*(from)) / sizeof(uint64_t))

static void sum_up(struct engine *engine, struct sums *sums)
{
    const struct engine_thread *thread;
    unsigned i;

    memset(sums, 0, sizeof(*sums));
    for (i = 1; i <= engine->slabs.count; i++) {
        struct slab_class *class = slab_class_at(&engine->slabs, i);

        lock_take(&class->lock);
        sums->lru[i] = class->counters;
        lock_release(&class->lock);
    }
    lock_take(&engine->threads_lock);
    sums->counts = engine->retired;
    for (thread = engine->threads; thread != NULL; thread = thread->next)
        METRICS_ADD(&sums->counts, &thread->counts);
    lock_release(&engine->threads_lock);
}

/* What has been counted since the last reset. */
static void sum_since_reset(struct engine *engine, struct sums *sums)
{
    unsigned i;

    sum_up(engine, sums);
    lock_take(&engine->threads_lock);
    SUBTRACT(&sums->counts, &engine->forgotten);
    for (i = 1; i <= engine->slabs.count; i++)
        SUBTRACT(&sums->lru[i], &engine->forgotten_lru[i]);
    lock_release(&engine->threads_lock);
    for (i = 1; i <= engine->slabs.count; i++) {
        METRICS_ADD(&sums->classes, &sums->counts.classes[i]);
        METRICS_ADD(&sums->lru_all, &sums->lru[i]);
    }
}

void engine_stats_reset(struct engine *engine)
{
    struct sums *sums = memory_new(1, sizeof(*sums));
    unsigned i;

    if (sums == NULL)
        return; /* Then the counters go on, which harms nobody. */
    sum_up(engine, sums);
    lock_take(&engine->threads_lock);
    engine->forgotten = sums->counts;
    for (i = 1; i <= engine->slabs.count; i++) {
        engine->forgotten.classes[i].bytes = 0; /* A level, not a count. */
        engine->forgotten_lru[i] = sums->lru[i];
    }
    lock_release(&engine->threads_lock);
    memory_free(&sums);
}

unsigned engine_classes_count(const struct engine *engine)
{
    return engine->slabs.count;
}

uint64_t engine_class_items(const struct engine *engine, unsigned class)
{
    INVARIANT(class >= 1);
    INVARIANT(class <= engine->slabs.count);

    return lru_count(slab_class_at(&engine->slabs, class));
}

uint64_t engine_items(const struct engine *engine)
{
    uint64_t items = 0;
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++)
        items += lru_count(slab_class_at(&engine->slabs, i));
    return items;
}

static uint64_t hits(const struct engine_class_counters *counts)
{
    return counts->hits_to_hot + counts->hits_to_warm + counts->hits_to_cold +
           counts->hits_to_temp;
}

static void put_commands(const struct sums *sums, struct stats_out *out)
{
    const struct engine_counters *all = &sums->counts.all;
    const struct engine_class_counters *classes = &sums->classes;

    stats_put_u64(out, "cmd_get", hits(classes) + all->get_misses);
    stats_put_u64(out, "cmd_set", classes->cmd_set);
    stats_put_u64(out, "cmd_flush", all->cmd_flush);
    stats_put_u64(out, "cmd_touch", all->cmd_touch);
    stats_put_u64(out, "get_hits", hits(classes));
    stats_put_u64(out, "get_misses", all->get_misses);
    stats_put_u64(out, "get_expired", all->get_expired);
    stats_put_u64(out, "get_flushed", all->get_flushed);
    stats_put_u64(out, "delete_misses", all->delete_misses);
    stats_put_u64(out, "delete_hits", classes->delete_hits);
    stats_put_u64(out, "incr_misses", all->incr_misses);
    stats_put_u64(out, "incr_hits", classes->incr_hits);
    stats_put_u64(out, "decr_misses", all->decr_misses);
    stats_put_u64(out, "decr_hits", classes->decr_hits);
    stats_put_u64(out, "cas_misses", all->cas_misses);
    stats_put_u64(out, "cas_hits", classes->cas_hits);
    stats_put_u64(out, "cas_badval", classes->cas_badval);
    stats_put_u64(out, "touch_hits", classes->touch_hits);
    stats_put_u64(out, "touch_misses", all->touch_misses);
    stats_put_u64(out, "store_too_large", all->store_too_large);
    stats_put_u64(out, "store_no_memory", all->store_no_memory);
}

static void put_table(const struct engine *engine, struct stats_out *out)
{
    uint64_t buckets = table_buckets(&engine->table);
    unsigned power = TABLE_POWER_PER_BUCKET;

    while (buckets >> (power - TABLE_POWER_PER_BUCKET + 1) != 0)
        power++;
    stats_put_u64(out, "limit_maxbytes", engine->memory_bytes);
    stats_put_u64(out, "hash_power_level", power);
    stats_put_u64(out, "hash_bytes", table_bytes(&engine->table));
    stats_put_u64(out, "hash_is_expanding", table_is_growing(&engine->table));
}

/* As in memcached, what is switched off is not there. */
static void put_moves(struct engine *engine, struct stats_out *out)
{
    const struct mover *mover = &engine->mover;
    struct engine_move_counters moves = {.rescues = 0};

    METRICS_ADD(&moves, &mover->counters);
    if (engine->tuning.reassign) {
        stats_put_u64(out, "slab_reassign_rescues", moves.rescues);
        stats_put_u64(out, "slab_reassign_chunk_rescues", moves.chunk_rescues);
        stats_put_u64(out, "slab_reassign_inline_reclaim",
                      moves.inline_reclaim);
        stats_put_u64(out, "slab_reassign_busy_items", moves.busy_items);
        stats_put_u64(out, "slab_reassign_busy_deletes", moves.busy_deletes);
        stats_put_u64(out, "slab_reassign_busy_nomem", moves.busy_nomem);
        stats_put_u64(out, "slab_reassign_last_busy_status", mover->last_busy);
        stats_put_u64(out, "slab_reassign_running", mover->running);
        stats_put_u64(out, "slabs_moved", moves.slabs_moved);
    }
    if (engine->crawler.enabled) {
        stats_put_u64(out, "lru_crawler_running",
                      crawler_is_running(&engine->crawler));
        stats_put_u64(out, "lru_crawler_starts", engine->crawler.starts);
    }
    if (engine->tuning.maintain)
        stats_put_u64(out, "lru_maintainer_juggles", engine->juggles);
}

static void put_items(const struct engine *engine, const struct sums *sums,
                      struct stats_out *out)
{
    const struct engine_lru_counters *lru = &sums->lru_all;

    stats_put_u64(out, "malloc_fails", lru->outofmemory);
    stats_put_u64(out, "bytes", sums->classes.bytes);
    stats_put_u64(out, "curr_items", engine_items(engine));
    stats_put_u64(out, "total_items", sums->counts.all.total_items);
    stats_put_u64(out, "slab_global_page_pool", region_idle(&engine->region));
    stats_put_u64(out, "expired_unfetched", lru->expired_unfetched);
    stats_put_u64(out, "evicted_unfetched", lru->evicted_unfetched);
    if (engine->tuning.maintain)
        stats_put_u64(out, "evicted_active", lru->evicted_active);
    stats_put_u64(out, "evictions", lru->evicted);
    stats_put_u64(out, "reclaimed", lru->reclaimed);
    stats_put_u64(out, "crawler_reclaimed", sums->classes.crawler_reclaimed);
    stats_put_u64(out, "crawler_items_checked",
                  sums->classes.crawler_items_checked);
    stats_put_u64(out, "lrutail_reflocked", lru->lrutail_reflocked);
    if (!engine->tuning.maintain)
        return;
    stats_put_u64(out, "moves_to_cold", lru->moves_to_cold);
    stats_put_u64(out, "moves_to_warm", lru->moves_to_warm);
    stats_put_u64(out, "moves_within_lru", lru->moves_within_lru);
    stats_put_u64(out, "direct_reclaims", lru->direct_reclaims);
    stats_put_u64(out, "lru_bumps_dropped", 0); /* A hit only marks. */
}

void engine_stats(struct engine *engine, struct stats_out *out)
{
    struct sums *sums = memory_new(1, sizeof(*sums));

    if (sums == NULL)
        return;
    sum_since_reset(engine, sums);
    put_commands(sums, out);
    put_table(engine, out);
    put_moves(engine, out);
    put_items(engine, sums, out);
    memory_free(&sums);
}

static void put_class(struct stats_out *out, const char *prefix, unsigned class,
                      const char *key, uint64_t value)
{
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof(name), "%s%u:%s", prefix, class, key);
    stats_put_u64(out, name, value);
}

/* What the lists of a class look like, read under its lock. */
struct lists_seen {
    uint64_t counts[LRU_LISTS];
    uint64_t ages_s[LRU_LISTS]; /* Of the tails. */
    uint64_t evicted_age_s;
};

static void look_at_lists(struct engine *engine, unsigned index,
                          struct lists_seen *seen)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    uint32_t now_s = atomic_load_explicit(&engine->now_s, memory_order_relaxed);
    unsigned i;

    lock_take(&class->lock);
    for (i = 0; i < LRU_LISTS; i++) {
        handle_t tail = class->lists[i].tail;
        uint32_t used_at_s = now_s;

        if (tail != HANDLE_NONE)
            used_at_s = item_accessed(region_item(&engine->region, tail));
        seen->counts[i] = class->lists[i].count;
        seen->ages_s[i] = now_s > used_at_s ? now_s - used_at_s : 0;
    }
    seen->evicted_age_s = class->evicted_age_s;
    lock_release(&class->lock);
}

static void put_class_items(struct engine *engine, const struct sums *sums,
                            unsigned class, struct stats_out *out)
{
    const struct engine_lru_counters *lru = &sums->lru[class];
    const struct engine_class_counters *counts = &sums->counts.classes[class];
    bool maintain = engine->tuning.maintain;
    struct lists_seen seen;
    uint64_t number;

    look_at_lists(engine, class, &seen);
    number = seen.counts[LRU_HOT] + seen.counts[LRU_WARM] +
             seen.counts[LRU_COLD] + seen.counts[LRU_TEMP];
    if (number == 0)
        return;
#define PUT(key, value) put_class(out, "items:", class, key, value)
    PUT("number", number);
    if (maintain) {
        PUT("number_hot", seen.counts[LRU_HOT]);
        PUT("number_warm", seen.counts[LRU_WARM]);
        PUT("number_cold", seen.counts[LRU_COLD]);
        if (engine->tuning.temporary_ttl_s >= 0)
            PUT("number_temp", seen.counts[LRU_TEMP]);
        PUT("age_hot", seen.ages_s[LRU_HOT]);
        PUT("age_warm", seen.ages_s[LRU_WARM]);
    }
    PUT("age", seen.ages_s[LRU_COLD]);
    PUT("mem_requested", counts->bytes);
    PUT("evicted", lru->evicted);
    PUT("evicted_nonzero", lru->evicted_nonzero);
    PUT("evicted_time", seen.evicted_age_s);
    PUT("outofmemory", lru->outofmemory);
    PUT("tailrepairs", lru->tailrepairs);
    PUT("reclaimed", lru->reclaimed);
    PUT("expired_unfetched", lru->expired_unfetched);
    PUT("evicted_unfetched", lru->evicted_unfetched);
    if (maintain)
        PUT("evicted_active", lru->evicted_active);
    PUT("crawler_reclaimed", counts->crawler_reclaimed);
    PUT("crawler_items_checked", counts->crawler_items_checked);
    PUT("lrutail_reflocked", lru->lrutail_reflocked);
    if (!maintain)
        return;
    PUT("moves_to_cold", lru->moves_to_cold);
    PUT("moves_to_warm", lru->moves_to_warm);
    PUT("moves_within_lru", lru->moves_within_lru);
    PUT("direct_reclaims", lru->direct_reclaims);
    PUT("hits_to_hot", counts->hits_to_hot);
    PUT("hits_to_warm", counts->hits_to_warm);
    PUT("hits_to_cold", counts->hits_to_cold);
    PUT("hits_to_temp", counts->hits_to_temp);
#undef PUT
}

void engine_stats_items(struct engine *engine, struct stats_out *out)
{
    struct sums *sums = memory_new(1, sizeof(*sums));
    unsigned i;

    if (sums == NULL)
        return;
    sum_since_reset(engine, sums);
    for (i = 1; i <= engine->slabs.count; i++)
        put_class_items(engine, sums, i, out);
    memory_free(&sums);
}

static void put_class_slab(struct engine *engine, const struct sums *sums,
                           unsigned index, struct stats_out *out)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    const struct engine_class_counters *counts = &sums->counts.classes[index];
    uint64_t pages;
    uint64_t used;

    lock_take(&class->lock);
    pages = class->pages;
    used = class->used;
    lock_release(&class->lock);
    if (pages == 0)
        return;
#define PUT(key, value) put_class(out, "", index, key, value)
    PUT("chunk_size", class->chunk_bytes);
    PUT("chunks_per_page", class->per_page);
    PUT("total_pages", pages);
    PUT("total_chunks", pages * class->per_page);
    PUT("used_chunks", used);
    PUT("free_chunks", pages * class->per_page - used);
    PUT("free_chunks_end", 0);
    PUT("get_hits", hits(counts));
    PUT("cmd_set", counts->cmd_set);
    PUT("delete_hits", counts->delete_hits);
    PUT("incr_hits", counts->incr_hits);
    PUT("decr_hits", counts->decr_hits);
    PUT("cas_hits", counts->cas_hits);
    PUT("cas_badval", counts->cas_badval);
    PUT("touch_hits", counts->touch_hits);
#undef PUT
}

void engine_stats_slabs(struct engine *engine, struct stats_out *out)
{
    struct sums *sums = memory_new(1, sizeof(*sums));
    uint64_t active = 0;
    uint64_t pages = 0;
    unsigned i;

    if (sums == NULL)
        return;
    sum_since_reset(engine, sums);
    for (i = 1; i <= engine->slabs.count; i++) {
        uint32_t owned = __atomic_load_n(
            &slab_class_at(&engine->slabs, i)->pages, __ATOMIC_RELAXED);

        put_class_slab(engine, sums, i, out);
        active += owned != 0;
        pages += owned;
    }
    stats_put_u64(out, "active_slabs", active);
    stats_put_u64(out, "total_malloced", pages * engine->region.page_bytes);
    memory_free(&sums);
}

void engine_print_classes(const struct engine *engine,
                          void (*line)(void *ctx, const char *text), void *ctx)
{
    char text[LINE_MAX_BYTES];
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        const struct slab_class *class = slab_class_at(&engine->slabs, i);

        (void)snprintf(text, sizeof(text),
                       "slab class %3u: chunk size %9u perslab %7u", i,
                       class->chunk_bytes, class->per_page);
        line(ctx, text);
    }
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* From options to the engine, and back for `stats settings`. */
#include "src/engine_options.h"

#include "src/base/hash.h"
#include "src/base/memory.h"

static struct engine_tuning tuning_of(const struct options *options)
{
    return (struct engine_tuning){
        .hot_percent = (uint32_t)options->hot_lru_pct,
        .warm_percent = (uint32_t)options->warm_lru_pct,
        .hot_age_factor = options->hot_max_factor,
        .warm_age_factor = options->warm_max_factor,
        .temporary_ttl_s = options->temp_lru ? options->temporary_ttl : -1,
        .segmented = options->lru_segmented,
        .maintain = options->lru_maintainer,
        .reassign = options->slab_reassign,
        .automove = (uint32_t)options->slab_automove,
        .automove_ratio = options->slab_automove_ratio,
        .automove_window_s = (uint32_t)options->slab_automove_window,
        .automove_free_ratio = options->slab_automove_freeratio,
    };
}

void engine_options_fill(const struct options *options,
                         struct engine_setup *setup)
{
    const char *pair = options->repl_name != NULL ? options->repl_name : "";

    setup->tuning = tuning_of(options);
    setup->config = (struct engine_config){
        .memory_bytes = (uint64_t)options->memory_mib * MIB,
        .memory_bytes_max = options->memory_file == NULL ? UINT64_MAX : 0,
        .counters_overwrite = options->repl_lww_counters,
        .item_bytes_max = (uint64_t)options->item_bytes_max,
        .chunk_bytes_max = (uint64_t)options->slab_chunk_max,
        .chunk_bytes_min = (uint32_t)options->chunk_min,
        .growth = options->growth,
        .table_power = (unsigned)options->hashpower,
        .table_fixed = options->no_hashexpand,
        .huge_pages = options->large_pages,
        .keep_all = options->keep_all,
        .tuning = &setup->tuning,
        .no_crawler = !options->lru_crawler,
        .crawler_sleep_us = (uint32_t)options->lru_crawler_sleep,
        .crawler_tocrawl = (uint32_t)options->lru_crawler_tocrawl,
        .track_sizes = options->track_sizes,
        .hash_seed = hash_seed(slice_of(pair))};
    setup->config.chunk_sizes_count =
        (unsigned)options_slab_sizes(options, setup->chunk_sizes);
    if (setup->config.chunk_sizes_count > 0)
        setup->config.chunk_sizes = setup->chunk_sizes;
}

void engine_options_update(const struct engine *engine, struct options *options)
{
    struct engine_tuning tuning;
    struct engine_crawler crawler;

    engine_tuning_get(engine, &tuning);
    engine_crawler_settings(engine, &crawler);
    options->memory_mib = (int64_t)(engine_memory(engine) / MIB);
    options->hot_lru_pct = tuning.hot_percent;
    options->warm_lru_pct = tuning.warm_percent;
    options->hot_max_factor = tuning.hot_age_factor;
    options->warm_max_factor = tuning.warm_age_factor;
    options->temp_lru = tuning.temporary_ttl_s >= 0;
    if (options->temp_lru)
        options->temporary_ttl = tuning.temporary_ttl_s;
    options->lru_segmented = tuning.segmented;
    options->slab_automove = tuning.automove;
    options->slab_automove_ratio = tuning.automove_ratio;
    options->slab_automove_window = tuning.automove_window_s;
    options->slab_automove_freeratio = tuning.automove_free_ratio;
    options->lru_crawler = crawler.enabled;
    options->lru_crawler_sleep = crawler.sleep_us;
    options->lru_crawler_tocrawl = crawler.tocrawl;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* From options to the engine, and back for `stats settings`. */
#include "src/engine_options.h"

#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/options_value.h"

#include <string.h>
#include <sysexits.h>

/* memcached's rules for slab_sizes. */
#define CHUNK_SIZE_MIN 48u
#define CHUNK_SIZE_STEP_MIN 8u

/* The next number of A-B-C; 0, which is no size, for what is none. */
static uint32_t take_size(const char **text)
{
    size_t length = strcspn(*text, "-");
    uint32_t size = 0;

    if (number_u32(slice_make(*text, length), &size) != 0)
        size = 0;
    *text += length;
    if (**text == '-')
        ++*text;
    return size;
}

static int check_size(uint32_t size, uint32_t before, int64_t size_max,
                      char words[OPTIONS_WORDS_MAX])
{
    if (size < CHUNK_SIZE_MIN || size > size_max)
        return options_fail(EX_USAGE, words,
                            "slab size %u is out of valid range", size);
    if (size <= before)
        return options_fail(EX_USAGE, words,
                            "slab size %u cannot be lower than or equal to a "
                            "previous class size",
                            size);
    if (size <= before + CHUNK_SIZE_STEP_MIN)
        return options_fail(EX_USAGE, words,
                            "slab size %u must be at least %u bytes larger "
                            "than previous class",
                            size, CHUNK_SIZE_STEP_MIN);
    return 0;
}

static int fill_sizes(const struct options *options, struct engine_setup *setup,
                      char words[OPTIONS_WORDS_MAX])
{
    const char *text = options->slab_sizes;
    uint32_t before = 0;
    unsigned count = 0;
    int status = 0;

    if (text == NULL)
        return 0;
    while (*text != '\0' && status == 0 &&
           count < COUNT_OF(setup->chunk_sizes)) {
        uint32_t size = take_size(&text);

        status = check_size(size, before, options->slab_chunk_max, words);
        setup->chunk_sizes[count] = size;
        count++;
        before = size;
    }
    setup->config.chunk_sizes = setup->chunk_sizes;
    setup->config.chunk_sizes_count = count;
    return status;
}

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

int engine_options_fill(const struct options *options,
                        struct engine_setup *setup,
                        char words[OPTIONS_WORDS_MAX])
{
    const char *pair = options->repl_name != NULL ? options->repl_name : "";

    setup->tuning = tuning_of(options);
    setup->config = (struct engine_config){
        .memory_bytes = (uint64_t)options->memory_mib * MIB,
        .memory_bytes_max = options->memory_file == NULL ? UINT64_MAX : 0,
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
    return fill_sizes(options, setup, words);
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

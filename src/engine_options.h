/* SPDX-License-Identifier: BSD-3-Clause */
/* What the options mean for the engine. */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include "src/engine/engine.h"
#include "src/options.h"

/* config points into the rest. */
struct engine_setup {
    struct engine_config config;
    struct engine_tuning tuning;
    uint32_t chunk_sizes[OPTIONS_SLAB_SIZES_MAX];
};

void engine_options_fill(const struct options *options,
                         struct engine_setup *setup);

/* Puts what has changed since the start into the options to be shown. */
void engine_options_update(const struct engine *engine,
                           struct options *options);

#endif

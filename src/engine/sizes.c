/* SPDX-License-Identifier: BSD-3-Clause */
/* One count for each 32 bytes, in memory that is taken where it is touched. */
#include "src/engine/sizes.h"

#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/engine/state.h"

int sizes_init(struct sizes *sizes, uint64_t bytes_max)
{
    sizes->buckets = bytes_max / SIZES_STEP_BYTES + 2;
    sizes->counts = memory_reserve(sizes->buckets * sizeof(*sizes->counts));
    return sizes->counts != NULL ? 0 : -ERR_MEMORY;
}

void sizes_fini(struct sizes *sizes)
{
    if (sizes->counts == NULL)
        return;
    memory_unreserve(sizes->counts, sizes->buckets * sizeof(*sizes->counts));
    sizes->counts = NULL;
}

void sizes_add(struct sizes *sizes, size_t bytes, int64_t change)
{
    size_t bucket = (bytes + SIZES_STEP_BYTES - 1) / SIZES_STEP_BYTES;

    if (bucket >= sizes->buckets)
        bucket = sizes->buckets - 1;
    __atomic_fetch_add(&sizes->counts[bucket], change, __ATOMIC_RELAXED);
}

bool engine_tracks_sizes(const struct engine *engine)
{
    return engine->sizes.counts != NULL;
}

void engine_stats_sizes(struct engine *engine, struct stats_out *out)
{
    const struct sizes *sizes = &engine->sizes;
    char name[NUMBER_DIGITS_MAX + 1];
    size_t i;

    if (sizes->counts == NULL) {
        stats_put(out, "sizes_status", "disabled");
        return;
    }
    for (i = 0; i < sizes->buckets; i++) {
        int64_t count = __atomic_load_n(&sizes->counts[i], __ATOMIC_RELAXED);

        if (count <= 0)
            continue;
        name[number_write_u64(name, i * SIZES_STEP_BYTES)] = '\0';
        stats_put_i64(out, name, count);
    }
}

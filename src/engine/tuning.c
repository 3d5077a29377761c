/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings that change while the engine runs: single words that everybody
 * reads and nobody waits for. */
#include "src/engine/tuning.h"

#include "src/engine/state.h"

#define FACTOR_MAX 1000000.0

const struct engine_tuning engine_tuning_default = {
    .hot_percent = 20,
    .warm_percent = 40,
    .hot_age_factor = 0.2,
    .warm_age_factor = 2.0,
    .temporary_ttl_s = -1,
    .segmented = true,
    .maintain = true,
    .reassign = true,
    .automove = ENGINE_AUTOMOVE_ON,
    .automove_ratio = 0.8,
    .automove_window_s = 10,
    .automove_free_ratio = 0.01,
};

static bool is_ratio(double value)
{
    return value >= -FACTOR_MAX && value <= FACTOR_MAX;
}

static bool is_factor(double value)
{
    return value > 0.0 && value <= FACTOR_MAX;
}

/* A comparison with what is no number is false, so that is refused, too. */
static bool is_possible(const struct engine_tuning *in)
{
    return in->hot_percent <= ENGINE_LRU_PERCENT_MAX &&
           in->warm_percent <= ENGINE_LRU_PERCENT_MAX &&
           in->hot_percent + in->warm_percent <= ENGINE_LRU_PERCENT_MAX &&
           is_factor(in->hot_age_factor) && is_factor(in->warm_age_factor) &&
           in->automove <= ENGINE_AUTOMOVE_EAGER &&
           is_ratio(in->automove_ratio) &&
           is_ratio(in->automove_free_ratio) &&
           in->automove_window_s >= ENGINE_AUTOMOVE_WINDOW_MIN_S &&
           in->automove_window_s <= ENGINE_AUTOMOVE_WINDOW_MAX_S;
}

#define PUT(field) \
    atomic_store_explicit(&tuning->field, in->field, memory_order_relaxed)

static void put_all(struct tuning *tuning, const struct engine_tuning *in)
{
    PUT(hot_percent);
    PUT(warm_percent);
    PUT(hot_age_factor);
    PUT(warm_age_factor);
    PUT(temporary_ttl_s);
    PUT(segmented);
    PUT(maintain);
    PUT(reassign);
    PUT(automove);
    PUT(automove_ratio);
    PUT(automove_window_s);
    PUT(automove_free_ratio);
    atomic_store_explicit(&tuning->plain,
                          in->segmented && in->temporary_ttl_s < 0,
                          memory_order_relaxed);
}

#undef PUT

int tuning_init(struct tuning *tuning, const struct engine_tuning *initial)
{
    lock_init(&tuning->lock, LOCK_RANK_STATS);
    if (!is_possible(initial))
        return -ERR_RANGE;
    put_all(tuning, initial);
    return 0;
}

void tuning_fini(struct tuning *tuning)
{
    lock_fini(&tuning->lock);
}

#define GET(field) \
    .field = atomic_load_explicit(&tuning->field, memory_order_relaxed)

struct lru_rules tuning_rules(const struct tuning *tuning)
{
    return (struct lru_rules){GET(hot_percent), GET(warm_percent),
                              GET(hot_age_factor), GET(warm_age_factor),
                              GET(segmented)};
}

void engine_tuning_get(const struct engine *engine, struct engine_tuning *out)
{
    const struct tuning *tuning = &engine->tuning;

    *out = (struct engine_tuning){
        GET(hot_percent),     GET(warm_percent),      GET(hot_age_factor),
        GET(warm_age_factor), GET(temporary_ttl_s),   GET(segmented),
        GET(maintain),        GET(reassign),          GET(automove),
        GET(automove_ratio),  GET(automove_window_s), GET(automove_free_ratio)};
}

#undef GET

int engine_tuning_set(struct engine *engine, const struct engine_tuning *in)
{
    struct tuning *tuning = &engine->tuning;

    if (!is_possible(in))
        return -ERR_RANGE;
    lock_take(&tuning->lock);
    put_all(tuning, in);
    lock_release(&tuning->lock);
    return 0;
}

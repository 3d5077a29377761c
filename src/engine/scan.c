/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking ranges of hashes. The table is indexed by the hash's high bits, so a
 * bucket is a range of hashes whatever the table's size is at the moment, and
 * a hash is a cursor that stays good while the table grows: between two
 * buckets the walk remembers nothing else. */
#include "src/base/invariant.h"
#include "src/engine/change.h"
#include "src/engine/read.h"

/* The walk's present bucket, locked. */
struct stop {
    struct place place;
    uint64_t last_hash; /* Of this bucket. */
    unsigned count;
    struct item *items[TABLE_ITEMS_MAX];
    uint64_t hashes[TABLE_ITEMS_MAX];
};

static void stop_begin(struct engine *engine, uint64_t hash, struct stop *stop)
{
    unsigned i;

    stop->place = table_lock(&engine->table, hash);
    stop->last_hash = table_last_hash(&engine->table, hash);
    stop->count = table_list(&engine->table, stop->place, stop->items);
    for (i = 0; i < stop->count; i++)
        stop->hashes[i] = table_hash(&engine->table, stop->items[i]);
}

/* Visits one bucket. False when fn wants to stop. */
static bool visit_bucket(struct engine_thread *thread, const struct stop *stop,
                         uint64_t from, uint64_t to, engine_visit_fn *fn,
                         void *ctx, size_t *visited)
{
    unsigned i;

    for (i = 0; i < stop->count; i++) {
        struct engine_view view;

        if (stop->hashes[i] < from || stop->hashes[i] > to)
            continue;
        if (engine_is_dead(thread, stop->items[i])) {
            /* Whoever scans for the peer would pass over a version that the
             * peer may not have, and leave an older one alive there. */
            change_forget(thread, stop->hashes[i], stop->items[i]);
            continue;
        }
        read_open_view(&view, stop->items[i], stop->place);
        if (!fn(ctx, stop->hashes[i], &view))
            return false;
        (*visited)++;
    }
    return true;
}

uint64_t engine_scan(struct engine_thread *thread, uint64_t from, uint64_t to,
                     size_t items_max, engine_visit_fn *fn, void *ctx,
                     bool *done)
{
    size_t visited = 0;
    struct stop stop;

    *done = false;
    while (from <= to) {
        bool go_on;

        stop_begin(thread->engine, from, &stop);
        go_on = visit_bucket(thread, &stop, from, to, fn, ctx, &visited);
        table_unlock(stop.place);
        if (!go_on)
            return from;
        if (stop.last_hash >= to)
            break;
        from = stop.last_hash + 1;
        if (visited >= items_max)
            return from;
    }
    *done = true;
    return from;
}

void engine_expect(struct engine *engine, uint64_t items)
{
    table_expect(&engine->table, items);
}

static bool must_go(struct engine_thread *thread, const struct item *item,
                    uint64_t hash, stamp_t floor, engine_keep_fn *keep,
                    void *ctx)
{
    return !engine_is_dead(thread, item) && item_stamp(item) <= floor &&
           !keep(ctx, hash);
}

size_t engine_purge(struct engine_thread *thread, uint64_t from, uint64_t to,
                    stamp_t floor, engine_keep_fn *keep, void *ctx)
{
    struct engine *engine = thread->engine;
    size_t purged = 0;
    struct stop stop;
    unsigned i;

    while (from <= to) {
        stop_begin(engine, from, &stop);
        for (i = 0; i < stop.count; i++) {
            struct item *item = stop.items[i];
            uint64_t hash = stop.hashes[i];

            if (hash < from || hash > to ||
                !must_go(thread, item, hash, floor, keep, ctx))
                continue;
            table_remove(
                &engine->table, stop.place,
                table_find_item(&engine->table, stop.place, hash, item));
            alloc_retire(thread, item);
            purged++;
        }
        table_unlock(stop.place);
        if (stop.last_hash >= to)
            break;
        from = stop.last_hash + 1;
    }
    return purged;
}

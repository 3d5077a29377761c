/* SPDX-License-Identifier: BSD-3-Clause */
/* What was acknowledged, by key: every version that a host's engine recorded,
 * heard from between the engine and the node's journal. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "src/base/hash.h"
#include "src/engine/state.h"

#include <string.h>

void history_init(struct world *world)
{
    for (unsigned i = 0; i < world->knobs.keys; i++) {
        struct key_history *key = &world->keys[i];

        snprintf(key->name, sizeof(key->name), "key-%03u", i);
        key->hash = hash_key(0, slice_of(key->name));
    }
}

void history_fini(struct world *world)
{
    for (unsigned i = 0; i < world->knobs.keys; i++)
        keep_free(&world->keys[i].versions);
}

struct key_history *history_of(struct world *world, uint64_t hash)
{
    struct key_history *found = NULL;

    for (unsigned i = 0; i < world->knobs.keys && found == NULL; i++)
        if (world->keys[i].hash == hash)
            found = &world->keys[i];
    INVARIANT(found != NULL); /* Else nobody wrote it. */
    return found;
}

static void add_version(struct key_history *key, stamp_t stamp, bool removed)
{
    if (key->count == key->room) {
        size_t room = key->room != 0 ? 2 * key->room : 16;

        key->versions =
            keep_resize(key->versions, room, sizeof(*key->versions));
        key->room = room;
    }
    key->versions[key->count++] =
        (struct version){.stamp = stamp, .removed = removed};
    if (stamp > key->required)
        key->required = stamp;
}

static void check_stamp(struct host *host, stamp_t stamp)
{
    struct world *world = host->world;

    check_that(world, CHECK_RISING, stamp > host->last_stamp,
               "host %u made stamp %llx after %llx", host->index,
               (unsigned long long)stamp, (unsigned long long)host->last_stamp);
    host->last_stamp = stamp;
    if (host->met)
        check_that(world, CHECK_LATER_WINS, stamp > world->barrier,
                   "host %u made stamp %llx, below %llx of before", host->index,
                   (unsigned long long)stamp,
                   (unsigned long long)world->barrier);
}

/* The log may lose something to make room. */
static void look_at_log(struct host *host)
{
    struct journal_figures log;

    journal_figures(host->node->log, &log);
    if (log.last - log.confirmed >= log.ring_size)
        fault_count(host->world, FAULT_RING_FULL);
}

static stamp_t on_record(void *ctx, struct stamp_clock *clock, uint64_t now_ns,
                         uint64_t hash, enum mutation_kind kind)
{
    struct host *host = ctx;
    struct key_history *key = history_of(host->world, hash);
    stamp_t stamp;

    look_at_log(host);
    /* That rule lies in the engine; here what it made is not told. */
    if (host->feeds && !RULE(ECHO))
        stamp = stamp_next(clock, now_ns);
    else
        stamp = host->inner.record(host->inner.ctx, clock, now_ns, hash, kind);

    host->recorded = true;
    check_stamp(host, stamp);
    add_version(key, stamp, kind == MUTATION_REMOVE);
    key->own[host->index] = stamp;
    key->own_removed[host->index] = kind == MUTATION_REMOVE;
    world_trace(host->world, "host %u %s %s @%llx", host->index,
                kind == MUTATION_REMOVE ? "removes" : "sets", key->name,
                (unsigned long long)stamp);
    return stamp;
}

static void on_repeat(void *ctx, uint64_t hash, stamp_t stamp)
{
    struct host *host = ctx;
    struct key_history *key = history_of(host->world, hash);

    /* Whoever let it go before has to have it again. */
    if (key->let_go[1 - host->index] <= stamp)
        key->let_go[1 - host->index] = STAMP_NONE;
    key->repeated_ns[host->index] = host->world->now_ns;
    world_trace(host->world, "host %u repeats %s @%llx", host->index, key->name,
                (unsigned long long)stamp);
    host->inner.repeat(host->inner.ctx, hash, stamp);
}

static void count_forgotten(const struct host *host,
                            const struct key_history *key, stamp_t stamp)
{
    struct world *world = host->world;
    const struct version *version = history_find(key, stamp);
    bool ends = version != NULL && version->expires_ns != 0 &&
                version->expires_ns < world->now_ns + NS_PER_S;
    bool known = journal_knows(host->node->log, stamp);

    if (!ends)
        fault_count(world, FAULT_EVICTED);
    if (!known)
        fault_count(world, ends ? FAULT_EXPIRED_EARLY : FAULT_EVICTED_EARLY);
}

static void on_forget(void *ctx, uint64_t hash, stamp_t stamp)
{
    struct host *host = ctx;
    struct key_history *key = history_of(host->world, hash);

    if (stamp > key->let_go[host->index])
        key->let_go[host->index] = stamp;
    if (stamp > key->ever_let_go)
        key->ever_let_go = stamp;
    world_trace(host->world, "host %u forgets %s @%llx", host->index, key->name,
                (unsigned long long)stamp);
    count_forgotten(host, key, stamp);
    host->inner.forget(host->inner.ctx, hash, stamp);
}

static stamp_t on_removed_at(void *ctx, uint64_t hash)
{
    struct host *host = ctx;

    return host->inner.removed_at(host->inner.ctx, hash);
}

static void on_applied(void *ctx, uint64_t hash, stamp_t stamp)
{
    struct host *host = ctx;

    host->inner.applied(host->inner.ctx, hash, stamp);
}

static void on_flushed(void *ctx)
{
    struct host *host = ctx;

    world_trace(host->world, "host %u flushes", host->index);
    host->inner.flushed(host->inner.ctx);
}

static void on_settle(void *ctx)
{
    struct host *host = ctx;

    host->inner.settle(host->inner.ctx);
}

static uint64_t on_last(void *ctx)
{
    struct host *host = ctx;

    return host->inner.last(host->inner.ctx);
}

void history_listen(struct host *host)
{
    struct journal journal = {.ctx = host,
                              .record = on_record,
                              .repeat = on_repeat,
                              .forget = on_forget,
                              .removed_at = on_removed_at,
                              .applied = on_applied,
                              .flushed = on_flushed,
                              .settle = on_settle,
                              .last = on_last};

    /* The node has a thread by now, which engine_set_journal() minds. */
    host->engine->journal = journal;
}

void history_content(struct key_history *key, const struct holding *holding,
                     uint64_t expires_ns)
{
    for (size_t i = key->count; i-- > 0;) {
        if (key->versions[i].stamp != holding->stamp)
            continue;
        key->versions[i].content = holding->content;
        key->versions[i].expires_ns = expires_ns;
    }
}

const struct version *history_find(const struct key_history *key, stamp_t stamp)
{
    for (size_t i = key->count; i-- > 0;)
        if (key->versions[i].stamp == stamp)
            return &key->versions[i];
    return NULL;
}

bool history_is_later(const struct key_history *key, stamp_t stamp,
                      stamp_t than)
{
    const struct version *one = history_find(key, stamp);
    const struct version *other = history_find(key, than);

    return one != NULL && other != NULL && one > other;
}

/* What the survivor of a crash knows of a key. What only the other one had is
 * lost, and nobody can be asked for it; so is what was removed and told, as
 * whoever starts again with a slow clock knows nothing of it. */
static stamp_t known_to(struct host *host, const struct key_history *key)
{
    struct holding holding = host_holds(host, key->hash);
    stamp_t removed = host->inner.removed_at(host->inner.ctx, key->hash);

    if (removed > holding.stamp && history_find(key, removed) != NULL)
        return removed;
    return holding.stamp;
}

/* That it was to live longer than the survivor knows is lost, too. */
static void keep_life(struct host *host, struct key_history *key)
{
    struct holding holding = {.live = false};

    if (host->up)
        holding = host_holds(host, key->hash);
    if (holding.live)
        history_content(key, &holding,
                        client_world_time(host, holding.expires_at_s));
}

static void lose(struct world *world, struct key_history *key, unsigned index)
{
    struct host *other = &world->hosts[1 - index];
    stamp_t known = other->up ? known_to(other, key) : STAMP_NONE;

    if (known < key->required)
        key->required = known;
    keep_life(other, key);
    if (known < key->own[other->index])
        key->own[other->index] = STAMP_NONE;
    key->own[index] = STAMP_NONE;
    key->own_removed[index] = false;
    key->let_go[index] = STAMP_NONE;
    key->gone = 0;
}

void history_crash(struct world *world, unsigned index)
{
    for (unsigned i = 0; i < world->knobs.keys; i++)
        lose(world, &world->keys[i], index);
}

void history_go_back(struct world *world, unsigned index)
{
    struct host *other = &world->hosts[1 - index];

    for (unsigned i = 0; i < world->knobs.keys; i++) {
        struct key_history *key = &world->keys[i];
        struct holding holding = host_holds(other, key->hash);
        bool removed = key->own_removed[other->index] && !holding.live;
        size_t gone = key->gone;

        if (removed) {
            gone = key->count;
            key->gone_stamp = key->own[other->index];
            key->gone_at = other->index;
        } else if (key->gone_at == index) {
            gone = 0; /* Whoever removed it does not know any more. */
        }
        lose(world, key, index);
        key->gone = gone;
    }
}

void history_doubt(struct world *world, unsigned index)
{
    for (unsigned i = 0; i < world->knobs.keys; i++) {
        struct key_history *key = &world->keys[i];
        size_t gone = key->gone;
        stamp_t let_go = key->let_go[index];

        lose(world, key, index);
        key->gone = gone;
        key->let_go[index] = let_go;
    }
}

/* Gone, or soon to be, on both hosts and in good order. */
static bool is_forgotten(const struct key_history *key)
{
    const struct version *last = history_find(key, key->required);

    return last == NULL || last->removed || last->expires_ns != 0 ||
           key->ever_let_go >= key->required;
}

void history_stop(struct world *world, unsigned index)
{
    for (unsigned i = 0; i < world->knobs.keys; i++) {
        struct key_history *key = &world->keys[i];

        key->own[index] = STAMP_NONE;
        key->own_removed[index] = false;
        if (!is_forgotten(key))
            continue;
        /* Whoever begins anew, with a slow clock, knows nothing of it. */
        key->required = STAMP_NONE;
        key->own[1 - index] = STAMP_NONE;
    }
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients: every operation of the engine that changes something, on keys that
 * both hosts use. What it made is read back and remembered. */
#include "tests/sim/sim.h"

#include "src/engine/state.h"

#include <string.h>

struct request {
    struct host *host;
    struct key_history *key;
    struct engine_key engine_key;
    struct holding before;
};

char client_value[VALUE_MAX];

static size_t value_size(struct world *world)
{
    const struct knobs *knobs = &world->knobs;

    if (knobs->big_values && dice_percent(&world->dice, 10)) {
        fault_count(world, FAULT_BIG_VALUE);
        return CODEC_WHOLE_VALUE_MAX + 1 +
               dice_below(&world->dice, VALUE_MAX - CODEC_WHOLE_VALUE_MAX - 1);
    }
    return 1 + dice_below(&world->dice, knobs->value_max);
}

size_t client_make_value(struct world *world)
{
    size_t size = value_size(world);
    uint64_t word = dice_next(&world->dice);

    for (size_t at = 0; at < size; at += sizeof(word)) {
        size_t piece = size - at < sizeof(word) ? size - at : sizeof(word);

        memcpy(client_value + at, &word, piece);
        word = word * 6364136223846793005u + 1;
    }
    return size;
}

static uint32_t some_expiry(const struct request *request)
{
    struct world *world = request->host->world;

    if (!world->knobs.expiry || dice_percent(&world->dice, 50))
        return 0;
    return engine_expires_at(request->host->client,
                             1 + (int64_t)dice_below(&world->dice, 20));
}

/* Now and then a cas unique that the client gives. */
static stamp_t some_cas(const struct request *request)
{
    struct world *world = request->host->world;

    return dice_percent(&world->dice, 10) ? dice_next(&world->dice) >> 1 | 1
                                          : STAMP_NONE;
}

static struct engine_write some_write(const struct request *request,
                                      enum engine_mode mode, size_t size)
{
    struct world *world = request->host->world;

    return (struct engine_write){.key = request->engine_key,
                                 .mode = mode,
                                 .client_flags =
                                     (uint32_t)dice_below(&world->dice, 3),
                                 .expires_at_s = some_expiry(request),
                                 .cas = request->before.cas,
                                 .value_size = size,
                                 .given_cas = some_cas(request)};
}

static void store(struct request *request, enum engine_mode mode)
{
    size_t size = client_make_value(request->host->world);
    struct engine_write write = some_write(request, mode, size);
    stamp_t stamp;

    (void)engine_store(request->host->client, &write, client_value, &stamp);
}

/* With the version that some host holds, which may be another one. */
static void compare_and_set(struct request *request)
{
    struct host *host = request->host;
    struct world *world = host->world;
    struct host *seen = &world->hosts[dice_below(&world->dice, HOSTS)];
    size_t size = 1 + dice_below(&world->dice, 64);
    struct engine_write write = some_write(request, ENGINE_CAS, size);
    enum engine_outcome outcome;
    stamp_t stamp;

    if (seen->up)
        write.cas = host_holds(seen, request->key->hash).cas;
    if (write.cas == STAMP_NONE)
        return;
    outcome = engine_store(host->client, &write, client_value, &stamp);
    /* To make room may evict the very key: then it is not found. */
    check_that(
        world, CHECK_CAS,
        (outcome != ENGINE_STORED || request->before.cas == write.cas) &&
            (outcome != ENGINE_EXISTS || request->before.cas != write.cas),
        "host %u: cas of %s with %llx over %llx: outcome %d", host->index,
        request->key->name, (unsigned long long)write.cas,
        (unsigned long long)request->before.cas, (int)outcome);
}

static void store_in_steps(struct request *request)
{
    struct engine_thread *client = request->host->client;
    size_t size = client_make_value(request->host->world);
    struct engine_write write = some_write(request, ENGINE_SET, size);
    struct item *item = NULL;
    size_t done = 0;
    stamp_t stamp;

    if (engine_reserve(client, &write, &item) != ENGINE_STORED)
        return;
    while (done < size) {
        size_t room;
        char *space = engine_item_space(client, item, done, &room);

        if (room > size - done)
            room = size - done;
        memcpy(space, client_value + done, room);
        done += room;
    }
    (void)engine_commit(client, &write, &item, &stamp);
}

static void count(struct request *request)
{
    struct world *world = request->host->world;
    struct engine_write write =
        some_write(request, ENGINE_SET, sizeof("100") - 1);
    struct engine_arith arith = {.key = request->engine_key,
                                 .delta = dice_below(&world->dice, 100),
                                 .decrement = dice_percent(&world->dice, 50)};
    uint64_t result;
    stamp_t stamp;

    if (dice_percent(&world->dice, 50))
        (void)engine_store(request->host->client, &write, "100", &stamp);
    else
        (void)engine_arith(request->host->client, &arith, &result, &stamp);
}

/* What meta commands do beside reading. */
static void look(struct request *request)
{
    struct world *world = request->host->world;
    struct engine_look wish = {.touch = dice_percent(&world->dice, 20),
                               .vivify = dice_percent(&world->dice, 50),
                               .recache = dice_percent(&world->dice, 50),
                               .expires_at_s = some_expiry(request),
                               .recache_before_s = some_expiry(request),
                               .vivify_expires_at_s = some_expiry(request),
                               .vivify_cas = some_cas(request)};
    struct engine_view view;

    if (engine_look(request->host->client, &request->engine_key, &wish,
                    &view) == ENGINE_STORED)
        engine_view_end(request->host->client, &view);
}

static void invalidate(struct request *request)
{
    struct world *world = request->host->world;
    const struct engine_removal removal = {
        .key = request->engine_key,
        .compare = dice_percent(&world->dice, 20),
        .stale = dice_percent(&world->dice, 70),
        .empty = dice_percent(&world->dice, 20),
        .touch = dice_percent(&world->dice, 20),
        .cas = request->before.cas,
        .given_cas = some_cas(request),
        .expires_at_s = some_expiry(request)};

    (void)engine_remove_as(request->host->client, &removal);
}

static void flush(struct request *request)
{
    struct world *world = request->host->world;
    uint64_t delay_s = 0;

    if (world->knobs.flush_later && dice_percent(&world->dice, 50))
        delay_s = 1 + dice_below(&world->dice, 4);
    else if (!world->knobs.flush)
        return;
    fault_count(world, delay_s > 0 ? FAULT_FLUSHED_LATER : FAULT_FLUSHED);
    engine_flush(request->host->client, delay_s);
}

/* Longer than any before, as sessions have it. */
static void prolong(struct request *request)
{
    struct host *host = request->host;

    (void)engine_touch(
        host->client, &request->engine_key,
        engine_expires_at(host->client, 60 + (int64_t)host->world->step));
}

static void change(struct request *request)
{
    struct engine_thread *client = request->host->client;
    unsigned roll = (unsigned)dice_below(&request->host->world->dice, 100);

    if (roll < 30)
        store(request, ENGINE_SET);
    else if (roll < 38)
        store(request, ENGINE_ADD);
    else if (roll < 42)
        store(request, ENGINE_REPLACE);
    else if (roll < 46)
        store(request, ENGINE_APPEND);
    else if (roll < 50)
        store(request, ENGINE_PREPEND);
    else if (roll < 56)
        compare_and_set(request);
    else if (roll < 62)
        store_in_steps(request);
    else if (roll < 67)
        count(request);
    else if (roll < 75)
        (void)engine_touch(client, &request->engine_key, some_expiry(request));
    else if (roll < 80)
        look(request);
    else if (roll < 87)
        invalidate(request);
    else if (roll < 99)
        (void)engine_remove(client, &request->engine_key);
    else
        flush(request);
}

uint64_t client_world_time(const struct host *host, uint32_t expires_at_s)
{
    uint64_t ahead_ns = host_now(host->world, host->index) -
                        host->world->now_ns; /* Wraps when behind. */

    return expires_at_s == 0 ? 0 : expires_at_s * NS_PER_S - ahead_ns;
}

/* What the change left there is a version of the history. */
static void remember(const struct request *request)
{
    struct host *host = request->host;
    struct holding after = host_holds(host, request->key->hash);

    if (!after.live)
        return;
    history_content(request->key, &after,
                    client_world_time(host, after.expires_at_s));
    if (after.stamp == request->before.stamp)
        return;
    check_that(host->world, CHECK_RISING, after.stamp > request->before.stamp,
               "host %u: %s went from %llx to %llx", host->index,
               request->key->name, (unsigned long long)request->before.stamp,
               (unsigned long long)after.stamp);
}

static bool keep_none(void *ctx, uint64_t hash)
{
    (void)ctx;
    (void)hash;
    return false;
}

void client_evict(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];
    const struct key_history *key =
        &world->keys[dice_below(&world->dice, world->knobs.keys)];
    struct journal *journal;
    struct holding holding;

    if (!host->up || world->now_ns < host->frozen_until_ns)
        return;
    holding = host_holds(host, key->hash);
    if (!holding.live)
        return;
    journal = &host->engine->journal;
    journal->forget(journal->ctx, key->hash, holding.stamp);
    (void)engine_purge(host->client, key->hash, key->hash, holding.stamp,
                       keep_none, NULL);
    engine_thread_settle(host->client);
}

void client_look(struct host *host)
{
    struct world *world = host->world;

    if (!host->recorded)
        return;
    host->recorded = false;
    for (unsigned i = 0; i < world->knobs.keys; i++) {
        struct holding holding = host_holds(host, world->keys[i].hash);
        const struct version *version =
            history_find(&world->keys[i], holding.stamp);

        if (holding.live && version != NULL && version->content == 0)
            history_content(&world->keys[i], &holding,
                            client_world_time(host, holding.expires_at_s));
    }
}

/* ---- the counter ---- */

#define COUNTER_BASE 1000000u

void client_begin_counting(struct world *world)
{
    struct host *host = &world->hosts[0];
    struct request request = {.host = host, .key = &world->keys[0]};
    struct engine_write write = {.value_size = sizeof("1000000") - 1};
    stamp_t stamp;

    if (world->now_ns < host->frozen_until_ns)
        return;
    write.key = engine_key_of(host->engine, slice_of(request.key->name));
    engine_thread_set_now(host->client, host_now(world, 0));
    (void)engine_store(host->client, &write, "1000000", &stamp);
    remember(&request);
    engine_thread_settle(host->client);
    world->counter = COUNTER_BASE;
}

/* A shorter life before anybody counts would be another base. */
static bool was_counted_on(struct request *request)
{
    struct engine_thread *client = request->host->client;
    struct engine_view view;
    struct tally tally;

    if (!engine_find(client, request->key->hash, &view))
        return false;
    engine_view_tally(&view, &tally);
    engine_view_end(client, &view);
    return tally.base_stamp != STAMP_NONE;
}

/* Once both have the base, nothing but counting, and lives that become longer
 * and shorter. */
static void count_on(struct request *request)
{
    struct world *world = request->host->world;
    struct engine_thread *client = request->host->client;
    struct engine_arith arith = {.key = request->engine_key,
                                 .delta = dice_below(&world->dice, 100),
                                 .decrement = dice_percent(&world->dice, 50)};
    uint64_t result;
    stamp_t stamp;

    if (!world->counter_there)
        return;
    if (dice_percent(&world->dice, 20) && was_counted_on(request)) {
        (void)engine_touch(
            client, &request->engine_key,
            engine_expires_at(client,
                              100000 + (int64_t)dice_below(&world->dice, 99)));
        return;
    }
    if (engine_arith(client, &arith, &result, &stamp) != ENGINE_STORED)
        return;
    if (arith.decrement)
        world->counter -= arith.delta;
    else
        world->counter += arith.delta;
}

/* What the reply tells of is the last that was made of the key here. */
static void wait_if_asked(const struct request *request, uint64_t number)
{
    struct host *host = request->host;
    struct holding after = host_holds(host, request->key->hash);

    if (number == 0)
        return;
    if (after.live)
        wait_for(host, request->key, after.stamp, false, number);
    else if (request->key->own_removed[host->index])
        wait_for(host, request->key, request->key->own[host->index], true,
                 number);
}

/* Clients do something, one way or the other. */
static void act(struct request *request)
{
    struct world *world = request->host->world;
    uint64_t awaited = 0;

    if (world->knobs.counting && request->key == &world->keys[0])
        count_on(request);
    else if (world->knobs.touching && dice_percent(&world->dice, 80))
        prolong(request);
    else if (dice_percent(&world->dice, world->knobs.talks))
        awaited = talk_some(request->host, request->key, &request->before);
    else
        change(request);
    remember(request);
    wait_if_asked(request, awaited);
}

void client_work(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];
    struct request request = {.host = host};
    struct engine_view view;

    if (!host->up || !host->serving || host->stopping ||
        world->now_ns < host->frozen_until_ns)
        return;
    request.key = &world->keys[dice_below(&world->dice, world->knobs.keys)];
    request.engine_key =
        engine_key_of(host->engine, slice_of(request.key->name));
    engine_thread_set_now(host->client, host_now(world, index));
    request.before = host_holds(host, request.key->hash);
    if (dice_percent(&world->dice, 15)) {
        if (engine_get(host->client, &request.engine_key, &view))
            engine_view_end(host->client, &view);
    } else {
        act(&request);
    }
    host->recorded = false;
    engine_thread_settle(host->client);
}

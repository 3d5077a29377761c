/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold, at every step and when all is told. A miss is no fault in a
 * cache, but each has to have its reason: evicted, expired, flushed, without
 * room, below a floor. A wrong value, an old one, or one that was removed has
 * none. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "src/base/memory.h"
#include "src/base/number.h"

#include <stdarg.h>
#include <stdlib.h>

#define SAMPLES_PER_STEP 6
#define DIGEST_GROUPS 64
#define HEAP_GROWTH_MAX (4 * MIB)
#define EXPIRY_SLACK_NS (2 * NS_PER_S)
/* Below that lives are left as they are. */
#define CLOCKS_AGREE_NS ((int64_t)NS_PER_S / 2)
#define NEARLY_NS (4 * NS_PER_S) /* Clocks and ends of lives are rounded. */

bool check_that(struct world *world, enum check check, bool holds,
                const char *format, ...)
{
    va_list args;
    int used;

    world->checks[check]++;
    if (holds || world->failed)
        return holds;
    world->failed = true;
    used =
        snprintf(world->failure, sizeof(world->failure),
                 "I%u %s: ", counts_check_law(check), counts_check_name(check));
    va_start(args, format);
    vsnprintf(world->failure + used, sizeof(world->failure) - (size_t)used,
              format, args);
    va_end(args);
    world_trace(world, "FAILED: %s", world->failure);
    return false;
}

/* ---- at every step ---- */

static void check_intact(struct world *world, const struct host *host,
                         const struct key_history *key,
                         const struct holding *holding)
{
    const struct version *version = history_find(key, holding->stamp);

    if (version != NULL && version->content != 0)
        check_that(world, CHECK_INTACT, version->content == holding->content,
                   "host %u holds %s @%llx with another value", host->index,
                   key->name, (unsigned long long)holding->stamp);
}

static void check_own_writes(struct world *world, struct host *host,
                             const struct key_history *key)
{
    struct holding holding = host_holds(host, key->hash);
    stamp_t own = key->own[host->index];
    bool kept;

    if (!holding.live)
        return;
    check_intact(world, host, key, &holding);
    kept = key->own_removed[host->index] ? holding.stamp > own
                                         : holding.stamp >= own;
    /* What it let go does not protect from one that begins anew, slow. */
    if (key->let_go[host->index] >= own)
        kept |= history_is_later(key, holding.stamp, own);
    check_that(world, CHECK_OWN_WRITES, kept,
               "host %u holds %s @%llx, but %s it @%llx itself", host->index,
               key->name, (unsigned long long)holding.stamp,
               key->own_removed[host->index] ? "removed" : "set",
               (unsigned long long)own);
}

static void check_bounds(struct world *world, struct host *host)
{
    struct journal_figures log;

    journal_figures(host->node->log, &log);
    check_that(world, CHECK_BOUNDED,
               log.tombstones <= world->knobs.tombstones &&
                   log.ring_used <= world->knobs.ring &&
                   log.ring_size == world->knobs.ring,
               "host %u: %llu tombstones, %llu entries", host->index,
               (unsigned long long)log.tombstones,
               (unsigned long long)log.ring_used);
    if (log.floors > 0)
        world->floors_rose = true;
    world->faults[FAULT_TOMBS_FULL] += log.overflows - host->overflows;
    host->overflows = log.overflows;
    world->faults[FAULT_NOT_KEPT] += host->node->not_kept - host->not_kept;
    host->not_kept = host->node->not_kept;
    if (host->not_kept > 0 ||
        (host->node->send.peer_full && host->node->send.peer_empty))
        world->crowded = true;
}

/* The clock of versions is above all that the host has seen. */
static void check_above(struct world *world, struct host *host,
                        const struct key_history *key)
{
    struct holding holding = host_holds(host, key->hash);

    if (holding.live)
        check_that(world, CHECK_ABOVE,
                   stamp_last(engine_stamp_clock(host->engine)) >=
                       holding.stamp,
                   "host %u holds %s @%llx, above its clock", host->index,
                   key->name, (unsigned long long)holding.stamp);
}

/* What nodes take beside the items: all of it when they are made, but for what
 * a verify notes down and a larger table. */
static void check_memory(struct world *world)
{
    struct heap_use use = heap_use();
    size_t made = 0;

    for (unsigned i = 0; i < HOSTS; i++)
        made += world->hosts[i].up ? world->hosts[i].heap_bytes : 0;
    check_that(world, CHECK_BYTES,
               use.bytes <= world->heap.bytes + made + HEAP_GROWTH_MAX,
               "the nodes hold %zu bytes, of which %zu from the start",
               use.bytes - world->heap.bytes, made);
}

static bool reads_counter(struct world *world, unsigned index, uint64_t *value)
{
    struct host *host = &world->hosts[index];
    struct engine_view view;
    struct slice text;

    if (!engine_find(host->client, world->keys[0].hash, &view))
        return false;
    text = engine_item_bytes(host->client, view.item, 0);
    text.size = view.value_size;
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    if (number_u64(text, value) != 0)
        *value = UINT64_MAX;
    engine_view_end(host->client, &view);
    return true;
}

/* Where memory is short either may let it go, and then it begins anew. */
static void check_counter(struct world *world)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < HOSTS && world->counter_there; i++)
        if (!reads_counter(world, i, &value) ||
            world->keys[0].ever_let_go != STAMP_NONE || world->crowded ||
            world->floors_rose)
            world->counter_there = false;
    for (unsigned i = 0; i < HOSTS && world->counter_there; i++) {
        (void)reads_counter(world, i, &value);
        check_that(world, CHECK_COUNTED, value == world->counter,
                   "host %u has counted to %llu, not %llu", i,
                   (unsigned long long)value,
                   (unsigned long long)world->counter);
    }
}

/* Both hosts have the base that nobody has counted on yet. */
static void begin_counting(struct world *world)
{
    uint64_t value[HOSTS] = {0};

    if (!world->knobs.counting || world->counter_there || world->healing)
        return;
    world->counter_there = reads_counter(world, 0, &value[0]) &&
                           reads_counter(world, 1, &value[1]) &&
                           value[0] == world->counter &&
                           value[1] == world->counter;
    if (!world->counter_there)
        client_begin_counting(world);
}

static void remember_barrier(struct world *world)
{
    world->barrier = STAMP_NONE; /* Both may have lost all since the last. */
    for (unsigned i = 0; i < world->knobs.keys; i++) {
        struct holding holding =
            host_holds(&world->hosts[0], world->keys[i].hash);

        if (holding.stamp > world->barrier)
            world->barrier = holding.stamp;
    }
    check_counter(world);
    begin_counting(world);
    world->hosts[0].met = true;
    world->hosts[1].met = true;
}

void check_step(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        struct host *host = &world->hosts[i];

        if (!host->up)
            continue;
        check_bounds(world, host);
        for (unsigned n = 0; n < SAMPLES_PER_STEP; n++) {
            const struct key_history *key =
                &world->keys[dice_below(&world->dice, world->knobs.keys)];

            check_own_writes(world, host, key);
            check_above(world, host, key);
        }
    }
    check_memory(world);
    if (world->step % 16 == 0 && check_is_quiet(world))
        remember_barrier(world);
}

/* ---- is anything left to tell? ---- */

static bool host_is_quiet(const struct host *host)
{
    struct journal_figures log;
    struct flush_state flush;

    if (!host->up || !host->serving || host->node->peer.state != PEER_PAIRED)
        return false;
    journal_figures(host->node->log, &log);
    engine_flush_state(host->engine, &flush);
    return log.confirmed == log.last && log.tombstones == 0 &&
           log.dirty_buckets == 0 && log.floors == 0 &&
           flush.pending == STAMP_NONE && !host->node->send.ack_due;
}

static bool wires_are_quiet(const struct world *world)
{
    for (unsigned i = 0; i < CONNS_MAX; i++)
        if (world->conns[i].used && (wire_pending(world, (int)i, 0) > 0 ||
                                     wire_pending(world, (int)i, 1) > 0))
            return false;
    return true;
}

bool check_is_quiet(struct world *world)
{
    return host_is_quiet(&world->hosts[0]) && host_is_quiet(&world->hosts[1]) &&
           wires_are_quiet(world);
}

/* ---- when all is told ---- */

static uint64_t expiry_in_world(const struct host *host,
                                const struct holding *holding)
{
    uint64_t ahead_ns =
        host_now(host->world, host->index) - host->world->now_ns;

    return holding->expires_at_s * NS_PER_S - ahead_ns;
}

static bool ends_soon(const struct host *host, const struct holding *holding)
{
    return holding->expires_at_s != 0 &&
           expiry_in_world(host, holding) < host->world->now_ns + NEARLY_NS;
}

static bool clocks_agree(const struct world *world)
{
    int64_t apart = (int64_t)(host_now(world, 0) - host_now(world, 1));

    return world->knobs.clock_steps == 0 && llabs(apart) < CLOCKS_AGREE_NS;
}

static void check_expiries(struct world *world, const struct key_history *key,
                           const struct holding held[HOSTS])
{
    int64_t apart;

    /* Evicted while a longer life was on its way to the peer, and while the
     * shorter one was on its way back. It ends early there, as a miss. */
    if (key->ever_let_go >= held[0].stamp)
        return;
    check_that(world, CHECK_EXPIRY,
               (held[0].expires_at_s == 0) == (held[1].expires_at_s == 0),
               "%s lives for ever on one host only", key->name);
    if (held[0].expires_at_s == 0)
        return;
    if (clocks_agree(world)) {
        check_that(world, CHECK_EXPIRY,
                   held[0].expires_at_s == held[1].expires_at_s,
                   "%s ends at %u and at %u", key->name, held[0].expires_at_s,
                   held[1].expires_at_s);
        return;
    }
    apart = (int64_t)(expiry_in_world(&world->hosts[0], &held[0]) -
                      expiry_in_world(&world->hosts[1], &held[1]));
    check_that(world, CHECK_EXPIRY, llabs(apart) <= (int64_t)EXPIRY_SLACK_NS,
               "%s ends %lld ms apart", key->name,
               (long long)(apart / (int64_t)NS_PER_MS));
}

static void check_same(struct world *world, const struct key_history *key,
                       const struct holding held[HOSTS])
{
    if (held[0].live && held[1].live) {
        check_that(world, CHECK_SAME,
                   held[0].stamp == held[1].stamp &&
                       held[0].content == held[1].content,
                   "%s is @%llx (%llx) and @%llx (%llx)", key->name,
                   (unsigned long long)held[0].stamp,
                   (unsigned long long)held[0].content,
                   (unsigned long long)held[1].stamp,
                   (unsigned long long)held[1].content);
        check_expiries(world, key, held);
        return;
    }
    for (unsigned i = 0; i < HOSTS; i++)
        if (held[i].live && !ends_soon(&world->hosts[i], &held[i]))
            check_that(world, CHECK_EVERYWHERE,
                       world->crowded || key->let_go[1 - i] == held[i].stamp,
                       "%s @%llx is on host %u only", key->name,
                       (unsigned long long)held[i].stamp, i);
}

static void check_latest(struct world *world, const struct key_history *key,
                         unsigned index, const struct holding *holding)
{
    const struct version *version;
    bool latest;

    if (!holding->live)
        return;
    version = history_find(key, holding->stamp);
    latest = holding->stamp >= key->required ||
             (key->ever_let_go >= key->required &&
              history_is_later(key, holding->stamp, key->required));
    check_that(world, CHECK_LATEST, latest,
               "host %u holds %s @%llx, behind @%llx", index, key->name,
               (unsigned long long)holding->stamp,
               (unsigned long long)key->required);
    check_that(world, CHECK_REMOVED, version != NULL && !version->removed,
               "host %u holds %s @%llx, which is %s", index, key->name,
               (unsigned long long)holding->stamp,
               version == NULL ? "unknown" : "a removal");
    if (version != NULL)
        check_that(world, CHECK_REMOVED,
                   (size_t)(version - key->versions) >= key->gone ||
                       version->stamp > key->gone_stamp,
                   "host %u holds %s @%llx, which rose from the dead", index,
                   key->name, (unsigned long long)holding->stamp);
    if (world->floors_rose)
        check_that(world, CHECK_FLOORED, latest,
                   "host %u holds %s @%llx, behind @%llx", index, key->name,
                   (unsigned long long)holding->stamp,
                   (unsigned long long)key->required);
    if (version != NULL && !version->removed)
        check_that(world, CHECK_LATEST, version->content == holding->content,
                   "host %u holds %s @%llx with another value", index,
                   key->name, (unsigned long long)holding->stamp);
}

/* A version of a host that crashed may have come through, and then gone. */
static bool was_followed(const struct key_history *key,
                         const struct version *version)
{
    for (size_t i = 0; i < key->count; i++)
        if (key->versions[i].stamp > version->stamp)
            return true;
    return false;
}

static bool may_miss(const struct world *world, const struct key_history *key,
                     const struct version *version)
{
    struct flush_state flush;

    engine_flush_state(world->hosts[0].engine, &flush);
    return version->removed || version->stamp <= flush.floor ||
           world->floors_rose || world->crowded ||
           key->ever_let_go >= version->stamp || was_followed(key, version) ||
           (version->expires_ns != 0 &&
            version->expires_ns < world->now_ns + NEARLY_NS);
}

static void check_kept(struct world *world, const struct key_history *key,
                       const struct holding held[HOSTS])
{
    const struct version *version = history_find(key, key->required);

    if (version == NULL || may_miss(world, key, version))
        return;
    check_that(world, CHECK_KEPT, held[0].live || held[1].live,
               "%s @%llx is lost", key->name,
               (unsigned long long)key->required);
}

static void check_flushed(struct world *world, const struct key_history *key,
                          const struct holding held[HOSTS])
{
    struct flush_state flush[HOSTS];

    for (unsigned i = 0; i < HOSTS; i++)
        engine_flush_state(world->hosts[i].engine, &flush[i]);
    check_that(world, CHECK_FLUSHED,
               flush[0].floor == flush[1].floor &&
                   flush[0].pending == flush[1].pending,
               "flushed @%llx and @%llx", (unsigned long long)flush[0].floor,
               (unsigned long long)flush[1].floor);
    for (unsigned i = 0; i < HOSTS; i++)
        if (held[i].live)
            check_that(world, CHECK_FLUSHED, held[i].stamp > flush[i].floor,
                       "host %u holds %s, which was flushed", i, key->name);
}

static void check_key(struct world *world, const struct key_history *key)
{
    struct holding held[HOSTS];

    for (unsigned i = 0; i < HOSTS; i++) {
        held[i] = host_holds(&world->hosts[i], key->hash);
        check_latest(world, key, i, &held[i]);
        check_own_writes(world, &world->hosts[i], key);
    }
    check_same(world, key, held);
    check_kept(world, key, held);
    check_flushed(world, key, held);
}

/* The peer has it, or had it and has something newer, or nothing for a reason
 * of its own. */
static bool has_got(struct host *peer, const struct key_history *key,
                    const struct holding *holding)
{
    struct holding theirs = host_holds(peer, key->hash);
    struct flush_state flush;

    engine_flush_state(peer->engine, &flush);
    return (theirs.live && theirs.stamp >= holding->stamp) ||
           key->own[peer->index] > holding->stamp ||
           key->let_go[peer->index] >= holding->stamp ||
           flush.floor >= holding->stamp || peer->world->crowded ||
           peer->world->floors_rose;
}

void check_fetched(struct host *host, const struct key_history *key,
                   const struct holding *holding)
{
    const struct host *peer = &host->world->hosts[1 - host->index];

    if (ends_soon(peer, holding) || key->own[peer->index] > holding->stamp ||
        key->let_go[peer->index] >= holding->stamp)
        return; /* Not everything that the peer had is there to be told. */
    check_that(host->world, CHECK_FETCHED, has_got(host, key, holding),
               "host %u fetched %s, but has not got @%llx", host->index,
               key->name, (unsigned long long)holding->stamp);
}

void check_told(struct host *host, enum check check, stamp_t until)
{
    struct world *world = host->world;
    struct host *peer = &world->hosts[1 - host->index];

    for (unsigned i = 0; i < world->knobs.keys; i++) {
        const struct key_history *key = &world->keys[i];
        struct holding holding = host_holds(host, key->hash);

        if (holding.live && holding.stamp <= until &&
            (check != CHECK_HANDOFF ||
             key->repeated_ns[host->index] < host->handed_ns) &&
            !ends_soon(host, &holding))
            check_that(world, check, has_got(peer, key, &holding),
                       "host %u goes, but %s @%llx is not with its peer",
                       host->index, key->name,
                       (unsigned long long)holding.stamp);
    }
}

static void check_one_link(struct world *world)
{
    unsigned conns = 0;

    for (unsigned i = 0; i < CONNS_MAX; i++)
        conns += world->conns[i].used;
    check_that(world, CHECK_ONE_LINK, conns == 1, "%u connections remain",
               conns);
    check_that(world, CHECK_ONE_LINK,
               world->hosts[0].node->peer.node_bit !=
                   world->hosts[1].node->peer.node_bit,
               "both have node bit %u", world->hosts[0].node->peer.node_bit);
}

/* What was evicted may end early: see check_expiries(). */
static bool may_end_otherwise(const struct key_history *key,
                              const struct holding held[HOSTS])
{
    return key->ever_let_go >= held[0].stamp &&
           held[0].expires_at_s != held[1].expires_at_s;
}

unsigned check_differing(struct world *world, bool lasting)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world->knobs.keys; i++) {
        const struct key_history *key = &world->keys[i];
        struct holding held[HOSTS];
        bool ends = false;

        for (unsigned n = 0; n < HOSTS; n++) {
            held[n] = host_holds(&world->hosts[n], key->hash);
            ends |= held[n].live && ends_soon(&world->hosts[n], &held[n]);
        }
        if (held[0].live != held[1].live || held[0].stamp != held[1].stamp)
            count += !(ends && lasting);
        else
            count += !lasting && may_end_otherwise(key, held);
    }
    return count;
}

/* Clocks that are apart round the ends of lives, which digests tell. */
static bool has_same(struct world *world, const struct node_groups *groups,
                     size_t group)
{
    for (unsigned i = 0; i < world->knobs.keys; i++) {
        uint64_t hash = world->keys[i].hash;
        struct holding held[HOSTS];

        if (hash / groups->width != group)
            continue;
        for (unsigned n = 0; n < HOSTS; n++)
            held[n] = host_holds(&world->hosts[n], hash);
        if (held[0].live != held[1].live || held[0].stamp != held[1].stamp ||
            held[0].expires_at_s != held[1].expires_at_s)
            return false;
    }
    return true;
}

static void check_digests(struct world *world)
{
    static struct node_groups groups[HOSTS];

    for (unsigned i = 0; i < HOSTS; i++) {
        /* What has ended by now has ended for the node, too. */
        node_touch_time(world->hosts[i].node, host_now(world, i));
        (void)node_groups_look(world->hosts[i].node, &groups[i], 0, UINT64_MAX,
                               DIGEST_GROUPS);
    }
    for (size_t i = 0; i < DIGEST_GROUPS; i++)
        check_that(world, CHECK_DIGEST,
                   (groups[0].sums[i] == groups[1].sums[i] &&
                    groups[0].counts[i] == groups[1].counts[i]) ==
                       has_same(world, &groups[0], i),
                   "the digests of group %zu are %llx and %llx", i,
                   (unsigned long long)groups[0].sums[i],
                   (unsigned long long)groups[1].sums[i]);
}

void check_end(struct world *world)
{
    if (!check_that(world, CHECK_QUIET, check_is_quiet(world),
                    "still not quiet at the end"))
        return;
    check_one_link(world);
    check_counter(world);
    for (unsigned i = 0; i < world->knobs.keys; i++)
        check_key(world, &world->keys[i]);
    check_digests(world);
}

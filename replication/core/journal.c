/* SPDX-License-Identifier: BSD-3-Clause */
/* One short lock over all of it: a stamp is made and its entry written in one
 * go, so that numbers rise with stamps, and an entry, its tombstone and its
 * bucket's state never disagree. What takes long (collecting tombstones,
 * clearing buckets) is done in slices, so that no worker waits for it.
 *
 * The watermark is one stamp per node bit: every version of that bit which is
 * not above it is with the peer. For our own bit it follows `confirmed`; for
 * the peer's bit it is the maximum, as its versions came from there. Both fall
 * to nothing for a peer that has to get everything. */
#include "replication/core/journal.h"

#include "replication/core/bucket_map.h"
#include "replication/core/rules.h"
#include "replication/core/tombstones.h"
#include "src/base/invariant.h"
#include "src/base/lock.h"
#include "src/base/memory.h"

#include <stdatomic.h>

#define SLICE_MAX 256      /* Tombstones or buckets under one lock. */
#define RUN_BUCKETS_MAX 1024 /* Buckets in one run of a scan. */
#define LOOK_BACK_MAX 64   /* Entries read to find the watermark. */

struct journal_log {
    struct lock lock; /* Everything below, but what is atomic. */
    struct stamp_clock *clock;
    struct journal_reference *ring;
    uint64_t mask;
    uint64_t next; /* Number of the next entry; the first is 1. */
    uint64_t confirmed;
    _Atomic uint64_t watermark[2]; /* Written under the lock. */
    struct tombstones tombs;
    stamp_t *floors; /* One per bucket; 0: none. */
    uint32_t floors_count;
    unsigned bucket_bits;
    struct bucket_map dirty;
    struct bucket_map syncing; /* Being scanned; disjoint in meaning only. */
    uint64_t round_next;       /* `next` when the scan began. */
    uint32_t round_bucket;     /* Buckets below it are confirmed. */
    atomic_bool may_be_removed; /* There is a tombstone or a floor. */
    atomic_bool sleeping;
    void (*wake)(void *ctx);
    void *wake_ctx;
};

/* ---- small helpers; the lock is held ---- */

static uint32_t bucket_of(const struct journal_log *log, uint64_t hash)
{
    return (uint32_t)(hash >> (64 - log->bucket_bits));
}

static uint64_t bucket_first(const struct journal_log *log, uint32_t bucket)
{
    return (uint64_t)bucket << (64 - log->bucket_bits);
}

static uint64_t bucket_last(const struct journal_log *log, uint32_t bucket)
{
    return bucket_first(log, bucket) | (UINT64_MAX >> log->bucket_bits);
}

static uint32_t buckets(const struct journal_log *log)
{
    return (uint32_t)1 << log->bucket_bits;
}

static uint64_t oldest_kept(const struct journal_log *log)
{
    uint64_t size = log->mask + 1;

    return log->next > size ? log->next - size : 1;
}

static bool behind(const struct journal_log *log)
{
    return log->dirty.count + log->syncing.count > 0;
}

static unsigned own_bit(const struct journal_log *log)
{
    return atomic_load_explicit(&log->clock->node, memory_order_relaxed) & 1;
}

static stamp_t watermark_of(const struct journal_log *log, unsigned bit)
{
    return atomic_load_explicit(&log->watermark[bit], memory_order_relaxed);
}

static void set_watermark(struct journal_log *log, unsigned bit, stamp_t to)
{
    atomic_store_explicit(&log->watermark[bit], to, memory_order_relaxed);
}

static void note_removals(struct journal_log *log)
{
    atomic_store_explicit(&log->may_be_removed,
                          log->tombs.count + log->floors_count > 0,
                          memory_order_release);
}

/* ---- appending ---- */

/* The ring loses what the peer has not confirmed. */
static void lose(struct journal_log *log,
                 const struct journal_reference *entry)
{
    unsigned bit = stamp_node(entry->stamp);

    if (entry->hash == JOURNAL_FLUSH) /* State, told anyway. */
        return;
    if (RULE(DIRTY))
        bucket_map_add(&log->dirty, bucket_of(log, entry->hash));
    /* A repeat of an old version: below the watermark no scan would send it. */
    if (entry->stamp <= watermark_of(log, bit))
        set_watermark(log, bit, entry->stamp - 1);
}

static uint64_t append(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    uint64_t seq = log->next;
    struct journal_reference *entry = &log->ring[seq & log->mask];

    if (seq > log->mask + 1 && seq - log->mask - 1 > log->confirmed)
        lose(log, entry);
    *entry = (struct journal_reference){hash, stamp};
    log->next = seq + 1;
    return seq;
}

static void raise_floor(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    uint32_t bucket = bucket_of(log, hash);

    if (!RULE(FLOORS))
        return;
    if (log->floors[bucket] == 0)
        log->floors_count++;
    if (log->floors[bucket] < stamp)
        log->floors[bucket] = stamp;
    bucket_map_add(&log->dirty, bucket);
}

/* The oldest removals give way. */
static void make_room(struct journal_log *log)
{
    struct tombstone *tomb;

    while (log->tombs.count >= log->tombs.max) {
        tomb = tombstones_oldest(&log->tombs);
        raise_floor(log, tomb->hash, tomb->stamp);
        tombstones_drop(&log->tombs, tomb);
    }
}

static void bury(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    struct tombstone *known = tombstones_find(&log->tombs, hash);
    uint64_t seq = append(log, hash, stamp);

    if (!RULE(TOMBSTONES))
        return;
    if (known != NULL)
        tombstones_drop(&log->tombs, known);
    make_room(log);
    tombstones_add(&log->tombs, hash, stamp, seq);
    note_removals(log);
}

/* Is the removal of this version remembered already? */
static bool buried(const struct journal_log *log, uint64_t hash,
                   stamp_t stamp)
{
    const struct tombstone *tomb = tombstones_find(&log->tombs, hash);

    if (tomb != NULL && tomb->stamp >= stamp)
        return true;
    return log->floors[bucket_of(log, hash)] >= stamp;
}

/* ---- what the engine calls ---- */

static stamp_t on_record(void *ctx, struct stamp_clock *clock,
                         uint64_t now_ns, uint64_t hash,
                         enum mutation_kind kind)
{
    struct journal_log *log = ctx;
    stamp_t stamp;

    INVARIANT(hash != JOURNAL_FLUSH);
    lock_take(&log->lock);
    stamp = stamp_next(clock, now_ns);
    /* A new value leaves the tombstone of the key in place: it is older, so
     * it does no harm, and to look for it would cost every write. */
    if (kind == MUTATION_REMOVE)
        bury(log, hash, stamp);
    else
        append(log, hash, stamp);
    lock_release(&log->lock);
    return stamp;
}

static void on_repeat(void *ctx, uint64_t hash, stamp_t stamp)
{
    struct journal_log *log = ctx;

    if (!RULE(REPEAT))
        return;
    lock_take(&log->lock);
    append(log, hash, stamp);
    lock_release(&log->lock);
}

static void on_forget(void *ctx, uint64_t hash, stamp_t stamp)
{
    struct journal_log *log = ctx;

    /* Without the lock: most evictions end here. A watermark that moves just
     * now moves before or after the item went. */
    if (journal_knows(log, stamp) || !RULE(FORGET) || !RULE(TOMBSTONES))
        return;
    lock_take(&log->lock);
    if (!buried(log, hash, stamp))
        bury(log, hash, stamp);
    lock_release(&log->lock);
}

static stamp_t on_removed_at(void *ctx, uint64_t hash)
{
    struct journal_log *log = ctx;
    const struct tombstone *tomb;
    stamp_t stamp;

    if (!atomic_load_explicit(&log->may_be_removed, memory_order_acquire))
        return STAMP_NONE;
    lock_take(&log->lock);
    tomb = tombstones_find(&log->tombs, hash);
    stamp = log->floors[bucket_of(log, hash)];
    if (tomb != NULL && tomb->stamp > stamp)
        stamp = tomb->stamp;
    lock_release(&log->lock);
    return stamp;
}

static void on_applied(void *ctx, uint64_t hash, stamp_t stamp)
{
    struct journal_log *log = ctx;
    struct tombstone *tomb;

    if (!atomic_load_explicit(&log->may_be_removed, memory_order_acquire))
        return;
    lock_take(&log->lock);
    tomb = tombstones_find(&log->tombs, hash);
    if (tomb != NULL && tomb->stamp < stamp) {
        tombstones_drop(&log->tombs, tomb);
        note_removals(log);
    }
    lock_release(&log->lock);
}

static void on_flushed(void *ctx)
{
    struct journal_log *log = ctx;

    lock_take(&log->lock);
    append(log, JOURNAL_FLUSH, STAMP_NONE);
    lock_release(&log->lock);
}

static void on_settle(void *ctx)
{
    struct journal_log *log = ctx;

    /* The lock of the record orders this load behind journal_sleep(). */
    if (atomic_load_explicit(&log->sleeping, memory_order_relaxed) &&
        atomic_exchange(&log->sleeping, false) && log->wake != NULL)
        log->wake(log->wake_ctx);
}

struct journal journal_hooks(struct journal_log *log)
{
    return (struct journal){.ctx = log,
                            .record = on_record,
                            .repeat = on_repeat,
                            .forget = on_forget,
                            .removed_at = on_removed_at,
                            .applied = on_applied,
                            .flushed = on_flushed,
                            .settle = on_settle};
}

/* ---- life ---- */

static bool config_works(const struct journal_config *config)
{
    return config->clock != NULL && config->entries > 0 &&
           config->entries <= JOURNAL_ENTRIES_MAX &&
           (config->entries & (config->entries - 1)) == 0 &&
           config->bucket_bits <= BUCKET_BITS_MAX;
}

int journal_new(const struct journal_config *config, struct journal_log **out)
{
    struct journal_log *log;
    int error;

    if (!config_works(config))
        return -ERR_RANGE;
    log = memory_new(1, sizeof(*log));
    if (log == NULL)
        return -ERR_MEMORY;
    lock_init(&log->lock, LOCK_RANK_JOURNAL);
    log->clock = config->clock;
    log->mask = config->entries - 1;
    log->next = 1;
    log->bucket_bits =
        config->bucket_bits != 0 ? config->bucket_bits : BUCKET_BITS_MAX;
    log->ring = memory_new(config->entries, sizeof(*log->ring));
    log->floors = memory_new(buckets(log), sizeof(*log->floors));
    error = tombstones_init(&log->tombs, config->tombstones_max);
    if (error == 0 && (log->ring == NULL || log->floors == NULL))
        error = -ERR_MEMORY;
    if (error != 0)
        journal_free(&log);
    *out = log;
    return error;
}

void journal_free(struct journal_log **log)
{
    if (*log == NULL)
        return;
    tombstones_fini(&(*log)->tombs);
    memory_free(&(*log)->floors);
    memory_free(&(*log)->ring);
    lock_fini(&(*log)->lock);
    memory_free(log);
}

/* ---- waking ---- */

void journal_set_wake(struct journal_log *log, void (*wake)(void *ctx),
                      void *ctx)
{
    log->wake = wake;
    log->wake_ctx = ctx;
}

bool journal_sleep(struct journal_log *log, uint64_t next)
{
    /* First the flag, then the look: a record that the look misses is made
     * after it, and so its settle() sees the flag. */
    atomic_store(&log->sleeping, true);
    if (journal_last(log) < next)
        return true;
    journal_awake(log);
    return false;
}

void journal_awake(struct journal_log *log)
{
    atomic_store_explicit(&log->sleeping, false, memory_order_relaxed);
}

/* ---- sending ---- */

uint64_t journal_last(struct journal_log *log)
{
    uint64_t last;

    lock_take(&log->lock);
    last = log->next - 1;
    lock_release(&log->lock);
    return last;
}

size_t journal_read(struct journal_log *log, uint64_t *next,
                    struct journal_reference *out, size_t max)
{
    size_t count = 0;

    lock_take(&log->lock);
    if (*next < oldest_kept(log))
        *next = oldest_kept(log);
    while (count < max && *next + count < log->next) {
        out[count] = log->ring[(*next + count) & log->mask];
        count++;
    }
    lock_release(&log->lock);
    return count;
}

stamp_t journal_tombstone(struct journal_log *log, uint64_t hash)
{
    const struct tombstone *tomb;
    stamp_t stamp;

    lock_take(&log->lock);
    tomb = tombstones_find(&log->tombs, hash);
    stamp = tomb != NULL ? tomb->stamp : STAMP_NONE;
    lock_release(&log->lock);
    return stamp;
}

bool journal_knows(const struct journal_log *log, stamp_t stamp)
{
    return stamp <= watermark_of(log, stamp_node(stamp));
}

void journal_gone(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    if (stamp_node(stamp) == own_bit(log))
        on_forget(log, hash, stamp);
}

void journal_answer(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    const struct tombstone *tomb;
    stamp_t floor;

    if (!RULE(ANSWER))
        return;
    lock_take(&log->lock);
    tomb = tombstones_find(&log->tombs, hash);
    floor = log->floors[bucket_of(log, hash)];
    /* A tombstone is on its way to the peer, or it would be gone. */
    if ((tomb == NULL || tomb->stamp < stamp) && floor >= stamp)
        bury(log, hash, floor);
    lock_release(&log->lock);
}

/* Without a gap our versions up to the last confirmed one are with the peer.
 * Repeats carry older stamps, hence the look back for a fresh one; to find
 * none only leaves the watermark lower, which is safe. */
static void advance_watermark(struct journal_log *log)
{
    unsigned bit = own_bit(log);
    stamp_t high = watermark_of(log, bit);
    uint64_t seq = log->confirmed;
    const struct journal_reference *entry;

    if (behind(log) && RULE(FROZEN))
        return;
    for (int i = 0; i < LOOK_BACK_MAX && seq >= oldest_kept(log); i++, seq--) {
        entry = &log->ring[seq & log->mask];
        if (stamp_node(entry->stamp) == bit && entry->stamp > high)
            high = entry->stamp;
    }
    set_watermark(log, bit, high);
    if (!behind(log))
        set_watermark(log, 1 - bit, STAMP_MAX);
}

/* A tombstone has done its work when nothing older can arrive any more: the
 * peer has confirmed it, and acknowledgements travel behind the data that was
 * sent before them. In a bucket that the peer may lack something of, it has
 * still to be sent. Returns whether there is more to do. */
static bool collect_some(struct journal_log *log)
{
    struct tombstone *tomb;

    for (int i = 0; i < SLICE_MAX; i++) {
        tomb = tombstones_oldest(&log->tombs);
        if (tomb == NULL || tomb->seq > log->confirmed ||
            bucket_map_has(&log->dirty, bucket_of(log, tomb->hash)) ||
            bucket_map_has(&log->syncing, bucket_of(log, tomb->hash)))
            return false;
        tombstones_drop(&log->tombs, tomb);
    }
    return true;
}

static void collect(struct journal_log *log)
{
    bool more = true;

    while (more) {
        lock_take(&log->lock);
        more = collect_some(log);
        note_removals(log);
        lock_release(&log->lock);
    }
}

void journal_confirm(struct journal_log *log, uint64_t seq)
{
    lock_take(&log->lock);
    INVARIANT(seq < log->next);
    if (seq > log->confirmed) {
        log->confirmed = seq;
        advance_watermark(log);
    }
    lock_release(&log->lock);
    collect(log);
}

/* ---- bringing the peer up to date ---- */

static void start_over(struct journal_log *log)
{
    for (uint32_t bucket = 0; bucket < buckets(log); bucket++)
        bucket_map_add(&log->dirty, bucket);
    set_watermark(log, 0, STAMP_NONE);
    set_watermark(log, 1, STAMP_NONE);
    log->confirmed = log->next - 1;
}

/* The peer goes on where it was. What the ring lost above that is in dirty
 * buckets. */
static enum journal_plan go_on(struct journal_log *log, uint64_t applied,
                               uint64_t *live_after)
{
    log->confirmed = applied;
    advance_watermark(log);
    *live_after = applied;
    if (*live_after < oldest_kept(log) - 1)
        *live_after = oldest_kept(log) - 1;
    return behind(log) ? JOURNAL_DELTA : JOURNAL_CONTINUE;
}

static bool can_go_on(const struct journal_log *log, enum journal_peer peer,
                      uint64_t applied)
{
    return peer == JOURNAL_PEER_KNOWN && applied >= log->confirmed &&
           applied < log->next;
}

enum journal_plan journal_follow(struct journal_log *log,
                                 enum journal_peer peer, uint64_t applied,
                                 uint64_t *live_after)
{
    enum journal_plan plan = JOURNAL_FULL;

    lock_take(&log->lock);
    INVARIANT(log->syncing.count == 0);
    if (can_go_on(log, peer, applied)) {
        plan = go_on(log, applied, live_after);
    } else if (peer == JOURNAL_PEER_FIRST && log->next == 1) {
        plan = go_on(log, 0, live_after); /* There is nothing to tell. */
    } else {
        start_over(log);
        *live_after = log->confirmed;
    }
    lock_release(&log->lock);
    collect(log);
    return plan;
}

void journal_apart(struct journal_log *log)
{
    uint32_t bucket;

    lock_take(&log->lock);
    bucket = bucket_map_next(&log->syncing, 0);
    while (bucket < BUCKETS_MAX) {
        if (RULE(RESUME))
            bucket_map_add(&log->dirty, bucket);
        bucket = bucket_map_next(&log->syncing, bucket + 1);
    }
    bucket_map_clear(&log->syncing);
    lock_release(&log->lock);
}

bool journal_is_dirty(struct journal_log *log)
{
    bool dirty;

    lock_take(&log->lock);
    dirty = log->dirty.count > 0;
    lock_release(&log->lock);
    return dirty;
}

bool journal_round_begin(struct journal_log *log)
{
    bool any;

    lock_take(&log->lock);
    INVARIANT(log->syncing.count == 0);
    log->syncing = log->dirty;
    bucket_map_clear(&log->dirty);
    log->round_next = log->next;
    log->round_bucket = 0;
    tombstones_rewind(&log->tombs);
    any = log->syncing.count > 0;
    lock_release(&log->lock);
    return any;
}

size_t journal_round_removals(struct journal_log *log,
                              struct journal_removal *out, size_t max,
                              bool *more)
{
    const struct tombstone *tomb = NULL;
    size_t count = 0;

    lock_take(&log->lock);
    for (int i = 0; i < SLICE_MAX && count < max; i++) {
        tomb = tombstones_walk(&log->tombs);
        if (tomb == NULL || tomb->seq >= log->round_next)
            break;
        if (bucket_map_has(&log->syncing, bucket_of(log, tomb->hash)))
            out[count++] =
                (struct journal_removal){tomb->hash, tomb->stamp};
    }
    *more = tomb != NULL && tomb->seq < log->round_next;
    lock_release(&log->lock);
    return count;
}

/* A bucket with a floor is a run of its own, so that the floor rejects no
 * more than it must. */
static uint32_t run_end(const struct journal_log *log, uint32_t first)
{
    uint32_t bucket = first;

    if (log->floors[first] != 0)
        return first;
    while (bucket + 1 < buckets(log) &&
           bucket + 1 - first < RUN_BUCKETS_MAX &&
           bucket_map_has(&log->syncing, bucket + 1) &&
           log->floors[bucket + 1] == 0)
        bucket++;
    return bucket;
}

bool journal_round_run(struct journal_log *log, uint64_t from,
                       struct journal_run *run)
{
    uint32_t bucket;
    bool found;

    lock_take(&log->lock);
    bucket = bucket_map_next(&log->syncing, bucket_of(log, from));
    found = bucket < BUCKETS_MAX;
    if (found) {
        run->from = bucket_first(log, bucket);
        if (run->from < from)
            run->from = from;
        run->to = bucket_last(log, run_end(log, bucket));
        run->floor = log->floors[bucket];
    }
    lock_release(&log->lock);
    return found;
}

/* A floor that rose meanwhile has made its bucket dirty again. */
static void bucket_confirmed(struct journal_log *log, uint32_t bucket)
{
    if (!bucket_map_has(&log->syncing, bucket))
        return;
    bucket_map_drop(&log->syncing, bucket);
    if (bucket_map_has(&log->dirty, bucket) || log->floors[bucket] == 0)
        return;
    log->floors[bucket] = 0;
    log->floors_count--;
}

static bool confirm_some(struct journal_log *log, uint64_t through_hash)
{
    for (int i = 0; i < SLICE_MAX; i++) {
        if (log->round_bucket == buckets(log) ||
            bucket_last(log, log->round_bucket) > through_hash)
            return false;
        bucket_confirmed(log, log->round_bucket++);
    }
    return true;
}

void journal_round_confirm(struct journal_log *log, uint64_t through_hash)
{
    bool more = true;

    while (more) {
        lock_take(&log->lock);
        more = confirm_some(log, through_hash);
        if (!more)
            advance_watermark(log);
        lock_release(&log->lock);
    }
    collect(log);
}

/* ---- figures ---- */

static stamp_t oldest_unconfirmed(const struct journal_log *log)
{
    uint64_t seq = log->confirmed + 1;

    if (seq < oldest_kept(log))
        seq = oldest_kept(log);
    return seq < log->next ? log->ring[seq & log->mask].stamp : STAMP_NONE;
}

void journal_figures(struct journal_log *log, struct journal_figures *out)
{
    uint64_t size = log->mask + 1;

    lock_take(&log->lock);
    *out = (struct journal_figures){
        .last = log->next - 1,
        .confirmed = log->confirmed,
        .ring_size = size,
        .ring_used = log->next - 1 - log->confirmed,
        .tombstones = log->tombs.count,
        .dirty_buckets = log->dirty.count + log->syncing.count,
        .floors = log->floors_count,
        .oldest_unconfirmed = oldest_unconfirmed(log),
    };
    lock_release(&log->lock);
    if (out->ring_used > size)
        out->ring_used = size;
}

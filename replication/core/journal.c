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

#include "replication/core/journal_inner.h"
#include "src/base/memory.h"

#define LOOK_BACK_MAX 64 /* Entries read to find the watermark. */

/* ---- appending; the lock is held ---- */

void journal_note_removals(struct journal_log *log)
{
    atomic_store_explicit(&log->may_be_removed,
                          log->tombs.count + log->floors_count > 0,
                          memory_order_release);
}

void journal_lose(struct journal_log *log, const struct journal_entry *entry)
{
    unsigned bit = stamp_node(entry->stamp);

    if (entry->hash == JOURNAL_FLUSH) /* State, told anyway. */
        return;
    if (RULE(DIRTY))
        bucket_map_add(&log->dirty, journal_bucket_of(log, entry->hash));
    /* A repeat of an old version: below the watermark no scan would send it. */
    if (entry->stamp <= journal_watermark_of(log, bit) && RULE(LOWER))
        journal_set_watermark(log, bit, entry->stamp - 1);
}

static uint64_t append(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    uint64_t seq = atomic_load_explicit(&log->next, memory_order_relaxed);
    uint64_t place = seq & log->mask;
    struct journal_entry *entry = &log->ring[place];

    if (seq - log->first > log->mask && seq - log->mask - 1 > log->confirmed)
        journal_lose(log, entry);
    *entry = (struct journal_entry){hash, stamp};
    log->touched[place / 64] &= ~((uint64_t)1 << place % 64);
    log->removed[place / 64] &= ~((uint64_t)1 << place % 64);
    atomic_store_explicit(&log->next, seq + 1, memory_order_release);
    return seq;
}

static void append_touched(struct journal_log *log, uint64_t hash,
                           stamp_t stamp)
{
    uint64_t place = append(log, hash, stamp) & log->mask;

    log->touched[place / 64] |= (uint64_t)1 << place % 64;
}

static void raise_floor(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    uint32_t bucket = journal_bucket_of(log, hash);

    if (!RULE(FLOORS))
        return;
    if (log->floors[bucket] == 0)
        log->floors_count++;
    if (log->floors[bucket] < stamp)
        log->floors[bucket] = stamp;
    bucket_map_add(&log->dirty, bucket);
}

void journal_make_room(struct journal_log *log)
{
    struct tombstone *tomb;

    while (log->tombs.count >= log->tombs.max) {
        tomb = tombstones_oldest(&log->tombs);
        log->overflows++;
        raise_floor(log, tomb->hash, tomb->stamp);
        tombstones_drop(&log->tombs, tomb);
    }
}

static void bury(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    struct tombstone *known = tombstones_find(&log->tombs, hash);
    uint64_t seq = append(log, hash, stamp);
    uint64_t place = seq & log->mask;

    log->removed[place / 64] |= (uint64_t)1 << place % 64;
    if (!RULE(TOMBSTONES))
        return;
    if (known != NULL)
        tombstones_drop(&log->tombs, known);
    journal_make_room(log);
    tombstones_add(&log->tombs, hash, stamp, seq);
    journal_note_removals(log);
}

/* Is the removal of this version remembered already? */
static bool buried(const struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    const struct tombstone *tomb = tombstones_find(&log->tombs, hash);

    if (tomb != NULL && tomb->stamp >= stamp)
        return true;
    return log->floors[journal_bucket_of(log, hash)] >= stamp;
}

/* ---- what the engine calls ---- */

static stamp_t on_record(void *ctx, struct stamp_clock *clock, uint64_t now_ns,
                         uint64_t hash, enum mutation_kind kind)
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
    append_touched(log, hash, stamp);
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
    stamp = log->floors[journal_bucket_of(log, hash)];
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
        journal_note_removals(log);
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

static uint64_t on_last(void *ctx)
{
    return journal_last(ctx);
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
                            .settle = on_settle,
                            .last = on_last};
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
    log->next = log->first = 1;
    log->bucket_bits =
        config->bucket_bits != 0 ? config->bucket_bits : BUCKET_BITS_MAX;
    log->ring = memory_new(config->entries, sizeof(*log->ring));
    log->touched = memory_new(config->entries / 64 + 1, sizeof(*log->touched));
    log->removed = memory_new(config->entries / 64 + 1, sizeof(*log->removed));
    log->floors = memory_new(journal_buckets(log), sizeof(*log->floors));
    error = tombstones_init(&log->tombs, config->tombstones_max);
    if (error == 0 &&
        (log->ring == NULL || log->touched == NULL || log->removed == NULL ||
         log->floors == NULL))
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
    memory_free(&(*log)->removed);
    memory_free(&(*log)->touched);
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
    uint64_t last;

    /* First the flag, then the look: a record that the look misses is made
     * after it, and so its settle() sees the flag. Hence the lock. */
    atomic_store(&log->sleeping, true);
    lock_take(&log->lock);
    last = log->next - 1;
    lock_release(&log->lock);
    if (last < next)
        return true;
    journal_awake(log);
    return false;
}

void journal_awake(struct journal_log *log)
{
    atomic_store_explicit(&log->sleeping, false, memory_order_relaxed);
}

/* ---- sending ---- */

uint64_t journal_last(const struct journal_log *log)
{
    return atomic_load_explicit(&log->next, memory_order_acquire) - 1;
}

size_t journal_read(struct journal_log *log, uint64_t *next,
                    struct journal_reference *out, size_t max)
{
    size_t count = 0;

    lock_take(&log->lock);
    if (*next < journal_oldest_kept(log))
        *next = journal_oldest_kept(log);
    while (count < max && *next + count < log->next) {
        const struct journal_entry *entry =
            &log->ring[(*next + count) & log->mask];

        out[count] = (struct journal_reference){
            entry->hash, entry->stamp,
            journal_is_marked(log, log->touched, *next + count),
            journal_is_marked(log, log->removed, *next + count)};
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
    return stamp <= journal_watermark_of(log, stamp_node(stamp));
}

/* Unless something is missing at the peer, every entry up to that one was sent
 * on this link or confirmed before; and what is missing there is above the
 * watermark, until a scan has brought it. */
bool journal_was_told(struct journal_log *log, stamp_t stamp)
{
    return journal_knows(log, stamp) || !journal_is_behind(log);
}

void journal_gone(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    on_forget(log, hash, stamp);
}

bool journal_answer(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    const struct tombstone *tomb;
    stamp_t floor;
    bool below;

    if (!RULE(ANSWER))
        return false;
    lock_take(&log->lock);
    tomb = tombstones_find(&log->tombs, hash);
    floor = log->floors[journal_bucket_of(log, hash)];
    /* A tombstone is on its way to the peer, or it would be gone. */
    below = (tomb == NULL || tomb->stamp < stamp) && floor >= stamp;
    if (below)
        bury(log, hash, floor);
    lock_release(&log->lock);
    return below;
}

void journal_repeat(struct journal_log *log, uint64_t hash, stamp_t stamp)
{
    lock_take(&log->lock);
    append(log, hash, stamp);
    lock_release(&log->lock);
}

/* Without a gap our versions up to the last confirmed one are with the peer.
 * Repeats carry older stamps, hence the look back for a fresh one; to find
 * none only leaves the watermark lower, which is safe. */
void journal_advance(struct journal_log *log)
{
    unsigned bit = journal_own_bit(log);
    stamp_t high = journal_watermark_of(log, bit);
    uint64_t seq = log->confirmed;
    const struct journal_entry *entry;

    if (journal_behind(log) && RULE(FROZEN))
        return;
    for (int i = 0; i < LOOK_BACK_MAX && seq >= journal_oldest_kept(log);
         i++, seq--) {
        entry = &log->ring[seq & log->mask];
        if (stamp_node(entry->stamp) == bit && entry->stamp > high)
            high = entry->stamp;
    }
    journal_set_watermark(log, bit, high);
    if (!journal_behind(log))
        journal_set_watermark(log, 1 - bit, STAMP_MAX);
}

/* A tombstone has done its work when nothing older can arrive any more: the
 * peer has confirmed it, and acknowledgements travel behind the data that was
 * sent before them. In a bucket that the peer may lack something of, it has
 * still to be sent. */
static bool has_done_its_work(const struct journal_log *log,
                              const struct tombstone *tomb)
{
    uint32_t bucket = journal_bucket_of(log, tomb->hash);

    if (tomb->seq > log->confirmed && RULE(GC))
        return false;
    return !RULE(GC_DIRTY) || (!bucket_map_has(&log->dirty, bucket) &&
                               !bucket_map_has(&log->syncing, bucket));
}

/* Returns whether there is more to do. */
static bool collect_some(struct journal_log *log)
{
    struct tombstone *tomb;

    for (int i = 0; i < JOURNAL_SLICE_MAX; i++) {
        tomb = tombstones_oldest(&log->tombs);
        if (tomb == NULL || !has_done_its_work(log, tomb))
            return false;
        tombstones_drop(&log->tombs, tomb);
    }
    return true;
}

void journal_collect(struct journal_log *log)
{
    bool more = true;

    while (more) {
        lock_take(&log->lock);
        more = collect_some(log);
        journal_note_removals(log);
        lock_release(&log->lock);
    }
}

void journal_confirm(struct journal_log *log, uint64_t seq)
{
    lock_take(&log->lock);
    INVARIANT(seq < log->next);
    if (seq > log->confirmed) {
        log->confirmed = seq;
        journal_advance(log);
    }
    lock_release(&log->lock);
    journal_collect(log);
}

/* ---- figures ---- */

static stamp_t oldest_unconfirmed(const struct journal_log *log)
{
    uint64_t seq = log->confirmed + 1;

    if (seq < journal_oldest_kept(log))
        seq = journal_oldest_kept(log);
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
        .overflows = log->overflows,
        .oldest_unconfirmed = oldest_unconfirmed(log),
    };
    lock_release(&log->lock);
    if (out->ring_used > size)
        out->ring_used = size;
}

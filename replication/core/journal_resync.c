/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the log is not enough: which buckets a peer has to be sent, how far a
 * scan of them has come, and what the peer has confirmed of it. */
#include "replication/core/journal.h"

#include "replication/core/journal_inner.h"

#define RUN_BUCKETS_MAX 1024 /* Buckets in one run of a scan. */

/* ---- bringing the peer up to date ---- */

static void doubt(struct journal_log *log, bool all)
{
    for (uint32_t bucket = 0; bucket < journal_buckets(log); bucket++)
        bucket_map_add(&log->dirty, bucket);
    if (!all)
        return;
    journal_set_watermark(log, 0, STAMP_NONE);
    journal_set_watermark(log, 1, STAMP_NONE);
}

static void start_over(struct journal_log *log)
{
    doubt(log, true);
    log->confirmed = log->next - 1;
}

/* A peer that lets an item go asks for it when it hears of a longer life. It
 * does so ahead of its acknowledgement; but the acknowledgement that comes with
 * a new link tells of nothing that got lost with the old one. So from the
 * first such entry on that it had not confirmed there, it hears all again. */
static uint64_t heard_for_sure(const struct journal_log *log, uint64_t applied)
{
    uint64_t seq = log->confirmed + 1;

    if (!RULE(RETELL))
        return applied;
    if (seq < journal_oldest_kept(log))
        seq = journal_oldest_kept(log);
    while (seq <= applied && !journal_is_marked(log, log->touched, seq)) {
        uint64_t place = seq & log->mask;

        seq += log->touched[place / 64] == 0 ? 64 - place % 64 : 1;
    }
    return seq <= applied ? seq - 1 : applied;
}

/* The peer goes on where it was. What the ring lost above that is in dirty
 * buckets. */
static enum journal_plan go_on(struct journal_log *log, uint64_t applied,
                               uint64_t *live_after)
{
    applied = heard_for_sure(log, applied);
    log->confirmed = applied;
    journal_advance(log);
    *live_after = applied;
    if (*live_after < journal_oldest_kept(log) - 1)
        *live_after = journal_oldest_kept(log) - 1;
    if (!journal_behind(log)) /* What is not kept was flushes alone. */
        log->confirmed = *live_after;
    return journal_behind(log) ? JOURNAL_DELTA : JOURNAL_CONTINUE;
}

static bool can_go_on(const struct journal_log *log, enum journal_peer peer,
                      uint64_t applied)
{
    if (!RULE(STRANGER) && peer == JOURNAL_PEER_STRANGER)
        return applied >= log->confirmed && applied < log->next;
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
    journal_collect(log);
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

void journal_doubt(struct journal_log *log, bool all)
{
    lock_take(&log->lock);
    doubt(log, all);
    lock_release(&log->lock);
}

bool journal_is_behind(struct journal_log *log)
{
    bool behind;

    lock_take(&log->lock);
    behind = journal_behind(log);
    lock_release(&log->lock);
    return behind;
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
    for (int i = 0; i < JOURNAL_SLICE_MAX && count < max; i++) {
        tomb = tombstones_walk(&log->tombs);
        if (tomb == NULL || tomb->seq >= log->round_next)
            break;
        if (bucket_map_has(&log->syncing, journal_bucket_of(log, tomb->hash)) &&
            RULE(REMOVALS))
            out[count++] = (struct journal_removal){tomb->hash, tomb->stamp};
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
    while (bucket + 1 < journal_buckets(log) &&
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
    bucket = bucket_map_next(&log->syncing, journal_bucket_of(log, from));
    found = bucket < BUCKETS_MAX;
    if (found) {
        run->from = journal_bucket_first(log, bucket);
        if (run->from < from)
            run->from = from;
        run->to = journal_bucket_last(log, run_end(log, bucket));
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
    for (int i = 0; i < JOURNAL_SLICE_MAX; i++) {
        if (log->round_bucket == journal_buckets(log) ||
            journal_bucket_last(log, log->round_bucket) > through_hash)
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
            journal_advance(log);
        lock_release(&log->lock);
    }
    journal_collect(log);
}

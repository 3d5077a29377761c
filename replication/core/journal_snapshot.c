/* SPDX-License-Identifier: BSD-3-Clause */
/* The log across a warm restart. Its entries are not kept: what the peer has
 * not confirmed makes its bucket dirty, as if the ring had lost it, and the
 * peer is brought up to date by a scan of these buckets. Numbers go on. */
#include "replication/core/journal.h"

#include "replication/core/journal_inner.h"

#define FIXED_BYTES 64u
#define FLOOR_BYTES 12u
#define TOMBSTONE_BYTES 24u

/* ---- writing down ---- */

size_t journal_save_bytes(struct journal_log *log)
{
    size_t bytes = FIXED_BYTES + journal_buckets(log) / 8 + sizeof(uint64_t);

    lock_take(&log->lock);
    bytes += log->floors_count * (size_t)FLOOR_BYTES +
             log->tombs.count * (size_t)TOMBSTONE_BYTES;
    lock_release(&log->lock);
    return bytes;
}

static void lose_unconfirmed(struct journal_log *log)
{
    uint64_t seq = log->confirmed + 1;

    if (!RULE(UNSENT))
        return;
    if (seq < journal_oldest_kept(log))
        seq = journal_oldest_kept(log);
    for (; seq < log->next; seq++)
        journal_lose(log, &log->ring[seq & log->mask]);
}

static void save_dirty(const struct journal_log *log, struct writer *out)
{
    for (uint32_t word = 0; word * 64 < journal_buckets(log); word++)
        writer_u64(out, log->dirty.words[word]);
}

static void save_floors(const struct journal_log *log, struct writer *out)
{
    writer_u32(out, log->floors_count);
    for (uint32_t bucket = 0; bucket < journal_buckets(log); bucket++) {
        if (log->floors[bucket] == STAMP_NONE)
            continue;
        writer_u32(out, bucket);
        writer_u64(out, log->floors[bucket]);
    }
}

static void save_tombstones(struct journal_log *log, struct writer *out)
{
    const struct tombstone *tomb;

    writer_u32(out, log->tombs.count);
    tombstones_rewind(&log->tombs);
    while ((tomb = tombstones_walk(&log->tombs)) != NULL) {
        writer_u64(out, tomb->hash);
        writer_u64(out, tomb->stamp);
        writer_u64(out, tomb->seq);
    }
}

void journal_save(struct journal_log *log, struct writer *out)
{
    journal_apart(log);
    lock_take(&log->lock);
    lose_unconfirmed(log);
    writer_u32(out, log->bucket_bits);
    writer_u64(out, log->next);
    writer_u64(out, log->confirmed);
    writer_u64(out, journal_watermark_of(log, 0));
    writer_u64(out, journal_watermark_of(log, 1));
    save_dirty(log, out);
    save_floors(log, out);
    save_tombstones(log, out);
    lock_release(&log->lock);
}

/* ---- reading back ---- */

static bool restore_numbers(struct journal_log *log, struct reader *in)
{
    uint32_t bucket_bits = reader_u32(in);

    log->next = log->first = reader_u64(in);
    log->confirmed = reader_u64(in);
    journal_set_watermark(log, 0, reader_u64(in));
    journal_set_watermark(log, 1, reader_u64(in));
    return bucket_bits == log->bucket_bits && log->confirmed < log->next &&
           log->next <= JOURNAL_NUMBER_MAX;
}

static bool restore_dirty(struct journal_log *log, struct reader *in)
{
    uint32_t buckets = journal_buckets(log);

    for (uint32_t word = 0; word * 64 < buckets; word++) {
        uint64_t bits = reader_u64(in);

        if (buckets < 64 && bits >> buckets != 0)
            return false;
        for (; bits != 0; bits &= bits - 1)
            bucket_map_add(&log->dirty,
                           word * 64 + (uint32_t)__builtin_ctzll(bits));
    }
    return true;
}

static bool restore_floors(struct journal_log *log, struct reader *in)
{
    uint32_t count = reader_u32(in);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bucket = reader_u32(in);
        stamp_t floor = reader_u64(in);

        if (bucket >= journal_buckets(log) || floor == STAMP_NONE ||
            log->floors[bucket] != STAMP_NONE)
            return false;
        log->floors[bucket] = floor;
        log->floors_count++;
    }
    return true;
}

/* With a lower bound than before the oldest of them become floors. */
static bool restore_tombstones(struct journal_log *log, struct reader *in)
{
    uint32_t count = reader_u32(in);
    uint64_t before = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = reader_u64(in);
        stamp_t stamp = reader_u64(in);
        uint64_t seq = reader_u64(in);

        if (hash == JOURNAL_FLUSH || seq <= before || seq >= log->next ||
            tombstones_find(&log->tombs, hash) != NULL)
            return false;
        journal_make_room(log);
        tombstones_add(&log->tombs, hash, stamp, seq);
        before = seq;
    }
    return true;
}

int journal_restore(struct journal_log *log, struct reader *in)
{
    bool sound;

    INVARIANT(log->next == 1);
    lock_take(&log->lock);
    sound = restore_numbers(log, in) && restore_dirty(log, in) &&
            restore_floors(log, in) && restore_tombstones(log, in) &&
            !in->failed;
    journal_note_removals(log);
    lock_release(&log->lock);
    return sound ? 0 : -ERR_SYNTAX;
}

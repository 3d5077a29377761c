/* SPDX-License-Identifier: BSD-3-Clause */
/* What changed here and the peer has not confirmed: a ring of references,
 * never values; tombstones for what was removed; and for both, when room runs
 * out, the buckets in which the peer may lack something. Bounded: a peer away
 * for ever costs a resync, never memory.
 *
 * Numbers count the changes from 1 on; `confirmed` is the highest one that
 * the peer has acknowledged. Of a change that the ring loses before that, the
 * bucket becomes dirty, and the watermark stands still until the peer has
 * been brought up to date. A removal that finds no room raises the floor of
 * its bucket: whatever is not newer and not here counts as removed.
 *
 * Thread: what struct journal names, by any thread under the key's bucket
 *         lock; the rest by the replication thread. */
#ifndef REPLICATION_CORE_JOURNAL_H
#define REPLICATION_CORE_JOURNAL_H

#include "src/base/cursor.h"
#include "src/base/error.h"
#include "src/engine/mutation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_ENTRIES_MAX ((size_t)1 << 32)
#define JOURNAL_NUMBER_MAX ((uint64_t)1 << 62)
#define JOURNAL_FLUSH 0u /* The hash of a flush_all in the log. */

struct journal_log;

struct journal_config {
    struct stamp_clock *clock; /* The engine's: it knows our node bit. */
    size_t entries;            /* A power of two. */
    size_t tombstones_max;     /* At least 1. */
    unsigned bucket_bits;      /* 0: 16, which is also the most. */
};

struct journal_reference {
    uint64_t hash; /* JOURNAL_FLUSH or a key's. */
    stamp_t stamp; /* The version that was current then. */
    bool touched;  /* It was not new then: it lives longer, or its token is
                      given out. */
    bool removed;  /* A removal, with its tombstone, or a floor instead. */
};

struct journal_removal {
    uint64_t hash;
    stamp_t stamp;
};

/* Errors: -ERR_MEMORY, -ERR_RANGE. Owns: caller, until journal_free(). */
MUST_CHECK int journal_new(const struct journal_config *config,
                           struct journal_log **out);
void journal_free(struct journal_log **log);

/* What engine_set_journal() wants. */
struct journal journal_hooks(struct journal_log *log);

/* ---- across a restart ---- */

/* Everything but the ring, journal_save_bytes() long; nobody records any more,
 * no link is up, and the log is only good for journal_free() then. */
size_t journal_save_bytes(struct journal_log *log);
void journal_save(struct journal_log *log, struct writer *out);
/* Into a new log that has recorded nothing.
 * Errors: -ERR_SYNTAX; the log is only good for journal_free() then. */
MUST_CHECK int journal_restore(struct journal_log *log, struct reader *in);

/* ---- waking the sender ---- */

/* Before the engine's threads run. */
void journal_set_wake(struct journal_log *log, void (*wake)(void *ctx),
                      void *ctx);
/* From now on what is recorded wakes, once. False when there already is
 * something at number `next`; then nothing wakes. */
bool journal_sleep(struct journal_log *log, uint64_t next);
void journal_awake(struct journal_log *log);

/* ---- sending ---- */

/* The highest number given so far. */
uint64_t journal_last(const struct journal_log *log);
/* Copies up to max references from number *next on; moves *next up to the
 * oldest one that the ring still has. Returns how many. */
size_t journal_read(struct journal_log *log, uint64_t *next,
                    struct journal_reference *out, size_t max);
/* STAMP_NONE when the key has no tombstone. */
stamp_t journal_tombstone(struct journal_log *log, uint64_t hash);
/* Is the version certain to be with the peer, as things stand? */
bool journal_knows(const struct journal_log *log, stamp_t stamp);
/* Has the peer been given the version, if its own entry lies before the one
 * that is being sent? It may have let it go since. */
bool journal_was_told(struct journal_log *log, stamp_t stamp);
/* The sender wanted to send that version and found nothing: it may have expired
 * without anybody noticing. Unless the peer has it, that is a removal. */
void journal_gone(struct journal_log *log, uint64_t hash, stamp_t stamp);
/* The peer sent a version that removed_at() rejects: it shall hear why. True
 * when that was for a floor. */
bool journal_answer(struct journal_log *log, uint64_t hash, stamp_t stamp);
/* The peer may lack that version, which is here: it shall get all of it. */
void journal_repeat(struct journal_log *log, uint64_t hash, stamp_t stamp);
/* The peer has everything up to this number. */
void journal_confirm(struct journal_log *log, uint64_t seq);

/* ---- bringing the peer up to date ---- */

enum journal_plan {
    JOURNAL_CONTINUE = 1, /* The log is enough. */
    JOURNAL_DELTA,        /* The dirty buckets besides. */
    JOURNAL_FULL,         /* All buckets besides. */
};

/* What is known of the peer, or of ourselves, when a link is up. */
enum journal_peer {
    JOURNAL_PEER_STRANGER, /* It may lack anything. */
    JOURNAL_PEER_KNOWN,    /* It followed this very log, up to `applied`, and
                              it is the one that confirmed ours. */
    JOURNAL_PEER_FIRST,    /* We hold nothing and have met nobody yet. */
};
/* The live stream starts behind *live_after: before what the peer has, if it
 * may have asked for something that it was only told the life of. */
enum journal_plan journal_follow(struct journal_log *log,
                                 enum journal_peer peer, uint64_t applied,
                                 uint64_t *live_after);
/* The link is gone: what was being scanned is dirty again. */
void journal_apart(struct journal_log *log);

/* On a live link: a scan shall go over all buckets; with `all` it takes nothing
 * for known to the peer. */
void journal_doubt(struct journal_log *log, bool all);
/* May the peer lack something that is not in the live stream? */
bool journal_is_behind(struct journal_log *log);
/* Is there anything for a scan to start on? */
bool journal_is_dirty(struct journal_log *log);
/* Starts a scan of what is dirty by now. False when nothing is. */
bool journal_round_begin(struct journal_log *log);
/* The next removals of the scan's buckets; those recorded since it began are
 * left to the live stream. Returns how many; *more says whether to ask again.
 */
size_t journal_round_removals(struct journal_log *log,
                              struct journal_removal *out, size_t max,
                              bool *more);

/* A range of hashes that the scan covers, from..to inclusive. */
struct journal_run {
    uint64_t from;
    uint64_t to;
    stamp_t floor; /* Not 0: it is one bucket with that floor. */
};
/* The next range at or above `from`. False when there is none. */
bool journal_round_run(struct journal_log *log, uint64_t from,
                       struct journal_run *run);
/* The peer has all of the scan up to that hash. */
void journal_round_confirm(struct journal_log *log, uint64_t through_hash);

/* ---- what an operator sees ---- */

struct journal_figures {
    uint64_t last;
    uint64_t confirmed;
    uint64_t ring_size;
    uint64_t ring_used;
    uint64_t tombstones;
    uint64_t dirty_buckets;     /* Also those being scanned. */
    uint64_t floors;            /* Buckets that have one. */
    uint64_t overflows;         /* Tombstones that had to become floors. */
    stamp_t oldest_unconfirmed; /* STAMP_NONE: none. */
};
void journal_figures(struct journal_log *log, struct journal_figures *out);

#endif

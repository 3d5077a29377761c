/* SPDX-License-Identifier: BSD-3-Clause */
/* A journal and what a worker and a peer do with it. */
#ifndef TESTS_UNIT_CORE_JOURNAL_FIXTURE_H
#define TESTS_UNIT_CORE_JOURNAL_FIXTURE_H

#include "replication/core/journal.h"
#include "tests/unit/unit.h"

/* One hash per bucket: the bucket is the top byte. */
#define KEY(n) (((uint64_t)(n) << 56) | 1)

static struct stamp_clock stamps;
static struct journal_log *changes;
static struct journal hooks;
static uint64_t now_ns = 1000000;

static inline struct journal_log *journal_of(size_t entries,
                                             size_t tombstones_max)
{
    struct journal_config config = {.clock = &stamps,
                                    .entries = entries,
                                    .tombstones_max = tombstones_max,
                                    .bucket_bits = 8};
    struct journal_log *log;

    ck_assert_int_eq(journal_new(&config, &log), 0);
    return log;
}

static inline void begin_with(size_t entries, size_t tombstones_max)
{
    stamp_clock_init(&stamps, 0);
    changes = journal_of(entries, tombstones_max);
    hooks = journal_hooks(changes);
}

static inline stamp_t set(uint64_t hash)
{
    return hooks.record(hooks.ctx, &stamps, now_ns += 100, hash, MUTATION_SET);
}

static inline stamp_t drop(uint64_t hash)
{
    return hooks.record(hooks.ctx, &stamps, now_ns += 100, hash,
                        MUTATION_REMOVE);
}

static inline struct journal_figures figures(void)
{
    struct journal_figures out;

    journal_figures(changes, &out);
    return out;
}

/* A peer that follows this log and has all of it. */
static inline void pair_up(void)
{
    uint64_t after;

    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_STRANGER, 0, &after),
                     JOURNAL_FULL);
    ck_assert(journal_round_begin(changes));
    journal_round_confirm(changes, UINT64_MAX);
    ck_assert_uint_eq(figures().dirty_buckets, 0);
}

#endif

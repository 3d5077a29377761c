/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/core/journal.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/core/journal_fixture.h"

#define RING 4
#define TOMBSTONES 2

#define END(n) (((uint64_t)(n) << 56) | (UINT64_MAX >> 8))

static void begin(void)
{
    begin_with(RING, TOMBSTONES);
}

static void end(void)
{
    journal_free(&changes);
}

START_TEST(numbers_and_stamps_rise_together)
{
    struct journal_reference entries[RING];
    uint64_t next = 1;
    stamp_t first = set(KEY(1));
    stamp_t second = drop(KEY(2));

    ck_assert_uint_lt(first, second);
    ck_assert_uint_eq(journal_last(changes), 2);
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), 2);
    ck_assert_uint_eq(next, 1);
    ck_assert_uint_eq(entries[0].hash, KEY(1));
    ck_assert_uint_eq(entries[0].stamp, first);
    ck_assert_uint_eq(entries[1].hash, KEY(2));
    ck_assert_uint_eq(entries[1].stamp, second);
}
END_TEST

START_TEST(the_ring_keeps_the_last_entries)
{
    struct journal_reference entries[RING];
    uint64_t next = 1;

    for (unsigned i = 1; i <= RING + 2; i++)
        set(KEY(i));
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), RING);
    ck_assert_uint_eq(next, 3);
    ck_assert_uint_eq(entries[0].hash, KEY(3));
}
END_TEST

START_TEST(a_lost_entry_makes_its_bucket_dirty)
{
    pair_up();
    for (unsigned i = 1; i <= RING + 1; i++)
        set(KEY(i));
    ck_assert_uint_eq(figures().dirty_buckets, 1);
    ck_assert(journal_is_dirty(changes));
}
END_TEST

START_TEST(a_confirmed_entry_may_go)
{
    pair_up();
    set(KEY(1));
    journal_confirm(changes, 1);
    for (unsigned i = 2; i <= RING + 1; i++)
        set(KEY(i));
    ck_assert_uint_eq(figures().dirty_buckets, 0);
}
END_TEST

START_TEST(the_watermark_follows_what_is_confirmed)
{
    stamp_t first;
    stamp_t second;

    pair_up();
    first = set(KEY(1));
    second = set(KEY(2));
    ck_assert(!journal_knows(changes, first));
    journal_confirm(changes, 1);
    ck_assert(journal_knows(changes, first));
    ck_assert(!journal_knows(changes, second));
    ck_assert(journal_knows(changes, second | 1)); /* The peer's own. */
}
END_TEST

START_TEST(the_watermark_stands_still_from_a_gap_on)
{
    stamp_t lost;

    pair_up();
    lost = set(KEY(1));
    for (unsigned i = 2; i <= RING + 1; i++)
        set(KEY(i));
    journal_confirm(changes, RING + 1);
    ck_assert(!journal_knows(changes, lost));
    ck_assert(journal_round_begin(changes));
    ck_assert(!journal_knows(changes, lost));
    journal_round_confirm(changes, UINT64_MAX);
    ck_assert(journal_knows(changes, lost));
}
END_TEST

START_TEST(a_lost_repeat_lowers_the_watermark)
{
    stamp_t old;

    pair_up();
    old = set(KEY(1));
    journal_confirm(changes, 1);
    ck_assert(journal_knows(changes, old));
    hooks.repeat(hooks.ctx, KEY(1), old);
    for (unsigned i = 2; i <= RING + 1; i++)
        set(KEY(i));
    ck_assert(!journal_knows(changes, old));
    ck_assert_uint_eq(figures().dirty_buckets, 1);
}
END_TEST

START_TEST(a_removal_is_known_until_it_is_confirmed)
{
    stamp_t removed;

    pair_up();
    ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(1)), STAMP_NONE);
    removed = drop(KEY(1));
    ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(1)), removed);
    ck_assert_uint_eq(journal_tombstone(changes, KEY(1)), removed);
    journal_confirm(changes, 1);
    ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(1)), STAMP_NONE);
    ck_assert_uint_eq(figures().tombstones, 0);
}
END_TEST

START_TEST(a_key_has_one_tombstone)
{
    stamp_t second;

    pair_up();
    drop(KEY(1));
    second = drop(KEY(1));
    ck_assert_uint_eq(figures().tombstones, 1);
    ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(1)), second);
    journal_confirm(changes, 1);
    ck_assert_uint_eq(figures().tombstones, 1);
}
END_TEST

START_TEST(the_peers_newer_version_ends_a_tombstone)
{
    stamp_t removed;

    pair_up();
    removed = drop(KEY(1));
    hooks.applied(hooks.ctx, KEY(1), removed - 1);
    ck_assert_uint_eq(figures().tombstones, 1);
    hooks.applied(hooks.ctx, KEY(1), removed + 1);
    ck_assert_uint_eq(figures().tombstones, 0);
}
END_TEST

START_TEST(a_removal_without_room_becomes_a_floor)
{
    stamp_t first;
    struct journal_run run;

    pair_up();
    first = drop(KEY(1));
    drop(KEY(2));
    drop(KEY(3));
    ck_assert_uint_eq(figures().tombstones, TOMBSTONES);
    ck_assert_uint_eq(figures().floors, 1);
    /* It holds for the whole bucket. */
    ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(1) + 1), first);
    ck_assert(journal_round_begin(changes));
    ck_assert(journal_round_run(changes, 0, &run));
    ck_assert_uint_eq(run.floor, first);
    ck_assert_uint_eq(run.to, END(1));
    journal_round_confirm(changes, END(1) - 1);
    ck_assert_uint_eq(figures().floors, 1);
    journal_round_confirm(changes, END(1));
    ck_assert_uint_eq(figures().floors, 0);
}
END_TEST

START_TEST(a_floor_that_rises_during_the_scan_stays)
{
    pair_up();
    drop(KEY(1));
    drop(KEY(2));
    drop(KEY(3)); /* Floor of 1. */
    ck_assert(journal_round_begin(changes));
    drop(KEY(1) + 1);
    drop(KEY(4));
    drop(KEY(5)); /* Floor of 1 again, and of 2 and 3. */
    journal_round_confirm(changes, UINT64_MAX);
    ck_assert_uint_eq(figures().floors, 3);
    ck_assert(journal_is_dirty(changes));
}
END_TEST

START_TEST(a_bucket_with_a_floor_is_a_run_of_its_own)
{
    struct journal_run run;
    uint64_t after;

    drop(KEY(1));
    drop(KEY(2));
    drop(KEY(3)); /* Floor of 1. */
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_STRANGER, 0, &after),
                     JOURNAL_FULL);
    ck_assert(journal_round_begin(changes));
    ck_assert(journal_round_run(changes, 0, &run));
    ck_assert_uint_eq(run.to, END(0));
    ck_assert_uint_eq(run.floor, STAMP_NONE);
    ck_assert(journal_round_run(changes, run.to + 1, &run));
    ck_assert_uint_eq(run.to, END(1));
    ck_assert_uint_ne(run.floor, STAMP_NONE);
    ck_assert(journal_round_run(changes, run.to + 1, &run));
    ck_assert_uint_eq(run.to, UINT64_MAX);
    ck_assert_uint_eq(run.floor, STAMP_NONE);
}
END_TEST

START_TEST(what_a_floor_rejects_is_answered_once)
{
    stamp_t floor;

    pair_up();
    floor = drop(KEY(1));
    drop(KEY(2));
    drop(KEY(3));
    journal_answer(changes, KEY(1) + 7, floor - 2);
    ck_assert_uint_eq(journal_last(changes), 4);
    ck_assert_uint_eq(journal_tombstone(changes, KEY(1) + 7), floor);
    journal_answer(changes, KEY(1) + 7, floor - 2);
    ck_assert_uint_eq(journal_last(changes), 4);
    journal_answer(changes, KEY(9), floor - 2); /* No floor there. */
    ck_assert_uint_eq(journal_last(changes), 4);
}
END_TEST

START_TEST(what_the_peer_has_is_forgotten_silently)
{
    stamp_t known;
    stamp_t unknown;

    pair_up();
    known = set(KEY(1));
    journal_confirm(changes, 1);
    unknown = set(KEY(2));
    hooks.forget(hooks.ctx, KEY(1), known);
    ck_assert_uint_eq(figures().tombstones, 0);
    hooks.forget(hooks.ctx, KEY(2), unknown);
    ck_assert_uint_eq(journal_tombstone(changes, KEY(2)), unknown);
    hooks.forget(hooks.ctx, KEY(2), unknown);
    ck_assert_uint_eq(journal_last(changes), 3);
    hooks.forget(hooks.ctx, KEY(3), unknown | 1); /* The peer's. */
    ck_assert_uint_eq(figures().tombstones, 1);
}
END_TEST

/* ---- bringing up to date ---- */

START_TEST(a_peer_that_has_all_goes_on)
{
    uint64_t after;

    pair_up();
    set(KEY(1));
    set(KEY(2));
    journal_apart(changes);
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_KNOWN, 1, &after),
                     JOURNAL_CONTINUE);
    ck_assert_uint_eq(after, 1);
    ck_assert_uint_eq(figures().confirmed, 1);
}
END_TEST

START_TEST(a_peer_that_lacks_lost_entries_gets_the_dirty_buckets)
{
    struct journal_run run;
    uint64_t after;

    pair_up();
    for (unsigned i = 1; i <= RING + 2; i++)
        set(KEY(i));
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_KNOWN, 0, &after),
                     JOURNAL_DELTA);
    ck_assert_uint_eq(after, 2);
    ck_assert(journal_round_begin(changes));
    ck_assert(journal_round_run(changes, 0, &run));
    ck_assert_uint_eq(run.from, (uint64_t)1 << 56);
    ck_assert_uint_eq(run.to, END(2)); /* Two neighbors make one run. */
    ck_assert(!journal_round_run(changes, run.to + 1, &run));
}
END_TEST

static const struct {
    enum journal_peer peer;
    uint64_t applied;
} fulls[] = {
    {JOURNAL_PEER_STRANGER, 2}, /* Another peer, or another memory. */
    {JOURNAL_PEER_KNOWN, 1},    /* It says less than it has confirmed. */
    {JOURNAL_PEER_KNOWN, 9},    /* It says more than there is. */
    {JOURNAL_PEER_FIRST, 0},    /* But we have changes. */
};

START_TEST(who_cannot_go_on_gets_everything)
{
    uint64_t after;

    pair_up();
    for (unsigned i = 1; i <= 3; i++)
        set(KEY(i));
    journal_confirm(changes, 2);
    ck_assert_int_eq(
        journal_follow(changes, fulls[_i].peer, fulls[_i].applied, &after),
        JOURNAL_FULL);
    ck_assert_uint_eq(after, 3);
    ck_assert_uint_eq(figures().dirty_buckets, 256);
    ck_assert(!journal_knows(changes, 2));
    ck_assert(!journal_knows(changes, 1));
}
END_TEST

START_TEST(who_is_new_himself_has_nothing_to_tell)
{
    uint64_t after = 9;

    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_FIRST, 0, &after),
                     JOURNAL_CONTINUE);
    ck_assert_uint_eq(after, 0);
    ck_assert_uint_eq(figures().dirty_buckets, 0);
}
END_TEST

START_TEST(a_scan_cut_short_starts_over_where_it_was)
{
    uint64_t after;

    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_STRANGER, 0, &after),
                     JOURNAL_FULL);
    ck_assert(journal_round_begin(changes));
    journal_round_confirm(changes, END(99));
    journal_apart(changes);
    ck_assert_uint_eq(figures().dirty_buckets, 156);
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_KNOWN, 0, &after),
                     JOURNAL_DELTA);
}
END_TEST

START_TEST(a_scan_sends_the_removals_of_its_buckets)
{
    struct journal_removal removals[4];
    stamp_t removed;
    uint64_t after;
    bool more;

    removed = drop(KEY(1));
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_STRANGER, 0, &after),
                     JOURNAL_FULL);
    ck_assert_uint_eq(figures().tombstones, 1); /* Not told yet. */
    ck_assert(journal_round_begin(changes));
    drop(KEY(2)); /* Goes live. */
    ck_assert_uint_eq(journal_round_removals(changes, removals, 4, &more), 1);
    ck_assert(!more);
    ck_assert_uint_eq(removals[0].hash, KEY(1));
    ck_assert_uint_eq(removals[0].stamp, removed);
    journal_round_confirm(changes, UINT64_MAX);
    ck_assert_uint_eq(figures().tombstones, 1);
    journal_confirm(changes, 2);
    ck_assert_uint_eq(figures().tombstones, 0);
}
END_TEST

START_TEST(a_flush_is_an_entry_that_may_get_lost)
{
    struct journal_reference entry;
    uint64_t next = 1;

    pair_up();
    hooks.flushed(hooks.ctx);
    ck_assert_uint_eq(journal_read(changes, &next, &entry, 1), 1);
    ck_assert_uint_eq(entry.hash, JOURNAL_FLUSH);
    for (unsigned i = 1; i <= RING; i++)
        set(KEY(i));
    ck_assert_uint_eq(figures().dirty_buckets, 0); /* State, told anyway. */
}
END_TEST

/* ---- waking ---- */

static unsigned woken;

static void wake(void *ctx)
{
    (void)ctx;
    woken++;
}

START_TEST(only_a_sleeper_is_woken_and_once)
{
    woken = 0;
    journal_set_wake(changes, wake, NULL);
    set(KEY(1));
    hooks.settle(hooks.ctx);
    ck_assert_uint_eq(woken, 0);
    ck_assert(!journal_sleep(changes, 1)); /* There is something at 1. */
    hooks.settle(hooks.ctx);
    ck_assert_uint_eq(woken, 0);
    ck_assert(journal_sleep(changes, 2));
    set(KEY(2));
    hooks.settle(hooks.ctx);
    hooks.settle(hooks.ctx);
    ck_assert_uint_eq(woken, 1);
}
END_TEST

/* ---- life ---- */

START_TEST(a_config_that_cannot_work_is_refused)
{
    static const struct journal_config bad[] = {
        {.clock = &stamps, .entries = 0, .tombstones_max = 1},
        {.clock = &stamps, .entries = 3, .tombstones_max = 1},
        {.clock = &stamps, .entries = 4, .tombstones_max = 0},
        {.clock = &stamps,
         .entries = 4,
         .tombstones_max = 1,
         .bucket_bits = 17},
        {.clock = NULL, .entries = 4, .tombstones_max = 1},
    };
    struct journal_log *none;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(journal_new(&bad[i], &none), -ERR_RANGE);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct journal_config config = {
        .clock = &stamps, .entries = 4, .tombstones_max = 1};
    struct journal_log *made = NULL;
    size_t nth = 0;
    int error = -ERR_MEMORY;

    while (error != 0) {
        ck_assert_int_eq(error, -ERR_MEMORY);
        memory_fail_at(++nth);
        error = journal_new(&config, &made);
    }
    memory_fail_at(0);
    ck_assert_uint_gt(nth, 4);
    journal_free(&made);
    ck_assert_ptr_null(made);
}
END_TEST

static void touch(uint64_t hash, stamp_t stamp)
{
    hooks.repeat(hooks.ctx, hash, stamp);
}

START_TEST(a_longer_life_is_marked_as_such)
{
    struct journal_reference entries[RING];
    uint64_t next = 1;
    stamp_t stamp = set(KEY(1));

    touch(KEY(1), stamp);
    journal_repeat(changes, KEY(1), stamp);
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(entries[i].stamp, stamp);
        ck_assert_int_eq(entries[i].touched, i == 1);
    }
    /* Whatever takes its place is marked as what it is. */
    for (unsigned i = 0; i < RING; i++)
        set(KEY(2));
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), RING);
    for (unsigned i = 0; i < RING; i++)
        ck_assert(!entries[i].touched);
}
END_TEST

START_TEST(a_removal_is_marked_as_such)
{
    struct journal_reference entries[RING];
    uint64_t next = 1;

    drop(KEY(1));
    set(KEY(1));
    journal_gone(changes, KEY(2), set(KEY(2)));
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), 4);
    ck_assert(entries[0].removed);
    ck_assert(!entries[1].removed);
    ck_assert(!entries[2].removed);
    ck_assert(entries[3].removed);
    for (unsigned i = 0; i < RING; i++)
        set(KEY(3));
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), RING);
    for (unsigned i = 0; i < RING; i++)
        ck_assert(!entries[i].removed);
}
END_TEST

START_TEST(what_lies_before_an_entry_was_told_unless_something_is_missing)
{
    stamp_t stamp;

    pair_up();
    stamp = set(KEY(1));
    ck_assert(journal_was_told(changes, stamp));
    for (unsigned i = 0; i < RING; i++)
        set(KEY(2));
    ck_assert(!journal_was_told(changes, stamp)); /* It was lost. */
    ck_assert(journal_round_begin(changes));
    ck_assert(!journal_was_told(changes, stamp));
    journal_round_confirm(changes, UINT64_MAX);
    ck_assert(journal_was_told(changes, stamp));
    journal_doubt(changes, true);
    ck_assert(!journal_was_told(changes, stamp));
}
END_TEST

START_TEST(what_may_have_been_asked_for_is_told_again)
{
    uint64_t after;
    stamp_t stamp;

    pair_up();
    stamp = set(KEY(1));
    journal_confirm(changes, 1);
    set(KEY(2));
    touch(KEY(1), stamp);
    set(KEY(3));
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_KNOWN, 4, &after),
                     JOURNAL_CONTINUE);
    ck_assert_uint_eq(after, 2);
    journal_confirm(changes, 3);
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_KNOWN, 4, &after),
                     JOURNAL_CONTINUE);
    ck_assert_uint_eq(after, 4);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_longer_life_is_marked_as_such);
    tcase_add_test(tests, a_removal_is_marked_as_such);
    tcase_add_test(
        tests, what_lies_before_an_entry_was_told_unless_something_is_missing);
    tcase_add_test(tests, what_may_have_been_asked_for_is_told_again);
    tcase_add_test(tests, numbers_and_stamps_rise_together);
    tcase_add_test(tests, the_ring_keeps_the_last_entries);
    tcase_add_test(tests, a_lost_entry_makes_its_bucket_dirty);
    tcase_add_test(tests, a_confirmed_entry_may_go);
    tcase_add_test(tests, the_watermark_follows_what_is_confirmed);
    tcase_add_test(tests, the_watermark_stands_still_from_a_gap_on);
    tcase_add_test(tests, a_lost_repeat_lowers_the_watermark);
    tcase_add_test(tests, a_removal_is_known_until_it_is_confirmed);
    tcase_add_test(tests, a_key_has_one_tombstone);
    tcase_add_test(tests, the_peers_newer_version_ends_a_tombstone);
    tcase_add_test(tests, a_removal_without_room_becomes_a_floor);
    tcase_add_test(tests, a_floor_that_rises_during_the_scan_stays);
    tcase_add_test(tests, a_bucket_with_a_floor_is_a_run_of_its_own);
    tcase_add_test(tests, what_a_floor_rejects_is_answered_once);
    tcase_add_test(tests, what_the_peer_has_is_forgotten_silently);
    tcase_add_test(tests, a_peer_that_has_all_goes_on);
    tcase_add_test(tests,
                   a_peer_that_lacks_lost_entries_gets_the_dirty_buckets);
    tcase_add_loop_test(tests, who_cannot_go_on_gets_everything, 0,
                        COUNT_OF(fulls));
    tcase_add_test(tests, who_is_new_himself_has_nothing_to_tell);
    tcase_add_test(tests, a_scan_cut_short_starts_over_where_it_was);
    tcase_add_test(tests, a_scan_sends_the_removals_of_its_buckets);
    tcase_add_test(tests, a_flush_is_an_entry_that_may_get_lost);
    tcase_add_test(tests, only_a_sleeper_is_woken_and_once);
    tcase_add_test(tests, a_config_that_cannot_work_is_refused);
    tcase_add_test(tests, every_allocation_may_fail);
}

UNIT_MAIN("journal", add_tests)

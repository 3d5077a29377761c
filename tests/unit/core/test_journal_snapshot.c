/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/core/journal.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/core/journal_fixture.h"

#include <string.h>

#define RING 8
#define TOMBSTONES 4

static char *saved;
static size_t saved_size;

static void begin(void)
{
    begin_with(RING, TOMBSTONES);
}

static void end(void)
{
    journal_free(&changes);
    memory_free(&saved);
}

static void save(void)
{
    struct writer out;

    memory_free(&saved);
    saved_size = journal_save_bytes(changes);
    saved = memory_new(1, saved_size);
    writer_init(&out, saved, saved_size);
    journal_save(changes, &out);
    ck_assert(!out.failed);
    saved_size = writer_used(&out);
}

static int restore(size_t tombstones_max)
{
    struct reader in;

    journal_free(&changes);
    changes = journal_of(RING, tombstones_max);
    hooks = journal_hooks(changes);
    reader_init(&in, saved, saved_size);
    return journal_restore(changes, &in);
}

static void restart(void)
{
    save();
    ck_assert_int_eq(restore(TOMBSTONES), 0);
}

static enum journal_plan follow(uint64_t applied, uint64_t *live_after)
{
    return journal_follow(changes, JOURNAL_PEER_KNOWN, applied, live_after);
}

START_TEST(a_peer_that_has_all_goes_on)
{
    struct journal_reference entries[RING];
    uint64_t after;
    uint64_t next;
    stamp_t old;

    begin();
    pair_up();
    old = set(KEY(1));
    (void)drop(KEY(2));
    journal_confirm(changes, 2);
    restart();
    ck_assert_uint_eq(figures().last, 2);
    ck_assert_uint_eq(figures().dirty_buckets, 0);
    ck_assert(journal_knows(changes, old));
    ck_assert_int_eq(follow(2, &after), JOURNAL_CONTINUE);
    ck_assert_uint_eq(after, 2);
    (void)set(KEY(3));
    next = after + 1;
    ck_assert_uint_eq(journal_read(changes, &next, entries, RING), 1);
    ck_assert_uint_eq(next, 3);
    ck_assert_uint_eq(entries[0].hash, KEY(3));
    end();
}
END_TEST

START_TEST(what_was_not_confirmed_is_dirty)
{
    struct journal_removal removal;
    uint64_t after;
    stamp_t told, untold, removed;
    bool more;

    begin();
    pair_up();
    told = set(KEY(1));
    journal_confirm(changes, 1);
    untold = set(KEY(2));
    removed = drop(KEY(3));
    restart();
    ck_assert_uint_eq(figures().dirty_buckets, 2);
    ck_assert(journal_knows(changes, told));
    ck_assert(!journal_knows(changes, untold));
    ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(3)), removed);
    ck_assert_int_eq(follow(1, &after), JOURNAL_DELTA);
    ck_assert_uint_eq(after, 3);
    ck_assert(journal_round_begin(changes));
    ck_assert_uint_eq(journal_round_removals(changes, &removal, 1, &more), 1);
    ck_assert_uint_eq(removal.hash, KEY(3));
    ck_assert_uint_eq(removal.stamp, removed);
    journal_round_confirm(changes, UINT64_MAX);
    journal_confirm(changes, 3);
    ck_assert_uint_eq(figures().tombstones, 0);
    ck_assert(journal_knows(changes, set(KEY(4))) == false);
    end();
}
END_TEST

/* An old version whose life became longer: below the watermark no scan would
 * find it. */
START_TEST(what_was_not_repeated_is_above_the_watermark)
{
    stamp_t stamp;

    begin();
    pair_up();
    stamp = set(KEY(1));
    journal_confirm(changes, 1);
    hooks.repeat(hooks.ctx, KEY(1), stamp);
    restart();
    ck_assert_uint_eq(figures().dirty_buckets, 1);
    ck_assert(!journal_knows(changes, stamp));
    end();
}
END_TEST

START_TEST(a_scan_that_was_under_way_begins_again)
{
    uint64_t after;

    begin();
    (void)set(KEY(1));
    ck_assert_int_eq(journal_follow(changes, JOURNAL_PEER_STRANGER, 0, &after),
                     JOURNAL_FULL);
    ck_assert(journal_round_begin(changes));
    journal_round_confirm(changes, KEY(100));
    restart();
    ck_assert_uint_eq(figures().dirty_buckets, 256 - 100);
    end();
}
END_TEST

START_TEST(floors_and_too_many_tombstones)
{
    stamp_t stamp[6];

    begin();
    pair_up();
    for (unsigned i = 0; i < 6; i++)
        stamp[i] = drop(KEY(i));
    ck_assert_uint_eq(figures().floors, 2);
    save();
    ck_assert_int_eq(restore(TOMBSTONES), 0);
    ck_assert_uint_eq(figures().floors, 2);
    ck_assert_uint_eq(figures().tombstones, 4);
    ck_assert_int_eq(restore(2), 0); /* There is less room than before. */
    ck_assert_uint_eq(figures().floors, 4);
    ck_assert_uint_eq(figures().tombstones, 2);
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(hooks.removed_at(hooks.ctx, KEY(i)), stamp[i]);
    end();
}
END_TEST

/* A flush is told anyway, and leaves nothing to wait for. */
START_TEST(a_flush_alone_is_no_change_to_be_sent)
{
    uint64_t after;

    begin();
    pair_up();
    (void)set(KEY(1));
    journal_confirm(changes, 1);
    hooks.flushed(hooks.ctx);
    restart();
    ck_assert_int_eq(follow(1, &after), JOURNAL_CONTINUE);
    ck_assert_uint_eq(after, 2);
    ck_assert_uint_eq(figures().confirmed, 2);
    end();
}
END_TEST

START_TEST(the_ring_of_a_new_process_loses_what_it_has)
{
    uint64_t after;

    begin();
    pair_up();
    for (unsigned i = 0; i < 20; i++) {
        (void)set(KEY(i));
        journal_confirm(changes, figures().last);
    }
    restart();
    for (unsigned i = 100; i < 100 + RING + 3; i++)
        (void)set(KEY(i));
    ck_assert_uint_eq(figures().dirty_buckets, 3);
    ck_assert_int_eq(follow(20, &after), JOURNAL_DELTA);
    ck_assert_uint_eq(after, 23);
    end();
}
END_TEST

START_TEST(what_is_cut_or_bent_is_refused_or_harmless)
{
    size_t whole;
    size_t i;

    begin();
    pair_up();
    for (unsigned n = 0; n < 6; n++)
        (void)drop(KEY(n));
    save();
    whole = saved_size;
    for (saved_size = 0; saved_size < whole; saved_size++)
        ck_assert_int_eq(restore(TOMBSTONES), -ERR_SYNTAX);
    for (i = 0; i < whole * 8; i++) {
        saved[i / 8] ^= (char)(1 << i % 8);
        if (restore(TOMBSTONES) == 0) {
            (void)set(KEY(1));
            (void)drop(KEY(2));
            journal_confirm(changes, figures().last);
        }
        saved[i / 8] ^= (char)(1 << i % 8);
    }
    ck_assert_int_eq(restore(TOMBSTONES), 0);
    end();
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_peer_that_has_all_goes_on);
    tcase_add_test(tests, what_was_not_confirmed_is_dirty);
    tcase_add_test(tests, what_was_not_repeated_is_above_the_watermark);
    tcase_add_test(tests, a_scan_that_was_under_way_begins_again);
    tcase_add_test(tests, floors_and_too_many_tombstones);
    tcase_add_test(tests, a_flush_alone_is_no_change_to_be_sent);
    tcase_add_test(tests, the_ring_of_a_new_process_loses_what_it_has);
    tcase_add_test(tests, what_is_cut_or_bent_is_refused_or_harmless);
}
UNIT_MAIN("journal_snapshot", add_tests)

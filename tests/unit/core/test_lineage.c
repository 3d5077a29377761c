/* SPDX-License-Identifier: BSD-3-Clause */
/* Each row is two nodes that meet after one of them has come back warm. */
#include "replication/core/lineage.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

/* Incarnations: earlier, ours, later; the peer's earlier, present, later. */
#define BEFORE 100
#define OURS 200
#define AFTER 300
#define PEER_BEFORE 150
#define PEER 250
#define PEER_AFTER 350

static const struct {
    const char *story;
    struct lineage_peer peer;
    enum lineage_verdict verdict;
} rows[] = {
    /* We followed PEER up to 50, and made 40 changes. */
    {"it followed us, not all the way",
     {PEER, OURS, 30, OURS, 45},
     LINEAGE_SOUND},
    {"it followed us to the end", {PEER, OURS, 40, OURS, 50}, LINEAGE_SOUND},
    {"it followed us beyond", {PEER, OURS, 41, OURS, 50}, LINEAGE_OUTDATED},
    {"we confirmed more than we know",
     {PEER, OURS, 40, OURS, 51},
     LINEAGE_OUTDATED},
    {"we confirmed one that we have not met",
     {PEER_AFTER, OURS, 40, OURS, 1},
     LINEAGE_OUTDATED},
    {"it is itself of yesterday",
     {PEER_BEFORE, BEFORE, 7, OURS, 99},
     LINEAGE_SOUND},
    {"it begins anew", {PEER_AFTER, 0, 0, 0, 0}, LINEAGE_SOUND},
    {"it followed what we were before",
     {PEER, BEFORE, 99, BEFORE, 99},
     LINEAGE_SOUND},
    {"it followed what we became later",
     {PEER, AFTER, 1, AFTER, 1},
     LINEAGE_REPLACED},
};

static struct lineage ours(void)
{
    return (struct lineage){.incarnation = OURS,
                            .followed = PEER,
                            .applied = 50,
                            .unproven = true,
                            .limit = 40,
                            .since = OURS};
}

START_TEST(each_story_ends_as_written)
{
    struct lineage lineage = ours();

    ck_assert_msg(lineage_judge(&lineage, &rows[_i].peer) == rows[_i].verdict,
                  "%s", rows[_i].story);
    lineage.unproven = false;
    ck_assert_int_eq(lineage_judge(&lineage, &rows[_i].peer), LINEAGE_SOUND);
}
END_TEST

START_TEST(data_of_nobody_only_joins_one_who_met_nobody)
{
    const struct lineage adopted = {.incarnation = AFTER, .unproven = true};
    struct lineage_peer peer = {.incarnation = PEER};

    ck_assert_int_eq(lineage_judge(&adopted, &peer), LINEAGE_SOUND);
    peer.followed = BEFORE;
    ck_assert_int_eq(lineage_judge(&adopted, &peer), LINEAGE_REPLACED);
}
END_TEST

START_TEST(later_numbers_are_larger)
{
    uint64_t first = lineage_number(1700000000000000000u, UINT64_MAX);
    uint64_t second = lineage_number(1700000000002000000u, 0);

    ck_assert_uint_lt(first, second);
    ck_assert_uint_ne(lineage_number(0, 0), 0);
}
END_TEST

static struct lineage pass_on(const struct lineage *before, uint64_t last,
                              stamp_t newest)
{
    char bytes[LINEAGE_BYTES];
    struct lineage after;
    struct writer out;
    struct reader in;

    writer_init(&out, bytes, sizeof(bytes));
    lineage_save(before, &out);
    ck_assert(!out.failed);
    ck_assert_uint_eq(writer_used(&out), LINEAGE_BYTES);
    reader_init(&in, bytes, sizeof(bytes));
    lineage_restore(&after, &in, last, newest);
    ck_assert(!in.failed);
    return after;
}

START_TEST(of_two_restarts_without_a_peer_the_first_counts)
{
    struct lineage before = {.incarnation = OURS,
                             .confirmed_by = 1,
                             .acked_by = 2,
                             .acked = 3,
                             .followed = 4,
                             .applied = 5};
    struct lineage once = pass_on(&before, 40, 1000);
    struct lineage twice = pass_on(&once, 60, 2000);

    ck_assert_uint_eq(once.confirmed_by, 1);
    ck_assert_uint_eq(once.acked_by, 2);
    ck_assert_uint_eq(once.acked, 3);
    ck_assert_uint_eq(once.followed, 4);
    ck_assert_uint_eq(once.applied, 5);
    ck_assert(once.unproven);
    ck_assert_uint_eq(once.limit, 40);
    ck_assert_uint_eq(once.restored, 1000);
    ck_assert_uint_eq(once.since, OURS);
    ck_assert_uint_eq(twice.limit, 40);
    ck_assert_uint_eq(twice.since, OURS);
    once.unproven = false; /* It has met its peer. */
    twice = pass_on(&once, 60, 2000);
    ck_assert_uint_eq(twice.limit, 60);
    ck_assert_uint_eq(twice.restored, 2000);
}
END_TEST

/* A copy of the second file is no younger than that file, though no peer had
 * been met: what it has may have been removed since. */
START_TEST(all_that_a_restart_brought_goes_also_after_two)
{
    struct lineage before = {.incarnation = OURS};
    struct lineage once = pass_on(&before, 40, 1000);
    struct lineage twice = pass_on(&once, 60, 2000);

    ck_assert_uint_eq(twice.restored, 2000);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_story_ends_as_written, 0, COUNT_OF(rows));
    tcase_add_test(tests, data_of_nobody_only_joins_one_who_met_nobody);
    tcase_add_test(tests, later_numbers_are_larger);
    tcase_add_test(tests, of_two_restarts_without_a_peer_the_first_counts);
    tcase_add_test(tests, all_that_a_restart_brought_goes_also_after_two);
}
UNIT_MAIN("lineage", add_tests)

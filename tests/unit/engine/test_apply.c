/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of a change from the peer: the whole table, row by row. */
#include "tests/unit/engine/fixture.h"

#include "src/base/invariant.h"

#include <string.h>

/* Stamps from low to high; all far below what the engine issues itself. */
#define T1 1000u
#define T2 2000u
#define T3 3000u
#define SOON (NOW_S + 10)
#define LATE (NOW_S + 100)
#define GONE (NOW_S - 1)

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    config.item_bytes_max = 100 * KIB;
    fixture_init_with_journal(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static struct mutation mutation_of(enum mutation_kind kind, stamp_t stamp,
                                   uint32_t expires_at_s)
{
    struct mutation mutation = {.kind = kind,
                                .hash = key_of(&fx, "k").hash,
                                .stamp = stamp,
                                .expires_at_s = expires_at_s};

    if (kind == MUTATION_SET) {
        mutation.key = SLICE_LITERAL("k");
        mutation.value = SLICE_LITERAL("theirs");
        mutation.client_flags = 9;
        mutation.state = ITEM_STATE_STALE;
    }
    return mutation;
}

static enum apply_result apply(enum mutation_kind kind, stamp_t stamp,
                               uint32_t expires_at_s)
{
    struct mutation mutation = mutation_of(kind, stamp, expires_at_s);

    return engine_apply(fx.thread, &mutation);
}

static void raise_floor(stamp_t floor)
{
    struct flush_state state = {.floor = floor};

    (void)engine_flush_join(fx.thread, &state);
}

#define SET MUTATION_SET
#define REMOVE MUTATION_REMOVE
#define TOUCH MUTATION_TOUCH

/* cur: the local version's stamp, 0 for none. after: the stamp found in the
 * end, 0 when the key is not there for a client. */
static const struct {
    enum mutation_kind kind;
    stamp_t stamp;
    uint32_t expiry;
    stamp_t cur;
    uint32_t cur_expiry;
    stamp_t floor;
    stamp_t removed_at;
    enum apply_result result;
    stamp_t after;
    uint32_t expiry_after;
} rows[] = {
    /* SET of an absent key. */
    {SET, T2, 0, 0, 0, 0, 0, APPLY_DONE, T2, 0},
    {SET, T2, SOON, 0, 0, 0, T1, APPLY_DONE, T2, SOON},
    {SET, T2, 0, 0, 0, 0, T2, APPLY_REMOVED, 0, 0},
    {SET, T2, 0, 0, 0, 0, T3, APPLY_REMOVED, 0, 0},
    {SET, T2, 0, 0, 0, T1, 0, APPLY_DONE, T2, 0},
    {SET, T2, 0, 0, 0, T2, 0, APPLY_FLUSHED, 0, 0},
    {SET, T2, 0, 0, 0, T3, 0, APPLY_FLUSHED, 0, 0},
    {SET, T2, GONE, 0, 0, 0, 0, APPLY_DONE, 0, 0},
    /* SET over a live version. What removed_at() says does not count then. */
    {SET, T2, 0, T1, 0, 0, 0, APPLY_DONE, T2, 0},
    {SET, T2, SOON, T1, LATE, 0, T3, APPLY_DONE, T2, SOON},
    {SET, T2, 0, T3, 0, 0, 0, APPLY_OLDER, T3, 0},
    {SET, T2, 0, T3, SOON, T1, 0, APPLY_OLDER, T3, SOON},
    {SET, T2, 0, T2, 0, 0, 0, APPLY_SAME, T2, 0},
    {SET, T2, LATE, T2, SOON, 0, 0, APPLY_SAME, T2, LATE},
    {SET, T2, SOON, T2, LATE, 0, 0, APPLY_SAME, T2, LATE},
    {SET, T2, 0, T2, LATE, 0, 0, APPLY_SAME, T2, 0},
    {SET, T2, LATE, T2, 0, 0, 0, APPLY_SAME, T2, 0},
    {SET, T2, GONE, T1, 0, 0, 0, APPLY_DONE, 0, 0},
    /* SET over an expired version: the stamps are compared all the same. */
    {SET, T2, 0, T1, GONE, 0, 0, APPLY_DONE, T2, 0},
    {SET, T2, 0, T3, GONE, 0, 0, APPLY_OLDER, 0, 0},
    {SET, T2, SOON, T2, GONE, 0, 0, APPLY_SAME, T2, SOON},
    {SET, T2, GONE, T2, GONE, 0, 0, APPLY_SAME, 0, 0},
    /* Its removal may be known already, with all others up to a floor. */
    {SET, T2, 0, T1, GONE, 0, T1, APPLY_DONE, T2, 0},
    {SET, T2, 0, T1, GONE, 0, T2, APPLY_REMOVED, 0, 0},
    {SET, T2, 0, T1, GONE, 0, T3, APPLY_REMOVED, 0, 0},
    /* SET over a flushed version. */
    {SET, T3, 0, T1, 0, T2, 0, APPLY_DONE, T3, 0},
    {SET, T2, 0, T1, 0, T3, 0, APPLY_FLUSHED, 0, 0},
    {SET, T1, 0, T2, 0, T3, 0, APPLY_FLUSHED, 0, 0},
    /* REMOVE. */
    {REMOVE, T2, 0, 0, 0, 0, 0, APPLY_DONE, 0, 0},
    {REMOVE, T2, 0, T1, 0, 0, 0, APPLY_DONE, 0, 0},
    {REMOVE, T2, 0, T2, 0, 0, 0, APPLY_DONE, 0, 0},
    {REMOVE, T2, 0, T3, 0, 0, 0, APPLY_OLDER, T3, 0},
    {REMOVE, T2, 0, T1, GONE, 0, 0, APPLY_DONE, 0, 0},
    /* TOUCH: only the very version, and only longer. */
    {TOUCH, T2, LATE, 0, 0, 0, 0, APPLY_ABSENT, 0, 0},
    {TOUCH, T2, LATE, T2, SOON, 0, 0, APPLY_DONE, T2, LATE},
    {TOUCH, T2, SOON, T2, LATE, 0, 0, APPLY_DONE, T2, LATE},
    {TOUCH, T2, 0, T2, LATE, 0, 0, APPLY_DONE, T2, 0},
    {TOUCH, T2, LATE, T2, 0, 0, 0, APPLY_DONE, T2, 0},
    {TOUCH, T2, LATE, T2, GONE, 0, 0, APPLY_DONE, T2, LATE},
    {TOUCH, T2, LATE, T1, SOON, 0, 0, APPLY_ABSENT, T1, SOON},
    {TOUCH, T2, LATE, T3, SOON, 0, 0, APPLY_OLDER, T3, SOON},
    {TOUCH, T2, LATE, T2, SOON, T2, 0, APPLY_FLUSHED, 0, 0},
    /* TOUCH of what was removed here, or may have been. */
    {TOUCH, T2, LATE, 0, 0, 0, T1, APPLY_ABSENT, 0, 0},
    {TOUCH, T2, LATE, 0, 0, 0, T2, APPLY_REMOVED, 0, 0},
    {TOUCH, T2, LATE, 0, 0, 0, T3, APPLY_REMOVED, 0, 0},
    {TOUCH, T2, LATE, T2, GONE, 0, T2, APPLY_REMOVED, 0, 0},
    {TOUCH, T2, LATE, T2, SOON, 0, T3, APPLY_DONE, T2, LATE},
};

static void check_row(size_t i)
{
    if (rows[i].cur != 0)
        ck_assert_int_eq(apply(SET, rows[i].cur, rows[i].cur_expiry),
                         APPLY_DONE);
    if (rows[i].floor != 0)
        raise_floor(rows[i].floor);
    fx.journal.removed_at = rows[i].removed_at;
    forget_notes(&fx);
    ck_assert_int_eq(apply(rows[i].kind, rows[i].stamp, rows[i].expiry),
                     rows[i].result);
    ck_assert_uint_eq(stamp_of(&fx, "k"), rows[i].after);
    if (rows[i].after != 0)
        ck_assert_uint_eq(expiry_of(&fx, "k"), rows[i].expiry_after);
}

START_TEST(each_row_ends_as_written)
{
    check_row((size_t)_i);
}
END_TEST

/* Applied twice is applied once. */
START_TEST(each_row_is_idempotent)
{
    size_t i = (size_t)_i;

    check_row(i);
    (void)apply(rows[i].kind, rows[i].stamp, rows[i].expiry);
    ck_assert_uint_eq(stamp_of(&fx, "k"), rows[i].after);
}
END_TEST

/* Nothing that comes from the peer is recorded; a stored version for an absent
 * key lifts its removal. */
START_TEST(each_row_tells_the_journal_what_it_must)
{
    size_t i = (size_t)_i;
    bool brings = rows[i].kind != REMOVE; /* A version, or its life. */
    bool was_absent = brings && rows[i].cur == 0;
    bool was_dead =
        brings && (rows[i].cur_expiry == GONE || rows[i].cur <= rows[i].floor);
    bool stored =
        was_absent && rows[i].kind == SET && rows[i].result == APPLY_DONE;

    check_row(i);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FORGET), 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_APPLIED), stored);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REMOVED_AT),
                      (was_absent || was_dead) &&
                          rows[i].result != APPLY_FLUSHED);
}
END_TEST

/* The same decisions where the value is too large to be copied at once. */
START_TEST(each_set_ends_the_same_with_a_large_value)
{
    static char value[50 * KIB];
    size_t i = (size_t)_i;
    struct mutation mutation =
        mutation_of(rows[i].kind, rows[i].stamp, rows[i].expiry);

    if (rows[i].kind != SET)
        return;
    if (rows[i].cur != 0)
        (void)apply(SET, rows[i].cur, rows[i].cur_expiry);
    if (rows[i].floor != 0)
        raise_floor(rows[i].floor);
    fx.journal.removed_at = rows[i].removed_at;
    pattern_fill(value, sizeof(value), 3);
    mutation.value = slice_make(value, sizeof(value));
    ck_assert_int_eq(engine_apply(fx.thread, &mutation), rows[i].result);
    ck_assert_uint_eq(stamp_of(&fx, "k"), rows[i].after);
}
END_TEST

START_TEST(what_is_applied_is_there_with_all_its_parts)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_view view;

    ck_assert_int_eq(apply(SET, T2, LATE), APPLY_DONE);
    ck_assert(engine_get(fx.thread, &key, &view));
    ck_assert_uint_eq(view.client_flags, 9);
    ck_assert_uint_eq(view.state, ITEM_STATE_STALE);
    ck_assert_uint_eq(view.expires_at_s, LATE);
    ck_assert_uint_eq(view.stamp, T2);
    engine_view_end(fx.thread, &view);
    ck_assert_str_eq(value_of(&fx, "k"), "theirs");
}
END_TEST

START_TEST(every_stamp_seen_raises_the_clock)
{
    static const enum mutation_kind kinds[] = {SET, REMOVE, TOUCH};
    stamp_t ahead = ((NOW_NS + 3600 * NS_PER_S) & ~(uint64_t)0xffff) | 1;

    (void)apply(kinds[_i], ahead, 0);
    put(&fx, "other", "v");
    ck_assert_uint_gt(stamp_of(&fx, "other"), ahead);
}
END_TEST

START_TEST(what_is_too_large_takes_the_older_version_along)
{
    struct mutation mutation = mutation_of(SET, T2, 0);
    static char value[200 * KIB];

    mutation.value = slice_make(value, sizeof(value));
    ck_assert_int_eq(engine_apply(fx.thread, &mutation), APPLY_TOO_LARGE);
    (void)apply(SET, T1, 0);
    ck_assert_int_eq(engine_apply(fx.thread, &mutation), APPLY_TOO_LARGE);
    ck_assert_uint_eq(stamp_of(&fx, "k"), 0);
    (void)apply(SET, T3, 0);
    ck_assert_int_eq(engine_apply(fx.thread, &mutation), APPLY_OLDER);
    ck_assert_uint_eq(stamp_of(&fx, "k"), T3);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 0);
}
END_TEST

/* A value that arrives in pieces; the decision falls at the end. */
START_TEST(pieces_are_decided_on_at_commit)
{
    struct mutation mutation = mutation_of(SET, T2, SOON);
    stamp_t meanwhile = _i == 0 ? T1 : T3;
    struct item *item;
    size_t done = 0;
    size_t room;

    mutation.value = slice_make(NULL, 0);
    ck_assert_int_eq(
        engine_apply_reserve(fx.thread, &mutation, 90 * KIB, &item),
        APPLY_DONE);
    while (done < 90 * KIB) {
        char *space = engine_item_space(fx.thread, item, done, &room);

        memset(space, 'x', room);
        done += room;
    }
    (void)apply(SET, meanwhile, 0);
    ck_assert_int_eq(engine_apply_commit(fx.thread, &mutation, &item),
                     _i == 0 ? APPLY_DONE : APPLY_OLDER);
    ck_assert_ptr_null(item);
    ck_assert_uint_eq(stamp_of(&fx, "k"), _i == 0 ? T2 : T3);
    if (_i == 0)
        ck_assert_uint_eq(expiry_of(&fx, "k"), SOON);
}
END_TEST

START_TEST(pieces_too_large_are_refused_at_once)
{
    struct mutation mutation = mutation_of(SET, T2, 0);
    struct item *item;

    (void)apply(SET, T1, 0);
    ck_assert_int_eq(
        engine_apply_reserve(fx.thread, &mutation, 200 * KIB, &item),
        APPLY_TOO_LARGE);
    ck_assert_ptr_null(item);
    ck_assert_uint_eq(stamp_of(&fx, "k"), 0);
}
END_TEST

/* A local write goes above what was applied, and beats it when it returns. */
START_TEST(a_local_write_wins_over_what_was_applied)
{
    (void)apply(SET, T3, 0);
    put(&fx, "k", "ours");
    ck_assert_int_eq(apply(SET, T3, 0), APPLY_OLDER);
    ck_assert_str_eq(value_of(&fx, "k"), "ours");
}
END_TEST

static void add_tests(TCase *tests)
{
    int count = (int)COUNT_OF(rows);

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, each_row_ends_as_written, 0, count);
    tcase_add_loop_test(tests, each_row_is_idempotent, 0, count);
    tcase_add_loop_test(tests, each_row_tells_the_journal_what_it_must, 0,
                        count);
    tcase_add_loop_test(tests, each_set_ends_the_same_with_a_large_value, 0,
                        count);
    tcase_add_test(tests, what_is_applied_is_there_with_all_its_parts);
    tcase_add_loop_test(tests, every_stamp_seen_raises_the_clock, 0, 3);
    tcase_add_test(tests, what_is_too_large_takes_the_older_version_along);
    tcase_add_loop_test(tests, pieces_are_decided_on_at_commit, 0, 2);
    tcase_add_test(tests, pieces_too_large_are_refused_at_once);
    tcase_add_test(tests, a_local_write_wins_over_what_was_applied);
}
UNIT_MAIN("apply", add_tests)

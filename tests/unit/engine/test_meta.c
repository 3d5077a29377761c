/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of items: stale, won, with a cas unique of their own; here and as
 * it comes from the peer. */
#include "tests/unit/engine/fixture.h"

#include "src/base/invariant.h"

#include <string.h>

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    config.item_bytes_max = 200 * KIB;
    fixture_init_with_journal(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

/* What there is of a key. */
struct held {
    bool live;
    stamp_t stamp;
    stamp_t cas;
    uint32_t state;
    uint32_t expires_at_s;
    uint32_t client_flags;
    size_t value_size;
};

static struct held peek(const char *name)
{
    struct engine_key key = key_of(&fx, name);
    struct held held = {.live = false};
    struct engine_view view;

    if (!engine_peek(fx.thread, &key, &view))
        return held;
    held = (struct held){true,           view.stamp,        view.cas,
                         view.state,     view.expires_at_s, view.client_flags,
                         view.value_size};
    engine_view_end(fx.thread, &view);
    return held;
}

static enum engine_outcome look(const char *name, struct engine_look *wish)
{
    struct engine_key key = key_of(&fx, name);
    struct engine_view view;
    enum engine_outcome outcome = engine_look(fx.thread, &key, wish, &view);

    if (outcome == ENGINE_STORED)
        engine_view_end(fx.thread, &view);
    return outcome;
}

/* Whether a plain look wins. */
static bool wins(const char *name)
{
    struct engine_look wish = {.silent = false};

    ck_assert_int_eq(look(name, &wish), ENGINE_STORED);
    return wish.won;
}

static enum engine_outcome remove_as(const char *name,
                                     struct engine_removal removal)
{
    removal.key = key_of(&fx, name);
    return engine_remove_as(fx.thread, &removal);
}

START_TEST(a_token_is_given_once_and_repeated_to_the_peer)
{
    struct engine_look wish = {.recache = true,
                               .recache_before_s = NOW_S + 100};
    stamp_t stamp;

    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 50, 0);
    stamp = peek("k").stamp;
    forget_notes(&fx);
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(wish.won);
    ck_assert_uint_eq(wish.state, 0);
    ck_assert_uint_eq(peek("k").state, ITEM_STATE_WON);
    ck_assert_uint_eq(peek("k").stamp, stamp);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 1);
    ck_assert_uint_eq(last_note(&fx, NOTE_REPEAT)->stamp, stamp);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 0);
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(!wish.won);
    ck_assert_uint_eq(wish.state, ITEM_STATE_WON);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 1);
}
END_TEST

START_TEST(nobody_wins_what_lives_long_enough)
{
    struct engine_look wish = {.recache = true, .recache_before_s = NOW_S + 50};

    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 50, 0);
    put(&fx, "for ever", "v");
    forget_notes(&fx);
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(!wish.won);
    ck_assert_int_eq(look("for ever", &wish), ENGINE_STORED);
    ck_assert(!wish.won);
    ck_assert_uint_eq(notes_of(&fx, NOTE_REPEAT), 0);
}
END_TEST

START_TEST(a_miss_may_make_an_empty_item_that_is_won)
{
    struct engine_look wish = {.vivify = true,
                               .vivify_expires_at_s = NOW_S + 30,
                               .vivify_cas = 5,
                               .vivify_state = ITEM_STATE_BINARY_KEY};

    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(wish.won);
    ck_assert_uint_eq(peek("k").state, ITEM_STATE_WON | ITEM_STATE_BINARY_KEY);
    ck_assert_uint_eq(peek("k").expires_at_s, NOW_S + 30);
    ck_assert_uint_eq(peek("k").cas, 5);
    ck_assert_uint_eq(peek("k").value_size, 0);
    ck_assert_uint_eq(last_note(&fx, NOTE_RECORD_SET)->stamp, peek("k").stamp);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 1);
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(!wish.won);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_SET), 1);
    ck_assert_uint_eq(stat_of(&fx, "get_misses"), 0);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 2);
}
END_TEST

START_TEST(what_expired_is_made_anew)
{
    struct engine_look wish = {.vivify = true};

    store(&fx, ENGINE_SET, "k", "old", 3, NOW_S + 5, 0);
    fixture_set_now(&fx, NOW_S + 5);
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(wish.won);
    ck_assert_str_eq(value_of(&fx, "k"), "");
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
}
END_TEST

START_TEST(a_look_with_a_touch_counts_as_one)
{
    struct engine_look wish = {.touch = true, .expires_at_s = NOW_S + 9};
    stamp_t stamp;

    ck_assert_int_eq(look("k", &wish), ENGINE_NOT_FOUND);
    ck_assert_uint_eq(stat_of(&fx, "touch_misses"), 0);
    ck_assert_uint_eq(stat_of(&fx, "get_misses"), 1);
    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 5, 0);
    stamp = peek("k").stamp;
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert_uint_eq(wish.expired_at_s, NOW_S + 5);
    ck_assert_uint_eq(peek("k").expires_at_s, NOW_S + 9);
    ck_assert_uint_eq(peek("k").stamp, stamp);
    wish.expires_at_s = NOW_S + 2;
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert_uint_gt(peek("k").stamp, stamp);
    ck_assert_uint_eq(stat_of(&fx, "touch_hits"), 2);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 0);
}
END_TEST

START_TEST(a_silent_look_leaves_no_mark)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_look wish = {.silent = true};
    struct engine_view view;

    put(&fx, "k", "v");
    ck_assert_int_eq(look("k", &wish), ENGINE_STORED);
    ck_assert(engine_peek(fx.thread, &key, &view));
    ck_assert(!view.fetched);
    engine_view_end(fx.thread, &view);
    ck_assert(!wins("k"));
    ck_assert(engine_peek(fx.thread, &key, &view));
    ck_assert(view.fetched);
    engine_view_end(fx.thread, &view);
}
END_TEST

START_TEST(stale_is_a_new_version_to_be_won_again)
{
    struct held before, after;

    store(&fx, ENGINE_SET, "k", "v", 7, NOW_S + 50, 0);
    before = peek("k");
    ck_assert_int_eq(remove_as("k", (struct engine_removal){.stale = true}),
                     ENGINE_STORED);
    after = peek("k");
    ck_assert_uint_gt(after.stamp, before.stamp);
    ck_assert_uint_eq(after.cas, after.stamp);
    ck_assert_uint_eq(after.state, ITEM_STATE_STALE);
    ck_assert_uint_eq(after.expires_at_s, NOW_S + 50);
    ck_assert_uint_eq(after.client_flags, 7);
    ck_assert_str_eq(value_of(&fx, "k"), "v");
    ck_assert_uint_eq(last_note(&fx, NOTE_RECORD_SET)->stamp, after.stamp);
    ck_assert(wins("k"));
    ck_assert(!wins("k"));
    ck_assert_int_eq(
        remove_as("k", (struct engine_removal){.stale = true, .touch = true}),
        ENGINE_STORED);
    ck_assert_uint_eq(peek("k").expires_at_s, 0);
    ck_assert(wins("k"));
    ck_assert_uint_eq(stat_of(&fx, "delete_hits"), 0);
    put(&fx, "k", "fresh");
    ck_assert_uint_eq(peek("k").state, 0);
}
END_TEST

/* In place, behind a new field, and in several chunks. */
START_TEST(a_stale_item_may_get_a_cas_of_its_own)
{
    static const size_t sizes[] = {0, 11, 12, 3000, 20000, 150000};
    static char text[150001];
    struct held held;

    pattern_fill(text, sizes[_i], 7);
    text[sizes[_i]] = '\0';
    store(&fx, ENGINE_SET, "k", text, 7, NOW_S + 50, 0);
    ck_assert_int_eq(
        remove_as("k", (struct engine_removal){.stale = true, .given_cas = 9}),
        ENGINE_STORED);
    held = peek("k");
    ck_assert_uint_eq(held.cas, 9);
    ck_assert_uint_ne(held.stamp, 9);
    ck_assert_uint_eq(held.state, ITEM_STATE_STALE);
    ck_assert_uint_eq(held.expires_at_s, NOW_S + 50);
    ck_assert_uint_eq(held.client_flags, 7);
    ck_assert_str_eq(value_of(&fx, "k"), text);
    ck_assert_int_eq(remove_as("k", (struct engine_removal){.stale = true}),
                     ENGINE_STORED);
    ck_assert_uint_eq(peek("k").cas, peek("k").stamp);
    ck_assert_uint_gt(peek("k").stamp, held.stamp);
    ck_assert_str_eq(value_of(&fx, "k"), text);
}
END_TEST

START_TEST(a_removal_may_compare)
{
    stamp_t stamp;

    put(&fx, "k", "v");
    stamp = peek("k").stamp;
    forget_notes(&fx);
    ck_assert_int_eq(
        remove_as("k", (struct engine_removal){.compare = true, .cas = 1}),
        ENGINE_EXISTS);
    ck_assert_int_eq(remove_as("k", (struct engine_removal){.stale = true,
                                                            .compare = true,
                                                            .cas = 1}),
                     ENGINE_EXISTS);
    ck_assert_int_eq(
        remove_as("none", (struct engine_removal){.compare = true, .cas = 1}),
        ENGINE_NOT_FOUND);
    ck_assert_uint_eq(peek("k").stamp, stamp);
    ck_assert_uint_eq(fx.journal.count, 0);
    ck_assert_int_eq(
        remove_as("k", (struct engine_removal){.compare = true, .cas = stamp}),
        ENGINE_STORED);
    ck_assert(!peek("k").live);
    ck_assert_uint_eq(notes_of(&fx, NOTE_RECORD_REMOVE), 1);
    ck_assert_uint_eq(stat_of(&fx, "delete_hits"), 1);
    ck_assert_uint_eq(stat_of(&fx, "delete_misses"), 1);
}
END_TEST

START_TEST(a_removal_may_leave_an_empty_item)
{
    store(&fx, ENGINE_SET, "k", "value", 7, NOW_S + 50, 0);
    ck_assert_int_eq(remove_as("k", (struct engine_removal){.empty = true}),
                     ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "");
    ck_assert_uint_eq(peek("k").client_flags, 0);
    ck_assert_uint_eq(peek("k").expires_at_s, 0);
    ck_assert_uint_eq(peek("k").state, 0);
    ck_assert_int_eq(remove_as("none", (struct engine_removal){.empty = true}),
                     ENGINE_NOT_FOUND);
    ck_assert(!peek("none").live);
}
END_TEST

/* Every pair of an old and a new item, with and without. */
START_TEST(a_cas_of_its_own_is_compared_and_shown)
{
    struct engine_write write = {.key = key_of(&fx, "k"), .value_size = 1};
    bool had = _i & 1, gets = _i & 2;
    stamp_t stamp, before;

    write.given_cas = had ? 5 : 0;
    ck_assert_int_eq(engine_store(fx.thread, &write, "a", &before),
                     ENGINE_STORED);
    ck_assert_uint_eq(before, peek("k").cas);
    if (had)
        ck_assert_uint_eq(before, 5);
    write.mode = ENGINE_CAS;
    write.given_cas = gets ? 6 : 0;
    write.cas = before + 1;
    ck_assert_int_eq(engine_store(fx.thread, &write, "b", &stamp),
                     ENGINE_EXISTS);
    ck_assert_uint_eq(stamp, STAMP_NONE);
    write.cas = before;
    ck_assert_int_eq(engine_store(fx.thread, &write, "c", &stamp),
                     ENGINE_STORED);
    ck_assert_uint_eq(stamp, gets ? 6 : peek("k").stamp);
    write.mode = _i & 4 ? ENGINE_PREPEND : ENGINE_APPEND;
    write.compare = true;
    write.cas = stamp + 1;
    write.given_cas = had ? 7 : 0;
    ck_assert_int_eq(engine_store(fx.thread, &write, "d", &before),
                     ENGINE_EXISTS);
    write.cas = stamp;
    ck_assert_int_eq(engine_store(fx.thread, &write, "d", &before),
                     ENGINE_STORED);
    ck_assert_uint_eq(before, had ? 7 : peek("k").stamp);
    ck_assert_str_eq(value_of(&fx, "k"), _i & 4 ? "dc" : "cd");
}
END_TEST

START_TEST(a_late_write_may_be_stored_as_stale)
{
    struct engine_write write = {.key = key_of(&fx, "k"),
                                 .mode = ENGINE_CAS,
                                 .value_size = 3,
                                 .invalidate = true};
    stamp_t stamp;

    store(&fx, ENGINE_SET, "k", "v", 0, NOW_S + 50, 0);
    write.cas = peek("k").cas + 1;
    ck_assert_int_eq(engine_store(fx.thread, &write, "new", &stamp),
                     ENGINE_EXISTS);
    write.cas = peek("k").cas - 1;
    ck_assert_int_eq(engine_store(fx.thread, &write, "old", &stamp),
                     ENGINE_STORED);
    ck_assert_uint_eq(peek("k").state, ITEM_STATE_STALE);
    ck_assert_uint_eq(peek("k").expires_at_s, NOW_S + 50);
    ck_assert_str_eq(value_of(&fx, "k"), "old");
    write.cas = stamp;
    ck_assert_int_eq(engine_store(fx.thread, &write, "new", &stamp),
                     ENGINE_STORED);
    ck_assert_uint_eq(peek("k").state, 0);
}
END_TEST

START_TEST(counting_may_compare_touch_and_make)
{
    struct engine_arith arith = {.key = key_of(&fx, "k"),
                                 .delta = 3,
                                 .vivify = true,
                                 .initial = 10,
                                 .given_cas = 5,
                                 .vivify_expires_at_s = NOW_S + 9};
    struct engine_counted counted;

    ck_assert_int_eq(engine_count(fx.thread, &arith, &counted), ENGINE_STORED);
    ck_assert_uint_eq(counted.value, 10);
    ck_assert_uint_eq(counted.cas, 5);
    ck_assert_uint_eq(counted.expires_at_s, NOW_S + 9);
    arith.compare = true;
    arith.cas = 4;
    ck_assert_int_eq(engine_count(fx.thread, &arith, &counted), ENGINE_EXISTS);
    arith.cas = 5;
    arith.given_cas = 0;
    arith.touch = true;
    ck_assert_int_eq(engine_count(fx.thread, &arith, &counted), ENGINE_STORED);
    ck_assert_uint_eq(counted.value, 13);
    ck_assert_uint_eq(counted.cas, peek("k").stamp);
    ck_assert_uint_eq(counted.expired_at_s, NOW_S + 9);
    ck_assert_uint_eq(peek("k").expires_at_s, 0);
    ck_assert_str_eq(value_of(&fx, "k"), "13");
    ck_assert_uint_eq(stat_of(&fx, "incr_misses"), 0);
    ck_assert_uint_eq(stat_of(&fx, "incr_hits"), 1);
}
END_TEST

/* ---- from the peer ---- */

static struct mutation from_peer(enum mutation_kind kind, stamp_t stamp,
                                 uint32_t state, stamp_t cas)
{
    struct mutation mutation = {.kind = kind,
                                .hash = key_of(&fx, "k").hash,
                                .stamp = stamp,
                                .state = state,
                                .cas = cas};

    if (kind == MUTATION_SET) {
        mutation.key = SLICE_LITERAL("k");
        mutation.value = SLICE_LITERAL("theirs");
    }
    return mutation;
}

static enum apply_result apply(struct mutation mutation)
{
    return engine_apply(fx.thread, &mutation);
}

START_TEST(the_state_and_the_cas_come_along)
{
    ck_assert_int_eq(
        apply(from_peer(MUTATION_SET, 1000,
                        ITEM_STATE_STALE | ITEM_STATE_BINARY_KEY, 77)),
        APPLY_DONE);
    ck_assert_uint_eq(peek("k").state,
                      ITEM_STATE_STALE | ITEM_STATE_BINARY_KEY);
    ck_assert_uint_eq(peek("k").cas, 77);
    ck_assert_uint_eq(peek("k").stamp, 1000);
    ck_assert_str_eq(value_of(&fx, "k"), "theirs");
    ck_assert_int_eq(apply(from_peer(MUTATION_SET, 2000, 0, 0)), APPLY_DONE);
    ck_assert_uint_eq(peek("k").state, 0);
    ck_assert_uint_eq(peek("k").cas, 2000);
    ck_assert_str_eq(value_of(&fx, "k"), "theirs");
}
END_TEST

/* What is joined of one version is the token, and no other state. */
static const struct {
    enum mutation_kind kind;
    stamp_t stamp;
    uint32_t state;
    uint32_t after; /* Of the version 2000, which is stale. */
} joins[] = {
    {MUTATION_SET, 2000, ITEM_STATE_WON, ITEM_STATE_STALE | ITEM_STATE_WON},
    {MUTATION_SET, 2000, ITEM_STATE_STALE, ITEM_STATE_STALE},
    {MUTATION_SET, 2000, 0, ITEM_STATE_STALE},
    {MUTATION_SET, 2000, ITEM_STATE_BINARY_KEY, ITEM_STATE_STALE},
    {MUTATION_SET, 1999, ITEM_STATE_WON, ITEM_STATE_STALE},
    {MUTATION_SET, 2001, ITEM_STATE_WON, ITEM_STATE_WON},
    {MUTATION_TOUCH, 2000, ITEM_STATE_WON, ITEM_STATE_STALE | ITEM_STATE_WON},
    {MUTATION_TOUCH, 2000, 0, ITEM_STATE_STALE},
    {MUTATION_TOUCH, 1999, ITEM_STATE_WON, ITEM_STATE_STALE},
    {MUTATION_TOUCH, 2001, ITEM_STATE_WON, ITEM_STATE_STALE},
};

START_TEST(who_holds_a_version_joins_its_token)
{
    (void)apply(from_peer(MUTATION_SET, 2000, ITEM_STATE_STALE, 0));
    (void)apply(from_peer(joins[_i].kind, joins[_i].stamp, joins[_i].state, 0));
    ck_assert_uint_eq(peek("k").state, joins[_i].after);
}
END_TEST

START_TEST(what_the_peer_won_is_not_won_here)
{
    (void)apply(from_peer(MUTATION_SET, 2000, ITEM_STATE_STALE, 0));
    (void)apply(
        from_peer(MUTATION_SET, 2000, ITEM_STATE_STALE | ITEM_STATE_WON, 0));
    ck_assert(!wins("k"));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_token_is_given_once_and_repeated_to_the_peer);
    tcase_add_test(tests, nobody_wins_what_lives_long_enough);
    tcase_add_test(tests, a_miss_may_make_an_empty_item_that_is_won);
    tcase_add_test(tests, what_expired_is_made_anew);
    tcase_add_test(tests, a_look_with_a_touch_counts_as_one);
    tcase_add_test(tests, a_silent_look_leaves_no_mark);
    tcase_add_test(tests, stale_is_a_new_version_to_be_won_again);
    tcase_add_loop_test(tests, a_stale_item_may_get_a_cas_of_its_own, 0, 6);
    tcase_add_test(tests, a_removal_may_compare);
    tcase_add_test(tests, a_removal_may_leave_an_empty_item);
    tcase_add_loop_test(tests, a_cas_of_its_own_is_compared_and_shown, 0, 8);
    tcase_add_test(tests, a_late_write_may_be_stored_as_stale);
    tcase_add_test(tests, counting_may_compare_touch_and_make);
    tcase_add_test(tests, the_state_and_the_cas_come_along);
    tcase_add_loop_test(tests, who_holds_a_version_joins_its_token, 0,
                        COUNT_OF(joins));
    tcase_add_test(tests, what_the_peer_won_is_not_won_here);
}

UNIT_MAIN("meta", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/flush.h"

#include "tests/unit/engine/fixture.h"

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    fixture_init_with_journal(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static struct flush_state state(void)
{
    struct flush_state out;

    engine_flush_state(fx.engine, &out);
    return out;
}

START_TEST(a_flush_hides_what_was_and_nothing_after)
{
    put(&fx, "old", "1");
    put(&fx, "unseen", "1");
    engine_flush(fx.thread, 0);
    put(&fx, "new", "2");
    ck_assert(!has(&fx, "old"));
    ck_assert(has(&fx, "new"));
    ck_assert_uint_eq(notes_of(&fx, NOTE_FLUSHED), 1);
    ck_assert_uint_eq(stat_of(&fx, "cmd_flush"), 1);
    ck_assert_uint_eq(stat_of(&fx, "get_flushed"), 1);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 2);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), 1);
}
END_TEST

/* Not only when the next minute begins. */
START_TEST(the_flushed_are_swept_at_once)
{
    put(&fx, "k", "1");
    upkeep_until_idle(&fx);
    engine_flush(fx.thread, 0);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
}
END_TEST

START_TEST(a_key_can_be_stored_again_after_a_flush)
{
    put(&fx, "k", "1");
    engine_flush(fx.thread, 0);
    ck_assert_int_eq(store(&fx, ENGINE_REPLACE, "k", "2", 0, 0, 0),
                     ENGINE_NOT_STORED);
    ck_assert_int_eq(store(&fx, ENGINE_ADD, "k", "3", 0, 0, 0), ENGINE_STORED);
    ck_assert_str_eq(value_of(&fx, "k"), "3");
}
END_TEST

START_TEST(a_delayed_flush_waits)
{
    stamp_t floor;

    engine_flush(fx.thread, 10);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FLUSHED), 1);
    ck_assert_uint_eq(state().due_ns, NOW_NS + 10 * NS_PER_S);
    ck_assert_uint_eq(state().floor, STAMP_NONE);
    put(&fx, "k", "1");
    fixture_set_now(&fx, NOW_S + 9);
    (void)engine_upkeep(fx.thread);
    ck_assert(has(&fx, "k"));
    fixture_set_now(&fx, NOW_S + 10);
    (void)engine_upkeep(fx.thread);
    ck_assert(!has(&fx, "k"));
    floor = state().floor;
    ck_assert_uint_ne(floor, STAMP_NONE);
    ck_assert_uint_eq(state().pending, STAMP_NONE);
    ck_assert_uint_eq(state().due_ns, 0);
    ck_assert_uint_eq(notes_of(&fx, NOTE_FLUSHED), 2);
    fixture_set_now(&fx, NOW_S + 20);
    (void)engine_upkeep(fx.thread);
    ck_assert_uint_eq(state().floor, floor);
}
END_TEST

START_TEST(the_upkeep_wakes_for_a_delayed_flush)
{
    upkeep_until_idle(&fx);
    engine_flush(fx.thread, 1);
    engine_thread_set_now(fx.thread, NOW_NS + NS_PER_S - 5 * NS_PER_US);
    ck_assert_uint_eq(engine_upkeep(fx.thread), 5 * NS_PER_US);
}
END_TEST

START_TEST(a_later_flush_replaces_a_delayed_one)
{
    engine_flush(fx.thread, 10);
    engine_flush(fx.thread, 100);
    ck_assert_uint_eq(state().due_ns, NOW_NS + 100 * NS_PER_S);
    engine_flush(fx.thread, 0);
    ck_assert_uint_eq(state().pending, STAMP_NONE);
    put(&fx, "k", "1");
    fixture_set_now(&fx, NOW_S + 200);
    (void)engine_upkeep(fx.thread);
    ck_assert(has(&fx, "k"));
}
END_TEST

START_TEST(an_endless_delay_is_no_flush)
{
    engine_flush(fx.thread, UINT64_MAX);
    put(&fx, "k", "1");
    fixture_set_now(&fx, NOW_S + 1000000);
    (void)engine_upkeep(fx.thread);
    ck_assert(has(&fx, "k"));
}
END_TEST

START_TEST(joining_takes_the_higher_floor)
{
    struct flush_state theirs = {.floor = 0};

    put(&fx, "k", "1");
    theirs.floor = stamp_of(&fx, "k");
    ck_assert(engine_flush_join(fx.thread, &theirs));
    ck_assert(!engine_flush_join(fx.thread, &theirs));
    ck_assert(!has(&fx, "k"));
    theirs.floor -= 100;
    ck_assert(!engine_flush_join(fx.thread, &theirs));
    ck_assert_uint_eq(notes_of(&fx, NOTE_FLUSHED), 0);
    /* And the clock has heard of it. */
    theirs.floor = STAMP_MAX / 2;
    ck_assert(engine_flush_join(fx.thread, &theirs));
    put(&fx, "k", "2");
    ck_assert(has(&fx, "k"));
}
END_TEST

START_TEST(joining_takes_the_later_delayed_command)
{
    struct flush_state theirs;

    engine_flush(fx.thread, 10);
    theirs = state();
    theirs.pending -= 2;
    theirs.due_ns = NOW_NS + 5;
    ck_assert(!engine_flush_join(fx.thread, &theirs));
    theirs.pending += 4;
    ck_assert(engine_flush_join(fx.thread, &theirs));
    ck_assert_uint_eq(state().due_ns, NOW_NS + 5);
    /* A floor above it makes it void. */
    theirs.floor = theirs.pending + 2;
    ck_assert(engine_flush_join(fx.thread, &theirs));
    ck_assert_uint_eq(state().pending, STAMP_NONE);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_flush_hides_what_was_and_nothing_after);
    tcase_add_test(tests, the_flushed_are_swept_at_once);
    tcase_add_test(tests, a_key_can_be_stored_again_after_a_flush);
    tcase_add_test(tests, a_delayed_flush_waits);
    tcase_add_test(tests, the_upkeep_wakes_for_a_delayed_flush);
    tcase_add_test(tests, a_later_flush_replaces_a_delayed_one);
    tcase_add_test(tests, an_endless_delay_is_no_flush);
    tcase_add_test(tests, joining_takes_the_higher_floor);
    tcase_add_test(tests, joining_takes_the_later_delayed_command);
}
UNIT_MAIN("flush", add_tests)

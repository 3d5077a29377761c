/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include <sched.h>

/* The thread does by itself what the upkeep does by hand. */
START_TEST(the_janitor_applies_a_delayed_flush)
{
    struct engine_config config = fixture_config(4);
    struct fixture fx;
    struct clock clock;

    clock_init_real(&clock);
    fixture_init(&fx, &config);
    engine_thread_set_now(fx.thread, clock_now(&clock) - 2 * NS_PER_S);
    put(&fx, "k", "v");
    engine_flush(fx.thread, 1);
    ck_assert_int_eq(engine_janitor_start(fx.engine, &clock), 0);
    while (engine_items(fx.engine) != 0)
        sched_yield();
    engine_janitor_stop(fx.engine);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), 1);
    fixture_fini(&fx);
}
END_TEST

START_TEST(it_stops_from_its_longest_rest_at_once_and_starts_again)
{
    struct engine_config config = fixture_config(4);
    struct fixture fx;
    struct clock clock;
    unsigned i;

    clock_init_real(&clock);
    fixture_init(&fx, &config);
    for (i = 0; i < 20; i++) {
        ck_assert_int_eq(engine_janitor_start(fx.engine, &clock), 0);
        engine_janitor_stop(fx.engine);
    }
    engine_janitor_stop(fx.engine);
    fixture_fini(&fx);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    struct engine_config config = fixture_config(4);
    struct fixture fx;
    struct clock clock;

    clock_init_real(&clock);
    fixture_init(&fx, &config);
    memory_fail_at(1);
    ck_assert_int_eq(engine_janitor_start(fx.engine, &clock), -ERR_MEMORY);
    memory_fail_at(0);
    fixture_fini(&fx);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, the_janitor_applies_a_delayed_flush);
    tcase_add_test(tests,
                   it_stops_from_its_longest_rest_at_once_and_starts_again);
    tcase_add_test(tests, no_memory_is_an_error);
}
UNIT_MAIN("janitor", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/automove.h"

#include "tests/unit/engine/fixture.h"

#include <stdio.h>

#define PAGES 20
#define OLD_BYTES 500u
#define YOUNG_BYTES 2000u

static struct fixture fx;
static uint32_t now_s;

static void set_up(enum engine_automove mode, uint32_t window_s)
{
    struct engine_config config = fixture_config(PAGES);
    struct engine_tuning tuning = engine_tuning_default;

    tuning.automove = mode;
    tuning.automove_window_s = window_s;
    config.tuning = &tuning;
    fixture_init(&fx, &config);
    now_s = NOW_S;
}

static void put_many(unsigned from, unsigned count, size_t size)
{
    static char value[YOUNG_BYTES];
    char text[32];
    struct engine_write write = {.value_size = size};
    stamp_t stamp;
    unsigned i;

    for (i = from; i < from + count; i++) {
        (void)snprintf(text, sizeof(text), "%zu-%05u", size, i);
        write.key = key_of(&fx, text);
        ck_assert_int_eq(engine_store(fx.thread, &write, value, &stamp),
                         ENGINE_STORED);
    }
}

static uint32_t pages_for(size_t size)
{
    unsigned class = slab_class_for(&fx.engine->slabs, size + 46);

    return slab_class_at(&fx.engine->slabs, class)->pages;
}

/* A second of a working set of young items, with upkeep in between. */
static void live_a_second(unsigned *from)
{
    unsigned i;

    fixture_set_now(&fx, ++now_s);
    for (i = 0; i < 50; i++) {
        unsigned rounds = 0;

        put_many(*from, 20, YOUNG_BYTES);
        *from += 20;
        while (engine_upkeep(fx.thread) == 0 && rounds < 1000)
            rounds++;
    }
}

/* One class has all the memory; then another one needs it. */
static uint32_t pages_after(unsigned seconds)
{
    unsigned from = 0;

    put_many(0, 4000, OLD_BYTES);
    ck_assert_uint_eq(pages_for(OLD_BYTES), PAGES);
    while (seconds-- > 0)
        live_a_second(&from);
    ck_assert_uint_eq(stat_of(&fx, "malloc_fails"), 0);
    return pages_for(YOUNG_BYTES);
}

START_TEST(pages_follow_the_need_within_a_window)
{
    set_up(ENGINE_AUTOMOVE_ON, 5);
    ck_assert_uint_ge(pages_after(8), PAGES * 3 / 4);
    fixture_fini(&fx);
}
END_TEST

START_TEST(and_no_faster_than_that)
{
    set_up(ENGINE_AUTOMOVE_ON, 20);
    ck_assert_uint_le(pages_after(5), 1 + 5);
    ck_assert_uint_gt(pages_for(YOUNG_BYTES), 1);
    fixture_fini(&fx);
}
END_TEST

START_TEST(switched_off_a_class_gets_its_first_page_alone)
{
    set_up(ENGINE_AUTOMOVE_OFF, 5);
    ck_assert_uint_eq(pages_after(8), 1);
    fixture_fini(&fx);
}
END_TEST

START_TEST(eagerly_every_eviction_asks_for_a_page)
{
    set_up(ENGINE_AUTOMOVE_EAGER, 1800);
    ck_assert_uint_ge(pages_after(3), PAGES / 2);
    fixture_fini(&fx);
}
END_TEST

/* What has been empty for a window is the pool's. */
START_TEST(what_nobody_uses_goes_to_the_pool)
{
    unsigned i;

    set_up(ENGINE_AUTOMOVE_ON, 3);
    put_many(0, 2000, OLD_BYTES);
    ck_assert_uint_ge(pages_for(OLD_BYTES), 15);
    engine_flush(fx.thread, 0);
    for (i = 0; i < 12; i++) {
        fixture_set_now(&fx, ++now_s);
        upkeep_until_idle(&fx);
    }
    ck_assert_uint_le(pages_for(OLD_BYTES), 2);
    ck_assert_uint_ge(stat_of(&fx, "slab_global_page_pool"), 13);
    fixture_fini(&fx);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, pages_follow_the_need_within_a_window);
    tcase_add_test(tests, and_no_faster_than_that);
    tcase_add_test(tests, switched_off_a_class_gets_its_first_page_alone);
    tcase_add_test(tests, eagerly_every_eviction_asks_for_a_page);
    tcase_add_test(tests, what_nobody_uses_goes_to_the_pool);
}
UNIT_MAIN("automove", add_tests)

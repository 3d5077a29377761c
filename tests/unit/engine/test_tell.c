/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SEEN_MAX (512 * 1024)

static struct fixture fx;
static struct clock wall;
static struct watch *watch;
static struct watcher *watcher;
static char seen[SEEN_MAX];

static void set_up(void)
{
    const struct watch_config watched = {
        .clock = &wall, .ring_bytes = SEEN_MAX, .watcher_bytes = SEEN_MAX};
    struct engine_config config = fixture_config(1);

    clock_init_fake(&wall, NOW_NS);
    watch = watch_new(&watched);
    ck_assert_ptr_nonnull(watch);
    fixture_init(&fx, &config);
    engine_thread_free(&fx.thread);
    engine_set_watch(fx.engine, watch);
    fx.thread = engine_thread_new(fx.engine);
    ck_assert_ptr_nonnull(fx.thread);
    fixture_set_now(&fx, NOW_S);
}

static void tear_down(void)
{
    fixture_fini(&fx);
    watcher_free(&watcher);
    watch_free(&watch);
}

static void start_watching(void)
{
    ck_assert_int_eq(
        watcher_new(watch, WATCH_EVICTIONS | WATCH_SYSEVENTS, &watcher), 0);
}

/* Waits until there are as many lines. */
static void await_lines(size_t lines)
{
    size_t size = 0;

    while (lines > 0) {
        size_t got =
            watcher_take(watcher, seen + size, sizeof(seen) - 1 - size);

        for (size_t i = size; i < size + got && lines > 0; i++)
            lines -= seen[i] == '\n';
        size += got;
        if (got == 0)
            sched_yield();
    }
    seen[size] = '\0';
}

/* Writes until so many gave way. */
static void fill_until_evicted(uint64_t count)
{
    char key[32];

    for (unsigned i = 0; stat_of(&fx, "evictions") < count; i++) {
        (void)snprintf(key, sizeof(key), "key %u", i);
        store(&fx, ENGINE_SET, key, "value", 0, i % 2 == 0 ? 0 : NOW_S + 100,
              0);
        if (i == 1)
            ck_assert(has(&fx, key));
    }
}

START_TEST(an_item_that_gives_way_is_told)
{
    char expected[128];

    start_watching();
    fill_until_evicted(10);
    await_lines(10);
    ck_assert_ptr_nonnull(strstr(seen, " type=eviction key=key%20"));
    (void)snprintf(expected, sizeof(expected), "la=0 clsid=%u size=5\n",
                   engine_class_of(fx.engine, &(struct engine_write){
                                                  .key = key_of(&fx, "key 10"),
                                                  .value_size = 5}));
    ck_assert_ptr_nonnull(strstr(seen, expected));
    ck_assert_ptr_nonnull(strstr(seen, " ttl=-1 "));
    ck_assert_ptr_nonnull(strstr(seen, " ttl=100 "));
    ck_assert_ptr_nonnull(strstr(seen, " fetch=no "));
}
END_TEST

START_TEST(nothing_is_written_while_nobody_watches)
{
    struct watch_ring *ring = engine_thread_ring(fx.thread);

    ck_assert_ptr_nonnull(ring);
    fill_until_evicted(2);
    start_watching();
    watch_line(ring, WATCH_SYSEVENTS, "first");
    await_lines(1);
    ck_assert_ptr_nonnull(strstr(seen, "gid=1 first\n"));
}
END_TEST

START_TEST(a_glimpse_tells_what_there_is)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_glimpse glimpse;

    engine_glimpse(fx.thread, &key, &glimpse);
    ck_assert_int_eq(glimpse.fate, ENGINE_ABSENT);
    store(&fx, ENGINE_SET, "k", "value", 7, NOW_S + 10, 0);
    engine_glimpse(fx.thread, &key, &glimpse);
    ck_assert_int_eq(glimpse.fate, ENGINE_LIVE);
    ck_assert_uint_eq(glimpse.value_size, 5);
    ck_assert_uint_eq(glimpse.expires_at_s, NOW_S + 10);
    ck_assert_uint_ne(glimpse.slab_class, 0);
    fixture_set_now(&fx, NOW_S + 10);
    engine_glimpse(fx.thread, &key, &glimpse);
    ck_assert_int_eq(glimpse.fate, ENGINE_LAPSED);
    ck_assert_uint_eq(glimpse.value_size, 0);
    ck_assert_uint_eq(glimpse.slab_class, 0);
    put(&fx, "k", "value");
    engine_flush(fx.thread, 0);
    engine_glimpse(fx.thread, &key, &glimpse);
    ck_assert_int_eq(glimpse.fate, ENGINE_FLUSHED);
    /* It was no get. */
    ck_assert_uint_eq(stat_of(&fx, "cmd_get"), 0);
}
END_TEST

START_TEST(the_class_of_a_value_is_known_before_it_is_stored)
{
    struct engine_key key = key_of(&fx, "k");
    struct engine_write write = {.key = key, .value_size = 5};
    struct engine_glimpse glimpse;

    put(&fx, "k", "value");
    engine_glimpse(fx.thread, &key, &glimpse);
    ck_assert_uint_eq(engine_class_of(fx.engine, &write), glimpse.slab_class);
    write.value_size = 1u << 30;
    ck_assert_uint_eq(engine_class_of(fx.engine, &write), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_item_that_gives_way_is_told);
    tcase_add_test(tests, nothing_is_written_while_nobody_watches);
    tcase_add_test(tests, a_glimpse_tells_what_there_is);
    tcase_add_test(tests, the_class_of_a_value_is_known_before_it_is_stored);
}
UNIT_MAIN("tell", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/crawler.h"

#include "src/engine/lru.h"
#include "tests/unit/engine/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS 5000u
#define SLEEP_US 700u

static struct fixture fx;
static uint64_t now_ns;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    config.crawler_sleep_us = SLEEP_US;
    fixture_init_with_journal(&fx, &config);
    now_ns = NOW_NS;
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static void advance(uint64_t ns)
{
    now_ns += ns;
    engine_thread_set_now(fx.thread, now_ns);
}

static void put_many(const char *prefix, const char *value, unsigned count,
                     uint32_t expires_at_s)
{
    char text[32];
    unsigned i;

    for (i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "%s-%u", prefix, i);
        ck_assert_int_eq(
            store(&fx, ENGINE_SET, text, value, 0, expires_at_s, 0),
            ENGINE_STORED);
    }
}

static struct engine_classes all_classes(void)
{
    struct engine_classes classes;

    engine_classes_set_all(&classes);
    return classes;
}

static enum engine_crawl crawl_all(void)
{
    struct engine_classes classes = all_classes();

    return engine_crawl(fx.thread, &classes);
}

/* Upkeep with its rests, until no crawl and no sweep is under way. */
static void rest_until_done(void)
{
    unsigned i;

    for (i = 0; i < 100000; i++) {
        uint64_t rest = engine_upkeep(fx.thread);

        if (stat_of(&fx, "lru_crawler_running") == 0)
            return;
        advance(rest);
    }
    ck_abort_msg("the crawl never ends");
}

/* Beyond the sweep of the start, with dead items, before the next sweep. */
static void have_dead_items(void)
{
    rest_until_done();
    put_many("dead", "value", ITEMS, NOW_S + 5);
    put_many("live", "value", ITEMS, 0);
    advance(10 * NS_PER_S);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), 0);
}

START_TEST(a_crawl_frees_what_is_dead)
{
    uint64_t checked;

    have_dead_items();
    checked = stat_of(&fx, "crawler_items_checked");
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_running"), 1);
    rest_until_done();
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), ITEMS);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), ITEMS);
    ck_assert_uint_eq(stat_of(&fx, "crawler_items_checked"),
                      checked + 2 * ITEMS);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_starts"), 2);
}
END_TEST

START_TEST(one_crawl_at_a_time)
{
    have_dead_items();
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_BUSY);
    rest_until_done();
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
}
END_TEST

START_TEST(a_round_is_bounded_and_rests_as_long_as_asked)
{
    uint64_t checked;

    have_dead_items();
    checked = stat_of(&fx, "crawler_items_checked");
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
    ck_assert_uint_eq(engine_upkeep(fx.thread), SLEEP_US * 1000);
    checked = stat_of(&fx, "crawler_items_checked") - checked;
    ck_assert_uint_ge(checked, 1000);
    ck_assert_uint_le(checked, 1000 + TABLE_ITEMS_MAX);
    /* Other work does not make it faster. */
    advance(1000);
    ck_assert_uint_eq(engine_upkeep(fx.thread), (SLEEP_US - 1) * 1000);
    rest_until_done();
}
END_TEST

START_TEST(a_long_sleep_slows_the_sweep_too)
{
    struct engine_crawler settings = {true, 500000, 0};

    rest_until_done();
    put_many("key", "value", ITEMS, 0);
    upkeep_until_idle(&fx);
    engine_crawler_set(fx.engine, &settings);
    advance(61 * NS_PER_S);
    ck_assert_uint_eq(engine_upkeep(fx.thread), NS_PER_MS);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_running"), 1);
    ck_assert_uint_eq(fx.engine->crawler.rest_until_ns - now_ns,
                      500 * NS_PER_MS);
}
END_TEST

static unsigned class_of(const char *key)
{
    struct engine_key name = key_of(&fx, key);
    struct engine_view view;
    unsigned class;

    ck_assert(engine_peek(fx.thread, &name, &view));
    class = view.slab_class;
    engine_view_end(fx.thread, &view);
    return class;
}

START_TEST(only_the_classes_that_were_named)
{
    struct engine_classes classes = {{0}};
    char large[2000];

    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    rest_until_done();
    put_many("large", large, 10, NOW_S + 5);
    put_many("small", "value", 100, NOW_S + 5);
    engine_classes_add(&classes, class_of("large-0"));
    ck_assert_uint_ne(class_of("large-0"), class_of("small-0"));
    advance(10 * NS_PER_S);
    ck_assert_int_eq(engine_crawl(fx.thread, &classes), ENGINE_CRAWL_STARTED);
    rest_until_done();
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 100);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), 10);
}
END_TEST

START_TEST(limited_crawls_get_around_to_all)
{
    struct engine_crawler settings = {true, SLEEP_US, 1000};
    unsigned i;

    have_dead_items();
    engine_crawler_set(fx.engine, &settings);
    for (i = 1; i <= 11; i++) {
        uint64_t checked = stat_of(&fx, "crawler_items_checked");

        ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
        rest_until_done();
        checked = stat_of(&fx, "crawler_items_checked") - checked;
        ck_assert_uint_ge(checked, 1000);
        ck_assert_uint_le(checked, 1000 + TABLE_ITEMS_MAX);
    }
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), ITEMS);
}
END_TEST

START_TEST(switched_off_it_does_nothing)
{
    struct engine_crawler settings;

    have_dead_items();
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
    engine_crawler_settings(fx.engine, &settings);
    ck_assert(settings.enabled);
    ck_assert_uint_eq(settings.sleep_us, SLEEP_US);
    settings.enabled = false;
    engine_crawler_set(fx.engine, &settings);
    advance(3600 * NS_PER_S);
    upkeep_until_idle(&fx);
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), 0);
    ck_assert(!has_stat(&fx, "lru_crawler_running"));
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_DISABLED);
    settings.enabled = true;
    engine_crawler_set(fx.engine, &settings);
    rest_until_done();
    ck_assert_uint_eq(stat_of(&fx, "crawler_reclaimed"), ITEMS);
}
END_TEST

START_TEST(one_dump_at_a_time)
{
    uint64_t ticket = 0;
    uint64_t other = 0;

    rest_until_done();
    ck_assert_int_eq(engine_dump_begin(fx.thread, &ticket),
                     ENGINE_CRAWL_STARTED);
    ck_assert_uint_ne(ticket, 0);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_running"), 1);
    ck_assert_int_eq(engine_dump_begin(fx.thread, &other), ENGINE_CRAWL_BUSY);
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_BUSY);
    engine_dump_end(fx.thread, ticket);
    ck_assert_uint_eq(stat_of(&fx, "lru_crawler_running"), 0);
    ck_assert_int_eq(crawl_all(), ENGINE_CRAWL_STARTED);
    ck_assert_int_eq(engine_dump_begin(fx.thread, &other), ENGINE_CRAWL_BUSY);
    rest_until_done();
}
END_TEST

START_TEST(a_dump_that_stands_still_is_passed)
{
    uint64_t ticket = 0;
    uint64_t other = 0;

    ck_assert_int_eq(engine_dump_begin(fx.thread, &ticket),
                     ENGINE_CRAWL_STARTED);
    advance(CRAWLER_STALLED_NS - 1);
    ck_assert_int_eq(engine_dump_begin(fx.thread, &other), ENGINE_CRAWL_BUSY);
    engine_dump_use(fx.thread, ticket);
    advance(CRAWLER_STALLED_NS - 1);
    ck_assert_int_eq(engine_dump_begin(fx.thread, &other), ENGINE_CRAWL_BUSY);
    advance(1);
    ck_assert_int_eq(engine_dump_begin(fx.thread, &other),
                     ENGINE_CRAWL_STARTED);
    engine_dump_use(fx.thread, ticket);
    engine_dump_end(fx.thread, ticket); /* Not the other's. */
    ck_assert_int_eq(engine_dump_begin(fx.thread, &ticket), ENGINE_CRAWL_BUSY);
    engine_dump_end(fx.thread, other);
    ck_assert_int_eq(engine_dump_begin(fx.thread, &ticket),
                     ENGINE_CRAWL_STARTED);
    engine_dump_end(fx.thread, ticket);
}
END_TEST

/* ---- walks ---- */

struct visits {
    unsigned seen[2 * ITEMS];
    unsigned all;
};

static void visit(void *ctx, struct engine_view *view)
{
    struct visits *visits = ctx;
    char text[ENGINE_KEY_MAX + 1];
    unsigned long number;

    memcpy(text, view->key.data, view->key.size);
    text[view->key.size] = '\0';
    number = strtoul(strchr(text, '-') + 1, NULL, 10);
    ck_assert_uint_lt(number, 2 * ITEMS);
    visits->seen[number]++;
    visits->all++;
}

START_TEST(a_walk_visits_each_once_while_the_table_grows)
{
    struct visits *visits = calloc(1, sizeof(*visits));
    struct engine_walk walk = {all_classes(), 0};
    unsigned buckets = (unsigned)table_buckets(&fx.engine->table);
    char text[32];
    unsigned added = ITEMS;
    unsigned i;

    ck_assert_ptr_nonnull(visits);
    put_many("key", "value", ITEMS, 0);
    for (;;) {
        unsigned before = visits->all;

        if (!engine_walk(fx.thread, &walk, visit, visits))
            break;
        ck_assert_uint_le(visits->all - before, 100 + TABLE_ITEMS_MAX);

        for (i = 0; i < 100 && added < 2 * ITEMS; i++, added++) {
            (void)snprintf(text, sizeof(text), "key-%u", added);
            ck_assert_int_eq(put(&fx, text, "value"), ENGINE_STORED);
        }
        (void)table_grow(&fx.engine->table, 40);
    }
    ck_assert_uint_gt(table_buckets(&fx.engine->table), buckets);
    for (i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(visits->seen[i], 1);
    for (; i < 2 * ITEMS; i++)
        ck_assert_uint_le(visits->seen[i], 1);
    free(visits);
}
END_TEST

START_TEST(a_walk_passes_the_dead_and_other_classes)
{
    struct visits *visits = calloc(1, sizeof(*visits));
    struct engine_walk walk = {.next_hash = 0};

    ck_assert_ptr_nonnull(visits);
    put_many("dead", "value", 10, NOW_S + 1);
    put_many("live", "value", 20, 0);
    engine_classes_add(&walk.classes, class_of("live-0"));
    advance(2 * NS_PER_S);
    while (engine_walk(fx.thread, &walk, visit, visits))
        continue;
    ck_assert_uint_eq(visits->all, 20);
    walk = (struct engine_walk){.next_hash = 0};
    engine_classes_add(&walk.classes, class_of("live-0") + 1);
    while (engine_walk(fx.thread, &walk, visit, visits))
        continue;
    ck_assert_uint_eq(visits->all, 20);
    free(visits);
}
END_TEST

START_TEST(cold_is_what_lies_in_that_list)
{
    struct engine_key key = key_of(&fx, "key");
    struct engine_view view;

    ck_assert_int_eq(put(&fx, "key", "value"), ENGINE_STORED);
    ck_assert(engine_peek(fx.thread, &key, &view));
    ck_assert(!engine_view_is_cold(&view));
    engine_view_end(fx.thread, &view);
    upkeep_until_idle(&fx);
    ck_assert(engine_peek(fx.thread, &key, &view));
    ck_assert(engine_view_is_cold(&view));
    engine_view_end(fx.thread, &view);
}
END_TEST

START_TEST(classes_are_a_set)
{
    struct engine_classes classes = {{0}};

    ck_assert(engine_classes_are_none(&classes));
    engine_classes_add(&classes, 1);
    engine_classes_add(&classes, 254);
    ck_assert(engine_classes_have(&classes, 254));
    ck_assert(!engine_classes_have(&classes, 253));
    engine_classes_remove(&classes, 254);
    ck_assert(!engine_classes_have(&classes, 254));
    ck_assert(!engine_classes_are_none(&classes));
    engine_classes_remove(&classes, 1);
    ck_assert(engine_classes_are_none(&classes));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_crawl_frees_what_is_dead);
    tcase_add_test(tests, one_crawl_at_a_time);
    tcase_add_test(tests, a_round_is_bounded_and_rests_as_long_as_asked);
    tcase_add_test(tests, a_long_sleep_slows_the_sweep_too);
    tcase_add_test(tests, only_the_classes_that_were_named);
    tcase_add_test(tests, limited_crawls_get_around_to_all);
    tcase_add_test(tests, switched_off_it_does_nothing);
    tcase_add_test(tests, one_dump_at_a_time);
    tcase_add_test(tests, a_dump_that_stands_still_is_passed);
    tcase_add_test(tests, a_walk_visits_each_once_while_the_table_grows);
    tcase_add_test(tests, a_walk_passes_the_dead_and_other_classes);
    tcase_add_test(tests, cold_is_what_lies_in_that_list);
    tcase_add_test(tests, classes_are_a_set);
}
UNIT_MAIN("crawler", add_tests)

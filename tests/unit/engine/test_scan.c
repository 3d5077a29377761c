/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include <stdio.h>
#include <string.h>

#define ITEMS 1500u

static struct fixture fx;

/* What a scan saw of each key. */
struct seen {
    unsigned times[2 * ITEMS];
    uint64_t lowest;
    uint64_t highest;
    size_t total;
    size_t stop_at; /* Says false from this one on; 0: never. */
};

static void set_up(void)
{
    struct engine_config config = fixture_config(64);
    char text[32];
    unsigned i;

    config.table_power = 4;
    fixture_init_with_journal(&fx, &config);
    for (i = 0; i < ITEMS; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        put(&fx, text, "v");
    }
    upkeep_until_idle(&fx);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

static bool see(void *ctx, uint64_t hash, struct engine_view *view)
{
    struct seen *seen = ctx;
    char text[32] = {0};

    ck_assert_uint_lt(view->key.size, sizeof(text));
    memcpy(text, view->key.data, view->key.size);
    ck_assert_uint_eq(hash, key_of(&fx, text).hash);
    if (seen->stop_at != 0 && seen->total + 1 >= seen->stop_at)
        return false;
    seen->times[strtoul(text, NULL, 10)]++;
    seen->total++;
    if (seen->lowest == 0 || hash < seen->lowest)
        seen->lowest = hash;
    if (hash > seen->highest)
        seen->highest = hash;
    return true;
}

START_TEST(a_scan_visits_every_item_once)
{
    struct seen seen = {.total = 0};
    uint64_t at = 0;
    bool done = false;
    unsigned i;

    while (!done)
        at = engine_scan(fx.thread, at, UINT64_MAX, (size_t)_i, see, &seen,
                         &done);
    ck_assert_uint_eq(seen.total, ITEMS);
    for (i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(seen.times[i], 1);
}
END_TEST

START_TEST(a_scan_keeps_to_its_range)
{
    struct seen low = {.total = 0};
    struct seen high = {.total = 0};
    uint64_t middle = 0x7123456789abcdefu;
    bool done;

    (void)engine_scan(fx.thread, 0, middle, ITEMS, see, &low, &done);
    ck_assert(done);
    (void)engine_scan(fx.thread, middle + 1, UINT64_MAX, ITEMS, see, &high,
                      &done);
    ck_assert(done);
    ck_assert_uint_eq(low.total + high.total, ITEMS);
    ck_assert_uint_le(low.highest, middle);
    ck_assert_uint_gt(high.lowest, middle);
}
END_TEST

START_TEST(an_empty_range_is_done)
{
    struct seen seen = {.total = 0};
    bool done;

    (void)engine_scan(fx.thread, 5, 4, ITEMS, see, &seen, &done);
    ck_assert(done);
    ck_assert_uint_eq(seen.total, 0);
}
END_TEST

/* The bucket at which the visitor stopped is visited again. */
START_TEST(a_visitor_can_stop)
{
    struct seen seen = {.stop_at = 700};
    struct seen rest = {.total = 0};
    uint64_t at;
    bool done;
    unsigned i;

    at = engine_scan(fx.thread, 0, UINT64_MAX, ITEMS, see, &seen, &done);
    ck_assert(!done);
    ck_assert_uint_eq(seen.total, 699);
    (void)engine_scan(fx.thread, at, UINT64_MAX, ITEMS, see, &rest, &done);
    ck_assert(done);
    for (i = 0; i < ITEMS; i++)
        ck_assert_uint_ge(seen.times[i] + rest.times[i], 1);
    ck_assert_uint_lt(seen.total + rest.total, ITEMS + TABLE_ITEMS_MAX);
}
END_TEST

/* Between two steps of the scan come stores, which make the table grow. */
START_TEST(what_stays_is_visited_once_while_the_table_grows)
{
    uint64_t buckets = table_buckets(&fx.engine->table);
    struct seen seen = {.total = 0};
    unsigned added = ITEMS;
    uint64_t at = 0;
    bool done = false;
    char text[32];
    unsigned i;

    while (!done) {
        at = engine_scan(fx.thread, at, UINT64_MAX, 3, see, &seen, &done);
        for (i = 0; i < 8 && added < 2 * ITEMS; i++) {
            (void)snprintf(text, sizeof(text), "%u", added++);
            put(&fx, text, "v");
        }
        (void)table_grow(&fx.engine->table, (unsigned)_i);
    }
    ck_assert_uint_gt(table_buckets(&fx.engine->table), buckets);
    for (i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(seen.times[i], 1);
}
END_TEST

START_TEST(the_dead_are_not_visited)
{
    struct seen seen = {.total = 0};
    bool done;

    touch(&fx, "7", NOW_S + 1);
    fixture_set_now(&fx, NOW_S + 1);
    (void)engine_scan(fx.thread, 0, UINT64_MAX, ITEMS, see, &seen, &done);
    ck_assert_uint_eq(seen.total, ITEMS - 1);
    ck_assert_uint_eq(seen.times[7], 0);
}
END_TEST

static bool keep_even_hashes(void *ctx, uint64_t hash)
{
    (void)ctx;
    return hash % 2 == 0;
}

START_TEST(a_purge_removes_what_is_not_kept)
{
    stamp_t floor = stamp_of(&fx, "800");
    size_t purged;
    char text[32];
    unsigned i;
    size_t gone = 0;

    forget_notes(&fx);
    purged = engine_purge(fx.thread, 0, UINT64_MAX / 2, floor, keep_even_hashes,
                          NULL);
    for (i = 0; i < ITEMS; i++) {
        uint64_t hash;
        bool must_go;

        (void)snprintf(text, sizeof(text), "%u", i);
        hash = key_of(&fx, text).hash;
        must_go = i <= 800 && hash % 2 == 1 && hash <= UINT64_MAX / 2;
        ck_assert_int_eq(has(&fx, text), !must_go);
        gone += must_go;
    }
    ck_assert_uint_gt(gone, 0);
    ck_assert_uint_eq(purged, gone);
    ck_assert_uint_eq(fx.journal.count, 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_scan_visits_every_item_once, 1, 40);
    tcase_add_test(tests, a_scan_keeps_to_its_range);
    tcase_add_test(tests, an_empty_range_is_done);
    tcase_add_test(tests, a_visitor_can_stop);
    tcase_add_loop_test(tests, what_stays_is_visited_once_while_the_table_grows,
                        1, 5);
    tcase_add_test(tests, the_dead_are_not_visited);
    tcase_add_test(tests, a_purge_removes_what_is_not_kept);
}
UNIT_MAIN("scan", add_tests)

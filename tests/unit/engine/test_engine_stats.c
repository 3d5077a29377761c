/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include "src/base/invariant.h"

#include <string.h>

static struct fixture fx;

static void set_up(void)
{
    struct engine_config config = fixture_config(64);

    fixture_init(&fx, &config);
}

static void tear_down(void)
{
    fixture_fini(&fx);
}

/* The engine's part of memcached's plain `stats`. */
static const char *const names[] = {
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "get_hits",
    "get_misses",
    "get_expired",
    "get_flushed",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "store_too_large",
    "store_no_memory",
    "limit_maxbytes",
    "hash_power_level",
    "hash_bytes",
    "hash_is_expanding",
    "slab_reassign_rescues",
    "slab_reassign_chunk_rescues",
    "slab_reassign_inline_reclaim",
    "slab_reassign_busy_items",
    "slab_reassign_busy_deletes",
    "slab_reassign_busy_nomem",
    "slab_reassign_last_busy_status",
    "slab_reassign_running",
    "slabs_moved",
    "lru_crawler_running",
    "lru_crawler_starts",
    "lru_maintainer_juggles",
    "malloc_fails",
    "bytes",
    "curr_items",
    "total_items",
    "slab_global_page_pool",
    "expired_unfetched",
    "evicted_unfetched",
    "evicted_active",
    "evictions",
    "reclaimed",
    "crawler_reclaimed",
    "crawler_items_checked",
    "lrutail_reflocked",
    "moves_to_cold",
    "moves_to_warm",
    "moves_within_lru",
    "direct_reclaims",
    "lru_bumps_dropped",
};

struct listing {
    struct stats_out out;
    size_t count;
    size_t known;
};

static void list_one(struct stats_out *out, const char *name, const char *value)
{
    struct listing *listing = (struct listing *)(void *)out;
    size_t i;

    ck_assert_uint_gt(strlen(value), 0);
    listing->count++;
    for (i = 0; i < COUNT_OF(names); i++)
        listing->known += strcmp(names[i], name) == 0;
}

START_TEST(plain_stats_has_memcacheds_names_and_no_other)
{
    struct listing listing = {.out = {list_one}};

    engine_stats(fx.engine, &listing.out);
    ck_assert_uint_eq(listing.count, COUNT_OF(names));
    ck_assert_uint_eq(listing.known, COUNT_OF(names));
}
END_TEST

START_TEST(bytes_and_items_go_up_and_down)
{
    put(&fx, "k", "0123456789");
    ck_assert_uint_eq(stat_of(&fx, "bytes"), 36 + 1 + 10);
    store(&fx, ENGINE_SET, "flags", "0123", 7, 0, 0);
    ck_assert_uint_eq(stat_of(&fx, "bytes"), 47 + 36 + 5 + 4 + 4);
    put(&fx, "k", "012");
    ck_assert_uint_eq(stat_of(&fx, "bytes"), 40 + 49);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 2);
    ck_assert_uint_eq(stat_of(&fx, "total_items"), 3);
    drop(&fx, "k");
    drop(&fx, "flags");
    ck_assert_uint_eq(stat_of(&fx, "bytes"), 0);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 0);
    ck_assert_uint_eq(stat_of(&fx, "total_items"), 3);
}
END_TEST

START_TEST(a_reset_hides_counts_but_no_levels)
{
    put(&fx, "k", "v");
    (void)has(&fx, "k");
    (void)has(&fx, "none");
    engine_stats_reset(fx.engine);
    ck_assert_uint_eq(stat_of(&fx, "cmd_set"), 0);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 0);
    ck_assert_uint_eq(stat_of(&fx, "get_misses"), 0);
    ck_assert_uint_eq(stat_of(&fx, "total_items"), 0);
    ck_assert_uint_eq(stat_of(&fx, "curr_items"), 1);
    ck_assert_uint_eq(stat_of(&fx, "bytes"), 38);
    (void)has(&fx, "k");
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 1);
}
END_TEST

/* What a thread counted stays when it is gone. */
START_TEST(threads_are_summed_also_after_their_end)
{
    struct engine_thread *second = engine_thread_new(fx.engine);
    struct engine_thread *mine = fx.thread;

    put(&fx, "k", "v");
    fx.thread = second;
    fixture_set_now(&fx, NOW_S);
    put(&fx, "l", "v");
    (void)has(&fx, "k");
    ck_assert_uint_eq(stat_of(&fx, "cmd_set"), 2);
    fx.thread = mine;
    engine_thread_free(&second);
    ck_assert_ptr_null(second);
    ck_assert_uint_eq(stat_of(&fx, "cmd_set"), 2);
    ck_assert_uint_eq(stat_of(&fx, "get_hits"), 1);
    ck_assert_uint_eq(stat_of(&fx, "bytes"), 2 * 38);
}
END_TEST

/* "k" and "v" make 38 bytes: the first class. */
START_TEST(items_are_told_by_class_where_there_are_any)
{
    ck_assert(!has_stat(&fx, "items:1:number"));
    put(&fx, "k", "v");
    fixture_set_now(&fx, NOW_S + 30);
    (void)has(&fx, "none");
    ck_assert_uint_eq(stat_of(&fx, "items:1:number"), 1);
    ck_assert_uint_eq(stat_of(&fx, "items:1:number_hot"), 1);
    ck_assert_uint_eq(stat_of(&fx, "items:1:age_hot"), 30);
    ck_assert_uint_eq(stat_of(&fx, "items:1:mem_requested"), 38);
    (void)has(&fx, "k");
    ck_assert_uint_eq(stat_of(&fx, "items:1:hits_to_hot"), 1);
    ck_assert(!has_stat(&fx, "items:2:number"));
}
END_TEST

START_TEST(slabs_are_told_by_class_where_there_are_pages)
{
    ck_assert_uint_eq(stat_of(&fx, "active_slabs"), 0);
    put(&fx, "k", "v");
    put(&fx, "l", "v");
    (void)has(&fx, "k");
    ck_assert_uint_eq(stat_of(&fx, "1:chunk_size"), 56);
    ck_assert_uint_eq(stat_of(&fx, "1:chunks_per_page"), PAGE_BYTES / 56);
    ck_assert_uint_eq(stat_of(&fx, "1:total_pages"), 1);
    ck_assert_uint_eq(stat_of(&fx, "1:used_chunks"), 2);
    ck_assert_uint_eq(stat_of(&fx, "1:free_chunks"), PAGE_BYTES / 56 - 2);
    ck_assert_uint_eq(stat_of(&fx, "1:get_hits"), 1);
    ck_assert_uint_eq(stat_of(&fx, "1:cmd_set"), 2);
    ck_assert_uint_eq(stat_of(&fx, "active_slabs"), 1);
    ck_assert_uint_eq(stat_of(&fx, "total_malloced"), PAGE_BYTES);
    ck_assert(!has_stat(&fx, "2:chunk_size"));
    ck_assert_uint_eq(stat_of(&fx, "slab_global_page_pool"), 0);
}
END_TEST

START_TEST(a_refused_store_is_counted_as_given)
{
    store(&fx, ENGINE_REPLACE, "k", "v", 0, 0, 0);
    ck_assert_uint_eq(stat_of(&fx, "cmd_set"), 1);
    ck_assert_uint_eq(stat_of(&fx, "total_items"), 0);
}
END_TEST

struct printed {
    unsigned lines;
    char first[128];
    char last[128];
};

static void print_line(void *ctx, const char *text)
{
    struct printed *printed = ctx;

    ck_assert_uint_lt(strlen(text), sizeof(printed->last));
    memcpy(printed->last, text, strlen(text) + 1);
    if (printed->lines == 0)
        memcpy(printed->first, printed->last, sizeof(printed->first));
    printed->lines++;
}

START_TEST(classes_are_printed_as_memcached_prints_them)
{
    struct engine_config config = {.memory_bytes = 64 * MIB,
                                   .item_bytes_max = MIB,
                                   .growth = 1.25,
                                   .chunk_bytes_min = 48};
    struct printed printed = {.lines = 0};
    struct engine *engine;

    ck_assert_int_eq(engine_new(&config, &engine), 0);
    engine_print_classes(engine, print_line, &printed);
    ck_assert_uint_eq(printed.lines, 39);
    ck_assert_str_eq(printed.first,
                     "slab class   1: chunk size        96 perslab   10922");
    ck_assert_str_eq(printed.last,
                     "slab class  39: chunk size    524288 perslab       2");
    engine_free(&engine);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, plain_stats_has_memcacheds_names_and_no_other);
    tcase_add_test(tests, bytes_and_items_go_up_and_down);
    tcase_add_test(tests, a_reset_hides_counts_but_no_levels);
    tcase_add_test(tests, threads_are_summed_also_after_their_end);
    tcase_add_test(tests, items_are_told_by_class_where_there_are_any);
    tcase_add_test(tests, slabs_are_told_by_class_where_there_are_pages);
    tcase_add_test(tests, a_refused_store_is_counted_as_given);
    tcase_add_test(tests, classes_are_printed_as_memcached_prints_them);
}
UNIT_MAIN("engine_stats", add_tests)

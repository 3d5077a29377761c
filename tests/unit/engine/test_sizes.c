/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/sizes.h"

#include "src/base/number.h"
#include "tests/unit/engine/fixture.h"

#include <stdio.h>

static struct fixture fx;

/* The group as text: "64=1 96=2 ". */
struct shown {
    struct stats_out out;
    char text[1024];
};

static void show(struct stats_out *out, const char *name, const char *value)
{
    struct shown *shown = (struct shown *)(void *)out;
    size_t size = strlen(shown->text);

    (void)snprintf(shown->text + size, sizeof(shown->text) - size, "%s=%s ",
                   name, value);
}

static const char *sizes(void)
{
    static struct shown shown;

    shown = (struct shown){.out.put = show};
    engine_stats_sizes(fx.engine, &shown.out);
    return shown.text;
}

static void start(bool track)
{
    struct engine_config config = fixture_config(64);

    config.track_sizes = track;
    fixture_init(&fx, &config);
}

START_TEST(sizes_are_rounded_up_to_32_bytes)
{
    char value[100];

    start(true);
    ck_assert(engine_tracks_sizes(fx.engine));
    ck_assert_str_eq(sizes(), "");
    /* 36 of header, 4 of key. */
    memset(value, 'v', sizeof(value));
    value[24] = '\0';
    ck_assert_int_eq(put(&fx, "key1", value), ENGINE_STORED);
    ck_assert_str_eq(sizes(), "64=1 ");
    value[24] = 'v';
    value[25] = '\0';
    ck_assert_int_eq(put(&fx, "key2", value), ENGINE_STORED);
    ck_assert_int_eq(put(&fx, "key3", value), ENGINE_STORED);
    ck_assert_str_eq(sizes(), "64=1 96=2 ");
    fixture_fini(&fx);
}
END_TEST

START_TEST(what_goes_or_changes_is_counted)
{
    uint64_t value;
    stamp_t stamp;
    struct engine_arith arith = {.delta = 1};

    start(true);
    ck_assert_int_eq(put(&fx, "key1", "a"), ENGINE_STORED);
    ck_assert_int_eq(put(&fx, "key2", "a"), ENGINE_STORED);
    ck_assert_str_eq(sizes(), "64=2 ");
    ck_assert_int_eq(drop(&fx, "key2"), ENGINE_STORED);
    ck_assert_str_eq(sizes(), "64=1 ");
    ck_assert_int_eq(put(&fx, "key1", "0123456789012345678901234567890"),
                     ENGINE_STORED);
    ck_assert_str_eq(sizes(), "96=1 ");
    ck_assert_int_eq(put(&fx, "key1", "999999999999999999"), ENGINE_STORED);
    ck_assert_str_eq(sizes(), "64=1 ");
    arith.key = key_of(&fx, "key1");
    ck_assert_int_eq(engine_arith(fx.thread, &arith, &value, &stamp),
                     ENGINE_STORED);
    ck_assert_str_eq(sizes(), "64=1 ");
    fixture_fini(&fx);
}
END_TEST

START_TEST(evicted_and_expired_items_are_not_counted)
{
    char text[32];
    unsigned i;
    uint64_t total = 0;
    struct slice rest;

    start(true);
    for (i = 0; i < 100000; i++) {
        (void)snprintf(text, sizeof(text), "%06u", i);
        ck_assert_int_eq(put(&fx, text, "value"), ENGINE_STORED);
    }
    ck_assert_uint_gt(stat_of(&fx, "evictions"), 0);
    rest = slice_of(sizes());
    ck_assert_int_eq(memcmp(rest.data, "64=", 3), 0);
    ck_assert_int_eq(
        number_u64(slice_make(rest.data + 3, rest.size - 4), &total), 0);
    ck_assert_uint_eq(total, stat_of(&fx, "curr_items"));
    fixture_fini(&fx);
}
END_TEST

START_TEST(without_the_option_nothing_is_counted)
{
    start(false);
    ck_assert_int_eq(put(&fx, "key", "value"), ENGINE_STORED);
    ck_assert(!engine_tracks_sizes(fx.engine));
    ck_assert_str_eq(sizes(), "sizes_status=disabled ");
    fixture_fini(&fx);
}
END_TEST

START_TEST(what_is_too_large_counts_as_the_largest)
{
    struct sizes counted = {NULL, 0};

    ck_assert_int_eq(sizes_init(&counted, 100), 0);
    sizes_add(&counted, 1 << 20, 1);
    sizes_add(&counted, counted.buckets * SIZES_STEP_BYTES, 1);
    ck_assert_int_eq(counted.counts[counted.buckets - 1], 2);
    sizes_fini(&counted);
    memory_fail_at(1);
    ck_assert_int_eq(sizes_init(&counted, 100), -ERR_MEMORY);
    memory_fail_at(0);
    sizes_fini(&counted);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, sizes_are_rounded_up_to_32_bytes);
    tcase_add_test(tests, what_goes_or_changes_is_counted);
    tcase_add_test(tests, evicted_and_expired_items_are_not_counted);
    tcase_add_test(tests, without_the_option_nothing_is_counted);
    tcase_add_test(tests, what_is_too_large_counts_as_the_largest);
}
UNIT_MAIN("sizes", add_tests)

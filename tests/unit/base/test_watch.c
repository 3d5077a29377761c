/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/watch.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/base/watch_ring.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_NS (1700000000ull * NS_PER_S + 45 * NS_PER_US)
#define THREADS 4
#define ROUNDS 2000
#define SEEN_MAX (1024 * 1024)

static struct clock clock_now_is;
static struct watch *watch;

/* A watcher, and what it has seen. */
struct viewer {
    struct watcher *watcher;
    sem_t lines;
    unsigned wakes;
    char *seen;
    size_t size;
};

static void set_up(size_t bytes)
{
    struct watch_config config = {
        .clock = &clock_now_is, .ring_bytes = bytes, .watcher_bytes = bytes};

    clock_init_fake(&clock_now_is, NOW_NS);
    watch = watch_new(&config);
    ck_assert_ptr_nonnull(watch);
}

static void on_lines(void *ctx)
{
    struct viewer *viewer = ctx;

    viewer->wakes++;
    (void)sem_post(&viewer->lines);
}

static void open_viewer(struct viewer *viewer, unsigned classes)
{
    *viewer = (struct viewer){.seen = malloc(SEEN_MAX)};
    ck_assert_ptr_nonnull(viewer->seen);
    (void)sem_init(&viewer->lines, 0, 0);
    ck_assert_int_eq(watcher_new(watch, classes, &viewer->watcher), 0);
    watcher_await(viewer->watcher, on_lines, viewer);
}

static void close_viewer(struct viewer *viewer)
{
    watcher_free(&viewer->watcher);
    (void)sem_destroy(&viewer->lines);
    free(viewer->seen);
}

static void take(struct viewer *viewer)
{
    viewer->size += watcher_take(viewer->watcher, viewer->seen + viewer->size,
                                 SEEN_MAX - 1 - viewer->size);
    viewer->seen[viewer->size] = '\0';
}

/* Waits until it has seen that text. */
static void await_text(struct viewer *viewer, const char *text)
{
    for (take(viewer); strstr(viewer->seen, text) == NULL; take(viewer))
        (void)sem_wait(&viewer->lines);
}

static uint64_t counted(const char *name);

/* Waits until as many lines were dealt out, whoever got them. */
static void await_dealt(uint64_t lines)
{
    while (counted("log_watcher_sent") + counted("log_watcher_skipped") < lines)
        sched_yield();
}

struct found {
    struct stats_out out;
    const char *name;
    uint64_t value;
};

static void find_value(struct stats_out *out, const char *name,
                       const char *value)
{
    struct found *found = (struct found *)(void *)out;

    if (strcmp(name, found->name) == 0)
        ck_assert_int_eq(number_u64(slice_of(value), &found->value), 0);
}

static uint64_t counted(const char *name)
{
    struct found found = {{find_value}, name, UINT64_MAX};

    watch_stats(watch, &found.out);
    ck_assert_uint_ne(found.value, UINT64_MAX);
    return found.value;
}

START_TEST(a_line_has_time_and_number)
{
    struct viewer viewer;
    struct watch_ring *ring;

    set_up(65536);
    ring = watch_ring_new(watch);
    open_viewer(&viewer, WATCH_FETCHERS);
    watch_line(ring, WATCH_FETCHERS, "type=%s", "first");
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "type=%s", "second");
    await_text(&viewer, "second\n");
    ck_assert_str_eq(viewer.seen, "ts=1700000000.45 gid=1 type=first\n"
                                  "ts=1700000000.45 gid=2 type=second\n");
    close_viewer(&viewer);
    watch_ring_free(&ring);
    watch_free(&watch);
}
END_TEST

START_TEST(each_gets_the_classes_it_asked_for)
{
    struct viewer one, other;

    set_up(65536);
    ck_assert_uint_eq(watch_wanted(watch_classes(watch)), 0);
    open_viewer(&one, WATCH_FETCHERS);
    open_viewer(&other, WATCH_EVICTIONS | WATCH_DELETIONS);
    ck_assert_uint_eq(watch_wanted(watch_classes(watch)),
                      WATCH_FETCHERS | WATCH_EVICTIONS | WATCH_DELETIONS);
    watch_line(watch_shared_ring(watch), WATCH_DELETIONS, "deleted");
    watch_line(watch_shared_ring(watch), WATCH_MUTATIONS, "for nobody");
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "fetched");
    watch_line(watch_shared_ring(watch), WATCH_EVICTIONS, "evicted");
    await_text(&one, "fetched\n");
    await_text(&other, "evicted\n");
    ck_assert_str_eq(one.seen, "ts=1700000000.45 gid=3 fetched\n");
    ck_assert_str_eq(other.seen, "ts=1700000000.45 gid=1 deleted\n"
                                 "ts=1700000000.45 gid=4 evicted\n");
    close_viewer(&one);
    ck_assert_uint_eq(watch_wanted(watch_classes(watch)),
                      WATCH_EVICTIONS | WATCH_DELETIONS);
    close_viewer(&other);
    ck_assert_uint_eq(watch_wanted(watch_classes(watch)), 0);
    watch_free(&watch);
}
END_TEST

START_TEST(who_comes_late_sees_nothing_old)
{
    struct viewer early, late;

    set_up(65536);
    open_viewer(&early, WATCH_FETCHERS);
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "old");
    open_viewer(&late, WATCH_FETCHERS);
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "new");
    await_text(&early, "new\n");
    await_text(&late, "new\n");
    ck_assert_ptr_null(strstr(late.seen, "old"));
    close_viewer(&early);
    close_viewer(&late);
    watch_free(&watch);
}
END_TEST

static void *write_lines(void *ctx)
{
    struct watch_ring *ring = ctx;

    for (unsigned i = 0; i < ROUNDS; i++)
        watch_line(ring, WATCH_MUTATIONS, "%u", i);
    return NULL;
}

/* The numbers behind gid= rise by one each. */
static void check_order(const char *seen, unsigned lines)
{
    unsigned number = 1;

    for (const char *at = strstr(seen, "gid="); at != NULL;
         at = strstr(at + 1, "gid="))
        ck_assert_uint_eq(strtoul(at + 4, NULL, 10), number++);
    ck_assert_uint_eq(number, lines + 1);
}

START_TEST(lines_of_several_threads_come_in_order)
{
    struct watch_ring *rings[THREADS];
    pthread_t threads[THREADS];
    struct viewer viewer;
    unsigned i;

    set_up(SEEN_MAX);
    open_viewer(&viewer, WATCH_MUTATIONS);
    for (i = 0; i < THREADS; i++) {
        rings[i] = watch_ring_new(watch);
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, write_lines, rings[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    await_dealt((uint64_t)THREADS * ROUNDS);
    take(&viewer);
    check_order(viewer.seen, THREADS * ROUNDS);
    ck_assert_uint_eq(counted("log_worker_dropped"), 0);
    ck_assert_uint_eq(counted("log_watcher_skipped"), 0);
    for (i = 0; i < THREADS; i++)
        watch_ring_free(&rings[i]);
    close_viewer(&viewer);
    watch_free(&watch);
}
END_TEST

static void ignore_wake(void *ctx)
{
    (void)ctx;
}

START_TEST(a_full_ring_drops_and_counts)
{
    struct watch_hub hub = {.clock = &clock_now_is, .wake = ignore_wake};
    struct watch_ring *ring;
    struct watch_record record;
    char text[WATCH_LINE_MAX];
    char line[100];
    unsigned fits = 0;

    clock_init_fake(&clock_now_is, NOW_NS);
    ring = watch_ring_make(NULL, &hub, WATCH_ROOM_MIN);
    ck_assert_ptr_nonnull(ring);
    memset(line, 'x', sizeof(line));
    for (unsigned i = 0; i < 100; i++)
        watch_ring_put(ring, WATCH_FETCHERS, slice_make(line, sizeof(line)));
    ck_assert_uint_eq(watch_hub_counts(&hub).log_worker_written,
                      WATCH_ROOM_MIN / (sizeof(line) + sizeof(record)));
    ck_assert_uint_eq(watch_hub_counts(&hub).log_worker_dropped,
                      100 - watch_hub_counts(&hub).log_worker_written);
    /* What is there stays whole, also around the ring's end. */
    for (unsigned i = 0; i < 100; i++) {
        watch_ring_settle(ring);
        if (ring->head_number == UINT64_MAX)
            break;
        watch_ring_take(ring, &record, text);
        ck_assert_uint_eq(record.size, sizeof(line));
        ck_assert_mem_eq(text, line, sizeof(line));
        fits++;
        watch_ring_put(ring, WATCH_FETCHERS,
                       slice_make(line, fits < 50 ? sizeof(line) : 0));
        if (fits >= 50)
            break;
    }
    ck_assert_uint_eq(fits, 50);
    watch_ring_unmake(&ring);
}
END_TEST

START_TEST(a_slow_watcher_is_told_what_it_missed)
{
    struct viewer viewer;
    uint64_t skipped;
    char told[64];

    set_up(0);
    open_viewer(&viewer, WATCH_FETCHERS);
    for (unsigned i = 1; i <= 100; i++) {
        watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "line");
        await_dealt(i);
    }
    skipped = counted("log_watcher_skipped");
    ck_assert_uint_gt(skipped, 0);
    ck_assert_uint_eq(counted("log_watcher_sent"), 100 - skipped);
    take(&viewer);
    ck_assert_ptr_null(strstr(viewer.seen, "skipped="));
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "next");
    await_text(&viewer, "next\n");
    (void)snprintf(told, sizeof(told),
                   "line\nskipped=%u\nts=1700000000.45 gid=101 next\n",
                   (unsigned)skipped);
    ck_assert_ptr_nonnull(strstr(viewer.seen, told));
    close_viewer(&viewer);
    watch_free(&watch);
}
END_TEST

START_TEST(a_watcher_is_woken_once_until_it_took_all)
{
    struct viewer viewer;
    char few[10];

    set_up(65536);
    open_viewer(&viewer, WATCH_FETCHERS);
    for (unsigned i = 1; i <= 10; i++) {
        watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "line");
        await_dealt(i);
    }
    (void)sem_wait(&viewer.lines);
    ck_assert_uint_eq(watcher_take(viewer.watcher, few, sizeof(few)), 10);
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "more");
    await_dealt(11);
    take(&viewer);
    ck_assert_uint_eq(viewer.wakes, 1);
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "last");
    (void)sem_wait(&viewer.lines);
    close_viewer(&viewer);
    ck_assert_uint_eq(viewer.wakes, 2);
    watch_free(&watch);
}
END_TEST

START_TEST(lines_from_before_the_wait_wake_at_once)
{
    struct viewer viewer = {.seen = malloc(SEEN_MAX)};

    set_up(65536);
    (void)sem_init(&viewer.lines, 0, 0);
    ck_assert_int_eq(watcher_new(watch, WATCH_FETCHERS, &viewer.watcher), 0);
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "early");
    await_dealt(1);
    watcher_await(viewer.watcher, on_lines, &viewer);
    ck_assert_uint_eq(viewer.wakes, 1);
    close_viewer(&viewer);
    watch_free(&watch);
}
END_TEST

START_TEST(there_are_at_most_twenty)
{
    struct watcher *watchers[WATCH_WATCHERS_MAX + 1];

    set_up(0);
    for (unsigned i = 0; i < WATCH_WATCHERS_MAX; i++)
        ck_assert_int_eq(watcher_new(watch, WATCH_FETCHERS, &watchers[i]), 0);
    ck_assert_int_eq(
        watcher_new(watch, WATCH_FETCHERS, &watchers[WATCH_WATCHERS_MAX]),
        -ERR_LIMIT);
    ck_assert_uint_eq(counted("log_watchers"), WATCH_WATCHERS_MAX);
    watcher_free(&watchers[3]);
    ck_assert_int_eq(watcher_new(watch, WATCH_FETCHERS, &watchers[3]), 0);
    for (unsigned i = 0; i < WATCH_WATCHERS_MAX; i++)
        watcher_free(&watchers[i]);
    watch_free(&watch);
}
END_TEST

START_TEST(watchers_come_and_go_under_load)
{
    struct watch_ring *ring;
    pthread_t thread;
    struct viewer viewer;

    set_up(65536);
    ring = watch_ring_new(watch);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_lines, ring), 0);
    for (unsigned i = 0; i < 200; i++) {
        open_viewer(&viewer, WATCH_MUTATIONS);
        take(&viewer);
        close_viewer(&viewer);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    watch_ring_free(&ring);
    watch_free(&watch);
}
END_TEST

START_TEST(keys_are_written_in_printable_characters)
{
    char text[WATCH_KEY_TEXT_MAX];
    char longest[250];

    ck_assert_str_eq(watch_key(SLICE_LITERAL("aZ09-._~"), text), "aZ09-._~");
    ck_assert_str_eq(watch_key(SLICE_LITERAL("k\x01\xff%,= /:"), text),
                     "k%01%FF%25%2C%3D%20%2F%3A");
    ck_assert_str_eq(watch_key(slice_make("a\0b", 3), text), "a%00b");
    memset(longest, 0xff, sizeof(longest));
    ck_assert_uint_eq(
        strlen(watch_key(slice_make(longest, sizeof(longest)), text)), 750);
}
END_TEST

START_TEST(a_line_has_a_longest_length)
{
    char text[2 * WATCH_LINE_MAX];
    struct viewer viewer;

    set_up(65536);
    open_viewer(&viewer, WATCH_FETCHERS);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "%s", text);
    await_text(&viewer, "\n");
    ck_assert_uint_eq(strlen(strchr(viewer.seen, 'x')), WATCH_LINE_MAX);
    close_viewer(&viewer);
    watch_free(&watch);
}
END_TEST

START_TEST(classes_have_words)
{
    ck_assert_uint_eq(watch_class_of(SLICE_LITERAL("fetchers")),
                      WATCH_NUMBER_FETCHERS);
    ck_assert_uint_eq(watch_class_of(SLICE_LITERAL("deletions")),
                      WATCH_NUMBER_DELETIONS);
    ck_assert_uint_eq(watch_class_of(SLICE_LITERAL("proxyreqs")),
                      WATCH_NUMBER_PROXYREQS);
    ck_assert_uint_eq(watch_class_of(SLICE_LITERAL("fetcher")),
                      WATCH_CLASS_COUNT);
    ck_assert_uint_eq(watch_class_of(SLICE_LITERAL("")), WATCH_CLASS_COUNT);
}
END_TEST

START_TEST(a_reset_hides_what_was_counted)
{
    struct viewer viewer;

    set_up(65536);
    open_viewer(&viewer, WATCH_FETCHERS);
    watch_line(watch_shared_ring(watch), WATCH_FETCHERS, "line");
    await_dealt(1);
    ck_assert_uint_eq(counted("log_worker_written"), 1);
    watch_stats_reset(watch);
    ck_assert_uint_eq(counted("log_worker_written"), 0);
    ck_assert_uint_eq(counted("log_watcher_sent"), 0);
    ck_assert_uint_eq(counted("log_watchers"), 1);
    close_viewer(&viewer);
    watch_free(&watch);
}
END_TEST

START_TEST(without_memory_nothing_is_made)
{
    const struct watch_config config = {.clock = &clock_now_is};
    struct watcher *watcher;

    for (size_t n = 1; n <= 3; n++) {
        memory_fail_at(n);
        ck_assert_ptr_null(watch_new(&config));
    }
    memory_fail_at(0);
    set_up(0);
    for (size_t n = 1; n <= 2; n++) {
        memory_fail_at(n);
        ck_assert_int_eq(watcher_new(watch, WATCH_FETCHERS, &watcher),
                         -ERR_MEMORY);
        ck_assert_ptr_null(watcher);
    }
    memory_fail_at(0);
    watch_free(&watch);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_line_has_time_and_number);
    tcase_add_test(tests, each_gets_the_classes_it_asked_for);
    tcase_add_test(tests, who_comes_late_sees_nothing_old);
    tcase_add_test(tests, lines_of_several_threads_come_in_order);
    tcase_add_test(tests, a_full_ring_drops_and_counts);
    tcase_add_test(tests, a_slow_watcher_is_told_what_it_missed);
    tcase_add_test(tests, a_watcher_is_woken_once_until_it_took_all);
    tcase_add_test(tests, lines_from_before_the_wait_wake_at_once);
    tcase_add_test(tests, there_are_at_most_twenty);
    tcase_add_test(tests, watchers_come_and_go_under_load);
    tcase_add_test(tests, keys_are_written_in_printable_characters);
    tcase_add_test(tests, a_line_has_a_longest_length);
    tcase_add_test(tests, classes_have_words);
    tcase_add_test(tests, a_reset_hides_what_was_counted);
    tcase_add_test(tests, without_memory_nothing_is_made);
}
UNIT_MAIN("watch", add_tests)

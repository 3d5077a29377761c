/* SPDX-License-Identifier: BSD-3-Clause */
/* Several threads at once, while the table grows and items are evicted. Each
 * writer owns some keys, so it knows what they must hold; everybody reads
 * everybody's keys, and a value tells by itself whether it is whole. */
#include "tests/unit/engine/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define WRITERS 3
#define KEYS_EACH 2000
#define STEPS 15000
#define KEY_TEXT_MAX 32
#define SIZE_MAX_SMALL 200u
#define SIZE_MAX_LARGE (90 * KIB)

struct shared {
    struct engine *engine;
    bool may_evict;
    bool large;
    _Atomic bool stop;
    unsigned steps;
};

struct writer {
    struct shared *shared;
    struct engine_thread *thread;
    unsigned number;
    uint64_t random;
    uint64_t seeds[KEYS_EACH]; /* Of what was stored last; 0: nothing. */
    uint64_t hits;
};

/* A value is its seed, then a pattern that follows from it. */
static size_t size_for(const struct shared *shared, uint64_t seed)
{
    size_t most =
        shared->large && seed % 50 == 0 ? SIZE_MAX_LARGE : SIZE_MAX_SMALL;

    return sizeof(seed) + (seed >> 8) % most;
}

static struct engine_key make_key(const struct shared *shared, char *text,
                                  unsigned owner, unsigned number)
{
    int size = snprintf(text, KEY_TEXT_MAX, "k-%u-%u", owner, number);

    return engine_key_of(shared->engine, slice_make(text, (size_t)size));
}

static void write_key(struct writer *writer, unsigned number)
{
    char text[KEY_TEXT_MAX];
    uint64_t seed = next_random(&writer->random) | 1;
    size_t size = size_for(writer->shared, seed);
    char *value = malloc(size);
    struct engine_write write = {
        .key = make_key(writer->shared, text, writer->number, number),
        .value_size = size};
    stamp_t stamp;

    ck_assert_ptr_nonnull(value);
    pattern_fill(value, size, seed);
    memcpy(value, &seed, sizeof(seed));
    ck_assert_int_eq(engine_store(writer->thread, &write, value, &stamp),
                     ENGINE_STORED);
    writer->seeds[number] = seed;
    free(value);
}

static void remove_key(struct writer *writer, unsigned number)
{
    char text[KEY_TEXT_MAX];
    struct engine_key key =
        make_key(writer->shared, text, writer->number, number);
    enum engine_outcome outcome = engine_remove(writer->thread, &key);

    if (!writer->shared->may_evict)
        ck_assert_int_eq(outcome, writer->seeds[number] != 0
                                      ? ENGINE_STORED
                                      : ENGINE_NOT_FOUND);
    writer->seeds[number] = 0;
}

/* Whether the item's value is what its first bytes say. Returns the seed. */
static uint64_t check_value(struct writer *writer, const struct item *item,
                            size_t size)
{
    uint64_t seed;
    size_t done = sizeof(seed);
    char *wanted = malloc(size);

    ck_assert_ptr_nonnull(wanted);
    memcpy(&seed, engine_item_bytes(writer->thread, item, 0).data,
           sizeof(seed));
    ck_assert_uint_eq(size, size_for(writer->shared, seed));
    pattern_fill(wanted, size, seed);
    while (done < size) {
        struct slice piece = engine_item_bytes(writer->thread, item, done);

        ck_assert_uint_gt(piece.size, 0);
        ck_assert_int_eq(memcmp(piece.data, wanted + done, piece.size), 0);
        done += piece.size;
    }
    free(wanted);
    return seed;
}

static void read_key(struct writer *writer, unsigned owner, unsigned number)
{
    char text[KEY_TEXT_MAX];
    struct engine_key key = make_key(writer->shared, text, owner, number);
    struct item *held = NULL;
    struct engine_view view;
    size_t size;
    uint64_t seed;

    engine_prefetch_bucket(writer->shared->engine, key.hash);
    engine_prefetch_item(writer->shared->engine, key.hash, 0);
    if (!engine_get(writer->thread, &key, &view)) {
        if (owner == writer->number && !writer->shared->may_evict)
            ck_assert_uint_eq(writer->seeds[number], 0);
        return;
    }
    writer->hits++;
    size = view.value_size;
    if (number % 4 == 0) {
        held = engine_view_hold(writer->thread, &view);
        engine_view_end(writer->thread, &view);
        seed = check_value(writer, held, size);
        engine_item_release(writer->thread, &held);
    } else {
        seed = check_value(writer, view.item, size);
        engine_view_end(writer->thread, &view);
    }
    if (owner == writer->number)
        ck_assert_uint_eq(seed, writer->seeds[number]);
}

static void *run_writer(void *ctx)
{
    struct writer *writer = ctx;
    unsigned i;

    for (i = 0; i < writer->shared->steps; i++) {
        uint64_t choice = next_random(&writer->random);
        unsigned number = (unsigned)(choice >> 32) % KEYS_EACH;

        if (choice % 100 < 40)
            write_key(writer, number);
        else if (choice % 100 < 45)
            remove_key(writer, number);
        else
            read_key(writer, (unsigned)(choice >> 16) % WRITERS, number);
    }
    return NULL;
}

static bool see_one(void *ctx, uint64_t hash, struct engine_view *view)
{
    (void)hash;
    ck_assert_uint_gt(view->key.size, 0);
    ++*(uint64_t *)ctx;
    return true;
}

static void *run_upkeep(void *ctx)
{
    struct shared *shared = ctx;
    struct engine_thread *thread = engine_thread_new(shared->engine);
    uint64_t random = 1;

    ck_assert_ptr_nonnull(thread);
    engine_thread_set_now(thread, NOW_NS);
    while (!atomic_load(&shared->stop)) {
        uint64_t seen = 0;
        bool done;

        (void)engine_upkeep(thread);
        if (shared->large)
            (void)engine_reassign_page(shared->engine, -1,
                                       (int)(next_random(&random) % 20));
        (void)engine_scan(thread, next_random(&seen), UINT64_MAX, 50, see_one,
                          &seen, &done);
    }
    engine_thread_free(&thread);
    return NULL;
}

static void run(uint64_t pages, bool may_evict, bool large)
{
    struct engine_config config = fixture_config(pages);
    struct shared shared = {.may_evict = may_evict,
                            .large = large,
                            .steps = may_evict ? STEPS / 5 : STEPS};
    struct writer *writers = calloc(WRITERS, sizeof(*writers));
    pthread_t ids[WRITERS];
    pthread_t upkeep;
    struct fixture fixture;
    unsigned i;

    ck_assert_ptr_nonnull(writers);
    config.table_power = 4;
    fixture_init(&fixture, &config);
    shared.engine = fixture.engine;
    for (i = 0; i < WRITERS; i++) {
        writers[i].shared = &shared;
        writers[i].number = i;
        writers[i].random = i + 1;
        writers[i].thread = engine_thread_new(fixture.engine);
        engine_thread_set_now(writers[i].thread, NOW_NS);
        ck_assert_int_eq(pthread_create(&ids[i], NULL, run_writer, &writers[i]),
                         0);
    }
    ck_assert_int_eq(pthread_create(&upkeep, NULL, run_upkeep, &shared), 0);
    for (i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
        ck_assert_uint_gt(writers[i].hits, 0);
        engine_thread_free(&writers[i].thread);
    }
    atomic_store(&shared.stop, true);
    ck_assert_int_eq(pthread_join(upkeep, NULL), 0);
    free(writers);
    fixture_fini(&fixture);
}

#define APPENDS 4000
#define APPEND_BYTES 20

/* Appends pieces of one letter to one key. */
static void *run_append(void *ctx)
{
    struct writer *writer = ctx;
    char piece[APPEND_BYTES];
    struct engine_write write = {.mode = ENGINE_APPEND,
                                 .value_size = sizeof(piece)};
    stamp_t stamp;
    unsigned i;

    write.key = engine_key_of(writer->shared->engine, SLICE_LITERAL("k"));
    memset(piece, (char)('a' + (char)writer->number), sizeof(piece));
    for (i = 0; i < APPENDS; i++)
        ck_assert_int_eq(engine_store(writer->thread, &write, piece, &stamp),
                         ENGINE_STORED);
    return NULL;
}

/* From a value that is copied under the lock to one that is not, and to one of
 * several chunks: every piece is in it, whole. */
START_TEST(no_append_is_lost)
{
    struct engine_config config = fixture_config(256);
    struct shared shared = {.may_evict = false};
    struct writer *writers = calloc(WRITERS, sizeof(*writers));
    size_t counts[WRITERS] = {0};
    pthread_t ids[WRITERS];
    struct fixture fixture;
    const char *value;
    unsigned i;

    ck_assert_ptr_nonnull(writers);
    fixture_init(&fixture, &config);
    shared.engine = fixture.engine;
    put(&fixture, "k", "");
    for (i = 0; i < WRITERS; i++) {
        writers[i].shared = &shared;
        writers[i].number = i;
        writers[i].thread = engine_thread_new(fixture.engine);
        ck_assert_int_eq(pthread_create(&ids[i], NULL, run_append, &writers[i]),
                         0);
    }
    for (i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
        engine_thread_free(&writers[i].thread);
    }
    value = value_of(&fixture, "k");
    ck_assert_uint_eq(strlen(value), WRITERS * APPENDS * APPEND_BYTES);
    for (; *value != '\0'; value += APPEND_BYTES) {
        for (i = 1; i < APPEND_BYTES; i++)
            ck_assert_int_eq(value[i], value[0]);
        counts[value[0] - 'a']++;
    }
    for (i = 0; i < WRITERS; i++)
        ck_assert_uint_eq(counts[i], APPENDS);
    free(writers);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(nothing_is_lost_while_the_table_grows)
{
    run(256, false, false);
}
END_TEST

START_TEST(nothing_is_wrong_while_items_are_evicted)
{
    run(8, true, false);
}
END_TEST

/* And pages move all the time. */
START_TEST(nothing_is_wrong_with_large_items_among_them)
{
    run(32, true, true);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, no_append_is_lost);
    tcase_add_test(tests, nothing_is_lost_while_the_table_grows);
    tcase_add_test(tests, nothing_is_wrong_while_items_are_evicted);
    tcase_add_test(tests, nothing_is_wrong_with_large_items_among_them);
}
UNIT_MAIN("threads", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Engines whose item memory outlives them, and what becomes of it when bytes
 * change in between. */
#include "src/base/cursor.h"
#include "src/engine/lru.h"
#include "tests/unit/engine/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 24u
#define ORDER_MAX 4096
#define LATER_S (NOW_S + 1000)
#define FLIPS 500

/* The file, and what was written down beside it. */
struct kept {
    int file;
    char *saved;
    size_t saved_size;
};

static struct engine_config config_of(const struct kept *kept)
{
    struct engine_config config = fixture_config(PAGES);

    config.in_file = true;
    config.file = kept->file;
    config.growth = 2.0; /* Few classes, or the pages would not do. */
    return config;
}

static void begin(struct fixture *fixture, struct kept *kept)
{
    struct engine_config config;

    *kept = (struct kept){.file = memfd_create("items", MFD_CLOEXEC)};
    ck_assert_int_ge(kept->file, 0);
    config = config_of(kept);
    ck_assert_int_eq(ftruncate(kept->file, (off_t)engine_file_bytes(&config)),
                     0);
    fixture_init(fixture, &config);
}

static void save(struct fixture *fixture, struct kept *kept)
{
    struct writer out;

    engine_thread_free(&fixture->thread);
    memory_free(&kept->saved);
    kept->saved_size = engine_save_bytes(fixture->engine);
    kept->saved = memory_new(1, kept->saved_size);
    ck_assert_ptr_nonnull(kept->saved);
    writer_init(&out, kept->saved, kept->saved_size);
    engine_save(fixture->engine, &out);
    ck_assert(!out.failed);
    kept->saved_size = writer_used(&out);
}

static void stop(struct fixture *fixture, struct kept *kept)
{
    save(fixture, kept);
    engine_free(&fixture->engine);
}

/* 0 when the engine is back; else there is none. */
static int come_back(struct fixture *fixture, const struct kept *kept,
                     const struct engine_config *config,
                     char words[ENGINE_WORDS_MAX])
{
    int error = engine_new(config, &fixture->engine);

    ck_assert_int_eq(error, 0);
    error = engine_restore(fixture->engine,
                           slice_make(kept->saved, kept->saved_size), words);
    if (error != 0) {
        engine_free(&fixture->engine);
        return error;
    }
    fixture->thread = engine_thread_new(fixture->engine);
    ck_assert_ptr_nonnull(fixture->thread);
    fixture_set_now(fixture, LATER_S);
    return 0;
}

static void start(struct fixture *fixture, struct kept *kept)
{
    struct engine_config config = config_of(kept);
    char words[ENGINE_WORDS_MAX] = "";
    int error = come_back(fixture, kept, &config, words);

    ck_assert_msg(error == 0, "refused: %s", words);
    audit(fixture->engine);
}

static void end(struct fixture *fixture, struct kept *kept)
{
    fixture_fini(fixture);
    memory_free(&kept->saved);
    close(kept->file);
}

/* ---- what is there ---- */

static const char *key_number(unsigned number)
{
    static char key[32];

    (void)snprintf(key, sizeof(key), "key-%u", number);
    return key;
}

static const char *text_of_size(size_t size)
{
    static char text[200 * KIB];

    ck_assert_uint_lt(size, sizeof(text));
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

/* Items of all kinds, some holes, some marks. */
static void fill(struct fixture *fixture)
{
    unsigned i;

    for (i = 0; i < 300; i++)
        ck_assert_int_eq(store(fixture, ENGINE_SET, key_number(i),
                               text_of_size(i * 7), i % 3,
                               i % 4 == 0 ? LATER_S + 100 : 0, 0),
                         ENGINE_STORED);
    for (i = 0; i < 300; i += 5)
        ck_assert_int_eq(drop(fixture, key_number(i)), ENGINE_STORED);
    for (i = 1; i < 300; i += 5)
        ck_assert(has(fixture, key_number(i)));
    ck_assert_int_eq(put(fixture, "large", text_of_size(100000)),
                     ENGINE_STORED);
    ck_assert_int_eq(put(fixture, "larger", text_of_size(180000)),
                     ENGINE_STORED);
    (void)engine_upkeep(fixture->thread);
}

/* The handles of all lists, in their order. */
static size_t order_of(struct engine *engine, handle_t order[ORDER_MAX])
{
    size_t count = 0;

    for (unsigned i = 1; i <= engine->slabs.count; i++) {
        for (unsigned list = 0; list < LRU_LISTS; list++) {
            handle_t at = slab_class_at(&engine->slabs, i)->lists[list].head;

            order[count++] = HANDLE_NONE;
            for (; at != HANDLE_NONE;
                 at = region_item(&engine->region, at)->next)
                order[count++] = at;
            ck_assert_uint_lt(count, ORDER_MAX - 2);
        }
    }
    return count;
}

START_TEST(every_item_is_back_in_its_place)
{
    static handle_t before[ORDER_MAX];
    static handle_t after[ORDER_MAX];
    struct fixture fixture;
    struct kept kept;
    stamp_t stamp;
    size_t count;
    unsigned i;

    begin(&fixture, &kept);
    fill(&fixture);
    stamp = stamp_of(&fixture, "key-7");
    count = order_of(fixture.engine, before);
    stop(&fixture, &kept);
    start(&fixture, &kept);
    ck_assert_uint_eq(order_of(fixture.engine, after), count);
    ck_assert_mem_eq(before, after, count * sizeof(before[0]));
    ck_assert_uint_eq(engine_items(fixture.engine), 242);
    ck_assert_uint_eq(stamp_of(&fixture, "key-7"), stamp);
    for (i = 0; i < 300; i++) {
        if (i % 5 == 0)
            ck_assert(!has(&fixture, key_number(i)));
        else
            ck_assert_str_eq(value_of(&fixture, key_number(i)),
                             text_of_size(i * 7));
    }
    ck_assert_str_eq(value_of(&fixture, "large"), text_of_size(100000));
    ck_assert_str_eq(value_of(&fixture, "larger"), text_of_size(180000));
    end(&fixture, &kept);
}
END_TEST

START_TEST(what_is_known_of_an_item_is_back)
{
    struct fixture fixture;
    struct kept kept;
    struct engine_view view;
    struct engine_removal removal = {.stale = true};
    struct engine_key key;

    begin(&fixture, &kept);
    ck_assert_int_eq(
        store(&fixture, ENGINE_SET, "k", "value", 7, LATER_S + 5, 0),
        ENGINE_STORED);
    removal.key = key_of(&fixture, "k");
    removal.given_cas = 12345;
    ck_assert_int_eq(engine_remove_as(fixture.thread, &removal), ENGINE_STORED);
    ck_assert(has(&fixture, "k"));
    stop(&fixture, &kept);
    start(&fixture, &kept);
    key = key_of(&fixture, "k");
    ck_assert(engine_peek(fixture.thread, &key, &view));
    ck_assert_uint_eq(view.cas, 12345);
    ck_assert_uint_eq(view.client_flags, 7);
    ck_assert_uint_eq(view.expires_at_s, LATER_S + 5);
    ck_assert_uint_eq(view.accessed_at_s, NOW_S);
    ck_assert_uint_eq(view.state & ITEM_STATE_STALE, ITEM_STATE_STALE);
    ck_assert(view.fetched);
    engine_view_end(fixture.thread, &view);
    end(&fixture, &kept);
}
END_TEST

START_TEST(time_went_on_meanwhile)
{
    struct fixture fixture;
    struct kept kept;

    begin(&fixture, &kept);
    (void)store(&fixture, ENGINE_SET, "short", "v", 0, LATER_S - 1, 0);
    (void)store(&fixture, ENGINE_SET, "long", "v", 0, LATER_S + 1, 0);
    stop(&fixture, &kept);
    start(&fixture, &kept);
    ck_assert(!has(&fixture, "short"));
    ck_assert(has(&fixture, "long"));
    end(&fixture, &kept);
}
END_TEST

START_TEST(versions_rise_though_the_clock_went_back)
{
    struct fixture fixture;
    struct kept kept;
    stamp_t before;

    begin(&fixture, &kept);
    ck_assert_int_eq(put(&fixture, "k", "v"), ENGINE_STORED);
    before = stamp_of(&fixture, "k");
    stop(&fixture, &kept);
    start(&fixture, &kept);
    fixture_set_now(&fixture, NOW_S - 100000);
    ck_assert_int_eq(put(&fixture, "k", "w"), ENGINE_STORED);
    ck_assert_uint_gt(stamp_of(&fixture, "k"), before);
    end(&fixture, &kept);
}
END_TEST

START_TEST(what_was_flushed_stays_so)
{
    struct fixture fixture;
    struct kept kept;
    struct flush_state flush[2];

    begin(&fixture, &kept);
    ck_assert_int_eq(put(&fixture, "old", "v"), ENGINE_STORED);
    engine_flush(fixture.thread, 0);
    ck_assert_int_eq(put(&fixture, "new", "v"), ENGINE_STORED);
    engine_flush(fixture.thread, 2000);
    engine_flush_state(fixture.engine, &flush[0]);
    stop(&fixture, &kept);
    start(&fixture, &kept);
    engine_flush_state(fixture.engine, &flush[1]);
    ck_assert_uint_eq(flush[0].floor, flush[1].floor);
    ck_assert_uint_eq(flush[0].pending, flush[1].pending);
    ck_assert_uint_eq(flush[0].due_ns, flush[1].due_ns);
    ck_assert(!has(&fixture, "old"));
    ck_assert(has(&fixture, "new"));
    fixture_set_now(&fixture, NOW_S + 2000);
    (void)engine_upkeep(fixture.thread);
    ck_assert(!has(&fixture, "new"));
    end(&fixture, &kept);
}
END_TEST

/* Some work of all kinds, more than fits. */
static void work(struct fixture *fixture, unsigned turns)
{
    unsigned i;

    for (i = 0; i < turns; i++) {
        (void)put(fixture, key_number(i % 700), text_of_size(i * 37 % 9000));
        if (i % 3 == 0)
            (void)drop(fixture, key_number(i * 5 % 700));
        if (i % 100 == 0)
            (void)put(fixture, "large", text_of_size(150000));
        (void)value_of(fixture, key_number(i * 3 % 700));
        (void)engine_upkeep(fixture->thread);
    }
}

START_TEST(life_goes_on_through_many_restarts)
{
    struct fixture fixture;
    struct kept kept;
    uint64_t items;
    unsigned i;

    begin(&fixture, &kept);
    for (i = 0; i < 8; i++) {
        work(&fixture, 500);
        items = engine_items(fixture.engine);
        stop(&fixture, &kept);
        start(&fixture, &kept);
        ck_assert_uint_eq(engine_items(fixture.engine), items);
        ck_assert_uint_eq(stat_of(&fixture, "total_items"), items);
    }
    end(&fixture, &kept);
}
END_TEST

/* A reader that was cut off held an item; nobody does any more. */
START_TEST(nothing_is_held_any_more)
{
    struct fixture fixture;
    struct kept kept;
    struct engine_view view;
    struct engine_key key;
    struct item *held;

    begin(&fixture, &kept);
    ck_assert_int_eq(put(&fixture, "kept", "v"), ENGINE_STORED);
    ck_assert_int_eq(put(&fixture, "gone", "v"), ENGINE_STORED);
    key = key_of(&fixture, "kept");
    ck_assert(engine_get(fixture.thread, &key, &view));
    held = engine_view_hold(fixture.thread, &view);
    engine_view_end(fixture.thread, &view);
    ck_assert_ptr_nonnull(held);
    key = key_of(&fixture, "gone");
    ck_assert(engine_get(fixture.thread, &key, &view));
    held = engine_view_hold(fixture.thread, &view);
    engine_view_end(fixture.thread, &view);
    ck_assert_ptr_nonnull(held);
    ck_assert_int_eq(drop(&fixture, "gone"), ENGINE_STORED);
    stop(&fixture, &kept);
    start(&fixture, &kept);
    ck_assert_int_eq(drop(&fixture, "kept"), ENGINE_STORED);
    ck_assert_uint_eq(engine_items(fixture.engine), 0);
    end(&fixture, &kept);
}
END_TEST

START_TEST(a_file_keeps_its_size)
{
    struct fixture fixture;
    struct kept kept;

    begin(&fixture, &kept);
    ck_assert_int_eq(
        engine_set_memory(fixture.engine, (PAGES + 1) * PAGE_BYTES),
        -ERR_RANGE);
    ck_assert_int_eq(
        engine_set_memory(fixture.engine, (PAGES - 1) * PAGE_BYTES),
        -ERR_RANGE);
    end(&fixture, &kept);
}
END_TEST

/* ---- refusals ---- */

static void expect_refusal(struct kept *kept,
                           const struct engine_config *config, int expected,
                           const char *expected_words)
{
    struct fixture fixture;
    char words[ENGINE_WORDS_MAX] = "";

    ck_assert_int_eq(come_back(&fixture, kept, config, words), expected);
    ck_assert_msg(strstr(words, expected_words) != NULL, "it says: %s", words);
}

START_TEST(other_options_are_refused_in_words)
{
    struct fixture fixture;
    struct kept kept;
    struct engine_config config;

    begin(&fixture, &kept);
    fill(&fixture);
    stop(&fixture, &kept);
    config = config_of(&kept);
    config.memory_bytes += PAGE_BYTES;
    expect_refusal(&kept, &config, -ERR_REFUSED, "-m was");
    config = config_of(&kept);
    config.item_bytes_max--;
    expect_refusal(&kept, &config, -ERR_REFUSED, "-I was");
    config = config_of(&kept);
    config.hash_seed++;
    expect_refusal(&kept, &config, -ERR_REFUSED, "another name");
    config = config_of(&kept);
    config.growth = 1.5;
    expect_refusal(&kept, &config, -ERR_REFUSED, "other slab classes");
    config = config_of(&kept);
    config.chunk_bytes_min = 100;
    expect_refusal(&kept, &config, -ERR_REFUSED, "other slab classes");
    config = config_of(&kept);
    kept.saved[3] ^= 1;
    expect_refusal(&kept, &config, -ERR_REFUSED, "another build");
    kept.saved[3] ^= 1;
    start(&fixture, &kept);
    end(&fixture, &kept);
}
END_TEST

START_TEST(a_page_that_changed_is_refused)
{
    struct fixture fixture;
    struct kept kept;
    struct engine_config config;

    begin(&fixture, &kept);
    fill(&fixture);
    stop(&fixture, &kept);
    config = config_of(&kept);
    ck_assert_int_eq(pwrite(kept.file, "?", 1, 3 * (off_t)PAGE_BYTES + 77), 1);
    expect_refusal(&kept, &config, -ERR_CHECKSUM,
                   "page 4 has changed since it was left");
    memory_free(&kept.saved);
    close(kept.file);
}
END_TEST

START_TEST(every_cut_is_refused)
{
    struct fixture fixture;
    struct kept kept;
    struct engine_config config;
    size_t size;

    begin(&fixture, &kept);
    fill(&fixture);
    stop(&fixture, &kept);
    config = config_of(&kept);
    for (size = kept.saved_size; size-- > 0;) {
        kept.saved_size = size;
        expect_refusal(&kept, &config, -ERR_CHECKSUM, "it ");
    }
    memory_free(&kept.saved);
    close(kept.file);
}
END_TEST

/* What comes back at all is sound, and can be worked with. */
static bool survives(struct kept *kept)
{
    const struct engine_config config = config_of(kept);
    char words[ENGINE_WORDS_MAX] = "";
    struct fixture fixture;

    if (come_back(&fixture, kept, &config, words) != 0) {
        ck_assert_str_ne(words, "");
        return false;
    }
    audit(fixture.engine);
    work(&fixture, 20);
    fixture_fini(&fixture);
    return true;
}

static uint64_t roll(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* The bits that change are in the headers of chunks, where they hurt; the
 * checksums are made after that, so that they do not help. */
START_TEST(no_flipped_bit_of_an_item_does_harm)
{
    struct fixture fixture;
    struct kept kept;
    struct engine_config config;
    uint64_t dice = 1;
    unsigned survived = 0;
    unsigned i;

    begin(&fixture, &kept);
    fill(&fixture);
    stop(&fixture, &kept);
    config = config_of(&kept);
    for (i = 0; i < FLIPS; i++) {
        struct kept copy = {.file = memfd_create("copy", MFD_CLOEXEC)};
        static char bytes[PAGES * PAGE_BYTES];
        char words[ENGINE_WORDS_MAX];
        struct region *region;
        const struct slab_class *class;
        unsigned flips = 1 + (unsigned)roll(&dice) % 3;
        uint32_t page;

        ck_assert_int_eq(pread(kept.file, bytes, sizeof(bytes), 0),
                         sizeof(bytes));
        ck_assert_int_eq(pwrite(copy.file, bytes, sizeof(bytes), 0),
                         sizeof(bytes));
        copy.saved = memory_new(1, kept.saved_size);
        memcpy(copy.saved, kept.saved, kept.saved_size);
        copy.saved_size = kept.saved_size;
        config.file = copy.file;
        ck_assert_int_eq(come_back(&fixture, &copy, &config, words), 0);
        region = &fixture.engine->region;
        while (flips-- > 0) {
            page = 1 + (uint32_t)(roll(&dice) % region->pages_fresh);
            class = slab_class_at(&fixture.engine->slabs,
                                  region_class(region, page));
            region_page(region, page)[roll(&dice) % region->pages[page].carved *
                                          class->chunk_bytes +
                                      roll(&dice) % (ITEM_HEADER_BYTES + 12)] ^=
                (char)(1 << roll(&dice) % 8);
        }
        stop(&fixture, &copy);
        survived += survives(&copy);
        memory_free(&copy.saved);
        close(copy.file);
    }
    /* Most bits of a header are free to change: stamps, times. */
    ck_assert_uint_gt(survived, FLIPS / 20);
    ck_assert_uint_lt(survived, FLIPS - FLIPS / 20);
    memory_free(&kept.saved);
    close(kept.file);
}
END_TEST

/* The checksum of what was written down is its caller's; without it this
 * must not do harm either. */
START_TEST(no_flipped_bit_of_what_was_written_down_does_harm)
{
    struct fixture fixture;
    struct kept kept;
    uint64_t dice = 2;
    size_t bits;
    size_t i;

    begin(&fixture, &kept);
    fill(&fixture);
    stop(&fixture, &kept);
    bits = kept.saved_size * 8;
    for (i = 0; i < bits; i += 1 + roll(&dice) % 20) {
        static char bytes[PAGES * PAGE_BYTES];

        ck_assert_int_eq(pread(kept.file, bytes, sizeof(bytes), 0),
                         sizeof(bytes));
        kept.saved[i / 8] ^= (char)(1 << i % 8);
        (void)survives(&kept);
        kept.saved[i / 8] ^= (char)(1 << i % 8);
        ck_assert_int_eq(pwrite(kept.file, bytes, sizeof(bytes), 0),
                         sizeof(bytes));
    }
    start(&fixture, &kept);
    end(&fixture, &kept);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, every_item_is_back_in_its_place);
    tcase_add_test(tests, what_is_known_of_an_item_is_back);
    tcase_add_test(tests, time_went_on_meanwhile);
    tcase_add_test(tests, versions_rise_though_the_clock_went_back);
    tcase_add_test(tests, what_was_flushed_stays_so);
    tcase_add_test(tests, life_goes_on_through_many_restarts);
    tcase_add_test(tests, nothing_is_held_any_more);
    tcase_add_test(tests, a_file_keeps_its_size);
    tcase_add_test(tests, other_options_are_refused_in_words);
    tcase_add_test(tests, a_page_that_changed_is_refused);
    tcase_add_test(tests, every_cut_is_refused);
    tcase_add_test(tests, no_flipped_bit_of_an_item_does_harm);
    tcase_add_test(tests, no_flipped_bit_of_what_was_written_down_does_harm);
    tcase_set_timeout(tests, 120);
}
UNIT_MAIN("restart", add_tests)

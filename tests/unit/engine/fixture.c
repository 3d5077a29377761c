/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/engine/fixture.h"

#include "src/base/hash.h"
#include "src/base/number.h"
#include "src/engine/lru.h"

#include <string.h>

#define VALUE_TEXT_MAX (256 * KIB)

struct engine_config fixture_config(uint64_t pages)
{
    return (struct engine_config){
        .memory_bytes = pages * PAGE_BYTES,
        .item_bytes_max = pages * PAGE_BYTES / 2,
        .page_bytes = PAGE_BYTES,
        .table_power = 6,
        .hash_seed = 7,
    };
}

void fixture_init(struct fixture *fixture, const struct engine_config *config)
{
    int error = engine_new(config, &fixture->engine);

    ck_assert_int_eq(error, 0);
    fixture->thread = engine_thread_new(fixture->engine);
    ck_assert_ptr_nonnull(fixture->thread);
    fixture_set_now(fixture, NOW_S);
}

static void write_down(struct fake_journal *journal, enum note_kind kind,
                       uint64_t hash, stamp_t stamp)
{
    if (journal->count == NOTES_MAX)
        journal->count = 0;
    journal->notes[journal->count] = (struct note){kind, hash, stamp};
    journal->count++;
}

static stamp_t on_record(void *ctx, struct stamp_clock *clock, uint64_t now_ns,
                         uint64_t hash, enum mutation_kind kind)
{
    stamp_t stamp = stamp_next(clock, now_ns);

    write_down(ctx, kind == MUTATION_SET ? NOTE_RECORD_SET : NOTE_RECORD_REMOVE,
               hash, stamp);
    return stamp;
}

static void on_repeat(void *ctx, uint64_t hash, stamp_t stamp)
{
    write_down(ctx, NOTE_REPEAT, hash, stamp);
}

static void on_forget(void *ctx, uint64_t hash, stamp_t stamp)
{
    write_down(ctx, NOTE_FORGET, hash, stamp);
}

static stamp_t on_removed_at(void *ctx, uint64_t hash)
{
    const struct fake_journal *journal = ctx;

    write_down(ctx, NOTE_REMOVED_AT, hash, STAMP_NONE);
    return journal->removed_at;
}

static void on_applied(void *ctx, uint64_t hash, stamp_t stamp)
{
    write_down(ctx, NOTE_APPLIED, hash, stamp);
}

static void on_flushed(void *ctx)
{
    write_down(ctx, NOTE_FLUSHED, 0, STAMP_NONE);
}

static void on_settle(void *ctx)
{
    write_down(ctx, NOTE_SETTLE, 0, STAMP_NONE);
}

void fixture_init_with_journal(struct fixture *fixture,
                               const struct engine_config *config)
{
    fixture->journal.count = 0;
    fixture->journal.removed_at = STAMP_NONE;
    fixture->journal.journal = (struct journal){
        .ctx = &fixture->journal,
        .record = on_record,
        .repeat = on_repeat,
        .forget = on_forget,
        .removed_at = on_removed_at,
        .applied = on_applied,
        .flushed = on_flushed,
        .settle = on_settle,
    };
    fixture_init(fixture, config);
    engine_thread_free(&fixture->thread);
    engine_set_journal(fixture->engine, &fixture->journal.journal);
    fixture->thread = engine_thread_new(fixture->engine);
    ck_assert_ptr_nonnull(fixture->thread);
    fixture_set_now(fixture, NOW_S);
}

void fixture_fini(struct fixture *fixture)
{
    audit(fixture->engine);
    engine_thread_free(&fixture->thread);
    engine_free(&fixture->engine);
}

void fixture_set_now(struct fixture *fixture, uint64_t now_s)
{
    engine_thread_set_now(fixture->thread, now_s * NS_PER_S);
}

/* ---- audit ---- */

struct census {
    uint64_t kinds[CHUNK_PULLED + 1];
    uint64_t bytes;
};

/* The parts of a large item, in their order, know whose they are. */
static void audit_parts(struct engine *engine, const struct item *item)
{
    const uint32_t head =
        slab_class_at(&engine->slabs, item->slab_class)->chunk_bytes -
        ITEM_HEADER_BYTES - (uint32_t)item_value_offset(item);
    uint64_t size = head;
    handle_t at;

    for (at = item_first_part(item); at != HANDLE_NONE;) {
        const struct item *part = region_item(&engine->region, at);

        ck_assert_int_eq(item_kind(part), CHUNK_PART);
        ck_assert_uint_eq(part->prev, region_handle(&engine->region, item));
        size += part->value_size;
        at = part->next;
    }
    ck_assert_uint_eq(size, item->value_size);
}

static void audit_page(struct engine *engine, uint32_t page,
                       struct census *tallies)
{
    unsigned index = region_class(&engine->region, page);
    const struct slab_class *class = slab_class_at(&engine->slabs, index);
    uint32_t i;

    for (i = 0; i < engine->region.pages[page].carved; i++) {
        struct item *item =
            (struct item *)(void *)(region_page(&engine->region, page) +
                                    (size_t)i * class->chunk_bytes);

        ck_assert_uint_le(item_kind(item), CHUNK_PULLED);
        ck_assert_uint_eq(item->slab_class, index);
        tallies[index].kinds[item_kind(item)]++;
        if (item_kind(item) == CHUNK_LINKED)
            tallies[index].bytes += item_bytes(item);
        if (item_kind(item) == CHUNK_LINKED && (item->flags & ITEM_LARGE))
            audit_parts(engine, item);
        if (item_kind(item) == CHUNK_PART) {
            const struct item *owner = region_item(&engine->region, item->prev);

            ck_assert_uint_ne(owner->flags & ITEM_LARGE, 0);
        }
    }
}

static void audit_list(struct engine *engine, unsigned index, unsigned list)
{
    const struct lru_ends *ends =
        &slab_class_at(&engine->slabs, index)->lists[list];
    handle_t before = HANDLE_NONE;
    handle_t at = ends->head;
    uint64_t count = 0;

    while (at != HANDLE_NONE) {
        const struct item *item = region_item(&engine->region, at);

        ck_assert_uint_eq(item->prev, before);
        ck_assert_uint_eq(item->list, list);
        ck_assert_uint_eq(item->slab_class, index);
        ck_assert_uint_eq(item_kind(item), CHUNK_LINKED);
        count++;
        before = at;
        at = item->next;
    }
    ck_assert_uint_eq(ends->tail, before);
    ck_assert_uint_eq(ends->count, count);
}

static void audit_class(struct engine *engine, unsigned index,
                        const struct census *tally)
{
    const struct slab_class *class = slab_class_at(&engine->slabs, index);
    const uint64_t *kinds = tally->kinds;
    unsigned list;

    ck_assert_uint_eq(kinds[CHUNK_PULLED], class->pulled);
    ck_assert_uint_eq(kinds[CHUNK_FREE], class->free_count);
    ck_assert_uint_eq(kinds[CHUNK_LINKED], lru_count(class));
    ck_assert_uint_eq(kinds[CHUNK_RESERVED] + kinds[CHUNK_LINKED] +
                          kinds[CHUNK_PART] + kinds[CHUNK_HELD],
                      class->used);
    for (list = 0; list < LRU_LISTS; list++)
        audit_list(engine, index, list);
}

/* Visits every bucket; returns how many items the table has. */
static uint64_t audit_table(struct engine *engine)
{
    struct item *items[TABLE_ITEMS_MAX];
    uint64_t total = 0;
    uint64_t hash = 0;

    do {
        struct place place = table_lock(&engine->table, hash);
        uint64_t last = table_last_hash(&engine->table, hash);
        unsigned count = table_list(&engine->table, place, items);
        unsigned i;

        for (i = 0; i < count; i++) {
            uint64_t its = table_hash(&engine->table, items[i]);

            ck_assert_uint_ge(its, hash);
            ck_assert_uint_le(its, last);
            ck_assert_uint_eq(item_kind(items[i]), CHUNK_LINKED);
            ck_assert_ptr_eq(
                table_find(&engine->table, place, its, item_key(items[i])).item,
                items[i]);
        }
        total += count;
        table_unlock(place);
        hash = last + 1;
    } while (hash != 0);
    return total;
}

static uint64_t counted_bytes(struct engine *engine, unsigned class)
{
    const struct engine_thread *thread;
    uint64_t bytes = engine->retired.classes[class].bytes;

    for (thread = engine->threads; thread != NULL; thread = thread->next)
        bytes += thread->counts.classes[class].bytes;
    return bytes;
}

void audit(struct engine *engine)
{
    static struct census tallies[ENGINE_CLASSES_MAX];
    uint64_t pages = 0;
    uint64_t items = 0;
    uint32_t page;
    unsigned i;

    memset(tallies, 0, sizeof(tallies));
    for (page = 1; page <= engine->region.pages_max; page++) {
        if (region_class(&engine->region, page) != 0)
            audit_page(engine, page, tallies);
    }
    for (i = 1; i <= engine->slabs.count; i++) {
        audit_class(engine, i, &tallies[i]);
        ck_assert_uint_eq(tallies[i].bytes, counted_bytes(engine, i));
        pages += slab_class_at(&engine->slabs, i)->pages;
        items += tallies[i].kinds[CHUNK_LINKED];
    }
    ck_assert_uint_eq(pages, engine->region.pages_used);
    ck_assert_uint_eq(items, engine_items(engine));
    ck_assert_uint_eq(items, audit_table(engine));
}

/* ---- commands ---- */

struct engine_key key_of(const struct fixture *fixture, const char *key)
{
    return engine_key_of(fixture->engine, slice_of(key));
}

enum engine_outcome store(struct fixture *fixture, enum engine_mode mode,
                          const char *key, const char *value,
                          uint32_t client_flags, uint32_t expires_at_s,
                          stamp_t cas)
{
    struct engine_write write = {
        .key = key_of(fixture, key),
        .mode = mode,
        .client_flags = client_flags,
        .expires_at_s = expires_at_s,
        .cas = cas,
        .value_size = strlen(value),
    };
    stamp_t stamp;

    return engine_store(fixture->thread, &write, value, &stamp);
}

enum engine_outcome put(struct fixture *fixture, const char *key,
                        const char *value)
{
    return store(fixture, ENGINE_SET, key, value, 0, 0, 0);
}

bool has(struct fixture *fixture, const char *key)
{
    struct engine_key name = key_of(fixture, key);
    struct engine_view view;

    if (!engine_get(fixture->thread, &name, &view))
        return false;
    engine_view_end(fixture->thread, &view);
    return true;
}

const char *value_of(struct fixture *fixture, const char *key)
{
    static char text[VALUE_TEXT_MAX + 1];
    struct engine_key name = key_of(fixture, key);
    struct engine_view view;
    size_t done = 0;

    if (!engine_get(fixture->thread, &name, &view))
        return "(none)";
    ck_assert_uint_le(view.value_size, VALUE_TEXT_MAX);
    while (done < view.value_size) {
        struct slice piece =
            engine_item_bytes(fixture->thread, view.item, done);

        memcpy(text + done, piece.data, piece.size);
        done += piece.size;
    }
    text[done] = '\0';
    engine_view_end(fixture->thread, &view);
    return text;
}

static struct engine_view look(struct fixture *fixture, const char *key)
{
    struct engine_view view = {.stamp = STAMP_NONE};

    if (engine_find(fixture->thread, key_of(fixture, key).hash, &view))
        engine_view_end(fixture->thread, &view);
    return view;
}

stamp_t stamp_of(struct fixture *fixture, const char *key)
{
    return look(fixture, key).stamp;
}

uint32_t expiry_of(struct fixture *fixture, const char *key)
{
    return look(fixture, key).expires_at_s;
}

enum engine_outcome drop(struct fixture *fixture, const char *key)
{
    struct engine_key name = key_of(fixture, key);

    return engine_remove(fixture->thread, &name);
}

enum engine_outcome touch(struct fixture *fixture, const char *key,
                          uint32_t expires_at_s)
{
    struct engine_key name = key_of(fixture, key);

    return engine_touch(fixture->thread, &name, expires_at_s);
}

/* ---- statistics ---- */

struct stat_search {
    struct stats_out out;
    const char *wanted;
    bool found;
    uint64_t value;
};

static void search_stat(struct stats_out *out, const char *name,
                        const char *value)
{
    struct stat_search *search = (struct stat_search *)(void *)out;

    if (strcmp(name, search->wanted) != 0)
        return;
    ck_assert_int_eq(number_u64(slice_of(value), &search->value), 0);
    search->found = true;
}

static struct stat_search find_stat(struct fixture *fixture, const char *name)
{
    struct stat_search search = {.out = {search_stat}, .wanted = name};

    engine_stats(fixture->engine, &search.out);
    engine_stats_items(fixture->engine, &search.out);
    engine_stats_slabs(fixture->engine, &search.out);
    return search;
}

uint64_t stat_of(struct fixture *fixture, const char *name)
{
    struct stat_search search = find_stat(fixture, name);

    ck_assert_msg(search.found, "no statistic %s", name);
    return search.value;
}

bool has_stat(struct fixture *fixture, const char *name)
{
    return find_stat(fixture, name).found;
}

/* ---- journal ---- */

size_t notes_of(const struct fixture *fixture, enum note_kind kind)
{
    size_t count = 0;
    size_t i;

    for (i = 0; i < fixture->journal.count; i++)
        count += fixture->journal.notes[i].kind == kind;
    return count;
}

const struct note *last_note(const struct fixture *fixture, enum note_kind kind)
{
    size_t i = fixture->journal.count;

    while (i > 0 && fixture->journal.notes[i - 1].kind != kind)
        i--;
    ck_assert_uint_gt(i, 0);
    return &fixture->journal.notes[i - 1];
}

void forget_notes(struct fixture *fixture)
{
    fixture->journal.count = 0;
}

void upkeep_until_idle(struct fixture *fixture)
{
    unsigned i;

    for (i = 0; i < 100000; i++) {
        if (engine_upkeep(fixture->thread) >= NS_PER_S)
            return;
    }
    ck_abort_msg("the upkeep never rests");
}

/* ---- values ---- */

static char pattern_at(size_t place, uint64_t seed)
{
    return (char)('a' + (place * 7 + seed * 13 + (place >> 8)) % 26);
}

void pattern_fill(char *out, size_t size, uint64_t seed)
{
    size_t i;

    for (i = 0; i < size; i++)
        out[i] = pattern_at(i, seed);
}

bool pattern_holds(const struct engine_thread *thread, const struct item *item,
                   size_t size, uint64_t seed)
{
    size_t done = 0;

    while (done < size) {
        struct slice piece = engine_item_bytes(thread, item, done);
        size_t i;

        if (piece.size == 0)
            return false;
        for (i = 0; i < piece.size; i++) {
            if (piece.data[i] != pattern_at(done + i, seed))
                return false;
        }
        done += piece.size;
    }
    return done == size;
}

uint64_t next_random(uint64_t *state)
{
    uint64_t z;

    *state += 0x9e3779b97f4a7c15u;
    z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Random operations against a model that is a plain array. With memory to
 * spare the engine must agree with it exactly; with too little it may have
 * lost keys, but what it has must be right. */
#include "src/engine/mover.h"
#include "tests/unit/engine/fixture.h"

#include <stdio.h>
#include <string.h>

#define KEYS 300
#define STEPS 30000
#define SEEDS 6
#define KEY_TEXT_MAX 32
#define VALUE_MAX (100 * KIB)

struct model_item {
    bool present;
    char *value;
    size_t size;
    uint32_t client_flags;
    uint32_t expires_at_s;
    stamp_t cas;
};

struct world {
    struct fixture fixture;
    struct model_item items[KEYS];
    uint64_t random;
    uint32_t now_s;
    bool may_evict;
    bool moving; /* Pages move all the time. */
    uint64_t pages;
    char value[VALUE_MAX];
};

static uint64_t below(struct world *world, uint64_t limit)
{
    return next_random(&world->random) % limit;
}

/* Small ones mostly; sometimes one that needs several chunks. */
static size_t any_size(struct world *world)
{
    switch (below(world, 20)) {
    case 0:
        return below(world, VALUE_MAX / 2);
    case 1:
    case 2:
        return below(world, 8 * KIB);
    default:
        return below(world, 300);
    }
}

static uint32_t any_expiry(struct world *world)
{
    if (below(world, 3) != 0)
        return 0;
    return world->now_s + (uint32_t)below(world, 100);
}

static void any_key(struct world *world, unsigned *number, char *text,
                    struct engine_key *key)
{
    *number = (unsigned)below(world, KEYS);
    (void)snprintf(text, KEY_TEXT_MAX, "key-%u", *number);
    *key = key_of(&world->fixture, text);
}

static bool is_live(const struct world *world, const struct model_item *item)
{
    return item->present &&
           (item->expires_at_s == 0 || item->expires_at_s > world->now_s);
}

static void set_value(struct model_item *item, const char *value, size_t size)
{
    item->value = realloc(item->value, size + 1);
    ck_assert_ptr_nonnull(item->value);
    memcpy(item->value, value, size);
    item->size = size;
}

/* What the engine has of a key, compared with the model. */
static void check_key(struct world *world, unsigned number,
                      const struct engine_key *key)
{
    struct model_item *item = &world->items[number];
    struct engine_thread *thread = world->fixture.thread;
    struct engine_view view;
    size_t done = 0;

    if (!engine_get(thread, key, &view)) {
        ck_assert(world->may_evict || !is_live(world, item));
        item->present = false;
        return;
    }
    ck_assert(is_live(world, item));
    ck_assert_uint_eq(view.value_size, item->size);
    ck_assert_uint_eq(view.client_flags, item->client_flags);
    ck_assert_uint_eq(view.expires_at_s, item->expires_at_s);
    ck_assert_uint_eq(view.cas, item->cas);
    while (done < item->size) {
        struct slice piece = engine_item_bytes(thread, view.item, done);

        ck_assert_uint_gt(piece.size, 0);
        ck_assert_int_eq(memcmp(piece.data, item->value + done, piece.size), 0);
        done += piece.size;
    }
    ck_assert_uint_eq(engine_item_bytes(thread, view.item, done).size, 0);
    engine_view_end(thread, &view);
}

/* Brings the model to the engine's view where a key may have been evicted. */
static void notice_eviction(struct world *world, unsigned number,
                            const struct engine_key *key)
{
    struct engine_view view;

    if (!world->may_evict)
        return;
    if (engine_find(world->fixture.thread, key->hash, &view))
        engine_view_end(world->fixture.thread, &view);
    else
        world->items[number].present = false;
}

static void join_model(struct world *world, struct model_item *item,
                       enum engine_mode mode, size_t size)
{
    size_t old_size = item->size;

    item->value = realloc(item->value, old_size + size + 1);
    ck_assert_ptr_nonnull(item->value);
    if (mode == ENGINE_PREPEND) {
        memmove(item->value + size, item->value, old_size);
        memcpy(item->value, world->value, size);
    } else {
        memcpy(item->value + old_size, world->value, size);
    }
    item->size = old_size + size;
}

static enum engine_outcome expected(const struct world *world,
                                    const struct model_item *item,
                                    const struct engine_write *write)
{
    bool live = is_live(world, item);

    switch (write->mode) {
    case ENGINE_SET:
        return ENGINE_STORED;
    case ENGINE_ADD:
        return live ? ENGINE_NOT_STORED : ENGINE_STORED;
    case ENGINE_REPLACE:
    case ENGINE_APPEND:
    case ENGINE_PREPEND:
        return live ? ENGINE_STORED : ENGINE_NOT_STORED;
    case ENGINE_CAS:
        if (!live)
            return ENGINE_NOT_FOUND;
        return item->cas == write->cas ? ENGINE_STORED : ENGINE_EXISTS;
    }
    return ENGINE_NOT_STORED;
}

/* In steps or at once, as it falls. */
static enum engine_outcome write_some_way(struct world *world,
                                          const struct engine_write *write,
                                          stamp_t *stamp)
{
    struct engine_thread *thread = world->fixture.thread;
    enum engine_outcome outcome;
    struct item *item;
    size_t done = 0;

    if (below(world, 2) == 0)
        return engine_store(thread, write, world->value, stamp);
    outcome = engine_reserve(thread, write, &item);
    if (outcome != ENGINE_STORED)
        return outcome;
    while (done < write->value_size) {
        size_t room;
        char *space = engine_item_space(thread, item, done, &room);

        ck_assert_uint_gt(room, 0);
        memcpy(space, world->value + done, room);
        done += room;
    }
    return engine_commit(thread, write, &item, stamp);
}

static void do_store(struct world *world)
{
    char text[KEY_TEXT_MAX];
    struct engine_write write = {.mode = (enum engine_mode)below(world, 6)};
    enum engine_outcome outcome;
    struct model_item *item;
    unsigned number;
    stamp_t stamp;

    any_key(world, &number, text, &write.key);
    item = &world->items[number];
    notice_eviction(world, number, &write.key);
    write.client_flags = (uint32_t)below(world, 3);
    write.expires_at_s = any_expiry(world);
    write.cas = below(world, 3) == 0 ? 12345 : item->cas;
    write.value_size = any_size(world);
    if (item->size + write.value_size > VALUE_MAX)
        write.mode = ENGINE_SET;
    pattern_fill(world->value, write.value_size, below(world, 1000));

    outcome = write_some_way(world, &write, &stamp);
    /* The key itself may have given way to the new value. */
    if (world->may_evict && outcome != expected(world, item, &write))
        item->present = false;
    ck_assert_int_eq(outcome, expected(world, item, &write));
    if (outcome != ENGINE_STORED)
        return;
    if (write.mode == ENGINE_APPEND || write.mode == ENGINE_PREPEND) {
        join_model(world, item, write.mode, write.value_size);
    } else {
        set_value(item, world->value, write.value_size);
        item->client_flags = write.client_flags;
        item->expires_at_s = write.expires_at_s;
    }
    item->present = true;
    ck_assert_uint_gt(stamp, item->cas);
    item->cas = stamp;
    check_key(world, number, &write.key);
}

static void do_get(struct world *world)
{
    char text[KEY_TEXT_MAX];
    struct engine_key key;
    unsigned number;

    any_key(world, &number, text, &key);
    check_key(world, number, &key);
}

static void do_remove(struct world *world)
{
    char text[KEY_TEXT_MAX];
    enum engine_outcome outcome;
    struct engine_key key;
    unsigned number;

    any_key(world, &number, text, &key);
    notice_eviction(world, number, &key);
    outcome = engine_remove(world->fixture.thread, &key);
    ck_assert_int_eq(outcome, is_live(world, &world->items[number])
                                  ? ENGINE_STORED
                                  : ENGINE_NOT_FOUND);
    world->items[number].present = false;
}

static void do_touch(struct world *world)
{
    char text[KEY_TEXT_MAX];
    uint32_t expires_at_s = any_expiry(world);
    enum engine_outcome outcome;
    struct model_item *item;
    struct engine_key key;
    unsigned number;

    any_key(world, &number, text, &key);
    item = &world->items[number];
    notice_eviction(world, number, &key);
    outcome = engine_touch(world->fixture.thread, &key, expires_at_s);
    ck_assert_int_eq(outcome,
                     is_live(world, item) ? ENGINE_STORED : ENGINE_NOT_FOUND);
    if (outcome == ENGINE_STORED)
        item->expires_at_s = expires_at_s;
}

static void do_flush(struct world *world)
{
    unsigned i;

    engine_flush(world->fixture.thread, 0);
    for (i = 0; i < KEYS; i++)
        world->items[i].present = false;
}

/* Goes on with the page that is moving, or begins with one of any class. */
static void do_move(struct world *world)
{
    struct engine *engine = world->fixture.engine;
    unsigned classes = engine->slabs.count + 1;

    if (mover_is_running(engine))
        (void)mover_work(world->fixture.thread);
    else
        (void)engine_reassign_page(engine, (int)below(world, classes),
                                   (int)below(world, classes));
    if (world->may_evict && below(world, 500) == 0)
        ck_assert_int_eq(
            engine_set_memory(engine, (world->pages - below(world, 6)) *
                                          engine->region.page_bytes),
            0);
}

static void step(struct world *world)
{
    uint64_t choice = below(world, 1000);

    if (world->moving)
        do_move(world);

    if (choice < 450)
        do_store(world);
    else if (choice < 800)
        do_get(world);
    else if (choice < 880)
        do_remove(world);
    else if (choice < 940)
        do_touch(world);
    else if (choice < 990)
        (void)engine_upkeep(world->fixture.thread);
    else if (choice < 998)
        fixture_set_now(&world->fixture, ++world->now_s);
    else if (choice < 999)
        do_flush(world);
    else
        audit(world->fixture.engine);
}

static void run(uint64_t seed, uint64_t pages, bool may_evict, bool moving)
{
    struct engine_config config = fixture_config(pages);
    struct world *world = calloc(1, sizeof(*world));
    char text[KEY_TEXT_MAX];
    unsigned i;

    ck_assert_ptr_nonnull(world);
    config.item_bytes_max = VALUE_MAX + 4 * KIB;
    config.table_power = 4;
    fixture_init_with_journal(&world->fixture, &config);
    world->random = seed;
    world->now_s = NOW_S;
    world->may_evict = may_evict;
    world->moving = moving;
    world->pages = pages;
    for (i = 0; i < STEPS; i++)
        step(world);
    for (i = 0; i < KEYS; i++) {
        struct engine_key key;

        (void)snprintf(text, sizeof(text), "key-%u", i);
        key = key_of(&world->fixture, text);
        check_key(world, i, &key);
        free(world->items[i].value);
    }
    if (moving)
        ck_assert_uint_gt(stat_of(&world->fixture, "slabs_moved"), 100);
    fixture_fini(&world->fixture);
    free(world);
}

START_TEST(with_room_for_all_it_agrees_with_the_model)
{
    run((uint64_t)_i + 1, 512, false, false);
}
END_TEST

START_TEST(under_pressure_what_it_has_is_right)
{
    run((uint64_t)_i + 100, 12, true, false);
}
END_TEST

START_TEST(nothing_is_lost_while_pages_move)
{
    run((uint64_t)_i + 200, 512, false, true);
}
END_TEST

START_TEST(under_pressure_what_moves_is_right)
{
    run((uint64_t)_i + 300, 14, true, true);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, with_room_for_all_it_agrees_with_the_model, 0,
                        SEEDS);
    tcase_add_loop_test(tests, nothing_is_lost_while_pages_move, 0, SEEDS);
    tcase_add_loop_test(tests, under_pressure_what_moves_is_right, 0, SEEDS);
    tcase_add_loop_test(tests, under_pressure_what_it_has_is_right, 0, SEEDS);
}
UNIT_MAIN("property", add_tests)

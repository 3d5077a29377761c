/* SPDX-License-Identifier: BSD-3-Clause */
/* Two nodes while threads write to both of their engines: what the journal
 * hears and what the sender reads must not be torn apart. For
 * ThreadSanitizer, and for the end result. */
#include "replication/node.h"

#include "replication/codec.h"
#include "src/base/memory.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#define T0 (1700000000 * NS_PER_S)
#define OUT_BYTES (4 * CODEC_PART_BYTES)
#define KEYS 300
#define CHANGES 4000
#define WRITERS_EACH 2
#define BIG_BYTES 90000
#define ROUNDS_MAX 1000000

struct side {
    struct engine *engine;
    struct node *node;
    struct side *other;
};

struct writer {
    struct side *side;
    pthread_t thread;
    uint32_t random;
    bool keeps_up; /* The engine's upkeep wants one thread at a time. */
};

static struct side sides[2];
static char out[OUT_BYTES];
static const char value[BIG_BYTES];
static atomic_uint writing;

static void on_dial(void *ctx)
{
    (void)ctx;
}

static int on_listen(void *ctx, bool open)
{
    (void)ctx;
    (void)open;
    return 0;
}

static void on_close(void *ctx, unsigned link)
{
    (void)ctx;
    ck_abort_msg("link %u is closed", link);
}

static void on_serve(void *ctx)
{
    (void)ctx;
}

static void boot(struct side *side, uint64_t id)
{
    struct engine_config engine = {.memory_bytes = 64 * MIB,
                                   .item_bytes_max = MIB,
                                   .page_bytes = 64 * KIB};
    struct node_hooks hooks = {.ctx = side,
                               .dial = on_dial,
                               .listen = on_listen,
                               .close = on_close,
                               .serve = on_serve};
    struct node_config config = {.node = id,
                                 .incarnation = id,
                                 .pair = "",
                                 .peer_name = "peer",
                                 .dials = id == 2,
                                 .item_bytes_max = MIB,
                                 .join_wait_ms = 2000,
                                 .dead_ms = 1000,
                                 .drain_ms = 1000,
                                 .ring_entries = 512,
                                 .tombstones_max = 32};

    ck_assert_int_eq(engine_new(&engine, &side->engine), 0);
    config.engine = side->engine;
    ck_assert_int_eq(node_new(&config, &hooks, &side->node), 0);
    node_start(side->node, T0);
}

/* ---- writers ---- */

static uint32_t next_random(struct writer *writer)
{
    writer->random = writer->random * 1664525 + 1013904223;
    return writer->random >> 8;
}

static void change(struct writer *writer, struct engine_thread *thread)
{
    char name[16];
    int size = snprintf(name, sizeof(name), "k%u", next_random(writer) % KEYS);
    struct engine_write write = {
        .key =
            engine_key_of(writer->side->engine, slice_make(name, (size_t)size)),
        .value_size = next_random(writer) % 50 == 0
                          ? BIG_BYTES
                          : next_random(writer) % 2000};
    unsigned roll = next_random(writer) % 10;
    stamp_t stamp;

    if (roll < 6)
        (void)engine_store(thread, &write, value, &stamp);
    else if (roll < 9)
        (void)engine_remove(thread, &write.key);
    else
        (void)engine_touch(thread, &write.key,
                           1800000000 + next_random(writer) % 1000);
}

static void *write_all(void *ctx)
{
    struct writer *writer = ctx;
    struct engine_thread *thread = engine_thread_new(writer->side->engine);

    for (unsigned i = 0; i < CHANGES; i++) {
        engine_thread_set_now(thread, T0 + i * NS_PER_US);
        change(writer, thread);
        if (writer->keeps_up && i % 64 == 0)
            (void)engine_upkeep(thread);
        if (i == CHANGES / 2)
            engine_flush(thread, 0);
        engine_thread_settle(thread);
    }
    engine_thread_free(&thread);
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

/* ---- between the nodes ---- */

static bool pass_on(struct side *from)
{
    size_t size = node_output(from->node, T0, 0, out, sizeof(out));
    struct slice rest = slice_make(out, size);
    size_t needed;

    while (rest.size > 0) {
        size_t taken = node_received(from->other->node, T0, 0, rest, &needed);

        ck_assert_uint_gt(taken, 0);
        rest.data += taken;
        rest.size -= taken;
    }
    return size > 0;
}

static void pass_until_quiet(void)
{
    unsigned rounds = 0;
    bool any = true;

    while (any || atomic_load(&writing) > 0) {
        any = pass_on(&sides[0]);
        any |= pass_on(&sides[1]);
        ck_assert_uint_lt(++rounds, ROUNDS_MAX);
    }
}

/* ---- the end ---- */

static stamp_t stamp_of(struct engine_thread *thread, uint64_t hash)
{
    struct engine_view view;
    stamp_t stamp;

    if (!engine_find(thread, hash, &view))
        return STAMP_NONE;
    stamp = view.stamp;
    engine_view_end(thread, &view);
    return stamp;
}

static void expect_same(void)
{
    struct engine_thread *threads[2];
    char name[16];

    for (unsigned i = 0; i < 2; i++) {
        threads[i] = engine_thread_new(sides[i].engine);
        engine_thread_set_now(threads[i], T0 + NS_PER_S);
    }
    for (unsigned k = 0; k < KEYS; k++) {
        uint64_t hash;

        snprintf(name, sizeof(name), "k%u", k);
        hash = engine_key_of(sides[0].engine, slice_of(name)).hash;
        ck_assert_uint_eq(stamp_of(threads[0], hash),
                          stamp_of(threads[1], hash));
    }
    engine_thread_free(&threads[0]);
    engine_thread_free(&threads[1]);
}

static void expect_quiet(const struct side *side)
{
    struct node_status status;

    node_status(side->node, T0, &status);
    ck_assert_int_eq(status.state, NODE_PAIRED);
    ck_assert_uint_eq(status.lag_ops, 0);
    ck_assert_uint_eq(status.tombstones, 0);
    ck_assert_uint_eq(status.dirty_buckets, 0);
}

START_TEST(both_agree_whoever_wrote_meanwhile)
{
    struct writer writers[2 * WRITERS_EACH];

    for (unsigned i = 0; i < 2; i++) {
        boot(&sides[i], i + 1);
        sides[i].other = &sides[1 - i];
    }
    node_dialed(sides[1].node, T0, 0);
    node_accepted(sides[0].node, T0, 0);
    atomic_store(&writing, 2 * WRITERS_EACH);
    for (unsigned i = 0; i < 2 * WRITERS_EACH; i++) {
        writers[i] = (struct writer){
            .side = &sides[i % 2], .random = i + 1, .keeps_up = i < 2};
        ck_assert_int_eq(
            pthread_create(&writers[i].thread, NULL, write_all, &writers[i]),
            0);
    }
    pass_until_quiet();
    for (unsigned i = 0; i < 2 * WRITERS_EACH; i++)
        pthread_join(writers[i].thread, NULL);
    pass_until_quiet();
    expect_quiet(&sides[0]);
    expect_quiet(&sides[1]);
    expect_same();
    for (unsigned i = 0; i < 2; i++) {
        node_free(&sides[i].node);
        engine_free(&sides[i].engine);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, both_agree_whoever_wrote_meanwhile);
}

UNIT_MAIN("node_threads", add_tests)

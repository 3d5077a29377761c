/* SPDX-License-Identifier: BSD-3-Clause */
/* Two engines and between them a wire that cuts anywhere. */
#include "src/tls/tls_engine.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 64
#define STREAM_BYTES (700u * 1024)
#define ROUNDS_MAX 2000000
#define WIRE_BYTES (1024u * 1024)

/* One of the two nodes. */
struct end {
    char path[PATH_ROOM];
    struct tls *tls;
    struct tls_engine *engine;
    size_t written; /* Of the stream. */
    size_t read;
};

static struct clock wall;
static struct end ends[2];
static char stream[STREAM_BYTES];
static char room[TLS_ENGINE_PLAIN_MAX];
static unsigned seed;
/* All that has gone over the wire. */
static char seen[4 * WIRE_BYTES];
static size_t seen_size;

static unsigned dice(unsigned sides)
{
    return (unsigned)rand_r(&seed) % sides;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

static void open_end(struct end *end, const char *secret, const char *alpn,
                     uint64_t rekey_bytes)
{
    struct tls_config config = {.clock = &wall,
                                .role = TLS_ROLE_PEER,
                                .secret_path = end->path,
                                .identity = "pair",
                                .version_min = 3,
                                .alpn = alpn,
                                .rekey_bytes = rekey_bytes};
    char words[TLS_WORDS_MAX];

    (void)snprintf(end->path, sizeof(end->path), "/tmp/twincached-test-%d-%d",
                   (int)getpid(), (int)(end - ends));
    write_file(end->path, secret);
    ck_assert_msg(tls_new(&config, &end->tls, words) == 0, "%s", words);
    end->engine = tls_engine_new(end->tls, end == &ends[0]);
    ck_assert_ptr_nonnull(end->engine);
}

static void setup(void)
{
    clock_init_real(&wall);
    memset(ends, 0, sizeof(ends));
    seed = 1;
    seen_size = 0;
    for (size_t i = 0; i < STREAM_BYTES; i++)
        stream[i] = (char)dice(256);
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        tls_engine_free(&ends[i].engine);
        tls_free(&ends[i].tls);
        (void)unlink(ends[i].path);
    }
}

static void open_pair(void)
{
    open_end(&ends[0], "0123456789abcdef0123456789abcdef\n", "test/1", 0);
    open_end(&ends[1], "0123456789abcdef0123456789abcdef", "test/1", 0);
}

/* ---- the wire ---- */

/* At most so many bytes; returns how many went. */
static size_t move(struct end *from, struct end *to, size_t max)
{
    char *source, *target;
    size_t size = tls_engine_due(from->engine, &source);
    size_t free_size = tls_engine_room(to->engine, &target);

    if (size > free_size)
        size = free_size;
    if (size > max)
        size = max;
    if (size == 0)
        return 0;
    memcpy(target, source, size);
    if (seen_size + size <= sizeof(seen))
        memcpy(seen + seen_size, source, size);
    seen_size += size;
    tls_engine_fed(to->engine, size);
    tls_engine_sent(from->engine, size);
    return size;
}

static bool move_some(size_t max)
{
    size_t moved = move(&ends[0], &ends[1], 1 + dice((unsigned)max));

    return moved + move(&ends[1], &ends[0], 1 + dice((unsigned)max)) > 0;
}

static enum tls_engine_shaken shake(size_t max)
{
    enum tls_engine_shaken shaken[2];

    do {
        shaken[0] = tls_engine_shake(ends[0].engine);
        shaken[1] = tls_engine_shake(ends[1].engine);
    } while (move_some(max));
    return shaken[0] == TLS_ENGINE_SHAKEN ? shaken[1] : shaken[0];
}

/* ---- whole conversations ---- */

static void speak(struct end *end)
{
    size_t size = 1 + dice(1u << dice(19));
    char *at;

    if (size > STREAM_BYTES - end->written)
        size = STREAM_BYTES - end->written;
    if (size > TLS_ENGINE_PLAIN_MAX)
        size = TLS_ENGINE_PLAIN_MAX;
    if (size == 0 || tls_engine_due(end->engine, &at) > 0)
        return;
    ck_assert_int_eq(tls_engine_write(end->engine, stream + end->written, size),
                     0);
    end->written += size;
    ck_assert_uint_le(tls_engine_due(end->engine, &at), TLS_ENGINE_OUT_BYTES);
}

static void hear(struct end *end)
{
    size_t size;

    ck_assert_int_eq(
        tls_engine_read(end->engine, room, 1 + dice(1u << dice(19)), &size), 0);
    ck_assert_uint_le(end->read + size, STREAM_BYTES);
    ck_assert_int_eq(memcmp(room, stream + end->read, size), 0);
    end->read += size;
}

static void converse(size_t cut_max)
{
    size_t rounds = 0;

    while (ends[0].read < STREAM_BYTES || ends[1].read < STREAM_BYTES) {
        ck_assert_uint_lt(rounds++, ROUNDS_MAX);
        for (int i = 0; i < 2; i++) {
            speak(&ends[i]);
            hear(&ends[i]);
        }
        (void)move_some(cut_max);
    }
    ck_assert(!tls_engine_has_input(ends[0].engine));
}

static const size_t cuts[] = {1, 7, 300, 17000, 300000};

START_TEST(a_handshake_is_cut_anywhere)
{
    char text[TLS_ENGINE_TEXT_MAX];

    open_pair();
    ck_assert_int_eq(shake(cuts[_i]), TLS_ENGINE_SHAKEN);
    tls_engine_text(ends[0].engine, text);
    ck_assert_str_eq(text, "psk TLSv1.3 TLS_AES_128_GCM_SHA256");
}
END_TEST

START_TEST(what_is_said_is_heard_however_it_is_cut)
{
    open_pair();
    ck_assert_int_eq(shake(300000), TLS_ENGINE_SHAKEN);
    converse(cuts[_i] < 300 ? 300 : cuts[_i]);
    /* Nothing of it in the open. */
    ck_assert_ptr_null(memmem(seen, sizeof(seen), stream, 16));
}
END_TEST

START_TEST(keys_change_on_the_way)
{
    open_end(&ends[0], "0123456789abcdef", "test/1", 1000);
    open_end(&ends[1], "0123456789abcdef", "test/1", 100000);
    ck_assert_int_eq(shake(300000), TLS_ENGINE_SHAKEN);
    converse(20000);
}
END_TEST

START_TEST(another_secret_is_told_to_both)
{
    open_end(&ends[0], "0123456789abcdef", "test/1", 0);
    open_end(&ends[1], "0123456789abcdeF", "test/1", 0);
    ck_assert_int_eq(shake(cuts[_i]), TLS_ENGINE_FAILED);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(tls_engine_shake(ends[i].engine), TLS_ENGINE_FAILED);
        ck_assert_str_eq(tls_engine_words(ends[i].engine),
                         "the peer has another secret");
    }
}
END_TEST

START_TEST(who_speaks_something_else_inside_is_refused)
{
    open_end(&ends[0], "0123456789abcdef", "test/1", 0);
    open_end(&ends[1], "0123456789abcdef", "test/2", 0);
    ck_assert_int_eq(shake(300), TLS_ENGINE_FAILED);
    ck_assert_int_eq(tls_engine_shake(ends[0].engine), TLS_ENGINE_FAILED);
    ck_assert_int_eq(tls_engine_shake(ends[1].engine), TLS_ENGINE_FAILED);
}
END_TEST

START_TEST(a_flipped_bit_ends_it)
{
    size_t size = 0, got = 0;
    char *at, *target;
    int error;

    seed = (unsigned)_i + 1;
    open_pair();
    ck_assert_int_eq(shake(300000), TLS_ENGINE_SHAKEN);
    ck_assert_int_eq(tls_engine_write(ends[0].engine, stream, 5000), 0);
    size = tls_engine_due(ends[0].engine, &at);
    ck_assert_uint_ge(tls_engine_room(ends[1].engine, &target), size);
    memcpy(target, at, size);
    target[5 + dice((unsigned)size - 5)] ^= (char)(1 << dice(8));
    tls_engine_fed(ends[1].engine, size);
    error = tls_engine_read(ends[1].engine, room, sizeof(room), &got);
    ck_assert_int_lt(error, 0);
    ck_assert_uint_eq(got, 0);
    ck_assert_str_ne(tls_engine_words(ends[1].engine), "");
    ck_assert_int_lt(tls_engine_write(ends[1].engine, "x", 1), 0);
}
END_TEST

START_TEST(garbage_is_no_handshake)
{
    char *target;
    size_t size;

    seed = (unsigned)_i + 1;
    open_pair();
    size = tls_engine_room(ends[1].engine, &target);
    for (size_t i = 0; i < size; i++)
        target[i] = (char)dice(256);
    target[0] = _i % 2 == 0 ? 0x16 : target[0];
    target[1] = _i % 2 == 0 ? 0x03 : target[1];
    tls_engine_fed(ends[1].engine, size);
    ck_assert_int_eq(tls_engine_shake(ends[1].engine), TLS_ENGINE_FAILED);
    ck_assert_str_ne(tls_engine_words(ends[1].engine), "");
}
END_TEST

START_TEST(an_engine_that_nobody_reads_takes_no_more)
{
    size_t total = 0, size;
    char *at;

    open_pair();
    ck_assert_int_eq(shake(300000), TLS_ENGINE_SHAKEN);
    while (tls_engine_room(ends[1].engine, &at) > 0) {
        if (tls_engine_due(ends[0].engine, &at) == 0)
            ck_assert_int_eq(tls_engine_write(ends[0].engine, stream, 9999), 0);
        total += move(&ends[0], &ends[1], SIZE_MAX);
        ck_assert_uint_le(total, TLS_ENGINE_IN_BYTES);
    }
    ck_assert_uint_eq(total, TLS_ENGINE_IN_BYTES);
    ck_assert_int_eq(tls_engine_read(ends[1].engine, room, 1, &size), 0);
    ck_assert_uint_eq(size, 1);
    ck_assert(tls_engine_has_input(ends[1].engine));
}
END_TEST

START_TEST(a_link_keeps_its_secret_and_the_next_has_the_new_one)
{
    char words[TLS_WORDS_MAX];

    open_pair();
    ck_assert_int_eq(shake(300), TLS_ENGINE_SHAKEN);
    for (int i = 0; i < 2; i++) {
        write_file(ends[i].path, "another secret of some length");
        ck_assert_msg(tls_reload(ends[i].tls, words) == 0, "%s", words);
    }
    converse(20000);
    for (int i = 0; i < 2; i++) {
        tls_engine_free(&ends[i].engine);
        ends[i].engine = tls_engine_new(ends[i].tls, i == 0);
    }
    ck_assert_int_eq(shake(300), TLS_ENGINE_SHAKEN);
    write_file(ends[0].path, "only here there is a third one");
    ck_assert_int_eq(tls_reload(ends[0].tls, words), 0);
    for (int i = 0; i < 2; i++) {
        tls_engine_free(&ends[i].engine);
        ends[i].engine = tls_engine_new(ends[i].tls, i == 0);
    }
    ck_assert_int_eq(shake(300), TLS_ENGINE_FAILED);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_handshake_is_cut_anywhere, 0, COUNT_OF(cuts));
    tcase_add_loop_test(tests, what_is_said_is_heard_however_it_is_cut, 0,
                        COUNT_OF(cuts));
    tcase_add_test(tests, keys_change_on_the_way);
    tcase_add_loop_test(tests, another_secret_is_told_to_both, 0,
                        COUNT_OF(cuts));
    tcase_add_test(tests, who_speaks_something_else_inside_is_refused);
    tcase_add_loop_test(tests, a_flipped_bit_ends_it, 0, 20);
    tcase_add_loop_test(tests, garbage_is_no_handshake, 0, 20);
    tcase_add_test(tests, an_engine_that_nobody_reads_takes_no_more);
    tcase_add_test(tests, a_link_keeps_its_secret_and_the_next_has_the_new_one);
}
UNIT_MAIN("tls engine", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/protocol/sink.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/unit.h"

#define VECTORS 64

static unsigned released;

static void count_release(void *ctx, void *owner)
{
    ck_assert_ptr_eq(ctx, &released);
    ck_assert_ptr_nonnull(owner);
    released++;
}

static void borrow(struct sink *sink, const char *text, bool last)
{
    sink_borrow(sink, slice_of(text), last ? count_release : NULL, &released,
                &released);
}

/* Sends all that is pending, at most step bytes a time. */
static size_t drain(struct sink *sink, size_t step, char *got)
{
    struct iovec vectors[VECTORS];
    size_t total = 0;

    while (sink_pending(sink) > 0) {
        size_t count = sink_vectors(sink, vectors, VECTORS);
        size_t sent = 0;
        size_t i;

        ck_assert_uint_gt(count, 0);
        for (i = 0; i < count && sent < step; i++) {
            size_t size = vectors[i].iov_len;

            if (size > step - sent)
                size = step - sent;
            memcpy(got + total + sent, vectors[i].iov_base, size);
            sent += size;
        }
        total += sent;
        sink_sent(sink, sent);
    }
    return total;
}

static void expect_drained(struct sink *sink, size_t step, const char *wanted)
{
    char got[1024];
    size_t pending = sink_pending(sink);
    size_t total = drain(sink, step, got);

    ck_assert_uint_eq(total, pending);
    ck_assert_uint_eq(total, strlen(wanted));
    ck_assert(memcmp(got, wanted, total) == 0);
}

static void compose(struct sink *sink)
{
    sink_put_literal(sink, "one ");
    sink_put_u64(sink, 18446744073709551615u);
    borrow(sink, " two ", false);
    borrow(sink, "three ", true);
    sink_put_literal(sink, "four ");
    sink_put(sink, "five ", 0);
    borrow(sink, "six ", true);
    sink_put_literal(sink, "seven");
}

#define COMPOSED "one 18446744073709551615 two three four six seven"

START_TEST(bytes_leave_in_the_order_they_came)
{
    struct sink *sink = sink_new();
    size_t step = (size_t)_i;

    released = 0;
    compose(sink);
    expect_drained(sink, step, COMPOSED);
    ck_assert_uint_eq(released, 2);
    /* And once more, in the room that became free. */
    compose(sink);
    expect_drained(sink, step, COMPOSED);
    ck_assert_uint_eq(released, 4);
    sink_free(&sink);
    ck_assert_ptr_null(sink);
}
END_TEST

START_TEST(what_is_borrowed_is_released_when_its_last_byte_is_sent)
{
    struct sink *sink = sink_new();

    released = 0;
    sink_put_literal(sink, "ab");
    borrow(sink, "cd", true);
    sink_put_literal(sink, "ef");
    sink_sent(sink, 3);
    ck_assert_uint_eq(released, 0);
    sink_sent(sink, 1);
    ck_assert_uint_eq(released, 1);
    ck_assert_uint_eq(sink_pending(sink), 2);
    sink_free(&sink);
    ck_assert_uint_eq(released, 1);
}
END_TEST

START_TEST(appending_goes_on_behind_what_is_half_sent)
{
    struct sink *sink = sink_new();

    released = 0;
    compose(sink);
    sink_sent(sink, 27);
    sink_put_literal(sink, " eight ");
    borrow(sink, "nine", true);
    expect_drained(sink, 5, &COMPOSED " eight nine"[27]);
    ck_assert_uint_eq(released, 3);
    sink_free(&sink);
}
END_TEST

START_TEST(what_is_sent_makes_room_for_more)
{
    struct sink *sink = sink_new();
    char *got = malloc(200000);
    unsigned i;

    ck_assert_ptr_nonnull(got);
    sink_put_literal(sink, "0123456789");
    sink_sent(sink, 5);
    borrow(sink, "abc", true);
    sink_put_literal(sink, "xy");
    sink_sent(sink, 2);
    for (i = 0; i < 100000; i++)
        sink_put_literal(sink, "z");
    ck_assert_uint_eq(drain(sink, 10000, got), 3 + 3 + 2 + 100000);
    ck_assert(memcmp(got, "789abcxyzzz", 11) == 0);
    free(got);
    sink_free(&sink);
}
END_TEST

START_TEST(few_vectors_show_only_the_front)
{
    struct sink *sink = sink_new();
    struct iovec vectors[2];

    compose(sink);
    ck_assert_uint_eq(sink_vectors(sink, vectors, 2), 2);
    ck_assert_uint_eq(vectors[0].iov_len, 24);
    ck_assert_uint_eq(vectors[1].iov_len, 5);
    ck_assert_uint_eq(sink_vectors(sink, vectors, 0), 0);
    /* One span is sent of and one left, with bytes behind it. */
    sink_sent(sink, sink_pending(sink) - 8);
    ck_assert_uint_eq(sink_vectors(sink, vectors, 1), 1);
    ck_assert_uint_eq(vectors[0].iov_len, 3);
    ck_assert_uint_eq(sink_vectors(sink, vectors, 2), 2);
    ck_assert_uint_eq(vectors[1].iov_len, 5);
    sink_free(&sink);
}
END_TEST

START_TEST(room_may_be_used_in_part)
{
    struct sink *sink = sink_new();
    char *room = sink_room(sink, 100000);

    ck_assert_ptr_nonnull(room);
    memcpy(room, "abc", 3);
    sink_used(sink, 3);
    sink_put_literal(sink, "def");
    expect_drained(sink, 100, "abcdef");
    sink_free(&sink);
}
END_TEST

START_TEST(moving_takes_what_is_not_sent)
{
    struct sink *from = sink_new();
    struct sink *to = sink_new();

    released = 0;
    compose(from);
    sink_sent(from, (size_t)_i);
    ck_assert_int_eq(sink_move(from, to), 0);
    ck_assert_uint_eq(sink_pending(from), 0);
    sink_put_literal(from, "other");
    expect_drained(from, 3, "other");
    sink_put_literal(to, "!");
    borrow(to, "?", true);
    expect_drained(to, 7, &COMPOSED "!?"[_i]);
    ck_assert_uint_eq(released, 3);
    sink_free(&from);
    sink_free(&to);
}
END_TEST

START_TEST(a_move_without_memory_moves_nothing)
{
    struct sink *from = sink_new();
    struct sink *to = sink_new();

    released = 0;
    compose(from);
    memory_fail_at((size_t)_i);
    ck_assert_int_eq(sink_move(from, to), -ERR_MEMORY);
    memory_fail_at(0);
    ck_assert_uint_eq(sink_pending(to), 0);
    expect_drained(from, 100, COMPOSED);
    ck_assert_uint_eq(released, 2);
    sink_free(&from);
    sink_free(&to);
}
END_TEST

START_TEST(it_is_full_by_bytes_or_by_spans)
{
    struct sink *sink = sink_new();
    char *room = sink_room(sink, SINK_FULL_BYTES);
    unsigned i;

    memset(room, 'x', SINK_FULL_BYTES);
    sink_used(sink, SINK_FULL_BYTES - 1);
    ck_assert(!sink_full(sink));
    sink_put_literal(sink, "x");
    ck_assert(sink_full(sink));
    sink_sent(sink, 1);
    ck_assert(!sink_full(sink));
    sink_clear(sink);
    for (i = 0; i < SINK_FULL_SPANS; i++) {
        ck_assert(!sink_full(sink));
        borrow(sink, "x", true);
    }
    ck_assert(sink_full(sink));
    sink_free(&sink);
}
END_TEST

START_TEST(a_sink_that_cannot_grow_says_so)
{
    struct sink *sink = sink_new();
    struct iovec vectors[VECTORS];

    released = 0;
    compose(sink);
    ck_assert_ptr_null(sink_room(sink, SINK_BYTES_MAX));
    ck_assert(sink_failed(sink));
    sink_put_literal(sink, "lost");
    sink_put_u64(sink, 5);
    borrow(sink, "lost", true);
    ck_assert_uint_eq(released, 1);
    ck_assert_uint_eq(sink_vectors(sink, vectors, VECTORS), 0);
    sink_clear(sink);
    ck_assert_uint_eq(released, 3);
    ck_assert(!sink_failed(sink));
    compose(sink);
    expect_drained(sink, 100, COMPOSED);
    sink_free(&sink);
}
END_TEST

START_TEST(lack_of_memory_is_remembered)
{
    struct sink *sink = sink_new();

    released = 0;
    memory_fail_at(1);
    sink_put_literal(sink, "abc");
    ck_assert(sink_failed(sink));
    sink_clear(sink);
    memory_fail_at(1);
    borrow(sink, "abc", true);
    ck_assert(sink_failed(sink));
    ck_assert_uint_eq(released, 1);
    memory_fail_at(0);
    sink_free(&sink);
}
END_TEST

START_TEST(growth_keeps_every_byte)
{
    struct sink *sink = sink_new();
    struct iovec vectors[VECTORS];
    const unsigned char *bytes;
    unsigned wrong = 0;
    unsigned i;

    for (i = 0; i < 1000000; i++) {
        char byte = (char)(i % 251);

        sink_put(sink, &byte, 1);
    }
    ck_assert_uint_eq(sink_vectors(sink, vectors, VECTORS), 1);
    bytes = vectors[0].iov_base;
    for (i = 0; i < 1000000; i++)
        wrong += bytes[i] != i % 251;
    ck_assert_uint_eq(wrong, 0);
    sink_free(&sink);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, bytes_leave_in_the_order_they_came, 1, 60);
    tcase_add_test(tests,
                   what_is_borrowed_is_released_when_its_last_byte_is_sent);
    tcase_add_test(tests, appending_goes_on_behind_what_is_half_sent);
    tcase_add_test(tests, what_is_sent_makes_room_for_more);
    tcase_add_test(tests, few_vectors_show_only_the_front);
    tcase_add_test(tests, room_may_be_used_in_part);
    tcase_add_loop_test(tests, moving_takes_what_is_not_sent, 0,
                        (int)sizeof(COMPOSED) - 1);
    tcase_add_loop_test(tests, a_move_without_memory_moves_nothing, 1, 3);
    tcase_add_test(tests, it_is_full_by_bytes_or_by_spans);
    tcase_add_test(tests, a_sink_that_cannot_grow_says_so);
    tcase_add_test(tests, lack_of_memory_is_remembered);
    tcase_add_test(tests, growth_keeps_every_byte);
}
UNIT_MAIN("sink", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Two engines that count on the same key and tell each other what they have:
 * in any order, again and again, or late. */
#include "tests/unit/engine/fixture.h"

#include "src/engine/tally.h"

#include <stdio.h>
#include <string.h>

#define NODES 2
#define LETTERS 64
#define ROUNDS 400
#define TEXT_MAX 80

/* What one node has told and the other may get at any time. */
struct letter {
    unsigned from;
    struct mutation mutation;
    char value[TEXT_MAX];
};

static struct fixture nodes[NODES];
static struct letter letters[LETTERS];
static size_t letters_count;

static void set_up(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct engine_config config = fixture_config(64);

        config.node = i;
        fixture_init_with_journal(&nodes[i], &config);
    }
    letters_count = 0;
}

static void tear_down(void)
{
    for (unsigned i = 0; i < NODES; i++)
        fixture_fini(&nodes[i]);
}

static bool write_letter(unsigned from, struct letter *letter)
{
    struct engine_view view;
    struct fixture *node = &nodes[from];

    if (!engine_find(node->thread, key_of(node, "k").hash, &view))
        return false;
    ck_assert_uint_le(view.value_size, TEXT_MAX);
    *letter = (struct letter){.from = from};
    memcpy(letter->value, engine_item_bytes(node->thread, view.item, 0).data,
           view.value_size);
    letter->mutation =
        (struct mutation){.kind = MUTATION_SET,
                          .hash = key_of(node, "k").hash,
                          .stamp = view.stamp,
                          .expires_at_s = view.expires_at_s,
                          .client_flags = view.client_flags,
                          .state = view.state,
                          .cas = view.cas != view.stamp ? view.cas : STAMP_NONE,
                          .key = SLICE_LITERAL("k"),
                          .value = slice_make(NULL, view.value_size)};
    engine_view_tally(&view, &letter->mutation.tally);
    if (letter->mutation.tally.base_stamp == STAMP_NONE)
        letter->mutation.tally = (struct tally){.base_stamp = STAMP_NONE};
    engine_view_end(node->thread, &view);
    return true;
}

static enum apply_result deliver(const struct letter *letter)
{
    struct mutation mutation = letter->mutation;

    mutation.value.data = letter->value;
    return engine_apply(nodes[1 - letter->from].thread, &mutation);
}

static enum apply_result tell(unsigned from)
{
    struct letter letter;

    ck_assert(write_letter(from, &letter));
    return deliver(&letter);
}

static enum engine_outcome count(unsigned node, bool down, uint64_t delta,
                                 uint64_t *value)
{
    const struct engine_arith arith = {
        .key = key_of(&nodes[node], "k"), .delta = delta, .decrement = down};
    stamp_t stamp;

    return engine_arith(nodes[node].thread, &arith, value, &stamp);
}

static uint64_t counted(unsigned node, bool down, uint64_t delta)
{
    uint64_t value;

    ck_assert_int_eq(count(node, down, delta, &value), ENGINE_STORED);
    return value;
}

/* Both have the base, and nobody has counted. */
static void begin(const char *value)
{
    put(&nodes[0], "k", value);
    ck_assert_int_eq(tell(0), APPLY_DONE);
}

/* Until neither has news for the other. */
static void tell_all(void)
{
    unsigned rounds = 0;

    while (stamp_of(&nodes[0], "k") != stamp_of(&nodes[1], "k")) {
        (void)tell(rounds % NODES);
        ck_assert_uint_lt(++rounds, 6);
    }
}

static void check_both(const char *value)
{
    tell_all();
    for (unsigned i = 0; i < NODES; i++)
        ck_assert_str_eq(value_of(&nodes[i], "k"), value);
}

START_TEST(counts_add_up)
{
    begin("10");
    ck_assert_uint_eq(counted(0, false, 5), 15);
    ck_assert_uint_eq(counted(1, false, 7), 17);
    ck_assert_uint_eq(counted(1, true, 1), 16);
    check_both("21");
    ck_assert_uint_eq(counted(0, true, 20), 1);
    check_both("1 ");
}
END_TEST

START_TEST(one_sided_counting_makes_no_version_more)
{
    begin("10");
    (void)counted(0, false, 5);
    forget_notes(&nodes[1]);
    ck_assert_int_eq(tell(0), APPLY_DONE);
    (void)counted(0, false, 5);
    ck_assert_int_eq(tell(0), APPLY_DONE);
    ck_assert_int_eq(tell(0), APPLY_SAME);
    ck_assert_uint_eq(notes_of(&nodes[1], NOTE_RECORD_SET), 0);
    ck_assert_uint_eq(stamp_of(&nodes[1], "k"), stamp_of(&nodes[0], "k"));
    ck_assert_str_eq(value_of(&nodes[1], "k"), "20");
}
END_TEST

START_TEST(a_sum_is_a_new_version_that_is_told)
{
    stamp_t stamps[NODES];

    begin("10");
    for (unsigned i = 0; i < NODES; i++) {
        (void)counted(i, false, 1);
        stamps[i] = stamp_of(&nodes[i], "k");
    }
    forget_notes(&nodes[1]);
    ck_assert_int_eq(tell(0), APPLY_DONE);
    ck_assert_uint_eq(notes_of(&nodes[1], NOTE_RECORD_SET), 1);
    ck_assert_uint_gt(stamp_of(&nodes[1], "k"), stamps[0]);
    ck_assert_uint_gt(stamp_of(&nodes[1], "k"), stamps[1]);
    check_both("12");
}
END_TEST

START_TEST(below_zero_is_zero_and_counts_on_from_there)
{
    begin("10");
    ck_assert_uint_eq(counted(0, true, 9), 1);
    ck_assert_uint_eq(counted(1, true, 8), 2);
    check_both("0 ");
    ck_assert_uint_eq(counted(0, false, 3), 3);
    check_both("3 ");
    ck_assert_uint_eq(counted(1, true, 100), 0);
    check_both("0 ");
}
END_TEST

START_TEST(a_set_is_a_new_base)
{
    begin("10");
    (void)counted(1, false, 5);
    (void)tell(1);
    (void)counted(0, false, 1);
    put(&nodes[0], "k", "100");
    tell_all();
    check_both("100");
    (void)counted(0, false, 1);
    (void)counted(1, false, 1);
    check_both("102");
}
END_TEST

START_TEST(a_number_that_begins_anew_is_a_new_base)
{
    begin("18446744073709551615");
    ck_assert_uint_eq(counted(0, false, 3), 2);
    check_both("2                   ");
    ck_assert_uint_eq(counted(1, false, UINT64_MAX - 2), UINT64_MAX);
    check_both("18446744073709551615");
}
END_TEST

START_TEST(a_sum_beyond_64_bits_begins_anew)
{
    begin("18446744073709551610");
    (void)counted(0, false, 5);
    (void)counted(1, false, 4);
    check_both("3                   ");
}
END_TEST

START_TEST(plain_items_take_no_more_room)
{
    struct engine_view view;
    size_t plain;

    begin("10");
    ck_assert(engine_find(nodes[0].thread, key_of(&nodes[0], "k").hash, &view));
    plain = engine_view_bytes(&view);
    engine_view_end(nodes[0].thread, &view);
    ck_assert_uint_eq(plain, ITEM_HEADER_BYTES + 3);
    (void)counted(0, false, 1);
    ck_assert(engine_find(nodes[0].thread, key_of(&nodes[0], "k").hash, &view));
    ck_assert_uint_eq(engine_view_bytes(&view), plain + 48);
    engine_view_end(nodes[0].thread, &view);
}
END_TEST

START_TEST(where_the_later_wins_nothing_is_added)
{
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].engine->counters_add_up = false;
    begin("10");
    (void)counted(0, false, 5);
    fixture_set_now(&nodes[1], NOW_S + 1);
    (void)counted(1, false, 7);
    check_both("17");
}
END_TEST

/* One that adds up and one that does not, as an older one, still agree. */
START_TEST(with_an_older_node_the_later_wins)
{
    nodes[1].engine->counters_add_up = false;
    begin("10");
    (void)counted(0, false, 5);
    fixture_set_now(&nodes[1], NOW_S + 1);
    (void)counted(1, false, 7);
    check_both("17");
    (void)counted(1, false, 7);
    fixture_set_now(&nodes[0], NOW_S + 2);
    (void)counted(0, false, 5);
    check_both("22");
}
END_TEST

START_TEST(a_long_number_is_a_plain_value)
{
    begin("                                                              123");
    (void)counted(0, false, 5);
    fixture_set_now(&nodes[1], NOW_S + 1);
    (void)counted(1, false, 7);
    tell_all();
    ck_assert_uint_eq(counted(0, false, 0), 130);
}
END_TEST

START_TEST(a_touch_keeps_the_count)
{
    begin("10");
    (void)counted(0, false, 1);
    (void)tell(0);
    ck_assert_int_eq(touch(&nodes[0], "k", NOW_S + 50), ENGINE_STORED);
    (void)counted(1, false, 1);
    ck_assert_int_eq(touch(&nodes[0], "k", NOW_S + 40), ENGINE_STORED);
    (void)counted(0, false, 1);
    check_both("13");
}
END_TEST

/* ---- by chance ---- */

static void maybe_deliver(uint64_t *random)
{
    size_t at;

    if (letters_count == 0)
        return;
    at = next_random(random) % letters_count;
    (void)deliver(&letters[at]);
    if (next_random(random) % 2 == 0)
        letters[at] = letters[--letters_count];
}

static void maybe_write(uint64_t *random)
{
    unsigned from = (unsigned)(next_random(random) % NODES);

    if (letters_count == LETTERS)
        letters_count = 0; /* Lost. */
    letters_count += write_letter(from, &letters[letters_count]);
}

START_TEST(in_any_order_the_sum_is_right)
{
    uint64_t random = 77 + (uint64_t)_i;
    char expected[TEXT_MAX];
    uint64_t sum = 1000000;

    begin("1000000");
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t delta = next_random(&random) % 1000;
        unsigned node = (unsigned)(next_random(&random) % NODES);
        bool down = next_random(&random) % 2 == 0;

        (void)counted(node, down, delta);
        sum = down ? sum - delta : sum + delta;
        if (next_random(&random) % 8 == 0)
            (void)touch(&nodes[node], "k", NOW_S + 100 + (uint32_t)delta);
        maybe_write(&random);
        maybe_deliver(&random);
    }
    while (letters_count > 0)
        maybe_deliver(&random);
    snprintf(expected, sizeof(expected), "%-7llu", (unsigned long long)sum);
    check_both(expected);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, counts_add_up);
    tcase_add_test(tests, one_sided_counting_makes_no_version_more);
    tcase_add_test(tests, a_sum_is_a_new_version_that_is_told);
    tcase_add_test(tests, below_zero_is_zero_and_counts_on_from_there);
    tcase_add_test(tests, a_set_is_a_new_base);
    tcase_add_test(tests, a_number_that_begins_anew_is_a_new_base);
    tcase_add_test(tests, a_sum_beyond_64_bits_begins_anew);
    tcase_add_test(tests, plain_items_take_no_more_room);
    tcase_add_test(tests, where_the_later_wins_nothing_is_added);
    tcase_add_test(tests, with_an_older_node_the_later_wins);
    tcase_add_test(tests, a_long_number_is_a_plain_value);
    tcase_add_test(tests, a_touch_keeps_the_count);
    tcase_add_loop_test(tests, in_any_order_the_sum_is_right, 0, 50);
}
UNIT_MAIN("tally", add_tests)

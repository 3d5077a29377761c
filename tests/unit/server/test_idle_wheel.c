/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is found idle, and when, on a clock that the test turns. */
#include "src/server/idle_wheel.h"

#include "src/base/invariant.h"
#include "src/server/conn.h"
#include "tests/unit/unit.h"

#define CONNS 100
#define START_S 1700000000u

static struct idle_wheel wheel;
static struct conn conns[CONNS];
static unsigned kicked;
static unsigned looked;

static void kick(struct conn *conn)
{
    kicked++;
    conn->end = 1;
    idle_wheel_remove(conn);
}

static void count(struct conn *conn)
{
    (void)conn;
    looked++;
}

static void begin(uint32_t timeout_s)
{
    kicked = looked = 0;
    idle_wheel_init(&wheel, timeout_s, START_S);
    for (size_t i = 0; i < CONNS; i++) {
        conns[i] = (struct conn){.active_s = START_S};
        idle_wheel_add(&wheel, &conns[i]);
    }
}

static const uint32_t timeouts[] = {1, 2, 10, 61, 62, 63, 600, 86400};

/* Not before its time is over, and soon afterwards. */
START_TEST(the_idle_are_found_in_time)
{
    uint32_t timeout_s = timeouts[_i];
    uint32_t slack_s = timeout_s / 31 + 3;
    uint32_t now_s = START_S;

    begin(timeout_s);
    for (; now_s <= START_S + timeout_s; now_s++)
        idle_wheel_turn(&wheel, now_s, kick);
    ck_assert_uint_eq(kicked, 0);
    for (; now_s <= START_S + timeout_s + slack_s; now_s++)
        idle_wheel_turn(&wheel, now_s, kick);
    ck_assert_uint_eq(kicked, CONNS);
    ck_assert(idle_wheel_is_empty(&wheel));
}
END_TEST

START_TEST(who_does_something_stays)
{
    begin(20);
    for (uint32_t now_s = START_S; now_s < START_S + 500; now_s++) {
        for (size_t i = 0; i < CONNS; i += 2) {
            if (now_s % 20 == i % 20)
                conns[i].active_s = now_s;
        }
        idle_wheel_turn(&wheel, now_s, kick);
    }
    ck_assert_uint_eq(kicked, CONNS / 2);
    for (size_t i = 0; i < CONNS; i++)
        ck_assert_uint_eq(conns[i].end, i % 2);
    idle_wheel_each(&wheel, count);
    ck_assert_uint_eq(looked, CONNS / 2);
}
END_TEST

START_TEST(a_clock_that_jumps_finds_all)
{
    begin(100);
    idle_wheel_turn(&wheel, START_S + 1000000, kick);
    ck_assert_uint_eq(kicked, CONNS);
}
END_TEST

START_TEST(a_clock_that_goes_back_finds_none)
{
    begin(100);
    idle_wheel_turn(&wheel, START_S - 1000000, kick);
    idle_wheel_turn(&wheel, START_S + 1, kick);
    ck_assert_uint_eq(kicked, 0);
}
END_TEST

START_TEST(without_a_timeout_nobody_is_idle)
{
    begin(0);
    idle_wheel_turn(&wheel, START_S + 1000000, kick);
    ck_assert_uint_eq(kicked, 0);
    idle_wheel_each(&wheel, kick);
    ck_assert_uint_eq(kicked, CONNS);
    ck_assert(idle_wheel_is_empty(&wheel));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, the_idle_are_found_in_time, 0,
                        (int)COUNT_OF(timeouts));
    tcase_add_test(tests, who_does_something_stays);
    tcase_add_test(tests, a_clock_that_jumps_finds_all);
    tcase_add_test(tests, a_clock_that_goes_back_finds_none);
    tcase_add_test(tests, without_a_timeout_nobody_is_idle);
}

UNIT_MAIN("idle_wheel", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/doorman.h"

#include "src/base/clock.h"
#include "src/base/log.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static unsigned lines;
static char last_line[LOG_LINE_MAX];

static void count_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    ck_assert_int_eq(level, LOG_LEVEL_NOTICE);
    lines++;
    (void)snprintf(last_line, sizeof(last_line), "%s", line);
}

static void set_up(void)
{
    lines = 0;
    log_set_sink(count_line, NULL);
}

static void tear_down(void)
{
    log_set_sink(NULL, NULL);
}

static struct address address_of(const char *host)
{
    struct address_list list;

    ck_assert_int_eq(address_list_resolve(&list, host, 1), 0);
    return list.at[0];
}

static bool admits(struct doorman *doorman, uint64_t now_ns, const char *host)
{
    struct address address = address_of(host);

    return doorman_admits(doorman, now_ns, &address);
}

START_TEST(only_the_peer_comes_in)
{
    struct doorman doorman = {.refused = 0};

    doorman.peers.at[0] = address_of("10.0.0.2");
    doorman.peers.at[1] = address_of("fd00::2");
    doorman.peers.count = 2;
    ck_assert(admits(&doorman, 1, "10.0.0.2"));
    ck_assert(admits(&doorman, 1, "::ffff:10.0.0.2"));
    ck_assert(admits(&doorman, 1, "fd00::2"));
    ck_assert_uint_eq(doorman.refused, 0);
    ck_assert(!admits(&doorman, 1, "10.0.0.3"));
    ck_assert(!admits(&doorman, 1, "127.0.0.1"));
    ck_assert_uint_eq(doorman.refused, 2);
    ck_assert_uint_eq(lines, 2);
}
END_TEST

START_TEST(without_a_peer_it_is_this_host)
{
    struct doorman doorman = {.loopback_only = true};

    ck_assert(admits(&doorman, 1, "127.0.0.1"));
    ck_assert(admits(&doorman, 1, "::1"));
    ck_assert(!admits(&doorman, 1, "10.0.0.3"));
    ck_assert_ptr_nonnull(strstr(last_line, "10.0.0.3"));
    ck_assert_ptr_nonnull(strstr(last_line, "-x"));
}
END_TEST

START_TEST(a_stranger_is_a_line_a_second)
{
    struct doorman doorman = {.loopback_only = true};
    uint64_t now_ns = 5 * NS_PER_S;
    int i;

    for (i = 0; i < 100; i++, now_ns += NS_PER_MS)
        ck_assert(!admits(&doorman, now_ns, "10.0.0.3"));
    ck_assert_uint_eq(lines, 1);
    now_ns += NS_PER_S;
    ck_assert(!admits(&doorman, now_ns, "10.0.0.3"));
    ck_assert_uint_eq(lines, 2);
    ck_assert_ptr_nonnull(strstr(last_line, "99 before"));
    ck_assert_uint_eq(doorman.refused, 101);
}
END_TEST

START_TEST(a_crowd_is_not_many_lines)
{
    struct doorman doorman = {.loopback_only = true};
    uint64_t now_ns = 5 * NS_PER_S;
    char host[20];
    int i;

    for (i = 0; i < 2000; i++) {
        (void)snprintf(host, sizeof(host), "10.1.%d.%d", i / 500, i / 2 % 250);
        ck_assert(!admits(&doorman, now_ns, host));
    }
    ck_assert_uint_eq(lines, DOORMAN_STRANGERS_MAX);
    ck_assert_uint_eq(doorman.refused, 2000);
    now_ns += NS_PER_S;
    ck_assert(!admits(&doorman, now_ns, "10.1.9.9"));
    ck_assert_uint_eq(lines, DOORMAN_STRANGERS_MAX + 1);
    ck_assert_ptr_null(strstr(last_line, "before")); /* Not its own ones. */
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, only_the_peer_comes_in);
    tcase_add_test(tests, without_a_peer_it_is_this_host);
    tcase_add_test(tests, a_stranger_is_a_line_a_second);
    tcase_add_test(tests, a_crowd_is_not_many_lines);
}
UNIT_MAIN("doorman", add_tests)

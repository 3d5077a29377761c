/* SPDX-License-Identifier: BSD-3-Clause */
/* What connections may cost: their number, their idleness, their memory. */
#include "tests/unit/server/fixture.h"

#include <string.h>
#include <sys/socket.h>

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

/* The one too many waits where it is, and is served when another one leaves. */
START_TEST(a_listener_pauses_at_the_limit)
{
    enum { MANY = 5 };
    struct server_config config = config_of_test();
    int fds[MANY];
    int waiting;

    config.connections_max = MANY;
    config.pause_at_limit = true;
    setup_with(&config);
    for (size_t i = 0; i < MANY; i++)
        fds[i] = dial_served();
    ck_assert_uint_eq(stat_of("accepting_conns"), 1);
    waiting = dial();
    say(waiting, "version\r\n");
    while (stat_of("accepting_conns") == 1)
        continue;
    ck_assert_uint_eq(stat_of("listen_disabled_num"), 1);
    ck_assert_uint_eq(stat_of("curr_connections"), MANY);
    close(fds[0]);
    hear(waiting, "VERSION 1.6.45\r\n");
    ck_assert_uint_eq(stat_of("accepting_conns"), 1);
    ck_assert_uint_ge(stat_of("time_in_listen_disabled_us"), 1);
    fds[0] = waiting;
    close_all(fds, MANY);
}
END_TEST

/* Many wait, and each that leaves lets one in: none is forgotten. */
START_TEST(all_who_wait_are_served_in_the_end)
{
    enum { MANY = 3, ALL = 60 };
    struct server_config config = config_of_test();
    int fds[ALL];

    config.connections_max = MANY;
    config.pause_at_limit = true;
    setup_with(&config);
    for (size_t i = 0; i < ALL; i++) {
        fds[i] = dial();
        ck_assert_int_ge(fds[i], 0);
        say(fds[i], "version\r\n");
    }
    for (size_t i = 0; i < ALL; i++) {
        hear(fds[i], "VERSION 1.6.45\r\n");
        close(fds[i]);
    }
    while (stat_of("curr_connections") > 0)
        continue;
}
END_TEST

START_TEST(an_idle_connection_is_closed_and_a_busy_one_is_not)
{
    struct server_config config = config_of_test();
    char byte;
    int idle, busy;

    config.idle_timeout_s = 1;
    setup_with(&config);
    idle = dial_served();
    busy = dial_served();
    while (recv(idle, &byte, 1, MSG_DONTWAIT) != 0) {
        say(busy, "version\r\n");
        hear(busy, "VERSION 1.6.45\r\n");
    }
    ck_assert_uint_eq(stat_of("idle_kicks"), 1);
    say(busy, "version\r\n");
    hear(busy, "VERSION 1.6.45\r\n");
    close(idle);
    close(busy);
}
END_TEST

/* Readers that do not read: those beyond the memory for them are closed, and
 * the server lives on. */
START_TEST(replies_that_wait_have_a_limit_in_all)
{
    enum { MANY = 30, SIZE = 8000, TIMES = 2000, LINE = 7 };
    struct server_config config = config_of_test();
    char *requests = filled(TIMES * LINE, ' ');
    int fds[MANY];
    int other;

    for (size_t i = 0; i < TIMES; i++)
        memcpy(requests + i * LINE, "get k\r\n", LINE);

    config.held_bytes_max = (uint64_t)THREADS * 256 * 1024;
    setup_with(&config);
    other = dial_served();
    store(other, "k", SIZE);
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = dial_served();
        say_bytes(fds[i], requests, TIMES * LINE);
    }
    free(requests);
    while (stat_of("response_obj_oom") == 0)
        continue;
    ck_assert_uint_le(stat_of("read_buf_bytes"),
                      THREADS * 64 * 1024 + config.held_bytes_max);
    say(other, "version\r\n");
    hear(other, "VERSION 1.6.45\r\n");
    close_all(fds, MANY);
    while (stat_of("curr_connections") > 1)
        continue;
    ck_assert_uint_eq(stat_of("read_buf_bytes"), THREADS * 64 * 1024);
    close(other);
}
END_TEST

/* Requests that never end. */
START_TEST(requests_that_wait_have_a_limit_in_all)
{
    enum { SIZE = 512 * 1024 };
    struct server_config config = config_of_test();
    char *keys = filled(SIZE, 'k');
    int fd;

    config.held_bytes_max = (uint64_t)THREADS * 128 * 1024;
    setup_with(&config);
    fd = dial_served();
    for (size_t i = 0; i < SIZE; i += 100)
        keys[i] = ' ';
    say(fd, "get");
    (void)send(fd, keys, SIZE, MSG_NOSIGNAL);
    hear(fd, "SERVER_ERROR out of memory reading request\r\n");
    ck_assert_uint_eq(stat_of("read_buf_oom"), 1);
    free(keys);
    close(fd);
}
END_TEST

START_TEST(what_is_not_shared_by_a_network_card_is_dealt_in_turn)
{
    struct server_config config = config_of_test();
    int fds[THREADS];

    config.napi_ids = THREADS;
    setup_with(&config);
    for (size_t i = 0; i < THREADS; i++)
        fds[i] = dial_served();
    ck_assert_uint_eq(stat_of("round_robin_fallback"), THREADS);
    ck_assert_uint_eq(stat_of("unexpected_napi_ids"), 0);
    close_all(fds, THREADS);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, a_listener_pauses_at_the_limit);
    tcase_add_test(tests, all_who_wait_are_served_in_the_end);
    tcase_add_test(tests, an_idle_connection_is_closed_and_a_busy_one_is_not);
    tcase_add_test(tests, replies_that_wait_have_a_limit_in_all);
    tcase_add_test(tests, requests_that_wait_have_a_limit_in_all);
    tcase_add_test(tests,
                   what_is_not_shared_by_a_network_card_is_dealt_in_turn);
}

UNIT_MAIN("limits", add_tests)

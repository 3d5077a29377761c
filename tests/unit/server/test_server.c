/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole server on a loopback port of its own, with several threads, and the
 * clients that give servers trouble. */
#include "tests/unit/server/fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- the port ---- */

START_TEST(clients_are_refused_until_the_server_opens)
{
    char words[SERVER_WORDS_MAX];
    int fd = dial();

    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    ck_assert_uint_eq(stat_of("accepting_conns"), 0);
    ck_assert_int_eq(server_open(server, words), 0);
    fd = dial();
    ck_assert_int_ge(fd, 0);
    say(fd, "version\r\n");
    hear(fd, "VERSION 1.6.45\r\n");
    ck_assert_uint_eq(stat_of("accepting_conns"), 1);
    close(fd);
}
END_TEST

START_TEST(a_port_in_use_is_told_in_words)
{
    struct server_config config = config_of_test();
    char words[SERVER_WORDS_MAX];
    struct server *second;

    config.port = port;
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_eq(server_bind(second, words), -ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(words, "in use"));
    server_free(&second);
}
END_TEST

static const struct {
    const char *listen;
    int error;
    const char *part;
} bad_addresses[] = {
    {"192.0.2.1", -ERR_SYSTEM, "192.0.2.1"},
    {"no host at all", -ERR_SYSTEM, "no host at all"},
    {"127.0.0.1:x", -ERR_SYNTAX, "-l takes HOST"},
    {"127.0.0.1,", -ERR_SYNTAX, "-l takes HOST"},
    {"[::1", -ERR_SYNTAX, "-l takes HOST"},
};

START_TEST(a_bad_address_is_told_in_words)
{
    struct server_config config = config_of_test();
    char words[SERVER_WORDS_MAX];
    struct server *second;

    config.listen = &bad_addresses[_i].listen;
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_eq(server_bind(second, words), bad_addresses[_i].error);
    ck_assert_msg(strstr(words, bad_addresses[_i].part) != NULL, "said: %s",
                  words);
    server_free(&second);
}
END_TEST

struct counted {
    size_t count;
    uint16_t first;
    bool same;
};

static void count_address(void *ctx, const struct server_address *address)
{
    struct counted *counted = ctx;

    if (counted->count++ == 0)
        counted->first = address->port;
    counted->same = counted->first == address->port;
}

START_TEST(several_addresses_of_one_entry_share_a_free_port)
{
    static const char *const addresses[] = {"127.0.0.1;127.0.0.2:0",
                                            "127.0.0.3"};
    struct server_config config = config_of_test();
    struct counted counted = {0};
    char words[SERVER_WORDS_MAX];
    struct server *second;

    config.listen = addresses;
    config.listen_count = 2;
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_eq(server_bind(second, words), 0);
    server_addresses(second, count_address, &counted);
    ck_assert_uint_eq(counted.count, 3);
    server_free(&second);

    config.listen_count = 0;
    counted = (struct counted){0};
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_eq(server_bind(second, words), 0);
    server_addresses(second, count_address, &counted);
    ck_assert_uint_ge(counted.count, 1);
    ck_assert(counted.same);
    server_free(&second);
}
END_TEST

START_TEST(an_address_given_twice_is_bound_once)
{
    static const char *const addresses[] = {"127.0.0.1,127.0.0.1", "127.0.0.1"};
    struct server_config config = config_of_test();
    struct counted counted = {0};
    char words[SERVER_WORDS_MAX];
    struct server *second;

    /* The first one only bound its port, so another may, too. */
    config.port = port;
    config.listen = addresses;
    config.listen_count = 2;
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_eq(server_bind(second, words), 0);
    server_addresses(second, count_address, &counted);
    ck_assert_uint_eq(counted.count, 1);
    server_free(&second);
}
END_TEST

/* ---- the limit of connections ---- */

START_TEST(one_connection_too_many_is_told_so)
{
    int fds[CONNECTIONS_MAX];
    int fd;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        fds[i] = dial_served();
    fd = dial();
    hear(fd, "ERROR Too many open connections\r\n");
    hear_end(fd);
    close(fd);
    ck_assert_uint_eq(stat_of("rejected_connections"), 1);
    ck_assert_uint_eq(stat_of("curr_connections"), CONNECTIONS_MAX);
    close(fds[0]);
    fds[0] = dial_served();
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        close(fds[i]);
}
END_TEST

static void *come_and_go(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int fd = dial();

        ck_assert_int_ge(fd, 0);
        say(fd, "get nothing\r\n");
        if (i % 3 != 0)
            hear(fd, "END\r\n");
        close(fd);
    }
    return NULL;
}

START_TEST(connections_that_come_and_go_leave_nothing)
{
    pthread_t clients[4];

    for (size_t i = 0; i < COUNT_OF(clients); i++)
        ck_assert_int_eq(pthread_create(&clients[i], NULL, come_and_go, NULL),
                         0);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        (void)pthread_join(clients[i], NULL);
    while (stat_of("curr_connections") > 0)
        continue;
    ck_assert_uint_ge(stat_of("total_connections"), 800);
}
END_TEST

/* ---- how bytes come in ---- */

START_TEST(a_client_that_sends_byte_by_byte_is_understood)
{
    static const char text[] =
        "set k 5 0 3\r\nabc\r\nget k\r\nget k nothing\r\n";
    int fd = dial();

    for (size_t i = 0; i < sizeof(text) - 1; i++)
        say_bytes(fd, text + i, 1);
    hear(fd, "STORED\r\nVALUE k 5 3\r\nabc\r\nEND\r\n"
             "VALUE k 5 3\r\nabc\r\nEND\r\n");
    close(fd);
}
END_TEST

START_TEST(a_get_line_longer_than_the_buffer_is_understood)
{
    enum { KEYS = 60000, SIZE = 9 };
    char *line = filled(KEYS * SIZE, ' ');
    int fd = dial();

    for (size_t i = 0; i < KEYS; i++)
        (void)snprintf(line + i * SIZE, SIZE, " k%06zu", i);
    for (size_t i = 0; i < KEYS * SIZE; i++) {
        if (line[i] == '\0')
            line[i] = ' ';
    }
    store(fd, "k000007", 10);
    say(fd, "get");
    say_bytes(fd, line, KEYS * SIZE);
    say(fd, "\r\nversion\r\n");
    hear_value(fd, "k000007", 10);
    hear(fd, "VERSION 1.6.45\r\n");
    free(line);
    close(fd);
}
END_TEST

START_TEST(a_line_without_an_end_ends_the_connection)
{
    char *line = filled(1 << 20, 'x');
    int fd = dial();

    (void)send(fd, line, 1 << 20, MSG_NOSIGNAL);
    hear_end(fd);
    free(line);
    close(fd);
}
END_TEST

START_TEST(a_large_value_arrives_whole_in_any_pieces)
{
    enum { SIZE = 3 << 20 };
    size_t pieces[] = {1, 100, 5000, 65536, 70000, 1 << 20};
    char *value = filled(SIZE, 'v');
    int fd = dial();

    for (size_t k = 0; k < COUNT_OF(pieces); k++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "set large 0 0 %d\r\n", SIZE);
        say(fd, line);
        /* Small pieces at both ends, for speed. */
        for (size_t at = 0; at < SIZE;) {
            size_t piece = at < 3000 || SIZE - at < 3000 ? pieces[k] : SIZE / 2;

            if (piece > SIZE - at)
                piece = SIZE - at;
            say_bytes(fd, value + at, piece);
            at += piece;
        }
        say(fd, "\r\nget large\r\n");
        hear(fd, "STORED\r\n");
        hear_value(fd, "large", SIZE);
    }
    free(value);
    close(fd);
}
END_TEST

START_TEST(what_follows_a_large_value_is_not_lost)
{
    enum { SIZE = 200000, TIMES = 20 };
    char *value = filled(SIZE, 'v');
    int fd = dial();

    for (int i = 0; i < TIMES; i++) {
        char line[64];

        (void)snprintf(line, sizeof(line), "set l 0 0 %d\r\n", SIZE);
        say(fd, line);
        say_bytes(fd, value, SIZE);
        say(fd, "\r\nget nothing\r\nversion\r\n");
    }
    for (int i = 0; i < TIMES; i++)
        hear(fd, "STORED\r\nEND\r\nVERSION 1.6.45\r\n");
    free(value);
    close(fd);
}
END_TEST

/* ---- how bytes go out ---- */

struct speaker {
    int fd;
    int times;
    const char *request;
};

static void *keep_saying(void *arg)
{
    struct speaker *speaker = arg;

    for (int i = 0; i < speaker->times; i++)
        say(speaker->fd, speaker->request);
    return NULL;
}

/* 64 Ki requests, and nobody reads: the server must not hold the replies, and
 * others must not wait. */
START_TEST(a_slow_reader_holds_up_nobody)
{
    enum { TIMES = 65536, SIZE = 1000 };
    struct speaker speaker = {.times = TIMES, .request = "get k\r\n"};
    int other = dial();
    pthread_t thread;

    store(other, "k", SIZE);
    speaker.fd = dial();
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_saying, &speaker), 0);
    for (int i = 0; i < 1000; i++) {
        say(other, "version\r\n");
        hear(other, "VERSION 1.6.45\r\n");
    }
    for (int i = 0; i < TIMES; i++)
        hear_value(speaker.fd, "k", SIZE);
    (void)pthread_join(thread, NULL);
    say(speaker.fd, "version\r\n");
    hear(speaker.fd, "VERSION 1.6.45\r\n");
    close(speaker.fd);
    close(other);
}
END_TEST

START_TEST(large_replies_come_whole_and_in_order)
{
    enum { TIMES = 64, SIZE = 1 << 20 };
    struct speaker speaker = {.times = TIMES, .request = "get a\r\nget b\r\n"};
    pthread_t thread;

    speaker.fd = dial();
    store(speaker.fd, "a", SIZE);
    store(speaker.fd, "b", 7);
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_saying, &speaker), 0);
    for (int i = 0; i < TIMES; i++) {
        hear_value(speaker.fd, "a", SIZE);
        hear_value(speaker.fd, "b", 7);
    }
    (void)pthread_join(thread, NULL);
    close(speaker.fd);
}
END_TEST

/* More than the buffers of both sockets hold, so that the end comes while
 * replies wait. */
START_TEST(replies_before_quit_are_sent)
{
    enum { SIZE = 8 * 1000 * 1000 };
    int fd = dial();

    store(fd, "k", SIZE);
    say(fd, "get k\r\nget k\r\nquit\r\nversion\r\n");
    hear_value(fd, "k", SIZE);
    hear_value(fd, "k", SIZE);
    hear_end(fd);
    close(fd);
}
END_TEST

/* ---- turns ---- */

START_TEST(a_deep_pipeline_gives_way_and_is_counted)
{
    enum { TIMES = 10 * REQUESTS_MAX };
    char requests[TIMES * 9 + 1] = "";
    int fd = dial();

    for (size_t i = 0; i < TIMES; i++)
        memcpy(requests + i * 9, "version\r\n", 10);
    say(fd, requests);
    for (size_t i = 0; i < TIMES; i++)
        hear(fd, "VERSION 1.6.45\r\n");
    /* A reply is counted when it has gone, and may be heard before; by the
     * next one it is. */
    say(fd, "version\r\n");
    hear(fd, "VERSION 1.6.45\r\n");
    ck_assert_uint_ge(stat_of("conn_yields"), 1);
    ck_assert_uint_eq(stat_of("bytes_read"), (TIMES + 1) * 9);
    ck_assert_uint_ge(stat_of("bytes_written"), TIMES * 16);
    server_stats_reset(server);
    ck_assert_uint_eq(stat_of("bytes_read"), 0);
    ck_assert_uint_eq(stat_of("conn_yields"), 0);
    close(fd);
}
END_TEST

static void *pipeline(void *arg)
{
    enum { DEEP = 32, ROUNDS = 200 };
    char requests[DEEP * 9 + 1] = "";
    int fd = dial();

    (void)arg;
    for (size_t i = 0; i < DEEP; i++)
        memcpy(requests + i * 9, "version\r\n", 10);
    for (int round = 0; round < ROUNDS; round++) {
        say(fd, requests);
        for (size_t i = 0; i < DEEP; i++)
            hear(fd, "VERSION 1.6.45\r\n");
    }
    close(fd);
    return NULL;
}

START_TEST(many_pipelines_at_once_are_all_answered)
{
    pthread_t clients[12];

    for (size_t i = 0; i < COUNT_OF(clients); i++)
        ck_assert_int_eq(pthread_create(&clients[i], NULL, pipeline, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        (void)pthread_join(clients[i], NULL);
}
END_TEST

/* ---- the end ---- */

static void *stop_server(void *arg)
{
    (void)arg;
    server_stop(server);
    return NULL;
}

START_TEST(a_stop_sends_what_is_on_its_way)
{
    enum { SIZE = 8 * 1000 * 1000 };
    int fd = dial();
    pthread_t thread;
    char first;

    store(fd, "k", SIZE);
    say(fd, "get k\r\n");
    /* Some of the reply is here, so the rest is on its way. */
    ck_assert_int_eq(recv(fd, &first, 1, MSG_PEEK), 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_server, NULL), 0);
    hear_value(fd, "k", SIZE);
    hear_end(fd);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(dial(), -1);
    close(fd);
}
END_TEST

static void *ask_until_it_ends(void *arg)
{
    int *fd = arg;
    char byte;

    while (send(*fd, "version\r\n", 9, MSG_NOSIGNAL) == 9 &&
           recv(*fd, &byte, 1, 0) == 1)
        continue;
    return NULL;
}

START_TEST(a_stop_while_clients_are_busy_ends)
{
    enum { CLIENTS = 8 };
    pthread_t clients[CLIENTS];
    int fds[CLIENTS];

    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = dial_served();
        ck_assert_int_eq(
            pthread_create(&clients[i], NULL, ask_until_it_ends, &fds[i]), 0);
    }
    while (stat_of("bytes_read") < 10000)
        continue;
    server_stop(server);
    for (size_t i = 0; i < CLIENTS; i++) {
        (void)pthread_join(clients[i], NULL);
        close(fds[i]);
    }
}
END_TEST

START_TEST(a_reader_that_does_not_read_cannot_keep_a_stop_waiting)
{
    struct server_config config = config_of_test();
    char words[SERVER_WORDS_MAX];
    int fd;
    char first;

    server_free(&server);
    config.stop_ms = 50;
    ck_assert_int_eq(server_new(&config, &server), 0);
    ck_assert_int_eq(server_bind(server, words), 0);
    server_addresses(server, note_port, NULL);
    ck_assert_int_eq(server_start(server), 0);
    ck_assert_int_eq(server_open(server, words), 0);
    fd = dial();
    store(fd, "k", 8 * 1000 * 1000);
    say(fd, "get k\r\n");
    ck_assert_int_eq(recv(fd, &first, 1, MSG_PEEK), 1);
    server_stop(server);
    close(fd);
}
END_TEST

/* Here it takes a sanitizer to see who was told. */
START_TEST(an_answer_after_the_stop_finds_who_asked)
{
    int fd = dial();

    say(fd, "repl status\r\n");
    while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) == NULL)
        continue;
    server_stop(server);
    hear_end(fd);
    errand_put(asked, "END\r\n");
    errand_done(&asked);
    server_stop(server); /* Once more changes nothing. */
    close(fd);
}
END_TEST

START_TEST(a_server_that_never_opened_stops)
{
    char words[SERVER_WORDS_MAX];

    server_stop(server);
    ck_assert_int_eq(server_open(server, words), 0);
    ck_assert_int_eq(dial(), -1);
}
END_TEST

static void add_open_tests(TCase *tests)
{
    tcase_add_test(tests, one_connection_too_many_is_told_so);
    tcase_add_test(tests, connections_that_come_and_go_leave_nothing);
    tcase_add_test(tests, a_client_that_sends_byte_by_byte_is_understood);
    tcase_add_test(tests, a_get_line_longer_than_the_buffer_is_understood);
    tcase_add_test(tests, a_line_without_an_end_ends_the_connection);
    tcase_add_test(tests, a_large_value_arrives_whole_in_any_pieces);
    tcase_add_test(tests, what_follows_a_large_value_is_not_lost);
    tcase_add_test(tests, a_slow_reader_holds_up_nobody);
    tcase_add_test(tests, large_replies_come_whole_and_in_order);
    tcase_add_test(tests, replies_before_quit_are_sent);
    tcase_add_test(tests, a_deep_pipeline_gives_way_and_is_counted);
    tcase_add_test(tests, many_pipelines_at_once_are_all_answered);
    tcase_add_test(tests, a_stop_sends_what_is_on_its_way);
    tcase_add_test(tests, a_stop_while_clients_are_busy_ends);
    tcase_add_test(tests,
                   a_reader_that_does_not_read_cannot_keep_a_stop_waiting);
    tcase_add_test(tests, an_answer_after_the_stop_finds_who_asked);
    tcase_add_test(tests, a_port_in_use_is_told_in_words);
}

/* Two fixtures, so this file has a main of its own. */
int main(void)
{
    Suite *suite = suite_create("server");
    TCase *closed = tcase_create("closed");
    TCase *open = tcase_create("open");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(closed, setup, teardown);
    tcase_add_test(closed, clients_are_refused_until_the_server_opens);
    tcase_add_test(closed, a_server_that_never_opened_stops);
    tcase_add_test(closed, an_address_given_twice_is_bound_once);
    tcase_add_test(closed, several_addresses_of_one_entry_share_a_free_port);
    tcase_add_loop_test(closed, a_bad_address_is_told_in_words, 0,
                        (int)COUNT_OF(bad_addresses));
    tcase_add_checked_fixture(open, setup_open, teardown);
    add_open_tests(open);
    suite_add_tcase(suite, closed);
    suite_add_tcase(suite, open);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and replies in datagrams. */
#include "tests/unit/server/fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define DATAGRAM_MAX 1400
#define HEADER 8
#define REPLY_MAX (256 * 1024)

static int udp;
static char reply[REPLY_MAX];
static size_t reply_size;

static void setup_udp(void)
{
    const struct sockaddr_in any = {
        .sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct server_config config = config_of_test();
    struct sockaddr_in address = any;
    int room = 4 * 1024 * 1024;

    config.udp_port = -1;
    setup_with(&config);
    address.sin_port = htons(udp_port);
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_ge(udp, 0);
    (void)setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    ck_assert_int_eq(
        connect(udp, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void teardown_udp(void)
{
    close(udp);
    teardown();
}

static void send_raw(const char *bytes, size_t size)
{
    ck_assert_int_eq(send(udp, bytes, size, 0), (ssize_t)size);
}

static void ask_bytes(uint16_t id, const char *bytes, size_t size)
{
    char datagram[9000] = {(char)(id >> 8), (char)id, 0, 0, 0, 1, 0, 0};

    ck_assert_uint_le(size + HEADER, sizeof(datagram));
    memcpy(datagram + HEADER, bytes, size);
    send_raw(datagram, HEADER + size);
}

static void ask(uint16_t id, const char *text)
{
    ask_bytes(id, text, strlen(text));
}

static unsigned u16_at(const char *at)
{
    return (unsigned)(unsigned char)at[0] << 8 | (unsigned char)at[1];
}

/* A whole series, whose datagrams must be as the protocol says. Returns how
 * many there were. */
static unsigned receive(uint16_t id)
{
    unsigned total = 1;

    reply_size = 0;
    for (unsigned i = 0; i < total; i++) {
        char datagram[65536];
        ssize_t got = recv(udp, datagram, sizeof(datagram), 0);

        ck_assert_msg(got > HEADER, "recv: %s", strerror(errno));
        ck_assert_int_le(got, DATAGRAM_MAX);
        if (i == 0)
            total = u16_at(datagram + 4);
        ck_assert_uint_eq(u16_at(datagram), id);
        ck_assert_uint_eq(u16_at(datagram + 2), i);
        ck_assert_uint_eq(u16_at(datagram + 4), total);
        ck_assert_uint_eq(u16_at(datagram + 6), 0);
        ck_assert(i + 1 == total || got == DATAGRAM_MAX);
        ck_assert_uint_lt(reply_size + (size_t)got, sizeof(reply));
        memcpy(reply + reply_size, datagram + HEADER, (size_t)got - HEADER);
        reply_size += (size_t)got - HEADER;
    }
    reply[reply_size] = '\0';
    return total;
}

static void gives(const char *request, const char *expected)
{
    static uint16_t id = 0xfff0; /* Soon goes over to 0. */

    ask(++id, request);
    ck_assert_uint_eq(receive(id), 1);
    ck_assert_str_eq(reply, expected);
}

START_TEST(commands_are_answered)
{
    gives("get k\r\n", "END\r\n");
    gives("set k 5 0 3\r\nabc\r\n", "STORED\r\n");
    gives("get k\r\n", "VALUE k 5 3\r\nabc\r\nEND\r\n");
    gives("get k k nothing k\r\n",
          "VALUE k 5 3\r\nabc\r\nVALUE k 5 3\r\nabc\r\n"
          "VALUE k 5 3\r\nabc\r\nEND\r\n");
    gives("incr k 1\r\n",
          "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
    gives("mg k v k\r\n", "VA 3 kk\r\nabc\r\n");
    gives("mn\r\n", "MN\r\n");
    gives("nothing\r\n", "ERROR\r\n");
    gives("version\r\nmn\r\n", "VERSION 1.6.45\r\nMN\r\n");
    gives("delete k\r\n", "DELETED\r\n");
    ck_assert_uint_ge(stat_of("bytes_read"), 100);
    ck_assert_uint_ge(stat_of("bytes_written"), 100);
}
END_TEST

/* What is malformed, or asks for no reply, gets none; what comes behind it
 * does. */
static const struct {
    const char *bytes;
    size_t size;
} silent[] = {
#define SILENT(text) \
    { \
        text, sizeof(text) - 1 \
    }
    SILENT(""),
    SILENT("get k\r\n"),                   /* No header. */
    SILENT("\0\1\0\0\0\1\0\0"),            /* Nothing but a header. */
    SILENT("\0\1\0\0\0\2\0\0version\r\n"), /* The first of two. */
    SILENT("\0\1\0\1\0\2\0\0version\r\n"),
    SILENT("\0\1\0\0\0\0\0\0version\r\n"),
    SILENT("\0\1\0\0\0\1\0\0version"), /* No end of line. */
    SILENT("\0\1\0\0\0\1\0\0quit\r\n"),
    SILENT("\0\1\0\0\0\1\0\0set k 0 0 1 noreply\r\nx\r\n"),
    SILENT("\0\1\0\0\0\1\0\0set k 0 0 9 noreply\r\nx\r\n"),
    SILENT("\0\1\0\0\0\1\0\0set k 0 0 99999 noreply\r\nx\r\n"),
    SILENT("\0\1\0\0\0\1\0\0mg k q\r\n"),
    /* Binary: half a header; sets of 9 and of 65,527 bytes, all of which but
     * the key's are missing or look like text. */
    SILENT("\0\1\0\0\0\1\0\0\200\1\0\1\10"),
    SILENT("\0\1\0\0\0\1\0\0\200\1\0\1\10\0\0\0\0\0\0\22"
           "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0k"),
    SILENT("\0\1\0\0\0\1\0\0\200\1\0\1\10\0\0\0\0\0\377\377"
           "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0k\n"),
};

START_TEST(what_is_to_be_silent_is)
{
    send_raw(silent[_i].bytes, silent[_i].size);
    gives("mn\r\n", "MN\r\n");
}
END_TEST

/* Nothing of a datagram is left when the next one comes. */
START_TEST(a_value_beyond_its_datagram_is_refused)
{
    char request[7000];
    int used = snprintf(request, sizeof(request), "set k 0 0 100000\r\n");

    gives("set k 0 0 3\r\nabc\r\n", "STORED\r\n");
    gives("set k 0 0 10\r\nabc", "CLIENT_ERROR bad data chunk\r\n");
    gives("set k 0 0 3\r\n", "CLIENT_ERROR bad data chunk\r\n");
    memset(request + used, 'v', sizeof(request) - (size_t)used - 1);
    request[sizeof(request) - 1] = '\0';
    gives(request, "CLIENT_ERROR bad data chunk\r\n");
    gives("ms k 10\r\nabc", "CLIENT_ERROR bad data chunk\r\n");
    gives("get k\r\n", "VALUE k 0 3\r\nabc\r\nEND\r\n");
}
END_TEST

START_TEST(a_value_of_one_datagram_is_stored)
{
    enum { SIZE = 8000 };
    char request[SIZE + 100];
    int used = snprintf(request, sizeof(request), "set k 0 0 %d\r\n", SIZE);

    memset(request + used, 'v', SIZE);
    memcpy(request + used + SIZE, "\r\n", 3);
    gives(request, "STORED\r\n");
    ask(3, "get k\r\n");
    ck_assert_uint_eq(receive(3), 6);
    ck_assert_uint_eq(reply_size,
                      SIZE + strlen("VALUE k 0 8000\r\n\r\nEND\r\n"));
}
END_TEST

START_TEST(a_large_reply_is_one_series)
{
    enum { SIZE = 50000 };
    int fd = dial_served();

    store(fd, "a", SIZE);
    store(fd, "b", SIZE);
    ask(0xffff, "get a b nothing\r\n");
    ck_assert_uint_eq(receive(0xffff), 72);
    ck_assert_uint_eq(reply_size,
                      2 * (SIZE + strlen("VALUE a 0 50000\r\n\r\n")) + 5);
    ck_assert_mem_eq(reply + reply_size - 7, "\r\nEND\r\n", 7);
    close(fd);
}
END_TEST

START_TEST(a_reply_beyond_all_bounds_is_refused)
{
    enum { SIZE = 1000 * 1000 };
    char request[200] = "get";
    int fd = dial_served();

    store(fd, "k", SIZE);
    for (int i = 0; i < 17; i++)
        memcpy(request + 3 + i * 2, " k", 2);
    memcpy(request + 3 + 17 * 2, "\r\n", 3);
    gives(request, "SERVER_ERROR reply is too large for UDP\r\n");
    gives("mn\r\n", "MN\r\n");
    close(fd);
}
END_TEST

START_TEST(many_clients_are_served_by_all_workers)
{
    enum { CLIENTS = 50 };
    int fds[CLIENTS];
    struct sockaddr_in address;
    socklen_t size = sizeof(address);

    ck_assert_int_eq(getpeername(udp, (struct sockaddr *)&address, &size), 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        ck_assert_int_eq(
            connect(fds[i], (const struct sockaddr *)&address, size), 0);
        ck_assert_int_eq(send(fds[i], "\0\1\0\0\0\1\0\0mn\r\n", 12, 0), 12);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        char datagram[100];

        ck_assert_int_eq(recv(fds[i], datagram, sizeof(datagram), 0), 12);
        ck_assert_mem_eq(datagram + HEADER, "MN\r\n", 4);
        close(fds[i]);
    }
}
END_TEST

START_TEST(stats_conns_shows_the_sockets)
{
    char value[STATS_VALUE_MAX];
    unsigned found = 0;

    for (int i = 0; i < 200; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "%d:UDP", i);
        if (!conns_line(name, value))
            continue;
        found++;
        ck_assert_str_eq(value, "UDP");
        (void)snprintf(name, sizeof(name), "%d:addr", i);
        ck_assert(conns_line(name, value));
        ck_assert_int_eq(strncmp(value, "udp:127.0.0.1:", 14), 0);
    }
    ck_assert_uint_eq(found, THREADS);
}
END_TEST

START_TEST(a_udp_port_in_use_is_told_in_words)
{
    struct server_config config = config_of_test();
    char words[SERVER_WORDS_MAX];
    struct server *second;

    config.port = 0;
    config.udp_port = udp_port;
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_eq(server_bind(second, words), -ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(words, "UDP port"));
    ck_assert_ptr_nonnull(strstr(words, "in use"));
    server_free(&second);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup_udp, teardown_udp);
    tcase_add_test(tests, commands_are_answered);
    tcase_add_loop_test(tests, what_is_to_be_silent_is, 0,
                        (int)COUNT_OF(silent));
    tcase_add_test(tests, a_value_beyond_its_datagram_is_refused);
    tcase_add_test(tests, a_value_of_one_datagram_is_stored);
    tcase_add_test(tests, a_large_reply_is_one_series);
    tcase_add_test(tests, a_reply_beyond_all_bounds_is_refused);
    tcase_add_test(tests, many_clients_are_served_by_all_workers);
    tcase_add_test(tests, stats_conns_shows_the_sockets);
    tcase_add_test(tests, a_udp_port_in_use_is_told_in_words);
}

UNIT_MAIN("udp", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/dialer.h"

#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct outcome {
    struct dialer dialer;
    uv_loop_t loop;
    unsigned ends;
    unsigned lookups;
    int fd;
    char why[100];
};

static void on_done(void *ctx, int fd, const char *why)
{
    struct outcome *outcome = ctx;

    outcome->ends++;
    outcome->fd = fd;
    (void)snprintf(outcome->why, sizeof(outcome->why), "%s",
                   why != NULL ? why : "");
    uv_stop(&outcome->loop);
}

static void on_resolved(void *ctx, const struct address_list *addresses)
{
    struct outcome *outcome = ctx;

    ck_assert_uint_ge(addresses->count, 1);
    outcome->lookups++;
}

static void open_dialer(struct outcome *outcome, const char *host,
                        uint16_t port)
{
    memset(outcome, 0, sizeof(*outcome));
    ck_assert_int_eq(uv_loop_init(&outcome->loop), 0);
    outcome->dialer.loop = &outcome->loop;
    outcome->dialer.host = host;
    outcome->dialer.port = port;
    outcome->dialer.done = on_done;
    outcome->dialer.resolved = on_resolved;
    outcome->dialer.ctx = outcome;
    ck_assert_int_eq(dialer_init(&outcome->dialer), 0);
}

static void close_dialer(struct outcome *outcome)
{
    dialer_stop(&outcome->dialer);
    (void)uv_run(&outcome->loop, UV_RUN_DEFAULT);
    ck_assert(dialer_stopped(&outcome->dialer));
    ck_assert_int_eq(uv_loop_close(&outcome->loop), 0);
}

/* Ends with the dial. */
static void dial(struct outcome *outcome)
{
    unsigned before = outcome->ends;

    dialer_start(&outcome->dialer);
    ck_assert_uint_eq(outcome->ends, before); /* Not from inside. */
    (void)uv_run(&outcome->loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(outcome->ends, before + 1);
}

/* A port of 127.0.0.1 whose queue takes so many, or -1: nobody listens. */
static int open_port(int backlog, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    if (backlog >= 0)
        ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

START_TEST(a_peer_that_is_there_is_reached_again_and_again)
{
    struct outcome outcome;
    uint16_t port;
    int i, fd = open_port(8, &port);

    open_dialer(&outcome, "127.0.0.1", port);
    for (i = 0; i < 3; i++) {
        dial(&outcome);
        ck_assert_int_ge(outcome.fd, 0);
        (void)close(outcome.fd);
    }
    close_dialer(&outcome);
    (void)close(fd);
}
END_TEST

START_TEST(a_name_is_looked_up_each_time)
{
    struct outcome outcome;
    uint16_t port;
    unsigned i;
    int fd = open_port(8, &port);

    open_dialer(&outcome, "localhost", port);
    for (i = 1; i <= 3; i++) {
        dial(&outcome);
        ck_assert_int_ge(outcome.fd, 0);
        ck_assert_uint_eq(outcome.lookups, i);
        (void)close(outcome.fd);
    }
    close_dialer(&outcome);
    (void)close(fd);
}
END_TEST

START_TEST(a_closed_port_says_so_at_once)
{
    struct outcome outcome;
    uint64_t since_ms;
    uint16_t port;
    int fd = open_port(-1, &port);

    open_dialer(&outcome, "127.0.0.1", port);
    since_ms = uv_now(&outcome.loop);
    dial(&outcome);
    ck_assert_int_eq(outcome.fd, -1);
    ck_assert_str_eq(outcome.why, "connection refused");
    ck_assert_uint_lt(uv_now(&outcome.loop) - since_ms, DIALER_WAIT_MS);
    close_dialer(&outcome);
    (void)close(fd);
}
END_TEST

/* With its queue full the kernel answers nobody: a host that is down. */
static void fill_queue(struct outcome *outcome, int queued[2])
{
    int i;

    for (i = 0; i < 2; i++) {
        dial(outcome);
        queued[i] = outcome->fd;
        ck_assert_int_ge(queued[i], 0);
    }
}

static uint64_t ms_without_answer(struct outcome *outcome)
{
    uint64_t since_ms = uv_now(&outcome->loop);

    dial(outcome);
    ck_assert_int_eq(outcome->fd, -1);
    ck_assert_str_eq(outcome->why, "no answer");
    return uv_now(&outcome->loop) - since_ms;
}

START_TEST(no_answer_is_the_end_of_a_dial_and_of_later_ones_sooner)
{
    struct outcome full, outcome;
    uint16_t port;
    int queued[2], fd = open_port(1, &port);

    open_dialer(&full, "127.0.0.1", port);
    open_dialer(&outcome, "127.0.0.1", port);
    fill_queue(&full, queued);
    ck_assert_uint_ge(ms_without_answer(&outcome), DIALER_WAIT_MS - 50);
    ck_assert_uint_eq(outcome.dialer.wait_ms, DIALER_RETRY_WAIT_MS);
    ck_assert_uint_ge(ms_without_answer(&outcome), DIALER_RETRY_WAIT_MS - 50);
    close_dialer(&outcome);
    close_dialer(&full);
    (void)close(queued[0]);
    (void)close(queued[1]);
    (void)close(fd);
}
END_TEST

START_TEST(a_stop_ends_a_dial_in_silence)
{
    struct outcome outcome;
    uint16_t port;
    int queued[2], fd = open_port(1, &port);

    open_dialer(&outcome, "127.0.0.1", port);
    fill_queue(&outcome, queued);
    dialer_start(&outcome.dialer);
    (void)uv_run(&outcome.loop, UV_RUN_ONCE);
    close_dialer(&outcome);
    ck_assert_uint_eq(outcome.ends, 2); /* Those before. */
    (void)close(queued[0]);
    (void)close(queued[1]);
    (void)close(fd);
}
END_TEST

START_TEST(the_peer_sees_the_address_that_we_listen_on)
{
    struct address_list sources;
    struct address from = {.size = sizeof(from.storage)};
    struct outcome outcome;
    uint16_t port;
    int accepted, fd = open_port(8, &port);

    ck_assert_int_eq(address_list_resolve(&sources, "127.0.0.7", 11212), 0);
    open_dialer(&outcome, "127.0.0.1", port);
    outcome.dialer.sources = &sources;
    dial(&outcome);
    ck_assert_int_ge(outcome.fd, 0);
    accepted = accept(fd, (struct sockaddr *)&from.storage, &from.size);
    ck_assert_int_ge(accepted, 0);
    ck_assert(address_same_host(&from, &sources.at[0]));
    (void)close(accepted);
    (void)close(outcome.fd);
    close_dialer(&outcome);
    (void)close(fd);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_peer_that_is_there_is_reached_again_and_again);
    tcase_add_test(tests, a_name_is_looked_up_each_time);
    tcase_add_test(tests, a_closed_port_says_so_at_once);
    tcase_add_test(tests,
                   no_answer_is_the_end_of_a_dial_and_of_later_ones_sooner);
    tcase_add_test(tests, a_stop_ends_a_dial_in_silence);
    tcase_add_test(tests, the_peer_sees_the_address_that_we_listen_on);
}
UNIT_MAIN("dialer", add_tests)

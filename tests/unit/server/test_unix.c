/* SPDX-License-Identifier: BSD-3-Clause */
/* The UNIX socket: its file, whom it lets in, and what it refuses. */
#include "tests/unit/server/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char directory[] = "/tmp/twin-unix-XXXXXX";
static char path[64];

static void make_directory(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/s", directory);
}

static void clean_up(void)
{
    teardown();
    (void)unlink(path);
    (void)rmdir(directory);
}

static struct server_config config_of_unix(void)
{
    struct server_config config = config_of_test();

    config.port = 0;
    config.unix_path = path;
    config.unix_mode = 0700;
    return config;
}

static int dial_path(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    memcpy(address.sun_path, path, strlen(path));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void leave_a_socket(bool listening, int *fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(address.sun_path, path, strlen(path));
    ck_assert_int_eq(
        bind(*fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    if (listening)
        ck_assert_int_eq(listen(*fd, 1), 0);
}

static void serves(int fd)
{
    ck_assert_int_ge(fd, 0);
    say(fd, "version\r\n");
    hear(fd, "VERSION 1.6.45\r\n");
    close(fd);
}

START_TEST(clients_come_in_by_the_file_alone)
{
    struct server_config config = config_of_unix();
    struct stat file;

    setup_with(&config);
    ck_assert_int_eq(lstat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777u, 0700);
    serves(dial_path());
    server_stop(server);
    ck_assert_int_ne(lstat(path, &file), 0);
}
END_TEST

START_TEST(the_file_and_a_port_serve_together)
{
    struct server_config config = config_of_unix();
    struct stat file;

    config.port = -1;
    config.unix_mode = 0766;
    setup_with(&config);
    serves(dial_path());
    serves(dial());
    ck_assert_int_eq(lstat(path, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777u, 0766);
}
END_TEST

START_TEST(a_file_that_a_daemon_left_is_replaced)
{
    struct server_config config = config_of_unix();
    int fd;

    leave_a_socket(false, &fd);
    close(fd);
    setup_with(&config);
    serves(dial_path());
}
END_TEST

static void refused(const char *part)
{
    struct server_config config = config_of_unix();
    struct server *second;
    char words[SERVER_WORDS_MAX] = "";
    struct stat before, after;

    ck_assert_int_eq(lstat(path, &before), 0);
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_lt(server_bind(second, words), 0);
    ck_assert_msg(strstr(words, part) != NULL, "said: %s", words);
    server_free(&second);
    ck_assert_int_eq(lstat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
}

/* A daemon that waits for its peer's data has bound its socket and does not
 * listen yet. */
START_TEST(a_file_where_somebody_will_listen_is_left_alone)
{
    int fd;

    setup();
    leave_a_socket(false, &fd);
    refused("another program");
    close(fd);
}
END_TEST

START_TEST(a_file_where_somebody_listens_is_left_alone)
{
    int fd, client;

    setup();
    leave_a_socket(true, &fd);
    refused("another program");
    client = dial_path();
    ck_assert_int_ge(client, 0);
    close(client);
    close(fd);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
    FILE *file;

    setup();
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fclose(file);
    refused("no socket");
}
END_TEST

START_TEST(a_name_that_is_too_long_is_told)
{
    struct server_config config;
    struct server *second;
    char words[SERVER_WORDS_MAX] = "";
    char name[200];

    setup();
    config = config_of_unix();
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    config.unix_path = name;
    ck_assert_int_eq(server_new(&config, &second), 0);
    ck_assert_int_lt(server_bind(second, words), 0);
    ck_assert_ptr_nonnull(strstr(words, "too long"));
    server_free(&second);
}
END_TEST

/* Somebody else's file, put there meanwhile, is not removed at the end. */
START_TEST(only_the_own_file_is_removed)
{
    struct server_config config = config_of_unix();
    struct stat file;
    int fd;

    setup_with(&config);
    ck_assert_int_eq(unlink(path), 0);
    leave_a_socket(true, &fd);
    server_stop(server);
    ck_assert_int_eq(lstat(path, &file), 0);
    close(fd);
}
END_TEST

START_TEST(stats_conns_shows_the_file)
{
    struct server_config config = config_of_unix();
    char value[STATS_VALUE_MAX];
    char expected[100];
    bool found = false;
    int fd;

    setup_with(&config);
    fd = dial_path();
    say(fd, "version\r\n");
    hear(fd, "VERSION 1.6.45\r\n");
    (void)snprintf(expected, sizeof(expected), "unix:%s", path);
    for (int i = 0; i < 200; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "%d:listen_addr", i);
        if (!conns_line(name, value))
            continue;
        ck_assert_str_eq(value, expected);
        found = true;
    }
    ck_assert(found);
    close(fd);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, make_directory, clean_up);
    tcase_add_test(tests, clients_come_in_by_the_file_alone);
    tcase_add_test(tests, the_file_and_a_port_serve_together);
    tcase_add_test(tests, a_file_that_a_daemon_left_is_replaced);
    tcase_add_test(tests, a_file_where_somebody_listens_is_left_alone);
    tcase_add_test(tests, a_file_where_somebody_will_listen_is_left_alone);
    tcase_add_test(tests, a_file_that_is_no_socket_is_left_alone);
    tcase_add_test(tests, a_name_that_is_too_long_is_told);
    tcase_add_test(tests, only_the_own_file_is_removed);
    tcase_add_test(tests, stats_conns_shows_the_file);
}

UNIT_MAIN("unix", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/log.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4
#define LINES_EACH 2000

struct caught {
    char line[2 * LOG_LINE_MAX];
    enum log_level level;
    unsigned count;
};

static void catch_line(void *ctx, enum log_level level, const char *line)
{
    struct caught *caught = ctx;

    (void)snprintf(caught->line, sizeof(caught->line), "%s", line);
    caught->level = level;
    caught->count++;
}

START_TEST(shows_what_the_verbosity_asks_for)
{
    struct caught caught = {.count = 0};

    log_set_sink(catch_line, &caught);
    log_set_verbosity(0);
    log_v(LOG_LEVEL_V, "v");
    log_line(LOG_LEVEL_V, "v");
    ck_assert_uint_eq(caught.count, 0);
    log_error("peer %d", 7);
    ck_assert_uint_eq(caught.count, 1);
    ck_assert_str_eq(caught.line, "peer 7");
    ck_assert_int_eq(caught.level, LOG_LEVEL_ERROR);
    log_notice("alone");
    ck_assert_uint_eq(caught.count, 2);

    log_set_verbosity(2);
    ck_assert_int_eq(log_verbosity(), 2);
    log_v(LOG_LEVEL_VV, "vv");
    ck_assert_uint_eq(caught.count, 3);
    log_v(LOG_LEVEL_VVV, "vvv");
    ck_assert_uint_eq(caught.count, 3);
}
END_TEST

START_TEST(errors_are_shown_whatever_was_asked)
{
    struct caught caught = {.count = 0};

    log_set_sink(catch_line, &caught);
    log_set_verbosity(-100);
    log_error("still here");
    log_notice("still here");
    ck_assert_uint_eq(caught.count, 2);
}
END_TEST

/* Sends stderr to a file, and back. */
struct diverted {
    FILE *file;
    int stderr_fd;
};

static void divert(struct diverted *diverted)
{
    diverted->file = tmpfile();
    ck_assert_ptr_nonnull(diverted->file);
    diverted->stderr_fd = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(fileno(diverted->file), STDERR_FILENO), 0);
    log_set_sink(NULL, NULL);
}

static void restore(struct diverted *diverted)
{
    ck_assert_int_ge(dup2(diverted->stderr_fd, STDERR_FILENO), 0);
    close(diverted->stderr_fd);
    rewind(diverted->file);
}

START_TEST(a_long_line_is_cut)
{
    struct diverted diverted;
    char text[3 * LOG_LINE_MAX];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    divert(&diverted);
    log_error("%s", text);
    restore(&diverted);
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), diverted.file));
    ck_assert_uint_eq(strlen(text), LOG_LINE_MAX);
    ck_assert_int_eq(text[LOG_LINE_MAX - 2], 'x');
    ck_assert_int_eq(text[LOG_LINE_MAX - 1], '\n');
    ck_assert_ptr_null(fgets(text, sizeof(text), diverted.file));
    fclose(diverted.file);
}
END_TEST

START_TEST(bytes_of_a_key_cannot_forge_a_line)
{
    struct caught caught = {.count = 0};

    log_set_sink(catch_line, &caught);
    log_error("key %s", "a\nb\033[2J\177\303\244");
    ck_assert_str_eq(caught.line, "key a?b?[2J?\303\244");
}
END_TEST

static void fail_line(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
    errno = EIO;
}

START_TEST(keeps_errno)
{
    log_set_sink(fail_line, NULL);
    errno = ENOENT;
    log_error("gone");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static pthread_barrier_t start; /* Lest the first be done before the last. */

static void *write_lines(void *ctx)
{
    const char *text = ctx;
    unsigned i;

    (void)pthread_barrier_wait(&start);
    for (i = 0; i < LINES_EACH; i++)
        log_error("%s%s%s%s", text, text, text, text);
    return NULL;
}

/* Whether every line of the file is four times one of the texts. */
static bool lines_are_whole(FILE *file, unsigned *count)
{
    char line[256];

    for (*count = 0; fgets(line, sizeof(line), file) != NULL; ++*count) {
        if (strlen(line) != 41 || strspn(line, (char[]){line[0], 0}) != 40)
            return false;
    }
    return true;
}

START_TEST(lines_of_threads_never_mix)
{
    static char texts[THREADS][11] = {"aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc",
                                      "dddddddddd"};
    pthread_t threads[THREADS];
    struct diverted diverted;
    unsigned count;
    unsigned t;

    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
    divert(&diverted);
    for (t = 0; t < THREADS; t++)
        ck_assert_int_eq(
            pthread_create(&threads[t], NULL, write_lines, texts[t]), 0);
    for (t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    restore(&diverted);

    ck_assert(lines_are_whole(diverted.file, &count));
    ck_assert_uint_eq(count, THREADS * LINES_EACH);
    fclose(diverted.file);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, shows_what_the_verbosity_asks_for);
    tcase_add_test(tests, errors_are_shown_whatever_was_asked);
    tcase_add_test(tests, a_long_line_is_cut);
    tcase_add_test(tests, bytes_of_a_key_cannot_forge_a_line);
    tcase_add_test(tests, keeps_errno);
    tcase_add_test(tests, lines_of_threads_never_mix);
}
UNIT_MAIN("log", add_tests)

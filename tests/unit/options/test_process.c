/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/process.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/time.h>
#include <sysexits.h>

#define LIMIT_MS 100

/* A child whose stop waits for ever, and writes its log there. */
static pid_t stop_in_child(int log, bool lifts)
{
    struct itimerval left;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child > 0)
        return child;
    (void)dup2(log, STDERR_FILENO);
    process_limit_stop(LIMIT_MS);
    process_stop_awaits("a test");
    if (lifts) {
        process_lift_limit();
        (void)getitimer(ITIMER_REAL, &left);
        _exit(left.it_value.tv_sec != 0 || left.it_value.tv_usec != 0);
    }
    for (;;)
        (void)pause();
}

static int status_of(pid_t child)
{
    int status;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(a_stop_that_waits_too_long_says_for_what_and_ends)
{
    const char *said = "the stop took too long, still waiting for a test: "
                       "ending without it\n";
    char heard[200] = "";
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(status_of(stop_in_child(ends[1], false)), EX_SOFTWARE);
    ck_assert_int_gt(read(ends[0], heard, sizeof(heard) - 1), 0);
    ck_assert_str_eq(heard, said);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_log_that_nobody_reads_does_not_keep_it)
{
    char full[4096] = "";
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], full, sizeof(full)) > 0)
        continue;
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    ck_assert_int_eq(status_of(stop_in_child(ends[1], false)), EX_SOFTWARE);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

START_TEST(a_limit_that_was_lifted_ends_nothing)
{
    ck_assert_int_eq(status_of(stop_in_child(STDERR_FILENO, true)), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_stop_that_waits_too_long_says_for_what_and_ends);
    tcase_add_test(tests, a_log_that_nobody_reads_does_not_keep_it);
    tcase_add_test(tests, a_limit_that_was_lifted_ends_nothing);
}
UNIT_MAIN("process", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* What every unit test program has in common. A test file ends with
 *
 *   static void add_tests(TCase *tests)
 *   {
 *       tcase_add_test(tests, zero_is_a_number);
 *   }
 *   UNIT_MAIN("number", add_tests)
 *
 * Each test runs in a process of its own; CK_FORK=no runs them in one, for a
 * debugger. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#if defined(__has_include) && !__has_include(<check.h>)
#error "check is missing: on Debian, install check"
#endif
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void unit_add_fn(TCase *tests);

/* A bound for a test that hangs; on a busy machine all are slow. */
#define UNIT_BOUND_S 60

static inline int unit_run(const char *name, unit_add_fn *add)
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tests, UNIT_BOUND_S);
    add(tests);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* In the child: no words on the terminal, no core on the disk. */
static inline void unit_hush(void)
{
    const struct rlimit none = {0, 0};
    int null = open("/dev/null", O_WRONLY);

    if (null >= 0)
        (void)dup2(null, STDERR_FILENO);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static inline int unit_aborted(pid_t child)
{
    int status = 0;

    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

/* The statement breaks an invariant: tried in a child, with or without
 * CK_FORK. */
#define unit_assert_aborts(statement) \
    do { \
        pid_t unit_child = fork(); \
        if (unit_child == 0) { \
            unit_hush(); \
            statement; \
            _exit(EXIT_SUCCESS); \
        } \
        ck_assert_msg(unit_aborted(unit_child), "did not abort: %s", \
                      #statement); \
    } while (0)

#define UNIT_MAIN(name, add) \
    int main(void) \
    { \
        return unit_run(name, add); \
    }

#endif

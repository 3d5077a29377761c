/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses as people type them. */
#include "src/server/endpoint.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    int error;
    const char *host;
    int port; /* Below 0: none. */
} rows[] = {
    {"a", 0, "a", -1},
    {"a:1", 0, "a", 1},
    {"10.0.0.1:65535", 0, "10.0.0.1", 65535},
    {"10.0.0.1:65536", -ERR_RANGE, "", 0},
    {"a:", -ERR_SYNTAX, "", 0},
    {"a:x", -ERR_SYNTAX, "", 0},
    {"a:-1", -ERR_SYNTAX, "", 0},
    {":1", 0, "", 1},
    {"", -ERR_SYNTAX, "", 0},
    {"::1", 0, "::1", -1},
    {"fd00::2:11212", 0, "fd00::2:11212", -1},
    {"[::1]", 0, "::1", -1},
    {"[::1]:80", 0, "::1", 80},
    {"[::1]80", -ERR_SYNTAX, "", 0},
    {"[::1]:", -ERR_SYNTAX, "", 0},
    {"[::1", -ERR_SYNTAX, "", 0},
    {"*", 0, "*", -1},
};

START_TEST(each_address_is_read_as_written)
{
    struct endpoint endpoint;

    ck_assert_int_eq(endpoint_parse(slice_of(rows[_i].text), &endpoint),
                     rows[_i].error);
    if (rows[_i].error != 0)
        return;
    ck_assert_str_eq(endpoint.host, rows[_i].host);
    ck_assert_int_eq(endpoint.has_port, rows[_i].port >= 0);
    if (rows[_i].port >= 0)
        ck_assert_int_eq(endpoint.port, rows[_i].port);
}
END_TEST

START_TEST(a_host_beyond_the_limit_is_refused)
{
    char text[ENDPOINT_HOST_MAX + 1];
    struct endpoint endpoint;

    memset(text, 'a', sizeof(text));
    ck_assert_int_eq(
        endpoint_parse(slice_make(text, ENDPOINT_HOST_MAX - 1), &endpoint), 0);
    ck_assert_int_eq(
        endpoint_parse(slice_make(text, ENDPOINT_HOST_MAX), &endpoint),
        -ERR_SYNTAX);
}
END_TEST

START_TEST(a_NUL_in_a_host_is_refused)
{
    struct endpoint endpoint;

    ck_assert_int_eq(endpoint_parse(slice_make("a\0b", 3), &endpoint),
                     -ERR_SYNTAX);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_address_is_read_as_written, 0,
                        (int)COUNT_OF(rows));
    tcase_add_test(tests, a_host_beyond_the_limit_is_refused);
    tcase_add_test(tests, a_NUL_in_a_host_is_refused);
}

UNIT_MAIN("endpoint", add_tests)

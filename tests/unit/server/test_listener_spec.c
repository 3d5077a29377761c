/* SPDX-License-Identifier: BSD-3-Clause */
/* Entries of -l as people type them. */
#include "src/server/listener_spec.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    const char *host;
    int port; /* Below 0: none. */
    enum listener_tls tls;
    int protocol; /* Below 0: none. */
    const char *tag;
} rows[] = {
    {"10.0.0.1", "10.0.0.1", -1, LISTENER_TLS_DEFAULT, -1, ""},
    {"[::1]:80", "::1", 80, LISTENER_TLS_DEFAULT, -1, ""},
    {"*", "*", -1, LISTENER_TLS_DEFAULT, -1, ""},
    {"notls:a", "a", -1, LISTENER_TLS_OFF, -1, ""},
    {"notls:a:1", "a", 1, LISTENER_TLS_OFF, -1, ""},
    {"btls:[::1]:1", "::1", 1, LISTENER_TLS_BASIC, -1, ""},
    {"mtls:::1", "::1", -1, LISTENER_TLS_MUTUAL, -1, ""},
    {"proto[ascii]:a:1", "a", 1, LISTENER_TLS_DEFAULT, SESSION_TEXT, ""},
    {"proto[binary]:a", "a", -1, LISTENER_TLS_DEFAULT, SESSION_BINARY, ""},
    {"proto[negotiating]:a", "a", -1, LISTENER_TLS_DEFAULT, SESSION_AUTO, ""},
    {"tag[b]:a:1", "a", 1, LISTENER_TLS_DEFAULT, -1, "b"},
    {"tag_12345678_:a", "a", -1, LISTENER_TLS_DEFAULT, -1, "12345678"},
    {"tag[x]:proto[ascii]:mtls:a:2", "a", 2, LISTENER_TLS_MUTUAL, SESSION_TEXT,
     "x"},
    {"mtls:proto[binary]:tag_x_:[fd00::1]:2", "fd00::1", 2, LISTENER_TLS_MUTUAL,
     SESSION_BINARY, "x"},
};

START_TEST(each_entry_is_read_as_written)
{
    char words[SERVER_WORDS_MAX];
    struct listener_spec spec;

    ck_assert_int_eq(listener_spec_parse(slice_of(rows[_i].text), &spec, words),
                     0);
    ck_assert_str_eq(spec.endpoint.host, rows[_i].host);
    ck_assert_int_eq(spec.endpoint.has_port, rows[_i].port >= 0);
    if (rows[_i].port >= 0)
        ck_assert_int_eq(spec.endpoint.port, rows[_i].port);
    ck_assert_int_eq(spec.tls, rows[_i].tls);
    ck_assert_int_eq(spec.has_protocol, rows[_i].protocol >= 0);
    if (rows[_i].protocol >= 0)
        ck_assert_int_eq((int)spec.protocol, rows[_i].protocol);
    ck_assert_str_eq(spec.tag, rows[_i].tag);
}
END_TEST

static const struct {
    const char *text;
    const char *part; /* Of the words. */
} bad[] = {
    {"", "-l takes HOST"},
    {"notls:", "-l takes HOST"},
    {"a:x", "-l takes HOST"},
    {"proto[proxy]:a", "there is no proxy"},
    {"proto[]:a", "proto[ascii]:"},
    {"proto[ascii]a", "proto[ascii]:"},
    {"proto[ascii", "proto[ascii]:"},
    {"proto[ascii]", "proto[ascii]:"},
    {"tag[]:a", "1 to 8"},
    {"tag[123456789]:a", "1 to 8"},
    {"tag[x:a", "1 to 8"},
    {"tag_x", "1 to 8"},
    {"tag__:a", "1 to 8"},
};

START_TEST(what_is_no_entry_is_told_in_words)
{
    char words[SERVER_WORDS_MAX] = "";
    struct listener_spec spec;

    ck_assert_int_eq(listener_spec_parse(slice_of(bad[_i].text), &spec, words),
                     -ERR_SYNTAX);
    ck_assert_msg(strstr(words, bad[_i].part) != NULL, "said: %s", words);
}
END_TEST

START_TEST(a_list_is_cut_at_commas_and_semicolons)
{
    static const char *const entries[] = {"a:1", "[::1]", "", "tag[x]:b"};
    const char *text = "a:1,[::1];,tag[x]:b";
    struct slice entry;

    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        ck_assert(listener_spec_next(&text, &entry));
        ck_assert(slice_equal(entry, slice_of(entries[i])));
    }
    ck_assert(!listener_spec_next(&text, &entry));
    ck_assert_ptr_null(text);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_entry_is_read_as_written, 0,
                        (int)COUNT_OF(rows));
    tcase_add_loop_test(tests, what_is_no_entry_is_told_in_words, 0,
                        (int)COUNT_OF(bad));
    tcase_add_test(tests, a_list_is_cut_at_commas_and_semicolons);
}

UNIT_MAIN("listener_spec", add_tests)

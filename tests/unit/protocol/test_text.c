/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/protocol/text.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define S(text) \
    { \
        text, sizeof(text) - 1 \
    }
#define KEY_250 \
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
    "k" \
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
    "k" \
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
    "k" \
    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define WORDS_10 " a a a a a a a a a a"

#define OTHER(line) \
    { \
        S(line), { .verb = REQUEST_ADMIN, .rest = S(line) } \
    }
#define BAD(v) \
    { \
        .verb = REQUEST_##v, .error = REQUEST_BAD_LINE \
    }
#define KEYS(v, k, r) \
    { \
        .verb = REQUEST_##v, .key = S(k), .rest = S(r) \
    }
#define STORE(v, k, f, e, n) \
    { \
        .verb = REQUEST_##v, .key = S(k), .client_flags = (f), \
        .exptime_s = (e), .value_size = (n), .has_value = true \
    }
#define HUSH(v, k, n) \
    { \
        .verb = REQUEST_##v, .key = S(k), .value_size = (n), \
        .has_value = true, .noreply = true \
    }
/* A value whose line is wrong but which can be skipped. */
#define SKIP(v, k, n) \
    { \
        .verb = REQUEST_##v, .key = S(k), .value_size = (n), \
        .has_value = true, .error = REQUEST_BAD_LINE \
    }

static const struct {
    struct slice line;
    struct request request;
} rows[] = {
    {S(""), BAD(NONE)},
    {S(" "), BAD(NONE)},
    {S("a"), BAD(NONE)},
    OTHER("  "),
    OTHER("ab"),
    OTHER("foo bar"),
    OTHER("GETS a"),
    OTHER("get\ta"),
    OTHER("get\0 a"),
    OTHER("a_word_of_twenty_one_"),
    OTHER("Mg a"),
    OTHER("mx"),
    OTHER("slabs automove 1"),
    OTHER("lru_crawler crawl all"),
    OTHER("cache_memlimit 64"),
    {S("GET / HTTP/1.0"), {.verb = REQUEST_QUIT}},
    {S("foo HTTP/1.1 "), {.verb = REQUEST_QUIT}},
    OTHER("foo HTTP/1.1 a"),

    {S("get"), BAD(GET)},
    {S("get "), BAD(GET)},
    {S("gets"), BAD(GETS)},
    {S("get a"), KEYS(GET, "a", "")},
    {S("  get   a "), KEYS(GET, "a", " ")},
    {S("gets a b  c"), KEYS(GETS, "a", " b  c")},
    {S("get a noreply"), KEYS(GET, "a", " noreply")},
    {S("get foo HTTP/1.1"), KEYS(GET, "foo", " HTTP/1.1")},
    {S("get a\x01\xff\r"), KEYS(GET, "a\x01\xff\r", "")},
    {S("get " KEY_250), KEYS(GET, KEY_250, "")},
    {S("get " KEY_250 " " KEY_250), KEYS(GET, KEY_250, " " KEY_250)},
    {S("gat"), BAD(GAT)},
    {S("gat 10"),
     {.verb = REQUEST_GAT, .error = REQUEST_BAD_LINE, .exptime_s = 10}},
    {S("gat x"), BAD(GAT)},
    {S("gat x a"),
     {.verb = REQUEST_GAT, .error = REQUEST_BAD_EXPTIME, .key = S("a")}},
    {S("gat 2147483648 a"),
     {.verb = REQUEST_GAT, .key = S("a"), .error = REQUEST_BAD_EXPTIME}},
    {S("gats -1 a b"),
     {.verb = REQUEST_GATS, .key = S("a"), .rest = S(" b"), .exptime_s = -1}},

    {S("set a 1 2 3"), STORE(SET, "a", 1, 2, 3)},
    {S("add a 1 2 3"), STORE(ADD, "a", 1, 2, 3)},
    {S("replace a 1 2 3"), STORE(REPLACE, "a", 1, 2, 3)},
    {S("append a 1 2 3"), STORE(APPEND, "a", 1, 2, 3)},
    {S("prepend a 1 2 3"), STORE(PREPEND, "a", 1, 2, 3)},
    {S("set a 4294967295 -5 0"), STORE(SET, "a", 4294967295u, -5, 0)},
    {S("set a 4294967297 0 1"), STORE(SET, "a", 1, 0, 1)},
    {S("set a 0 4294967295 1"), STORE(SET, "a", 0, 4294967295, 1)},
    {S("set a 0 9223372036854775807 1"), STORE(SET, "a", 0, INT64_MAX, 1)},
    {S("set a 0 0 2147483645"), STORE(SET, "a", 0, 0, 2147483645)},
    {S("set a 0 0 1 foo"), STORE(SET, "a", 0, 0, 1)},
    {S("set a 0 0 1 noreply"), HUSH(SET, "a", 1)},
    {S("set a 0 0 1 foo noreply "), HUSH(SET, "a", 1)},
    {S("set a 0 0 1 noreply foo"), STORE(SET, "a", 0, 0, 1)},
    {S("set a 0 0 1 Noreply"), STORE(SET, "a", 0, 0, 1)},
    {S("set a 0 0 1" WORDS_10 " a a a a a a a a noreply"), HUSH(SET, "a", 1)},
    {S("set a 0 0 1" WORDS_10 WORDS_10 " noreply"), STORE(SET, "a", 0, 0, 1)},
    {S("set"), BAD(SET)},
    {S("set a 0 0"),
     {.verb = REQUEST_SET, .error = REQUEST_BAD_LINE, .key = S("a")}},
    {S("set a 0 0 x"),
     {.verb = REQUEST_SET, .error = REQUEST_BAD_LINE, .key = S("a")}},
    {S("set a 0 0 -1"),
     {.verb = REQUEST_SET, .error = REQUEST_BAD_LINE, .key = S("a")}},
    {S("set a 0 0 2147483646"),
     {.verb = REQUEST_SET, .key = S("a"), .error = REQUEST_BAD_LINE}},
    {S("set a 0 0 4294967297"),
     {.verb = REQUEST_SET, .key = S("a"), .error = REQUEST_BAD_LINE}},
    {S("set a -1 0 1"), SKIP(SET, "a", 1)},
    {S("set a x 0 1"), SKIP(SET, "a", 1)},
    {S("set a 18446744073709551616 0 1"), SKIP(SET, "a", 1)},
    {S("set a 0 x 1"), SKIP(SET, "a", 1)},
    {S("set a 0 9223372036854775808 1"), SKIP(SET, "a", 1)},
    {S("set " KEY_250 "k 0 0 7"), SKIP(SET, KEY_250 "k", 7)},
    /* Where a word is missing, "noreply" may have been meant as another. */
    {S("set a 0 noreply"),
     {.verb = REQUEST_SET, .key = S("a"), .error = REQUEST_BAD_LINE}},
    {S("cas a 0 0 1"), SKIP(CAS, "a", 1)},
    {S("cas a 0 0 1 abc"), SKIP(CAS, "a", 1)},
    {S("cas a 0 0 1 18446744073709551615"),
     {.verb = REQUEST_CAS,
      .key = S("a"),
      .value_size = 1,
      .has_value = true,
      .number = UINT64_MAX}},
    {S("cas a 0 0 1 5 noreply"),
     {.verb = REQUEST_CAS,
      .key = S("a"),
      .value_size = 1,
      .has_value = true,
      .number = 5,
      .noreply = true}},

    {S("incr"), BAD(INCR)},
    {S("incr a"),
     {.verb = REQUEST_INCR, .error = REQUEST_BAD_LINE, .key = S("a")}},
    {S("incr a 18446744073709551615"),
     {.verb = REQUEST_INCR, .key = S("a"), .number = UINT64_MAX}},
    {S("decr a 5 noreply"),
     {.verb = REQUEST_DECR, .key = S("a"), .number = 5, .noreply = true}},
    {S("decr a -1"),
     {.verb = REQUEST_DECR, .key = S("a"), .error = REQUEST_BAD_DELTA}},
    {S("incr a noreply"),
     {.verb = REQUEST_INCR,
      .key = S("a"),
      .error = REQUEST_BAD_DELTA,
      .noreply = true}},
    {S("incr " KEY_250 "k x"),
     {.verb = REQUEST_INCR, .key = S(KEY_250 "k"), .error = REQUEST_BAD_LINE}},

    {S("delete"), BAD(DELETE)},
    {S("delete a"), KEYS(DELETE, "a", "")},
    {S("delete a 5"), KEYS(DELETE, "a", "")},
    {S("delete noreply"), KEYS(DELETE, "noreply", "")},
    {S("delete a noreply"),
     {.verb = REQUEST_DELETE, .key = S("a"), .noreply = true}},
    {S("delete a 0 noreply"),
     {.verb = REQUEST_DELETE, .key = S("a"), .noreply = true}},
    {S("touch a"),
     {.verb = REQUEST_TOUCH, .error = REQUEST_BAD_LINE, .key = S("a")}},
    {S("touch a x"),
     {.verb = REQUEST_TOUCH, .error = REQUEST_BAD_EXPTIME, .key = S("a")}},
    {S("touch a 10 noreply"),
     {.verb = REQUEST_TOUCH, .key = S("a"), .exptime_s = 10, .noreply = true}},

    {S("flush_all"), {.verb = REQUEST_FLUSH_ALL}},
    {S("flush_all 5"), {.verb = REQUEST_FLUSH_ALL, .exptime_s = 5}},
    {S("flush_all 1 2 3"), {.verb = REQUEST_FLUSH_ALL, .exptime_s = 1}},
    {S("flush_all x"),
     {.verb = REQUEST_FLUSH_ALL, .error = REQUEST_BAD_EXPTIME}},
    {S("flush_all noreply"), {.verb = REQUEST_FLUSH_ALL, .noreply = true}},
    {S("flush_all 7 noreply"),
     {.verb = REQUEST_FLUSH_ALL, .exptime_s = 7, .noreply = true}},
    {S("verbosity"), BAD(VERBOSITY)},
    {S("verbosity x"), BAD(VERBOSITY)},
    {S("verbosity 1"), {.verb = REQUEST_VERBOSITY, .number = 1}},
    {S("verbosity 0 noreply"), {.verb = REQUEST_VERBOSITY, .noreply = true}},
    {S("version foo"), {.verb = REQUEST_VERSION}},
    {S("stats"), {.verb = REQUEST_STATS}},
    {S("stats items"), {.verb = REQUEST_STATS, .rest = S("items")}},
    {S("stats  a  b"), {.verb = REQUEST_STATS, .rest = S("a  b")}},
    OTHER("shutdown graceful"),
    {S("quit now"), {.verb = REQUEST_QUIT}},
};

static void expect_slice(struct slice got, struct slice wanted)
{
    ck_assert_uint_eq(got.size, wanted.size);
    ck_assert(slice_equal(got, wanted));
}

START_TEST(each_line_gives_its_request)
{
    const struct request *wanted = &rows[_i].request;
    struct request got;

    text_parse(rows[_i].line, &got);
    ck_assert_msg(got.verb == wanted->verb && got.error == wanted->error,
                  "'%s': verb %d, error %d", rows[_i].line.data, (int)got.verb,
                  (int)got.error);
    if (wanted->key.size > 0 || wanted->error == REQUEST_FINE)
        expect_slice(got.key, wanted->key);
    if (wanted->error == REQUEST_FINE)
        expect_slice(got.rest, wanted->rest);
    ck_assert_int_eq(got.exptime_s, wanted->exptime_s);
    ck_assert_uint_eq(got.number, wanted->number);
    ck_assert_uint_eq(got.client_flags, wanted->client_flags);
    ck_assert_uint_eq(got.value_size, wanted->value_size);
    ck_assert_int_eq(got.has_value, wanted->has_value);
    ck_assert_int_eq(got.noreply, wanted->noreply);
}
END_TEST

START_TEST(one_long_key_spoils_a_line_wherever_it_stands)
{
    static const struct slice lines[] = {
        S("get " KEY_250 "k"),         S("get a " KEY_250 "k"),
        S("gets " KEY_250 "k a"),      S("get a b " KEY_250 "k c d"),
        S("gat 0 a " KEY_250 "k c d"), S("get a " KEY_250 KEY_250 KEY_250),
    };
    struct request request;

    text_parse(lines[_i], &request);
    ck_assert_int_eq(request.error, REQUEST_BAD_LINE);
}
END_TEST

/* ---- lines ---- */

#define OVER (TEXT_GET_LINE_MAX + 16u)

static struct slice filled(const char *start, char fill, size_t size)
{
    char *text = malloc(size);
    size_t length = strlen(start);

    ck_assert_ptr_nonnull(text);
    ck_assert_uint_le(length, size);
    memcpy(text, start, length);
    memset(text + length, fill, size - length);
    return slice_make(text, size);
}

static void drop(struct slice text)
{
    union {
        const char *in;
        char *out;
    } data = {.in = text.data};

    free(data.out);
}

/* A line of `length` bytes before its end, seen whole and with only `seen`
 * bytes of it there. */
static const struct {
    const char *start;
    size_t length;
    size_t seen;
    enum text_cut whole;
    enum text_cut part;
} cuts[] = {
    {"x", TEXT_LINE_MAX, TEXT_LINE_MAX, TEXT_LINE, TEXT_PART},
    {"x", TEXT_LINE_MAX + 1, TEXT_LINE_MAX, TEXT_OVERLONG, TEXT_PART},
    {"x", TEXT_LINE_MAX + 1, TEXT_LINE_MAX + 1, TEXT_OVERLONG, TEXT_OVERLONG},
    {"set ", TEXT_LINE_MAX + 1, TEXT_LINE_MAX + 1, TEXT_OVERLONG,
     TEXT_OVERLONG},
    {"gat 0 a ", 4000, 3000, TEXT_LINE, TEXT_PART},
    {"gats 0 a ", 4000, 3000, TEXT_LINE, TEXT_PART},
    {"gatx", 4000, 3000, TEXT_OVERLONG, TEXT_OVERLONG},
    {"getx", 4000, 3000, TEXT_OVERLONG, TEXT_OVERLONG},
    {"get ", 4000, 3000, TEXT_LINE, TEXT_PART},
    {"gets ", 4000, 3000, TEXT_LINE, TEXT_PART},
    {"          gets ", 4000, 3000, TEXT_LINE, TEXT_PART},
    {"get ", TEXT_GET_LINE_MAX, TEXT_GET_LINE_MAX, TEXT_LINE, TEXT_PART},
    {"get ", TEXT_GET_LINE_MAX + 1, TEXT_GET_LINE_MAX + 1, TEXT_OVERLONG,
     TEXT_OVERLONG},
};

START_TEST(a_line_is_judged_by_its_length_alone)
{
    struct slice input = filled(cuts[_i].start, 'x', OVER);
    struct slice line, part;
    size_t taken = 0;
    char *end;

    union {
        const char *in;
        char *out;
    } data = {.in = input.data};
    end = data.out + cuts[_i].length;
    *end = '\n';
    ck_assert_int_eq(text_cut_line(input, 0, &line, &taken), cuts[_i].whole);
    if (cuts[_i].whole == TEXT_LINE) {
        ck_assert_uint_eq(line.size, cuts[_i].length);
        ck_assert_uint_eq(taken, cuts[_i].length + 1);
        /* Knowing that there was none so far changes nothing. */
        ck_assert_int_eq(text_cut_line(input, line.size, &line, &taken),
                         TEXT_LINE);
        ck_assert_uint_eq(taken, cuts[_i].length + 1);
    }
    part = slice_make(input.data, cuts[_i].seen);
    ck_assert_int_eq(text_cut_line(part, 0, &line, &taken), cuts[_i].part);
    drop(input);
}
END_TEST

START_TEST(only_few_leading_blanks_let_a_get_grow)
{
    char input[4000];
    struct slice line;
    size_t taken;

    memset(input, ' ', sizeof(input));
    memcpy(input + 100, "get ", 4);
    ck_assert_int_eq(
        text_cut_line(slice_make(input, sizeof(input)), 0, &line, &taken),
        TEXT_PART);
    memset(input, ' ', sizeof(input));
    memcpy(input + 101, "get ", 4);
    ck_assert_int_eq(
        text_cut_line(slice_make(input, sizeof(input)), 0, &line, &taken),
        TEXT_OVERLONG);
}
END_TEST

START_TEST(a_line_ends_with_lf_or_crlf)
{
    struct slice line;
    size_t taken;

    ck_assert_int_eq(text_cut_line(SLICE_LITERAL("ab\ncd"), 0, &line, &taken),
                     TEXT_LINE);
    expect_slice(line, SLICE_LITERAL("ab"));
    ck_assert_uint_eq(taken, 3);
    ck_assert_int_eq(text_cut_line(SLICE_LITERAL("ab\r\n"), 0, &line, &taken),
                     TEXT_LINE);
    expect_slice(line, SLICE_LITERAL("ab"));
    ck_assert_uint_eq(taken, 4);
    ck_assert_int_eq(text_cut_line(SLICE_LITERAL("\r\r\n"), 0, &line, &taken),
                     TEXT_LINE);
    expect_slice(line, SLICE_LITERAL("\r"));
    ck_assert_int_eq(text_cut_line(SLICE_LITERAL("ab\r"), 0, &line, &taken),
                     TEXT_PART);
    ck_assert_int_eq(text_cut_line(SLICE_LITERAL(""), 0, &line, &taken),
                     TEXT_PART);
}
END_TEST

START_TEST(words_are_separated_by_blanks_alone)
{
    struct slice text = SLICE_LITERAL("  a\tb   c\r ");

    expect_slice(text_take(&text), SLICE_LITERAL("a\tb"));
    expect_slice(text_take(&text), SLICE_LITERAL("c\r"));
    expect_slice(text_take(&text), SLICE_LITERAL(""));
    expect_slice(text_take(&text), SLICE_LITERAL(""));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_line_gives_its_request, 0,
                        (int)COUNT_OF(rows));
    tcase_add_loop_test(tests, one_long_key_spoils_a_line_wherever_it_stands, 0,
                        6);
    tcase_add_loop_test(tests, a_line_is_judged_by_its_length_alone, 0,
                        (int)COUNT_OF(cuts));
    tcase_add_test(tests, only_few_leading_blanks_let_a_get_grow);
    tcase_add_test(tests, a_line_ends_with_lf_or_crlf);
    tcase_add_test(tests, words_are_separated_by_blanks_alone);
}
UNIT_MAIN("text", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/session.h"

#include "src/base/memory.h"
#include "tests/unit/command/client.h"
#include "tests/unit/unit.h"

#include <stdarg.h>
#include <stdio.h>

#define S(text) \
    { \
        text, sizeof(text) - 1 \
    }
#define BAD_LINE "CLIENT_ERROR bad command line format\r\n"
#define BAD_CHUNK "CLIENT_ERROR bad data chunk\r\n"
#define BAD_TIME "CLIENT_ERROR invalid exptime argument\r\n"
#define BAD_DELTA "CLIENT_ERROR invalid numeric delta argument\r\n"
#define NO_NUMBER \
    "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
#define STORED "STORED\r\n"
#define VERSION "VERSION 1.2.3\r\n"
#define END "END\r\n"
#define SET_A "set a 0 0 1\r\nx\r\n"
#define GOT_A "VALUE a 0 1\r\nx\r\n"
#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define KEY_250 K50 K50 K50 K50 K50

#define UNFINISHED_ROWS 3

/* Each on an empty cache. */
static const struct {
    struct slice request;
    struct slice reply;
    bool closes;
} rows[] = {
    {S("\r\n"), S(BAD_LINE), false},
    {S("\n"), S(BAD_LINE), false},
    {S("ab\r\n"), S("ERROR\r\n"), false},
    {S("get\r\n"), S(BAD_LINE), false},
    {S("get a\r\n"), S(END), false},
    {S("get " KEY_250 "\r\n"), S(END), false},
    {S(SET_A "get a " KEY_250 "k\r\n"), S(STORED BAD_LINE), false},
    {S(SET_A "get a\r\n"), S(STORED GOT_A END), false},
    {S("set a 0 0 1\nx\r\nget a\n"), S(STORED GOT_A END), false},
    {S(SET_A "set a 0 0 1\r\nx\n\nget a\r\n"), S(STORED BAD_CHUNK GOT_A END),
     false},
    {S(SET_A "set a 0 0 1\r\nxyz\r\nget a\r\n"),
     S(STORED BAD_CHUNK BAD_LINE GOT_A END), false},
    {S("set a 0 0 3\r\nx\r\nget a\r\n"), S(BAD_CHUNK "ERROR\r\n"), false},
    {S("set " KEY_250 "k 0 0 1\r\nx\r\nversion\r\n"), S(BAD_LINE VERSION),
     false},
    {S("set a 4294967296 0 1\r\nx\r\nversion\r\n"), S(STORED VERSION), false},
    {S(SET_A "set a -1 0 1\r\ny\r\nget a\r\n"), S(STORED BAD_LINE GOT_A END),
     false},
    {S("set a x 0 1\r\nx\r\nversion\r\n"), S(BAD_LINE VERSION), false},
    {S("set a 0 x 1\r\nx\r\nversion\r\n"), S(BAD_LINE VERSION), false},
    {S("set a 0 0 x\r\nx\r\nversion\r\n"), S(BAD_LINE BAD_LINE VERSION), false},
    {S("set a 0 0 -1\r\nx\r\nversion\r\n"), S(BAD_LINE BAD_LINE VERSION),
     false},
    {S("set a 0 0\r\nversion\r\n"), S(BAD_LINE VERSION), false},
    {S("set a 0 0 1 foo\r\nx\r\n"), S(STORED), false},
    {S("set a 0 0 1 noreply\r\nx\r\nget a\r\n"), S(GOT_A END), false},
    {S("set a 0 0 1 noreply foo\r\nx\r\n"), S(STORED), false},
    {S("set a 0 0 1 noreply\r\nxyz\r\n"), S(BAD_LINE), false},
    {S("set a -1 0 1 noreply\r\nx\r\nversion\r\n"), S(VERSION), false},
    {S("set a 0 0 0\r\n\r\nget a\r\n"), S(STORED "VALUE a 0 0\r\n\r\n" END),
     false},
    {S("set a 0 0 4\r\n\r\n\r\n\r\nget a\r\n"),
     S(STORED "VALUE a 0 4\r\n\r\n\r\n\r\n" END), false},
    {S("set a 0 0 10\r\nx\r\nget a\r\n\r\nget a\r\n"),
     S(STORED "VALUE a 0 10\r\nx\r\nget a\r\n\r\n" END), false},
    {S("set a 0 4294967295 1\r\nx\r\nget a\r\n"), S(STORED GOT_A END), false},
    {S("set a 0 -5 1\r\nx\r\nget a\r\n"), S(STORED END), false},
    {S("set a 0 2147483648 1\r\nx\r\nget a\r\n"), S(STORED GOT_A END), false},
    {S("set a 0 1000000 1\r\nx\r\nget a\r\n"), S(STORED GOT_A END), false},
    {S("set a 0 1600000000 1\r\nx\r\nget a\r\n"), S(STORED END), false},
    {S("cas a 0 0 1\r\nx\r\nversion\r\n"), S(BAD_LINE VERSION), false},
    {S("cas a 0 0 1 abc\r\nx\r\nversion\r\n"), S(BAD_LINE VERSION), false},
    {S("cas nokey 0 0 1 5\r\nx\r\n"), S("NOT_FOUND\r\n"), false},
    {S(SET_A "cas a 0 0 1 1\r\ny\r\nget a\r\n"),
     S(STORED "EXISTS\r\n" GOT_A END), false},
    {S("append nokey 0 0 1\r\nx\r\n"), S("NOT_STORED\r\n"), false},
    {S("replace nokey 0 0 1\r\nx\r\n"), S("NOT_STORED\r\n"), false},
    {S("add a1 0 0 1\r\nx\r\nadd a1 0 0 1\r\ny\r\n"),
     S(STORED "NOT_STORED\r\n"), false},
    {S("set a 7 0 1\r\nx\r\nappend a 1 0 2\r\nyz\r\nprepend a 1 0 1\r\nw\r\n"
       "get a\r\n"),
     S(STORED STORED STORED "VALUE a 7 4\r\nwxyz\r\n" END), false},
    {S("set a 1 0 1\r\nx\r\nset b 2 0 2\r\nyy\r\nget a nokey b\r\n"),
     S(STORED STORED "VALUE a 1 1\r\nx\r\nVALUE b 2 2\r\nyy\r\n" END), false},
    {S("incr\r\n"), S(BAD_LINE), false},
    {S("incr a\r\n"), S(BAD_LINE), false},
    {S("incr a 1\r\n"), S("NOT_FOUND\r\n"), false},
    {S("incr a x\r\n"), S(BAD_DELTA), false},
    {S("incr a -1\r\n"), S(BAD_DELTA), false},
    {S("incr a x noreply\r\nversion\r\n"), S(VERSION), false},
    {S("set n 0 0 20\r\n18446744073709551616\r\nincr n 1\r\n"),
     S(STORED NO_NUMBER), false},
    {S("set n 0 0 3\r\n100\r\ndecr n 1\r\nget n\r\n"),
     S(STORED "99\r\nVALUE n 0 3\r\n99 \r\n" END), false},
    {S("set n 0 0 3\r\n 10\r\nincr n 1\r\n"), S(STORED "11\r\n"), false},
    {S("set n 0 0 1\r\n5\r\nincr n 1 noreply\r\nget n\r\n"),
     S(STORED "VALUE n 0 1\r\n6\r\n" END), false},
    {S("set n 0 0 1\r\n5\r\ndecr n 6\r\n"), S(STORED "0\r\n"), false},
    {S("set n 0 0 2\r\n-1\r\nincr n 2\r\n"), S(STORED NO_NUMBER), false},
    {S("set n 0 0 0\r\n\r\nincr n 2\r\n"), S(STORED NO_NUMBER), false},
    {S("set n 0 0 1\r\n9\r\nincr n 18446744073709551616\r\n"),
     S(STORED BAD_DELTA), false},
    {S("delete\r\n"), S(BAD_LINE), false},
    {S("delete nokey\r\n"), S("NOT_FOUND\r\n"), false},
    {S("delete nokey 0\r\n"), S("NOT_FOUND\r\n"), false},
    {S("delete nokey 5\r\n"), S("NOT_FOUND\r\n"), false},
    {S("delete nokey noreply\r\n"), S(""), false},
    {S(SET_A "delete a\r\nget a\r\n"), S(STORED "DELETED\r\n" END), false},
    {S("touch a\r\n"), S(BAD_LINE), false},
    {S("touch a x\r\n"), S(BAD_TIME), false},
    {S("touch a 10\r\n"), S("NOT_FOUND\r\n"), false},
    {S("touch a 0 noreply\r\nversion\r\n"), S(VERSION), false},
    {S(SET_A "touch a 10\r\nget a\r\ntouch a -1\r\nget a\r\n"),
     S(STORED "TOUCHED\r\n" GOT_A END "TOUCHED\r\n" END), false},
    {S("gat\r\n"), S(BAD_LINE), false},
    {S("gat 10\r\n"), S(BAD_LINE), false},
    {S("gat x a\r\n"), S(BAD_TIME), false},
    {S("gat 10 a b\r\n"), S(END), false},
    {S(SET_A "gat 0 b a\r\ngat -1 a a\r\nget a\r\n"),
     S(STORED GOT_A END GOT_A END END), false},
    {S("verbosity\r\n"), S(BAD_LINE), false},
    {S("verbosity 1\r\n"), S("OK\r\n"), false},
    {S("verbosity x\r\n"), S(BAD_LINE), false},
    {S("verbosity 0 noreply\r\nversion\r\n"), S(VERSION), false},
    {S("flush_all x\r\n"), S(BAD_TIME), false},
    {S(SET_A "flush_all -1\r\nget a\r\n"), S(STORED "OK\r\n" END), false},
    {S(SET_A "flush_all 10\r\nget a\r\n"), S(STORED "OK\r\n" GOT_A END), false},
    {S("flush_all 99999999999999\r\nversion\r\n"), S("OK\r\n" VERSION), false},
    {S("flush_all 0 noreply\r\nversion\r\n"), S(VERSION), false},
    {S("flush_all 1 2 3\r\n"), S("OK\r\n"), false},
    {S("version foo\r\n"), S(VERSION), false},
    {S("quit\r\nversion\r\n"), S(""), true},
    {S("version\r\nquit now\r\nversion\r\n"), S(VERSION), true},
    {S("shutdown\r\n"), S("SERVER_ERROR: shutdown not enabled\r\n"), false},
    {S("stats foo\r\n"), S("ERROR\r\n"), false},
    {S("stats r\r\n"), S("ERROR\r\n"), false},
    {S("stats reset\r\n"), S("RESET\r\n"), false},
    {S("stats reset noreply\r\n"), S("RESET\r\n"), false},
    {S("GET / HTTP/1.0\r\nversion\r\n"), S(""), true},
    {S("version\r\nfoo HTTP/1.1\r\n"), S(VERSION), true},
    {S("get foo HTTP/1.1\r\n"), S(END), false},
    {S("get\ta\r\n"), S("ERROR\r\n"), false},
    /* From here on values are not sent to their ends. */
    {S("set a -1 0 100\r\nxx"), S(BAD_LINE), false},
    {S("set a 0 0 2000000\r\nxx"),
     S("SERVER_ERROR object too large for "
       "cache\r\n"),
     false},
    {S("set a 0 0 2147483645 noreply\r\nxx"), S(""), false},
};

static void expect(const struct client *client, struct slice reply)
{
    ck_assert_msg(client->replies_size == reply.size &&
                      (reply.size == 0 ||
                       memcmp(client->replies, reply.data, reply.size) == 0),
                  "expected '%.*s', got '%.*s'", (int)reply.size, reply.data,
                  (int)client->replies_size,
                  client->replies != NULL ? client->replies : "");
}

static void play_row(size_t row, size_t first, size_t piece,
                     size_t requests_max)
{
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    client.first = first;
    client.piece = piece;
    client.requests_max = requests_max;
    client_send(&client, rows[row].request);
    expect(&client, rows[row].reply);
    ck_assert_int_eq(client.closed, rows[row].closes);
    client_fini(&client);
    host_fini(&host);
}

START_TEST(requests_have_their_exact_replies)
{
    play_row((size_t)_i, 0, SIZE_MAX, 20);
    play_row((size_t)_i, 0, SIZE_MAX, 1);
}
END_TEST

START_TEST(byte_by_byte_the_replies_are_the_same)
{
    play_row((size_t)_i, 0, 1, 20);
}
END_TEST

START_TEST(cut_anywhere_the_replies_are_the_same)
{
    size_t size = rows[_i].request.size;
    size_t first;

    for (first = 1; first < size && size < 128; first++)
        play_row((size_t)_i, first, SIZE_MAX, 20);
}
END_TEST

/* All rows that leave the connection open, each after a flush_all. */
static struct slice one_script(struct slice *reply)
{
    static char request_text[16384];
    static char reply_text[16384];
    size_t size = 0;
    size_t i;

    reply->size = 0;
    reply->data = reply_text;
    for (i = 0; i < COUNT_OF(rows) - UNFINISHED_ROWS; i++) {
        struct slice line = SLICE_LITERAL("flush_all noreply\r\n");

        if (rows[i].closes)
            continue;
        ck_assert_uint_lt(size + line.size + rows[i].request.size,
                          sizeof(request_text));
        memcpy(request_text + size, line.data, line.size);
        size += line.size;
        memcpy(request_text + size, rows[i].request.data, rows[i].request.size);
        size += rows[i].request.size;
        ck_assert_uint_lt(reply->size + rows[i].reply.size, sizeof(reply_text));
        memcpy(reply_text + reply->size, rows[i].reply.data,
               rows[i].reply.size);
        reply->size += rows[i].reply.size;
    }
    return slice_make(request_text, size);
}

START_TEST(a_pipeline_is_answered_in_order)
{
    static const size_t pieces[] = {1, 2, 3, 7, 31, 500, 1400, SIZE_MAX};
    struct slice reply;
    struct slice request = one_script(&reply);
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    client.piece = pieces[_i % 8];
    client.requests_max = _i < 8 ? 20 : 1000;
    client_send(&client, request);
    expect(&client, reply);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* ---- values of any size ---- */

/* What the tests allocate; freed behind each. */
static char *kept[16];

static char *keep(char *old, size_t size)
{
    size_t i = 0;

    while (kept[i] != old)
        ck_assert_uint_lt(++i, COUNT_OF(kept));
    kept[i] = realloc(old, size);
    ck_assert_ptr_nonnull(kept[i]);
    return kept[i];
}

static void free_kept(void)
{
    size_t i;

    for (i = 0; i < COUNT_OF(kept); i++) {
        free(kept[i]);
        kept[i] = NULL;
    }
}

static struct slice pattern(size_t size, unsigned seed)
{
    char *data = keep(NULL, size + 1);
    size_t i;

    for (i = 0; i < size; i++) {
        seed = seed * 1103515245u + 12345u;
        data[i] = (char)(seed >> 16);
    }
    return slice_make(data, size);
}

/* A growing text. */
struct text {
    char *data;
    size_t size;
    size_t room;
};

static void add(struct text *text, struct slice more)
{
    if (text->size + more.size > text->room) {
        text->room = 2 * (text->size + more.size);
        text->data = keep(text->data, text->room);
    }
    memcpy(text->data + text->size, more.data, more.size);
    text->size += more.size;
}

__attribute__((format(printf, 2, 3))) static void
add_line(struct text *text, const char *format, ...)
{
    char line[512];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    ck_assert_int_lt(size, (int)sizeof(line));
    add(text, slice_make(line, (size_t)size));
}

static struct slice all_of(const struct text *text)
{
    return slice_make(text->data, text->size);
}

static void expect_text(const struct client *client, const struct text *text)
{
    ck_assert_uint_eq(client->replies_size, text->size);
    ck_assert(memcmp(client->replies, text->data, text->size) == 0);
}

static const struct engine_config big_engine = {
    .memory_bytes = 64u << 20,
    .item_bytes_max = 4u << 20,
};
static const struct commands_config big_commands = {
    .version = "1.2.3",
    .item_bytes_max = 4u << 20,
    .cas_shown = true,
    .flush_allowed = true,
};

static const size_t sizes[] = {
    100,   4000,   8191,   8192,    8193,    16383,   16384,
    16385, 100000, 524288, 1000000, 1048576, 2500000,
};
static const struct {
    size_t piece;
    size_t drained;
    bool direct;
} ways[] = {
    {SIZE_MAX, SIZE_MAX, false}, {65536, 65536, false},   {65536, 4096, true},
    {1000, 30000, true},         {16411, SIZE_MAX, true},
};

START_TEST(a_value_of_any_size_comes_back_as_it_was)
{
    size_t size = sizes[(size_t)_i / COUNT_OF(ways)];
    struct slice value = pattern(size, 7);
    struct text request = {0};
    struct text reply = {0};
    struct client client;
    struct host host;

    add_line(&request, "set big 5 0 %zu\r\n", size);
    add(&request, value);
    add_line(&request, "\r\nget big nokey big\r\nversion\r\n");
    add_line(&reply, STORED "VALUE big 5 %zu\r\n", size);
    add(&reply, value);
    add_line(&reply, "\r\nVALUE big 5 %zu\r\n", size);
    add(&reply, value);
    add_line(&reply, "\r\n" END VERSION);
    host_init_with(&host, &big_engine, &big_commands);
    client_init(&client, &host);
    client.piece = ways[(size_t)_i % COUNT_OF(ways)].piece;
    client.drained = ways[(size_t)_i % COUNT_OF(ways)].drained;
    client.direct_bodies = ways[(size_t)_i % COUNT_OF(ways)].direct;
    client_send(&client, all_of(&request));
    expect_text(&client, &reply);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_large_value_with_a_bad_end_changes_nothing)
{
    static const char *const tails[] = {"\rx", "x\n", "\n\n", "ab"};
    struct slice value = pattern(100000, 3);
    struct text request = {0};
    struct client client;
    struct host host;

    add_line(&request, SET_A "set a 0 0 100000%s\r\n",
             _i >= 4 ? " noreply" : "");
    add(&request, value);
    add_line(&request, "%sget a\r\n", tails[_i % 4]);
    host_init(&host);
    client_init(&client, &host);
    client.piece = 7000;
    client.direct_bodies = true;
    client_send(&client, all_of(&request));
    if (_i < 4)
        expect(&client, SLICE_LITERAL(STORED BAD_CHUNK GOT_A END));
    else
        expect(&client, SLICE_LITERAL(STORED GOT_A END));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_refused_value_is_skipped_however_long)
{
    static const char *const lines[] = {
        "set a 0 0 2000000\r\n", "set a -1 0 2000000\r\n",
        "add a 0 0 2000000 noreply\r\n", "cas a 0 0 2000000\r\n"};
    static const struct slice replies[] = {
        S(STORED "SERVER_ERROR object too large for cache\r\n" END VERSION),
        S(STORED BAD_LINE GOT_A END VERSION), S(STORED GOT_A END VERSION),
        S(STORED BAD_LINE GOT_A END VERSION)};
    static const size_t pieces[] = {SIZE_MAX, 65536, 1000};
    struct slice value = pattern(2000000, 3);
    struct text request = {0};
    struct client client;
    struct host host;

    add_line(&request, SET_A "%s", lines[_i % 4]);
    add(&request, value);
    /* What ends it is not looked at. */
    add_line(&request, "??get a\r\nversion\r\n");
    host_init(&host);
    client_init(&client, &host);
    client.piece = pieces[_i / 4];
    client_send(&client, all_of(&request));
    expect(&client, replies[_i % 4]);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* So often that the cache would be full of what they left. */
START_TEST(a_client_may_leave_at_any_point_of_a_value)
{
    static const size_t cuts[] = {0, 1, 100, 50000, 99999, 100000, 100001};
    struct slice value = pattern(100002, 3);
    struct text request = {0};
    struct client client;
    struct host host;
    unsigned i;

    host_init(&host);
    add_line(&request, "set a 0 0 100000\r\n");
    add(&request, slice_make(value.data, cuts[_i]));
    for (i = 0; i < 1000; i++) {
        client_init(&client, &host);
        client_send(&client, all_of(&request));
        expect(&client, SLICE_LITERAL(""));
        client_fini(&client);
    }
    client_init(&client, &host);
    request.size = 0;
    add_line(&request, "get a\r\nset a 0 0 100000\r\n");
    add(&request, slice_make(value.data, 100000));
    add_line(&request, "\r\n");
    client_send(&client, all_of(&request));
    expect(&client, SLICE_LITERAL(END STORED));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(what_was_sent_gives_its_memory_back)
{
    struct slice value = pattern(500000, 3);
    struct text request = {0};
    struct text reply = {0};
    struct client client;
    struct host host;
    unsigned i;

    add_line(&request, "set a 0 0 500000\r\n");
    add(&request, value);
    add_line(&request, "\r\nget a\r\n");
    add_line(&reply, STORED "VALUE a 0 500000\r\n");
    add(&reply, value);
    add_line(&reply, "\r\n" END);
    host_init(&host);
    client_init(&client, &host);
    for (i = 0; i < 300; i++) {
        client.replies_size = 0;
        client_send(&client, all_of(&request));
        expect_text(&client, &reply);
    }
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_large_value_being_sent_outlives_its_key)
{
    struct slice value = pattern(1000000, 9);
    struct text request = {0};
    struct text reply = {0};
    struct client reader, writer;
    enum session_want want;
    struct host host;

    add_line(&request, "set a 0 0 1000000\r\n");
    add(&request, value);
    add_line(&request, "\r\n");
    add_line(&reply, "VALUE a 0 1000000\r\n");
    add(&reply, value);
    add_line(&reply, "\r\n" END);
    host_init(&host);
    client_init(&writer, &host);
    client_init(&reader, &host);
    client_send(&writer, all_of(&request));
    (void)session_run(reader.session, SLICE_LITERAL("get a\r\n"), 20,
                      reader.sink, &want);
    reader.drained = 10000;
    client_drain_once(&reader);
    client_send(&writer, SLICE_LITERAL("set a 0 0 1\r\nx\r\nflush_all\r\n"));
    client_drain(&reader);
    expect_text(&reader, &reply);
    client_fini(&reader);
    client_fini(&writer);
    host_fini(&host);
}
END_TEST

/* ---- bounds ---- */

/* 500 keys with a value each, and a line that asks for all of them `times`
 * times over. */
static void many_keys(struct client *client, size_t value_size, unsigned times,
                      struct text *request, struct text *reply)
{
    struct slice value = pattern(value_size, 5);
    struct text sets = {0};
    unsigned i;

    for (i = 0; i < 500; i++) {
        add_line(&sets, "set key_%u 0 0 %zu noreply\r\n", i, value_size);
        add(&sets, value);
        add_line(&sets, "\r\n");
    }
    client->piece = 100000;
    client_send(client, all_of(&sets));
    add_line(request, "get");
    for (i = 0; i < 500 * times; i++) {
        add_line(request, " key_%u", i % 500);
        add_line(reply, "VALUE key_%u 0 %zu\r\n", i % 500, value_size);
        add(reply, value);
        add_line(reply, "\r\n");
    }
    add_line(request, "\r\nversion\r\n");
    add_line(reply, END VERSION);
}

START_TEST(a_get_of_many_keys_is_answered_in_bounded_memory)
{
    static const size_t value_sizes[] = {0, 10, 1000, 9000, 60000};
    static const size_t drains[] = {SIZE_MAX, 1000};
    struct text request = {0};
    struct text reply = {0};
    struct client client;
    struct host host;
    size_t value_size = value_sizes[_i % 5];

    host_init(&host);
    client_init(&client, &host);
    many_keys(&client, value_size, value_size < 1000 ? 8 : 1, &request, &reply);
    client.drained = drains[_i / 5];
    client.piece = 3000;
    client_send(&client, all_of(&request));
    expect_text(&client, &reply);
    ck_assert_uint_le(client.pending_max, SINK_FULL_BYTES + value_size + 1000);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_gat_of_many_keys_touches_each)
{
    struct text request = {0};
    struct text set = {0};
    struct text reply = {0};
    struct client client;
    struct host host;
    unsigned i;

    host_init(&host);
    client_init(&client, &host);
    add_line(&request, "gat -1");
    for (i = 0; i < 200; i++) {
        set.size = 0;
        add_line(&set, "set k%u 0 0 1 noreply\r\nx\r\n", i);
        client_send(&client, all_of(&set));
        add_line(&request, " k%u", i);
        add_line(&reply, "VALUE k%u 0 1\r\nx\r\n", i);
    }
    add_line(&request, "\r\n");
    add_line(&reply, END);
    client_send(&client, all_of(&request));
    expect_text(&client, &reply);
    client.replies_size = 0;
    memcpy(request.data, "get   ", 6);
    client_send(&client, all_of(&request));
    expect(&client, SLICE_LITERAL(END));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_long_key_spoils_a_get_of_many_keys_from_its_start)
{
    struct text request = {0};
    struct text reply = {0};
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    many_keys(&client, 10, 1, &request, &reply);
    memcpy(request.data + request.size - 11, " " KEY_250, 11);
    add_line(&request, KEY_250 "\r\nversion\r\n");
    client_send(&client, all_of(&request));
    expect(&client, SLICE_LITERAL(BAD_LINE VERSION));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_deep_pipeline_to_a_slow_reader_stays_small)
{
    struct text request = {0};
    struct text reply = {0};
    struct client client;
    struct host host;
    unsigned i;

    host_init(&host);
    client_init(&client, &host);
    client_send(&client, SLICE_LITERAL("set a 0 0 20 noreply\r\n"
                                       "aaaaaaaaaaaaaaaaaaaa\r\n"));
    for (i = 0; i < 20000; i++) {
        add_line(&request, "get a\r\n");
        add_line(&reply, "VALUE a 0 20\r\naaaaaaaaaaaaaaaaaaaa\r\n" END);
    }
    client.drained = 7001;
    client_send(&client, all_of(&request));
    expect_text(&client, &reply);
    ck_assert_uint_le(client.pending_max, SINK_FULL_BYTES + 100);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(no_run_takes_more_than_its_share)
{
    struct slice input = SLICE_LITERAL("version\r\nversion\r\nget a b c\r\n"
                                       "version\r\n");
    enum session_want want;
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    ck_assert_uint_eq(session_run(client.session, input, 2, client.sink, &want),
                      18);
    ck_assert_int_eq(want, SESSION_YIELD);
    ck_assert_uint_eq(session_run(client.session,
                                  slice_make(input.data + 18, input.size - 18),
                                  2, client.sink, &want),
                      input.size - 18);
    ck_assert_int_eq(want, SESSION_INPUT);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(endless_lines_end_the_connection)
{
    static const struct {
        const char *start;
        bool closes;
    } lines[] = {
        {"x", true},     {"set ", true},   {"incr ", true},
        {"get ", false}, {"gets ", false}, {"gat 0 a ", false},
    };
    struct text request = {0};
    struct client client;
    struct host host;
    unsigned i;

    host_init(&host);
    client_init(&client, &host);
    client.piece = 100;
    add_line(&request, "version\r\n%s", lines[_i].start);
    for (i = 0; i < 3000; i++)
        add_line(&request, " ");
    client_send(&client, all_of(&request));
    expect(&client, SLICE_LITERAL(VERSION));
    ck_assert_int_eq(client.closed, lines[_i].closes);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(a_sink_that_failed_ends_the_connection)
{
    enum session_want want;
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    ck_assert_ptr_null(sink_room(client.sink, SINK_BYTES_MAX + 1));
    (void)session_run(client.session, SLICE_LITERAL("version\r\n"), 20,
                      client.sink, &want);
    ck_assert_int_eq(want, SESSION_CLOSE);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* ---- versions ---- */

/* The cas unique in the last reply to `gets a` of a value of one byte. */
static unsigned long long last_cas(const struct client *client)
{
    char line[64];
    size_t size = client->replies_size - (sizeof("x\r\n" END) - 1);
    size_t start = size - 2;

    while (start > 0 && client->replies[start - 1] != ' ')
        start--;
    ck_assert_uint_lt(size - start, sizeof(line));
    memcpy(line, client->replies + start, size - start);
    line[size - start] = '\0';
    return strtoull(line, NULL, 10);
}

START_TEST(cas_stores_over_the_version_that_gets_gave)
{
    struct text request = {0};
    unsigned long long cas;
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    client_send(&client, SLICE_LITERAL(SET_A "gets a\r\n"));
    cas = last_cas(&client);
    ck_assert_uint_gt(cas, 0);
    client.replies_size = 0;
    add_line(&request,
             "cas a 3 0 1 %llu\r\ny\r\ncas a 4 0 1 %llu\r\nz\r\nget a\r\n", cas,
             cas);
    client_send(&client, all_of(&request));
    expect(&client, SLICE_LITERAL(STORED "EXISTS\r\nVALUE a 3 1\r\ny\r\n" END));
    client_send(&client, SLICE_LITERAL("gats 0 a\r\n"));
    ck_assert_uint_gt(last_cas(&client), cas);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(without_versions_every_cas_finds_another)
{
    struct commands_config commands = big_commands;
    struct client client;
    struct host host;

    commands.cas_shown = false;
    host_init_with(&host, &big_engine, &commands);
    client_init(&client, &host);
    client_send(
        &client,
        SLICE_LITERAL("cas a 0 0 1 0\r\nx\r\ncas a 0 0 1 7\r\nx\r\n" SET_A
                      "gets a\r\ncas a 0 0 1 7\r\ny\r\n"
                      "cas a 0 0 1 0\r\nz\r\nget a\r\n"));
    expect(&client,
           SLICE_LITERAL("NOT_FOUND\r\nNOT_FOUND\r\n" STORED
                         "VALUE a 0 1 0\r\nx\r\n" END
                         "EXISTS\r\nEXISTS\r\n"
                         "VALUE a 0 1\r\nx\r\n" END));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(flush_all_may_be_forbidden)
{
    struct commands_config commands = big_commands;
    struct client client;
    struct host host;

    commands.flush_allowed = false;
    host_init_with(&host, &big_engine, &commands);
    client_init(&client, &host);
    client_send(&client, SLICE_LITERAL(SET_A "flush_all\r\nflush_all 1\r\n"
                                             "flush_all noreply\r\n"
                                             "get a\r\n"));
    expect(&client,
           SLICE_LITERAL(STORED
                         "CLIENT_ERROR flush_all not allowed\r\n"
                         "CLIENT_ERROR flush_all not allowed\r\n" GOT_A END));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(without_memory_a_large_value_is_refused_and_skipped)
{
    struct slice value = pattern(100000, 3);
    enum session_want want;
    struct text line = {0};
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    sink_put_literal(client.sink, ">");
    add_line(&line, "set a 0 0 100000\r\n");
    memory_fail_at(1);
    ck_assert_uint_eq(
        session_run(client.session, all_of(&line), 20, client.sink, &want),
        line.size);
    memory_fail_at(0);
    ck_assert_int_eq(want, SESSION_INPUT);
    client_send(&client, value);
    client_send(&client, SLICE_LITERAL("\r\nget a\r\n"));
    expect(&client,
           SLICE_LITERAL(">SERVER_ERROR out of memory storing object\r\n" END));
    client_fini(&client);
    host_fini(&host);
}
END_TEST

static void add_tests(TCase *tests)
{
    int each = (int)COUNT_OF(rows);

    tcase_add_checked_fixture(tests, NULL, free_kept);
    tcase_add_loop_test(tests, requests_have_their_exact_replies, 0, each);
    tcase_add_loop_test(tests, byte_by_byte_the_replies_are_the_same, 0, each);
    tcase_add_loop_test(tests, cut_anywhere_the_replies_are_the_same, 0, each);
    tcase_add_loop_test(tests, a_pipeline_is_answered_in_order, 0, 16);
    tcase_add_loop_test(tests, a_value_of_any_size_comes_back_as_it_was, 0,
                        (int)(COUNT_OF(sizes) * COUNT_OF(ways)));
    tcase_add_loop_test(tests, a_large_value_with_a_bad_end_changes_nothing, 0,
                        8);
    tcase_add_loop_test(tests, a_refused_value_is_skipped_however_long, 0, 12);
    tcase_add_loop_test(tests, a_client_may_leave_at_any_point_of_a_value, 0,
                        7);
    tcase_add_test(tests, what_was_sent_gives_its_memory_back);
    tcase_add_test(tests, a_gat_of_many_keys_touches_each);
    tcase_add_test(tests, a_large_value_being_sent_outlives_its_key);
    tcase_add_loop_test(tests, a_get_of_many_keys_is_answered_in_bounded_memory,
                        0, 10);
    tcase_add_test(tests, a_long_key_spoils_a_get_of_many_keys_from_its_start);
    tcase_add_test(tests, a_deep_pipeline_to_a_slow_reader_stays_small);
    tcase_add_test(tests, no_run_takes_more_than_its_share);
    tcase_add_loop_test(tests, endless_lines_end_the_connection, 0, 6);
    tcase_add_test(tests, a_sink_that_failed_ends_the_connection);
    tcase_add_test(tests, cas_stores_over_the_version_that_gets_gave);
    tcase_add_test(tests, without_versions_every_cas_finds_another);
    tcase_add_test(tests, flush_all_may_be_forbidden);
    tcase_add_test(tests, without_memory_a_large_value_is_refused_and_skipped);
}
UNIT_MAIN("session", add_tests)

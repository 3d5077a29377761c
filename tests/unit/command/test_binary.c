/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/binary.h"

#include "src/base/memory.h"
#include "tests/unit/command/client.h"
#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define S(text) FRAME_TEXT(text)
#define PLAIN FRAME_STORE("\5")
#define SOON FRAME_EXPTIME("\x64")
#define MAKE "\0\0\0\0"
#define NEVER "\xff\xff\xff\xff"
#define NUMBER(last) S("\0\0\0\0\0\0\0" last)
#define NOT_FOUND .status = BINARY_NOT_FOUND, .value = S("Not found")
#define EXISTS .status = BINARY_EXISTS, .value = S("Data exists for key.")
#define NOT_STORED .status = BINARY_NOT_STORED, .value = S("Not stored.")
#define NO_NUMBER \
    .status = BINARY_NOT_A_NUMBER, \
    .value = S("Non-numeric server-side value for incr or decr")
#define UNKNOWN .status = BINARY_UNKNOWN, .value = S("Unknown command")
#define DONE .status = BINARY_OK, .has_cas = true
#define DONE_BARE .status = BINARY_OK
#define FLAGS S("\0\0\0\5")
#define ROOM_BYTES (1u << 20)

/* One conversation on one cache. */
static const struct row {
    struct frame frame;
    bool silent;
    enum binary_status status;
    bool has_cas;
    struct slice extras;
    struct slice key;
    struct slice value;
} rows[] = {
    {.frame = {.opcode = 0x00, .key = S("k")}, NOT_FOUND},
    {.frame = {.opcode = 0x09, .key = S("k")}, .silent = true},
    {.frame = {.opcode = 0x0c, .key = S("k")},
     .status = BINARY_NOT_FOUND,
     .key = S("k")},
    {.frame = {.opcode = 0x0d, .key = S("k")}, .silent = true},
    {.frame =
         {.opcode = 0x01, .key = S("k"), .value = S("value"), .extras = PLAIN},
     DONE},
    {.frame = {.opcode = 0x00, .key = S("k")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .value = S("value")},
    {.frame = {.opcode = 0x09, .key = S("k")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .value = S("value")},
    {.frame = {.opcode = 0x0c, .key = S("k")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .key = S("k"),
     .value = S("value")},
    {.frame = {.opcode = 0x0d, .key = S("k")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .key = S("k"),
     .value = S("value")},
    {.frame =
         {.opcode = 0x11, .key = S("k"), .value = S("quiet"), .extras = PLAIN},
     .silent = true},
    {.frame = {.opcode = 0x00, .key = S("k")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .value = S("quiet")},
    {.frame = {.opcode = 0x01, .key = S("\0 \r\n"), .extras = PLAIN}, DONE},
    {.frame = {.opcode = 0x0c, .key = S("\0 \r\n")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .key = S("\0 \r\n")},
    {.frame = {.opcode = 0x02, .key = S("k"), .value = S("v"), .extras = PLAIN},
     EXISTS},
    {.frame = {.opcode = 0x12, .key = S("k"), .value = S("v"), .extras = PLAIN},
     EXISTS},
    {.frame = {.opcode = 0x02, .key = S("a"), .value = S("1"), .extras = PLAIN},
     DONE},
    {.frame = {.opcode = 0x12, .key = S("b"), .value = S("2"), .extras = PLAIN},
     .silent = true},
    {.frame = {.opcode = 0x03, .key = S("x"), .value = S("1"), .extras = PLAIN},
     NOT_FOUND},
    {.frame = {.opcode = 0x13, .key = S("x"), .value = S("1"), .extras = PLAIN},
     NOT_FOUND},
    {.frame = {.opcode = 0x03, .key = S("a"), .value = S("3"), .extras = PLAIN},
     DONE},
    {.frame = {.opcode = 0x13, .key = S("b"), .value = S("4"), .extras = PLAIN},
     .silent = true},
    {.frame = {.opcode = 0x0e, .key = S("a"), .value = S(">")}, DONE},
    {.frame = {.opcode = 0x0f, .key = S("a"), .value = S("<")}, DONE},
    {.frame = {.opcode = 0x19, .key = S("a"), .value = S(">")}, .silent = true},
    {.frame = {.opcode = 0x1a, .key = S("a"), .value = S("<")}, .silent = true},
    {.frame = {.opcode = 0x00, .key = S("a")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .value = S("<<3>>")},
    {.frame = {.opcode = 0x0e, .key = S("x"), .value = S(">")}, NOT_STORED},
    {.frame = {.opcode = 0x0f, .key = S("x"), .value = S(">")}, NOT_STORED},
    {.frame = {.opcode = 0x19, .key = S("x"), .value = S(">")}, NOT_STORED},
    {.frame = {.opcode = 0x1a, .key = S("x"), .value = S(">")}, NOT_STORED},
    {.frame = {.opcode = 0x01,
               .key = S("k"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x11,
               .key = S("k"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x02,
               .key = S("k"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x03,
               .key = S("k"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x0e, .key = S("k"), .value = S("v"), .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x0e, .key = S("x"), .value = S("v"), .cas = 7},
     NOT_STORED},
    {.frame = {.opcode = 0x01,
               .key = S("x"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     NOT_FOUND},
    {.frame = {.opcode = 0x02,
               .key = S("x"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     NOT_FOUND},
    {.frame = {.opcode = 0x13,
               .key = S("x"),
               .value = S("v"),
               .extras = PLAIN,
               .cas = 7},
     NOT_FOUND},
    {.frame = {.opcode = 0x04, .key = S("k"), .cas = 7}, EXISTS},
    {.frame = {.opcode = 0x14, .key = S("k"), .cas = 7}, EXISTS},
    {.frame = {.opcode = 0x05,
               .key = S("n"),
               .extras = FRAME_COUNT("\1", "\5", NEVER)},
     NOT_FOUND},
    {.frame = {.opcode = 0x16,
               .key = S("n"),
               .extras = FRAME_COUNT("\1", "\5", NEVER)},
     NOT_FOUND},
    {.frame = {.opcode = 0x05,
               .key = S("n"),
               .extras = FRAME_COUNT("\1", "\5", MAKE)},
     .status = BINARY_OK,
     .has_cas = true,
     .value = NUMBER("\5")},
    {.frame = {.opcode = 0x05,
               .key = S("n"),
               .extras = FRAME_COUNT("\3", "\5", NEVER)},
     .status = BINARY_OK,
     .has_cas = true,
     .value = NUMBER("\x8")},
    {.frame = {.opcode = 0x16,
               .key = S("n"),
               .extras = FRAME_COUNT("\1", "\5", MAKE)},
     .silent = true},
    {.frame = {.opcode = 0x06,
               .key = S("n"),
               .extras = FRAME_COUNT("\x9", "\5", MAKE)},
     .status = BINARY_OK,
     .has_cas = true,
     .value = NUMBER("\0")},
    {.frame = {.opcode = 0x15,
               .key = S("n"),
               .extras = FRAME_COUNT("\4", "\5", MAKE)},
     .silent = true},
    {.frame = {.opcode = 0x00, .key = S("n")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = S("\0\0\0\0"),
     .value = S("4")},
    {.frame = {.opcode = 0x05,
               .key = S("n"),
               .extras = FRAME_COUNT("\1", "\5", MAKE),
               .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x05,
               .key = S("a"),
               .extras = FRAME_COUNT("\1", "\5", MAKE)},
     NO_NUMBER},
    {.frame = {.opcode = 0x15,
               .key = S("a"),
               .extras = FRAME_COUNT("\1", "\5", MAKE)},
     NO_NUMBER},
    {.frame = {.opcode = 0x1c, .key = S("a"), .extras = SOON},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS},
    {.frame = {.opcode = 0x1c, .key = S("x"), .extras = SOON}, NOT_FOUND},
    {.frame = {.opcode = 0x1d, .key = S("k"), .extras = SOON},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .value = S("quiet")},
    {.frame = {.opcode = 0x1e, .key = S("x"), .extras = SOON}, .silent = true},
    {.frame = {.opcode = 0x23, .key = S("k"), .extras = SOON},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .key = S("k"),
     .value = S("quiet")},
    {.frame = {.opcode = 0x23, .key = S("x"), .extras = SOON},
     .status = BINARY_NOT_FOUND,
     .key = S("x")},
    {.frame = {.opcode = 0x24, .key = S("x"), .extras = SOON}, .silent = true},
    {.frame = {.opcode = 0x04, .key = S("k")}, DONE_BARE},
    {.frame = {.opcode = 0x04, .key = S("k")}, NOT_FOUND},
    {.frame = {.opcode = 0x14, .key = S("a")}, .silent = true},
    {.frame = {.opcode = 0x14, .key = S("a")}, NOT_FOUND},
    {.frame = {.opcode = 0x0a}, DONE_BARE},
    {.frame = {.opcode = 0x0b}, .status = BINARY_OK, .value = S("1.2.3")},
    {.frame = {.opcode = 0x1b}, UNKNOWN},
    {.frame = {.opcode = 0x30,
               .key = S("key"),
               .value = S("value"),
               .extras = S("four")},
     UNKNOWN},
    {.frame = {.opcode = 0x20}, UNKNOWN},
    {.frame = {.opcode = 0x21, .key = S("PLAIN"), .value = S("\0a\0b")},
     UNKNOWN},
    {.frame = {.opcode = 0x10, .key = S("nothing")}, NOT_FOUND},
    {.frame = {.opcode = 0x10, .key = S("reset")}, DONE_BARE},
    {.frame = {.opcode = 0x08, .extras = FRAME_EXPTIME("\x64")}, DONE_BARE},
    {.frame = {.opcode = 0x18, .extras = FRAME_EXPTIME("\x64")},
     .silent = true},
    {.frame = {.opcode = 0x00, .key = S("b")},
     .status = BINARY_OK,
     .has_cas = true,
     .extras = FLAGS,
     .value = S("4")},
    {.frame = {.opcode = 0x08}, DONE_BARE},
    {.frame = {.opcode = 0x00, .key = S("b")}, NOT_FOUND},
    {.frame = {.opcode = 0x18}, .silent = true},
    {.frame = {.opcode = 0x07}, DONE_BARE},
};

static size_t write_rows(char *text)
{
    char *at = text;

    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        struct frame frame = rows[i].frame;

        frame.opaque = i + 1000;
        at = frame_write(at, &frame);
    }
    return (size_t)(at - text);
}

static struct slice take_part(struct reader *reader, size_t size)
{
    const unsigned char *part = reader_take(reader, size);

    ck_assert_ptr_nonnull(part);
    return slice_make((const char *)part, size);
}

/* Takes one reply off the front and compares it. */
static void expect_reply(struct reader *reader, const struct row *row,
                         uint32_t opaque)
{
    uint16_t key_size;
    uint8_t extras_size;
    uint32_t body_size;

    ck_assert_uint_eq(reader_u8(reader), BINARY_REPLY_MAGIC);
    ck_assert_uint_eq(reader_u8(reader), row->frame.opcode);
    key_size = reader_u16(reader);
    extras_size = reader_u8(reader);
    ck_assert_uint_eq(reader_u8(reader), 0);
    ck_assert_uint_eq(reader_u16(reader), row->status);
    body_size = reader_u32(reader);
    ck_assert_uint_eq(reader_u32(reader), opaque);
    ck_assert_int_eq(reader_u64(reader) != 0, row->has_cas);
    ck_assert(slice_equal(take_part(reader, extras_size), row->extras));
    ck_assert(slice_equal(take_part(reader, key_size), row->key));
    ck_assert(slice_equal(take_part(reader, body_size - key_size - extras_size),
                          row->value));
}

START_TEST(a_conversation_goes_as_written_however_it_is_cut)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 2, 3, 23, 24, 25, 100, 1000};
    struct client client;
    struct host host;
    struct reader reader;
    char *text = malloc(ROOM_BYTES);

    ck_assert_ptr_nonnull(text);
    host_init(&host);
    client_init(&client, &host);
    client.piece = pieces[_i];
    client.requests_max = _i % 2 == 0 ? 20 : 1;
    client_send(&client, slice_make(text, write_rows(text)));
    reader_init(&reader, client.replies, client.replies_size);
    for (uint32_t i = 0; i < COUNT_OF(rows); i++) {
        if (!rows[i].silent)
            expect_reply(&reader, &rows[i], i + 1000);
    }
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert(client.closed);
    client_fini(&client);
    host_fini(&host);
    free(text);
}
END_TEST

/* ---- one request on an empty cache ---- */

static void send_frame(struct client *client, const struct frame *frame)
{
    char *text = malloc(ROOM_BYTES * 4);
    char *end;

    ck_assert_ptr_nonnull(text);
    end = frame_write(text, frame);
    client_send(client, slice_make(text, (size_t)(end - text)));
    free(text);
}

static void expect_row(struct client *client, const struct row *row)
{
    struct reader reader;

    client->replies_size = 0;
    send_frame(client, &row->frame);
    reader_init(&reader, client->replies, client->replies_size);
    if (!row->silent)
        expect_reply(&reader, row, row->frame.opaque);
    ck_assert_uint_eq(reader_left(&reader), 0);
}

#define INVALID .status = BINARY_INVALID, .value = S("Invalid arguments")

static const struct row endings[] = {
    {.frame = {.opcode = 0x00}, INVALID},
    {.frame = {.opcode = 0x09}, INVALID},
    {.frame = {.opcode = 0x00, .key = S("k"), .value = S("v")}, INVALID},
    {.frame =
         {.opcode = 0x11, .key = S("k"), .value = S("v"), .extras = S("four")},
     INVALID},
    {.frame = {.opcode = 0x0a, .key = S("k")}, INVALID},
    {.frame = {.opcode = 0x08, .extras = S("12")}, INVALID},
    {.frame = {.opcode = 0x22, .value = S("v")}, INVALID},
    {.frame = {.opcode = 0x07}, DONE_BARE},
    {.frame = {.opcode = 0x17}, .silent = true},
};

START_TEST(these_end_the_connection)
{
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    expect_row(&client, &endings[_i]);
    ck_assert(client.closed);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

START_TEST(another_magic_ends_it_without_a_word)
{
    struct client client;
    struct host host;

    host_init(&host);
    client_init(&client, &host);
    send_frame(&client, &(struct frame){.opcode = BINARY_NOOP});
    ck_assert_uint_eq(client.replies_size, BINARY_HEADER_BYTES);
    client_send(&client, slice_of("version\r\n"));
    ck_assert(client.closed);
    ck_assert_uint_eq(client.replies_size, BINARY_HEADER_BYTES);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* ---- which protocol ---- */

static const struct {
    enum session_protocol protocol;
    struct slice input;
    size_t answered; /* Bytes. */
    bool closes;
} choices[] = {
    {SESSION_AUTO, S("\x80\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
     24, false},
    {SESSION_AUTO, S("mn\r\n"), 4, false},
    {SESSION_TEXT, S("mn\r\n"), 4, false},
    {SESSION_TEXT, S("\x80?\r\n"), 7, false},
    {SESSION_BINARY, S("mn\r\n"), 0, true},
    {SESSION_BINARY, S("\x80\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
     24, false},
};

START_TEST(the_listener_or_the_first_byte_decides)
{
    const struct session_config config = {.protocol = choices[_i].protocol};
    struct client client;
    struct host host;

    host_init(&host);
    client_init_with(&client, &host, &config);
    client.piece = 1;
    client_send(&client, choices[_i].input);
    ck_assert_uint_eq(client.replies_size, choices[_i].answered);
    ck_assert_int_eq(client.closed, choices[_i].closes);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* ---- values ---- */

static const struct {
    size_t size;
    size_t piece;
    bool direct;
} values[] = {
    {SESSION_SMALL_VALUE_MAX, SIZE_MAX, false},
    {SESSION_SMALL_VALUE_MAX, 1000, true},
    {SESSION_SMALL_VALUE_MAX + 1, SIZE_MAX, false},
    {SESSION_SMALL_VALUE_MAX + 1, 1000, false},
    {SESSION_SMALL_VALUE_MAX + 1, 1000, true},
    {900000, SIZE_MAX, true},
    {900000, 4096, true},
    {900000, 4096, false},
};

static struct row get_of(const struct frame *set)
{
    return (struct row){.frame = {.opcode = BINARY_GET, .key = set->key},
                        .has_cas = true,
                        .extras = set->extras.size == 8
                                      ? slice_make(set->extras.data, 4)
                                      : (struct slice)FLAGS,
                        .value = set->value};
}

START_TEST(values_come_back_as_they_went)
{
    struct frame set = {
        .opcode = BINARY_SET, .key = S("k"), .extras = FRAME_STORE("\7")};
    struct client client;
    struct host host;
    struct row get;
    char *value = malloc(values[_i].size);

    ck_assert_ptr_nonnull(value);
    for (size_t i = 0; i < values[_i].size; i++)
        value[i] = (char)(i * 31);
    set.value = slice_make(value, values[_i].size);
    host_init(&host);
    client_init(&client, &host);
    client.piece = values[_i].piece;
    client.direct_bodies = values[_i].direct;
    expect_row(&client, &(struct row){.frame = set, .has_cas = true});
    get = get_of(&set);
    expect_row(&client, &get);
    set.opcode = BINARY_SETQ;
    expect_row(&client, &(struct row){.frame = set, .silent = true});
    expect_row(&client, &get);
    client_fini(&client);
    host_fini(&host);
    free(value);
}
END_TEST

START_TEST(a_value_that_is_refused_is_passed_over)
{
    static const struct row noop = {.frame = {.opcode = BINARY_NOOP}};
    struct row set = {.frame = {.opcode = BINARY_SETQ,
                                .key = S("k"),
                                .extras = FRAME_STORE("\7")},
                      .status = BINARY_TOO_LARGE,
                      .value = S("Too large.")};
    struct client client;
    struct host host;
    char *value = calloc(1, 3 * ROOM_BYTES);

    ck_assert_ptr_nonnull(value);
    set.frame.value = slice_make(value, 3 * ROOM_BYTES);
    host_init(&host);
    client_init(&client, &host);
    client.piece = _i == 0 ? SIZE_MAX : 10000;
    expect_row(&client, &set);
    expect_row(&client, &noop);
    set.frame.opcode = 0x30;
    set.status = BINARY_UNKNOWN;
    set.value = (struct slice)S("Unknown command");
    expect_row(&client, &set);
    expect_row(&client, &noop);
    client_fini(&client);
    host_fini(&host);
    free(value);
}
END_TEST

START_TEST(a_session_may_end_within_a_value)
{
    struct client client;
    struct host host;
    char header[BINARY_HEADER_BYTES + 9] = {0};
    const struct frame set = {.opcode = BINARY_SET};

    host_init(&host);
    client_init(&client, &host);
    (void)frame_write_header(header, &set, 1, 8, 500000);
    client_send(&client, slice_make(header, sizeof(header)));
    ck_assert(!client.closed);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

/* ---- without versions, without flush_all ---- */

static void init_bare(struct host *host)
{
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = ROOM_BYTES};
    const struct commands_config commands = {.version = "1.2.3",
                                             .item_bytes_max = ROOM_BYTES};

    host_init_with(host, &engine, &commands);
}

static const struct row bare_rows[] = {
    {.frame = {.opcode = 0x01, .key = S("k"), .value = S("1"), .extras = PLAIN},
     DONE_BARE},
    {.frame = {.opcode = 0x01,
               .key = S("k"),
               .value = S("2"),
               .extras = PLAIN,
               .cas = 7},
     DONE_BARE},
    {.frame = {.opcode = 0x00, .key = S("k")},
     .status = BINARY_OK,
     .extras = FLAGS,
     .value = S("2")},
    {.frame = {.opcode = 0x0e, .key = S("k"), .value = S("3"), .cas = 7},
     DONE_BARE},
    {.frame = {.opcode = 0x04, .key = S("k"), .cas = 7}, EXISTS},
    {.frame = {.opcode = 0x05,
               .key = S("k"),
               .extras = FRAME_COUNT("\1", "\1", MAKE),
               .cas = 7},
     EXISTS},
    {.frame = {.opcode = 0x05,
               .key = S("k"),
               .extras = FRAME_COUNT("\1", "\1", MAKE)},
     .status = BINARY_OK,
     .value = NUMBER("\x18")},
    {.frame = {.opcode = 0x08},
     .status = BINARY_AUTH_FAILED,
     .value = S("Auth failure.")},
    {.frame = {.opcode = 0x18},
     .status = BINARY_AUTH_FAILED,
     .value = S("Auth failure.")},
    {.frame = {.opcode = 0x04, .key = S("k")}, DONE_BARE},
};

START_TEST(without_versions_and_flush_all)
{
    struct client client;
    struct host host;

    init_bare(&host);
    client_init(&client, &host);
    for (size_t i = 0; i < COUNT_OF(bare_rows); i++)
        expect_row(&client, &bare_rows[i]);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

static void put_two(void *ctx, struct stats_out *out)
{
    (void)ctx;
    out->put(out, "one", "1");
    out->put(out, "two", "");
}

START_TEST(statistics_are_a_reply_a_line)
{
    struct client client;
    struct host host;
    struct reader reader;
    struct row row = {.frame = {.opcode = BINARY_STAT, .key = S("g")},
                      .key = S("one"),
                      .value = S("1")};

    host_init(&host);
    client_init(&client, &host);
    ck_assert_int_eq(commands_add_stats(host.commands, "g", put_two, NULL), 0);
    send_frame(&client, &row.frame);
    reader_init(&reader, client.replies, client.replies_size);
    expect_reply(&reader, &row, 0);
    row.key = (struct slice)S("two");
    row.value = (struct slice)S("");
    expect_reply(&reader, &row, 0);
    row.key = (struct slice)S("");
    expect_reply(&reader, &row, 0);
    ck_assert_uint_eq(reader_left(&reader), 0);
    client_fini(&client);
    host_fini(&host);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, a_conversation_goes_as_written_however_it_is_cut,
                        0, 9);
    tcase_add_loop_test(tests, these_end_the_connection, 0, COUNT_OF(endings));
    tcase_add_test(tests, another_magic_ends_it_without_a_word);
    tcase_add_loop_test(tests, the_listener_or_the_first_byte_decides, 0,
                        COUNT_OF(choices));
    tcase_add_loop_test(tests, values_come_back_as_they_went, 0,
                        COUNT_OF(values));
    tcase_add_loop_test(tests, a_value_that_is_refused_is_passed_over, 0, 2);
    tcase_add_test(tests, a_session_may_end_within_a_value);
    tcase_add_test(tests, without_versions_and_flush_all);
    tcase_add_test(tests, statistics_are_a_reply_a_line);
}
UNIT_MAIN("binary", add_tests)

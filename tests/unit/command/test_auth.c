/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/command/auth.h"

#include "src/base/memory.h"
#include "tests/unit/command/client.h"
#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define S(text) FRAME_TEXT(text)
#define UNAUTHENTICATED "CLIENT_ERROR unauthenticated\r\n"
#define FAILURE "CLIENT_ERROR authentication failure\r\n"
#define BAD_FORMAT "CLIENT_ERROR bad authentication token format\r\n"
#define TERMINATION "CLIENT_ERROR bad command line termination\r\n"
#define TOO_LONG "CLIENT_ERROR auth token too long\r\n"
#define STORED "STORED\r\n"
#define VERSION "VERSION 1.2.3\r\n"
#define LOGIN "set x 0 0 6\r\nbob pw\r\n"
#define ROOM_BYTES (256u * 1024)

/* ---- what knows about users ---- */

struct auth_dialog {
    unsigned steps;
};

static unsigned dialogs; /* Not ended yet. */

static bool knows(void *ctx, struct slice user, struct slice password)
{
    (void)ctx;
    return slice_equal(user, SLICE_LITERAL("bob")) &&
           slice_equal(password, SLICE_LITERAL("pw"));
}

static size_t mechanisms(void *ctx, char *room, size_t size)
{
    (void)ctx;
    INVARIANT(size >= 7);
    memcpy(room, "ONE TWO", 7);
    return 7;
}

static enum auth_outcome verdict(struct slice message)
{
    return slice_equal(message, SLICE_LITERAL("good")) ? AUTH_GRANTED
                                                       : AUTH_DENIED;
}

/* TWO takes a second message. */
static enum auth_outcome start(void *ctx, struct slice mechanism,
                               struct slice message,
                               struct auth_dialog **dialog,
                               struct slice *challenge)
{
    (void)ctx;
    INVARIANT(*dialog == NULL);
    if (slice_equal(mechanism, SLICE_LITERAL("NONE")))
        return AUTH_DENIED;
    *dialog = memory_new(1, sizeof(**dialog));
    INVARIANT(*dialog != NULL);
    dialogs++;
    if (!slice_equal(mechanism, SLICE_LITERAL("TWO")))
        return verdict(message);
    *challenge = SLICE_LITERAL("well?");
    return AUTH_CONTINUE;
}

static enum auth_outcome step(void *ctx, struct auth_dialog *dialog,
                              struct slice message, struct slice *challenge)
{
    (void)ctx;
    (void)challenge;
    dialog->steps++;
    return verdict(message);
}

static void end(void *ctx, struct auth_dialog **dialog)
{
    (void)ctx;
    dialogs--;
    memory_free(dialog);
}

static const struct authenticator by_file = {.knows = knows};
static const struct authenticator by_sasl = {
    .mechanisms = mechanisms, .start = start, .step = step, .end = end};

static void start_client(struct host *host, struct client *client,
                         const struct authenticator *authenticator,
                         enum session_protocol protocol)
{
    const struct session_config session = {.protocol = protocol};
    const struct engine_config engine = {.memory_bytes = 64u << 20,
                                         .item_bytes_max = 1u << 20};
    const struct commands_config commands = {.version = "1.2.3",
                                             .item_bytes_max = 1u << 20,
                                             .cas_shown = true,
                                             .flush_allowed = true,
                                             .authenticator = authenticator};

    host_init_with(host, &engine, &commands);
    client_init_with(client, host, &session);
}

static void stop_client(struct host *host, struct client *client)
{
    client_fini(client);
    host_fini(host);
    ck_assert_uint_eq(dialogs, 0);
}

/* ---- the text protocol ---- */

static const struct {
    struct slice request;
    struct slice reply;
    bool closes;
} rows[] = {
    {S(LOGIN "version\r\n"), S(STORED VERSION), false},
    {S("set x 0 0 6\nbob pw\r\nversion\n"), S(STORED VERSION), false},
    {S(" set  x  y  z  6  9 \r\nbob pw\r\nversion\r\n"), S(STORED VERSION),
     false},
    {S("set x 0 0 6 noreply\r\nbob pw\r\n"), S(STORED), false},
    {S("set x 0 0 9\r\n bob  pw \r\n"), S(STORED), false},
    {S("set x 0 0 9\r\nbob pw 12\r\n"), S(STORED), false},
    {S(LOGIN LOGIN "get x\r\n"),
     S(STORED STORED "VALUE x 0 6\r\nbob pw\r\n"
                     "END\r\n"),
     false},
    {S("version\r\n"), S(UNAUTHENTICATED), false},
    {S("version\r\n" LOGIN "version\r\n"), S(UNAUTHENTICATED STORED VERSION),
     false},
    {S("set x 0 0 6\r\nbob px\r\nversion\r\n" LOGIN),
     S(FAILURE UNAUTHENTICATED STORED), false},
    {S("set x 0 0 6\r\nbob:pw\r\n"), S(BAD_FORMAT), false},
    {S("set x 0 0 6\r\nbob\tpw\r\n"), S(BAD_FORMAT), false},
    {S("set x 0 0 4\r\nbob \r\n"), S(BAD_FORMAT), false},
    {S("set x 0 0 0\r\n\r\n"), S(BAD_FORMAT), false},
    {S("set x 0 0 6\r\nbob pw\n\n"), S(TERMINATION), false},
    {S("set x 0 0 6\r\nbob pwxx" LOGIN), S(TERMINATION STORED), false},
    {S("set x 0 0\r\n"), S(UNAUTHENTICATED), false},
    {S("set x 0 0 x\r\n"), S(UNAUTHENTICATED), false},
    {S("set x 0 0 -1\r\n"), S(UNAUTHENTICATED), false},
    {S("set x 0 0 2147483646\r\n"), S(UNAUTHENTICATED), false},
    {S("set x 0 0 4294967295\r\n"), S(UNAUTHENTICATED), false},
    {S("set x 0 0 99999999999999999999\r\n"), S(UNAUTHENTICATED), false},
    {S("set x 0 0 2147483645\r\n12345678"), S(TOO_LONG), false},
    {S("add x 0 0 6\r\nmn foo\r\n"), S(UNAUTHENTICATED UNAUTHENTICATED), false},
    {S("\0set x 0 0 6\r\n"), S(UNAUTHENTICATED), false},
    {S("quit\r\nversion\r\n"), S(UNAUTHENTICATED UNAUTHENTICATED), false},
    {S("\r\nversion\r\n"), S(""), true},
    {S("\nversion\r\n"), S(""), true},
    {S("mn\r\nversion\r\n"), S(""), true},
    {S("\x80\x0a\0\0"), S(""), true},
};

static void check_row(size_t row, size_t piece, size_t requests_max,
                      enum session_protocol protocol)
{
    struct client client;
    struct host host;

    start_client(&host, &client, &by_file, protocol);
    client.piece = piece;
    client.requests_max = requests_max;
    client_send(&client, rows[row].request);
    ck_assert_msg(slice_equal(slice_make(client.replies, client.replies_size),
                              rows[row].reply),
                  "%.*s: %.*s", (int)rows[row].request.size,
                  rows[row].request.data, (int)client.replies_size,
                  client.replies);
    ck_assert_int_eq(client.closed, rows[row].closes);
    stop_client(&host, &client);
}

START_TEST(logins_go_as_written_however_they_are_cut)
{
    const size_t row = (size_t)_i;

    check_row(row, SIZE_MAX, 20, SESSION_AUTO);
    check_row(row, 1, 20, SESSION_TEXT);
    check_row(row, 7, 1, SESSION_BINARY); /* Which does not open a door. */
}
END_TEST

static void send_token(struct client *client, size_t size)
{
    char *text = malloc(ROOM_BYTES);
    int used;

    ck_assert_ptr_nonnull(text);
    used = snprintf(text, ROOM_BYTES, "set x 0 0 %zu\r\n", size);
    memset(text + used, 'x', size);
    memcpy(text + (size_t)used + size, "\r\n" LOGIN, 2 + sizeof(LOGIN) - 1);
    client_send(client,
                slice_make(text, (size_t)used + size + 1 + sizeof(LOGIN)));
    free(text);
}

START_TEST(a_token_has_a_limit)
{
    struct client client;
    struct host host;

    start_client(&host, &client, &by_file, SESSION_AUTO);
    client.piece = _i == 0 ? SIZE_MAX : 4096;
    send_token(&client, AUTH_TOKEN_MAX);
    ck_assert(slice_equal(slice_make(client.replies, client.replies_size),
                          SLICE_LITERAL(BAD_FORMAT STORED)));
    stop_client(&host, &client);
}
END_TEST

START_TEST(a_token_that_is_too_long_is_passed_over)
{
    struct client client;
    struct host host;

    start_client(&host, &client, &by_file, SESSION_AUTO);
    client.piece = _i == 0 ? SIZE_MAX : 4096;
    send_token(&client, AUTH_TOKEN_MAX + 1 + 50000 * (size_t)_i);
    ck_assert(slice_equal(slice_make(client.replies, client.replies_size),
                          SLICE_LITERAL(TOO_LONG STORED)));
    stop_client(&host, &client);
}
END_TEST

START_TEST(a_line_without_end_is_hung_up_on)
{
    static const char *const starts[] = {"get ", "set ", "x", " "};
    struct client client;
    struct host host;
    char text[SESSION_LINE_MAX + 1];

    memset(text, 'x', sizeof(text));
    memcpy(text, starts[_i], strlen(starts[_i]));
    start_client(&host, &client, &by_file, SESSION_AUTO);
    client_send(&client, slice_make(text, SESSION_LINE_MAX));
    ck_assert(!client.closed);
    stop_client(&host, &client);
    start_client(&host, &client, &by_file, SESSION_AUTO);
    client_send(&client, slice_make(text, sizeof(text)));
    ck_assert(client.closed);
    ck_assert_uint_eq(client.replies_size, 0);
    stop_client(&host, &client);
}
END_TEST

/* ---- SASL ---- */

struct expected {
    struct frame frame;
    enum binary_status status;
    struct slice value;
};

#define ASK(op, k, v, s, text) \
    { \
        .frame = {.opcode = BINARY_##op, .key = S(k), .value = S(v)}, \
        .status = BINARY_##s, .value = S(text) \
    }
#define NOOP_OK ASK(NOOP, "", "", OK, "")
#define DENIED "Auth failure."
#define NOOP_DENIED ASK(NOOP, "", "", AUTH_FAILED, DENIED)
#define GOOD ASK(SASL_AUTH, "ONE", "good", OK, "Authenticated")
#define BAD ASK(SASL_AUTH, "ONE", "bad", AUTH_FAILED, DENIED)
#define FIRST ASK(SASL_AUTH, "TWO", "", AUTH_CONTINUE, "well?")
#define MECHANISM_33 "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM"
#define TALK_MAX 5

/* Each over a connection of its own. */
static const struct {
    struct expected at[TALK_MAX];
    size_t count;
    bool closes;
} talks[] = {
    {{ASK(SASL_LIST, "", "", OK, "ONE TWO"), ASK(VERSION, "", "", OK, "1.2.3")},
     2,
     false},
    {{NOOP_DENIED}, 1, true},
    {{ASK(QUITQ, "", "", AUTH_FAILED, DENIED)}, 1, true},
    {{ASK(GETQ, "k", "", AUTH_FAILED, DENIED)}, 1, true},
    {{ASK(STAT, "", "", AUTH_FAILED, DENIED)}, 1, true},
    {{GOOD, NOOP_OK}, 2, false},
    {{BAD, BAD, GOOD, NOOP_OK}, 4, false},
    {{BAD, NOOP_DENIED}, 2, true},
    {{GOOD, BAD, NOOP_DENIED}, 3, true},
    {{GOOD, FIRST, NOOP_DENIED}, 3, true},
    {{GOOD, GOOD, NOOP_OK}, 3, false},
    {{GOOD, ASK(SASL_LIST, "", "", OK, "ONE TWO"), NOOP_OK}, 3, false},
    {{FIRST, ASK(SASL_STEP, "TWO", "good", OK, "Authenticated"), NOOP_OK},
     3,
     false},
    {{FIRST, ASK(SASL_STEP, "TWO", "bad", AUTH_FAILED, DENIED),
      ASK(SASL_STEP, "TWO", "good", AUTH_FAILED, DENIED), NOOP_DENIED},
     4,
     true},
    {{FIRST, FIRST, GOOD, NOOP_OK}, 4, false},
    {{FIRST}, 1, false},
    {{ASK(SASL_STEP, "ONE", "good", AUTH_FAILED, DENIED)}, 1, false},
    {{ASK(SASL_AUTH, "NONE", "good", AUTH_FAILED, DENIED), GOOD}, 2, false},
    {{ASK(SASL_AUTH, MECHANISM_33, "good", INVALID, "Invalid arguments"), GOOD},
     2,
     false},
    {{ASK(SASL_AUTH, "", "good", INVALID, "Invalid arguments")}, 1, true},
};

static void expect_answer(struct reader *reader, const struct expected *row)
{
    uint32_t size;
    const unsigned char *value;

    ck_assert_uint_eq(reader_u8(reader), BINARY_REPLY_MAGIC);
    ck_assert_uint_eq(reader_u8(reader), row->frame.opcode);
    ck_assert_uint_eq(reader_u32(reader), 0);
    ck_assert_uint_eq(reader_u16(reader), row->status);
    size = reader_u32(reader);
    (void)reader_take(reader, 12);
    value = reader_take(reader, size);
    ck_assert_ptr_nonnull(value);
    ck_assert(slice_equal(slice_make((const char *)value, size), row->value));
}

static void hold_talk(size_t talk, size_t piece)
{
    struct client client;
    struct host host;
    struct reader reader;
    char text[1024];
    char *at = text;

    start_client(&host, &client, &by_sasl, SESSION_AUTO);
    client.piece = piece;
    for (size_t i = 0; i < talks[talk].count; i++)
        at = frame_write(at, &talks[talk].at[i].frame);
    client_send(&client, slice_make(text, (size_t)(at - text)));
    reader_init(&reader, client.replies, client.replies_size);
    for (size_t i = 0; i < talks[talk].count; i++)
        expect_answer(&reader, &talks[talk].at[i]);
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert_int_eq(client.closed, talks[talk].closes);
    stop_client(&host, &client);
}

START_TEST(dialogs_go_as_written_however_they_are_cut)
{
    hold_talk((size_t)_i, SIZE_MAX);
    hold_talk((size_t)_i, 1);
    hold_talk((size_t)_i, 29);
}
END_TEST

START_TEST(a_message_that_is_too_long_is_refused_and_passed_over)
{
    static const struct expected noop = NOOP_DENIED;
    struct expected big = ASK(SASL_AUTH, "ONE", "", AUTH_FAILED, DENIED);
    struct client client;
    struct host host;
    struct reader reader;
    char *text = calloc(1, ROOM_BYTES);
    char *value = calloc(1, ROOM_BYTES);
    char *at;

    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(value);
    big.frame.value = slice_make(value, 100000);
    start_client(&host, &client, &by_sasl, SESSION_AUTO);
    client.piece = 10000;
    at = frame_write(text, &big.frame);
    at = frame_write(at, &noop.frame);
    client_send(&client, slice_make(text, (size_t)(at - text)));
    reader_init(&reader, client.replies, client.replies_size);
    expect_answer(&reader, &big);
    expect_answer(&reader, &noop);
    ck_assert(client.closed);
    stop_client(&host, &client);
    free(text);
    free(value);
}
END_TEST

START_TEST(sasl_clients_speak_no_text)
{
    struct client client;
    struct host host;

    start_client(&host, &client, &by_sasl, SESSION_TEXT);
    client_send(&client, slice_of("version\r\n"));
    ck_assert(client.closed);
    ck_assert_uint_eq(client.replies_size, 0);
    stop_client(&host, &client);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, logins_go_as_written_however_they_are_cut, 0,
                        COUNT_OF(rows));
    tcase_add_loop_test(tests, a_token_has_a_limit, 0, 2);
    tcase_add_loop_test(tests, a_token_that_is_too_long_is_passed_over, 0, 2);
    tcase_add_loop_test(tests, a_line_without_end_is_hung_up_on, 0, 4);
    tcase_add_loop_test(tests, dialogs_go_as_written_however_they_are_cut, 0,
                        COUNT_OF(talks));
    tcase_add_test(tests,
                   a_message_that_is_too_long_is_refused_and_passed_over);
    tcase_add_test(tests, sasl_clients_speak_no_text);
}
UNIT_MAIN("auth", add_tests)

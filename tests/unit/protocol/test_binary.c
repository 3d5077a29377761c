/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/protocol/binary.h"

#include "tests/unit/frames.h"
#include "tests/unit/unit.h"

#define S(text) FRAME_TEXT(text)

/* What each opcode's requests look like, independent of the parser's rows. */
static const struct {
    unsigned char opcode;
    enum request_verb verb;
    size_t extras;
    bool extras_optional;
    char key; /* 'y', 'n' or '?' */
    bool value;
    bool quiet;
    bool shows_key;
} opcodes[] = {
    {0x00, REQUEST_GET, 0, false, 'y', false, false, false},
    {0x09, REQUEST_GET, 0, false, 'y', false, true, false},
    {0x0c, REQUEST_GET, 0, false, 'y', false, false, true},
    {0x0d, REQUEST_GET, 0, false, 'y', false, true, true},
    {0x01, REQUEST_SET, 8, false, 'y', true, false, false},
    {0x11, REQUEST_SET, 8, false, 'y', true, true, false},
    {0x02, REQUEST_ADD, 8, false, 'y', true, false, false},
    {0x12, REQUEST_ADD, 8, false, 'y', true, true, false},
    {0x03, REQUEST_REPLACE, 8, false, 'y', true, false, false},
    {0x13, REQUEST_REPLACE, 8, false, 'y', true, true, false},
    {0x04, REQUEST_DELETE, 0, false, 'y', false, false, false},
    {0x14, REQUEST_DELETE, 0, false, 'y', false, true, false},
    {0x05, REQUEST_INCR, 20, false, 'y', false, false, false},
    {0x15, REQUEST_INCR, 20, false, 'y', false, true, false},
    {0x06, REQUEST_DECR, 20, false, 'y', false, false, false},
    {0x16, REQUEST_DECR, 20, false, 'y', false, true, false},
    {0x07, REQUEST_QUIT, 0, false, 'n', false, false, false},
    {0x17, REQUEST_QUIT, 0, false, 'n', false, true, false},
    {0x08, REQUEST_FLUSH_ALL, 4, true, 'n', false, false, false},
    {0x18, REQUEST_FLUSH_ALL, 4, true, 'n', false, true, false},
    {0x0a, REQUEST_MN, 0, false, 'n', false, false, false},
    {0x0b, REQUEST_VERSION, 0, false, 'n', false, false, false},
    {0x0e, REQUEST_APPEND, 0, false, 'y', true, false, false},
    {0x19, REQUEST_APPEND, 0, false, 'y', true, true, false},
    {0x0f, REQUEST_PREPEND, 0, false, 'y', true, false, false},
    {0x1a, REQUEST_PREPEND, 0, false, 'y', true, true, false},
    {0x10, REQUEST_STATS, 0, false, '?', false, false, false},
    {0x1c, REQUEST_TOUCH, 4, false, 'y', false, false, false},
    {0x1d, REQUEST_GAT, 4, false, 'y', false, false, false},
    {0x1e, REQUEST_GAT, 4, false, 'y', false, true, false},
    {0x23, REQUEST_GAT, 4, false, 'y', false, false, true},
    {0x24, REQUEST_GAT, 4, false, 'y', false, true, true},
    {0x20, REQUEST_SASL_LIST, 0, false, 'n', false, false, false},
    {0x21, REQUEST_SASL_AUTH, 0, false, 'y', true, false, false},
    {0x22, REQUEST_SASL_STEP, 0, false, 'y', true, false, false},
};

static const char bytes[1024];

static size_t parse(const struct frame *frame, struct request *request,
                    size_t *taken)
{
    char text[2048];
    char *end = frame_write(text, frame);
    /* In memory of exactly that size, so that reading on is seen. */
    size_t size = (size_t)(end - text);
    char *copy = malloc(size);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, size);
    ck_assert_int_eq(binary_parse(slice_make(copy, size), request, taken),
                     BINARY_REQUEST);
    free(copy);
    return size;
}

static bool is_right(size_t row, size_t extras, size_t key, size_t value)
{
    bool right_extras = extras == opcodes[row].extras ||
                        (extras == 0 && opcodes[row].extras_optional);
    bool right_key =
        opcodes[row].key == '?' || (key > 0) == (opcodes[row].key == 'y');

    return right_extras && right_key && (value == 0 || opcodes[row].value);
}

static void check_shape(size_t row, size_t extras, size_t key, size_t value)
{
    const struct frame frame = {.opcode = opcodes[row].opcode,
                                .extras = slice_make(bytes, extras),
                                .key = slice_make(bytes, key),
                                .value = slice_make(bytes, value),
                                .cas = 0x1122334455667788,
                                .opaque = 0xdeadbeef};
    struct request request;
    size_t taken;

    (void)parse(&frame, &request, &taken);
    ck_assert_int_eq(request.verb, opcodes[row].verb);
    ck_assert_uint_eq(request.binary.opcode, frame.opcode);
    ck_assert_uint_eq(request.binary.opaque, frame.opaque);
    ck_assert_uint_eq(request.binary.cas, frame.cas);
    ck_assert_int_eq(request.binary.quiet, opcodes[row].quiet);
    ck_assert_int_eq(request.binary.shows_key, opcodes[row].shows_key);
    if (!is_right(row, extras, key, value)) {
        ck_assert_int_eq(request.error, REQUEST_BAD_LINE);
        ck_assert(!request.has_value);
        return;
    }
    ck_assert_int_eq(request.error, REQUEST_FINE);
    ck_assert_uint_eq(taken, BINARY_HEADER_BYTES + extras + key);
    ck_assert_uint_eq(request.key.size, key);
    ck_assert_int_eq(request.has_value, opcodes[row].value);
    ck_assert_uint_eq(request.value_size, value);
    ck_assert(!request.noreply);
}

START_TEST(each_opcode_has_its_shape)
{
    static const size_t extras[] = {0, 4, 8, 12, 20, 21, 255};
    static const size_t keys[] = {0, 1, 250};
    static const size_t values[] = {0, 1, 700};

    for (size_t i = 0; i < COUNT_OF(extras); i++) {
        for (size_t j = 0; j < COUNT_OF(keys); j++) {
            for (size_t k = 0; k < COUNT_OF(values); k++)
                check_shape((size_t)_i, extras[i], keys[j], values[k]);
        }
    }
}
END_TEST

START_TEST(all_other_opcodes_are_unknown_and_their_bodies_passed_over)
{
    struct frame frame = {
        .extras = S("four"), .key = S("key"), .value = S("value")};
    struct request request;
    bool known = false;
    size_t taken;

    frame.opcode = (unsigned char)_i;
    for (size_t i = 0; i < COUNT_OF(opcodes); i++)
        known = known || opcodes[i].opcode == _i;
    (void)parse(&frame, &request, &taken);
    ck_assert_int_eq(request.error == REQUEST_BAD_OPCODE, !known);
    if (known)
        return;
    ck_assert_int_eq(request.verb, REQUEST_NONE);
    ck_assert_uint_eq(taken, BINARY_HEADER_BYTES);
    ck_assert(request.has_value);
    ck_assert_uint_eq(request.value_size, 12);
}
END_TEST

/* ---- sizes ---- */

static const struct {
    unsigned char opcode;
    uint16_t key;
    uint8_t extras;
    uint32_t body;
    enum request_error error;
    bool has_value;
} sizes[] = {
    {0x00, 3, 0, 2, REQUEST_BAD_FRAME, false},
    {0x00, 3, 0, 0, REQUEST_BAD_FRAME, false},
    {0x01, 3, 8, 10, REQUEST_BAD_FRAME, false},
    {0x01, 65535, 255, 65535, REQUEST_BAD_FRAME, false},
    {0x30, 3, 0, 2, REQUEST_BAD_FRAME, false},
    {0x00, 251, 0, 251, REQUEST_BAD_LINE, false},
    {0x00, 65535, 0, 65535, REQUEST_BAD_LINE, false},
    {0x30, 251, 0, 251, REQUEST_BAD_LINE, false},
    {0x01, 1, 8, 0x40000001, REQUEST_BAD_LINE, false},
    {0x01, 1, 8, 0x7fffffff, REQUEST_BAD_LINE, false},
    {0x01, 1, 8, 0xffffffff, REQUEST_BAD_LINE, false},
    {0x30, 0, 0, 0xffffffff, REQUEST_BAD_LINE, false},
    {0x30, 0, 0, 0x40000000, REQUEST_BAD_OPCODE, true},
    {0x00, 0, 0, 0, REQUEST_BAD_LINE, false},
    {0x0a, 0, 0, 1, REQUEST_BAD_LINE, false},
};

START_TEST(sizes_are_judged_by_the_header_alone)
{
    const struct frame frame = {.opcode = sizes[_i].opcode};
    struct request request;
    char header[BINARY_HEADER_BYTES];
    size_t taken;

    (void)frame_write_header(header, &frame, sizes[_i].key, sizes[_i].extras,
                             sizes[_i].body);
    ck_assert_int_eq(
        binary_parse(slice_make(header, sizeof(header)), &request, &taken),
        BINARY_REQUEST);
    ck_assert_int_eq(request.error, sizes[_i].error);
    ck_assert_int_eq(request.has_value, sizes[_i].has_value);
    if (sizes[_i].has_value)
        ck_assert_uint_eq(request.value_size, sizes[_i].body);
}
END_TEST

START_TEST(the_largest_body_is_no_error)
{
    const struct frame frame = {.opcode = 0x01};
    struct request request;
    char text[BINARY_HEADER_BYTES + 9] = {0};
    size_t taken;

    (void)frame_write_header(text, &frame, 1, 8, BINARY_BODY_MAX);
    ck_assert_int_eq(
        binary_parse(slice_make(text, sizeof(text)), &request, &taken),
        BINARY_REQUEST);
    ck_assert_int_eq(request.error, REQUEST_FINE);
    ck_assert_uint_eq(request.value_size, BINARY_BODY_MAX - 9);
}
END_TEST

START_TEST(a_part_is_a_part_however_small)
{
    const struct frame frame = {.opcode = 0x01,
                                .key = S("key"),
                                .extras = FRAME_STORE("\1"),
                                .value = S("value")};
    struct request request;
    char text[64];
    size_t whole = BINARY_HEADER_BYTES + 8 + 3;
    size_t taken;

    (void)frame_write(text, &frame);
    for (size_t size = 1; size < whole; size++) {
        char *copy = malloc(size);

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, text, size);
        ck_assert_int_eq(binary_parse(slice_make(copy, size), &request, &taken),
                         BINARY_PART);
        free(copy);
    }
    ck_assert_int_eq(binary_parse(slice_make(text, whole), &request, &taken),
                     BINARY_REQUEST);
    ck_assert_uint_eq(taken, whole);
}
END_TEST

START_TEST(another_first_byte_is_another_protocol)
{
    const char byte = (char)_i;
    struct request request;
    size_t taken;

    ck_assert_int_eq(binary_parse(slice_make(&byte, 1), &request, &taken),
                     _i == 0x80 ? BINARY_PART : BINARY_STRAY);
}
END_TEST

/* ---- fields ---- */

START_TEST(extras_are_read)
{
    const struct frame set = {.opcode = 0x01,
                              .key = S("k"),
                              .extras = S("\x80\x01\x02\x03\xff\xff\xff\xff")};
    const struct frame incr = {.opcode = 0x05,
                               .key = S("k"),
                               .extras = S("\x81\x02\x03\x04\x05\x06\x07\x08"
                                           "\x91\x12\x13\x14\x15\x16\x17\x18"
                                           "\xff\xff\xff\xfe")};
    const struct frame touch = {
        .opcode = 0x1c, .key = S("k"), .extras = S("\x01\x02\x03\x04")};
    struct request request;
    size_t taken;

    (void)parse(&set, &request, &taken);
    ck_assert_uint_eq(request.client_flags, 0x80010203);
    ck_assert_int_eq(request.exptime_s, 0xffffffff);
    (void)parse(&incr, &request, &taken);
    ck_assert_uint_eq(request.number, 0x8102030405060708);
    ck_assert_uint_eq(request.binary.initial, 0x9112131415161718);
    ck_assert_int_eq(request.exptime_s, 0xfffffffe);
    ck_assert(request.binary.vivify);
    (void)parse(&touch, &request, &taken);
    ck_assert_int_eq(request.exptime_s, 0x01020304);
}
END_TEST

START_TEST(a_counter_of_all_ones_is_not_made)
{
    const struct frame decr = {.opcode = 0x06,
                               .key = S("k"),
                               .extras =
                                   FRAME_COUNT("\1", "\2", "\xff\xff\xff\xff")};
    struct request request;
    size_t taken;

    (void)parse(&decr, &request, &taken);
    ck_assert(!request.binary.vivify);
    ck_assert_int_eq(request.exptime_s, 0);
}
END_TEST

/* ---- replies ---- */

START_TEST(a_header_has_its_fields_in_place)
{
    const struct binary_reply reply = {.opcode = 0x0c,
                                       .status = BINARY_UNKNOWN,
                                       .opaque = 0x01020304,
                                       .cas = 0x1112131415161718,
                                       .extras_size = 4,
                                       .key_size = 0x1ff,
                                       .value_size = 0x10000};
    static const char expected[] = "\x81\x0c\x01\xff\x04\x00\x00\x81"
                                   "\x00\x01\x02\x03\x01\x02\x03\x04"
                                   "\x11\x12\x13\x14\x15\x16\x17\x18";
    char header[BINARY_HEADER_BYTES];

    ck_assert_ptr_eq(binary_write_header(header, &reply),
                     header + sizeof(header));
    ck_assert_mem_eq(header, expected, sizeof(header));
}
END_TEST

static const struct {
    enum binary_status status;
    const char *words;
} statuses[] = {
    {BINARY_OK, ""},
    {BINARY_NOT_FOUND, "Not found"},
    {BINARY_EXISTS, "Data exists for key."},
    {BINARY_TOO_LARGE, "Too large."},
    {BINARY_INVALID, "Invalid arguments"},
    {BINARY_NOT_STORED, "Not stored."},
    {BINARY_NOT_A_NUMBER, "Non-numeric server-side value for incr or decr"},
    {BINARY_AUTH_FAILED, "Auth failure."},
    {BINARY_AUTH_CONTINUE, ""},
    {BINARY_UNKNOWN, "Unknown command"},
    {BINARY_NO_MEMORY, "Out of memory"},
};

START_TEST(statuses_have_their_words)
{
    ck_assert(slice_equal(binary_status_words(statuses[_i].status),
                          slice_of(statuses[_i].words)));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_opcode_has_its_shape, 0, COUNT_OF(opcodes));
    tcase_add_loop_test(
        tests, all_other_opcodes_are_unknown_and_their_bodies_passed_over, 0,
        256);
    tcase_add_loop_test(tests, sizes_are_judged_by_the_header_alone, 0,
                        COUNT_OF(sizes));
    tcase_add_test(tests, the_largest_body_is_no_error);
    tcase_add_test(tests, a_part_is_a_part_however_small);
    tcase_add_loop_test(tests, another_first_byte_is_another_protocol, 0, 256);
    tcase_add_test(tests, extras_are_read);
    tcase_add_test(tests, a_counter_of_all_ones_is_not_made);
    tcase_add_test(tests, a_header_has_its_fields_in_place);
    tcase_add_loop_test(tests, statuses_have_their_words, 0,
                        COUNT_OF(statuses));
}
UNIT_MAIN("binary", add_tests)

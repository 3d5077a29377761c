/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/protocol/meta.h"

#include "src/base/invariant.h"
#include "src/protocol/base64.h"
#include "src/protocol/text.h"
#include "tests/unit/unit.h"

static struct request parse(const char *line)
{
    struct request request;

    text_parse(slice_of(line), &request);
    return request;
}

START_TEST(flags_are_taken_with_their_tokens)
{
    char line[] = "ms key 17 T-5 F7 C1 E2 I N9 R8 D3 J4 MA Oabc k v";
    struct request request;

    text_parse(slice_of(line), &request);
    ck_assert_int_eq(request.error, REQUEST_FINE);
    ck_assert_int_eq(request.verb, REQUEST_MS);
    ck_assert(slice_equal(request.key, SLICE_LITERAL("key")));
    ck_assert_uint_eq(request.value_size, 17);
    ck_assert(request.has_value);
    ck_assert_int_eq(request.exptime_s, -5);
    ck_assert_uint_eq(request.client_flags, 7);
    ck_assert_uint_eq(request.meta.wanted_cas, 1);
    ck_assert_uint_eq(request.meta.given_cas, 2);
    ck_assert_int_eq(request.meta.vivify_s, 9);
    ck_assert_int_eq(request.meta.recache_s, 8);
    ck_assert_uint_eq(request.meta.delta, 3);
    ck_assert_uint_eq(request.meta.initial, 4);
    ck_assert_int_eq(request.meta.mode, 'A');
    ck_assert(slice_equal(request.meta.opaque, SLICE_LITERAL("Oabc")));
    ck_assert(slice_equal(slice_make(request.meta.letters, request.meta.count),
                          SLICE_LITERAL("TFCEINRDJMOkv")));
    ck_assert(meta_has(&request.meta, 'I'));
    ck_assert(!meta_has(&request.meta, 'q'));
}
END_TEST

START_TEST(without_flags_everything_has_its_default)
{
    struct request request;

    /* What the one before left there is gone. */
    text_parse(SLICE_LITERAL("ma a D5 J6 MD E7 Ox"), &request);
    text_parse(SLICE_LITERAL("ma a"), &request);
    ck_assert_int_eq(request.error, REQUEST_FINE);
    ck_assert_uint_eq(request.meta.delta, 1);
    ck_assert_uint_eq(request.meta.initial, 0);
    ck_assert_uint_eq(request.meta.given, 0);
    ck_assert_uint_eq(request.meta.given_cas, 0);
    ck_assert_uint_eq(request.meta.count, 0);
    ck_assert_uint_eq(request.meta.opaque.size, 0);
    ck_assert_int_eq(request.meta.mode, '\0');
}
END_TEST

START_TEST(the_order_of_two_flags_is_known)
{
    struct request request = parse("mg a T1 R2 v");

    ck_assert(meta_in_order(&request.meta, 'T', 'R'));
    ck_assert(!meta_in_order(&request.meta, 'R', 'T'));
    ck_assert(!meta_in_order(&request.meta, 'T', 'N'));
    ck_assert(!meta_in_order(&request.meta, 'N', 'T'));
}
END_TEST

static const struct {
    const char *line;
    enum request_error error;
} errors[] = {
    {"mg a T", REQUEST_BAD_TOKEN},
    {"mg a T2147483648", REQUEST_BAD_TOKEN},
    {"mg a N1x", REQUEST_BAD_TOKEN},
    {"mg a R", REQUEST_BAD_TOKEN},
    {"mg a C18446744073709551616", REQUEST_BAD_TOKEN},
    {"mg a E-1", REQUEST_BAD_TOKEN},
    {"mg a Fx", REQUEST_BAD_LINE},
    {"mg a F4294967296", REQUEST_FINE},
    {"mg a Dx", REQUEST_BAD_META_DELTA},
    {"mg a J", REQUEST_BAD_INITIAL},
    {"mg a ?", REQUEST_BAD_LINE},
    {"mg a y", REQUEST_UNKNOWN_FLAG},
    {"mg a Z", REQUEST_UNKNOWN_FLAG},
    {"mg a 1", REQUEST_UNKNOWN_FLAG},
    {"mg a k kx", REQUEST_DUPLICATE_FLAG},
    {"mg a [", REQUEST_BAD_LINE},
    {"mg a k T1 k", REQUEST_DUPLICATE_FLAG},
    {"mg a b", REQUEST_BAD_BASE64},
    {"mg YQ== b", REQUEST_FINE},
    {"mg a MX", REQUEST_FINE},
    {"mg a M", REQUEST_LONG_MODE},
    {"ms a 1 MX", REQUEST_BAD_MS_MODE},
    {"ms a 1 MS", REQUEST_FINE},
    {"ma a MS", REQUEST_BAD_MA_MODE},
    {"ma a M+", REQUEST_FINE},
    {"ma a T", REQUEST_BAD_FLAG},
    {"md a kk k", REQUEST_BAD_FLAG},
    {"mg a T y", REQUEST_UNKNOWN_FLAG},
    {"mg a Dx k k", REQUEST_DUPLICATE_FLAG},
    {"mg a Dx Jx", REQUEST_BAD_INITIAL},
    {"mg a Jx Dx v", REQUEST_BAD_META_DELTA},
    {"mg a Jx Fx", REQUEST_BAD_INITIAL},
    {"mg a Fx T", REQUEST_BAD_TOKEN},
    {"me", REQUEST_BAD_LINE},
    {"me YQ== b", REQUEST_FINE},
    {"me a b", REQUEST_BAD_BASE64},
    {"me a c b", REQUEST_FINE},
    {"mn a b c", REQUEST_FINE},
    {"ms a", REQUEST_BAD_LINE},
    {"ms a b", REQUEST_BAD_LINE},
    {"mg a O1234567890123456789012345678901", REQUEST_FINE},
    {"mg a O12345678901234567890123456789012", REQUEST_LONG_OPAQUE},
    {"ma a O12345678901234567890123456789012", REQUEST_LONG_OPAQUE},
    {"mg a b c f h k l q s t u v x C1 D1 E1 F1 I", REQUEST_BAD_BASE64},
    {"mg a c f h k l q s t u v x C1 D1 E1 F1 I J1 L", REQUEST_FINE},
    {"mg a c f h k l q s t u v x C1 D1 E1 F1 I J1 L P", REQUEST_MANY_FLAGS},
    {"ms a 1 c f h k l q s t u v x C1 D1 E1 F1 I J1 L", REQUEST_MANY_FLAGS},
};

START_TEST(what_is_wrong_is_named)
{
    struct request request = parse(errors[_i].line);

    ck_assert_msg(request.error == errors[_i].error, "%s: %d", errors[_i].line,
                  (int)request.error);
}
END_TEST

/* RFC 4648, section 10, and what the others are not. */
static const struct {
    const char *text;
    const char *bytes; /* NULL: none. */
} codes[] = {
    {"Zg==", "f"},        {"Zm8=", "fo"},        {"Zm9v", "foo"},
    {"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"},
    {"", NULL},           {"Z", NULL},           {"Zg", NULL},
    {"Zg=", NULL},        {"Z===", NULL},        {"====", NULL},
    {"Zg==Zg==", NULL},   {"Zm 9", NULL},        {"Zm9-", NULL},
    {"Zm9v\n", NULL},     {"=m9v", NULL},        {"Zm9\200", NULL},
};

START_TEST(base64_goes_both_ways)
{
    char decoded[16], encoded[16];
    size_t size = 0;
    int error = base64_decode(slice_of(codes[_i].text), decoded, &size);

    if (codes[_i].bytes == NULL) {
        ck_assert_int_eq(error, -ERR_SYNTAX);
        return;
    }
    ck_assert_int_eq(error, 0);
    ck_assert(
        slice_equal(slice_make(decoded, size), slice_of(codes[_i].bytes)));
    size = base64_encode(slice_of(codes[_i].bytes), encoded);
    ck_assert_uint_eq(size, BASE64_ENCODED_BYTES(strlen(codes[_i].bytes)));
    ck_assert(slice_equal(slice_make(encoded, size), slice_of(codes[_i].text)));
}
END_TEST

START_TEST(base64_has_every_byte)
{
    char bytes[256], encoded[BASE64_ENCODED_BYTES(256)], decoded[258];
    size_t size, i;

    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 167);
    for (i = 1; i <= sizeof(bytes); i++) {
        size = base64_encode(slice_make(bytes, i), encoded);
        ck_assert_int_eq(
            base64_decode(slice_make(encoded, size), decoded, &size), 0);
        ck_assert_uint_eq(size, i);
        ck_assert_int_eq(memcmp(decoded, bytes, i), 0);
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, flags_are_taken_with_their_tokens);
    tcase_add_test(tests, without_flags_everything_has_its_default);
    tcase_add_test(tests, the_order_of_two_flags_is_known);
    tcase_add_loop_test(tests, what_is_wrong_is_named, 0, COUNT_OF(errors));
    tcase_add_loop_test(tests, base64_goes_both_ways, 0, COUNT_OF(codes));
    tcase_add_test(tests, base64_has_every_byte);
}

UNIT_MAIN("meta", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages as nobody of ours would write them: nothing at all, fields twice,
 * numbers as long as they may be, types that do not fit. */
#include "tests/unit/replication/codec_room.h"

#include <string.h>

static const struct {
    uint32_t type;
    int error;
} empties[] = {
    {MESSAGE_HELLO, -ERR_RANGE},
    {MESSAGE_REFUSE, -ERR_RANGE},
    {MESSAGE_PLAN, -ERR_RANGE},
    {MESSAGE_BATCH, 0},
    {MESSAGE_PART, -ERR_SYNTAX},
    {MESSAGE_PURGE, 0},
    {MESSAGE_MARK, 0},
    {MESSAGE_ACK, 0},
    {MESSAGE_FLUSH, 0},
    {MESSAGE_HEARTBEAT, 0},
    {MESSAGE_GOODBYE, 0},
    {MESSAGE_DIGEST, -ERR_SYNTAX},
    {MESSAGE_DIFFER, 0},
    {MESSAGE_WANT, 0},
    {MESSAGE_FETCH, -ERR_SYNTAX},
    {MESSAGE_FETCHED, 0},
};

START_TEST(an_empty_message_is_all_noughts)
{
    ck_assert_int_eq(decode(empties[_i].type, 0), empties[_i].error);
}
END_TEST

#define HASHES "hhhhhhhh"
#define STAMPS "sssssss\0"

/* What has to be said, and bytes that follow: fields again, and none. */
static const struct {
    uint32_t type;
    const char *bytes;
    size_t size;
    int error;
} odd[] = {
#define ODD(type, text, error) \
    { \
        type, text, sizeof(text) - 1, error \
    }
    /* A number that comes twice: the last one counts. */
    ODD(MESSAGE_PLAN, "\x08\x05\x08\x01", 0),
    ODD(MESSAGE_PLAN, "\x08\x01\x08\x05", -ERR_RANGE),
    ODD(MESSAGE_BATCH,
        "\x0a\x19\x08\x05\x08\x00\x11" HASHES "\x19" STAMPS "B\x01k", 0),
    ODD(MESSAGE_BATCH,
        "\x0a\x19\x08\x00\x08\x05\x11" HASHES "\x19" STAMPS "B\x01k",
        -ERR_RANGE),
    /* Numbers of as many bytes as there may be, and of one more. */
    ODD(MESSAGE_ACK, "\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 0),
    ODD(MESSAGE_ACK, "\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x10\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00", 0),
    ODD(MESSAGE_BATCH, "\x10\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
        -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x90\x80\x80\x80\x00\x01", 0), /* A tag of 5. */
    ODD(MESSAGE_BATCH, "\x90\x80\x80\x80\x80\x00\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0a\x80\x80\x80\x80\x00", -ERR_RANGE), /* No key. */
    ODD(MESSAGE_BATCH, "\x7a\x80\x80\x80\x80\x00", 0),          /* Unknown. */
    ODD(MESSAGE_BATCH, "\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x10\x01",
        -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x90\x80\x80\x80\x10\x01",
        -ERR_SYNTAX), /* A large tag. */
    /* Another wire type than the schema's, and a mutation that is cut. */
    ODD(MESSAGE_BATCH, "\x11" HASHES, -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0a\x16\x11" HASHES "\x19" STAMPS "B\x01k\x25",
        -ERR_SYNTAX),
    /* Lengths of nothing. */
    ODD(MESSAGE_BATCH, "\x0a\x00", -ERR_RANGE),
    ODD(MESSAGE_BATCH, "\x7a\x00", 0),
    ODD(MESSAGE_PART, "\x0a\x00\x10\x01\x22\x01v", -ERR_RANGE),
    ODD(MESSAGE_GOODBYE, "\x0a\x00", 0),
    ODD(MESSAGE_WANT, "\x0a\x00", 0),
    ODD(MESSAGE_PURGE, "\x22\x00", 0),
    /* Lists in one piece, in single numbers, in both. */
    ODD(MESSAGE_WANT, "\x0a\x08" HASHES, 0),
    ODD(MESSAGE_WANT, "\x09" HASHES, 0),
    ODD(MESSAGE_WANT, "\x09" HASHES "\x0a\x08" HASHES, 0),
    ODD(MESSAGE_WANT, "\x0a\x07hhhhhhh", -ERR_SYNTAX),
    ODD(MESSAGE_WANT,
        "\x0d"
        "hhhh",
        -ERR_SYNTAX),
    /* Field 0, a group, wire types that there are not, a field too many. */
    ODD(MESSAGE_ACK, "\x00\x01", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x0b\x0c", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x0e\x01", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x0f\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0e\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x0f\x01", -ERR_SYNTAX),
    ODD(MESSAGE_BATCH, "\x7b\x10\x01", -ERR_SYNTAX),
    ODD(MESSAGE_HELLO, "\x22\x01\n", -ERR_SYNTAX),
    ODD(MESSAGE_ACK, "\x78\x01", 0),
    ODD(MESSAGE_ACK, "\x78", -ERR_SYNTAX),
#undef ODD
};

START_TEST(odd_bytes_mean_what_the_schema_says)
{
    memcpy(room, odd[_i].bytes, odd[_i].size);
    ck_assert_int_eq(decode(odd[_i].type, odd[_i].size), odd[_i].error);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, room_setup, room_teardown);
    tcase_add_loop_test(tests, an_empty_message_is_all_noughts, 0,
                        COUNT_OF(empties));
    tcase_add_loop_test(tests, odd_bytes_mean_what_the_schema_says, 0,
                        COUNT_OF(odd));
}
UNIT_MAIN("codec bytes", add_tests)

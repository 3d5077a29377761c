/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of datagrams, and replies cut into them. */
#include "src/server/udp_frame.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <string.h>

#define BYTES(text) \
    { \
        (text), sizeof(text) - 1 \
    }

static const struct {
    struct slice datagram;
    bool good;
    uint16_t id;
} rows[] = {
    {BYTES("\1\2\0\0\0\1\0\0x"), true, 0x0102},
    {BYTES("\377\377\0\0\0\1\0\0x"), true, 0xffff},
    /* Its number and the reserved bytes mean nothing. */
    {BYTES("\0\7\0\5\0\1\7\7mn\r\n"), true, 7},
    /* One of several, or of none. */
    {BYTES("\0\1\0\0\0\2\0\0x"), false, 0},
    {BYTES("\0\1\0\0\1\1\0\0x"), false, 0},
    {BYTES("\0\1\0\0\0\0\0\0x"), false, 0},
    /* Too short. */
    {BYTES("\0\1\0\0\0\1\0\0"), false, 0},
    {BYTES("\0\1\0\0\0\1\0"), false, 0},
    {BYTES("\0"), false, 0},
    {BYTES(""), false, 0},
};

START_TEST(each_datagram_is_read_as_written)
{
    struct slice datagram = rows[_i].datagram;
    struct slice payload;
    uint16_t id;

    ck_assert_int_eq(udp_frame_parse(datagram, &id, &payload), rows[_i].good);
    if (!rows[_i].good)
        return;
    ck_assert_uint_eq(id, rows[_i].id);
    ck_assert_ptr_eq(payload.data, datagram.data + UDP_HEADER_BYTES);
    ck_assert_uint_eq(payload.size, datagram.size - UDP_HEADER_BYTES);
}
END_TEST

START_TEST(a_header_is_big_endian)
{
    static const unsigned char expected[] = {1, 2, 3, 4, 5, 6, 0, 0};
    unsigned char header[UDP_HEADER_BYTES];

    udp_frame_header(0x0102, 0x0304, 0x0506, header);
    ck_assert_mem_eq(header, expected, sizeof(expected));
}
END_TEST

static const struct {
    size_t bytes;
    uint16_t count;
    size_t last; /* Bytes in the last one. */
} cuts[] = {
    {1, 1, 1},
    {UDP_PAYLOAD_MAX, 1, UDP_PAYLOAD_MAX},
    {UDP_PAYLOAD_MAX + 1, 2, 1},
    {3 * UDP_PAYLOAD_MAX, 3, UDP_PAYLOAD_MAX},
    {UDP_REPLY_MAX, 12053, UDP_REPLY_MAX % UDP_PAYLOAD_MAX},
};

START_TEST(a_reply_is_cut_into_datagrams)
{
    static const char bytes[1];
    struct slice reply = slice_make(bytes, cuts[_i].bytes);
    uint16_t count = udp_frame_count(reply.size);
    struct slice last;

    ck_assert_uint_eq(count, cuts[_i].count);
    last = udp_frame_part(reply, (uint16_t)(count - 1));
    ck_assert_uint_eq(last.size, cuts[_i].last);
    ck_assert(last.data + last.size == reply.data + reply.size);
    if (count > 1)
        ck_assert_uint_eq(udp_frame_part(reply, 0).size, UDP_PAYLOAD_MAX);
}
END_TEST

START_TEST(what_cannot_be_numbered_is_a_bug)
{
    static const char bytes[1];
    unsigned char header[UDP_HEADER_BYTES];

    unit_assert_aborts((void)udp_frame_count(0));
    unit_assert_aborts((void)udp_frame_count(UDP_REPLY_MAX + 1));
    unit_assert_aborts(udp_frame_header(1, 1, 1, header));
    unit_assert_aborts((void)udp_frame_part(slice_make(bytes, 1), 1));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_datagram_is_read_as_written, 0,
                        (int)COUNT_OF(rows));
    tcase_add_test(tests, a_header_is_big_endian);
    tcase_add_loop_test(tests, a_reply_is_cut_into_datagrams, 0,
                        (int)COUNT_OF(cuts));
    tcase_add_test(tests, what_cannot_be_numbered_is_a_bug);
}

UNIT_MAIN("udp_frame", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/cursor.h"

#include "tests/unit/unit.h"

static const unsigned char wire[] = {
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
    0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 'a',  'b',
};

START_TEST(reads_big_endian_in_order)
{
    struct reader reader;

    reader_init(&reader, wire, sizeof(wire));
    ck_assert_uint_eq(reader_u8(&reader), 0x01);
    ck_assert_uint_eq(reader_u16(&reader), 0x0203);
    ck_assert_uint_eq(reader_u32(&reader), 0x04050607);
    ck_assert_uint_eq(reader_u64(&reader), 0x08090a0b0c0d0e0full);
    ck_assert_uint_eq(reader_left(&reader), 2);
    ck_assert(slice_equal(reader_bytes(&reader, 2), SLICE_LITERAL("ab")));
    ck_assert_uint_eq(reader_left(&reader), 0);
    ck_assert(!reader.failed);
}
END_TEST

START_TEST(writes_what_reads_back)
{
    unsigned char bytes[sizeof(wire)];
    struct writer writer;

    writer_init(&writer, bytes, sizeof(bytes));
    writer_u8(&writer, 0x01);
    writer_u16(&writer, 0x0203);
    writer_u32(&writer, 0x04050607);
    writer_u64(&writer, 0x08090a0b0c0d0e0full);
    ck_assert_uint_eq(writer_used(&writer), 15);
    ck_assert_uint_eq(writer_left(&writer), 2);
    writer_bytes(&writer, "ab", 2);
    ck_assert(!writer.failed);
    ck_assert_uint_eq(writer_left(&writer), 0);
    ck_assert_mem_eq(bytes, wire, sizeof(wire));
}
END_TEST

START_TEST(a_read_past_the_end_sticks)
{
    struct reader reader;

    reader_init(&reader, wire, 3);
    ck_assert_uint_eq(reader_u32(&reader), 0);
    ck_assert(reader.failed);
    /* There would be room for these. */
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert_uint_eq(reader_u16(&reader), 0);
    ck_assert_uint_eq(reader_u64(&reader), 0);
    ck_assert_uint_eq(reader_bytes(&reader, 1).size, 0);
    ck_assert_uint_eq(reader_bytes(&reader, 0).size, 0);
}
END_TEST

START_TEST(a_huge_length_is_only_too_long)
{
    struct reader reader;
    struct writer writer;
    unsigned char byte = 0;

    reader_init(&reader, wire, sizeof(wire));
    ck_assert_uint_eq(reader_bytes(&reader, SIZE_MAX).size, 0);
    ck_assert(reader.failed);
    writer_init(&writer, &byte, 1);
    writer_bytes(&writer, wire, SIZE_MAX);
    ck_assert(writer.failed);
}
END_TEST

START_TEST(a_write_past_the_end_sticks)
{
    unsigned char bytes[3] = {0xff, 0xff, 0xff};
    struct writer writer;

    writer_init(&writer, bytes, 2);
    writer_u32(&writer, 0);
    ck_assert(writer.failed);
    writer_u8(&writer, 0);
    ck_assert_uint_eq(writer_used(&writer), 0);
    ck_assert_mem_eq(bytes, "\xff\xff\xff", 3);
}
END_TEST

START_TEST(nothing_is_read_from_nothing)
{
    struct reader reader;
    struct writer writer;

    reader_init(&reader, NULL, 0);
    ck_assert_uint_eq(reader_bytes(&reader, 0).size, 0);
    ck_assert(!reader.failed);
    ck_assert_uint_eq(reader_u8(&reader), 0);
    ck_assert(reader.failed);

    writer_init(&writer, NULL, 0);
    writer_bytes(&writer, NULL, 0);
    ck_assert(!writer.failed);
    writer_u8(&writer, 1);
    ck_assert(writer.failed);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, reads_big_endian_in_order);
    tcase_add_test(tests, writes_what_reads_back);
    tcase_add_test(tests, a_read_past_the_end_sticks);
    tcase_add_test(tests, a_huge_length_is_only_too_long);
    tcase_add_test(tests, a_write_past_the_end_sticks);
    tcase_add_test(tests, nothing_is_read_from_nothing);
}
UNIT_MAIN("cursor", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Batches and parts as bytes, for those who compose them (codec_batch.c) and
 * those who read them (codec_mutation.c): by hand, because this is where a pair
 * spends its time. The bytes are those that protobuf-c would make of the
 * schema.
 *
 *   Batch:    { 0a size Mutation } ...  10 through
 *   Mutation: 08 kind  11 hash  19 stamp  25 expires_at_s  2d client_flags
 *             30 state  39 cas  42 size key  4a size value
 *             51 base_stamp  59 base  61 share_0  69 counted_0
 *             71 share_1  79 counted_1
 *   Part:     0a size Mutation  10 value_size  18 offset  22 size data
 *             28 through
 *
 * A number that is 0 and bytes that are empty are left out, fixed numbers are
 * little endian, all others are varints (protobuf.dev/programming-guides/
 * encoding). */
#ifndef REPLICATION_CODEC_FIELDS_H
#define REPLICATION_CODEC_FIELDS_H

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
    WIRE_NONE = 7, /* Of a number that is no field of ours. */
};

#define TAG(number, wire) (char)((number) << 3 | (wire))

enum mutation_field {
    MUTATION_FIELD_KIND = 1,
    MUTATION_FIELD_HASH,
    MUTATION_FIELD_STAMP,
    MUTATION_FIELD_EXPIRES_AT_S,
    MUTATION_FIELD_CLIENT_FLAGS,
    MUTATION_FIELD_STATE,
    MUTATION_FIELD_CAS,
    MUTATION_FIELD_KEY,
    MUTATION_FIELD_VALUE,
    MUTATION_FIELD_BASE_STAMP,
    MUTATION_FIELD_BASE,
    MUTATION_FIELD_SHARE_0,
    MUTATION_FIELD_COUNTED_0,
    MUTATION_FIELD_SHARE_1,
    MUTATION_FIELD_COUNTED_1,
};

enum batch_field {
    BATCH_FIELD_MUTATION = 1,
    BATCH_FIELD_THROUGH,
};

enum part_field {
    PART_FIELD_HEAD = 1,
    PART_FIELD_VALUE_SIZE,
    PART_FIELD_OFFSET,
    PART_FIELD_DATA,
    PART_FIELD_THROUGH,
};

#define VARINT_BYTES_MAX 10
#define VARINT32_BYTES_MAX 5 /* Of a tag or a length. */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounded reading and writing of bytes, big endian. The error sticks: read or
 * write ten fields, check once. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "src/base/slice.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrows the bytes it reads. */
struct reader {
    const unsigned char *at;
    const unsigned char *end;
    bool failed; /* Asked for more than there was; all later reads give 0. */
};

static inline void reader_init(struct reader *reader, const void *data,
                               size_t size)
{
    reader->at = data;
    reader->end = size > 0 ? reader->at + size : reader->at;
    reader->failed = false;
}

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* The next size bytes, or NULL and failed from now on. */
static inline const unsigned char *reader_take(struct reader *reader,
                                               size_t size)
{
    const unsigned char *taken = reader->at;

    if (reader->failed || size > reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    if (size > 0)
        reader->at += size;
    return taken;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    const unsigned char *taken = reader_take(reader, 1);

    return taken != NULL ? *taken : 0;
}

static inline uint16_t reader_u16(struct reader *reader)
{
    const unsigned char *taken = reader_take(reader, 2);
    uint16_t value = 0;

    if (taken != NULL)
        memcpy(&value, taken, sizeof(value));
    return be16toh(value);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    const unsigned char *taken = reader_take(reader, 4);
    uint32_t value = 0;

    if (taken != NULL)
        memcpy(&value, taken, sizeof(value));
    return be32toh(value);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    const unsigned char *taken = reader_take(reader, 8);
    uint64_t value = 0;

    if (taken != NULL)
        memcpy(&value, taken, sizeof(value));
    return be64toh(value);
}

/* An empty slice when there are fewer. */
static inline struct slice reader_bytes(struct reader *reader, size_t size)
{
    const unsigned char *taken = reader_take(reader, size);

    return slice_make((const char *)taken, taken != NULL ? size : 0);
}

/* Borrows the room it writes to. */
struct writer {
    unsigned char *start;
    unsigned char *at;
    unsigned char *end;
    bool failed; /* There was no room; nothing after that was written. */
};

static inline void writer_init(struct writer *writer, void *data, size_t size)
{
    writer->start = data;
    writer->at = data;
    writer->end = size > 0 ? writer->at + size : writer->at;
    writer->failed = false;
}

static inline size_t writer_used(const struct writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

static inline size_t writer_left(const struct writer *writer)
{
    return (size_t)(writer->end - writer->at);
}

static inline void writer_bytes(struct writer *writer, const void *data,
                                size_t size)
{
    if (writer->failed || size > writer_left(writer)) {
        writer->failed = true;
        return;
    }
    if (size > 0) {
        memcpy(writer->at, data, size);
        writer->at += size;
    }
}

static inline void writer_u8(struct writer *writer, uint8_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

static inline void writer_u16(struct writer *writer, uint16_t value)
{
    value = htobe16(value);
    writer_bytes(writer, &value, sizeof(value));
}

static inline void writer_u32(struct writer *writer, uint32_t value)
{
    value = htobe32(value);
    writer_bytes(writer, &value, sizeof(value));
}

static inline void writer_u64(struct writer *writer, uint64_t value)
{
    value = htobe64(value);
    writer_bytes(writer, &value, sizeof(value));
}

/* Over eight bytes that were written before, at that place. */
static inline void writer_patch_u64(struct writer *writer, unsigned char *at,
                                    uint64_t value)
{
    if (writer->failed)
        return;
    value = htobe64(value);
    memcpy(at, &value, sizeof(value));
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounded reading and writing of bytes, big endian. The error sticks: read or
 * write ten fields, check once. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "src/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const unsigned char *at;
    const unsigned char *end;
    bool failed; /* Asked for more than there was; all later reads give 0. */
};

void reader_init(struct reader *reader, const void *data, size_t size);
size_t reader_left(const struct reader *reader);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
struct slice reader_bytes(struct reader *reader, size_t size);

struct writer {
    unsigned char *start;
    unsigned char *at;
    unsigned char *end;
    bool failed; /* There was no room; nothing after that was written. */
};

void writer_init(struct writer *writer, void *data, size_t size);
size_t writer_used(const struct writer *writer);
size_t writer_left(const struct writer *writer);
void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_bytes(struct writer *writer, const void *data, size_t size);

#endif

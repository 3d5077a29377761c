/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys in base64 (RFC 4648, section 4), which is how binary ones travel in a
 * text protocol. Always padded, without line breaks. */
#ifndef PROTOCOL_BASE64_H
#define PROTOCOL_BASE64_H

#include "src/base/error.h"
#include "src/base/slice.h"

/* What so many bytes become. */
#define BASE64_ENCODED_BYTES(size) (((size) + 2) / 3 * 4)
/* What so many characters become at most. */
#define BASE64_DECODED_BYTES(size) ((size) / 4 * 3)

/* Writes text's meaning to out, which has room for BASE64_DECODED_BYTES of its
 * size; *out_size says how much it is. Bits beyond the last byte may be
 * anything.
 * Errors: -ERR_SYNTAX: empty, not a multiple of four, another character. */
MUST_CHECK int base64_decode(struct slice text, char *out, size_t *out_size);

/* Returns the number of characters, BASE64_ENCODED_BYTES of the size. */
size_t base64_encode(struct slice bytes, char *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Four characters are three bytes; keys are short, so this is plain. */
#include "src/protocol/base64.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character; 64 for one that has none. */
static unsigned bits_of(char character)
{
    if (character >= 'A' && character <= 'Z')
        return (unsigned)(character - 'A');
    if (character >= 'a' && character <= 'z')
        return (unsigned)(character - 'a') + 26;
    if (character >= '0' && character <= '9')
        return (unsigned)(character - '0') + 52;
    if (character == '+')
        return 62;
    return character == '/' ? 63 : 64;
}

/* The first `count` of four characters; the others count as zeros. */
static int take_four(const char *text, unsigned count, uint32_t *out)
{
    unsigned i;

    *out = 0;
    for (i = 0; i < 4; i++) {
        unsigned bits = i < count ? bits_of(text[i]) : 0;

        if (bits == 64)
            return -ERR_SYNTAX;
        *out = *out << 6 | bits;
    }
    return 0;
}

static unsigned padding_of(struct slice text)
{
    if (text.data[text.size - 1] != '=')
        return 0;
    return text.data[text.size - 2] == '=' ? 2 : 1;
}

int base64_decode(struct slice text, char *out, size_t *out_size)
{
    unsigned padding;
    uint32_t word;
    size_t i;

    if (text.size == 0 || text.size % 4 != 0)
        return -ERR_SYNTAX;
    padding = padding_of(text);
    for (i = 0; i < text.size / 4; i++) {
        unsigned count = 4 * (i + 1) == text.size ? 4 - padding : 4;

        if (take_four(text.data + 4 * i, count, &word) != 0)
            return -ERR_SYNTAX;
        out[3 * i] = (char)(word >> 16);
        if (count > 2)
            out[3 * i + 1] = (char)(word >> 8);
        if (count > 3)
            out[3 * i + 2] = (char)word;
    }
    *out_size = BASE64_DECODED_BYTES(text.size) - padding;
    return 0;
}

size_t base64_encode(struct slice bytes, char *out)
{
    size_t used = 0;
    size_t at;

    for (at = 0; at < bytes.size; at += 3) {
        size_t left = bytes.size - at;
        uint32_t word = (uint32_t)(unsigned char)bytes.data[at] << 16;

        if (left > 1)
            word |= (uint32_t)(unsigned char)bytes.data[at + 1] << 8;
        if (left > 2)
            word |= (unsigned char)bytes.data[at + 2];
        out[used++] = alphabet[word >> 18];
        out[used++] = alphabet[word >> 12 & 63];
        out[used++] = left > 1 ? alphabet[word >> 6 & 63] : '=';
        out[used++] = left > 2 ? alphabet[word & 63] : '=';
    }
    return used;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The flags of meta commands: one letter each, some with a token behind it,
 * in any order, which is that of the reply.
 *
 *   mg foo v t Oabc N30        ms foo 2 T0 MA b c
 *
 * All of them know all letters and pass over those that mean nothing to them.
 * Where clients may see a difference, this is memcached 1.6.45. */
#ifndef PROTOCOL_META_H
#define PROTOCOL_META_H

#include "src/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Words of a line with its command and key, and so the most flags. */
#define META_TOKENS_MAX 20
#define META_OPAQUE_MAX 32       /* With the O. */
#define META_KEY_DECODED_MAX 186 /* 250 characters of base64 hold no more. */

struct meta {
    uint64_t given;      /* Bits of META_BIT(letter). */
    uint64_t wanted_cas; /* C */
    uint64_t given_cas;  /* E */
    uint64_t delta;      /* D; 1 */
    uint64_t initial;    /* J */
    int32_t vivify_s;    /* N */
    int32_t recache_s;   /* R */
    struct slice opaque; /* O and its token. */
    char mode;           /* M; 0 */
    unsigned char count;
    char letters[META_TOKENS_MAX];  /* As they were given. */
    char key[META_KEY_DECODED_MAX]; /* What b decoded; request.key is here. */
};

/* Of a letter of either case. */
#define META_BIT(letter) \
    ((uint64_t)1 << ((letter) >= 'a' ? (letter) - 'a' + 26 : (letter) - 'A'))

static inline bool meta_has(const struct meta *meta, char letter)
{
    return (meta->given & META_BIT(letter)) != 0;
}

/* Whether both are there, a before b. */
static inline bool meta_in_order(const struct meta *meta, char a, char b)
{
    const char *at = memchr(meta->letters, a, meta->count);

    return at != NULL &&
           memchr(at, b, meta->count - (size_t)(at - meta->letters)) != NULL;
}

struct request;

/* Reads all the flags of a line whose command, key and, of ms, length are
 * already in the request, and are fine; before is how many words these are.
 * What is wrong goes to request->error, F to client_flags, T to exptime_s.
 * Owns: the request borrows the line. */
void meta_parse(struct slice flags, unsigned before, struct request *request);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Comparing the tags of a bucket with one byte, all at once. The result has
 * one bit for each slot. */
#ifndef ENGINE_TABLE_MATCH_H
#define ENGINE_TABLE_MATCH_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define MATCH_SLOTS 12
#define MATCH_ALL ((1u << MATCH_SLOTS) - 1)

/* Tags 0..7 in one word and 8..11 in another, so that no byte is read that is
 * no tag. */
static inline unsigned match_words(uint64_t low, uint32_t high, uint8_t tag)
{
#if defined(__SSE2__)
    __m128i tags = _mm_set_epi64x((long long)high, (long long)low);
    __m128i wanted = _mm_set1_epi8((char)tag);

    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, wanted)) &
           MATCH_ALL;
#else
    unsigned mask = 0;
    unsigned i;

    for (i = 0; i < 8; i++)
        mask |= (unsigned)((uint8_t)(low >> (8 * i)) == tag) << i;
    for (i = 0; i < 4; i++)
        mask |= (unsigned)((uint8_t)(high >> (8 * i)) == tag) << (i + 8);
    return mask;
#endif
}

/* Under the bucket's lock. */
static inline unsigned match_tags(const uint8_t tags[MATCH_SLOTS], uint8_t tag)
{
    uint64_t low;
    uint32_t high;

    memcpy(&low, tags, sizeof(low));
    memcpy(&high, tags + sizeof(low), sizeof(high));
    return match_words(low, high, tag);
}

/* Without it: each tag is whole, but they need not be of one moment. */
static inline unsigned match_tags_racing(const uint8_t tags[MATCH_SLOTS],
                                         uint8_t tag)
{
    uint64_t low =
        __atomic_load_n((const uint64_t *)(const void *)tags, __ATOMIC_RELAXED);
    uint32_t high = __atomic_load_n((const uint32_t *)(const void *)(tags + 8),
                                    __ATOMIC_RELAXED);

    return match_words(low, high, tag);
}

#endif

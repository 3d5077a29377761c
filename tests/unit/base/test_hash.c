/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/hash.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

/* Hashes travel between nodes of different builds: they are part of the wire
 * and must stay what they are. The values are those of
 * libxxhash 0.8.1, called from elsewhere. */
START_TEST(is_the_same_in_every_build)
{
    uint64_t seed = hash_seed(SLICE_LITERAL("pair"));

    ck_assert_uint_eq(seed, 0xe05b8d7c98addca8ull);
    ck_assert_uint_eq(hash_key(seed, SLICE_LITERAL("key")),
                      0x21e15323d10981c7ull);
    ck_assert_uint_eq(hash_key(0, SLICE_LITERAL("key")), 0xbbea0d63a05165e3ull);
    ck_assert_uint_eq(hash_checksum("123456789", 9), 0x67a17dff);
}
END_TEST

START_TEST(depends_on_seed_key_and_length)
{
    uint64_t hash = hash_key(1, SLICE_LITERAL("aaaa"));

    ck_assert_uint_eq(hash, hash_key(1, slice_make("aaaab", 4)));
    ck_assert_uint_ne(hash, hash_key(2, SLICE_LITERAL("aaaa")));
    ck_assert_uint_ne(hash, hash_key(1, SLICE_LITERAL("aaab")));
    ck_assert_uint_ne(hash, hash_key(1, SLICE_LITERAL("aaa")));
}
END_TEST

START_TEST(every_key_length_has_its_own)
{
    static char key[251];
    uint64_t seen[COUNT_OF(key)];
    size_t i;
    size_t j;

    for (i = 0; i < COUNT_OF(key); i++) {
        seen[i] = hash_key(7, slice_make(key, i));
        ck_assert_uint_ne(seen[i], 0);
        for (j = 0; j < i; j++)
            ck_assert_uint_ne(seen[i], seen[j]);
    }
}
END_TEST

START_TEST(the_high_bits_spread_keys_alike)
{
    unsigned buckets[256] = {0};
    char key[32];
    unsigned i;

    for (i = 0; i < 256 * 256; i++) {
        int size = snprintf(key, sizeof(key), "session:%08u", i);

        buckets[hash_key(1, slice_make(key, (size_t)size)) >> 56]++;
    }
    /* 256 on average; eight standard deviations away is no chance. */
    for (i = 0; i < COUNT_OF(buckets); i++) {
        ck_assert_uint_gt(buckets[i], 128);
        ck_assert_uint_lt(buckets[i], 384);
    }
}
END_TEST

START_TEST(a_checksum_sees_one_bit)
{
    unsigned char bytes[64] = {0};
    uint32_t before = hash_checksum(bytes, sizeof(bytes));

    bytes[40] ^= 1;
    ck_assert_uint_ne(hash_checksum(bytes, sizeof(bytes)), before);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, is_the_same_in_every_build);
    tcase_add_test(tests, depends_on_seed_key_and_length);
    tcase_add_test(tests, every_key_length_has_its_own);
    tcase_add_test(tests, the_high_bits_spread_keys_alike);
    tcase_add_test(tests, a_checksum_sees_one_bit);
}
UNIT_MAIN("hash", add_tests)

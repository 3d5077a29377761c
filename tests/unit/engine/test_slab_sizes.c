/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/slab_sizes.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/engine/item.h"
#include "tests/unit/unit.h"

static struct slab_sizes_input usual(void)
{
    return (struct slab_sizes_input){
        .page_bytes = MIB, .chunk_bytes_max = 512 * KIB, .granule_bytes = 8};
}

/* What memcached 1.6 prints for -f 1.25 -n 48. */
START_TEST(a_factor_gives_memcacheds_classes)
{
    static const uint32_t wanted[] = {
        96,     120,    152,    192,    240,    304,    384,   480,
        600,    752,    944,    1184,   1480,   1856,   2320,  2904,
        3632,   4544,   5680,   7104,   8880,   11104,  13880, 17352,
        21696,  27120,  33904,  42384,  52984,  66232,  82792, 103496,
        129376, 161720, 202152, 252696, 315872, 394840, 524288};
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];
    size_t i;

    input.growth = 1.25;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), COUNT_OF(wanted));
    for (i = 0; i < COUNT_OF(wanted); i++)
        ck_assert_uint_eq(sizes[i + 1], wanted[i]);
}
END_TEST

START_TEST(factor_two_doubles)
{
    static const uint32_t wanted[] = {96,    192,    384,   768,   1536,
                                      3072,  6144,   12288, 24576, 49152,
                                      98304, 196608, 524288};
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];
    size_t i;

    input.growth = 2;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), COUNT_OF(wanted));
    for (i = 0; i < COUNT_OF(wanted); i++)
        ck_assert_uint_eq(sizes[i + 1], wanted[i]);
}
END_TEST

START_TEST(a_tiny_factor_ends_at_memcacheds_bound)
{
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];
    unsigned count;
    unsigned i;

    input.growth = 1.001;
    count = slab_sizes_make(&input, sizes);
    ck_assert_uint_eq(count, 63);
    for (i = 2; i <= count; i++)
        ck_assert_uint_gt(sizes[i], sizes[i - 1]);
    ck_assert_uint_eq(sizes[count], 512 * KIB);
}
END_TEST

START_TEST(room_moves_the_first_class)
{
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];

    input.room_bytes_min = 100;
    ck_assert_uint_gt(slab_sizes_make(&input, sizes), 0);
    ck_assert_uint_eq(sizes[1], 136);
    input.growth = 1.25;
    ck_assert_uint_gt(slab_sizes_make(&input, sizes), 0);
    ck_assert_uint_eq(sizes[1], 152);
}
END_TEST

/* An item of a 16-byte key and a 32-byte value, and one of 100 bytes. */
START_TEST(the_default_classes_fit_small_items_closely)
{
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];
    unsigned count = slab_sizes_make(&input, sizes);
    bool has_88 = false;
    unsigned i;

    ck_assert_uint_lt(count, ENGINE_CLASSES_MAX);
    for (i = 1; i <= count; i++)
        has_88 |= sizes[i] == 88;
    ck_assert(has_88);
}
END_TEST

/* Where a page holds many, the next class is never 9% away; where it holds
 * few, there is one class for each number of them. */
START_TEST(the_default_classes_waste_little)
{
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];
    unsigned count = slab_sizes_make(&input, sizes);
    unsigned i;

    ck_assert_uint_eq(sizes[count], 512 * KIB);
    for (i = 2; i <= count; i++) {
        uint64_t per_page = MIB / sizes[i];

        ck_assert_uint_eq(sizes[i] % 8, 0);
        ck_assert_uint_gt(sizes[i], sizes[i - 1]);
        if (per_page > 12 && sizes[i] - sizes[i - 1] > 8)
            ck_assert_uint_lt(sizes[i] * 100, sizes[i - 1] * 109);
        if (sizes[i] > 4 * KIB)
            ck_assert_uint_lt(MIB - per_page * sizes[i], per_page * 8);
    }
}
END_TEST

START_TEST(what_cannot_work_gives_no_classes)
{
    struct slab_sizes_input input = usual();
    uint32_t sizes[ENGINE_CLASSES_MAX];

    input.growth = 1.0;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), 0);
    input = usual();
    input.growth = -2.0;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), 0);
    input = usual();
    input.chunk_bytes_max = 2 * MIB;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), 0);
    input.chunk_bytes_max = 1004;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), 0);
    input.chunk_bytes_max = 256;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), 0);
    input = usual();
    input.room_bytes_min = UINT32_MAX;
    ck_assert_uint_eq(slab_sizes_make(&input, sizes), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_factor_gives_memcacheds_classes);
    tcase_add_test(tests, factor_two_doubles);
    tcase_add_test(tests, a_tiny_factor_ends_at_memcacheds_bound);
    tcase_add_test(tests, room_moves_the_first_class);
    tcase_add_test(tests, the_default_classes_fit_small_items_closely);
    tcase_add_test(tests, the_default_classes_waste_little);
    tcase_add_test(tests, what_cannot_work_gives_no_classes);
}
UNIT_MAIN("slab_sizes", add_tests)

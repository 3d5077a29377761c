/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/engine/slab.h"

#include "src/base/memory.h"
#include "tests/unit/unit.h"

#define PAGE (64 * KIB)
#define PAGES 3

struct shop {
    struct region region;
    struct slabs slabs;
    unsigned class; /* The one that is looked at: 8 chunks a page. */
};

static void open_shop(struct shop *shop)
{
    const struct slab_sizes sizes = {.chunk_bytes_max = PAGE / 2};

    ck_assert_int_eq(region_init(&shop->region, PAGES * PAGE, 0, PAGE), 0);
    ck_assert_int_eq(slabs_init(&shop->slabs, &shop->region, &sizes), 0);
    shop->class = slab_class_for(&shop->slabs, PAGE / 8);
    ck_assert_uint_eq(slab_class_at(&shop->slabs, shop->class)->per_page, 8);
}

static void close_shop(struct shop *shop)
{
    slabs_fini(&shop->slabs);
    region_fini(&shop->region);
}

START_TEST(the_class_for_a_size_is_the_smallest_that_fits)
{
    struct shop shop;
    size_t bytes;

    open_shop(&shop);
    for (bytes = 1; bytes <= PAGE / 2; bytes++) {
        unsigned class = slab_class_for(&shop.slabs, bytes);

        ck_assert_uint_ge(shop.slabs.classes[class].chunk_bytes, bytes);
        if (class > 1)
            ck_assert_uint_lt(shop.slabs.classes[class - 1].chunk_bytes, bytes);
    }
    ck_assert_uint_eq(slab_class_for(&shop.slabs, PAGE / 2 + 1), 0);
    close_shop(&shop);
}
END_TEST

START_TEST(chunks_come_until_memory_ends_and_are_used_again)
{
    struct item *chunks[PAGES * 8];
    struct shop shop;
    unsigned i;

    open_shop(&shop);
    for (i = 0; i < PAGES * 8; i++) {
        chunks[i] = slab_take(&shop.slabs, shop.class);
        ck_assert_ptr_nonnull(chunks[i]);
        ck_assert_uint_eq(chunks[i]->slab_class, shop.class);
        ck_assert_int_eq(item_kind(chunks[i]), CHUNK_RESERVED);
    }
    ck_assert_ptr_null(slab_take(&shop.slabs, shop.class));
    slab_give(&shop.slabs, chunks[3]);
    slab_give(&shop.slabs, chunks[9]);
    ck_assert_ptr_eq(slab_take(&shop.slabs, shop.class), chunks[9]);
    ck_assert_ptr_eq(slab_take(&shop.slabs, shop.class), chunks[3]);
    ck_assert_ptr_null(slab_take(&shop.slabs, shop.class));
    close_shop(&shop);
}
END_TEST

START_TEST(an_empty_page_can_leave_its_class)
{
    struct slab_class *class;
    struct item *chunks[3];
    struct shop shop;
    unsigned i;

    open_shop(&shop);
    class = slab_class_at(&shop.slabs, shop.class);
    for (i = 0; i < 3; i++)
        chunks[i] = slab_take(&shop.slabs, shop.class);
    slab_give(&shop.slabs, chunks[1]);
    slab_clear_begin(&shop.slabs, shop.class, 1);
    ck_assert(slab_clear_pull(&shop.slabs, chunks[1]));
    ck_assert(!slab_clear_pull(&shop.slabs, chunks[0]));
    ck_assert_uint_eq(class->free_count, 0);
    slab_give(&shop.slabs, chunks[0]);
    ck_assert(!slab_clear_end(&shop.slabs, shop.class));
    slab_give(&shop.slabs, chunks[2]);
    ck_assert(slab_clear_end(&shop.slabs, shop.class));
    ck_assert_uint_eq(class->pages, 0);
    ck_assert_uint_eq(class->used, 0);
    ck_assert_uint_eq(region_class(&shop.region, 1), 0);
    close_shop(&shop);
}
END_TEST

/* Two chunks at a time. */
static void undo(struct shop *shop, uint32_t page)
{
    uint32_t at = 0;

    slab_clear_stop(&shop->slabs, shop->class);
    while (slab_clear_return(&shop->slabs, page, &at, 2))
        continue;
    ck_assert_uint_eq(slab_class_at(&shop->slabs, shop->class)->pulled, 0);
}

/* All eight chunks can be had again, whichever of them were ever used. */
START_TEST(clearing_can_be_undone)
{
    struct item *chunks[3];
    struct shop shop;
    unsigned others = _i != 0 ? 8 : 0;
    unsigned i;

    open_shop(&shop);
    for (i = 0; i < 3; i++)
        chunks[i] = slab_take(&shop.slabs, shop.class);
    slab_give(&shop.slabs, chunks[1]);
    slab_clear_begin(&shop.slabs, shop.class, 1);
    ck_assert(slab_clear_pull(&shop.slabs, chunks[1]));
    slab_give(&shop.slabs, chunks[2]);
    if (others != 0) /* Another page is carved meanwhile. */
        ck_assert_ptr_nonnull(slab_take(&shop.slabs, shop.class));
    undo(&shop, 1);
    region_take_page(&shop.region);
    if (others == 0)
        region_take_page(&shop.region);
    for (i = others != 0 ? 2 : 1; i < 8 + others; i++)
        ck_assert_ptr_nonnull(slab_take(&shop.slabs, shop.class));
    ck_assert_ptr_null(slab_take(&shop.slabs, shop.class));
    close_shop(&shop);
}
END_TEST

/* A page that waits to be carved can go, too, and the others stay in line. */
START_TEST(a_page_that_waits_can_leave)
{
    struct shop shop;
    uint32_t page = (uint32_t)_i + 1;
    unsigned i;

    open_shop(&shop);
    for (i = 0; i < PAGES; i++)
        slab_add_page(&shop.slabs, shop.class, region_take_page(&shop.region));
    slab_clear_begin(&shop.slabs, shop.class, page);
    ck_assert(slab_clear_end(&shop.slabs, shop.class));
    ck_assert_uint_eq(slab_unused(slab_class_at(&shop.slabs, shop.class)), 16);
    for (i = 0; i < 16; i++) {
        const struct item *chunk = slab_take(&shop.slabs, shop.class);

        ck_assert_ptr_nonnull(chunk);
        ck_assert_uint_ne(region_page_of(&shop.region, chunk), page);
    }
    ck_assert_ptr_null(slab_take(&shop.slabs, shop.class));
    close_shop(&shop);
}
END_TEST

START_TEST(a_second_page_leaves_none_of_the_first_unused)
{
    struct shop shop;
    unsigned i;

    open_shop(&shop);
    ck_assert_ptr_nonnull(slab_take(&shop.slabs, shop.class));
    slab_add_page(&shop.slabs, shop.class, region_take_page(&shop.region));
    region_take_page(&shop.region);
    for (i = 1; i < 16; i++)
        ck_assert_ptr_nonnull(slab_take(&shop.slabs, shop.class));
    ck_assert_ptr_null(slab_take(&shop.slabs, shop.class));
    close_shop(&shop);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, the_class_for_a_size_is_the_smallest_that_fits);
    tcase_add_test(tests, chunks_come_until_memory_ends_and_are_used_again);
    tcase_add_test(tests, an_empty_page_can_leave_its_class);
    tcase_add_loop_test(tests, clearing_can_be_undone, 0, 2);
    tcase_add_loop_test(tests, a_page_that_waits_can_leave, 0, PAGES);
    tcase_add_test(tests, a_second_page_leaves_none_of_the_first_unused);
}
UNIT_MAIN("slab", add_tests)

/* SPDX-License-Identifier: BSD-3-Clause */
/* Three ways to space the classes; one is to be told.
 *
 * With -f the sizes are memcached's to the byte, since an operator who tunes
 * -f compares `-vv`: they start at 48 + -n and grow by the factor.
 *
 * Without it they are finer, because rounding up is the largest waste per
 * item: a granule apart while that is less than 8%, then 8% apart, and from
 * there on each is the largest size of which as many fit into a page: what
 * lies between would waste the page's end instead. */
#include "src/engine/slab_sizes.h"

#include "src/engine/item.h"

#define MEMCACHED_HEADER_BYTES 48u
#define MEMCACHED_ROOM_BYTES 48u
#define MEMCACHED_CLASSES_MAX 63u
#define FINE_SMALLEST_BYTES 56u
#define FINE_GROWTH 1.08
#define CLASSES_LAST (ENGINE_CLASSES_MAX - 1)

static uint64_t round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
}

static unsigned make_like_memcached(const struct slab_sizes_input *in,
                                    uint32_t sizes[ENGINE_CLASSES_MAX])
{
    uint32_t room =
        in->room_bytes_min != 0 ? in->room_bytes_min : MEMCACHED_ROOM_BYTES;
    uint64_t size = MEMCACHED_HEADER_BYTES + (uint64_t)room;
    unsigned count = 0;

    while (count + 1 < MEMCACHED_CLASSES_MAX &&
           (double)size <= (double)in->chunk_bytes_max / in->growth) {
        size = round_up(size, in->granule_bytes);
        count++;
        sizes[count] = (uint32_t)size;
        size = (uint64_t)((double)size * in->growth);
        if (size <= sizes[count])
            size = sizes[count] + 1;
    }
    if (count == 0 || sizes[count] < in->chunk_bytes_max)
        count++;
    sizes[count] = (uint32_t)in->chunk_bytes_max;
    return count;
}

static uint64_t next_fine(const struct slab_sizes_input *in, uint64_t size)
{
    uint64_t grown = (uint64_t)((double)size * FINE_GROWTH);
    uint64_t per_page = (in->page_bytes + grown - 1) / grown;

    if (grown < size + in->granule_bytes)
        return size + in->granule_bytes;
    if (per_page >= in->page_bytes / size)
        per_page = in->page_bytes / size - 1;
    grown = in->page_bytes / per_page;
    grown -= grown % in->granule_bytes;
    return grown > size ? grown : size + in->granule_bytes;
}

static unsigned make_fine(const struct slab_sizes_input *in,
                          uint32_t sizes[ENGINE_CLASSES_MAX])
{
    uint64_t size = in->room_bytes_min != 0
                        ? ITEM_HEADER_BYTES + (uint64_t)in->room_bytes_min
                        : FINE_SMALLEST_BYTES;
    unsigned count = 0;

    size = round_up(size, in->granule_bytes);
    while (size < in->chunk_bytes_max && count + 1 < CLASSES_LAST) {
        count++;
        sizes[count] = (uint32_t)size;
        size = size > in->page_bytes / 2 ? in->chunk_bytes_max
                                         : next_fine(in, size);
    }
    count++;
    sizes[count] = (uint32_t)in->chunk_bytes_max;
    return count;
}

/* Rounded up to granules; those that are not below the largest are left out. */
static unsigned make_given(const struct slab_sizes_input *in,
                           uint32_t sizes[ENGINE_CLASSES_MAX])
{
    uint64_t before = ITEM_HEADER_BYTES;
    unsigned count = 0;
    unsigned i;

    for (i = 0; i < in->given_count && count + 1 < CLASSES_LAST; i++) {
        uint64_t size = round_up(in->given[i], in->granule_bytes);

        if (size <= before)
            return 0;
        if (size >= in->chunk_bytes_max)
            break;
        count++;
        sizes[count] = (uint32_t)size;
        before = size;
    }
    count++;
    sizes[count] = (uint32_t)in->chunk_bytes_max;
    return count;
}

unsigned slab_sizes_make(const struct slab_sizes_input *in,
                         uint32_t sizes[ENGINE_CLASSES_MAX])
{
    uint64_t smallest = in->room_bytes_min + (uint64_t)ITEM_HEADER_BYTES;

    /* The largest chunk must hold the longest key and still a value. */
    if (in->chunk_bytes_max > in->page_bytes ||
        in->chunk_bytes_max % in->granule_bytes != 0 ||
        in->chunk_bytes_max < 2 * (ITEM_HEADER_BYTES + ENGINE_KEY_MAX) ||
        smallest + MEMCACHED_HEADER_BYTES > in->chunk_bytes_max)
        return 0;
    if (in->given != NULL)
        return make_given(in, sizes);
    if (in->growth == 0.0)
        return make_fine(in, sizes);
    if (!(in->growth > 1.0))
        return 0;
    return make_like_memcached(in, sizes);
}

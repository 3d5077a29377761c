/* SPDX-License-Identifier: BSD-3-Clause */
/* A sum of shares (Shapiro et al., "A comprehensive study of Convergent and
 * Commutative Replicated Data Types", 2011, 3.1), in a base that any plain
 * write resets. That a number of clients has no sign makes the sum signed and
 * wider: two nodes may take away more together than there was. */
#include "src/engine/tally.h"

#include "src/base/number.h"
#include "src/engine/alloc.h"

static tally_sum_t sum_of(const struct tally *tally)
{
    return (tally_sum_t)tally->base + tally->share[0] + tally->share[1];
}

uint64_t tally_value(const struct tally *tally)
{
    tally_sum_t sum = sum_of(tally);

    return sum < 0 ? 0 : (uint64_t)sum;
}

tally_sum_t tally_missing(const struct tally *tally, uint64_t value)
{
    tally_sum_t sum = sum_of(tally);

    /* What is below 0 counts from 0, which is what the client saw. */
    return (tally_sum_t)value - (sum < 0 ? sum : (tally_sum_t)(uint64_t)sum);
}

bool tally_has_room(const struct tally *tally, tally_sum_t added)
{
    for (unsigned i = 0; i < COUNT_OF(tally->share); i++)
        if (added + tally->share[i] > INT64_MAX ||
            added + tally->share[i] < INT64_MIN)
            return false;
    return true;
}

void tally_add(struct tally *tally, stamp_t stamp, tally_sum_t added)
{
    unsigned node = stamp_node(stamp);

    tally->share[node] = (int64_t)(tally->share[node] + added);
    tally->counted[node] = stamp;
}

struct tally_news tally_join(struct tally *ours, const struct tally *theirs)
{
    struct tally_news news = {false, false};

    for (unsigned i = 0; i < COUNT_OF(ours->share); i++) {
        if (ours->counted[i] > theirs->counted[i])
            news.of_ours = true;
        if (ours->counted[i] >= theirs->counted[i])
            continue;
        news.of_theirs = true;
        ours->counted[i] = theirs->counted[i];
        ours->share[i] = theirs->share[i];
    }
    return news;
}

void tally_write(char *value, size_t value_size, uint64_t number)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t size = number_write_u64(digits, number);

    memset(value, ' ', value_size);
    memcpy(value, digits, size);
}

bool tally_wanted(const struct engine *engine, const struct item_shape *shape)
{
    /* However long it may become. */
    size_t bytes = item_shape_bytes(shape) - shape->value_size +
                   TALLY_VALUE_MAX +
                   (shape->tally == NULL ? ITEM_TALLY_BYTES : 0);

    return engine->has_journal && engine->counters_add_up &&
           shape->value_size <= TALLY_VALUE_MAX &&
           bytes <= engine->item_bytes_max && !alloc_is_large(engine, bytes);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting and removing. */
#include "src/base/number.h"
#include "src/engine/change.h"
#include "src/engine/lru.h"

/* What memcached's users call a number: digits, with blanks before or behind,
 * which is how a number that became shorter is kept. */
static bool parse_number(struct slice text, uint64_t *out)
{
    while (text.size > 0 && text.data[0] == ' ')
        text = slice_make(text.data + 1, text.size - 1);
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return number_u64(text, out) == 0;
}

static uint64_t count(const struct engine_arith *arith, uint64_t value)
{
    if (!arith->decrement)
        return value + arith->delta;
    return arith->delta > value ? 0 : value - arith->delta;
}

static void count_arith(struct engine_thread *thread,
                        const struct engine_arith *arith,
                        const struct item *item)
{
    struct engine_class_counters *counts;

    if (item == NULL) {
        if (arith->decrement)
            METRIC_UP(thread->counts.all.decr_misses);
        else
            METRIC_UP(thread->counts.all.incr_misses);
        return;
    }
    counts = engine_class_counts(thread, item->slab_class);
    if (arith->decrement)
        METRIC_UP(counts->decr_hits);
    else
        METRIC_UP(counts->incr_hits);
}

/* One attempt under the lock; false when a chunk is wanting. */
static bool arith_inside(struct change *change,
                         const struct engine_arith *arith,
                         enum engine_outcome *outcome, uint64_t *value,
                         stamp_t *stamp)
{
    struct item *old = change->slot.item;
    char digits[NUMBER_DIGITS_MAX];
    struct item_shape shape;
    size_t size;

    *outcome = ENGINE_NOT_FOUND;
    if (!change->live) {
        count_arith(change->thread, arith, NULL);
        if (old != NULL)
            change_drop_dead(change);
        return true;
    }
    *outcome = ENGINE_NOT_A_NUMBER;
    if (old->value_size > CHANGE_INLINE_BYTES_MAX ||
        (old->flags & ITEM_LARGE) ||
        !parse_number(slice_make(item_value(old), old->value_size), value))
        return true;

    *value = count(arith, *value);
    size = number_write_u64(digits, *value);
    shape = (struct item_shape){
        .key = arith->key.bytes,
        .client_flags = item_client_flags(old),
        .expires_at_s = old->expires_at_s,
        .state = old->flags & ITEM_STATE_MASK,
        .value_size = size > old->value_size ? size : old->value_size,
    };
    if (!change_room(change, &shape))
        return false;
    count_arith(change->thread, arith, old);
    memset(item_value(change->item), ' ', shape.value_size);
    memcpy(item_value(change->item), digits, size);
    *stamp = change_record(change, MUTATION_SET);
    change_publish(change, *stamp);
    *outcome = ENGINE_STORED;
    return true;
}

enum engine_outcome engine_arith(struct engine_thread *thread,
                                 const struct engine_arith *arith,
                                 uint64_t *value, stamp_t *stamp)
{
    enum engine_outcome outcome;
    struct change change;
    bool done;

    *stamp = STAMP_NONE;
    change_init(&change, thread, &arith->key);
    do {
        change_begin(&change);
        done = arith_inside(&change, arith, &outcome, value, stamp);
        change_end(&change);
    } while (!done && change_fetch_spare(&change));
    change_fini(&change);
    if (done)
        return outcome;
    METRIC_UP(thread->counts.all.store_no_memory);
    return ENGINE_NO_MEMORY;
}

enum engine_outcome engine_remove(struct engine_thread *thread,
                                  const struct engine_key *key)
{
    struct change change;
    bool found;

    change_init(&change, thread, key);
    change_begin(&change);
    found = change.live;
    if (found)
        METRIC_UP(engine_class_counts(thread, change.slot.item->slab_class)
                      ->delete_hits);
    else
        METRIC_UP(thread->counts.all.delete_misses);
    if (change.slot.item != NULL)
        change_drop(&change);
    /* Also when it is not here: the peer may have it. */
    (void)change_record(&change, MUTATION_REMOVE);
    change_end(&change);
    return found ? ENGINE_STORED : ENGINE_NOT_FOUND;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting and removing. */
#include "src/base/number.h"
#include "src/engine/change.h"
#include "src/engine/lru.h"
#include "src/engine/tally.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What memcached's users call a number: digits, with white space before or
 * behind; blanks behind are how a number that became shorter is kept. */
static bool parse_number(struct slice text, uint64_t *out)
{
    while (text.size > 0 && is_space(text.data[0]))
        text = slice_make(text.data + 1, text.size - 1);
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return number_u64(text, out) == 0;
}

static uint64_t count(const struct engine_arith *arith, uint64_t value)
{
    if (!arith->decrement)
        return value + arith->delta;
    return arith->delta > value ? 0 : value - arith->delta;
}

#define NO_CLASS 0u

static void count_arith(struct engine_thread *thread,
                        const struct engine_arith *arith, unsigned class)
{
    struct engine_class_counters *counts;

    if (class == NO_CLASS) {
        if (arith->decrement)
            METRIC_UP(thread->counts.all.decr_misses);
        else
            METRIC_UP(thread->counts.all.incr_misses);
        return;
    }
    counts = engine_class_counts(thread, class);
    if (arith->decrement)
        METRIC_UP(counts->decr_hits);
    else
        METRIC_UP(counts->incr_hits);
}

/* The digits of a number, in an item of the value's size or more. tally: what
 * shape->tally points to, if it does, and what is added to it. False when a
 * chunk is wanting. */
static bool put_number(struct change *change, struct item_shape *shape,
                       struct tally *tally, tally_sum_t added,
                       struct engine_counted *counted)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t size = number_write_u64(digits, counted->value);
    stamp_t stamp;

    change->revises = change->live && shape->value_size >= size;
    if (shape->value_size < size)
        shape->value_size = size;
    if (!change_room(change, shape))
        return false;
    tally_write(item_value(change->item), shape->value_size, counted->value);
    stamp = change_record(change, MUTATION_SET);
    if (shape->tally != NULL) {
        tally_add(tally, stamp, added);
        item_set_tally(change->item, tally);
    }
    change_publish(change, stamp);
    counted->cas = item_cas(change->item);
    counted->expires_at_s = shape->expires_at_s;
    return true;
}

/* The number as it is. When both nodes may count on it, the tally to add to,
 * else one without a base. */
static void read_tally(const struct change *change,
                       const struct item_shape *shape, uint64_t *value,
                       struct tally *tally)
{
    const struct item *old = change->slot.item;

    tally->base_stamp = STAMP_NONE;
    if (!tally_wanted(change->thread->engine, shape))
        return;
    item_tally(old, tally);
    if (tally->base_stamp != STAMP_NONE)
        *value = tally_value(tally);
    else
        *tally = (struct tally){.base_stamp = item_stamp(old), .base = *value};
}

/* Whether the tally can be counted up or down to that value; what to add. A
 * number that begins anew at 0 is a new base. */
static bool can_add(const struct tally *tally, const struct engine_arith *arith,
                    uint64_t before, uint64_t after, tally_sum_t *added)
{
    if (tally->base_stamp == STAMP_NONE ||
        (!arith->decrement && after < before))
        return false;
    *added = tally_missing(tally, after);
    return tally_has_room(tally, *added);
}

/* There is none: makes the first one where that is wanted. */
static bool begin_count(struct change *change, const struct engine_arith *arith,
                        enum engine_outcome *outcome,
                        struct engine_counted *counted)
{
    struct item_shape shape = {.key = arith->key.bytes,
                               .expires_at_s = arith->vivify_expires_at_s,
                               .state = arith->state,
                               .cas = arith->given_cas};

    *outcome = ENGINE_NOT_FOUND;
    if (!arith->vivify) {
        count_arith(change->thread, arith, NO_CLASS);
        if (change->slot.item != NULL)
            change_drop_dead(change);
        return true;
    }
    counted->value = arith->initial;
    counted->expired_at_s = arith->vivify_expires_at_s;
    *outcome = ENGINE_STORED;
    return put_number(change, &shape, NULL, 0, counted);
}

/* One attempt under the lock; false when a chunk is wanting. */
static bool arith_inside(struct change *change,
                         const struct engine_arith *arith,
                         enum engine_outcome *outcome,
                         struct engine_counted *counted)
{
    const struct item *old = change->slot.item;
    struct item_shape shape;
    tally_sum_t added = 0;
    struct tally tally;
    uint64_t before;
    unsigned class;

    if (!change->live)
        return begin_count(change, arith, outcome, counted);
    *outcome = ENGINE_EXISTS;
    if (arith->compare && item_cas(old) != arith->cas)
        return true;
    *outcome = ENGINE_NOT_A_NUMBER;
    if (old->value_size > CHANGE_INLINE_BYTES_MAX ||
        (old->flags & ITEM_LARGE) ||
        !parse_number(
            slice_make(old->data + item_value_offset(old), old->value_size),
            &before))
        return true;

    counted->expired_at_s = old->expires_at_s;
    shape = (struct item_shape){
        .key = arith->key.bytes,
        .client_flags = item_client_flags(old),
        .expires_at_s = arith->touch ? arith->expires_at_s : old->expires_at_s,
        .state = item_state(old),
        .cas = arith->given_cas,
        .value_size = old->value_size,
    };
    read_tally(change, &shape, &before, &tally);
    counted->value = count(arith, before);
    if (can_add(&tally, arith, before, counted->value, &added))
        shape.tally = &tally;
    class = old->slab_class;
    if (!put_number(change, &shape, &tally, added, counted))
        return false;
    count_arith(change->thread, arith, class);
    *outcome = ENGINE_STORED;
    return true;
}

enum engine_outcome engine_count(struct engine_thread *thread,
                                 const struct engine_arith *arith,
                                 struct engine_counted *counted)
{
    enum engine_outcome outcome;
    struct change change;
    bool done;

    *counted = (struct engine_counted){.cas = STAMP_NONE};
    change_init(&change, thread, &arith->key);
    do {
        change_begin_lookup(&change);
        done = arith_inside(&change, arith, &outcome, counted);
        change_end(&change);
    } while (!done && change_fetch_spare(&change));
    change_fini(&change);
    if (done)
        return outcome;
    METRIC_UP(thread->counts.all.store_no_memory);
    return ENGINE_NO_MEMORY;
}

enum engine_outcome engine_arith(struct engine_thread *thread,
                                 const struct engine_arith *arith,
                                 uint64_t *value, stamp_t *stamp)
{
    struct engine_counted counted;
    enum engine_outcome outcome = engine_count(thread, arith, &counted);

    *value = counted.value;
    *stamp = counted.cas;
    return outcome;
}

static void count_remove(struct change *change)
{
    struct engine_thread *thread = change->thread;

    if (change->live)
        METRIC_UP(engine_class_counts(thread, change->slot.item->slab_class)
                      ->delete_hits);
    else
        METRIC_UP(thread->counts.all.delete_misses);
}

enum engine_outcome engine_remove(struct engine_thread *thread,
                                  const struct engine_key *key)
{
    struct change change;
    bool found;

    change_init(&change, thread, key);
    change_begin_lookup(&change);
    found = change.live;
    count_remove(&change);
    if (change.slot.item != NULL)
        change_drop(&change);
    /* Also when it is not here: the peer may have it. */
    (void)change_record(&change, MUTATION_REMOVE);
    change_end(&change);
    return found ? ENGINE_STORED : ENGINE_NOT_FOUND;
}

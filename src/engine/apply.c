/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes from the peer: last writer wins by stamp. What is compared is
 * stamps, not lives: an expired local version still beats an older incoming
 * one. Nothing here is recorded, or it would echo; but for a count that both
 * nodes have made a part of. */
#include "src/base/invariant.h"
#include "src/base/number.h"
#include "src/engine/change.h"
#include "src/engine/lru.h"
#include "src/engine/tally.h"

static stamp_t floor_of(const struct engine *engine)
{
    return atomic_load_explicit(&engine->floor, memory_order_relaxed);
}

static stamp_t removed_at(const struct change *change)
{
    const struct engine *engine = change->thread->engine;

    if (!engine->has_journal)
        return STAMP_NONE;
    return engine->journal.removed_at(engine->journal.ctx, change->key.hash);
}

/* The same version: of its two lives the longer stays, and a token that one of
 * the nodes gave out is given out. */
static void join(struct item *item, const struct mutation *mutation)
{
    if (item_lives_longer(mutation->expires_at_s, item->expires_at_s))
        item->expires_at_s = mutation->expires_at_s;
    if (mutation->state & ITEM_STATE_WON)
        item_set_state(item, item_state(item) | ITEM_STATE_WON);
}

/* What becomes of a value or a longer life, before memory has its say. */
static enum apply_result decide(struct change *change,
                                const struct mutation *mutation)
{
    struct item *old = change->slot.item;

    if (mutation->stamp <= floor_of(change->thread->engine))
        return APPLY_FLUSHED;
    /* A dead one may have been forgotten already, and so is a removal. */
    if (!change->live && mutation->stamp <= removed_at(change))
        return APPLY_REMOVED;
    if (old == NULL)
        return APPLY_DONE;
    if (item_stamp(old) > mutation->stamp)
        return APPLY_OLDER;
    if (item_stamp(old) < mutation->stamp)
        return APPLY_DONE;
    join(old, mutation);
    return APPLY_SAME;
}

/* Shows the filled item and lets the journal forget the key's removal. */
static void publish(struct change *change, const struct mutation *mutation)
{
    const struct engine *engine = change->thread->engine;
    bool was_absent = change->slot.item == NULL;

    change_publish(change, mutation->stamp);
    if (mutation->idle)
        change_cool(change);
    if (was_absent && engine->has_journal)
        engine->journal.applied(engine->journal.ctx, mutation->hash,
                                mutation->stamp);
}

static struct engine_key key_of(const struct mutation *mutation)
{
    return (struct engine_key){mutation->key, mutation->hash};
}

static struct item_shape shape_of(const struct mutation *mutation,
                                  size_t value_size)
{
    return (struct item_shape){.key = mutation->key,
                               .client_flags = mutation->client_flags,
                               .expires_at_s = mutation->expires_at_s,
                               .state = mutation->state,
                               .cas = mutation->cas,
                               .value_size = value_size,
                               .tally = mutation->tally.base_stamp != STAMP_NONE
                                            ? &mutation->tally
                                            : NULL};
}

/* It cannot be kept here; an older version must not survive it. */
static enum apply_result give_up(struct engine_thread *thread,
                                 const struct mutation *mutation,
                                 enum apply_result result)
{
    struct engine_key key = key_of(mutation);
    enum apply_result decision;
    struct change change;

    change_init(&change, thread, &key);
    change_begin(&change);
    decision = decide(&change, mutation);
    if (decision == APPLY_DONE && change.slot.item != NULL)
        change_drop(&change);
    change_end(&change);
    return decision == APPLY_DONE ? result : decision;
}

/* Whether here is another version of a counter that comes from the same base:
 * then neither simply takes the place of the other. */
static bool is_counted_on(const struct change *change,
                          const struct mutation *mutation)
{
    const struct item *old = change->slot.item;
    struct tally ours;

    if (mutation->tally.base_stamp == STAMP_NONE || old == NULL ||
        item_stamp(old) == mutation->stamp ||
        mutation->stamp <= floor_of(change->thread->engine) || !change->live)
        return false;
    item_tally(old, &ours);
    return ours.base_stamp == mutation->tally.base_stamp;
}

/* What they counted and what we counted, together, is what neither of us has
 * had: a new version, which the peer hears of as of any other. All else is of
 * the later of the two. False when a chunk is wanting. */
static bool put_joint(struct change *change, const struct mutation *mutation,
                      const struct tally *joint)
{
    const struct item *old = change->slot.item;
    struct item_shape shape = shape_of(mutation, mutation->value.size);
    char digits[NUMBER_DIGITS_MAX];
    uint64_t value = tally_value(joint);
    size_t size = number_write_u64(digits, value);

    if (item_stamp(old) > mutation->stamp) {
        shape.client_flags = item_client_flags(old);
        shape.expires_at_s = old->expires_at_s;
        shape.state = item_state(old);
    }
    shape.cas = STAMP_NONE;
    shape.tally = joint;
    if (shape.value_size < old->value_size)
        shape.value_size = old->value_size;
    if (shape.value_size < size)
        shape.value_size = size;
    if (!change_room(change, &shape))
        return false;
    tally_write(item_value(change->item), shape.value_size, value);
    change_publish(change, change_record(change, MUTATION_SET));
    return true;
}

/* False when a chunk is wanting. *as_usual: it has to be applied like any
 * other value, as nothing was counted here that they do not know. */
static bool join_counts(struct change *change, const struct mutation *mutation,
                        enum apply_result *result, bool *as_usual)
{
    bool later = mutation->stamp > item_stamp(change->slot.item);
    struct tally_news news;
    struct tally joint;

    item_tally(change->slot.item, &joint);
    news = tally_join(&joint, &mutation->tally);
    *as_usual = later ? !news.of_ours : !news.of_theirs;
    if (*as_usual)
        return true;
    *result = APPLY_DONE;
    return put_joint(change, mutation, &joint);
}

/* One attempt under the lock; false when a chunk is wanting. */
static bool set_inside(struct change *change, const struct mutation *mutation,
                       enum apply_result *result)
{
    struct item_shape shape = shape_of(mutation, mutation->value.size);
    bool as_usual = true;

    if (is_counted_on(change, mutation) &&
        !join_counts(change, mutation, result, &as_usual))
        return false;
    if (!as_usual)
        return true;
    *result = decide(change, mutation);
    if (*result != APPLY_DONE)
        return true;
    if (!change_room(change, &shape))
        return false;
    if (mutation->value.size > 0)
        memcpy(item_value(change->item), mutation->value.data,
               mutation->value.size);
    publish(change, mutation);
    return true;
}

static enum apply_result set_small(struct engine_thread *thread,
                                   const struct mutation *mutation)
{
    struct engine_key key = key_of(mutation);
    enum apply_result result;
    struct change change;
    bool done;

    change_init(&change, thread, &key);
    do {
        change_begin(&change);
        done = set_inside(&change, mutation, &result);
        change_end(&change);
    } while (!done && change_fetch_spare(&change));
    change_fini(&change);
    return done ? result : give_up(thread, mutation, APPLY_NO_MEMORY);
}

static enum apply_result apply_set(struct engine_thread *thread,
                                   const struct mutation *mutation);

/* What would become of it now, so that no large item is made in vain. */
static enum apply_result foresee(struct engine_thread *thread,
                                 const struct mutation *mutation)
{
    struct engine_key key = key_of(mutation);
    enum apply_result result;
    struct change change;

    change_init(&change, thread, &key);
    change_begin(&change);
    result = decide(&change, mutation);
    change_end(&change);
    return result;
}

static enum apply_result set_in_steps(struct engine_thread *thread,
                                      const struct mutation *mutation)
{
    struct slice value = mutation->value;
    size_t done = 0;
    struct item *item;
    enum apply_result result = foresee(thread, mutation);

    if (result != APPLY_DONE)
        return result;
    result = engine_apply_reserve(thread, mutation, value.size, &item);
    if (result != APPLY_DONE)
        return result;
    while (done < value.size) {
        size_t room;
        char *space = engine_item_space(thread, item, done, &room);

        memcpy(space, value.data + done, room);
        done += room;
    }
    return engine_apply_commit(thread, mutation, &item);
}

/* A tally that cannot be kept here is the number it comes to. */
static enum apply_result apply_tally(struct engine_thread *thread,
                                     const struct mutation *mutation)
{
    struct item_shape shape = shape_of(mutation, mutation->value.size);
    struct mutation plain;

    if (tally_wanted(thread->engine, &shape))
        return set_small(thread, mutation);
    plain = *mutation;
    plain.tally.base_stamp = STAMP_NONE;
    return apply_set(thread, &plain);
}

static enum apply_result apply_set(struct engine_thread *thread,
                                   const struct mutation *mutation)
{
    struct item_shape shape = shape_of(mutation, mutation->value.size);
    size_t bytes = item_shape_bytes(&shape);

    if (UNLIKELY(mutation->tally.base_stamp != STAMP_NONE))
        return apply_tally(thread, mutation);
    if (bytes > CHANGE_INLINE_BYTES_MAX ||
        bytes > thread->engine->item_bytes_max ||
        alloc_is_large(thread->engine, CHANGE_INLINE_BYTES_MAX))
        return set_in_steps(thread, mutation);
    return set_small(thread, mutation);
}

static enum apply_result apply_remove(struct engine_thread *thread,
                                      const struct mutation *mutation)
{
    struct engine_key key = {.hash = mutation->hash};
    enum apply_result result = APPLY_DONE;
    struct change change;

    change_init(&change, thread, &key);
    change_begin_by_hash(&change);
    if (change.slot.item != NULL) {
        if (item_stamp(change.slot.item) > mutation->stamp)
            result = APPLY_OLDER;
        else
            change_drop(&change);
    }
    change_end(&change);
    return result;
}

static enum apply_result apply_touch(struct engine_thread *thread,
                                     const struct mutation *mutation)
{
    struct engine_key key = {.hash = mutation->hash};
    enum apply_result result;
    struct change change;

    change_init(&change, thread, &key);
    change_begin_by_hash(&change);
    result = decide(&change, mutation);
    if (result == APPLY_DONE) {
        result = APPLY_ABSENT; /* Where a value would be kept, none is. */
    } else if (result == APPLY_SAME) {
        /* Whoever prolongs it uses it, on whichever node. */
        (void)lru_touch(change.slot.item, thread->now_s);
        result = APPLY_DONE;
    }
    change_end(&change);
    return result;
}

enum apply_result engine_apply(struct engine_thread *thread,
                               const struct mutation *mutation)
{
    stamp_absorb(&thread->engine->clock, mutation->stamp);
    switch (mutation->kind) {
    case MUTATION_SET:
        return apply_set(thread, mutation);
    case MUTATION_REMOVE:
        return apply_remove(thread, mutation);
    case MUTATION_TOUCH:
        return apply_touch(thread, mutation);
    }
    return APPLY_ABSENT;
}

enum apply_result engine_apply_reserve(struct engine_thread *thread,
                                       const struct mutation *mutation,
                                       size_t value_size, struct item **item)
{
    struct item_shape shape = shape_of(mutation, value_size);

    *item = NULL;
    stamp_absorb(&thread->engine->clock, mutation->stamp);
    if (value_size > UINT32_MAX ||
        item_shape_bytes(&shape) > thread->engine->item_bytes_max)
        return give_up(thread, mutation, APPLY_TOO_LARGE);
    *item = alloc_item(thread, &shape);
    if (*item == NULL)
        return give_up(thread, mutation, APPLY_NO_MEMORY);
    return APPLY_DONE;
}

enum apply_result engine_apply_commit(struct engine_thread *thread,
                                      const struct mutation *mutation,
                                      struct item **item)
{
    struct engine_key key = key_of(mutation);
    enum apply_result result;
    struct change change;

    change_init(&change, thread, &key);
    change_begin(&change);
    result = decide(&change, mutation);
    if (result == APPLY_DONE && !change_adopt(&change, *item))
        result = APPLY_NO_MEMORY;
    if (result == APPLY_DONE) {
        (*item)->expires_at_s = mutation->expires_at_s;
        publish(&change, mutation);
        *item = NULL;
    }
    change_end(&change);
    engine_discard(thread, item);
    if (result == APPLY_NO_MEMORY)
        return give_up(thread, mutation, result);
    return result;
}

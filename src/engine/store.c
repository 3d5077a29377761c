/* SPDX-License-Identifier: BSD-3-Clause */
/* Storing: set, add, replace, append, prepend, cas; at once or in steps. */
#include "src/base/invariant.h"
#include "src/engine/change.h"
#include "src/engine/lru.h"

/* Times that a large append starts over because the value changed under it.
 * Each time somebody else has made progress. */
#define APPEND_ROUNDS 1000u

static bool is_joining(enum engine_mode mode)
{
    return mode == ENGINE_APPEND || mode == ENGINE_PREPEND;
}

/* A write that comes too late, but is welcome as a stale value. */
static bool is_invalidating(const struct change *change,
                            const struct engine_write *write)
{
    return write->invalidate && write->mode == ENGINE_CAS && change->live &&
           write->cas < item_cas(change->slot.item);
}

static enum engine_outcome compare(struct change *change,
                                   const struct engine_write *write)
{
    struct engine_thread *thread = change->thread;
    struct engine_class_counters *counts;

    if (!change->live) {
        METRIC_UP(thread->counts.all.cas_misses);
        return ENGINE_NOT_FOUND;
    }
    counts = engine_class_counts(thread, change->slot.item->slab_class);
    if (item_cas(change->slot.item) != write->cas &&
        !is_invalidating(change, write)) {
        METRIC_UP(counts->cas_badval);
        return ENGINE_EXISTS;
    }
    if (change->spare == NULL) /* Else it is the second try. */
        METRIC_UP(counts->cas_hits);
    return ENGINE_STORED;
}

static enum engine_outcome decide_join(const struct change *change,
                                       const struct engine_write *write)
{
    if (!change->live)
        return write->vivify ? ENGINE_STORED : ENGINE_NOT_STORED;
    if (write->compare && item_cas(change->slot.item) != write->cas)
        return ENGINE_EXISTS;
    return ENGINE_STORED;
}

/* Whether the mode allows it, as things are. */
static enum engine_outcome decide(struct change *change,
                                  const struct engine_write *write)
{
    switch (write->mode) {
    case ENGINE_SET:
        return ENGINE_STORED;
    case ENGINE_ADD:
        if (!change->live)
            return ENGINE_STORED;
        /* Asking for it counts as use, even so. */
        (void)lru_touch(change->slot.item, change->thread->now_s);
        return ENGINE_NOT_STORED;
    case ENGINE_REPLACE:
        return change->live ? ENGINE_STORED : ENGINE_NOT_STORED;
    case ENGINE_APPEND:
    case ENGINE_PREPEND:
        return decide_join(change, write);
    case ENGINE_CAS:
        return compare(change, write);
    }
    return ENGINE_NOT_STORED;
}

/* The shape of what is given, without what is there. */
static struct item_shape shape_of(const struct engine_write *write)
{
    return (struct item_shape){.key = write->key.bytes,
                               .client_flags = write->client_flags,
                               .expires_at_s = is_joining(write->mode)
                                                   ? write->vivify_expires_at_s
                                                   : write->expires_at_s,
                               .state = write->state,
                               .cas = write->given_cas,
                               .value_size = write->value_size};
}

unsigned engine_class_of(const struct engine *engine,
                         const struct engine_write *write)
{
    struct item_shape shape = shape_of(write);
    size_t bytes = item_shape_bytes(&shape);

    if (write->value_size > UINT32_MAX || bytes > engine->item_bytes_max)
        return 0;
    return alloc_class(engine, bytes);
}

/* The life of the old item with something added. */
static uint32_t joined_life(const struct item *old,
                            const struct engine_write *write)
{
    return write->touch ? write->expires_at_s : old->expires_at_s;
}

/* The shape of the old item with what is given added. That is a fresh value,
 * however stale the old one was. */
static struct item_shape shape_joined(const struct item *old,
                                      const struct engine_write *write)
{
    return (struct item_shape){
        .key = write->key.bytes,
        .client_flags = item_client_flags(old),
        .expires_at_s = joined_life(old, write),
        .state = write->state | (item_state(old) & ITEM_STATE_BINARY_KEY),
        .cas = write->given_cas,
        .value_size = old->value_size + write->value_size};
}

/* What is to be told of the item that is the key's now. */
static void tell(const struct engine_write *write, const struct item *item,
                 stamp_t *cas)
{
    *cas = item_cas(item);
    if (write->size_stored != NULL)
        *write->size_stored = item->value_size;
}

/* A set that cannot be done takes the old value with it, here and at the peer:
 * nobody may read what the client wanted replaced. */
static enum engine_outcome refuse(struct engine_thread *thread,
                                  const struct engine_write *write,
                                  enum engine_outcome outcome)
{
    struct change change;

    if (outcome == ENGINE_TOO_LARGE)
        METRIC_UP(thread->counts.all.store_too_large);
    else
        METRIC_UP(thread->counts.all.store_no_memory);
    if (write->mode != ENGINE_SET)
        return outcome;
    change_init(&change, thread, &write->key);
    change_begin_lookup(&change);
    if (change.slot.item != NULL)
        change_drop(&change);
    (void)change_record(&change, MUTATION_REMOVE);
    change_end(&change);
    return outcome;
}

void engine_count_spoilt(struct engine_thread *thread,
                         const struct engine_write *write)
{
    unsigned class = engine_class_of(thread->engine, write);

    if (class != 0)
        METRIC_UP(engine_class_counts(thread, class)->cmd_set);
}

static void count_store(struct engine_thread *thread, unsigned class)
{
    METRIC_UP(engine_class_counts(thread, class)->cmd_set);
}

/* The new value of a small item from the old one and what is added. In place,
 * `item` is `old`; else the old one is intact. */
static void fill_joined(struct item *item, const struct item *old,
                        size_t old_size, enum engine_mode mode,
                        struct slice more)
{
    const char *before = old->data + item_value_offset(old);
    char *value = item_value(item);

    if (mode == ENGINE_APPEND) {
        memmove(value, before, old_size);
        memcpy(value + old_size, more.data, more.size);
    } else {
        memmove(value + more.size, before, old_size);
        memcpy(value, more.data, more.size);
    }
}

/* What one attempt under the lock came to. */
enum attempt { ATTEMPT_DONE, ATTEMPT_NO_CHUNK, ATTEMPT_TOO_BIG_HERE };

static enum attempt store_inside(struct change *change,
                                 const struct engine_write *write,
                                 struct slice value,
                                 enum engine_outcome *outcome, stamp_t *stamp)
{
    struct item *old = change->slot.item;
    size_t old_size = old != NULL ? old->value_size : 0;
    struct item_shape shape = shape_of(write);

    bool joining = is_joining(write->mode) && change->live;

    *outcome = decide(change, write);
    if (*outcome != ENGINE_STORED) {
        change_clear(change);
        return ATTEMPT_DONE;
    }
    if (is_invalidating(change, write)) {
        shape.expires_at_s = old->expires_at_s;
        shape.state |= ITEM_STATE_STALE;
    }
    if (joining) {
        shape = shape_joined(old, write);
        if (item_shape_bytes(&shape) > CHANGE_INLINE_BYTES_MAX)
            return ATTEMPT_TOO_BIG_HERE;
    }
    if (!change_room(change, &shape))
        return ATTEMPT_NO_CHUNK;
    if (joining)
        fill_joined(change->item, old, old_size, write->mode, value);
    else
        memcpy(item_value(change->item), value.data, value.size);
    change_publish(change, change_record(change, MUTATION_SET));
    tell(write, change->item, stamp);
    return ATTEMPT_DONE;
}

/* Copies bytes into an item from offset on, over its parts. */
static void write_value(struct engine_thread *thread, struct item *item,
                        size_t offset, struct slice bytes,
                        struct engine_cursor *cursor)
{
    while (bytes.size > 0) {
        size_t room;
        char *space = engine_item_space_on(thread, item, offset, &room, cursor);

        INVARIANT(room > 0);
        if (room > bytes.size)
            room = bytes.size;
        memcpy(space, bytes.data, room);
        offset += room;
        bytes = slice_make(bytes.data + room, bytes.size - room);
    }
}

void engine_item_copy(struct engine_thread *thread, struct item *to,
                      size_t offset, const struct item *from)
{
    struct engine_cursor reading = {.part = NULL};
    struct engine_cursor writing = {.part = NULL};
    size_t done = 0;

    while (done < from->value_size) {
        struct slice piece = engine_item_bytes_on(thread, from, done, &reading);

        write_value(thread, to, offset + done, piece, &writing);
        done += piece.size;
    }
}

static enum engine_outcome store_in_steps(struct engine_thread *thread,
                                          const struct engine_write *write,
                                          const char *value, stamp_t *stamp)
{
    struct engine_cursor cursor = {.part = NULL};
    struct item *item;
    enum engine_outcome outcome = engine_reserve(thread, write, &item);

    if (outcome != ENGINE_STORED)
        return outcome;
    write_value(thread, item, 0, slice_make(value, write->value_size), &cursor);
    return engine_commit(thread, write, &item, stamp);
}

enum engine_outcome engine_store(struct engine_thread *thread,
                                 const struct engine_write *write,
                                 const char *value, stamp_t *stamp)
{
    struct item_shape shape = shape_of(write);
    size_t bytes = item_shape_bytes(&shape);
    struct slice given = slice_make(value, write->value_size);
    enum engine_outcome outcome = ENGINE_NO_MEMORY;
    struct change change;
    enum attempt attempt;

    *stamp = STAMP_NONE;
    if (bytes > CHANGE_INLINE_BYTES_MAX ||
        bytes > thread->engine->item_bytes_max ||
        alloc_is_large(thread->engine, CHANGE_INLINE_BYTES_MAX))
        return store_in_steps(thread, write, value, stamp);

    change_init(&change, thread, &write->key);
    do {
        change_begin_lookup(&change);
        attempt = store_inside(&change, write, given, &outcome, stamp);
        change_end(&change);
    } while (attempt == ATTEMPT_NO_CHUNK && change_fetch_spare(&change));
    change_fini(&change);

    if (attempt == ATTEMPT_TOO_BIG_HERE)
        return store_in_steps(thread, write, value, stamp);
    count_store(thread, change.class_wanted != 0
                            ? change.class_wanted
                            : alloc_class(thread->engine, bytes));
    if (attempt == ATTEMPT_NO_CHUNK)
        return refuse(thread, write, ENGINE_NO_MEMORY);
    return outcome;
}

enum engine_outcome engine_reserve(struct engine_thread *thread,
                                   const struct engine_write *write,
                                   struct item **item)
{
    struct item_shape shape = shape_of(write);

    *item = NULL;
    if (write->value_size > UINT32_MAX ||
        item_shape_bytes(&shape) > thread->engine->item_bytes_max)
        return refuse(thread, write, ENGINE_TOO_LARGE);
    *item = alloc_item(thread, &shape);
    if (*item == NULL)
        return refuse(thread, write, ENGINE_NO_MEMORY);
    return ENGINE_STORED;
}

void engine_discard(struct engine_thread *thread, struct item **item)
{
    if (*item != NULL)
        alloc_release(thread->engine, *item);
    *item = NULL;
}

/* Stores an item that is complete, if the mode allows it. */
static enum engine_outcome commit_whole(struct engine_thread *thread,
                                        const struct engine_write *write,
                                        struct item **item, stamp_t *stamp)
{
    const struct item *old;
    enum engine_outcome outcome;
    struct change change;

    change_init(&change, thread, &write->key);
    change_begin_lookup(&change);
    old = change.slot.item;
    outcome = decide(&change, write);
    if (outcome == ENGINE_STORED && is_invalidating(&change, write)) {
        (*item)->expires_at_s = old->expires_at_s;
        item_set_state(*item, item_state(*item) | ITEM_STATE_STALE);
    }
    if (outcome == ENGINE_STORED && !change_adopt(&change, *item))
        outcome = ENGINE_NO_MEMORY;
    if (outcome == ENGINE_STORED) {
        change_publish(&change, change_record(&change, MUTATION_SET));
        tell(write, *item, stamp);
        *item = NULL;
    } else {
        change_clear(&change);
    }
    change_end(&change);
    if (outcome == ENGINE_NO_MEMORY)
        return refuse(thread, write, outcome);
    return outcome;
}

/* What a large append goes by. */
struct joint {
    struct item *old;        /* Held; NULL: nothing to append to. */
    stamp_t seen;            /* Its version. */
    struct item_shape shape; /* Of the two together. */
};

/* Holds the key's live item against change, for copying without a lock. */
static enum engine_outcome hold_live(struct engine_thread *thread,
                                     const struct engine_write *write,
                                     struct joint *joint)
{
    enum engine_outcome outcome;
    struct change change;

    joint->old = NULL;
    change_init(&change, thread, &write->key);
    change_begin_lookup(&change);
    outcome = decide(&change, write);
    if (outcome == ENGINE_STORED && change.live) {
        struct engine_view view = {.item = change.slot.item};

        joint->old = engine_view_hold(thread, &view);
        joint->seen = item_stamp(change.slot.item);
        joint->shape = shape_joined(change.slot.item, write);
        if (joint->old == NULL)
            outcome = ENGINE_NOT_STORED;
    }
    change_end(&change);
    return outcome;
}

/* The old value and what is added, in an item of their own. */
static struct item *join(struct engine_thread *thread,
                         const struct engine_write *write,
                         const struct item_shape *shape, const struct item *old,
                         const struct item *added)
{
    bool is_append = write->mode == ENGINE_APPEND;
    struct item *whole = alloc_item(thread, shape);

    if (whole == NULL)
        return NULL;
    engine_item_copy(thread, whole, is_append ? 0 : added->value_size, old);
    engine_item_copy(thread, whole, is_append ? old->value_size : 0, added);
    return whole;
}

/* Puts the two together in the place of the old one. False when that has
 * changed meanwhile. */
static bool replace_joined(struct engine_thread *thread,
                           const struct engine_write *write, stamp_t seen,
                           struct item *whole, stamp_t *stamp)
{
    struct change change;
    bool done = false;

    change_init(&change, thread, &write->key);
    change_begin(&change);
    if (change.live && item_stamp(change.slot.item) == seen &&
        change_adopt(&change, whole)) {
        /* It may have changed without a new version. */
        whole->expires_at_s = joined_life(change.slot.item, write);
        change_publish(&change, change_record(&change, MUTATION_SET));
        tell(write, whole, stamp);
        done = true;
    }
    change_end(&change);
    if (!done)
        engine_discard(thread, &whole);
    return done;
}

/* One round of a large append. *again: the value has changed meanwhile. */
static enum engine_outcome commit_join_once(struct engine_thread *thread,
                                            const struct engine_write *write,
                                            struct item **added, stamp_t *stamp,
                                            bool *again)
{
    struct joint joint;
    struct item *whole;
    enum engine_outcome outcome = hold_live(thread, write, &joint);

    *again = false;
    if (outcome != ENGINE_STORED)
        return outcome;
    if (joint.old == NULL) {
        struct engine_write first = *write;

        first.mode = ENGINE_ADD;
        outcome = commit_whole(thread, &first, added, stamp);
        *again = outcome == ENGINE_NOT_STORED;
        return outcome;
    }
    if (joint.shape.value_size > UINT32_MAX ||
        item_shape_bytes(&joint.shape) > thread->engine->item_bytes_max) {
        engine_item_release(thread, &joint.old);
        (void)refuse(thread, write, ENGINE_TOO_LARGE);
        return ENGINE_NOT_STORED;
    }
    whole = join(thread, write, &joint.shape, joint.old, *added);
    engine_item_release(thread, &joint.old);
    if (whole == NULL)
        return refuse(thread, write, ENGINE_NO_MEMORY);
    *again = !replace_joined(thread, write, joint.seen, whole, stamp);
    return *again ? ENGINE_NO_MEMORY : ENGINE_STORED;
}

enum engine_outcome engine_commit(struct engine_thread *thread,
                                  const struct engine_write *write,
                                  struct item **item, stamp_t *stamp)
{
    enum engine_outcome outcome;
    bool again = true;
    unsigned round;

    *stamp = STAMP_NONE;
    count_store(thread, (*item)->slab_class);
    if (!is_joining(write->mode)) {
        (*item)->expires_at_s = write->expires_at_s;
        outcome = commit_whole(thread, write, item, stamp);
        engine_discard(thread, item);
        return outcome;
    }
    outcome = ENGINE_NO_MEMORY;
    for (round = 0; round < APPEND_ROUNDS && again; round++)
        outcome = commit_join_once(thread, write, item, stamp, &again);
    engine_discard(thread, item);
    return outcome;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* An item moves to a chunk with room for a cas unique of its own. Nothing else
 * about it changes, so nobody is told; but it may be large, and is copied
 * without a lock. When it changes meanwhile the caller looks again. */
#include "src/base/invariant.h"
#include "src/engine/change.h"

/* Times that somebody else may be faster: each time he has made progress. */
#define WIDEN_ROUNDS 100u

/* The tally is put where the shape can point to it. */
static struct item_shape shape_of(const struct engine_key *key,
                                  const struct item *item, struct tally *tally)
{
    item_tally(item, tally);
    return (struct item_shape){.key = key->bytes,
                               .client_flags = item_client_flags(item),
                               .expires_at_s = item->expires_at_s,
                               .state = item_state(item),
                               .cas = item_cas(item),
                               .value_size = item->value_size,
                               .tally = tally->base_stamp != STAMP_NONE ? tally
                                                                        : NULL};
}

/* The item, held, if it wants widening and can be. */
static struct item *hold_narrow(struct change *change, stamp_t *seen,
                                struct item_shape *shape, struct tally *tally)
{
    struct item *item = NULL;

    change_begin(change);
    if (change->live && !(item_flags(change->slot.item) & ITEM_HAS_CAS)) {
        struct engine_view view = {.item = change->slot.item};

        *seen = item_stamp(view.item);
        *shape = shape_of(&change->key, view.item, tally);
        item = engine_view_hold(change->thread, &view);
    }
    change_end(change);
    return item;
}

static struct item *copy_of(struct engine_thread *thread,
                            const struct item_shape *shape,
                            const struct item *from)
{
    struct item *item = NULL;

    if (item_shape_bytes(shape) <= thread->engine->item_bytes_max)
        item = alloc_item(thread, shape);
    if (item != NULL)
        engine_item_copy(thread, item, 0, from);
    return item;
}

/* False when the key has another item, or another version of it, by now. */
static bool replace(struct change *change, const struct item *held,
                    stamp_t seen, struct item *wide)
{
    struct item *old;
    bool done = false;

    change_begin(change);
    old = change->slot.item;
    if (old == held && item_stamp(old) == seen && change_adopt(change, wide)) {
        /* These change without a new version. */
        wide->expires_at_s = old->expires_at_s;
        item_set_state(wide, item_state(old));
        item_set_marks(wide, item_marks(old));
        change->revises = true;
        change_publish(change, seen);
        item_set_accessed(wide, item_accessed(held));
        done = true;
    }
    change_end(change);
    change->revises = false;
    return done;
}

void change_widen(struct change *change)
{
    struct engine_thread *thread = change->thread;
    struct item_shape shape;
    struct tally tally;
    struct item *wide;
    struct item *held;
    stamp_t seen;

    held = hold_narrow(change, &seen, &shape, &tally);
    wide = held != NULL ? copy_of(thread, &shape, held) : NULL;
    /* Found changed is not given up, but not for ever. */
    if ((held != NULL && wide == NULL) || ++change->widened == WIDEN_ROUNDS)
        change->cas_gives_way = true;
    if (wide != NULL && !replace(change, held, seen, wide))
        engine_discard(thread, &wide);
    engine_item_release(thread, &held);
}

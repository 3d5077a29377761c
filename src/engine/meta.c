/* SPDX-License-Identifier: BSD-3-Clause */
/* What only meta commands ask for: a token for one of many to refresh a value,
 * items that are stale, and items that are made by looking for them.
 *
 * A token is no version of the item: it is given out in place and repeated to
 * the peer, so that the cas unique stays the one that the winner was told. */
#include "src/engine/lru.h"
#include "src/engine/read.h"

/* ---- looking ---- */

/* A touch is counted as such and not as a get, as with gat; but a miss is
 * always a get's. What was made on the way was found. */
static void count_found(struct change *change, const struct engine_look *look,
                        const struct item *item)
{
    struct engine_thread *thread = change->thread;

    if (look->touch) {
        METRIC_UP(thread->counts.all.cmd_touch);
        METRIC_UP(engine_class_counts(thread, item->slab_class)->touch_hits);
    } else {
        read_count_hit(thread, item, item_list(item));
    }
}

/* One of the many who see that the value should be made anew does it. */
static bool may_win(const struct item *item, const struct engine_look *look,
                    uint32_t expires_at_s)
{
    uint32_t state = item_state(item);

    if (state & ITEM_STATE_WON)
        return false;
    return (state & ITEM_STATE_STALE) ||
           (look->recache && expires_at_s != 0 &&
            expires_at_s < look->recache_before_s);
}

/* The life of the item, and who refreshes it. False when the item must be
 * widened first. */
static bool grant(struct change *change, struct engine_look *look)
{
    struct item *item = change->slot.item;
    uint32_t decided_at_s = item->expires_at_s;

    look->state = item_state(item);
    look->expired_at_s = item->expires_at_s;
    if (look->touch) {
        if (!change_set_life(change, look->expires_at_s))
            return false;
        if (look->touch_first)
            decided_at_s = look->expires_at_s;
    }
    look->won = may_win(item, look, decided_at_s);
    if (look->won) {
        item_set_state(item, look->state | ITEM_STATE_WON);
        change_repeat(change);
    }
    return true;
}

static bool look_at(struct change *change, struct engine_look *look,
                    struct engine_view *view)
{
    struct engine_thread *thread = change->thread;
    struct item *item = change->slot.item;

    if (!grant(change, look))
        return false;
    count_found(change, look, item);
    read_open_view(view, item, change->place);
    if (!look->silent)
        (void)lru_touch(item, thread->now_s);
    return true;
}

/* Makes the empty item, whose maker has won it. False when a chunk is
 * wanting. */
static bool vivify(struct change *change, struct engine_look *look,
                   struct engine_view *view)
{
    const struct item_shape shape = {
        .key = change->key.bytes,
        .expires_at_s = look->vivify_expires_at_s,
        .state = look->vivify_state | ITEM_STATE_WON,
        .cas = look->vivify_cas,
    };

    if (!change_room(change, &shape))
        return false;
    change_publish(change, change_record(change, MUTATION_SET));
    count_found(change, look, change->item);
    look->won = true;
    look->state = look->vivify_state;
    look->expired_at_s = look->vivify_expires_at_s;
    read_open_view(view, change->item, change->place);
    return true;
}

enum engine_outcome engine_look(struct engine_thread *thread,
                                const struct engine_key *key,
                                struct engine_look *look,
                                struct engine_view *view)
{
    enum engine_outcome outcome = ENGINE_NO_MEMORY;
    struct change change;

    look->won = false;
    change_init(&change, thread, key);
    do {
        change_begin_lookup(&change);
        while (change.live && !look_at(&change, look, view)) {
            change_end(&change);
            change_widen(&change);
            change_begin_lookup(&change);
        }
        if (change.live) {
            outcome = ENGINE_STORED;
            break; /* The view keeps the bucket. */
        }
        if (!look->vivify) {
            METRIC_UP(thread->counts.all.get_misses);
            if (change.slot.item != NULL)
                change_drop_dead(&change);
            change_end(&change);
            outcome = ENGINE_NOT_FOUND;
            break;
        }
        if (vivify(&change, look, view)) {
            outcome = ENGINE_STORED;
            break;
        }
        change_end(&change);
    } while (change_fetch_spare(&change));
    change_fini(&change);
    return outcome;
}

bool engine_peek(struct engine_thread *thread, const struct engine_key *key,
                 struct engine_view *view)
{
    struct change change;

    change_init(&change, thread, key);
    change_begin_lookup(&change);
    if (change.live) {
        read_open_view(view, change.slot.item, change.place);
        return true;
    }
    change_clear(&change);
    change_end(&change);
    return false;
}

/* ---- removing, or not quite ---- */

static enum engine_outcome decide(struct change *change,
                                  const struct engine_removal *removal)
{
    struct engine_thread *thread = change->thread;

    if (!change->live)
        return ENGINE_NOT_FOUND;
    if (removal->compare && item_cas(change->slot.item) != removal->cas)
        return ENGINE_EXISTS;
    if (!removal->stale && !removal->empty)
        METRIC_UP(engine_class_counts(thread, change->slot.item->slab_class)
                      ->delete_hits);
    return ENGINE_STORED;
}

/* The state and the end of what stays. */
static void mark(struct item *item, const struct engine_removal *removal)
{
    if (removal->stale)
        item_set_state(item,
                       (item_state(item) & ~ITEM_STATE_WON) | ITEM_STATE_STALE);
    if (removal->touch)
        item->expires_at_s = removal->expires_at_s;
}

/* An item without a value in its place. False when a chunk is wanting. */
static bool empty(struct change *change, const struct engine_removal *removal)
{
    const struct item_shape shape = {
        .key = change->key.bytes,
        .client_flags = removal->client_flags,
        .state = item_state(change->slot.item) & ITEM_STATE_BINARY_KEY,
        .cas = removal->given_cas,
    };

    if (!change_room(change, &shape))
        return false;
    mark(change->item, removal);
    change_publish(change, change_record(change, MUTATION_SET));
    return true;
}

/* In place, as a new version. A cas unique that a client gave to the old one
 * gives way to the new version's. */
static void mark_version(struct change *change,
                         const struct engine_removal *removal)
{
    struct item *item = change->slot.item;
    stamp_t stamp = change_record(change, MUTATION_SET);

    mark(item, removal);
    item_set_stamp(item, stamp);
    if (item->flags & ITEM_HAS_CAS)
        item_set_cas(item, removal->given_cas != STAMP_NONE ? removal->given_cas
                                                            : stamp);
}

/* What one attempt under the lock came to. */
enum attempt {
    ATTEMPT_DONE,
    ATTEMPT_NO_CHUNK,
    ATTEMPT_NO_FIELD, /* The item has no room for a cas unique of its own. */
};

static enum attempt remove_inside(struct change *change,
                                  const struct engine_removal *removal,
                                  enum engine_outcome *outcome)
{
    *outcome = decide(change, removal);
    if (*outcome != ENGINE_STORED) {
        if (*outcome == ENGINE_NOT_FOUND)
            METRIC_UP(change->thread->counts.all.delete_misses);
        return ATTEMPT_DONE;
    }
    if (removal->empty)
        return empty(change, removal) ? ATTEMPT_DONE : ATTEMPT_NO_CHUNK;
    if (!removal->stale) {
        change_drop(change);
        (void)change_record(change, MUTATION_REMOVE);
        return ATTEMPT_DONE;
    }
    if (removal->given_cas != STAMP_NONE &&
        !(change->slot.item->flags & ITEM_HAS_CAS))
        return ATTEMPT_NO_FIELD;
    mark_version(change, removal);
    return ATTEMPT_DONE;
}

/* The value moves behind a field for the cas unique, which is what appending
 * nothing does. Such a change counts as a store, too. */
static enum engine_outcome mark_anew(struct engine_thread *thread,
                                     const struct engine_removal *removal)
{
    const struct engine_write write = {
        .key = removal->key,
        .mode = ENGINE_APPEND,
        .expires_at_s = removal->expires_at_s,
        .cas = removal->cas,
        .compare = removal->compare,
        .state = ITEM_STATE_STALE,
        .given_cas = removal->given_cas,
        .touch = removal->touch,
    };
    stamp_t cas;
    enum engine_outcome outcome = engine_store(thread, &write, "", &cas);

    return outcome == ENGINE_NOT_STORED ? ENGINE_NOT_FOUND : outcome;
}

enum engine_outcome engine_remove_as(struct engine_thread *thread,
                                     const struct engine_removal *removal)
{
    enum engine_outcome outcome;
    enum attempt attempt;
    struct change change;

    if (!removal->compare && !removal->stale && !removal->empty)
        return engine_remove(thread, &removal->key);
    change_init(&change, thread, &removal->key);
    do {
        change_begin_lookup(&change);
        attempt = remove_inside(&change, removal, &outcome);
        change_end(&change);
    } while (attempt == ATTEMPT_NO_CHUNK && change_fetch_spare(&change));
    change_fini(&change);
    switch (attempt) {
    case ATTEMPT_DONE:
        break;
    case ATTEMPT_NO_CHUNK:
        return ENGINE_NO_MEMORY;
    case ATTEMPT_NO_FIELD:
        return mark_anew(thread, removal);
    }
    return outcome;
}

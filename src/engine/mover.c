/* SPDX-License-Identifier: BSD-3-Clause */
/* Which page moves where. There is one page on its way at a time, and one lock
 * for whoever drives it: the upkeep takes a step now and then; a thread that
 * cannot store anything drives to the end, and what was under way for another
 * reason serves it first. So two threads in need never take pages from each
 * other, and the second one finds what the first one got. */
#include "src/engine/mover.h"

#include "src/base/invariant.h"
#include "src/engine/lru.h"
#include "src/engine/move.h"
#include "src/engine/tell.h"

void mover_init(struct mover *mover)
{
    lock_init(&mover->lock, LOCK_RANK_MOVER);
}

void mover_fini(struct mover *mover)
{
    lock_fini(&mover->lock);
}

bool mover_is_running(const struct engine *engine)
{
    return atomic_load_explicit(&engine->mover.running, memory_order_relaxed);
}

static bool may_reassign(const struct engine *engine)
{
    return atomic_load_explicit(&engine->tuning.reassign, memory_order_relaxed);
}

/* ---- which class, which page ---- */

static uint32_t pages_of(const struct engine *engine, unsigned index)
{
    return __atomic_load_n(&slab_class_at(&engine->slabs, index)->pages,
                           __ATOMIC_RELAXED);
}

/* How gladly a class would give up a page. */
struct offer {
    unsigned class; /* 0: none. */
    bool unused;    /* It has unused chunks for a page. */
    bool last;      /* It has no other. */
    uint32_t age_s; /* Of what it would lose. */
    uint32_t pages;
};

static bool is_better(const struct offer *a, const struct offer *b)
{
    if (a->class == 0 || b->class == 0)
        return b->class == 0;
    if (a->unused != b->unused)
        return a->unused;
    if (a->last != b->last)
        return b->last;
    if (a->age_s != b->age_s)
        return a->age_s > b->age_s;
    return a->pages > b->pages;
}

static struct offer offer_of(struct engine *engine, unsigned index)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    uint32_t now_s = atomic_load_explicit(&engine->now_s, memory_order_relaxed);
    struct offer offer = {.class = index,
                          .unused = slab_unused(class) >= class->per_page,
                          .pages =
                              __atomic_load_n(&class->pages, __ATOMIC_RELAXED)};

    if (offer.pages == 0)
        return (struct offer){.class = 0};
    offer.last = offer.pages == 1;
    lock_take(&class->lock);
    offer.age_s = lru_tail_age(&engine->slabs, index, now_s);
    lock_release(&class->lock);
    return offer;
}

/* Whether its last item is dead: then there may be more of them. */
static bool has_dead_tail(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    bool dead = false;
    handle_t tail;

    lock_take(&class->lock);
    tail = class->lists[LRU_COLD].tail;
    if (tail == HANDLE_NONE)
        tail = class->lists[LRU_HOT].tail;
    if (tail != HANDLE_NONE) {
        struct item *item = region_item(&engine->region, tail);
        struct place place;

        if (item_kind(item) == CHUNK_LINKED &&
            table_try(&engine->table, table_hash(&engine->table, item),
                      &place)) {
            dead = engine_is_dead(thread, item);
            table_unlock(place);
        }
    }
    lock_release(&class->lock);
    return dead;
}

unsigned mover_donor(struct engine *engine, unsigned but, uint32_t pages_min)
{
    struct offer best = {.class = 0};
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        struct offer offer;

        if (i == but || pages_of(engine, i) < pages_min)
            continue;
        offer = offer_of(engine, i);
        if (is_better(&offer, &best))
            best = offer;
    }
    return best.class;
}

/* With -M nothing gives way, so the class must have room for what is on the
 * page, or dead items. */
static unsigned sparing_donor(struct engine_thread *thread, unsigned but)
{
    struct engine *engine = thread->engine;
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        struct slab_class *class = slab_class_at(&engine->slabs, i);

        if (i == but || pages_of(engine, i) == 0)
            continue;
        if (slab_unused(class) >= class->per_page || has_dead_tail(thread, i))
            return i;
    }
    return 0;
}

/* A page of the class that costs little to empty: one that was never used,
 * one with a free chunk, that of the oldest item. */
static uint32_t cheap_page(struct engine *engine, unsigned index)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    handle_t chunk = HANDLE_NONE;
    uint32_t page;

    lock_take(&class->lock);
    page = class->waiting;
    if (page == 0)
        chunk = class->free;
    if (page == 0 && chunk == HANDLE_NONE)
        chunk = class->lists[LRU_COLD].tail;
    if (chunk != HANDLE_NONE)
        page = region_page_of(&engine->region,
                              region_item(&engine->region, chunk));
    lock_release(&class->lock);
    return page;
}

/* The next page of the class, so that one that cannot be emptied is not tried
 * for ever; 0: it has none. */
static uint32_t next_page(struct engine *engine, unsigned index)
{
    struct mover *mover = &engine->mover;
    uint32_t pages = engine->region.pages_max;
    uint32_t i;

    for (i = 0; i < pages; i++) {
        mover->page_next = mover->page_next % pages + 1;
        if (region_class(&engine->region, mover->page_next) == index)
            return mover->page_next;
    }
    return 0;
}

static bool begin(struct engine *engine, unsigned from, unsigned to, bool cheap)
{
    uint32_t page = cheap ? cheap_page(engine, from) : 0;

    if (page == 0)
        page = next_page(engine, from);
    return page != 0 && move_begin(engine, page, from, to);
}

bool mover_begin(struct engine *engine, unsigned from, unsigned to)
{
    struct mover *mover = &engine->mover;
    bool begun = false;

    if (!lock_try(&mover->lock))
        return false;
    if (mover->move.phase == MOVE_NONE)
        begun = begin(engine, from, to, true);
    lock_release(&mover->lock);
    return begun;
}

/* ---- for a thread in need; it holds the mover ---- */

/* A chunk that is free by now. */
static struct item *take_now(struct engine *engine, unsigned index)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    struct item *chunk;

    lock_take(&class->lock);
    chunk = slab_take(&engine->slabs, index);
    lock_release(&class->lock);
    return chunk;
}

/* The page becomes the class's, and its first chunk is taken in the same
 * moment, lest others be faster. */
static struct item *take_of_page(struct engine *engine, unsigned index,
                                 uint32_t page)
{
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    struct item *chunk;

    lock_take(&class->lock);
    slab_add_page(&engine->slabs, index, page);
    chunk = slab_take_own(&engine->slabs, index);
    lock_release(&class->lock);
    INVARIANT(chunk != NULL);
    return chunk;
}

/* The page of the move is empty, and goes to the class. */
static uint32_t finish(struct engine_thread *thread, unsigned to)
{
    struct engine *engine = thread->engine;

    tell_event(thread, "type=slab_move src=%u dst=%u", engine->mover.move.from,
               to);
    return move_finish(engine);
}

/* Drives the move that was begun to its end. */
static struct item *drive(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    enum move_step step;

    do {
        step = move_step(thread, MOVER_PASSES_HASTY);
        if (step == MOVE_WAITS)
            lock_give_way(0);
    } while (step == MOVE_GOES_ON || step == MOVE_WAITS);
    if (step != MOVE_EMPTY)
        return NULL;
    return take_of_page(engine, index, finish(thread, index));
}

/* What is under way already; but not off the class's own pages. */
static struct item *drive_present(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    struct move *move = &engine->mover.move;
    struct item *chunk;

    if (move->phase == MOVE_NONE)
        return NULL;
    if (move->from == index)
        move_give_up(engine);
    else
        move->passes = 0;
    chunk = drive(thread, index);
    return chunk != NULL ? chunk : take_now(engine, index);
}

/* A page of any other class, in turn: should those of the best donor all be in
 * use. */
static bool begin_with_any(struct engine *engine, unsigned index)
{
    struct mover *mover = &engine->mover;
    uint32_t pages = engine->region.pages_max;
    uint32_t i;

    for (i = 0; i < pages; i++) {
        unsigned class;

        mover->page_next = mover->page_next % pages + 1;
        class = region_class(&engine->region, mover->page_next);
        if (class != 0 && class != index)
            return move_begin(engine, mover->page_next, class, index);
    }
    return false;
}

static bool begin_try(struct engine_thread *thread, unsigned index,
                      unsigned number)
{
    struct engine *engine = thread->engine;
    unsigned donor;

    if (!engine->keep_all && number >= MOVER_PAGES_MAX / 2)
        return begin_with_any(engine, index);
    donor = engine->keep_all ? sparing_donor(thread, index)
                             : mover_donor(engine, index, 1);
    return donor != 0 && begin(engine, donor, index, number == 0);
}

static struct item *take_from_others(struct engine_thread *thread,
                                     unsigned index)
{
    unsigned tries_max =
        thread->engine->keep_all ? MOVER_PAGES_SPARED_MAX : MOVER_PAGES_MAX;
    struct item *chunk = drive_present(thread, index);
    unsigned tries;

    for (tries = 0; chunk == NULL && tries < tries_max; tries++) {
        if (begin_try(thread, index, tries))
            chunk = drive(thread, index);
    }
    return chunk;
}

/* Where pages stay where they are, a class that has none gets its first one
 * even beyond the limit. */
static struct item *take_beyond(struct engine *engine, unsigned index)
{
    uint32_t page;

    if (pages_of(engine, index) != 0)
        return NULL;
    page = region_take_page_beyond(&engine->region);
    return page != 0 ? take_of_page(engine, index, page) : NULL;
}

struct item *mover_provide(struct engine_thread *thread, unsigned index)
{
    struct engine *engine = thread->engine;
    struct item *chunk;

    lock_take(&engine->mover.lock);
    chunk = take_now(engine, index);
    if (chunk == NULL)
        chunk = may_reassign(engine) ? take_from_others(thread, index)
                                     : take_beyond(engine, index);
    lock_release(&engine->mover.lock);
    return chunk;
}

/* ---- for the upkeep ---- */

static void give_page(struct engine *engine, unsigned to, uint32_t page)
{
    struct slab_class *class;

    if (to == 0) {
        region_give_page(&engine->region, page);
        return;
    }
    class = slab_class_at(&engine->slabs, to);
    lock_take(&class->lock);
    slab_add_page(&engine->slabs, to, page);
    lock_release(&class->lock);
}

static enum mover_rest go_on(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    unsigned to = engine->mover.move.to;

    switch (move_step(thread, MOVER_PASSES)) {
    case MOVE_GOES_ON:
        return MOVER_BUSY;
    case MOVE_WAITS:
        return MOVER_WAITS;
    case MOVE_EMPTY:
        give_page(engine, to, finish(thread, to));
        return MOVER_BUSY;
    case MOVE_GAVE_UP:
        return MOVER_BUSY;
    }
    return MOVER_IDLE;
}

/* The classes own more than the limit: a page that is least missed goes. */
static bool begin_shrinking(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    unsigned donor;

    if (region_excess(&engine->region) == 0)
        return false;
    donor =
        engine->keep_all ? sparing_donor(thread, 0) : mover_donor(engine, 0, 1);
    return donor != 0 && begin(engine, donor, 0, false);
}

enum mover_rest mover_work(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    enum mover_rest rest = MOVER_IDLE;

    if (region_discard_one(&engine->region))
        rest = MOVER_BUSY;
    if (!mover_is_running(engine) && region_excess(&engine->region) == 0)
        return rest;
    if (!lock_try(&engine->mover.lock))
        return MOVER_WAITS;
    if (engine->mover.move.phase != MOVE_NONE || begin_shrinking(thread))
        rest = go_on(thread);
    lock_release(&engine->mover.lock);
    return rest;
}

/* ---- for an operator ---- */

static bool is_class(const struct engine *engine, int class)
{
    return class >= 0 && (unsigned)class <= engine->slabs.count;
}

/* Of the pool as `stats` shows it: pages that never had a class find one by
 * themselves. */
static enum engine_reassign take_spare(struct engine *engine, unsigned to)
{
    uint32_t page = 0;

    if (region_idle(&engine->region) > 0)
        page = region_take_page(&engine->region);
    if (page == 0)
        return ENGINE_REASSIGN_NO_SPARE;
    give_page(engine, to, page);
    return ENGINE_REASSIGN_BEGUN;
}

/* The caller holds the mover. */
static enum engine_reassign reassign(struct engine *engine, unsigned from,
                                     unsigned to)
{
    if (from == 0)
        return take_spare(engine, to);
    /* The last page stays, or the class would take another one at once. */
    if (pages_of(engine, from) < 2 || !begin(engine, from, to, true))
        return ENGINE_REASSIGN_NO_SPARE;
    return ENGINE_REASSIGN_BEGUN;
}

static enum engine_reassign reassign_any(struct engine *engine, unsigned to)
{
    unsigned donor = mover_donor(engine, to, 2);

    /* memcached's word for it. */
    if (donor == 0)
        return ENGINE_REASSIGN_NO_CLASS;
    return reassign(engine, donor, to);
}

enum engine_reassign engine_reassign_page(struct engine *engine, int from,
                                          int to)
{
    struct mover *mover = &engine->mover;
    enum engine_reassign result = ENGINE_REASSIGN_BUSY;

    if (!may_reassign(engine))
        return ENGINE_REASSIGN_OFF;
    if (!lock_try(&mover->lock))
        return ENGINE_REASSIGN_BUSY;
    if (mover->move.phase == MOVE_NONE) {
        if (from == to) {
            result = ENGINE_REASSIGN_SAME;
        } else if (!is_class(engine, to) ||
                   (from >= 0 && !is_class(engine, from))) {
            result = ENGINE_REASSIGN_NO_CLASS;
        } else {
            result = from < 0 ? reassign_any(engine, (unsigned)to)
                              : reassign(engine, (unsigned)from, (unsigned)to);
        }
    }
    lock_release(&mover->lock);
    return result;
}

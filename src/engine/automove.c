/* SPDX-License-Identifier: BSD-3-Clause */
/* The automover.
 *
 * One list of all items by their last use would throw out the oldest of all.
 * The classes come near to that when their tails are of the same age: so a
 * page moves from the class with the oldest tail to the evicting class with
 * the youngest one, as long as these differ by more than the ratio. Every page
 * makes them differ less, which is why it comes to rest.
 *
 * Ages are counted in seconds, so a difference of one says nothing. A class
 * that has got a page and has not filled it gets no other. In one window at
 * most as many pages move as there are: whatever the clients do now, after a
 * window the memory can be where it is needed, and no sooner is all of it
 * turned over.
 *
 * What a class did not use for a whole window goes back to the pool. */
#include "src/engine/automove.h"

#include "src/engine/lru.h"

#define TICK_NS NS_PER_S
#define AGE_DIFFERENCE_MIN_S 2u
/* Unused pages that a class keeps. */
#define UNUSED_KEPT 1u

struct choice {
    unsigned class; /* 0: none. */
    uint32_t age_s;
};

static uint32_t pages_of(const struct slab_class *class)
{
    return __atomic_load_n(&class->pages, __ATOMIC_RELAXED);
}

static uint32_t unused_pages(const struct slab_class *class)
{
    return (uint32_t)(slab_unused(class) / class->per_page);
}

static uint32_t age_of(struct engine_thread *thread, unsigned index)
{
    struct slab_class *class = slab_class_at(&thread->engine->slabs, index);
    uint32_t age_s;

    lock_take(&class->lock);
    age_s = lru_tail_age(&thread->engine->slabs, index, thread->now_s);
    lock_release(&class->lock);
    return age_s;
}

/* What the class did since the last look. */
static void look_at_class(struct engine *engine, unsigned index,
                          bool window_ends)
{
    struct automove *automove = &engine->automove;
    struct slab_class *class = slab_class_at(&engine->slabs, index);
    uint32_t unused = unused_pages(class);
    uint64_t reclaims =
        __atomic_load_n(&class->counters.direct_reclaims, __ATOMIC_RELAXED);

    automove->evicts[index] = reclaims != automove->reclaims[index];
    automove->reclaims[index] = reclaims;
    if (unused < automove->unused_least[index])
        automove->unused_least[index] = unused;
    if (!window_ends)
        return;
    automove->unneeded[index] =
        automove->unused_least[index] > UNUSED_KEPT
            ? automove->unused_least[index] - UNUSED_KEPT
            : 0;
    automove->unused_least[index] = unused;
}

static void look_around(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    struct automove *automove = &engine->automove;
    uint32_t window_s = atomic_load_explicit(&engine->tuning.automove_window_s,
                                             memory_order_relaxed);
    uint32_t pages = engine->region.pages_limit;
    bool window_ends;
    unsigned i;

    if (thread->now_ns < automove->due_ns)
        return;
    automove->due_ns = thread->now_ns + TICK_NS;
    automove->ticks++;
    window_ends = automove->ticks >= window_s;
    if (window_ends)
        automove->ticks = 0;
    automove->budget = (pages + window_s - 1) / window_s;
    for (i = 1; i <= engine->slabs.count; i++)
        look_at_class(engine, i, window_ends);
}

static unsigned find_unneeded(struct engine *engine)
{
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        if (engine->automove.unneeded[i] == 0)
            continue;
        engine->automove.unneeded[i]--;
        if (unused_pages(slab_class_at(&engine->slabs, i)) > UNUSED_KEPT)
            return i;
    }
    return 0;
}

/* The class whose evictions hurt most. */
static struct choice find_young(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    struct choice best = {.class = 0};
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        struct choice choice = {.class = i};

        if (!engine->automove.evicts[i] ||
            unused_pages(slab_class_at(&engine->slabs, i)) > 0)
            continue;
        choice.age_s = age_of(thread, i);
        if (best.class == 0 || choice.age_s < best.age_s)
            best = choice;
    }
    return best;
}

/* The class whose last items are the least needed ones. */
static struct choice find_old(struct engine_thread *thread, unsigned but)
{
    struct engine *engine = thread->engine;
    struct choice best = {.class = 0};
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        struct choice choice = {.class = i};

        if (i == but || pages_of(slab_class_at(&engine->slabs, i)) < 2)
            continue;
        choice.age_s = age_of(thread, i);
        if (best.class == 0 || choice.age_s > best.age_s)
            best = choice;
    }
    return best;
}

static bool is_worth_it(const struct engine *engine, uint32_t mode,
                        const struct choice *young, const struct choice *old)
{
    double ratio = atomic_load_explicit(&engine->tuning.automove_ratio,
                                        memory_order_relaxed);

    if (young->class == 0 || old->class == 0)
        return false;
    if (mode == ENGINE_AUTOMOVE_EAGER)
        return old->age_s >= young->age_s;
    return old->age_s >= young->age_s + AGE_DIFFERENCE_MIN_S &&
           (double)young->age_s < ratio * (double)old->age_s;
}

/* Whether a class that evicts has not yet filled the page that it got. */
static bool is_filling(const struct engine *engine)
{
    unsigned i;

    for (i = 1; i <= engine->slabs.count; i++) {
        if (engine->automove.evicts[i] &&
            unused_pages(slab_class_at(&engine->slabs, i)) > 0)
            return true;
    }
    return false;
}

static enum mover_rest even_out(struct engine_thread *thread, uint32_t mode)
{
    struct engine *engine = thread->engine;
    struct automove *automove = &engine->automove;
    struct choice young;
    struct choice old;

    if (automove->budget == 0 || region_pool(&engine->region) > 0)
        return MOVER_IDLE;
    young = find_young(thread);
    old = find_old(thread, young.class);
    if (is_worth_it(engine, mode, &young, &old)) {
        if (!mover_begin(engine, old.class, young.class))
            return MOVER_WAITS;
        if (mode != ENGINE_AUTOMOVE_EAGER)
            automove->budget--;
        return MOVER_BUSY;
    }
    if (is_filling(engine))
        return MOVER_WAITS;
    automove->budget = 0; /* Until the next look around. */
    return MOVER_IDLE;
}

enum mover_rest automove_work(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    uint32_t mode =
        atomic_load_explicit(&engine->tuning.automove, memory_order_relaxed);
    unsigned unneeded;

    if (mode == ENGINE_AUTOMOVE_OFF || engine->keep_all ||
        !atomic_load_explicit(&engine->tuning.reassign, memory_order_relaxed))
        return MOVER_IDLE;
    look_around(thread);
    if (mover_is_running(engine))
        return MOVER_IDLE;
    unneeded = find_unneeded(engine);
    if (unneeded != 0)
        return mover_begin(engine, unneeded, 0) ? MOVER_BUSY : MOVER_WAITS;
    return even_out(thread, mode);
}

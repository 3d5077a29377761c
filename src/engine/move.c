/* SPDX-License-Identifier: BSD-3-Clause */
/* Emptying a page. Its free chunks are kept back, its items move to others of
 * the class; what cannot move now is looked at again in the next pass. A step
 * looks at some chunks under the lock of their class and then moves them one
 * by one, with the locks taken in their order. */
#include "src/engine/move.h"

#include "src/base/invariant.h"
#include "src/engine/move_chunk.h"

/* Chunks returned to their class under one taking of its lock. */
#define RETURNED 128u

static struct slab_class *source(struct engine *engine)
{
    return slab_class_at(&engine->slabs, engine->mover.move.from);
}

static void set_phase(struct mover *mover, enum move_phase phase)
{
    mover->move.phase = phase;
    atomic_store_explicit(&mover->running, phase != MOVE_NONE,
                          memory_order_relaxed);
}

bool move_begin(struct engine *engine, uint32_t page, unsigned from,
                unsigned to)
{
    struct mover *mover = &engine->mover;
    struct slab_class *class = slab_class_at(&engine->slabs, from);
    bool begun = false;

    INVARIANT(mover->move.phase == MOVE_NONE);

    lock_take(&class->lock);
    if (region_class(&engine->region, page) == from) {
        slab_clear_begin(&engine->slabs, from, page);
        begun = true;
    }
    lock_release(&class->lock);
    if (!begun)
        return false;
    mover->move = (struct move){.from = from, .to = to, .page = page};
    set_phase(mover, MOVE_EMPTYING);
    return true;
}

static void note_busy(struct mover *mover, enum move_busy busy)
{
    mover->move.stuck = true;
    atomic_store_explicit(&mover->last_busy, (uint64_t)busy,
                          memory_order_relaxed);
    if (busy == MOVE_BUSY_NO_ROOM)
        METRIC_UP(mover->counters.busy_nomem);
    else
        METRIC_UP(mover->counters.busy_items);
}

/* What is to be done about one chunk. False: nothing now. The caller holds the
 * class. */
static bool look_at(struct engine *engine, struct item *chunk,
                    struct moving *moving)
{
    struct mover *mover = &engine->mover;

    *moving = (struct moving){.chunk = chunk, .owner = chunk};
    switch (item_kind(chunk)) {
    case CHUNK_FREE:
        (void)slab_clear_pull(&engine->slabs, chunk);
        return false;
    case CHUNK_PULLED:
        return false;
    case CHUNK_RESERVED:
        note_busy(mover, MOVE_BUSY_FILLING);
        return false;
    case CHUNK_HELD:
        note_busy(mover, MOVE_BUSY_HELD);
        return false;
    case CHUNK_PART:
        /* Parts are freed before their owner, so its key can be read. */
        moving->owner = region_item(&engine->region, chunk->prev);
        break;
    case CHUNK_LINKED:
        break;
    }
    moving->hash = table_hash(&engine->table, moving->owner);
    return true;
}

static uint32_t chunks_a_step(const struct slab_class *class)
{
    uint32_t chunks = MOVE_BYTES / class->chunk_bytes;

    if (chunks == 0)
        return 1;
    return chunks < MOVE_CHUNKS ? chunks : MOVE_CHUNKS;
}

/* The next chunks of the page. Returns how many of them are to be moved. */
static unsigned look_on(struct engine *engine,
                        struct moving moving[MOVE_CHUNKS])
{
    struct move *move = &engine->mover.move;
    struct slab_class *class = source(engine);
    uint32_t left = chunks_a_step(class);
    unsigned count = 0;

    lock_take(&class->lock);
    for (; left > 0 && move->at < engine->region.pages[move->page].carved;
         left--, move->at++) {
        char *at = region_page(&engine->region, move->page) +
                   (size_t)move->at * class->chunk_bytes;

        count += look_at(engine, (struct item *)(void *)at, &moving[count]);
    }
    lock_release(&class->lock);
    return count;
}

/* The last chunk of a pass was looked at. */
static enum move_step end_pass(struct engine *engine, unsigned passes_max)
{
    struct move *move = &engine->mover.move;
    struct slab_class *class = source(engine);
    bool cleared;

    lock_take(&class->lock);
    cleared = slab_clear_end(&engine->slabs, move->from);
    lock_release(&class->lock);
    if (cleared)
        return MOVE_EMPTY;
    move->at = 0;
    move->passes++;
    if (move->passes >= passes_max) {
        move_give_up(engine);
        return MOVE_GOES_ON;
    }
    if (!move->stuck)
        return MOVE_GOES_ON;
    move->stuck = false;
    return MOVE_WAITS;
}

static enum move_step undo(struct engine *engine)
{
    struct move *move = &engine->mover.move;
    struct slab_class *class = source(engine);
    bool more;

    lock_take(&class->lock);
    more = slab_clear_return(&engine->slabs, move->page, &move->at, RETURNED);
    lock_release(&class->lock);
    if (more)
        return MOVE_GOES_ON;
    set_phase(&engine->mover, MOVE_NONE);
    return MOVE_GAVE_UP;
}

enum move_step move_step(struct engine_thread *thread, unsigned passes_max)
{
    struct engine *engine = thread->engine;
    struct move *move = &engine->mover.move;
    struct moving moving[MOVE_CHUNKS];
    unsigned count;
    unsigned i;

    INVARIANT(move->phase != MOVE_NONE);

    if (move->phase == MOVE_UNDOING)
        return undo(engine);
    thread->moving = true;
    count = look_on(engine, moving);
    for (i = 0; i < count; i++) {
        enum move_busy busy = moving[i].owner == moving[i].chunk
                                  ? move_item(thread, &moving[i])
                                  : move_part(thread, &moving[i]);

        if (busy != MOVE_BUSY_NOT)
            note_busy(&engine->mover, busy);
    }
    thread->moving = false;
    if (move->at < engine->region.pages[move->page].carved)
        return MOVE_GOES_ON;
    return end_pass(engine, passes_max);
}

void move_give_up(struct engine *engine)
{
    struct move *move = &engine->mover.move;
    struct slab_class *class = source(engine);

    if (move->phase != MOVE_EMPTYING)
        return;
    lock_take(&class->lock);
    slab_clear_stop(&engine->slabs, move->from);
    lock_release(&class->lock);
    move->at = 0;
    set_phase(&engine->mover, MOVE_UNDOING);
}

uint32_t move_finish(struct engine *engine)
{
    uint32_t page = engine->mover.move.page;

    METRIC_UP(engine->mover.counters.slabs_moved);
    set_phase(&engine->mover, MOVE_NONE);
    return page;
}

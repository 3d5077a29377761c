/* SPDX-License-Identifier: BSD-3-Clause */
/* flush_all is state: the floor, and at most one delayed command. A delayed
 * one whose stamp is not above the floor is void, which is how a later
 * immediate flush cancels it on both nodes without a message of its own. */
#include "src/engine/flush.h"

#include "src/base/invariant.h"

/* The caller holds flush_lock. Never lowers it. */
static void set_floor(struct engine *engine, stamp_t floor)
{
    if (floor > engine->floor)
        atomic_store_explicit(&engine->floor, floor, memory_order_release);
    if (engine->flush_pending <= engine->floor) {
        engine->flush_pending = STAMP_NONE;
        engine->flush_due_ns = 0;
    }
}

static void set_pending(struct engine *engine, stamp_t stamp, uint64_t due_ns)
{
    engine->flush_pending = stamp;
    engine->flush_due_ns = due_ns;
}

static void show_due(struct engine *engine)
{
    atomic_store_explicit(&engine->flush_due_hint_ns, engine->flush_due_ns,
                          memory_order_relaxed);
}

static void tell(struct engine_thread *thread)
{
    const struct engine *engine = thread->engine;

    if (!engine->has_journal)
        return;
    thread->recorded = true;
    thread->changed = true;
    engine->journal.flushed(engine->journal.ctx);
}

void engine_flush(struct engine_thread *thread, uint64_t delay_s)
{
    struct engine *engine = thread->engine;
    stamp_t stamp;

    METRIC_UP(thread->counts.all.cmd_flush);
    lock_take(&engine->flush_lock);
    stamp = stamp_next(&engine->clock, thread->now_ns);
    if (delay_s == 0)
        set_floor(engine, stamp);
    else if (delay_s < (UINT64_MAX - thread->now_ns) / NS_PER_S)
        set_pending(engine, stamp, thread->now_ns + delay_s * NS_PER_S);
    else
        set_pending(engine, stamp, UINT64_MAX);
    show_due(engine);
    lock_release(&engine->flush_lock);
    tell(thread);
}

void flush_if_due(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    uint64_t due_ns =
        atomic_load_explicit(&engine->flush_due_hint_ns, memory_order_relaxed);
    bool flushed = false;

    if (due_ns == 0 || due_ns > thread->now_ns)
        return;
    lock_take(&engine->flush_lock);
    if (engine->flush_pending != STAMP_NONE &&
        engine->flush_due_ns <= thread->now_ns) {
        set_floor(engine, stamp_next(&engine->clock, thread->now_ns));
        show_due(engine);
        flushed = true;
    }
    lock_release(&engine->flush_lock);
    if (flushed)
        tell(thread);
}

void engine_flush_state(const struct engine *engine, struct flush_state *out)
{
    struct lock *lock = &((struct engine *)(uintptr_t)engine)->flush_lock;

    lock_take(lock);
    *out = (struct flush_state){.floor = engine->floor,
                                .pending = engine->flush_pending,
                                .due_ns = engine->flush_due_ns};
    lock_release(lock);
}

bool engine_flush_join(struct engine_thread *thread,
                       const struct flush_state *theirs)
{
    struct engine *engine = thread->engine;
    stamp_t floor;
    stamp_t pending;
    bool changed;

    stamp_absorb(&engine->clock, theirs->floor);
    stamp_absorb(&engine->clock, theirs->pending);
    lock_take(&engine->flush_lock);
    floor = engine->floor;
    pending = engine->flush_pending;
    if (theirs->pending > pending)
        set_pending(engine, theirs->pending, theirs->due_ns);
    set_floor(engine, theirs->floor);
    show_due(engine);
    changed = engine->floor != floor || engine->flush_pending != pending;
    lock_release(&engine->flush_lock);
    return changed;
}

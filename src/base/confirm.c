/* SPDX-License-Identifier: BSD-3-Clause */
/* Whoever waits first says so and then looks; whoever announces first stores
 * and then looks for who waits. One of the two sees the other, so no wake is
 * lost, and while nobody waits an announcement is one store. */
#include "src/base/confirm.h"

#include "src/base/invariant.h"
#include "src/base/lock.h"
#include "src/base/memory.h"

#define LINE_BYTES 64

struct waiter {
    atomic_bool waits;
    confirm_wake_fn *wake; /* NULL: it left. */
    void *ctx;
    struct confirm_counters counters; /* The waiter's own. */
    char apart[LINE_BYTES];           /* No line is shared with the next. */
};

struct confirm {
    _Atomic uint64_t reached;
    atomic_bool open;
    atomic_bool given_up;
    atomic_bool asked;
    struct lock lock; /* Waiters coming, leaving, being woken. */
    _Atomic unsigned count;
    struct waiter waiters[CONFIRM_WAITERS_MAX];
};

struct confirm *confirm_new(void)
{
    struct confirm *confirm = memory_new(1, sizeof(*confirm));

    if (confirm == NULL)
        return NULL;
    lock_init(&confirm->lock, LOCK_RANK_CONFIRM);
    return confirm;
}

void confirm_free(struct confirm **confirm)
{
    if (*confirm == NULL)
        return;
    lock_fini(&(*confirm)->lock);
    memory_free(confirm);
}

/* ---- those who wait ---- */

unsigned confirm_join(struct confirm *confirm, confirm_wake_fn *wake, void *ctx)
{
    struct waiter *waiter;
    unsigned number;

    lock_take(&confirm->lock);
    number = atomic_load(&confirm->count);
    INVARIANT(number < CONFIRM_WAITERS_MAX);
    waiter = &confirm->waiters[number];
    waiter->wake = wake;
    waiter->ctx = ctx;
    atomic_store(&confirm->count, number + 1);
    lock_release(&confirm->lock);
    return number;
}

void confirm_leave(struct confirm *confirm, unsigned waiter)
{
    INVARIANT(waiter < atomic_load(&confirm->count));
    lock_take(&confirm->lock);
    confirm->waiters[waiter].wake = NULL;
    lock_release(&confirm->lock);
}

struct confirm_counters *confirm_counters(struct confirm *confirm,
                                          unsigned waiter)
{
    INVARIANT(waiter < atomic_load(&confirm->count));
    return &confirm->waiters[waiter].counters;
}

static enum confirm_state look(const struct confirm *confirm, uint64_t number)
{
    if (!confirm_is_on(confirm))
        return CONFIRM_OFF;
    return atomic_load(&confirm->reached) >= number ? CONFIRM_DONE
                                                    : CONFIRM_PENDING;
}

enum confirm_state confirm_ask(struct confirm *confirm, unsigned waiter,
                               uint64_t number)
{
    enum confirm_state state = look(confirm, number);

    if (state != CONFIRM_PENDING)
        return state;
    INVARIANT(waiter < atomic_load(&confirm->count));
    if (!atomic_load(&confirm->asked))
        atomic_store(&confirm->asked, true);
    atomic_store(&confirm->waiters[waiter].waits, true);
    return look(confirm, number);
}

/* ---- waking ---- */

static bool anybody_waits(const struct confirm *confirm)
{
    unsigned count = atomic_load(&confirm->count);

    for (unsigned i = 0; i < count; i++)
        if (atomic_load(&confirm->waiters[i].waits))
            return true;
    return false;
}

static void wake_all(struct confirm *confirm)
{
    unsigned count;

    if (!anybody_waits(confirm))
        return;
    lock_take(&confirm->lock);
    count = atomic_load(&confirm->count);
    for (unsigned i = 0; i < count; i++) {
        struct waiter *waiter = &confirm->waiters[i];

        if (atomic_exchange(&waiter->waits, false) && waiter->wake != NULL)
            waiter->wake(waiter->ctx);
    }
    lock_release(&confirm->lock);
}

void confirm_give_up(struct confirm *confirm)
{
    if (!atomic_exchange(&confirm->given_up, true))
        wake_all(confirm);
}

/* ---- the one who knows ---- */

void confirm_open(struct confirm *confirm, bool open)
{
    if (atomic_exchange(&confirm->open, open) && !open)
        wake_all(confirm);
}

void confirm_reach(struct confirm *confirm, uint64_t number)
{
    if (number <= atomic_load_explicit(&confirm->reached, memory_order_relaxed))
        return;
    atomic_store(&confirm->reached, number);
    wake_all(confirm);
}

bool confirm_take_asked(struct confirm *confirm)
{
    return atomic_load_explicit(&confirm->asked, memory_order_relaxed) &&
           atomic_exchange(&confirm->asked, false);
}

bool confirm_is_given_up(const struct confirm *confirm)
{
    return atomic_load(&confirm->given_up);
}

void confirm_rearm(struct confirm *confirm)
{
    atomic_store(&confirm->given_up, false);
}

/* ---- anybody ---- */

bool confirm_is_on(const struct confirm *confirm)
{
    return atomic_load(&confirm->open) && !atomic_load(&confirm->given_up);
}

void confirm_sum(const struct confirm *confirm, struct confirm_counters *out)
{
    unsigned count = atomic_load(&confirm->count);

    *out = (struct confirm_counters){0};
    for (unsigned i = 0; i < count; i++)
        METRICS_ADD(out, &confirm->waiters[i].counters);
}

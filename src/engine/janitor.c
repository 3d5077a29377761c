/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that does the upkeep. */
#include "src/base/invariant.h"
#include "src/engine/state.h"

#include <time.h>

/* Sleeps until the time is over or the janitor is to stop. The caller holds
 * the mutex. */
static void rest(struct janitor *janitor, uint64_t rest_ns)
{
    struct timespec until;
    uint64_t nanoseconds;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    nanoseconds = (uint64_t)until.tv_nsec + rest_ns;
    until.tv_sec += (time_t)(nanoseconds / NS_PER_S);
    until.tv_nsec = (long)(nanoseconds % NS_PER_S);
    (void)pthread_cond_timedwait(&janitor->wake, &janitor->mutex, &until);
}

static void *run(void *ctx)
{
    struct janitor *janitor = ctx;

    pthread_mutex_lock(&janitor->mutex);
    while (!janitor->stop) {
        uint64_t rest_ns;

        pthread_mutex_unlock(&janitor->mutex);
        engine_thread_set_now(janitor->self, clock_now(janitor->clock));
        rest_ns = engine_upkeep(janitor->self);
        pthread_mutex_lock(&janitor->mutex);
        if (rest_ns != 0 && !janitor->stop && !janitor->woken)
            rest(janitor, rest_ns);
        janitor->woken = false;
    }
    pthread_mutex_unlock(&janitor->mutex);
    return NULL;
}

static void init_wake(struct janitor *janitor)
{
    pthread_condattr_t attributes;
    int failed;

    failed = pthread_mutex_init(&janitor->mutex, NULL);
    failed |= pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&janitor->wake, &attributes);
    failed |= pthread_condattr_destroy(&attributes);
    INVARIANT(failed == 0);
}

int engine_janitor_start(struct engine *engine, const struct clock *clock)
{
    struct janitor *janitor = &engine->janitor;

    INVARIANT(!janitor->running);

    janitor->self = engine_thread_new(engine);
    if (janitor->self == NULL)
        return -ERR_MEMORY;
    janitor->clock = clock;
    janitor->stop = false;
    init_wake(janitor);
    if (pthread_create(&janitor->thread, NULL, run, janitor) != 0) {
        engine_thread_free(&janitor->self);
        return -ERR_SYSTEM;
    }
    janitor->running = true;
    return 0;
}

void janitor_wake(struct engine *engine)
{
    struct janitor *janitor = &engine->janitor;

    if (!janitor->running)
        return;
    pthread_mutex_lock(&janitor->mutex);
    janitor->woken = true;
    pthread_cond_signal(&janitor->wake);
    pthread_mutex_unlock(&janitor->mutex);
}

void engine_janitor_stop(struct engine *engine)
{
    struct janitor *janitor = &engine->janitor;

    if (!janitor->running)
        return;
    pthread_mutex_lock(&janitor->mutex);
    janitor->stop = true;
    pthread_cond_signal(&janitor->wake);
    pthread_mutex_unlock(&janitor->mutex);
    (void)pthread_join(janitor->thread, NULL);
    (void)pthread_cond_destroy(&janitor->wake);
    (void)pthread_mutex_destroy(&janitor->mutex);
    engine_thread_free(&janitor->self);
    janitor->running = false;
}

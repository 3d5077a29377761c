/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared part of all sessions: configuration, the list of threads, and
 * where statistics come from. */
#include "src/command/commands.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/command/detail.h"
#include "src/command/session.h"
#include "src/command/thread.h"

static void sum_counters(struct commands *commands,
                         struct command_counters *sum)
{
    struct command_thread *thread;

    *sum = commands->gone;
    for (thread = commands->threads; thread != NULL; thread = thread->next)
        METRICS_ADD(sum, &thread->counters);
}

static void show_counters(void *ctx, struct stats_out *out)
{
    struct commands *commands = ctx;
    struct command_counters sum;
    struct command_counters *since = &commands->reset;

    lock_take(&commands->lock);
    sum_counters(commands, &sum);
#define X(name, help) sum.name -= since->name;
    COMMAND_METRICS(X)
#undef X
    lock_release(&commands->lock);
#define X(name, help) stats_put_u64(out, #name, sum.name);
    COMMAND_METRICS(X)
#undef X
}

/* Only their threads write the counters, so a reset remembers them. */
static void reset_counters(void *ctx)
{
    struct commands *commands = ctx;

    lock_take(&commands->lock);
    sum_counters(commands, &commands->reset);
    lock_release(&commands->lock);
}

bool commands_detail_is_on(const struct commands *commands)
{
    return atomic_load_explicit(&commands->detail_on, memory_order_relaxed);
}

static void forget_detail(void *ctx)
{
    detail_clear(((struct commands *)ctx)->detail);
}

static int make_detail(struct commands *commands)
{
    const struct commands_config *config = &commands->config;
    char delimiter = config->prefix_delimiter;

    atomic_init(&commands->detail_on, config->detail_on);
    commands->detail = detail_new(delimiter != '\0' ? delimiter : ':');
    if (commands->detail == NULL)
        return -ERR_MEMORY;
    return commands_add_reset(commands, forget_detail, commands);
}

struct commands *commands_new(struct engine *engine,
                              const struct commands_config *config)
{
    struct commands *commands = memory_new(1, sizeof(*commands));

    if (commands == NULL)
        return NULL;
    commands->engine = engine;
    commands->config = *config;
    lock_init(&commands->lock, LOCK_RANK_STATS);
    if (make_detail(commands) != 0 ||
        commands_add_stats(commands, "", show_counters, commands) != 0 ||
        commands_add_reset(commands, reset_counters, commands) != 0)
        commands_free(&commands);
    return commands;
}

void commands_free(struct commands **commands)
{
    if (*commands == NULL)
        return;
    INVARIANT((*commands)->threads == NULL);
    detail_free(&(*commands)->detail);
    lock_fini(&(*commands)->lock);
    memory_free(commands);
}

int commands_add_stats(struct commands *commands, const char *group,
                       commands_stats_fn *fn, void *ctx)
{
    if (commands->sources_count == COUNT_OF(commands->sources))
        return -ERR_LIMIT;
    commands->sources[commands->sources_count++] =
        (struct stats_source){group, fn, ctx};
    return 0;
}

int commands_add_reset(struct commands *commands, commands_reset_fn *fn,
                       void *ctx)
{
    if (commands->resets_count == COUNT_OF(commands->resets))
        return -ERR_LIMIT;
    commands->resets[commands->resets_count++] = (struct reset_source){fn, ctx};
    return 0;
}

/* ---- threads ---- */

struct command_thread *command_thread_new(struct commands *commands)
{
    struct command_thread *thread = memory_new(1, sizeof(*thread));

    if (thread == NULL)
        return NULL;
    thread->engine_thread = engine_thread_new(commands->engine);
    if (thread->engine_thread == NULL) {
        memory_free(&thread);
        return NULL;
    }
    thread->commands = commands;
    thread->engine = commands->engine;
    thread->ring = engine_thread_ring(thread->engine_thread);
    thread->watched = &commands->unwatched;
    if (commands->config.ack != NULL && ack_policy_waits(commands->config.ack))
        thread->ack = commands->config.ack;
    thread->fetches = commands->config.fetches;
    if (commands->config.watch != NULL)
        thread->watched = watch_classes(commands->config.watch);
    lock_take(&commands->lock);
    thread->number = commands->threads_made++;
    thread->next = commands->threads;
    commands->threads = thread;
    lock_release(&commands->lock);
    return thread;
}

static void forget_thread(struct commands *commands,
                          struct command_thread *thread)
{
    struct command_thread **link = &commands->threads;

    lock_take(&commands->lock);
    while (*link != thread)
        link = &(*link)->next;
    *link = thread->next;
    METRICS_ADD(&commands->gone, &thread->counters);
    lock_release(&commands->lock);
}

void command_thread_free(struct command_thread **thread)
{
    if (*thread == NULL)
        return;
    forget_thread((*thread)->commands, *thread);
    engine_thread_free(&(*thread)->engine_thread);
    memory_free(thread);
}

void command_thread_set_wake(struct command_thread *thread,
                             command_wake_fn *wake, void *ctx)
{
    thread->wake = wake;
    thread->wake_ctx = ctx;
}

struct watch_ring *command_thread_ring(const struct command_thread *thread)
{
    return thread->ring;
}

const struct watch_classes *
command_thread_watched(const struct command_thread *thread)
{
    return thread->watched;
}

void command_thread_set_now(struct command_thread *thread, uint64_t now_ns)
{
    engine_thread_set_now(thread->engine_thread, now_ns);
}

void command_thread_settle(struct command_thread *thread)
{
    engine_thread_settle(thread->engine_thread);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The words are memcached's. What a request did is seen by glimpses before
 * and after it: another client may have come between them, which for those
 * who watch is no matter. */
#include "src/command/observe.h"

#include "src/base/log.h"
#include "src/command/request_log.h"

void observe_start(struct command_thread *thread, int fd)
{
    unsigned observed = watch_wanted(thread->watched) & OBSERVE_WATCHED;

    if (UNLIKELY(log_verbosity() >= LOG_LEVEL_VV))
        observed |= OBSERVE_LOG;
    thread->observed = observed;
    thread->fd = fd;
}

/* ---- lookups ---- */

static const char *word_of(enum engine_fate fate)
{
    switch (fate) {
    case ENGINE_ABSENT:
        return "not_found";
    case ENGINE_LIVE:
        return "found";
    case ENGINE_FLUSHED:
        return "flushed";
    case ENGINE_LAPSED:
        return "expired";
    }
    return "not_found";
}

void observe_lookup(struct command_thread *thread, const struct engine_key *key)
{
    struct engine_glimpse *before = &thread->before;
    char text[WATCH_KEY_TEXT_MAX];

    engine_glimpse(thread->engine_thread, key, before);
    if (log_verbosity() >= LOG_LEVEL_VVV)
        log_line(LOG_LEVEL_VVV,
                 before->fate == ENGINE_LIVE ? "> FOUND KEY %.*s"
                                             : "> NOT FOUND %.*s",
                 (int)key->bytes.size, key->bytes.data);
    if (thread->observed & WATCH_FETCHERS)
        watch_line(thread->ring, WATCH_FETCHERS,
                   "type=item_get key=%s status=%s clsid=%u cfd=%d size=%zu",
                   watch_key(key->bytes, text), word_of(before->fate),
                   before->slab_class, thread->fd, before->value_size);
}

/* ---- stores ---- */

static const char *word_of_outcome(const struct engine_write *write,
                                   enum engine_outcome outcome)
{
    switch (outcome) {
    case ENGINE_STORED:
        return "stored";
    case ENGINE_NOT_STORED:
        return write->mode == ENGINE_CAS ? "not_found" : "not_stored";
    case ENGINE_EXISTS:
        return "exists";
    case ENGINE_NOT_FOUND:
        return "not_found";
    case ENGINE_TOO_LARGE:
        return "too_large";
    case ENGINE_NO_MEMORY:
        return "no_memory";
    case ENGINE_NOT_A_NUMBER:
        break;
    }
    return "not_stored";
}

static const char *word_of_mode(enum engine_mode mode)
{
    switch (mode) {
    case ENGINE_SET:
        return "set";
    case ENGINE_ADD:
        return "add";
    case ENGINE_REPLACE:
        return "replace";
    case ENGINE_APPEND:
        return "append";
    case ENGINE_PREPEND:
        return "prepend";
    case ENGINE_CAS:
        return "cas";
    }
    return "set";
}

/* 0: for ever; -1: over before it began. */
static long long ttl_s(const struct command_thread *thread,
                       uint32_t expires_at_s)
{
    uint64_t now_s = engine_thread_now(thread->engine_thread) / NS_PER_S;

    if (expires_at_s == 0)
        return 0;
    return expires_at_s > now_s ? (long long)(expires_at_s - now_s) : -1;
}

/* How the value lies in the cache, or would lie there. */
static struct engine_glimpse place_of(struct command_thread *thread,
                                      const struct engine_write *write,
                                      enum engine_outcome outcome)
{
    struct engine_glimpse place;

    if (outcome == ENGINE_STORED) {
        engine_glimpse(thread->engine_thread, &write->key, &place);
        if (place.fate == ENGINE_LIVE)
            return place;
    }
    return (struct engine_glimpse){.slab_class =
                                       engine_class_of(thread->engine, write),
                                   .expires_at_s = write->expires_at_s};
}

void observe_store(struct command_thread *thread,
                   const struct engine_write *write,
                   enum engine_outcome outcome, size_t size)
{
    struct engine_glimpse place = place_of(thread, write, outcome);
    char text[WATCH_KEY_TEXT_MAX];

    watch_line(thread->ring, WATCH_MUTATIONS,
               "type=item_store key=%s status=%s cmd=%s ttl=%lld clsid=%u "
               "cfd=%d size=%zu",
               watch_key(write->key.bytes, text),
               word_of_outcome(write, outcome), word_of_mode(write->mode),
               ttl_s(thread, place.expires_at_s), place.slab_class, thread->fd,
               size);
}

void observe_refused(struct command_thread *thread,
                     const struct engine_write *write,
                     enum engine_outcome outcome)
{
    observe_stored(thread, write, outcome, write->value_size);
    if (UNLIKELY(thread->observed) && write->mode == ENGINE_SET)
        observe_lookup(thread, &write->key);
}

/* ---- what is seen afterwards ---- */

/* A counter that was made by counting. */
static void observe_made(struct command_thread *thread, const struct op *op,
                         const struct engine_glimpse *after)
{
    const struct engine_write write = {.key = op->key, .mode = ENGINE_ADD};

    if (thread->before.fate != ENGINE_LIVE && after->fate == ENGINE_LIVE)
        observe_stored(thread, &write, ENGINE_STORED, after->value_size);
}

static void observe_deleted(struct command_thread *thread, const struct op *op,
                            enum request_verb verb,
                            const struct engine_glimpse *after)
{
    const struct engine_glimpse *before = &thread->before;
    char text[WATCH_KEY_TEXT_MAX];

    if (!(thread->observed & WATCH_DELETIONS) || before->fate != ENGINE_LIVE ||
        after->fate == ENGINE_LIVE)
        return;
    watch_line(thread->ring, WATCH_DELETIONS,
               "type=deleted key=%s cmd=%s clsid=%u size=%zu",
               watch_key(op->key.bytes, text),
               verb == REQUEST_MD ? "md" : "delete", before->slab_class,
               before->value_size);
}

static void look_afterwards(struct command_thread *thread, const struct op *op,
                            enum request_verb verb)
{
    bool deletes = verb == REQUEST_DELETE || verb == REQUEST_MD;
    bool counts =
        verb == REQUEST_INCR || verb == REQUEST_DECR || verb == REQUEST_MA;
    struct engine_glimpse after;

    if (!deletes && !counts)
        return;
    engine_glimpse(thread->engine_thread, &op->key, &after);
    if (deletes)
        observe_deleted(thread, op, verb, &after);
    else
        observe_made(thread, op, &after);
}

/* ---- steps ---- */

/* The answer that was not wanted, for the log alone. */
static void take_silently(const struct command_thread *thread,
                          const struct op *op, const struct request *request,
                          struct sink *out, observe_step_fn *step, void *ctx)
{
    struct sink *unwanted = sink_new();
    struct request answered = *request;

    if (unwanted == NULL) {
        step(ctx, op, request, out);
        return;
    }
    answered.noreply = false;
    step(ctx, op, &answered, unwanted);
    request_log_answer(thread, op, request, unwanted, 0);
    sink_free(&unwanted);
}

void observe_step(struct command_thread *thread, const struct op *op,
                  const struct request *request, struct sink *out,
                  observe_step_fn *step, void *ctx)
{
    bool has_key = op->key.bytes.size > 0 && request->error == REQUEST_FINE &&
                   !request->has_value;
    bool is_logged = thread->observed & OBSERVE_LOG;
    size_t before = sink_pending(out);

    if (has_key)
        observe_lookup(thread, &op->key);
    if (is_logged && request->noreply && !op->turning) {
        take_silently(thread, op, request, out, step, ctx);
    } else {
        step(ctx, op, request, out);
        if (is_logged)
            request_log_answer(thread, op, request, out, before);
    }
    if (has_key)
        look_afterwards(thread, op, request->verb);
}

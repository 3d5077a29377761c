/* SPDX-License-Identifier: BSD-3-Clause */
/* One function a verb, found by table; replies as memcached 1.6.45 words
 * them. A value up to COPIED_MAX is copied into the reply while its bucket is
 * locked, which is cheaper than to hold it; a larger one is held and sent from
 * where it lies. */
#include "src/command/execute.h"

#include "src/base/log.h"
#include "src/base/number.h"
#include "src/command/stats.h"
#include "src/protocol/text.h"

#include <limits.h>

#define COPIED_MAX (8u * 1024)
/* "VALUE ", key, flags, size and cas, each behind a blank, CRLF. */
#define HEADER_BYTES_MAX (6 + ENGINE_KEY_MAX + 3 * (1 + NUMBER_DIGITS_MAX) + 2)
#define END_BYTES 5 /* "END\r\n" */

typedef void execute_fn(struct command_thread *thread, const struct op *op,
                        const struct request *request, struct sink *out);

#define REPLY(text) SLICE_LITERAL(text "\r\n")

static void reply(const struct request *request, struct slice text,
                  struct sink *out)
{
    if (!request->noreply)
        sink_put(out, text.data, text.size);
}

/* ---- retrieval ---- */

static char *write_text(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

static char *write_number(char *at, uint64_t value)
{
    *at++ = ' ';
    if (value < 10) {
        *at = (char)('0' + value);
        return at + 1;
    }
    return at + number_write_u64(at, value);
}

static char *write_header(const struct command_thread *thread,
                          const struct op *op, enum request_verb verb,
                          const struct engine_view *view, char *at)
{
    at = write_text(at, "VALUE ", 6);
    at = write_text(at, op->key.bytes.data, op->key.bytes.size);
    at = write_number(at, view->client_flags);
    at = write_number(at, view->value_size);
    if (verb == REQUEST_GETS || verb == REQUEST_GATS)
        at = write_number(at,
                          thread->commands->config.cas_shown ? view->cas : 0);
    return write_text(at, "\r\n", 2);
}

static char *write_value(const struct command_thread *thread,
                         const struct engine_view *view, char *at)
{
    size_t offset = 0;

    while (offset < view->value_size) {
        struct slice run =
            engine_item_bytes(thread->engine_thread, view->item, offset);

        INVARIANT(run.size > 0);
        at = write_text(at, run.data, run.size);
        offset += run.size;
    }
    return write_text(at, "\r\n", 2);
}

/* The whole reply in one piece. Ends the view. */
static void copy_hit(struct command_thread *thread, const struct op *op,
                     enum request_verb verb, struct engine_view *view,
                     struct sink *out)
{
    char *room =
        sink_room(out, HEADER_BYTES_MAX + view->value_size + 2 + END_BYTES);
    char *at = room;

    if (LIKELY(room != NULL)) {
        at = write_header(thread, op, verb, view, at);
        at = write_value(thread, view, at);
    }
    engine_view_end(thread->engine_thread, view);
    if (UNLIKELY(room == NULL))
        return;
    if (op->last)
        at = write_text(at, "END\r\n", END_BYTES);
    sink_used(out, (size_t)(at - room));
}

static void release_item(void *ctx, void *owner)
{
    struct item *item = owner;

    engine_item_release(ctx, &item);
}

static void borrow_value(struct command_thread *thread, struct item *item,
                         size_t size, struct sink *out)
{
    size_t offset = 0;

    while (offset < size) {
        struct slice run =
            engine_item_bytes(thread->engine_thread, item, offset);

        INVARIANT(run.size > 0);
        offset += run.size;
        sink_borrow(out, run, offset == size ? release_item : NULL,
                    thread->engine_thread, item);
    }
}

/* Ends the view. An item that too many hold already is as good as absent. */
static void borrow_hit(struct command_thread *thread, const struct op *op,
                       enum request_verb verb, struct engine_view *view,
                       struct sink *out)
{
    struct item *item = engine_view_hold(thread->engine_thread, view);
    char header[HEADER_BYTES_MAX];
    char *end = write_header(thread, op, verb, view, header);

    engine_view_end(thread->engine_thread, view);
    if (item != NULL) {
        sink_put(out, header, (size_t)(end - header));
        borrow_value(thread, item, view->value_size, out);
        sink_put_literal(out, "\r\n");
    }
    if (op->last)
        sink_put_literal(out, "END\r\n");
}

static void answer_lookup(struct command_thread *thread, const struct op *op,
                          const struct request *request, bool hit,
                          struct engine_view *view, struct sink *out)
{
    if (!hit) {
        if (op->last)
            sink_put_literal(out, "END\r\n");
    } else if (LIKELY(view->value_size <= COPIED_MAX)) {
        copy_hit(thread, op, request->verb, view, out);
    } else {
        borrow_hit(thread, op, request->verb, view, out);
    }
}

static void execute_get(struct command_thread *thread, const struct op *op,
                        const struct request *request, struct sink *out)
{
    struct engine_view view;
    bool hit = engine_get(thread->engine_thread, &op->key, &view);

    answer_lookup(thread, op, request, hit, &view, out);
}

static void execute_gat(struct command_thread *thread, const struct op *op,
                        const struct request *request, struct sink *out)
{
    struct engine_view view;
    bool hit = engine_get_and_touch(thread->engine_thread, &op->key,
                                    op->expires_at_s, &view);

    answer_lookup(thread, op, request, hit, &view, out);
}

/* ---- storage ---- */

static const enum engine_mode modes[REQUEST_VERBS] = {
    [REQUEST_SET] = ENGINE_SET,         [REQUEST_ADD] = ENGINE_ADD,
    [REQUEST_REPLACE] = ENGINE_REPLACE, [REQUEST_APPEND] = ENGINE_APPEND,
    [REQUEST_PREPEND] = ENGINE_PREPEND, [REQUEST_CAS] = ENGINE_CAS,
};

void execute_write(const struct command_thread *thread, const struct op *op,
                   const struct request *request, struct engine_write *write)
{
    *write = (struct engine_write){
        .key = op->key,
        .mode = modes[request->verb],
        .client_flags = request->client_flags,
        .expires_at_s = op->expires_at_s,
        .cas = request->number,
        .value_size = request->value_size,
    };
    if (write->mode != ENGINE_CAS || thread->commands->config.cas_shown)
        return;
    /* Without versions each item has 0, and no item has anything else. */
    if (request->number == 0)
        write->mode = ENGINE_REPLACE;
    else
        write->cas = STAMP_NONE;
}

void execute_stored(enum request_verb verb, enum engine_outcome outcome,
                    struct sink *out)
{
    switch (outcome) {
    case ENGINE_STORED:
        sink_put_literal(out, "STORED\r\n");
        return;
    case ENGINE_NOT_STORED:
        if (verb == REQUEST_CAS)
            sink_put_literal(out, "NOT_FOUND\r\n");
        else
            sink_put_literal(out, "NOT_STORED\r\n");
        return;
    case ENGINE_EXISTS:
        sink_put_literal(out, "EXISTS\r\n");
        return;
    case ENGINE_NOT_FOUND:
        sink_put_literal(out, "NOT_FOUND\r\n");
        return;
    case ENGINE_TOO_LARGE:
        sink_put_literal(out, "SERVER_ERROR object too large for cache\r\n");
        return;
    case ENGINE_NO_MEMORY:
        sink_put_literal(out, "SERVER_ERROR out of memory storing object\r\n");
        return;
    case ENGINE_NOT_A_NUMBER:
        break;
    }
    INVARIANT(outcome != ENGINE_NOT_A_NUMBER);
}

static void execute_store(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    const char *tail = op->value + request->value_size;
    struct engine_write write;
    enum engine_outcome outcome;
    stamp_t stamp;

    if (UNLIKELY(tail[0] != '\r' || tail[1] != '\n')) {
        reply(request, REPLY("CLIENT_ERROR bad data chunk"), out);
        return;
    }
    execute_write(thread, op, request, &write);
    outcome = engine_store(thread->engine_thread, &write, op->value, &stamp);
    if (!request->noreply)
        execute_stored(request->verb, outcome, out);
}

/* ---- other changes ---- */

static void answer_number(const struct request *request, uint64_t value,
                          struct sink *out)
{
    if (request->noreply)
        return;
    sink_put_u64(out, value);
    sink_put_literal(out, "\r\n");
}

static void execute_arith(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    const struct engine_arith arith = {
        .key = op->key,
        .delta = request->number,
        .decrement = request->verb == REQUEST_DECR,
    };
    uint64_t value;
    stamp_t stamp;

    switch (engine_arith(thread->engine_thread, &arith, &value, &stamp)) {
    case ENGINE_STORED:
        answer_number(request, value, out);
        return;
    case ENGINE_NOT_A_NUMBER:
        reply(request,
              REPLY("CLIENT_ERROR cannot increment or decrement "
                    "non-numeric value"),
              out);
        return;
    case ENGINE_NO_MEMORY:
    case ENGINE_TOO_LARGE:
        reply(request, REPLY("SERVER_ERROR out of memory"), out);
        return;
    case ENGINE_NOT_FOUND:
    case ENGINE_NOT_STORED:
    case ENGINE_EXISTS:
        reply(request, REPLY("NOT_FOUND"), out);
        return;
    }
}

static void execute_delete(struct command_thread *thread, const struct op *op,
                           const struct request *request, struct sink *out)
{
    bool found =
        engine_remove(thread->engine_thread, &op->key) == ENGINE_STORED;

    reply(request, found ? REPLY("DELETED") : REPLY("NOT_FOUND"), out);
}

static void execute_touch(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    bool found = engine_touch(thread->engine_thread, &op->key,
                              op->expires_at_s) == ENGINE_STORED;

    reply(request, found ? REPLY("TOUCHED") : REPLY("NOT_FOUND"), out);
}

/* ---- the rest ---- */

/* A delay is given like an exptime; what lies in the past is now, and what
 * lies beyond a hundred years need not be told apart. */
static uint64_t flush_delay_s(const struct command_thread *thread,
                              int64_t exptime_s)
{
    const int64_t relative_max_s = 60 * 60 * 24 * 30;
    int64_t now_s =
        (int64_t)(engine_thread_now(thread->engine_thread) / NS_PER_S);

    if (exptime_s > relative_max_s)
        exptime_s -= now_s;
    if (exptime_s <= 0)
        return 0;
    return exptime_s < UINT32_MAX ? (uint64_t)exptime_s : UINT32_MAX;
}

static void execute_flush_all(struct command_thread *thread,
                              const struct op *op,
                              const struct request *request, struct sink *out)
{
    (void)op;
    if (!thread->commands->config.flush_allowed) {
        METRIC_UP(thread->counters.cmd_flush);
        reply(request, REPLY("CLIENT_ERROR flush_all not allowed"), out);
        return;
    }
    engine_flush(thread->engine_thread,
                 flush_delay_s(thread, request->exptime_s));
    reply(request, REPLY("OK"), out);
}

static void execute_version(struct command_thread *thread, const struct op *op,
                            const struct request *request, struct sink *out)
{
    const char *version = thread->commands->config.version;

    (void)op;
    (void)request;
    sink_put_literal(out, "VERSION ");
    sink_put(out, version, strlen(version));
    sink_put_literal(out, "\r\n");
}

static void execute_verbosity(struct command_thread *thread,
                              const struct op *op,
                              const struct request *request, struct sink *out)
{
    (void)thread;
    (void)op;
    log_set_verbosity(request->number < INT_MAX ? (int)request->number
                                                : INT_MAX);
    reply(request, REPLY("OK"), out);
}

static void execute_stats(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    struct slice words = request->rest;
    struct slice group = text_take(&words);
    int error;

    (void)op;
    if (slice_equal(group, SLICE_LITERAL("reset"))) {
        stats_reset(thread->commands);
        sink_put_literal(out, "RESET\r\n");
        return;
    }
    error = stats_show(thread->commands, group, out);
    if (error == -ERR_MISSING)
        sink_put_literal(out, "ERROR\r\n");
    else if (error != 0)
        sink_put_literal(out, "SERVER_ERROR out of memory writing stats\r\n");
}

static void execute_shutdown(struct command_thread *thread, const struct op *op,
                             const struct request *request, struct sink *out)
{
    (void)thread;
    (void)op;
    (void)request;
    sink_put_literal(out, "SERVER_ERROR: shutdown not enabled\r\n");
}

/* QUIT has nothing to answer, and NONE only its error. */
static execute_fn *const functions[REQUEST_VERBS] = {
    [REQUEST_GET] = execute_get,
    [REQUEST_GETS] = execute_get,
    [REQUEST_GAT] = execute_gat,
    [REQUEST_GATS] = execute_gat,
    [REQUEST_SET] = execute_store,
    [REQUEST_ADD] = execute_store,
    [REQUEST_REPLACE] = execute_store,
    [REQUEST_APPEND] = execute_store,
    [REQUEST_PREPEND] = execute_store,
    [REQUEST_CAS] = execute_store,
    [REQUEST_INCR] = execute_arith,
    [REQUEST_DECR] = execute_arith,
    [REQUEST_DELETE] = execute_delete,
    [REQUEST_TOUCH] = execute_touch,
    [REQUEST_FLUSH_ALL] = execute_flush_all,
    [REQUEST_VERSION] = execute_version,
    [REQUEST_VERBOSITY] = execute_verbosity,
    [REQUEST_STATS] = execute_stats,
    [REQUEST_SHUTDOWN] = execute_shutdown,
};

static void answer_error(const struct request *request, struct sink *out)
{
    static const char *const replies[REQUEST_ERRORS] = {
        [REQUEST_UNKNOWN] = "ERROR\r\n",
        [REQUEST_BAD_LINE] = "CLIENT_ERROR bad command line format\r\n",
        [REQUEST_BAD_EXPTIME] = "CLIENT_ERROR invalid exptime argument\r\n",
        [REQUEST_BAD_DELTA] = "CLIENT_ERROR invalid numeric delta argument\r\n",
    };

    INVARIANT(request->error < REQUEST_ERRORS);
    reply(request, slice_of(replies[request->error]), out);
}

void execute(struct command_thread *thread, const struct op *op,
             const struct request *request, struct sink *out)
{
    if (UNLIKELY(request->error != REQUEST_FINE)) {
        answer_error(request, out);
        return;
    }
    INVARIANT(request->verb < REQUEST_VERBS);
    if (LIKELY(functions[request->verb] != NULL))
        functions[request->verb](thread, op, request, out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* One function a verb, found by table; replies as memcached 1.6.45 words
 * them. */
#include "src/command/execute.h"

#include "src/base/log.h"
#include "src/base/number.h"
#include "src/command/admin.h"
#include "src/command/detail.h"
#include "src/command/dump.h"
#include "src/command/meta.h"
#include "src/command/observe.h"
#include "src/command/stats.h"
#include "src/command/value.h"
#include "src/protocol/text.h"

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

static char *write_header(const struct command_thread *thread,
                          const struct op *op, enum request_verb verb,
                          const struct engine_view *view, char *at)
{
    at = value_put_text(at, "VALUE ", 6);
    at = value_put_text(at, op->key.bytes.data, op->key.bytes.size);
    at = value_put_number(at, view->client_flags);
    at = value_put_number(at, view->value_size);
    if (verb == REQUEST_GETS || verb == REQUEST_GATS)
        at = value_put_number(at, thread->commands->config.cas_shown ? view->cas
                                                                     : 0);
    return value_put_text(at, "\r\n", 2);
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
        at = value_copy(thread, view, at);
    }
    engine_view_end(thread->engine_thread, view);
    if (UNLIKELY(room == NULL))
        return;
    if (op->last)
        at = value_put_text(at, "END\r\n", END_BYTES);
    sink_used(out, (size_t)(at - room));
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
        value_borrow(thread, item, view->value_size, out);
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
    } else if (LIKELY(view->value_size <= VALUE_COPIED_MAX)) {
        copy_hit(thread, op, request->verb, view, out);
    } else {
        borrow_hit(thread, op, request->verb, view, out);
    }
    detail_count(thread, op->key.bytes, hit ? DETAIL_HIT : DETAIL_MISS);
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

void execute_write(struct command_thread *thread, const struct op *op,
                   const struct request *request, struct engine_write *write)
{
    if (request->verb == REQUEST_MS) {
        meta_write(thread, op, request, write);
        return;
    }
    detail_count(thread, op->key.bytes, DETAIL_SET);
    *write = (struct engine_write){
        .key = op->key,
        .mode = modes[request->verb],
        .client_flags = request->client_flags,
        .expires_at_s = op->expires_at_s,
        .cas = request->number,
        .value_size = request->value_size,
    };
    if (write->mode == ENGINE_CAS && !thread->commands->config.cas_shown)
        write->cas = STAMP_NONE; /* No item has that. */
}

void execute_stored(const struct command_thread *thread,
                    const struct request *request,
                    const struct execute_stored *stored, struct sink *out)
{
    enum request_verb verb = request->verb;

    if (request->noreply)
        return;
    if (verb == REQUEST_MS && meta_stored(thread, request, stored, out))
        return;
    switch (stored->outcome) {
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
    INVARIANT(stored->outcome != ENGINE_NOT_A_NUMBER);
}

static void execute_store(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    const char *tail = op->value + request->value_size;
    struct execute_stored stored = {.size = request->value_size};
    struct engine_write write;

    if (UNLIKELY(tail[0] != '\r' || tail[1] != '\n')) {
        execute_write(thread, op, request, &write);
        engine_count_spoilt(thread->engine_thread, &write);
        reply(request, REPLY("CLIENT_ERROR bad data chunk"), out);
        return;
    }
    if (UNLIKELY(thread->observed))
        observe_lookup(thread, &op->key);
    execute_write(thread, op, request, &write);
    write.size_stored = &stored.size;
    stored.outcome =
        engine_store(thread->engine_thread, &write, op->value, &stored.cas);
    observe_stored(thread, &write, stored.outcome, stored.size);
    execute_stored(thread, request, &stored, out);
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

    detail_count(thread, op->key.bytes, DETAIL_DELETE);
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

bool execute_flush(struct command_thread *thread, int64_t exptime_s)
{
    if (!thread->commands->config.flush_allowed) {
        METRIC_UP(thread->counters.cmd_flush);
        return false;
    }
    engine_flush(thread->engine_thread, flush_delay_s(thread, exptime_s));
    return true;
}

static void execute_flush_all(struct command_thread *thread,
                              const struct op *op,
                              const struct request *request, struct sink *out)
{
    (void)op;
    if (execute_flush(thread, request->exptime_s))
        reply(request, REPLY("OK"), out);
    else
        reply(request, REPLY("CLIENT_ERROR flush_all not allowed"), out);
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
    log_set_verbosity(request->number < LOG_LEVEL_VV ? (int)request->number
                                                     : LOG_LEVEL_VV);
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
    if (slice_equal(group, SLICE_LITERAL("detail"))) {
        detail_execute(thread, words, out);
        return;
    }
    if (slice_equal(group, SLICE_LITERAL("cachedump"))) {
        dump_cached(thread, words, out);
        return;
    }
    error = stats_show(thread->commands, group, out);
    if (error == -ERR_MISSING)
        sink_put_literal(out, "ERROR\r\n");
    else if (error != 0)
        sink_put_literal(out, "SERVER_ERROR out of memory writing stats\r\n");
}

static void execute_admin(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    (void)op;
    admin_execute(thread, request, out);
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
    [REQUEST_MS] = execute_store,
    [REQUEST_MG] = meta_get,
    [REQUEST_MD] = meta_delete,
    [REQUEST_MA] = meta_arith,
    [REQUEST_ME] = meta_show,
    [REQUEST_MN] = meta_nothing,
    [REQUEST_INCR] = execute_arith,
    [REQUEST_DECR] = execute_arith,
    [REQUEST_DELETE] = execute_delete,
    [REQUEST_TOUCH] = execute_touch,
    [REQUEST_FLUSH_ALL] = execute_flush_all,
    [REQUEST_VERSION] = execute_version,
    [REQUEST_VERBOSITY] = execute_verbosity,
    [REQUEST_STATS] = execute_stats,
    [REQUEST_ADMIN] = execute_admin,
};

static void answer_error(const struct request *request, struct sink *out)
{
    static const char *const replies[REQUEST_ERRORS] = {
        [REQUEST_BAD_LINE] = "CLIENT_ERROR bad command line format\r\n",
        [REQUEST_BAD_EXPTIME] = "CLIENT_ERROR invalid exptime argument\r\n",
        [REQUEST_BAD_DELTA] = "CLIENT_ERROR invalid numeric delta argument\r\n",
        [REQUEST_BAD_TOKEN] =
            "CLIENT_ERROR bad token in command line format\r\n",
        [REQUEST_BAD_BASE64] = "CLIENT_ERROR error decoding key\r\n",
        [REQUEST_BAD_META_DELTA] =
            "CLIENT_ERROR invalid numeric delta value\r\n",
        [REQUEST_BAD_INITIAL] =
            "CLIENT_ERROR invalid numeric initial value\r\n",
        [REQUEST_BAD_MS_MODE] = "CLIENT_ERROR invalid mode for ms M token\r\n",
        [REQUEST_BAD_MA_MODE] = "CLIENT_ERROR invalid mode for ma M token\r\n",
        [REQUEST_BAD_FLAG] = "CLIENT_ERROR invalid or duplicate flag\r\n",
        [REQUEST_UNKNOWN_FLAG] = "CLIENT_ERROR invalid flag\r\n",
        [REQUEST_DUPLICATE_FLAG] = "CLIENT_ERROR duplicate flag\r\n",
        [REQUEST_MANY_FLAGS] = "CLIENT_ERROR options flags are too long\r\n",
        [REQUEST_LONG_OPAQUE] = "CLIENT_ERROR opaque token too long\r\n",
        [REQUEST_LONG_MODE] = "CLIENT_ERROR incorrect length for M token\r\n",
    };

    INVARIANT(request->error < REQUEST_ERRORS);
    reply(request, slice_of(replies[request->error]), out);
}

void execute(struct command_thread *thread, const struct op *op,
             const struct request *request, struct sink *out)
{
    if (UNLIKELY(request->error != REQUEST_FINE)) {
        if (request->verb == REQUEST_FLUSH_ALL)
            METRIC_UP(thread->counters.cmd_flush);
        answer_error(request, out);
        return;
    }
    INVARIANT(request->verb < REQUEST_VERBS);
    if (LIKELY(functions[request->verb] != NULL))
        functions[request->verb](thread, op, request, out);
}

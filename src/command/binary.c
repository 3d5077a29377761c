/* SPDX-License-Identifier: BSD-3-Clause */
/* One function a verb, found by table. Quiet requests differ in one place for
 * each kind: a get in answer_miss(), all others in answer_done(). */
#include "src/command/binary.h"

#include "src/base/invariant.h"
#include "src/command/binary_detail.h"
#include "src/command/detail.h"
#include "src/command/observe.h"
#include "src/command/stats.h"
#include "src/command/value.h"

#include <endian.h>

#define FLAGS_BYTES 4
/* Header, client flags, key. */
#define FRONT_BYTES_MAX (BINARY_HEADER_BYTES + FLAGS_BYTES + ENGINE_KEY_MAX)

typedef void execute_fn(struct command_thread *thread, const struct op *op,
                        const struct request *request, struct sink *out);

/* ---- replies ---- */

static struct binary_reply reply_to(const struct request *request)
{
    return (struct binary_reply){.opcode = request->binary.opcode,
                                 .opaque = request->binary.opaque};
}

static void put_header(const struct binary_reply *reply, struct sink *out)
{
    char *room = sink_room(out, BINARY_HEADER_BYTES);

    if (room == NULL)
        return;
    (void)binary_write_header(room, reply);
    sink_used(out, BINARY_HEADER_BYTES);
}

void binary_answer(const struct request *request, enum binary_status status,
                   struct slice value, struct sink *out)
{
    struct binary_reply reply = reply_to(request);

    reply.status = status;
    reply.value_size = value.size;
    put_header(&reply, out);
    sink_put(out, value.data, value.size);
}

void binary_answer_status(const struct request *request,
                          enum binary_status status, struct sink *out)
{
    binary_answer(request, status, binary_status_words(status), out);
}

/* What was asked for is done. */
static void answer_done(const struct request *request, stamp_t cas,
                        struct sink *out)
{
    struct binary_reply reply = reply_to(request);

    reply.cas = cas;
    if (!request->binary.quiet)
        put_header(&reply, out);
}

static stamp_t shown_cas(const struct command_thread *thread, stamp_t cas)
{
    return thread->commands->config.cas_shown ? cas : STAMP_NONE;
}

/* Where nothing has a version every request names another one. */
static stamp_t wanted_cas(const struct command_thread *thread,
                          const struct request *request)
{
    return thread->commands->config.cas_shown ? request->binary.cas : STAMP_MAX;
}

/* ---- retrieval ---- */

static void answer_miss(const struct op *op, const struct request *request,
                        struct sink *out)
{
    struct binary_reply reply = reply_to(request);

    if (request->binary.quiet)
        return;
    if (!request->binary.shows_key) {
        binary_answer_status(request, BINARY_NOT_FOUND, out);
        return;
    }
    reply.status = BINARY_NOT_FOUND;
    reply.key_size = op->key.bytes.size;
    put_header(&reply, out);
    sink_put(out, op->key.bytes.data, op->key.bytes.size);
}

/* Header, flags and key of an item; a touch has no value. */
static char *write_front(const struct command_thread *thread,
                         const struct op *op, const struct request *request,
                         const struct engine_view *view, size_t value_size,
                         char *at)
{
    const uint32_t flags = htobe32(view->client_flags);
    struct slice key =
        request->binary.shows_key ? op->key.bytes : slice_make(NULL, 0);
    struct binary_reply reply = reply_to(request);

    reply.cas = shown_cas(thread, view->cas);
    reply.extras_size = FLAGS_BYTES;
    reply.key_size = key.size;
    reply.value_size = value_size;
    at = binary_write_header(at, &reply);
    memcpy(at, &flags, FLAGS_BYTES);
    at += FLAGS_BYTES;
    return key.size > 0 ? value_put_text(at, key.data, key.size) : at;
}

/* The whole reply in one piece. Ends the view. */
static void copy_hit(struct command_thread *thread, const struct op *op,
                     const struct request *request, struct engine_view *view,
                     size_t value_size, struct sink *out)
{
    char *room = sink_room(out, FRONT_BYTES_MAX + value_size);
    char *at = room;

    if (LIKELY(room != NULL)) {
        at = write_front(thread, op, request, view, value_size, at);
        if (value_size > 0)
            at = value_copy_bare(thread, view, at);
    }
    engine_view_end(thread->engine_thread, view);
    if (LIKELY(room != NULL))
        sink_used(out, (size_t)(at - room));
}

/* The value from where it lies. Ends the view. An item that too many hold
 * already is as good as absent. */
static void borrow_hit(struct command_thread *thread, const struct op *op,
                       const struct request *request, struct engine_view *view,
                       struct sink *out)
{
    struct item *item = engine_view_hold(thread->engine_thread, view);
    size_t value_size = view->value_size;
    char front[FRONT_BYTES_MAX];
    char *end = write_front(thread, op, request, view, value_size, front);

    engine_view_end(thread->engine_thread, view);
    if (item == NULL) {
        answer_miss(op, request, out);
        return;
    }
    sink_put(out, front, (size_t)(end - front));
    value_borrow(thread, item, value_size, out);
}

static void answer_lookup(struct command_thread *thread, const struct op *op,
                          const struct request *request, bool hit,
                          struct engine_view *view, struct sink *out)
{
    if (!hit)
        answer_miss(op, request, out);
    else if (LIKELY(view->value_size <= VALUE_COPIED_MAX))
        copy_hit(thread, op, request, view, view->value_size, out);
    else
        borrow_hit(thread, op, request, view, out);
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

static void execute_touch(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    struct engine_view view;
    bool hit = engine_get_and_touch(thread->engine_thread, &op->key,
                                    op->expires_at_s, &view);

    if (hit)
        copy_hit(thread, op, request, &view, 0, out);
    else
        answer_miss(op, request, out);
    detail_count(thread, op->key.bytes, hit ? DETAIL_HIT : DETAIL_MISS);
}

/* ---- storage ---- */

static enum engine_mode mode_of(enum request_verb verb)
{
    static const enum engine_mode modes[REQUEST_VERBS] = {
        [REQUEST_SET] = ENGINE_SET,         [REQUEST_ADD] = ENGINE_ADD,
        [REQUEST_REPLACE] = ENGINE_REPLACE, [REQUEST_APPEND] = ENGINE_APPEND,
        [REQUEST_PREPEND] = ENGINE_PREPEND,
    };

    return modes[verb];
}

static bool extends(const struct request *request)
{
    return request->verb == REQUEST_APPEND || request->verb == REQUEST_PREPEND;
}

/* A cas unique makes one of set, add and replace, and is passed over where
 * there are no versions. */
void binary_write(struct command_thread *thread, const struct op *op,
                  const struct request *request, struct engine_write *write)
{
    bool compare =
        request->binary.cas != 0 && thread->commands->config.cas_shown;

    detail_count(thread, op->key.bytes, DETAIL_SET);
    *write = (struct engine_write){
        .key = op->key,
        .mode = mode_of(request->verb),
        .client_flags = request->client_flags,
        .expires_at_s = op->expires_at_s,
        .cas = request->binary.cas,
        .value_size = request->value_size,
    };
    if (extends(request))
        write->compare = compare;
    else if (compare)
        write->mode = ENGINE_CAS;
}

/* An add finds a value where a replace finds none. */
static enum binary_status refusal_of(const struct request *request)
{
    if (extends(request))
        return BINARY_NOT_STORED;
    if (request->verb == REQUEST_ADD && request->binary.cas == 0)
        return BINARY_EXISTS;
    return BINARY_NOT_FOUND;
}

void binary_stored(const struct command_thread *thread,
                   const struct request *request,
                   const struct execute_stored *stored, struct sink *out)
{
    enum binary_status status = BINARY_OK;

    switch (stored->outcome) {
    case ENGINE_STORED:
        answer_done(request, shown_cas(thread, stored->cas), out);
        return;
    case ENGINE_NOT_STORED:
    case ENGINE_NOT_FOUND:
        status = refusal_of(request);
        break;
    case ENGINE_EXISTS:
        status = BINARY_EXISTS;
        break;
    case ENGINE_TOO_LARGE:
        status = BINARY_TOO_LARGE;
        break;
    case ENGINE_NO_MEMORY:
        status = BINARY_NO_MEMORY;
        break;
    case ENGINE_NOT_A_NUMBER:
        break;
    }
    INVARIANT(status != BINARY_OK);
    binary_answer_status(request, status, out);
}

static void execute_store(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    struct execute_stored stored = {.size = request->value_size};
    struct engine_write write;

    if (UNLIKELY(thread->observed))
        observe_lookup(thread, &op->key);
    binary_write(thread, op, request, &write);
    stored.outcome =
        engine_store(thread->engine_thread, &write, op->value, &stored.cas);
    observe_stored(thread, &write, stored.outcome, stored.size);
    binary_stored(thread, request, &stored, out);
}

/* ---- other changes ---- */

static void answer_number(const struct request *request, uint64_t number,
                          stamp_t cas, struct sink *out)
{
    const uint64_t value = htobe64(number);
    struct binary_reply reply = reply_to(request);
    char text[sizeof(value)];

    if (request->binary.quiet)
        return;
    reply.cas = cas;
    reply.value_size = sizeof(value);
    put_header(&reply, out);
    memcpy(text, &value, sizeof(value));
    sink_put(out, text, sizeof(text));
}

static void execute_arith(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    const struct engine_arith arith = {
        .key = op->key,
        .delta = request->number,
        .decrement = request->verb == REQUEST_DECR,
        .compare = request->binary.cas != 0,
        .cas = wanted_cas(thread, request),
        .vivify = request->binary.vivify,
        .initial = request->binary.initial,
        .vivify_expires_at_s = op->expires_at_s,
    };
    struct engine_counted counted;

    switch (engine_count(thread->engine_thread, &arith, &counted)) {
    case ENGINE_STORED:
        answer_number(request, counted.value, shown_cas(thread, counted.cas),
                      out);
        return;
    case ENGINE_EXISTS:
        binary_answer_status(request, BINARY_EXISTS, out);
        return;
    case ENGINE_NOT_A_NUMBER:
        binary_answer_status(request, BINARY_NOT_A_NUMBER, out);
        return;
    case ENGINE_NO_MEMORY:
    case ENGINE_TOO_LARGE:
        binary_answer_status(request, BINARY_NO_MEMORY, out);
        return;
    case ENGINE_NOT_FOUND:
    case ENGINE_NOT_STORED:
        binary_answer_status(request, BINARY_NOT_FOUND, out);
        return;
    }
}

static void execute_delete(struct command_thread *thread, const struct op *op,
                           const struct request *request, struct sink *out)
{
    const struct engine_removal removal = {
        .key = op->key,
        .compare = request->binary.cas != 0,
        .cas = wanted_cas(thread, request),
    };

    detail_count(thread, op->key.bytes, DETAIL_DELETE);
    switch (engine_remove_as(thread->engine_thread, &removal)) {
    case ENGINE_STORED:
        answer_done(request, STAMP_NONE, out);
        return;
    case ENGINE_EXISTS:
        binary_answer_status(request, BINARY_EXISTS, out);
        return;
    case ENGINE_NO_MEMORY:
    case ENGINE_TOO_LARGE:
        binary_answer_status(request, BINARY_NO_MEMORY, out);
        return;
    case ENGINE_NOT_A_NUMBER:
    case ENGINE_NOT_FOUND:
    case ENGINE_NOT_STORED:
        binary_answer_status(request, BINARY_NOT_FOUND, out);
        return;
    }
}

static void execute_flush_all(struct command_thread *thread,
                              const struct op *op,
                              const struct request *request, struct sink *out)
{
    (void)op;
    if (execute_flush(thread, request->exptime_s))
        answer_done(request, STAMP_NONE, out);
    else
        binary_answer_status(request, BINARY_AUTH_FAILED, out);
}

/* ---- the rest ---- */

static void execute_nothing(struct command_thread *thread, const struct op *op,
                            const struct request *request, struct sink *out)
{
    (void)thread;
    (void)op;
    answer_done(request, STAMP_NONE, out);
}

static void execute_version(struct command_thread *thread, const struct op *op,
                            const struct request *request, struct sink *out)
{
    (void)op;
    binary_answer(request, BINARY_OK,
                  slice_of(thread->commands->config.version), out);
}

/* One reply for each line, and an empty one behind the last. */
struct lines {
    struct stats_out out; /* First: what sources see of this. */
    const struct request *request;
    struct sink *sink;
};

static void put_line(struct stats_out *out, const char *name, const char *value)
{
    struct lines *lines = (struct lines *)(void *)out;
    struct binary_reply reply = reply_to(lines->request);

    reply.key_size = strlen(name);
    reply.value_size = strlen(value);
    put_header(&reply, lines->sink);
    sink_put(lines->sink, name, reply.key_size);
    sink_put(lines->sink, value, reply.value_size);
}

static void execute_stats(struct command_thread *thread, const struct op *op,
                          const struct request *request, struct sink *out)
{
    struct lines lines = {{put_line}, request, out};
    int error = 0;

    (void)op;
    if (binary_detail(thread, request, out))
        return;
    if (slice_equal(request->key, SLICE_LITERAL("reset")))
        stats_reset(thread->commands);
    else
        error = stats_visit(thread->commands, request->key, &lines.out);
    if (error == -ERR_MISSING)
        binary_answer_status(request, BINARY_NOT_FOUND, out);
    else if (error != 0)
        binary_answer_status(request, BINARY_NO_MEMORY, out);
    else
        answer_done(request, STAMP_NONE, out);
}

/* The session executes what SASL asks for itself. */
static execute_fn *const functions[REQUEST_VERBS] = {
    [REQUEST_GET] = execute_get,
    [REQUEST_GAT] = execute_gat,
    [REQUEST_TOUCH] = execute_touch,
    [REQUEST_SET] = execute_store,
    [REQUEST_ADD] = execute_store,
    [REQUEST_REPLACE] = execute_store,
    [REQUEST_APPEND] = execute_store,
    [REQUEST_PREPEND] = execute_store,
    [REQUEST_INCR] = execute_arith,
    [REQUEST_DECR] = execute_arith,
    [REQUEST_DELETE] = execute_delete,
    [REQUEST_FLUSH_ALL] = execute_flush_all,
    [REQUEST_MN] = execute_nothing,
    [REQUEST_QUIT] = execute_nothing,
    [REQUEST_VERSION] = execute_version,
    [REQUEST_STATS] = execute_stats,
};

static void answer_error(const struct request *request, struct sink *out)
{
    enum binary_status status = BINARY_INVALID;

    if (request->error == REQUEST_BAD_FRAME ||
        request->error == REQUEST_BAD_OPCODE)
        status = BINARY_UNKNOWN;
    else if (request->error == REQUEST_LOCKED)
        status = BINARY_AUTH_FAILED;
    binary_answer_status(request, status, out);
}

void binary_execute(struct command_thread *thread, const struct op *op,
                    const struct request *request, struct sink *out)
{
    if (UNLIKELY(request->error != REQUEST_FINE)) {
        answer_error(request, out);
        return;
    }
    INVARIANT(request->verb < REQUEST_VERBS);
    INVARIANT(functions[request->verb] != NULL);
    functions[request->verb](thread, op, request, out);
}

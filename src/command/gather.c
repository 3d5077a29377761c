/* SPDX-License-Identifier: BSD-3-Clause */
/* A batch ends where it is full, where the input does, or behind a request
 * after which the session goes on in another state. */
#include "src/command/gather.h"

#include "src/base/invariant.h"
#include "src/command/session.h"
#include "src/protocol/binary.h"
#include "src/protocol/text.h"

/* Each of these is called once for every request of either protocol. */
#define EACH static inline __attribute__((always_inline))

EACH struct op *add_op(struct gathering *g)
{
    struct batch *batch = &g->thread->batch;
    struct op *op = &batch->op[batch->ops++];

    op->key.bytes.size = 0;
    op->value = NULL;
    op->end = g->at;
    op->line_end = g->at;
    op->expires_at_s = 0;
    op->request = (unsigned char)(batch->requests - 1);
    op->last = true;
    op->turning = false;
    return op;
}

EACH void set_key(struct gathering *g, struct op *op, struct slice key)
{
    const struct engine *engine = g->thread->engine;

    op->key = engine_key_of(engine, key);
    engine_prefetch_bucket(engine, op->key.hash);
}

/* The keys of a line up to g->at, as far as there is room. */
static void add_keys(struct gathering *g, struct slice key, struct slice rest,
                     uint32_t expires_at_s)
{
    struct op *op;

    do {
        struct slice next = text_take(&rest);

        op = add_op(g);
        op->expires_at_s = expires_at_s;
        set_key(g, op, key);
        if (next.size > 0) {
            op->last = false;
            op->end = (size_t)(key.data + key.size - g->input.data);
        }
        key = next;
    } while (!op->last && g->thread->batch.ops < BATCH_MAX);
}

/* Goes on with a line that was left after one of its keys. */
static void add_keys_left(struct gathering *g)
{
    struct batch *batch = &g->thread->batch;
    struct slice rest = {g->input.data, g->line.left - 1};
    struct slice key;

    INVARIANT(g->line.left <= g->input.size);
    if (rest.data[rest.size - 1] == '\r')
        rest.size--;
    g->at = g->line.left;
    batch->request[batch->requests++] = (struct request){.verb = g->line.verb};
    key = text_take(&rest);
    INVARIANT(key.size > 0);
    add_keys(g, key, rest, g->line.expires_at_s);
}

#define TEXT_TAIL_BYTES 2 /* CRLF behind a value. */

/* A large value goes into its item step by step even when all of it is there,
 * so that how it arrives makes no difference. False: a small one that is not
 * all there yet. It stays in the input, and so does its line. */
EACH bool add_value(struct gathering *g, struct op *op,
                    const struct request *request, size_t tail_bytes)
{
    size_t size = (size_t)request->value_size + tail_bytes;

    if (request->error != REQUEST_FINE ||
        request->value_size > SESSION_SMALL_VALUE_MAX) {
        op->turning = true;
        return true;
    }
    if (size > g->input.size - g->at) {
        g->thread->batch.ops--;
        g->thread->batch.requests--;
        return false;
    }
    op->value = g->input.data + g->at;
    g->at += size;
    op->end = g->at;
    return true;
}

/* What closes the session, and what may be answered by a stream. */
static bool is_turning(enum request_verb verb)
{
    return verb == REQUEST_QUIT || verb == REQUEST_STATS ||
           verb == REQUEST_ADMIN;
}

static bool add_request(struct gathering *g, const struct request *request)
{
    uint32_t expires_at_s = 0;
    struct op *op;

    if (request->exptime_s != 0)
        expires_at_s =
            engine_expires_at(g->thread->engine_thread, request->exptime_s);
    if (request->verb <= REQUEST_GATS && request->error == REQUEST_FINE) {
        add_keys(g, request->key, request->rest, expires_at_s);
        return true;
    }
    op = add_op(g);
    op->expires_at_s = expires_at_s;
    op->turning = is_turning(request->verb);
    if (request->key.size > 0 && request->error == REQUEST_FINE)
        set_key(g, op, request->key);
    return !request->has_value || add_value(g, op, request, TEXT_TAIL_BYTES);
}

/* Parses the line at g->at, and takes the value behind it if it can. */
static enum gather_stop gather_line(struct gathering *g, size_t scanned)
{
    struct batch *batch = &g->thread->batch;
    struct request *request = &batch->request[batch->requests];
    struct slice rest = {g->input.data + g->at, g->input.size - g->at};
    struct slice line;
    size_t taken;

    switch (text_cut_line(rest, scanned, &line, &taken)) {
    case TEXT_PART:
        g->scanned = rest.size;
        return GATHER_INPUT;
    case TEXT_OVERLONG:
        return GATHER_CLOSE;
    case TEXT_LINE:
        break;
    }
    text_parse(line, request);
    batch->requests++;
    g->at += taken;
    return add_request(g, request) ? GATHER_FULL : GATHER_INPUT;
}

/* May the batch go on behind what it has? */
EACH bool has_room(const struct gathering *g, size_t requests_max)
{
    const struct batch *batch = &g->thread->batch;

    if (batch->ops > 0 && batch->op[batch->ops - 1].turning)
        return false;
    return batch->ops < BATCH_MAX && batch->requests < requests_max;
}

static void start_batch(struct batch *batch)
{
    batch->ops = 0;
    batch->requests = 0;
}

enum gather_stop gather_text(struct gathering *g, size_t requests_max)
{
    size_t scanned = g->scanned;
    enum gather_stop stop = GATHER_FULL;

    start_batch(&g->thread->batch);
    g->scanned = 0;
    if (g->line.left > 0)
        add_keys_left(g);
    while (stop == GATHER_FULL && has_room(g, requests_max)) {
        stop = gather_line(g, scanned);
        scanned = 0;
    }
    return stop;
}

/* ---- the binary protocol ---- */

/* Without SASL its commands are unknown ones; with it a client that has not
 * proved who it is may ask for nothing else but the version. */
static void apply_lock(const struct gathering *g, struct request *request)
{
    if (request->error == REQUEST_BAD_FRAME)
        return;
    if (request_is_sasl(request)) {
        if (g->sasl || request->error != REQUEST_FINE)
            return;
        request->error = REQUEST_BAD_OPCODE;
        request->has_value = true;
    } else if (g->locked && request->verb != REQUEST_VERSION) {
        request->error = REQUEST_LOCKED;
        request->has_value = false;
    }
}

static bool add_frame(struct gathering *g, const struct request *request)
{
    struct op *op = add_op(g);

    op->turning = request->error != REQUEST_FINE ||
                  request->verb == REQUEST_QUIT || request_is_sasl(request);
    if (request->exptime_s != 0)
        op->expires_at_s =
            engine_expires_at(g->thread->engine_thread, request->exptime_s);
    if (request->key.size > 0 && !op->turning)
        set_key(g, op, request->key);
    return !request->has_value || add_value(g, op, request, 0);
}

static enum gather_stop gather_frame(struct gathering *g)
{
    struct batch *batch = &g->thread->batch;
    struct request *request = &batch->request[batch->requests];
    struct slice rest = {g->input.data + g->at, g->input.size - g->at};
    size_t taken;

    if (rest.size == 0)
        return GATHER_INPUT;
    switch (binary_parse(rest, request, &taken)) {
    case BINARY_PART:
        return GATHER_INPUT;
    case BINARY_STRAY:
        return GATHER_CLOSE;
    case BINARY_REQUEST:
        break;
    }
    apply_lock(g, request);
    batch->requests++;
    g->at += taken;
    return add_frame(g, request) ? GATHER_FULL : GATHER_INPUT;
}

enum gather_stop gather_binary(struct gathering *g, size_t requests_max)
{
    enum gather_stop stop = GATHER_FULL;

    start_batch(&g->thread->batch);
    g->scanned = 0;
    while (stop == GATHER_FULL && has_room(g, requests_max))
        stop = gather_frame(g);
    return stop;
}

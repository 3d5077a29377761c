/* SPDX-License-Identifier: BSD-3-Clause */
/* A batch ends where it is full, where the input does, or behind a request
 * after which the session goes on in another state. */
#include "src/command/gather.h"

#include "src/base/invariant.h"
#include "src/command/session.h"
#include "src/protocol/text.h"

static struct op *add_op(struct gathering *g)
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

static void set_key(struct gathering *g, struct op *op, struct slice key)
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

/* A large value goes into its item step by step even when all of it is there,
 * so that how it arrives makes no difference. False: a small one that is not
 * all there yet. It stays in the input, and so does its line. */
static bool add_value(struct gathering *g, struct op *op,
                      const struct request *request)
{
    size_t size = (size_t)request->value_size + 2;

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
    return !request->has_value || add_value(g, op, request);
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

enum gather_stop gather_text(struct gathering *g, size_t requests_max)
{
    struct batch *batch = &g->thread->batch;
    size_t scanned = g->scanned;
    enum gather_stop stop = GATHER_FULL;

    batch->ops = 0;
    batch->requests = 0;
    g->scanned = 0;
    if (g->line.left > 0)
        add_keys_left(g);
    while (stop == GATHER_FULL && batch->ops < BATCH_MAX &&
           batch->requests < requests_max) {
        if (batch->ops > 0 && batch->op[batch->ops - 1].turning)
            break;
        stop = gather_line(g, scanned);
        scanned = 0;
    }
    return stop;
}

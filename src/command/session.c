/* SPDX-License-Identifier: BSD-3-Clause */
/* A session is a small state machine over its input. Mostly it is READY for
 * the next request; the other states carry it over places where a request or
 * a value cannot be taken as a whole:
 *
 *   NEW   --the first byte--------> READY, or LOCKED
 *   LOCKED -a user is known-------> READY
 *   READY --a get with many keys--> KEYS ----last key answered----> READY
 *   READY --a large value---------> BODY ----value and CRLF there-> READY
 *   READY --a refused value-------> SWALLOW -all of it skipped----> READY
 *   READY --a dump of the cache---> STREAM --the end of it---------> READY
 *   READY --quit, an endless line-> CLOSED
 *
 * What a state keeps is little: a session that waits holds no buffers. */
#include "src/command/session.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/command/auth.h"
#include "src/command/binary.h"
#include "src/command/execute.h"
#include "src/command/gather.h"
#include "src/command/observe.h"
#include "src/command/request_log.h"
#include "src/command/stream.h"
#include "src/command/thread.h"
#include "src/protocol/text.h"

_Static_assert(SESSION_LINE_MAX == TEXT_LINE_MAX, "one limit of a line");
_Static_assert(SESSION_GET_LINE_MAX == TEXT_GET_LINE_MAX, "of a get line");
_Static_assert(REQUEST_KEY_MAX == ENGINE_KEY_MAX, "one limit of a key");

enum state {
    STATE_NEW,
    STATE_LOCKED, /* Text only: binary requests are refused one by one. */
    STATE_READY,
    STATE_KEYS,
    STATE_BODY,
    STATE_SWALLOW,
    STATE_STREAM,
    STATE_CLOSED,
};

/* A large value on its way into its item. */
struct body {
    struct engine_write write;
    struct item *item;
    size_t offset; /* Filled up to here. */
    struct engine_cursor cursor;
    struct execute_stored stored;
    struct request request; /* What the answer will need of it. */
    char key[ENGINE_KEY_MAX];
    char opaque[META_OPAQUE_MAX];
};

/* Owner: its worker's thread. */
struct session {
    struct command_thread *thread;
    union {
        struct body *body;     /* NULL but in BODY and STREAM. */
        struct stream *stream; /* STREAM only. */
    };
    uint32_t swallow_bytes;  /* SWALLOW only. */
    uint32_t scanned;        /* READY: bytes without an end of line. */
    struct gather_line line; /* KEYS only. */
    int fd;
    unsigned char state;
    bool binary;
    bool datagram;
    bool broken; /* CLOSED because the input makes no sense. */
    struct auth auth;
};

_Static_assert(sizeof(struct session) <= 64, "there are many of these");

/* One session_run(). */
struct turn {
    struct sink *out;
    size_t requests_left;
    enum session_want want;
    bool over;
};

/* Between two requests. */
static void settle(struct session *session)
{
    bool locked = session->auth.locked && !session->binary;

    session->state = locked ? STATE_LOCKED : STATE_READY;
}

static void choose_protocol(struct session *session, bool binary)
{
    log_v(LOG_LEVEL_VV, "%d: Client using the %s protocol", session->fd,
          binary ? "binary" : "ascii");
    session->binary = binary;
    settle(session);
}

/* Each way to authenticate belongs to one protocol, so that is what clients
 * who have to must speak, whatever their listener says. */
static enum session_protocol protocol_of(const struct authenticator *auth,
                                         const struct session_config *config)
{
    if (auth == NULL)
        return config->protocol;
    return auth->knows != NULL ? SESSION_TEXT : SESSION_BINARY;
}

struct session *session_new(struct command_thread *thread,
                            const struct session_config *config, int fd)
{
    const struct authenticator *auth = thread->commands->config.authenticator;
    struct session *session = memory_new(1, sizeof(*session));
    enum session_protocol protocol = protocol_of(auth, config);

    if (session == NULL)
        return NULL;
    session->thread = thread;
    session->auth.locked = auth != NULL;
    session->state = STATE_NEW;
    session->fd = fd;
    session->datagram = config->datagram;
    if (protocol != SESSION_AUTO)
        choose_protocol(session, protocol == SESSION_BINARY);
    return session;
}

static void drop_body(struct session *session)
{
    struct body *body = session->body;

    if (body != NULL && body->item != NULL)
        engine_discard(session->thread->engine_thread, &body->item);
    memory_free(&session->body);
}

static void drop_stream(struct session *session)
{
    session->stream->free(session->stream, session->thread);
    session->stream = NULL;
}

void session_free(struct session **session)
{
    if (*session == NULL)
        return;
    if ((*session)->state == STATE_STREAM)
        drop_stream(*session);
    else
        drop_body(*session);
    auth_end((*session)->thread, &(*session)->auth);
    memory_free(session);
}

static size_t pause_turn(struct turn *turn, enum session_want want,
                         size_t taken)
{
    turn->want = want;
    turn->over = true;
    return taken;
}

/* ---- large values ---- */

/* The line will be gone when the value is there. */
static void keep_flags(struct body *body, const struct request *request)
{
    struct slice opaque = request->meta.opaque;

    body->request.meta = request->meta;
    if (opaque.size == 0)
        return;
    INVARIANT(opaque.size <= sizeof(body->opaque));
    memcpy(body->opaque, opaque.data, opaque.size);
    body->request.meta.opaque.data = body->opaque;
}

static struct body *new_body(const struct op *op, const struct request *request,
                             bool binary)
{
    struct body *body = memory_new(1, sizeof(*body));

    if (body == NULL)
        return NULL;
    body->request.verb = request->verb;
    body->request.noreply = request->noreply;
    body->stored.size = request->value_size;
    memcpy(body->key, op->key.bytes.data, op->key.bytes.size);
    if (binary)
        body->request.binary = request->binary;
    else if (request->verb == REQUEST_MS)
        keep_flags(body, request);
    body->request.key = slice_make(body->key, op->key.bytes.size);
    return body;
}

/* *write: what was to be stored, also when there is no body for it. */
static enum engine_outcome reserve(struct session *session, const struct op *op,
                                   const struct request *request,
                                   struct engine_write *write)
{
    struct command_thread *thread = session->thread;
    struct body *body = new_body(op, request, session->binary);
    enum engine_outcome outcome;

    session->body = body;
    if (session->binary)
        binary_write(thread, op, request, write);
    else
        execute_write(thread, op, request, write);
    if (body == NULL)
        return ENGINE_NO_MEMORY;
    body->write = *write;
    body->write.key.bytes.data = body->key;
    body->write.size_stored = &body->stored.size;
    outcome = engine_reserve(thread->engine_thread, &body->write, &body->item);
    if (outcome != ENGINE_STORED) {
        body->item = NULL;
        drop_body(session);
    }
    return outcome;
}

/* What stands behind a value. */
static uint32_t tail_bytes(const struct session *session)
{
    return session->binary ? 0 : 2;
}

static void swallow(struct session *session, uint32_t size)
{
    session->swallow_bytes = size;
    session->state = STATE_SWALLOW;
}

static void swallow_value(struct session *session,
                          const struct request *request)
{
    swallow(session, request->value_size + tail_bytes(session));
}

static void answer_stored(struct session *session,
                          const struct request *request,
                          const struct execute_stored *stored, struct sink *out)
{
    if (session->binary)
        binary_stored(session->thread, request, stored, out);
    else
        execute_stored(session->thread, request, stored, out);
}

static void start_body(struct session *session, const struct op *op,
                       const struct request *request, struct sink *out)
{
    struct engine_write write;
    const struct execute_stored stored = {
        .outcome = reserve(session, op, request, &write),
        .size = request->value_size,
    };

    if (stored.outcome == ENGINE_STORED) {
        session->state = STATE_BODY;
        return;
    }
    observe_refused(session->thread, &write, stored.outcome);
    answer_stored(session, request, &stored, out);
    swallow_value(session, request);
}

char *session_space(struct session *session, size_t *room)
{
    struct body *body = session->body;

    INVARIANT(body != NULL);
    INVARIANT(body->offset < body->write.value_size);
    return engine_item_space_on(session->thread->engine_thread, body->item,
                                body->offset, room, &body->cursor);
}

void session_filled(struct session *session, size_t size)
{
    struct body *body = session->body;

    INVARIANT(body != NULL);
    INVARIANT(size <= body->write.value_size - body->offset);
    body->offset += size;
}

static size_t fill_body(struct session *session, struct slice input)
{
    struct body *body = session->body;
    size_t taken = 0;

    while (taken < input.size && body->offset < body->write.value_size) {
        size_t room;
        char *space = session_space(session, &room);

        INVARIANT(room > 0);
        if (room > input.size - taken)
            room = input.size - taken;
        memcpy(space, input.data + taken, room);
        taken += room;
        body->offset += room;
    }
    return taken;
}

static void commit_body(struct session *session, struct sink *out)
{
    struct command_thread *thread = session->thread;
    struct body *body = session->body;
    struct execute_stored *stored = &body->stored;

    if (UNLIKELY(thread->observed))
        observe_lookup(thread, &body->write.key);
    stored->outcome = engine_commit(thread->engine_thread, &body->write,
                                    &body->item, &stored->cas);
    observe_stored(thread, &body->write, stored->outcome, stored->size);
    answer_stored(session, &body->request, stored, out);
}

static void refuse_body(struct session *session, struct sink *out)
{
    struct body *body = session->body;

    engine_count_spoilt(session->thread->engine_thread, &body->write);
    if (!body->request.noreply)
        sink_put_literal(out, "CLIENT_ERROR bad data chunk\r\n");
}

static void finish_body(struct session *session, const char *tail,
                        struct sink *out)
{
    struct command_thread *thread = session->thread;
    struct body *body = session->body;
    const size_t before = sink_pending(out);

    if (session->binary || (tail[0] == '\r' && tail[1] == '\n'))
        commit_body(session, out);
    else
        refuse_body(session, out);
    if (UNLIKELY(thread->observed & OBSERVE_LOG))
        request_log_answer(thread, NULL, &body->request, out, before);
    drop_body(session);
    session->state = STATE_READY;
}

static size_t step_body(struct session *session, struct slice input,
                        struct turn *turn)
{
    size_t taken = fill_body(session, input);

    if (session->body->offset < session->body->write.value_size)
        return pause_turn(turn, SESSION_BODY, taken);
    if (input.size - taken < tail_bytes(session))
        return pause_turn(turn, SESSION_INPUT, taken);
    finish_body(session, input.data + taken, turn->out);
    return taken + tail_bytes(session);
}

static size_t step_swallow(struct session *session, struct slice input,
                           struct turn *turn)
{
    uint32_t left = session->swallow_bytes;
    size_t taken = input.size < left ? input.size : left;

    session->swallow_bytes -= (uint32_t)taken;
    if (session->swallow_bytes > 0)
        return pause_turn(turn, SESSION_INPUT, taken);
    settle(session);
    return taken;
}

/* ---- replies in pieces ---- */

/* A request that may have started a stream. */
static void start_stream(struct session *session, const struct op *op,
                         const struct request *request, struct sink *out)
{
    struct command_thread *thread = session->thread;

    INVARIANT(thread->stream == NULL);
    thread->datagram = session->datagram;
    execute(thread, op, request, out);
    session->state = thread->ends ? STATE_CLOSED : STATE_READY;
    thread->ends = false;
    if (thread->stream == NULL)
        return;
    session->stream = thread->stream;
    session->state = STATE_STREAM;
    thread->stream = NULL;
}

/* False when the turn is over, or the session. */
static bool may_produce(struct session *session, struct turn *turn)
{
    if (sink_failed(turn->out)) {
        if (session->state == STATE_STREAM)
            drop_stream(session);
        session->state = STATE_CLOSED;
        return false;
    }
    if (sink_full(turn->out))
        (void)pause_turn(turn, SESSION_DRAIN, 0);
    else if (turn->requests_left == 0)
        (void)pause_turn(turn, SESSION_YIELD, 0);
    return !turn->over;
}

/* A piece counts as a request. */
static size_t step_stream(struct session *session, struct slice input,
                          struct turn *turn)
{
    struct stream *stream = session->stream;

    if (!may_produce(session, turn))
        return 0;
    turn->requests_left--;
    switch (stream->step(stream, session->thread, turn->out)) {
    case STREAM_MORE:
        return 0;
    case STREAM_WAIT:
        return pause_turn(turn, SESSION_WATCH, input.size);
    case STREAM_END:
        break;
    }
    drop_stream(session);
    session->state = STATE_READY;
    return 0;
}

/* ---- batches ---- */

/* An error without a value to pass over is the connection's end. */
static void turn_binary(struct session *session, const struct op *op,
                        const struct request *request, struct sink *out)
{
    if (request->error != REQUEST_FINE || request->verb == REQUEST_QUIT) {
        binary_execute(session->thread, op, request, out);
        if (request->has_value)
            swallow_value(session, request);
        else
            session->state = STATE_CLOSED;
    } else if (request_is_sasl(request)) {
        auth_sasl(session->thread, &session->auth, op, request, out);
        if (op->value == NULL)
            swallow_value(session, request);
    } else {
        start_body(session, op, request, out);
    }
}

static void turn_state(struct session *session, const struct op *op,
                       const struct request *request, struct sink *out)
{
    if (session->binary) {
        turn_binary(session, op, request, out);
    } else if (request->error != REQUEST_FINE) {
        execute(session->thread, op, request, out);
        swallow_value(session, request);
    } else if (request->verb == REQUEST_QUIT) {
        session->state = STATE_CLOSED;
    } else if (request->has_value) {
        start_body(session, op, request, out);
    } else {
        start_stream(session, op, request, out);
    }
}

static void prefetch_items(const struct command_thread *thread)
{
    const struct batch *batch = &thread->batch;
    unsigned i;

    for (i = 0; i < batch->ops; i++) {
        if (batch->op[i].key.bytes.size > 0)
            engine_prefetch_item(thread->engine, batch->op[i].key.hash);
    }
}

static void take_step(void *ctx, const struct op *op,
                      const struct request *request, struct sink *out)
{
    struct session *session = ctx;

    if (UNLIKELY(op->turning))
        turn_state(session, op, request, out);
    else if (LIKELY(!session->binary))
        execute(session->thread, op, request, out);
    else
        binary_execute(session->thread, op, request, out);
}

/* Returns how many steps were done before the sink was full. */
static unsigned execute_batch(struct session *session, struct sink *out)
{
    struct command_thread *thread = session->thread;
    struct batch *batch = &thread->batch;
    unsigned i;

    if (batch->ops > 1)
        prefetch_items(thread);
    for (i = 0; i < batch->ops; i++) {
        const struct op *op = &batch->op[i];
        const struct request *request = &batch->request[op->request];

        if (i > 0 && sink_full(out))
            break;
        if (UNLIKELY(thread->observed))
            observe_step(thread, op, request, out, take_step, session);
        else
            take_step(session, op, request, out);
    }
    return i;
}

/* Between two keys of a line, or between two requests. */
static void settle_state(struct session *session, const struct op *op)
{
    if (op->turning)
        return;
    session->state = op->last ? STATE_READY : STATE_KEYS;
    if (!op->last) {
        const struct batch *batch = &session->thread->batch;

        session->line = (struct gather_line){
            .left = (uint32_t)(op->line_end - op->end),
            .expires_at_s = op->expires_at_s,
            .verb = (unsigned char)batch->request[op->request].verb};
    }
}

static bool speaks_sasl(const struct command_thread *thread)
{
    const struct authenticator *auth = thread->commands->config.authenticator;

    return auth != NULL && auth->knows == NULL;
}

/* The front of the batch's one request, unless it is one that goes on. */
static void log_request(const struct session *session, struct slice input)
{
    const struct batch *batch = &session->thread->batch;

    if (batch->ops == 0 || session->state == STATE_KEYS)
        return;
    if (session->binary)
        request_log_frame(session->thread, input);
    else
        request_log_line(session->thread,
                         slice_make(input.data, batch->op[0].line_end));
}

static enum gather_stop gather_batch(struct session *session,
                                     struct slice input, size_t requests_max)
{
    struct gathering g = {.thread = session->thread,
                          .input = input,
                          .scanned = session->scanned,
                          .locked = session->auth.locked};
    enum gather_stop stop;

    /* One by one each is logged before its reply. */
    if (UNLIKELY(g.thread->observed & OBSERVE_LOG))
        requests_max = 1;
    if (session->binary) {
        g.sasl = speaks_sasl(session->thread);
        stop = gather_binary(&g, requests_max);
    } else {
        if (session->state == STATE_KEYS)
            g.line = session->line;
        stop = gather_text(&g, requests_max);
        session->scanned = (uint32_t)g.scanned;
    }
    if (UNLIKELY(g.thread->observed & OBSERVE_LOG))
        log_request(session, input);
    return stop;
}

static size_t run_batch(struct session *session, struct slice input,
                        struct turn *turn)
{
    struct batch *batch = &session->thread->batch;
    enum gather_stop stop = gather_batch(session, input, turn->requests_left);
    unsigned done = execute_batch(session, turn->out);
    size_t taken = 0;

    if (done > 0) {
        settle_state(session, &batch->op[done - 1]);
        taken = batch->op[done - 1].end;
        turn->requests_left -= batch->op[done - 1].request + 1u;
    }
    if (done < batch->ops) {
        session->scanned = 0;
        return pause_turn(turn, SESSION_DRAIN, taken);
    }
    if (stop == GATHER_CLOSE) {
        session->state = STATE_CLOSED;
        session->broken = true;
    }
    if (stop == GATHER_INPUT)
        return pause_turn(turn, SESSION_INPUT, taken);
    return taken;
}

static size_t step_requests(struct session *session, struct slice input,
                            struct turn *turn)
{
    if (input.size == 0)
        return pause_turn(turn, SESSION_INPUT, 0);
    if (!may_produce(session, turn))
        return 0;
    return run_batch(session, input, turn);
}

static size_t step_new(struct session *session, struct slice input,
                       struct turn *turn)
{
    if (input.size == 0)
        return pause_turn(turn, SESSION_INPUT, 0);
    choose_protocol(session, (unsigned char)input.data[0] == BINARY_MAGIC);
    return 0;
}

static size_t step_locked(struct session *session, struct slice input,
                          struct turn *turn)
{
    uint32_t rest_bytes = 0;
    size_t taken = 0;

    if (!may_produce(session, turn))
        return 0;
    switch (auth_login(session->thread, &session->auth, input, turn->out,
                       &taken, &rest_bytes)) {
    case AUTH_LOGIN_PART:
        return pause_turn(turn, SESSION_INPUT, 0);
    case AUTH_LOGIN_DONE:
        settle(session);
        break;
    case AUTH_LOGIN_SWALLOW:
        swallow(session, rest_bytes);
        break;
    case AUTH_LOGIN_CLOSE:
        session->state = STATE_CLOSED;
        break;
    }
    turn->requests_left--;
    return taken;
}

static size_t step_closed(struct session *session, struct slice input,
                          struct turn *turn)
{
    (void)session;
    return pause_turn(turn, SESSION_CLOSE, input.size);
}

typedef size_t step_fn(struct session *session, struct slice input,
                       struct turn *turn);

static step_fn *const steps[] = {
    [STATE_NEW] = step_new,        [STATE_LOCKED] = step_locked,
    [STATE_READY] = step_requests, [STATE_KEYS] = step_requests,
    [STATE_BODY] = step_body,      [STATE_SWALLOW] = step_swallow,
    [STATE_STREAM] = step_stream,  [STATE_CLOSED] = step_closed,
};

size_t session_run(struct session *session, struct slice input,
                   size_t requests_max, struct sink *out,
                   enum session_want *want)
{
    struct turn turn = {.out = out, .requests_left = requests_max};
    size_t taken = 0;

    INVARIANT(requests_max > 0);
    observe_start(session->thread, session->fd);
    while (!turn.over) {
        struct slice rest = {input.data + taken, input.size - taken};

        INVARIANT(session->state < COUNT_OF(steps));
        taken += steps[session->state](session, rest, &turn);
        INVARIANT(taken <= input.size);
    }
    *want = turn.want;
    return taken;
}

/* A line whose value is to follow, and a client that waits for a reply. */
static bool awaits_value(struct slice input)
{
    struct request request;
    struct slice line;
    size_t taken;

    if (input.size == 0 || text_cut_line(input, 0, &line, &taken) != TEXT_LINE)
        return false;
    text_parse(line, &request);
    return request.has_value && !request.noreply;
}

void session_cut(struct session *session, struct slice rest, struct sink *out)
{
    bool answered = session->state == STATE_READY && awaits_value(rest);

    if (session->binary)
        return; /* A header that promises more is malformed. */
    if (session->state == STATE_BODY)
        answered = !session->body->request.noreply;
    if (answered)
        sink_put_literal(out, "CLIENT_ERROR bad data chunk\r\n");
}

bool session_is_streaming(const struct session *session)
{
    return session->state == STATE_STREAM;
}

bool session_is_broken(const struct session *session)
{
    return session->broken;
}

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
 *   READY --keys the peer may have-> FETCH --they are here, or not--> READY
 *   READY --quit, an endless line-> CLOSED
 *
 * What a state keeps is little: a session that waits holds no buffers. */
#include "src/command/session.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/command/ack.h"
#include "src/command/auth.h"
#include "src/command/binary.h"
#include "src/command/body.h"
#include "src/command/execute.h"
#include "src/command/fetching.h"
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
    STATE_FETCH, /* From READY or KEYS, and back. */
    STATE_CLOSED,
};

/* Owner: its worker's thread. */
struct session {
    struct command_thread *thread;
    union {
        struct body *body;     /* NULL but in BODY, STREAM and FETCH. */
        struct stream *stream; /* STREAM only. */
        struct fetch *fetch;   /* FETCH only. */
    };
    uint32_t swallow_bytes;  /* SWALLOW only. */
    uint32_t scanned;        /* READY: bytes without an end of line. */
    struct gather_line line; /* KEYS only. */
    int fd;
    unsigned char state;
    bool binary;
    bool datagram;
    bool broken;           /* CLOSED because the input makes no sense. */
    unsigned char resumed; /* FETCH only: the state before. */
    unsigned char fetched; /* So many of the next steps have what there is. */
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
    else if ((*session)->state == STATE_FETCH)
        fetch_drop(&(*session)->fetch);
    else
        body_free((*session)->thread, &(*session)->body);
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

static void start_body(struct session *session, const struct op *op,
                       const struct request *request, struct sink *out)
{
    session->body =
        body_start(session->thread, op, request, session->binary, out);
    if (session->body != NULL)
        session->state = STATE_BODY;
    else
        swallow_value(session, request);
}

char *session_space(struct session *session, size_t *room)
{
    return body_space(session->thread, session->body, room);
}

void session_filled(struct session *session, size_t size)
{
    body_filled(session->body, size);
}

static size_t step_body(struct session *session, struct slice input,
                        struct turn *turn)
{
    size_t taken = body_fill(session->thread, session->body, input);

    if (!body_is_whole(session->body))
        return pause_turn(turn, SESSION_BODY, taken);
    if (input.size - taken < tail_bytes(session))
        return pause_turn(turn, SESSION_INPUT, taken);
    body_finish(session->thread, &session->body, input.data + taken, turn->out);
    session->state = STATE_READY;
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
    case STREAM_ASKS:
        return pause_turn(turn, SESSION_ASK, 0);
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
        const struct op *op = &batch->op[i];

        if (op->key.bytes.size > 0)
            engine_prefetch_item(thread->engine, op->key.hash,
                                 op->key.bytes.size +
                                     batch->request[op->request].value_size);
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
    if (UNLIKELY(thread->ack != NULL))
        ack_note_batch(thread, i);
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

    if (batch->ops == 0 || session->state == STATE_KEYS || session->fetched > 0)
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

/* True when the batch has to wait for keys of the peer: it is gathered anew
 * when they are here. */
static bool await_keys(struct session *session)
{
    struct command_thread *thread = session->thread;
    struct fetch *fetch = NULL;

    if (session->fetched == 0 && !session->datagram &&
        fetches_are_open(thread->fetches))
        fetch = fetching_begin(thread, session->binary);
    if (fetch == NULL)
        return false;
    session->fetch = fetch;
    session->fetched = (unsigned char)thread->batch.ops;
    session->resumed = session->state;
    session->state = STATE_FETCH;
    session->scanned = 0;
    return true;
}

/* Of more steps than were there when keys were fetched, only those. */
static enum gather_stop cut_batch(struct session *session,
                                  enum gather_stop stop)
{
    struct batch *batch = &session->thread->batch;

    if (session->fetched == 0 || batch->ops <= session->fetched)
        return stop;
    batch->ops = session->fetched;
    session->scanned = 0;
    return GATHER_FULL;
}

static size_t step_fetch(struct session *session, struct slice input,
                         struct turn *turn)
{
    (void)input;
    if (!fetch_is_done(session->fetch))
        return pause_turn(turn, SESSION_ASK, 0);
    fetch_drop(&session->fetch);
    session->state = session->resumed;
    return 0;
}

static size_t run_batch(struct session *session, struct slice input,
                        struct turn *turn)
{
    struct batch *batch = &session->thread->batch;
    enum gather_stop stop = gather_batch(session, input, turn->requests_left);
    unsigned done;
    size_t taken = 0;

    if (UNLIKELY(session->thread->fetches != NULL)) {
        if (await_keys(session))
            return 0;
        stop = cut_batch(session, stop);
    }
    done = execute_batch(session, turn->out);
    if (UNLIKELY(session->fetched > 0))
        session->fetched -= (unsigned char)done;
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
    [STATE_STREAM] = step_stream,  [STATE_FETCH] = step_fetch,
    [STATE_CLOSED] = step_closed,
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
        answered = body_is_answered(session->body);
    if (answered)
        sink_put_literal(out, "CLIENT_ERROR bad data chunk\r\n");
}

bool session_is_streaming(const struct session *session)
{
    return session->state == STATE_STREAM;
}

bool session_is_waiting(const struct session *session)
{
    return session->state == STATE_FETCH && !fetch_is_done(session->fetch);
}

bool session_is_broken(const struct session *session)
{
    return session->broken;
}

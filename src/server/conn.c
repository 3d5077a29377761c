/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection's turn: read once, run the session over what came, write once.
 *
 * The buffer and the sink are the worker's. Only what is left over at the end
 * of a turn moves to memory of the connection's own: the front of a request
 * whose end has not come, requests that wait for the next turn, replies that
 * the socket did not take. A connection with unsent replies is not read, so a
 * client that does not read costs at most one full sink and one buffer. */
#include "src/server/conn.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/server/conn_events.h"
#include "src/server/listener.h"
#include "src/server/registry.h"
#include "src/server/transport.h"
#include "src/server/worker.h"

#include <errno.h>
#include <unistd.h>

/* Value bytes read in one turn; a large value takes several. */
#define BODY_TURN_BYTES (4u * 1024 * 1024)
/* How often a session may fill its share (-R requests, or the sink) in one
 * turn when nobody is known to wait: the loop does not look for others
 * meanwhile. */
#define TURN_SHARES_MAX 8
/* Read at the front of a large value: just enough for its line, because what
 * is read here is copied once more into the item. */
#define BODY_FRONT_BYTES (4u * 1024)
/* What stays unparsed is copied to the front of the worker's buffer up to
 * this size, and read behind in memory of its own above it. */
#define KEPT_COPIED_MAX (WORKER_INPUT_BYTES / 2)
#define KEPT_BYTES_MAX (2u * SESSION_GET_LINE_MAX)

enum sent {
    SENT_ALL,
    SENT_SOME, /* The socket is full. */
    SENT_FAILED,
};

/* How far a turn has come. */
struct turn {
    unsigned shares;
    size_t taken;
};

static void on_event(evutil_socket_t fd, short what, void *arg);

/* It ends, and not because the client wishes so. */
static bool broken(struct conn *conn)
{
    conn->end = CONN_END_ERROR;
    return false;
}

static void log_state(const struct conn *conn, enum conn_state state)
{
    static const char *const words[] = {
#define X(name, word) word,
        CONN_STATES(X)
#undef X
    };

    if (state != conn->state)
        log_line(LOG_LEVEL_VVV, "%d: going from %s to %s", conn->fd,
                 words[conn->state], words[state]);
}

static void show_state(struct conn *conn, enum conn_state state)
{
    if (UNLIKELY(log_verbosity() >= LOG_LEVEL_VVV))
        log_state(conn, state);
    __atomic_store_n(&conn->state, (unsigned char)state, __ATOMIC_RELAXED);
}

/* ---- the event ---- */

MUST_CHECK static int await(struct conn *conn, short what)
{
    if (event_assign(&conn->event, conn->worker->base, conn->fd,
                     (short)(what | EV_PERSIST), on_event, conn) < 0 ||
        event_add(&conn->event, transport_patience(conn)) < 0)
        return -ERR_SYSTEM;
    return 0;
}

static bool await_instead(struct conn *conn, short what)
{
    event_del(&conn->event);
    return await(conn, what) == 0;
}

/* ---- writing ---- */

/* Sends one round of vectors; true when all of them went. */
static bool send_round(struct conn *conn, struct sink *sink, ssize_t *sent)
{
    struct iovec *vectors = conn->worker->vectors;
    size_t count = sink_vectors(sink, vectors, WORKER_VECTORS_MAX);
    size_t total = 0;

    INVARIANT(count > 0);
    for (size_t i = 0; i < count; i++)
        total += vectors[i].iov_len;
    *sent = transport_write(conn, vectors, count);
    return *sent == (ssize_t)total;
}

static enum sent send_pending(struct conn *conn, struct sink *sink)
{
    bool whole = true;
    ssize_t sent;

    if (sink_failed(sink))
        return SENT_FAILED;
    while (whole && sink_pending(sink) > 0) {
        whole = send_round(conn, sink, &sent);
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                       ? SENT_SOME
                       : SENT_FAILED;
        METRIC_ADD(conn->worker->counters.bytes_written, (uint64_t)sent);
        sink_sent(sink, (size_t)sent);
    }
    return whole ? SENT_ALL : SENT_SOME;
}

/* What is pending waits in a sink of the connection's own, and nothing is read
 * until it is sent. */
static bool park(struct conn *conn)
{
    struct worker *worker = conn->worker;
    size_t held = 0;

    conn->unsent = sink_new();
    if (conn->unsent != NULL && sink_move(worker->sink, conn->unsent) == 0)
        held = sink_held_bytes(conn->unsent);
    if (held == 0 || !worker_hold_more(worker, held)) {
        sink_free(&conn->unsent);
        METRIC_UP(worker->counters.response_obj_oom);
        return broken(conn);
    }
    conn->unsent_held = (uint32_t)held;
    return true;
}

/* The socket is full. */
static bool park_unsent(struct conn *conn)
{
    return park(conn) && (await_instead(conn, EV_WRITE) || broken(conn));
}

/* The peer does not have yet what the replies tell of. The client may well send
 * more meanwhile, but mostly it does not: on_event() sees to it. */
static bool park_held(struct conn *conn)
{
    return park(conn) && (hold_begin(conn) == 0 || broken(conn));
}

static bool must_hold(struct conn *conn)
{
    return UNLIKELY(conn->worker->holds.confirm != NULL) && hold_wants(conn);
}

static void drop_unsent(struct conn *conn)
{
    worker_hold_less(conn->worker, conn->unsent_held);
    conn->unsent_held = 0;
    sink_free(&conn->unsent);
}

/* ---- what is kept between turns ---- */

static void kept_drop(struct conn *conn)
{
    worker_hold_less(conn->worker, conn->kept.room);
    memory_free(&conn->kept.data);
    conn->kept.size = 0;
    conn->kept.room = 0;
}

static size_t room_for(const struct conn_kept *kept, size_t size)
{
    size_t room = kept->room > 0 ? kept->room : 256;

    while (room < size)
        room *= 2;
    return room;
}

static bool kept_resize(struct conn *conn, size_t room)
{
    struct conn_kept *kept = &conn->kept;
    char *data;

    if (!worker_hold_more(conn->worker, room - kept->room))
        return false;
    data = memory_resize(kept->data, room, 1);
    if (data == NULL) {
        worker_hold_less(conn->worker, room - kept->room);
        return false;
    }
    kept->data = data;
    kept->room = room;
    return true;
}

static void tell_no_memory(struct conn *conn)
{
    static const char words[] =
        "SERVER_ERROR out of memory reading request\r\n";

    METRIC_UP(conn->worker->counters.read_buf_oom);
    sink_put_literal(conn->worker->sink, words);
    (void)send_pending(conn, conn->worker->sink);
}

/* False: there is no memory, and the client was told so; or the line has no
 * end. */
static bool kept_grow(struct conn *conn, size_t size)
{
    if (size <= conn->kept.room)
        return true;
    if (size > KEPT_BYTES_MAX)
        return false;
    if (kept_resize(conn, room_for(&conn->kept, size)))
        return true;
    tell_no_memory(conn);
    return false;
}

/* Keeps the rest of an input that lies in the worker's buffer, or in kept
 * itself. */
static bool kept_save(struct conn *conn, struct slice rest)
{
    struct conn_kept *kept = &conn->kept;

    if (rest.size == 0) {
        if (kept->data != NULL)
            kept_drop(conn);
        return true;
    }
    if (rest.size > kept->room && !kept_grow(conn, rest.size))
        return false;
    memmove(kept->data, rest.data, rest.size);
    kept->size = rest.size;
    return true;
}

/* ---- running the session ---- */

/* The end of a turn: the replies go out, the rest of the input stays. */
static bool end_turn(struct conn *conn, struct slice rest)
{
    if (conn->want == SESSION_CLOSE) {
        rest.size = 0;
        if (session_is_broken(conn->session))
            (void)broken(conn);
    }
    if (!kept_save(conn, rest))
        return broken(conn);
    if (must_hold(conn))
        return park_held(conn);
    switch (send_pending(conn, conn->worker->sink)) {
    case SENT_ALL:
        return conn->want != SESSION_CLOSE;
    case SENT_SOME:
        return park_unsent(conn);
    case SENT_FAILED:
        break;
    }
    return broken(conn);
}

static bool give_way(struct conn *conn, struct slice rest)
{
    if (!end_turn(conn, rest))
        return false;
    if (conn->unsent == NULL)
        worker_queue(conn->worker, conn);
    return true;
}

/* A share is used up. While others wait a connection may only finish what is
 * at most as much again: to cut a pipeline costs a write. A session that goes
 * on without input has a long reply, which gives way at once. */
static bool turn_is_over(const struct conn *conn, const struct turn *turn,
                         size_t left)
{
    if (turn->shares >= TURN_SHARES_MAX)
        return true;
    return worker_is_wanted(conn->worker) && (left == 0 || left > turn->taken);
}

/* After a session that stopped before the end of its input: shall the turn
 * go on? */
static bool use_share(struct conn *conn, struct turn *turn, size_t left)
{
    struct worker *worker = conn->worker;

    turn->shares++;
    if (conn->want == SESSION_YIELD && !session_is_streaming(conn->session))
        METRIC_UP(worker->counters.conn_yields);
    if (turn_is_over(conn, turn, left))
        return false;
    return conn->want == SESSION_YIELD ||
           (!must_hold(conn) && send_pending(conn, worker->sink) == SENT_ALL);
}

static bool run(struct conn *conn, struct slice input)
{
    struct worker *worker = conn->worker;
    struct turn turn = {0};

    for (;;) {
        size_t taken =
            session_run(conn->session, input, worker->turn_requests_max,
                        worker->sink, &conn->want);

        INVARIANT(taken <= input.size);
        input = slice_make(input.data + taken, input.size - taken);
        turn.taken += taken;
        if (conn->want != SESSION_YIELD && conn->want != SESSION_DRAIN)
            return end_turn(conn, input);
        if (!use_share(conn, &turn, input.size))
            return give_way(conn, input);
    }
}

/* ---- reading ---- */

/* The result of recv: bytes, 0 when there is nothing yet, below 0 when the
 * connection is over. */
static ssize_t received(struct conn *conn, ssize_t size)
{
    if (size > 0) {
        METRIC_ADD(conn->worker->counters.bytes_read, (uint64_t)size);
        return size;
    }
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    if (size < 0)
        (void)broken(conn);
    return -1;
}

/* Where the next bytes go, behind those that are kept. */
static char *space_to_read(struct conn *conn, size_t *room)
{
    struct conn_kept *kept = &conn->kept;

    if (kept->size <= KEPT_COPIED_MAX) {
        if (kept->size > 0)
            memcpy(conn->worker->input, kept->data, kept->size);
        *room = WORKER_INPUT_BYTES - kept->size;
        return conn->worker->input;
    }
    if (!kept_grow(conn, kept->size + KEPT_COPIED_MAX))
        return NULL;
    *room = kept->room - kept->size;
    return kept->data;
}

/* A client that sent a large value is likely to send another one. */
static bool read_requests(struct conn *conn)
{
    size_t had = conn->kept.size;
    size_t room;
    char *buffer = space_to_read(conn, &room);
    ssize_t got;

    if (buffer == NULL)
        return broken(conn);
    if (conn->had_body && room > BODY_FRONT_BYTES)
        room = BODY_FRONT_BYTES;
    conn->had_body = false;
    got = received(conn, transport_read(conn, buffer + had, room));
    if (got <= 0)
        return got == 0;
    return run(conn, slice_make(buffer, had + (size_t)got));
}

/* Reads a value straight into its item, and what follows it into the worker's
 * buffer with the same call. */
static ssize_t read_body_once(struct conn *conn, size_t *room)
{
    struct iovec vectors[2] = {
        {.iov_base = session_space(conn->session, room)},
        {.iov_base = conn->worker->input, .iov_len = BODY_FRONT_BYTES}};

    conn->had_body = true;
    vectors[0].iov_len = *room;
    return received(conn, transport_readv(conn, vectors, 2));
}

static bool read_body(struct conn *conn)
{
    size_t share = 0;
    size_t room, size;
    ssize_t got;

    do {
        got = read_body_once(conn, &room);
        if (got <= 0)
            return got == 0;
        size = (size_t)got;
        share += size;
        session_filled(conn->session, size < room ? size : room);
        if (size < room)
            return true;
        if (!run(conn, slice_make(conn->worker->input, size - room)))
            return false;
    } while (size == room + BODY_FRONT_BYTES && share < BODY_TURN_BYTES &&
             conn->want == SESSION_BODY && conn->unsent == NULL);
    return true;
}

/* ---- turns ---- */

/* Goes on with requests that were read before. */
static bool run_kept(struct conn *conn)
{
    return run(conn, slice_make(conn->kept.data, conn->kept.size));
}

/* What was unsent is sent. */
static bool go_on(struct conn *conn)
{
    if (conn->want == SESSION_DRAIN || conn->want == SESSION_YIELD ||
        conn->want == SESSION_WATCH || conn->want == SESSION_ASK)
        return run_kept(conn);
    return true;
}

static bool write_unsent(struct conn *conn)
{
    switch (send_pending(conn, conn->unsent)) {
    case SENT_ALL:
        break;
    case SENT_SOME:
        return true;
    case SENT_FAILED:
        return broken(conn);
    }
    drop_unsent(conn);
    if (conn->want == SESSION_CLOSE)
        return false;
    return await_instead(conn, EV_READ) ? go_on(conn) : broken(conn);
}

/* Mostly the socket takes them at once and is still listened to. */
static bool write_released(struct conn *conn)
{
    switch (send_pending(conn, conn->unsent)) {
    case SENT_ALL:
        break;
    case SENT_SOME:
        return await_instead(conn, EV_WRITE) || broken(conn);
    case SENT_FAILED:
        return broken(conn);
    }
    drop_unsent(conn);
    if (conn->want == SESSION_CLOSE)
        return false;
    if (event_pending(&conn->event, EV_READ, NULL) != 0)
        return go_on(conn);
    return await_instead(conn, EV_READ) ? go_on(conn) : broken(conn);
}

/* The first turns of a connection with TLS; what it then asks for may have
 * come with the handshake. */
static bool shake(struct conn *conn, short what)
{
    switch (transport_shake(conn, (what & EV_TIMEOUT) != 0)) {
    case TLS_SHAKEN:
        (void)event_remove_timer(&conn->event);
        return read_requests(conn);
    case TLS_SHAKES:
        return true;
    case TLS_SHAKE_FAILED:
        return broken(conn);
    case TLS_SHAKE_LEFT:
        break;
    }
    return false;
}

/* TLS has its own idea of what is to be waited for: bytes that it took from
 * the socket already call for a turn, not for the socket. */
static bool follow_tls(struct conn *conn)
{
    bool writes = tls_link_waits_to_write(conn->tls, conn->unsent != NULL);
    short what = writes ? EV_WRITE : EV_READ;

    if ((event_get_events(&conn->event) & what) == 0 &&
        !await_instead(conn, what))
        return broken(conn);
    if (conn->unsent == NULL && !conn->ready && conn->want != SESSION_ASK &&
        tls_link_has_input(conn->tls))
        worker_queue(conn->worker, conn);
    return true;
}

static bool take_turn(struct conn *conn)
{
    if (conn->unsent != NULL)
        return write_unsent(conn);
    if (conn->want == SESSION_BODY)
        return read_body(conn);
    return read_requests(conn);
}

static enum conn_state state_of(const struct conn *conn)
{
    if (conn->unsent != NULL)
        return CONN_STATE_WRITE;
    if (conn->ready)
        return CONN_STATE_TURN;
    if (conn->watches)
        return CONN_STATE_WATCH;
    return conn->want == SESSION_BODY ? CONN_STATE_VALUE : CONN_STATE_READ;
}

static void begin_turn(struct conn *conn)
{
    worker_set_now(conn->worker);
    __atomic_store_n(&conn->active_s, conn->worker->now_s, __ATOMIC_RELAXED);
    show_state(conn, CONN_STATE_RUN);
}

/* Until the answer is there a client that asked is not read. */
static bool follow_question(struct conn *conn)
{
    bool asks = conn->want == SESSION_ASK;

    if (asks && !conn->asks)
        worker_add_asker(conn->worker, conn);
    else if (!asks && conn->asks)
        worker_remove_asker(conn->worker, conn);
    if (conn->unsent != NULL)
        return true;
    if (asks)
        event_del(&conn->event);
    else if (event_add(&conn->event, NULL) != 0)
        return broken(conn);
    return true;
}

/* What a turn that failed leaves in the shared sink is for nobody. */
static bool end_of_turn(struct conn *conn, bool open)
{
    struct worker *worker = conn->worker;

    command_thread_settle(worker->commands);
    if (UNLIKELY(conn->tls != NULL) && open && !conn_is_held(conn))
        open = follow_tls(conn);
    if (UNLIKELY(conn->want == SESSION_ASK || conn->asks) && open)
        open = follow_question(conn);
    if (UNLIKELY(conn->want == SESSION_WATCH) && !conn->watches)
        worker_add_watcher(worker, conn);
    if (!open)
        sink_clear(worker->sink);
    INVARIANT(sink_pending(worker->sink) == 0);
    show_state(conn, state_of(conn));
    return open;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct conn *conn = arg;

    bool open;

    (void)fd;
    if (conn->ready)
        return; /* Its turn is at the end of this round. */
    if (UNLIKELY(conn_is_held(conn))) {
        event_del(&conn->event); /* Its turn comes with conn_release(). */
        return;
    }
    begin_turn(conn);
    open = transport_is_shaken(conn) ? take_turn(conn) : shake(conn, what);
    if (!end_of_turn(conn, open))
        conn_end(&conn, conn->end);
}

bool conn_resume(struct conn *conn)
{
    INVARIANT(conn->unsent == NULL);

    begin_turn(conn);
    if (conn->want == SESSION_DRAIN || conn->want == SESSION_YIELD ||
        conn->want == SESSION_ASK)
        return end_of_turn(conn, run_kept(conn));
    return end_of_turn(conn, take_turn(conn));
}

bool conn_release(struct conn *conn)
{
    INVARIANT(conn->unsent != NULL);

    begin_turn(conn);
    return end_of_turn(conn, write_released(conn));
}

bool conn_take_lines(struct conn *conn)
{
    if (conn->unsent != NULL || conn->ready)
        return true; /* It takes them when it can. */
    worker_set_now(conn->worker);
    return end_of_turn(conn, run_kept(conn));
}

/* ---- life ---- */

struct conn *conn_new(int fd, const struct listener *listener)
{
    struct conn *conn = memory_new(1, sizeof(*conn));

    if (conn == NULL)
        return NULL;
    conn->fd = fd;
    conn->listener = listener;
    return conn;
}

void conn_free(struct conn **conn)
{
    if (*conn == NULL)
        return;
    close((*conn)->fd);
    memory_free(conn);
}

int conn_start(struct conn *conn, struct worker *worker)
{
    conn->worker = worker;
    conn->active_s = worker->now_s;
    idle_wheel_add(&worker->wheel, conn);
    registry_add(worker->registry, conn);
    log_v(LOG_LEVEL_VV, "<%d new auto-negotiating client connection", conn->fd);
    conn->session =
        session_new(worker->commands, &conn->listener->session, conn->fd);
    if (conn->session == NULL || transport_open(conn) != 0)
        return -ERR_MEMORY;
    conn_events_begin(conn);
    return await(conn, EV_READ);
}

void conn_end(struct conn **conn_at, enum conn_end reason)
{
    struct conn *conn = *conn_at;

    worker_unqueue(conn->worker, conn);
    hold_end(conn);
    conn_events_end(conn, reason);
    log_v(LOG_LEVEL_VV, "<%d connection closed.", conn->fd);
    if (conn->watches)
        worker_remove_watcher(conn->worker, conn);
    if (conn->asks)
        worker_remove_asker(conn->worker, conn);
    registry_remove(conn->worker->registry, conn);
    idle_wheel_remove(conn);
    if (event_initialized(&conn->event))
        event_del(&conn->event);
    session_free(&conn->session);
    drop_unsent(conn);
    kept_drop(conn);
    transport_close(conn);
    census_leave(conn->worker->census);
    conn_free(conn_at);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* One client's connection: a socket, its session, and what is left over from
 * the last turn, if anything is. */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "src/command/session.h"
#include "src/server/hold.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

struct listener;
struct worker;

/* Bytes read and not yet taken: an incomplete request, or requests that wait
 * for the next turn. data is NULL when there are none. */
struct conn_kept {
    char *data;
    size_t size;
    size_t room;
};

/* Why a connection ends. */
enum conn_end {
    CONN_END_NORMAL, /* The client left, or was told to. */
    CONN_END_ERROR,
    CONN_END_IDLE,
    CONN_END_SHUTDOWN,
};

/* What it does, in memcached's words. */
#define CONN_STATES(X) \
    X(NEW, "conn_new_cmd") /* Nothing came yet. */ \
    X(READ, "conn_read") \
    X(RUN, "conn_parse_cmd") \
    X(VALUE, "conn_nread") \
    X(TURN, "conn_waiting") \
    X(WRITE, "conn_mwrite") \
    X(WATCH, "conn_watch")

enum conn_state {
#define X(name, word) CONN_STATE_##name,
    CONN_STATES(X)
#undef X
};

/* Owned by its worker's thread. */
struct conn {
    struct event event;
    struct worker *worker;
    struct session *session;
    struct sink *unsent; /* Replies the socket did not take, else NULL. While
                            there are any nothing is read. */
    struct hold *hold;   /* NULL: they do not wait for the peer. */
    struct conn_kept kept;
    struct conn *next; /* In the worker's wheel, or its arrivals. */
    struct conn **link;
    struct conn *ready_next;
    const struct listener *listener; /* It came in by. */
    struct tls_link *tls;            /* NULL: plain. */
    int fd;
    uint32_t unsent_held; /* Bytes of memory for unsent. */
    uint32_t active_s;    /* When it last did something. Read by any thread. */
    enum session_want want;
    unsigned char end;   /* enum conn_end, once it is to end. */
    unsigned char state; /* enum conn_state. Read by any thread. */
    bool ready;          /* Waits in the worker's list for its next turn. */
    bool had_body;       /* Its last request was a large value. */
    bool watches;        /* It is among those of the worker that watch. */
    bool asks;           /* Or that wait for an answer: it is not read. */
};

/* Thread: any.
 * Errors: NULL when memory is exhausted; fd stays open then.
 * Owns:   the result owns fd; until conn_free(), or conn_end() once it was
 *         started. */
struct conn *conn_new(int fd, const struct listener *listener);
void conn_free(struct conn **conn);

/* Hands the connection to its worker, in whose thread all that follows runs.
 * Errors: -ERR_MEMORY, -ERR_SYSTEM. */
MUST_CHECK int conn_start(struct conn *conn, struct worker *worker);
/* The one place where connections end. */
void conn_end(struct conn **conn, enum conn_end reason);

/* The next turn of a connection that gave way to others. False: it is to end,
 * for the reason it holds. */
MUST_CHECK bool conn_resume(struct conn *conn);

/* Its unsent replies wait for the peer, not for the client. */
static inline bool conn_is_held(const struct conn *conn)
{
    return conn->hold != NULL && conn->hold->link != NULL;
}
/* They no longer do: hold_end() was called. False: it is to end, as above. */
MUST_CHECK bool conn_release(struct conn *conn);

/* There may be lines for one that watches. False: as above. */
MUST_CHECK bool conn_take_lines(struct conn *conn);

#endif

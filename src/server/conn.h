/* SPDX-License-Identifier: BSD-3-Clause */
/* One client's connection: a socket, its session, and what is left over from
 * the last turn, if anything is. */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "src/command/session.h"

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

/* Owned by its worker's thread. */
struct conn {
    struct event event;
    struct worker *worker;
    struct session *session;
    struct sink *unsent; /* Replies the socket did not take, else NULL. While
                            there are any nothing is read. */
    struct conn_kept kept;
    struct conn *next; /* All of the worker's, or its arrivals. */
    struct conn **link;
    struct conn *ready_next;
    const struct listener *listener; /* It came in by. */
    int fd;
    enum session_want want;
    bool ready;    /* Waits in the worker's list for its next turn. */
    bool had_body; /* Its last request was a large value. */
};

/* Thread: any.
 * Errors: NULL when memory is exhausted; fd stays open then.
 * Owns:   the result owns fd; until conn_free(). */
struct conn *conn_new(int fd, const struct listener *listener);
void conn_free(struct conn **conn);

/* Hands the connection to its worker, in whose thread all that follows runs.
 * Errors: -ERR_MEMORY, -ERR_SYSTEM. */
MUST_CHECK int conn_start(struct conn *conn, struct worker *worker);

/* The next turn of a connection that gave way to others. False: it is to be
 * freed. */
MUST_CHECK bool conn_resume(struct conn *conn);

#endif

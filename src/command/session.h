/* SPDX-License-Identifier: BSD-3-Clause */
/* One client's conversation without a socket: bytes in, replies out.
 *
 * The server reads into any buffer and hands over what is there; the session
 * takes whole requests off its front, executes them in batches and composes
 * the replies in a sink. What it did not take stays with the server and comes
 * again with more behind it. A large value bypasses the buffer: it is read
 * from the socket straight into its item.
 *
 * Any cut of the input into pieces gives the same replies.
 *
 * A line that names many keys is answered a few dozen keys at a time; what is
 * left of it stays in the input meanwhile. */
#ifndef COMMAND_SESSION_H
#define COMMAND_SESSION_H

#include "src/protocol/sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command_thread;
struct session;
struct watch_classes;
struct watch_ring;

enum session_want {
    SESSION_INPUT, /* More bytes behind what was not taken. */
    SESSION_BODY,  /* Value bytes, at session_space(). */
    SESSION_DRAIN, /* The sink is full: send it, then run again. */
    SESSION_YIELD, /* Its share of this turn is used: run again when others
                      had theirs. */
    SESSION_WATCH, /* Nothing: what the client sends is of no interest, and
                      lines for it come by themselves. Run it again whenever the
                      thread was woken: command_thread_set_wake(). */
    SESSION_ASK,   /* Nothing: it waits for an answer, and what the client sends
                      has to wait with it. Run it again as with WATCH. At most
                      ERRANDS_MAX + FETCHES_MAX sessions of a daemon do. */
    SESSION_CLOSE, /* Send what is pending, then close. */
};

/* What may stand in a request line; one that only names keys may be longer. */
#define SESSION_LINE_MAX 2048
#define SESSION_GET_LINE_MAX (16u * 1024 * 1024)
/* A value up to this size is left in the input until all of it is there. */
#define SESSION_SMALL_VALUE_MAX (16u * 1024)

enum session_protocol {
    SESSION_AUTO, /* The first byte tells: 0x80 is binary. */
    SESSION_TEXT,
    SESSION_BINARY,
};

/* What the socket a client came in by says of its session; all zeros are what
 * memcached does by default. */
struct session_config {
    enum session_protocol protocol; /* -B, or a listener's own. */
    bool local;                     /* By a UNIX socket. */
    bool datagram;                  /* By UDP. */
};

/* Copies what it needs of config; fd is what the client is called in lines
 * about it.
 * Errors: NULL when memory is exhausted.
 * Thread: the worker that owns thread. */
struct session *session_new(struct command_thread *thread,
                            const struct session_config *config, int fd);
void session_free(struct session **session);

/* Takes requests off the front of input; at most requests_max of them (-R, at
 * least 1), where some dozens of keys of one line count as a request. Returns
 * how many bytes it took. */
size_t session_run(struct session *session, struct slice input,
                   size_t requests_max, struct sink *out,
                   enum session_want *want);

/* No more input comes: what came was a datagram. Says so of a value that is not
 * all there; an incomplete line is not answered. The session is then only good
 * to be freed.
 * rest: what session_run() did not take. */
void session_cut(struct session *session, struct slice rest, struct sink *out);

/* It is in the middle of a reply that is made in pieces: it gives way between
 * them whatever -R says. */
bool session_is_streaming(const struct session *session);

/* It wants SESSION_ASK, and to run it would not change that. */
bool session_is_waiting(const struct session *session);

/* It wants SESSION_CLOSE because no request will ever come of the input. */
bool session_is_broken(const struct session *session);

/* Where the next value bytes go when it wants SESSION_BODY: at least one.
 * They may as well come as input. Run it again when they are filled. */
char *session_space(struct session *session, size_t *room);
void session_filled(struct session *session, size_t size);

/* How the thread is told that sessions which want SESSION_WATCH have lines:
 * from another thread, under a lock, so that it must not block.
 * Thread: before the first session. */
typedef void command_wake_fn(void *ctx);
void command_thread_set_wake(struct command_thread *thread,
                             command_wake_fn *wake, void *ctx);
/* Where lines about its clients go, and which are wanted. The ring is NULL when
 * nobody can watch. */
struct watch_ring *command_thread_ring(const struct command_thread *thread);
const struct watch_classes *
command_thread_watched(const struct command_thread *thread);

/* The number of the change that must be with the peer before the replies of
 * sessions that ran since this was last asked may go out; 0: they may. */
uint64_t command_thread_awaits(struct command_thread *thread);

/* Sets the thread's time; once per batch of events. */
void command_thread_set_now(struct command_thread *thread, uint64_t now_ns);
/* After the replies are written: the time to wake the replication. */
void command_thread_settle(struct command_thread *thread);

#endif

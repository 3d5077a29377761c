/* SPDX-License-Identifier: BSD-3-Clause */
/* A reply that is made piece by piece, as the client takes it: what lists the
 * whole cache needs no more memory than one sink, and gives way to other
 * clients between its pieces. */
#ifndef COMMAND_STREAM_H
#define COMMAND_STREAM_H

#include "src/command/thread.h"

enum stream_state {
    STREAM_MORE,
    STREAM_END,
    STREAM_WAIT, /* Nothing for now: see SESSION_WATCH. */
    STREAM_ASKS, /* Nothing for now: see SESSION_ASK. */
};

struct stream;

/* Puts the next piece, of some dozens of microseconds and some KiB; it may be
 * empty. Called again when the sink has room and others had their turn. */
typedef enum stream_state stream_step_fn(struct stream *stream,
                                         struct command_thread *thread,
                                         struct sink *out);
/* At the end, or before it when the client has gone. */
typedef void stream_free_fn(struct stream *stream,
                            struct command_thread *thread);

/* The first member of what such a reply remembers between its pieces. */
struct stream {
    stream_step_fn *step;
    stream_free_fn *free;
};

/* Called while a request of the operator or of `stats` is executed: the reply
 * goes on with the stream, and only then the session with the next request.
 * Owns:   the session owns the stream, and frees it in the thread that owns
 *         the session. */
static inline void stream_start(struct command_thread *thread,
                                struct stream *stream)
{
    thread->stream = stream;
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Where replies are composed: bytes in a buffer, and between them borrowed
 * bytes that are sent from where they lie. One sink per thread serves all its
 * connections; what a slow reader does not take moves to a sink of its own.
 *
 *   spans:  [ buffer 0..31 ][ borrowed 300,000 ][ buffer 31..38 ] ...
 */
#ifndef PROTOCOL_SINK_H
#define PROTOCOL_SINK_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* A session stops producing beyond this and goes on when it is written. */
#define SINK_FULL_BYTES (64u * 1024)
#define SINK_FULL_SPANS 256
/* One reply alone (stats, a large multiget's last key) may go up to here. */
#define SINK_BYTES_MAX (16u * 1024 * 1024)

struct sink;

/* Thread: one at a time.
 * Errors: NULL when memory is exhausted. An empty sink holds no buffer. */
struct sink *sink_new(void);
void sink_free(struct sink **sink); /* Releases what is still borrowed. */
/* Forgets what is pending, releases what is borrowed and is sound again: the
 * connection it was meant for is gone. */
void sink_clear(struct sink *sink);

/* Appends. A sink that cannot grow remembers that: sink_failed(); it takes
 * and gives no more, and the connection is then closed. */
void sink_put(struct sink *sink, const char *data, size_t size);
#define sink_put_literal(sink, text) sink_put((sink), (text), sizeof(text) - 1)
void sink_put_u64(struct sink *sink, uint64_t value);
/* Room for size bytes to be filled by the caller, who then says how many were
 * used; NULL when the sink failed. */
char *sink_room(struct sink *sink, size_t size);
void sink_used(struct sink *sink, size_t size);
/* Bytes of somebody else, at least one, kept in place until release(ctx, owner)
 * is called, once, when they are sent or the sink is freed, cleared or failed.
 * release is NULL for all but the last of several spans of one owner. */
typedef void sink_release_fn(void *ctx, void *owner);
void sink_borrow(struct sink *sink, struct slice bytes,
                 sink_release_fn *release, void *ctx, void *owner);

bool sink_full(const struct sink *sink);
bool sink_failed(const struct sink *sink);
size_t sink_pending(const struct sink *sink); /* Bytes not yet sent. */
/* Memory of its own, borrowed bytes aside; changes only when it is put to. */
size_t sink_held_bytes(const struct sink *sink);

/* Copies what is pending behind the first `from` bytes, up to room bytes;
 * returns how many. */
size_t sink_peek(const struct sink *sink, size_t from, char *to, size_t room);

/* Sending: up to count vectors of what is pending; then what was sent. The
 * vectors are good until the sink is used again. */
size_t sink_vectors(struct sink *sink, struct iovec *vectors, size_t count);
void sink_sent(struct sink *sink, size_t size);
/* Moves all that is pending to another, empty sink, which takes as much room
 * as that needs. Errors: -ERR_MEMORY; nothing has moved then. */
MUST_CHECK int sink_move(struct sink *from, struct sink *to);

#endif

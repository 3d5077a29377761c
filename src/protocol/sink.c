/* SPDX-License-Identifier: BSD-3-Clause */
/* One growing buffer, and a list of spans only where something is borrowed.
 * A span of the buffer has no address of its own, since the buffer moves when
 * it grows: such spans lie in it one behind the other, from `read_at` on.
 *
 *   buffer:  [ sent | span 0 | span 2 | open, no span yet | room ]
 *                   ^read_at          ^closed             ^used
 *   spans:   [ 0: buffer | 1: borrowed | 2: buffer | 3: borrowed ]
 *
 * Most batches borrow nothing and so have no spans at all. */
#include "src/protocol/sink.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"

#define START_BYTES (16u * 1024)
#define START_SPANS 16u
/* An emptied sink gives a larger buffer back. */
#define KEEP_BYTES (4u * SINK_FULL_BYTES)

struct span {
    const char *data; /* NULL: the next size bytes of the buffer. */
    size_t size;
    sink_release_fn *release;
    void *ctx;
    void *owner;
};

struct sink {
    char *buffer;
    size_t capacity;
    size_t used;
    size_t closed;  /* Up to here spans describe the buffer. */
    size_t read_at; /* Up to here it is sent. */
    struct span *spans;
    size_t spans_capacity;
    size_t first; /* Span not yet sent. */
    size_t count;
    size_t borrowed_bytes; /* Not yet sent. */
    bool failed;
};

struct sink *sink_new(void)
{
    return memory_new(1, sizeof(struct sink));
}

static void release_span(const struct span *span)
{
    if (span->release != NULL)
        span->release(span->ctx, span->owner);
}

/* Nothing is pending: all the room is free again. */
static void start_over(struct sink *sink)
{
    sink->used = 0;
    sink->closed = 0;
    sink->read_at = 0;
    sink->first = 0;
    sink->count = 0;
    INVARIANT(sink->borrowed_bytes == 0);
    if (sink->capacity > KEEP_BYTES) {
        memory_free(&sink->buffer);
        sink->capacity = 0;
    }
}

void sink_clear(struct sink *sink)
{
    while (sink->first < sink->count)
        release_span(&sink->spans[sink->first++]);
    sink->borrowed_bytes = 0;
    sink->failed = false;
    start_over(sink);
}

void sink_free(struct sink **sink)
{
    if (*sink == NULL)
        return;
    sink_clear(*sink);
    memory_free(&(*sink)->buffer);
    memory_free(&(*sink)->spans);
    memory_free(sink);
}

/* What is sent makes room first. */
static void compact(struct sink *sink)
{
    size_t sent = sink->read_at;

    if (sent == 0)
        return;
    memmove(sink->buffer, sink->buffer + sent, sink->used - sent);
    sink->used -= sent;
    sink->closed = sink->closed > sent ? sink->closed - sent : 0;
    sink->read_at = 0;
}

static size_t larger(size_t capacity, size_t start, size_t need)
{
    if (capacity < start)
        capacity = start;
    while (capacity < need)
        capacity *= 2;
    return capacity;
}

static char *grow(struct sink *sink, size_t size)
{
    size_t capacity;
    char *buffer;

    compact(sink);
    if (sink->capacity - sink->used >= size)
        return sink->buffer + sink->used;
    if (size > SINK_BYTES_MAX || sink->used > SINK_BYTES_MAX - size) {
        sink->failed = true;
        return NULL;
    }
    capacity = larger(sink->capacity, START_BYTES, sink->used + size);
    buffer = memory_resize(sink->buffer, capacity, 1);
    if (buffer == NULL) {
        sink->failed = true;
        return NULL;
    }
    sink->buffer = buffer;
    sink->capacity = capacity;
    return buffer + sink->used;
}

char *sink_room(struct sink *sink, size_t size)
{
    if (UNLIKELY(sink->failed))
        return NULL;
    if (UNLIKELY(sink->capacity - sink->used < size))
        return grow(sink, size);
    return sink->buffer + sink->used;
}

void sink_used(struct sink *sink, size_t size)
{
    INVARIANT(size <= sink->capacity - sink->used);
    sink->used += size;
}

void sink_put(struct sink *sink, const char *data, size_t size)
{
    char *room;

    if (size == 0)
        return;
    room = sink_room(sink, size);
    if (UNLIKELY(room == NULL))
        return;
    memcpy(room, data, size);
    sink->used += size;
}

void sink_put_u64(struct sink *sink, uint64_t value)
{
    char *room = sink_room(sink, NUMBER_DIGITS_MAX);

    if (room != NULL)
        sink->used += number_write_u64(room, value);
}

/* Room for two more spans; the list starts at its front again where it can. */
static int grow_spans(struct sink *sink)
{
    struct span *spans;
    size_t capacity;

    if (sink->first > 0) {
        sink->count -= sink->first;
        memmove(sink->spans, sink->spans + sink->first,
                sink->count * sizeof(*sink->spans));
        sink->first = 0;
    }
    if (sink->spans_capacity - sink->count >= 2)
        return 0;
    capacity = larger(sink->spans_capacity, START_SPANS, sink->count + 2);
    spans = memory_resize(sink->spans, capacity, sizeof(*spans));
    if (spans == NULL)
        return -ERR_MEMORY;
    sink->spans = spans;
    sink->spans_capacity = capacity;
    return 0;
}

/* The buffer's bytes since the last span become one. */
static void close_span(struct sink *sink)
{
    size_t from = sink->closed > sink->read_at ? sink->closed : sink->read_at;

    if (sink->used > from) {
        sink->spans[sink->count++] = (struct span){.size = sink->used - from};
        sink->closed = sink->used;
    }
}

void sink_borrow(struct sink *sink, struct slice bytes,
                 sink_release_fn *release, void *ctx, void *owner)
{
    struct span span = {bytes.data, bytes.size, release, ctx, owner};

    INVARIANT(bytes.data != NULL);
    INVARIANT(bytes.size > 0);
    if (!sink->failed && sink->spans_capacity - sink->count < 2)
        sink->failed = grow_spans(sink) != 0;
    if (sink->failed) {
        release_span(&span);
        return;
    }
    close_span(sink);
    sink->spans[sink->count++] = span;
    sink->borrowed_bytes += span.size;
}

size_t sink_pending(const struct sink *sink)
{
    return sink->used - sink->read_at + sink->borrowed_bytes;
}

size_t sink_held_bytes(const struct sink *sink)
{
    return sink->capacity + sink->spans_capacity * sizeof(*sink->spans);
}

bool sink_full(const struct sink *sink)
{
    return sink_pending(sink) >= SINK_FULL_BYTES ||
           sink->count - sink->first >= SINK_FULL_SPANS;
}

bool sink_failed(const struct sink *sink)
{
    return sink->failed;
}

/* struct iovec is the same for reading, so it knows no const. */
static struct iovec vector_of(const char *data, size_t size)
{
    union {
        const char *in;
        void *out;
    } base = {.in = data};

    return (struct iovec){.iov_base = base.out, .iov_len = size};
}

size_t sink_vectors(struct sink *sink, struct iovec *vectors, size_t count)
{
    size_t at = sink->read_at;
    size_t n = 0;
    size_t i;

    if (sink->failed)
        return 0;
    for (i = sink->first; i < sink->count && n < count; i++) {
        const struct span *span = &sink->spans[i];

        if (span->data != NULL) {
            vectors[n++] = vector_of(span->data, span->size);
        } else {
            vectors[n++] = vector_of(sink->buffer + at, span->size);
            at += span->size;
        }
    }
    if (i == sink->count && n < count && sink->used > at)
        vectors[n++] = vector_of(sink->buffer + at, sink->used - at);
    return n;
}

/* What one span has of the bytes that are wanted. */
struct peek {
    size_t skip; /* Bytes not wanted, */
    char *to;
    size_t room;
    size_t done;
};

static void peek_at(struct peek *peek, const char *data, size_t size)
{
    size_t skipped = peek->skip < size ? peek->skip : size;
    size_t left = size - skipped;

    peek->skip -= skipped;
    if (left > peek->room - peek->done)
        left = peek->room - peek->done;
    memcpy(peek->to + peek->done, data + skipped, left);
    peek->done += left;
}

size_t sink_peek(const struct sink *sink, size_t from, char *to, size_t room)
{
    struct peek peek = {.skip = from, .to = to, .room = room};
    size_t at = sink->read_at;

    for (size_t i = sink->first; i < sink->count; i++) {
        const struct span *span = &sink->spans[i];

        if (span->data != NULL) {
            peek_at(&peek, span->data, span->size);
        } else {
            peek_at(&peek, sink->buffer + at, span->size);
            at += span->size;
        }
    }
    if (sink->used > at)
        peek_at(&peek, sink->buffer + at, sink->used - at);
    return peek.done;
}

/* Takes up to size bytes off the first span; returns how many. */
static size_t send_span(struct sink *sink, size_t size)
{
    struct span *span = &sink->spans[sink->first];

    if (size > span->size)
        size = span->size;
    span->size -= size;
    if (span->data != NULL) {
        span->data += size;
        sink->borrowed_bytes -= size;
    } else {
        sink->read_at += size;
    }
    if (span->size == 0) {
        sink->first++;
        release_span(span);
    }
    return size;
}

void sink_sent(struct sink *sink, size_t size)
{
    INVARIANT(size <= sink_pending(sink));
    while (sink->first < sink->count && size > 0)
        size -= send_span(sink, size);
    sink->read_at += size;
    if (sink_pending(sink) == 0) {
        INVARIANT(sink->first == sink->count);
        start_over(sink);
    }
}

static int copy_pending(const struct sink *from, struct sink *to)
{
    size_t bytes = from->used - from->read_at;
    size_t spans = from->count - from->first;

    if (bytes > to->capacity) {
        char *buffer = memory_resize(to->buffer, bytes, 1);

        if (buffer == NULL)
            return -ERR_MEMORY;
        to->buffer = buffer;
        to->capacity = bytes;
    }
    if (spans > to->spans_capacity) {
        struct span *list = memory_resize(to->spans, spans, sizeof(*list));

        if (list == NULL)
            return -ERR_MEMORY;
        to->spans = list;
        to->spans_capacity = spans;
    }
    if (bytes > 0)
        memcpy(to->buffer, from->buffer + from->read_at, bytes);
    if (spans > 0)
        memcpy(to->spans, from->spans + from->first,
               spans * sizeof(*to->spans));
    return 0;
}

int sink_move(struct sink *from, struct sink *to)
{
    int error;

    INVARIANT(sink_pending(to) == 0);
    error = copy_pending(from, to);
    if (error != 0)
        return error;
    to->used = from->used - from->read_at;
    to->closed =
        from->closed > from->read_at ? from->closed - from->read_at : 0;
    to->count = from->count - from->first;
    to->borrowed_bytes = from->borrowed_bytes;
    to->failed = from->failed;
    from->borrowed_bytes = 0;
    from->failed = false;
    start_over(from);
    return 0;
}

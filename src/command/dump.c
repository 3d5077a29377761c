/* SPDX-License-Identifier: BSD-3-Clause */
/* A dump goes through the table by hash, a hundred items at a time, and what
 * it found is sent before it goes on. So nobody waits for a client that does
 * not read: the dump stands still, that is all. */
#include "src/command/dump.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/command/stream.h"
#include "src/command/value.h"
#include "src/protocol/base64.h"
#include "src/protocol/text.h"

#include <inttypes.h>
#include <stdio.h>

/* The key with each byte as %XX, and all the numbers. */
#define LINE_BYTES_MAX (3 * ENGINE_KEY_MAX + 256)
#define CACHED_BYTES_MAX (2u * 1024 * 1024) /* As memcached. */

struct dump {
    struct stream stream; /* First. */
    struct engine_walk walk;
    enum dump_kind kind;
    uint64_t ticket;
    bool cas_shown;
    struct sink *out; /* Of the present step. */
};

/* ---- lines ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '~';
}

/* As in a URI. */
static char *put_encoded(char *at, struct slice key)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i;

    for (i = 0; i < key.size; i++) {
        unsigned char byte = (unsigned char)key.data[i];

        if (is_plain(key.data[i])) {
            *at++ = key.data[i];
        } else {
            *at++ = '%';
            *at++ = digits[byte >> 4];
            *at++ = digits[byte & 15];
        }
    }
    return at;
}

/* A number behind its name. */
#define PUT_FIELD(at, name, value) \
    put_field((at), (name), sizeof(name) - 1, (value))

static char *put_field(char *at, const char *name, size_t size, uint64_t value)
{
    at = value_put_text(at, name, size);
    return at + number_write_u64(at, value);
}

static void put_meta(struct dump *dump, const struct engine_view *view)
{
    char *room = sink_room(dump->out, LINE_BYTES_MAX);
    char *at = room;

    if (room == NULL)
        return;
    at = put_encoded(value_put_text(at, "key=", 4), view->key);
    if (view->expires_at_s != 0)
        at = PUT_FIELD(at, " exp=", view->expires_at_s);
    else
        at = value_put_text(at, " exp=-1", 7);
    at = PUT_FIELD(at, " la=", view->accessed_at_s);
    at = PUT_FIELD(at, " cas=", dump->cas_shown ? view->cas : 0);
    if (view->fetched)
        at = value_put_text(at, " fetch=yes", 10);
    else
        at = value_put_text(at, " fetch=no", 9);
    at = PUT_FIELD(at, " cls=", view->slab_class);
    at = PUT_FIELD(at, " size=", engine_view_bytes(view));
    at = PUT_FIELD(at, " flags=", view->client_flags);
    at = value_put_text(at, " \n", 2);
    sink_used(dump->out, (size_t)(at - room));
}

static void put_mg(struct dump *dump, const struct engine_view *view)
{
    char encoded[BASE64_ENCODED_BYTES(ENGINE_KEY_MAX)];

    sink_put_literal(dump->out, "mg ");
    if (view->state & ITEM_STATE_BINARY_KEY) {
        sink_put(dump->out, encoded, base64_encode(view->key, encoded));
        sink_put_literal(dump->out, " b\r\n");
    } else {
        sink_put(dump->out, view->key.data, view->key.size);
        sink_put_literal(dump->out, "\r\n");
    }
}

static void visit(void *ctx, struct engine_view *view)
{
    struct dump *dump = ctx;

    if (dump->kind == DUMP_META)
        put_meta(dump, view);
    else
        put_mg(dump, view);
}

/* ---- metadump and mgdump ---- */

static enum stream_state step_dump(struct stream *stream,
                                   struct command_thread *thread,
                                   struct sink *out)
{
    struct dump *dump = (struct dump *)(void *)stream;

    dump->out = out;
    engine_dump_use(thread->engine_thread, dump->ticket);
    if (engine_walk(thread->engine_thread, &dump->walk, visit, dump))
        return STREAM_MORE;
    if (dump->kind == DUMP_META)
        sink_put_literal(out, "END\r\n");
    else
        sink_put_literal(out, "EN\r\n");
    return STREAM_END;
}

static void free_dump(struct stream *stream, struct command_thread *thread)
{
    struct dump *dump = (struct dump *)(void *)stream;

    engine_dump_end(thread->engine_thread, dump->ticket);
    memory_free(&dump);
}

static enum engine_crawl begin_dump(struct command_thread *thread,
                                    struct dump *dump, struct sink *out)
{
    enum engine_crawl outcome =
        engine_dump_begin(thread->engine_thread, &dump->ticket);

    if (outcome != ENGINE_CRAWL_STARTED)
        return outcome;
    dump->stream = (struct stream){step_dump, free_dump};
    dump->cas_shown = thread->commands->config.cas_shown;
    sink_put_literal(out, "OK\r\n");
    stream_start(thread, &dump->stream);
    return outcome;
}

void dump_start(struct command_thread *thread, enum dump_kind kind,
                const struct engine_classes *classes, struct sink *out)
{
    struct dump *dump = memory_new(1, sizeof(*dump));

    if (dump == NULL) {
        sink_put_literal(out, "SERVER_ERROR out of memory\r\n");
        return;
    }
    dump->kind = kind;
    dump->walk.classes = *classes;
    switch (begin_dump(thread, dump, out)) {
    case ENGINE_CRAWL_STARTED:
        return;
    case ENGINE_CRAWL_BUSY:
        sink_put_literal(out, "BUSY currently processing crawler request\r\n");
        break;
    case ENGINE_CRAWL_DISABLED:
        sink_put_literal(out, "CLIENT_ERROR lru crawler disabled\r\n");
        break;
    }
    memory_free(&dump);
}

unsigned dump_class_max(const struct command_thread *thread)
{
    unsigned count = engine_classes_count(thread->engine);

    return count > DUMP_CLASSES_MIN ? count : DUMP_CLASSES_MIN;
}

/* ---- stats cachedump ---- */

struct cached {
    struct stream stream; /* First. */
    struct engine_walk walk;
    uint64_t left;    /* Items of the limit. */
    size_t bytes;     /* Put so far. */
    bool full;        /* Either limit is reached. */
    struct sink *out; /* Of the present step. */
};

static void visit_cached(void *ctx, struct engine_view *view)
{
    struct cached *cached = ctx;
    char tail[3 * NUMBER_DIGITS_MAX];
    int size;

    if (cached->full || !engine_view_is_cold(view))
        return;
    size = snprintf(tail, sizeof(tail), " [%zu b; %" PRIu32 " s]\r\n",
                    view->value_size, view->expires_at_s);
    INVARIANT(size > 0);
    cached->bytes += 5 + view->key.size + (size_t)size;
    if (cached->bytes > CACHED_BYTES_MAX) {
        cached->full = true;
        return;
    }
    sink_put_literal(cached->out, "ITEM ");
    sink_put(cached->out, view->key.data, view->key.size);
    sink_put(cached->out, tail, (size_t)size);
    cached->left--;
    cached->full = cached->left == 0;
}

static enum stream_state step_cached(struct stream *stream,
                                     struct command_thread *thread,
                                     struct sink *out)
{
    struct cached *cached = (struct cached *)(void *)stream;

    cached->out = out;
    if (engine_walk(thread->engine_thread, &cached->walk, visit_cached,
                    cached) &&
        !cached->full)
        return STREAM_MORE;
    sink_put_literal(out, "END\r\n");
    return STREAM_END;
}

static void free_cached(struct stream *stream, struct command_thread *thread)
{
    struct cached *cached = (struct cached *)(void *)stream;

    (void)thread;
    memory_free(&cached);
}

static void start_cached(struct command_thread *thread, unsigned class,
                         uint32_t limit, struct sink *out)
{
    struct cached *cached;

    if (class == 0 || class > engine_classes_count(thread->engine) ||
        engine_class_items(thread->engine, class) == 0) {
        sink_put_literal(out, "END\r\n");
        return;
    }
    cached = memory_new(1, sizeof(*cached));
    if (cached == NULL) {
        sink_put_literal(out, "SERVER_ERROR out of memory writing stats\r\n");
        return;
    }
    cached->stream = (struct stream){step_cached, free_cached};
    engine_classes_add(&cached->walk.classes, class);
    cached->left = limit != 0 ? limit : UINT64_MAX;
    stream_start(thread, &cached->stream);
}

void dump_cached(struct command_thread *thread, struct slice words,
                 struct sink *out)
{
    struct slice first = text_take(&words);
    struct slice second = text_take(&words);
    uint64_t class;
    uint64_t limit;

    if (!thread->commands->config.dump_allowed)
        sink_put_literal(out, "CLIENT_ERROR stats cachedump not allowed\r\n");
    else if (second.size == 0)
        sink_put_literal(out, "CLIENT_ERROR bad command line\r\n");
    else if (number_u64(first, &class) != 0 ||
             number_u64(second, &limit) != 0 || limit > UINT32_MAX)
        sink_put_literal(out, "CLIENT_ERROR bad command line format\r\n");
    else if (class > dump_class_max(thread))
        sink_put_literal(out, "CLIENT_ERROR Illegal slab id\r\n");
    else
        start_cached(thread, (unsigned)class, (uint32_t)limit, out);
}

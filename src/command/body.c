/* SPDX-License-Identifier: BSD-3-Clause */
/* The item is out of everybody's sight until it is committed, so a client that
 * stays away in the middle of a value leaves the old one in force. */
#include "src/command/body.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/command/ack.h"
#include "src/command/binary.h"
#include "src/command/execute.h"
#include "src/command/observe.h"
#include "src/command/request_log.h"

/* Owner: its session. */
struct body {
    struct engine_write write;
    struct item *item; /* NULL once it is committed. */
    size_t offset;     /* Filled up to here. */
    struct engine_cursor cursor;
    struct execute_stored stored;
    struct request request; /* What the answer will need of it. */
    bool binary;
    char key[ENGINE_KEY_MAX];
    char opaque[META_OPAQUE_MAX];
};

/* ---- start ---- */

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

static struct body *body_new(const struct op *op, const struct request *request,
                             bool binary)
{
    struct body *body = memory_new(1, sizeof(*body));

    if (body == NULL)
        return NULL;
    body->binary = binary;
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

/* NULL is a body for which there was no memory. */
static enum engine_outcome reserve(struct command_thread *thread,
                                   struct body *body,
                                   const struct engine_write *write)
{
    enum engine_outcome outcome;

    if (body == NULL)
        return ENGINE_NO_MEMORY;
    body->write = *write;
    body->write.key.bytes.data = body->key;
    body->write.size_stored = &body->stored.size;
    outcome = engine_reserve(thread->engine_thread, &body->write, &body->item);
    if (outcome != ENGINE_STORED)
        body->item = NULL;
    return outcome;
}

static void answer(struct command_thread *thread, const struct request *request,
                   const struct execute_stored *stored, bool binary,
                   struct sink *out)
{
    if (binary)
        binary_stored(thread, request, stored, out);
    else
        execute_stored(thread, request, stored, out);
}

struct body *body_start(struct command_thread *thread, const struct op *op,
                        const struct request *request, bool binary,
                        struct sink *out)
{
    struct body *body = body_new(op, request, binary);
    struct execute_stored stored = {.size = request->value_size};
    struct engine_write write;

    if (binary)
        binary_write(thread, op, request, &write);
    else
        execute_write(thread, op, request, &write);
    stored.outcome = reserve(thread, body, &write);
    if (stored.outcome == ENGINE_STORED)
        return body;
    body_free(thread, &body);
    observe_refused(thread, &write, stored.outcome);
    answer(thread, request, &stored, binary, out);
    return NULL;
}

/* ---- filling ---- */

char *body_space(struct command_thread *thread, struct body *body, size_t *room)
{
    INVARIANT(body != NULL);
    INVARIANT(!body_is_whole(body));
    return engine_item_space_on(thread->engine_thread, body->item, body->offset,
                                room, &body->cursor);
}

void body_filled(struct body *body, size_t size)
{
    INVARIANT(body != NULL);
    INVARIANT(size <= body->write.value_size - body->offset);
    body->offset += size;
}

size_t body_fill(struct command_thread *thread, struct body *body,
                 struct slice input)
{
    size_t taken = 0;

    while (taken < input.size && !body_is_whole(body)) {
        size_t room;
        char *space = body_space(thread, body, &room);

        INVARIANT(room > 0);
        if (room > input.size - taken)
            room = input.size - taken;
        memcpy(space, input.data + taken, room);
        taken += room;
        body_filled(body, room);
    }
    return taken;
}

bool body_is_whole(const struct body *body)
{
    return body->offset == body->write.value_size;
}

bool body_is_answered(const struct body *body)
{
    return !body->request.noreply;
}

/* ---- the end ---- */

static void commit(struct command_thread *thread, struct body *body,
                   struct sink *out)
{
    struct execute_stored *stored = &body->stored;

    if (UNLIKELY(thread->observed))
        observe_lookup(thread, &body->write.key);
    stored->outcome = engine_commit(thread->engine_thread, &body->write,
                                    &body->item, &stored->cas);
    if (UNLIKELY(thread->ack != NULL))
        ack_note(thread, &body->request);
    observe_stored(thread, &body->write, stored->outcome, stored->size);
    answer(thread, &body->request, stored, body->binary, out);
}

static void refuse(struct command_thread *thread, struct body *body,
                   struct sink *out)
{
    engine_count_spoilt(thread->engine_thread, &body->write);
    if (body_is_answered(body))
        sink_put_literal(out, "CLIENT_ERROR bad data chunk\r\n");
}

void body_finish(struct command_thread *thread, struct body **body_at,
                 const char *tail, struct sink *out)
{
    struct body *body = *body_at;
    const size_t before = sink_pending(out);

    INVARIANT(body_is_whole(body));
    if (body->binary || (tail[0] == '\r' && tail[1] == '\n'))
        commit(thread, body, out);
    else
        refuse(thread, body, out);
    if (UNLIKELY(thread->observed & OBSERVE_LOG))
        request_log_answer(thread, NULL, &body->request, out, before);
    body_free(thread, body_at);
}

void body_free(struct command_thread *thread, struct body **body)
{
    if (*body == NULL)
        return;
    if ((*body)->item != NULL)
        engine_discard(thread->engine_thread, &(*body)->item);
    memory_free(body);
}

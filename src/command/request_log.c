/* SPDX-License-Identifier: BSD-3-Clause */
/* The form is memcached's: "<30" came from client 30, ">30" went to it. What
 * was answered is read off the sink, so that no command knows of this. */
#include "src/command/request_log.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/protocol/binary.h"

#include <stdio.h>

#define REPLY_SHOWN_MAX 256
#define MARGIN_MAX 32

void request_log_line(const struct command_thread *thread, struct slice line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' ||
                             line.data[line.size - 1] == '\r'))
        line.size--;
    log_line(LOG_LEVEL_VV, "<%d %.*s", thread->fd, (int)line.size, line.data);
}

static bool begins(struct slice text, const char *with)
{
    size_t size = strlen(with);

    return text.size >= size && memcmp(text.data, with, size) == 0;
}

/* Replies with data are not shown. */
static bool is_shown(const struct request *request, struct slice reply)
{
    if (begins(reply, "CLIENT_ERROR") || begins(reply, "SERVER_ERROR") ||
        begins(reply, "ERROR"))
        return true;
    switch (request->verb) {
    case REQUEST_MG:
    case REQUEST_MS:
    case REQUEST_MD:
    case REQUEST_MA:
        return false;
    case REQUEST_ME:
        return begins(reply, "EN");
    default:
        return !begins(reply, "STAT") && !begins(reply, "END");
    }
}

/* The answer to one key of a get. */
static void log_lookup(const struct command_thread *thread, const struct op *op,
                       struct slice reply)
{
    if (begins(reply, "VALUE"))
        log_line(LOG_LEVEL_VV, ">%d sending key %.*s", thread->fd,
                 (int)op->key.bytes.size, op->key.bytes.data);
    if (op->last)
        log_line(LOG_LEVEL_VV, ">%d END", thread->fd);
}

static void log_reply(const struct command_thread *thread, const struct op *op,
                      const struct request *request, struct slice reply)
{
    const char *end;

    if (request->verb <= REQUEST_GATS && request->error == REQUEST_FINE) {
        log_lookup(thread, op, reply);
        return;
    }
    if (reply.size == 0 || !is_shown(request, reply))
        return;
    end = memchr(reply.data, '\r', reply.size);
    if (end != NULL)
        reply.size = (size_t)(end - reply.data);
    log_line(LOG_LEVEL_VV, ">%d %s%.*s", thread->fd,
             request->noreply ? "NOREPLY " : "", (int)reply.size, reply.data);
}

/* A binary header, four bytes a line. */
static void log_header(const char *margin, const char *bytes)
{
    const unsigned char *at = (const void *)bytes;

    for (size_t i = 0; i < BINARY_HEADER_BYTES; i += 4)
        log_line(LOG_LEVEL_VV, "%s 0x%02x 0x%02x 0x%02x 0x%02x", margin, at[i],
                 at[i + 1], at[i + 2], at[i + 3]);
}

void request_log_frame(const struct command_thread *thread, struct slice input)
{
    char margin[MARGIN_MAX];

    INVARIANT(input.size >= BINARY_HEADER_BYTES);
    log_line(LOG_LEVEL_VV, "<%d Read binary protocol data:", thread->fd);
    (void)snprintf(margin, sizeof(margin), "<%d   ", thread->fd);
    log_header(margin, input.data);
}

static void log_frame_reply(const struct command_thread *thread,
                            struct slice reply)
{
    char margin[MARGIN_MAX];

    if (reply.size < BINARY_HEADER_BYTES)
        return; /* A quiet request. */
    log_line(LOG_LEVEL_VV, ">%d Writing bin response:", thread->fd);
    (void)snprintf(margin, sizeof(margin), ">%d  ", thread->fd);
    log_header(margin, reply.data);
}

void request_log_answer(const struct command_thread *thread,
                        const struct op *op, const struct request *request,
                        const struct sink *out, size_t from)
{
    char text[REPLY_SHOWN_MAX];
    struct slice reply = {text, sink_peek(out, from, text, sizeof(text))};

    if (reply.size > 0 && (unsigned char)text[0] == BINARY_REPLY_MAGIC)
        log_frame_reply(thread, reply);
    else
        log_reply(thread, op, request, reply);
}

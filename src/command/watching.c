/* SPDX-License-Identifier: BSD-3-Clause */
/* The watcher of base/watch as a reply in pieces that never ends. */
#include "src/command/watching.h"

#include "src/base/memory.h"
#include "src/base/watch.h"
#include "src/command/stream.h"

#define PIECE_BYTES (16u * 1024)

struct watching {
    struct stream stream;
    struct watcher *watcher;
};

static enum stream_state put_lines(struct stream *stream,
                                   struct command_thread *thread,
                                   struct sink *out)
{
    struct watching *watching = (struct watching *)(void *)stream;
    char *room = sink_room(out, PIECE_BYTES);
    size_t size;

    (void)thread;
    if (room == NULL)
        return STREAM_MORE; /* The session sees that the sink has failed. */
    size = watcher_take(watching->watcher, room, PIECE_BYTES);
    sink_used(out, size);
    return size < PIECE_BYTES ? STREAM_WAIT : STREAM_MORE;
}

static void stop(struct stream *stream, struct command_thread *thread)
{
    struct watching *watching = (struct watching *)(void *)stream;

    (void)thread;
    watcher_free(&watching->watcher);
    memory_free(&watching);
}

/* Nobody watches without saying what: keys that are looked for. */
static bool take_classes(const struct admin_call *call, unsigned *classes)
{
    *classes = call->count > 0 ? 0 : WATCH_FETCHERS;
    for (unsigned i = 0; i < call->count; i++) {
        unsigned number = watch_class_of(call->words[i]);

        if (number == WATCH_CLASS_COUNT)
            return false;
        *classes |= 1u << number;
    }
    return true;
}

/* Errors: as watcher_new(). */
MUST_CHECK static int start(struct command_thread *thread, unsigned classes)
{
    struct watching *watching = memory_new(1, sizeof(*watching));
    int error;

    if (watching == NULL)
        return -ERR_MEMORY;
    watching->stream = (struct stream){.step = put_lines, .free = stop};
    error = watcher_new(thread->commands->config.watch, classes,
                        &watching->watcher);
    if (error != 0) {
        memory_free(&watching);
        return error;
    }
    watcher_await(watching->watcher, thread->wake, thread->wake_ctx);
    stream_start(thread, &watching->stream);
    return 0;
}

static bool is_possible(const struct command_thread *thread)
{
    const struct commands_config *config = &thread->commands->config;

    return config->watch_allowed && config->watch != NULL &&
           thread->wake != NULL && !thread->datagram;
}

void watching_start(const struct admin_call *call)
{
    unsigned classes;
    int error;

    if (!is_possible(call->thread)) {
        admin_reply(call, "CLIENT_ERROR watch commands not allowed");
        return;
    }
    if (sink_pending(call->out) > 0) {
        admin_reply(call, "ERROR cannot pipeline other commands before watch");
        return;
    }
    if (!take_classes(call, &classes)) {
        admin_reply(call, "ERROR");
        return;
    }
    error = start(call->thread, classes);
    if (error == 0)
        admin_reply(call, "OK");
    else if (error == -ERR_LIMIT)
        admin_reply(call, "WATCHER_TOO_MANY log watcher limit reached");
    else
        admin_reply(call, "WATCHER_FAILED failed to add log watcher");
}

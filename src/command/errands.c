/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer is a stream of one piece, which is not there yet at first. */
#include "src/command/errands.h"

#include "src/base/memory.h"
#include "src/command/stream.h"

struct waiting {
    struct stream stream; /* First. */
    struct errand *errand;
};

static enum stream_state step_waiting(struct stream *stream,
                                      struct command_thread *thread,
                                      struct sink *out)
{
    struct waiting *waiting = (struct waiting *)(void *)stream;
    struct slice answer;

    (void)thread;
    if (!errand_answer(waiting->errand, &answer))
        return STREAM_ASKS;
    sink_put(out, answer.data, answer.size);
    return STREAM_END;
}

static void free_waiting(struct stream *stream, struct command_thread *thread)
{
    struct waiting *waiting = (struct waiting *)(void *)stream;

    errand_drop(&waiting->errand);
    atomic_fetch_sub(&thread->commands->errands, 1);
    memory_free(&waiting);
}

/* The words of the call with one blank between them; false: too many. */
static bool join_words(const struct admin_call *call,
                       char words[ERRAND_WORDS_MAX], size_t *size)
{
    *size = 0;
    for (unsigned i = 0; i < call->count; i++) {
        struct slice word = call->words[i];

        if (word.size + 1 > ERRAND_WORDS_MAX - *size)
            return false;
        if (i > 0)
            words[(*size)++] = ' ';
        memcpy(words + *size, word.data, word.size);
        *size += word.size;
    }
    return true;
}

/* False when memory is exhausted. */
static bool begin(const struct admin_call *call, struct slice words)
{
    struct command_thread *thread = call->thread;
    const struct commands_config *config = &thread->commands->config;
    struct waiting *waiting = memory_new(1, sizeof(*waiting));

    if (waiting == NULL)
        return false;
    waiting->stream = (struct stream){step_waiting, free_waiting};
    waiting->errand = errand_new(words, thread->wake, thread->wake_ctx);
    if (waiting->errand == NULL) {
        memory_free(&waiting);
        return false;
    }
    stream_start(thread, &waiting->stream);
    config->repl(config->repl_ctx, waiting->errand);
    return true;
}

void errands_repl(const struct admin_call *call)
{
    struct commands *commands = call->thread->commands;
    char words[ERRAND_WORDS_MAX];
    size_t size;

    if (commands->config.repl == NULL) {
        admin_reply(call, "SERVER_ERROR replication not enabled");
        return;
    }
    if (call->thread->datagram || call->thread->wake == NULL) {
        admin_reply(call, "CLIENT_ERROR repl commands need a connection");
        return;
    }
    if (!join_words(call, words, &size)) {
        admin_reply(call, "CLIENT_ERROR bad command line format");
        return;
    }
    if (atomic_fetch_add(&commands->errands, 1) >= ERRANDS_MAX) {
        atomic_fetch_sub(&commands->errands, 1);
        admin_reply(call, "SERVER_ERROR too many repl commands at once");
        return;
    }
    if (begin(call, slice_make(words, size)))
        return;
    atomic_fetch_sub(&commands->errands, 1);
    admin_reply(call, "SERVER_ERROR out of memory");
}

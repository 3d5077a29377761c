/* SPDX-License-Identifier: BSD-3-Clause */
/* A command is a row: its name, how many words it takes at least, whether
 * `noreply` may end it, and what it does. */
#include "src/command/admin.h"

#include "src/command/crawler.h"
#ifdef DEBUG_COMMANDS
#include "src/command/debug.h"
#endif
#include "src/command/errands.h"
#include "src/command/tuning.h"
#include "src/command/watching.h"
#include "src/protocol/text.h"

struct row {
    const char *name;
    admin_fn *fn;
    unsigned char words_min;
    bool may_be_quiet;
};

static void shut_down(const struct admin_call *call)
{
    const struct commands_config *config = &call->thread->commands->config;
    bool graceful = admin_word_is(call, 0, "graceful");

    if (config->shut_down == NULL) {
        admin_reply(call, "SERVER_ERROR: shutdown not enabled");
        return;
    }
    if (call->count > (graceful ? 1 : 0)) {
        admin_reply(call, "CLIENT_ERROR invalid shutdown mode");
        return;
    }
    call->thread->ends = true;
    config->shut_down(config->shut_down_ctx, graceful);
}

static void refresh_certs(const struct admin_call *call)
{
    const struct commands_config *config = &call->thread->commands->config;
    char words[COMMANDS_WORDS_MAX];

    if (config->refresh_certs == NULL)
        admin_reply(call, "Error TLS not enabled");
    else if (config->refresh_certs(config->refresh_ctx, words) == 0)
        admin_reply(call, "OK");
    else
        admin_reply(call, words);
}

static const struct row rows[] = {
    {"cache_memlimit", tuning_memory, 0, true},
    {"lru", tuning_lru, 0, true},
    {"lru_crawler", crawler_command, 0, false},
    {"refresh_certs", refresh_certs, 0, false},
    {"repl", errands_repl, 1, false},
    {"shutdown", shut_down, 0, false},
    {"slabs", tuning_slabs, 0, true},
#ifdef DEBUG_COMMANDS
    {"debugtime", debug_time, 1, false},
    {"debugitem", debug_item, 1, false},
#endif
    {"watch", watching_start, 0, false},
};

void admin_reply(const struct admin_call *call, const char *line)
{
    if (call->noreply)
        return;
    sink_put(call->out, line, strlen(line));
    sink_put_literal(call->out, "\r\n");
}

bool admin_word_is(const struct admin_call *call, unsigned index,
                   const char *text)
{
    return index < call->count &&
           slice_equal(call->words[index], slice_of(text));
}

static const struct row *find_row(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (slice_equal(name, slice_of(rows[i].name)))
            return &rows[i];
    }
    return NULL;
}

static void take_words(struct admin_call *call, struct slice rest)
{
    struct slice word = text_take(&rest);

    while (word.size > 0 && call->count < ADMIN_WORDS_MAX) {
        call->words[call->count++] = word;
        word = text_take(&rest);
    }
}

void admin_execute(struct command_thread *thread, const struct request *request,
                   struct sink *out)
{
    struct admin_call call = {.thread = thread, .out = out};
    struct slice rest = request->rest;
    const struct row *row = find_row(text_take(&rest));

    if (row == NULL) {
        admin_reply(&call, "ERROR");
        return;
    }
    take_words(&call, rest);
    if (row->may_be_quiet && call.count > 0 &&
        admin_word_is(&call, call.count - 1, "noreply")) {
        call.noreply = true;
        call.count--;
    }
    if (call.count >= row->words_min) {
        row->fn(&call);
        return;
    }
    call.noreply = false;
    admin_reply(&call, "CLIENT_ERROR bad command line format");
}

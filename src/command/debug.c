/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of what takes days ask for the days; tests of where an item lies ask
 * the item. Nothing here counts as a use of it. */
#include "src/command/debug.h"

#include "src/base/invariant.h"
#include "src/base/number.h"

#include <inttypes.h>
#include <stdio.h>

#define ADVANCE_MAX_S (100ull * 365 * 24 * 60 * 60)
#define LINE_MAX_BYTES 1024

/* ---- the clock ---- */

/* False: that is no number of seconds. */
static bool advance(struct clock *clock, struct slice word)
{
    uint64_t seconds;

    if (number_u64(word, &seconds) != 0 || seconds > ADVANCE_MAX_S)
        return false;
    clock_advance(clock, seconds * NS_PER_S);
    return true;
}

void debug_time(const struct admin_call *call)
{
    struct commands *commands = call->thread->commands;
    struct clock *clock = commands->config.clock;
    bool understood = true;

    lock_take(&commands->lock); /* One at a time moves it. */
    if (admin_word_is(call, 0, "p"))
        clock_pause(clock);
    else if (admin_word_is(call, 0, "r"))
        clock_resume(clock);
    else
        understood = advance(clock, call->words[0]);
    lock_release(&commands->lock);
    admin_reply(call,
                understood ? "OK" : "CLIENT_ERROR bad command line format");
}

/* ---- an item ---- */

static const char *yes(bool value)
{
    return value ? "yes" : "no";
}

static void describe(char line[LINE_MAX_BYTES], const struct engine_view *view)
{
    int written =
        snprintf(line, LINE_MAX_BYTES,
                 "ITEM %.*s stamp=%" PRIu64 " cas=%" PRIu64 " exp=%" PRIu32
                 " la=%" PRIu32 " size=%zu value=%zu flags=%" PRIu32
                 " cls=%u list=%s fetch=%s state=%" PRIu32 " refs=%u",
                 (int)view->key.size, view->key.data, view->stamp, view->cas,
                 view->expires_at_s, view->accessed_at_s,
                 engine_view_bytes(view), view->value_size, view->client_flags,
                 view->slab_class, engine_view_list(view), yes(view->fetched),
                 view->state, engine_view_references(view));

    INVARIANT(written > 0);
    INVARIANT(written < LINE_MAX_BYTES);
}

void debug_item(const struct admin_call *call)
{
    struct command_thread *thread = call->thread;
    struct slice key = call->words[0];
    char line[LINE_MAX_BYTES] = "NOT_FOUND";
    struct engine_view view;

    if (key.size > ENGINE_KEY_MAX) {
        admin_reply(call, "CLIENT_ERROR bad command line format");
        return;
    }
    if (engine_find(thread->engine_thread,
                    engine_key_of(thread->engine, key).hash, &view)) {
        describe(line, &view);
        engine_view_end(thread->engine_thread, &view);
    }
    admin_reply(call, line);
}

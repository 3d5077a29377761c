/* SPDX-License-Identifier: BSD-3-Clause */
/* A row a subcommand; the replies are memcached's, word by word. */
#include "src/command/crawler.h"

#include "src/base/number.h"
#include "src/command/dump.h"

#define SLEEP_US_MAX 1000000u

/* What a subcommand says whose words are too many or too few. */
static void answer_unknown(const struct admin_call *call)
{
    admin_reply(call, "ERROR");
}

/* ---- settings ---- */

static void enable(const struct admin_call *call)
{
    struct engine *engine = call->thread->engine;
    struct engine_crawler settings;

    engine_crawler_settings(engine, &settings);
    if (settings.enabled) {
        admin_reply(call, "ERROR failed to start lru crawler thread");
        return;
    }
    settings.enabled = true;
    engine_crawler_set(engine, &settings);
    admin_reply(call, "OK");
}

static void disable(const struct admin_call *call)
{
    struct engine *engine = call->thread->engine;
    struct engine_crawler settings;

    engine_crawler_settings(engine, &settings);
    settings.enabled = false;
    engine_crawler_set(engine, &settings);
    admin_reply(call, "OK");
}

/* The number behind the subcommand's name; false when it is none, answered. */
static bool take_number(const struct admin_call *call, uint32_t *out)
{
    uint64_t number;

    if (number_u64(call->words[1], &number) != 0 || number > UINT32_MAX) {
        admin_reply(call, "CLIENT_ERROR bad command line format");
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static void set_sleep(const struct admin_call *call)
{
    struct engine_crawler settings;
    uint32_t sleep_us;

    if (!take_number(call, &sleep_us))
        return;
    if (sleep_us > SLEEP_US_MAX) {
        admin_reply(call, "CLIENT_ERROR sleep must be one second or less");
        return;
    }
    engine_crawler_settings(call->thread->engine, &settings);
    settings.sleep_us = sleep_us;
    engine_crawler_set(call->thread->engine, &settings);
    admin_reply(call, "OK");
}

static void set_tocrawl(const struct admin_call *call)
{
    struct engine_crawler settings;
    uint32_t tocrawl;

    if (!take_number(call, &tocrawl))
        return;
    engine_crawler_settings(call->thread->engine, &settings);
    settings.tocrawl = tocrawl;
    engine_crawler_set(call->thread->engine, &settings);
    admin_reply(call, "OK");
}

/* ---- crawls and dumps ---- */

/* The number up to the next comma, off the front of list. */
static struct slice take_field(struct slice *list)
{
    size_t size = 0;
    struct slice field;

    while (size < list->size && list->data[size] != ',')
        size++;
    field = slice_make(list->data, size);
    if (size < list->size)
        size++;
    *list = slice_make(list->data + size, list->size - size);
    return field;
}

static bool take_list(struct slice list, unsigned class_max,
                      struct engine_classes *classes)
{
    while (list.size > 0) {
        struct slice field = take_field(&list);
        uint64_t class;

        if (field.size == 0)
            continue;
        if (number_u64(field, &class) != 0 || class == 0 || class > class_max)
            return false;
        engine_classes_add(classes, (unsigned)class);
    }
    return true;
}

/* Which classes; false when that is no good, answered. */
static bool take_classes(const struct admin_call *call,
                         struct engine_classes *classes)
{
    *classes = (struct engine_classes){{0}};
    if (admin_word_is(call, 1, "all")) {
        engine_classes_set_all(classes);
        return true;
    }
    if (!take_list(call->words[1], dump_class_max(call->thread), classes)) {
        admin_reply(call, "BADCLASS invalid class id");
        return false;
    }
    if (!engine_classes_are_none(classes))
        return true;
    admin_reply(call, "NOTSTARTED no items to crawl");
    return false;
}

static bool is_enabled(const struct admin_call *call)
{
    struct engine_crawler settings;

    engine_crawler_settings(call->thread->engine, &settings);
    if (!settings.enabled)
        admin_reply(call, "CLIENT_ERROR lru crawler disabled");
    return settings.enabled;
}

static void crawl(const struct admin_call *call)
{
    struct engine_classes classes;

    if (!is_enabled(call))
        return;
    if (admin_word_is(call, 1, "hash")) {
        admin_reply(call, "ERROR an unknown error happened");
        return;
    }
    if (!take_classes(call, &classes))
        return;
    switch (engine_crawl(call->thread->engine_thread, &classes)) {
    case ENGINE_CRAWL_STARTED:
        admin_reply(call, "OK");
        return;
    case ENGINE_CRAWL_BUSY:
        admin_reply(call, "BUSY currently processing crawler request");
        return;
    case ENGINE_CRAWL_DISABLED:
        admin_reply(call, "CLIENT_ERROR lru crawler disabled");
        return;
    }
}

/* Why there is no dump now; NULL: there may be one. Without an end it is
 * nothing for datagrams. */
static const char *objection(const struct admin_call *call, enum dump_kind kind)
{
    if (!call->thread->commands->config.dump_allowed)
        return kind == DUMP_META ? "ERROR metadump not allowed"
                                 : "ERROR mgdump not allowed";
    if (call->thread->datagram)
        return "ERROR cannot dump over UDP";
    if (sink_pending(call->out) > 0)
        return kind == DUMP_META
                   ? "ERROR cannot pipeline other commands before metadump"
                   : "ERROR cannot pipeline other commands before mgdump";
    return NULL;
}

static void dump(const struct admin_call *call, enum dump_kind kind)
{
    const char *refused = objection(call, kind);
    struct engine_classes classes;

    if (refused != NULL) {
        admin_reply(call, refused);
        return;
    }
    if (!is_enabled(call))
        return;
    if (admin_word_is(call, 1, "hash"))
        engine_classes_set_all(&classes);
    else if (!take_classes(call, &classes))
        return;
    dump_start(call->thread, kind, &classes, call->out);
}

static void metadump(const struct admin_call *call)
{
    dump(call, DUMP_META);
}

static void mgdump(const struct admin_call *call)
{
    dump(call, DUMP_MG);
}

/* ---- the command ---- */

static const struct {
    const char *name;
    admin_fn *fn;
    unsigned words;
} rows[] = {
    {"enable", enable, 1},   {"disable", disable, 1},
    {"sleep", set_sleep, 2}, {"tocrawl", set_tocrawl, 2},
    {"crawl", crawl, 2},     {"metadump", metadump, 2},
    {"mgdump", mgdump, 2},
};

void crawler_command(const struct admin_call *call)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (call->count == rows[i].words &&
            admin_word_is(call, 0, rows[i].name)) {
            rows[i].fn(call);
            return;
        }
    }
    answer_unknown(call);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes prefixes off the front until an address is left. */
#include "src/server/listener_spec.h"

#include "src/base/invariant.h"

#include <stdio.h>
#include <string.h>

/* ---- small readers ---- */

static bool take(struct slice *text, const char *word)
{
    size_t size = strlen(word);

    if (text->size < size || memcmp(text->data, word, size) != 0)
        return false;
    *text = slice_make(text->data + size, text->size - size);
    return true;
}

/* What stands before `end` and a colon. */
static bool take_until(struct slice *text, char end, struct slice *out)
{
    const char *at = memchr(text->data, end, text->size);
    size_t size;

    if (at == NULL)
        return false;
    size = (size_t)(at - text->data);
    if (text->size < size + 2 || at[1] != ':')
        return false;
    *out = slice_make(text->data, size);
    *text = slice_make(at + 2, text->size - size - 2);
    return true;
}

/* ---- prefixes ---- */

enum prefix {
    PREFIX_NONE,
    PREFIX_TAKEN,
    PREFIX_BAD,
};

static enum prefix take_tls(struct slice *text, struct listener_spec *out)
{
    static const struct {
        const char *word;
        enum listener_tls tls;
    } prefixes[] = {{"notls:", LISTENER_TLS_OFF},
                    {"btls:", LISTENER_TLS_BASIC},
                    {"mtls:", LISTENER_TLS_MUTUAL}};

    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (take(text, prefixes[i].word)) {
            out->tls = prefixes[i].tls;
            return PREFIX_TAKEN;
        }
    }
    return PREFIX_NONE;
}

static bool set_protocol(struct slice name, struct listener_spec *out)
{
    static const struct {
        const char *name;
        enum session_protocol protocol;
    } protocols[] = {{"ascii", SESSION_TEXT},
                     {"binary", SESSION_BINARY},
                     {"negotiating", SESSION_AUTO}};

    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        if (slice_equal(name, slice_of(protocols[i].name))) {
            out->has_protocol = true;
            out->protocol = protocols[i].protocol;
            return true;
        }
    }
    return false;
}

static enum prefix take_protocol(struct slice *text, struct listener_spec *out,
                                 char words[SERVER_WORDS_MAX])
{
    struct slice name;

    if (!take(text, "proto["))
        return PREFIX_NONE;
    if (take_until(text, ']', &name) && set_protocol(name, out))
        return PREFIX_TAKEN;
    (void)snprintf(words, SERVER_WORDS_MAX,
                   "the prefix proto of -l is proto[ascii]:, proto[binary]: or "
                   "proto[negotiating]:; there is no proxy");
    return PREFIX_BAD;
}

static enum prefix take_tag(struct slice *text, struct listener_spec *out,
                            char words[SERVER_WORDS_MAX])
{
    struct slice tag;
    char end;

    if (take(text, "tag["))
        end = ']';
    else if (take(text, "tag_"))
        end = '_';
    else
        return PREFIX_NONE;
    if (take_until(text, end, &tag) && tag.size >= 1 &&
        tag.size <= LISTENER_TAG_MAX) {
        memcpy(out->tag, tag.data, tag.size);
        out->tag[tag.size] = '\0';
        return PREFIX_TAKEN;
    }
    (void)snprintf(words, SERVER_WORDS_MAX,
                   "the prefix tag of -l is tag[NAME]: or tag_NAME_: with a "
                   "name of 1 to %d characters",
                   LISTENER_TAG_MAX);
    return PREFIX_BAD;
}

static enum prefix take_prefix(struct slice *text, struct listener_spec *out,
                               char words[SERVER_WORDS_MAX])
{
    enum prefix prefix = take_tls(text, out);

    if (prefix == PREFIX_NONE)
        prefix = take_protocol(text, out, words);
    if (prefix == PREFIX_NONE)
        prefix = take_tag(text, out, words);
    return prefix;
}

/* ---- the whole ---- */

int listener_spec_parse(struct slice text, struct listener_spec *out,
                        char words[SERVER_WORDS_MAX])
{
    struct slice address = text;
    enum prefix prefix;

    *out = (struct listener_spec){0};
    do {
        prefix = take_prefix(&address, out, words);
    } while (prefix == PREFIX_TAKEN);
    if (prefix == PREFIX_BAD)
        return -ERR_SYNTAX;
    if (endpoint_parse(address, &out->endpoint) == 0)
        return 0;
    (void)snprintf(words, SERVER_WORDS_MAX,
                   "\"%.*s\" is no address to listen on: -l takes HOST, "
                   "HOST:PORT or [IPV6]:PORT",
                   (int)text.size, text.data);
    return -ERR_SYNTAX;
}

bool listener_spec_next(const char **text, struct slice *entry)
{
    const char *start = *text;
    size_t size;

    if (start == NULL)
        return false;
    size = strcspn(start, ",;");
    *entry = slice_make(start, size);
    *text = start[size] == '\0' ? NULL : start + size + 1;
    return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Every reply is a code and then what the flags asked for, in their order: a
 * command collects the facts, and says which letters it has an answer to. */
#include "src/command/meta.h"

#include "src/base/invariant.h"
#include "src/command/value.h"
#include "src/protocol/base64.h"

#define CODE_BYTES 2
/* " k", the longest key in base64, " b". */
#define KEY_BYTES_MAX (2 + BASE64_ENCODED_BYTES(ENGINE_KEY_MAX) + 2)
/* The code and a length; a blank, a letter and a number for each flag; the
 * key; the opaque; " Z X W" and CRLF. */
#define HEADER_BYTES_MAX \
    (CODE_BYTES + 1 + NUMBER_DIGITS_MAX + \
     META_TOKENS_MAX * (2 + NUMBER_DIGITS_MAX) + KEY_BYTES_MAX + 1 + \
     META_OPAQUE_MAX + 6 + 2)

#define LETTERS_ALWAYS (META_BIT('k') | META_BIT('O'))
#define LETTERS_OF_STORE (LETTERS_ALWAYS | META_BIT('c') | META_BIT('s'))
#define LETTERS_OF_ARITH (LETTERS_ALWAYS | META_BIT('c') | META_BIT('t'))
#define LETTERS_OF_ITEM \
    (LETTERS_OF_STORE | META_BIT('t') | META_BIT('f') | META_BIT('h') | \
     META_BIT('l'))

/* What a reply can tell. */
struct facts {
    uint64_t letters; /* META_BIT() of those that have an answer. */
    struct slice key;
    bool key_in_base64;
    bool fetched;
    stamp_t cas;
    size_t size;
    uint32_t client_flags;
    uint32_t now_s;
    uint32_t accessed_at_s;
    uint32_t expired_at_s; /* Before T, */
    uint32_t expires_at_s; /* and after it. */
};

static uint32_t now_s(const struct command_thread *thread)
{
    return (uint32_t)(engine_thread_now(thread->engine_thread) / NS_PER_S);
}

/* What is known of every request. */
static struct facts facts_of(const struct command_thread *thread,
                             const struct request *request)
{
    return (struct facts){.letters = LETTERS_ALWAYS,
                          .key = request->key,
                          .key_in_base64 = meta_has(&request->meta, 'b'),
                          .now_s = now_s(thread)};
}

/* ---- writing ---- */

static char *put_letter(char *at, char letter)
{
    *at++ = ' ';
    *at++ = letter;
    return at;
}

static char *put_number(char *at, char letter, uint64_t value)
{
    at = put_letter(at, letter);
    return at + number_write_u64(at, value);
}

static char *put_key(char *at, struct slice key, bool in_base64)
{
    if (!in_base64)
        return value_put_text(at, key.data, key.size);
    return at + base64_encode(key, at);
}

static char *put_life(char *at, const struct facts *facts,
                      uint32_t expires_at_s)
{
    if (expires_at_s == 0)
        return value_put_text(at, " t-1", 4);
    return put_number(
        at, 't', expires_at_s > facts->now_s ? expires_at_s - facts->now_s : 0);
}

static uint32_t age_s(const struct facts *facts)
{
    return facts->now_s > facts->accessed_at_s
               ? facts->now_s - facts->accessed_at_s
               : 0;
}

static char *put_flag(char *at, char letter, const struct meta *meta,
                      const struct facts *facts, bool touched)
{
    switch (letter) {
    case 'k':
        at = put_key(put_letter(at, 'k'), facts->key, facts->key_in_base64);
        return facts->key_in_base64 ? put_letter(at, 'b') : at;
    case 'O':
        *at++ = ' ';
        return value_put_text(at, meta->opaque.data, meta->opaque.size);
    case 'c':
        return put_number(at, 'c', facts->cas);
    case 's':
        return put_number(at, 's', facts->size);
    case 'f':
        return put_number(at, 'f', facts->client_flags);
    case 'h':
        return put_number(at, 'h', facts->fetched);
    case 'l':
        return put_number(at, 'l', age_s(facts));
    case 't':
        return put_life(at, facts,
                        touched ? facts->expires_at_s : facts->expired_at_s);
    default:
        return at;
    }
}

static char *put_flags(char *at, const struct meta *meta,
                       const struct facts *facts)
{
    bool touched = false;
    unsigned i;

    for (i = 0; i < meta->count; i++) {
        touched = touched || meta->letters[i] == 'T';
        if (facts->letters & META_BIT(meta->letters[i]))
            at = put_flag(at, meta->letters[i], meta, facts, touched);
    }
    return at;
}

static void answer(const char *code, const struct request *request,
                   const struct facts *facts, struct sink *out)
{
    char *room = sink_room(out, HEADER_BYTES_MAX);
    char *at = room;

    if (room == NULL)
        return;
    at = value_put_text(at, code, CODE_BYTES);
    at = put_flags(at, &request->meta, facts);
    at = value_put_text(at, "\r\n", 2);
    sink_used(out, (size_t)(at - room));
}

/* ---- cas ---- */

static stamp_t shown_cas(const struct command_thread *thread, stamp_t cas)
{
    return thread->commands->config.cas_shown ? cas : STAMP_NONE;
}

/* Whether a cas unique is to be compared, and with what. Without versions each
 * item has 0, no item has anything else, and none is stored by it. */
static bool wants_cas(const struct command_thread *thread,
                      const struct meta *meta, stamp_t *cas)
{
    bool shown = thread->commands->config.cas_shown;

    *cas = shown ? meta->wanted_cas : STAMP_MAX;
    return meta_has(meta, 'C') && (shown || meta->wanted_cas != 0);
}

/* How long what N makes will live: a T behind it has the last word. */
static uint32_t vivify_expires_at(const struct command_thread *thread,
                                  const struct op *op, const struct meta *meta)
{
    if (meta_in_order(meta, 'N', 'T'))
        return op->expires_at_s;
    return engine_expires_at(thread->engine_thread, meta->vivify_s);
}

static uint32_t state_of(const struct meta *meta)
{
    return meta_has(meta, 'b') ? ITEM_STATE_BINARY_KEY : 0;
}

/* ---- mg ---- */

static struct engine_look look_of(const struct command_thread *thread,
                                  const struct op *op, const struct meta *meta)
{
    struct engine_look look = {
        .silent = meta_has(meta, 'u'),
        .touch = meta_has(meta, 'T'),
        .vivify = meta_has(meta, 'N'),
        .recache = meta_has(meta, 'R'),
        .touch_first = meta_in_order(meta, 'T', 'R'),
        .expires_at_s = op->expires_at_s,
        .vivify_cas = meta->given_cas,
        .vivify_state = state_of(meta),
    };

    if (look.recache)
        look.recache_before_s =
            engine_expires_at(thread->engine_thread, meta->recache_s);
    if (look.vivify)
        look.vivify_expires_at_s = vivify_expires_at(thread, op, meta);
    return look;
}

static struct facts facts_of_item(const struct command_thread *thread,
                                  const struct request *request,
                                  const struct engine_look *look,
                                  const struct engine_view *view)
{
    struct facts facts = facts_of(thread, request);

    facts.letters = LETTERS_OF_ITEM;
    facts.key_in_base64 = (view->state & ITEM_STATE_BINARY_KEY) != 0;
    facts.fetched = view->fetched;
    facts.cas = shown_cas(thread, view->cas);
    facts.size = view->value_size;
    facts.client_flags = view->client_flags;
    facts.accessed_at_s = view->accessed_at_s;
    facts.expired_at_s = look->expired_at_s;
    facts.expires_at_s = view->expires_at_s;
    return facts;
}

static char *put_header(char *at, const struct request *request,
                        const struct facts *facts,
                        const struct engine_look *look, bool has_value)
{
    at = value_put_text(at, has_value ? "VA" : "HD", CODE_BYTES);
    if (has_value)
        at = value_put_number(at, facts->size);
    at = put_flags(at, &request->meta, facts);
    if ((look->state & ITEM_STATE_WON) && !look->won)
        at = put_letter(at, 'Z');
    if (look->state & ITEM_STATE_STALE)
        at = put_letter(at, 'X');
    if (look->won)
        at = put_letter(at, 'W');
    return value_put_text(at, "\r\n", 2);
}

/* The whole reply in one piece. Ends the view. */
static void copy_item(struct command_thread *thread,
                      const struct request *request,
                      const struct engine_look *look, struct engine_view *view,
                      bool has_value, struct sink *out)
{
    const struct facts facts = facts_of_item(thread, request, look, view);
    size_t value_bytes = has_value ? view->value_size + 2 : 0;
    char *room = sink_room(out, HEADER_BYTES_MAX + value_bytes);
    char *at = room;

    if (room != NULL) {
        at = put_header(at, request, &facts, look, has_value);
        if (has_value)
            at = value_copy(thread, view, at);
    }
    engine_view_end(thread->engine_thread, view);
    if (room != NULL)
        sink_used(out, (size_t)(at - room));
}

/* The value from where it lies. Ends the view. */
static void borrow_item(struct command_thread *thread,
                        const struct request *request,
                        const struct engine_look *look,
                        struct engine_view *view, struct sink *out)
{
    const struct facts facts = facts_of_item(thread, request, look, view);
    struct item *item = engine_view_hold(thread->engine_thread, view);
    char header[HEADER_BYTES_MAX];
    char *end = put_header(header, request, &facts, look, true);

    engine_view_end(thread->engine_thread, view);
    if (item == NULL) {
        sink_put_literal(out,
                         "SERVER_ERROR refcount overflow during fetch\r\n");
        return;
    }
    sink_put(out, header, (size_t)(end - header));
    value_borrow(thread, item, facts.size, out);
    sink_put_literal(out, "\r\n");
}

static void answer_item(struct command_thread *thread,
                        const struct request *request,
                        const struct engine_look *look,
                        struct engine_view *view, struct sink *out)
{
    const struct meta *meta = &request->meta;
    bool is_known =
        meta_has(meta, 'C') && meta->wanted_cas == shown_cas(thread, view->cas);
    bool has_value = meta_has(meta, 'v') && !is_known;

    if (has_value && view->value_size > VALUE_COPIED_MAX)
        borrow_item(thread, request, look, view, out);
    else
        copy_item(thread, request, look, view, has_value, out);
}

void meta_get(struct command_thread *thread, const struct op *op,
              const struct request *request, struct sink *out)
{
    struct engine_look look = look_of(thread, op, &request->meta);
    struct engine_view view;
    struct facts facts;

    switch (engine_look(thread->engine_thread, &op->key, &look, &view)) {
    case ENGINE_STORED:
        answer_item(thread, request, &look, &view, out);
        return;
    case ENGINE_NO_MEMORY:
    case ENGINE_TOO_LARGE:
        sink_put_literal(out,
                         "SERVER_ERROR out of memory allocating new item\r\n");
        return;
    case ENGINE_NOT_FOUND:
    case ENGINE_NOT_STORED:
    case ENGINE_EXISTS:
    case ENGINE_NOT_A_NUMBER:
        break;
    }
    facts = facts_of(thread, request);
    if (!meta_has(&request->meta, 'q'))
        answer("EN", request, &facts, out);
}

/* ---- ms ---- */

static enum engine_mode mode_of(char mode)
{
    switch (mode) {
    case 'E':
        return ENGINE_ADD;
    case 'A':
        return ENGINE_APPEND;
    case 'P':
        return ENGINE_PREPEND;
    case 'R':
        return ENGINE_REPLACE;
    default: /* S, or none. */
        return ENGINE_SET;
    }
}

void meta_write(const struct command_thread *thread, const struct op *op,
                const struct request *request, struct engine_write *write)
{
    const struct meta *meta = &request->meta;

    *write = (struct engine_write){
        .key = op->key,
        .mode = mode_of(meta->mode),
        .client_flags = request->client_flags,
        .expires_at_s = op->expires_at_s,
        .value_size = request->value_size,
        .state = state_of(meta),
        .given_cas = meta->given_cas,
        .invalidate = meta_has(meta, 'I'),
        .vivify = meta_has(meta, 'N'),
    };
    if (write->vivify)
        write->vivify_expires_at_s =
            engine_expires_at(thread->engine_thread, meta->vivify_s);
    write->compare = wants_cas(thread, meta, &write->cas);
    if (meta_has(meta, 'C') &&
        (write->mode == ENGINE_SET || write->mode == ENGINE_REPLACE))
        write->mode = ENGINE_CAS;
}

/* The code of an outcome; NULL for those that have none. */
static const char *code_of(enum engine_outcome outcome)
{
    switch (outcome) {
    case ENGINE_STORED:
        return "HD";
    case ENGINE_NOT_STORED:
        return "NS";
    case ENGINE_EXISTS:
        return "EX";
    case ENGINE_NOT_FOUND:
        return "NF";
    case ENGINE_NOT_A_NUMBER:
    case ENGINE_TOO_LARGE:
    case ENGINE_NO_MEMORY:
        break;
    }
    return NULL;
}

bool meta_stored(const struct command_thread *thread,
                 const struct request *request,
                 const struct execute_stored *stored, struct sink *out)
{
    struct facts facts = facts_of(thread, request);
    const char *code = code_of(stored->outcome);

    if (code == NULL)
        return false;
    facts.letters = LETTERS_OF_STORE;
    facts.cas = shown_cas(thread, stored->cas);
    facts.size = stored->size;
    if (stored->outcome != ENGINE_STORED || !meta_has(&request->meta, 'q'))
        answer(code, request, &facts, out);
    return true;
}

/* ---- md ---- */

void meta_delete(struct command_thread *thread, const struct op *op,
                 const struct request *request, struct sink *out)
{
    const struct meta *meta = &request->meta;
    const struct facts facts = facts_of(thread, request);
    struct engine_removal removal = {
        .key = op->key,
        .stale = meta_has(meta, 'I'),
        .empty = meta_has(meta, 'x'),
        .touch = meta_has(meta, 'T'),
        .given_cas = meta->given_cas,
        .expires_at_s = op->expires_at_s,
        .client_flags = request->client_flags,
    };
    enum engine_outcome outcome;
    const char *code;

    removal.compare = wants_cas(thread, meta, &removal.cas);
    outcome = engine_remove_as(thread->engine_thread, &removal);
    code = code_of(outcome);
    if (outcome == ENGINE_EXISTS)
        METRIC_UP(thread->counters.delete_misses);
    if (code == NULL)
        sink_put_literal(out, "SERVER_ERROR out of memory\r\n");
    else if (outcome != ENGINE_STORED || !meta_has(meta, 'q'))
        answer(code, request, &facts, out);
}

/* ---- ma ---- */

static struct engine_arith arith_of(const struct command_thread *thread,
                                    const struct op *op,
                                    const struct meta *meta)
{
    struct engine_arith arith = {
        .key = op->key,
        .delta = meta->delta,
        .decrement = meta->mode == 'D' || meta->mode == '-',
        .touch = meta_has(meta, 'T'),
        .vivify = meta_has(meta, 'N'),
        .given_cas = meta->given_cas,
        .initial = meta->initial,
        .expires_at_s = op->expires_at_s,
        .state = state_of(meta),
    };

    arith.compare = wants_cas(thread, meta, &arith.cas);
    if (arith.vivify)
        arith.vivify_expires_at_s = vivify_expires_at(thread, op, meta);
    return arith;
}

static void answer_number(const struct command_thread *thread,
                          const struct request *request,
                          const struct engine_counted *counted,
                          struct sink *out)
{
    struct facts facts = facts_of(thread, request);
    char *room, *at;
    char digits[NUMBER_DIGITS_MAX];
    size_t size = number_write_u64(digits, counted->value);

    facts.letters = LETTERS_OF_ARITH;
    facts.cas = shown_cas(thread, counted->cas);
    facts.expired_at_s = counted->expired_at_s;
    facts.expires_at_s = counted->expires_at_s;
    if (!meta_has(&request->meta, 'v')) {
        answer("HD", request, &facts, out);
        return;
    }
    room = at = sink_room(out, HEADER_BYTES_MAX + NUMBER_DIGITS_MAX + 2);
    if (room == NULL)
        return;
    at = value_put_text(at, "VA", CODE_BYTES);
    at = value_put_number(at, size);
    at = put_flags(at, &request->meta, &facts);
    at = value_put_text(at, "\r\n", 2);
    at = value_put_text(at, digits, size);
    at = value_put_text(at, "\r\n", 2);
    sink_used(out, (size_t)(at - room));
}

void meta_arith(struct command_thread *thread, const struct op *op,
                const struct request *request, struct sink *out)
{
    const struct engine_arith arith = arith_of(thread, op, &request->meta);
    const struct facts facts = facts_of(thread, request);
    struct engine_counted counted;
    enum engine_outcome outcome =
        engine_count(thread->engine_thread, &arith, &counted);

    switch (outcome) {
    case ENGINE_STORED:
        if (!meta_has(&request->meta, 'q'))
            answer_number(thread, request, &counted, out);
        return;
    case ENGINE_NOT_A_NUMBER:
        sink_put_literal(out, "CLIENT_ERROR cannot increment or decrement "
                              "non-numeric value\r\n");
        return;
    case ENGINE_NO_MEMORY:
    case ENGINE_TOO_LARGE:
        sink_put_literal(out, "SERVER_ERROR out of memory\r\n");
        return;
    case ENGINE_NOT_FOUND:
    case ENGINE_NOT_STORED:
    case ENGINE_EXISTS:
        answer(code_of(outcome), request, &facts, out);
        return;
    }
}

/* ---- me, mn ---- */

static void answer_view(const struct command_thread *thread,
                        const struct engine_view *view, struct sink *out)
{
    const uint32_t now = now_s(thread);
    char key[KEY_BYTES_MAX];
    char *end =
        put_key(key, view->key, (view->state & ITEM_STATE_BINARY_KEY) != 0);

    sink_put_literal(out, "ME ");
    sink_put(out, key, (size_t)(end - key));
    if (view->expires_at_s == 0) {
        sink_put_literal(out, " exp=-1 la=");
    } else {
        sink_put_literal(out, " exp=");
        sink_put_u64(out, view->expires_at_s - now);
        sink_put_literal(out, " la=");
    }
    sink_put_u64(out,
                 now > view->accessed_at_s ? now - view->accessed_at_s : 0);
    sink_put_literal(out, " cas=");
    sink_put_u64(out, shown_cas(thread, view->cas));
    if (view->fetched)
        sink_put_literal(out, " fetch=yes cls=");
    else
        sink_put_literal(out, " fetch=no cls=");
    sink_put_u64(out, view->slab_class);
    sink_put_literal(out, " size=");
    sink_put_u64(out, engine_view_bytes(view));
    sink_put_literal(out, "\r\n");
}

void meta_show(struct command_thread *thread, const struct op *op,
               const struct request *request, struct sink *out)
{
    struct engine_view view;

    (void)request;
    METRIC_UP(thread->counters.cmd_meta);
    if (!engine_peek(thread->engine_thread, &op->key, &view)) {
        sink_put_literal(out, "EN\r\n");
        return;
    }
    answer_view(thread, &view, out);
    engine_view_end(thread->engine_thread, &view);
}

void meta_nothing(struct command_thread *thread, const struct op *op,
                  const struct request *request, struct sink *out)
{
    (void)thread;
    (void)op;
    (void)request;
    sink_put_literal(out, "MN\r\n");
}

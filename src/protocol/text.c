/* SPDX-License-Identifier: BSD-3-Clause */
/* A command is a row: its name, and the fields of its line in order. Each
 * kind of field is one function that reads a word into the request.
 *
 * A storage line is read to its end even when a field is wrong, because once
 * the length is known the value behind it is skipped and not taken for
 * commands. */
#include "src/protocol/text.h"

#include "src/base/invariant.h"
#include "src/base/number.h"

#define NAME_MAX_BYTES 16
#define FIELDS_MAX 5
#define LEADING_BLANKS_MAX 100

typedef enum request_error field_fn(struct slice word, struct slice *rest,
                                    struct request *request);

struct row {
    char name[NAME_MAX_BYTES]; /* The rest is zeros, see find_row(). */
    enum request_verb verb;
    unsigned char required;     /* Fields that must be there. */
    unsigned char noreply_from; /* "noreply" may be this field or a later one;
                                   0: it is a word like others. */
    field_fn *fields[FIELDS_MAX];
};

/* ---- fields ---- */

static enum request_error take_key(struct slice word, struct slice *rest,
                                   struct request *request)
{
    (void)rest;
    request->key = word;
    return word.size <= REQUEST_KEY_MAX ? REQUEST_FINE : REQUEST_BAD_LINE;
}

/* One key that is too long spoils the whole line, so all are looked at before
 * the first is answered. */
static enum request_error take_keys(struct slice word, struct slice *rest,
                                    struct request *request)
{
    struct slice others = *rest;

    request->key = word;
    request->rest = others;
    *rest = slice_make(rest->data + rest->size, 0);
    if (word.size > REQUEST_KEY_MAX)
        return REQUEST_BAD_LINE;
    while (others.size > REQUEST_KEY_MAX) {
        if (text_take(&others).size > REQUEST_KEY_MAX)
            return REQUEST_BAD_LINE;
    }
    return REQUEST_FINE;
}

static enum request_error take_rest(struct slice word, struct slice *rest,
                                    struct request *request)
{
    size_t behind = rest->size;

    *rest = slice_make(rest->data + behind, 0);
    request->rest = slice_make(word.data, word.size + behind);
    return REQUEST_FINE;
}

/* Wider numbers are cut to 32 bits. */
static enum request_error take_flags(struct slice word, struct slice *rest,
                                     struct request *request)
{
    uint64_t flags;

    (void)rest;
    if (number_u64(word, &flags) != 0)
        return REQUEST_BAD_LINE;
    request->client_flags = (uint32_t)flags;
    return REQUEST_FINE;
}

static enum request_error take_exptime(struct slice word, struct slice *rest,
                                       struct request *request)
{
    (void)rest;
    return number_i64(word, &request->exptime_s) == 0 ? REQUEST_FINE
                                                      : REQUEST_BAD_LINE;
}

static enum request_error
take_new_exptime(struct slice word, struct slice *rest, struct request *request)
{
    int32_t exptime_s;

    (void)rest;
    if (number_i32(word, &exptime_s) != 0)
        return REQUEST_BAD_EXPTIME;
    request->exptime_s = exptime_s;
    return REQUEST_FINE;
}

static enum request_error take_delay(struct slice word, struct slice *rest,
                                     struct request *request)
{
    (void)rest;
    if (word.size == 0 ||
        (request->noreply && slice_equal(word, SLICE_LITERAL("noreply"))))
        return REQUEST_FINE;
    return number_i64(word, &request->exptime_s) == 0 ? REQUEST_FINE
                                                      : REQUEST_BAD_EXPTIME;
}

static enum request_error take_size(struct slice word, struct slice *rest,
                                    struct request *request)
{
    uint32_t size;

    (void)rest;
    if (number_u32(word, &size) != 0 || size > REQUEST_VALUE_MAX)
        return REQUEST_BAD_LINE;
    request->value_size = size;
    request->has_value = true;
    return REQUEST_FINE;
}

/* Older clients give delete a time, which means nothing, and noreply behind
 * it. */
static enum request_error pass_over(struct slice word, struct slice *rest,
                                    struct request *request)
{
    (void)word;
    (void)rest;
    (void)request;
    return REQUEST_FINE;
}

static enum request_error expect_end(struct slice word, struct slice *rest,
                                     struct request *request)
{
    (void)rest;
    (void)request;
    return word.size == 0 ? REQUEST_FINE : REQUEST_BAD_LINE;
}

static enum request_error take_number(struct slice word, struct slice *rest,
                                      struct request *request)
{
    (void)rest;
    return number_u64(word, &request->number) == 0 ? REQUEST_FINE
                                                   : REQUEST_BAD_LINE;
}

static enum request_error take_delta(struct slice word, struct slice *rest,
                                     struct request *request)
{
    (void)rest;
    return number_u64(word, &request->number) == 0 ? REQUEST_FINE
                                                   : REQUEST_BAD_DELTA;
}

/* ---- meta commands ---- */

static enum request_error take_meta(struct slice word, struct slice *rest,
                                    struct request *request)
{
    unsigned before = request->verb == REQUEST_MS ? 3 : 2;
    struct slice words = {word.data, word.size + rest->size};

    *rest = slice_make(rest->data + rest->size, 0);
    if (request->error == REQUEST_FINE)
        meta_parse(words, before, request);
    return request->error;
}

/* Of what may follow the key, `me` knows the b alone. */
static enum request_error take_base64(struct slice word, struct slice *rest,
                                      struct request *request)
{
    struct slice flag =
        slice_equal(word, SLICE_LITERAL("b")) ? word : slice_make(word.data, 0);

    (void)rest;
    if (request->error == REQUEST_FINE)
        meta_parse(flag, 2, request);
    return request->error;
}

/* ---- commands, the most frequent first ---- */

#define STORAGE_FIELDS take_key, take_flags, take_exptime, take_size

static const struct row rows[] = {
    {"get", REQUEST_GET, 1, 0, {take_keys}},
    {"set", REQUEST_SET, 4, 2, {STORAGE_FIELDS}},
    {"gets", REQUEST_GETS, 1, 0, {take_keys}},
    {"delete",
     REQUEST_DELETE,
     1,
     2,
     {take_key, pass_over, pass_over, expect_end}},
    {"incr", REQUEST_INCR, 2, 2, {take_key, take_delta}},
    {"decr", REQUEST_DECR, 2, 2, {take_key, take_delta}},
    {"add", REQUEST_ADD, 4, 2, {STORAGE_FIELDS}},
    {"cas", REQUEST_CAS, 5, 2, {STORAGE_FIELDS, take_number}},
    {"replace", REQUEST_REPLACE, 4, 2, {STORAGE_FIELDS}},
    {"append", REQUEST_APPEND, 4, 2, {STORAGE_FIELDS}},
    {"prepend", REQUEST_PREPEND, 4, 2, {STORAGE_FIELDS}},
    {"mg", REQUEST_MG, 1, 0, {take_key, take_meta}},
    {"ms", REQUEST_MS, 2, 0, {take_key, take_size, take_meta}},
    {"md", REQUEST_MD, 1, 0, {take_key, take_meta}},
    {"ma", REQUEST_MA, 1, 0, {take_key, take_meta}},
    {"me", REQUEST_ME, 1, 0, {take_key, take_base64}},
    {"mn", REQUEST_MN, 0, 0, {NULL}},
    {"touch", REQUEST_TOUCH, 2, 2, {take_key, take_new_exptime}},
    {"gat", REQUEST_GAT, 2, 0, {take_new_exptime, take_keys}},
    {"gats", REQUEST_GATS, 2, 0, {take_new_exptime, take_keys}},
    {"stats", REQUEST_STATS, 0, 0, {take_rest}},
    {"version", REQUEST_VERSION, 0, 0, {NULL}},
    {"quit", REQUEST_QUIT, 0, 0, {NULL}},
    {"flush_all", REQUEST_FLUSH_ALL, 0, 1, {take_delay}},
    {"verbosity", REQUEST_VERBOSITY, 1, 1, {take_number}},
};

/* Names are compared as two words of eight bytes, zeros behind them; a zero
 * in the name itself therefore finds nothing. */
static const struct row *find_row(struct slice name)
{
    char padded[NAME_MAX_BYTES] = {0};
    size_t i;

    if (name.size == 0 || name.size >= sizeof(padded))
        return NULL;
    for (i = 0; i < name.size; i++)
        padded[i] = name.data[i];
    if (UNLIKELY(padded[name.size - 1] == '\0'))
        return NULL;
    for (i = 0; i < COUNT_OF(rows); i++) {
        if (memcmp(rows[i].name, padded, sizeof(padded)) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Takes the verb off the front of a line. Nearly all requests are of the first
 * two rows, which are told by one comparison. */
static const struct row *take_row(struct slice *line)
{
    if (line->size > 4) {
        size_t i = memcmp(line->data, "get ", 4) == 0   ? 0
                   : memcmp(line->data, "set ", 4) == 0 ? 1
                                                        : COUNT_OF(rows);

        if (LIKELY(i < COUNT_OF(rows))) {
            *line = slice_make(line->data + 4, line->size - 4);
            return &rows[i];
        }
    }
    return find_row(text_take(line));
}

/* ---- lines ---- */

/* Only a line that can name any number of keys may grow. memcached lets gat and
 * gats have a long line, too, if it comes in one piece. */
static bool may_grow(struct slice input)
{
    static const char *const verbs[] = {"get ", "gets ", "gat ", "gats "};
    size_t at = 0, i;

    while (at < LEADING_BLANKS_MAX && at < input.size && input.data[at] == ' ')
        at++;
    input.data += at;
    input.size -= at;
    for (i = 0; i < COUNT_OF(verbs); i++) {
        size_t size = strlen(verbs[i]);

        if (input.size >= size && memcmp(input.data, verbs[i], size) == 0)
            return true;
    }
    return false;
}

/* The end of a line that starts at input, at most max bytes away. */
static const char *find_end(struct slice input, size_t scanned, size_t max)
{
    size_t limit = input.size <= max ? input.size : max + 1;

    if (scanned >= limit)
        return NULL;
    return memchr(input.data + scanned, '\n', limit - scanned);
}

enum text_cut text_cut_line(struct slice input, size_t scanned,
                            struct slice *line, size_t *taken)
{
    const char *end = find_end(input, scanned, TEXT_LINE_MAX);

    if (end == NULL && input.size > TEXT_LINE_MAX) {
        if (!may_grow(input))
            return TEXT_OVERLONG;
        if (scanned < TEXT_LINE_MAX)
            scanned = TEXT_LINE_MAX;
        end = find_end(input, scanned, TEXT_GET_LINE_MAX);
        if (end == NULL && input.size > TEXT_GET_LINE_MAX)
            return TEXT_OVERLONG;
    }
    if (end == NULL)
        return TEXT_PART;
    *taken = (size_t)(end - input.data) + 1;
    *line = slice_make(input.data, *taken - 1);
    if (line->size > 0 && line->data[line->size - 1] == '\r')
        line->size--;
    return TEXT_LINE;
}

static struct slice last_word(struct slice line)
{
    const char *end = line.data + line.size;
    const char *start;

    while (end > line.data && end[-1] == ' ')
        end--;
    start = end;
    while (start > line.data && start[-1] != ' ')
        start--;
    return slice_make(start, (size_t)(end - start));
}

/* The words before `to`, counted up to one too many. */
static unsigned count_words(struct slice line, const char *to)
{
    unsigned count = 0;
    struct slice word;

    while (count <= TEXT_TOKENS_MAX) {
        word = text_take(&line);
        if (word.size == 0 || word.data >= to)
            break;
        count++;
    }
    return count;
}

static bool wants_no_reply(const struct row *row, struct slice line)
{
    char last = line.data[line.size - 1];
    struct slice word;
    unsigned before;

    if (row->noreply_from == 0 || (last != 'y' && last != ' '))
        return false;
    word = last_word(line);
    if (!slice_equal(word, SLICE_LITERAL("noreply")))
        return false;
    before = count_words(line, word.data);
    return before >= row->noreply_from && before < TEXT_TOKENS_MAX;
}

static void parse_fields(const struct row *row, struct slice rest,
                         struct request *request)
{
    unsigned i;

    for (i = 0; i < FIELDS_MAX && row->fields[i] != NULL; i++) {
        struct slice word = text_take(&rest);
        enum request_error error;

        if (word.size == 0 && i < row->required) {
            request->error = REQUEST_BAD_LINE;
            request->noreply = false;
            return;
        }
        error = row->fields[i](word, &rest, request);
        if (request->error == REQUEST_FINE)
            request->error = error;
    }
}

/* A browser or a scanner is better hung up on than answered line by line. */
static void parse_unknown(struct slice line, struct request *request)
{
    static const struct slice http = {"HTTP/", 5};
    struct slice word = last_word(line);

    if (word.size >= http.size &&
        memcmp(word.data, http.data, http.size) == 0) {
        request->verb = REQUEST_QUIT;
        return;
    }
    request->verb = REQUEST_ADMIN;
    request->rest = line;
}

void text_parse(struct slice line, struct request *request)
{
    struct slice rest = line;
    const struct row *row;

    memset(request, 0, offsetof(struct request, meta));
    request->verb = REQUEST_NONE;
    if (line.size < 2) {
        request->error = REQUEST_BAD_LINE;
        return;
    }
    row = take_row(&rest);
    if (row == NULL) {
        parse_unknown(line, request);
        return;
    }
    request->verb = row->verb;
    request->noreply = wants_no_reply(row, line);
    parse_fields(row, rest, request);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A flag is a row: its letter, and the function that reads its token. */
#include "src/protocol/meta.h"

#include "src/base/number.h"
#include "src/protocol/base64.h"
#include "src/protocol/request.h"
#include "src/protocol/text.h"

_Static_assert(META_KEY_DECODED_MAX == BASE64_DECODED_BYTES(REQUEST_KEY_MAX),
               "room for a decoded key");

typedef enum request_error flag_fn(struct slice word, struct request *request);

static struct slice token_of(struct slice word)
{
    return slice_make(word.data + 1, word.size - 1);
}

/* ---- flags ---- */

static enum request_error take_nothing(struct slice word,
                                       struct request *request)
{
    (void)word;
    (void)request;
    return REQUEST_FINE;
}

/* The key is longer in base64 than it is, so it was measured already. */
static enum request_error take_base64(struct slice word,
                                      struct request *request)
{
    size_t size;

    (void)word;
    if (base64_decode(request->key, request->meta.key, &size) != 0)
        return REQUEST_BAD_BASE64;
    request->key = slice_make(request->meta.key, size);
    return REQUEST_FINE;
}

static enum request_error take_opaque(struct slice word,
                                      struct request *request)
{
    if (word.size > META_OPAQUE_MAX)
        return REQUEST_LONG_OPAQUE;
    request->meta.opaque = word;
    return REQUEST_FINE;
}

/* Wider numbers are cut to 32 bits. */
static enum request_error take_client_flags(struct slice word,
                                            struct request *request)
{
    uint64_t flags;

    if (number_u64(token_of(word), &flags) != 0)
        return REQUEST_BAD_LINE;
    request->client_flags = (uint32_t)flags;
    return REQUEST_FINE;
}

static enum request_error take_mode(struct slice word, struct request *request)
{
    if (word.size != 2)
        return REQUEST_LONG_MODE;
    request->meta.mode = word.data[1];
    return REQUEST_FINE;
}

static enum request_error take_ttl(struct slice word, struct request *request)
{
    int32_t ttl_s;

    if (number_i32(token_of(word), &ttl_s) != 0)
        return REQUEST_BAD_TOKEN;
    request->exptime_s = ttl_s;
    return REQUEST_FINE;
}

static enum request_error take_vivify(struct slice word,
                                      struct request *request)
{
    return number_i32(token_of(word), &request->meta.vivify_s) == 0
               ? REQUEST_FINE
               : REQUEST_BAD_TOKEN;
}

static enum request_error take_recache(struct slice word,
                                       struct request *request)
{
    return number_i32(token_of(word), &request->meta.recache_s) == 0
               ? REQUEST_FINE
               : REQUEST_BAD_TOKEN;
}

static enum request_error take_wanted_cas(struct slice word,
                                          struct request *request)
{
    return number_u64(token_of(word), &request->meta.wanted_cas) == 0
               ? REQUEST_FINE
               : REQUEST_BAD_TOKEN;
}

static enum request_error take_given_cas(struct slice word,
                                         struct request *request)
{
    return number_u64(token_of(word), &request->meta.given_cas) == 0
               ? REQUEST_FINE
               : REQUEST_BAD_TOKEN;
}

static enum request_error take_delta(struct slice word, struct request *request)
{
    return number_u64(token_of(word), &request->meta.delta) == 0
               ? REQUEST_FINE
               : REQUEST_BAD_META_DELTA;
}

static enum request_error take_initial(struct slice word,
                                       struct request *request)
{
    return number_u64(token_of(word), &request->meta.initial) == 0
               ? REQUEST_FINE
               : REQUEST_BAD_INITIAL;
}

static flag_fn *const flags[1 + 'z' - 'A'] = {
    ['C' - 'A'] = take_wanted_cas, ['D' - 'A'] = take_delta,
    ['E' - 'A'] = take_given_cas,  ['F' - 'A'] = take_client_flags,
    ['I' - 'A'] = take_nothing,    ['J' - 'A'] = take_initial,
    ['L' - 'A'] = take_nothing,    ['M' - 'A'] = take_mode,
    ['N' - 'A'] = take_vivify,     ['O' - 'A'] = take_opaque,
    ['P' - 'A'] = take_nothing,    ['R' - 'A'] = take_recache,
    ['T' - 'A'] = take_ttl,        ['b' - 'A'] = take_base64,
    ['c' - 'A'] = take_nothing,    ['f' - 'A'] = take_nothing,
    ['h' - 'A'] = take_nothing,    ['k' - 'A'] = take_nothing,
    ['l' - 'A'] = take_nothing,    ['q' - 'A'] = take_nothing,
    ['s' - 'A'] = take_nothing,    ['t' - 'A'] = take_nothing,
    ['u' - 'A'] = take_nothing,    ['v' - 'A'] = take_nothing,
    ['x' - 'A'] = take_nothing,
};

/* ---- lines ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Notes that a flag is there, if it can be. */
static enum request_error note_flag(struct slice word, struct meta *meta)
{
    char letter = word.data[0];

    if (!is_letter(letter))
        return is_digit(letter) ? REQUEST_UNKNOWN_FLAG : REQUEST_BAD_LINE;
    if (meta_has(meta, letter))
        return REQUEST_DUPLICATE_FLAG;
    if (flags[letter - 'A'] == NULL)
        return REQUEST_UNKNOWN_FLAG;
    meta->given |= META_BIT(letter);
    meta->letters[meta->count++] = letter;
    return REQUEST_FINE;
}

static enum request_error note_flags(struct slice words, struct meta *meta)
{
    enum request_error error = REQUEST_FINE;
    struct slice word = text_take(&words);

    while (word.size > 0 && error == REQUEST_FINE) {
        error = note_flag(word, meta);
        word = text_take(&words);
    }
    return error;
}

/* All of them are known. Of several bad tokens memcached tells the last, but
 * of client flags only when they are all that is wrong. */
static enum request_error take_flags(struct slice words,
                                     struct request *request)
{
    enum request_error error = REQUEST_FINE;
    struct slice word = text_take(&words);

    while (word.size > 0) {
        enum request_error bad = flags[word.data[0] - 'A'](word, request);

        if (error == REQUEST_FINE ||
            (bad != REQUEST_FINE && bad != REQUEST_BAD_LINE))
            error = bad;
        word = text_take(&words);
    }
    return error;
}

/* ma and md say the same of nearly everything. */
static enum request_error as_worded(enum request_verb verb,
                                    enum request_error error)
{
    if (error == REQUEST_FINE || error == REQUEST_LONG_OPAQUE)
        return error;
    return verb == REQUEST_MA || verb == REQUEST_MD ? REQUEST_BAD_FLAG : error;
}

static bool is_one_of(char c, const char *list)
{
    while (*list != '\0' && *list != c)
        list++;
    return *list != '\0';
}

static enum request_error check_mode(enum request_verb verb, char mode)
{
    if (mode == '\0')
        return REQUEST_FINE;
    if (verb == REQUEST_MS && !is_one_of(mode, "EAPRS"))
        return REQUEST_BAD_MS_MODE;
    if (verb == REQUEST_MA && !is_one_of(mode, "I+D-"))
        return REQUEST_BAD_MA_MODE;
    return REQUEST_FINE;
}

static bool has_too_many(struct slice words, unsigned before)
{
    unsigned count = before;

    while (count <= META_TOKENS_MAX && text_take(&words).size > 0)
        count++;
    return count > META_TOKENS_MAX;
}

void meta_parse(struct slice words, unsigned before, struct request *request)
{
    enum request_error error;

    memset(&request->meta, 0, sizeof(request->meta));
    request->meta.delta = 1;
    if (has_too_many(words, before)) {
        request->error = REQUEST_MANY_FLAGS;
        return;
    }
    error = note_flags(words, &request->meta);
    if (error == REQUEST_FINE)
        error = take_flags(words, request);
    error = as_worded(request->verb, error);
    if (error == REQUEST_FINE)
        error = check_mode(request->verb, request->meta.mode);
    request->error = error;
}

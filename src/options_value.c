/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of options, and the words for what does not fit them. Whoever
 * moves from memcached has scripts that know its sentences and its exit
 * statuses: where it has one of its own, it is told here. */
#include "src/options_value.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"

#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#define STATUS_BAD_VALUE 1 /* Of most options of memcached's. */

/* Options whose bad value is told in memcached's words; % is the value.
 * Without a row, and without words for what is too large: EX_USAGE, or 1 after
 * -o, and the range. */
static const struct {
    enum option_id id;
    int status;
    const char *sentence;
    const char *too_large; /* NULL: the range. */
} refusals[] = {
    {OPTION_ID_connections_max, STATUS_BAD_VALUE,
     "Maximum connections must be greater than 0", NULL},
    {OPTION_ID_port, EX_USAGE, "ERROR: Invalid port number %.",
     "ERROR: Invalid port number %."},
    {OPTION_ID_udp_port, EX_USAGE, "ERROR: Invalid port number %.",
     "ERROR: Invalid port number %."},
    {OPTION_ID_growth, STATUS_BAD_VALUE, "Factor must be greater than 1", NULL},
    {OPTION_ID_chunk_min, STATUS_BAD_VALUE, "Chunk size must be greater than 0",
     NULL},
    {OPTION_ID_threads, STATUS_BAD_VALUE,
     "Number of threads must be greater than 0", NULL},
    {OPTION_ID_turn_requests_max, STATUS_BAD_VALUE,
     "Number of requests per event must be greater than 0", NULL},
    {OPTION_ID_prefix_delimiter, STATUS_BAD_VALUE, "No delimiter specified",
     NULL},
    {OPTION_ID_protocol, EX_USAGE,
     "Invalid value for binding protocol: % -- should be one of auto, binary, "
     "or ascii",
     NULL},
    {OPTION_ID_item_bytes_max, EX_USAGE,
     "Item max size cannot be less than 1024 bytes.",
     "Cannot set item size limit higher than a gigabyte."},
    {OPTION_ID_napi_ids, STATUS_BAD_VALUE,
     "Maximum number of NAPI IDs must be greater than 0", NULL},
    {OPTION_ID_hashpower, STATUS_BAD_VALUE,
     "Initial hashtable multiplier of % is too low",
     "Initial hashtable multiplier of % is too high"},
    {OPTION_ID_slab_automove, STATUS_BAD_VALUE,
     "slab_automove must be between 0 and 2",
     "slab_automove must be between 0 and 2"},
    {OPTION_ID_slab_automove_ratio, STATUS_BAD_VALUE,
     "slab_automove_ratio must be > 0 and < 1",
     "slab_automove_ratio must be > 0 and < 1"},
    {OPTION_ID_slab_automove_window, STATUS_BAD_VALUE,
     "slab_automove_window must be > 2", NULL},
    {OPTION_ID_lru_crawler_sleep, STATUS_BAD_VALUE,
     "LRU crawler sleep must be between 0 and 1 second",
     "LRU crawler sleep must be between 0 and 1 second"},
    {OPTION_ID_lru_crawler_tocrawl, STATUS_BAD_VALUE,
     "lru_crawler_tocrawl takes a numeric 32bit value",
     "lru_crawler_tocrawl takes a numeric 32bit value"},
    {OPTION_ID_tail_repair_time, STATUS_BAD_VALUE,
     "Cannot set tail_repair_time to less than 10 seconds", NULL},
    {OPTION_ID_hash_algorithm, STATUS_BAD_VALUE,
     "Unknown hash_algorithm option (jenkins, murmur3, xxh3)", NULL},
    {OPTION_ID_hot_lru_pct, STATUS_BAD_VALUE,
     "hot_lru_pct must be > 1 and < 80", "hot_lru_pct must be > 1 and < 80"},
    {OPTION_ID_warm_lru_pct, STATUS_BAD_VALUE,
     "warm_lru_pct must be > 1 and < 80", "warm_lru_pct must be > 1 and < 80"},
    {OPTION_ID_hot_max_factor, STATUS_BAD_VALUE, "hot_max_factor must be > 0",
     NULL},
    {OPTION_ID_warm_max_factor, STATUS_BAD_VALUE, "warm_max_factor must be > 0",
     NULL},
    {OPTION_ID_read_buf_mem_limit, STATUS_BAD_VALUE,
     "could not parse argument to read_buf_mem_limit", NULL},
    {OPTION_ID_ssl_verify_mode, STATUS_BAD_VALUE,
     "Invalid ssl_verify_mode. Use help to see valid options.",
     "Invalid ssl_verify_mode. Use help to see valid options."},
    {OPTION_ID_ssl_keyformat, STATUS_BAD_VALUE,
     "could not parse argument to ssl_keyformat", NULL},
    {OPTION_ID_ssl_wbuf_size, STATUS_BAD_VALUE,
     "could not parse argument to ssl_wbuf_size", NULL},
    {OPTION_ID_ssl_min_version, STATUS_BAD_VALUE,
     "Invalid ssl_min_version. Use help to see valid options.",
     "Invalid ssl_min_version. Use help to see valid options."},
};

int options_fail(int status, char words[OPTIONS_WORDS_MAX], const char *format,
                 ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, OPTIONS_WORDS_MAX, format, args);
    va_end(args);
    return status;
}

/* ---- refusing ---- */

/* An option as the user writes it: -p, or repl_timeout. */
static const char *shown_name(const struct option_spec *spec,
                              char room[OPTION_NAME_MAX])
{
    if (option_is_sub(spec))
        (void)snprintf(room, OPTION_NAME_MAX, "%s", spec->name);
    else if (spec->letter != '\0')
        (void)snprintf(room, OPTION_NAME_MAX, "-%c", spec->letter);
    else
        (void)snprintf(room, OPTION_NAME_MAX, "--%s", spec->name);
    return room;
}

static int status_of(const struct option_spec *spec)
{
    return option_is_sub(spec) ? STATUS_BAD_VALUE : EX_USAGE;
}

static bool is_too_large(const struct option_spec *spec, const char *text)
{
    uint64_t bytes;
    double value;

    if (spec->kind == OPTION_KIND_SIZE)
        return number_size(slice_of(text), &bytes) == 0 &&
               bytes > (uint64_t)spec->max;
    return number_double(slice_of(text), &value) == 0 &&
           value * (spec->kind == OPTION_KIND_DECIMAL ? 1000 : 1) >
               (double)spec->max;
}

/* A sentence with the value in place of its %. */
static int compose(int status, const char *sentence, const char *text,
                   char words[OPTIONS_WORDS_MAX])
{
    size_t before = strcspn(sentence, "%");

    if (sentence[before] == '\0')
        return options_fail(status, words, "%s", sentence);
    return options_fail(status, words, "%.*s%s%s", (int)before, sentence, text,
                        sentence + before + 1);
}

/* memcached's words for it; 0: it has none. */
static int refuse_as_known(const struct option_spec *spec, const char *text,
                           char words[OPTIONS_WORDS_MAX])
{
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        const char *sentence = refusals[i].sentence;

        if (refusals[i].id != spec->id)
            continue;
        if (is_too_large(spec, text))
            sentence = refusals[i].too_large;
        return sentence == NULL
                   ? 0
                   : compose(refusals[i].status, sentence, text, words);
    }
    return 0;
}

static int refuse_number(const struct option_spec *spec, const char *text,
                         const char *kind, char words[OPTIONS_WORDS_MAX])
{
    char name[OPTION_NAME_MAX];
    int status = refuse_as_known(spec, text, words);

    if (status != 0)
        return status;
    return options_fail(status_of(spec), words,
                        "%s takes %s from %lld to %lld, not \"%s\"",
                        shown_name(spec, name), kind, (long long)spec->min,
                        (long long)spec->max, text);
}

static int refuse_octal(const struct option_spec *spec, const char *text,
                        char words[OPTIONS_WORDS_MAX])
{
    char name[OPTION_NAME_MAX];

    return options_fail(status_of(spec), words,
                        "%s takes an octal number from %llo to %llo, not "
                        "\"%s\"",
                        shown_name(spec, name), (unsigned long long)spec->min,
                        (unsigned long long)spec->max, text);
}

static int refuse_decimal(const struct option_spec *spec, const char *text,
                          char words[OPTIONS_WORDS_MAX])
{
    char name[OPTION_NAME_MAX];
    int status = refuse_as_known(spec, text, words);

    if (status != 0)
        return status;
    return options_fail(status_of(spec), words,
                        "%s takes a number from %.3f to %.0f, like 1.25, not "
                        "\"%s\"",
                        shown_name(spec, name), (double)spec->min / 1000,
                        (double)spec->max / 1000, text);
}

static int refuse_choice(const struct option_spec *spec, const char *text,
                         char words[OPTIONS_WORDS_MAX])
{
    char name[OPTION_NAME_MAX];
    int status = refuse_as_known(spec, text, words);

    if (status != 0)
        return status;
    return options_fail(status_of(spec), words, "%s takes %s, not \"%s\"",
                        shown_name(spec, name), spec->metavar, text);
}

static int refuse_text(const struct option_spec *spec, const char *text,
                       char words[OPTIONS_WORDS_MAX])
{
    char name[OPTION_NAME_MAX];
    int status = refuse_as_known(spec, text, words);

    if (status != 0)
        return status;
    return options_fail(
        status_of(spec), words, "%s takes a text of %lld to %lld characters",
        shown_name(spec, name), (long long)spec->min, (long long)spec->max);
}

/* ---- values ---- */

static bool in_range(const struct option_spec *spec, int64_t value)
{
    return value >= spec->min && value <= spec->max;
}

static int set_number(int64_t *field, const struct option_spec *spec,
                      const char *text, char words[OPTIONS_WORDS_MAX])
{
    if (number_i64(slice_of(text), field) == 0 && in_range(spec, *field))
        return 0;
    return refuse_number(spec, text, "a number", words);
}

static int set_size(int64_t *field, const struct option_spec *spec,
                    const char *text, char words[OPTIONS_WORDS_MAX])
{
    uint64_t bytes;

    if (number_size(slice_of(text), &bytes) != 0 || bytes > INT64_MAX ||
        !in_range(spec, (int64_t)bytes))
        return refuse_number(spec, text, "a size in bytes, or with k or m,",
                             words);
    *field = (int64_t)bytes;
    return 0;
}

static int set_octal(int64_t *field, const struct option_spec *spec,
                     const char *text, char words[OPTIONS_WORDS_MAX])
{
    int64_t value = 0;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '7' || value > spec->max)
            return refuse_octal(spec, text, words);
        value = value * 8 + (*at - '0');
    }
    if (text[0] == '\0' || !in_range(spec, value))
        return refuse_octal(spec, text, words);
    *field = value;
    return 0;
}

static int set_decimal(double *field, const struct option_spec *spec,
                       const char *text, char words[OPTIONS_WORDS_MAX])
{
    if (number_double(slice_of(text), field) == 0 &&
        *field * 1000 >= (double)spec->min &&
        *field * 1000 <= (double)spec->max)
        return 0;
    return refuse_decimal(spec, text, words);
}

static int set_choice(int64_t *field, const struct option_spec *spec,
                      const char *text, char words[OPTIONS_WORDS_MAX])
{
    const char *at = spec->metavar;
    size_t size = strlen(text);

    for (int64_t i = 0; i <= spec->max; i++) {
        size_t word = strcspn(at, "|");

        if (word == size && memcmp(at, text, size) == 0) {
            *field = i;
            return 0;
        }
        at += word + (at[word] == '|');
    }
    return refuse_choice(spec, text, words);
}

static int set_character(int64_t *field, const struct option_spec *spec,
                         const char *text, char words[OPTIONS_WORDS_MAX])
{
    if (text[0] == '\0')
        return refuse_text(spec, text, words);
    *field = (unsigned char)text[0];
    return 0;
}

static int check_text(const struct option_spec *spec, const char *text,
                      char words[OPTIONS_WORDS_MAX])
{
    return in_range(spec, (int64_t)strlen(text))
               ? 0
               : refuse_text(spec, text, words);
}

static int add_to_list(struct option_list *list, const struct option_spec *spec,
                       const char *text, char words[OPTIONS_WORDS_MAX])
{
    char name[OPTION_NAME_MAX];

    if (list->count == OPTIONS_LIST_MAX)
        return options_fail(EX_USAGE, words, "%s may be given %d times at most",
                            shown_name(spec, name), OPTIONS_LIST_MAX);
    list->at[list->count++] = text;
    return check_text(spec, text, words);
}

static void count_up(int64_t *field, const struct option_spec *spec)
{
    if (*field < spec->max)
        (*field)++;
}

/* NAME alone is 1. */
static int set_level(int64_t *field, const struct option_spec *spec,
                     const char *text, char words[OPTIONS_WORDS_MAX])
{
    if (text != NULL)
        return set_number(field, spec, text, words);
    *field = 1;
    return 0;
}

/* ---- any of them ---- */

static void *field_of(struct options *options, const struct option_spec *spec)
{
    return (char *)options + spec->offset;
}

bool option_value_is_needed(const struct option_spec *spec)
{
    return spec->metavar != NULL && spec->kind != OPTION_KIND_LEVEL &&
           spec->kind != OPTION_KIND_ANY;
}

int option_set(struct options *options, const struct option_spec *spec,
               const char *text, char words[OPTIONS_WORDS_MAX])
{
    void *field = field_of(options, spec);

    INVARIANT(text != NULL || !option_value_is_needed(spec));
    options->given[spec->id] = true;
    switch (spec->kind) {
    case OPTION_KIND_FLAG:
    case OPTION_KIND_SWITCH:
    case OPTION_KIND_ANY:
    case OPTION_KIND_EXTENDED:
        *(bool *)field = true;
        return 0;
    case OPTION_KIND_COUNT:
        count_up(field, spec);
        return 0;
    case OPTION_KIND_LEVEL:
        return set_level(field, spec, text, words);
    case OPTION_KIND_CHOICE:
        return set_choice(field, spec, text, words);
    case OPTION_KIND_OCTAL:
        return set_octal(field, spec, text, words);
    case OPTION_KIND_CHARACTER:
        return set_character(field, spec, text, words);
    case OPTION_KIND_NUMBER:
        return set_number(field, spec, text, words);
    case OPTION_KIND_SIZE:
        return set_size(field, spec, text, words);
    case OPTION_KIND_DECIMAL:
        return set_decimal(field, spec, text, words);
    case OPTION_KIND_TEXT:
        *(const char **)field = text;
        return check_text(spec, text, words);
    case OPTION_KIND_LIST:
        return add_to_list(field, spec, text, words);
    case OPTION_KIND_FIXED:
        break;
    }
    INVARIANT(spec->kind != OPTION_KIND_FIXED);
    return EX_SOFTWARE;
}

bool option_can_be_cleared(const struct option_spec *spec)
{
    return spec->kind == OPTION_KIND_SWITCH || spec->kind == OPTION_KIND_LEVEL;
}

/* What no_modern means. What is said after it counts. */
static void set_old_fashioned(struct options *options)
{
    options->lru_maintainer = false;
    options->lru_crawler = false;
    options->slab_reassign = false;
    options->slab_automove = 0;
    options->maxconns_fast = false;
    options->no_chunked_items = true;
}

void option_clear(struct options *options, const struct option_spec *spec)
{
    void *field = field_of(options, spec);

    INVARIANT(option_can_be_cleared(spec));
    options->given[spec->id] = true;
    if (spec->kind == OPTION_KIND_SWITCH)
        *(bool *)field = false;
    else
        *(int64_t *)field = 0;
    if (spec->id == OPTION_ID_modern)
        set_old_fashioned(options);
}

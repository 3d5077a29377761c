/* SPDX-License-Identifier: BSD-3-Clause */
/* From an argument vector to values, or to one sentence. */
#include "src/options.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/server/server.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

/* getopt's own word for an option it does not know. */
#define STATUS_UNKNOWN_OPTION 1

const struct option_spec option_specs[] = {
#define OPTION(kind_, field, letter_, name_, metavar_, value_, min_, max_, \
               group_, setting_, show_, help_) \
    {.kind = OPTION_KIND_##kind_, \
     .id = OPTION_ID_##field, \
     .offset = offsetof(struct options, field), \
     .letter = (letter_), \
     .name = (name_), \
     .metavar = (metavar_), \
     .value = (value_), \
     .min = (min_), \
     .max = (max_), \
     .group = OPTION_GROUP_##group_, \
     .setting = (setting_), \
     .show = OPTION_SHOW_##show_, \
     .help = (help_)},
#define SUBOPTION(kind, field, name, metavar, value, min, max, setting, show, \
                  help) \
    OPTION(kind, field, '\0', name, metavar, value, min, max, EXTENDED, \
           setting, show, help)
#define FIXED(setting_, text) \
    {.kind = OPTION_KIND_FIXED, .setting = (setting_), .help = (text)},
#include "src/options.def"
#undef OPTION
#undef SUBOPTION
#undef FIXED
};

const size_t option_spec_count = COUNT_OF(option_specs);

/* A default outside its own range does not compile. */
#define OPTION(kind, field, letter, name, metavar, value, min, max, ...) \
    _Static_assert((value) == 0 || ((min) <= (value) && (value) <= (max)), \
                   "default of " name);
#define SUBOPTION(kind, field, name, metavar, value, min, max, ...) \
    OPTION(kind, field, '\0', name, metavar, value, min, max, )
#define FIXED(setting, text)
#include "src/options.def"
#undef OPTION
#undef SUBOPTION
#undef FIXED

__attribute__((format(printf, 3, 4))) static int
fail(int status, char words[OPTIONS_WORDS_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, OPTIONS_WORDS_MAX, format, args);
    va_end(args);
    return status;
}

/* ---- names ---- */

#define SHOWN_NAME_MAX 64

/* An option as the user writes it: -p, or -o repl_timeout. */
static const char *shown_name(const struct option_spec *spec,
                              char room[SHOWN_NAME_MAX])
{
    if (spec->letter != '\0')
        (void)snprintf(room, SHOWN_NAME_MAX, "-%c", spec->letter);
    else
        (void)snprintf(room, SHOWN_NAME_MAX, "-o %s", spec->name);
    return room;
}

static const struct option_spec *find_letter(int letter)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        if (option_specs[i].kind != OPTION_KIND_FIXED && letter != '\0' &&
            option_specs[i].letter == letter)
            return &option_specs[i];
    }
    return NULL;
}

static const struct option_spec *find_suboption(const char *name)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        if (option_specs[i].group == OPTION_GROUP_EXTENDED &&
            strcmp(option_specs[i].name, name) == 0)
            return &option_specs[i];
    }
    return NULL;
}

/* ---- values ---- */

static void *field_of(struct options *options, const struct option_spec *spec)
{
    return (char *)options + spec->offset;
}

static bool in_range(const struct option_spec *spec, int64_t value)
{
    return spec->min <= value && value <= spec->max;
}

static int refuse_number(const struct option_spec *spec, const char *text,
                         const char *kind, char words[OPTIONS_WORDS_MAX])
{
    char name[SHOWN_NAME_MAX];

    return fail(EX_USAGE, words, "%s takes %s from %lld to %lld, not \"%s\"",
                shown_name(spec, name), kind, (long long)spec->min,
                (long long)spec->max, text);
}

static int set_number(int64_t *field, const struct option_spec *spec,
                      const char *text, char words[OPTIONS_WORDS_MAX])
{
    if (number_i64(slice_of(text), field) != 0 || !in_range(spec, *field))
        return refuse_number(spec, text, "a number", words);
    return 0;
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

static int set_decimal(double *field, const struct option_spec *spec,
                       const char *text, char words[OPTIONS_WORDS_MAX])
{
    char name[SHOWN_NAME_MAX];

    if (number_double(slice_of(text), field) == 0 &&
        *field * 1000 >= (double)spec->min &&
        *field * 1000 <= (double)spec->max)
        return 0;
    return fail(EX_USAGE, words,
                "%s takes a number from %.3f to %.0f, like 1.25, not \"%s\"",
                shown_name(spec, name), (double)spec->min / 1000,
                (double)spec->max / 1000, text);
}

static int check_text(const struct option_spec *spec, const char *text,
                      char words[OPTIONS_WORDS_MAX])
{
    char name[SHOWN_NAME_MAX];

    if (in_range(spec, (int64_t)strlen(text)))
        return 0;
    return fail(EX_USAGE, words, "%s takes a text of %lld to %lld characters",
                shown_name(spec, name), (long long)spec->min,
                (long long)spec->max);
}

static int add_to_list(struct option_list *list, const struct option_spec *spec,
                       const char *text, char words[OPTIONS_WORDS_MAX])
{
    if (list->count == OPTIONS_LIST_MAX)
        return fail(EX_USAGE, words, "-%c may be given %d times at most",
                    spec->letter, OPTIONS_LIST_MAX);
    list->at[list->count++] = text;
    return check_text(spec, text, words);
}

static void count_up(int64_t *field, const struct option_spec *spec)
{
    if (*field < spec->max)
        (*field)++;
}

static int set_extended(struct options *options, char *list,
                        char words[OPTIONS_WORDS_MAX]);

static int set_option(struct options *options, const struct option_spec *spec,
                      char *text, char words[OPTIONS_WORDS_MAX])
{
    void *field = field_of(options, spec);

    options->given[spec->id] = true;
    switch (spec->kind) {
    case OPTION_KIND_FLAG:
        *(bool *)field = true;
        return 0;
    case OPTION_KIND_COUNT:
        count_up(field, spec);
        return 0;
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
    case OPTION_KIND_EXTENDED:
        return set_extended(options, text, words);
    case OPTION_KIND_FIXED:
        break;
    }
    INVARIANT(spec->kind != OPTION_KIND_FIXED);
    return EX_SOFTWARE;
}

/* ---- suboptions ---- */

/* One entry after -o: NAME=VALUE. */
static int set_suboption(struct options *options, char *entry,
                         char words[OPTIONS_WORDS_MAX])
{
    char *value = strchr(entry, '=');
    const struct option_spec *spec;

    if (value != NULL)
        *value++ = '\0';
    spec = find_suboption(entry);
    if (spec == NULL)
        return fail(STATUS_UNKNOWN_OPTION, words,
                    "there is no setting \"%s\" for -o; -h lists them", entry);
    if (value == NULL)
        return fail(EX_USAGE, words, "-o %s needs a value: -o %s=%s",
                    spec->name, spec->name, spec->metavar);
    return set_option(options, spec, value, words);
}

static int set_extended(struct options *options, char *list,
                        char words[OPTIONS_WORDS_MAX])
{
    int status = 0;

    while (status == 0 && list != NULL) {
        char *entry = strsep(&list, ",");

        if (entry[0] != '\0')
            status = set_suboption(options, entry, words);
    }
    return status;
}

/* ---- the argument vector ---- */

struct getopt_tables {
    char letters[4 * OPTION_IDS + 2];
    struct option names[OPTION_IDS + 1];
};

static void fill_tables(struct getopt_tables *tables)
{
    char *letter = tables->letters;
    struct option *name = tables->names;

    memset(tables, 0, sizeof(*tables));
    *letter++ = ':'; /* Tell a missing argument from an unknown option. */
    for (size_t i = 0; i < option_spec_count; i++) {
        const struct option_spec *spec = &option_specs[i];

        if (spec->kind == OPTION_KIND_FIXED || spec->letter == '\0')
            continue;
        *letter++ = spec->letter;
        if (spec->metavar != NULL)
            *letter++ = ':';
        *name++ = (struct option){.name = spec->name,
                                  .has_arg = spec->metavar != NULL,
                                  .val = spec->letter};
    }
}

/* Says which argument getopt did not like. */
static int refuse_argument(int verdict, char *argv[],
                           char words[OPTIONS_WORDS_MAX])
{
    const struct option_spec *spec = find_letter(optopt);

    if (verdict == ':' && spec != NULL)
        return fail(STATUS_UNKNOWN_OPTION, words, "-%c needs a value: -%c %s",
                    spec->letter, spec->letter, spec->metavar);
    if (spec != NULL)
        return fail(STATUS_UNKNOWN_OPTION, words, "--%s takes no value",
                    spec->name);
    if (optopt != 0)
        return fail(STATUS_UNKNOWN_OPTION, words,
                    "there is no option -%c; -h lists them", optopt);
    return fail(STATUS_UNKNOWN_OPTION, words,
                "there is no option %s; -h lists them", argv[optind - 1]);
}

static int read_arguments(struct options *options, int argc, char *argv[],
                          char words[OPTIONS_WORDS_MAX])
{
    struct getopt_tables tables;
    int letter, status;

    fill_tables(&tables);
    opterr = 0;
    optind = 0; /* Start over. */
    while ((letter = getopt_long(argc, argv, tables.letters, tables.names,
                                 NULL)) != -1) {
        if (letter == '?' || letter == ':')
            return refuse_argument(letter, argv, words);
        status = set_option(options, find_letter(letter), optarg, words);
        if (status != 0)
            return status;
    }
    if (optind < argc)
        return fail(EX_USAGE, words,
                    "\"%s\" belongs to no option; -h lists them", argv[optind]);
    return 0;
}

/* ---- the whole ---- */

static void set_defaults(struct options *options)
{
    *options = (struct options){0};
    for (size_t i = 0; i < option_spec_count; i++) {
        const struct option_spec *spec = &option_specs[i];

        if (spec->kind == OPTION_KIND_NUMBER || spec->kind == OPTION_KIND_SIZE)
            *(int64_t *)field_of(options, spec) = spec->value;
    }
}

static int check_memory(const struct options *options,
                        char words[OPTIONS_WORDS_MAX])
{
    int64_t needed_mib =
        (2 * options->item_bytes_max + (int64_t)MIB - 1) / (int64_t)MIB;

    if (options->memory_mib >= needed_mib)
        return 0;
    return fail(
        EX_USAGE, words,
        "an item may take half of the memory at most: with -m %lld make "
        "-I smaller, or -m at least %lld",
        (long long)options->memory_mib, (long long)needed_mib);
}

static int check_port(const struct options *options,
                      char words[OPTIONS_WORDS_MAX])
{
    if (options->port != 0)
        return 0;
    return fail(EX_USAGE, words,
                "-p 0 would leave no way in for clients: give a port, or -1 "
                "for any free one");
}

static int read_peer(struct options *options, char words[OPTIONS_WORDS_MAX])
{
    struct endpoint *peer = &options->peer_endpoint;

    if (options->peer == NULL)
        return 0;
    if (endpoint_parse(slice_of(options->peer), peer) != 0 ||
        peer->host[0] == '\0')
        return fail(EX_USAGE, words,
                    "\"%s\" is no peer: -x takes HOST, HOST:PORT or "
                    "[IPV6]:PORT",
                    options->peer);
    if (!peer->has_port)
        peer->port = (uint16_t)options->repl_port;
    if (peer->port == 0)
        return fail(EX_USAGE, words,
                    "the peer has no port 0: give its own with -x HOST:PORT");
    return 0;
}

int options_parse(struct options *options, int argc, char *argv[],
                  char words[OPTIONS_WORDS_MAX])
{
    int status;

    set_defaults(options);
    status = read_arguments(options, argc, argv, words);
    if (status != 0 || options->help || options->license || options->version)
        return status;
    status = check_memory(options, words);
    if (status == 0)
        status = check_port(options, words);
    if (status == 0)
        status = read_peer(options, words);
    return status;
}

bool options_replicate(const struct options *options)
{
    return options->given[OPTION_ID_peer] ||
           options->given[OPTION_ID_repl_port];
}

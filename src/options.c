/* SPDX-License-Identifier: BSD-3-Clause */
/* From an argument vector to values, or to one sentence. */
#include "src/options.h"

#include "src/base/invariant.h"
#include "src/options_rules.h"
#include "src/options_value.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

/* getopt's own word for an option it does not know. */
#define STATUS_UNKNOWN_OPTION 1

static const struct option_spec *find_letter(int letter)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        if (letter != '\0' && option_specs[i].letter == letter)
            return &option_specs[i];
    }
    return NULL;
}

static const struct option_spec *find_suboption(const char *name)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        if (option_is_sub(&option_specs[i]) &&
            strcmp(option_specs[i].name, name) == 0)
            return &option_specs[i];
    }
    return NULL;
}

/* ---- suboptions ---- */

/* What no_NAME means, or NULL. */
static const struct option_spec *find_cleared(const char *name)
{
    const struct option_spec *spec;

    if (strncmp(name, "no_", 3) != 0)
        return NULL;
    spec = find_suboption(name + 3);
    return spec != NULL && option_can_be_cleared(spec) ? spec : NULL;
}

/* One entry after -o: NAME, NAME=VALUE or no_NAME. */
static int set_suboption(struct options *options, char *entry,
                         char words[OPTIONS_WORDS_MAX])
{
    char *value = strchr(entry, '=');
    const struct option_spec *spec, *cleared;

    if (value != NULL)
        *value++ = '\0';
    spec = find_suboption(entry);
    cleared = find_cleared(entry);
    if (cleared != NULL) {
        option_clear(options, cleared);
        return 0;
    }
    if (spec == NULL)
        return options_fail(
            STATUS_UNKNOWN_OPTION, words, "Illegal suboption \"%s%s%s\"", entry,
            value != NULL ? "=" : "", value != NULL ? value : "");
    if (value == NULL && option_value_is_needed(spec))
        return options_fail(STATUS_UNKNOWN_OPTION, words,
                            "Missing %s argument: -o %s=%s", spec->name,
                            spec->name, spec->metavar);
    return option_set(options, spec, value, words);
}

static int set_extended(struct options *options, char *list,
                        char words[OPTIONS_WORDS_MAX])
{
    int status = 0;

    while (status == 0 && list != NULL && list[0] != '\0')
        status = set_suboption(options, strsep(&list, ","), words);
    return status;
}

/* ---- the argument vector ---- */

/* getopt gives an option's letter, and for a long name its place in the table
 * past all letters. */
#define LETTERS 256

struct getopt_tables {
    char letters[2 * OPTION_IDS + 2];
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
        bool takes_text = spec->metavar != NULL;

        if (!option_is_given(spec) || option_is_sub(spec))
            continue;
        if (spec->letter != '\0') {
            *letter++ = spec->letter;
            if (takes_text)
                *letter++ = ':';
        }
        if (spec->name[0] != '\0')
            *name++ = (struct option){.name = spec->name,
                                      .has_arg = takes_text,
                                      .val = LETTERS + (int)i};
    }
}

static const struct option_spec *find_option(int value)
{
    return value < LETTERS ? find_letter(value)
                           : &option_specs[value - LETTERS];
}

/* Says which argument getopt did not like, in its own words. */
static int refuse_argument(int verdict, char *argv[],
                           char words[OPTIONS_WORDS_MAX])
{
    const int status = STATUS_UNKNOWN_OPTION;

    if (verdict == ':' && optopt < LETTERS)
        return options_fail(
            status, words, PACKAGE_NAME ": option requires an argument -- '%c'",
            optopt);
    if (verdict == ':')
        return options_fail(status, words,
                            PACKAGE_NAME ": option '--%s' requires an argument",
                            find_option(optopt)->name);
    if (optopt >= LETTERS)
        return options_fail(status, words,
                            PACKAGE_NAME
                            ": option '--%s' doesn't allow an argument",
                            find_option(optopt)->name);
    if (optopt != 0)
        return options_fail(status, words,
                            PACKAGE_NAME ": invalid option -- '%c'", optopt);
    return options_fail(status, words,
                        PACKAGE_NAME ": unrecognized option '%s'",
                        argv[optind - 1]);
}

static int read_arguments(struct options *options, int argc, char *argv[],
                          char words[OPTIONS_WORDS_MAX])
{
    struct getopt_tables tables;
    int value;

    fill_tables(&tables);
    opterr = 0;
    optind = 0; /* Start over. */
    while ((value = getopt_long(argc, argv, tables.letters, tables.names,
                                NULL)) != -1) {
        const struct option_spec *spec;
        int status;

        if (value == '?' || value == ':')
            return refuse_argument(value, argv, words);
        spec = find_option(value);
        status = option_set(options, spec, optarg, words);
        if (status == 0 && spec->kind == OPTION_KIND_EXTENDED)
            status = set_extended(options, optarg, words);
        if (status != 0)
            return status;
    }
    if (optind < argc)
        return options_fail(EX_USAGE, words,
                            "\"%s\" belongs to no option; -h lists them",
                            argv[optind]);
    return 0;
}

/* ---- the whole ---- */

int options_parse(struct options *options, int argc, char *argv[],
                  char words[OPTIONS_WORDS_MAX])
{
    int status;

    options_set_defaults(options);
    status = read_arguments(options, argc, argv, words);
    if (status != 0 || options->help || options->license || options->version)
        return status;
    return options_settle(options, words);
}

bool options_replicate(const struct options *options)
{
    return options->given[OPTION_ID_peer] ||
           options->given[OPTION_ID_repl_port];
}

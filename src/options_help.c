/* SPDX-License-Identifier: BSD-3-Clause */
/* What -h prints, from the table. */
#include "src/options.h"

#include "src/base/invariant.h"
#include "src/options_value.h"

#include <string.h>

#define COLUMNS_MAX 79
#define HELP_COLUMN 33
#define TEXT_MAX 512

static const char *const titles[OPTION_GROUP_NONE] = {
    [OPTION_GROUP_CLIENTS] = "Clients",
    [OPTION_GROUP_PEER] = "Replication",
    [OPTION_GROUP_MEMORY] = "Memory",
    [OPTION_GROUP_PROGRAM] = "Program",
    [OPTION_GROUP_SUB_CLIENTS] = "Settings for -o, as -o NAME=VALUE,NAME,... "
                                 "([no_]NAME: on or off): clients",
    [OPTION_GROUP_SUB_TLS] = "Settings for -o: TLS, with -Z",
    [OPTION_GROUP_SUB_PEER] = "Settings for -o: replication",
    [OPTION_GROUP_SUB_MEMORY] = "Settings for -o: memory",
    [OPTION_GROUP_SUB_IGNORED] = "Settings for -o that are accepted and change "
                                 "nothing here",
};

/* "  hashpower=NUM", "  [no_]modern" */
static int print_sub_name(FILE *out, const struct option_spec *spec)
{
    bool pair = option_can_be_cleared(spec);
    bool needed = option_value_is_needed(spec);
    int used = fprintf(out, "  %s%s", pair ? "[no_]" : "", spec->name);

    if (spec->metavar != NULL)
        used += fprintf(out, needed ? "=%s" : "[=%s]", spec->metavar);
    return used;
}

/* "  -p, --port=NUM", "      --disable-dumping", "  -D CHAR" */
static int print_name(FILE *out, const struct option_spec *spec)
{
    int used = 0;

    if (option_is_sub(spec))
        return print_sub_name(out, spec);
    if (spec->letter == '\0')
        return fprintf(out, "      --%s", spec->name);
    used += fprintf(out, "  -%c", spec->letter);
    if (spec->name[0] != '\0')
        used += fprintf(out, ", --%s", spec->name);
    if (spec->metavar != NULL)
        used += fprintf(out, "%c%s", spec->name[0] != '\0' ? '=' : ' ',
                        spec->metavar);
    return used;
}

/* Prints words from the column on, wrapped. */
static void print_wrapped(FILE *out, const char *text)
{
    size_t column = HELP_COLUMN;

    while (*text != '\0') {
        size_t size = strcspn(text, " ");

        if (column > HELP_COLUMN && column + 1 + size > COLUMNS_MAX) {
            (void)fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += (size_t)fprintf(
            out, "%s%.*s", column > HELP_COLUMN ? " " : "", (int)size, text);
        text += size;
        text += strspn(text, " ");
    }
    (void)fputc('\n', out);
}

static void compose(char text[TEXT_MAX], const struct option_spec *spec)
{
    char value[OPTION_NAME_MAX];

    option_default(spec, value);
    if (value[0] != '\0')
        (void)snprintf(text, TEXT_MAX, "%s (default: %s)", spec->help, value);
    else
        (void)snprintf(text, TEXT_MAX, "%s", spec->help);
}

static void print_option(FILE *out, const struct option_spec *spec)
{
    char text[TEXT_MAX];
    int used = print_name(out, spec);

    if (used > HELP_COLUMN - 2) {
        (void)fputc('\n', out);
        used = 0;
    }
    (void)fprintf(out, "%*s", HELP_COLUMN - used, "");
    compose(text, spec);
    print_wrapped(out, text);
}

static void print_group(FILE *out, enum option_group group)
{
    (void)fprintf(out, "\n%s\n", titles[group]);
    for (size_t i = 0; i < option_spec_count; i++) {
        const struct option_spec *spec = &option_specs[i];

        if (spec->group == group)
            print_option(out, spec);
    }
}

void options_print_help(FILE *out)
{
    (void)fprintf(out, "%s %s\nusage: %s [options]\n\n%s\n", PACKAGE_NAME,
                  PACKAGE_VERSION, PACKAGE_NAME,
                  "A memcached whose data live on two nodes. On each of them:\n"
                  "  " PACKAGE_NAME " -d -u memcached -m 1024 -x OTHER-NODE");
    for (int group = 0; group < OPTION_GROUP_NONE; group++)
        print_group(out, (enum option_group)group);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What -h prints, from the table. */
#include "src/options.h"

#include "src/base/invariant.h"

#include <string.h>

#define COLUMNS_MAX 79
#define HELP_COLUMN 33
#define TEXT_MAX 512

static const char *const titles[OPTION_GROUP_COUNT] = {
    [OPTION_GROUP_CLIENTS] = "Clients",
    [OPTION_GROUP_PEER] = "Replication",
    [OPTION_GROUP_MEMORY] = "Memory",
    [OPTION_GROUP_PROGRAM] = "Program",
    [OPTION_GROUP_EXTENDED] = "Settings for -o, as -o NAME=VALUE,NAME=VALUE",
};

/* "  -p, --port=NUM" */
static int print_name(FILE *out, const struct option_spec *spec)
{
    const char *metavar = spec->metavar != NULL ? spec->metavar : "";
    const char *equals = spec->metavar != NULL ? "=" : "";

    if (spec->letter == '\0')
        return fprintf(out, "  %s%s%s", spec->name, equals, metavar);
    return fprintf(out, "  -%c, --%s%s%s", spec->letter, spec->name, equals,
                   metavar);
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

static bool has_default(const struct option_spec *spec)
{
    return (spec->kind == OPTION_KIND_NUMBER ||
            spec->kind == OPTION_KIND_SIZE) &&
           spec->value >= spec->min;
}

static void compose(char text[TEXT_MAX], const struct option_spec *spec)
{
    if (has_default(spec))
        (void)snprintf(text, TEXT_MAX, "%s (default: %lld)", spec->help,
                       (long long)spec->value);
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

        if (spec->kind != OPTION_KIND_FIXED && spec->group == group)
            print_option(out, spec);
    }
}

void options_print_help(FILE *out)
{
    (void)fprintf(out, "%s %s\nusage: %s [options]\n\n%s\n", PACKAGE_NAME,
                  PACKAGE_VERSION, PACKAGE_NAME,
                  "A memcached whose data live on two nodes. On each of them:\n"
                  "  " PACKAGE_NAME " -d -u memcached -m 1024 -x OTHER-NODE");
    for (int group = 0; group < OPTION_GROUP_COUNT; group++)
        print_group(out, (enum option_group)group);
}

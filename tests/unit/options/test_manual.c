/* SPDX-License-Identifier: BSD-3-Clause */
/* The manual page, -h and the table of options know the same options. */
#include "src/options.h"

#include "src/options_value.h"
#include "tests/unit/unit.h"

#include <ctype.h>
#include <string.h>

#define TEXT_MAX (256 * 1024)
#define PATTERN_MAX 256

static char manual[TEXT_MAX];
static char help[TEXT_MAX];

/* ---- both texts ---- */

static void load_manual(void)
{
    const char *tree = getenv("srcdir");
    char path[4096];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/man/twincached.1",
                   tree != NULL ? tree : ".");
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    manual[fread(manual, 1, sizeof(manual) - 1, file)] = '\0';
    (void)fclose(file);
}

static void load_help(void)
{
    FILE *file = fmemopen(help, sizeof(help), "w");

    ck_assert_ptr_nonnull(file);
    options_print_help(file);
    (void)fclose(file);
}

static void load(void)
{
    load_manual();
    load_help();
}

static const struct option_spec *option_at(int index)
{
    const struct option_spec *spec = &option_specs[index];

    return option_is_given(spec) ? spec : NULL;
}

/* The line that begins with these words, or NULL. */
static const char *line_with(const char *text, const char *words)
{
    size_t size = strlen(words);

    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, words, size) == 0)
            return at;
    }
    return NULL;
}

/* ---- from the table to the texts ---- */

/* .It Fl p , Fl Fl port Ns = Ns Ar NUM; .It Fl D Ar CHAR;
 * .It Fl Fl disable-dumping */
static int entry_of_option(char *entry, const struct option_spec *spec)
{
    bool has_name = spec->name[0] != '\0';

    if (!has_name)
        return snprintf(entry, PATTERN_MAX, ".It Fl %c", spec->letter);
    if (spec->letter == '\0')
        return snprintf(entry, PATTERN_MAX, ".It Fl Fl %s", spec->name);
    return snprintf(entry, PATTERN_MAX, ".It Fl %c , Fl Fl %s", spec->letter,
                    spec->name);
}

/* .It Cm repl_log Ns = Ns Ar SIZE; .It Cm modern , Cm no_modern */
static void compose_entry(char *entry, const struct option_spec *spec)
{
    int used = option_is_sub(spec)
                   ? snprintf(entry, PATTERN_MAX, ".It Cm %s", spec->name)
                   : entry_of_option(entry, spec);

    if (spec->metavar != NULL)
        used +=
            snprintf(entry + used, PATTERN_MAX - (size_t)used, "%s Ar %s",
                     spec->name[0] != '\0' ? " Ns = Ns" : "", spec->metavar);
    if (option_can_be_cleared(spec))
        used += snprintf(entry + used, PATTERN_MAX - (size_t)used,
                         " , Cm no_%s", spec->name);
    (void)snprintf(entry + used, PATTERN_MAX - (size_t)used, "\n");
}

START_TEST(each_option_has_its_entry_in_the_manual)
{
    const struct option_spec *spec = option_at(_i);
    char entry[PATTERN_MAX];

    if (spec == NULL)
        return;
    compose_entry(entry, spec);
    ck_assert_msg(line_with(manual, entry) != NULL, "no line: %s", entry);
}
END_TEST

/* "  -p, --port=NUM", "  -D CHAR", "      --disable-dumping" */
static void option_in_help(char *entry, const struct option_spec *spec)
{
    const char *metavar = spec->metavar != NULL ? spec->metavar : "";
    const char *equals = spec->metavar != NULL ? "=" : "";

    if (spec->name[0] == '\0')
        (void)snprintf(entry, PATTERN_MAX, "  -%c %s", spec->letter, metavar);
    else if (spec->letter == '\0')
        (void)snprintf(entry, PATTERN_MAX, "      --%s", spec->name);
    else
        (void)snprintf(entry, PATTERN_MAX, "  -%c, --%s%s%s", spec->letter,
                       spec->name, equals, metavar);
}

/* "  repl_log=SIZE", "  [no_]modern", "  [no_]slab_automove[=LEVEL]" */
static void suboption_in_help(char *entry, const struct option_spec *spec)
{
    const char *no = option_can_be_cleared(spec) ? "[no_]" : "";

    if (spec->metavar == NULL)
        (void)snprintf(entry, PATTERN_MAX, "  %s%s", no, spec->name);
    else if (option_value_is_needed(spec))
        (void)snprintf(entry, PATTERN_MAX, "  %s%s=%s", no, spec->name,
                       spec->metavar);
    else
        (void)snprintf(entry, PATTERN_MAX, "  %s%s[=%s]", no, spec->name,
                       spec->metavar);
}

START_TEST(each_option_stands_in_the_help)
{
    const struct option_spec *spec = option_at(_i);
    char entry[PATTERN_MAX];
    const char *line;

    if (spec == NULL)
        return;
    if (option_is_sub(spec))
        suboption_in_help(entry, spec);
    else
        option_in_help(entry, spec);
    line = line_with(help, entry);
    ck_assert_msg(line != NULL, "no line: %s", entry);
    ck_assert_int_ne(isspace((unsigned char)line[strlen(entry)]), 0);
}
END_TEST

/* A default that the table changes must not stay behind in the manual. */
START_TEST(each_default_stands_in_the_manual)
{
    const struct option_spec *spec = option_at(_i);
    char entry[PATTERN_MAX], value[OPTION_NAME_MAX], words[PATTERN_MAX];
    const char *at, *end, *found;

    if (spec == NULL)
        return;
    option_default(spec, value);
    if (value[0] == '\0')
        return;
    compose_entry(entry, spec);
    at = line_with(manual, entry);
    ck_assert_msg(at != NULL, "no entry: %s", entry);
    end = strstr(at, "\n.It ");
    (void)snprintf(words, sizeof(words), "default is %s", value);
    found = strstr(at, words);
    ck_assert_msg(found != NULL && (end == NULL || found < end),
                  "%s: not said: %s", entry, words);
}
END_TEST

/* ---- from the manual to the table ---- */

static bool table_has(const char *line)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        char entry[PATTERN_MAX];

        if (!option_is_given(&option_specs[i]))
            continue;
        compose_entry(entry, &option_specs[i]);
        if (strncmp(line, entry, strlen(entry)) == 0)
            return true;
    }
    return false;
}

static int options_of_table(void)
{
    int count = 0;

    for (size_t i = 0; i < option_spec_count; i++)
        count += option_is_given(&option_specs[i]);
    return count;
}

START_TEST(the_manual_has_no_option_that_is_not_there)
{
    const char *at = manual;
    int entries = 0;

    while ((at = strstr(at, "\n.It ")) != NULL) {
        at++;
        if (strncmp(at, ".It Fl ", 7) != 0 && strncmp(at, ".It Cm ", 7) != 0)
            continue;
        ck_assert_msg(table_has(at), "not in the table: %.40s", at);
        entries++;
    }
    ck_assert_int_eq(entries, options_of_table());
}
END_TEST

/* ---- the help as text ---- */

START_TEST(help_fits_a_terminal)
{
    for (const char *at = help; *at != '\0';) {
        size_t size = strcspn(at, "\n");

        ck_assert_msg(size < 80, "too long: %.*s", (int)size, at);
        ck_assert_msg(size == 0 || !isspace((unsigned char)at[size - 1]),
                      "ends in a blank: %.*s", (int)size, at);
        at += size + (at[size] == '\n');
    }
}
END_TEST

/* ---- the table itself ---- */

START_TEST(no_two_options_share_a_letter_or_a_name)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct option_spec *a = &option_specs[i];
            const struct option_spec *b = &option_specs[k];

            if (a->setting != NULL && b->setting != NULL)
                ck_assert_str_ne(a->setting, b->setting);
            if (a->name[0] != '\0')
                ck_assert_str_ne(a->name, b->name);
            ck_assert(a->letter == '\0' || a->letter != b->letter);
        }
    }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_unchecked_fixture(tests, load, NULL);
    tcase_add_loop_test(tests, each_option_has_its_entry_in_the_manual, 0,
                        (int)option_spec_count);
    tcase_add_loop_test(tests, each_option_stands_in_the_help, 0,
                        (int)option_spec_count);
    tcase_add_loop_test(tests, each_default_stands_in_the_manual, 0,
                        (int)option_spec_count);
    tcase_add_test(tests, the_manual_has_no_option_that_is_not_there);
    tcase_add_test(tests, help_fits_a_terminal);
    tcase_add_test(tests, no_two_options_share_a_letter_or_a_name);
}

UNIT_MAIN("manual", add_tests)

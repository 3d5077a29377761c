/* SPDX-License-Identifier: BSD-3-Clause */
/* The manual page, -h and the table of options know the same options. */
#include "src/options.h"

#include "src/base/invariant.h"
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

    return spec->kind == OPTION_KIND_FIXED ? NULL : spec;
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

/* .It Fl p , Fl Fl port Ns = Ns Ar NUM, or .It Cm repl_log Ns = Ns Ar SIZE */
START_TEST(each_option_has_its_entry_in_the_manual)
{
    const struct option_spec *spec = option_at(_i);
    char entry[PATTERN_MAX];
    int used;

    if (spec == NULL)
        return;
    if (spec->letter != '\0')
        used = snprintf(entry, sizeof(entry), ".It Fl %c , Fl Fl %s",
                        spec->letter, spec->name);
    else
        used = snprintf(entry, sizeof(entry), ".It Cm %s", spec->name);
    if (spec->metavar != NULL)
        (void)snprintf(entry + used, sizeof(entry) - (size_t)used,
                       " Ns = Ns Ar %s\n", spec->metavar);
    ck_assert_msg(line_with(manual, entry) != NULL, "no line: %s", entry);
}
END_TEST

START_TEST(each_option_stands_in_the_help)
{
    const struct option_spec *spec = option_at(_i);
    char entry[PATTERN_MAX];

    if (spec == NULL)
        return;
    if (spec->letter != '\0')
        (void)snprintf(entry, sizeof(entry), "  -%c, --%s%s%s", spec->letter,
                       spec->name, spec->metavar != NULL ? "=" : "",
                       spec->metavar != NULL ? spec->metavar : "");
    else
        (void)snprintf(entry, sizeof(entry), "  %s=%s", spec->name,
                       spec->metavar);
    ck_assert_msg(line_with(help, entry) != NULL, "no line: %s", entry);
}
END_TEST

/* A default that the table changes must not stay behind in the manual. */
START_TEST(each_default_stands_in_the_manual)
{
    const struct option_spec *spec = option_at(_i);
    char words[PATTERN_MAX];
    const char *entry, *end, *found;

    if (spec == NULL || spec->value == 0)
        return;
    (void)snprintf(words, sizeof(words),
                   spec->letter != '\0' ? "Fl Fl %s Ns" : ".It Cm %s Ns",
                   spec->name);
    entry = strstr(manual, words);
    ck_assert_msg(entry != NULL, "no entry: %s", words);
    end = strstr(entry, "\n.It ");
    (void)snprintf(words, sizeof(words), "default is %lld",
                   (long long)spec->value);
    found = strstr(entry, words);
    ck_assert_msg(found != NULL && (end == NULL || found < end),
                  "--%s: not said: %s", spec->name, words);
}
END_TEST

/* ---- from the manual to the table ---- */

static bool table_has(char letter, const char *name, size_t size)
{
    for (size_t i = 0; i < option_spec_count; i++) {
        const struct option_spec *spec = &option_specs[i];

        if (spec->kind != OPTION_KIND_FIXED && spec->letter == letter &&
            strlen(spec->name) == size && memcmp(spec->name, name, size) == 0)
            return true;
    }
    return false;
}

START_TEST(the_manual_has_no_option_that_is_not_there)
{
    const char *at = manual;
    int entries = 0;

    while ((at = strstr(at, "\n.It Fl ")) != NULL) {
        const char *name;
        char letter;

        at += strlen("\n.It Fl ");
        letter = *at;
        name = strstr(at, ", Fl Fl ");
        ck_assert_ptr_nonnull(name);
        name += strlen(", Fl Fl ");
        ck_assert_msg(table_has(letter, name, strcspn(name, " \n")),
                      "not in the table: %.30s", at);
        entries++;
    }
    for (at = manual; (at = strstr(at, "\n.It Cm repl_")) != NULL; entries++) {
        at += strlen("\n.It Cm ");
        ck_assert_msg(table_has('\0', at, strcspn(at, " \n")),
                      "not in the table: %.30s", at);
    }
    ck_assert_int_eq(entries, OPTION_IDS);
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
            if (a->kind == OPTION_KIND_FIXED || b->kind == OPTION_KIND_FIXED)
                continue;
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

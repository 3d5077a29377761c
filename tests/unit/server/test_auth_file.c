/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/server/auth_file.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define S(text) \
    { \
        text, sizeof(text) - 1 \
    }
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50
#define LINES_8 "u:p\nu:p\nu:p\nu:p\nu:p\nu:p\nu:p\nu:p\n"
#define LINES_64 LINES_8 LINES_8 LINES_8 LINES_8 LINES_8 LINES_8 LINES_8 LINES_8

static char path[64];
static char words[AUTH_FILE_WORDS_MAX];

/* A file without a name goes with the process, however it ends. */
static void write_text(struct slice text)
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("users", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, text.data, text.size, 0), (ssize_t)text.size);
}

static bool lets_in(const struct auth_file *file, const char *user,
                    const char *password)
{
    const struct authenticator *authenticator = auth_file_authenticator(file);

    return authenticator->knows(authenticator->ctx, slice_of(user),
                                slice_of(password));
}

/* ---- files ---- */

static const struct {
    struct slice text;
    int error;
    const char *words;
} files[] = {
    {S("u:p\n"), 0, ""},
    {S("u:p"), 0, ""},
    {S("u:\n:p\n:\n"), 0, ""},
    {S(LINES_64), 0, ""},
    {S("u:xx" X250 "x\n"), 0, ""},
    {S("u:xx" X250 "xx\n"), -ERR_LIMIT, "more than 255 bytes"},
    {S(LINES_64 "u:p\n"), -ERR_LIMIT, "more than 64 users"},
    {S(""), -ERR_SYNTAX, "has no entry"},
    {S("u\n"), -ERR_SYNTAX, "malformed entry. Should be 'user:password'"},
    {S("u:p\n\n"), -ERR_SYNTAX, "malformed entry"},
    {S("u:p\r\n"), -ERR_SYNTAX, "malformed entry"},
    {S("u:p\0q\n"), -ERR_SYNTAX, "malformed entry"},
    {S("#\nu:p\n"), -ERR_SYNTAX, "malformed entry"},
};

START_TEST(a_file_is_good_or_refused_in_words)
{
    struct auth_file *file = NULL;

    words[0] = '\0';
    write_text(files[_i].text);
    ck_assert_int_eq(auth_file_new(path, &file, words), files[_i].error);
    ck_assert_int_eq(file != NULL, files[_i].error == 0);
    ck_assert_ptr_nonnull(strstr(words, files[_i].words));
    auth_file_free(&file);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_refused)
{
    struct auth_file *file;

    ck_assert_int_eq(auth_file_new("/nonexistent/users", &file, words),
                     -ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(words, "/nonexistent/users"));
    ck_assert_ptr_null(file);
}
END_TEST

START_TEST(a_directory_is_no_file)
{
    struct auth_file *file;

    ck_assert_int_eq(auth_file_new("/tmp", &file, words), -ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(words, "cannot read"));
}
END_TEST

/* ---- logins ---- */

static const struct {
    const char *user;
    const char *password;
    bool known;
} logins[] = {
    {"bob", "secret", true},   {"alice", "a:b", true},
    {"last", "one", true},     {"bob", "secre", false},
    {"bob", "secrets", false}, {"bo", "secret", false},
    {"bobs", "secret", false}, {"bob", "", false},
    {"", "secret", false},     {"", "", false},
    {"alice:a", "b", false},   {"alice", "b", false},
    {"bob", "one", false},     {"bob:secret", "", false},
    {"bob", X250 X250, false}, {X250 X250, "secret", false},
};

START_TEST(who_is_in_the_file_is_known)
{
    struct auth_file *file;

    write_text(SLICE_LITERAL("bob:secret\nalice:a:b\nlast:one"));
    ck_assert_int_eq(auth_file_new(path, &file, words), 0);
    ck_assert_int_eq(lets_in(file, logins[_i].user, logins[_i].password),
                     logins[_i].known);
    auth_file_free(&file);
}
END_TEST

START_TEST(a_zero_byte_is_in_nobody)
{
    const struct authenticator *authenticator;
    struct auth_file *file;

    write_text(SLICE_LITERAL("bob:secret\n"));
    ck_assert_int_eq(auth_file_new(path, &file, words), 0);
    authenticator = auth_file_authenticator(file);
    ck_assert(!authenticator->knows(authenticator->ctx, SLICE_LITERAL("bob"),
                                    SLICE_LITERAL("secret\0")));
    ck_assert(!authenticator->knows(
        authenticator->ctx, SLICE_LITERAL("bob\0secret"), SLICE_LITERAL("")));
    auth_file_free(&file);
}
END_TEST

START_TEST(what_is_read_again_counts_if_it_is_good)
{
    struct auth_file *file;

    write_text(SLICE_LITERAL("bob:secret\n"));
    ck_assert_int_eq(auth_file_new(path, &file, words), 0);
    write_text(SLICE_LITERAL("carol:new\nbad\n"));
    ck_assert_int_eq(auth_file_reload(file, words), -ERR_SYNTAX);
    ck_assert(lets_in(file, "bob", "secret"));
    ck_assert(!lets_in(file, "carol", "new"));
    write_text(SLICE_LITERAL("carol:new\n"));
    ck_assert_int_eq(auth_file_reload(file, words), 0);
    ck_assert(!lets_in(file, "bob", "secret"));
    ck_assert(lets_in(file, "carol", "new"));
    auth_file_free(&file);
}
END_TEST

START_TEST(lack_of_memory_is_said)
{
    struct auth_file *file;

    write_text(SLICE_LITERAL("bob:secret\n"));
    memory_fail_at((unsigned)_i);
    ck_assert_int_eq(auth_file_new(path, &file, words), -ERR_MEMORY);
    ck_assert_ptr_null(file);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, a_file_is_good_or_refused_in_words, 0,
                        COUNT_OF(files));
    tcase_add_test(tests, a_file_that_is_not_there_is_refused);
    tcase_add_test(tests, a_directory_is_no_file);
    tcase_add_loop_test(tests, who_is_in_the_file_is_known, 0,
                        COUNT_OF(logins));
    tcase_add_test(tests, a_zero_byte_is_in_nobody);
    tcase_add_test(tests, what_is_read_again_counts_if_it_is_good);
    tcase_add_loop_test(tests, lack_of_memory_is_said, 1, 3);
}
UNIT_MAIN("auth_file", add_tests)

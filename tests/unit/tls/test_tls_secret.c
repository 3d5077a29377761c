/* SPDX-License-Identifier: BSD-3-Clause */
/* What a file must be to be a secret, and that words say what it is not. */
#include "src/tls/tls.h"

#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 64

static char path[PATH_ROOM];
static struct clock wall;

static void setup(void)
{
    (void)snprintf(path, sizeof(path), "/tmp/twincached-test-%d",
                   (int)getpid());
    clock_init_real(&wall);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)rmdir(path);
}

static void write_secret(const char *bytes, size_t size, unsigned mode)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    (void)fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static int load(struct tls **tls, char words[TLS_WORDS_MAX])
{
    const struct tls_config config = {.clock = &wall,
                                      .role = TLS_ROLE_PEER,
                                      .secret_path = path,
                                      .version_min = 3,
                                      .alpn = "test"};

    return tls_new(&config, tls, words);
}

static const struct {
    size_t size;
    const char *tail;
    unsigned mode;
    const char *words; /* NULL: it is good. */
} rows[] = {
    {16, "", 0600, NULL},
    {16, "\r\n", 0400, NULL},
    {1024, "", 0600, NULL},
    {1023, "\n", 0600, NULL},
    {15, "", 0600, "too short: 16"},
    {15, "\n\n\n", 0600, "too short: 16"},
    {0, "", 0600, "too short: 16"},
    {1025, "", 0600, "too long: 1024"},
    {4096, "", 0600, "too long: 1024"},
    {32, "", 0640, "mode 0640, so others may read it: make it 0600"},
    {32, "", 0604, "mode 0604"},
    {32, "", 0620, "mode 0620"},
};

START_TEST(a_secret_has_its_bounds)
{
    char bytes[5000], words[TLS_WORDS_MAX];
    struct tls *tls = NULL;
    int error;

    memset(bytes, 's', sizeof(bytes));
    memcpy(bytes + rows[_i].size, rows[_i].tail, strlen(rows[_i].tail));
    write_secret(bytes, rows[_i].size + strlen(rows[_i].tail), rows[_i].mode);
    error = load(&tls, words);
    if (rows[_i].words == NULL) {
        ck_assert_msg(error == 0, "%s", words);
        ck_assert_str_eq(tls_proof(tls), "psk");
    } else {
        ck_assert_int_lt(error, 0);
        ck_assert_msg(strstr(words, rows[_i].words) != NULL, "%s", words);
        ck_assert_msg(strstr(words, path) != NULL, "%s", words);
    }
    tls_free(&tls);
}
END_TEST

START_TEST(what_is_no_file_is_no_secret)
{
    char words[TLS_WORDS_MAX];
    struct tls *tls = NULL;

    ck_assert_int_lt(load(&tls, words), 0);
    ck_assert_msg(strstr(words, "No such file") != NULL, "%s", words);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_lt(load(&tls, words), 0);
    ck_assert_msg(strstr(words, "is no file") != NULL, "%s", words);
    (void)rmdir(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* Nobody waits for a writer. */
    ck_assert_int_lt(load(&tls, words), 0);
    ck_assert_msg(strstr(words, "is no file") != NULL, "%s", words);
}
END_TEST

START_TEST(a_bad_file_does_not_replace_a_good_one)
{
    const char secret[] = "0123456789abcdef0123456789abcdef";
    char words[TLS_WORDS_MAX];
    struct tls *tls = NULL;

    write_secret(secret, sizeof(secret) - 1, 0600);
    ck_assert_int_eq(load(&tls, words), 0);
    write_secret(secret, 5, 0600);
    ck_assert_int_lt(tls_reload(tls, words), 0);
    ck_assert_msg(strstr(words, "too short") != NULL, "%s", words);
    write_secret(secret, sizeof(secret) - 1, 0600);
    ck_assert_int_eq(tls_reload(tls, words), 0);
    tls_free(&tls);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_secret_has_its_bounds, 0, COUNT_OF(rows));
    tcase_add_test(tests, what_is_no_file_is_no_secret);
    tcase_add_test(tests, a_bad_file_does_not_replace_a_good_one);
}
UNIT_MAIN("tls secret", add_tests)

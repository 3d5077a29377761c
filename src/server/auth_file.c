/* SPDX-License-Identifier: BSD-3-Clause */
/* A login is compared with every user of the file, and with all bytes of each,
 * so that how long it takes tells nothing about them. */
#include "src/server/auth_file.h"

#include "src/base/lock.h"
#include "src/base/memory.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES_MAX ((AUTH_FILE_USERS_MAX + 1) * (AUTH_FILE_LINE_MAX + 1))

/* A user, a zero and a password; zeros behind. No zero is in either. */
struct user {
    char text[AUTH_FILE_LINE_MAX + 1];
};

struct users {
    size_t count;
    struct user at[AUTH_FILE_USERS_MAX];
};

struct auth_file {
    struct authenticator authenticator; /* Immutable. */
    char path[PATH_MAX];                /* The same; from the root. */
    struct lock lock;
    struct users *users; /* Under lock. */
};

__attribute__((format(printf, 3, 4))) static int
fail(int error, char words[AUTH_FILE_WORDS_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, AUTH_FILE_WORDS_MAX, format, args);
    va_end(args);
    return error;
}

/* ---- logins ---- */

/* False: there can be no such user. */
static bool make_user(struct slice name, struct slice password,
                      struct user *user)
{
    memset(user, 0, sizeof(*user));
    if (name.size + 1 + password.size > AUTH_FILE_LINE_MAX ||
        memchr(name.data, '\0', name.size) != NULL ||
        memchr(password.data, '\0', password.size) != NULL)
        return false;
    memcpy(user->text, name.data, name.size);
    memcpy(user->text + name.size + 1, password.data, password.size);
    return true;
}

static bool knows(void *ctx, struct slice name, struct slice password)
{
    struct auth_file *file = ctx;
    struct user wanted;
    bool known = make_user(name, password, &wanted);
    unsigned found = 0;

    lock_take(&file->lock);
    for (size_t i = 0; i < file->users->count; i++)
        found |= CRYPTO_memcmp(file->users->at[i].text, wanted.text,
                               sizeof(wanted.text)) == 0;
    lock_release(&file->lock);
    explicit_bzero(&wanted, sizeof(wanted));
    return known && found != 0;
}

const struct authenticator *
auth_file_authenticator(const struct auth_file *file)
{
    return &file->authenticator;
}

/* ---- the file ---- */

static void free_users(struct users **users)
{
    if (*users != NULL)
        explicit_bzero(*users, sizeof(**users));
    memory_free(users);
}

MUST_CHECK static int add_user(const struct auth_file *file, struct slice line,
                               struct users *users,
                               char words[AUTH_FILE_WORDS_MAX])
{
    const char *colon = memchr(line.data, ':', line.size);
    struct slice name, password;

    if (users->count == AUTH_FILE_USERS_MAX)
        return fail(-ERR_LIMIT, words, "Authfile [%s] has more than %d users",
                    file->path, AUTH_FILE_USERS_MAX);
    if (colon == NULL || line.data[line.size - 1] == '\r' ||
        memchr(line.data, '\0', line.size) != NULL)
        return fail(-ERR_SYNTAX, words,
                    "Authfile [%s] has a malformed entry. Should be "
                    "'user:password'",
                    file->path);
    name = slice_make(line.data, (size_t)(colon - line.data));
    password = slice_make(colon + 1, line.size - name.size - 1);
    if (!make_user(name, password, &users->at[users->count]))
        return fail(-ERR_LIMIT, words,
                    "Authfile [%s] has an entry of more than %d bytes",
                    file->path, AUTH_FILE_LINE_MAX);
    users->count++;
    return 0;
}

MUST_CHECK static int add_users(const struct auth_file *file, struct slice text,
                                struct users *users,
                                char words[AUTH_FILE_WORDS_MAX])
{
    int error = 0;

    while (error == 0 && text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        size_t taken = end != NULL ? size + 1 : size;

        error = add_user(file, slice_make(text.data, size), users, words);
        text = slice_make(text.data + taken, text.size - taken);
    }
    if (error == 0 && users->count == 0)
        error = fail(-ERR_SYNTAX, words,
                     "Authfile [%s] has no entry. Should have 'user:password'",
                     file->path);
    return error;
}

/* What is too large for all of the room has too many users. */
MUST_CHECK static int read_text(const struct auth_file *file, FILE *in,
                                struct users *users,
                                char words[AUTH_FILE_WORDS_MAX])
{
    char text[TEXT_BYTES_MAX];
    size_t size = fread(text, 1, sizeof(text), in);
    int error;

    if (ferror(in))
        error = fail(-ERR_SYSTEM, words, "cannot read authfile [%s]: %s",
                     file->path, strerror(errno));
    else
        error = add_users(file, slice_make(text, size), users, words);
    explicit_bzero(text, sizeof(text));
    return error;
}

MUST_CHECK static int read_file(const struct auth_file *file,
                                struct users *users,
                                char words[AUTH_FILE_WORDS_MAX])
{
    FILE *in = fopen(file->path, "re");
    int error;

    if (in == NULL)
        return fail(-ERR_SYSTEM, words,
                    "Could not open authfile [%s] for reading, error %s",
                    file->path, strerror(errno));
    error = read_text(file, in, users, words);
    (void)fclose(in);
    return error;
}

int auth_file_reload(struct auth_file *file, char words[AUTH_FILE_WORDS_MAX])
{
    struct users *users = memory_new(1, sizeof(*users));
    struct users *old = users;
    int error;

    if (users == NULL)
        return fail(-ERR_MEMORY, words, "out of memory");
    error = read_file(file, users, words);
    if (error == 0) {
        lock_take(&file->lock);
        old = file->users;
        file->users = users;
        lock_release(&file->lock);
    }
    free_users(&old);
    return error;
}

/* ---- life ---- */

/* A daemon leaves the directory that a path may be relative to. */
MUST_CHECK static int keep_path(struct auth_file *file, const char *path,
                                char words[AUTH_FILE_WORDS_MAX])
{
    char here[PATH_MAX] = "";
    int size;

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return fail(-ERR_SYSTEM, words, "cannot find authfile [%s]: %s", path,
                    strerror(errno));
    size = snprintf(file->path, sizeof(file->path), "%s%s%s", here,
                    here[0] != '\0' ? "/" : "", path);
    if (size < 0 || (size_t)size >= sizeof(file->path))
        return fail(-ERR_LIMIT, words, "the name of authfile [%s] is too long",
                    path);
    return 0;
}

int auth_file_new(const char *path, struct auth_file **out,
                  char words[AUTH_FILE_WORDS_MAX])
{
    struct auth_file *file = memory_new(1, sizeof(*file));
    int error;

    *out = NULL;
    if (file == NULL)
        return fail(-ERR_MEMORY, words, "out of memory");
    file->authenticator = (struct authenticator){.ctx = file, .knows = knows};
    lock_init(&file->lock, LOCK_RANK_SERVER);
    error = keep_path(file, path, words);
    if (error == 0)
        error = auth_file_reload(file, words);
    if (error != 0)
        auth_file_free(&file);
    *out = file;
    return error;
}

void auth_file_free(struct auth_file **file)
{
    if (*file == NULL)
        return;
    free_users(&(*file)->users);
    lock_fini(&(*file)->lock);
    memory_free(file);
}

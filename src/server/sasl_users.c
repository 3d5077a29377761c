/* SPDX-License-Identifier: BSD-3-Clause */
/* The mechanisms are the library's; this is its configuration, its locks and
 * its log, and the plain password file that memcached's users know. */
#include "src/server/sasl_users.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sasl/sasl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE "memcached"
#define CONF_NAME "memcached.conf"
#define HOST_BYTES_MAX 256
#define MECHANISM_BYTES_MAX 32
#define CALLBACKS_MAX 5
/* What alone works with a password file. */
#define FILE_MECHANISM "PLAIN"

/* Immutable after sasl_users_new(). */
struct sasl_users {
    struct authenticator authenticator;
    sasl_callback_t callbacks[CALLBACKS_MAX];
    char host[HOST_BYTES_MAX];
    char conf_path[PATH_MAX];  /* Empty: where the library looks. */
    const char *password_path; /* NULL: the library's own ways. */
};

__attribute__((format(printf, 3, 4))) static int
fail(int error, char words[SASL_USERS_WORDS_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, SASL_USERS_WORDS_MAX, format, args);
    va_end(args);
    return error;
}

/* ---- what the library asks for ---- */

static void *mutex_new(void)
{
    pthread_mutex_t *mutex = memory_new(1, sizeof(*mutex));

    if (mutex != NULL)
        (void)pthread_mutex_init(mutex, NULL);
    return mutex;
}

static int mutex_take(void *mutex)
{
    return pthread_mutex_lock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_release(void *mutex)
{
    return pthread_mutex_unlock(mutex) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *mutex)
{
    (void)pthread_mutex_destroy(mutex);
    memory_free(&mutex);
}

/* A wrong password is the client's trouble and not worth an error; SASL's
 * finest level would show the right one. */
static int put_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    if (message == NULL)
        return SASL_BADPARAM;
    if (level == SASL_LOG_ERR)
        log_v(LOG_LEVEL_V, "SASL: %s", message);
    else if (level != SASL_LOG_NONE && level < SASL_LOG_TRACE)
        log_v(LOG_LEVEL_VV, "SASL: %s", message);
    return SASL_OK;
}

/* The library frees what it is given. */
static int give_conf_path(void *ctx, char **path)
{
    const struct sasl_users *users = ctx;

    *path = strdup(users->conf_path);
    return *path != NULL ? SASL_OK : SASL_NOMEM;
}

/* Beside the password file nobody is asked: not what memcached.conf names, not
 * the library's database. */
static int give_option(void *ctx, const char *plugin, const char *option,
                       const char **value, unsigned *size)
{
    (void)ctx;
    (void)plugin;
    if (strcmp(option, "pwcheck_method") == 0)
        *value = "auxprop";
    else if (strcmp(option, "auxprop_plugin") == 0)
        *value = "none";
    else
        return SASL_FAIL;
    if (size != NULL)
        *size = (unsigned)strlen(*value);
    return SASL_OK;
}

/* ---- the password file ---- */

/* Up to the next colon, blank or end of the line. */
static size_t field_size(const char *text)
{
    return strcspn(text, ": \t\r\n");
}

/* Two words, each with zeros behind it, so that comparing them takes as long
 * whatever is in them. */
struct login {
    char user[SASL_USERS_LINE_MAX + 1];
    char password[SASL_USERS_LINE_MAX + 1];
};

static bool keep_word(char room[SASL_USERS_LINE_MAX + 1], const char *text,
                      size_t size)
{
    if (size == 0 || size > SASL_USERS_LINE_MAX ||
        memchr(text, '\0', size) != NULL)
        return false;
    memcpy(room, text, size);
    return true;
}

static bool parse_line(const char *line, struct login *login)
{
    const char *password = line + field_size(line);

    memset(login, 0, sizeof(*login));
    return *password == ':' && keep_word(login->user, line, field_size(line)) &&
           keep_word(login->password, password + 1, field_size(password + 1));
}

static bool is_in_file(FILE *in, const struct login *wanted)
{
    char line[SASL_USERS_LINE_MAX + 3];
    struct login login;
    bool found = false;

    while (fgets(line, sizeof(line), in) != NULL) {
        bool is_login = parse_line(line, &login);

        found |= (CRYPTO_memcmp(&login, wanted, sizeof(login)) == 0) & is_login;
    }
    explicit_bzero(line, sizeof(line));
    explicit_bzero(&login, sizeof(login));
    return found;
}

static int check_password(sasl_conn_t *conn, void *ctx, const char *user,
                          const char *password, unsigned size,
                          struct propctx *properties)
{
    const struct sasl_users *users = ctx;
    struct login wanted = {{0}, {0}};
    bool known = keep_word(wanted.user, user, strlen(user)) &&
                 keep_word(wanted.password, password, size);
    FILE *in = fopen(users->password_path, "re");

    (void)conn;
    (void)properties;
    if (in == NULL) {
        log_error("cannot read the passwords in %s: %s", users->password_path,
                  strerror(errno));
        return SASL_NOAUTHZ;
    }
    known = is_in_file(in, &wanted) && known;
    (void)fclose(in);
    explicit_bzero(&wanted, sizeof(wanted));
    return known ? SASL_OK : SASL_NOAUTHZ;
}

/* ---- dialogs ---- */

static sasl_conn_t *conn_of(struct auth_dialog *dialog)
{
    return (sasl_conn_t *)(void *)dialog;
}

static sasl_conn_t *new_conn(const struct sasl_users *users)
{
    const sasl_security_properties_t security = {.security_flags =
                                                     SASL_SEC_NOANONYMOUS};
    sasl_conn_t *conn = NULL;

    if (sasl_server_new(SERVICE, users->host, NULL, NULL, NULL, NULL, 0,
                        &conn) != SASL_OK)
        return NULL;
    if (sasl_setprop(conn, SASL_SEC_PROPS, &security) != SASL_OK)
        sasl_dispose(&conn); /* Which leaves NULL. */
    return conn;
}

static enum auth_outcome outcome_of(int result, const char *text, unsigned size,
                                    struct slice *challenge)
{
    if (result == SASL_OK)
        return AUTH_GRANTED;
    if (result != SASL_CONTINUE)
        return AUTH_DENIED;
    if (text != NULL)
        *challenge = slice_make(text, size);
    return AUTH_CONTINUE;
}

static enum auth_outcome start(void *ctx, struct slice mechanism,
                               struct slice message,
                               struct auth_dialog **dialog,
                               struct slice *challenge)
{
    const struct sasl_users *users = ctx;
    char name[MECHANISM_BYTES_MAX + 1] = "";
    sasl_conn_t *conn;
    const char *text = NULL;
    unsigned size = 0;
    int result;

    if (mechanism.size > MECHANISM_BYTES_MAX)
        return AUTH_DENIED;
    memcpy(name, mechanism.data, mechanism.size);
    if (users->password_path != NULL && strcasecmp(name, FILE_MECHANISM) != 0)
        return AUTH_DENIED;
    conn = new_conn(users);
    if (conn == NULL)
        return AUTH_DENIED;
    *dialog = (struct auth_dialog *)(void *)conn;
    result =
        sasl_server_start(conn, name, message.size > 0 ? message.data : NULL,
                          (unsigned)message.size, &text, &size);
    return outcome_of(result, text, size, challenge);
}

static enum auth_outcome step(void *ctx, struct auth_dialog *dialog,
                              struct slice message, struct slice *challenge)
{
    const char *text = NULL;
    unsigned size = 0;
    int result = sasl_server_step(conn_of(dialog), message.data,
                                  (unsigned)message.size, &text, &size);

    (void)ctx;
    return outcome_of(result, text, size, challenge);
}

static void end(void *ctx, struct auth_dialog **dialog)
{
    sasl_conn_t *conn = conn_of(*dialog);

    (void)ctx;
    sasl_dispose(&conn);
    *dialog = NULL;
}

/* Whether one of the names, after blanks, is the word. */
static bool lists(const char *names, const char *word)
{
    size_t size = strlen(word);

    while (*names != '\0') {
        size_t name_size = strcspn(names, " ");

        if (name_size == size && memcmp(names, word, size) == 0)
            return true;
        names += name_size + strspn(names + name_size, " ");
    }
    return false;
}

static size_t mechanisms(void *ctx, char *room, size_t room_size)
{
    const struct sasl_users *users = ctx;
    sasl_conn_t *conn = new_conn(users);
    const char *names = NULL;
    unsigned size = 0;
    int count;

    if (conn == NULL)
        return 0;
    if (sasl_listmech(conn, NULL, "", " ", "", &names, &size, &count) !=
            SASL_OK ||
        size > room_size)
        size = 0;
    else if (users->password_path == NULL)
        memcpy(room, names, size);
    else if (lists(names, FILE_MECHANISM))
        memcpy(room, FILE_MECHANISM, size = sizeof(FILE_MECHANISM) - 1);
    else
        size = 0;
    sasl_dispose(&conn);
    return size;
}

/* ---- life ---- */

static bool has_conf(const char *folder)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof(path), "%s/" CONF_NAME, folder);

    return size > 0 && (size_t)size < sizeof(path) && access(path, R_OK) == 0;
}

/* The folder of memcached.conf; the variable may name the file itself. */
static void find_conf(struct sasl_users *users)
{
    static const char *const folders[] = {"/etc/sasl", "/etc/sasl2"};
    const char *given = getenv("SASL_CONF_PATH");
    struct stat status;
    char *name;

    for (size_t i = 0; i < COUNT_OF(folders) && given == NULL; i++) {
        if (has_conf(folders[i]))
            given = folders[i];
    }
    if (given == NULL)
        return;
    (void)snprintf(users->conf_path, sizeof(users->conf_path), "%s", given);
    name = strrchr(users->conf_path, '/');
    if (name != NULL && stat(given, &status) == 0 && S_ISREG(status.st_mode))
        *name = '\0';
    log_v(LOG_LEVEL_V, "SASL: reads " CONF_NAME " of %s", users->conf_path);
}

/* The library knows what each really takes by its number. */
#define PROC(function) ((int (*)(void))(void (*)(void))(function))

static void set_callbacks(struct sasl_users *users)
{
    sasl_callback_t *at = users->callbacks;

    *at++ = (sasl_callback_t){SASL_CB_LOG, PROC(put_log), NULL};
    if (users->conf_path[0] != '\0')
        *at++ =
            (sasl_callback_t){SASL_CB_GETCONFPATH, PROC(give_conf_path), users};
    if (users->password_path != NULL) {
        *at++ = (sasl_callback_t){SASL_CB_SERVER_USERDB_CHECKPASS,
                                  PROC(check_password), users};
        *at++ = (sasl_callback_t){SASL_CB_GETOPT, PROC(give_option), NULL};
    }
    *at = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
}

static int find_passwords(struct sasl_users *users,
                          char words[SASL_USERS_WORDS_MAX])
{
    users->password_path = getenv("MEMCACHED_SASL_PWDB");
    if (users->password_path == NULL || access(users->password_path, R_OK) == 0)
        return 0;
    return fail(-ERR_SYSTEM, words,
                "cannot read the passwords in %s, which MEMCACHED_SASL_PWDB "
                "names: %s",
                users->password_path, strerror(errno));
}

static int start_library(struct sasl_users *users,
                         char words[SASL_USERS_WORDS_MAX])
{
    char names[1024];
    int result;

    sasl_set_mutex(mutex_new, mutex_take, mutex_release, mutex_free);
    result = sasl_server_init(users->callbacks, SERVICE);
    if (result != SASL_OK)
        return fail(-ERR_SYSTEM, words, "Error initializing sasl: %s",
                    sasl_errstring(result, NULL, NULL));
    if (mechanisms(users, names, sizeof(names)) > 0)
        return 0;
    sasl_done();
    return fail(-ERR_SYSTEM, words,
                "Error initializing sasl: no mechanism to authenticate by; "
                "install libsasl2-modules, and see mech_list in " CONF_NAME);
}

int sasl_users_new(struct sasl_users **out, char words[SASL_USERS_WORDS_MAX])
{
    struct sasl_users *users = memory_new(1, sizeof(*users));
    int error;

    *out = NULL;
    if (users == NULL)
        return fail(-ERR_MEMORY, words, "out of memory");
    users->authenticator = (struct authenticator){.ctx = users,
                                                  .mechanisms = mechanisms,
                                                  .start = start,
                                                  .step = step,
                                                  .end = end};
    if (gethostname(users->host, sizeof(users->host) - 1) != 0)
        users->host[0] = '\0';
    find_conf(users);
    error = find_passwords(users, words);
    set_callbacks(users);
    if (error == 0)
        error = start_library(users, words);
    if (error == 0)
        *out = users;
    else
        memory_free(&users);
    return error;
}

void sasl_users_free(struct sasl_users **users)
{
    if (*users == NULL)
        return;
    sasl_done();
    memory_free(users);
}

const struct authenticator *
sasl_users_authenticator(const struct sasl_users *users)
{
    return &users->authenticator;
}

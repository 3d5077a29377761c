/* SPDX-License-Identifier: BSD-3-Clause */
/* A socket file outlives its daemon, so one that is there says nothing. Who
 * connects to it with the wrong kind of socket learns whether it still has an
 * owner, also one that does not listen yet, without disturbing it. */
#include "src/server/listener_unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PERMISSIONS 0777u

static int fail(int error, char words[SERVER_WORDS_MAX], const char *path,
                const char *why)
{
    (void)snprintf(words, SERVER_WORDS_MAX,
                   "cannot listen on the UNIX socket %s: %s", path, why);
    return error;
}

static int open_socket(int type)
{
    return socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool is_owned(const struct sockaddr_un *address)
{
    int fd = open_socket(SOCK_DGRAM);
    bool owned;

    if (fd < 0)
        return true;
    owned =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno == EPROTOTYPE;
    close(fd);
    return owned;
}

MUST_CHECK static int remove_stale(const struct sockaddr_un *address,
                                   char words[SERVER_WORDS_MAX])
{
    const char *path = address->sun_path;
    struct stat found;

    if (lstat(path, &found) != 0)
        return 0;
    if (!S_ISSOCK(found.st_mode))
        return fail(-ERR_BUSY, words, path,
                    "a file that is no socket has this name");
    if (is_owned(address))
        return fail(-ERR_BUSY, words, path, "another program has it");
    if (unlink(path) != 0)
        return fail(-ERR_SYSTEM, words, path, strerror(errno));
    return 0;
}

/* The file has its permissions from the first moment. */
static int bind_with_mode(int fd, const struct sockaddr_un *address,
                          unsigned mode)
{
    mode_t umask_before = umask(~mode & PERMISSIONS);
    int failed = bind(fd, (const struct sockaddr *)address, sizeof(*address));

    (void)umask(umask_before);
    return failed;
}

/* A daemon changes its directory, so the path becomes absolute. */
static void keep_file(struct listener_file *file, const char *path)
{
    struct stat found;

    file->path = realpath(path, NULL);
    if (file->path == NULL)
        file->path = strdup(path);
    if (lstat(path, &found) == 0)
        file->inode = found.st_ino;
}

static void keep(struct listeners *listeners, int fd, const char *path,
                 const struct session_config *session)
{
    struct listener *listener = &listeners->at[listeners->count++];

    *listener =
        (struct listener){.kind = LISTENER_UNIX, .fd = fd, .session = *session};
    listener->session.local = true;
    keep_file(&listener->file, path);
}

int listener_unix_bind(struct listeners *listeners, const char *path,
                       unsigned mode, const struct session_config *session,
                       char words[SERVER_WORDS_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, error;

    if (strlen(path) >= sizeof(address.sun_path))
        return fail(-ERR_RANGE, words, path, "the name is too long");
    if (listeners->count == SERVER_LISTENERS_MAX)
        return fail(-ERR_LIMIT, words, path, "there are too many sockets");
    memcpy(address.sun_path, path, strlen(path));
    error = remove_stale(&address, words);
    if (error != 0)
        return error;
    fd = open_socket(SOCK_STREAM);
    if (fd < 0)
        return fail(-ERR_SYSTEM, words, path, strerror(errno));
    if (bind_with_mode(fd, &address, mode) != 0) {
        error = fail(-ERR_SYSTEM, words, path, strerror(errno));
        close(fd);
        return error;
    }
    keep(listeners, fd, path, session);
    return 0;
}

void listener_unix_remove(struct listener *listener)
{
    struct listener_file *file = &listener->file;
    struct stat found;

    if (file->path != NULL && lstat(file->path, &found) == 0 &&
        found.st_ino == file->inode && S_ISSOCK(found.st_mode))
        (void)unlink(file->path);
    free(file->path);
    file->path = NULL;
}

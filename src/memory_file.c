/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever is there is there whole: a meta file is written aside and renamed,
 * after the item memory that it speaks of. */
#include "src/memory_file.h"

#include "src/base/cursor.h"
#include "src/base/hash.h"
#include "src/base/memory.h"
#include "src/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define MAGIC "TWINMETA"
#define META_VERSION 1u
#define HEADER_BYTES 32u
#define SUFFIX_META ".meta"
#define SUFFIX_ASIDE ".meta.tmp"
#define NAME_ROOM (MEMORY_FILE_NAME_MAX + sizeof(SUFFIX_ASIDE))

__attribute__((format(printf, 3, 4))) static int
fail(int status, char words[MEMORY_FILE_WORDS_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(words, MEMORY_FILE_WORDS_MAX, format, args);
    va_end(args);
    return status;
}

static int fail_system(const struct memory_file *file, const char *suffix,
                       const char *what, int error,
                       char words[MEMORY_FILE_WORDS_MAX])
{
    return fail(EX_OSERR, words, "cannot %s %.300s%s: %s", what, file->path,
                suffix, strerror(error));
}

static const char *with_suffix(const struct memory_file *file,
                               const char *suffix, char room[NAME_ROOM])
{
    (void)snprintf(room, NAME_ROOM, "%s%s", file->name, suffix);
    return room;
}

/* ---- opening ---- */

static int open_directory(struct memory_file *file,
                          char words[MEMORY_FILE_WORDS_MAX])
{
    char path[sizeof(file->path)];
    char *slash = strrchr(file->path, '/');
    const char *name = slash != NULL ? slash + 1 : file->path;
    size_t size = (size_t)(name - file->path);

    if (name[0] == '\0' || strlen(name) > MEMORY_FILE_NAME_MAX)
        return fail(EX_USAGE, words, "-e %.300s does not name a file",
                    file->path);
    memcpy(file->name, name, strlen(name) + 1);
    memcpy(path, size > 0 ? file->path : "./", size > 0 ? size : 2);
    path[size > 0 ? size : 2] = '\0';
    file->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return file->directory >= 0
               ? 0
               : fail_system(file, "", "open the directory of", errno, words);
}

static int open_file(struct memory_file *file, const char *user,
                     char words[MEMORY_FILE_WORDS_MAX])
{
    struct stat stat;

    file->file = openat(file->directory, file->name,
                        O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file->file < 0)
        return fail_system(file, "", "open", errno, words);
    if (fstat(file->file, &stat) != 0 || !S_ISREG(stat.st_mode))
        return fail(EX_USAGE, words, "-e %.300s is not a regular file",
                    file->path);
    if (flock(file->file, LOCK_EX | LOCK_NB) != 0)
        return fail(EX_OSERR, words,
                    "%.300s is in use by another process: give every daemon "
                    "a file of its own",
                    file->path);
    process_give_file(file->file, user, file->path);
    return 0;
}

int memory_file_open(struct memory_file *file, const char *path,
                     const char *user, char words[MEMORY_FILE_WORDS_MAX])
{
    int status;

    *file = (struct memory_file){.directory = -1, .file = -1};
    if (strlen(path) >= sizeof(file->path))
        return fail(EX_USAGE, words, "the name after -e is too long");
    memcpy(file->path, path, strlen(path) + 1);
    status = open_directory(file, words);
    return status == 0 ? open_file(file, user, words) : status;
}

void memory_file_close(struct memory_file *file)
{
    memory_file_forget_meta(file);
    if (file->file >= 0)
        (void)close(file->file);
    if (file->directory >= 0)
        (void)close(file->directory);
    file->file = file->directory = -1;
}

/* ---- reading ---- */

/* All of it, or -1 and errno. */
static ssize_t read_all(int from, char *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = read(from, to + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static int fail_damaged(const struct memory_file *file, const char *how,
                        char words[MEMORY_FILE_WORDS_MAX])
{
    return fail(EX_DATAERR, words,
                "%.300s%s is damaged (%s): remove it to start with an empty "
                "cache",
                file->path, SUFFIX_META, how);
}

static int check_header(const struct memory_file *file, struct reader *in,
                        uint64_t size, uint64_t *checksum,
                        char words[MEMORY_FILE_WORDS_MAX])
{
    struct slice magic = reader_bytes(in, sizeof(MAGIC) - 1);
    uint32_t version = reader_u32(in);

    (void)reader_u32(in);
    if (reader_u64(in) != size - HEADER_BYTES && !in->failed)
        return fail_damaged(file, "it has the wrong length", words);
    *checksum = reader_u64(in);
    if (in->failed)
        return fail_damaged(file, size == 0 ? "it is empty" : "it is too short",
                            words);
    if (!slice_equal(magic, SLICE_LITERAL(MAGIC)))
        return fail_damaged(file, "it is something else", words);
    if (version != META_VERSION)
        return fail_damaged(file, "it is of another version", words);
    return 0;
}

static int read_open_meta(struct memory_file *file, int from,
                          char words[MEMORY_FILE_WORDS_MAX])
{
    struct reader in;
    struct stat stat;
    uint64_t checksum = 0;
    int status;

    if (fstat(from, &stat) != 0)
        return fail_system(file, SUFFIX_META, "read", errno, words);
    if (!S_ISREG(stat.st_mode) || (size_t)stat.st_size > MEMORY_FILE_META_MAX)
        return fail_damaged(file, "it is something else", words);
    file->meta_size = (size_t)stat.st_size;
    file->meta = memory_new(1, file->meta_size + 1);
    if (file->meta == NULL)
        return fail(EX_OSERR, words, "out of memory at the start");
    if (read_all(from, file->meta, file->meta_size) != (ssize_t)stat.st_size)
        return fail_system(file, SUFFIX_META, "read", errno, words);
    reader_init(&in, file->meta, file->meta_size);
    status = check_header(file, &in, file->meta_size, &checksum, words);
    if (status == 0 && hash_bytes(in.at, reader_left(&in)) != checksum)
        status = fail_damaged(file, "its checksum does not match", words);
    return status;
}

static int remove_meta(struct memory_file *file,
                       char words[MEMORY_FILE_WORDS_MAX])
{
    char name[NAME_ROOM];

    if (unlinkat(file->directory, with_suffix(file, SUFFIX_META, name), 0) == 0)
        return 0;
    return fail_system(file, SUFFIX_META, "remove", errno, words);
}

int memory_file_take_meta(struct memory_file *file,
                          char words[MEMORY_FILE_WORDS_MAX])
{
    char name[NAME_ROOM];
    int from = openat(file->directory, with_suffix(file, SUFFIX_META, name),
                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int status;

    if (from < 0 && errno == ENOENT)
        return 0;
    if (from < 0)
        return fail_system(file, SUFFIX_META, "open", errno, words);
    status = read_open_meta(file, from, words);
    (void)close(from);
    if (status == 0)
        status = remove_meta(file, words);
    if (status != 0) {
        memory_file_forget_meta(file);
        return status;
    }
    file->meta_size -= HEADER_BYTES;
    memmove(file->meta, file->meta + HEADER_BYTES, file->meta_size);
    return 0;
}

void memory_file_forget_meta(struct memory_file *file)
{
    memory_free(&file->meta);
    file->meta_size = 0;
}

/* ---- room ---- */

uint64_t memory_file_size(const struct memory_file *file)
{
    struct stat stat;

    return fstat(file->file, &stat) == 0 ? (uint64_t)stat.st_size : 0;
}

int memory_file_make_room(struct memory_file *file, uint64_t size, bool fresh,
                          char words[MEMORY_FILE_WORDS_MAX])
{
    int error;

    if (fresh && ftruncate(file->file, 0) != 0)
        return fail_system(file, "", "empty", errno, words);
    /* Now, as a full disk later would be a signal in the midst of a write. */
    error = posix_fallocate(file->file, 0, (off_t)size);
    if (error == 0)
        return 0;
    if (fresh && ftruncate(file->file, 0) != 0)
        return fail_system(file, "", "empty", errno, words);
    return fail(EX_OSERR, words,
                "there is no room for the %llu MiB of -m in %.300s: %s",
                (unsigned long long)(size / MIB), file->path, strerror(error));
}

/* ---- writing ---- */

bool memory_file_may_save(const struct memory_file *file)
{
    return faccessat(file->directory, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

static bool write_all(int to, const char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = write(to, bytes + done, size - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static bool write_meta(int to, struct slice meta)
{
    char header[HEADER_BYTES];
    struct writer out;

    writer_init(&out, header, sizeof(header));
    writer_bytes(&out, MAGIC, sizeof(MAGIC) - 1);
    writer_u32(&out, META_VERSION);
    writer_u32(&out, 0);
    writer_u64(&out, meta.size);
    writer_u64(&out, hash_bytes(meta.data, meta.size));
    return write_all(to, header, sizeof(header)) &&
           write_all(to, meta.data, meta.size) && fsync(to) == 0;
}

int memory_file_save(struct memory_file *file, struct slice meta,
                     char words[MEMORY_FILE_WORDS_MAX])
{
    char aside[NAME_ROOM];
    char name[NAME_ROOM];
    bool written;
    int to;

    if (fsync(file->file) != 0)
        return fail_system(file, "", "write", errno, words);
    (void)with_suffix(file, SUFFIX_ASIDE, aside);
    (void)unlinkat(file->directory, aside, 0);
    to = openat(file->directory, aside,
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                S_IRUSR | S_IWUSR);
    if (to < 0)
        return fail_system(file, SUFFIX_ASIDE, "write", errno, words);
    written = write_meta(to, meta);
    written = close(to) == 0 && written;
    if (written &&
        renameat(file->directory, aside, file->directory,
                 with_suffix(file, SUFFIX_META, name)) == 0 &&
        fsync(file->directory) == 0)
        return 0;
    fail_system(file, SUFFIX_META, "write", errno, words);
    (void)unlinkat(file->directory, aside, 0);
    return EX_OSERR;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The two files of a warm restart (-e FILE). FILE is the item memory, mapped
 * and as long as it; FILE.meta is written at a graceful stop and says all that
 * item memory does not. It is removed before it is used, so that no state is
 * ever gone on from twice.
 *
 *    0          8         12     16     24         32
 *   +----------+---------+------+------+----------+-----------
 *   | TWINMETA | version | none | size | checksum | size bytes
 *   +----------+---------+------+------+----------+-----------
 *
 * Functions that can fail return 0 or the status to exit with, and a sentence
 * for the operator in words. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_FILE_WORDS_MAX 512
#define MEMORY_FILE_NAME_MAX 240 /* Of FILE without its directory. */
#define MEMORY_FILE_META_MAX ((size_t)1 << 36)

struct memory_file {
    char path[4096]; /* As given, for sentences. */
    char name[MEMORY_FILE_NAME_MAX + 1];
    int directory; /* -1: nothing is open. */
    int file;
    char *meta; /* What a former daemon left; NULL: nothing. */
    size_t meta_size;
};

/* Opens FILE, or makes it, and keeps it from others; the directory is held, so
 * that the daemon may change its own. user: who has to write it later; may be
 * NULL. Owns: caller, until memory_file_close(). */
MUST_CHECK int memory_file_open(struct memory_file *file, const char *path,
                                const char *user,
                                char words[MEMORY_FILE_WORDS_MAX]);
void memory_file_close(struct memory_file *file);

/* Reads FILE.meta, if there is one, and removes it. One that is damaged stays
 * where it is and is an error. */
MUST_CHECK int memory_file_take_meta(struct memory_file *file,
                                     char words[MEMORY_FILE_WORDS_MAX]);
void memory_file_forget_meta(struct memory_file *file);

uint64_t memory_file_size(const struct memory_file *file);
/* Makes FILE that long, all of it on the disk; fresh: what is in it goes. */
MUST_CHECK int memory_file_make_room(struct memory_file *file, uint64_t size,
                                     bool fresh,
                                     char words[MEMORY_FILE_WORDS_MAX]);

/* Can this process make FILE.meta? */
bool memory_file_may_save(const struct memory_file *file);
/* Writes FILE.meta, once all of FILE is safe. */
MUST_CHECK int memory_file_save(struct memory_file *file, struct slice meta,
                                char words[MEMORY_FILE_WORDS_MAX]);

#endif

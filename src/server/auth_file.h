/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may log in by the text protocol (-Y): a file of lines USER:PASSWORD,
 * read at the start and again when it is asked for. */
#ifndef SERVER_AUTH_FILE_H
#define SERVER_AUTH_FILE_H

#include "src/base/error.h"
#include "src/command/authenticator.h"

#define AUTH_FILE_WORDS_MAX 512
#define AUTH_FILE_USERS_MAX 64
#define AUTH_FILE_LINE_MAX 255 /* Without its end. */

struct auth_file;

/* Reads the file.
 * Errors: negative, with words: it cannot be read, has no user, or has a line
 *         that is none. */
MUST_CHECK int auth_file_new(const char *path, struct auth_file **out,
                             char words[AUTH_FILE_WORDS_MAX]);
void auth_file_free(struct auth_file **file);

/* Reads it again. Errors: as above, and the users stay those from before.
 * Thread: one at a time; logins go on meanwhile. */
MUST_CHECK int auth_file_reload(struct auth_file *file,
                                char words[AUTH_FILE_WORDS_MAX]);

/* Good until auth_file_free(). */
const struct authenticator *
auth_file_authenticator(const struct auth_file *file);

#endif

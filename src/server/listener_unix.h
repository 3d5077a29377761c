/* SPDX-License-Identifier: BSD-3-Clause */
/* The UNIX socket (-s): a file that clients of this host connect to. */
#ifndef SERVER_LISTENER_UNIX_H
#define SERVER_LISTENER_UNIX_H

#include "src/server/listener.h"

/* Binds the file with these permissions (-a). One that a daemon left behind is
 * removed first; one where somebody listens, or that is no socket, is left.
 * Not while other threads run: it changes the umask for a moment.
 * Errors: negative, with words. */
MUST_CHECK int listener_unix_bind(struct listeners *listeners, const char *path,
                                  unsigned mode,
                                  const struct session_config *session,
                                  char words[SERVER_WORDS_MAX]);
/* Removes the file, if it still is this listener's. */
void listener_unix_remove(struct listener *listener);

#endif

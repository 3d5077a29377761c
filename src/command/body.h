/* SPDX-License-Identifier: BSD-3-Clause */
/* A large value on its way into its item: its bytes go there from the socket,
 * as they come, and the request is answered when all of them are there. */
#ifndef COMMAND_BODY_H
#define COMMAND_BODY_H

#include "src/command/thread.h"

struct body; /* Opaque. */

/* Makes room for the value that a request announces. NULL when there is none,
 * which is then answered.
 * Owns:   the caller owns it until body_finish() or body_free(). */
struct body *body_start(struct command_thread *thread, const struct op *op,
                        const struct request *request, bool binary,
                        struct sink *out);

/* Where the next bytes go, at least one as long as the value is not whole. */
char *body_space(struct command_thread *thread, struct body *body,
                 size_t *room);
/* So many were put there. */
void body_filled(struct body *body, size_t size);
/* Copies what it still needs from the front of input; how much that was. */
size_t body_fill(struct command_thread *thread, struct body *body,
                 struct slice input);
bool body_is_whole(const struct body *body);

/* The client waits for a reply. */
bool body_is_answered(const struct body *body);

/* Stores a whole value, if what stands behind it is right, and answers.
 * tail: the two bytes behind a text request's value; not looked at else. */
void body_finish(struct command_thread *thread, struct body **body,
                 const char *tail, struct sink *out);

/* Drops what was filled so far. */
void body_free(struct command_thread *thread, struct body **body);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of the operator: every request whose first word is none of the
 * parser's. Each is a row of the table in admin.c. */
#ifndef COMMAND_ADMIN_H
#define COMMAND_ADMIN_H

#include "src/command/thread.h"

/* Words behind the command's name; later ones are not looked at. */
#define ADMIN_WORDS_MAX 23

struct admin_call {
    struct command_thread *thread;
    struct sink *out;
    unsigned count;
    bool noreply; /* Taken off the words; admin_reply() says nothing. */
    struct slice words[ADMIN_WORDS_MAX];
};

typedef void admin_fn(const struct admin_call *call);

/* Finds the command that request->rest begins with and executes it.
 * Thread: the owner of thread. */
void admin_execute(struct command_thread *thread, const struct request *request,
                   struct sink *out);

/* One line, to which CRLF is added. */
void admin_reply(const struct admin_call *call, const char *line);

/* The word at index is `text`; false where there is none. */
bool admin_word_is(const struct admin_call *call, unsigned index,
                   const char *text);

#endif

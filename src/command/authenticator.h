/* SPDX-License-Identifier: BSD-3-Clause */
/* How clients prove who they are, as a table of functions: the commands carry
 * the messages, the server has what knows about users. */
#ifndef COMMAND_AUTHENTICATOR_H
#define COMMAND_AUTHENTICATOR_H

#include "src/base/slice.h"

#include <stdbool.h>

enum auth_outcome {
    AUTH_GRANTED,
    AUTH_CONTINUE, /* The client has to answer the challenge. */
    AUTH_DENIED,
};

struct auth_dialog; /* One client's exchange of SASL messages. */

/* Either knows is there, for clients that say a user and a password in the
 * text protocol (-Y), or the others are, for SASL in the binary one (-S).
 * Thread: any; a dialog by one at a time. */
struct authenticator {
    void *ctx;

    bool (*knows)(void *ctx, struct slice user, struct slice password);

    /* Names after blanks, in room. Returns how many bytes; 0: a failure. */
    size_t (*mechanisms)(void *ctx, char *room, size_t size);
    /* Begins a dialog with the client's first message, or goes on with it.
     * *challenge is good until the next call.
     * Owns: the caller owns *dialog until end(), unless it is NULL. */
    enum auth_outcome (*start)(void *ctx, struct slice mechanism,
                               struct slice message,
                               struct auth_dialog **dialog,
                               struct slice *challenge);
    enum auth_outcome (*step)(void *ctx, struct auth_dialog *dialog,
                              struct slice message, struct slice *challenge);
    void (*end)(void *ctx, struct auth_dialog **dialog);
};

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What a session does while its client has yet to prove who it is. */
#ifndef COMMAND_AUTH_H
#define COMMAND_AUTH_H

#include "src/command/authenticator.h"
#include "src/command/thread.h"

/* As memcached has them. */
#define AUTH_LINE_MIN 6 /* With its end; shorter ones are no client's. */
#define AUTH_TOKEN_MAX (16u * 1024)
#define AUTH_MECHANISM_MAX 32

/* A session's part. */
struct auth {
    struct auth_dialog *dialog; /* NULL when none is under way. */
    bool locked;                /* Nothing but authentication is allowed. */
};

/* Executes a SASL_* request of the binary protocol. */
void auth_sasl(struct command_thread *thread, struct auth *auth,
               const struct op *op, const struct request *request,
               struct sink *out);
void auth_end(const struct command_thread *thread, struct auth *auth);

enum auth_login {
    AUTH_LOGIN_PART,    /* More bytes are needed. */
    AUTH_LOGIN_DONE,    /* Answered; see auth->locked. */
    AUTH_LOGIN_SWALLOW, /* Answered; what follows is to be passed over. */
    AUTH_LOGIN_CLOSE,   /* This is no client of ours. */
};

/* The text protocol's, shaped like a set: "set KEY 0 0 SIZE", and as its value
 * "USER PASSWORD". Every other line is refused. *taken: bytes of the input
 * that are done with; *swallow: how many more are to be passed over. */
enum auth_login auth_login(struct command_thread *thread, struct auth *auth,
                           struct slice input, struct sink *out, size_t *taken,
                           uint32_t *swallow);

#endif

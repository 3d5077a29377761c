/* SPDX-License-Identifier: BSD-3-Clause */
/* What one entry of -l says: an address, and before it prefixes, in any
 * order, that say more of whoever comes in by it.
 *
 *   notls: btls: mtls:                        with -Z: without TLS, without or
 *                                             with certificates of clients
 *   proto[ascii]: [binary] [negotiating]      instead of -B
 *   tag[xx]: tag_xx_:                         a name of 1 to 8 characters */
#ifndef SERVER_LISTENER_SPEC_H
#define SERVER_LISTENER_SPEC_H

#include "src/command/session.h"
#include "src/server/endpoint.h"
#include "src/server/server.h"

#define LISTENER_TAG_MAX 8

enum listener_tls {
    LISTENER_TLS_DEFAULT, /* As -Z and ssl_verify_mode say. */
    LISTENER_TLS_OFF,
    LISTENER_TLS_BASIC,
    LISTENER_TLS_MUTUAL,
};

struct listener_spec {
    struct endpoint endpoint;
    enum listener_tls tls;
    bool has_protocol; /* Else -B decides. */
    enum session_protocol protocol;
    char tag[LISTENER_TAG_MAX + 1]; /* "": none. */
};

/* Errors: -ERR_SYNTAX, with a sentence in words. */
MUST_CHECK int listener_spec_parse(struct slice text, struct listener_spec *out,
                                   char words[SERVER_WORDS_MAX]);

/* Cuts the next entry off a list with commas or semicolons; false after the
 * last one. Begin with *text at the list; it ends as NULL. */
bool listener_spec_next(const char **text, struct slice *entry);

#endif

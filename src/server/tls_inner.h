/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sources of TLS know of each other. */
#ifndef SERVER_TLS_INNER_H
#define SERVER_TLS_INNER_H

#include "src/base/lock.h"
#include "src/server/tls.h"

#include <openssl/ssl.h>

enum tls_path {
    TLS_PATH_CHAIN,
    TLS_PATH_KEY,
    TLS_PATH_CA,
    TLS_PATHS,
};

struct tls {
    /* Immutable. */
    struct tls_config config; /* Its texts are those below. */
    char *path[TLS_PATHS];    /* Whole, so that a daemon finds them again. */
    char *ciphers;
    _Atomic bool kernel_told; /* That it does not encrypt. */

    struct lock lock;
    SSL_CTX *context;
    uint64_t refreshed_ns;
};

/* A context of what the files hold now. Errors: NULL, with words. */
SSL_CTX *tls_context_new(const struct tls_config *config,
                         char words[TLS_WORDS_MAX]);

/* The flags of OpenSSL. */
int tls_verify_flags(enum tls_verify verify);

/* The reason of OpenSSL's oldest error since they were cleared, or "". Clears
 * them. */
void tls_take_reason(char *text, size_t size);

#endif

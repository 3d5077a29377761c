/* SPDX-License-Identifier: BSD-3-Clause */
/* What those know of each other that speak to OpenSSL. */
#ifndef TLS_TLS_INNER_H
#define TLS_TLS_INNER_H

#include "src/base/lock.h"
#include "src/tls/tls.h"

#include <openssl/ssl.h>

enum tls_path {
    TLS_PATH_CHAIN,
    TLS_PATH_KEY,
    TLS_PATH_CA,
    TLS_PATH_SECRET,
    TLS_PATHS,
};

enum tls_text {
    TLS_TEXT_CIPHERS,
    TLS_TEXT_IDENTITY,
    TLS_TEXT_PIN,
    TLS_TEXT_ALPN,
    TLS_TEXTS,
};

struct tls {
    /* Immutable. */
    struct tls_config config; /* Its texts are those below. */
    char *path[TLS_PATHS];    /* Whole, so that a daemon finds them again. */
    char *text[TLS_TEXTS];
    _Atomic bool kernel_told; /* That it does not encrypt. */

    struct lock lock;
    SSL_CTX *context;
    uint64_t refreshed_ns;
};

/* A context of what the files hold now. Errors: NULL, with words. */
SSL_CTX *tls_context_new(const struct tls_config *config,
                         char words[TLS_WORDS_MAX]);

/* Puts words together, with OpenSSL's reason behind them if there is one.
 * Returns -ERR_SYSTEM. */
__attribute__((format(printf, 2, 3))) int tls_fail(char words[TLS_WORDS_MAX],
                                                   const char *format, ...);

/* tls_peer.c: a context for both ends of a link; and whether who is there
 * after a handshake is the peer. Errors: negative, with words. */
#define TLS_PIN_DIFFERS X509_V_ERR_APPLICATION_VERIFICATION
MUST_CHECK int tls_peer_set_up(SSL_CTX *context,
                               const struct tls_config *config,
                               char words[TLS_WORDS_MAX]);
MUST_CHECK int tls_peer_check(SSL *ssl, const struct tls_config *config,
                              char words[TLS_WORDS_MAX]);

/* tls_secret.c: both ends prove that they have read the same file. */
#define TLS_SECRET_BYTES_MIN 16
#define TLS_SECRET_BYTES_MAX 1024
MUST_CHECK int tls_secret_set_up(SSL_CTX *context,
                                 const struct tls_config *config,
                                 char words[TLS_WORDS_MAX]);

/* The newest context, counted once more: SSL_CTX_free() it. Thread: any. */
SSL_CTX *tls_context_hold(struct tls *tls);

/* The flags of OpenSSL. */
int tls_verify_flags(enum tls_verify verify);

/* The reason of OpenSSL's oldest error since they were cleared, or "". Clears
 * them. */
void tls_take_reason(char *text, size_t size);

#endif

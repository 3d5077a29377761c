/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS of the client port, or of the link between two nodes: what the files of
 * the command line make, and what they make when they are read again.
 * Connections that are open keep what they began with; new ones get the newest
 * that could be read. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "src/base/clock.h"
#include "src/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define TLS_WORDS_MAX 512
/* Sessions in the cache (ssl_session_cache); the oldest give way. */
#define TLS_SESSIONS_MAX 20480
/* What a client may send of certificates. */
#define TLS_CLIENT_CHAIN_BYTES_MAX (64u * 1024)

enum tls_verify {
    TLS_VERIFY_NONE,
    TLS_VERIFY_REQUEST, /* A client's certificate must be good, if it has one.
                         */
    TLS_VERIFY_REQUIRE,
    TLS_VERIFY_ONCE, /* The same: there is no renegotiation to ask in again. */
};

enum tls_key_format {
    TLS_KEY_PEM = 1,
    TLS_KEY_DER,
    TLS_KEY_ENGINE,
};

enum tls_role {
    TLS_ROLE_SERVER, /* Of clients. */
    TLS_ROLE_PEER,   /* Calls its like and is called: each proves itself. */
};

/* Paths and texts are borrowed until tls_new() returns; NULL: not given. */
struct tls_config {
    const struct clock *clock; /* Outlives the result. */
    enum tls_role role;
    const char *chain_path;
    const char *key_path; /* NULL: the chain's file has the key. */
    const char *ca_path;
    const char *ciphers; /* Up to TLS 1.2. */
    enum tls_key_format key_format;
    enum tls_verify verify;
    unsigned version_min; /* 0..3: TLS 1.0..1.3 */
    bool session_cache;
    bool kernel; /* Let the kernel encrypt, where it can. */

    /* Of a peer alone. */
    const char *secret_path; /* Instead of certificates. */
    const char *identity;    /* What the secret is said to be for. */
    const char *pin;         /* What the peer's certificate has to be: one for
                                that name or address, or sha256:HEX. */
    const char *alpn;        /* What is spoken inside. */
    uint64_t rekey_bytes;    /* A new key after so many; 0: a good number. */
};

struct tls;

/* Reads the files.
 * Errors: negative, and a sentence for the operator in words.
 * Owns:   caller, until tls_free(). */
MUST_CHECK int tls_new(const struct tls_config *config, struct tls **out,
                       char words[TLS_WORDS_MAX]);
/* Connections that are open stay sound. */
void tls_free(struct tls **tls);

/* Reads the files again, from where they were at the start.
 * Errors: as tls_new(); everything stays as it was then. Thread: any. */
MUST_CHECK int tls_reload(struct tls *tls, char words[TLS_WORDS_MAX]);

/* Seconds since the files were read with success. Thread: any. */
uint64_t tls_age_s(struct tls *tls);
/* How a peer proves itself: "psk" or "cert". */
const char *tls_proof(const struct tls *tls);
bool tls_has_session_cache(const struct tls *tls);
/* A connection is not encrypted by the kernel: says so once, if that was asked
 * for. Thread: any. */
void tls_tell_no_kernel(struct tls *tls);

#endif

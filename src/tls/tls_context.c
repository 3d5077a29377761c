/* SPDX-License-Identifier: BSD-3-Clause */
/* From files to a context of OpenSSL, with words for whatever is wrong. */
#include "src/tls/tls_inner.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int tls_fail(char words[TLS_WORDS_MAX], const char *format, ...)
{
    char reason[128];
    va_list args;
    int used;

    va_start(args, format);
    used = vsnprintf(words, TLS_WORDS_MAX, format, args);
    va_end(args);
    tls_take_reason(reason, sizeof(reason));
    if (reason[0] != '\0' && used >= 0 && used < TLS_WORDS_MAX)
        (void)snprintf(words + used, TLS_WORDS_MAX - (size_t)used, ": %s",
                       reason);
    return -ERR_SYSTEM;
}

void tls_take_reason(char *text, size_t size)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);

    if (error != 0 && ERR_GET_LIB(error) == ERR_LIB_SYS)
        reason = strerror(ERR_GET_REASON(error));
    (void)snprintf(text, size, "%s", reason != NULL ? reason : "");
    ERR_clear_error();
}

/* ---- the steps ---- */

/* Nobody sits there to type a pass phrase. */
static int no_pass_phrase(char *text, int size, int writing, void *ctx)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

/* What the operator calls the files. */
static const struct {
    const char *chain, *key, *none;
} option_names[] = {
    [TLS_ROLE_SERVER] = {"ssl_chain_cert", "ssl_key",
                         "-Z takes a certificate: say -o ssl_chain_cert=FILE, "
                         "and ssl_key=FILE"},
    [TLS_ROLE_PEER] = {"repl_tls_cert", "repl_tls_key",
                       "TLS to the peer takes a certificate: say -o "
                       "repl_tls_cert=FILE"},
};

static int load_chain(SSL_CTX *context, const struct tls_config *config,
                      char words[TLS_WORDS_MAX])
{
    if (config->chain_path == NULL)
        return tls_fail(words, "%s", option_names[config->role].none);
    if (SSL_CTX_use_certificate_chain_file(context, config->chain_path) != 1)
        return tls_fail(words, "cannot read a certificate chain from %s",
                        config->chain_path);
    return 0;
}

static int load_key(SSL_CTX *context, const struct tls_config *config,
                    char words[TLS_WORDS_MAX])
{
    const char *path =
        config->key_path != NULL ? config->key_path : config->chain_path;
    bool der = config->key_format == TLS_KEY_DER;

    if (config->key_format == TLS_KEY_ENGINE)
        return tls_fail(words,
                        "ssl_keyformat=3, a key of an OpenSSL engine, is "
                        "not supported: give a file, PEM (1) or DER (2)");
    if (SSL_CTX_use_PrivateKey_file(
            context, path, der ? SSL_FILETYPE_ASN1 : SSL_FILETYPE_PEM) != 1)
        return tls_fail(
            words, "cannot use a private key (%s) from %s%s%s",
            der ? "DER" : "PEM", path,
            config->key_path == NULL ? ", for want of " : "",
            config->key_path == NULL ? option_names[config->role].key : "");
    if (SSL_CTX_check_private_key(context) != 1)
        return tls_fail(
            words, "the private key from %s is of another certificate", path);
    return 0;
}

static int load_ca(SSL_CTX *context, const struct tls_config *config,
                   char words[TLS_WORDS_MAX])
{
    STACK_OF(X509_NAME) * names;

    if (config->ca_path == NULL)
        return 0;
    if (SSL_CTX_load_verify_locations(context, config->ca_path, NULL) != 1)
        return tls_fail(words, "cannot read CA certificates from %s",
                        config->ca_path);
    names = SSL_load_client_CA_file(config->ca_path);
    if (names == NULL)
        return tls_fail(words, "cannot read the names of CAs from %s",
                        config->ca_path);
    SSL_CTX_set_client_CA_list(context, names);
    return 0;
}

static int set_ciphers(SSL_CTX *context, const struct tls_config *config,
                       char words[TLS_WORDS_MAX])
{
    if (config->ciphers != NULL &&
        SSL_CTX_set_cipher_list(context, config->ciphers) != 1)
        return tls_fail(words,
                        "ssl_ciphers=%s names no cipher of TLS 1.2 or older",
                        config->ciphers);
    return 0;
}

static int set_version(SSL_CTX *context, const struct tls_config *config,
                       char words[TLS_WORDS_MAX])
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
                                   TLS1_3_VERSION};

    if (config->version_min >= sizeof(versions) / sizeof(versions[0]) ||
        SSL_CTX_set_min_proto_version(context, versions[config->version_min]) !=
            1)
        return tls_fail(words, "this OpenSSL has no ssl_min_version=%u",
                        config->version_min);
    return 0;
}

/* Clients without a session to resume cost a full handshake; the cache holds
 * those of TLS 1.2 without tickets, tickets cost us nothing. */
static int set_sessions(SSL_CTX *context, const struct tls_config *config,
                        char words[TLS_WORDS_MAX])
{
    static const unsigned char any[] = "any";

    if (SSL_CTX_set_session_id_context(context, any, sizeof(any) - 1) != 1)
        return tls_fail(words, "cannot set up TLS sessions");
    (void)SSL_CTX_set_session_cache_mode(context, config->session_cache
                                                      ? SSL_SESS_CACHE_SERVER
                                                      : SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_sess_set_cache_size(context, TLS_SESSIONS_MAX);
    return 0;
}

/* Read ahead: the head of a record and its rest come with one call. The kernel
 * hands out whole records by itself. */
static int set_behavior(SSL_CTX *context, const struct tls_config *config,
                        char words[TLS_WORDS_MAX])
{
    (void)words;
    (void)SSL_CTX_set_options(context,
                              SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
    /* Requests and replies tell their own length, and many clients leave
     * without a word. */
    (void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
#ifdef SSL_OP_ENABLE_KTLS
    if (config->kernel)
        (void)SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
#endif
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, !config->kernel);
    SSL_CTX_set_max_cert_list(context, TLS_CLIENT_CHAIN_BYTES_MAX);
    SSL_CTX_set_verify(context, tls_verify_flags(config->verify), NULL);
    return 0;
}

int tls_verify_flags(enum tls_verify verify)
{
    static const int flags[] = {
        [TLS_VERIFY_NONE] = SSL_VERIFY_NONE,
        [TLS_VERIFY_REQUEST] = SSL_VERIFY_PEER,
        [TLS_VERIFY_REQUIRE] =
            SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_VERIFY_ONCE] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT |
                            SSL_VERIFY_CLIENT_ONCE};

    return flags[verify];
}

/* ---- all of them ---- */

typedef int step_fn(SSL_CTX *context, const struct tls_config *config,
                    char words[TLS_WORDS_MAX]);

#define STEPS_MAX 7

static step_fn *const server_steps[STEPS_MAX] = {
    set_version, set_ciphers,  load_chain,   load_key,
    load_ca,     set_sessions, set_behavior,
};
static step_fn *const certified_steps[STEPS_MAX] = {
    set_version, load_chain, load_key, load_ca, tls_peer_set_up,
};
static step_fn *const secret_steps[STEPS_MAX] = {
    set_version,
    tls_secret_set_up,
    tls_peer_set_up,
};

static step_fn *const *steps_of(const struct tls_config *config)
{
    if (config->role == TLS_ROLE_SERVER)
        return server_steps;
    return config->secret_path != NULL ? secret_steps : certified_steps;
}

SSL_CTX *tls_context_new(const struct tls_config *config,
                         char words[TLS_WORDS_MAX])
{
    step_fn *const *steps = steps_of(config);
    SSL_CTX *context;
    int error = 0;

    ERR_clear_error();
    context = SSL_CTX_new(config->role == TLS_ROLE_SERVER ? TLS_server_method()
                                                          : TLS_method());
    if (context == NULL) {
        (void)tls_fail(words, "OpenSSL does not start");
        return NULL;
    }
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
    for (size_t i = 0; i < STEPS_MAX && steps[i] != NULL && error == 0; i++)
        error = steps[i](context, config, words);
    if (error == 0)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

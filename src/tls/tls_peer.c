/* SPDX-License-Identifier: BSD-3-Clause */
/* What both ends of a link between two nodes ask of each other. */
#include "src/tls/tls_inner.h"

#include <ctype.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ALPN_BYTES_MAX 32
#define PIN_FINGERPRINT "sha256:"
#define FINGERPRINT_BYTES 32

/* ---- a context ---- */

/* As a list of one: the wire's form. */
static size_t alpn_list(const char *alpn, unsigned char list[ALPN_BYTES_MAX])
{
    size_t size = strlen(alpn);

    if (size == 0 || size >= ALPN_BYTES_MAX)
        return 0;
    list[0] = (unsigned char)size;
    memcpy(list + 1, alpn, size);
    return 1 + size;
}

static int select_alpn(SSL *ssl, const unsigned char **out,
                       unsigned char *out_size, const unsigned char *offered,
                       unsigned offered_size, void *alpn)
{
    unsigned char list[ALPN_BYTES_MAX];
    unsigned char *chosen;
    size_t size = alpn_list(alpn, list);

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_size, offered, offered_size, list,
                              (unsigned)size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    /* Ours goes away with this call; the client's stays. */
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at])
        if (offered[at] == *out_size &&
            memcmp(offered + at + 1, chosen, *out_size) == 0)
            *out = offered + at + 1;
    return SSL_TLSEXT_ERR_OK;
}

static int set_alpn(SSL_CTX *context, const struct tls_config *config,
                    char words[TLS_WORDS_MAX])
{
    unsigned char list[ALPN_BYTES_MAX];
    size_t size = alpn_list(config->alpn, list);
    union {
        const char *in;
        void *out;
    } alpn = {.in = config->alpn};

    if (size == 0 ||
        SSL_CTX_set_alpn_protos(context, list, (unsigned)size) != 0)
        return tls_fail(words, "cannot set up TLS to the peer");
    SSL_CTX_set_alpn_select_cb(context, select_alpn, alpn.out);
    return 0;
}

static bool is_fingerprint(X509 *cert, const char *hex)
{
    unsigned char print[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (X509_digest(cert, EVP_sha256(), print, &size) != 1 ||
        size != FINGERPRINT_BYTES)
        return false;
    for (unsigned i = 0; i < size; i++) {
        char byte[3];

        hex += *hex == ':';
        (void)snprintf(byte, sizeof(byte), "%02x", print[i]);
        if (strncasecmp(hex, byte, 2) != 0)
            return false;
        hex += 2;
    }
    return *hex == '\0';
}

static bool is_pinned(X509 *cert, const char *pin)
{
    const size_t prefix = sizeof(PIN_FINGERPRINT) - 1;

    if (strncasecmp(pin, PIN_FINGERPRINT, prefix) == 0)
        return is_fingerprint(cert, pin + prefix);
    return X509_check_ip_asc(cert, pin, 0) == 1 ||
           X509_check_host(cert, pin, 0, 0, NULL) == 1;
}

/* Called for each certificate of the other's chain. */
static int check_pin(int good, X509_STORE_CTX *chain)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls *tls = SSL_get_app_data(ssl);

    if (good != 1 || X509_STORE_CTX_get_error_depth(chain) > 0 ||
        tls->config.pin == NULL ||
        is_pinned(X509_STORE_CTX_get_current_cert(chain), tls->config.pin))
        return good;
    X509_STORE_CTX_set_error(chain, TLS_PIN_DIFFERS);
    return 0;
}

/* Sessions are not resumed: a link is made seldom, and each time in full. One
 * certificate does for both ends, whatever else it was made for. */
int tls_peer_set_up(SSL_CTX *context, const struct tls_config *config,
                    char words[TLS_WORDS_MAX])
{
    if (config->secret_path == NULL && config->ca_path == NULL)
        return tls_fail(words, "repl_tls_cert takes the CA of the peer's "
                               "certificate too: say -o repl_tls_ca=FILE");
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_NO_COMPRESSION |
                                           SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_num_tickets(context, 0);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(context, TLS_CLIENT_CHAIN_BYTES_MAX);
    (void)X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context),
                                        X509_PURPOSE_ANY);
    SSL_CTX_set_verify(context, tls_verify_flags(TLS_VERIFY_REQUIRE),
                       check_pin);
    return set_alpn(context, config, words);
}

/* ---- after a handshake ---- */

int tls_peer_check(SSL *ssl, const struct tls_config *config,
                   char words[TLS_WORDS_MAX])
{
    const unsigned char *alpn;
    unsigned size;
    X509 *cert;

    SSL_get0_alpn_selected(ssl, &alpn, &size);
    if (alpn == NULL || size != strlen(config->alpn) ||
        memcmp(alpn, config->alpn, size) != 0)
        return tls_fail(words, "it does not speak %s inside of TLS",
                        config->alpn);
    if (config->secret_path != NULL && SSL_session_reused(ssl) != 1)
        return tls_fail(words, "it did not prove that it knows the secret");
    if (config->secret_path != NULL)
        return 0;
    cert = SSL_get_peer_certificate(ssl);
    X509_free(cert);
    if (cert == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
        return tls_fail(words, "it did not prove itself by a certificate");
    return 0;
}

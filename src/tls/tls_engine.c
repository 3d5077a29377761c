/* SPDX-License-Identifier: BSD-3-Clause */
/* A pair of OpenSSL's BIOs whose buffers have one size for life: what does not
 * fit is not read from the socket, and what a write makes always fits. */
#include "src/tls/tls_engine.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/tls/tls_inner.h"

#include <openssl/err.h>
#include <stdio.h>

/* AES-GCM is good for some 2^24 full records under one key; a sixteenth of
 * that leaves room for records that are not full. */
#define REKEY_BYTES (16ull << 30)

struct tls_engine {
    struct tls *tls; /* Its configuration does not change. */
    SSL *ssl;
    BIO *wire; /* The socket's end of the pair. */
    uint64_t rekey_bytes;
    uint64_t under_key; /* Bytes that were written under the present key. */
    enum tls_engine_shaken shaken;
    char words[TLS_WORDS_MAX];
};

/* ---- life ---- */

static bool join_wire(struct tls_engine *engine)
{
    BIO *inside;

    if (BIO_new_bio_pair(&inside, TLS_ENGINE_OUT_BYTES, &engine->wire,
                         TLS_ENGINE_IN_BYTES) != 1)
        return false;
    SSL_set_bio(engine->ssl, inside, inside);
    return true;
}

struct tls_engine *tls_engine_new(struct tls *tls, bool calls)
{
    static const unsigned char any[] = "any"; /* OpenSSL wants some name. */
    struct tls_engine *engine = memory_new(1, sizeof(*engine));
    SSL_CTX *context;

    INVARIANT(tls->config.role == TLS_ROLE_PEER);
    if (engine == NULL)
        return NULL;
    context = tls_context_hold(tls);
    engine->tls = tls;
    engine->ssl = SSL_new(context);
    SSL_CTX_free(context);
    if (engine->ssl == NULL || !join_wire(engine) ||
        (!calls &&
         SSL_set_session_id_context(engine->ssl, any, sizeof(any) - 1) != 1)) {
        ERR_clear_error();
        tls_engine_free(&engine);
        return NULL;
    }
    SSL_set_app_data(engine->ssl, tls);
    if (calls)
        SSL_set_connect_state(engine->ssl);
    else
        SSL_set_accept_state(engine->ssl);
    engine->rekey_bytes =
        tls->config.rekey_bytes != 0 ? tls->config.rekey_bytes : REKEY_BYTES;
    engine->shaken = TLS_ENGINE_SHAKES;
    return engine;
}

void tls_engine_free(struct tls_engine **engine_at)
{
    struct tls_engine *engine = *engine_at;

    if (engine == NULL)
        return;
    SSL_free(engine->ssl);
    (void)BIO_free(engine->wire);
    memory_free(engine_at);
}

/* ---- ciphertext ---- */

size_t tls_engine_room(struct tls_engine *engine, char **at)
{
    int size = BIO_nwrite0(engine->wire, at);

    return size > 0 ? (size_t)size : 0;
}

void tls_engine_fed(struct tls_engine *engine, size_t size)
{
    char *at;

    INVARIANT(size <= tls_engine_room(engine, &at));
    if (size > 0)
        (void)BIO_nwrite(engine->wire, &at, (int)size);
}

size_t tls_engine_due(struct tls_engine *engine, char **at)
{
    int size;

    if (BIO_ctrl_pending(engine->wire) == 0)
        return 0;
    size = BIO_nread0(engine->wire, at);
    return size > 0 ? (size_t)size : 0;
}

void tls_engine_sent(struct tls_engine *engine, size_t size)
{
    char *at;

    INVARIANT(size <= tls_engine_due(engine, &at));
    if (size > 0)
        (void)BIO_nread(engine->wire, &at, (int)size);
}

/* ---- why not ---- */

static bool is_secret_wrong(int reason)
{
    return reason == SSL_R_BINDER_DOES_NOT_VERIFY ||
           reason == SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER ||
           reason == SSL_R_TLSV1_ALERT_DECRYPT_ERROR;
}

/* An end that has nothing to prove itself with; its like says so by these. */
static bool is_proof_missing(int reason)
{
    return reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM ||
           reason == SSL_R_NO_SHARED_CIPHER ||
           reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE;
}

static bool is_alert(int reason)
{
    return reason > SSL_AD_REASON_OFFSET;
}

/* For what OpenSSL's own words would not tell an operator what to do. */
static const char *plain_words(const struct tls_engine *engine, int reason,
                               bool verified)
{
    if (engine->tls->config.secret_path == NULL)
        return NULL;
    if (is_secret_wrong(reason))
        return "the peer has another secret";
    if (is_proof_missing(reason) || !verified)
        return "the peer has certificates and no secret";
    return NULL;
}

static int end(struct tls_engine *engine)
{
    const struct tls_config *config = &engine->tls->config;
    int reason = ERR_GET_REASON(ERR_peek_error());
    long verified = SSL_get_verify_result(engine->ssl);
    const char *plain = plain_words(engine, reason, verified == X509_V_OK);

    engine->shaken = TLS_ENGINE_FAILED;
    if (plain != NULL || verified != X509_V_OK)
        ERR_clear_error();
    if (plain != NULL)
        return tls_fail(engine->words, "%s", plain);
    if (verified == TLS_PIN_DIFFERS)
        return tls_fail(engine->words,
                        "the peer's certificate is not that of repl_tls_peer "
                        "(%s)",
                        config->pin);
    if (verified != X509_V_OK)
        return tls_fail(engine->words, "the peer's certificate is not good: %s",
                        X509_verify_cert_error_string(verified));
    return tls_fail(engine->words,
                    is_alert(reason) ? "the peer objects" : "TLS failed");
}

/* What a call that did nothing means. */
static int explain(struct tls_engine *engine, int result)
{
    switch (SSL_get_error(engine->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        engine->shaken = TLS_ENGINE_FAILED;
        return tls_fail(engine->words, "the peer ended TLS");
    default:
        return end(engine);
    }
}

/* ---- handshake ---- */

enum tls_engine_shaken tls_engine_shake(struct tls_engine *engine)
{
    int result;

    if (engine->shaken != TLS_ENGINE_SHAKES)
        return engine->shaken;
    ERR_clear_error();
    result = SSL_do_handshake(engine->ssl);
    if (result != 1) {
        (void)explain(engine, result);
        return engine->shaken;
    }
    engine->shaken = TLS_ENGINE_SHAKEN;
    if (tls_peer_check(engine->ssl, &engine->tls->config, engine->words) != 0)
        engine->shaken = TLS_ENGINE_FAILED;
    return engine->shaken;
}

/* ---- plaintext ---- */

int tls_engine_read(struct tls_engine *engine, char *to, size_t room,
                    size_t *size)
{
    size_t got;
    int result = 1, error;

    *size = 0;
    if (engine->shaken == TLS_ENGINE_FAILED)
        return -ERR_SYSTEM;
    INVARIANT(engine->shaken == TLS_ENGINE_SHAKEN);
    ERR_clear_error();
    while (*size < room) {
        result = SSL_read_ex(engine->ssl, to + *size, room - *size, &got);
        if (result != 1)
            break;
        *size += got;
    }
    error = result == 1 ? 0 : explain(engine, result);
    return *size > 0 ? 0 : error; /* An end is told when this is taken. */
}

bool tls_engine_has_input(struct tls_engine *engine)
{
    if (engine->shaken != TLS_ENGINE_SHAKEN)
        return engine->shaken == TLS_ENGINE_FAILED;
    return SSL_pending(engine->ssl) > 0 ||
           BIO_ctrl_pending(SSL_get_rbio(engine->ssl)) > 0;
}

static void rekey(struct tls_engine *engine)
{
    if (engine->under_key < engine->rekey_bytes)
        return;
    engine->under_key = 0;
    (void)SSL_key_update(engine->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
}

int tls_engine_write(struct tls_engine *engine, const char *data, size_t size)
{
    size_t sent = 0, taken;

    INVARIANT(size <= TLS_ENGINE_PLAIN_MAX);
    if (engine->shaken == TLS_ENGINE_FAILED)
        return -ERR_SYSTEM;
    INVARIANT(engine->shaken == TLS_ENGINE_SHAKEN);
    ERR_clear_error();
    rekey(engine);
    while (sent < size) {
        if (SSL_write_ex(engine->ssl, data + sent, size - sent, &taken) != 1)
            return end(engine);
        sent += taken;
    }
    engine->under_key += size;
    return 0;
}

/* ---- words ---- */

const char *tls_engine_words(const struct tls_engine *engine)
{
    return engine->words;
}

void tls_engine_text(const struct tls_engine *engine,
                     char text[TLS_ENGINE_TEXT_MAX])
{
    (void)snprintf(text, TLS_ENGINE_TEXT_MAX, "%s %s %s",
                   tls_proof(engine->tls), SSL_get_version(engine->ssl),
                   SSL_get_cipher_name(engine->ssl));
}

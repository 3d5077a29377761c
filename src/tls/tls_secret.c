/* SPDX-License-Identifier: BSD-3-Clause */
/* A shared secret as an external key of TLS 1.3. Its session is made once for
 * a context and copied into each handshake. The key exchange is ephemeral all
 * the same, so whoever learns the secret later cannot read what was recorded
 * before; but a secret that can be guessed can be guessed from one recorded
 * handshake, and so it should come from a random source. */
#include "src/tls/tls_inner.h"

#include "src/base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES 32
#define IDENTITY_BYTES_MAX 128
#define KEY_LABEL "twincached replication 1"

/* The hash of the cipher has to be that of the key. */
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
static const unsigned char cipher_id[] = {0x13, 0x01};

struct psk {
    SSL_SESSION *session;
    unsigned char identity[IDENTITY_BYTES_MAX];
    size_t identity_size;
};

/* ---- the file ---- */

static int check_file(int file, const char *path, char words[TLS_WORDS_MAX])
{
    struct stat status;

    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode))
        return tls_fail(words, "the secret %s is no file", path);
    if ((status.st_mode & 077) != 0)
        return tls_fail(words,
                        "the secret %s has mode %04o, so others may read it: "
                        "make it 0600",
                        path, (unsigned)status.st_mode & 07777);
    return 0;
}

/* Its bytes without what an editor puts behind them. */
static int read_secret(const char *path, unsigned char *secret, size_t *size,
                       char words[TLS_WORDS_MAX])
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got;
    int error;

    if (file < 0)
        return tls_fail(words, "cannot read the secret %s: %s", path,
                        strerror(errno));
    error = check_file(file, path, words);
    got = error == 0 ? read(file, secret, TLS_SECRET_BYTES_MAX + 1) : 0;
    if (error == 0 && got < 0)
        error = tls_fail(words, "cannot read the secret %s: %s", path,
                         strerror(errno));
    (void)close(file);
    if (error != 0)
        return error;
    while (got > 0 && isspace(secret[got - 1]))
        got--;
    *size = (size_t)got;
    if (*size < TLS_SECRET_BYTES_MIN)
        return tls_fail(words, "the secret %s is too short: %d bytes at least",
                        path, TLS_SECRET_BYTES_MIN);
    if (*size > TLS_SECRET_BYTES_MAX)
        return tls_fail(words, "the secret %s is too long: %d bytes at most",
                        path, TLS_SECRET_BYTES_MAX);
    return 0;
}

static bool derive(const unsigned char *secret, size_t size,
                   unsigned char key[KEY_BYTES])
{
    EVP_PKEY_CTX *kdf = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    size_t key_size = KEY_BYTES;
    bool done =
        kdf != NULL && EVP_PKEY_derive_init(kdf) == 1 &&
        EVP_PKEY_CTX_set_hkdf_md(kdf, EVP_sha256()) == 1 &&
        EVP_PKEY_CTX_set1_hkdf_key(kdf, secret, (int)size) == 1 &&
        EVP_PKEY_CTX_add1_hkdf_info(kdf, (const unsigned char *)KEY_LABEL,
                                    sizeof(KEY_LABEL) - 1) == 1 &&
        EVP_PKEY_derive(kdf, key, &key_size) == 1 && key_size == KEY_BYTES;

    EVP_PKEY_CTX_free(kdf);
    return done;
}

static int read_key(const char *path, unsigned char key[KEY_BYTES],
                    char words[TLS_WORDS_MAX])
{
    unsigned char secret[TLS_SECRET_BYTES_MAX + 1];
    size_t size = 0;
    int error = read_secret(path, secret, &size, words);

    if (error == 0 && !derive(secret, size, key))
        error = tls_fail(words, "cannot make a key of the secret %s", path);
    OPENSSL_cleanse(secret, sizeof(secret));
    return error;
}

/* ---- its place in a context ---- */

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int psk_index;

static void free_psk(void *parent, void *data, CRYPTO_EX_DATA *all, int at,
                     long number, void *pointer)
{
    struct psk *psk = data;

    (void)parent;
    (void)all;
    (void)at;
    (void)number;
    (void)pointer;
    if (psk == NULL)
        return;
    SSL_SESSION_free(psk->session);
    memory_free(&psk);
}

static void make_index(void)
{
    psk_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, NULL,
                                        NULL, free_psk);
}

static SSL_SESSION *make_session(SSL_CTX *context,
                                 const unsigned char key[KEY_BYTES])
{
    SSL_SESSION *session = SSL_SESSION_new();
    SSL *ssl = SSL_new(context);
    const SSL_CIPHER *cipher =
        ssl != NULL ? SSL_CIPHER_find(ssl, cipher_id) : NULL;
    bool done = session != NULL && cipher != NULL &&
                SSL_SESSION_set1_master_key(session, key, KEY_BYTES) == 1 &&
                SSL_SESSION_set_cipher(session, cipher) == 1 &&
                SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1;

    SSL_free(ssl);
    if (done)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

static const struct psk *psk_of(SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), psk_index);
}

/* ---- handshakes ---- */

static int use_session(SSL *ssl, const EVP_MD *hash, const unsigned char **id,
                       size_t *id_size, SSL_SESSION **session)
{
    const struct psk *psk = psk_of(ssl);

    *session = NULL;
    if (hash != NULL && EVP_MD_type(hash) != NID_sha256)
        return 1; /* Asked again with another hash than the key's. */
    *id = psk->identity;
    *id_size = psk->identity_size;
    *session = SSL_SESSION_dup(psk->session);
    return *session != NULL;
}

/* Whatever the pair is called: of two names the hellos tell in words. */
static int find_session(SSL *ssl, const unsigned char *id, size_t id_size,
                        SSL_SESSION **session)
{
    (void)id;
    (void)id_size;
    *session = SSL_SESSION_dup(psk_of(ssl)->session);
    return *session != NULL;
}

int tls_secret_set_up(SSL_CTX *context, const struct tls_config *config,
                      char words[TLS_WORDS_MAX])
{
    unsigned char key[KEY_BYTES];
    struct psk *psk;
    int error = read_key(config->secret_path, key, words);

    if (error != 0)
        return error;
    (void)pthread_once(&index_once, make_index);
    psk = memory_new(1, sizeof(*psk));
    if (psk == NULL || SSL_CTX_set_ciphersuites(context, CIPHERS) != 1 ||
        SSL_CTX_set_ex_data(context, psk_index, psk) != 1) {
        memory_free(&psk);
        OPENSSL_cleanse(key, sizeof(key));
        return tls_fail(words, "cannot set up TLS by a secret");
    }
    psk->identity_size = (size_t)snprintf(
        (char *)psk->identity, sizeof(psk->identity), "pair:%.100s",
        config->identity != NULL ? config->identity : "");
    psk->session = make_session(context, key);
    OPENSSL_cleanse(key, sizeof(key));
    if (psk->session == NULL)
        return tls_fail(words, "cannot set up TLS by a secret");
    SSL_CTX_set_psk_use_session_callback(context, use_session);
    SSL_CTX_set_psk_find_session_callback(context, find_session);
    return 0;
}

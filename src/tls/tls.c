/* SPDX-License-Identifier: BSD-3-Clause */
/* The context for new connections, and its replacement while others take it.
 * A context is counted by OpenSSL: it goes with its last connection. */
#include "src/tls/tls.h"

#include "src/base/log.h"
#include "src/base/memory.h"
#include "src/tls/tls_inner.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- texts ---- */

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memory_new(size, 1);

    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

/* A daemon leaves the directory that it was started in. */
static char *copy_path(const char *path)
{
    char whole[2 * PATH_MAX];
    char here[PATH_MAX];
    int size;

    if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        return copy_text(path);
    size = snprintf(whole, sizeof(whole), "%s/%s", here, path);
    return size < (int)sizeof(whole) ? copy_text(whole) : NULL;
}

static int keep_path(struct tls *tls, enum tls_path which, const char **path)
{
    if (*path == NULL)
        return 0;
    tls->path[which] = copy_path(*path);
    *path = tls->path[which];
    return *path != NULL ? 0 : -ERR_MEMORY;
}

static int keep_text(struct tls *tls, enum tls_text which, const char **text)
{
    if (*text == NULL)
        return 0;
    tls->text[which] = copy_text(*text);
    *text = tls->text[which];
    return *text != NULL ? 0 : -ERR_MEMORY;
}

static int keep_texts(struct tls *tls)
{
    struct tls_config *config = &tls->config;
    int error = keep_path(tls, TLS_PATH_CHAIN, &config->chain_path);

    if (error == 0)
        error = keep_path(tls, TLS_PATH_KEY, &config->key_path);
    if (error == 0)
        error = keep_path(tls, TLS_PATH_CA, &config->ca_path);
    if (error == 0)
        error = keep_path(tls, TLS_PATH_SECRET, &config->secret_path);
    if (error == 0)
        error = keep_text(tls, TLS_TEXT_CIPHERS, &config->ciphers);
    if (error == 0)
        error = keep_text(tls, TLS_TEXT_IDENTITY, &config->identity);
    if (error == 0)
        error = keep_text(tls, TLS_TEXT_PIN, &config->pin);
    if (error == 0)
        error = keep_text(tls, TLS_TEXT_ALPN, &config->alpn);
    return error;
}

/* ---- life ---- */

int tls_new(const struct tls_config *config, struct tls **out,
            char words[TLS_WORDS_MAX])
{
    struct tls *tls = memory_new(1, sizeof(*tls));
    int error;

    (void)snprintf(words, TLS_WORDS_MAX, "out of memory at the start");
    if (tls == NULL)
        return -ERR_MEMORY;
    tls->config = *config;
    lock_init(&tls->lock, LOCK_RANK_SERVER);
    error = keep_texts(tls);
    if (error == 0)
        error = tls_reload(tls, words);
    if (error == 0 && config->role == TLS_ROLE_SERVER &&
        config->verify != TLS_VERIFY_NONE && config->ca_path == NULL)
        log_error("warning: ssl_verify_mode without ssl_ca_cert trusts no "
                  "certificate of any client");
    if (error != 0) {
        tls_free(&tls);
        return error;
    }
    *out = tls;
    return 0;
}

void tls_free(struct tls **tls_at)
{
    struct tls *tls = *tls_at;

    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    for (size_t i = 0; i < TLS_PATHS; i++)
        memory_free(&tls->path[i]);
    for (size_t i = 0; i < TLS_TEXTS; i++)
        memory_free(&tls->text[i]);
    lock_fini(&tls->lock);
    memory_free(tls_at);
}

int tls_reload(struct tls *tls, char words[TLS_WORDS_MAX])
{
    SSL_CTX *context = tls_context_new(&tls->config, words);
    SSL_CTX *old;

    if (context == NULL)
        return -ERR_SYSTEM;
    lock_take(&tls->lock);
    old = tls->context;
    tls->context = context;
    tls->refreshed_ns = clock_now(tls->config.clock);
    lock_release(&tls->lock);
    SSL_CTX_free(old);
    return 0;
}

SSL_CTX *tls_context_hold(struct tls *tls)
{
    SSL_CTX *context;

    lock_take(&tls->lock);
    context = tls->context;
    (void)SSL_CTX_up_ref(context);
    lock_release(&tls->lock);
    return context;
}

uint64_t tls_age_s(struct tls *tls)
{
    uint64_t refreshed_ns;

    lock_take(&tls->lock);
    refreshed_ns = tls->refreshed_ns;
    lock_release(&tls->lock);
    return (clock_now(tls->config.clock) - refreshed_ns) / NS_PER_S;
}

const char *tls_proof(const struct tls *tls)
{
    return tls->config.secret_path != NULL ? "psk" : "cert";
}

bool tls_has_session_cache(const struct tls *tls)
{
    return tls->config.session_cache;
}

void tls_tell_no_kernel(struct tls *tls)
{
    if (tls->config.kernel && !atomic_exchange(&tls->kernel_told, true))
        log_v(LOG_LEVEL_V, "TLS: this kernel, OpenSSL or cipher does not do "
                           "ssl_kernel_tls; encrypting without it");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS between two nodes without I/O: ciphertext in and out by two rings of
 * fixed size, plaintext by read and write. Whoever has the socket fills one
 * ring and empties the other.
 *
 *   socket -> room/fed -> shake, then read -> plaintext
 *   plaintext -> write -> due/sent -> socket
 *
 * Thread: the owner's. */
#ifndef TLS_TLS_ENGINE_H
#define TLS_TLS_ENGINE_H

#include "src/tls/tls.h"

#include <stddef.h>

#define TLS_ENGINE_PLAIN_MAX (128u * 1024) /* Of one write. */
#define TLS_ENGINE_OUT_BYTES (TLS_ENGINE_PLAIN_MAX + 16u * 1024)
#define TLS_ENGINE_IN_BYTES (128u * 1024)
#define TLS_ENGINE_TEXT_MAX 80

struct tls_engine;

enum tls_engine_shaken {
    TLS_ENGINE_SHAKEN,
    TLS_ENGINE_SHAKES, /* More ciphertext is needed. */
    TLS_ENGINE_FAILED, /* tls_engine_words() says why. */
};

/* calls: we called the other. It keeps the files as they were read last.
 * Errors: NULL when memory is exhausted. Owns: caller. */
struct tls_engine *tls_engine_new(struct tls *tls, bool calls);
void tls_engine_free(struct tls_engine **engine);

/* Where ciphertext of the other may be put; 0 when the ring is full. */
size_t tls_engine_room(struct tls_engine *engine, char **at);
void tls_engine_fed(struct tls_engine *engine, size_t size);
/* Ciphertext for the other, which stays there until it is sent. There may be
 * some after every call of this engine, a failed one too. */
size_t tls_engine_due(struct tls_engine *engine, char **at);
void tls_engine_sent(struct tls_engine *engine, size_t size);

/* The next step of the handshake; afterwards always the same answer. */
enum tls_engine_shaken tls_engine_shake(struct tls_engine *engine);
/* Takes plaintext, as far as it came whole: 0 in *size when there is no more.
 * Shaken. Errors: -ERR_SYSTEM, with tls_engine_words(). */
MUST_CHECK int tls_engine_read(struct tls_engine *engine, char *to, size_t room,
                               size_t *size);
/* Some may be left to read, or an end to be told of. */
bool tls_engine_has_input(struct tls_engine *engine);
/* Encrypts all of it, TLS_ENGINE_PLAIN_MAX at most; nothing was due before.
 * Shaken. Errors: as tls_engine_read(). */
MUST_CHECK int tls_engine_write(struct tls_engine *engine, const char *data,
                                size_t size);

/* Why it is at its end. */
const char *tls_engine_words(const struct tls_engine *engine);
/* How the other proved itself, and what encrypts. */
void tls_engine_text(const struct tls_engine *engine,
                     char text[TLS_ENGINE_TEXT_MAX]);

#endif

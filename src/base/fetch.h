/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys that a client asks for and that are not here yet, while another thread
 * can get them from the peer. Whoever serves the client begins a fetch, goes
 * on with others, is woken when it is done, and then looks again: what the peer
 * held is here by then, if nothing newer was.
 *
 * The gate is open only while that makes sense; closed, it costs one load.
 *
 * Thread: any, but where it says otherwise. */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include "src/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FETCHES_MAX 1024 /* Under way at once, in one daemon. */
#define FETCH_KEYS_MAX 32

struct fetches; /* The gate, and what waits behind it. */
struct fetch;   /* Some keys of one client. */

/* The gate is closed at first.
 * Errors: NULL when memory is exhausted.
 * Owns:   caller, until fetches_free(); no fetch is left by then that is not
 *         dropped. */
struct fetches *fetches_new(void);
void fetches_free(struct fetches **fetches);

/* ---- for those who ask ---- */

bool fetches_are_open(const struct fetches *fetches);

/* wake comes from the other thread and must not block; never after
 * fetch_drop() if the two cannot be at once.
 * Errors: NULL when the gate is closed, FETCHES_MAX are under way or memory is
 *         exhausted: then there is nothing to wait for.
 * Owns:   the asker, until fetch_drop(). */
typedef void fetch_wake_fn(void *ctx);
struct fetch *fetch_begin(struct fetches *fetches, const uint64_t *hashes,
                          size_t count, fetch_wake_fn *wake, void *ctx);
/* Looking again makes sense now. */
bool fetch_is_done(const struct fetch *fetch);
void fetch_drop(struct fetch **fetch);

/* ---- for the one who gets them ---- */

/* wake comes from those who ask when there is something to take. Before any
 * of them does. */
void fetches_set_wake(struct fetches *fetches, fetch_wake_fn *wake, void *ctx);
/* After it was closed fetches_take() gives what is left, and then no more. */
void fetches_open(struct fetches *fetches, bool open);
/* The one that was begun first; NULL when there is none.
 * Owns: the caller, until fetch_done(). */
struct fetch *fetches_take(struct fetches *fetches);
bool fetches_wait(const struct fetches *fetches);
const uint64_t *fetch_hashes(const struct fetch *fetch, size_t *count);
void fetch_done(struct fetch **fetch);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* How far the changes made here are known to be with the peer, between the one
 * thread that hears of it and those that hold replies back until then.
 *
 * Numbers count changes and only rise. Nobody has to wait while it is closed
 * (there is no peer, or it is behind) or was given up (a wait took too long):
 * both end every wait at once.
 *
 * Thread: what each part below says. */
#ifndef BASE_CONFIRM_H
#define BASE_CONFIRM_H

#include "src/base/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIRM_WAITERS_MAX 256

#define CONFIRM_METRICS(X) \
    X(waits, "Times that replies were held back for the peer") \
    X(timeouts, "Of these, how many took too long") \
    X(unconfirmed, "Times that replies went out although the peer was to " \
                   "confirm them first")

METRICS_STRUCT(confirm_counters, CONFIRM_METRICS);

struct confirm;

/* It is closed at first.
 * Errors: NULL when memory is exhausted. Owns: caller, until confirm_free().
 */
struct confirm *confirm_new(void);
void confirm_free(struct confirm **confirm);

/* ---- those who wait, each in its thread ---- */

/* Gives a number to wait by. wake comes from other threads, under a lock: it
 * must neither block nor call back.
 * Thread: any, before the waiter runs; up to CONFIRM_WAITERS_MAX. */
typedef void confirm_wake_fn(void *ctx);
unsigned confirm_join(struct confirm *confirm, confirm_wake_fn *wake,
                      void *ctx);
/* No wake comes any more. */
void confirm_leave(struct confirm *confirm, unsigned waiter);

enum confirm_state {
    CONFIRM_PENDING, /* wake will come when that may have changed. */
    CONFIRM_DONE,
    CONFIRM_OFF, /* Nobody has to wait. */
};
enum confirm_state confirm_ask(struct confirm *confirm, unsigned waiter,
                               uint64_t number);
/* A wait took too long: nobody waits from now on. */
void confirm_give_up(struct confirm *confirm);
/* Written to by that waiter alone. */
struct confirm_counters *confirm_counters(struct confirm *confirm,
                                          unsigned waiter);

/* ---- the one who knows ---- */

void confirm_open(struct confirm *confirm, bool open);
/* Changes up to this number are with the peer. */
void confirm_reach(struct confirm *confirm, uint64_t number);
/* Did somebody wait since it was last asked? */
bool confirm_take_asked(struct confirm *confirm);
bool confirm_is_given_up(const struct confirm *confirm);
/* Waiting is worth while again. */
void confirm_rearm(struct confirm *confirm);

/* ---- anybody ---- */

bool confirm_is_on(const struct confirm *confirm);
/* The sums of all waiters' counters. */
void confirm_sum(const struct confirm *confirm, struct confirm_counters *out);

#endif

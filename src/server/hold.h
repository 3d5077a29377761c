/* SPDX-License-Identifier: BSD-3-Clause */
/* Replies that a worker holds back until the peer has what they tell of. Each
 * waits in its connection's own sink, as those that a slow reader did not take
 * do, and the connection is not read meanwhile; others go on. All wait equally
 * long at most, so those who began first come first, and one timer does. */
#ifndef SERVER_HOLD_H
#define SERVER_HOLD_H

#include "src/base/confirm.h"
#include "src/base/error.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct conn;
struct worker;

/* What a connection waits for. Its link is NULL while it only knows that its
 * next reply, which is not there yet, will have to wait. */
struct hold {
    struct conn *conn;
    uint64_t number; /* Of the change. */
    uint64_t due_ns; /* It waits no longer than that. */
    struct hold *next;
    struct hold **link;
};

/* Owner: its worker's thread. */
struct holds {
    struct confirm *confirm; /* NULL: nothing is ever held. */
    unsigned waiter;
    uint64_t bound_ns;
    struct hold *first;
    struct hold **last;
    struct event timer;
    bool timed; /* The timer is set. */
};

/* confirm may be NULL. wake: see confirm_join(). Errors: -ERR_SYSTEM. */
MUST_CHECK int holds_init(struct holds *holds, struct worker *worker,
                          struct confirm *confirm, uint64_t bound_ns,
                          confirm_wake_fn *wake);
void holds_fini(struct holds *holds);
/* Releases what need not wait any more. */
void holds_review(struct worker *worker);

/* At the end of a turn: must its replies, if there are any, wait? */
MUST_CHECK bool hold_wants(struct conn *conn);
/* They do from now on; conn_release() follows.
 * Errors: -ERR_MEMORY. */
MUST_CHECK int hold_begin(struct conn *conn);
/* The connection ends, or its replies may go. */
void hold_end(struct conn *conn);

#endif

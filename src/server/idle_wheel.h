/* SPDX-License-Identifier: BSD-3-Clause */
/* The connections of a worker, in a ring of lists by the time at which to look
 * whether they are idle. A connection that is used stays where it is: when its
 * list is looked at it moves to the list of its new time. So it is looked at
 * about once in a timeout, and costs nothing meanwhile.
 *
 *   slot:  [ due in 0..step s ] [ ..2*step ] ... one turn is the timeout */
#ifndef SERVER_IDLE_WHEEL_H
#define SERVER_IDLE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define IDLE_SLOTS 64

struct conn;

/* Owner: its worker's thread. */
struct idle_wheel {
    struct conn *slot[IDLE_SLOTS];
    uint32_t timeout_s; /* 0: nobody is idle; all are in one list. */
    uint32_t step_s;    /* Between two slots. */
    uint32_t steps;     /* Looked at up to here: a time in steps. */
};

void idle_wheel_init(struct idle_wheel *wheel, uint32_t timeout_s,
                     uint32_t now_s);
void idle_wheel_add(struct idle_wheel *wheel, struct conn *conn);
void idle_wheel_remove(struct conn *conn);

/* The connections that did nothing for longer than the timeout; the function
 * may end the one it is given. */
typedef void idle_wheel_fn(struct conn *conn);
void idle_wheel_turn(struct idle_wheel *wheel, uint32_t now_s,
                     idle_wheel_fn *idle);
/* All connections; the function may end the one it is given. */
void idle_wheel_each(struct idle_wheel *wheel, idle_wheel_fn *fn);
bool idle_wheel_is_empty(const struct idle_wheel *wheel);

#endif

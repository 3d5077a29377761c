/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker asks for the front of its list alone: numbers rise along it, but for
 * those few that were known before there was a reply, and they wait for the
 * same or a later one's sake. The timer runs out rarely and late: it is set for
 * the first of a list that was empty and not moved when that one goes. */
#include "src/server/hold.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/server/conn.h"
#include "src/server/worker.h"

/* ---- one connection ---- */

static struct confirm_counters *counters_of(const struct holds *holds)
{
    return confirm_counters(holds->confirm, holds->waiter);
}

static bool is_pending(const struct holds *holds, uint64_t number)
{
    switch (confirm_ask(holds->confirm, holds->waiter, number)) {
    case CONFIRM_PENDING:
        return true;
    case CONFIRM_OFF:
        METRIC_UP(counters_of(holds)->unconfirmed);
        break;
    case CONFIRM_DONE:
        break;
    }
    return false;
}

static bool note(struct conn *conn, uint64_t number)
{
    if (conn->hold == NULL)
        conn->hold = memory_new(1, sizeof(*conn->hold));
    if (conn->hold == NULL)
        return false;
    conn->hold->conn = conn;
    conn->hold->number = number;
    return true;
}

bool hold_wants(struct conn *conn)
{
    struct worker *worker = conn->worker;
    uint64_t number = command_thread_awaits(worker->commands);

    if (number == 0 && conn->hold != NULL)
        number = conn->hold->number;
    if (number == 0)
        return false;
    if (!is_pending(&worker->holds, number)) {
        memory_free(&conn->hold);
        return false;
    }
    /* Without memory for a note it waits now, or fails in hold_begin(). */
    return !note(conn, number) || sink_pending(worker->sink) > 0;
}

static void set_timer(struct worker *worker, uint64_t now_ns)
{
    struct holds *holds = &worker->holds;
    uint64_t due_ns = holds->first->due_ns;
    uint64_t rest_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    struct timeval rest = {
        .tv_sec = (time_t)(rest_ns / NS_PER_S),
        .tv_usec = (suseconds_t)(rest_ns % NS_PER_S / NS_PER_US) + 1};

    holds->timed = event_add(&holds->timer, &rest) == 0;
}

int hold_begin(struct conn *conn)
{
    struct worker *worker = conn->worker;
    struct holds *holds = &worker->holds;
    struct hold *hold = conn->hold;
    uint64_t now_ns = clock_now(worker->clock);

    if (hold == NULL)
        return -ERR_MEMORY;
    INVARIANT(hold->link == NULL);
    METRIC_UP(counters_of(holds)->waits);
    hold->due_ns = now_ns + holds->bound_ns;
    hold->next = NULL;
    hold->link = holds->last;
    *holds->last = hold;
    holds->last = &hold->next;
    if (!holds->timed)
        set_timer(worker, now_ns);
    return 0;
}

void hold_end(struct conn *conn)
{
    struct holds *holds = &conn->worker->holds;
    struct hold *hold = conn->hold;

    if (hold == NULL)
        return;
    if (hold->link != NULL) {
        *hold->link = hold->next;
        if (hold->next != NULL)
            hold->next->link = hold->link;
        else
            holds->last = hold->link;
    }
    memory_free(&conn->hold);
}

/* ---- all of a worker's ---- */

static void release(struct hold *hold)
{
    struct conn *conn = hold->conn;

    hold_end(conn);
    if (!conn_release(conn))
        conn_end(&conn, (enum conn_end)conn->end);
}

void holds_review(struct worker *worker)
{
    struct holds *holds = &worker->holds;

    while (holds->first != NULL && !is_pending(holds, holds->first->number))
        release(holds->first);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct worker *worker = arg;
    struct holds *holds = &worker->holds;
    uint64_t now_ns = clock_now(worker->clock);

    (void)fd;
    (void)what;
    holds->timed = false;
    worker_set_now(worker);
    holds_review(worker);
    if (holds->first != NULL && holds->first->due_ns <= now_ns) {
        METRIC_UP(counters_of(holds)->timeouts);
        confirm_give_up(holds->confirm);
        holds_review(worker);
    }
    if (holds->first != NULL && !holds->timed)
        set_timer(worker, now_ns);
}

int holds_init(struct holds *holds, struct worker *worker,
               struct confirm *confirm, uint64_t bound_ns,
               confirm_wake_fn *wake)
{
    holds->last = &holds->first;
    if (confirm == NULL)
        return 0;
    if (event_assign(&holds->timer, worker->base, -1, 0, on_timer, worker) != 0)
        return -ERR_SYSTEM;
    holds->confirm = confirm;
    holds->bound_ns = bound_ns;
    holds->waiter = confirm_join(confirm, wake, worker);
    return 0;
}

void holds_fini(struct holds *holds)
{
    INVARIANT(holds->first == NULL);
    if (holds->confirm == NULL)
        return;
    confirm_leave(holds->confirm, holds->waiter);
    event_del(&holds->timer);
    holds->confirm = NULL;
}

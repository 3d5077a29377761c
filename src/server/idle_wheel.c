/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists that a connection leaves without knowing which one it is in. */
#include "src/server/idle_wheel.h"

#include "src/base/invariant.h"
#include "src/server/conn.h"

void idle_wheel_init(struct idle_wheel *wheel, uint32_t timeout_s,
                     uint32_t now_s)
{
    *wheel = (struct idle_wheel){.timeout_s = timeout_s};
    /* A turn is longer than the timeout, so that nobody's slot is past. */
    wheel->step_s = timeout_s / (IDLE_SLOTS - 2) + 1;
    wheel->steps = now_s / wheel->step_s;
}

static void link_in(struct conn **list, struct conn *conn)
{
    conn->next = *list;
    conn->link = list;
    if (conn->next != NULL)
        conn->next->link = &conn->next;
    *list = conn;
}

/* The slot behind the moment at which it would be idle. */
static struct conn **list_for(struct idle_wheel *wheel, const struct conn *conn)
{
    uint64_t due_s = (uint64_t)conn->active_s + wheel->timeout_s;

    if (wheel->timeout_s == 0)
        return &wheel->slot[0];
    return &wheel->slot[(due_s / wheel->step_s + 1) % IDLE_SLOTS];
}

void idle_wheel_add(struct idle_wheel *wheel, struct conn *conn)
{
    link_in(list_for(wheel, conn), conn);
}

void idle_wheel_remove(struct conn *conn)
{
    *conn->link = conn->next;
    if (conn->next != NULL)
        conn->next->link = conn->link;
    conn->next = NULL;
}

static void look_at(struct idle_wheel *wheel, struct conn *conn, uint32_t now_s,
                    idle_wheel_fn *idle)
{
    idle_wheel_remove(conn);
    idle_wheel_add(wheel, conn);
    if (now_s > conn->active_s && now_s - conn->active_s > wheel->timeout_s)
        idle(conn);
}

static void turn_slot(struct idle_wheel *wheel, size_t index, uint32_t now_s,
                      idle_wheel_fn *idle)
{
    struct conn *list = wheel->slot[index];

    /* Aside, because some come back into the same slot. */
    wheel->slot[index] = NULL;
    if (list != NULL)
        list->link = &list;
    while (list != NULL)
        look_at(wheel, list, now_s, idle);
}

void idle_wheel_turn(struct idle_wheel *wheel, uint32_t now_s,
                     idle_wheel_fn *idle)
{
    uint32_t until = now_s / wheel->step_s;

    if (wheel->timeout_s == 0 || until <= wheel->steps)
        return;
    if (until - wheel->steps > IDLE_SLOTS)
        wheel->steps = until - IDLE_SLOTS;
    while (wheel->steps < until) {
        wheel->steps++;
        turn_slot(wheel, wheel->steps % IDLE_SLOTS, now_s, idle);
    }
}

void idle_wheel_each(struct idle_wheel *wheel, idle_wheel_fn *fn)
{
    for (size_t i = 0; i < IDLE_SLOTS; i++) {
        struct conn *conn, *next;

        for (conn = wheel->slot[i]; conn != NULL; conn = next) {
            next = conn->next;
            fn(conn);
        }
    }
}

bool idle_wheel_is_empty(const struct idle_wheel *wheel)
{
    for (size_t i = 0; i < IDLE_SLOTS; i++) {
        if (wheel->slot[i] != NULL)
            return false;
    }
    return true;
}

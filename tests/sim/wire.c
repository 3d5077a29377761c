/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that keep their order, take their time, stall in one direction
 * and break at any byte. */
#include "tests/sim/sim.h"

#include "src/base/memory.h"

#include <string.h>

static struct conn *conn_at(struct world *world, int conn)
{
    INVARIANT(conn >= 0 && conn < CONNS_MAX);
    return &world->conns[conn];
}

static void pipe_clear(struct pipe *pipe)
{
    struct segment *segment = pipe->head;

    while (segment != NULL) {
        struct segment *next = segment->next;

        keep_free(&segment);
        segment = next;
    }
    *pipe = (struct pipe){.ended = pipe->ended};
}

int wire_open(struct world *world, unsigned caller, unsigned callee)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        if (world->conns[i].used)
            continue;
        world->conns[i] = (struct conn){
            .used = true, .host = {caller, callee}, .link = {-1, -1}};
        return i;
    }
    return -1;
}

static void release_if_unused(struct conn *conn)
{
    if (conn->link[0] >= 0 || conn->link[1] >= 0)
        return;
    pipe_clear(&conn->pipe[0]);
    pipe_clear(&conn->pipe[1]);
    conn->used = false;
}

void wire_write(struct world *world, int number, int end, const char *bytes,
                size_t size)
{
    struct conn *conn = conn_at(world, number);
    struct pipe *pipe = &conn->pipe[end];
    struct segment *segment;

    if (conn->reset)
        return;
    segment = keep_new(1, sizeof(*segment) + size);
    segment->size = size;
    memcpy(segment->bytes, bytes, size);
    segment->due_ns = world->now_ns + world->knobs.latency_ns +
                      dice_below(&world->dice, 4) * QUANTUM_NS;
    if (segment->due_ns < pipe->last_due_ns)
        segment->due_ns = pipe->last_due_ns;
    pipe->last_due_ns = segment->due_ns;
    if (pipe->tail != NULL)
        pipe->tail->next = segment;
    else
        pipe->head = segment;
    pipe->tail = segment;
    pipe->size += size;
}

static bool is_stalled(const struct world *world, const struct conn *conn,
                       int writer)
{
    if (world->partitioned)
        return true;
    return conn->stalled[writer] && world->now_ns < conn->stalled_until_ns;
}

static void pop_segment(struct pipe *pipe)
{
    struct segment *segment = pipe->head;

    pipe->head = segment->next;
    if (pipe->head == NULL)
        pipe->tail = NULL;
    keep_free(&segment);
}

size_t wire_read(struct world *world, int number, int end, char *to,
                 size_t room)
{
    struct conn *conn = conn_at(world, number);
    struct pipe *pipe = &conn->pipe[1 - end];
    struct segment *segment = pipe->head;
    size_t size;

    if (conn->reset || segment == NULL || segment->due_ns > world->now_ns ||
        is_stalled(world, conn, 1 - end))
        return 0;
    size = segment->size - segment->taken;
    if (size > room)
        size = room;
    memcpy(to, segment->bytes + segment->taken, size);
    segment->taken += size;
    pipe->size -= size;
    if (segment->taken == segment->size)
        pop_segment(pipe);
    return size;
}

bool wire_has_ended(struct world *world, int number, int end)
{
    struct conn *conn = conn_at(world, number);
    struct pipe *pipe = &conn->pipe[1 - end];

    if (conn->reset)
        return true;
    return pipe->ended && pipe->head == NULL &&
           !is_stalled(world, conn, 1 - end) &&
           world->now_ns >= pipe->last_due_ns;
}

void wire_close(struct world *world, int number, int end)
{
    struct conn *conn = conn_at(world, number);

    conn->pipe[end].ended = true;
    conn->link[end] = -1;
    release_if_unused(conn);
}

void wire_reset(struct world *world, int number)
{
    struct conn *conn = conn_at(world, number);

    conn->reset = true;
    pipe_clear(&conn->pipe[0]);
    pipe_clear(&conn->pipe[1]);
}

void wire_vanish(struct world *world, int number, int end)
{
    struct conn *conn = conn_at(world, number);

    conn->link[end] = -1;
    release_if_unused(conn);
}

size_t wire_pending(const struct world *world, int number, int end)
{
    return world->conns[number].pipe[end].size;
}

void wire_fini(struct world *world)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        pipe_clear(&world->conns[i].pipe[0]);
        pipe_clear(&world->conns[i].pipe[1]);
    }
}

/* ---- what a bad line does ---- */

static struct segment *some_segment(struct world *world, struct pipe *pipe)
{
    struct segment *segment = pipe->head;
    uint64_t skip = dice_below(&world->dice, 4);

    while (segment != NULL && segment->next != NULL && skip-- > 0)
        segment = segment->next;
    return segment;
}

bool wire_garble(struct world *world, int number, int end)
{
    struct pipe *pipe = &conn_at(world, number)->pipe[end];
    struct segment *segment = some_segment(world, pipe);
    size_t at, size;

    if (segment == NULL)
        return false;
    size = segment->size - segment->taken;
    if (size > CODEC_HEADER_BYTES && dice_percent(&world->dice, 50))
        size = CODEC_HEADER_BYTES; /* Where most likely a header is. */
    at = segment->taken + dice_below(&world->dice, size);
    segment->bytes[at] =
        (char)(segment->bytes[at] ^ (1 << dice_below(&world->dice, 8)));
    world_trace(world, "a bit changes on its way");
    return true;
}

bool wire_tear(struct world *world, int number, int end)
{
    struct pipe *pipe = &conn_at(world, number)->pipe[end];
    struct segment *segment = some_segment(world, pipe);
    size_t lost;

    /* Less than a frame: whole ones only get lost where somebody wants it. */
    if (segment == NULL || segment->size - segment->taken < CODEC_HEADER_BYTES)
        return false;
    lost = 1 + dice_below(&world->dice, CODEC_HEADER_BYTES - 1);
    segment->size -= lost;
    pipe->size -= lost;
    world_trace(world, "%zu bytes get lost on their way", lost);
    return true;
}

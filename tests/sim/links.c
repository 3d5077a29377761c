/* SPDX-License-Identifier: BSD-3-Clause */
/* A host's connections, and the bytes that it reads from them and writes to
 * them, as the daemon's loop does it. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"

#include <string.h>

#define IN_STEP 8192 /* Bytes read at once. */

static uint64_t now(const struct host *host)
{
    return host_now(host->world, host->index);
}

void link_free(struct host_link *link)
{
    keep_free(&link->out);
    keep_free(&link->in);
    *link = (struct host_link){.conn = -1};
}

static int free_link_of(const struct host *host)
{
    for (int i = 0; i < NODE_LINKS_MAX; i++)
        if (host->links[i].conn < 0)
            return i;
    return -1;
}

static void attach(struct host *host, int link, int conn, int end)
{
    host->links[link] = (struct host_link){.conn = conn, .end = end};
    host->world->conns[conn].link[end] = link;
    host->links[link].out = keep_new(1, OUT_BYTES);
}

/* What else is between the two just now. */
static void count_calls(struct host *host, const struct host *other)
{
    struct world *world = host->world;
    bool calls = other->dialing;
    bool holds = false;

    for (unsigned i = 0; i < NODE_LINKS_MAX; i++) {
        int conn = other->links[i].conn;

        if (conn < 0)
            continue;
        calls |= other->links[i].end == 0 && i != other->node->peer.link;
        holds |= i == other->node->peer.link;
    }
    if (calls)
        fault_count(world, FAULT_CROSSED);
    if (holds)
        fault_count(world, FAULT_TWICE);
}

void links_dial(struct host *host)
{
    struct world *world = host->world;
    struct host *other = &world->hosts[1 - host->index];
    int link = free_link_of(host);
    int conn = -1;

    host->dialing = false;
    if (!world->partitioned && other->up && other->listening && link >= 0 &&
        other->accepts < CONNS_MAX)
        conn = wire_open(world, host->index, other->index);
    if (conn < 0) {
        node_dial_failed(host->node, now(host), "refused");
        return;
    }
    count_calls(host, other);
    attach(host, link, conn, 0);
    world->conns[conn].link[1] = NODE_LINKS_MAX; /* Not picked up yet. */
    other->accept[other->accepts++] = conn;
    world_trace(world, "host %u connects (link %d)", host->index, link);
    node_dialed(host->node, now(host), (unsigned)link);
}

static void pick_up(struct host *host)
{
    struct world *world = host->world;

    for (unsigned i = 0; i < host->accepts; i++) {
        int conn = host->accept[i];
        int link = free_link_of(host);

        if (link < 0 || !host->listening) {
            wire_close(world, conn, 1);
            continue;
        }
        attach(host, link, conn, 1);
        world_trace(world, "host %u accepts (link %d)", host->index, link);
        node_accepted(host->node, now(host), (unsigned)link);
    }
    host->accepts = 0;
}

static void link_ended(struct host *host, unsigned number, const char *why)
{
    struct host_link *link = &host->links[number];

    world_trace(host->world, "host %u link %u ended: %s", host->index, number,
                why);
    wire_close(host->world, link->conn, link->end);
    link_free(link);
    node_lost(host->node, now(host), number, why);
}

/* ---- bytes ---- */

static void make_in_room(struct host_link *link, size_t wanted)
{
    if (link->in_room >= wanted)
        return;
    link->in = keep_resize(link->in, wanted, 1);
    link->in_room = wanted;
}

static void keep_stamps(struct host *host, stamp_t before)
{
    /* The rule lies in the engine; here it is undone. */
    if (!RULE(ABSORB))
        atomic_store(&engine_stamp_clock(host->engine)->last, before);
}

/* Somebody else must not take the place of a peer that is there. */
static void check_stranger(struct host *host, unsigned number, unsigned before)
{
    const struct world *world = host->world;
    const struct stranger *stranger = &world->stranger;

    if (host->links[number].conn != stranger->conn)
        return;
    check_that(host->world, CHECK_REFUSED,
               host->node->peer.link != number ||
                   (before == PEER_NO_LINK && stranger->kind != STRANGER_PAIR),
               "host %u takes a stranger (%d) for its peer", host->index,
               (int)stranger->kind);
}

static bool can_talk(const struct host *host, const struct host *other)
{
    const struct peer_config *ours = &host->node->peer.config;
    const struct peer_config *theirs = &other->node->peer.config;

    return ours->version_max >= theirs->version_min &&
           theirs->version_max >= ours->version_min;
}

/* Nor somebody who does not speak the same protocol. */
static void check_release(struct host *host, unsigned number)
{
    const struct host_link *link = &host->links[number];
    struct world *world = host->world;
    bool alive = world->conns[link->conn].link[1 - link->end] >= 0;

    if (alive && host->links[number].conn != world->stranger.conn &&
        !can_talk(host, &world->hosts[1 - host->index]))
        check_that(world, CHECK_REFUSED, host->node->peer.link != number,
                   "host %u pairs with another protocol", host->index);
}

/* Gives what has arrived to the node. */
static void feed(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    stamp_t before = stamp_last(engine_stamp_clock(host->engine));
    unsigned peer = host->node->peer.link;
    size_t needed = 0;
    size_t taken = 1;

    host->feeds = true;
    while (taken > 0 && link->in_size > 0) {
        taken = node_received(host->node, now(host), number,
                              slice_make(link->in, link->in_size), &needed);
        link->in_size -= taken;
        memmove(link->in, link->in + taken, link->in_size);
    }
    host->feeds = false;
    check_that(host->world, CHECK_BYTES,
               needed <= CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX &&
                   link->in_size <= needed + IN_STEP,
               "host %u wants %zu bytes for a frame", host->index, needed);
    check_stranger(host, number, peer);
    check_release(host, number);
    keep_stamps(host, before);
}

static void read_link(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    size_t budget = host->world->knobs.rate;
    size_t size = 1;

    while (size > 0 && budget > 0) {
        size_t piece = 1 + dice_below(&host->world->dice, IN_STEP);

        if (piece > budget)
            piece = budget;
        make_in_room(link, link->in_size + piece);
        size = wire_read(host->world, link->conn, link->end,
                         link->in + link->in_size, piece);
        link->in_size += size;
        budget -= size;
        if (size > 0)
            feed(host, number);
    }
    if (wire_has_ended(host->world, link->conn, link->end))
        link_ended(host, number, "by the other end");
}

static size_t compose(struct host *host, unsigned number)
{
    struct world *world = host->world;
    size_t room = OUT_BYTES;

    if (world->knobs.short_writes)
        room -= dice_below(&world->dice, OUT_BYTES - 2 * CODEC_PART_BYTES);
    return node_output(host->node, now(host), number, host->links[number].out,
                       room);
}

/* How much of that the wire takes now. */
static size_t space_on_wire(const struct host *host,
                            const struct host_link *link)
{
    struct world *world = host->world;
    size_t rate = world->knobs.rate;
    size_t under_way = wire_pending(world, link->conn, link->end);

    return under_way < rate ? rate - under_way : 0;
}

static size_t shorten(struct world *world, size_t size)
{
    if (!world->knobs.short_writes || !dice_percent(&world->dice, 50))
        return size;
    fault_count(world, FAULT_SHORT_WRITE);
    return 1 + dice_below(&world->dice, size);
}

/* Writes what the wire takes; true when all is out. */
static bool write_link(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    struct world *world = host->world;
    bool composed = false;

    for (;;) {
        size_t space = space_on_wire(host, link);
        size_t size = link->out_size - link->out_sent;

        if (size == 0 && composed && world->knobs.yields) {
            fault_count(world, FAULT_YIELD);
            return false;
        }
        if (size == 0) {
            link->out_sent = 0;
            link->out_size = size = compose(host, number);
            composed = true;
        }
        if (size == 0)
            return true;
        if (space == 0)
            return false;
        size = shorten(world, size < space ? size : space);
        wire_write(world, link->conn, link->end, link->out + link->out_sent,
                   size);
        link->out_sent += size;
    }
}

static void run_link(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    bool drained;

    if (link->conn >= 0 && !link->closing)
        read_link(host, number);
    if (link->conn < 0)
        return;
    drained = write_link(host, number);
    /* Whoever closes does not wait for one that does not read. */
    if (link->closing && (drained || dice_percent(&host->world->dice, 20)))
        link_ended(host, number, "by this end");
}

void links_run(struct host *host)
{
    pick_up(host);
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        if (host->links[i].conn >= 0)
            run_link(host, i);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Who dials in and does not belong: a node of another pair that speaks on
 * without being asked, a third node, the echo of a hello that was said long
 * ago, somebody who babbles and somebody who says nothing. Where a host has no
 * peer a third node may well become one, so that those call only hosts that
 * have. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"

#include <string.h>

#define CALLER 0 /* Our end. */
#define BYTES_MAX 4096

void stranger_init(struct world *world)
{
    world->stranger = (struct stranger){.conn = -1, .codec = codec_new()};
    INVARIANT(world->stranger.codec != NULL);
}

void stranger_fini(struct world *world)
{
    codec_free(&world->stranger.codec);
}

/* ---- what they say ---- */

static struct hello some_hello(struct world *world, uint64_t now_ns)
{
    return (struct hello){
        .version_min = MESSAGE_PROTOCOL_VERSION,
        .version_max = MESSAGE_PROTOCOL_VERSION,
        .pair = SLICE_LITERAL("sim"),
        .node = dice_next(&world->dice) | 1,
        .incarnation = dice_next(&world->dice) | 1,
        .now_ns = now_ns,
        .stamp_last = now_ns,
        .items = dice_below(&world->dice, 3),
    };
}

static size_t put(struct world *world, const struct message *message, char *out)
{
    size_t size = codec_encode(world->stranger.codec, message, out, BYTES_MAX);

    INVARIANT(size > 0);
    return size;
}

/* As if it had been let in. */
static size_t put_more(struct world *world, char *out, uint64_t now_ns)
{
    struct message plan = {.type = MESSAGE_PLAN};
    const struct key_history *key =
        &world->keys[dice_below(&world->dice, world->knobs.keys)];
    struct mutation remove = {
        .kind = MUTATION_REMOVE, .hash = key->hash, .stamp = now_ns + NS_PER_S};
    struct codec_batch batch;
    size_t size;

    plan.plan.kind = RESYNC_FULL;
    size = put(world, &plan, out);
    if (!codec_batch_begin(&batch, out + size, BYTES_MAX))
        return size;
    (void)codec_batch_add(&batch, &remove, 0, NULL, NULL);
    return size + codec_batch_end(&batch, 1);
}

static size_t babble(struct world *world, char *out)
{
    size_t size = 1 + dice_below(&world->dice, 100);

    for (size_t i = 0; i < size; i++)
        out[i] = (char)dice_below(&world->dice, 256);
    if (dice_percent(&world->dice, 50)) /* Looks like a frame. */
        memset(out, 0, size < 7 ? size : 7);
    return size;
}

static size_t speak(struct world *world, char *out)
{
    struct stranger *stranger = &world->stranger;
    const struct host *host = &world->hosts[stranger->host];
    uint64_t now_ns = host_now(world, stranger->host);
    struct message message = {.type = MESSAGE_HELLO};
    size_t size;

    message.hello = some_hello(world, now_ns);
    switch (stranger->kind) {
    case STRANGER_PAIR:
        message.hello.pair = SLICE_LITERAL("other");
        size = put(world, &message, out);
        return size + put_more(world, out + size, now_ns);
    case STRANGER_AGAIN:
        message.hello = host->node->theirs;
        message.hello.pair = SLICE_LITERAL("sim");
        return put(world, &message, out);
    case STRANGER_THIRD:
        return put(world, &message, out);
    case STRANGER_BABBLE:
        return babble(world, out);
    case STRANGER_SILENT:
    case STRANGERS:
        break;
    }
    return 0;
}

/* ---- coming and going ---- */

static const enum fault faults[STRANGERS] = {
    [STRANGER_PAIR] = FAULT_WRONG_PAIR, [STRANGER_THIRD] = FAULT_THIRD_NODE,
    [STRANGER_AGAIN] = FAULT_REPEATED,  [STRANGER_BABBLE] = FAULT_BABBLE,
    [STRANGER_SILENT] = FAULT_BABBLE,
};

void stranger_dials(struct world *world)
{
    struct stranger *stranger = &world->stranger;
    unsigned index = (unsigned)dice_below(&world->dice, HOSTS);
    enum stranger_kind kind =
        (enum stranger_kind)dice_below(&world->dice, STRANGERS);
    bool wants_peer = kind == STRANGER_THIRD || kind == STRANGER_AGAIN;
    struct host *host = &world->hosts[index];
    char bytes[2 * BYTES_MAX];
    size_t size;

    if (stranger->conn >= 0 || !host->up || !host->listening ||
        (wants_peer && host->node->peer.link == PEER_NO_LINK) ||
        host->accepts == CONNS_MAX)
        return;
    stranger->conn = wire_open(world, HOSTS, index);
    if (stranger->conn < 0)
        return;
    stranger->kind = kind;
    stranger->host = index;
    stranger->until_ns = world->now_ns + dice_below(&world->dice, 20) * MS(100);
    world->conns[stranger->conn].link[0] = NODE_LINKS_MAX; /* Ours. */
    world->conns[stranger->conn].link[1] = NODE_LINKS_MAX;
    host->accept[host->accepts++] = stranger->conn;
    world_trace(world, "a stranger (%d) calls host %u", (int)kind, index);
    fault_count(world, faults[kind]);
    size = speak(world, bytes);
    if (size > 0)
        wire_write(world, stranger->conn, CALLER, bytes, size);
}

void stranger_goes(struct world *world)
{
    struct stranger *stranger = &world->stranger;

    if (stranger->conn < 0)
        return;
    wire_close(world, stranger->conn, CALLER);
    stranger->conn = -1;
}

void stranger_run(struct world *world)
{
    struct stranger *stranger = &world->stranger;
    char bytes[BYTES_MAX];

    if (stranger->conn < 0)
        return;
    while (wire_read(world, stranger->conn, CALLER, bytes, sizeof(bytes)) > 0)
        ; /* It does not listen, but the wire shall not fill up. */
    if (world->now_ns >= stranger->until_ns ||
        wire_has_ended(world, stranger->conn, CALLER))
        stranger_goes(world);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A node across a warm restart: the same data, the same numbers, so that its
 * peer sends only what has changed since; unless the peer's first hello shows
 * that the data is older than that. Then what came with the restart goes, what
 * clients wrote here since stays, and the node joins as a new one. */
#include "replication/node_inner.h"

#include "src/base/invariant.h"

#define NODE_LAYOUT 1u
#define FIXED_BYTES 16u

size_t node_save_bytes(const struct node *node)
{
    return FIXED_BYTES + LINEAGE_BYTES + journal_save_bytes(node->log);
}

void node_save(struct node *node, struct writer *out)
{
    node_send_end(node);
    node_receive_end(node);
    writer_u32(out, NODE_LAYOUT);
    writer_u8(out, (uint8_t)node->peer.node_bit);
    writer_u8(out, node->peer.node_bit_fixed);
    lineage_save(&node->line, out);
    journal_save(node->log, out);
}

int node_restore(struct node *node, struct slice saved)
{
    struct stamp_clock *clock = engine_stamp_clock(node->config.engine);
    struct reader in;
    unsigned bit;
    bool fixed;
    struct reader log;

    INVARIANT(node->peer.state == PEER_IDLE);
    reader_init(&in, saved.data, saved.size);
    if (reader_u32(&in) != NODE_LAYOUT)
        return -ERR_SYNTAX;
    bit = reader_u8(&in);
    fixed = reader_u8(&in) != 0;
    log = in;
    (void)reader_take(&log, LINEAGE_BYTES);
    if (bit > 1 || journal_restore(node->log, &log) != 0 ||
        reader_left(&log) != 0)
        return -ERR_SYNTAX;
    lineage_restore(&node->line, &in, journal_last(node->log),
                    stamp_last(clock));
    if (node->line.incarnation == 0)
        return -ERR_SYNTAX;
    node->peer.node_bit = bit;
    node->peer.node_bit_fixed = fixed;
    stamp_clock_set_node(clock, bit);
    return 0;
}

void node_adopt(struct node *node)
{
    node->line.unproven = true;
    node->line.restored = stamp_last(engine_stamp_clock(node->config.engine));
}

/* ---- the first hello ---- */

static bool keep_none(void *ctx, uint64_t hash)
{
    (void)ctx;
    (void)hash;
    return false;
}

/* The log stays: what it has is of clients' changes here, and the plan for a
 * node that is new to its peer sends all of it. */
static uint64_t begin_anew(struct node *node)
{
    uint64_t items = engine_purge(node->thread, 0, UINT64_MAX,
                                  node->line.restored, keep_none, NULL);

    node->line = (struct lineage){
        .incarnation = lineage_number(node->now_ns, node_random(node))};
    return items;
}

bool node_disowns(struct node *node, const struct hello *hello)
{
    const struct lineage_peer theirs = {.incarnation = hello->incarnation,
                                        .followed = hello->peer_incarnation,
                                        .applied = hello->peer_applied,
                                        .acked_by = hello->acked_by,
                                        .acked = hello->acked};
    enum lineage_verdict verdict = lineage_judge(&node->line, &theirs);

    if (verdict == LINEAGE_SOUND)
        return false;
    node_log_disowned(node, verdict, begin_anew(node));
    return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A node across a warm restart: the same data, the same numbers, so that its
 * peer sends only what has changed since; unless the peer's first hello shows
 * that the data is older than that. Then what clients wrote here since stays,
 * the node joins as a new one, and what came with the restart is doubted: the
 * peer, when both compare what they hold, tells of each version that it has not
 * got, and that goes; so no more has to be copied than what differs. Until then
 * none of it is told to the peer or to a client. Where that cannot be, all of
 * it goes at once. */
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
    node_end_doubt(node);
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

bool node_find(struct node *node, uint64_t hash, struct engine_view *view)
{
    if (!engine_find(node->thread, hash, view))
        return false;
    if (view->stamp > node->doubted)
        return true;
    engine_view_end(node->thread, view);
    return false;
}

uint64_t node_drop_doubted(struct node *node)
{
    uint64_t items = 0;

    if (node->doubted != STAMP_NONE)
        items = engine_purge(node->thread, 0, UINT64_MAX, node->doubted,
                             keep_none, NULL);
    node->doubted = STAMP_NONE;
    return items;
}

void node_end_doubt(struct node *node)
{
    if (node->doubted == STAMP_NONE)
        return;
    (void)node_drop_doubted(node);
    node->line.incarnation = lineage_number(node->now_ns, node_random(node));
}

/* Of two that both doubt neither can tell the other. */
void node_doubt_begin(struct node *node)
{
    if (node->theirs.doubted == STAMP_NONE &&
        node_both_know(node, MESSAGE_FEATURE_DOUBT))
        return;
    if (node->doubted != STAMP_NONE)
        node->theirs.doubted = STAMP_NONE;
    (void)node_drop_doubted(node);
}

/* What nobody has seen yet may wait until the peer has looked at it. */
static bool may_compare(const struct node *node, const struct hello *hello)
{
    const uint64_t wanted = MESSAGE_FEATURE_DIGEST | MESSAGE_FEATURE_DOUBT;

    const uint64_t known = hello->features & ~node->config.features_off;

    return !node->peer.served && (known & wanted) == wanted &&
           hello->items > 0 && hello->doubted == STAMP_NONE;
}

/* The log stays: what it has is of clients' changes here, and the plan for a
 * node that is new to its peer sends all of it. */
static void begin_anew(struct node *node)
{
    node->doubted = node->line.restored;
    node->line = (struct lineage){
        .incarnation = lineage_number(node->now_ns, node_random(node))};
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
    begin_anew(node);
    if (may_compare(node, hello))
        node_log_doubts(node, verdict, engine_items(node->config.engine));
    else
        node_log_disowned(node, verdict, node_drop_doubted(node));
    return true;
}

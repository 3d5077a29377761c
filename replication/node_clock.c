/* SPDX-License-Identifier: BSD-3-Clause */
/* How far the peer's clock is from ours, as NTP does it: of the last few
 * round trips the shortest one knows best. Offsets below a second are left
 * alone, so that well-kept clocks give equal expiries on both nodes. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/log.h"

#include <stdlib.h>

#define OFFSET_MAX_NS ((int64_t)1 << 61)
#define OFFSET_WARN_NS (100 * (int64_t)NS_PER_MS)
#define OFFSET_ALARM_NS (300 * (int64_t)NS_PER_S)
#define SET_NS (500 * NS_PER_MS) /* What clocks may drift between samples. */

void node_offset_reset(struct node_offset *offset)
{
    *offset = (struct node_offset){0};
}

/* A sample is wrong by half its round trip at most. Two that are further apart
 * than that are of different clocks: a node that comes back on the same data
 * after its machine was set. */
static bool was_set(const struct node_offset *offset, int64_t offset_ns,
                    uint64_t round_ns)
{
    uint64_t doubt_ns = round_ns / 2 + offset->round_ns / 2 + SET_NS;

    return offset->count > 0 &&
           (uint64_t)llabs(offset_ns - offset->best_ns) > doubt_ns;
}

void node_offset_add(struct node_offset *offset, int64_t offset_ns,
                     uint64_t round_ns)
{
    unsigned best = 0;

    if (offset_ns > OFFSET_MAX_NS || offset_ns < -OFFSET_MAX_NS)
        return; /* Nobody's clock is decades away. */
    if (was_set(offset, offset_ns, round_ns))
        offset->count = offset->at = 0;
    offset->sample[offset->at].offset_ns = offset_ns;
    offset->sample[offset->at].round_ns = round_ns;
    offset->at = (offset->at + 1) % NODE_OFFSET_SAMPLES;
    if (offset->count < NODE_OFFSET_SAMPLES)
        offset->count++;
    for (unsigned i = 1; i < offset->count; i++)
        if (offset->sample[i].round_ns < offset->sample[best].round_ns)
            best = i;
    offset->best_ns = offset->sample[best].offset_ns;
    offset->round_ns = offset->sample[best].round_ns;
}

/* Whole seconds that the peer is ahead. It may be off by half the round trip,
 * which must not make a second of nothing. */
static int64_t seconds_ahead(const struct node *node)
{
    int64_t second = (int64_t)NS_PER_S;
    int64_t half = node->offset.best_ns < 0 ? -second / 2 : second / 2;
    int64_t doubt = (int64_t)(node->offset.round_ns / 2);

    if (llabs(node->offset.best_ns) < second + doubt || !RULE(OFFSET))
        return 0;
    return (node->offset.best_ns + half) / second;
}

uint32_t node_local_expiry(const struct node *node, uint32_t expires_at_s)
{
    int64_t local = (int64_t)expires_at_s - seconds_ahead(node);

    if (expires_at_s == 0)
        return 0;
    if (local < (int64_t)ENGINE_EXPIRED)
        return ENGINE_EXPIRED;
    return local > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)local;
}

bool node_can_follow(const struct node *node, stamp_t stamp)
{
    return stamp <= node->now_ns + NODE_HORIZON_NS;
}

int node_from_beyond(struct node *node)
{
    return node_nonsense(node, "a version from centuries ahead");
}

void node_local_flush(const struct node *node, struct flush_state *flush)
{
    int64_t ahead = seconds_ahead(node);
    uint64_t shift = (uint64_t)llabs(ahead) * NS_PER_S;

    if (flush->pending == STAMP_NONE)
        return;
    if (ahead < 0)
        flush->due_ns = flush->due_ns > UINT64_MAX - shift
                            ? UINT64_MAX
                            : flush->due_ns + shift;
    else
        flush->due_ns = flush->due_ns > shift ? flush->due_ns - shift : 1;
}

/* ---- the peer's word ---- */

/* Each once; an alarm says all that a warning would. */
static void warn_of_offset(struct node *node)
{
    int64_t offset_ns = node->offset.best_ns;

    if (llabs(offset_ns) >= OFFSET_ALARM_NS && !node->offset_alarmed) {
        node->offset_alarmed = node->offset_told = true;
        log_notice("replication: ALARM: the peer's clock is %lld s from ours: "
                   "set the clocks",
                   (long long)(offset_ns / (int64_t)NS_PER_S));
    }
    /* As sure as the round trip allows. */
    if (node->offset_told ||
        llabs(offset_ns) < OFFSET_WARN_NS + (int64_t)node->offset.round_ns / 2)
        return;
    node->offset_told = true;
    log_notice("replication: warning: the peer's clock is %lld ms from ours",
               (long long)(offset_ns / (int64_t)NS_PER_MS));
}

int node_heartbeat_take(struct node *node, const struct message *message)
{
    uint64_t theirs_ns = message->heartbeat.now_ns;
    uint64_t away_ns = node->now_ns - message->heartbeat.echo_ns;
    uint64_t round_ns;

    if (!node_can_follow(node, message->heartbeat.stamp_last))
        return node_from_beyond(node);
    node_see_stamp(node, message->heartbeat.stamp_last);
    node->receive.heard_now_ns = theirs_ns;
    node->receive.heard_at_ns = node->now_ns;
    if (message->heartbeat.echo_ns == 0 ||
        message->heartbeat.echo_ns > node->now_ns ||
        message->heartbeat.echo_delay_ns > away_ns)
        return 0;
    round_ns = away_ns - message->heartbeat.echo_delay_ns;
    node_offset_add(&node->offset,
                    (int64_t)(theirs_ns - (node->now_ns - round_ns / 2)),
                    round_ns);
    warn_of_offset(node);
    return 0;
}

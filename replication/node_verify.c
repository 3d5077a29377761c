/* SPDX-License-Identifier: BSD-3-Clause */
/* Looks for differences between the two nodes while both serve. The digests of
 * a range of hashes are compared with the peer's; where a group differs, so is
 * each version in it. What differs then may only be under way. So when both
 * streams have brought what was recorded until then, the range is compared once
 * more: a key at which both nodes still hold the very versions of the first
 * time differs indeed, and nothing is coming that would mend it. */
#include "replication/node_inner.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"

#include <stdlib.h>

#define GROUP_ITEMS 4u
#define LOOKS_MAX 6u              /* At one range. */
#define SETTLE_NS (10 * NS_PER_S) /* For both streams to come that far. */
#define RETRY_NS (100 * NS_PER_MS)
#define ENDS_SOON_S 3u /* Ends of lives are not noticed at the same time. */

/* ---- the beginning and the end ---- */

static void forget_suspects(struct node_verify *verify)
{
    memory_free(&verify->now);
    memory_free(&verify->before);
}

void node_verify_end(struct node *node)
{
    struct node_verify *verify = &node->verify;

    if (verify->phase == NODE_VERIFY_IDLE)
        return;
    verify->phase = NODE_VERIFY_IDLE;
    verify->given_up = true;
    forget_suspects(verify);
}

static bool is_being_resynced(const struct node *node)
{
    return !node->receive.planned || (node->receive.kind != RESYNC_NONE &&
                                      node->receive.kind != RESYNC_CONTINUE);
}

const char *node_verify(struct node *node, uint64_t now_ns, bool repair)
{
    struct node_verify *verify = &node->verify;

    node_touch_time(node, now_ns);
    if (node->peer.state != PEER_PAIRED)
        return "not paired";
    if (!node_compare_is_known(node))
        return "the peer cannot compare";
    if (verify->phase != NODE_VERIFY_IDLE)
        return "already under way";
    if (!node->send.caught_up || is_being_resynced(node) ||
        node->compare.state == NODE_COMPARE_ASKED)
        return "a resync is under way";
    *verify = (struct node_verify){.phase = NODE_VERIFY_ASKS, .repair = repair};
    verify->now = memory_new(NODE_SUSPECTS_MAX, sizeof(*verify->now));
    verify->before = memory_new(NODE_SUSPECTS_MAX, sizeof(*verify->before));
    verify->deadline_ns = now_ns + SETTLE_NS;
    if (verify->now != NULL && verify->before != NULL)
        return NULL;
    node_verify_end(node);
    return "out of memory";
}

bool node_verify_is_running(const struct node *node)
{
    return node->verify.phase != NODE_VERIFY_IDLE;
}

bool node_verify_result(const struct node *node, struct node_verified *out)
{
    *out = node->verify.result;
    return !node->verify.given_up;
}

/* ---- suspects ---- */

static void suspect(struct node_verify *verify, const struct node_suspect *of)
{
    if (verify->now_count == NODE_SUSPECTS_MAX)
        verify->result.unsettled++;
    else
        verify->now[verify->now_count++] = *of;
}

static bool ends_soon(const struct node *node, uint32_t expires_at_s)
{
    return expires_at_s != 0 &&
           expires_at_s < node->now_ns / NS_PER_S + ENDS_SOON_S;
}

static bool look_at_ours(void *ctx, uint64_t hash, struct engine_view *view)
{
    struct node *node = ctx;
    struct node_suspect of = {
        .hash = hash, .ours = view->stamp, .our_end_s = view->expires_at_s};
    const struct node_listed *listed;

    if (!node_compare_differs(node, hash) ||
        ends_soon(node, view->expires_at_s))
        return true;
    listed = node_compare_find(node, hash);
    if (listed != NULL) {
        if (listed->stamp == view->stamp &&
            node_compare_same_life(node, listed->expires_at_s,
                                   view->expires_at_s))
            return true;
        of.theirs = listed->stamp;
        of.their_end_s = listed->expires_at_s;
    }
    suspect(&node->verify, &of);
    return true;
}

static void look_at_theirs(struct node *node)
{
    const struct node_compare *compare = &node->compare;
    struct engine_view view;

    for (size_t i = 0; i < compare->items_count; i++) {
        const struct node_listed *listed = &compare->items[i];
        struct node_suspect of = {.hash = listed->hash,
                                  .theirs = listed->stamp,
                                  .their_end_s = listed->expires_at_s};

        if (engine_find(node->thread, listed->hash, &view))
            engine_view_end(node->thread, &view);
        else if (!ends_soon(node,
                            node_local_expiry(node, listed->expires_at_s)))
            suspect(&node->verify, &of);
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct node_suspect *left = a;
    const struct node_suspect *right = b;

    return left->hash < right->hash ? -1 : left->hash > right->hash;
}

static void find_suspects(struct node *node)
{
    struct node_verify *verify = &node->verify;
    bool done = false;

    verify->now_count = 0;
    if (node->compare.groups_differ == 0)
        return;
    (void)engine_scan(node->thread, node->compare.ours.from,
                      node->compare.through, SIZE_MAX, look_at_ours, node,
                      &done);
    look_at_theirs(node);
    qsort(verify->now, verify->now_count, sizeof(verify->now[0]), by_hash);
}

static const struct node_suspect *known(const struct node_verify *verify,
                                        const struct node_suspect *of)
{
    return bsearch(of, verify->before, verify->before_count,
                   sizeof(verify->before[0]), by_hash);
}

static bool is_same(const struct node_suspect *a, const struct node_suspect *b)
{
    return a->ours == b->ours && a->theirs == b->theirs &&
           a->our_end_s == b->our_end_s && a->their_end_s == b->their_end_s;
}

/* Suspects of both times that were changed in between: nobody can say. */
static size_t count_changing(const struct node_verify *verify)
{
    size_t count = 0;

    for (size_t i = 0; i < verify->now_count; i++) {
        const struct node_suspect *old = known(verify, &verify->now[i]);

        count += old != NULL && !is_same(old, &verify->now[i]);
    }
    return count;
}

/* ---- what differs ---- */

static void note_key(struct node *node, uint64_t hash)
{
    struct node_verified *result = &node->verify.result;
    struct node_differing *key;
    struct engine_view view;

    if (result->keys_count == NODE_VERIFY_KEYS_MAX)
        return;
    key = &result->keys[result->keys_count++];
    key->hash = hash;
    key->size = 0;
    if (!engine_find(node->thread, hash, &view))
        return;
    key->size = view.key.size;
    if (key->size > sizeof(key->bytes))
        key->size = sizeof(key->bytes);
    memcpy(key->bytes, view.key.data, key->size);
    engine_view_end(node->thread, &view);
}

/* The newer side ships; of one version with two ends of its life, both do. */
static void repair(struct node *node, const struct node_suspect *of)
{
    if (of->theirs >= of->ours &&
        (node->wanted.count >= MESSAGE_LIST_MAX || !node_want(node, of->hash)))
        return; /* The next repair will. */
    if (of->ours >= of->theirs)
        journal_repeat(node->log, of->hash, of->ours);
    node->verify.result.repaired++;
}

static void count_differing(struct node *node, const struct node_suspect *of)
{
    struct node_verified *result = &node->verify.result;

    result->differing++;
    result->missing_here += of->ours == STAMP_NONE;
    result->missing_there += of->theirs == STAMP_NONE;
    note_key(node, of->hash);
    if (node->verify.repair)
        repair(node, of);
}

static void judge(struct node *node)
{
    struct node_verify *verify = &node->verify;

    for (size_t i = 0; i < verify->now_count; i++) {
        const struct node_suspect *of = &verify->now[i];
        const struct node_suspect *old = known(verify, of);

        if (old != NULL && is_same(old, of))
            count_differing(node, of);
        else
            verify->result.unsettled += old != NULL;
    }
}

/* ---- ranges ---- */

static void next_range(struct node *node)
{
    struct node_verify *verify = &node->verify;

    verify->looks = 0;
    verify->before_count = 0;
    verify->deadline_ns = node->now_ns + SETTLE_NS;
    node->compare.state = NODE_COMPARE_IDLE;
    verify->phase = NODE_VERIFY_ASKS;
    if (verify->through == UINT64_MAX) {
        verify->phase = NODE_VERIFY_IDLE;
        verify->result.items = engine_items(node->config.engine);
        forget_suspects(verify);
    }
    verify->cursor = verify->through + 1;
}

static void settle(struct node *node)
{
    struct node_verify *verify = &node->verify;
    struct node_suspect *now = verify->now;

    verify->now = verify->before;
    verify->before = now;
    verify->before_count = verify->now_count;
    verify->our_last = journal_last(node->log);
    verify->their_last = node->compare.last;
    verify->again_ns = node->now_ns + RETRY_NS;
    verify->phase = NODE_VERIFY_SETTLES;
    node->compare.state = NODE_COMPARE_IDLE;
}

static void take_answer(struct node *node)
{
    struct node_verify *verify = &node->verify;
    const struct node_compare *compare = &node->compare;

    verify->looks++;
    if (verify->looks == 1)
        verify->through = compare->through;
    else if (verify->through > compare->through)
        verify->through = compare->through;
    find_suspects(node);
    while (verify->now_count > 0 &&
           verify->now[verify->now_count - 1].hash > verify->through)
        verify->now_count--;
    if (verify->now_count > 0 &&
        (verify->looks == 1 ||
         (count_changing(verify) > 0 && verify->looks < LOOKS_MAX))) {
        verify->behind = compare->behind;
        settle(node);
        return;
    }
    judge(node);
    next_range(node);
}

/* What both had recorded at the last look is where it belongs. */
static bool is_settled(const struct node *node)
{
    const struct node_verify *verify = &node->verify;
    struct journal_figures log;

    journal_figures(node->log, &log);
    return log.confirmed >= verify->our_last && log.dirty_buckets == 0 &&
           node->line.applied >= verify->their_last;
}

static void look_again(struct node *node)
{
    struct node_verify *verify = &node->verify;

    if (!is_settled(node))
        return;
    if (verify->behind) {
        if (node->now_ns < verify->again_ns)
            return;
        verify->looks = 0; /* As if there had been none. */
    }
    verify->phase = NODE_VERIFY_ASKS;
}

void node_verify_step(struct node *node)
{
    struct node_verify *verify = &node->verify;
    uint64_t to;

    if (verify->phase == NODE_VERIFY_IDLE)
        return;
    if (node->now_ns >= verify->deadline_ns) {
        node_verify_end(node); /* An answer that still comes is no harm. */
        return;
    }
    if (verify->phase == NODE_VERIFY_SETTLES)
        look_again(node);
    if (verify->phase == NODE_VERIFY_WAITS &&
        node->compare.state == NODE_COMPARE_ANSWERED)
        take_answer(node);
    if (verify->phase == NODE_VERIFY_ASKS &&
        node->compare.state != NODE_COMPARE_ASKED) {
        to = verify->looks == 0 ? UINT64_MAX : verify->through;
        node_compare_ask(node, verify->cursor, to, GROUP_ITEMS);
        verify->phase = NODE_VERIFY_WAITS;
    }
}

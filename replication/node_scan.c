/* SPDX-License-Identifier: BSD-3-Clause */
/* Brings the peer up to date where the log is not enough: the removals of all
 * dirty buckets, then bucket after bucket what the watermark does not cover.
 * A chunk of items is only noted down under the engine's locks; each one is
 * looked up again when it is sent, so what is sent is never older than what
 * was acknowledged before it. After each chunk a mark, which the peer
 * acknowledges in order with the data.
 *
 * A peer that starts with nothing gets what is used before the rest, and of the
 * rest no more once it is full: for that it would let go of what is used. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"
#include "src/base/log.h"

#include <stdlib.h>

#define OUTPUT_BYTES_MAX (64u * 1024) /* Composed at once; clients wait. */
#define FRAME_ROOM_MIN (CODEC_WHOLE_VALUE_MAX + 1024)
#define PREFETCH_AHEAD 16
#define FRAMES_MAX 192  /* In one call, however little is in them. */
#define HOT_MARGIN_S 2u /* A worker's time may be behind ours. */

/* ---- noting down ---- */

/* Was it sent before the others? It was hot then if it is now and was not used
 * since; what is used just then may go twice. */
static bool went_ahead(const struct node_scan *scan,
                       const struct engine_view *view)
{
    return scan->hot_since_s != 0 && engine_view_is_hot(view) &&
           view->accessed_at_s < scan->hot_since_s - HOT_MARGIN_S;
}

/* A peer that began with nothing and is full lets go of what is cold sooner
 * than it comes: as well it may stay here. One with data of its own might keep
 * an older version instead. */
static bool is_left_out(const struct node *node, const struct engine_view *view)
{
    const struct node_scan *scan = &node->send.scan;

    if (scan->hot)
        return !engine_view_is_hot(view);
    return (node->send.peer_full && node->send.peer_empty &&
            !engine_view_is_hot(view)) ||
           went_ahead(scan, view);
}

static bool visit(void *ctx, uint64_t hash, struct engine_view *view)
{
    struct node *node = ctx;
    struct node_scan *scan = &node->send.scan;

    if (scan->found_count == NODE_SCAN_FOUND_MAX ||
        scan->present_count == NODE_SCAN_FOUND_MAX)
        return false;
    if (scan->run.floor != STAMP_NONE && !scan->hot)
        scan->present[scan->present_count++] = hash;
    if (is_left_out(node, view))
        return true;
    if (scan->compares && node_compare_has(node, hash, view))
        return true;
    if (!journal_knows(node->log, view->stamp))
        scan->found[scan->found_count++] =
            (struct node_sent){hash, view->stamp};
    return true;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static uint64_t scan_run(struct node *node, bool *done)
{
    struct node_scan *scan = &node->send.scan;

    scan->found_count = scan->found_at = scan->present_count = 0;
    *done = false;
    return engine_scan(node->thread, scan->run.from, scan->run.to,
                       STRIDE(NODE_SCAN_CHUNK), visit, node, done);
}

/* False when the scan is through. */
static bool next_run(struct node *node)
{
    struct node_scan *scan = &node->send.scan;

    return !scan->exhausted &&
           journal_round_run(node->log, scan->cursor, &scan->run);
}

/* Does the answer that we have cover the run? If it does, the run ends with it
 * at the latest. */
static bool is_compared(struct node *node)
{
    struct journal_run *run = &node->send.scan.run;

    if (!node_compare_covers(node, run->from))
        return false;
    if (run->to > node->compare.through)
        run->to = node->compare.through;
    return true;
}

/* The first of the answer's items at or above the run's beginning. */
static size_t first_listed(const struct node *node)
{
    const struct node_compare *compare = &node->compare;
    size_t low = 0, high = compare->items_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare->items[middle].hash < node->send.scan.run.from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Notes down the next items. */
static void collect(struct node *node)
{
    struct node_scan *scan = &node->send.scan;
    bool done = false;
    uint64_t next = scan_run(node, &done);

    while (!done && next <= scan->run.from) {
        /* More in one bucket of the table than we can note: a part of it. */
        INVARIANT(scan->run.to > scan->run.from);
        scan->run.to = scan->run.from + (scan->run.to - scan->run.from) / 2;
        next = scan_run(node, &done);
    }
    scan->through = done ? scan->run.to : next - 1;
    qsort(scan->present, scan->present_count, sizeof(scan->present[0]),
          by_hash);
    scan->purge_due =
        scan->run.floor != STAMP_NONE && !scan->hot && RULE(PURGE);
    scan->mark_due = true;
    scan->listed_at = scan->compares ? first_listed(node) : 0;
    scan->exhausted = scan->through == UINT64_MAX;
    scan->cursor = scan->through + 1;
}

/* ---- frames ---- */

static size_t put_removals(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;
    struct mutation remove = {.kind = MUTATION_REMOVE};
    struct codec_batch batch;

    if (!codec_batch_begin(&batch, out, room))
        return 0;
    while (scan->removals_at < scan->removals_count) {
        remove.hash = scan->removals[scan->removals_at].hash;
        remove.stamp = scan->removals[scan->removals_at].stamp;
        if (!codec_batch_add(&batch, &remove, 0, NULL, NULL))
            break;
        scan->removals_at++;
        node->sent++;
    }
    return batch.count > 0 ? codec_batch_end(&batch, 0) : 0;
}

static size_t put_purge(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;
    struct message message = {.type = MESSAGE_PURGE};

    message.purge.from = scan->run.from;
    message.purge.to = scan->through;
    message.purge.floor = scan->run.floor;
    message.purge.present = scan->present;
    message.purge.present_count = scan->present_count;
    scan->purge_due = false;
    return codec_encode(node->codec, &message, out, room);
}

static bool has_doubted(const struct node *node)
{
    const struct node_scan *scan = &node->send.scan;

    return scan->compares && node->theirs.doubted != STAMP_NONE &&
           scan->listed_at < node->compare.items_count &&
           node->compare.items[scan->listed_at].hash <= scan->through;
}

/* Ahead of what the peer gets in their place, which may be older. */
static size_t put_doubted(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;
    struct mutation remove = {.kind = MUTATION_REMOVE};
    const struct node_listed *listed;
    struct codec_batch batch;

    if (!codec_batch_begin(&batch, out, room))
        return 0;
    for (; has_doubted(node); scan->listed_at++) {
        listed = &node->compare.items[scan->listed_at];
        if (!node_compare_is_doubted(node, listed))
            continue;
        remove.hash = listed->hash;
        remove.stamp = listed->stamp;
        if (!codec_batch_add(&batch, &remove, 0, NULL, NULL))
            break;
        node->sent++;
    }
    return batch.count > 0 ? codec_batch_end(&batch, 0) : 0;
}

/* With what is hot no bucket is complete. */
static size_t put_mark(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;
    struct message message = {.type = MESSAGE_MARK};

    message.mark.through_hash = scan->hot ? 0 : scan->through;
    message.mark.done = scan->phase == NODE_SCAN_SENT;
    message.mark.idle = scan->hot && scan->exhausted;
    scan->mark_due = false;
    scan->marked = message.mark.through_hash;
    return codec_encode(node->codec, &message, out, room);
}

static void prefetch(const struct node *node)
{
    const struct node_scan *scan = &node->send.scan;
    const struct engine *engine = node->config.engine;
    size_t last = scan->found_at + PREFETCH_AHEAD;

    if (last > scan->found_count)
        last = scan->found_count;
    for (size_t i = scan->found_at; i < last; i++)
        engine_prefetch_bucket(engine, scan->found[i].hash);
    for (size_t i = scan->found_at; i < last; i++)
        engine_prefetch_item(engine, scan->found[i].hash,
                             node->send.item_bytes);
}

static enum node_added add_found(struct node *node, struct codec_batch *batch,
                                 const struct node_sent *found)
{
    struct engine_view view;
    enum node_added added;

    if (!engine_find_version(node->thread, found->hash, found->stamp, &view)) {
        journal_gone(node->log, found->hash, found->stamp);
        return NODE_ABSENT;
    }
    added = node_add_view(node, batch, found->hash, &view, 0);
    engine_view_end(node->thread, &view);
    return added;
}

static size_t put_items(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;
    struct codec_batch batch;
    enum node_added added = NODE_ADDED;

    if (!codec_batch_begin(&batch, out, room))
        return 0;
    while (scan->found_at < scan->found_count) {
        if (scan->found_at % PREFETCH_AHEAD == 0)
            prefetch(node);
        added = add_found(node, &batch, &scan->found[scan->found_at]);
        if (added == NODE_NO_ROOM || added == NODE_IN_PARTS)
            break;
        scan->found_at++;
        node->round_items++;
    }
    return batch.count > 0 ? codec_batch_end(&batch, 0) : 0;
}

/* ---- phases ---- */

static void begin_round(struct node *node)
{
    struct node_scan *scan = &node->send.scan;

    if (!journal_is_dirty(node->log) || !journal_round_begin(node->log))
        return;
    *scan =
        (struct node_scan){.phase = NODE_SCAN_REMOVALS, .removals_more = true};
    scan->compares = node->send.plan == RESYNC_DIGEST;
    if (node->send.plan == RESYNC_FULL && node->send.peer_empty) {
        scan->hot = true;
        scan->hot_since_s = (uint32_t)(node->now_ns / NS_PER_S);
    }
    if (scan->compares) /* An answer of the last round knows too little. */
        node->compare.state = NODE_COMPARE_IDLE;
    if (node->round_ns == 0)
        node->round_ns = node->now_ns;
}

static size_t removals_phase(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;

    while (scan->removals_at == scan->removals_count && scan->removals_more) {
        scan->removals_at = 0;
        scan->removals_count = journal_round_removals(
            node->log, scan->removals, NODE_REMOVALS_MAX, &scan->removals_more);
    }
    if (scan->removals_at < scan->removals_count)
        return put_removals(node, out, room);
    scan->phase = NODE_SCAN_ITEMS;
    return 0;
}

static size_t ask_from_run(struct node *node, char *out, size_t room)
{
    if (node->compare.state == NODE_COMPARE_ASKED)
        return 0;
    /* Runs may be short; a question each would be a round trip each. */
    node_compare_ask(node, node->send.scan.run.from, UINT64_MAX,
                     NODE_COMPARE_ITEMS);
    return node_compare_put(node, out, room);
}

static size_t items_phase(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;

    if (scan->purge_due)
        return put_purge(node, out, room);
    if (has_doubted(node)) {
        size_t bytes = put_doubted(node, out, room);

        if (bytes > 0 || has_doubted(node))
            return bytes;
    }
    if (scan->found_at < scan->found_count)
        return put_items(node, out, room);
    if (scan->mark_due)
        return put_mark(node, out, room);
    if (scan->hot && !next_run(node)) {
        scan->hot = scan->exhausted = false;
        scan->cursor = 0;
    }
    if (!next_run(node)) {
        scan->phase = NODE_SCAN_SENT;
        scan->through = UINT64_MAX;
        return put_mark(node, out, room);
    }
    if (scan->compares && !is_compared(node))
        return ask_from_run(node, out, room);
    collect(node);
    return items_phase(node, out, room);
}

static size_t put_frame(struct node *node, char *out, size_t room)
{
    struct node_scan *scan = &node->send.scan;

    if (scan->phase == NODE_SCAN_IDLE)
        begin_round(node);
    if (scan->phase == NODE_SCAN_REMOVALS) {
        size_t bytes = removals_phase(node, out, room);

        if (bytes > 0)
            return bytes;
    }
    return scan->phase == NODE_SCAN_ITEMS ? items_phase(node, out, room) : 0;
}

size_t node_scan_output(struct node *node, char *out, size_t room)
{
    size_t used = 0;
    size_t bytes = 1;
    unsigned frames = 0;

    if (room > OUTPUT_BYTES_MAX)
        room = OUTPUT_BYTES_MAX;
    while (bytes > 0 && room - used >= FRAME_ROOM_MIN &&
           node->send.big.item == NULL && frames++ < FRAMES_MAX) {
        bytes = put_frame(node, out + used, room - used);
        used += bytes;
    }
    node->round_bytes += used;
    return used;
}

/* ---- the peer's word ---- */

static void round_done(struct node *node)
{
    node->send.scan.phase = NODE_SCAN_IDLE;
    node->send.peer_empty = false;
    if (journal_is_dirty(node->log))
        return; /* Another round, of what got lost meanwhile. */
    node->resync_items_total = node->send.plan_items;
    node->resync_bytes = node->round_bytes;
    if (node->round_items > node->send.plan_items && node->send.plan_items > 0)
        node->round_items = node->send.plan_items; /* Some went twice. */
    node_resync_done(node, node->send.plan, node->round_items, node->round_ns);
    node_resync_ends(node, true);
    /* Those after an overflow of the log are too many to be news. */
    if (!node->send.caught_up || log_verbosity() >= (int)LOG_LEVEL_V)
        node_log_resync(node, "to");
    node->send.caught_up = true;
    node->theirs.doubted = STAMP_NONE;
    node->send.plan = RESYNC_DELTA; /* What any later one will be. */
    node->round_items = node->round_bytes = 0;
    node->round_ns = 0;
    node->send.plan_items = 0;
}

bool node_scan_has_marked(const struct node *node, uint64_t through_hash,
                          bool done)
{
    const struct node_scan *scan = &node->send.scan;

    if (through_hash == 0 && !done)
        return true; /* It is about the live stream. */
    if (scan->phase == NODE_SCAN_IDLE || through_hash > scan->marked)
        return false;
    /* Done before its last bucket is, a peer would only say to harm us. */
    return !done ||
           (scan->phase == NODE_SCAN_SENT && through_hash == UINT64_MAX);
}

void node_scan_confirmed(struct node *node, uint64_t through_hash, bool done)
{
    if (through_hash > 0)
        journal_round_confirm(node->log, through_hash);
    if (done)
        round_done(node);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes to the peer. First what must not wait: hello, plan, flush state,
 * acknowledgements, heartbeats. Then the live stream: the log's references,
 * each with what its key holds at this moment, so that a hot key goes once
 * and no value is ever kept for the peer. Then the scan (node_scan.c), which
 * is given at least what the live stream leaves and in turn the other half.
 *
 * An acknowledgement says what was applied before everything behind it was
 * looked up. The one thing looked up before is a big value on its way in
 * parts: it is given up when the peer speaks of its key meanwhile. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"

#define PART_OVERHEAD (ENGINE_KEY_MAX + 2 * CODEC_MUTATION_OVERHEAD)
#define PART_BYTES_MIN 4096u /* Less is not worth a frame, but at the end. */
#define ENTRIES_MAX 4096     /* Looked at in one call. */

/* ---- the beginning and the end ---- */

static enum journal_peer what_of_the_peer(const struct node *node)
{
    const struct hello *theirs = &node->theirs;

    if (theirs->peer_incarnation == node->line.incarnation &&
        node->line.confirmed_by == theirs->incarnation)
        return JOURNAL_PEER_KNOWN;
    if (node->line.followed == 0 && node->line.confirmed_by == 0 &&
        engine_items(node->config.engine) == 0)
        return JOURNAL_PEER_FIRST;
    return JOURNAL_PEER_STRANGER;
}

void node_send_begin(struct node *node, unsigned link)
{
    struct node_send *send = &node->send;
    const struct hello *theirs = &node->theirs;
    enum journal_plan plan;

    *send = (struct node_send){.plan_due = true};
    plan = journal_follow(node->log, what_of_the_peer(node),
                          theirs->peer_applied, &send->plan_after);
    send->plan = (enum resync_kind)plan;
    if (plan == JOURNAL_FULL && node_compare_is_wanted(node))
        send->plan = RESYNC_DIGEST;
    node_compare_reset(node);
    if (plan == JOURNAL_CONTINUE)
        node_resync_done(node, RESYNC_CONTINUE, 0, node->now_ns);
    else
        send->plan_items = engine_items(node->config.engine);
    send->caught_up = plan == JOURNAL_CONTINUE;
    send->peer_empty = theirs->joining && theirs->items == 0;
    send->next = send->plan_after + 1;
    send->through = send->confirmed = send->plan_after;
    send->told = node->links[link].hello.flush;
    node->line.confirmed_by = theirs->incarnation;
    node->round_ns = node->now_ns;
    node->round_items = 0;
    node->round_bytes = 0;
    node_lag_reset(node);
    if (theirs->joining)
        node_ship(node, "the peer starts anew");
    node_confirm_begin(node);
}

void node_send_end(struct node *node)
{
    node_verify_end(node);
    node_confirm_end(node);
    engine_item_release(node->thread, &node->send.big.item);
    node->send.scan.phase = NODE_SCAN_IDLE;
    node_compare_reset(node);
    node_want_reset(node);
    node_resync_ends(node, false);
    journal_apart(node->log);
}

/* ---- control ---- */

static size_t put(struct node *node, const struct message *message, char *out,
                  size_t room)
{
    size_t bytes = codec_encode(node->codec, message, out, room);

    INVARIANT(bytes > 0);
    return bytes;
}

static size_t put_hello(struct node *node, unsigned link, char *out,
                        size_t room)
{
    struct message message = {.type = MESSAGE_HELLO,
                              .hello = node->links[link].hello};

    node->links[link].hello_due = false;
    return put(node, &message, out, room);
}

static size_t put_refuse(struct node *node, unsigned link, char *out,
                         size_t room)
{
    struct message message = {.type = MESSAGE_REFUSE};

    message.refuse.reason = (enum refusal)node->links[link].reason;
    message.refuse.words =
        slice_of(node_refusal_words(node->links[link].reason));
    node->links[link].refuse_due = false;
    return put(node, &message, out, room);
}

static size_t put_plan(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_PLAN};

    message.plan.kind = node->send.plan;
    message.plan.live_after = node->send.plan_after;
    message.plan.items = node->send.plan_items;
    node->send.plan_due = false;
    return put(node, &message, out, room);
}

/* Times apart: the two nodes' clocks may differ. */
static bool flush_is_news(const struct node *node, struct flush_state *now)
{
    engine_flush_state(node->config.engine, now);
    return RULE(FLUSH) && (now->floor != node->send.told.floor ||
                           now->pending != node->send.told.pending);
}

static size_t put_flush(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_FLUSH};

    if (!flush_is_news(node, &message.flush))
        return 0;
    node->send.told = message.flush;
    return put(node, &message, out, room);
}

static size_t put_ack(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_ACK};

    message.ack.applied = node->line.applied;
    message.ack.through_hash = node->send.ack_hash;
    message.ack.done = node->send.ack_done;
    message.ack.prompt = node->confirm.prompt_told = node_wants_prompt(node);
    message.ack.full = node->receive.full |= engine_take_evicted(node->thread);
    node->send.ack_due = false;
    node->send.ack_hash = 0;
    node->send.ack_done = false;
    return put(node, &message, out, room);
}

static size_t put_heartbeat(struct node *node, unsigned link, char *out,
                            size_t room)
{
    struct message message = {.type = MESSAGE_HEARTBEAT};

    message.heartbeat.now_ns = node->now_ns;
    message.heartbeat.echo_ns = node->receive.heard_now_ns;
    if (node->receive.heard_now_ns != 0)
        message.heartbeat.echo_delay_ns =
            node->now_ns - node->receive.heard_at_ns;
    message.heartbeat.stamp_last =
        stamp_last(engine_stamp_clock(node->config.engine));
    peer_sent(&node->peer, link, node->now_ns);
    return put(node, &message, out, room);
}

size_t node_send_control(struct node *node, unsigned link, char *out,
                         size_t room)
{
    struct node_link *to = &node->links[link];
    size_t used = 0;

    if (to->hello_due)
        used += put_hello(node, link, out, room);
    if (to->refuse_due)
        used += put_refuse(node, link, out + used, room - used);
    if (node->peer.link != link)
        return used;
    if (node->send.plan_due)
        used += put_plan(node, out + used, room - used);
    if (!node->orders.paused)
        used += put_flush(node, out + used, room - used);
    node_confirm_review(node);
    used += node_want_put(node, out + used, (room - used) / 2);
    if (node->send.ack_due && node->wanted.count == 0)
        used += put_ack(node, out + used, room - used);
    node_verify_step(node);
    used += node_compare_put(node, out + used, room - used);
    used += node_answer_put(node, out + used, room - used);
    used += node_fetch_put(node, out + used, room - used);
    if (peer_heartbeat_due(&node->peer, link, node->now_ns))
        used += put_heartbeat(node, link, out + used, room - used);
    return used;
}

/* ---- one item ---- */

void node_fill_value(void *ctx, char *to, size_t size)
{
    const struct node_fill *from = ctx;
    struct engine_cursor cursor = {.part = NULL};
    size_t done = 0;

    while (done < size) {
        struct slice piece =
            engine_item_bytes_on(from->thread, from->item, done, &cursor);

        INVARIANT(piece.size > 0);
        if (piece.size > size - done)
            piece.size = size - done;
        memcpy(to + done, piece.data, piece.size);
        done += piece.size;
    }
}

/* All but the value. Field by field: a tally that there is not need not be
 * cleared. */
static void describe(struct mutation *mutation, uint64_t hash,
                     const struct engine_view *view)
{
    mutation->kind = MUTATION_SET;
    mutation->hash = hash;
    mutation->stamp = view->stamp;
    mutation->expires_at_s = view->expires_at_s;
    mutation->client_flags = view->client_flags;
    mutation->state = view->state;
    mutation->cas = view->cas != view->stamp ? view->cas : STAMP_NONE;
    mutation->key = view->key;
    mutation->value = slice_make(NULL, 0);
    mutation->tally.base_stamp = STAMP_NONE;
}

/* False when nobody may hold the item any more: later. */
static bool begin_parts(struct node *node, uint64_t hash,
                        struct engine_view *view, uint64_t number)
{
    struct node_big *big = &node->send.big;

    INVARIANT(big->item == NULL);
    INVARIANT(view->key.size <= sizeof(big->key));
    *big = (struct node_big){.size = view->value_size, .number = number};
    describe(&big->head, hash, view);
    memcpy(big->key, view->key.data, view->key.size);
    big->head.key.data = big->key;
    big->item = engine_view_hold(node->thread, view);
    return big->item != NULL;
}

enum node_added node_add_view(struct node *node, struct codec_batch *batch,
                              uint64_t hash, struct engine_view *view,
                              uint64_t number)
{
    struct mutation mutation;
    struct node_fill fill = {node->thread, view->item};

    if (view->value_size > CODEC_WHOLE_VALUE_MAX)
        return begin_parts(node, hash, view, number) ? NODE_IN_PARTS
                                                     : NODE_NO_ROOM;
    describe(&mutation, hash, view);
    mutation.value = engine_view_value(view);
    engine_view_tally(view, &mutation.tally);
    if (!codec_batch_add(batch, &mutation, view->value_size,
                         mutation.value.data == NULL ? node_fill_value : NULL,
                         &fill))
        return NODE_NO_ROOM;
    node->sent++;
    node->send.item_bytes = view->key.size + view->value_size;
    node->sent_bytes += node->send.item_bytes;
    return NODE_ADDED;
}

/* ---- what need not be sent again ---- */

static inline struct node_sent *note_of(struct node *node, uint64_t hash)
{
    return &node->send.sent[hash & (NODE_SENT_CACHE - 1)];
}

/* Was the key's present version sent with an earlier entry? An entry at that
 * very version ends the note, as one after it means a longer life. */
static bool sent_already(struct node *node,
                         const struct journal_reference *entry, stamp_t stamp)
{
    struct node_sent *note = note_of(node, entry->hash);

    if (note->hash != entry->hash || note->stamp != stamp)
        return false;
    if (entry->stamp == stamp)
        *note = (struct node_sent){0, STAMP_NONE};
    return true;
}

static void note_sent(struct node *node, uint64_t hash, stamp_t entry,
                      stamp_t stamp)
{
    if (stamp > entry)
        *note_of(node, hash) = (struct node_sent){hash, stamp};
}

/* ---- a value in parts ---- */

static bool still_current(struct node *node, const struct node_big *big)
{
    struct engine_view view;
    bool current;

    if (!RULE(RECHECK))
        return true;
    if (big->stale || !engine_find(node->thread, big->head.hash, &view))
        return false;
    current = view.stamp == big->head.stamp ||
              stamp_node(view.stamp) == node->peer.node_bit;
    engine_view_end(node->thread, &view);
    return current;
}

/* What the entry or the scan asked for is done, or will be asked for anew. */
static void end_parts(struct node *node, bool sent)
{
    struct node_big *big = &node->send.big;

    engine_item_release(node->thread, &big->item);
    if (!sent)
        return;
    node->sent++;
    node->sent_bytes += big->size;
    if (big->fetched) {
        node_fetch_sent(node);
        return;
    }
    if (big->number == 0) {
        node->send.scan.found_at++;
        return;
    }
    INVARIANT(node->send.next == big->number);
    note_sent(node, big->head.hash, big->entry, big->head.stamp);
    node->send.next++;
    node->send.through = big->number;
    node_lag_sent(node, big->number);
}

static size_t put_part(struct node *node, char *out, size_t room)
{
    struct node_big *big = &node->send.big;
    struct message message = {.type = MESSAGE_PART};
    struct slice piece = engine_item_bytes_on(node->thread, big->item,
                                              big->offset, &big->cursor);
    size_t most = room > PART_OVERHEAD ? room - PART_OVERHEAD : 0;

    if (most > CODEC_PART_BYTES)
        most = CODEC_PART_BYTES;
    if (most < PART_BYTES_MIN)
        return 0;
    if (piece.size > big->size - big->offset)
        piece.size = big->size - big->offset;
    if (piece.size > most)
        piece.size = most;
    INVARIANT(piece.size > 0);
    message.part.head = big->head;
    message.part.value_size = big->size;
    message.part.offset = big->offset;
    message.part.data = piece;
    if (big->offset + piece.size == big->size || !RULE(APPLIED))
        message.part.through = big->number;
    big->offset += piece.size;
    return put(node, &message, out, room);
}

static size_t put_parts(struct node *node, char *out, size_t room)
{
    struct node_big *big = &node->send.big;
    size_t used = 0;
    size_t bytes = 1;

    if (big->item == NULL)
        return 0;
    if (!still_current(node, big)) {
        end_parts(node, false);
        return 0;
    }
    while (bytes > 0 && big->offset < big->size) {
        bytes = put_part(node, out + used, room - used);
        used += bytes;
    }
    if (big->offset == big->size)
        end_parts(node, true);
    return used;
}

void node_send_touched(struct node *node, uint64_t from, uint64_t to)
{
    struct node_big *big = &node->send.big;

    if (big->item != NULL && big->head.hash >= from && big->head.hash <= to)
        big->stale = true;
}

/* ---- the live stream ---- */

static enum node_added add_present(struct node *node, struct codec_batch *batch,
                                   const struct journal_reference *entry,
                                   uint64_t number, struct engine_view *view)
{
    enum node_added added;

    /* A version of the peer's came over ours: the peer has it. */
    if (view->stamp > entry->stamp &&
        stamp_node(view->stamp) != node->peer.node_bit)
        return NODE_ABSENT;
    if (sent_already(node, entry, view->stamp))
        return NODE_ABSENT;
    if (node_touch_is_enough(node, entry, view))
        return node_touch_add(node, batch, entry, number, view);
    added = node_add_view(node, batch, entry->hash, view, number);
    if (added == NODE_ADDED)
        note_sent(node, entry->hash, entry->stamp, view->stamp);
    if (added == NODE_IN_PARTS)
        node->send.big.entry = entry->stamp;
    return added;
}

static enum node_added add_absent(struct node *node, struct codec_batch *batch,
                                  const struct journal_reference *entry)
{
    struct mutation remove = {.kind = MUTATION_REMOVE, .hash = entry->hash};

    remove.stamp = journal_tombstone(node->log, entry->hash);
    if (!entry->removed && remove.stamp < entry->stamp &&
        entry->stamp > node->send.told.floor &&
        stamp_node(entry->stamp) == node->peer.node_bit) {
        /* Expired, say, and not collected yet, after whatever was removed
         * before. If the peer may hold an older version, this makes a removal
         * with a number of its own. A removal whose tombstone found no room is
         * the scan's business, for its floor: made anew, it would push out
         * the next one, and so on for ever. */
        journal_gone(node->log, entry->hash, entry->stamp);
        return NODE_ABSENT;
    }
    if (remove.stamp == STAMP_NONE)
        return NODE_ABSENT;
    if (!codec_batch_add(batch, &remove, 0, NULL, NULL))
        return NODE_NO_ROOM;
    node->sent++;
    return NODE_ADDED;
}

static enum node_added add_entry(struct node *node, struct codec_batch *batch,
                                 const struct journal_reference *entry,
                                 uint64_t number)
{
    struct engine_view view;
    struct flush_state flush;
    enum node_added added;

    /* The flush state goes ahead of the number that stands for it. */
    if (entry->hash == JOURNAL_FLUSH)
        return flush_is_news(node, &flush) ? NODE_NO_ROOM : NODE_ABSENT;
    if (!engine_find_version(node->thread, entry->hash, entry->stamp, &view))
        return add_absent(node, batch, entry);
    added = add_present(node, batch, entry, number, &view);
    engine_view_end(node->thread, &view);
    return added;
}

static void prefetch(struct node *node, const struct journal_reference *entries,
                     size_t count)
{
    const struct engine *engine = node->config.engine;

    for (size_t i = 0; i < count; i++)
        engine_prefetch_bucket(engine, entries[i].hash);
    for (size_t i = 0; i < count; i++) {
        engine_prefetch_item(engine, entries[i].hash, node->send.item_bytes);
        __builtin_prefetch(note_of(node, entries[i].hash));
    }
}

/* Adds what the next few entries stand for. False: that was all for now. */
static bool add_entries(struct node *node, struct codec_batch *batch)
{
    struct journal_reference entries[NODE_READ_MAX];
    struct node_send *send = &node->send;
    size_t count =
        journal_read(node->log, &send->next, entries, STRIDE(NODE_READ_MAX));

    prefetch(node, entries, count);
    node_lag_look(node, entries, count);
    for (size_t i = 0; i < count; i++) {
        switch (add_entry(node, batch, &entries[i], send->next)) {
        case NODE_ADDED:
        case NODE_ABSENT:
            send->next++;
            break;
        case NODE_NO_ROOM:
        case NODE_IN_PARTS:
            return false;
        }
    }
    return count == NODE_READ_MAX;
}

static size_t put_live(struct node *node, char *out, size_t room)
{
    struct node_send *send = &node->send;
    struct codec_batch batch;
    uint64_t first = send->next;

    if (room < NODE_BATCH_ROOM_MIN || !codec_batch_begin(&batch, out, room))
        return 0;
    while (add_entries(node, &batch) &&
           send->next - first < STRIDE(ENTRIES_MAX))
        ;
    if (batch.count == 0 && send->next == send->through + 1)
        return 0;
    send->through = send->next - 1;
    node_lag_sent(node, send->through);
    return codec_batch_end(&batch, send->through);
}

/* ---- all of it ---- */

static bool scan_waits(struct node *node)
{
    enum node_scan_phase phase = node->send.scan.phase;

    if (node->doubted != STAMP_NONE)
        return false; /* Who knows whether it may be told. */
    if (phase == NODE_SCAN_ITEMS && node->compare.state == NODE_COMPARE_ASKED)
        return false; /* The peer has to answer first. */
    return phase == NODE_SCAN_REMOVALS || phase == NODE_SCAN_ITEMS ||
           (phase == NODE_SCAN_IDLE && journal_is_dirty(node->log));
}

/* The live stream up to room, and the rest of a value that it began. */
static size_t put_live_and_parts(struct node *node, char *out, size_t room)
{
    size_t used = put_live(node, out, room);

    return used + put_parts(node, out + used, room - used);
}

static size_t put_scan_and_parts(struct node *node, char *out, size_t room)
{
    size_t used = node_scan_output(node, out, room);

    return used + put_parts(node, out + used, room - used);
}

static size_t put_streams(struct node *node, char *out, size_t room)
{
    struct node_send *send = &node->send;
    size_t used = 0;
    size_t live;

    if (scan_waits(node) && send->scan_first)
        used = put_scan_and_parts(node, out, room / 2);
    if (send->big.item != NULL)
        return used;
    live = room - used;
    if (scan_waits(node) && !send->scan_first)
        live /= 2;
    used += put_live_and_parts(node, out + used, live);
    send->scan_first = false;
    if (send->big.item == NULL && scan_waits(node))
        used += put_scan_and_parts(node, out + used, room - used);
    else
        send->scan_first = scan_waits(node);
    return used;
}

static size_t put_goodbye(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_GOODBYE};
    struct journal_figures log;

    journal_figures(node->log, &log);
    if (node->peer.state != PEER_DRAINING || node->send.goodbye_said)
        return 0;
    if (RULE(GOODBYE) && (log.confirmed != log.last || log.dirty_buckets > 0))
        return 0;
    message.goodbye.words = SLICE_LITERAL("clean stop");
    node->send.goodbye_said = true;
    return put(node, &message, out, room);
}

/* To answer is not to ship: a pause does not keep the peer's clients waiting,
 * and what it cut in two begins anew behind it. */
static size_t put_fetched(struct node *node, char *out, size_t room)
{
    struct node_big *big = &node->send.big;
    size_t used;

    if (big->item != NULL && node->orders.paused && !big->fetched)
        end_parts(node, false);
    used = put_parts(node, out, room);
    used += node_fetch_answer(node, out + used, room - used);
    return used + put_parts(node, out + used, room - used);
}

size_t node_send_data(struct node *node, char *out, size_t room)
{
    size_t used;

    if (node->send.goodbye_said)
        return 0;
    used = put_fetched(node, out, room);
    if (node->orders.paused)
        return used;
    if (node->send.big.item == NULL)
        used += put_streams(node, out + used, room - used);
    if (used == 0)
        used = put_goodbye(node, out, room);
    return used;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes from the peer, in its order. It was checked for form by the
 * codec; here for sense: whoever speaks out of turn, acknowledges what was
 * never sent or hashes keys differently loses the link. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"

#include <stdlib.h>

#define AHEAD_MAX 32 /* Mutations whose memory is fetched together. */

void node_receive_begin(struct node *node)
{
    node->receive = (struct node_receive){.kind = RESYNC_NONE};
    (void)engine_take_evicted(node->thread); /* What was before. */
}

void node_receive_end(struct node *node)
{
    if (node->receive.item != NULL)
        engine_discard(node->thread, &node->receive.item);
    node->receive.in_parts = false;
}

int node_nonsense(struct node *node, const char *what)
{
    node->nonsense = what;
    return -ERR_SYNTAX;
}

/* ---- one mutation ---- */

static bool hash_matches(const struct node *node,
                         const struct mutation *mutation)
{
    if (mutation->kind != MUTATION_SET)
        return mutation->hash != JOURNAL_FLUSH;
    return mutation->key.size > 0 && mutation->key.size <= ENGINE_KEY_MAX &&
           engine_key_of(node->config.engine, mutation->key).hash ==
               mutation->hash;
}

/* Is there an own version of that key that the peer cannot have known? */
static bool is_conflict(struct node *node, uint64_t hash)
{
    struct engine_view view;
    bool conflict;

    if (journal_last(node->log) == node->send.through ||
        !engine_find(node->thread, hash, &view))
        return false;
    conflict = stamp_node(view.stamp) == node->peer.node_bit &&
               !journal_knows(node->log, view.stamp);
    engine_view_end(node->thread, &view);
    return conflict;
}

static void count_conflict(struct node *node, bool conflict,
                           enum apply_result result)
{
    if (!conflict)
        return;
    node->conflicts++;
    if (result == APPLY_DONE)
        node->conflicts_lost++;
    else
        node->conflicts_won++;
}

static void count_result(struct node *node, const struct mutation *mutation,
                         enum apply_result result)
{
    switch (result) {
    case APPLY_DONE:
        node->applied_count++;
        break;
    case APPLY_REMOVED:
        node->rejected_old++;
        node->floor_drops +=
            journal_answer(node->log, mutation->hash, mutation->stamp);
        break;
    case APPLY_OLDER:
    case APPLY_FLUSHED:
        node->rejected_old++;
        break;
    case APPLY_TOO_LARGE:
    case APPLY_NO_MEMORY:
        node->not_kept++;
        break;
    case APPLY_SAME:
    case APPLY_ABSENT:
        break;
    }
}

#ifdef RULES_BREAKABLE
static bool keep_nothing(void *ctx, uint64_t hash)
{
    (void)ctx;
    (void)hash;
    return false;
}
#endif

/* With the rule of stamps broken, whatever is here gives way. */
static void give_way(struct node *node, const struct mutation *mutation)
{
#ifdef RULES_BREAKABLE
    if (!RULE(STAMPS))
        engine_purge(node->thread, mutation->hash, mutation->hash, STAMP_MAX,
                     keep_nothing, NULL);
#else
    (void)node;
    (void)mutation;
#endif
}

/* Takes nothing away: neither a value on its way to the peer nor a version of
 * ours is any worse for it. */
static int prolong(struct node *node, const struct mutation *mutation)
{
    enum apply_result result = engine_apply(node->thread, mutation);

    count_result(node, mutation, result);
    if (result != APPLY_ABSENT || !RULE(ASK))
        return 0;
    node->wanted_count++;
    return node_want(node, mutation->hash)
               ? 0
               : node_nonsense(node, "it prolongs more than we can ask for");
}

static int apply(struct node *node, struct mutation *mutation)
{
    enum apply_result result;
    bool conflict;

    if (!hash_matches(node, mutation))
        return node_nonsense(node, "it hashes keys otherwise");
    if (!node_can_follow(node, mutation->stamp))
        return node_from_beyond(node);
    mutation->expires_at_s = node_local_expiry(node, mutation->expires_at_s);
    if (mutation->kind == MUTATION_TOUCH)
        return prolong(node, mutation);
    node_send_touched(node, mutation->hash, mutation->hash);
    conflict = is_conflict(node, mutation->hash);
    give_way(node, mutation);
    if (!RULE(TALLY))
        mutation->tally.base_stamp = STAMP_NONE;
    result = engine_apply(node->thread, mutation);
    count_conflict(node, conflict, result);
    count_result(node, mutation, result);
    return 0;
}

/* 0: in a scan, which has no numbers. */
static int acknowledge(struct node *node, uint64_t through)
{
    if (through == 0)
        return 0;
    if (through <= node->line.applied)
        return node_nonsense(node, "its numbers go backwards");
    node->line.applied = through;
    node->send.ack_due = true;
    return 0;
}

/* A value that stays unfinished: its sender gave it up. */
static void abandon_parts(struct node *node)
{
    node_receive_end(node);
}

/* ---- messages ---- */

/* Whose log goes on has nothing to say anew, but for longer lives that we may
 * have asked for, which can only be what it knew to be unconfirmed. */
static uint64_t said_for_sure(const struct node *node)
{
    const struct hello *theirs = &node->theirs;

    /* Whatever it can now: in an earlier life it may have known more. */
    return theirs->acked_by == node->line.incarnation ? theirs->acked : 0;
}

static bool goes_backwards(const struct node *node,
                           const struct message *message)
{
    return (message->plan.kind == RESYNC_CONTINUE ||
            message->plan.kind == RESYNC_DELTA) &&
           node->line.followed == node->theirs.incarnation &&
           message->plan.live_after < said_for_sure(node);
}

static int take_plan(struct node *node, const struct message *message)
{
    struct node_receive *receive = &node->receive;

    if (receive->planned)
        return node_nonsense(node, "a second plan");
    if (goes_backwards(node, message))
        return node_nonsense(node, "a plan that goes backwards");
    receive->planned = true;
    receive->kind = message->plan.kind;
    receive->since_ns = node->now_ns;
    receive->total = message->plan.items;
    receive->bytes_before = node->bytes_in;
    node->line.followed = node->theirs.incarnation;
    node->line.applied = message->plan.live_after;
    if (message->plan.kind != RESYNC_DIGEST)
        (void)node_drop_doubted(node);
    engine_expect(node->config.engine, message->plan.items);
    if (message->plan.kind == RESYNC_CONTINUE)
        node_signal(node, PEER_SIG_SYNCED, node->peer.link);
    return 0;
}

/* Reads some mutations ahead and asks for the memory that they will need. */
static size_t read_ahead(const struct node *node, const struct message *message,
                         size_t *at, struct mutation *mutations)
{
    const struct engine *engine = node->config.engine;
    size_t count = 0;

    while (count < AHEAD_MAX &&
           codec_next_mutation(message, at, &mutations[count])) {
        engine_prefetch_bucket(engine, mutations[count].hash);
        count++;
    }
    for (size_t i = 0; i < count; i++)
        engine_prefetch_item(engine, mutations[i].hash,
                             mutations[i].key.size + mutations[i].value.size);
    return count;
}

static int take_batch(struct node *node, const struct message *message)
{
    struct mutation mutations[AHEAD_MAX];
    size_t at = 0;
    size_t count;
    int error = 0;

    abandon_parts(node);
    do {
        count = read_ahead(node, message, &at, mutations);
        for (size_t i = 0; i < count && error == 0; i++) {
            mutations[i].idle =
                node->receive.idle && message->batch.through == 0;
            error = apply(node, &mutations[i]);
        }
    } while (error == 0 && count == AHEAD_MAX);
    if (message->batch.through == 0)
        node->receive.items += message->batch.count;
    return error == 0 ? acknowledge(node, message->batch.through) : error;
}

static int begin_part(struct node *node, const struct message *message)
{
    struct node_receive *receive = &node->receive;
    enum apply_result result;

    abandon_parts(node);
    if (!hash_matches(node, &message->part.head))
        return node_nonsense(node, "it hashes keys otherwise");
    if (!node_can_follow(node, message->part.head.stamp))
        return node_from_beyond(node);
    receive->head = message->part.head;
    receive->head.idle = receive->idle && message->part.through == 0;
    memcpy(receive->key, receive->head.key.data, receive->head.key.size);
    receive->head.key.data = receive->key;
    receive->head.value = slice_make(NULL, 0);
    receive->head.expires_at_s =
        node_local_expiry(node, receive->head.expires_at_s);
    receive->size = message->part.value_size;
    receive->offset = 0;
    receive->cursor = (struct engine_cursor){.part = NULL};
    receive->in_parts = true;
    result = engine_apply_reserve(node->thread, &receive->head, receive->size,
                                  &receive->item);
    if (receive->item == NULL) /* The rest is only counted. */
        count_result(node, &receive->head, result);
    return 0;
}

static void fill_part(struct node *node, struct slice data)
{
    struct node_receive *receive = &node->receive;
    size_t offset = (size_t)receive->offset;

    while (data.size > 0) {
        size_t room = 0;
        char *to = engine_item_space_on(node->thread, receive->item, offset,
                                        &room, &receive->cursor);

        INVARIANT(room > 0);
        if (room > data.size)
            room = data.size;
        memcpy(to, data.data, room);
        data.data += room;
        data.size -= room;
        offset += room;
    }
}

static void end_part(struct node *node)
{
    struct node_receive *receive = &node->receive;
    enum apply_result result;
    bool conflict;

    receive->in_parts = false;
    node_send_touched(node, receive->head.hash, receive->head.hash);
    if (receive->item == NULL)
        return;
    conflict = is_conflict(node, receive->head.hash);
    give_way(node, &receive->head);
    result = engine_apply_commit(node->thread, &receive->head, &receive->item);
    count_conflict(node, conflict, result);
    count_result(node, &receive->head, result);
}

/* Is it the next piece of the value that is coming? */
static bool is_next(const struct node_receive *receive,
                    const struct message *message)
{
    return receive->in_parts && receive->offset == message->part.offset &&
           receive->head.hash == message->part.head.hash &&
           receive->head.stamp == message->part.head.stamp &&
           receive->size == message->part.value_size;
}

static int take_part(struct node *node, const struct message *message)
{
    struct node_receive *receive = &node->receive;
    struct slice data = message->part.data;
    int error = 0;

    if (message->part.offset == 0)
        error = begin_part(node, message);
    if (error != 0)
        return error;
    if (!is_next(receive, message))
        return node_nonsense(node, "a piece of a value out of order");
    if (receive->item != NULL)
        fill_part(node, data);
    receive->offset += data.size;
    if (!RULE(APPLIED))
        acknowledge(node, message->part.through);
    if (receive->offset < receive->size)
        return 0;
    end_part(node);
    receive->items += message->part.through == 0;
    return acknowledge(node, message->part.through);
}

static int compare_hash(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static bool is_present(void *ctx, uint64_t hash)
{
    const struct message *message = ctx;

    return message->purge.present_count > 0 &&
           bsearch(&hash, message->purge.present, message->purge.present_count,
                   sizeof(hash), compare_hash) != NULL;
}

static int take_purge(struct node *node, struct message *message)
{
    abandon_parts(node);
    if (!node_can_follow(node, message->purge.floor))
        return node_from_beyond(node);
    node_see_stamp(node, message->purge.floor);
    node_send_touched(node, message->purge.from, message->purge.to);
    engine_purge(node->thread, message->purge.from, message->purge.to,
                 message->purge.floor, is_present, message);
    return 0;
}

/* Marks of a round ascend; its last one is the end of all hashes, and waits for
 * our word before the next round begins. */
static bool is_next_mark(const struct node *node, const struct message *message)
{
    return !node->send.ack_done &&
           message->mark.through_hash >= node->receive.marked &&
           (!message->mark.done || message->mark.through_hash == UINT64_MAX);
}

static int take_mark(struct node *node, const struct message *message)
{
    struct node_receive *receive = &node->receive;

    abandon_parts(node);
    if (!is_next_mark(node, message))
        return node_nonsense(node, "a mark out of order");
    receive->marked = message->mark.done ? 0 : message->mark.through_hash;
    node->send.ack_due = true;
    node->send.ack_hash = message->mark.through_hash;
    receive->idle |= message->mark.idle;
    if (!message->mark.done)
        return 0;
    node->send.ack_done = true;
    if (receive->kind == RESYNC_NONE)
        return 0; /* A later round of the peer's, after an overflow. */
    node->resync_items_total = receive->total;
    node->resync_bytes = node->bytes_in - receive->bytes_before;
    if (receive->items > receive->total && receive->total > 0)
        receive->items = receive->total; /* Some came twice. */
    node_resync_done(node, receive->kind, receive->items, receive->since_ns);
    node_log_resync(node, "from");
    receive->kind = RESYNC_NONE;
    node->doubted = STAMP_NONE; /* What is left of it the peer holds, too. */
    node_signal(node, PEER_SIG_SYNCED, node->peer.link);
    return 0;
}

static int take_ack(struct node *node, const struct message *message)
{
    if (message->ack.applied > node->send.through ||
        !node_scan_has_marked(node, message->ack.through_hash,
                              message->ack.done))
        return node_nonsense(node, "it confirms what was not sent");
    if (message->ack.applied < node->send.confirmed)
        return node_nonsense(node, "it takes back what it has confirmed");
    node->send.confirmed = message->ack.applied;
    node->send.touch_waits = false;
    journal_confirm(node->log, message->ack.applied);
    node_lag_confirmed(node, message->ack.applied);
    node->line.acked_by = node->theirs.incarnation;
    node->line.acked = message->ack.applied;
    node->receive.prompt = message->ack.prompt;
    node->send.peer_full |= message->ack.full;
    node_confirm_acked(node, message->ack.applied);
    node_scan_confirmed(node, message->ack.through_hash, message->ack.done);
    return 0;
}

static bool can_follow_flush(const struct node *node,
                             const struct flush_state *flush)
{
    return node_can_follow(node, flush->floor) &&
           node_can_follow(node, flush->pending);
}

static int take_flush(struct node *node, const struct message *message)
{
    struct flush_state theirs = message->flush;
    struct flush_state ours;

    if (!can_follow_flush(node, &theirs))
        return node_from_beyond(node);
    node_see_stamp(node, theirs.floor);
    node_see_stamp(node, theirs.pending);
    node_local_flush(node, &theirs);
    engine_flush_join(node->thread, &theirs);
    engine_flush_state(node->config.engine, &ours);
    /* Who told us need not be told. */
    if (ours.floor == theirs.floor && ours.pending == theirs.pending)
        node->send.told = ours;
    return 0;
}

static int take_digest(struct node *node, const struct message *message)
{
    if (node->answer.due)
        return node_nonsense(node, "a question before the answer to the last");
    node_answer_prepare(node, message);
    return 0;
}

static int take_hello(struct node *node, unsigned link,
                      const struct message *message)
{
    if (node->peer.link == link)
        return node_nonsense(node, "a second hello");
    if (!node_can_follow(node, message->hello.stamp_last) ||
        !can_follow_flush(node, &message->hello.flush))
        return node_from_beyond(node);
    node_signal_hello(node, link, &message->hello);
    return 0;
}

static int take_refusal(struct node *node, unsigned link,
                        const struct message *message)
{
    if (node->peer.link == link)
        return node_nonsense(node, "a refusal after its hello");
    node_signal_refused(node, link, message->refuse.reason,
                        message->refuse.words);
    return 0;
}

static int take_data(struct node *node, struct message *message)
{
    if (!node->receive.planned)
        return node_nonsense(node, "data before a plan");
    peer_progressed(&node->peer, node->now_ns);
    if (message->type == MESSAGE_BATCH)
        return take_batch(node, message);
    if (message->type == MESSAGE_PART)
        return take_part(node, message);
    if (message->type == MESSAGE_PURGE)
        return take_purge(node, message);
    return take_mark(node, message);
}

static int take_comparison(struct node *node, const struct message *message)
{
    if (!node_compare_is_known(node))
        return node_nonsense(node, "a comparison that was not agreed on");
    peer_progressed(&node->peer, node->now_ns);
    if (message->type == MESSAGE_DIGEST)
        return take_digest(node, message);
    return node_compare_take(node, message);
}

static int take_want(struct node *node, const struct message *message)
{
    if (!node_compare_is_known(node) && !node_touch_is_known(node))
        return node_nonsense(node, "a wish that was not agreed on");
    peer_progressed(&node->peer, node->now_ns);
    node_want_take(node, message);
    return 0;
}

/* What only the pair's link may say. */
static int take_from_pair(struct node *node, struct message *message)
{
    switch (message->type) {
    case MESSAGE_PLAN:
        return take_plan(node, message);
    case MESSAGE_BATCH:
    case MESSAGE_PART:
    case MESSAGE_PURGE:
    case MESSAGE_MARK:
        return take_data(node, message);
    case MESSAGE_ACK:
        return take_ack(node, message);
    case MESSAGE_FLUSH:
        return take_flush(node, message);
    case MESSAGE_HEARTBEAT:
        return node_heartbeat_take(node, message);
    case MESSAGE_DIGEST:
    case MESSAGE_DIFFER:
        return take_comparison(node, message);
    case MESSAGE_WANT:
        return take_want(node, message);
    case MESSAGE_FETCH:
        return node_fetch_take(node, message);
    case MESSAGE_FETCHED:
        return node_fetch_take_count(node, message);
    case MESSAGE_HELLO:
    case MESSAGE_REFUSE:
    case MESSAGE_GOODBYE:
        break;
    }
    return -ERR_SYNTAX;
}

int node_receive(struct node *node, unsigned link, struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
        return take_hello(node, link, message);
    case MESSAGE_REFUSE:
        return take_refusal(node, link, message);
    case MESSAGE_GOODBYE:
        node_signal(node, PEER_SIG_GOODBYE, link);
        return 0;
    case MESSAGE_PLAN:
    case MESSAGE_BATCH:
    case MESSAGE_PART:
    case MESSAGE_PURGE:
    case MESSAGE_MARK:
    case MESSAGE_ACK:
    case MESSAGE_FLUSH:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_DIGEST:
    case MESSAGE_DIFFER:
    case MESSAGE_WANT:
    case MESSAGE_FETCH:
    case MESSAGE_FETCHED:
        break;
    }
    return node->peer.link == link
               ? take_from_pair(node, message)
               : node_nonsense(node,
                               "more than a hello before there is a pair");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys that clients of a joining node ask for before the scan brings them.
 *
 * Ours: what workers ask for (src/base/fetch.h) goes to the peer as it comes,
 * and each waits until the peer's count of what it has answered passes it; all
 * equally long at most, so those who began first come first. Since items and
 * counts travel in one stream, an item is applied before its count is heard.
 *
 * The peer's: looked up when it can be sent, ahead of the streams, as an item
 * of a scan is: never older than what was acknowledged before it, and judged
 * by its stamp like everything else. */
#include "replication/node_inner.h"

#include "src/base/invariant.h"

#define ANSWER_ROOM_MIN (NODE_BATCH_ROOM_MIN + NODE_FETCHED_ROOM)
#define ANSWER_KEYS_MAX 512 /* Looked up in one call. */
#define PREFETCH_AHEAD 16
#define ASK_ROOM_MIN (9u * MESSAGE_FETCH_MAX + 64u)

/* ---- what we ask for ---- */

static struct fetches *fetches_of(const struct node *node)
{
    return node->config.fetches;
}

bool node_fetch_is_known(const struct node *node, const struct hello *theirs)
{
    return fetches_of(node) != NULL &&
           (theirs->features & ~node->config.features_off &
            MESSAGE_FEATURE_FETCH) != 0;
}

static void end_first(struct node_fetch *fetch)
{
    INVARIANT(fetch->count > 0);
    fetch_done(&fetch->waiting[fetch->at].fetch);
    fetch->at = (fetch->at + 1) % FETCHES_MAX;
    fetch->count--;
}

static struct node_waiting *first_of(struct node_fetch *fetch)
{
    return fetch->count > 0 ? &fetch->waiting[fetch->at] : NULL;
}

/* Who was to answer is not there. */
static void end_all(struct node *node)
{
    struct fetch *left;

    while (node->fetch.count > 0)
        end_first(&node->fetch);
    while ((left = fetches_take(fetches_of(node))) != NULL)
        fetch_done(&left);
}

static void set_gate(struct node *node, bool open)
{
    if (open != node->fetch.open)
        fetches_open(fetches_of(node), open);
    node->fetch.open = open;
}

void node_fetch_begin(struct node *node)
{
    node->fetch.asked = node->fetch.answered = node->fetch.found = 0;
    node->answers.count = node->answers.at = 0;
    node->answers.answered = node->answers.found = 0;
    node->answers.told = 0;
}

void node_fetch_apart(struct node *node)
{
    if (fetches_of(node) != NULL)
        end_all(node);
}

/* What was asked for before we had all is still answered. */
void node_fetch_review(struct node *node)
{
    enum peer_state state = node->peer.state;

    if (fetches_of(node) == NULL)
        return;
    set_gate(node,
             state == PEER_JOINING && node_fetch_is_known(node, &node->theirs));
    if (state != PEER_JOINING && state != PEER_PAIRED)
        end_all(node);
}

void node_fetch_end(struct node *node)
{
    if (fetches_of(node) == NULL)
        return;
    set_gate(node, false);
    end_all(node);
}

/* Adds its keys to the question; without room on the way it is a miss. */
static size_t ask_for(struct node *node, struct fetch *fetch, uint64_t *hashes)
{
    struct node_fetch *state = &node->fetch;
    size_t count;
    const uint64_t *wanted = fetch_hashes(fetch, &count);
    struct node_waiting *waiting;

    if (state->asked - state->answered + count > NODE_FETCH_KEYS_MAX) {
        fetch_done(&fetch);
        return 0;
    }
    INVARIANT(state->count < FETCHES_MAX);
    memcpy(hashes, wanted, count * sizeof(hashes[0]));
    state->asked += count;
    node->fetches += count;
    waiting = &state->waiting[(state->at + state->count++) % FETCHES_MAX];
    *waiting =
        (struct node_waiting){.fetch = fetch,
                              .through = state->asked,
                              .keys = count,
                              .due_ns = node->now_ns + NODE_FETCH_WAIT_NS};
    return count;
}

size_t node_fetch_put(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_FETCH};
    uint64_t hashes[MESSAGE_FETCH_MAX];
    struct fetch *fetch;
    size_t count = 0;

    if (fetches_of(node) == NULL || room < ASK_ROOM_MIN)
        return 0;
    while (count + FETCH_KEYS_MAX <= MESSAGE_FETCH_MAX &&
           (fetch = fetches_take(fetches_of(node))) != NULL)
        count += ask_for(node, fetch, hashes + count);
    if (count == 0)
        return 0;
    message.fetch.hashes = hashes;
    message.fetch.count = count;
    return codec_encode(node->codec, &message, out, room);
}

int node_fetch_take_count(struct node *node, const struct message *message)
{
    struct node_fetch *fetch = &node->fetch;
    uint64_t answered = message->fetched.answered;
    uint64_t found = message->fetched.found;
    struct node_waiting *first;
    uint64_t news;

    if (answered > fetch->asked || answered < fetch->answered ||
        found < fetch->found ||
        found - fetch->found > answered - fetch->answered)
        return node_nonsense(node, "a wrong count of what was asked for");
    news = found - fetch->found;
    node->fetch_hits += news;
    /* They were counted as items of the scan, which will bring them again. */
    node->receive.items -=
        news < node->receive.items ? news : node->receive.items;
    fetch->answered = answered;
    fetch->found = found;
    while ((first = first_of(fetch)) != NULL && first->through <= answered)
        end_first(fetch);
    return 0;
}

void node_fetch_tick(struct node *node)
{
    struct node_waiting *first;

    while ((first = first_of(&node->fetch)) != NULL &&
           first->due_ns <= node->now_ns) {
        node->fetch_timeouts += first->keys;
        end_first(&node->fetch);
    }
}

uint64_t node_fetch_deadline(const struct node *node)
{
    const struct node_fetch *fetch = &node->fetch;

    return fetch->count > 0 ? fetch->waiting[fetch->at].due_ns : PEER_NEVER;
}

/* ---- what the peer asks for ---- */

int node_fetch_take(struct node *node, const struct message *message)
{
    struct node_answers *answers = &node->answers;

    if (message->fetch.count > NODE_FETCH_KEYS_MAX - answers->count)
        return node_nonsense(node, "more questions than there may be");
    for (size_t i = 0; i < message->fetch.count; i++)
        answers
            ->hashes[(answers->at + answers->count++) % NODE_FETCH_KEYS_MAX] =
            message->fetch.hashes[i];
    return 0;
}

static uint64_t hash_at(const struct node_answers *answers, size_t i)
{
    return answers->hashes[(answers->at + i) % NODE_FETCH_KEYS_MAX];
}

static void answered(struct node_answers *answers, bool found)
{
    INVARIANT(answers->count > 0);
    answers->at = (answers->at + 1) % NODE_FETCH_KEYS_MAX;
    answers->count--;
    answers->answered++;
    answers->found += found;
}

void node_fetch_sent(struct node *node)
{
    answered(&node->answers, true);
}

static void prefetch(const struct node *node)
{
    const struct node_answers *answers = &node->answers;
    const struct engine *engine = node->config.engine;
    size_t count =
        answers->count < PREFETCH_AHEAD ? answers->count : PREFETCH_AHEAD;

    for (size_t i = 0; i < count; i++)
        engine_prefetch_bucket(engine, hash_at(answers, i));
    for (size_t i = 0; i < count; i++)
        engine_prefetch_item(engine, hash_at(answers, i),
                             node->send.item_bytes);
}

static enum node_added add_first(struct node *node, struct codec_batch *batch)
{
    uint64_t hash = hash_at(&node->answers, 0);
    struct engine_view view;
    enum node_added added;

    if (!node_find(node, hash, &view))
        return NODE_ABSENT;
    added = node_add_view(node, batch, hash, &view, 0);
    engine_view_end(node->thread, &view);
    if (added == NODE_IN_PARTS)
        node->send.big.fetched = true;
    return added;
}

static size_t put_items(struct node *node, char *out, size_t room)
{
    struct codec_batch batch;
    enum node_added added = NODE_ADDED;

    if (!codec_batch_begin(&batch, out, room))
        return 0;
    for (size_t i = 0; node->answers.count > 0 && i < ANSWER_KEYS_MAX; i++) {
        if (i % PREFETCH_AHEAD == 0)
            prefetch(node);
        added = add_first(node, &batch);
        if (added == NODE_NO_ROOM || added == NODE_IN_PARTS)
            break;
        answered(&node->answers, added == NODE_ADDED);
    }
    return batch.count > 0 ? codec_batch_end(&batch, 0) : 0;
}

static size_t put_count(struct node *node, char *out, size_t room)
{
    struct message message = {.type = MESSAGE_FETCHED};

    if (node->answers.told == node->answers.answered)
        return 0;
    message.fetched.answered = node->answers.told = node->answers.answered;
    message.fetched.found = node->answers.found;
    return codec_encode(node->codec, &message, out, room);
}

/* A value in parts is in the way of all other items, and comes before its
 * count. */
size_t node_fetch_answer(struct node *node, char *out, size_t room)
{
    size_t used = 0;

    if (node->send.big.item != NULL || room < ANSWER_ROOM_MIN)
        return 0;
    if (node->answers.count > 0)
        used = put_items(node, out, room - NODE_FETCHED_ROOM);
    return used + put_count(node, out + used, room - used);
}

bool node_fetch_is_prompt(const struct node *node)
{
    return node->answers.count > 0 ||
           node->answers.told != node->answers.answered ||
           (fetches_of(node) != NULL && fetches_wait(fetches_of(node)));
}

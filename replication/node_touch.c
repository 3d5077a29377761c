/* SPDX-License-Identifier: BSD-3-Clause */
/* A longer life without the value: of a version that the peer was given its
 * hash, its stamp and its end are enough, so that a large session that is
 * touched with every request costs some tens of bytes.
 *
 * Whether the peer still holds it only the peer knows: it may have evicted it,
 * or found it expired just before. Then it asks, ahead of its acknowledgement.
 * The answer is no message of its own: the key is repeated in the log, and goes
 * out whole, as it is by then. So the acknowledgement means that we know of
 * all that has to be sent again; what was asked for on a link that broke is
 * told once more on the next one (heard_for_sure() of the journal).
 *
 * A repair asks in the same way for what only the peer holds. */
#include "replication/node_inner.h"

/* ---- telling ---- */

bool node_touch_is_known(const struct node *node)
{
    return node_both_know(node, MESSAGE_FEATURE_TOUCH);
}

bool node_touch_is_enough(const struct node *node,
                          const struct journal_reference *entry,
                          const struct engine_view *view)
{
    return entry->touched && view->stamp == entry->stamp &&
           node_touch_is_known(node) &&
           journal_was_told(node->log, view->stamp);
}

enum node_added node_touch_add(struct node *node, struct codec_batch *batch,
                               const struct journal_reference *entry,
                               uint64_t number, const struct engine_view *view)
{
    const struct mutation touch = {.kind = MUTATION_TOUCH,
                                   .hash = entry->hash,
                                   .stamp = view->stamp,
                                   .expires_at_s = view->expires_at_s,
                                   .state = view->state & ITEM_STATE_WON};

    /* So that the peer has room to remember what it wants. */
    node->send.touch_waits = number - node->send.confirmed > NODE_TOUCHES_MAX;
    if (node->send.touch_waits ||
        !codec_batch_add(batch, &touch, 0, NULL, NULL))
        return NODE_NO_ROOM;
    node->sent++;
    node->touches++;
    return NODE_ADDED;
}

/* ---- asking ---- */

bool node_want(struct node *node, uint64_t hash)
{
    struct node_wanted *wanted = &node->wanted;

    if (wanted->count == NODE_WANTS_MAX)
        return false;
    wanted->hashes[wanted->count++] = hash;
    return true;
}

size_t node_want_put(struct node *node, char *out, size_t room)
{
    struct node_wanted *wanted = &node->wanted;
    struct message message = {.type = MESSAGE_WANT};
    size_t used = 0;
    size_t bytes = 1;

    while (wanted->put < wanted->count && bytes > 0) {
        message.want.hashes = wanted->hashes + wanted->put;
        message.want.count = wanted->count - wanted->put;
        if (message.want.count > MESSAGE_LIST_MAX)
            message.want.count = MESSAGE_LIST_MAX;
        bytes = codec_encode(node->codec, &message, out + used, room - used);
        if (bytes > 0)
            wanted->put += message.want.count;
        used += bytes;
    }
    if (wanted->put == wanted->count)
        node_want_reset(node);
    return used;
}

void node_want_take(struct node *node, const struct message *message)
{
    struct engine_view view;
    stamp_t stamp;

    for (size_t i = 0; i < message->want.count; i++) {
        if (!node_find(node, message->want.hashes[i], &view))
            continue;
        stamp = view.stamp;
        engine_view_end(node->thread, &view);
        journal_repeat(node->log, message->want.hashes[i], stamp);
    }
    node_handoff_extend(node);
}

void node_want_reset(struct node *node)
{
    node->wanted.count = node->wanted.put = 0;
}

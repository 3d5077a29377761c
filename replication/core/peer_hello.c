/* SPDX-License-Identifier: BSD-3-Clause */
/* Hellos: whom a node pairs with, whom it refuses and why, which of two links
 * stays, and which of the two nodes takes which bit. Both nodes have both
 * hellos, so they come to answers that fit. */
#include "replication/core/peer_inner.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"

/* ---- objections ---- */

static enum peer_refusal objection_to_any(const struct peer *p,
                                          const struct peer_hello *hello)
{
    if (RULE(VERSION) && (hello->version_min > p->config.version_max ||
                          hello->version_max < p->config.version_min))
        return PEER_REFUSE_VERSION;
    if (RULE(NAME) && !slice_equal(hello->pair, p->config.pair))
        return PEER_REFUSE_PAIR_NAME;
    if (hello->node == p->config.node)
        return PEER_REFUSE_SELF;
    return PEER_OK;
}

/* Somebody called us. */
static enum peer_refusal objection(const struct peer *p,
                                   const struct peer_hello *hello)
{
    enum peer_refusal reason = objection_to_any(p, hello);

    if (reason != PEER_OK)
        return reason;
    if (RULE(THIRD) && p->link != PEER_NO_LINK && hello->node != p->node)
        return PEER_REFUSE_PAIRED;
    /* A call that our peer made before it took the link that we have. */
    if (RULE(AGAIN) && p->link != PEER_NO_LINK && hello->now_ns <= p->hello_ns)
        return PEER_REFUSE_CROSSED;
    /* Of two calls that cross, the one of the lower node stays. */
    if (peer_greeting_link(p) != PEER_NO_LINK && p->config.node < hello->node)
        return PEER_REFUSE_CROSSED;
    return PEER_OK;
}

enum peer_state peer_refuse(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out, enum peer_refusal reason)
{
    struct peer_act *made;

    peer_act_on(out, PEER_ACT_REFUSE, ev->link);
    out->act[out->count - 1].reason = reason;
    made = peer_tell(out, PEER_NEWS_REFUSES, ev->link);
    made->reason = reason;
    made->node = ev->hello != NULL ? ev->hello->node : 0;
    peer_close(p, out, ev->link);
    return p->state;
}

/* Both sides have both hellos and come to opposite answers. */
static unsigned choose_bit(const struct peer *p, const struct peer_hello *hello)
{
    if (hello->node_bit != p->node_bit || !RULE(BIT))
        return p->node_bit;
    if (hello->node_bit_fixed != p->node_bit_fixed)
        return hello->node_bit_fixed ? 1 - p->node_bit : p->node_bit;
    return p->config.node < hello->node ? 0 : 1;
}

static void settle_bit(struct peer *p, const struct peer_hello *hello,
                       struct peer_acts *out)
{
    unsigned bit = choose_bit(p, hello);

    p->node_bit_fixed = true;
    if (bit == p->node_bit)
        return;
    p->node_bit = bit;
    peer_act_add(out, PEER_ACT_NODE_BIT)->bit = bit;
}

uint64_t peer_stall_ns(const struct peer *p)
{
    return PEER_STALL_DEATHS * p->config.dead_ns;
}

static enum peer_state join(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out)
{
    p->join_until_ns = ev->now_ns + peer_stall_ns(p);
    if (ev->hello->feeds && !p->served) {
        peer_tell(out, PEER_NEWS_FED, ev->link);
        p->lacks = true;
        peer_serve(p, out);
    }
    return PEER_JOINING;
}

static enum peer_state pair_up(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    struct peer_link *link = &p->links[ev->link];

    INVARIANT(p->link == PEER_NO_LINK);
    if (!link->dialed)
        peer_act_on(out, PEER_ACT_HELLO, ev->link); /* With the old bit. */
    link->state = PEER_LINK_PAIRED;
    link->sent_ns = 0; /* The first heartbeat goes at once: clocks differ. */
    p->link = ev->link;
    p->node = ev->hello->node;
    p->hello_ns = ev->hello->now_ns;
    p->dialer = link->dialed;
    p->backoff_ns = PEER_BACKOFF_MIN_NS;
    settle_bit(p, ev->hello, out);
    peer_listen(p, out); /* For a third node to hear why it is not wanted. */
    peer_tell(out, PEER_NEWS_CONNECTED, ev->link);
    peer_act_on(out, PEER_ACT_PAIR, ev->link);
    if ((!p->served || p->lacks) && ev->hello->items != 0)
        return join(p, ev, out);
    p->lacks = false;
    peer_serve(p, out);
    return PEER_PAIRED;
}

static enum peer_state called(struct peer *p, const struct peer_event *ev,
                              struct peer_acts *out)
{
    enum peer_refusal reason = objection(p, ev->hello);
    unsigned crossed = peer_greeting_link(p);

    if (reason != PEER_OK)
        return peer_refuse(p, ev, out, reason);
    if (crossed != PEER_NO_LINK)
        peer_close(p, out, crossed);
    if (p->link != PEER_NO_LINK) {
        unsigned old = p->link;

        peer_part(p, out, PEER_NEWS_SUPERSEDED);
        peer_close(p, out, old);
    }
    return pair_up(p, ev, out);
}

static enum peer_state answered(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out)
{
    enum peer_refusal reason = objection_to_any(p, ev->hello);

    if (reason == PEER_OK)
        return pair_up(p, ev, out);
    peer_dial_later(p, ev);
    p->join_until_ns = ev->now_ns + p->config.join_wait_ns;
    return peer_refuse(p, ev, out, reason);
}

enum peer_state peer_take_hello(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out)
{
    switch (p->links[ev->link].state) {
    case PEER_LINK_ACCEPTED:
        return called(p, ev, out);
    case PEER_LINK_GREETING:
        return answered(p, ev, out);
    case PEER_LINK_FREE:
    case PEER_LINK_PAIRED:
    case PEER_LINK_CLOSING:
        break;
    }
    return peer_broken(p, ev, out);
}

bool peer_would_pair(const struct peer *peer, unsigned link,
                     const struct peer_hello *hello)
{
    if (peer->state == PEER_IDLE || peer->state == PEER_DRAINING)
        return false;
    if (peer->links[link].state == PEER_LINK_GREETING)
        return objection_to_any(peer, hello) == PEER_OK;
    return peer->links[link].state == PEER_LINK_ACCEPTED &&
           objection(peer, hello) == PEER_OK;
}

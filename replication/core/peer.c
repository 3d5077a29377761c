/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of states and signals. What is left blank is the other speaking out
 * of turn: that link ends, and nothing else happens. */
#include "replication/core/peer.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"

#include <string.h>

#define HEARTBEATS_PER_DEATH 5

typedef enum peer_state step_fn(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out);

/* ---- acts ---- */

static struct peer_act *act(struct peer_acts *out, enum peer_act_kind kind)
{
    struct peer_act *made;

    INVARIANT(out->count < PEER_ACTS_MAX);
    made = &out->act[out->count++];
    *made = (struct peer_act){.kind = kind, .link = PEER_NO_LINK};
    return made;
}

static void act_on(struct peer_acts *out, enum peer_act_kind kind,
                   unsigned link)
{
    act(out, kind)->link = link;
}

static struct peer_act *tell(struct peer_acts *out, enum peer_news news,
                             unsigned link)
{
    struct peer_act *made = act(out, PEER_ACT_TELL);

    made->news = news;
    made->link = link;
    return made;
}

static void close_link(struct peer *p, struct peer_acts *out, unsigned link)
{
    p->links[link].state = PEER_LINK_CLOSING;
    act_on(out, PEER_ACT_CLOSE, link);
}

static void serve(struct peer *p, struct peer_acts *out)
{
    if (p->served)
        return;
    p->served = true;
    act(out, PEER_ACT_SERVE);
}

/* ---- dialing and listening ---- */

/* Between half and all of the backoff, which then doubles. */
static void dial_later(struct peer *p, const struct peer_event *ev)
{
    uint64_t half = p->backoff_ns / 2;

    p->dial_at_ns = ev->now_ns + half + ev->random % (half + 1);
    p->backoff_ns *= 2;
    if (p->backoff_ns > PEER_BACKOFF_MAX_NS)
        p->backoff_ns = PEER_BACKOFF_MAX_NS;
}

static unsigned greeting_link(const struct peer *p)
{
    unsigned link = 0;

    while (link < PEER_LINKS_MAX && p->links[link].state != PEER_LINK_GREETING)
        link++;
    return link;
}

static bool may_dial(const struct peer *p)
{
    return p->config.dials && !p->dialing && p->link == PEER_NO_LINK &&
           (p->state == PEER_SEEKING || p->state == PEER_ALONE) &&
           greeting_link(p) == PEER_NO_LINK;
}

static void dial(struct peer *p, struct peer_acts *out)
{
    p->dialing = true;
    act(out, PEER_ACT_DIAL);
}

static void listen_now(struct peer *p, struct peer_acts *out)
{
    if (p->listening)
        return;
    p->listening = true;
    act(out, PEER_ACT_LISTEN);
}

static void unlisten(struct peer *p, struct peer_acts *out)
{
    if (!p->listening)
        return;
    p->listening = false;
    act(out, PEER_ACT_UNLISTEN);
}

/* ---- becoming alone ---- */

static enum peer_state go_alone(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out)
{
    p->dialer = false;
    p->backoff_ns = PEER_BACKOFF_MIN_NS;
    dial_later(p, ev);
    listen_now(p, out);
    tell(out, PEER_NEWS_ALONE, PEER_NO_LINK);
    serve(p, out);
    return PEER_ALONE;
}

static enum peer_state after_parting(struct peer *p,
                                     const struct peer_event *ev,
                                     struct peer_acts *out)
{
    return p->state == PEER_DRAINING ? PEER_DRAINING : go_alone(p, ev, out);
}

static void part(struct peer *p, struct peer_acts *out, enum peer_news news)
{
    tell(out, news, p->link);
    act_on(out, PEER_ACT_PART, p->link);
    p->link = PEER_NO_LINK;
}

/* We end a link; if it is the pair's, the pair ends. */
static enum peer_state drop(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out, unsigned link,
                            enum peer_news news)
{
    bool paired = link == p->link;

    if (paired)
        part(p, out, news);
    close_link(p, out, link);
    return paired ? after_parting(p, ev, out) : p->state;
}

static enum peer_state broken(struct peer *p, const struct peer_event *ev,
                              struct peer_acts *out)
{
    enum peer_link_state state = p->links[ev->link].state;

    if (state == PEER_LINK_FREE || state == PEER_LINK_CLOSING)
        return p->state;
    if (state == PEER_LINK_GREETING)
        dial_later(p, ev);
    return drop(p, ev, out, ev->link, PEER_NEWS_BROKEN);
}

/* ---- steps: the beginning ---- */

static enum peer_state start(struct peer *p, const struct peer_event *ev,
                             struct peer_acts *out)
{
    if (!p->config.dials)
        return go_alone(p, ev, out);
    p->dialer = true;
    p->join_until_ns = ev->now_ns + p->config.join_wait_ns;
    dial(p, out);
    return PEER_SEEKING;
}

static void open_link(struct peer *p, const struct peer_event *ev,
                      enum peer_link_state state)
{
    INVARIANT(p->links[ev->link].state == PEER_LINK_FREE);
    p->links[ev->link] =
        (struct peer_link){.state = state,
                           .dialed = state == PEER_LINK_GREETING,
                           .heard_ns = ev->now_ns,
                           .sent_ns = ev->now_ns};
}

static enum peer_state greet(struct peer *p, const struct peer_event *ev,
                             struct peer_acts *out)
{
    p->dialing = false;
    open_link(p, ev, PEER_LINK_GREETING);
    act_on(out, PEER_ACT_HELLO, ev->link);
    return p->state;
}

/* The answer comes when we have a peer already, or leave. */
static enum peer_state hang_up(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    if (ev->signal == PEER_SIG_DIALED)
        p->dialing = false;
    close_link(p, out, ev->link);
    return p->state;
}

static enum peer_state not_found(struct peer *p, const struct peer_event *ev,
                                 struct peer_acts *out)
{
    p->dialing = false;
    if (p->state == PEER_SEEKING)
        return go_alone(p, ev, out);
    dial_later(p, ev);
    return p->state;
}

static enum peer_state accept_link(struct peer *p, const struct peer_event *ev,
                                   struct peer_acts *out)
{
    (void)out;
    open_link(p, ev, PEER_LINK_ACCEPTED);
    return p->state;
}

/* ---- steps: hello ---- */

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
    if (greeting_link(p) != PEER_NO_LINK && p->config.node < hello->node)
        return PEER_REFUSE_CROSSED;
    return PEER_OK;
}

static enum peer_state refuse(struct peer *p, const struct peer_event *ev,
                              struct peer_acts *out, enum peer_refusal reason)
{
    struct peer_act *made;

    act_on(out, PEER_ACT_REFUSE, ev->link);
    out->act[out->count - 1].reason = reason;
    made = tell(out, PEER_NEWS_REFUSES, ev->link);
    made->reason = reason;
    made->node = ev->hello != NULL ? ev->hello->node : 0;
    close_link(p, out, ev->link);
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
    act(out, PEER_ACT_NODE_BIT)->bit = bit;
}

static uint64_t stall_ns(const struct peer *p)
{
    return PEER_STALL_DEATHS * p->config.dead_ns;
}

static enum peer_state join(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out)
{
    p->join_until_ns = ev->now_ns + stall_ns(p);
    if (ev->hello->feeds && !p->served) {
        tell(out, PEER_NEWS_FED, ev->link);
        p->lacks = true;
        serve(p, out);
    }
    return PEER_JOINING;
}

static enum peer_state pair_up(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    struct peer_link *link = &p->links[ev->link];

    INVARIANT(p->link == PEER_NO_LINK);
    if (!link->dialed)
        act_on(out, PEER_ACT_HELLO, ev->link); /* With the old bit. */
    link->state = PEER_LINK_PAIRED;
    link->sent_ns = 0; /* The first heartbeat goes at once: clocks differ. */
    p->link = ev->link;
    p->node = ev->hello->node;
    p->hello_ns = ev->hello->now_ns;
    p->dialer = link->dialed;
    p->backoff_ns = PEER_BACKOFF_MIN_NS;
    settle_bit(p, ev->hello, out);
    listen_now(p, out); /* For a third node to hear why it is not wanted. */
    tell(out, PEER_NEWS_CONNECTED, ev->link);
    act_on(out, PEER_ACT_PAIR, ev->link);
    if ((!p->served || p->lacks) && ev->hello->items != 0)
        return join(p, ev, out);
    p->lacks = false;
    serve(p, out);
    return PEER_PAIRED;
}

static enum peer_state called(struct peer *p, const struct peer_event *ev,
                              struct peer_acts *out)
{
    enum peer_refusal reason = objection(p, ev->hello);
    unsigned crossed = greeting_link(p);

    if (reason != PEER_OK)
        return refuse(p, ev, out, reason);
    if (crossed != PEER_NO_LINK)
        close_link(p, out, crossed);
    if (p->link != PEER_NO_LINK) {
        unsigned old = p->link;

        part(p, out, PEER_NEWS_SUPERSEDED);
        close_link(p, out, old);
    }
    return pair_up(p, ev, out);
}

static enum peer_state answered(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out)
{
    enum peer_refusal reason = objection_to_any(p, ev->hello);

    if (reason == PEER_OK)
        return pair_up(p, ev, out);
    dial_later(p, ev);
    p->join_until_ns = ev->now_ns + p->config.join_wait_ns;
    return refuse(p, ev, out, reason);
}

static enum peer_state hello(struct peer *p, const struct peer_event *ev,
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
    return broken(p, ev, out);
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

/* ---- steps: the end of links ---- */

static enum peer_state refused(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    if (p->links[ev->link].state != PEER_LINK_GREETING)
        return broken(p, ev, out);
    close_link(p, out, ev->link);
    tell(out, PEER_NEWS_REFUSED, ev->link)->reason = ev->reason;
    if (ev->reason == PEER_REFUSE_SELF) {
        p->backoff_ns = PEER_BACKOFF_MAX_NS;
        if (p->state == PEER_SEEKING)
            return go_alone(p, ev, out);
    }
    dial_later(p, ev);
    /* There is somebody: a new wait for the day when there is not. */
    p->join_until_ns = ev->now_ns + p->config.join_wait_ns;
    return p->state;
}

/* Nothing was said yet. */
static enum peer_state insecure(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out)
{
    struct peer_event refusal = *ev;

    refusal.reason = PEER_REFUSE_SECURITY;
    if (p->links[ev->link].state == PEER_LINK_ACCEPTED)
        return refuse(p, &refusal, out, PEER_REFUSE_SECURITY);
    return refused(p, &refusal, out);
}

static enum peer_state lost(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out)
{
    enum peer_link_state was = p->links[ev->link].state;

    p->links[ev->link] = (struct peer_link){.state = PEER_LINK_FREE};
    if (was == PEER_LINK_GREETING)
        dial_later(p, ev);
    if (was != PEER_LINK_PAIRED)
        return p->state;
    part(p, out, PEER_NEWS_LOST);
    return after_parting(p, ev, out);
}

static enum peer_state goodbye(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    if (ev->link != p->link)
        return broken(p, ev, out);
    return drop(p, ev, out, ev->link, PEER_NEWS_LEFT);
}

/* ---- steps: the rest ---- */

static enum peer_state synced(struct peer *p, const struct peer_event *ev,
                              struct peer_acts *out)
{
    (void)ev;
    p->lacks = false;
    tell(out, PEER_NEWS_SERVING, p->link);
    serve(p, out);
    return PEER_PAIRED;
}

/* Whom the peer feeds has clients already. */
static bool may_stall(const struct peer *p)
{
    return p->state == PEER_JOINING && !p->lacks;
}

/* It shows signs of life, and that is all. */
static enum peer_state open_anyway(struct peer *p, struct peer_acts *out)
{
    tell(out, PEER_NEWS_STALLED, p->link);
    serve(p, out);
    return PEER_PAIRED;
}

static enum peer_state stay(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out)
{
    (void)ev;
    (void)out;
    return p->state;
}

static enum peer_state no_dial(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    p->dialing = false;
    return stay(p, ev, out);
}

static enum peer_state listen_failed(struct peer *p,
                                     const struct peer_event *ev,
                                     struct peer_acts *out)
{
    (void)out;
    p->listening = false;
    p->listen_at_ns = ev->now_ns + PEER_BACKOFF_MAX_NS / 2 +
                      ev->random % (PEER_BACKOFF_MAX_NS / 2);
    return p->state;
}

static bool is_open(const struct peer_link *link)
{
    return link->state != PEER_LINK_FREE && link->state != PEER_LINK_CLOSING;
}

static bool silent(const struct peer *p, const struct peer_link *link,
                   uint64_t now_ns)
{
    return RULE(SILENT) && is_open(link) &&
           now_ns >= link->heard_ns + p->config.dead_ns;
}

static enum peer_state end_silent(struct peer *p, const struct peer_event *ev,
                                  struct peer_acts *out)
{
    for (unsigned link = 0; link < PEER_LINKS_MAX; link++) {
        if (link == p->link || !silent(p, &p->links[link], ev->now_ns))
            continue;
        if (p->links[link].state == PEER_LINK_GREETING)
            dial_later(p, ev);
        close_link(p, out, link);
    }
    if (p->link != PEER_NO_LINK && silent(p, &p->links[p->link], ev->now_ns))
        return drop(p, ev, out, p->link, PEER_NEWS_SILENT);
    return p->state;
}

/* On one host with its peer a node may have to wait for the port. */
static bool waits_to_listen(const struct peer *p)
{
    return !p->listening &&
           (p->state == PEER_ALONE || p->state == PEER_JOINING ||
            p->state == PEER_PAIRED);
}

static enum peer_state on_time(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    enum peer_state state = end_silent(p, ev, out);

    if (state != p->state)
        return state;
    if (state == PEER_SEEKING && ev->now_ns >= p->join_until_ns)
        return go_alone(p, ev, out);
    if (may_stall(p) && ev->now_ns >= p->join_until_ns)
        return open_anyway(p, out);
    if (waits_to_listen(p) && ev->now_ns >= p->listen_at_ns)
        listen_now(p, out);
    if (may_dial(p) && ev->now_ns >= p->dial_at_ns)
        dial(p, out);
    return state;
}

/* Only the pair's link stays, for what is still to be told. */
static enum peer_state drain(struct peer *p, const struct peer_event *ev,
                             struct peer_acts *out)
{
    (void)ev;
    unlisten(p, out);
    for (unsigned link = 0; link < PEER_LINKS_MAX; link++)
        if (p->links[link].state == PEER_LINK_ACCEPTED ||
            p->links[link].state == PEER_LINK_GREETING)
            close_link(p, out, link);
    return PEER_DRAINING;
}

static step_fn *const steps[PEER_STATES][PEER_SIGNALS] = {
    [PEER_IDLE] =
        {
            [PEER_SIG_START] = start,
            [PEER_SIG_TIME] = stay,
            [PEER_SIG_DRAIN] = drain,
        },
    [PEER_SEEKING] =
        {
            [PEER_SIG_DIALED] = greet,
            [PEER_SIG_DIAL_FAILED] = not_found,
            [PEER_SIG_ACCEPTED] = accept_link,
            [PEER_SIG_LOST] = lost,
            [PEER_SIG_HELLO] = hello,
            [PEER_SIG_REFUSED] = refused,
            [PEER_SIG_INSECURE] = insecure,
            [PEER_SIG_TIME] = on_time,
            [PEER_SIG_DRAIN] = drain,
        },
    [PEER_ALONE] =
        {
            [PEER_SIG_DIALED] = greet,
            [PEER_SIG_DIAL_FAILED] = not_found,
            [PEER_SIG_ACCEPTED] = accept_link,
            [PEER_SIG_LOST] = lost,
            [PEER_SIG_HELLO] = hello,
            [PEER_SIG_REFUSED] = refused,
            [PEER_SIG_LISTEN_FAILED] = listen_failed,
            [PEER_SIG_INSECURE] = insecure,
            [PEER_SIG_TIME] = on_time,
            [PEER_SIG_DRAIN] = drain,
        },
    [PEER_JOINING] =
        {
            [PEER_SIG_DIALED] = hang_up,
            [PEER_SIG_DIAL_FAILED] = no_dial,
            [PEER_SIG_ACCEPTED] = accept_link,
            [PEER_SIG_LOST] = lost,
            [PEER_SIG_HELLO] = hello,
            [PEER_SIG_GOODBYE] = goodbye,
            [PEER_SIG_SYNCED] = synced,
            [PEER_SIG_LISTEN_FAILED] = listen_failed,
            [PEER_SIG_INSECURE] = insecure,
            [PEER_SIG_TIME] = on_time,
            [PEER_SIG_DRAIN] = drain,
        },
    [PEER_PAIRED] =
        {
            [PEER_SIG_DIALED] = hang_up,
            [PEER_SIG_DIAL_FAILED] = no_dial,
            [PEER_SIG_ACCEPTED] = accept_link,
            [PEER_SIG_LOST] = lost,
            [PEER_SIG_HELLO] = hello,
            [PEER_SIG_GOODBYE] = goodbye,
            [PEER_SIG_SYNCED] = stay, /* It served before it paired. */
            [PEER_SIG_LISTEN_FAILED] = listen_failed,
            [PEER_SIG_INSECURE] = insecure,
            [PEER_SIG_TIME] = on_time,
            [PEER_SIG_DRAIN] = drain,
        },
    [PEER_DRAINING] =
        {
            [PEER_SIG_DIALED] = hang_up,
            [PEER_SIG_DIAL_FAILED] = no_dial,
            [PEER_SIG_ACCEPTED] = hang_up,
            [PEER_SIG_LOST] = lost,
            [PEER_SIG_GOODBYE] = goodbye,
            [PEER_SIG_SYNCED] = stay,
            [PEER_SIG_LISTEN_FAILED] = listen_failed,
            [PEER_SIG_TIME] = on_time,
            [PEER_SIG_DRAIN] = stay,
        },
};

/* Whoever was stopped for a while finds the other's words unread: they shall
 * have a chance before the other counts as dead. */
static void allow_for_own_pause(struct peer *p, uint64_t now_ns)
{
    uint64_t grace = p->config.dead_ns / 2;
    uint64_t last_ns = p->last_ns;

    p->last_ns = now_ns;
    if (last_ns == 0 || now_ns <= last_ns + grace)
        return;
    for (unsigned link = 0; link < PEER_LINKS_MAX; link++)
        if (p->links[link].heard_ns < now_ns - grace)
            p->links[link].heard_ns = now_ns - grace;
    if (p->state == PEER_JOINING)
        p->join_until_ns += now_ns - last_ns;
}

void peer_init(struct peer *peer, const struct peer_config *config)
{
    *peer = (struct peer){.config = *config,
                          .state = PEER_IDLE,
                          .link = PEER_NO_LINK,
                          .node_bit = config->node_bit,
                          .backoff_ns = PEER_BACKOFF_MIN_NS};
}

void peer_step(struct peer *peer, const struct peer_event *event,
               struct peer_acts *out)
{
    step_fn *step;

    INVARIANT(peer->state < PEER_STATES);
    INVARIANT(event->signal < PEER_SIGNALS);
    INVARIANT(event->link < PEER_LINKS_MAX);
    INVARIANT(out->count == 0);

    allow_for_own_pause(peer, event->now_ns);
    step = steps[peer->state][event->signal];
    peer->state = (step != NULL ? step : broken)(peer, event, out);
}

/* ---- life signs and deadlines ---- */

void peer_heard(struct peer *peer, unsigned link, uint64_t now_ns)
{
    allow_for_own_pause(peer, now_ns);
    /* A caller who never says hello must not live by chatter. */
    if (peer->links[link].state == PEER_LINK_PAIRED)
        peer->links[link].heard_ns = now_ns;
}

void peer_progressed(struct peer *peer, uint64_t now_ns)
{
    if (peer->state == PEER_JOINING)
        peer->join_until_ns = now_ns + stall_ns(peer);
}

void peer_sent(struct peer *peer, unsigned link, uint64_t now_ns)
{
    allow_for_own_pause(peer, now_ns);
    peer->links[link].sent_ns = now_ns;
}

static uint64_t heartbeat_ns(const struct peer *p)
{
    return p->config.dead_ns / HEARTBEATS_PER_DEATH;
}

static uint64_t heartbeat_at(const struct peer *p, unsigned link)
{
    return p->links[link].sent_ns + heartbeat_ns(p);
}

bool peer_heartbeat_due(const struct peer *peer, unsigned link, uint64_t now_ns)
{
    return peer->link == link && now_ns >= heartbeat_at(peer, link);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t peer_deadline(const struct peer *peer)
{
    uint64_t at = PEER_NEVER;

    /* A link wants a look often enough for a pause of our own to be told from
     * the other's silence. */
    for (unsigned link = 0; link < PEER_LINKS_MAX; link++)
        if (is_open(&peer->links[link]))
            at = earlier(
                peer->last_ns + heartbeat_ns(peer),
                earlier(at, peer->links[link].heard_ns + peer->config.dead_ns));
    if (peer->link != PEER_NO_LINK)
        at = earlier(at, heartbeat_at(peer, peer->link));
    if (peer->state == PEER_SEEKING || may_stall(peer))
        at = earlier(at, peer->join_until_ns);
    if (waits_to_listen(peer))
        at = earlier(at, peer->listen_at_ns);
    if (may_dial(peer))
        at = earlier(at, peer->dial_at_ns);
    return at;
}

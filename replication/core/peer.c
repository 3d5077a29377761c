/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of states and signals. What is left blank is the other speaking out
 * of turn: that link ends, and nothing else happens. */
#include "replication/core/peer_inner.h"

#include "replication/core/rules.h"
#include "src/base/invariant.h"

#include <string.h>

#define HEARTBEATS_PER_DEATH 5

typedef enum peer_state step_fn(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out);

/* ---- acts ---- */

struct peer_act *peer_act_add(struct peer_acts *out, enum peer_act_kind kind)
{
    struct peer_act *made;

    INVARIANT(out->count < PEER_ACTS_MAX);
    made = &out->act[out->count++];
    *made = (struct peer_act){.kind = kind, .link = PEER_NO_LINK};
    return made;
}

void peer_act_on(struct peer_acts *out, enum peer_act_kind kind, unsigned link)
{
    peer_act_add(out, kind)->link = link;
}

struct peer_act *peer_tell(struct peer_acts *out, enum peer_news news,
                           unsigned link)
{
    struct peer_act *made = peer_act_add(out, PEER_ACT_TELL);

    made->news = news;
    made->link = link;
    return made;
}

void peer_close(struct peer *p, struct peer_acts *out, unsigned link)
{
    p->links[link].state = PEER_LINK_CLOSING;
    peer_act_on(out, PEER_ACT_CLOSE, link);
}

void peer_serve(struct peer *p, struct peer_acts *out)
{
    if (p->served)
        return;
    p->served = true;
    peer_act_add(out, PEER_ACT_SERVE);
}

/* ---- dialing and listening ---- */

/* Between half and all of the backoff, which then doubles. */
void peer_dial_later(struct peer *p, const struct peer_event *ev)
{
    uint64_t half = p->backoff_ns / 2;

    p->dial_at_ns = ev->now_ns + half + ev->random % (half + 1);
    p->backoff_ns *= 2;
    if (p->backoff_ns > PEER_BACKOFF_MAX_NS)
        p->backoff_ns = PEER_BACKOFF_MAX_NS;
}

unsigned peer_greeting_link(const struct peer *p)
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
           peer_greeting_link(p) == PEER_NO_LINK;
}

static void dial(struct peer *p, struct peer_acts *out)
{
    p->dialing = true;
    peer_act_add(out, PEER_ACT_DIAL);
}

void peer_listen(struct peer *p, struct peer_acts *out)
{
    if (p->listening)
        return;
    p->listening = true;
    peer_act_add(out, PEER_ACT_LISTEN);
}

static void unlisten(struct peer *p, struct peer_acts *out)
{
    if (!p->listening)
        return;
    p->listening = false;
    peer_act_add(out, PEER_ACT_UNLISTEN);
}

/* ---- becoming alone ---- */

static enum peer_state go_alone(struct peer *p, const struct peer_event *ev,
                                struct peer_acts *out)
{
    p->dialer = false;
    p->backoff_ns = PEER_BACKOFF_MIN_NS;
    peer_dial_later(p, ev);
    peer_listen(p, out);
    peer_tell(out, PEER_NEWS_ALONE, PEER_NO_LINK);
    peer_serve(p, out);
    return PEER_ALONE;
}

static enum peer_state after_parting(struct peer *p,
                                     const struct peer_event *ev,
                                     struct peer_acts *out)
{
    return p->state == PEER_DRAINING ? PEER_DRAINING : go_alone(p, ev, out);
}

void peer_part(struct peer *p, struct peer_acts *out, enum peer_news news)
{
    peer_tell(out, news, p->link);
    peer_act_on(out, PEER_ACT_PART, p->link);
    p->link = PEER_NO_LINK;
}

/* We end a link; if it is the pair's, the pair ends. */
static enum peer_state drop(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out, unsigned link,
                            enum peer_news news)
{
    bool paired = link == p->link;

    if (paired)
        peer_part(p, out, news);
    peer_close(p, out, link);
    return paired ? after_parting(p, ev, out) : p->state;
}

enum peer_state peer_broken(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out)
{
    enum peer_link_state state = p->links[ev->link].state;

    if (state == PEER_LINK_FREE || state == PEER_LINK_CLOSING)
        return p->state;
    if (state == PEER_LINK_GREETING)
        peer_dial_later(p, ev);
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
    peer_act_on(out, PEER_ACT_HELLO, ev->link);
    return p->state;
}

/* The answer comes when we have a peer already, or leave. */
static enum peer_state hang_up(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    if (ev->signal == PEER_SIG_DIALED)
        p->dialing = false;
    peer_close(p, out, ev->link);
    return p->state;
}

static enum peer_state not_found(struct peer *p, const struct peer_event *ev,
                                 struct peer_acts *out)
{
    p->dialing = false;
    if (p->state == PEER_SEEKING)
        return go_alone(p, ev, out);
    peer_dial_later(p, ev);
    return p->state;
}

static enum peer_state accept_link(struct peer *p, const struct peer_event *ev,
                                   struct peer_acts *out)
{
    (void)out;
    open_link(p, ev, PEER_LINK_ACCEPTED);
    return p->state;
}

/* ---- steps: the end of links ---- */

static enum peer_state refused(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    if (p->links[ev->link].state != PEER_LINK_GREETING)
        return peer_broken(p, ev, out);
    peer_close(p, out, ev->link);
    peer_tell(out, PEER_NEWS_REFUSED, ev->link)->reason = ev->reason;
    if (ev->reason == PEER_REFUSE_SELF) {
        p->backoff_ns = PEER_BACKOFF_MAX_NS;
        if (p->state == PEER_SEEKING)
            return go_alone(p, ev, out);
    }
    peer_dial_later(p, ev);
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
        return peer_refuse(p, &refusal, out, PEER_REFUSE_SECURITY);
    return refused(p, &refusal, out);
}

static enum peer_state lost(struct peer *p, const struct peer_event *ev,
                            struct peer_acts *out)
{
    enum peer_link_state was = p->links[ev->link].state;

    p->links[ev->link] = (struct peer_link){.state = PEER_LINK_FREE};
    if (was == PEER_LINK_GREETING)
        peer_dial_later(p, ev);
    if (was != PEER_LINK_PAIRED)
        return p->state;
    peer_part(p, out, PEER_NEWS_LOST);
    return after_parting(p, ev, out);
}

static enum peer_state goodbye(struct peer *p, const struct peer_event *ev,
                               struct peer_acts *out)
{
    if (ev->link != p->link)
        return peer_broken(p, ev, out);
    return drop(p, ev, out, ev->link, PEER_NEWS_LEFT);
}

/* ---- steps: the rest ---- */

static enum peer_state synced(struct peer *p, const struct peer_event *ev,
                              struct peer_acts *out)
{
    (void)ev;
    p->lacks = false;
    peer_tell(out, PEER_NEWS_SERVING, p->link);
    peer_serve(p, out);
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
    peer_tell(out, PEER_NEWS_STALLED, p->link);
    peer_serve(p, out);
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
            peer_dial_later(p, ev);
        peer_close(p, out, link);
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
        peer_listen(p, out);
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
            peer_close(p, out, link);
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
            [PEER_SIG_HELLO] = peer_take_hello,
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
            [PEER_SIG_HELLO] = peer_take_hello,
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
            [PEER_SIG_HELLO] = peer_take_hello,
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
            [PEER_SIG_HELLO] = peer_take_hello,
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
    peer->state = (step != NULL ? step : peer_broken)(peer, event, out);
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
        peer->join_until_ns = now_ns + peer_stall_ns(peer);
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

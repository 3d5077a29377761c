/* SPDX-License-Identifier: BSD-3-Clause */
/* Who pairs with whom, and when: dialing, greeting, refusing, one link out of
 * two, silence and parting, as a pure state machine. Time, randomness and what
 * the other said come in with the event; what is to be done comes out as acts.
 *
 *            nobody answers                 hello, served already
 *   SEEKING ---------------> ALONE <----------------------------> PAIRED
 *      |  hello                ^  link lost: serve what came        ^
 *      +---------> JOINING ----+------------------------------------+
 *                                       has the data
 *
 * A peer that lives and does not bring its data keeps nobody JOINING for ever.
 *
 * A JOINING node serves at once if the peer feeds it, and joins again if the
 * link is lost before it has all.
 *
 * DRAINING can come from any of them and is the last.
 *
 * A link is a connection, 0..PEER_LINKS_MAX-1, whose number the caller
 * chooses; of all of them one at most is the pair's. */
#ifndef REPLICATION_CORE_PEER_H
#define REPLICATION_CORE_PEER_H

#include "src/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define PEER_LINKS_MAX 4u
#define PEER_NO_LINK PEER_LINKS_MAX
#define PEER_ACTS_MAX 24
#define PEER_BACKOFF_MIN_NS 50000000ull
#define PEER_BACKOFF_MAX_NS 500000000ull
#define PEER_STALL_DEATHS 10u /* Deaths' time without a step forward. */
#define PEER_NEVER UINT64_MAX

enum peer_state {
    PEER_IDLE,
    PEER_SEEKING, /* Looks for its peer; the client port is closed. */
    PEER_ALONE,   /* Serves, and keeps dialing. All listen from here on. */
    PEER_JOINING, /* Paired, but has not got the data yet. */
    PEER_PAIRED,
    PEER_DRAINING,
    PEER_STATES,
};

enum peer_signal {
    PEER_SIG_START,
    PEER_SIG_DIALED,        /* Our call was answered; link. */
    PEER_SIG_DIAL_FAILED,   /* Nobody answered. */
    PEER_SIG_ACCEPTED,      /* Somebody called; link. */
    PEER_SIG_LOST,          /* The link is gone; link. */
    PEER_SIG_HELLO,         /* Link and hello. */
    PEER_SIG_REFUSED,       /* The other says no; link and reason. */
    PEER_SIG_GOODBYE,       /* The other leaves; link. */
    PEER_SIG_BROKEN,        /* The other sends nonsense; link. */
    PEER_SIG_INSECURE,      /* The other did not prove who it is; link. */
    PEER_SIG_SYNCED,        /* We have the peer's data. */
    PEER_SIG_LISTEN_FAILED, /* The port is taken; try again. */
    PEER_SIG_TIME,
    PEER_SIG_DRAIN,
    PEER_SIGNALS,
};

enum peer_refusal {
    PEER_OK,
    PEER_REFUSE_VERSION,
    PEER_REFUSE_PAIR_NAME,
    PEER_REFUSE_PAIRED,
    PEER_REFUSE_SELF,
    PEER_REFUSE_STRANGER,
    PEER_REFUSE_CROSSED,
    PEER_REFUSE_SECURITY,  /* One of two has not proved who it is. */
    PEER_REFUSE_OTHERWISE, /* For what only a newer node knows. */
};

/* What a hello says to this machine. */
struct peer_hello {
    uint32_t version_min;
    uint32_t version_max;
    struct slice pair;
    uint64_t node;
    unsigned node_bit;
    bool node_bit_fixed;
    uint64_t now_ns; /* On the other's clock. */
    uint64_t items;
    bool feeds; /* It can be asked for what we have not got yet. */
};

struct peer_event {
    enum peer_signal signal;
    uint64_t now_ns;
    uint64_t random;
    unsigned link;
    enum peer_refusal reason;       /* REFUSED */
    const struct peer_hello *hello; /* HELLO */
};

enum peer_act_kind {
    PEER_ACT_DIAL,
    PEER_ACT_LISTEN,
    PEER_ACT_UNLISTEN,
    PEER_ACT_HELLO,    /* Say hello on the link, as things are now. */
    PEER_ACT_REFUSE,   /* Say why not, on the link; a close follows. */
    PEER_ACT_CLOSE,    /* The link, once what was said is out. */
    PEER_ACT_NODE_BIT, /* From now on stamps carry `bit`. */
    PEER_ACT_PAIR,     /* The link is the pair's: the streams begin. */
    PEER_ACT_PART,     /* It is no more: the streams end. */
    PEER_ACT_SERVE,    /* The client port may open. Once. */
    PEER_ACT_TELL,     /* The operator, `news`. */
};

enum peer_news {
    PEER_NEWS_ALONE,     /* Serves alone now and listens. */
    PEER_NEWS_CONNECTED, /* Paired on `link`. */
    PEER_NEWS_FED,       /* Clients may come, it has the data of the peer. */
    PEER_NEWS_SERVING,   /* Has the data, clients may come. */
    PEER_NEWS_STALLED,   /* Clients may come although the data does not. */
    PEER_NEWS_SILENT,
    PEER_NEWS_LOST,
    PEER_NEWS_LEFT,
    PEER_NEWS_BROKEN,
    PEER_NEWS_SUPERSEDED, /* The same peer has called anew. */
    PEER_NEWS_REFUSES,    /* We refuse the other for `reason`. */
    PEER_NEWS_REFUSED,    /* The other refuses us for `reason`. */
};

struct peer_act {
    enum peer_act_kind kind;
    unsigned link;
    unsigned bit;
    enum peer_refusal reason;
    enum peer_news news;
    uint64_t node; /* Whom we refuse. */
};

struct peer_acts {
    struct peer_act act[PEER_ACTS_MAX];
    unsigned count;
};

enum peer_link_state {
    PEER_LINK_FREE,
    PEER_LINK_ACCEPTED, /* Has not said hello yet. */
    PEER_LINK_GREETING, /* We called and said hello. */
    PEER_LINK_PAIRED,
    PEER_LINK_CLOSING, /* Until the caller says LOST. */
};

struct peer_link {
    enum peer_link_state state;
    bool dialed;
    uint64_t heard_ns; /* Or since when it is there. */
    uint64_t sent_ns;
};

struct peer_config {
    uint64_t node;
    struct slice pair;
    uint32_t version_min;
    uint32_t version_max;
    bool dials;
    unsigned node_bit;
    uint64_t join_wait_ns;
    uint64_t dead_ns;
};

/* Owner: the replication thread. Read it freely; peer_step() writes it. */
struct peer {
    struct peer_config config;
    enum peer_state state;
    struct peer_link links[PEER_LINKS_MAX];
    unsigned link;     /* The pair's; or PEER_NO_LINK. */
    uint64_t node;     /* The peer's, of the last pairing. */
    uint64_t hello_ns; /* On its clock. */
    unsigned node_bit;
    bool node_bit_fixed;
    bool dialer; /* On the present or last link we called. */
    bool dialing;
    bool listening;
    bool served;
    bool lacks; /* Served before we had the data, and still has not got it. */
    uint64_t backoff_ns;
    uint64_t dial_at_ns;
    uint64_t listen_at_ns;
    uint64_t join_until_ns; /* Without an answer, or a step forward. */
    uint64_t last_ns;       /* Of the last event. */
};

void peer_init(struct peer *peer, const struct peer_config *config);
/* Acts are to be carried out in order. out->count is 0 before. */
void peer_step(struct peer *peer, const struct peer_event *event,
               struct peer_acts *out);

/* Whether that hello on the link would make a pair. */
bool peer_would_pair(const struct peer *peer, unsigned link,
                     const struct peer_hello *hello);

/* Something came in on the link, or was put on it. */
void peer_heard(struct peer *peer, unsigned link, uint64_t now_ns);
void peer_sent(struct peer *peer, unsigned link, uint64_t now_ns);
/* It brought us nearer to having the data. */
void peer_progressed(struct peer *peer, uint64_t now_ns);
bool peer_heartbeat_due(const struct peer *peer, unsigned link,
                        uint64_t now_ns);
/* When TIME must come at the latest, or a heartbeat go out; PEER_NEVER. */
uint64_t peer_deadline(const struct peer *peer);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* A world of two hosts: whole nodes with real engines, on clocks and wires
 * that are made up. Everything that happens follows from a seed, so a failure
 * is a number that can be run again.
 *
 * sim.c runs seeds, knobs.c says what is in them, world.c makes things happen,
 * faults.c bad ones, wire.c carries bytes, host.c drives one node as the daemon
 * would, links.c its connections, orders.c is its operator, stranger.c is
 * nobody's peer, restart.c keeps what a host leaves for its next life, heap.c
 * its memory. client.c makes changes, history.c remembers what was
 * acknowledged, check.c holds nodes to it, and counts.c tells how often. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "replication/codec.h"
#include "replication/core/rules.h"
#include "replication/node.h"
#include "src/base/invariant.h"
#include "tests/sim/counts.h"
#include "tests/sim/heap.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define HOSTS 2
#define KEYS_MAX 256
#define CONNS_MAX 16
#define OUT_BYTES (192u * 1024)
#define VALUE_MAX (200u * 1024)
/* All times are multiples of a quantum and the hosts' clocks are half a quantum
 * apart, besides what the seed wants: two nodes that have never met may share
 * a node bit, and would else make equal stamps here, as all happens on a grid
 * of time. */
#define QUANTUM_NS 131072ull
#define START_NS (1700000000ull * NS_PER_S / QUANTUM_NS * QUANTUM_NS)
#define MS(n) ((n)*1000000ull / QUANTUM_NS * QUANTUM_NS)

/* ---- randomness ---- */

struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *dice);
/* 0..n-1. */
uint64_t dice_below(struct dice *dice, uint64_t n);
bool dice_percent(struct dice *dice, unsigned percent);
bool dice_mille(struct dice *dice, unsigned n);
uint64_t dice_pick(struct dice *dice, const uint64_t *from, size_t count);

/* ---- what a seed decides at the beginning ---- */

enum world_ack {
    WORLD_ASYNC,
    WORLD_APPLIED, /* Replies wait until the peer has what they tell of... */
    WORLD_PREFIX,  /* ...or those of every tenth key do. */
};

struct knobs {
    unsigned keys;
    size_t ring;
    size_t tombstones;
    unsigned bucket_bits;
    unsigned table_power;
    uint64_t memory_bytes;
    size_t value_max;
    uint64_t latency_ns;
    size_t rate;       /* Bytes per step and direction. */
    int64_t offset_ns; /* Host 1 is ahead by this. */
    int64_t drift_ppm[HOSTS];
    unsigned clock_steps; /* Percent of the starts with another clock. */
    bool one_dials;       /* Host 0 only listens. */
    bool same_bit;        /* Both start with node bit 0. */
    bool counting; /* The first key is a counter, and nobody loses memory. */
    bool touching; /* Nearly all that clients do is to prolong lives. */
    bool unlike;   /* Host 1 takes no large items. */
    bool big_values, expiry, flush, flush_later;
    unsigned resets, stalls, freezes, crashes, partitions, stops; /* In 1000. */
    unsigned suspends;  /* In 1000: a stop without a farewell. */
    unsigned warm;      /* Percent of the stops that leave a snapshot... */
    unsigned copies;    /* ...and of the starts from one that was kept too. */
    unsigned verifies;  /* In 1000. */
    unsigned orders;    /* In 1000: pause, resume, resync, handoff. */
    bool fetches;       /* Who joins serves at once. */
    unsigned evictions; /* In 1000: of any key, for no other reason. */
    unsigned garbles;   /* In 1000, as all these. */
    unsigned no_memory;
    unsigned strangers;
    unsigned upgrades;
    bool short_writes;
    unsigned late; /* Percent of its turns that a host misses. */
    bool yields;
    unsigned talks; /* Percent of client work that is said in words. */
    enum world_ack ack;
    unsigned writes; /* Percent of steps with client work. */
    unsigned steps;
};

/* ---- wires ---- */

struct segment {
    struct segment *next;
    uint64_t due_ns;
    size_t size;
    size_t taken;
    char bytes[];
};

struct pipe {
    struct segment *head;
    struct segment *tail;
    size_t size;
    uint64_t last_due_ns;
    bool ended; /* The writer closed; the reader will see it. */
};

struct conn {
    bool used;
    unsigned host[2];    /* [0] called. */
    int link[2];         /* -1: that end is gone. */
    struct pipe pipe[2]; /* [i]: written by end i. */
    bool reset;
    bool stalled[2];
    uint64_t stalled_until_ns;
};

/* ---- hosts ---- */

struct host_link {
    int conn; /* -1: free. */
    int end;
    bool closing;
    char *out;
    size_t out_size, out_sent;
    char *in;
    size_t in_size, in_room;
};

/* What a host holds of a key, if anything. */
struct holding {
    bool live;
    stamp_t stamp;
    stamp_t cas;
    uint64_t content; /* Hash of value, client flags, state, cas unique and
                         what each host has counted. */
    uint32_t expires_at_s;
};

/* A key that a client of a host waits for. */
#define ASKED_MAX 32
struct asked {
    struct fetch *fetch; /* NULL: nobody does. */
    struct key_history *key;
    struct holding theirs; /* What the other host held then. */
    uint64_t pairings, timeouts;
};

#define WAITS_MAX 64

/* A client whose reply waits. */
struct waiting {
    struct key_history *key;
    stamp_t stamp;
    bool removed;
    uint64_t number; /* Of the change. */
    uint64_t due_ns; /* In the world's time. */
};

/* Clients who say what they want in words. */
struct talk {
    struct commands *commands;
    struct command_thread *thread;
    struct session *session; /* NULL: it is to be opened. */
    struct sink *sink;
    struct confirm *confirm;
    unsigned waiter;
    struct waiting waits[WAITS_MAX];
    unsigned waits_count;
};

struct host {
    struct world *world;
    unsigned index;
    bool up;
    uint64_t frozen_until_ns;
    uint64_t up_at_ns; /* When down. */
    unsigned life;     /* Counts restarts. */
    struct engine *engine;
    struct engine_thread *client;
    struct fetches *fetches;
    struct asked asked[ASKED_MAX];
    struct talk talk;
    struct node *node;
    struct journal inner; /* The node's. */
    bool listening;
    bool serving;
    bool stopping;
    bool leaves; /* And will come back warm. */
    bool hands_off;
    stamp_t handed;     /* The highest stamp when that began... */
    uint64_t handed_ns; /* ...at this time. */
    bool dialing;
    uint64_t dial_due_ns;
    bool met; /* Has been paired in this life and all was told. */
    stamp_t last_stamp;
    bool feeds;         /* The node with what has arrived. */
    bool recorded;      /* Something, and nobody has looked what it is. */
    size_t heap_bytes;  /* When it was made. */
    uint64_t overflows; /* Of its tombstones, counted so far... */
    uint64_t not_kept;  /* ...as is this. */
    unsigned accepts;
    int accept[CONNS_MAX];
    struct host_link links[NODE_LINKS_MAX];
};

/* What a host leaves behind for a warm restart. */
struct leaving {
    bool there;
    int file; /* Item memory. */
    char *engine;
    size_t engine_size;
    char *node;
    size_t node_size;
    bool met;
    bool unproven; /* It had met no peer since its own restart. */
    stamp_t last_stamp;
};

/* ---- what was acknowledged ---- */

struct version {
    stamp_t stamp;
    bool removed;
    uint64_t content;    /* As in struct holding; 0: nobody has looked. */
    uint64_t expires_ns; /* World's time; 0: never. */
};

struct key_history {
    char name[16];
    uint64_t hash;
    struct version *versions;
    size_t count, room;
    stamp_t required;   /* Nobody may end up below this. */
    stamp_t own[HOSTS]; /* Highest stamp made at that host's life. */
    bool own_removed[HOSTS];
    stamp_t let_go[HOSTS];       /* Highest stamp that host has forgotten. */
    stamp_t ever_let_go;         /* Also by hosts that are no more. */
    uint64_t repeated_ns[HOSTS]; /* When that host last did. */
    size_t gone;        /* Versions that must not rise from the dead... */
    stamp_t gone_stamp; /* ...up to this stamp. */
    unsigned gone_at;   /* The host that had removed them. */
};

/* ---- others ---- */

/* What a host can do, beside what all can. */
struct release {
    uint64_t features_off;
    uint32_t version_min, version_max;
};

enum stranger_kind {
    STRANGER_PAIR,  /* Of another pair... */
    STRANGER_THIRD, /* ...of this one, which has two nodes... */
    STRANGER_AGAIN, /* ...or one of the two, but long ago. */
    STRANGER_BABBLE,
    STRANGER_SILENT,
    STRANGERS,
};

/* Who dials in and is not the peer; one at a time. */
struct stranger {
    int conn; /* -1: nobody. */
    enum stranger_kind kind;
    unsigned host; /* Whom it calls. */
    uint64_t until_ns;
    struct codec *codec;
};

/* ---- the world ---- */

struct world {
    uint64_t seed;
    struct dice dice;
    struct knobs knobs;
    uint64_t now_ns;
    unsigned step;
    bool healing;
    bool partitioned;
    uint64_t partition_until_ns;
    int64_t ahead_ns[HOSTS]; /* Of the world's time, but for the drift. */
    bool upgrade[HOSTS];     /* It comes back as another release. */
    struct release release[HOSTS];
    unsigned no_memory_until; /* A step. */
    unsigned no_memory_percent;
    uint64_t heap_failures;
    struct heap_use heap; /* When it began. */
    struct stranger stranger;
    struct host hosts[HOSTS];
    struct leaving left[HOSTS];   /* By the last life. */
    struct leaving copied[HOSTS]; /* Of an earlier one, by an operator. */
    struct conn conns[CONNS_MAX];
    struct key_history keys[KEYS_MAX];
    bool counter_there; /* From a base that both hosts had. */
    uint64_t counter;   /* What it should come to. */
    stamp_t barrier;    /* The highest stamp when all was told last. */
    bool floors_rose;   /* Misses are in order from then on. */
    bool crowded;       /* Something could not be kept. */
    uint64_t checks[CHECKS];
    uint64_t faults[FAULTS];
    bool failed;
    char failure[256];
    bool tracing;
    char *trace;
    size_t trace_size, trace_room;
};

/* world.c */
void world_init(struct world *world, uint64_t seed, bool tracing);
void world_run(struct world *world);
/* Both hosts are gone, and what is left over is looked at. */
void world_end(struct world *world);
void world_fini(struct world *world);
__attribute__((format(printf, 2, 3))) void world_trace(struct world *world,
                                                       const char *format, ...);

static inline void fault_count(struct world *world, enum fault fault)
{
    world->faults[fault]++;
}

/* knobs.c */
void knobs_choose(struct world *world);

/* faults.c */
void faults_some(struct world *world);
/* What can fail for want of memory runs between these. */
void faults_begin(struct world *world);
void faults_end(struct world *world);
void faults_heal(struct world *world);

/* stranger.c */
void stranger_init(struct world *world);
void stranger_fini(struct world *world);
void stranger_dials(struct world *world);
void stranger_run(struct world *world);
void stranger_goes(struct world *world);

/* check.c */
/* Counts the check; when it does not hold the world fails. */
__attribute__((format(printf, 4, 5))) bool check_that(struct world *world,
                                                      enum check check,
                                                      bool holds,
                                                      const char *format, ...);
void check_step(struct world *world);
void check_end(struct world *world);
/* Keys of which the hosts hold different versions; without those whose life
 * ends just now. */
unsigned check_differing(struct world *world, bool lasting);
/* A host was to get what its peer held of a key. */
void check_fetched(struct host *host, const struct key_history *key,
                   const struct holding *holding);
/* All that the host holds up to that stamp is with its peer. */
void check_told(struct host *host, enum check check, stamp_t until);
/* All is told and nothing is under way. */
bool check_is_quiet(struct world *world);

/* wire.c */
int wire_open(struct world *world, unsigned caller, unsigned callee);
void wire_write(struct world *world, int conn, int end, const char *bytes,
                size_t size);
/* What has arrived for that end; copies up to room. */
size_t wire_read(struct world *world, int conn, int end, char *to, size_t room);
bool wire_has_ended(struct world *world, int conn, int end);
void wire_close(struct world *world, int conn, int end);
/* Both ends see it at once, and what is under way is gone. */
void wire_reset(struct world *world, int conn);
/* That end is gone without a word. */
void wire_vanish(struct world *world, int conn, int end);
size_t wire_pending(const struct world *world, int conn, int end);
/* Changes a bit, or loses some bytes, of what that end wrote. False: there is
 * nothing. */
bool wire_garble(struct world *world, int conn, int end);
bool wire_tear(struct world *world, int conn, int end);
void wire_fini(struct world *world);

/* host.c */
void host_boot(struct world *world, unsigned index);
void host_crash(struct world *world, unsigned index, bool silently);
/* Begins a clean stop, after which it is down for a while. */
void host_stop(struct world *world, unsigned index);
/* Leaves its data and is gone, without a word to its peer. */
void host_suspend(struct world *world, unsigned index);
void host_run(struct world *world, unsigned index);
uint64_t host_now(const struct world *world, unsigned index);
void host_fini(struct host *host);
/* Of the values it holds. */
uint64_t host_bytes(struct host *host);
/* It speaks no version of the protocol that the other one does. */
bool host_is_alien(const struct host *host);

/* links.c */
void links_dial(struct host *host);
void links_run(struct host *host);
void link_free(struct host_link *link);

/* orders.c */
void order_some(struct world *world);
/* An order that takes its time may be through. */
void orders_look(struct host *host);
/* Ends what would keep the hosts apart for ever. */
void orders_end(struct world *world);

/* restart.c */
void restart_init(struct world *world);
void restart_fini(struct world *world);
/* A host that goes down leaves its data. */
void restart_leave(struct host *host);
/* From what a new host begins; NULL: from nothing. */
struct leaving *restart_choose(struct world *world, unsigned index);
/* That one has been read, and goes. */
void restart_taken(struct leaving *leaving);

/* client.c */
void client_work(struct world *world, unsigned index);
/* A key that the host holds gives way, as to another. */
void client_evict(struct world *world, unsigned index);
/* Remembers what the host made of what it was told. */
void client_look(struct host *host);
/* The end of a life, in the world's time. */
uint64_t client_world_time(const struct host *host, uint32_t expires_at_s);
/* Nothing is under way: the counter begins, if it has not. */
void client_begin_counting(struct world *world);

/* Bytes to store, and how many. */
extern char client_value[VALUE_MAX];
size_t client_make_value(struct world *world);

/* talk.c */
void talk_prepare(struct host *host); /* Before there is a node. */
void talk_open(struct host *host);
void talk_close(struct host *host);
void talk_fini(struct host *host);
/* One request. Returns the number of the change that its reply waits for. */
uint64_t talk_some(struct host *host, struct key_history *key,
                   const struct holding *before);

/* waits.c */
void wait_for(struct host *host, struct key_history *key, stamp_t stamp,
              bool removed, uint64_t number);
/* Answers those who have waited long enough. */
void waits_look(struct host *host);

/* fetches.c */
void fetches_boot(struct host *host);
void fetches_fini(struct host *host);
void fetches_ask(struct world *world, unsigned index);
/* What was asked for may be there. */
void fetches_look(struct host *host);

/* history.c */
void history_init(struct world *world);
void history_fini(struct world *world);
struct key_history *history_of(struct world *world, uint64_t hash);
/* Wraps the journal of a host, so that each stamp is known as it is made. */
void history_listen(struct host *host);
/* The content of the version that was made last. */
void history_content(struct key_history *key, const struct holding *holding,
                     uint64_t expires_ns);
const struct version *history_find(const struct key_history *key,
                                   stamp_t stamp);
/* Was it made after the other one, whatever the clocks said? */
bool history_is_later(const struct key_history *key, stamp_t stamp,
                      stamp_t than);
void history_crash(struct world *world, unsigned index);
/* It begins with data of yesterday: what the other has removed since then must
 * not come back, though nobody remembers the removal any more. */
void history_go_back(struct world *world, unsigned index);
/* Of two restarts without a peer in between, a peer may still say that the data
 * of the first was old; then all of the second goes. */
void history_doubt(struct world *world, unsigned index);
/* It has told everything: nothing may be lost. */
void history_stop(struct world *world, unsigned index);

struct holding host_holds(struct host *host, uint64_t hash);
uint64_t content_of(const struct host *host, const struct engine_view *view);

#endif

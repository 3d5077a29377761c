/* SPDX-License-Identifier: BSD-3-Clause */
/* A world of two hosts: whole nodes with real engines, on clocks and wires
 * that are made up. Everything that happens follows from a seed, so a failure
 * is a number that can be run again.
 *
 * sim.c runs seeds, world.c makes things happen, wire.c carries bytes,
 * host.c drives one node as the daemon would, orders.c is its operator,
 * restart.c keeps what one leaves for its next life, client.c makes changes,
 * fetches.c asks for what a host has not got yet, history.c remembers what was
 * acknowledged, check.c holds nodes to it. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "replication/codec.h"
#include "replication/core/rules.h"
#include "replication/node.h"
#include "src/base/invariant.h"

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
#define MS(n) ((n)*1000000ull / QUANTUM_NS * QUANTUM_NS)

/* ---- what can be checked, each counted ---- */

#define CHECK_TABLE(X) \
    X(SAME, "both hosts hold the same version of a key") \
    X(EVERYWHERE, "what one host holds the other holds, or let go") \
    X(LATEST, "what is held is the latest version written") \
    X(REMOVED, "what was removed last is not there") \
    X(KEPT, "what was written last is there, unless it was let go") \
    X(OWN_WRITES, "no host falls behind its own acknowledged changes") \
    X(RISING, "the stamps of a host rise, above what it holds") \
    X(LATER_WINS, "after both have met, later stamps are higher") \
    X(FLUSHED, "nothing older than a flush is there, and both know it") \
    X(CAS, "a cas succeeds against its own version only") \
    X(BOUNDED, "log and tombstones stay inside their bounds") \
    X(QUIET, "when all is told nothing is left over") \
    X(ONE_LINK, "one link and no other remains") \
    X(EXPIRY, "both hosts agree on the end of a life") \
    X(DIGEST, "digests are equal where contents are, and only there") \
    X(VERIFY, "verify finds what differs and nothing else") \
    X(COUNTED, "a counter is all that was counted, on both hosts") \
    X(HOOKS, "the node keeps to its driver's rules") \
    X(FETCHED, "what was fetched from the peer is there") \
    X(HANDOFF, "what a handoff found acknowledged is at the peer")

enum check {
#define X(name, words) CHECK_##name,
    CHECK_TABLE(X)
#undef X
        CHECKS
};

/* ---- randomness ---- */

struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *dice);
/* 0..n-1. */
uint64_t dice_below(struct dice *dice, uint64_t n);
bool dice_percent(struct dice *dice, unsigned percent);

/* ---- what a seed decides at the beginning ---- */

struct knobs {
    unsigned keys;
    size_t ring;
    size_t tombstones;
    unsigned bucket_bits;
    uint64_t memory_bytes;
    size_t value_max;
    uint64_t latency_ns;
    size_t rate;        /* Bytes per step and direction. */
    uint64_t offset_ns; /* Host 1 is ahead by this... */
    bool offset_behind; /* ...or behind. */
    bool one_dials;     /* Host 0 only listens. */
    bool same_bit;      /* Both start with node bit 0. */
    bool counting; /* The first key is a counter, and nobody loses memory. */
    bool touching; /* Nearly all that clients do is to prolong lives. */
    bool big_values, expiry, flush, flush_later;
    unsigned resets, stalls, freezes, crashes, partitions, stops; /* In 1000. */
    unsigned suspends;  /* In 1000: a stop without a farewell. */
    unsigned warm;      /* Percent of the stops that leave a snapshot... */
    unsigned copies;    /* ...and of the starts from one that was kept too. */
    unsigned verifies;  /* In 1000. */
    unsigned orders;    /* In 1000: pause, resume, resync, handoff. */
    unsigned evictions; /* In 1000: of any key, for no other reason. */
    bool fetches;       /* Who joins serves at once. */
    unsigned writes;    /* Percent of steps with client work. */
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

struct host {
    struct world *world;
    unsigned index;
    bool up;
    uint64_t frozen_until_ns;
    uint64_t up_at_ns; /* When down. */
    unsigned life;     /* Counts restarts. */
    struct engine *engine;
    struct engine_thread *client;
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
    struct fetches *fetches;
    struct asked asked[ASKED_MAX];
    bool recorded; /* Something, and nobody has looked what it is. */
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
};

/* ---- the world ---- */

struct world {
    uint64_t seed;
    struct dice dice;
    struct dice verify_dice; /* Of its own: verify changes nothing. */
    struct dice operator;    /* Its own, lest other seeds change. */
    struct dice evict_dice;
    struct dice fetch_dice;
    struct knobs knobs;
    uint64_t now_ns;
    unsigned step;
    bool healing;
    bool partitioned;
    uint64_t partition_until_ns;
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
    bool failed;
    char failure[256];
    bool tracing;
    char *trace;
    size_t trace_size, trace_room;
};

/* world.c */
void world_init(struct world *world, uint64_t seed, bool tracing);
void world_run(struct world *world);
void world_fini(struct world *world);
__attribute__((format(printf, 2, 3))) void world_trace(struct world *world,
                                                       const char *format, ...);

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
void check_handoff(struct world *world, struct host *host);
/* A host was to get what its peer held of a key. */
void check_fetched(struct host *host, const struct key_history *key,
                   const struct holding *holding);
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
/* Nothing is under way: the counter begins, if it has not. */
void client_begin_counting(struct world *world);

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
void history_crash(struct world *world, unsigned index);
/* It begins with data of yesterday: what the other has removed since then must
 * not come back, though nobody remembers the removal any more. */
void history_go_back(struct world *world, unsigned index);
/* It has told everything: nothing may be lost. */
void history_stop(struct world *world, unsigned index);

struct holding host_holds(struct host *host, uint64_t hash);
uint64_t content_of(const struct host *host, const struct engine_view *view);

#endif

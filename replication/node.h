/* SPDX-License-Identifier: BSD-3-Clause */
/* One node's replication without I/O: bytes and time in, bytes and wishes
 * out. It joins the core's decisions (replication/core) with the engine and
 * the codec. The daemon drives it with libuv (replication.c), the simulation
 * with a fake clock and a fake wire.
 *
 * Thread: all functions by one thread, but those of the journal. */
#ifndef REPLICATION_NODE_H
#define REPLICATION_NODE_H

#include "replication/message.h"
#include "src/base/confirm.h"
#include "src/base/error.h"
#include "src/base/fetch.h"
#include "src/engine/engine.h"

#define NODE_LINKS_MAX 4 /* Connections at once; a link is 0..3. */

/* What the node wants of whoever drives it. None of them calls the node. */
struct node_hooks {
    void *ctx;
    /* Start to connect to the peer; node_dialed() or node_dial_failed() will
     * follow. Not called while one is under way. */
    void (*dial)(void *ctx);
    /* Open or close the replication port. 0, or -ERR_BUSY: somebody has it
     * (it will be tried again), or -ERR_SYSTEM. */
    int (*listen)(void *ctx, bool open);
    /* Send what node_output() still gives, then close. */
    void (*close)(void *ctx, unsigned link);
    /* The client port may open: this node has the data, or can fetch what it is
     * asked for. Once. */
    void (*serve)(void *ctx);
};

struct node_config {
    struct engine *engine;
    uint64_t node;         /* Random, not 0. */
    uint64_t incarnation;  /* lineage_number(), of data that begins now. */
    const char *pair;      /* Name that both nodes share; may be "". */
    const char *peer_name; /* HOST:PORT for log lines; NULL without a peer. */
    bool dials;            /* False: no peer is configured, only listen. */
    uint64_t item_bytes_max;
    uint64_t join_wait_ms; /* How long a start waits for the peer; 2000. */
    uint64_t dead_ms;      /* Silence after which a link is dead; 1000. */
    uint64_t drain_ms;     /* How long a clean stop waits; 5000. */
    size_t ring_entries;   /* Power of two. */
    size_t tombstones_max;
    unsigned bucket_bits;  /* 0: 16; fewer are for tests. */
    uint64_t features_off; /* What it does without; for tests. */
    uint64_t random_seed;  /* For jitter. */
    /* Told what the peer has confirmed, for those who wait for that; NULL:
     * nobody does. Outlives the node. After a wait that took too long the peer
     * has to be as quick as that for a while before it is waited for again. */
    struct confirm *confirm;
    uint64_t confirm_quick_ns;
    /* Of clients who come while this node has no data yet: it serves at once,
     * and asks the peer for what they miss; NULL: it serves when it has the
     * data. Outlives the node. */
    struct fetches *fetches;
};

struct node;

/* Sets the engine's journal; before the engine's threads run.
 * Errors: -ERR_MEMORY, -ERR_RANGE. Owns: caller, until node_free(). */
MUST_CHECK int node_new(const struct node_config *config,
                        const struct node_hooks *hooks, struct node **out);
void node_free(struct node **node);

/* ---- across a restart ---- */

/* What the node knows of its data and of its peer's, node_save_bytes() long;
 * it is drained or cut off, and good for node_free() alone then. */
size_t node_save_bytes(const struct node *node);
void node_save(struct node *node, struct writer *out);
/* A new node, not yet started, whose engine was restored, goes on as the one
 * that saved this. Errors: -ERR_SYNTAX; it is good for node_free() alone. */
MUST_CHECK int node_restore(struct node *node, struct slice saved);
/* The same when nothing was saved: the data was nobody's until now. */
void node_adopt(struct node *node);

/* ---- life ---- */

/* Called by worker threads when there is something to send and the driver
 * sleeps; set before they run. See node_may_sleep(). */
void node_set_wake(struct node *node, void (*wake)(void *ctx), void *ctx);

void node_start(struct node *node, uint64_t now_ns);
/* Starts a clean stop: everything acknowledged goes to the peer. */
void node_drain(struct node *node, uint64_t now_ns);
bool node_drained(const struct node *node); /* Confirmed, or out of time. */

/* A connection to the peer is up on this link (the driver chose a free one);
 * or it could not be made. */
void node_dialed(struct node *node, uint64_t now_ns, unsigned link);
void node_dial_failed(struct node *node, uint64_t now_ns, const char *why);
/* Somebody at the peer's address connected. */
void node_accepted(struct node *node, uint64_t now_ns, unsigned link);
/* The link is gone; also the answer to hooks.close. */
void node_lost(struct node *node, uint64_t now_ns, unsigned link,
               const char *why);
/* Before a word was said: whoever is there has not proved to be the peer, or
 * will not take us for it. The link is closed and node_lost() to follow. */
void node_insecure(struct node *node, uint64_t now_ns, unsigned link,
                   const char *why);
/* Takes whole frames off the front of bytes; returns how many bytes it took.
 * Never blocks; bounded work per call (then it returns early: call again).
 * To be called when something has come in: it counts as a sign of life.
 * *needed: bytes wanted at the front before it can go on. */
size_t node_received(struct node *node, uint64_t now_ns, unsigned link,
                     struct slice bytes, size_t *needed);
/* Composes what is to be sent now on that link; 0: nothing. Values are looked
 * up at this moment. room is at least 2 * CODEC_PART_BYTES. */
size_t node_output(struct node *node, uint64_t now_ns, unsigned link, char *out,
                   size_t room);
/* Deadlines: to be called at node_deadline() or earlier. */
void node_tick(struct node *node, uint64_t now_ns);
uint64_t node_deadline(const struct node *node);
/* The driver has nothing to do: from now on a record wakes it. False when
 * something came in between: go round again. */
bool node_may_sleep(struct node *node);
/* Somebody waits for an acknowledgement, here or at the peer: what is to be
 * sent shall not rest for company. */
bool node_is_prompt(const struct node *node);
/* Of the caches' contents that the node has seen, ours and the peer's. */
uint64_t node_changes(const struct node *node);

/* ---- what both nodes hold ---- */

#define NODE_VERIFY_KEYS_MAX 5 /* Named of those that differ. */

struct node_differing {
    uint64_t hash;
    size_t size; /* Of the key; 0: it is not known here. */
    char bytes[250];
};

struct node_verified {
    uint64_t items;         /* Held here. */
    uint64_t differing;     /* All of them... */
    uint64_t missing_here;  /* ...among them those only the peer has, */
    uint64_t missing_there; /* and those that it has not. */
    uint64_t unsettled;     /* They changed all the time. */
    uint64_t repaired;      /* The newer version is on its way. */
    struct node_differing keys[NODE_VERIFY_KEYS_MAX];
    size_t keys_count;
};

/* Compares all that both nodes hold, while they serve; repair: and lets the
 * newer version go where it is missing. NULL: it has begun; or why not. */
const char *node_verify(struct node *node, uint64_t now_ns, bool repair);
bool node_verify_is_running(const struct node *node);
/* Of the last one, which has ended. False: it was cut short. */
bool node_verify_result(const struct node *node, struct node_verified *out);

/* ---- what an operator orders ---- */

/* They begin at once, and return NULL; or one or two words why not. */

/* Nothing is shipped to the peer until node_resume(), a stop, or until the peer
 * starts anew. */
const char *node_pause(struct node *node, uint64_t now_ns);
const char *node_resume(struct node *node, uint64_t now_ns);
/* The peer is sent all items (FULL), or what it has not confirmed (DELTA). */
const char *node_resync(struct node *node, uint64_t now_ns,
                        enum resync_kind kind);
/* A stop shall follow as soon as the peer has what was acknowledged so far. */
const char *node_handoff(struct node *node, uint64_t now_ns);

enum node_progress { NODE_UNDER_WAY = 1, NODE_DONE, NODE_GIVEN_UP };
enum node_progress node_resync_progress(const struct node *node);
enum node_progress node_handoff_progress(const struct node *node,
                                         uint64_t now_ns);

/* ---- what an operator sees ---- */

/* To take and apply what came at once has lasted so long. */
void node_applied_in(struct node *node, uint64_t now_ns, uint64_t took_ns);

enum node_role { NODE_ROLE_DIALER, NODE_ROLE_LISTENER };
enum node_state {
    NODE_STARTING, /* Looks for its peer. */
    NODE_JOINING,  /* Gets the data; the client port is closed, unless misses
                      are fetched. */
    NODE_PAIRED,
    NODE_LAGGING, /* Paired, but a resync towards the peer is under way. */
    NODE_PAUSED,  /* Paired, but told not to ship anything. */
    NODE_ALONE,
    NODE_DRAINING,
};

struct node_healed {
    uint64_t at_ns; /* 0: never. */
    uint64_t outage_ns, healing_ns;
    enum resync_kind sent_kind, received_kind;
    uint64_t sent, received;
    uint64_t won, lost, floor_drops;
};

struct node_status {
    uint64_t semisync_on, semisync_waits;
    uint64_t semisync_timeouts, semisync_unconfirmed;
    enum node_role role;
    enum node_state state;
    uint64_t link_up_s;
    uint64_t reconnects;
    uint64_t seq_next, seq_sent, seq_acked, seq_applied;
    uint64_t lag_ops, lag_bytes, lag_ms;
    uint64_t lag_us, lag_us_p50, lag_us_p99, lag_us_max, apply_us_p99;
    bool resyncing;
    enum resync_kind resync_kind; /* The present or last one, either way. */
    uint64_t resync_items_done, resync_items_total, resync_bytes;
    uint64_t resync_ns;
    uint64_t full_total, delta_total, digest_total, continue_total;
    uint64_t tombstones, tombstone_overflows, floor_drops;
    uint64_t dirty_buckets, conflicts, conflicts_won, conflicts_lost;
    uint64_t sent, applied, rejected_old;
    uint64_t touches, wanted;
    uint64_t ring_size, ring_used;
    uint64_t bytes_in, bytes_out;
    int64_t clock_offset_us;
    uint64_t refused;
    uint64_t fetches, fetch_hits, fetch_timeouts;
    uint64_t digest_checked, digest_mismatch; /* Groups of hashes. */
    uint64_t gen;                             /* Incarnation of our data. */
    bool paused;
    uint64_t since_s; /* In this state with, or without, the peer. */
    struct node_healed healed;
};

void node_status(const struct node *node, uint64_t now_ns,
                 struct node_status *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine tells a replication about its changes, and what it takes
 * from one. The only header of the engine that the replication core sees.
 *
 * State travels, not commands: "key K is now at stamp V, with this value or
 * gone". Applying is last-writer-wins by stamp: commutative and idempotent.
 * Counts from one base add up; where that makes something that neither node
 * had, it is a new version. */
#ifndef ENGINE_MUTATION_H
#define ENGINE_MUTATION_H

#include "src/base/slice.h"
#include "src/base/stamp.h"

#include <stdbool.h>
#include <stdint.h>

enum mutation_kind {
    MUTATION_SET,    /* The key has this value, flags and expiry. */
    MUTATION_REMOVE, /* Whatever is not newer than stamp is gone. */
    MUTATION_TOUCH,  /* The version `stamp` lives at least until expiry, and
                        its token is given out if state says so. */
};

/* Flags of an item that belong to its state and so travel with it. All of them
 * belong to a version, but for WON, which is a hint: whoever holds the version
 * joins it. */
#define ITEM_STATE_STALE 0x1u      /* Marked stale by a meta command. */
#define ITEM_STATE_WON 0x2u        /* The token to refresh it is given out. */
#define ITEM_STATE_BINARY_KEY 0x4u /* The key was given in base64. */

/* A counter that two nodes count on at once. From a base, which is a version
 * that both have seen, each node counts in a share of its own; of each share
 * the later one is right, and the shares together are what was counted. Any
 * other write makes a new base. */
struct tally {
    stamp_t base_stamp; /* Version of the base; STAMP_NONE: it is no tally. */
    uint64_t base;
    int64_t share[2];   /* By node bit. */
    stamp_t counted[2]; /* The versions that the shares are of. */
};
/* Longer numbers are plain values: the last writer wins. */
#define TALLY_VALUE_MAX 64u

struct mutation {
    enum mutation_kind kind;
    uint64_t hash; /* hash_key() of the key. */
    stamp_t stamp;
    uint32_t expires_at_s; /* Since 1970, this node's clock; 0: never. */
    uint32_t client_flags;
    uint32_t state;     /* ITEM_STATE_*. */
    stamp_t cas;        /* Given by a client; STAMP_NONE: the stamp is it. */
    struct slice key;   /* Empty in REMOVE and TOUCH: the hash is enough. */
    struct slice value; /* Empty in REMOVE and TOUCH. */
    bool idle;          /* Not told: nobody uses it, so it gives way first. */
    struct tally tally; /* Of SET; value is what it comes to. */
};

/* What became of an applied mutation. */
enum apply_result {
    APPLY_DONE,
    APPLY_SAME,      /* That very version is here already. */
    APPLY_OLDER,     /* A newer version is here. */
    APPLY_REMOVED,   /* The key was removed here later than that. */
    APPLY_FLUSHED,   /* Older than the last flush_all. */
    APPLY_TOO_LARGE, /* Cannot be kept here; an older version here is gone. */
    APPLY_NO_MEMORY, /* Likewise. */
    APPLY_ABSENT,    /* TOUCH of a version that is not here, nor a newer one,
                        and was not removed: it is wanted whole. */
};

/* The one observer of an engine: it numbers and stamps what changes.
 * Thread: every function is called by any thread of the engine while it holds
 *         the key's bucket lock, so calls for one key come in order. They
 *         must not call the engine, must not block, and take some tens of
 *         nanoseconds. */
struct journal {
    void *ctx;

    /* The key gets a new local version (SET), or goes away at a client's wish
     * (REMOVE: also when it was not here, as the peer may hold it). Returns
     * the version's stamp, made from `clock` under the journal's own lock, so
     * that numbers and stamps rise together. */
    stamp_t (*record)(void *ctx, struct stamp_clock *clock, uint64_t now_ns,
                      uint64_t hash, enum mutation_kind kind);

    /* The version `stamp` changed in what is not versioned: a longer life, a
     * token given out. */
    void (*repeat)(void *ctx, uint64_t hash, stamp_t stamp);

    /* The item was evicted or found expired: local and silent, unless the
     * peer has not confirmed it; then it becomes a removal at that stamp. */
    void (*forget)(void *ctx, uint64_t hash, stamp_t stamp);

    /* The highest stamp at which this absent key is known to be removed. */
    stamp_t (*removed_at)(void *ctx, uint64_t hash);

    /* A version from the peer was stored over what removed_at() knew. */
    void (*applied)(void *ctx, uint64_t hash, stamp_t stamp);

    /* flush_all was asked for here; the engine's flush state has it. */
    void (*flushed)(void *ctx);

    /* A thread has finished a batch that recorded something: time to wake
     * whoever ships it. Called without any lock. */
    void (*settle)(void *ctx);

    /* The highest number given so far, whoever recorded it. Called without
     * any lock. */
    uint64_t (*last)(void *ctx);
};

/* flush_all is state, joined by maximum: everything whose stamp is not above
 * `floor` is dead. A flush_all with a delay waits until due_ns (this node's
 * clock); of two pending the one with the higher `pending` stamp stays. */
struct flush_state {
    stamp_t floor;
    stamp_t pending; /* Stamp of the delayed command; 0 when none waits. */
    uint64_t due_ns;
};

#endif

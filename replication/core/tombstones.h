/* SPDX-License-Identifier: BSD-3-Clause */
/* Which keys were removed here, and at which stamp, until the peer has
 * confirmed it: at most one per key, in the order of their log numbers. A
 * list through a table of fixed size, so that any of them leaves at once and
 * no hole takes room. Plain memory without a lock; the journal has one. */
#ifndef REPLICATION_CORE_TOMBSTONES_H
#define REPLICATION_CORE_TOMBSTONES_H

#include "src/base/error.h"
#include "src/base/stamp.h"

#include <stddef.h>
#include <stdint.h>

#define TOMBSTONES_LIMIT ((size_t)1 << 30)

struct tombstone {
    uint64_t hash;
    stamp_t stamp;
    uint64_t seq;   /* Its number in the log. */
    uint32_t newer; /* Slots; 0 is none. `newer` also links the free ones. */
    uint32_t older;
    uint32_t chain; /* Next with the same head. */
};

struct tombstones {
    struct tombstone *slots; /* 1..max are used. */
    uint32_t *heads;
    uint32_t mask;
    uint32_t max;
    uint32_t count;
    uint32_t oldest;
    uint32_t newest;
    uint32_t free;
    uint32_t walk; /* Where tombstones_walk() goes on; 0 at the end. */
};

/* Errors: -ERR_MEMORY; -ERR_RANGE unless 1 <= max <= TOMBSTONES_LIMIT. */
MUST_CHECK int tombstones_init(struct tombstones *tombs, size_t max);
void tombstones_fini(struct tombstones *tombs);

/* NULL when the key has none. */
struct tombstone *tombstones_find(const struct tombstones *tombs,
                                  uint64_t hash);
/* The key has none yet, there is room, and seq is above all others. */
void tombstones_add(struct tombstones *tombs, uint64_t hash, stamp_t stamp,
                    uint64_t seq);
void tombstones_drop(struct tombstones *tombs, struct tombstone *tomb);
/* NULL when there is none. */
struct tombstone *tombstones_oldest(const struct tombstones *tombs);

/* Visits them in order; those dropped meanwhile are left out, those added
 * come at the end. NULL at the end. */
void tombstones_rewind(struct tombstones *tombs);
const struct tombstone *tombstones_walk(struct tombstones *tombs);

#endif

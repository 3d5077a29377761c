/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose data this is: what two nodes know of each other's logs, in numbers
 * that outlive a link, and with a warm restart a process.
 *
 * Data that comes from a file may be older than its owner thinks: somebody
 * copied the file back, or another node had its place meanwhile. What was
 * removed since then, and forgotten because both nodes knew, would rise from
 * the dead. So after a warm restart the first hello of a peer is held against
 * what the file says: knows the peer more of us than we do, or did it follow
 * somebody else, then the data is not to be kept. */
#ifndef REPLICATION_CORE_LINEAGE_H
#define REPLICATION_CORE_LINEAGE_H

#include "src/base/cursor.h"
#include "src/base/stamp.h"

#include <stdbool.h>
#include <stdint.h>

#define LINEAGE_BYTES 73u /* As saved. */

struct lineage {
    uint64_t incarnation;  /* Of our data. One that begins later is larger. */
    uint64_t confirmed_by; /* Incarnation that is to confirm our log. */
    uint64_t acked_by;     /* The one that did... */
    uint64_t acked;        /* ...up to this number. */
    uint64_t followed;     /* Whose log we have followed... */
    uint64_t applied;      /* ...up to this number. */
    bool unproven;         /* Restored, and no peer has been met since. */
    uint64_t limit;        /* Then: nobody can have followed us beyond, */
    uint64_t since;        /* who follows a later incarnation than this has
                              moved on, */
    stamp_t restored;      /* and what is newer was made since the last time. */
};

/* The same of the peer, from its hello. */
struct lineage_peer {
    uint64_t incarnation;
    uint64_t followed;
    uint64_t applied;
    uint64_t acked_by;
    uint64_t acked;
};

/* A number for data that begins now. */
uint64_t lineage_number(uint64_t now_ns, uint64_t random);

enum lineage_verdict {
    LINEAGE_SOUND,
    LINEAGE_OUTDATED, /* The peer knows a later state of our data. */
    LINEAGE_REPLACED, /* The peer had another node at its side since. */
};
/* May we keep what was restored? */
enum lineage_verdict lineage_judge(const struct lineage *ours,
                                   const struct lineage_peer *theirs);

void lineage_save(const struct lineage *lineage, struct writer *out);
/* last: our highest number; newest: our highest stamp. Errors: the reader's. */
void lineage_restore(struct lineage *lineage, struct reader *in, uint64_t last,
                     stamp_t newest);

#endif

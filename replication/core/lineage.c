/* SPDX-License-Identifier: BSD-3-Clause */
/* An incarnation is a number that rises with time, so that of two lives on
 * one host it shows which came later. */
#include "replication/core/lineage.h"

#include "replication/core/rules.h"

#define RANDOM_BITS 20 /* In place of the last millisecond. */

uint64_t lineage_number(uint64_t now_ns, uint64_t random)
{
    const uint64_t low = ((uint64_t)1 << RANDOM_BITS) - 1;

    return (now_ns & ~low) | (random & low) | 1;
}

/* More of our log was followed, or more of the peer's confirmed, than the data
 * that we have knows of. */
static bool outdated(const struct lineage *ours,
                     const struct lineage_peer *theirs)
{
    if (theirs->followed == ours->incarnation && theirs->applied > ours->limit)
        return true;
    if (theirs->acked_by != ours->incarnation)
        return false;
    return theirs->incarnation > ours->followed ||
           (theirs->incarnation == ours->followed &&
            theirs->acked > ours->applied);
}

/* Whoever followed nobody has forgotten no removal, as nobody confirmed any;
 * and whoever still follows what we were in an earlier life has forgotten none
 * since then. */
static bool replaced(const struct lineage *ours,
                     const struct lineage_peer *theirs)
{
    return theirs->followed != ours->incarnation &&
           theirs->followed > ours->since;
}

enum lineage_verdict lineage_judge(const struct lineage *ours,
                                   const struct lineage_peer *theirs)
{
    if (!ours->unproven || !RULE(LINEAGE))
        return LINEAGE_SOUND;
    if (outdated(ours, theirs))
        return LINEAGE_OUTDATED;
    return replaced(ours, theirs) ? LINEAGE_REPLACED : LINEAGE_SOUND;
}

void lineage_save(const struct lineage *lineage, struct writer *out)
{
    writer_u64(out, lineage->incarnation);
    writer_u64(out, lineage->confirmed_by);
    writer_u64(out, lineage->acked_by);
    writer_u64(out, lineage->acked);
    writer_u64(out, lineage->followed);
    writer_u64(out, lineage->applied);
    writer_u8(out, lineage->unproven);
    writer_u64(out, lineage->limit);
    writer_u64(out, lineage->since);
    writer_u64(out, lineage->restored);
}

void lineage_restore(struct lineage *lineage, struct reader *in, uint64_t last,
                     stamp_t newest)
{
    lineage->incarnation = reader_u64(in);
    lineage->confirmed_by = reader_u64(in);
    lineage->acked_by = reader_u64(in);
    lineage->acked = reader_u64(in);
    lineage->followed = reader_u64(in);
    lineage->applied = reader_u64(in);
    lineage->unproven = reader_u8(in) != 0;
    lineage->limit = reader_u64(in);
    lineage->since = reader_u64(in);
    lineage->restored = reader_u64(in);
    /* All that is there comes with this restart, also what was made between an
     * earlier one and the file: a copy of the file may be as old as that. */
    lineage->restored = newest;
    /* Restored twice and no peer met in between: the first time counts. */
    if (lineage->unproven)
        return;
    lineage->unproven = true;
    lineage->limit = last;
    lineage->since = lineage->incarnation;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tally comes to, counting on it, and two of them together. */
#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include "src/engine/item.h"
#include "src/engine/state.h"

__extension__ typedef __int128 tally_sum_t;

/* As clients see it: never below 0, and beyond 64 bits it begins anew. */
uint64_t tally_value(const struct tally *tally);

/* What has to be added to a share so that clients see that value. */
tally_sum_t tally_missing(const struct tally *tally, uint64_t value);
/* Whether that can be added to a share, whichever node's it will be. */
bool tally_has_room(const struct tally *tally, tally_sum_t added);
/* Adds it to the share of the node that made the version. */
void tally_add(struct tally *tally, stamp_t stamp, tally_sum_t added);

/* Joins what another node knows of the same base. Commutative, associative,
 * idempotent. What each of the two had that the other had not: */
struct tally_news {
    bool of_ours;
    bool of_theirs;
};
struct tally_news tally_join(struct tally *ours, const struct tally *theirs);

/* The digits, and blanks up to the end. */
void tally_write(char *value, size_t value_size, uint64_t number);

/* Whether an item of that shape is to carry one here. */
bool tally_wanted(const struct engine *engine, const struct item_shape *shape);

#endif

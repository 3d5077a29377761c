/* SPDX-License-Identifier: BSD-3-Clause */
/* A slot belongs to the free list, or to the list by age and one chain of the
 * index. Slot 0 stays unused so that 0 can end a list. */
#include "replication/core/tombstones.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"

static uint32_t *head_of(const struct tombstones *tombs, uint64_t hash)
{
    /* The low bits: the high ones are alike in a dirty bucket. */
    return &tombs->heads[hash & tombs->mask];
}

static uint32_t slot_of(const struct tombstones *tombs,
                        const struct tombstone *tomb)
{
    return (uint32_t)(tomb - tombs->slots);
}

static void fill_free_list(struct tombstones *tombs)
{
    for (uint32_t slot = 1; slot < tombs->max; slot++)
        tombs->slots[slot].newer = slot + 1;
    tombs->free = 1;
}

int tombstones_init(struct tombstones *tombs, size_t max)
{
    uint32_t heads = 1;

    *tombs = (struct tombstones){0};
    if (max < 1 || max > TOMBSTONES_LIMIT)
        return -ERR_RANGE;
    while (heads < max)
        heads *= 2;
    tombs->slots = memory_new(max + 1, sizeof(*tombs->slots));
    tombs->heads = memory_new(heads, sizeof(*tombs->heads));
    if (tombs->slots == NULL || tombs->heads == NULL) {
        tombstones_fini(tombs);
        return -ERR_MEMORY;
    }
    tombs->mask = heads - 1;
    tombs->max = (uint32_t)max;
    fill_free_list(tombs);
    return 0;
}

void tombstones_fini(struct tombstones *tombs)
{
    memory_free(&tombs->slots);
    memory_free(&tombs->heads);
}

struct tombstone *tombstones_find(const struct tombstones *tombs, uint64_t hash)
{
    uint32_t slot = *head_of(tombs, hash);

    while (slot != 0 && tombs->slots[slot].hash != hash)
        slot = tombs->slots[slot].chain;
    return slot != 0 ? &tombs->slots[slot] : NULL;
}

void tombstones_add(struct tombstones *tombs, uint64_t hash, stamp_t stamp,
                    uint64_t seq)
{
    uint32_t slot = tombs->free;
    uint32_t *head = head_of(tombs, hash);

    INVARIANT(slot != 0);
    INVARIANT(tombs->count < tombs->max);
    tombs->free = tombs->slots[slot].newer;
    tombs->slots[slot] = (struct tombstone){.hash = hash,
                                            .stamp = stamp,
                                            .seq = seq,
                                            .older = tombs->newest,
                                            .chain = *head};
    *head = slot;
    if (tombs->newest != 0) {
        INVARIANT(tombs->slots[tombs->newest].seq < seq);
        tombs->slots[tombs->newest].newer = slot;
    } else {
        tombs->oldest = slot;
    }
    tombs->newest = slot;
    tombs->count++;
}

static void leave_chain(struct tombstones *tombs, uint32_t slot)
{
    uint32_t *at = head_of(tombs, tombs->slots[slot].hash);

    while (*at != slot) {
        INVARIANT(*at != 0);
        at = &tombs->slots[*at].chain;
    }
    *at = tombs->slots[slot].chain;
}

static void leave_list(struct tombstones *tombs, uint32_t slot)
{
    const struct tombstone *tomb = &tombs->slots[slot];

    if (tombs->walk == slot)
        tombs->walk = tomb->newer;
    if (tomb->older != 0)
        tombs->slots[tomb->older].newer = tomb->newer;
    else
        tombs->oldest = tomb->newer;
    if (tomb->newer != 0)
        tombs->slots[tomb->newer].older = tomb->older;
    else
        tombs->newest = tomb->older;
}

void tombstones_drop(struct tombstones *tombs, struct tombstone *tomb)
{
    uint32_t slot = slot_of(tombs, tomb);

    INVARIANT(tombs->count > 0);
    leave_chain(tombs, slot);
    leave_list(tombs, slot);
    *tomb = (struct tombstone){.newer = tombs->free};
    tombs->free = slot;
    tombs->count--;
}

struct tombstone *tombstones_oldest(const struct tombstones *tombs)
{
    return tombs->oldest != 0 ? &tombs->slots[tombs->oldest] : NULL;
}

void tombstones_rewind(struct tombstones *tombs)
{
    tombs->walk = tombs->oldest;
}

const struct tombstone *tombstones_walk(struct tombstones *tombs)
{
    const struct tombstone *tomb = &tombs->slots[tombs->walk];

    if (tombs->walk == 0)
        return NULL;
    tombs->walk = tomb->newer;
    return tomb;
}

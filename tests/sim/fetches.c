/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of a host that joins and serves already: they ask for a key that is
 * not there, and when they are told to look again it is, if the other host had
 * it all the time. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"

static void wake_nobody(void *ctx)
{
    (void)ctx;
}

void fetches_boot(struct host *host)
{
    host->fetches = fetches_new();
    INVARIANT(host->fetches != NULL);
}

void fetches_fini(struct host *host)
{
    for (unsigned i = 0; i < ASKED_MAX; i++)
        fetch_drop(&host->asked[i].fetch);
    fetches_free(&host->fetches);
}

static struct asked *free_place(struct host *host)
{
    for (unsigned i = 0; i < ASKED_MAX; i++)
        if (host->asked[i].fetch == NULL)
            return &host->asked[i];
    return NULL;
}

void fetches_ask(struct world *world, unsigned index)
{
    struct dice *dice = &world->dice;
    struct host *host = &world->hosts[index];
    struct host *peer = &world->hosts[1 - index];
    struct key_history *key = &world->keys[dice_below(dice, world->knobs.keys)];
    struct asked *asked;

    if (!host->up || !host->serving || !fetches_are_open(host->fetches) ||
        world->now_ns < host->frozen_until_ns ||
        host_holds(host, key->hash).live)
        return;
    asked = free_place(host);
    if (asked == NULL)
        return;
    *asked = (struct asked){.key = key,
                            .pairings = host->node->pairings,
                            .timeouts = host->node->fetch_timeouts};
    if (peer->up)
        asked->theirs = host_holds(peer, key->hash);
    asked->fetch = fetch_begin(host->fetches, &key->hash, 1, wake_nobody, NULL);
}

/* What was told of it then was told by a peer who had it still. */
static bool may_be_checked(const struct host *host, const struct asked *asked)
{
    const struct node *node = host->node;
    const struct host *peer = &host->world->hosts[1 - host->index];

    return asked->theirs.live && peer->up && !host->stopping &&
           node->peer.link != PEER_NO_LINK &&
           node->pairings == asked->pairings &&
           node->fetch_timeouts == asked->timeouts &&
           peer->node->line.incarnation == node->line.followed;
}

void fetches_look(struct host *host)
{
    for (unsigned i = 0; i < ASKED_MAX; i++) {
        struct asked *asked = &host->asked[i];

        if (asked->fetch == NULL || !fetch_is_done(asked->fetch))
            continue;
        fetch_drop(&asked->fetch);
        if (may_be_checked(host, asked))
            check_fetched(host, asked->key, &asked->theirs);
    }
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients whose replies wait until the peer has what they tell of, as the
 * server lets them. When one is answered, the peer is looked at. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"

#define NEARLY_NS (4 * NS_PER_S)

/* ---- is it there? ---- */

/* The host's peer is the one that runs there now, and has followed it. */
static bool is_paired_with(const struct host *host, const struct host *peer)
{
    return peer->up && host->node->peer.link != PEER_NO_LINK &&
           host->node->theirs.incarnation == peer->node->line.incarnation &&
           peer->node->line.followed == host->node->line.incarnation;
}

static bool ends_soon(const struct world *world, const struct waiting *waiting)
{
    const struct version *version = history_find(waiting->key, waiting->stamp);

    return version != NULL && version->expires_ns != 0 &&
           version->expires_ns < world->now_ns + NEARLY_NS;
}

/* It is there, or something newer, or nothing for a reason of its own. */
static bool is_there(struct host *host, struct host *peer,
                     const struct waiting *waiting)
{
    const struct key_history *key = waiting->key;
    struct holding theirs = host_holds(peer, key->hash);
    struct flush_state flush;

    if (theirs.live)
        return theirs.stamp > waiting->stamp ||
               (theirs.stamp == waiting->stamp && !waiting->removed);
    engine_flush_state(peer->engine, &flush);
    return waiting->removed || flush.floor >= waiting->stamp ||
           key->own[host->index] > waiting->stamp ||
           key->own[peer->index] > waiting->stamp ||
           key->ever_let_go >= waiting->stamp ||
           ends_soon(host->world, waiting) || host->world->crowded ||
           host->world->floors_rose;
}

static void answer(struct host *host, const struct waiting *waiting)
{
    struct world *world = host->world;
    struct host *peer = &world->hosts[1 - host->index];

    if (!is_paired_with(host, peer))
        return; /* It had it, and is no more. */
    check_that(world, CHECK_APPLIED, is_there(host, peer, waiting),
               "host %u: %s %s @%llx is confirmed, but not with its peer",
               host->index, waiting->removed ? "the removal of" : "",
               waiting->key->name, (unsigned long long)waiting->stamp);
}

/* ---- waiting ---- */

/* False: it goes on waiting. */
static bool is_over(struct host *host, const struct waiting *waiting)
{
    struct talk *talk = &host->talk;

    switch (confirm_ask(talk->confirm, talk->waiter, waiting->number)) {
    case CONFIRM_DONE:
        answer(host, waiting);
        return true;
    case CONFIRM_OFF:
        fault_count(host->world, FAULT_DEGRADED);
        return true;
    case CONFIRM_PENDING:
        break;
    }
    if (host->world->now_ns < waiting->due_ns)
        return false;
    confirm_give_up(talk->confirm);
    fault_count(host->world, FAULT_DEGRADED);
    return true;
}

void wait_for(struct host *host, struct key_history *key, stamp_t stamp,
              bool removed, uint64_t number)
{
    struct talk *talk = &host->talk;
    struct waiting waiting = {
        .key = key, .stamp = stamp, .removed = removed, .number = number};

    waiting.due_ns =
        host->world->now_ns + MS(600) + 4 * host->world->knobs.latency_ns;
    if (is_over(host, &waiting))
        return;
    if (talk->waits_count < WAITS_MAX)
        talk->waits[talk->waits_count++] = waiting;
}

void waits_look(struct host *host)
{
    struct talk *talk = &host->talk;
    unsigned left = 0;

    for (unsigned i = 0; i < talk->waits_count; i++)
        if (!is_over(host, &talk->waits[i]))
            talk->waits[left++] = talk->waits[i];
    talk->waits_count = left;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether clients may wait for the peer, and how far it has confirmed our
 * changes for those who do.
 *
 * They may while the peer holds all that it should: nothing is left of what
 * changed before the link came up, and the log has lost nothing since. Then
 * "confirmed up to N" means that no change up to N is missing there.
 *
 * After a wait that took too long nobody waits, and the node times single
 * changes instead, until for a while none of them was slow. */
#include "replication/node_inner.h"

#include "replication/core/rules.h"
#include "src/base/log.h"

/* Both nodes answer without delay so long after somebody waited. */
#define PROMPT_NS (100 * NS_PER_MS)
#define QUICK_FOR_NS NS_PER_S
#define TOLD_EVERY_NS (60 * NS_PER_S)

static struct confirm *confirm_of(const struct node *node)
{
    return node->config.confirm;
}

void node_confirm_begin(struct node *node)
{
    if (confirm_of(node) == NULL)
        return;
    node->confirm =
        (struct node_confirm){.from = journal_last(node->log),
                              .acked = node->send.plan_after,
                              .prompt_until_ns = node->confirm.prompt_until_ns,
                              .told_ns = node->confirm.told_ns};
    confirm_rearm(confirm_of(node));
}

void node_confirm_end(struct node *node)
{
    if (confirm_of(node) != NULL)
        confirm_open(confirm_of(node), false);
}

static bool peer_has_all(struct node *node)
{
    if (!RULE(CONFIRM))
        return true;
    return node->confirm.acked >= node->confirm.from && node->send.caught_up &&
           !node->orders.paused && !journal_is_behind(node->log);
}

/* ---- after a wait that took too long ---- */

/* A peer at the brink would fill the log. */
static void tell(struct node *node, bool quick)
{
    struct node_confirm *state = &node->confirm;

    if (!quick) {
        state->told = state->told_ns == 0 ||
                      node->now_ns - state->told_ns >= TOLD_EVERY_NS;
        if (state->told)
            state->told_ns = node->now_ns;
    }
    if (state->told)
        node_log_confirm(node, quick);
}

static void time_changes(struct node *node)
{
    struct node_confirm *state = &node->confirm;
    uint64_t last = journal_last(node->log);

    if (state->probe == 0 && last > state->acked) {
        state->probe = last;
        state->probe_ns = node->now_ns;
    }
    if (state->probe == 0)
        return;
    if (node->now_ns - state->probe_ns > node->config.confirm_quick_ns)
        state->slow_ns = node->now_ns;
    if (state->acked >= state->probe)
        state->probe = 0;
}

static void judge(struct node *node, bool has_all)
{
    struct node_confirm *state = &node->confirm;

    if (!confirm_is_given_up(confirm_of(node)))
        return;
    if (!state->given_up) {
        state->given_up = true;
        state->slow_ns = node->now_ns;
        tell(node, false);
    }
    time_changes(node);
    if (!has_all)
        state->slow_ns = node->now_ns;
    if (node->now_ns - state->slow_ns < QUICK_FOR_NS)
        return;
    state->given_up = false;
    tell(node, true);
    confirm_rearm(confirm_of(node));
}

/* ---- on the way ---- */

/* Changes whose time is taken to see whether the peer is quick must not rest,
 * either. */
static void note_waiting(struct node *node)
{
    if (confirm_take_asked(confirm_of(node)) || node->confirm.given_up)
        node->confirm.prompt_until_ns = node->now_ns + PROMPT_NS;
    if (node->receive.planned &&
        node_wants_prompt(node) != node->confirm.prompt_told)
        node->send.ack_due = true;
}

void node_confirm_review(struct node *node)
{
    bool has_all;

    if (confirm_of(node) == NULL)
        return;
    has_all = peer_has_all(node);
    if (has_all)
        confirm_reach(confirm_of(node), node->confirm.acked);
    confirm_open(confirm_of(node), has_all);
    judge(node, has_all);
    note_waiting(node);
}

void node_confirm_acked(struct node *node, uint64_t number)
{
    if (number > node->confirm.acked)
        node->confirm.acked = number;
    node_confirm_review(node);
}

bool node_wants_prompt(const struct node *node)
{
    return node->now_ns < node->confirm.prompt_until_ns;
}

bool node_is_prompt(const struct node *node)
{
    return node->receive.prompt || node_wants_prompt(node) ||
           node_fetch_is_prompt(node);
}

void node_confirm_status(const struct node *node, struct node_status *out)
{
    struct confirm_counters sum;

    if (confirm_of(node) == NULL)
        return;
    confirm_sum(confirm_of(node), &sum);
    out->semisync_on = confirm_is_on(confirm_of(node));
    out->semisync_waits = sum.waits;
    out->semisync_timeouts = sum.timeouts;
    out->semisync_unconfirmed = sum.unconfirmed;
}

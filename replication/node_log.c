/* SPDX-License-Identifier: BSD-3-Clause */
/* The node's news in plain words. Each change is told once: who retries for
 * an hour and is refused for an hour makes two lines, not a thousand. */
#include "replication/node_inner.h"

#include "src/base/log.h"

static const char *peer_name(const struct node *node)
{
    return node->config.peer_name != NULL ? node->config.peer_name
                                          : "(no fixed address)";
}

const char *node_refusal_words(enum peer_refusal reason)
{
    switch (reason) {
    case PEER_REFUSE_VERSION:
        return "it speaks another version of the protocol";
    case PEER_REFUSE_PAIR_NAME:
        return "it belongs to another pair";
    case PEER_REFUSE_PAIRED:
        return "already paired with another node";
    case PEER_REFUSE_SELF:
        return "the node has reached itself";
    case PEER_REFUSE_STRANGER:
        return "its address is not the peer's";
    case PEER_REFUSE_CROSSED:
        return "two connections crossed";
    case PEER_REFUSE_SECURITY:
        return "only one of the two nodes has repl_secret or repl_tls_cert";
    case PEER_REFUSE_OTHERWISE:
    case PEER_OK:
        break;
    }
    return "no reason given";
}

/* Other words for the same reason are new too, but not every moment. */
static bool is_new(struct node *node, struct node_told *told,
                   const struct peer_act *act)
{
    const char *words = node->links[act->link].words;
    bool same = told->reason == act->reason && told->node == act->node;

    if (same && (strcmp(told->words, words) == 0 ||
                 node->now_ns - told->at_ns < NS_PER_S))
        return false;
    *told = (struct node_told){
        .reason = act->reason, .node = act->node, .at_ns = node->now_ns};
    memcpy(told->words, words, sizeof(told->words));
    return true;
}

/* A node that is not known by its hello yet has no number. */
static void log_insecure(const struct node *node, const struct peer_act *act)
{
    log_notice("replication: refused a connection from %s: %s", peer_name(node),
               node->links[act->link].words);
}

static void log_refusal(struct node *node, const struct peer_act *act)
{
    if (act->reason == PEER_REFUSE_CROSSED ||
        !is_new(node, &node->refuses, act))
        return;
    if (act->reason == PEER_REFUSE_SECURITY)
        log_insecure(node, act);
    else if (act->reason == PEER_REFUSE_SELF)
        log_notice("replication: the peer's address %s is this very node",
                   peer_name(node));
    else
        log_notice("replication: refused node %016llx: %s",
                   (unsigned long long)act->node,
                   node_refusal_words(act->reason));
}

static void log_refused(struct node *node, const struct peer_act *act)
{
    const char *words = node_refusal_words(act->reason);

    if (act->reason == PEER_REFUSE_CROSSED || act->reason == PEER_REFUSE_SELF ||
        !is_new(node, &node->refused_by, act))
        return;
    if (act->reason == PEER_REFUSE_SECURITY ||
        act->reason == PEER_REFUSE_OTHERWISE)
        words = node->links[act->link].words;
    log_notice("replication: %s %s: %s; %s and trying again",
               act->reason == PEER_REFUSE_SECURITY ? "no secure link with"
                                                   : "refused by",
               peer_name(node), words,
               node->peer.served ? "serving alone"
                                 : "keeping the client port closed");
}

static void log_alone(const struct node *node)
{
    if (node->config.dials)
        log_notice("replication: listening; serving alone until %s is there",
                   peer_name(node));
    else
        log_notice("replication: listening; serving alone");
}

static void log_connected(struct node *node)
{
    const char *how = node->peer.dialer ? "we called" : "it called";

    node->refuses = node->refused_by = (struct node_told){.reason = PEER_OK};
    node->listen_told = false;
    engine_tell(node->thread, "type=peer_up peer=%s node=%016llx",
                peer_name(node), (unsigned long long)node->peer.node);
    log_notice("replication: connected to peer %s (%s), its node is %016llx%s",
               peer_name(node), how, (unsigned long long)node->peer.node,
               node->peer.served && !node->peer.lacks ? ""
                                                      : ", getting its data");
}

static void tell_end(const struct node *node, const char *reason)
{
    engine_tell(node->thread, "type=peer_down peer=%s reason=%s",
                peer_name(node), reason);
}

static void log_broken(const struct node *node, const struct peer_act *act)
{
    log_notice("replication: peer %s sends what nobody understands (%s): link "
               "dropped",
               peer_name(node), node->links[act->link].words);
}

static void log_end(const struct node *node, const char *what)
{
    log_notice("replication: peer %s %s: link dropped", peer_name(node), what);
}

void node_log_news(struct node *node, const struct peer_act *act)
{
    switch (act->news) {
    case PEER_NEWS_ALONE:
        log_alone(node);
        break;
    case PEER_NEWS_CONNECTED:
        log_connected(node);
        break;
    case PEER_NEWS_FED:
        log_notice("replication: open for clients; what is not here yet is "
                   "fetched from %s",
                   peer_name(node));
        break;
    case PEER_NEWS_SERVING:
        engine_tell(node->thread, "type=peer_synced peer=%s", peer_name(node));
        log_notice("replication: paired with %s, its data is here; open for "
                   "clients",
                   peer_name(node));
        break;
    case PEER_NEWS_STALLED:
        log_notice("replication: peer %s lives, but its data does not come; "
                   "open for clients without it",
                   peer_name(node));
        break;
    case PEER_NEWS_SILENT:
        tell_end(node, "silent");
        log_notice("replication: peer %s is silent for %llu ms: link dropped",
                   peer_name(node), (unsigned long long)node->config.dead_ms);
        break;
    case PEER_NEWS_LOST:
        tell_end(node, "lost");
        log_end(node, "is gone");
        break;
    case PEER_NEWS_LEFT:
        tell_end(node, "left");
        log_end(node, "leaves");
        break;
    case PEER_NEWS_BROKEN:
        tell_end(node, "broken");
        log_broken(node, act);
        break;
    case PEER_NEWS_SUPERSEDED:
        tell_end(node, "superseded");
        log_end(node, "has connected anew");
        break;
    case PEER_NEWS_REFUSES:
        log_refusal(node, act);
        break;
    case PEER_NEWS_REFUSED:
        log_refused(node, act);
        break;
    }
}

static const char *verdict_words(enum lineage_verdict verdict)
{
    return verdict == LINEAGE_OUTDATED
               ? "knows a later state of this node's data"
               : "had another node at its side since";
}

void node_log_disowned(const struct node *node, enum lineage_verdict verdict,
                       uint64_t items)
{
    log_notice("replication: peer %s %s: the %llu items that came with the "
               "restart are dropped, and its data is fetched anew",
               peer_name(node), verdict_words(verdict),
               (unsigned long long)items);
}

void node_log_doubts(const struct node *node, enum lineage_verdict verdict,
                     uint64_t items)
{
    log_notice("replication: peer %s %s: of the %llu items that came with the "
               "restart only those stay that it holds as well",
               peer_name(node), verdict_words(verdict),
               (unsigned long long)items);
}

void node_log_confirm(const struct node *node, bool quick)
{
    if (quick)
        log_notice("replication: peer %s confirms changes quickly again: "
                   "replies wait for it",
                   peer_name(node));
    else
        log_notice("replication: peer %s takes long to confirm changes: "
                   "replies go out without waiting for it",
                   peer_name(node));
}

void node_log_resync(const struct node *node, const char *direction)
{
    static const char *const kinds[] = {"no", "continued", "delta", "full",
                                        "digest"};

    log_notice("replication: %s resync %s %s done: %llu items in %llu.%03llu "
               "s",
               kinds[node->resync_kind], direction, peer_name(node),
               (unsigned long long)node->resync_items_done,
               (unsigned long long)(node->resync_ns / NS_PER_S),
               (unsigned long long)(node->resync_ns / NS_PER_MS % 1000));
}

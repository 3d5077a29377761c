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

static const char *refusal_words(enum peer_refusal reason)
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
    case PEER_OK:
        break;
    }
    return "no reason given";
}

static bool is_new(struct node *node, const struct peer_act *act)
{
    bool same = node->told.news == act->news &&
                node->told.reason == act->reason &&
                node->told.node == act->node;

    node->told = *act;
    return !same;
}

static void log_refusal(struct node *node, const struct peer_act *act)
{
    if (act->reason == PEER_REFUSE_CROSSED || !is_new(node, act))
        return;
    if (act->reason == PEER_REFUSE_SELF)
        log_notice("replication: the peer's address %s is this very node",
                   peer_name(node));
    else
        log_notice("replication: refused node %016llx: %s",
                   (unsigned long long)act->node, refusal_words(act->reason));
}

static void log_refused(struct node *node, const struct peer_act *act)
{
    if (act->reason == PEER_REFUSE_CROSSED || act->reason == PEER_REFUSE_SELF ||
        !is_new(node, act))
        return;
    log_notice("replication: refused by %s: %s; %s and trying again",
               peer_name(node), refusal_words(act->reason),
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

    node->told = (struct peer_act){.news = PEER_NEWS_CONNECTED};
    node->listen_told = false;
    engine_tell(node->thread, "type=peer_up peer=%s node=%016llx",
                peer_name(node), (unsigned long long)node->peer.node);
    log_notice("replication: connected to peer %s (%s), its node is %016llx%s",
               peer_name(node), how, (unsigned long long)node->peer.node,
               node->peer.served ? "" : ", getting its data");
}

static void tell_end(const struct node *node, const char *reason)
{
    engine_tell(node->thread, "type=peer_down peer=%s reason=%s",
                peer_name(node), reason);
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
    case PEER_NEWS_SERVING:
        engine_tell(node->thread, "type=peer_synced peer=%s", peer_name(node));
        log_notice("replication: paired with %s, its data is here; open for "
                   "clients",
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
        log_end(node, "sends what nobody understands");
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

void node_log_disowned(const struct node *node, enum lineage_verdict verdict,
                       uint64_t items)
{
    log_notice("replication: peer %s %s: the %llu items that came with the "
               "restart are dropped, and its data is fetched anew",
               peer_name(node),
               verdict == LINEAGE_OUTDATED
                   ? "knows a later state of this node's data"
                   : "had another node at its side since",
               (unsigned long long)items);
}

void node_log_resync(const struct node *node, const char *direction)
{
    static const char *const kinds[] = {"no", "continued", "delta", "full",
                                        "digest"};

    log_notice("replication: %s resync %s %s done: %llu items in %llu.%03llu "
               "s",
               kinds[node->resync_kind], direction, peer_name(node),
               (unsigned long long)node->resync_items,
               (unsigned long long)(node->resync_ns / NS_PER_S),
               (unsigned long long)(node->resync_ns / NS_PER_MS % 1000));
}

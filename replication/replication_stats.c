/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator sees. The node belongs to its thread, so whoever asks wakes
 * that thread and waits for it to write the status down; not for long, since a
 * thread that cannot come round is worth seeing too: as it last was. */
#include "replication/replication_inner.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STATUS_WAIT_MS 100

static const char *const role_words[] = {
    [NODE_ROLE_DIALER] = "dialer",
    [NODE_ROLE_LISTENER] = "listener",
};

static const char *const state_words[] = {
    [NODE_STARTING] = "starting", [NODE_JOINING] = "joining",
    [NODE_PAIRED] = "paired",     [NODE_LAGGING] = "lagging",
    [NODE_ALONE] = "alone",       [NODE_DRAINING] = "draining",
};

static const char *const resync_words[] = {
    [RESYNC_NONE] = "none",
    [RESYNC_CONTINUE] = "continue",
    [RESYNC_DELTA] = "delta",
    [RESYNC_FULL] = "full",
    [RESYNC_DIGEST] = "digest",
};

/* Every number of the status, as `stats replication` calls it, in the order
 * of its lines; those that are not plain numbers stand between them. */
#define STATUS_LINK(X) \
    X(link_up_s) \
    X(reconnects) \
    X(seq_next) \
    X(seq_sent) \
    X(seq_acked) \
    X(seq_applied) \
    X(lag_entries) \
    X(lag_bytes) \
    X(lag_ms)
#define STATUS_DATA(X) \
    X(tombstones) \
    X(dirty_buckets) \
    X(conflicts) \
    X(sent) \
    X(applied) \
    X(rejected_older) \
    X(ring_size) \
    X(ring_used) \
    X(bytes_in) \
    X(bytes_out)

int replication_status_init(struct replication *replication)
{
    pthread_condattr_t attributes;
    int error;

    if (pthread_condattr_init(&attributes) != 0)
        return -ERR_SYSTEM;
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(&replication->status_fresh, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (error != 0)
        return -ERR_SYSTEM;
    lock_init(&replication->status_lock, LOCK_RANK_STATS);
    return 0;
}

void replication_status_fini(struct replication *replication)
{
    (void)pthread_cond_destroy(&replication->status_fresh);
    lock_fini(&replication->status_lock);
}

/* Without a link only what it will be. */
static void describe_tls(const struct replication *replication,
                         char text[TLS_ENGINE_TEXT_MAX])
{
    memset(text, 0, TLS_ENGINE_TEXT_MAX);
    (void)snprintf(text, TLS_ENGINE_TEXT_MAX, "%s",
                   replication->tls != NULL ? tls_proof(replication->tls)
                                            : "none");
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        if (link_is_secure(&replication->links[i]))
            tls_engine_text(replication->links[i].tls, text);
}

/* The figures come first: they need locks that rank below this one. */
static void write_down(struct replication *replication, uint64_t now_ns)
{
    uint64_t asked =
        __atomic_load_n(&replication->status_asked, __ATOMIC_RELAXED);
    struct node_status status;
    char tls_text[TLS_ENGINE_TEXT_MAX];

    node_status(replication->node, now_ns, &status);
    describe_tls(replication, tls_text);
    status.refused += replication->doorman.refused;
    lock_take(&replication->status_lock);
    replication->status = status;
    memcpy(replication->tls_text, tls_text, sizeof(tls_text));
    replication->status_told = asked;
    (void)pthread_cond_broadcast(&replication->status_fresh);
    lock_release(&replication->status_lock);
}

void replication_status_tell(struct replication *replication, uint64_t now_ns)
{
    /* Nobody asks a million times a second; the loop comes round so often. */
    if (__atomic_load_n(&replication->status_asked, __ATOMIC_RELAXED) !=
        replication->status_told)
        write_down(replication, now_ns);
}

void replication_status_end(struct replication *replication, uint64_t now_ns)
{
    write_down(replication, now_ns);
    lock_take(&replication->status_lock);
    replication->running = false;
    (void)pthread_cond_broadcast(&replication->status_fresh);
    lock_release(&replication->status_lock);
}

static struct timespec soon(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += STATUS_WAIT_MS * (long)NS_PER_MS;
    if (at.tv_nsec >= (long)NS_PER_S) {
        at.tv_nsec -= (long)NS_PER_S;
        at.tv_sec++;
    }
    return at;
}

static void ask(struct replication *replication, struct node_status *status,
                char tls_text[TLS_ENGINE_TEXT_MAX])
{
    const struct timespec until = soon();
    uint64_t question;
    int error = 0;

    lock_take(&replication->status_lock);
    question = replication->status_asked + 1;
    __atomic_store_n(&replication->status_asked, question, __ATOMIC_RELAXED);
    if (replication->running)
        replication_wake(replication);
    while (replication->running && replication->status_told < question &&
           error == 0)
        error = pthread_cond_timedwait(&replication->status_fresh,
                                       &replication->status_lock.mutex, &until);
    *status = replication->status;
    memcpy(tls_text, replication->tls_text, TLS_ENGINE_TEXT_MAX);
    lock_release(&replication->status_lock);
}

void replication_stats(struct replication *replication, struct stats_out *out)
{
    struct node_status status;
    char tls_text[TLS_ENGINE_TEXT_MAX];

    ask(replication, &status, tls_text);
    out->put(out, "repl_role", role_words[status.role]);
    out->put(out, "repl_state", state_words[status.state]);
    out->put(out, "repl_peer", replication->peer_text);
#define X(name) stats_put_u64(out, "repl_" #name, status.name);
    STATUS_LINK(X)
    out->put(out, "repl_resync_kind", resync_words[status.resync_kind]);
    stats_put_u64(out, "repl_resync_items", status.resync_items);
    stats_put(out, "repl_resync_seconds", "%llu.%03llu",
              status.resync_ns / NS_PER_S,
              status.resync_ns % NS_PER_S / NS_PER_MS);
    STATUS_DATA(X)
#undef X
    stats_put_i64(out, "repl_clock_offset_us", status.clock_offset_us);
    stats_put_u64(out, "repl_refused", status.refused);
    stats_put_u64(out, "repl_digest_checked", status.digest_checked);
    stats_put_u64(out, "repl_digest_mismatch", status.digest_mismatch);
    out->put(out, "repl_tls", tls_text);
}

/* Scripts that watch repcached look for these. */
void replication_stats_repcached(struct replication *replication,
                                 struct stats_out *out)
{
    struct node_status status;
    char tls_text[TLS_ENGINE_TEXT_MAX];

    ask(replication, &status, tls_text);
    out->put(out, "replication", "MASTER");
    out->put(out, "repcached_version", "2.3.1");
    stats_put_u64(out, "repcached_qi_free",
                  status.ring_size - status.ring_used);
}

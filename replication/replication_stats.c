/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator sees. The node belongs to its thread, so whoever asks wakes
 * that thread and waits for it to write the status down; not for long, since a
 * thread that cannot come round is worth seeing too: as it last was. */
#include "replication/replication_inner.h"
#include "replication/replication_metrics.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STATUS_WAIT_MS 100

const char *const replication_role_words[] = {
    [NODE_ROLE_DIALER] = "dialer",
    [NODE_ROLE_LISTENER] = "listener",
};

const char *const replication_state_words[] = {
    [NODE_STARTING] = "starting", [NODE_JOINING] = "joining",
    [NODE_PAIRED] = "paired",     [NODE_LAGGING] = "lagging",
    [NODE_PAUSED] = "paused",     [NODE_ALONE] = "alone",
    [NODE_DRAINING] = "draining",
};

const char *const replication_resync_words[] = {
    [RESYNC_NONE] = "none",     [RESYNC_CONTINUE] = "continue",
    [RESYNC_DELTA] = "delta",   [RESYNC_FULL] = "full",
    [RESYNC_DIGEST] = "digest",
};

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

void replication_status(const struct replication *replication, uint64_t now_ns,
                        struct node_status *out)
{
    node_status(replication->node, now_ns, out);
    out->refused += replication->doorman.refused;
}

/* The figures come first: they need locks that rank below this one. */
static void write_down(struct replication *replication, uint64_t now_ns)
{
    uint64_t asked =
        __atomic_load_n(&replication->status_asked, __ATOMIC_RELAXED);
    struct node_status status;
    char tls_text[TLS_ENGINE_TEXT_MAX];

    replication_status(replication, now_ns, &status);
    describe_tls(replication, tls_text);
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

#define PUT_NUMBER(name) stats_put_u64(out, "repl_" #name, status.name);
#define PUT_SIGNED(name) stats_put_i64(out, "repl_" #name, status.name);
#define PUT_HEX(name) \
    stats_put(out, "repl_" #name, "%016llx", (unsigned long long)status.name);
#define PUT_ROLE(name) \
    out->put(out, "repl_" #name, replication_role_words[status.role]);
#define PUT_STATE(name) \
    out->put(out, "repl_" #name, replication_state_words[status.state]);
#define PUT_PEER(name) out->put(out, "repl_" #name, replication->peer_text);
#define PUT_TLS(name) out->put(out, "repl_" #name, tls_text);
#define PUT_RESYNC(name) \
    out->put(out, "repl_" #name, replication_resync_words[status.resync_kind]);
#define PUT_SECONDS(name) \
    stats_put(out, "repl_" #name, "%llu.%03llu", \
              (unsigned long long)(status.resync_ns / NS_PER_S), \
              (unsigned long long)(status.resync_ns / NS_PER_MS % 1000));

void replication_stats(struct replication *replication, struct stats_out *out)
{
    struct node_status status;
    char tls_text[TLS_ENGINE_TEXT_MAX];

    ask(replication, &status, tls_text);
#define X(name, kind, help) PUT_##kind(name)
    REPLICATION_METRICS(X)
#undef X
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

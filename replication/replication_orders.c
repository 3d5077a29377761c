/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands of the operator. Workers put them on a list and wake the thread; it
 * begins them in its turn, and answers at once or when they are through. */
#include "replication/replication_inner.h"

#include "src/base/log.h"

/* ---- status ---- */

static void put_seconds(struct errand *errand, const char *name, uint64_t ns)
{
    errand_put(errand, "STAT %s %llu.%03llu\r\n", name,
               (unsigned long long)(ns / NS_PER_S),
               (unsigned long long)(ns / NS_PER_MS % 1000));
}

static void put_number(struct errand *errand, const char *name, uint64_t value)
{
    errand_put(errand, "STAT %s %llu\r\n", name, (unsigned long long)value);
}

static void put_resync(struct errand *errand, const struct node_status *status)
{
    errand_put(errand, "STAT resync %s %s\r\n",
               replication_resync_words[status->resync_kind],
               status->resyncing ? "running" : "done");
    errand_put(errand, "STAT resync_items %llu of %llu\r\n",
               (unsigned long long)status->resync_items_done,
               (unsigned long long)status->resync_items_total);
    put_seconds(errand, "resync_seconds", status->resync_ns);
}

static void put_heal(struct errand *errand, const struct node_healed *healed,
                     uint64_t now_ns)
{
    if (healed->at_ns == 0) {
        errand_put(errand, "STAT last_heal never\r\n");
        return;
    }
    put_number(errand, "last_heal_s_ago", (now_ns - healed->at_ns) / NS_PER_S);
    put_seconds(errand, "last_heal_outage_s", healed->outage_ns);
    errand_put(errand, "STAT last_heal_sent %s %llu\r\n",
               replication_resync_words[healed->sent_kind],
               (unsigned long long)healed->sent);
    errand_put(errand, "STAT last_heal_received %s %llu\r\n",
               replication_resync_words[healed->received_kind],
               (unsigned long long)healed->received);
}

static const char *tell_status(struct replication *replication, uint64_t now_ns,
                               struct errand *errand)
{
    struct node_status status;

    replication_status(replication, now_ns, &status);
    errand_put(errand, "STAT state %s\r\nSTAT peer %s\r\nSTAT role %s\r\n",
               replication_state_words[status.state], replication->peer_text,
               replication_role_words[status.role]);
    put_number(errand, "since_s", status.since_s);
    errand_put(errand, "STAT shipping %s\r\n", status.paused ? "paused" : "on");
    put_number(errand, "lag_ops", status.lag_ops);
    put_number(errand, "lag_us", status.lag_us);
    put_number(errand, "lag_us_p99", status.lag_us_p99);
    put_resync(errand, &status);
    put_heal(errand, &status.healed, now_ns);
    errand_put(errand, "END\r\n");
    errand_done(&errand);
    return NULL;
}

/* ---- what is done at once ---- */

static const char *ok(struct errand *errand)
{
    errand_put(errand, "OK\r\n");
    errand_done(&errand);
    return NULL;
}

static const char *pause_shipping(struct replication *replication,
                                  uint64_t now_ns, struct errand *errand)
{
    const char *why = node_pause(replication->node, now_ns);

    return why != NULL ? why : ok(errand);
}

static const char *resume_shipping(struct replication *replication,
                                   uint64_t now_ns, struct errand *errand)
{
    const char *why = node_resume(replication->node, now_ns);

    return why != NULL ? why : ok(errand);
}

/* ---- what takes its time ---- */

static void answer_ok(struct replication *replication, struct errand *errand)
{
    (void)replication;
    (void)ok(errand);
}

static void await(struct replication *replication, const struct order *order)
{
    /* As many as there can be errands. */
    replication->orders[replication->orders_count++] = *order;
}

static enum node_progress resync_progress(const struct replication *replication,
                                          uint64_t now_ns)
{
    (void)now_ns;
    return node_resync_progress(replication->node);
}

static const char *resync(struct replication *replication, uint64_t now_ns,
                          struct errand *errand, enum resync_kind kind)
{
    const struct order order = {errand, resync_progress, answer_ok};
    const char *why = node_resync(replication->node, now_ns, kind);

    if (why == NULL)
        await(replication, &order);
    return why;
}

static const char *resync_full(struct replication *replication, uint64_t now_ns,
                               struct errand *errand)
{
    return resync(replication, now_ns, errand, RESYNC_FULL);
}

static const char *resync_delta(struct replication *replication,
                                uint64_t now_ns, struct errand *errand)
{
    return resync(replication, now_ns, errand, RESYNC_DELTA);
}

static const char *resync_digest(struct replication *replication,
                                 uint64_t now_ns, struct errand *errand)
{
    return resync(replication, now_ns, errand, RESYNC_DIGEST);
}

static enum node_progress verify_progress(const struct replication *replication,
                                          uint64_t now_ns)
{
    (void)now_ns;
    return node_verify_is_running(replication->node) ? NODE_UNDER_WAY
                                                     : NODE_DONE;
}

static bool is_plain(const struct node_differing *key)
{
    for (size_t i = 0; i < key->size; i++) {
        if (key->bytes[i] <= ' ' || key->bytes[i] > '~')
            return false;
    }
    return key->size > 0;
}

/* One that is not here, or cannot be shown, goes by its hash. */
static void put_key(struct errand *errand, const struct node_differing *key)
{
    if (is_plain(key))
        errand_put(errand, "DIFFERS %.*s\r\n", (int)key->size, key->bytes);
    else
        errand_put(errand, "DIFFERS #%016llx\r\n",
                   (unsigned long long)key->hash);
}

static void tell_verified(struct replication *replication,
                          struct errand *errand)
{
    struct node_verified result;

    if (!node_verify_result(replication->node, &result)) {
        errand_put(errand, "SERVER_ERROR the peer is gone, or did not keep "
                           "up\r\n");
        errand_done(&errand);
        return;
    }
    errand_put(errand, "VERIFY items=%llu differing=%llu missing_here=%llu ",
               (unsigned long long)result.items,
               (unsigned long long)result.differing,
               (unsigned long long)result.missing_here);
    errand_put(errand, "missing_there=%llu unsettled=%llu repaired=%llu\r\n",
               (unsigned long long)result.missing_there,
               (unsigned long long)result.unsettled,
               (unsigned long long)result.repaired);
    for (size_t i = 0; i < result.keys_count; i++)
        put_key(errand, &result.keys[i]);
    errand_put(errand, "END\r\n");
    errand_done(&errand);
}

static const char *begin_verify(struct replication *replication,
                                uint64_t now_ns, struct errand *errand,
                                bool repair)
{
    const struct order order = {errand, verify_progress, tell_verified};
    const char *why = node_verify(replication->node, now_ns, repair);

    if (why == NULL)
        await(replication, &order);
    return why;
}

static const char *verify(struct replication *replication, uint64_t now_ns,
                          struct errand *errand)
{
    return begin_verify(replication, now_ns, errand, false);
}

static const char *verify_and_repair(struct replication *replication,
                                     uint64_t now_ns, struct errand *errand)
{
    return begin_verify(replication, now_ns, errand, true);
}

static enum node_progress
handoff_progress(const struct replication *replication, uint64_t now_ns)
{
    return node_handoff_progress(replication->node, now_ns);
}

/* What clients are told until they are cut off, the stop takes care of. */
static void leave(struct replication *replication, struct errand *errand)
{
    log_notice("replication: handed off to %s", replication->peer_text);
    (void)ok(errand);
    replication->leave(replication->leave_ctx);
}

static const char *hand_off(struct replication *replication, uint64_t now_ns,
                            struct errand *errand)
{
    const struct order order = {errand, handoff_progress, leave};
    const char *why = "shutdown not enabled";

    if (replication->leave != NULL)
        why = node_handoff(replication->node, now_ns);
    if (why == NULL)
        await(replication, &order);
    return why;
}

/* ---- the table ---- */

/* Begins it. Why not, or NULL: it is answered, or will be. */
typedef const char *order_fn(struct replication *replication, uint64_t now_ns,
                             struct errand *errand);

static const struct {
    const char *words;
    order_fn *fn;
} rows[] = {
    {"status", tell_status},
    {"pause", pause_shipping},
    {"resume", resume_shipping},
    {"resync", resync_full},
    {"resync full", resync_full},
    {"resync delta", resync_delta},
    {"resync digest", resync_digest},
    {"verify", verify},
    {"verify repair", verify_and_repair},
    {"handoff", hand_off},
};

static void refuse(struct errand *errand, const char *why)
{
    errand_put(errand, "SERVER_ERROR %s\r\n", why);
    errand_done(&errand);
}

static void begin(struct replication *replication, uint64_t now_ns,
                  struct errand *errand)
{
    const char *why;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!slice_equal(errand_words(errand), slice_of(rows[i].words)))
            continue;
        why = rows[i].fn(replication, now_ns, errand);
        if (why != NULL)
            refuse(errand, why);
        return;
    }
    errand_put(errand, "CLIENT_ERROR usage: repl status|pause|resume|"
                       "resync [full|delta|digest]|verify [repair]|"
                       "handoff\r\n");
    errand_done(&errand);
}

/* ---- from thread to thread ---- */

void replication_orders_init(struct replication *replication)
{
    lock_init(&replication->errands_lock, LOCK_RANK_STATS);
}

void replication_orders_fini(struct replication *replication)
{
    replication_orders_end(replication);
    lock_fini(&replication->errands_lock);
}

void replication_ask(struct replication *replication, struct errand *errand)
{
    bool taken = false;

    lock_take(&replication->errands_lock);
    if (!replication->errands_closed &&
        replication->errands_count < ERRANDS_MAX) {
        replication->errands[replication->errands_count] = errand;
        __atomic_store_n(&replication->errands_count,
                         replication->errands_count + 1, __ATOMIC_RELEASE);
        taken = true;
    }
    lock_release(&replication->errands_lock);
    if (taken)
        replication_wake(replication);
    else
        refuse(errand, "too many repl commands at once");
}

static struct errand *take_first(struct replication *replication)
{
    struct errand *first = NULL;

    lock_take(&replication->errands_lock);
    if (replication->errands_count > 0) {
        first = replication->errands[0];
        replication->errands_count--;
        for (size_t i = 0; i < replication->errands_count; i++)
            replication->errands[i] = replication->errands[i + 1];
    }
    lock_release(&replication->errands_lock);
    return first;
}

static void begin_all(struct replication *replication, uint64_t now_ns)
{
    struct errand *errand;

    while ((errand = take_first(replication)) != NULL) {
        if (errand_is_dropped(errand))
            errand_done(&errand);
        else if (replication->orders_count == ERRANDS_MAX)
            refuse(errand, "too many repl commands at once");
        else
            begin(replication, now_ns, errand);
    }
}

/* Whether it is through, and answered. */
static bool look_at(struct replication *replication, uint64_t now_ns,
                    struct order *order)
{
    switch (order->progress(replication, now_ns)) {
    case NODE_UNDER_WAY:
        return false;
    case NODE_DONE:
        order->done(replication, order->errand);
        return true;
    case NODE_GIVEN_UP:
        break;
    }
    refuse(order->errand, "the peer did not confirm it");
    return true;
}

void replication_orders_turn(struct replication *replication, uint64_t now_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < replication->orders_count; i++) {
        if (!look_at(replication, now_ns, &replication->orders[i]))
            replication->orders[kept++] = replication->orders[i];
    }
    replication->orders_count = kept;
    if (__atomic_load_n(&replication->errands_count, __ATOMIC_ACQUIRE) > 0)
        begin_all(replication, now_ns);
}

void replication_orders_end(struct replication *replication)
{
    struct errand *errand;

    lock_take(&replication->errands_lock);
    replication->errands_closed = true;
    lock_release(&replication->errands_lock);
    while ((errand = take_first(replication)) != NULL)
        refuse(errand, "stopping");
    while (replication->orders_count > 0)
        refuse(replication->orders[--replication->orders_count].errand,
               "stopping");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The replication thread: a libuv loop that goes round and round.
 *
 * Callbacks of libuv only note what happened. All work is done once per turn,
 * just before the loop would wait: input in, deadlines, output out. If there is
 * more to do an idle handle keeps the loop from waiting. If there is not, the
 * node is told that we sleep, and from then on the next change wakes us by one
 * system call of whoever made it; while we are awake, or wait for the socket to
 * take more, or rest between two writes under load, changes cost nobody
 * anything. */
#include "replication/replication_inner.h"

#include "src/base/invariant.h"
#include "src/base/log.h"

#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROUND_WAIT_MS_MAX 1000u

/* Changes per second, both ways, from which on throughput counts for more than
 * the last microsecond of delay, and down to which it stays so. */
#define HASTE_NS (10 * NS_PER_MS)
#define HASTE_ENDS_AT 30000u
#define HASTE_BEGINS_AT 10000u
/* And these beyond which the links rest between writes: hundreds of changes
 * then share the system calls of both nodes. */
#define REST_BEGINS_AT 100000u
#define REST_ENDS_AT 50000u

#define FINI_ROUNDS_MAX 8u /* Handles close in one or two. */

/* ---- what the node wants ---- */

static void want_dial(void *ctx)
{
    struct replication *replication = ctx;

    replication->dial_wanted = true;
}

static int want_listen(void *ctx, bool open)
{
    struct replication *replication = ctx;

    if (replication->closing || open == replication->listener.open)
        return 0;
    if (open)
        return listener_open(&replication->listener);
    listener_close(&replication->listener);
    return 0;
}

static void want_close(void *ctx, unsigned link)
{
    struct replication *replication = ctx;

    INVARIANT(link < NODE_LINKS_MAX);

    link_part(&replication->links[link]);
}

static void want_serve(void *ctx)
{
    struct replication *replication = ctx;

    if (replication->serve != NULL)
        replication->serve(replication->serve_ctx);
}

const struct node_hooks replication_hooks = {
    .dial = want_dial,
    .listen = want_listen,
    .close = want_close,
    .serve = want_serve,
};

/* ---- who comes ---- */

static struct link *find_free(struct replication *replication)
{
    unsigned i;

    for (i = 0; i < NODE_LINKS_MAX; i++) {
        if (replication->links[i].state == LINK_FREE)
            return &replication->links[i];
    }
    return NULL;
}

/* The link with this socket; NULL, and the socket closed, if it cannot be. */
static struct link *take_socket(struct replication *replication, int fd,
                                bool calls)
{
    struct link *link = find_free(replication);

    if (link == NULL || replication->closing) {
        (void)close(fd);
        return NULL;
    }
    if (link_open(link, &replication->loop, fd, replication->dead_ms,
                  replication->tls, calls) != 0)
        return NULL;
    return link;
}

static void on_accepted(void *ctx, int fd, const struct address *from)
{
    struct replication *replication = ctx;
    uint64_t now_ns = clock_now(replication->clock);
    char text[ADDRESS_TEXT_MAX];
    struct link *link;

    if (!doorman_admits(&replication->doorman, now_ns, from)) {
        (void)close(fd);
        return;
    }
    link = take_socket(replication, fd, false);
    if (link == NULL) {
        replication->doorman.refused++;
        return;
    }
    address_text(from, text);
    log_v(LOG_LEVEL_V, "replication: connection from %s", text);
    node_accepted(replication->node, now_ns, link->index);
}

static void on_dialed(void *ctx, int fd, const char *why)
{
    struct replication *replication = ctx;
    uint64_t now_ns = clock_now(replication->clock);
    struct link *link;

    if (fd < 0) {
        log_v(LOG_LEVEL_V, "replication: cannot connect to %s: %s",
              replication->peer_text, why);
        node_dial_failed(replication->node, now_ns, why);
        return;
    }
    link = take_socket(replication, fd, true);
    if (link == NULL)
        node_dial_failed(replication->node, now_ns, "too many connections");
    else
        node_dialed(replication->node, now_ns, link->index);
}

static void on_resolved(void *ctx, const struct address_list *addresses)
{
    struct replication *replication = ctx;

    replication->doorman.peers = *addresses;
}

/* ---- the turn ---- */

static bool step_links(struct replication *replication, uint64_t now_ns)
{
    bool more = false;
    unsigned i;

    for (i = 0; i < NODE_LINKS_MAX; i++)
        more |= link_step(&replication->links[i], replication->node, now_ns);
    return more;
}

static void dial_if_wanted(struct replication *replication)
{
    if (!replication->dial_wanted || replication->closing ||
        replication->dialer.state != DIALER_IDLE)
        return;
    replication->dial_wanted = false;
    dialer_start(&replication->dialer);
}

static bool all_links_free(const struct replication *replication)
{
    unsigned i;

    for (i = 0; i < NODE_LINKS_MAX; i++) {
        if (replication->links[i].state != LINK_FREE)
            return false;
    }
    return true;
}

/* Clean stop: the peer gets everything, then the links part in peace. */
static void stop_by_steps(struct replication *replication, uint64_t now_ns)
{
    unsigned i;

    if (!replication->draining) {
        replication->draining = true;
        node_drain(replication->node, now_ns);
    }
    if (!replication->closing && node_drained(replication->node)) {
        replication->closing = true;
        dialer_stop(&replication->dialer);
        listener_close(&replication->listener);
        for (i = 0; i < NODE_LINKS_MAX; i++)
            link_part(&replication->links[i]);
        (void)step_links(replication, now_ns);
    }
    if (replication->closing && all_links_free(replication))
        uv_stop(&replication->loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct replication *replication = timer->data;

    replication->timer_ns = 0;
    listener_resume(&replication->listener);
}

static void set_timer(struct replication *replication, uint64_t now_ns)
{
    uint64_t at_ns = node_deadline(replication->node);
    uint64_t wait_ms = 0;
    unsigned i;

    for (i = 0; i < NODE_LINKS_MAX; i++) {
        if (link_deadline(&replication->links[i]) < at_ns)
            at_ns = link_deadline(&replication->links[i]);
    }
    if (at_ns == replication->timer_ns)
        return;
    if (at_ns > now_ns)
        wait_ms = (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    if (wait_ms > ROUND_WAIT_MS_MAX)
        wait_ms = ROUND_WAIT_MS_MAX;
    replication->timer_ns = at_ns;
    (void)uv_timer_start(&replication->timer, on_timer, wait_ms, 0);
}

/* Only a link that waits for news makes a change worth waking us: with none,
 * nobody is there to tell, and a full socket says itself when it has room. */
static bool may_sleep(struct replication *replication)
{
    unsigned i;

    for (i = 0; i < NODE_LINKS_MAX; i++) {
        if (link_is_idle(&replication->links[i]))
            return node_may_sleep(replication->node);
    }
    return true;
}

/* Woken for a change the thread would at once take the processor from the
 * worker that made it, and send it alone. Under load it waits instead until
 * the worker has no more to do just now: one write for many changes. */
static void set_policy(struct replication *replication, bool patient)
{
    const struct sched_param none = {.sched_priority = 0};

    replication->patient = patient;
    (void)pthread_setschedparam(pthread_self(),
                                patient ? SCHED_BATCH : SCHED_OTHER, &none);
}

static void set_links_patient(struct replication *replication, uint64_t per_s)
{
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++) {
        struct link *link = &replication->links[i];

        if (link->state == LINK_OPEN)
            link->patient =
                per_s > (link->patient ? REST_ENDS_AT : REST_BEGINS_AT);
    }
}

static void watch_rate(struct replication *replication, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - replication->rate_ns;
    uint64_t changes, per_s;

    if (elapsed_ns < HASTE_NS)
        return;
    changes = node_changes(replication->node);
    per_s = (changes - replication->rate_changes) * NS_PER_S / elapsed_ns;
    replication->rate_ns = now_ns;
    replication->rate_changes = changes;
    set_links_patient(replication, per_s);
    if (node_is_prompt(replication->node))
        per_s = 0; /* Somebody waits for each of them. */
    if (!replication->patient && per_s > HASTE_ENDS_AT)
        set_policy(replication, true);
    else if (replication->patient && per_s < HASTE_BEGINS_AT)
        set_policy(replication, false);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void go_round(uv_prepare_t *prepare)
{
    struct replication *replication = prepare->data;
    uint64_t now_ns = clock_now(replication->clock);
    bool more;

    if (atomic_load_explicit(&replication->stop_wanted, memory_order_acquire))
        stop_by_steps(replication, now_ns);
    if (now_ns >= node_deadline(replication->node))
        node_tick(replication->node, now_ns);
    replication_orders_turn(replication, now_ns);
    more = step_links(replication, now_ns);
    replication_orders_turn(replication, now_ns); /* What has come by now. */
    watch_rate(replication, now_ns);
    dial_if_wanted(replication);
    replication_status_tell(replication, now_ns);
    if (more || !may_sleep(replication))
        (void)uv_idle_start(&replication->idle, on_idle);
    else
        (void)uv_idle_stop(&replication->idle);
    if (more) /* A long piece of work: clients come first. */
        (void)sched_yield();
    set_timer(replication, now_ns);
}

/* ---- the thread ---- */

/* To have come round is all. */
static void on_wake(uv_poll_t *wake, int status, int events)
{
    struct replication *replication = wake->data;
    uint64_t count;
    ssize_t taken = read(replication->wake_fd, &count, sizeof(count));

    (void)status;
    (void)events;
    (void)taken; /* One wake is as good as many. */
}

/* Not uv_async_send(): the thread that it wakes waits, spinning, until the
 * sender has come back from its system call, and where both share a processor
 * the sender cannot. */
void replication_wake(void *ctx)
{
    struct replication *replication = ctx;
    const uint64_t one = 1;
    ssize_t written = write(replication->wake_fd, &one, sizeof(one));

    (void)written; /* It fails when it is full of wakes already. */
}

static int make_wake(struct replication *replication)
{
    uv_loop_t *loop = &replication->loop;

    replication->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (replication->wake_fd < 0)
        return -ERR_SYSTEM;
    if (uv_poll_init(loop, &replication->wake, replication->wake_fd) != 0) {
        (void)close(replication->wake_fd);
        return -ERR_SYSTEM;
    }
    replication->wake.data = replication;
    return 0;
}

int replication_loop_init(struct replication *replication)
{
    uv_loop_t *loop = &replication->loop;
    unsigned i;

    if (uv_loop_init(loop) != 0)
        return -ERR_SYSTEM;
    if (make_wake(replication) != 0) {
        (void)uv_loop_close(loop);
        return -ERR_SYSTEM;
    }
    (void)uv_timer_init(loop, &replication->timer);
    (void)uv_prepare_init(loop, &replication->prepare);
    (void)uv_idle_init(loop, &replication->idle);
    replication->timer.data = replication;
    replication->prepare.data = replication;
    for (i = 0; i < NODE_LINKS_MAX; i++)
        replication->links[i].index = i;

    replication->listener.loop = loop;
    replication->listener.accepted = on_accepted;
    replication->listener.ctx = replication;

    replication->dialer.loop = loop;
    replication->dialer.host = replication->peer_host;
    replication->dialer.port = replication->peer_port;
    replication->dialer.done = on_dialed;
    replication->dialer.resolved = on_resolved;
    replication->dialer.ctx = replication;
    /* Who takes longer than half of that to answer can hardly stay a peer. */
    replication->dialer.retry_wait_ms = (unsigned)(replication->dead_ms / 2);
    if (replication->listen_host_given)
        replication->dialer.sources = &replication->listener.addresses;
    return dialer_init(&replication->dialer);
}

bool replication_loop_fini(struct replication *replication)
{
    unsigned i;

    if (!replication->dialer.stopped)
        dialer_stop(&replication->dialer);
    uv_close((uv_handle_t *)&replication->wake, NULL);
    uv_close((uv_handle_t *)&replication->timer, NULL);
    uv_close((uv_handle_t *)&replication->prepare, NULL);
    uv_close((uv_handle_t *)&replication->idle, NULL);
    for (i = 0; i < FINI_ROUNDS_MAX; i++) {
        (void)uv_run(&replication->loop, UV_RUN_NOWAIT);
        if (uv_loop_close(&replication->loop) == 0) {
            (void)close(replication->wake_fd);
            return true;
        }
    }
    return false;
}

static void block_signals(void)
{
    sigset_t all;

    /* Signals are the main thread's; a broken pipe is an error here. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
}

void *replication_loop_run(void *ctx)
{
    struct replication *replication = ctx;

    block_signals();
    (void)uv_prepare_start(&replication->prepare, go_round);
    (void)uv_poll_start(&replication->wake, UV_READABLE, on_wake);
    node_start(replication->node, clock_now(replication->clock));
    (void)uv_run(&replication->loop, UV_RUN_DEFAULT);
    (void)uv_prepare_stop(&replication->prepare);
    (void)uv_idle_stop(&replication->idle);
    (void)uv_timer_stop(&replication->timer);
    replication_orders_end(replication);
    replication_status_end(replication, clock_now(replication->clock));
    return NULL;
}

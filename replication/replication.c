/* SPDX-License-Identifier: BSD-3-Clause */
/* The replication of a daemon from its configuration to its end; what its
 * thread does is in replication_loop.c. */
#include "replication/replication_inner.h"

#include "replication/core/lineage.h"
#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define RING_ENTRY_BYTES 16u
#define RING_BYTES_MIN (1u * MIB)
#define RING_BYTES_MAX (64u * MIB)
#define RING_SHARE 128u /* Of -m, one part in so many. */
#define RING_ENTRIES_MIN 16u
#define TOMBSTONE_BYTES 24u
#define TOMBSTONES_SHARE 400u
#define TOMBSTONES_MIN 65536u
#define JOIN_WAIT_MS 2000u
#define DEAD_MS 1000u
#define DRAIN_MS 5000u
#define CONFIRM_QUICK_NS NS_PER_MS
#define CONFIRM_QUICK_SHARE 4u /* Of the bound, one part in so many. */

/* ---- limits that follow from -m ---- */

static size_t ring_entries(const struct replication_config *config)
{
    size_t bytes = config->ring_bytes, entries = RING_ENTRIES_MIN;

    if (bytes == 0) {
        bytes = config->memory_bytes / RING_SHARE;
        bytes = bytes < RING_BYTES_MIN ? RING_BYTES_MIN : bytes;
        bytes = bytes > RING_BYTES_MAX ? RING_BYTES_MAX : bytes;
    }
    if (bytes < config->ring_bytes_min)
        bytes = config->ring_bytes_min;
    while (entries <= bytes / RING_ENTRY_BYTES / 2)
        entries *= 2;
    return entries;
}

static size_t tombstones_max(const struct replication_config *config)
{
    size_t count = config->tombstones_max;

    if (count == 0) {
        count = config->memory_bytes / TOMBSTONES_SHARE / TOMBSTONE_BYTES;
        count = count < TOMBSTONES_MIN ? TOMBSTONES_MIN : count;
    }
    return count;
}

/* ---- addresses ---- */

static int resolve_peer(struct replication *replication,
                        char words[REPLICATION_WORDS_MAX])
{
    struct doorman *doorman = &replication->doorman;
    int error;

    if (replication->peer_host == NULL) {
        doorman->loopback_only = true;
        return 0;
    }
    error = address_list_resolve(&doorman->peers, replication->peer_host,
                                 replication->peer_port);
    if (error == EAI_AGAIN) {
        log_notice("replication: the name service does not know %s yet; "
                   "will ask again",
                   replication->peer_host);
        return 0;
    }
    if (error == 0)
        return 0;
    (void)snprintf(words, REPLICATION_WORDS_MAX,
                   "the peer %s cannot be resolved: %s", replication->peer_host,
                   gai_strerror(error));
    return -ERR_MISSING;
}

static int resolve_own(struct replication *replication,
                       const struct replication_config *config,
                       char words[REPLICATION_WORDS_MAX])
{
    struct address_list *own = &replication->listener.addresses;
    uint16_t port = config->listen_port;
    size_t i;
    int error;

    error = address_list_resolve(own, config->listen_host, port);
    if (error != 0) {
        (void)snprintf(words, REPLICATION_WORDS_MAX,
                       "the address %s to listen on cannot be resolved: %s",
                       config->listen_host, gai_strerror(error));
        return -ERR_MISSING;
    }
    if (port == 0 && listener_find_port(own, &port) != 0) {
        (void)snprintf(words, REPLICATION_WORDS_MAX,
                       "there is no free port for the replication");
        return -ERR_SYSTEM;
    }
    for (i = 0; i < own->count; i++)
        address_set_port(&own->at[i], port);
    replication->listen_port = port;
    return 0;
}

/* ---- random and not so random numbers ---- */

static uint64_t random_number(void)
{
    uint64_t number = 0;

    while (number == 0 &&
           getrandom(&number, sizeof(number), 0) == sizeof(number))
        continue;
    /* Before the kernel has any, a clock and a place will have to do. */
    return number != 0 ? number : uv_hrtime() ^ (uint64_t)(uintptr_t)&number;
}

/* Two nodes that look at each other find opposite answers. Where they cannot,
 * chance decides, and should both choose the same, their hellos settle it. */
static unsigned choose_node_bit(const struct replication *replication)
{
    const struct address_list *peers = &replication->doorman.peers;
    struct address here;
    int order = 0;

    if (peers->count > 0 && address_towards(&peers->at[0], &here) == 0)
        order = address_compare(&here, &peers->at[0]);
    if (peers->count > 0 && order == 0)
        order = (int)replication->listen_port - (int)replication->peer_port;
    if (order == 0)
        return (unsigned)(random_number() & 1);
    return order < 0 ? 0 : 1;
}

/* ---- a life ---- */

static int copy_config(struct replication *replication,
                       const struct replication_config *config)
{
    size_t size;

    replication->clock = config->clock;
    replication->peer_port = config->peer_port;
    replication->listen_host_given = config->listen_host != NULL;
    replication->tls = config->tls;
    replication->dead_ms = config->dead_ms != 0 ? config->dead_ms : DEAD_MS;
    replication->confirm = config->confirm;
    replication->serve = config->serve;
    replication->serve_ctx = config->serve_ctx;
    replication->leave = config->leave;
    replication->leave_ctx = config->leave_ctx;
    if (config->pair != NULL)
        memcpy(replication->pair, config->pair, strlen(config->pair));
    memcpy(replication->peer_text, "none", sizeof("none"));
    if (config->peer_host == NULL)
        return 0;
    (void)snprintf(replication->peer_text, sizeof(replication->peer_text),
                   strchr(config->peer_host, ':') != NULL ? "[%.250s]:%u"
                                                          : "%.250s:%u",
                   config->peer_host, (unsigned)config->peer_port);
    size = strlen(config->peer_host) + 1;
    replication->peer_host = memory_new(1, size);
    if (replication->peer_host == NULL)
        return -ERR_MEMORY;
    memcpy(replication->peer_host, config->peer_host, size);
    return 0;
}

/* As the node that this data belonged to; or if that is not known, as one
 * whose data may be anybody's. */
static int go_on(struct replication *replication,
                 const struct replication_config *config,
                 const struct node_config *node, const struct node_hooks *hooks)
{
    int error = 0;

    if (config->saved.size > 0 &&
        node_restore(replication->node, config->saved) == 0)
        return 0;
    if (config->saved.size > 0) {
        log_notice("replication: the state that was saved cannot be used: the "
                   "peer will be sent everything");
        node_free(&replication->node);
        error = node_new(node, hooks, &replication->node);
    }
    if (error == 0)
        node_adopt(replication->node);
    return error;
}

/* A link that needs more than that for a round trip by itself would never be
 * quick if the bound did not count, too. */
static uint64_t confirm_quick_ns(const struct replication_config *config)
{
    uint64_t share_ns = config->confirm_ms * NS_PER_MS / CONFIRM_QUICK_SHARE;

    return share_ns > CONFIRM_QUICK_NS ? share_ns : CONFIRM_QUICK_NS;
}

static int make_node(struct replication *replication,
                     const struct replication_config *config)
{
    struct node_hooks hooks = replication_hooks;
    struct node_config node = {
        .engine = config->engine,
        .node = random_number(),
        .incarnation =
            lineage_number(clock_now(config->clock), random_number()),
        .pair = replication->pair,
        .peer_name =
            replication->peer_host != NULL ? replication->peer_text : NULL,
        .dials = replication->peer_host != NULL,
        .item_bytes_max = config->item_bytes_max,
        .join_wait_ms = JOIN_WAIT_MS,
        .dead_ms = replication->dead_ms,
        .drain_ms = config->drain_ms != 0 ? config->drain_ms : DRAIN_MS,
        .ring_entries = ring_entries(config),
        .tombstones_max = tombstones_max(config),
        .random_seed = random_number(),
        .confirm = config->confirm,
        .confirm_quick_ns = confirm_quick_ns(config),
        .fetches = config->fetches,
    };
    int error;

    hooks.ctx = replication;
    stamp_clock_set_node(engine_stamp_clock(config->engine),
                         choose_node_bit(replication));
    error = node_new(&node, &hooks, &replication->node);
    if (error == 0 && config->warm)
        error = go_on(replication, config, &node, &hooks);
    if (error == 0)
        node_set_wake(replication->node, replication_wake, replication);
    if (config->fetches != NULL)
        fetches_set_wake(config->fetches, replication_wake, replication);
    return error;
}

static int check_config(const struct replication_config *config,
                        char words[REPLICATION_WORDS_MAX])
{
    const char *bad = NULL;

    if (config->peer_host != NULL && config->peer_host[0] == '\0')
        bad = "the peer's host is empty";
    else if (config->peer_host != NULL && config->peer_port == 0)
        bad = "the peer's replication port cannot be 0";
    else if (config->pair != NULL &&
             strlen(config->pair) > MESSAGE_PAIR_NAME_MAX)
        bad = "the pair's name is too long";
    if (bad == NULL)
        return 0;
    (void)snprintf(words, REPLICATION_WORDS_MAX, "%s", bad);
    return -ERR_RANGE;
}

/* What replication_free() undoes, as far as it came. */
static int make(struct replication *replication,
                const struct replication_config *config,
                char words[REPLICATION_WORDS_MAX])
{
    int error = resolve_own(replication, config, words);

    if (error == 0)
        error = resolve_peer(replication, words);
    return error == 0 ? make_node(replication, config) : error;
}

/* What has to be there before it can be freed; all or nothing. */
static int make_ground(struct replication *replication,
                       const struct replication_config *config)
{
    int error = copy_config(replication, config);

    if (error != 0)
        return error;
    error = replication_status_init(replication);
    if (error == 0) {
        error = replication_loop_init(replication);
        if (error == 0) {
            replication_orders_init(replication);
            return 0;
        }
        replication_status_fini(replication);
    }
    memory_free(&replication->peer_host);
    return error;
}

int replication_new(const struct replication_config *config,
                    struct replication **out, char words[REPLICATION_WORDS_MAX])
{
    struct replication *replication;
    int error = check_config(config, words);

    *out = NULL;
    if (error != 0)
        return error;
    (void)snprintf(words, REPLICATION_WORDS_MAX,
                   "out of memory for the replication");
    replication = memory_new(1, sizeof(*replication));
    if (replication == NULL)
        return -ERR_MEMORY;
    error = make_ground(replication, config);
    if (error != 0) {
        memory_free(&replication);
        return error;
    }
    error = make(replication, config, words);
    if (error != 0) {
        (void)replication_free(&replication); /* Nobody was asked yet. */
        return error;
    }
    *out = replication;
    return 0;
}

static void warn_of_plain(const struct replication *replication)
{
    const struct address_list *own = &replication->listener.addresses;
    char text[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < own->count && replication->tls == NULL; i++) {
        if (address_is_loopback(&own->at[i]))
            continue;
        address_text(&own->at[i], text);
        log_notice("replication: warning: %s is open without repl_secret or "
                   "repl_tls_cert: only %s may connect, but nothing is "
                   "encrypted and no identity is checked",
                   text,
                   replication->doorman.loopback_only ? "this host"
                                                      : "the peer's address");
        return;
    }
}

int replication_start(struct replication *replication)
{
    INVARIANT(!replication->started);

    warn_of_plain(replication);
    replication->running = true;
    if (pthread_create(&replication->thread, NULL, replication_loop_run,
                       replication) != 0) {
        replication->running = false;
        return -ERR_SYSTEM;
    }
    replication->started = true;
    (void)pthread_setname_np(replication->thread, "twin-repl");
    return 0;
}

void replication_stop(struct replication *replication)
{
    if (!replication->started)
        return;
    atomic_store_explicit(&replication->stop_wanted, true,
                          memory_order_release);
    replication_wake(replication);
    (void)pthread_join(replication->thread, NULL);
    replication->started = false;
}

bool replication_free(struct replication **freed)
{
    struct replication *replication = *freed;
    bool ended;

    if (replication == NULL)
        return true;
    *freed = NULL;
    replication_stop(replication);
    ended = replication_loop_fini(replication);
    replication_orders_fini(replication);
    replication_status_fini(replication);
    node_free(&replication->node);
    /* A name service that still looks for the peer will write to the rest. */
    if (!ended)
        return false;
    memory_free(&replication->peer_host);
    memory_free(&replication);
    return true;
}

uint16_t replication_port(const struct replication *replication)
{
    return replication->listen_port;
}

size_t replication_save_bytes(struct replication *replication)
{
    return node_save_bytes(replication->node);
}

void replication_save(struct replication *replication, struct writer *out)
{
    INVARIANT(!replication->started);

    node_save(replication->node, out);
}

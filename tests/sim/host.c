/* SPDX-License-Identifier: BSD-3-Clause */
/* One node, driven as the daemon's loop does it, with a fake clock. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "src/base/hash.h"
#include "src/base/memory.h"

#include <string.h>

#define IN_STEP 8192 /* Bytes read at once. */
#define TIMEOUT_NS MS(1000)
#define UPKEEP_ROUNDS_MAX 100

uint64_t host_now(const struct world *world, unsigned index)
{
    const struct knobs *knobs = &world->knobs;

    if (index == 0)
        return world->now_ns;
    return knobs->offset_behind ? world->now_ns - knobs->offset_ns
                                : world->now_ns + knobs->offset_ns;
}

static uint64_t now(const struct host *host)
{
    return host_now(host->world, host->index);
}

/* ---- what the node asks for ---- */

static void on_dial(void *ctx)
{
    struct host *host = ctx;
    struct world *world = host->world;

    check_that(world, CHECK_HOOKS, !host->dialing,
               "host %u dials while it dials", host->index);
    host->dialing = true;
    host->dial_due_ns = world->now_ns + world->knobs.latency_ns;
    if (world->partitioned)
        host->dial_due_ns = world->now_ns + TIMEOUT_NS;
}

static int on_listen(void *ctx, bool open)
{
    struct host *host = ctx;

    check_that(host->world, CHECK_HOOKS, host->listening != open,
               "host %u listens twice or not at all", host->index);
    host->listening = open;
    return 0;
}

static void on_close(void *ctx, unsigned link)
{
    struct host *host = ctx;

    check_that(host->world, CHECK_HOOKS,
               host->links[link].conn >= 0 && !host->links[link].closing,
               "host %u closes link %u, which is not open", host->index, link);
    host->links[link].closing = true;
}

static void on_serve(void *ctx)
{
    struct host *host = ctx;

    check_that(host->world, CHECK_HOOKS, !host->serving,
               "host %u begins to serve twice", host->index);
    host->serving = true;
    world_trace(host->world, "host %u serves", host->index);
}

/* ---- life ---- */

static void make_engine(struct host *host, const struct leaving *leaving)
{
    const struct knobs *knobs = &host->world->knobs;
    struct engine_config config = {
        .memory_bytes = knobs->memory_bytes,
        .item_bytes_max = knobs->memory_bytes / 2,
        .page_bytes = 64 * KIB,
        .growth = 2.0,
        .table_power = 8,
        .node = knobs->same_bit ? 0 : host->index,
        .in_file = true,
        .file = host->world->left[host->index].file,
    };
    char words[ENGINE_WORDS_MAX];
    int error;

    if (config.item_bytes_max > MIB)
        config.item_bytes_max = MIB;
    error = engine_new(&config, &host->engine);
    INVARIANT(error == 0);
    if (leaving == NULL)
        return;
    error = engine_restore(
        host->engine, slice_make(leaving->engine, leaving->engine_size), words);
    INVARIANT(error == 0);
}

static void make_client(struct host *host)
{
    host->client = engine_thread_new(host->engine);
    INVARIANT(host->client != NULL);
    engine_thread_set_now(host->client, now(host));
}

static void make_node(struct host *host, const struct leaving *leaving)
{
    struct world *world = host->world;
    const struct knobs *knobs = &world->knobs;
    struct node_hooks hooks = {.ctx = host,
                               .dial = on_dial,
                               .listen = on_listen,
                               .close = on_close,
                               .serve = on_serve};
    struct node_config config = {
        .engine = host->engine,
        .node = dice_next(&world->dice) | 1,
        .incarnation = lineage_number(now(host), dice_next(&world->dice)),
        .pair = "sim",
        .peer_name = host->index == 0 ? "host 1" : "host 0",
        .dials = host->index == 1 || !knobs->one_dials,
        .item_bytes_max = MIB,
        .join_wait_ms = 2000,
        .dead_ms = 1000,
        .drain_ms = 5000,
        .ring_entries = knobs->ring,
        .tombstones_max = knobs->tombstones,
        .bucket_bits = knobs->bucket_bits,
        .random_seed = dice_next(&world->dice),
        .fetches = knobs->fetches ? host->fetches : NULL,
    };
    int error = node_new(&config, &hooks, &host->node);

    INVARIANT(error == 0);
    if (leaving != NULL) {
        error = node_restore(host->node,
                             slice_make(leaving->node, leaving->node_size));
        INVARIANT(error == 0);
        host->met = leaving->met;
        host->last_stamp = leaving->last_stamp;
    }
    host->inner = journal_hooks(host->node->log);
}

void host_boot(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];
    struct leaving *leaving = restart_choose(world, index);
    unsigned life = host->life + 1;

    *host =
        (struct host){.world = world, .index = index, .up = true, .life = life};
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        host->links[i].conn = -1;
    make_engine(host, leaving);
    fetches_boot(host);
    make_node(host, leaving);
    restart_taken(leaving);
    history_listen(host);
    make_client(host);
    world_trace(world, "host %u boots", index);
    node_start(host->node, now(host));
}

static void free_link(struct host_link *link)
{
    memory_free(&link->out);
    memory_free(&link->in);
    *link = (struct host_link){.conn = -1};
}

void host_fini(struct host *host)
{
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        free_link(&host->links[i]);
    node_free(&host->node);
    fetches_fini(host);
    if (host->client != NULL)
        engine_thread_free(&host->client);
    if (host->engine != NULL)
        engine_free(&host->engine);
    host->up = false;
}

/* All connections end, in one way or the other. */
static void go_down(struct host *host, bool silently)
{
    struct world *world = host->world;

    for (unsigned i = 0; i < NODE_LINKS_MAX; i++) {
        int conn = host->links[i].conn;

        if (conn < 0)
            continue;
        if (!silently)
            wire_reset(world, conn);
        wire_vanish(world, conn, host->links[i].end);
    }
    for (unsigned i = 0; i < host->accepts; i++) {
        wire_reset(world, host->accept[i]);
        wire_vanish(world, host->accept[i], 1);
    }
    host_fini(host);
    host->up_at_ns =
        world->now_ns + MS(100) + dice_below(&world->dice, 8) * MS(500);
}

void host_crash(struct world *world, unsigned index, bool silently)
{
    world_trace(world, "host %u crashes%s", index, silently ? " silently" : "");
    history_crash(world, index);
    go_down(&world->hosts[index], silently);
}

void host_stop(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];

    world_trace(world, "host %u stops", index);
    host->stopping = true;
    host->leaves = dice_percent(&world->dice, world->knobs.warm);
    node_drain(host->node, now(host));
}

void host_suspend(struct world *world, unsigned index)
{
    world_trace(world, "host %u is suspended", index);
    restart_leave(&world->hosts[index]);
    go_down(&world->hosts[index], dice_percent(&world->dice, 40));
}

static void stop_if_drained(struct host *host)
{
    struct world *world = host->world;
    struct host *other = &world->hosts[1 - host->index];
    bool told = host->node->send.goodbye_said && other->up &&
                other->node->line.followed == host->node->line.incarnation;

    if (!host->stopping || !node_drained(host->node))
        return;
    world_trace(world, "host %u is down, %s", host->index,
                told ? "all is told" : "not all is told");
    if (host->leaves)
        restart_leave(host);
    else if (told)
        history_stop(world, host->index);
    else
        history_crash(world, host->index);
    go_down(host, false);
}

/* ---- connections ---- */

static int free_link_of(const struct host *host)
{
    for (int i = 0; i < NODE_LINKS_MAX; i++)
        if (host->links[i].conn < 0)
            return i;
    return -1;
}

static void attach(struct host *host, int link, int conn, int end)
{
    host->links[link] = (struct host_link){.conn = conn, .end = end};
    host->world->conns[conn].link[end] = link;
    host->links[link].out = memory_new(1, OUT_BYTES);
    INVARIANT(host->links[link].out != NULL);
}

static void dial_ends(struct host *host)
{
    struct world *world = host->world;
    struct host *other = &world->hosts[1 - host->index];
    int link = free_link_of(host);
    int conn = -1;

    host->dialing = false;
    if (!world->partitioned && other->up && other->listening && link >= 0 &&
        other->accepts < CONNS_MAX)
        conn = wire_open(world, host->index, other->index);
    if (conn < 0) {
        node_dial_failed(host->node, now(host), "refused");
        return;
    }
    attach(host, link, conn, 0);
    world->conns[conn].link[1] = NODE_LINKS_MAX; /* Not picked up yet. */
    other->accept[other->accepts++] = conn;
    world_trace(world, "host %u connects (link %d)", host->index, link);
    node_dialed(host->node, now(host), (unsigned)link);
}

static void pick_up(struct host *host)
{
    struct world *world = host->world;

    for (unsigned i = 0; i < host->accepts; i++) {
        int conn = host->accept[i];
        int link = free_link_of(host);

        if (link < 0 || !host->listening) {
            wire_close(world, conn, 1);
            continue;
        }
        attach(host, link, conn, 1);
        world_trace(world, "host %u accepts (link %d)", host->index, link);
        node_accepted(host->node, now(host), (unsigned)link);
    }
    host->accepts = 0;
}

static void link_ended(struct host *host, unsigned number, const char *why)
{
    struct host_link *link = &host->links[number];

    world_trace(host->world, "host %u link %u ended: %s", host->index, number,
                why);
    wire_close(host->world, link->conn, link->end);
    free_link(link);
    node_lost(host->node, now(host), number, why);
}

/* ---- bytes ---- */

static void make_in_room(struct host_link *link, size_t wanted)
{
    char *more;

    if (link->in_room >= wanted)
        return;
    more = memory_resize(link->in, wanted, 1);
    INVARIANT(more != NULL);
    link->in = more;
    link->in_room = wanted;
}

static void keep_stamps(struct host *host, stamp_t before)
{
    /* The rule lies in the engine; here it is undone. */
    if (!RULE(ABSORB))
        atomic_store(&engine_stamp_clock(host->engine)->last, before);
}

/* Gives what has arrived to the node. */
static void feed(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    stamp_t before = stamp_last(engine_stamp_clock(host->engine));
    size_t needed = 0;
    size_t taken = 1;

    while (taken > 0 && link->in_size > 0) {
        taken = node_received(host->node, now(host), number,
                              slice_make(link->in, link->in_size), &needed);
        link->in_size -= taken;
        memmove(link->in, link->in + taken, link->in_size);
    }
    check_that(host->world, CHECK_BOUNDED,
               needed <= CODEC_HEADER_BYTES + CODEC_MESSAGE_MAX,
               "host %u wants %zu bytes for a frame", host->index, needed);
    keep_stamps(host, before);
}

static void read_link(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    size_t budget = host->world->knobs.rate;
    size_t size = 1;

    while (size > 0 && budget > 0) {
        size_t piece = 1 + dice_below(&host->world->dice, IN_STEP);

        if (piece > budget)
            piece = budget;
        make_in_room(link, link->in_size + piece);
        size = wire_read(host->world, link->conn, link->end,
                         link->in + link->in_size, piece);
        link->in_size += size;
        budget -= size;
        if (size > 0)
            feed(host, number);
    }
    if (wire_has_ended(host->world, link->conn, link->end))
        link_ended(host, number, "by the other end");
}

/* Writes what the wire takes; true when all is out. */
static bool write_link(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    struct world *world = host->world;
    size_t rate = world->knobs.rate;

    for (;;) {
        size_t under_way = wire_pending(world, link->conn, link->end);
        size_t size = link->out_size - link->out_sent;

        if (size == 0) {
            link->out_sent = 0;
            link->out_size = node_output(host->node, now(host), number,
                                         link->out, OUT_BYTES);
            size = link->out_size;
        }
        if (size == 0)
            return true;
        if (under_way >= rate)
            return false;
        if (size > rate - under_way)
            size = rate - under_way;
        wire_write(world, link->conn, link->end, link->out + link->out_sent,
                   size);
        link->out_sent += size;
    }
}

static void run_link(struct host *host, unsigned number)
{
    struct host_link *link = &host->links[number];
    bool drained;

    if (link->conn >= 0 && !link->closing)
        read_link(host, number);
    if (link->conn < 0)
        return;
    drained = write_link(host, number);
    /* Whoever closes does not wait for one that does not read. */
    if (link->closing && (drained || dice_percent(&host->world->dice, 20)))
        link_ended(host, number, "by this end");
}

static void upkeep(struct host *host)
{
    unsigned rounds = 0;

    engine_thread_set_now(host->client, now(host));
    while (engine_upkeep(host->client) == 0 && rounds < UPKEEP_ROUNDS_MAX)
        rounds++;
    engine_thread_settle(host->client);
}

void host_run(struct world *world, unsigned index)
{
    struct host *host = &world->hosts[index];

    if (!host->up || world->now_ns < host->frozen_until_ns)
        return;
    engine_thread_set_now(host->client, now(host));
    if (host->dialing && world->now_ns >= host->dial_due_ns)
        dial_ends(host);
    pick_up(host);
    for (unsigned i = 0; i < NODE_LINKS_MAX; i++)
        if (host->links[i].conn >= 0)
            run_link(host, i);
    if (now(host) >= node_deadline(host->node))
        node_tick(host->node, now(host));
    upkeep(host);
    orders_look(host);
    fetches_look(host);
    client_look(host);
    stop_if_drained(host);
}

/* ---- looking ---- */

uint64_t content_of(const struct host *host, const struct engine_view *view)
{
    static char bytes[VALUE_MAX + MIB];
    struct node_fill fill = {host->client, view->item};

    /* The token is a hint, and no part of a version. */
    uint32_t state = view->state & ~ITEM_STATE_WON;
    struct tally tally = {.base_stamp = STAMP_NONE};
    const size_t head = 16 + sizeof(tally);

    INVARIANT(view->value_size + head <= sizeof(bytes));
    engine_view_tally(view, &tally);
    memcpy(bytes, &view->client_flags, 4);
    memcpy(bytes + 4, &state, 4);
    memcpy(bytes + 8, &view->cas, 8);
    memcpy(bytes + 16, &tally, sizeof(tally));
    node_fill_value(&fill, bytes + head, view->value_size);
    return hash_key(1, slice_make(bytes, view->value_size + head));
}

struct holding host_holds(struct host *host, uint64_t hash)
{
    struct holding holding = {.live = false};
    struct engine_view view;

    engine_thread_set_now(host->client, now(host));
    if (!engine_find(host->client, hash, &view))
        return holding;
    holding = (struct holding){.live = true,
                               .stamp = view.stamp,
                               .cas = view.cas,
                               .content = content_of(host, &view),
                               .expires_at_s = view.expires_at_s};
    engine_view_end(host->client, &view);
    return holding;
}

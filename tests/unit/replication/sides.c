/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/replication/sides.h"

#include "replication/codec.h"
#include "src/base/memory.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS_MAX 2000

struct side a, b, c;
uint64_t now_ns;
char trace[TRACE_BYTES];
static size_t trace_size;
char out[OUT_BYTES];

/* ---- trace ---- */

static void note(const char *text)
{
    trace_size += (size_t)snprintf(trace + trace_size,
                                   sizeof(trace) - trace_size, "%s\n", text);
    ck_assert_uint_lt(trace_size, sizeof(trace));
}

static void note_frame(const struct side *from, const struct side *to,
                       const struct message *message)
{
    static const char *const names[] = {
        [MESSAGE_HELLO] = "HELLO",     [MESSAGE_REFUSE] = "REFUSE",
        [MESSAGE_PLAN] = "PLAN",       [MESSAGE_BATCH] = "BATCH",
        [MESSAGE_PART] = "PART",       [MESSAGE_PURGE] = "PURGE",
        [MESSAGE_MARK] = "MARK",       [MESSAGE_ACK] = "ACK",
        [MESSAGE_FLUSH] = "FLUSH",     [MESSAGE_HEARTBEAT] = "HEARTBEAT",
        [MESSAGE_GOODBYE] = "GOODBYE", [MESSAGE_DIGEST] = "DIGEST",
        [MESSAGE_DIFFER] = "DIFFER",   [MESSAGE_WANT] = "WANT",
        [MESSAGE_FETCH] = "FETCH",     [MESSAGE_FETCHED] = "FETCHED",
    };
    char line[64];
    char more[32] = "";

    if (message->type == MESSAGE_HEARTBEAT || message->type == MESSAGE_ACK ||
        (message->type == MESSAGE_MARK && !message->mark.done))
        return;
    if (message->type == MESSAGE_PLAN)
        snprintf(more, sizeof(more), " %d", (int)message->plan.kind);
    if (message->type == MESSAGE_BATCH)
        snprintf(more, sizeof(more), " %zu", message->batch.count);
    if (message->type == MESSAGE_FETCH)
        snprintf(more, sizeof(more), " %zu", message->fetch.count);
    if (message->type == MESSAGE_FETCHED)
        snprintf(more, sizeof(more), " %u %u",
                 (unsigned)message->fetched.answered,
                 (unsigned)message->fetched.found);
    if (message->type == MESSAGE_REFUSE)
        snprintf(more, sizeof(more), " %d", (int)message->refuse.reason);
    snprintf(line, sizeof(line), "%c>%c %s%s", from->name, to->name,
             names[message->type], more);
    note(line);
}

static void note_frames(const struct side *from, const struct side *to,
                        struct slice bytes)
{
    struct codec *codec = codec_new();
    struct message message;
    size_t consumed = 1;
    size_t needed;

    while (bytes.size > 0 && consumed > 0) {
        ck_assert_int_eq(
            codec_decode(codec, bytes, &message, &consumed, &needed), 0);
        note_frame(from, to, &message);
        bytes.data += consumed;
        bytes.size -= consumed;
    }
    codec_free(&codec);
}

/* ---- hooks ---- */

static void note_who(const struct side *side, const char *what)
{
    char line[32];

    snprintf(line, sizeof(line), "%c %s", side->name, what);
    note(line);
}

static void on_dial(void *ctx)
{
    struct side *side = ctx;

    ck_assert(!side->dialing);
    side->dialing = true;
}

static int on_listen(void *ctx, bool open)
{
    struct side *side = ctx;

    side->listening = open;
    note_who(side, open ? "listens" : "stops listening");
    return 0;
}

static void on_close(void *ctx, unsigned link)
{
    struct side *side = ctx;

    side->closing[link] = true;
}

static void on_serve(void *ctx)
{
    struct side *side = ctx;

    side->serving = true;
    note_who(side, "serves");
}

/* ---- two sides and what lies between ---- */

uint64_t time_of(const struct side *side)
{
    return now_ns + side->ahead_ns;
}

static void boot_with(struct side *side, char name, uint64_t node, bool dials,
                      struct fetches *fetches, uint64_t memory_bytes)
{
    struct engine_config engine = {.memory_bytes = memory_bytes,
                                   .item_bytes_max = memory_bytes / 8,
                                   .page_bytes = 64 * KIB};
    struct node_hooks hooks = {.ctx = side,
                               .dial = on_dial,
                               .listen = on_listen,
                               .close = on_close,
                               .serve = on_serve};
    struct node_config config = {.node = node,
                                 .incarnation = node + now_ns,
                                 .pair = "pair",
                                 .peer_name = "peer",
                                 .dials = dials,
                                 .item_bytes_max = MIB,
                                 .join_wait_ms = 2000,
                                 .dead_ms = 1000,
                                 .drain_ms = 5000,
                                 .ring_entries = 64,
                                 .tombstones_max = 16,
                                 .random_seed = node,
                                 .confirm_quick_ns = NS_PER_MS};

    *side = (struct side){
        .name = name, .confirm = confirm_new(), .fetches = fetches};
    ck_assert_int_eq(engine_new(&engine, &side->engine), 0);
    config.engine = side->engine;
    config.confirm = side->confirm;
    config.fetches = fetches;
    ck_assert_int_eq(node_new(&config, &hooks, &side->node), 0);
    side->client = engine_thread_new(side->engine);
    engine_thread_set_now(side->client, now_ns);
    node_start(side->node, now_ns);
}

void boot(struct side *side, char name, uint64_t node, bool dials)
{
    boot_with(side, name, node, dials, NULL, 16 * MIB);
}

void boot_small(struct side *side, char name, uint64_t node)
{
    boot_with(side, name, node, true, NULL, 2 * MIB);
}

void boot_fed(struct side *side, char name, uint64_t node)
{
    boot_with(side, name, node, true, fetches_new(), 16 * MIB);
}

void halt(struct side *side)
{
    node_free(&side->node);
    if (side->client != NULL)
        engine_thread_free(&side->client);
    if (side->engine != NULL)
        engine_free(&side->engine);
    confirm_free(&side->confirm);
    fetches_free(&side->fetches);
}

static unsigned free_link(const struct side *side)
{
    unsigned link = 0;

    while (side->at_link[link] != NULL)
        link++;
    ck_assert_uint_lt(link, NODE_LINKS_MAX);
    return link;
}

/* The call of one side reaches the other. */
void connect_to(struct side *from, struct side *to)
{
    unsigned here = free_link(from);
    unsigned there;

    ck_assert(from->dialing);
    from->dialing = false;
    from->at_link[here] = to;
    there = free_link(to);
    to->at_link[there] = from;
    from->their_link[here] = there;
    to->their_link[there] = here;
    node_dialed(from->node, time_of(from), here);
    node_accepted(to->node, time_of(to), there);
}

void nobody_there(struct side *from)
{
    ck_assert(from->dialing);
    from->dialing = false;
    node_dial_failed(from->node, time_of(from), "refused");
}

void end_link(struct side *side, unsigned link)
{
    struct side *other = side->at_link[link];
    unsigned there = side->their_link[link];

    side->at_link[link] = NULL;
    side->closing[link] = false;
    node_lost(side->node, time_of(side), link, "closed");
    if (other == NULL || other->node == NULL || other->at_link[there] != side)
        return;
    other->at_link[there] = NULL;
    other->closing[there] = false;
    node_lost(other->node, time_of(other), there, "closed");
}

void deliver(struct side *to, unsigned link, struct slice bytes)
{
    size_t needed;

    while (bytes.size > 0) {
        size_t taken =
            node_received(to->node, time_of(to), link, bytes, &needed);

        ck_assert_uint_gt(taken, 0);
        bytes.data += taken;
        bytes.size -= taken;
    }
}

/* One output of one link; true when there was any. */
bool pass_on(struct side *from, unsigned link)
{
    struct side *to = from->at_link[link];
    size_t size;

    if (to == NULL)
        return false;
    size = node_output(from->node, time_of(from), link, out, sizeof(out));
    if (size > 0) {
        note_frames(from, to, slice_make(out, size));
        deliver(to, from->their_link[link], slice_make(out, size));
    }
    if (size == 0 && from->closing[link])
        end_link(from, link);
    return size > 0;
}

bool pass_all(struct side *side)
{
    bool any = false;

    for (unsigned link = 0; link < NODE_LINKS_MAX; link++)
        any |= pass_on(side, link);
    return any;
}

/* Until nobody has anything to say. */
void settle(void)
{
    unsigned rounds = 0;
    bool any = true;

    while (any) {
        any = a.node != NULL && pass_all(&a);
        any |= b.node != NULL && pass_all(&b);
        any |= c.node != NULL && pass_all(&c);
        ck_assert_uint_lt(++rounds, ROUNDS_MAX);
    }
}

void pass_time(uint64_t ms)
{
    now_ns += ms * NS_PER_MS;
    if (a.node != NULL)
        node_tick(a.node, time_of(&a));
    if (b.node != NULL)
        node_tick(b.node, time_of(&b));
}

void expect_trace(const char *text)
{
    ck_assert_str_eq(trace, text);
    trace_size = 0;
    trace[0] = '\0';
}

void forget_trace(void)
{
    trace_size = 0;
    trace[0] = '\0';
}

/* ---- clients ---- */

void put_for(struct side *side, const char *key, const char *value, size_t size,
             int64_t exptime_s)
{
    struct engine_write write = {.key =
                                     engine_key_of(side->engine, slice_of(key)),
                                 .mode = ENGINE_SET,
                                 .client_flags = 7,
                                 .value_size = size};
    stamp_t stamp;

    engine_thread_set_now(side->client, now_ns);
    write.expires_at_s = engine_expires_at(side->client, exptime_s);
    ck_assert_int_eq(engine_store(side->client, &write, value, &stamp),
                     ENGINE_STORED);
}

void put(struct side *side, const char *key, const char *value, size_t size)
{
    put_for(side, key, value, size, 0);
}

void set(struct side *side, const char *key, const char *value)
{
    put(side, key, value, strlen(value));
}

void drop(struct side *side, const char *key)
{
    struct engine_key engine_key = engine_key_of(side->engine, slice_of(key));

    engine_thread_set_now(side->client, now_ns);
    (void)engine_remove(side->client, &engine_key);
}

const char *get(struct side *side, const char *key)
{
    static char value[64];
    struct engine_key engine_key = engine_key_of(side->engine, slice_of(key));
    struct engine_view view;
    struct slice bytes;

    engine_thread_set_now(side->client, now_ns);
    if (!engine_get(side->client, &engine_key, &view))
        return "(none)";
    bytes = engine_item_bytes(side->client, view.item, 0);
    snprintf(value, sizeof(value), "%.*s", (int)bytes.size, bytes.data);
    engine_view_end(side->client, &view);
    return value;
}

struct node_status status(const struct side *side)
{
    struct node_status now;

    node_status(side->node, now_ns, &now);
    return now;
}

void note_nothing(void *ctx)
{
    (void)ctx;
}

/* A serves alone, B joins it. */
void pair_up(void)
{
    boot(&a, 'A', 1, true);
    nobody_there(&a);
    boot(&b, 'B', 2, true);
    connect_to(&b, &a);
    settle();
    pass_time(1);
    settle();
    ck_assert_int_eq(status(&a).state, NODE_PAIRED);
    ck_assert_int_eq(status(&b).state, NODE_PAIRED);
    forget_trace();
}

void begin(void)
{
    now_ns = T0;
    a = b = c = (struct side){.node = NULL};
    forget_trace();
}

void end(void)
{
    halt(&a);
    halt(&b);
    halt(&c);
}

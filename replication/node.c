/* SPDX-License-Identifier: BSD-3-Clause */
/* Carries out what the core decides. Every event goes through node_step():
 * the state machine's acts are done in order, and those that end or begin the
 * pair's link set up or tear down the streams of both directions. */
#include "replication/node_inner.h"

#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/memory.h"

#define RECEIVE_BYTES_MAX (64u * 1024) /* Taken in one call. */
#define ROUND_GUESS_NS (2 * NS_PER_S)  /* A round trip nobody measured. */

_Static_assert((int)JOURNAL_CONTINUE == (int)RESYNC_CONTINUE &&
                   (int)JOURNAL_DELTA == (int)RESYNC_DELTA &&
                   (int)JOURNAL_FULL == (int)RESYNC_FULL,
               "plans of the core and of the wire");
_Static_assert((int)PEER_REFUSE_VERSION == (int)REFUSAL_VERSION &&
                   (int)PEER_REFUSE_STRANGER == (int)REFUSAL_STRANGER &&
                   (int)PEER_REFUSE_OTHERWISE == (int)REFUSAL_OTHERWISE,
               "refusals of the core and of the wire");
_Static_assert(NODE_LINKS_MAX == PEER_LINKS_MAX, "links");

/* ---- life ---- */

static struct peer_config peer_config_of(const struct node_config *config)
{
    struct stamp_clock *clock = engine_stamp_clock(config->engine);

    return (struct peer_config){
        .node = config->node,
        .pair = slice_of(config->pair),
        .version_min = MESSAGE_PROTOCOL_VERSION,
        .version_max = MESSAGE_PROTOCOL_VERSION,
        .dials = config->dials,
        .node_bit = atomic_load(&clock->node) & 1,
        .join_wait_ns = config->join_wait_ms * NS_PER_MS,
        .dead_ns = config->dead_ms * NS_PER_MS,
    };
}

static bool config_works(const struct node_config *config)
{
    return config->engine != NULL && config->node != 0 &&
           config->incarnation != 0 && config->pair != NULL &&
           strlen(config->pair) <= MESSAGE_PAIR_NAME_MAX && config->dead_ms > 0;
}

static int open_parts(struct node *node)
{
    const struct node_config *config = &node->config;
    struct journal_config journal = {
        .clock = engine_stamp_clock(config->engine),
        .entries = config->ring_entries,
        .tombstones_max = config->tombstones_max,
        .bucket_bits = config->bucket_bits,
    };

    struct journal hooks;
    int error;

    node->codec = codec_new();
    if (node->codec == NULL)
        return -ERR_MEMORY;
    error = journal_new(&journal, &node->log);
    if (error != 0)
        return error;
    /* The engine takes a journal as long as it has no thread. */
    hooks = journal_hooks(node->log);
    engine_set_journal(config->engine, &hooks);
    node->thread = engine_thread_new(config->engine);
    return node->thread != NULL ? 0 : -ERR_MEMORY;
}

int node_new(const struct node_config *config, const struct node_hooks *hooks,
             struct node **out)
{
    struct node *node;
    struct peer_config peer;
    int error;

    *out = NULL;
    if (!config_works(config))
        return -ERR_RANGE;
    node = memory_new(1, sizeof(*node));
    if (node == NULL)
        return -ERR_MEMORY;
    node->config = *config;
    node->hooks = *hooks;
    node->random = config->random_seed;
    node->line.incarnation = config->incarnation;
    error = open_parts(node);
    if (error != 0) {
        node_free(&node);
        return error;
    }
    peer = peer_config_of(config);
    peer_init(&node->peer, &peer);
    *out = node;
    return 0;
}

void node_free(struct node **node)
{
    if (*node == NULL)
        return;
    if ((*node)->thread != NULL) {
        node_fetch_end(*node);
        node_send_end(*node);
        node_receive_end(*node);
    }
    engine_thread_free(&(*node)->thread);
    codec_free(&(*node)->codec);
    journal_free(&(*node)->log);
    memory_free(node);
}

void node_set_wake(struct node *node, void (*wake)(void *ctx), void *ctx)
{
    journal_set_wake(node->log, wake, ctx);
}

/* ---- acts ---- */

/* xorshift64*: only for jitter, and to tell lives apart. */
uint64_t node_random(struct node *node)
{
    uint64_t x = node->random | 1;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    node->random = x;
    return x * 0x2545F4914F6CDD1Dull;
}

static uint64_t features_of(const struct node *node)
{
    return MESSAGE_FEATURES & ~node->config.features_off;
}

bool node_both_know(const struct node *node, uint64_t feature)
{
    return (node->theirs.features & features_of(node) & feature) != 0;
}

static void compose_hello(struct node *node, unsigned link)
{
    struct node_link *to = &node->links[link];

    to->hello = (struct hello){
        .version_min = node->peer.config.version_min,
        .version_max = node->peer.config.version_max,
        .features = features_of(node),
        .pair = node->peer.config.pair,
        .node = node->config.node,
        .incarnation = node->line.incarnation,
        .node_bit = node->peer.node_bit,
        .node_bit_fixed = node->peer.node_bit_fixed,
        .peer_incarnation = node->line.followed,
        .peer_applied = node->line.applied,
        .acked_by = node->line.acked_by,
        .acked = node->line.acked,
        .doubted = node->doubted,
        .now_ns = node->now_ns,
        .stamp_last = stamp_last(engine_stamp_clock(node->config.engine)),
        .items = engine_items(node->config.engine),
        .item_bytes_max = node->config.item_bytes_max,
        .joining = !node->peer.served || node->peer.lacks,
    };
    engine_flush_state(node->config.engine, &to->hello.flush);
    to->hello_due = true;
    to->hello_ns = node->now_ns;
}

void node_see_stamp(struct node *node, stamp_t stamp)
{
    stamp_absorb(engine_stamp_clock(node->config.engine), stamp);
}

void node_resync_done(struct node *node, enum resync_kind kind, uint64_t items,
                      uint64_t since_ns)
{
    node->resyncs[kind]++;
    node->resync_kind = kind;
    node->resync_items_done = items;
    node->resync_ns = node->now_ns - since_ns;
}

/* Who called knows the round trip; who was called only knows that the hello
 * took some time. */
static void first_offset(struct node *node, unsigned link)
{
    const struct node_link *ours = &node->links[link];
    uint64_t round_ns = ROUND_GUESS_NS;
    uint64_t middle_ns = node->now_ns;

    if (node->offset.node != node->theirs.node)
        node_offset_reset(&node->offset);
    node->offset.node = node->theirs.node;
    if (node->peer.links[link].dialed) {
        round_ns = node->now_ns - ours->hello_ns;
        middle_ns = ours->hello_ns + round_ns / 2;
    }
    node_offset_add(&node->offset, (int64_t)(node->theirs.now_ns - middle_ns),
                    round_ns);
}

static void begin_streams(struct node *node, unsigned link)
{
    struct flush_state flush = node->theirs.flush;

    node->paired_ns = node->now_ns;
    node->pairings++;
    node->line.unproven = false;
    first_offset(node, link);
    node_see_stamp(node, node->theirs.stamp_last);
    node_see_stamp(node, flush.floor);
    node_see_stamp(node, flush.pending);
    node_local_flush(node, &flush);
    engine_flush_join(node->thread, &flush);
    node_doubt_begin(node);
    node_receive_begin(node);
    node_fetch_begin(node);
    node_send_begin(node, link);
    node_heal_begin(node);
}

static void end_streams(struct node *node)
{
    node_fetch_apart(node);
    node_send_end(node);
    node_receive_end(node);
    node_heal_apart(node);
}

static void set_listening(struct node *node, bool open)
{
    int error = node->hooks.listen(node->hooks.ctx, open);

    if (error >= 0 || !open)
        return;
    node->listen_failed = true;
    if (node->peer.link != PEER_NO_LINK || node->listen_told)
        return; /* Its peer, on the same host, may well have the port. */
    log_notice("replication: cannot listen now (%s), trying again",
               error_words(error));
    node->listen_told = true;
}

static void carry_out(struct node *node, const struct peer_act *act)
{
    struct stamp_clock *clock = engine_stamp_clock(node->config.engine);

    switch (act->kind) {
    case PEER_ACT_DIAL:
        node->hooks.dial(node->hooks.ctx);
        break;
    case PEER_ACT_LISTEN:
        set_listening(node, true);
        break;
    case PEER_ACT_UNLISTEN:
        set_listening(node, false);
        break;
    case PEER_ACT_HELLO:
        compose_hello(node, act->link);
        break;
    case PEER_ACT_REFUSE:
        node->links[act->link].refuse_due = true;
        node->links[act->link].reason = act->reason;
        node->refused++;
        break;
    case PEER_ACT_CLOSE:
        node->hooks.close(node->hooks.ctx, act->link);
        break;
    case PEER_ACT_NODE_BIT:
        stamp_clock_set_node(clock, act->bit);
        break;
    case PEER_ACT_PAIR:
        begin_streams(node, act->link);
        break;
    case PEER_ACT_PART:
        end_streams(node);
        break;
    case PEER_ACT_SERVE:
        node_end_doubt(node);
        node->hooks.serve(node->hooks.ctx);
        break;
    case PEER_ACT_TELL:
        node_log_news(node, act);
        break;
    }
}

static void step(struct node *node, struct peer_event *event)
{
    struct peer_acts acts = {.count = 0};

    event->now_ns = node->now_ns;
    event->random = node_random(node);
    peer_step(&node->peer, event, &acts);
    node_fetch_review(node);
    for (unsigned i = 0; i < acts.count; i++)
        carry_out(node, &acts.act[i]);
}

static void node_step(struct node *node, struct peer_event *event)
{
    struct peer_event failed = {.signal = PEER_SIG_LISTEN_FAILED};

    step(node, event);
    if (!node->listen_failed)
        return;
    node->listen_failed = false;
    step(node, &failed);
}

void node_signal(struct node *node, enum peer_signal signal, unsigned link)
{
    struct peer_event event = {.signal = signal, .link = link};

    node_step(node, &event);
}

static void keep_words(struct node_link *link, struct slice words)
{
    size_t size =
        words.size < MESSAGE_WORDS_MAX ? words.size : MESSAGE_WORDS_MAX;

    if (size > 0)
        memcpy(link->words, words.data, size);
    link->words[size] = '\0';
}

void node_signal_refused(struct node *node, unsigned link, enum refusal reason,
                         struct slice words)
{
    struct peer_event event = {.signal = PEER_SIG_REFUSED,
                               .link = link,
                               .reason = (enum peer_refusal)reason};

    keep_words(&node->links[link], words);
    node_step(node, &event);
}

/* Whoever comes with data of its own must not show it before it was compared:
 * but what came from the peer until a link was lost has been shown. */
static bool may_be_fed(const struct node *node)
{
    return node->peer.lacks || engine_items(node->config.engine) == 0;
}

void node_signal_hello(struct node *node, unsigned link,
                       const struct hello *hello)
{
    struct peer_hello digest = {
        .version_min = hello->version_min,
        .version_max = hello->version_max,
        .pair = hello->pair,
        .node = hello->node,
        .node_bit = hello->node_bit & 1,
        .node_bit_fixed = hello->node_bit_fixed,
        .now_ns = hello->now_ns,
        .items = hello->items,
        .feeds = node_fetch_is_known(node, hello) && may_be_fed(node),
    };
    struct peer_event event = {
        .signal = PEER_SIG_HELLO, .link = link, .hello = &digest};
    bool pairs = peer_would_pair(&node->peer, link, &digest);

    if (pairs && node_disowns(node, hello) && node->peer.links[link].dialed) {
        event.signal = PEER_SIG_BROKEN; /* They know us by the old name. */
        node_step(node, &event);
        return;
    }
    if (pairs) /* begin_streams() reads it within this step. */
        node->theirs = *hello;
    node_step(node, &event);
    node->theirs.pair = slice_make(NULL, 0); /* Ends with the frame. */
}

/* ---- the driver's calls ---- */

void node_touch_time(struct node *node, uint64_t now_ns)
{
    node->now_ns = now_ns;
    engine_thread_set_now(node->thread, now_ns);
}

void node_start(struct node *node, uint64_t now_ns)
{
    node_touch_time(node, now_ns);
    node->started_ns = now_ns;
    node_signal(node, PEER_SIG_START, 0);
}

void node_drain(struct node *node, uint64_t now_ns)
{
    node_touch_time(node, now_ns);
    node_ship(node, "this node stops");
    node_end_doubt(node);
    node->drain_until_ns = now_ns + node->config.drain_ms * NS_PER_MS;
    node_signal(node, PEER_SIG_DRAIN, 0);
}

bool node_drained(const struct node *node)
{
    return node->peer.state == PEER_DRAINING &&
           (node->peer.link == PEER_NO_LINK || node->send.goodbye_said ||
            node->now_ns >= node->drain_until_ns);
}

static void open_link(struct node *node, uint64_t now_ns, unsigned link,
                      enum peer_signal signal)
{
    INVARIANT(link < NODE_LINKS_MAX);
    node_touch_time(node, now_ns);
    node->links[link] = (struct node_link){.hello_due = false};
    node_signal(node, signal, link);
}

void node_dialed(struct node *node, uint64_t now_ns, unsigned link)
{
    open_link(node, now_ns, link, PEER_SIG_DIALED);
}

void node_accepted(struct node *node, uint64_t now_ns, unsigned link)
{
    open_link(node, now_ns, link, PEER_SIG_ACCEPTED);
}

void node_dial_failed(struct node *node, uint64_t now_ns, const char *why)
{
    node_touch_time(node, now_ns);
    log_v(LOG_LEVEL_VV, "replication: no connection to %s: %s",
          node->config.peer_name, why);
    node_signal(node, PEER_SIG_DIAL_FAILED, 0);
}

void node_lost(struct node *node, uint64_t now_ns, unsigned link,
               const char *why)
{
    INVARIANT(link < NODE_LINKS_MAX);
    node_touch_time(node, now_ns);
    log_v(LOG_LEVEL_V, "replication: connection %u ended: %s", link, why);
    node_signal(node, PEER_SIG_LOST, link);
}

void node_insecure(struct node *node, uint64_t now_ns, unsigned link,
                   const char *why)
{
    INVARIANT(link < NODE_LINKS_MAX);
    node_touch_time(node, now_ns);
    keep_words(&node->links[link], slice_of(why));
    node_signal(node, PEER_SIG_INSECURE, link);
}

static bool link_is_open(const struct node *node, unsigned link)
{
    enum peer_link_state state = node->peer.links[link].state;

    return state != PEER_LINK_FREE && state != PEER_LINK_CLOSING;
}

static void end_broken(struct node *node, unsigned link, int error)
{
    keep_words(
        &node->links[link],
        slice_of(node->nonsense != NULL ? node->nonsense : error_words(error)));
    log_v(LOG_LEVEL_V, "replication: bad message: %s", node->links[link].words);
    node_signal(node, PEER_SIG_BROKEN, link);
}

/* The whole table may have to be looked at for it. */
static bool takes_long(const struct message *message)
{
    return message->type == MESSAGE_PURGE || message->type == MESSAGE_DIGEST;
}

/* One frame off the front. False: more bytes are needed, the link ended, or
 * that was enough for one call. */
static bool take_frame(struct node *node, unsigned link, struct slice *bytes,
                       size_t *needed)
{
    struct message message;
    size_t consumed = 0;
    int error = codec_decode(node->codec, *bytes, &message, &consumed, needed);

    if (error == 0 && consumed == 0)
        return false;
    node->nonsense = NULL;
    if (error == 0)
        error = node_receive(node, link, &message);
    if (error != 0) {
        end_broken(node, link, error);
        return false;
    }
    bytes->data += consumed;
    bytes->size -= consumed;
    *needed = CODEC_HEADER_BYTES; /* Of the next one. */
    return !takes_long(&message);
}

size_t node_received(struct node *node, uint64_t now_ns, unsigned link,
                     struct slice bytes, size_t *needed)
{
    struct slice rest = bytes;

    INVARIANT(link < NODE_LINKS_MAX);
    node_touch_time(node, now_ns);
    *needed = CODEC_HEADER_BYTES;
    if (bytes.size > 0)
        peer_heard(&node->peer, link, now_ns);
    while (link_is_open(node, link) && rest.size > 0 &&
           bytes.size - rest.size < RECEIVE_BYTES_MAX)
        if (!take_frame(node, link, &rest, needed))
            break;
    if (!link_is_open(node, link)) /* What follows is of no interest. */
        rest.size = 0;
    node->bytes_in += bytes.size - rest.size;
    node_heal_look(node);
    return bytes.size - rest.size;
}

size_t node_output(struct node *node, uint64_t now_ns, unsigned link, char *out,
                   size_t room)
{
    size_t used;

    INVARIANT(link < NODE_LINKS_MAX);
    INVARIANT(room >= 2 * CODEC_PART_BYTES);
    node_touch_time(node, now_ns);
    used = node_send_control(node, link, out, room);
    if (node->peer.link == link)
        used += node_send_data(node, out + used, room - used);
    node->bytes_out += used;
    return used;
}

void node_tick(struct node *node, uint64_t now_ns)
{
    node_touch_time(node, now_ns);
    node_fetch_tick(node);
    node_signal(node, PEER_SIG_TIME, 0);
}

uint64_t node_deadline(const struct node *node)
{
    uint64_t at = peer_deadline(&node->peer);

    if (node_fetch_deadline(node) < at)
        at = node_fetch_deadline(node);
    if (node->peer.state == PEER_DRAINING && node->drain_until_ns < at &&
        node->drain_until_ns > node->now_ns)
        at = node->drain_until_ns;
    return at;
}

uint64_t node_changes(const struct node *node)
{
    return journal_last(node->log) + node->applied_count;
}

bool node_may_sleep(struct node *node)
{
    if (node->peer.link == PEER_NO_LINK || node->orders.paused)
        return true; /* There is nobody to send to. */
    if (node->send.touch_waits)
        return true; /* What comes from the peer wakes us. */
    return journal_sleep(node->log, node->send.next);
}

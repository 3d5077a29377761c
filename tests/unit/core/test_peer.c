/* SPDX-License-Identifier: BSD-3-Clause */
#include "replication/core/peer.h"

#include "src/base/clock.h"
#include "src/base/invariant.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define T0 (1000 * NS_PER_S)
#define OWN_NODE 50

/* ---- acts as text: "hello(0) pair(0) serve" ---- */

static const char *const act_names[] = {
    [PEER_ACT_DIAL] = "dial",         [PEER_ACT_LISTEN] = "listen",
    [PEER_ACT_UNLISTEN] = "unlisten", [PEER_ACT_HELLO] = "hello",
    [PEER_ACT_REFUSE] = "refuse",     [PEER_ACT_CLOSE] = "close",
    [PEER_ACT_NODE_BIT] = "bit",      [PEER_ACT_PAIR] = "pair",
    [PEER_ACT_PART] = "part",         [PEER_ACT_SERVE] = "serve",
};

static size_t put_act(char *out, size_t room, const struct peer_act *act)
{
    const char *name = act_names[act->kind];
    int size;

    if (act->kind == PEER_ACT_NODE_BIT)
        size = snprintf(out, room, "%s(%u) ", name, act->bit);
    else if (act->kind == PEER_ACT_REFUSE)
        size = snprintf(out, room, "%s(%u,%d) ", name, act->link,
                        (int)act->reason);
    else if (act->link != PEER_NO_LINK)
        size = snprintf(out, room, "%s(%u) ", name, act->link);
    else
        size = snprintf(out, room, "%s ", name);
    return (size_t)size;
}

static const char *text_of(const struct peer_acts *acts)
{
    static char text[512];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < acts->count; i++)
        if (acts->act[i].kind != PEER_ACT_TELL)
            used += put_act(text + used, sizeof(text) - used, &acts->act[i]);
    if (used > 0)
        text[used - 1] = '\0';
    return text;
}

/* ---- a peer and what happens to it ---- */

static struct peer peer;

static void begin(bool dials)
{
    struct peer_config config = {.node = OWN_NODE,
                                 .pair = SLICE_LITERAL("pair"),
                                 .version_min = 1,
                                 .version_max = 2,
                                 .dials = dials,
                                 .join_wait_ns = 2 * NS_PER_S,
                                 .dead_ns = NS_PER_S};

    peer_init(&peer, &config);
}

static const char *step_at(uint64_t now_ns, enum peer_signal signal,
                           unsigned link)
{
    struct peer_event event = {
        .signal = signal, .now_ns = now_ns, .link = link};
    struct peer_acts acts = {.count = 0};

    peer_step(&peer, &event, &acts);
    return text_of(&acts);
}

static struct peer_hello hello_of(uint64_t node)
{
    return (struct peer_hello){.version_min = 1,
                               .version_max = 1,
                               .pair = SLICE_LITERAL("pair"),
                               .node = node,
                               .node_bit = 1,
                               .now_ns = T0,
                               .items = 7};
}

static const char *hello_at(uint64_t now_ns, unsigned link,
                            const struct peer_hello *hello)
{
    struct peer_event event = {.signal = PEER_SIG_HELLO,
                               .now_ns = now_ns,
                               .link = link,
                               .hello = hello};
    struct peer_acts acts = {.count = 0};

    peer_step(&peer, &event, &acts);
    return text_of(&acts);
}

static const char *refused_at(uint64_t now_ns, unsigned link,
                              enum peer_refusal reason)
{
    struct peer_event event = {.signal = PEER_SIG_REFUSED,
                               .now_ns = now_ns,
                               .link = link,
                               .reason = reason};
    struct peer_acts acts = {.count = 0};

    peer_step(&peer, &event, &acts);
    return text_of(&acts);
}

/* Brings the peer into a state, with link 0 as given. */
static void put_into(enum peer_state state, enum peer_link_state link)
{
    begin(true);
    peer.state = state;
    peer.last_ns = T0;
    peer.join_until_ns = T0 + 2 * NS_PER_S;
    peer.dial_at_ns = T0 + 50 * NS_PER_MS;
    peer.served =
        state == PEER_ALONE || state == PEER_PAIRED || state == PEER_DRAINING;
    peer.listening =
        state == PEER_ALONE || state == PEER_JOINING || state == PEER_PAIRED;
    peer.links[0] = (struct peer_link){
        .state = link, .dialed = link == PEER_LINK_GREETING, .heard_ns = T0};
    if (link != PEER_LINK_PAIRED)
        return;
    peer.link = 0;
    peer.node = 60;
    peer.hello_ns = T0;
}

/* ---- the table, row by row ---- */

#define FREE PEER_LINK_FREE
#define ACCEPTED PEER_LINK_ACCEPTED
#define GREETING PEER_LINK_GREETING
#define PAIRED PEER_LINK_PAIRED

static const struct {
    enum peer_state from;
    enum peer_link_state link; /* Of link 0, which the signal is about. */
    enum peer_signal signal;
    enum peer_state to;
    const char *acts;
} rows[] = {
    {PEER_IDLE, FREE, PEER_SIG_START, PEER_SEEKING, "dial"},
    {PEER_IDLE, FREE, PEER_SIG_TIME, PEER_IDLE, ""},
    {PEER_IDLE, FREE, PEER_SIG_DRAIN, PEER_DRAINING, ""},

    {PEER_SEEKING, FREE, PEER_SIG_DIALED, PEER_SEEKING, "hello(0)"},
    {PEER_SEEKING, FREE, PEER_SIG_DIAL_FAILED, PEER_ALONE, "listen serve"},
    {PEER_SEEKING, FREE, PEER_SIG_ACCEPTED, PEER_SEEKING, ""},
    {PEER_SEEKING, GREETING, PEER_SIG_LOST, PEER_SEEKING, ""},
    {PEER_SEEKING, GREETING, PEER_SIG_HELLO, PEER_JOINING, "listen pair(0)"},
    {PEER_SEEKING, GREETING, PEER_SIG_REFUSED, PEER_SEEKING, "close(0)"},
    {PEER_SEEKING, GREETING, PEER_SIG_GOODBYE, PEER_SEEKING, "close(0)"},
    {PEER_SEEKING, GREETING, PEER_SIG_BROKEN, PEER_SEEKING, "close(0)"},
    {PEER_SEEKING, GREETING, PEER_SIG_INSECURE, PEER_SEEKING, "close(0)"},
    {PEER_SEEKING, FREE, PEER_SIG_TIME, PEER_SEEKING, ""},
    {PEER_SEEKING, GREETING, PEER_SIG_DRAIN, PEER_DRAINING, "close(0)"},

    {PEER_ALONE, FREE, PEER_SIG_DIALED, PEER_ALONE, "hello(0)"},
    {PEER_ALONE, FREE, PEER_SIG_DIAL_FAILED, PEER_ALONE, ""},
    {PEER_ALONE, FREE, PEER_SIG_ACCEPTED, PEER_ALONE, ""},
    {PEER_ALONE, ACCEPTED, PEER_SIG_LOST, PEER_ALONE, ""},
    {PEER_ALONE, ACCEPTED, PEER_SIG_HELLO, PEER_PAIRED, "hello(0) pair(0)"},
    {PEER_ALONE, GREETING, PEER_SIG_HELLO, PEER_PAIRED, "pair(0)"},
    {PEER_ALONE, ACCEPTED, PEER_SIG_REFUSED, PEER_ALONE, "close(0)"},
    {PEER_ALONE, GREETING, PEER_SIG_REFUSED, PEER_ALONE, "close(0)"},
    {PEER_ALONE, ACCEPTED, PEER_SIG_GOODBYE, PEER_ALONE, "close(0)"},
    {PEER_ALONE, ACCEPTED, PEER_SIG_BROKEN, PEER_ALONE, "close(0)"},
    {PEER_ALONE, GREETING, PEER_SIG_INSECURE, PEER_ALONE, "close(0)"},
    {PEER_ALONE, ACCEPTED, PEER_SIG_INSECURE, PEER_ALONE,
     "refuse(0,7) close(0)"},
    {PEER_ALONE, FREE, PEER_SIG_LISTEN_FAILED, PEER_ALONE, ""},
    {PEER_ALONE, FREE, PEER_SIG_TIME, PEER_ALONE, ""},
    {PEER_ALONE, ACCEPTED, PEER_SIG_DRAIN, PEER_DRAINING, "unlisten close(0)"},

    {PEER_JOINING, FREE, PEER_SIG_DIALED, PEER_JOINING, "close(0)"},
    {PEER_JOINING, PAIRED, PEER_SIG_DIAL_FAILED, PEER_JOINING, ""},
    {PEER_JOINING, PAIRED, PEER_SIG_LOST, PEER_ALONE, "part(0) serve"},
    {PEER_JOINING, PAIRED, PEER_SIG_HELLO, PEER_ALONE,
     "part(0) close(0) serve"},
    {PEER_JOINING, PAIRED, PEER_SIG_REFUSED, PEER_ALONE,
     "part(0) close(0) serve"},
    {PEER_JOINING, PAIRED, PEER_SIG_GOODBYE, PEER_ALONE,
     "part(0) close(0) serve"},
    {PEER_JOINING, PAIRED, PEER_SIG_BROKEN, PEER_ALONE,
     "part(0) close(0) serve"},
    {PEER_JOINING, PAIRED, PEER_SIG_SYNCED, PEER_PAIRED, "serve"},
    {PEER_JOINING, PAIRED, PEER_SIG_TIME, PEER_JOINING, ""},
    {PEER_JOINING, PAIRED, PEER_SIG_DRAIN, PEER_DRAINING, "unlisten"},

    {PEER_PAIRED, FREE, PEER_SIG_DIALED, PEER_PAIRED, "close(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_DIAL_FAILED, PEER_PAIRED, ""},
    {PEER_PAIRED, PAIRED, PEER_SIG_LOST, PEER_ALONE, "part(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_HELLO, PEER_ALONE, "part(0) close(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_REFUSED, PEER_ALONE, "part(0) close(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_GOODBYE, PEER_ALONE, "part(0) close(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_BROKEN, PEER_ALONE, "part(0) close(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_INSECURE, PEER_ALONE, "part(0) close(0)"},
    {PEER_PAIRED, PAIRED, PEER_SIG_SYNCED, PEER_PAIRED, ""},
    {PEER_PAIRED, PAIRED, PEER_SIG_TIME, PEER_PAIRED, ""},
    {PEER_PAIRED, PAIRED, PEER_SIG_DRAIN, PEER_DRAINING, "unlisten"},

    {PEER_DRAINING, FREE, PEER_SIG_DIALED, PEER_DRAINING, "close(0)"},
    {PEER_DRAINING, FREE, PEER_SIG_ACCEPTED, PEER_DRAINING, "close(0)"},
    {PEER_DRAINING, PAIRED, PEER_SIG_LOST, PEER_DRAINING, "part(0)"},
    {PEER_DRAINING, ACCEPTED, PEER_SIG_HELLO, PEER_DRAINING, "close(0)"},
    {PEER_DRAINING, PAIRED, PEER_SIG_GOODBYE, PEER_DRAINING,
     "part(0) close(0)"},
    {PEER_DRAINING, PAIRED, PEER_SIG_BROKEN, PEER_DRAINING, "part(0) close(0)"},
    {PEER_DRAINING, ACCEPTED, PEER_SIG_INSECURE, PEER_DRAINING, "close(0)"},
    {PEER_DRAINING, PAIRED, PEER_SIG_SYNCED, PEER_DRAINING, ""},
    {PEER_DRAINING, PAIRED, PEER_SIG_TIME, PEER_DRAINING, ""},
    {PEER_DRAINING, PAIRED, PEER_SIG_DRAIN, PEER_DRAINING, ""},
};

START_TEST(each_row_steps_as_written)
{
    struct peer_hello hello = hello_of(60);
    const char *acts;

    put_into(rows[_i].from, rows[_i].link);
    switch (rows[_i].signal) {
    case PEER_SIG_HELLO:
        acts = hello_at(T0, 0, &hello);
        break;
    case PEER_SIG_REFUSED:
        acts = refused_at(T0, 0, PEER_REFUSE_PAIRED);
        break;
    default:
        acts = step_at(T0, rows[_i].signal, 0);
    }
    ck_assert_str_eq(acts, rows[_i].acts);
    ck_assert_int_eq(peer.state, rows[_i].to);
}
END_TEST

START_TEST(without_a_peer_it_serves_at_once)
{
    begin(false);
    ck_assert_str_eq(step_at(T0, PEER_SIG_START, 0), "listen serve");
    ck_assert_int_eq(peer.state, PEER_ALONE);
    ck_assert_uint_eq(peer_deadline(&peer), PEER_NEVER);
}
END_TEST

START_TEST(a_silent_peer_costs_the_join_wait_and_no_more)
{
    begin(true);
    step_at(T0, PEER_SIG_START, 0);
    ck_assert_uint_eq(peer_deadline(&peer), T0 + 2 * NS_PER_S);
    ck_assert_str_eq(step_at(T0 + 2 * NS_PER_S - 1, PEER_SIG_TIME, 0), "");
    ck_assert_str_eq(step_at(T0 + 2 * NS_PER_S, PEER_SIG_TIME, 0),
                     "listen serve");
}
END_TEST

START_TEST(an_empty_peer_needs_no_joining)
{
    struct peer_hello hello = hello_of(60);

    hello.items = 0;
    put_into(PEER_SEEKING, GREETING);
    ck_assert_str_eq(hello_at(T0, 0, &hello), "listen pair(0) serve");
    ck_assert_int_eq(peer.state, PEER_PAIRED);
}
END_TEST

START_TEST(a_node_that_is_fed_serves_before_it_has_the_data)
{
    struct peer_hello hello = hello_of(60);

    hello.feeds = true;
    put_into(PEER_SEEKING, GREETING);
    ck_assert_str_eq(hello_at(T0, 0, &hello), "listen pair(0) serve");
    ck_assert_int_eq(peer.state, PEER_JOINING);
    ck_assert(peer.lacks);
    ck_assert_str_eq(step_at(T0, PEER_SIG_SYNCED, 0), "");
    ck_assert_int_eq(peer.state, PEER_PAIRED);
    ck_assert(!peer.lacks);
}
END_TEST

/* Nobody waits for the data, and the peer can still be asked for it. */
START_TEST(a_node_that_is_fed_goes_on_joining)
{
    struct peer_hello hello = hello_of(60);

    hello.feeds = true;
    put_into(PEER_SEEKING, GREETING);
    (void)hello_at(T0, 0, &hello);
    for (unsigned i = 1; i < 100; i++) {
        peer_heard(&peer, 0, T0 + i * 500 * NS_PER_MS);
        ck_assert_str_eq(step_at(T0 + i * 500 * NS_PER_MS, PEER_SIG_TIME, 0),
                         "");
    }
    ck_assert_int_eq(peer.state, PEER_JOINING);
}
END_TEST

START_TEST(one_that_lost_who_fed_it_joins_again)
{
    struct peer_hello hello = hello_of(60);

    hello.feeds = true;
    put_into(PEER_SEEKING, GREETING);
    (void)hello_at(T0, 0, &hello);
    ck_assert_str_eq(step_at(T0, PEER_SIG_LOST, 0), "part(0)");
    ck_assert_int_eq(peer.state, PEER_ALONE);
    ck_assert_str_eq(step_at(T0, PEER_SIG_ACCEPTED, 0), "");
    hello.now_ns++;
    ck_assert_str_eq(hello_at(T0, 0, &hello), "hello(0) pair(0)");
    ck_assert_int_eq(peer.state, PEER_JOINING);
    (void)step_at(T0, PEER_SIG_LOST, 0);
    (void)step_at(T0, PEER_SIG_ACCEPTED, 0);
    hello.now_ns++;
    hello.items = 0; /* It has lost all: there is nothing to join. */
    ck_assert_str_eq(hello_at(T0, 0, &hello), "hello(0) pair(0)");
    ck_assert_int_eq(peer.state, PEER_PAIRED);
    ck_assert(!peer.lacks);
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *what;
    uint32_t version_min;
    const char *pair;
    uint64_t node;
    const char *acts;
} strangers[] = {
    {"too new", 3, "pair", 60, "refuse(0,1) close(0)"},
    {"another pair", 1, "other", 60, "refuse(0,2) close(0)"},
    {"itself", 1, "pair", OWN_NODE, "refuse(0,4) close(0)"},
};

START_TEST(a_stranger_is_refused_in_words)
{
    struct peer_hello hello = hello_of(strangers[_i].node);

    hello.version_min = strangers[_i].version_min;
    hello.version_max = strangers[_i].version_min;
    hello.pair = slice_of(strangers[_i].pair);
    put_into(PEER_ALONE, ACCEPTED);
    ck_assert_str_eq(hello_at(T0, 0, &hello), strangers[_i].acts);
    ck_assert_int_eq(peer.state, PEER_ALONE);
}
END_TEST

static void accept_on(unsigned link)
{
    step_at(T0, PEER_SIG_ACCEPTED, link);
}

START_TEST(a_third_node_is_refused)
{
    struct peer_hello hello = hello_of(61);

    put_into(PEER_PAIRED, PAIRED);
    accept_on(1);
    hello.now_ns = T0 + 1;
    ck_assert_str_eq(hello_at(T0, 1, &hello), "refuse(1,3) close(1)");
    ck_assert_uint_eq(peer.link, 0);
}
END_TEST

START_TEST(the_same_node_supersedes_its_old_link)
{
    struct peer_hello hello = hello_of(60);

    put_into(PEER_PAIRED, PAIRED);
    peer.node_bit_fixed = true;
    accept_on(1);
    hello.now_ns = T0 + 1;
    ck_assert_str_eq(hello_at(T0, 1, &hello),
                     "part(0) close(0) hello(1) pair(1)");
    ck_assert_uint_eq(peer.link, 1);
    step_at(T0, PEER_SIG_LOST, 0);
    ck_assert_int_eq(peer.state, PEER_PAIRED);
}
END_TEST

START_TEST(a_hello_older_than_the_link_does_not_supersede_it)
{
    struct peer_hello hello = hello_of(60);

    put_into(PEER_PAIRED, PAIRED);
    accept_on(1);
    ck_assert_str_eq(hello_at(T0, 1, &hello), "refuse(1,6) close(1)");
    ck_assert_uint_eq(peer.link, 0);
}
END_TEST

START_TEST(of_crossed_links_the_lower_nodes_stays)
{
    struct peer_hello lower = hello_of(OWN_NODE - 1);
    struct peer_hello higher = hello_of(OWN_NODE + 1);

    put_into(PEER_ALONE, GREETING);
    accept_on(1);
    ck_assert_str_eq(hello_at(T0, 1, &higher), "refuse(1,6) close(1)");

    put_into(PEER_ALONE, GREETING);
    accept_on(1);
    ck_assert_str_eq(hello_at(T0, 1, &lower), "close(0) hello(1) pair(1)");
}
END_TEST

START_TEST(refused_while_it_starts_it_waits_behind_a_closed_port)
{
    put_into(PEER_SEEKING, GREETING);
    refused_at(T0 + NS_PER_S / 2, 0, PEER_REFUSE_PAIRED);
    ck_assert_int_eq(peer.state, PEER_SEEKING);
    step_at(T0 + NS_PER_S / 2, PEER_SIG_LOST, 0);
    ck_assert_str_eq(step_at(T0 + NS_PER_S, PEER_SIG_TIME, 0), "dial");
    /* It is not alone before nobody has answered for the whole wait. */
    ck_assert_str_eq(step_at(T0 + 2 * NS_PER_S, PEER_SIG_TIME, 0), "");
    ck_assert_str_eq(step_at(T0 + 3 * NS_PER_S, PEER_SIG_TIME, 0),
                     "listen serve");
}
END_TEST

START_TEST(who_reaches_itself_is_alone)
{
    put_into(PEER_SEEKING, GREETING);
    ck_assert_str_eq(refused_at(T0, 0, PEER_REFUSE_SELF),
                     "close(0) listen serve");
    ck_assert_int_eq(peer.state, PEER_ALONE);
}
END_TEST

/* ---- node bits ---- */

static const struct {
    unsigned own_bit;
    bool own_fixed;
    unsigned their_bit;
    bool their_fixed;
    uint64_t their_node;
    unsigned bit; /* What we end with. */
} bits[] = {
    {0, false, 1, false, 60, 0}, {1, false, 0, false, 40, 1},
    {0, false, 0, true, 60, 1},  {0, true, 0, false, 60, 0},
    {0, false, 0, false, 60, 0}, {0, false, 0, false, 40, 1},
    {1, true, 1, true, 60, 0},   {1, true, 1, true, 40, 1},
};

START_TEST(both_sides_choose_different_bits)
{
    struct peer_hello hello = hello_of(bits[_i].their_node);
    struct peer_hello ours = hello_of(OWN_NODE);

    hello.node_bit = bits[_i].their_bit;
    hello.node_bit_fixed = bits[_i].their_fixed;
    put_into(PEER_ALONE, ACCEPTED);
    peer.node_bit = bits[_i].own_bit;
    peer.node_bit_fixed = bits[_i].own_fixed;
    hello_at(T0, 0, &hello);
    ck_assert_uint_eq(peer.node_bit, bits[_i].bit);
    ck_assert(peer.node_bit_fixed);

    /* And now as the other one sees it. */
    ours.node_bit = bits[_i].own_bit;
    ours.node_bit_fixed = bits[_i].own_fixed;
    put_into(PEER_ALONE, ACCEPTED);
    peer.config.node = bits[_i].their_node;
    peer.node_bit = bits[_i].their_bit;
    peer.node_bit_fixed = bits[_i].their_fixed;
    hello_at(T0, 0, &ours);
    ck_assert_uint_eq(peer.node_bit, 1 - bits[_i].bit);
}
END_TEST

/* ---- time ---- */

START_TEST(a_silent_link_ends_and_the_survivor_is_alone)
{
    put_into(PEER_PAIRED, PAIRED);
    peer_sent(&peer, 0, T0 + 900 * NS_PER_MS);
    peer.last_ns = T0 + 900 * NS_PER_MS;
    peer.links[0].heard_ns = T0;
    ck_assert_str_eq(step_at(T0 + NS_PER_S - 1, PEER_SIG_TIME, 0), "");
    ck_assert_str_eq(step_at(T0 + NS_PER_S, PEER_SIG_TIME, 0),
                     "part(0) close(0)");
    ck_assert_int_eq(peer.state, PEER_ALONE);
}
END_TEST

START_TEST(after_a_pause_of_its_own_it_gives_the_peer_time)
{
    put_into(PEER_PAIRED, PAIRED);
    ck_assert_str_eq(step_at(T0 + 5 * NS_PER_S, PEER_SIG_TIME, 0), "");
    ck_assert_str_eq(
        step_at(T0 + 5 * NS_PER_S + NS_PER_S / 2, PEER_SIG_TIME, 0),
        "part(0) close(0)");
}
END_TEST

START_TEST(a_greeting_that_nobody_answers_ends)
{
    uint64_t now_ns = T0;
    const char *acts = "";

    put_into(PEER_ALONE, GREETING);
    /* Only when it asks to be: that must not look like a pause. */
    while (*acts == '\0' && now_ns < T0 + 5 * NS_PER_S) {
        now_ns = peer_deadline(&peer);
        acts = step_at(now_ns, PEER_SIG_TIME, 0);
    }
    ck_assert_str_eq(acts, "close(0)");
    ck_assert_uint_eq(now_ns, T0 + NS_PER_S);
}
END_TEST

START_TEST(chatter_without_a_hello_is_no_life)
{
    put_into(PEER_ALONE, ACCEPTED);
    peer.dialing = true; /* Nothing else to do. */
    for (unsigned i = 1; i < 5; i++)
        peer_heard(&peer, 0, T0 + i * 200 * NS_PER_MS);
    ck_assert_str_eq(step_at(T0 + NS_PER_S, PEER_SIG_TIME, 0), "close(0)");
}
END_TEST

START_TEST(heartbeats_are_due_five_times_before_death)
{
    put_into(PEER_PAIRED, PAIRED);
    peer_sent(&peer, 0, T0);
    ck_assert(!peer_heartbeat_due(&peer, 0, T0 + 200 * NS_PER_MS - 1));
    ck_assert(peer_heartbeat_due(&peer, 0, T0 + 200 * NS_PER_MS));
    ck_assert(!peer_heartbeat_due(&peer, 1, T0 + NS_PER_S));
    ck_assert_uint_eq(peer_deadline(&peer), T0 + 200 * NS_PER_MS);
}
END_TEST

START_TEST(dialing_slows_down_to_a_second)
{
    uint64_t now_ns = T0;
    uint64_t pause_ns = 0;

    put_into(PEER_ALONE, FREE);
    peer.backoff_ns = PEER_BACKOFF_MIN_NS;
    for (unsigned i = 0; i < 10; i++) {
        now_ns = peer_deadline(&peer);
        ck_assert_str_eq(step_at(now_ns, PEER_SIG_TIME, 0), "dial");
        step_at(now_ns, PEER_SIG_DIAL_FAILED, 0);
        ck_assert_uint_ge(peer_deadline(&peer) - now_ns, pause_ns);
        pause_ns = peer_deadline(&peer) - now_ns;
    }
    ck_assert_uint_eq(pause_ns, PEER_BACKOFF_MAX_NS / 2); /* No jitter here. */
}
END_TEST

START_TEST(a_taken_port_is_tried_again)
{
    put_into(PEER_ALONE, FREE);
    peer.dialing = true;
    step_at(T0, PEER_SIG_LISTEN_FAILED, 0);
    ck_assert_uint_gt(peer_deadline(&peer), T0);
    ck_assert_uint_lt(peer_deadline(&peer), T0 + NS_PER_S);
    ck_assert_str_eq(step_at(peer_deadline(&peer), PEER_SIG_TIME, 0), "listen");
}
END_TEST

START_TEST(beside_its_peer_it_waits_for_the_port)
{
    put_into(PEER_PAIRED, PAIRED);
    peer_sent(&peer, 0, T0);
    step_at(T0, PEER_SIG_LISTEN_FAILED, 0);
    ck_assert_str_eq(step_at(T0 + NS_PER_S / 5, PEER_SIG_TIME, 0), "");
    ck_assert_str_eq(step_at(T0 + NS_PER_S / 2, PEER_SIG_TIME, 0), "listen");
    step_at(T0 + NS_PER_S / 2, PEER_SIG_LISTEN_FAILED, 0);
    ck_assert_str_eq(step_at(T0 + NS_PER_S / 2, PEER_SIG_LOST, 0),
                     "part(0) listen");
}
END_TEST

START_TEST(it_never_dials_twice_at_once)
{
    begin(true);
    ck_assert_str_eq(step_at(T0, PEER_SIG_START, 0), "dial");
    step_at(T0 + 2 * NS_PER_S, PEER_SIG_TIME, 0);
    ck_assert_int_eq(peer.state, PEER_ALONE);
    ck_assert_str_eq(step_at(T0 + 9 * NS_PER_S, PEER_SIG_TIME, 0), "");
    step_at(T0 + 9 * NS_PER_S, PEER_SIG_DIALED, 2);
    ck_assert_str_eq(step_at(T0 + 9 * NS_PER_S, PEER_SIG_TIME, 0), "");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, each_row_steps_as_written, 0, COUNT_OF(rows));
    tcase_add_test(tests, without_a_peer_it_serves_at_once);
    tcase_add_test(tests, a_silent_peer_costs_the_join_wait_and_no_more);
    tcase_add_test(tests, an_empty_peer_needs_no_joining);
    tcase_add_test(tests, a_node_that_is_fed_serves_before_it_has_the_data);
    tcase_add_test(tests, a_node_that_is_fed_goes_on_joining);
    tcase_add_test(tests, one_that_lost_who_fed_it_joins_again);
    tcase_add_loop_test(tests, a_stranger_is_refused_in_words, 0,
                        COUNT_OF(strangers));
    tcase_add_test(tests, a_third_node_is_refused);
    tcase_add_test(tests, the_same_node_supersedes_its_old_link);
    tcase_add_test(tests, a_hello_older_than_the_link_does_not_supersede_it);
    tcase_add_test(tests, of_crossed_links_the_lower_nodes_stays);
    tcase_add_test(tests,
                   refused_while_it_starts_it_waits_behind_a_closed_port);
    tcase_add_test(tests, who_reaches_itself_is_alone);
    tcase_add_loop_test(tests, both_sides_choose_different_bits, 0,
                        COUNT_OF(bits));
    tcase_add_test(tests, a_silent_link_ends_and_the_survivor_is_alone);
    tcase_add_test(tests, after_a_pause_of_its_own_it_gives_the_peer_time);
    tcase_add_test(tests, a_greeting_that_nobody_answers_ends);
    tcase_add_test(tests, chatter_without_a_hello_is_no_life);
    tcase_add_test(tests, heartbeats_are_due_five_times_before_death);
    tcase_add_test(tests, dialing_slows_down_to_a_second);
    tcase_add_test(tests, a_taken_port_is_tried_again);
    tcase_add_test(tests, beside_its_peer_it_waits_for_the_port);
    tcase_add_test(tests, it_never_dials_twice_at_once);
}

UNIT_MAIN("peer", add_tests)

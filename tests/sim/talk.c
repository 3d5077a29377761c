/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients who say what they want in words, as over a socket: whole sessions of
 * the text and the meta protocol. What they make of the data is remembered by
 * client.c, as with those who call the engine; here their replies are read. */
#include "tests/sim/sim.h"

#include "src/base/memory.h"
#include "src/command/ack.h"
#include "src/command/commands.h"
#include "src/command/session.h"
#include "src/protocol/base64.h"

#include <stdarg.h>
#include <string.h>

#define REQUESTS_MAX 20
#define LINE_MAX 512
#define FD 7
/* Of these keys some have names that begin so. */
#define PREFIX "key-00"

static char request[LINE_MAX + VALUE_MAX];

struct saying {
    struct host *host;
    struct key_history *key;
    const struct holding *before;
    char *line;
    size_t size;
    stamp_t cas;   /* What it is to be compared with, if it is; */
    bool compares; /* a failure to store then says that it differs. */
    bool flushes;
    bool quiet;
};

/* ---- the daemon's part ---- */

static void wake_nobody(void *ctx)
{
    (void)ctx;
}

static struct ack_policy policy_of(enum world_ack ack)
{
    struct ack_policy policy = {.mode = ACK_ASYNC};
    int error = 0;

    if (ack == WORLD_APPLIED)
        policy.mode = ACK_APPLIED;
    if (ack == WORLD_PREFIX)
        error = ack_policy_add(&policy, slice_of(PREFIX), ACK_APPLIED);
    INVARIANT(error == 0);
    return policy;
}

void talk_prepare(struct host *host)
{
    host->talk.confirm = confirm_new();
    INVARIANT(host->talk.confirm != NULL);
}

void talk_open(struct host *host)
{
    static struct ack_policy policy;
    struct talk *talk = &host->talk;
    struct commands_config config = {.version = "1",
                                     .item_bytes_max = MIB,
                                     .cas_shown = true,
                                     .flush_allowed = true,
                                     .ack = &policy};

    policy = policy_of(host->world->knobs.ack);
    talk->commands = commands_new(host->engine, &config);
    INVARIANT(talk->commands != NULL);
    talk->thread = command_thread_new(talk->commands);
    talk->sink = sink_new();
    INVARIANT(talk->thread != NULL);
    INVARIANT(talk->sink != NULL);
    talk->waiter = confirm_join(talk->confirm, wake_nobody, NULL);
}

void talk_close(struct host *host)
{
    struct talk *talk = &host->talk;

    session_free(&talk->session);
    sink_free(&talk->sink);
    if (talk->thread != NULL)
        command_thread_free(&talk->thread);
    commands_free(&talk->commands);
}

void talk_fini(struct host *host)
{
    confirm_free(&host->talk.confirm);
}

/* ---- what they say ---- */

__attribute__((format(printf, 2, 3))) static void say(struct saying *saying,
                                                      const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(saying->line + saying->size, LINE_MAX - saying->size,
                     format, args);
    va_end(args);
    saying->size += (size_t)size;
    INVARIANT(saying->size < LINE_MAX);
}

static struct dice *dice_of(const struct saying *saying)
{
    return &saying->host->world->dice;
}

static bool likes(const struct saying *saying, unsigned percent)
{
    return dice_percent(dice_of(saying), percent);
}

static unsigned some_ttl(const struct saying *saying)
{
    if (!saying->host->world->knobs.expiry || likes(saying, 50))
        return 0;
    return 1 + (unsigned)dice_below(dice_of(saying), 20);
}

static void say_body(struct saying *saying, size_t size)
{
    memcpy(saying->line + saying->size, client_value, size);
    memcpy(saying->line + saying->size + size, "\r\n", 2);
    saying->size += size + 2;
}

static size_t some_value(const struct saying *saying)
{
    size_t size = client_make_value(saying->host->world);

    if (likes(saying, 20)) { /* A number, for those who count. */
        memcpy(client_value, "100", 3);
        size = 3;
    }
    return size;
}

static void say_store(struct saying *saying)
{
    static const char *const verbs[] = {"set",    "set",     "add", "replace",
                                        "append", "prepend", "cas"};
    const char *verb = verbs[dice_below(dice_of(saying), COUNT_OF(verbs))];
    size_t size = some_value(saying);

    say(saying, "%s %s %u %u %zu", verb, saying->key->name,
        (unsigned)dice_below(dice_of(saying), 3), some_ttl(saying), size);
    if (strcmp(verb, "cas") == 0) {
        saying->compares = true;
        say(saying, " %llu", (unsigned long long)saying->cas);
    }
    say(saying, "\r\n");
    say_body(saying, size);
}

static void say_touch(struct saying *saying)
{
    const char *name = saying->key->name;

    if (likes(saying, 50))
        say(saying, "touch %s %u\r\n", name, some_ttl(saying));
    else
        say(saying, "%s %u %s\r\n", likes(saying, 50) ? "gat" : "gats",
            some_ttl(saying), name);
}

static void say_count(struct saying *saying)
{
    say(saying, "%s %s %u\r\n", likes(saying, 50) ? "incr" : "decr",
        saying->key->name, (unsigned)dice_below(dice_of(saying), 100));
}

static void say_flush(struct saying *saying)
{
    struct world *world = saying->host->world;
    unsigned delay_s = 0;

    saying->flushes = true;
    if (world->knobs.flush_later && likes(saying, 50))
        delay_s = 1 + (unsigned)dice_below(&world->dice, 4);
    if (delay_s == 0 && !world->knobs.flush) {
        say(saying, "mn\r\n");
        return;
    }
    fault_count(world, delay_s > 0 ? FAULT_FLUSHED_LATER : FAULT_FLUSHED);
    say(saying, "flush_all %u\r\n", delay_s);
}

/* ---- meta ---- */

/* The key as it is, or in base64. Returns whether it is. */
static bool say_meta(struct saying *saying, const char *verb)
{
    const struct slice name = slice_of(saying->key->name);
    char coded[64];
    bool as_is = likes(saying, 80);
    size_t size = name.size;

    if (as_is)
        memcpy(coded, name.data, size);
    else
        size = base64_encode(name, coded);
    say(saying, "%s %.*s", verb, (int)size, coded);
    return as_is;
}

static void say_flag(struct saying *saying, unsigned percent, const char *flag)
{
    if (likes(saying, percent))
        say(saying, " %s", flag);
}

static void say_ttl(struct saying *saying, unsigned percent, char flag)
{
    if (likes(saying, percent))
        say(saying, " %c%u", flag, some_ttl(saying));
}

static void say_cas(struct saying *saying, unsigned percent)
{
    if (likes(saying, percent)) {
        saying->compares = true;
        say(saying, " C%llu", (unsigned long long)saying->cas);
    }
    if (likes(saying, 10))
        say(saying, " E%llu",
            (unsigned long long)(dice_next(dice_of(saying)) >> 1 | 1));
}

static void say_ms(struct saying *saying)
{
    static const char modes[] = "SSSEAPR";
    char mode = modes[dice_below(dice_of(saying), sizeof(modes) - 1)];
    size_t size = some_value(saying);
    bool as_is = say_meta(saying, "ms");

    say(saying, " %zu%s M%c", size, as_is ? "" : " b", mode);
    say_ttl(saying, 50, 'T');
    say_flag(saying, 20, "F7");
    say_cas(saying, 30);
    if (mode == 'A' || mode == 'P')
        say_ttl(saying, 50, 'N');
    if (mode != 'S') /* What is not there may be made. */
        saying->compares = false;
    if (likes(saying, 20)) {
        saying->compares = false; /* Older ones are stored as stale. */
        say(saying, " I");
    }
    say(saying, "\r\n");
    say_body(saying, size);
}

static void say_mg(struct saying *saying)
{
    bool as_is = say_meta(saying, "mg");

    say(saying, "%s t c", as_is ? "" : " b");
    say_flag(saying, 50, "v");
    say_flag(saying, 20, "q");
    say_flag(saying, 10, "h l f s");
    say_ttl(saying, 30, 'N');
    say_ttl(saying, 30, 'R');
    say_ttl(saying, 20, 'T');
    if (likes(saying, 10))
        say(saying, " E%llu",
            (unsigned long long)(dice_next(dice_of(saying)) >> 1 | 1));
    saying->quiet = true;
    say(saying, "\r\n");
}

static void say_md(struct saying *saying)
{
    bool as_is = say_meta(saying, "md");

    say(saying, "%s", as_is ? "" : " b");
    say_flag(saying, 60, "I");
    say_flag(saying, 20, "x");
    say_ttl(saying, 20, 'T');
    say_cas(saying, 20);
    saying->compares = false; /* What it says differs with I. */
    say(saying, "\r\n");
}

static void say_ma(struct saying *saying)
{
    bool as_is = say_meta(saying, "ma");

    say(saying, "%s v D%u %s", as_is ? "" : " b",
        (unsigned)dice_below(dice_of(saying), 100),
        likes(saying, 50) ? "MI" : "MD");
    say_ttl(saying, 20, 'T');
    if (likes(saying, 40)) {
        say_ttl(saying, 100, 'N');
        say(saying, " J%u", (unsigned)dice_below(dice_of(saying), 1000));
    }
    say(saying, "\r\n");
}

static void say_delete(struct saying *saying)
{
    say(saying, "delete %s\r\n", saying->key->name);
}

static void say_something(struct saying *saying)
{
    static const struct {
        unsigned below;
        void (*say)(struct saying *saying);
    } sayings[] = {{25, say_store}, {33, say_touch}, {41, say_count},
                   {61, say_ms},    {76, say_mg},    {87, say_md},
                   {92, say_ma},    {93, say_flush}, {100, say_delete}};
    unsigned roll = (unsigned)dice_below(dice_of(saying), 100);
    size_t i = 0;

    while (roll >= sayings[i].below)
        i++;
    sayings[i].say(saying);
}

/* ---- what is answered ---- */

#define REPLY_SHOWN 64 /* Its beginning is enough. */

struct reply {
    char text[REPLY_SHOWN];
    size_t size;
    bool closed;
};

static void hear(struct talk *talk, struct reply *reply)
{
    struct iovec vector;

    while (sink_pending(talk->sink) > 0) {
        size_t room = REPLY_SHOWN - 1 - reply->size;
        size_t size;

        if (sink_vectors(talk->sink, &vector, 1) == 0)
            break;
        size = vector.iov_len < room ? vector.iov_len : room;
        memcpy(reply->text + reply->size, vector.iov_base, size);
        reply->size += size;
        sink_sent(talk->sink, vector.iov_len);
    }
    reply->text[reply->size] = '\0';
}

static size_t give_body(struct talk *talk, struct slice rest)
{
    size_t room;
    char *space = session_space(talk->session, &room);

    if (room > rest.size)
        room = rest.size;
    memcpy(space, rest.data, room);
    session_filled(talk->session, room);
    return room;
}

static void converse(struct talk *talk, struct slice rest, struct reply *reply)
{
    enum session_want want = SESSION_INPUT;
    bool moves = true;

    while (moves && want != SESSION_CLOSE) {
        size_t taken =
            session_run(talk->session, rest, REQUESTS_MAX, talk->sink, &want);

        rest.data += taken;
        rest.size -= taken;
        hear(talk, reply);
        moves = want == SESSION_DRAIN || want == SESSION_YIELD;
        if (want == SESSION_BODY && rest.size > 0) {
            taken = give_body(talk, rest);
            rest.data += taken;
            rest.size -= taken;
            moves = true;
        }
    }
    reply->closed = want == SESSION_CLOSE || sink_failed(talk->sink);
}

static bool is_answer(const struct reply *reply, const char *text)
{
    return strncmp(reply->text, text, strlen(text)) == 0;
}

static void check_cas(const struct saying *saying, const struct reply *reply)
{
    bool stored = is_answer(reply, "STORED") || is_answer(reply, "HD");
    bool differs = is_answer(reply, "EXISTS") || is_answer(reply, "EX");
    bool same = saying->cas == saying->before->cas;

    if (saying->compares)
        check_that(saying->host->world, CHECK_CAS,
                   (!stored || same) && (!differs || !same),
                   "host %u: %s with %llx over %llx: %.16s",
                   saying->host->index, saying->key->name,
                   (unsigned long long)saying->cas,
                   (unsigned long long)saying->before->cas, reply->text);
}

/* The reply is there, and nobody has to wait for anything. */
static void check_at_once(const struct saying *saying,
                          const struct reply *reply, uint64_t awaits)
{
    struct world *world = saying->host->world;
    bool named = strncmp(saying->key->name, PREFIX, strlen(PREFIX)) == 0;
    bool async =
        world->knobs.ack == WORLD_ASYNC ||
        (world->knobs.ack == WORLD_PREFIX && !named && !saying->flushes);

    if (async)
        check_that(world, CHECK_AT_ONCE,
                   awaits == 0 &&
                       (reply->size > 0 || saying->quiet || reply->closed),
                   "host %u: a client waits for change %llu",
                   saying->host->index, (unsigned long long)awaits);
}

/* Some other version as often as the right one. */
static stamp_t some_version(const struct host *host,
                            const struct key_history *key)
{
    struct world *world = host->world;
    struct host *seen = &world->hosts[dice_below(&world->dice, HOSTS)];
    stamp_t cas = seen->up ? host_holds(seen, key->hash).cas : STAMP_NONE;

    return cas != STAMP_NONE ? cas : 1;
}

static bool is_open(struct talk *talk)
{
    static const struct session_config config = {.protocol = SESSION_AUTO};

    if (talk->session == NULL)
        talk->session = session_new(talk->thread, &config, FD);
    return talk->session != NULL;
}

uint64_t talk_some(struct host *host, struct key_history *key,
                   const struct holding *before)
{
    struct talk *talk = &host->talk;
    struct saying saying = {
        .host = host, .key = key, .before = before, .line = request};
    struct reply reply = {.size = 0};
    uint64_t awaits;

    if (!is_open(talk))
        return 0;
    saying.cas = some_version(host, key);
    say_something(&saying);
    command_thread_set_now(talk->thread, host_now(host->world, host->index));
    converse(talk, slice_make(request, saying.size), &reply);
    awaits = command_thread_awaits(talk->thread);
    command_thread_settle(talk->thread);
    check_cas(&saying, &reply);
    check_at_once(&saying, &reply, awaits);
    if (reply.closed) {
        session_free(&talk->session);
        sink_clear(talk->sink);
    }
    return awaits;
}

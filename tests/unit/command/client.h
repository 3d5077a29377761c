/* SPDX-License-Identifier: BSD-3-Clause */
/* A client and a server around one session, without sockets: what a test
 * sends arrives in pieces, and what is answered is collected. */
#ifndef TESTS_UNIT_COMMAND_CLIENT_H
#define TESTS_UNIT_COMMAND_CLIENT_H

#include "src/base/invariant.h"
#include "src/command/commands.h"
#include "src/command/session.h"

#include <stdlib.h>
#include <string.h>

#define CLIENT_FD 30
#define CLIENT_NOW_NS (1700000000ull * NS_PER_S)

/* A cache with one worker. */
struct host {
    struct engine *engine;
    struct commands *commands;
    struct command_thread *thread;
};

struct client {
    struct command_thread *thread;
    struct session *session;
    struct sink *sink;
    char *replies;
    size_t replies_size;
    size_t replies_room;
    size_t pending_max; /* Most that ever waited in the sink. */
    bool closed;
    /* How the bytes travel. */
    size_t first;   /* This many arrive first; 0: as all others. */
    size_t piece;   /* This many arrive at once. */
    size_t drained; /* This many are sent at once. */
    size_t requests_max;
    bool direct_bodies; /* Values are read straight into their items. */
};

static inline void host_init_with(struct host *host,
                                  const struct engine_config *engine,
                                  const struct commands_config *commands)
{
    INVARIANT(engine_new(engine, &host->engine) == 0);
    host->commands = commands_new(host->engine, commands);
    INVARIANT(host->commands != NULL);
    host->thread = command_thread_new(host->commands);
    INVARIANT(host->thread != NULL);
    command_thread_set_now(host->thread, CLIENT_NOW_NS);
}

static inline void host_init(struct host *host)
{
    const struct engine_config engine = {
        .memory_bytes = 64u << 20,
        .item_bytes_max = 1u << 20,
    };
    const struct commands_config commands = {
        .version = "1.2.3",
        .item_bytes_max = engine.item_bytes_max,
        .cas_shown = true,
        .flush_allowed = true,
    };

    host_init_with(host, &engine, &commands);
}

static inline void host_fini(struct host *host)
{
    command_thread_free(&host->thread);
    commands_free(&host->commands);
    engine_free(&host->engine);
}

static inline void client_init_with(struct client *client, struct host *host,
                                    const struct session_config *config)
{
    *client = (struct client){.thread = host->thread,
                              .piece = SIZE_MAX,
                              .drained = SIZE_MAX,
                              .requests_max = 20};
    client->session = session_new(host->thread, config, CLIENT_FD);
    client->sink = sink_new();
    INVARIANT(client->session != NULL);
    INVARIANT(client->sink != NULL);
}

static inline void client_init(struct client *client, struct host *host)
{
    static const struct session_config config = {0};

    client_init_with(client, host, &config);
}

static inline void client_fini(struct client *client)
{
    session_free(&client->session);
    sink_free(&client->sink);
    free(client->replies);
}

static inline void client_receive(struct client *client, const char *data,
                                  size_t size)
{
    if (client->replies_size + size > client->replies_room) {
        client->replies_room = 2 * (client->replies_size + size);
        client->replies = realloc(client->replies, client->replies_room);
        INVARIANT(client->replies != NULL);
    }
    memcpy(client->replies + client->replies_size, data, size);
    client->replies_size += size;
}

/* Sends up to client->drained bytes. */
static inline void client_drain_once(struct client *client)
{
    struct iovec vectors[8];
    size_t count = sink_vectors(client->sink, vectors, COUNT_OF(vectors));
    size_t sent = 0;
    size_t i;

    if (sink_pending(client->sink) > client->pending_max)
        client->pending_max = sink_pending(client->sink);
    for (i = 0; i < count && sent < client->drained; i++) {
        size_t size = vectors[i].iov_len;

        if (size > client->drained - sent)
            size = client->drained - sent;
        client_receive(client, vectors[i].iov_base, size);
        sent += size;
    }
    sink_sent(client->sink, sent);
}

static inline void client_drain(struct client *client)
{
    while (sink_pending(client->sink) > 0)
        client_drain_once(client);
}

/* Runs the session on what is there, in memory of exactly that size, until it
 * wants what only the client can give. Returns what it took. */
static inline size_t client_run(struct client *client, struct slice input,
                                enum session_want *want)
{
    char *copy = malloc(input.size > 0 ? input.size : 1);
    size_t taken = 0;

    INVARIANT(copy != NULL);
    memcpy(copy, input.data, input.size);
    do {
        taken += session_run(client->session,
                             slice_make(copy + taken, input.size - taken),
                             client->requests_max, client->sink, want);
        if (*want == SESSION_DRAIN)
            client_drain_once(client);
        else if (*want != SESSION_YIELD)
            client_drain(client);
    } while (*want == SESSION_DRAIN || *want == SESSION_YIELD);
    free(copy);
    return taken;
}

static inline size_t client_fill(struct client *client, struct slice rest)
{
    size_t room;
    char *space = session_space(client->session, &room);

    INVARIANT(room > 0);
    if (room > rest.size)
        room = rest.size;
    if (room > client->piece)
        room = client->piece;
    memcpy(space, rest.data, room);
    session_filled(client->session, room);
    return room;
}

/* How many of the bytes that are left arrive next. */
static inline size_t client_arriving(const struct client *client, size_t there,
                                     size_t left)
{
    size_t size = client->piece;

    if (there == 0 && client->first > 0)
        size = client->first;
    return size < left ? size : left;
}

/* Plays input to its end or that of the connection. */
static inline void client_send(struct client *client, struct slice input)
{
    enum session_want want = SESSION_INPUT;
    size_t taken = 0;
    size_t there = 0;

    do {
        struct slice left = {input.data + there, input.size - there};

        if (want == SESSION_BODY && client->direct_bodies && taken == there) {
            there += client_fill(client, left);
            taken = there;
        } else {
            there += client_arriving(client, there, left.size);
        }
        taken += client_run(
            client, slice_make(input.data + taken, there - taken), &want);
        client->closed = want == SESSION_CLOSE;
    } while (!client->closed && there < input.size);
}

/* Everything that is answered to one request, as a string. */
static inline const char *client_ask(struct client *client, const char *request)
{
    client->replies_size = 0;
    client_send(client, slice_of(request));
    client_receive(client, "", 1);
    return client->replies;
}

#endif

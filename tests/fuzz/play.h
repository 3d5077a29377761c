/* SPDX-License-Identifier: BSD-3-Clause */
/* What targets that play whole sessions have in common: the same input twice,
 * once as a whole and once cut as its first four bytes say. */
#ifndef TESTS_FUZZ_PLAY_H
#define TESTS_FUZZ_PLAY_H

#include "src/command/authenticator.h"
#include "tests/unit/command/client.h"

#define PLAY_ITEM_BYTES_MAX (64u * 1024)

/* What may differ between targets. */
struct play {
    const struct session_config *session;
    const struct authenticator *authenticator;
};

static inline void play_show_engine(void *ctx, struct stats_out *out)
{
    engine_stats(ctx, out);
}

static inline void play_start(const struct play *play, struct host *host)
{
    static const struct engine_config engine = {
        .memory_bytes = 2u << 20,
        .item_bytes_max = PLAY_ITEM_BYTES_MAX,
        .page_bytes = 128u * 1024,
        .table_power = 8,
    };
    const struct commands_config commands = {
        .version = "1.2.3",
        .item_bytes_max = PLAY_ITEM_BYTES_MAX,
        .cas_shown = true,
        .flush_allowed = true,
        .authenticator = play->authenticator,
    };

    host_init_with(host, &engine, &commands);
    INVARIANT(commands_add_stats(host->commands, "", play_show_engine,
                                 host->engine) == 0);
}

/* As the first bytes say; all of it 0 is no cut at all. */
static inline void play_set_manner(struct client *client, const uint8_t *manner)
{
    if (manner[0] != 0)
        client->first = manner[0];
    if (manner[1] != 0)
        client->piece = manner[1] < 128 ? manner[1] : (manner[1] - 127u) * 101u;
    if (manner[2] != 0)
        client->drained = manner[2] * 37u;
    client->requests_max = 1 + (manner[3] & 0x3fu);
    client->direct_bodies = (manner[3] & 0x80) != 0;
}

static inline void play_once(const struct play *play, const uint8_t *manner,
                             struct slice input, struct client *client)
{
    struct host host;

    play_start(play, &host);
    client_init_with(client, &host, play->session);
    play_set_manner(client, manner);
    client_send(client, input);
    session_free(&client->session);
    sink_free(&client->sink);
    host_fini(&host);
}

/* Aborts when the replies differ. */
static inline void play_twice(const struct play *play, const uint8_t *data,
                              size_t size)
{
    static const uint8_t whole[4] = {0};
    struct client one, other;
    struct slice input;

    if (size < sizeof(whole))
        return;
    input =
        slice_make((const char *)data + sizeof(whole), size - sizeof(whole));
    play_once(play, whole, input, &one);
    play_once(play, data, input, &other);
    INVARIANT(one.closed == other.closed);
    INVARIANT(one.replies_size == other.replies_size);
    INVARIANT(one.replies_size == 0 ||
              memcmp(one.replies, other.replies, one.replies_size) == 0);
    client_fini(&one);
    client_fini(&other);
}

#endif

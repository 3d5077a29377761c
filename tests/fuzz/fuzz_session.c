/* SPDX-License-Identifier: BSD-3-Clause */
/* A session against a real cache: however the input is cut, however slowly
 * the replies are taken, they are the same. The first four bytes say how; the
 * rest is what the client sends. */
#include "tests/unit/command/client.h"

#define ITEM_BYTES_MAX (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show_engine(void *ctx, struct stats_out *out)
{
    engine_stats(ctx, out);
}

static void start(struct host *host)
{
    static const struct engine_config engine = {
        .memory_bytes = 2u << 20,
        .item_bytes_max = ITEM_BYTES_MAX,
        .page_bytes = 128u * 1024,
        .table_power = 8,
    };
    static const struct commands_config commands = {
        .version = "1.2.3",
        .item_bytes_max = ITEM_BYTES_MAX,
        .cas_shown = true,
        .flush_allowed = true,
    };

    host_init_with(host, &engine, &commands);
    INVARIANT(
        commands_add_stats(host->commands, "", show_engine, host->engine) == 0);
}

/* As the first bytes say; all of it 0 is no cut at all. */
static void set_manner(struct client *client, const uint8_t *manner)
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

static void play(const uint8_t *manner, struct slice input,
                 struct client *client)
{
    struct host host;

    start(&host);
    client_init(client, &host);
    set_manner(client, manner);
    client_send(client, input);
    session_free(&client->session);
    sink_free(&client->sink);
    host_fini(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t whole[4] = {0};
    struct client one, other;
    struct slice input;

    if (size < sizeof(whole))
        return 0;
    input =
        slice_make((const char *)data + sizeof(whole), size - sizeof(whole));
    play(whole, input, &one);
    play(data, input, &other);
    INVARIANT(one.closed == other.closed);
    INVARIANT(one.replies_size == other.replies_size);
    INVARIANT(one.replies_size == 0 ||
              memcmp(one.replies, other.replies, one.replies_size) == 0);
    client_fini(&one);
    client_fini(&other);
    return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Any datagram, as UDP serves it: framing, a session that ends with its input,
 * and a reply that is cut up and put together again. */
#include "src/server/udp_frame.h"
#include "tests/unit/command/client.h"

#define ITEM_BYTES_MAX (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
}

static void answer(struct client *client, struct slice request)
{
    enum session_want want;
    size_t taken = client_run(client, request, &want);

    INVARIANT(taken <= request.size);
    if (want == SESSION_INPUT || want == SESSION_BODY)
        session_cut(client->session,
                    slice_make(request.data + taken, request.size - taken),
                    client->sink);
    client_drain(client);
}

/* What a client makes of the series is the reply. */
static void check_series(uint16_t id, struct slice reply)
{
    uint16_t count = udp_frame_count(reply.size);
    size_t at = 0;

    for (uint16_t i = 0; i < count; i++) {
        char datagram[UDP_DATAGRAM_MAX];
        struct slice part = udp_frame_part(reply, i);

        INVARIANT(part.size > 0);
        INVARIANT(part.size <= UDP_PAYLOAD_MAX);
        INVARIANT(part.data == reply.data + at);
        udp_frame_header(id, i, count, (unsigned char *)datagram);
        INVARIANT((unsigned char)datagram[0] == id >> 8);
        INVARIANT((unsigned char)datagram[3] == (i & 0xff));
        at += part.size;
    }
    INVARIANT(at == reply.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_config config = {.datagram = true};
    struct slice datagram = slice_make((const char *)data, size);
    struct slice request;
    struct client client;
    struct host host;
    uint16_t id;

    if (!udp_frame_parse(datagram, &id, &request))
        return 0;
    INVARIANT(size > UDP_HEADER_BYTES);
    start(&host);
    client_init_with(&client, &host, &config);
    answer(&client, request);
    if (client.replies_size > 0)
        check_series(id, slice_make(client.replies, client.replies_size));
    client_fini(&client);
    host_fini(&host);
    return 0;
}

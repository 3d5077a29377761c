/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the peer may connect. Of several addresses of -l only one is used, so
 * it is the one that most likely shares a network with the peer. */
#include "src/base/invariant.h"
#include "src/options.h"
#include "src/server/listener_spec.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS_BYTES_MAX 16

struct address {
    int family; /* AF_UNSPEC: a name. */
    unsigned char bytes[ADDRESS_BYTES_MAX];
};

static struct address address_of(const char *host)
{
    struct address address = {.family = AF_UNSPEC};

    if (inet_pton(AF_INET, host, address.bytes) == 1)
        address.family = AF_INET;
    else if (inet_pton(AF_INET6, host, address.bytes) == 1)
        address.family = AF_INET6;
    return address;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

/* Leading bits that two addresses share. */
static int bits_shared(const struct address *a, const struct address *b)
{
    int bits = 0;

    while (bits < 8 * ADDRESS_BYTES_MAX) {
        unsigned char differs = a->bytes[bits / 8] ^ b->bytes[bits / 8];

        if ((differs >> (7 - bits % 8) & 1) != 0)
            break;
        bits++;
    }
    return bits;
}

/* How well a peer can reach us there; higher is better. */
static int nearness(const char *host, const char *peer)
{
    const struct address own = address_of(host);
    const struct address other = address_of(peer != NULL ? peer : "");

    if (is_loopback(host))
        return peer != NULL && is_loopback(peer) ? 1000 : 0;
    if (own.family == AF_UNSPEC || own.family != other.family)
        return 1;
    return 2 + bits_shared(&own, &other);
}

static void prefer_each(struct endpoint *best, int *best_nearness,
                        const char *text, const char *peer)
{
    char words[SERVER_WORDS_MAX];
    struct listener_spec spec;
    struct slice entry;

    while (listener_spec_next(&text, &entry)) {
        int near;

        if (listener_spec_parse(entry, &spec, words) != 0)
            continue;
        near = nearness(spec.endpoint.host, peer);
        if (near > *best_nearness) {
            *best = spec.endpoint;
            *best_nearness = near;
        }
    }
}

int options_ack_prefix(const char *text, struct slice *prefix, int64_t *mode)
{
    static const char *const words[] = {
        [OPTION_ACK_ASYNC] = "async",
        [OPTION_ACK_RECEIVED] = "received",
        [OPTION_ACK_APPLIED] = "applied",
    };
    const char *colon = strrchr(text, ':');

    if (colon == NULL || colon == text)
        return -ERR_SYNTAX;
    *prefix = slice_make(text, (size_t)(colon - text));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(colon + 1, words[i]) == 0) {
            *mode = (int64_t)i;
            return 0;
        }
    return -ERR_SYNTAX;
}

const char *options_peer_address(const struct options *options,
                                 struct endpoint *room)
{
    const char *peer =
        options->peer != NULL ? options->peer_endpoint.host : NULL;
    int best_nearness = -1;

    *room = (struct endpoint){0};
    for (size_t i = 0; i < options->listen.count; i++)
        prefer_each(room, &best_nearness, options->listen.at[i], peer);
    if (room->host[0] == '\0' || strcmp(room->host, "*") == 0)
        return NULL;
    return room->host;
}

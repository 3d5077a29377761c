/* SPDX-License-Identifier: BSD-3-Clause */
/* Splits an address at the colon that means a port. */
#include "src/server/endpoint.h"

#include "src/base/number.h"

#include <string.h>

struct parts {
    struct slice host;
    struct slice port; /* data is NULL: none was given. */
};

static struct slice slice_from(struct slice text, const char *start)
{
    return slice_make(start, text.size - (size_t)(start - text.data));
}

static int split_bracketed(struct slice text, struct parts *out)
{
    const char *close = memchr(text.data, ']', text.size);
    struct slice rest;

    if (close == NULL)
        return -ERR_SYNTAX;
    out->host = slice_make(text.data + 1, (size_t)(close - text.data) - 1);
    rest = slice_from(text, close + 1);
    if (rest.size == 0)
        return 0;
    if (rest.data[0] != ':')
        return -ERR_SYNTAX;
    out->port = slice_make(rest.data + 1, rest.size - 1);
    return 0;
}

static int split_plain(struct slice text, struct parts *out)
{
    const char *colon = memchr(text.data, ':', text.size);
    struct slice rest;

    out->host = text;
    if (colon == NULL)
        return 0;
    rest = slice_from(text, colon + 1);
    if (rest.size > 0 && memchr(rest.data, ':', rest.size) != NULL)
        return 0;
    out->host.size = (size_t)(colon - text.data);
    out->port = rest;
    return 0;
}

static int parse_port(struct slice text, uint16_t *out)
{
    uint32_t port;
    int error = number_u32(text, &port);

    if (error != 0)
        return error;
    if (port > UINT16_MAX)
        return -ERR_RANGE;
    *out = (uint16_t)port;
    return 0;
}

int endpoint_parse(struct slice text, struct endpoint *out)
{
    struct parts parts = {0};
    int error;

    *out = (struct endpoint){0};
    if (text.size == 0)
        return -ERR_SYNTAX;
    error = text.data[0] == '[' ? split_bracketed(text, &parts)
                                : split_plain(text, &parts);
    if (error != 0)
        return error;
    if (parts.host.size >= sizeof(out->host) ||
        memchr(parts.host.data, '\0', parts.host.size) != NULL)
        return -ERR_SYNTAX;
    memcpy(out->host, parts.host.data, parts.host.size);
    if (parts.port.data == NULL)
        return 0;
    out->has_port = true;
    return parse_port(parts.port, &out->port);
}

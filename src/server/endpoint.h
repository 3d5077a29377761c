/* SPDX-License-Identifier: BSD-3-Clause */
/* HOST, HOST:PORT, [IPV6] and [IPV6]:PORT as people type them. */
#ifndef SERVER_ENDPOINT_H
#define SERVER_ENDPOINT_H

#include "src/base/error.h"
#include "src/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define ENDPOINT_HOST_MAX 256 /* With its NUL; a DNS name has at most 253. */

struct endpoint {
    char host[ENDPOINT_HOST_MAX]; /* Without brackets; may be empty. */
    bool has_port;
    uint16_t port;
};

/* An address with more than one colon and no brackets is IPv6 as a whole.
 * Errors: -ERR_SYNTAX; -ERR_RANGE for a port above 65535. */
MUST_CHECK int endpoint_parse(struct slice text, struct endpoint *out);

#endif

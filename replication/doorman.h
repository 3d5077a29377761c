/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may connect: the peer's addresses and nobody else; loopback when no peer
 * is named. A stranger is told nothing, and is worth one log line a second. */
#ifndef REPLICATION_DOORMAN_H
#define REPLICATION_DOORMAN_H

#include "replication/address.h"

#define DOORMAN_STRANGERS_MAX 8 /* Addresses remembered at once. */

/* Owned by the replication thread. */
struct doorman {
    struct address_list peers;
    bool loopback_only; /* No peer is named. */
    uint64_t refused;
    struct {
        struct address address;
        uint64_t logged_ns;
        uint64_t since; /* Refusals since that line. */
    } strangers[DOORMAN_STRANGERS_MAX];
    size_t strangers_count;
};

/* Lets the connection in, or counts and logs a stranger. */
bool doorman_admits(struct doorman *doorman, uint64_t now_ns,
                    const struct address *address);

#endif

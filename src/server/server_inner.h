/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sources of the server know of it. */
#ifndef SERVER_SERVER_INNER_H
#define SERVER_SERVER_INNER_H

#include "src/server/acceptor.h"
#include "src/server/registry.h"
#include "src/server/server.h"

/* Descriptors that were open when the program started. */
#define SERVER_FOREIGN_FDS 1024

struct server {
    struct server_config config;
    struct acceptor acceptor;
    struct conn_census census;
    struct registry registry;
    struct worker *workers[SERVER_THREADS_MAX];
    size_t worker_count; /* Made, and running. */
    uint64_t started_ns;

    struct lock port_lock; /* Opening and closing the port. */
    bool accepting;        /* The acceptor's thread runs. */

    struct lock counts_lock;
    struct server_counters forgotten; /* Counts at the last reset. */
};

#endif

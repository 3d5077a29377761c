/* SPDX-License-Identifier: BSD-3-Clause */
/* Which worker serves which receive queue of a network card (-N): the kernel
 * tells the queue's id of a connection, and ids are known only as they come.
 * Owner: the acceptor's thread. */
#ifndef SERVER_NAPI_MAP_H
#define SERVER_NAPI_MAP_H

#include "src/server/server.h"

struct napi_map {
    unsigned max; /* Queues to tell apart; 0: the map is not used. */
    unsigned count;
    unsigned id[SERVER_THREADS_MAX]; /* By worker. */
};

/* The worker of a queue; a new queue gets the next that has none. False: there
 * are more queues than was said. */
MUST_CHECK bool napi_map_find(struct napi_map *map, unsigned id,
                              size_t *worker);

#endif

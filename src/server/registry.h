/* SPDX-License-Identifier: BSD-3-Clause */
/* The connections of all workers by their descriptors, for `stats conns`. A
 * worker takes the lock when a connection begins and when it ends; who looks
 * takes it for a few connections at a time, and while it is held none of them
 * ends. */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include "src/base/error.h"
#include "src/base/lock.h"

#include <stddef.h>

#define REGISTRY_CHUNK 32 /* Looked at under one hold of the lock. */

struct conn;

struct registry {
    struct lock lock;
    struct conn **at; /* By descriptor. */
    size_t room;      /* A descriptor beyond is not shown. */
    size_t used;      /* No descriptor is at or above. */
};

/* Errors: -ERR_MEMORY. */
MUST_CHECK int registry_init(struct registry *registry, size_t fds_max);
void registry_fini(struct registry *registry);

void registry_add(struct registry *registry, struct conn *conn);
void registry_remove(struct registry *registry, struct conn *conn);

/* Every connection, by rising descriptor; those that come and go meanwhile may
 * be among them. The function must not block.
 * Thread: any. */
typedef void registry_fn(void *ctx, const struct conn *conn);
void registry_each(struct registry *registry, registry_fn *fn, void *ctx);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* A table by descriptor: the kernel gives the lowest that is free, so it is
 * dense, and what is never used of it takes no memory. */
#include "src/server/registry.h"

#include "src/base/memory.h"
#include "src/server/conn.h"

int registry_init(struct registry *registry, size_t fds_max)
{
    *registry = (struct registry){.room = fds_max};
    lock_init(&registry->lock, LOCK_RANK_CONNS);
    registry->at = memory_new(fds_max, sizeof(struct conn *));
    return registry->at != NULL ? 0 : -ERR_MEMORY;
}

void registry_fini(struct registry *registry)
{
    memory_free(&registry->at);
    lock_fini(&registry->lock);
}

void registry_add(struct registry *registry, struct conn *conn)
{
    size_t fd = (size_t)conn->fd;

    if (fd >= registry->room)
        return;
    lock_take(&registry->lock);
    registry->at[fd] = conn;
    if (fd >= registry->used)
        registry->used = fd + 1;
    lock_release(&registry->lock);
}

void registry_remove(struct registry *registry, struct conn *conn)
{
    size_t fd = (size_t)conn->fd;

    if (fd >= registry->room)
        return;
    lock_take(&registry->lock);
    registry->at[fd] = NULL;
    lock_release(&registry->lock);
}

/* One chunk; false when there is no other one. */
static bool look_at_chunk(struct registry *registry, size_t from,
                          registry_fn *fn, void *ctx)
{
    size_t end = from + REGISTRY_CHUNK;
    bool more;

    lock_take(&registry->lock);
    more = end < registry->used;
    if (!more)
        end = registry->used;
    for (size_t i = from; i < end; i++) {
        if (registry->at[i] != NULL)
            fn(ctx, registry->at[i]);
    }
    lock_release(&registry->lock);
    return more;
}

void registry_each(struct registry *registry, registry_fn *fn, void *ctx)
{
    size_t from = 0;

    while (look_at_chunk(registry, from, fn, ctx))
        from += REGISTRY_CHUNK;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Warm restarts, and the operator who copies an old snapshot back. */
#include "tests/sim/sim.h"

#include "replication/node_inner.h"
#include "src/base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

static int make_file(uint64_t bytes)
{
    int file = memfd_create("items", MFD_CLOEXEC);
    int error;

    INVARIANT(file >= 0);
    error = ftruncate(file, (off_t)bytes);
    INVARIANT(error == 0);
    return file;
}

void restart_init(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        world->left[i].file = make_file(world->knobs.memory_bytes);
        world->copied[i].file = make_file(world->knobs.memory_bytes);
    }
}

static void forget(struct leaving *leaving)
{
    leaving->there = false;
    keep_free(&leaving->engine);
    keep_free(&leaving->node);
}

void restart_fini(struct world *world)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        forget(&world->left[i]);
        forget(&world->copied[i]);
        close(world->left[i].file);
        close(world->copied[i].file);
    }
}

static void begin(struct writer *out, char **bytes, size_t size)
{
    *bytes = keep_new(1, size);
    writer_init(out, *bytes, size);
}

static size_t end(const struct writer *out)
{
    INVARIANT(!out->failed);
    return writer_used(out);
}

void restart_leave(struct host *host)
{
    struct leaving *leaving = &host->world->left[host->index];
    struct writer out;

    forget(leaving);
    begin(&out, &leaving->node, node_save_bytes(host->node));
    node_save(host->node, &out);
    leaving->node_size = end(&out);
    begin(&out, &leaving->engine, engine_save_bytes(host->engine));
    engine_save(host->engine, &out);
    leaving->engine_size = end(&out);
    leaving->there = true;
    leaving->met = host->met;
    leaving->unproven = host->node->line.unproven;
    leaving->last_stamp = host->last_stamp;
    world_trace(host->world, "host %u leaves its data", host->index);
}

static char *copy_of(const char *bytes, size_t size)
{
    char *copy = keep_new(1, size);

    memcpy(copy, bytes, size);
    return copy;
}

static void copy_items(int to, int from, uint64_t bytes)
{
    void *source = mmap(NULL, bytes, PROT_READ, MAP_SHARED, from, 0);
    void *target = mmap(NULL, bytes, PROT_WRITE, MAP_SHARED, to, 0);

    INVARIANT(source != MAP_FAILED);
    INVARIANT(target != MAP_FAILED);
    memcpy(target, source, bytes);
    munmap(source, bytes);
    munmap(target, bytes);
}

static void copy(struct world *world, struct leaving *to,
                 const struct leaving *from)
{
    int file = to->file;

    forget(to);
    *to = *from;
    to->file = file;
    to->engine = copy_of(from->engine, from->engine_size);
    to->node = copy_of(from->node, from->node_size);
    copy_items(to->file, from->file, world->knobs.memory_bytes);
}

/* The other one must be there and right: of two that are both of yesterday
 * none can tell. */
static bool may_go_back(const struct world *world, unsigned index)
{
    const struct host *other = &world->hosts[1 - index];

    return world->copied[index].there && other->up &&
           !other->node->line.unproven;
}

struct leaving *restart_choose(struct world *world, unsigned index)
{
    struct leaving *left = &world->left[index];
    bool goes_back = may_go_back(world, index) &&
                     dice_percent(&world->dice, world->knobs.copies);

    if (!left->there && !goes_back)
        return NULL;
    if (left->there && !goes_back &&
        (world->knobs.counting || !dice_percent(&world->dice, 10))) {
        world_trace(world, "host %u comes back with its data", index);
        fault_count(world, FAULT_CAME_BACK);
        if (left->unproven && world->knobs.copies > 0)
            history_doubt(world, index);
        if (dice_percent(&world->dice, world->knobs.copies))
            copy(world, &world->copied[index], left);
        return left;
    }
    forget(left); /* What it left is lost. */
    if (!goes_back) {
        fault_count(world, FAULT_LOST_DATA);
        history_crash(world, index);
        return NULL;
    }
    history_go_back(world, index);
    world_trace(world, "host %u is given an old copy of its data", index);
    fault_count(world, FAULT_WENT_BACK);
    copy(world, left, &world->copied[index]);
    left->met = false;
    left->last_stamp = STAMP_NONE;
    forget(&world->copied[index]);
    return left;
}

void restart_taken(struct leaving *leaving)
{
    if (leaving != NULL)
        forget(leaving);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the lines of `stats` come from. Each source is a row of the table. */
#include "src/base/invariant.h"
#include "src/base/log.h"
#include "src/base/stamp.h"
#include "src/daemon.h"
#include "src/engine_options.h"

static void show_engine(void *ctx, struct stats_out *out)
{
    engine_stats(((struct daemon *)ctx)->engine, out);
}

static void show_watch(void *ctx, struct stats_out *out)
{
    watch_stats(((struct daemon *)ctx)->watch, out);
}

static void show_items(void *ctx, struct stats_out *out)
{
    engine_stats_items(((struct daemon *)ctx)->engine, out);
}

static void show_slabs(void *ctx, struct stats_out *out)
{
    engine_stats_slabs(((struct daemon *)ctx)->engine, out);
}

static void show_sizes(void *ctx, struct stats_out *out)
{
    engine_stats_sizes(((struct daemon *)ctx)->engine, out);
}

static void show_server(void *ctx, struct stats_out *out)
{
    server_stats(((struct daemon *)ctx)->server, out);
}

static void show_conns(void *ctx, struct stats_out *out)
{
    server_stats_conns(((struct daemon *)ctx)->server, out);
}

/* The second of this daemon's life before which everything is dead, or will
 * be when a flush_all is due; 0: there was none. */
static int64_t oldest_live_s(const struct daemon *daemon)
{
    struct flush_state flush;
    uint64_t flush_ns;

    engine_flush_state(daemon->engine, &flush);
    flush_ns =
        flush.pending != STAMP_NONE ? flush.due_ns : stamp_ns(flush.floor);
    if (flush_ns < daemon->started_at_ns)
        return 0;
    return 1 + (int64_t)((flush_ns - daemon->started_at_ns) / NS_PER_S);
}

/* What the command line said, or what commands made of it since. */
static void show_settings(void *ctx, struct stats_out *out)
{
    struct daemon *daemon = ctx;
    struct options live = daemon->options;

    engine_options_update(daemon->engine, &live);
    live.oldest_live_s = oldest_live_s(daemon);
    live.detail_enabled = commands_detail_is_on(daemon->commands);
    live.verbosity = log_verbosity();
    options_settings(&live, out);
}

static void show_replication(void *ctx, struct stats_out *out)
{
    struct daemon *daemon = ctx;

    if (daemon->replication != NULL)
        replication_stats(daemon->replication, out);
}

static void show_repcached(void *ctx, struct stats_out *out)
{
    struct daemon *daemon = ctx;

    if (daemon->replication != NULL)
        replication_stats_repcached(daemon->replication, out);
}

static void reset_engine(void *ctx)
{
    engine_stats_reset(((struct daemon *)ctx)->engine);
}

static void reset_server(void *ctx)
{
    server_stats_reset(((struct daemon *)ctx)->server);
}

static void reset_watch(void *ctx)
{
    watch_stats_reset(((struct daemon *)ctx)->watch);
}

static const struct {
    const char *group;
    commands_stats_fn *fn;
} sources[] = {
    {"", show_server},     {"", show_engine},
    {"", show_watch},      {"", show_repcached},
    {"conns", show_conns}, {"settings", show_settings},
    {"items", show_items}, {"slabs", show_slabs},
    {"sizes", show_sizes}, {"replication", show_replication},
};

int daemon_register_stats(struct daemon *daemon)
{
    int error = 0;

    for (size_t i = 0; i < COUNT_OF(sources) && error == 0; i++)
        error = commands_add_stats(daemon->commands, sources[i].group,
                                   sources[i].fn, daemon);
    if (error == 0)
        error = commands_add_reset(daemon->commands, reset_engine, daemon);
    if (error == 0)
        error = commands_add_reset(daemon->commands, reset_server, daemon);
    if (error == 0)
        error = commands_add_reset(daemon->commands, reset_watch, daemon);
    return error;
}

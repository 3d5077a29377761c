/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics come from sources that know nothing of each other. Plain `stats`
 * collects their lines and puts them in memcached's order, for the scripts
 * and dashboards that go by it. */
#include "src/command/stats.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/command/thread.h"

#include <stdlib.h>

#define LINES_MAX 512
#define TEXT_BYTES_MAX (256u * 1024)

static const char *const order[] = {
    "pid",
    "uptime",
    "time",
    "version",
    "libevent",
    "pointer_size",
    "rusage_user",
    "rusage_system",
    "max_connections",
    "curr_connections",
    "total_connections",
    "rejected_connections",
    "connection_structures",
    "response_obj_oom",
    "response_obj_count",
    "response_obj_bytes",
    "read_buf_count",
    "read_buf_bytes",
    "read_buf_bytes_free",
    "read_buf_oom",
    "reserved_fds",
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "cmd_meta",
    "get_hits",
    "get_misses",
    "get_expired",
    "get_flushed",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "store_too_large",
    "store_no_memory",
    "auth_cmds",
    "auth_errors",
    "idle_kicks",
    "bytes_read",
    "bytes_written",
    "limit_maxbytes",
    "accepting_conns",
    "listen_disabled_num",
    "time_in_listen_disabled_us",
    "threads",
    "conn_yields",
    "hash_power_level",
    "hash_bytes",
    "hash_is_expanding",
    "slab_reassign_rescues",
    "slab_reassign_chunk_rescues",
    "slab_reassign_inline_reclaim",
    "slab_reassign_busy_items",
    "slab_reassign_busy_deletes",
    "slab_reassign_busy_nomem",
    "slab_reassign_last_busy_status",
    "slab_reassign_running",
    "slabs_moved",
    "lru_crawler_running",
    "lru_crawler_starts",
    "lru_maintainer_juggles",
    "malloc_fails",
    "log_worker_dropped",
    "log_worker_written",
    "log_watcher_skipped",
    "log_watcher_sent",
    "log_watchers",
    "ssl_new_sessions",
    "ssl_handshake_errors",
    "ssl_proto_errors",
    "time_since_server_cert_refresh",
    "unexpected_napi_ids",
    "round_robin_fallback",
    "bytes",
    "curr_items",
    "total_items",
    "slab_global_page_pool",
    "expired_unfetched",
    "evicted_unfetched",
    "evicted_active",
    "evictions",
    "reclaimed",
    "crawler_reclaimed",
    "crawler_items_checked",
    "lrutail_reflocked",
    "moves_to_cold",
    "moves_to_warm",
    "moves_within_lru",
    "direct_reclaims",
    "lru_bumps_dropped",
};
#define UNORDERED COUNT_OF(order)

/* ---- one group: lines as they come ---- */

struct lines {
    struct stats_out out; /* First: what sources see of this. */
    struct sink *sink;
};

static void put_line(struct stats_out *out, const char *name, const char *value)
{
    struct lines *lines = (struct lines *)(void *)out;

    sink_put_literal(lines->sink, "STAT ");
    sink_put(lines->sink, name, strlen(name));
    sink_put_literal(lines->sink, " ");
    sink_put(lines->sink, value, strlen(value));
    sink_put_literal(lines->sink, "\r\n");
}

static void ask_sources(const struct commands *commands, struct slice group,
                        struct stats_out *out)
{
    size_t i;

    for (i = 0; i < commands->sources_count; i++) {
        const struct stats_source *source = &commands->sources[i];

        if (slice_equal(slice_of(source->group), group))
            source->fn(source->ctx, out);
    }
}

static bool has_group(const struct commands *commands, struct slice group)
{
    size_t i;

    for (i = 0; i < commands->sources_count; i++) {
        if (slice_equal(slice_of(commands->sources[i].group), group))
            return true;
    }
    return false;
}

/* ---- plain stats: lines in order ---- */

struct line {
    size_t place;     /* In the order; behind it in the order of arrival. */
    const char *name; /* Both within the text. */
    const char *value;
};

struct plain {
    struct stats_out out; /* First: what sources see of this. */
    size_t count;
    size_t used;
    size_t next_place; /* Where the next name probably is. */
    struct line line[LINES_MAX];
    char text[TEXT_BYTES_MAX];
};

/* Sources come in roughly this order, so the search goes on from the last
 * name that was found. */
static size_t place_of(struct plain *plain, const char *name)
{
    size_t i;

    for (i = 0; i < UNORDERED; i++) {
        size_t place = (plain->next_place + i) % UNORDERED;

        if (strcmp(order[place], name) == 0) {
            plain->next_place = place + 1;
            return place;
        }
    }
    return UNORDERED + plain->count;
}

static const char *keep_text(struct plain *plain, const char *text)
{
    char *kept = plain->text + plain->used;
    size_t size = strlen(text) + 1;

    INVARIANT(size <= sizeof(plain->text) - plain->used);
    memcpy(kept, text, size);
    plain->used += size;
    return kept;
}

/* Two sources that count the same thing in different places. */
static bool add_to_line(struct plain *plain, size_t place, const char *value)
{
    char sum_text[NUMBER_DIGITS_MAX + 1] = "";
    uint64_t sum, more;
    size_t i;

    for (i = 0; i < plain->count; i++) {
        struct line *line = &plain->line[i];

        if (line->place != place)
            continue;
        if (number_u64(slice_of(line->value), &sum) != 0 ||
            number_u64(slice_of(value), &more) != 0)
            return false;
        (void)number_write_u64(sum_text, sum + more);
        line->value = keep_text(plain, sum_text);
        return true;
    }
    return false;
}

static void collect_line(struct stats_out *out, const char *name,
                         const char *value)
{
    struct plain *plain = (struct plain *)(void *)out;
    size_t place = place_of(plain, name);
    struct line *line;

    if (place < UNORDERED && add_to_line(plain, place, value))
        return;
    INVARIANT(plain->count < COUNT_OF(plain->line));
    line = &plain->line[plain->count++];
    line->place = place;
    line->name = keep_text(plain, name);
    line->value = keep_text(plain, value);
}

static int compare_places(const void *a, const void *b)
{
    const struct line *one = a;
    const struct line *other = b;

    return (one->place > other->place) - (one->place < other->place);
}

static int show_plain(const struct commands *commands, struct stats_out *out)
{
    struct plain *plain = memory_new(1, sizeof(*plain));
    size_t i;

    if (plain == NULL)
        return -ERR_MEMORY;
    plain->out.put = collect_line;
    ask_sources(commands, slice_of(""), &plain->out);
    qsort(plain->line, plain->count, sizeof(plain->line[0]), compare_places);
    for (i = 0; i < plain->count; i++)
        out->put(out, plain->line[i].name, plain->line[i].value);
    memory_free(&plain);
    return 0;
}

/* ---- the command ---- */

int stats_visit(struct commands *commands, struct slice group,
                struct stats_out *out)
{
    if (group.size == 0)
        return show_plain(commands, out);
    if (!has_group(commands, group))
        return -ERR_MISSING;
    ask_sources(commands, group, out);
    return 0;
}

int stats_show(struct commands *commands, struct slice group, struct sink *sink)
{
    struct lines lines = {{put_line}, sink};
    int error = stats_visit(commands, group, &lines.out);

    if (error == 0)
        sink_put_literal(sink, "END\r\n");
    return error;
}

void stats_reset(struct commands *commands)
{
    size_t i;

    for (i = 0; i < commands->resets_count; i++)
        commands->resets[i].fn(commands->resets[i].ctx);
}

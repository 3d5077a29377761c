/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters as tables. A module lists its metrics once:
 *
 *   #define ENGINE_METRICS(X) \
 *       X(get_misses, "Keys asked for and not found")
 *   METRICS_STRUCT(engine_counters, ENGINE_METRICS);
 *
 * which makes a struct of plain uint64_t, one per thread and written by that
 * thread alone; metrics_add() sums such structs up for `stats`. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_FIELD(name, help) uint64_t name;
#define METRICS_STRUCT(tag, table) \
    struct tag { \
        table(METRICS_FIELD) \
    }

/* One count, by its owner alone; readers of other threads see it soon. */
#define METRIC_ADD(field, n) \
    __atomic_store_n(&(field), (field) + (n), __ATOMIC_RELAXED)
#define METRIC_UP(field) METRIC_ADD(field, 1)

/* Adds the count counters of one struct to those of another.
 * Thread: any; the result is exact once the owners rest. */
void metrics_add(uint64_t *sum, const uint64_t *one, size_t count);
#define METRICS_ADD(sum, one) \
    metrics_add((uint64_t *)(void *)(sum), \
                (const uint64_t *)(const void *)(one), \
                sizeof(*(sum)) / sizeof(uint64_t))

#define STATS_VALUE_MAX 1024 /* With its NUL; longer values are cut. */

/* Where statistics go: one call per line.
 * Owns: name and value are the caller's and end with the call. */
struct stats_out {
    void (*put)(struct stats_out *out, const char *name, const char *value);
};
void stats_put_u64(struct stats_out *out, const char *name, uint64_t value);
void stats_put_i64(struct stats_out *out, const char *name, int64_t value);
__attribute__((format(printf, 3, 4))) void
stats_put(struct stats_out *out, const char *name, const char *format, ...);

#endif

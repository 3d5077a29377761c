/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums of counters, and statistics as lines. */
#include "src/base/metrics.h"

#include "src/base/invariant.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void metrics_add(uint64_t *sum, const uint64_t *one, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        sum[i] += __atomic_load_n(&one[i], __ATOMIC_RELAXED);
}

void stats_put_u64(struct stats_out *out, const char *name, uint64_t value)
{
    stats_put(out, name, "%" PRIu64, value);
}

void stats_put_i64(struct stats_out *out, const char *name, int64_t value)
{
    stats_put(out, name, "%" PRId64, value);
}

void stats_put(struct stats_out *out, const char *name, const char *format, ...)
{
    char value[STATS_VALUE_MAX];
    va_list args;
    int wanted;

    va_start(args, format);
    wanted = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    INVARIANT(wanted >= 0);
    out->put(out, name, value);
}

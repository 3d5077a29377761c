/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/base/histogram.h"

#include "src/base/clock.h"

#include <stdbool.h>
#include <string.h>

#define HALF_NS (60 * NS_PER_S)
#define FINE_BITS 3u /* Eight buckets to a power of two. */
#define FINE (1u << FINE_BITS)

static unsigned bucket_of(uint64_t value)
{
    unsigned exponent, index;

    if (value < FINE)
        return (unsigned)value;
    exponent = 63u - (unsigned)__builtin_clzll(value);
    index = (exponent - FINE_BITS + 1) * FINE +
            (unsigned)(value >> (exponent - FINE_BITS) & (FINE - 1));
    return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

/* The highest value of the bucket. */
static uint64_t bucket_top(unsigned index)
{
    unsigned exponent = index / FINE + FINE_BITS - 1;

    if (index < FINE)
        return index;
    return ((uint64_t)(FINE + index % FINE + 1) << (exponent - FINE_BITS)) - 1;
}

/* Both halves, or none, may be too old by now. */
static bool is_recent(const struct histogram *histogram, unsigned half,
                      uint64_t now_ns)
{
    uint64_t age_ns =
        now_ns > histogram->turned_ns ? now_ns - histogram->turned_ns : 0;

    return age_ns < (half == histogram->filling ? 2 : 1) * HALF_NS;
}

static void turn(struct histogram *histogram, uint64_t now_ns)
{
    if (now_ns < histogram->turned_ns + HALF_NS)
        return;
    if (now_ns >= histogram->turned_ns + 2 * HALF_NS)
        memset(histogram->half, 0, sizeof(histogram->half));
    histogram->filling = 1 - histogram->filling;
    histogram->turned_ns = now_ns;
    memset(&histogram->half[histogram->filling], 0, sizeof(histogram->half[0]));
}

void histogram_add(struct histogram *histogram, uint64_t now_ns, uint64_t value,
                   uint64_t times)
{
    struct histogram_half *half;

    turn(histogram, now_ns);
    half = &histogram->half[histogram->filling];
    half->count += times;
    half->buckets[bucket_of(value)] += times;
    if (times > 0 && value > half->max)
        half->max = value;
}

/* The lowest value that so many of 1000 do not exceed. */
static uint64_t quantile(const struct histogram_half *sum, uint64_t per_mille)
{
    uint64_t wanted = (sum->count * per_mille + 999) / 1000;
    uint64_t seen = 0;
    unsigned index = 0;

    while (index < HISTOGRAM_BUCKETS - 1 &&
           (seen += sum->buckets[index]) < wanted)
        index++;
    return bucket_top(index) < sum->max ? bucket_top(index) : sum->max;
}

void histogram_figures(const struct histogram *histogram, uint64_t now_ns,
                       struct histogram_figures *out)
{
    struct histogram_half sum = {.count = 0};

    for (unsigned half = 0; half < 2; half++) {
        const struct histogram_half *one = &histogram->half[half];

        if (!is_recent(histogram, half, now_ns))
            continue;
        sum.count += one->count;
        sum.max = one->max > sum.max ? one->max : sum.max;
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            sum.buckets[i] += one->buckets[i];
    }
    *out = (struct histogram_figures){.count = sum.count, .max = sum.max};
    if (sum.count == 0)
        return;
    out->p50 = quantile(&sum, 500);
    out->p99 = quantile(&sum, 990);
}

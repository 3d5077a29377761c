/* SPDX-License-Identifier: BSD-3-Clause */
/* How numbers are spread, in a few KiB for any amount of them: eight buckets to
 * each power of two, so a quantile is at most an eighth too high. Of the last
 * one to two minutes, as an operator wants to know how things are.
 *
 * Thread: one. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 256 /* Up to 2^34; what is above is in the last. */

struct histogram_half {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* All zeros is an empty one. */
struct histogram {
    struct histogram_half half[2]; /* One fills, the other is a minute old. */
    unsigned filling;
    uint64_t turned_ns;
};

struct histogram_figures {
    uint64_t count, p50, p99, max;
};

/* The value was seen so many times. */
void histogram_add(struct histogram *histogram, uint64_t now_ns, uint64_t value,
                   uint64_t times);
/* Zeros when nothing was seen. */
void histogram_figures(const struct histogram *histogram, uint64_t now_ns,
                       struct histogram_figures *out);

#endif

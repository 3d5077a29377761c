/* SPDX-License-Identifier: BSD-3-Clause */
/* What only a bug can break. Always on: a cache that goes on after a broken
 * promise hands out wrong data. One condition each, so that the line names
 * the culprit. Never for bytes from a client, a peer, a file or the clock. */
#ifndef BASE_INVARIANT_H
#define BASE_INVARIANT_H

#define INVARIANT(condition) \
    do { \
        if (__builtin_expect(!(condition), 0)) \
            invariant_failed(#condition, __FILE__, __LINE__, __func__); \
    } while (0)

__attribute__((noreturn, cold)) void
invariant_failed(const char *condition, const char *file, int line,
                 const char *function);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections as all threads of a server count them, and who waits for one of
 * them to leave. */
#ifndef SERVER_CENSUS_H
#define SERVER_CENSUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

struct conn_census {
    _Atomic uint64_t current;
    _Atomic bool awaited; /* The acceptor wants to know of the next to leave. */
    int wake_fd;          /* Its eventfd. Immutable after start. */
};

static inline void census_leave(struct conn_census *census)
{
    uint64_t one = 1;

    atomic_fetch_sub(&census->current, 1);
    if (atomic_load(&census->awaited) &&
        atomic_exchange(&census->awaited, false)) {
        ssize_t written = write(census->wake_fd, &one, sizeof(one));

        (void)written; /* Full means that it is awake already. */
    }
}

#endif

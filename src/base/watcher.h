/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines that wait for one watcher. For the sources of base/watch alone. */
#ifndef BASE_WATCHER_H
#define BASE_WATCHER_H

#include "src/base/watch_ring.h"

struct watcher {
    struct watch *watch;
    struct watch_hub *hub;
    struct watcher *next; /* Under the lock of the watch. */
    unsigned classes;
    uint64_t since; /* Lines with smaller numbers are not for it. */

    /* Under lock. */
    struct lock lock;
    char *bytes; /* Around the end. */
    size_t room;
    size_t read_at; /* Both only rise. */
    size_t write_at;
    uint64_t skipped; /* Lines since the last one that was given. */
    bool told;        /* That there are lines. */
    watcher_wake_fn *wake;
    void *ctx;
};

/* Errors: NULL when memory is exhausted. */
struct watcher *watcher_make(struct watch *watch, struct watch_hub *hub,
                             size_t room);
void watcher_unmake(struct watcher **watcher);

/* One line more, or one skipped. */
void watcher_give(struct watcher *watcher, struct slice line);
/* After some were given: wakes it unless it knows. */
void watcher_tell(struct watcher *watcher);

#endif

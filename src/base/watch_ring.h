/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of one thread that wait to be dealt out, and what all rings share.
 * For the sources of base/watch alone. */
#ifndef BASE_WATCH_RING_H
#define BASE_WATCH_RING_H

#include "src/base/lock.h"
#include "src/base/watch.h"

/* "ts=" and " gid=", three numbers, a dot, a blank, a NUL. */
#define WATCH_BEGINNING_MAX 80
/* Any line fits, and so does "skipped=". */
#define WATCH_ROOM_MIN (2u * WATCH_LINE_MAX)

#define WATCH_METRICS(X) \
    X(log_worker_dropped, "Lines dropped because a ring was full") \
    X(log_worker_written, "Lines written to a ring") \
    X(log_watcher_skipped, "Lines skipped because a watcher was slow") \
    X(log_watcher_sent, "Lines given to a watcher")

METRICS_STRUCT(watch_counts, WATCH_METRICS);

/* What producers and the dealer share. */
struct watch_hub {
    const struct clock *clock;
    void (*wake)(void *ctx); /* The dealer. */
    void *ctx;
    _Atomic uint64_t next_number;
    _Atomic bool asleep;  /* Who writes a line wakes the dealer. */
    _Atomic bool resting; /* Who fills half of a ring wakes it, too. */
    _Atomic bool stop;
#define X(name, help) _Atomic uint64_t name;
    WATCH_METRICS(X)
#undef X
};

struct watch_counts watch_hub_counts(struct watch_hub *hub);

struct watch_record {
    uint64_t number;
    uint64_t time_ns;
    uint32_t class;
    uint32_t size; /* Of the text behind it. */
};

struct watch_ring {
    struct watch *watch;
    struct watch_hub *hub;
    struct watch_ring *next; /* Under the lock of the watch. */
    uint64_t head_number;    /* The dealer's: of the first record; UINT64_MAX
                                when there is none. */
    /* Under lock. */
    struct lock lock;
    char *bytes; /* Records, one behind the other, around the end. */
    size_t room;
    size_t read_at; /* Both only rise. */
    size_t write_at;
};

/* Errors: NULL when memory is exhausted. */
struct watch_ring *watch_ring_make(struct watch *watch, struct watch_hub *hub,
                                   size_t room);
void watch_ring_unmake(struct watch_ring **ring);

/* Drops the line when there is no room. */
void watch_ring_put(struct watch_ring *ring, enum watch_class class,
                    struct slice text);

/* The dealer's: learns head_number; then takes the record that has it. */
void watch_ring_settle(struct watch_ring *ring);
void watch_ring_take(struct watch_ring *ring, struct watch_record *record,
                     char text[WATCH_LINE_MAX]);

#endif

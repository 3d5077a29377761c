/* SPDX-License-Identifier: BSD-3-Clause */
/* The search for dead items: the sweep that the janitor makes every minute,
 * and the crawls that an operator asks for. Both go through the table by hash
 * and not through the lists of a class, because a hash is a place that stays
 * good while items move and the table grows. */
#ifndef ENGINE_CRAWLER_H
#define ENGINE_CRAWLER_H

#include "src/base/lock.h"
#include "src/engine/engine.h"

#include <stdatomic.h>

#define CRAWLER_SLEEP_US_DEFAULT 100u
/* A dump whose client has taken nothing for so long is in nobody's way. */
#define CRAWLER_STALLED_NS (5 * NS_PER_S)
/* What never comes: the crawler has nothing to do. */
#define CRAWLER_IDLE UINT64_MAX

/* One way through the table. */
struct crawler_pass {
    uint64_t begin_hash;
    uint64_t next_hash;
    uint64_t resume_hash; /* Where the first limit was reached. */
    bool cut;             /* One was. */
    bool wrapped; /* Beyond the last hash, on the way back to begin_hash. */
    struct engine_classes classes;
    uint64_t began_ns;
    uint64_t examined; /* Items. */
    uint64_t reclaimed;
    uint32_t left_max;                     /* 0: no limit. */
    uint32_t left[ENGINE_CLASSES_MAX + 1]; /* Items of each class to see. */
};

struct crawler {
    struct lock lock;      /* Rank STATS: what is not atomic, down to crawl. */
    uint64_t ticket;       /* Of the dump under way; 0: there is none. */
    uint64_t ticket_last;  /* Given out. */
    uint64_t ticket_at_ns; /* When it was last used. */
    _Atomic bool enabled;
    _Atomic bool sweeping; /* Set by the janitor. */
    _Atomic bool crawling; /* Set by whoever asks, unset by the janitor. */
    _Atomic bool dumping;  /* There is a ticket. */
    _Atomic uint32_t sleep_us;
    _Atomic uint32_t tocrawl;
    _Atomic uint64_t starts;
    /* Belongs to the janitor while crawling, else to the lock. */
    struct crawler_pass crawl;
    /* The janitor's. */
    struct crawler_pass sweep;
    uint64_t sweep_due_ns; /* When the next one begins. */
    stamp_t swept_floor;   /* The flush floor when the last one began. */
    uint64_t rest_until_ns;
};

/* As configured. */
void crawler_init(struct crawler *crawler, const struct engine_config *config);
void crawler_fini(struct crawler *crawler);
bool crawler_is_running(const struct crawler *crawler);

/* One bounded step of what is under way. Returns how long to rest until the
 * next one, or CRAWLER_IDLE. Thread: the janitor. */
uint64_t crawler_round(struct engine_thread *thread);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine and its threads consist of. Inside the engine only.
 *
 * Locks are taken in this order: mover, bucket, class, pages, journal. A bucket
 * that is wanted while a class is held is only tried. */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "src/base/lock.h"
#include "src/engine/crawler.h"
#include "src/engine/engine.h"
#include "src/engine/item.h"
#include "src/engine/region.h"
#include "src/engine/sizes.h"
#include "src/engine/slab.h"
#include "src/engine/table.h"
#include "src/engine/tuning.h"

#include <pthread.h>
#include <stdatomic.h>

#define CACHE_LINE 64

/* All counts of one thread, or of several together. */
struct engine_counts {
    struct engine_counters all;
    struct engine_class_counters classes[ENGINE_CLASSES_MAX];
};

/* Belongs to its thread; the list to engine.threads_lock. */
struct engine_thread {
    struct engine *engine;
    uint64_t now_ns;
    uint32_t now_s;
    int32_t items_untold;    /* Of table.items, not yet added there. */
    bool recorded;           /* The journal was told something. */
    bool changed;            /* And it was a client's wish. */
    bool evicted;            /* A live item gave way to a new one. */
    bool moving;             /* What it evicts makes room for what moves. */
    struct watch_ring *ring; /* NULL without a watch: nothing is wanted. */
    const struct watch_classes *watched;
    struct engine_thread *next;
    struct engine_thread *previous;
    struct engine_counts counts;
};

/* The page that is being emptied, and what for. */
enum move_phase {
    MOVE_NONE,
    MOVE_EMPTYING,
    MOVE_UNDOING, /* It could not be emptied. */
};

struct move {
    enum move_phase phase;
    unsigned from; /* The class that has the page. */
    unsigned to;   /* The class that gets it; 0: the pool. */
    uint32_t page;
    uint32_t at;     /* The chunk that is looked at next. */
    unsigned passes; /* Over the page, that are over. */
    bool stuck;      /* In this pass something was in the way. */
};

/* One page moves at a time. Under its lock; counters are read by anyone. */
struct mover {
    struct lock lock; /* Rank MOVER. */
    struct move move;
    uint32_t page_next; /* Where the search for a page goes on. */
    struct engine_move_counters counters;
    _Atomic uint64_t last_busy; /* enum move_busy. */
    _Atomic bool running;
};

/* What the automover goes by. Belongs to whoever calls engine_upkeep(). */
struct automove {
    uint64_t due_ns; /* When it looks around next. */
    uint32_t ticks;  /* Looks since the window began. */
    uint32_t budget; /* Pages that may move until the next look. */
    bool evicts[ENGINE_CLASSES_MAX]; /* Between the last two looks. */
    uint64_t reclaims[ENGINE_CLASSES_MAX];
    uint32_t unused_least[ENGINE_CLASSES_MAX]; /* Whole pages, this window. */
    uint32_t unneeded[ENGINE_CLASSES_MAX];     /* And in the one before. */
};

/* Where the upkeep stands. Belongs to whoever calls engine_upkeep(). */
struct upkeep {
    uint64_t rest_ns;
    unsigned next_class; /* Whose lists are balanced next. */
    uint64_t age_due_ns; /* When lists are looked at for their ages. */
};

/* Under janitor.mutex. */
struct janitor {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool running;
    bool stop;
    bool woken; /* Not to rest after this round. */
    struct engine_thread *self;
    const struct clock *clock;
};

struct engine {
    /* Immutable after start. */
    struct region region;
    struct slabs slabs;
    uint64_t item_bytes_max;
    bool preallocated;
    uint64_t hash_seed;
    bool keep_all;
    bool has_journal;
    bool counters_add_up;
    struct journal journal;
    struct watch *watch; /* NULL: nobody can watch. */
    struct watch_classes unwatched;
    struct sizes sizes; /* Of items; counted by any thread. */

    struct tuning tuning;
    _Atomic uint64_t memory_bytes; /* The limit. */

    struct table table;
    struct stamp_clock clock __attribute__((aligned(CACHE_LINE)));

    /* Written seldom, read on every access. */
    _Atomic uint64_t floor __attribute__((aligned(CACHE_LINE)));
    struct lock flush_lock; /* Rank STATS: the two below, raising floor. */
    stamp_t flush_pending;
    uint64_t flush_due_ns;
    _Atomic uint64_t flush_due_hint_ns; /* The same to peek at; 0: none. */

    struct lock threads_lock; /* Rank STATS. */
    struct engine_thread *threads;
    struct engine_counts retired;   /* Of the threads that are gone. */
    struct engine_counts forgotten; /* What `stats reset` has hidden. */
    struct engine_lru_counters forgotten_lru[ENGINE_CLASSES_MAX];

    _Atomic uint32_t now_s; /* The latest time of any thread, for ages. */
    struct mover mover;
    struct automove automove;
    /* Of the upkeep, for `stats`. */
    _Atomic uint64_t juggles;
    struct upkeep upkeep;
    struct crawler crawler;
    struct janitor janitor;
};

/* Ends the janitor's rest, if it has one. Thread: any. */
void janitor_wake(struct engine *engine);

/* Copies the value of an item into another one, from offset on. */
void engine_item_copy(struct engine_thread *thread, struct item *to,
                      size_t offset, const struct item *from);

/* The list that a new item begins in. */
static inline enum lru_list engine_list_for(const struct engine_thread *thread,
                                            uint32_t expires_at_s)
{
    return tuning_list_for(&thread->engine->tuning, thread->now_s,
                           expires_at_s);
}

/* Whether an item of that stamp and expiry is still there for anybody. */
static inline bool engine_is_dead(const struct engine_thread *thread,
                                  const struct item *item)
{
    uint32_t expires_at_s = item->expires_at_s;

    return (expires_at_s != 0 && expires_at_s <= thread->now_s) ||
           item_stamp(item) <= atomic_load_explicit(&thread->engine->floor,
                                                    memory_order_relaxed);
}

static inline bool engine_is_flushed(const struct engine_thread *thread,
                                     const struct item *item)
{
    return item_stamp(item) <=
           atomic_load_explicit(&thread->engine->floor, memory_order_relaxed);
}

static inline struct engine_class_counters *
engine_class_counts(struct engine_thread *thread, unsigned class)
{
    return &thread->counts.classes[class];
}

#endif

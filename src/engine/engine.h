/* SPDX-License-Identifier: BSD-3-Clause */
/* The cache: the one door to it. No sockets, no globals; time is handed in.
 *
 * Every caller has a struct engine_thread of its own: its counters, its time.
 * All functions may be called by several threads at once, each with its own
 * struct engine_thread. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "src/base/clock.h"
#include "src/base/error.h"
#include "src/base/invariant.h"
#include "src/base/metrics.h"
#include "src/base/watch.h"
#include "src/engine/engine_metrics.h"
#include "src/engine/mutation.h"

#define ENGINE_KEY_MAX 250
#define ENGINE_EXPIRED 1u      /* expires_at_s of what is dead on arrival. */
#define ENGINE_CLASSES_MAX 255 /* Slab classes are 1..254. */

#define ENGINE_WORDS_MAX 200

struct engine;
struct engine_thread;
struct writer;
struct item;

/* ---- tuning ---- */

#define ENGINE_LRU_PERCENT_MAX 80u /* Hot and warm together. */
#define ENGINE_AUTOMOVE_WINDOW_MIN_S 3u
#define ENGINE_AUTOMOVE_WINDOW_MAX_S 1800u

/* Whether pages move to other classes by themselves. Either way a class that
 * has no chunk and nothing to evict gets a page, as long as reassign is on. */
enum engine_automove {
    ENGINE_AUTOMOVE_OFF,
    ENGINE_AUTOMOVE_ON,    /* From classes that keep items for longer. */
    ENGINE_AUTOMOVE_EAGER, /* To whatever class evicts. */
};

/* What may be changed while the engine runs. */
struct engine_tuning {
    uint32_t hot_percent; /* Most of a class that the hot list may be. */
    uint32_t warm_percent;
    double hot_age_factor;      /* And older than so many times the tail of */
    double warm_age_factor;     /* cold it must not get. */
    int64_t temporary_ttl_s;    /* New items that live no longer have a list of
                                   their own; below 0: none has. */
    bool segmented;             /* Else each class has one list. */
    bool maintain;              /* The upkeep tends the lists. */
    bool reassign;              /* Pages may change classes. */
    uint32_t automove;          /* enum engine_automove. */
    double automove_ratio;      /* Pages move between tails whose ages differ at
                                   least so much. */
    uint32_t automove_window_s; /* In this time all pages may have moved. */
    double automove_free_ratio; /* For external storage: shown, not used. */
};
extern const struct engine_tuning engine_tuning_default;

struct engine_config {
    uint64_t memory_bytes;       /* Room for items (-m). */
    uint64_t memory_bytes_max;   /* What that may be raised to, as far as it
                                    costs items nothing; 0: it is not. */
    uint64_t item_bytes_max;     /* A whole item with its header (-I). */
    uint64_t page_bytes;         /* 0: 1 MiB. Smaller ones are for tests. */
    uint64_t chunk_bytes_max;    /* 0: half a page. */
    uint32_t chunk_bytes_min;    /* Room for key, value, flags (-n); 0: 48. */
    double growth;               /* -f; 0: the finer default classes. */
    const uint32_t *chunk_sizes; /* Rising; instead of the two above. */
    unsigned chunk_sizes_count;
    unsigned table_power; /* Initial slots, as a power of two; 0: 16. */
    bool table_fixed;     /* And for ever. */
    bool huge_pages;      /* -L: all memory at once, in huge pages. */
    bool keep_all;        /* -M: refuse rather than evict. */
    const struct engine_tuning *tuning; /* NULL: engine_tuning_default. */
    bool no_crawler;                    /* Nothing looks for dead items. */
    uint32_t crawler_sleep_us; /* Rest after each thousand items of a crawl. */
    uint32_t crawler_tocrawl;  /* Items of a class in one crawl; 0: all. */
    bool track_sizes;          /* Count items by size. */
    uint64_t hash_seed;
    bool in_file; /* Items are kept in this open file, for a warm restart. */
    int file;
    unsigned node; /* Node bit of the stamps: 0 or 1. */
    bool counters_overwrite; /* Of two counts at both nodes the later wins,
                                and no item is larger for being counted on. */
};

/* Errors: -ERR_MEMORY; -ERR_RANGE for a configuration that cannot work.
 * Owns:   caller owns *out until engine_free(). */
MUST_CHECK int engine_new(const struct engine_config *config,
                          struct engine **out);
/* Every struct engine_thread is gone before, and the janitor is stopped. */
void engine_free(struct engine **engine);

/* Errors: -ERR_RANGE, then nothing has changed. Thread: any. */
void engine_tuning_get(const struct engine *engine, struct engine_tuning *out);
MUST_CHECK int engine_tuning_set(struct engine *engine,
                                 const struct engine_tuning *in);
/* Another limit of the memory for items. What is above it is given back by
 * the upkeep, little by little.
 * Errors: -ERR_RANGE beyond memory_bytes_max, or for what was preallocated;
 *         -ERR_MEMORY. */
MUST_CHECK int engine_set_memory(struct engine *engine, uint64_t memory_bytes);
uint64_t engine_memory(const struct engine *engine);

/* Moves a page from one slab class to another, in the background. Class 0 is
 * the pool; a source below 0 is any class that can spare one. */
enum engine_reassign {
    ENGINE_REASSIGN_BEGUN,
    ENGINE_REASSIGN_OFF,      /* tuning.reassign is. */
    ENGINE_REASSIGN_BUSY,     /* Another page is moving. */
    ENGINE_REASSIGN_NO_CLASS, /* There is no such class. */
    ENGINE_REASSIGN_NO_SPARE, /* The source has no page to give. */
    ENGINE_REASSIGN_SAME,
};
enum engine_reassign engine_reassign_page(struct engine *engine, int from,
                                          int to);

/* ---- warm restart ---- */

/* How long the file of such an engine has to be, from the start. */
uint64_t engine_file_bytes(const struct engine_config *config);
/* What has to be known beside the file to go on with it, engine_save_bytes()
 * long. All threads are gone, and the janitor. */
size_t engine_save_bytes(const struct engine *engine);
void engine_save(const struct engine *engine, struct writer *out);
/* A new engine goes on with what is in its file; before any thread. Neither
 * the file nor `saved` is trusted: every item is looked at.
 * Errors: -ERR_REFUSED when it was left by one with other options, and
 *         -ERR_CHECKSUM when it is damaged, and in words why; the engine is
 *         then good for engine_free() alone. */
MUST_CHECK int engine_restore(struct engine *engine, struct slice saved,
                              char words[ENGINE_WORDS_MAX]);

/* The journal hears of every change from now on. Before any thread runs. */
void engine_set_journal(struct engine *engine, const struct journal *journal);
struct stamp_clock *engine_stamp_clock(struct engine *engine);

/* Evictions and what the engine does by itself are told to whoever watches.
 * Before any thread; watch outlives them all. */
void engine_set_watch(struct engine *engine, struct watch *watch);

/* Errors: NULL when memory is exhausted. */
struct engine_thread *engine_thread_new(struct engine *engine);
void engine_thread_free(struct engine_thread **thread);
/* Sets the caller's time; before each batch. */
void engine_thread_set_now(struct engine_thread *thread, uint64_t now_ns);
uint64_t engine_thread_now(const struct engine_thread *thread);
/* A line about what the daemon does by itself (sysevents), if somebody watches
 * that. */
__attribute__((format(printf, 2, 3))) void
engine_tell(struct engine_thread *thread, const char *format, ...);
/* Where lines of this thread go; NULL when nobody can watch. */
struct watch_ring *engine_thread_ring(const struct engine_thread *thread);
/* After each batch: wakes the replication if this thread recorded anything. */
void engine_thread_settle(struct engine_thread *thread);
/* Did a client's request change anything since this was last asked? */
bool engine_take_changed(struct engine_thread *thread);
/* Did a live item give way to what this thread stored since this was last
 * asked? */
bool engine_take_evicted(struct engine_thread *thread);
/* The journal's number of the latest change, or of one after it; 0 without a
 * journal. */
uint64_t engine_last_change(const struct engine_thread *thread);

/* ---- keys ---- */

struct engine_key {
    struct slice bytes; /* 1..ENGINE_KEY_MAX bytes. */
    uint64_t hash;
};

struct engine_key engine_key_of(const struct engine *engine,
                                struct slice bytes);
/* Two steps ahead of the use of a key: first its bucket, some keys later the
 * items that the bucket may mean. bytes: of key and value, as far as known. */
void engine_prefetch_bucket(const struct engine *engine, uint64_t hash);
void engine_prefetch_item(const struct engine *engine, uint64_t hash,
                          size_t bytes);

/* What a client's exptime means now: 0 never, below 0 dead, up to 30 days
 * relative, above that seconds since 1970. */
uint32_t engine_expires_at(const struct engine_thread *thread,
                           int64_t exptime_s);

/* ---- reading ---- */

/* An item borrowed under its bucket's lock: short, no other engine call in
 * between but those that take a view. */
struct engine_view {
    struct item *item;
    struct slice key;
    size_t value_size;
    stamp_t stamp; /* Of the version. */
    stamp_t cas;   /* The cas unique: the stamp, or what a client gave. */
    uint32_t client_flags;
    uint32_t expires_at_s;  /* 0: never. */
    uint32_t accessed_at_s; /* Before this access. */
    uint32_t state;         /* ITEM_STATE_*. */
    bool fetched;           /* Asked for before. */
    unsigned slab_class;
    uint64_t bucket; /* The engine's own. */
};

/* Finds a live item, counts a hit or a miss, marks the item as used. When true,
 * the view is open until engine_view_end(). */
bool engine_get(struct engine_thread *thread, const struct engine_key *key,
                struct engine_view *view);
/* The same with a new expiry (gat); counts a touch. */
bool engine_get_and_touch(struct engine_thread *thread,
                          const struct engine_key *key, uint32_t expires_at_s,
                          struct engine_view *view);
/* Finds by hash; counts and marks nothing. For the replication. */
bool engine_find(struct engine_thread *thread, uint64_t hash,
                 struct engine_view *view);
/* The same, quicker if the key is still at that version. */
bool engine_find_version(struct engine_thread *thread, uint64_t hash,
                         stamp_t stamp, struct engine_view *view);
void engine_view_end(struct engine_thread *thread, struct engine_view *view);

/* What there is of a key, for whoever watches: counts, marks and keeps
 * nothing. All 0 unless it is there. */
enum engine_fate {
    ENGINE_ABSENT,
    ENGINE_LIVE,
    ENGINE_FLUSHED,
    ENGINE_LAPSED, /* Its life is over. */
};
struct engine_glimpse {
    enum engine_fate fate;
    unsigned slab_class;
    size_t value_size;
    uint32_t expires_at_s; /* 0: never. */
};
void engine_glimpse(struct engine_thread *thread, const struct engine_key *key,
                    struct engine_glimpse *out);

/* The value if it lies in one piece; else its data is NULL. */
struct slice engine_view_value(const struct engine_view *view);
/* The tally of an item that both nodes count on; else its base_stamp is
 * STAMP_NONE. */
void engine_view_tally(const struct engine_view *view, struct tally *tally);
/* All that the item takes, with header and key. */
size_t engine_view_bytes(const struct engine_view *view);
/* Of those who look into the cache: the item's list, "hot" and so on, and by
 * how many its bytes are held, the cache itself among them. */
const char *engine_view_list(const struct engine_view *view);
/* It was asked for lately, or has only just come: it would be among the last to
 * give way. Without being used an item never becomes hot again. */
bool engine_view_is_hot(const struct engine_view *view);
unsigned engine_view_references(const struct engine_view *view);

/* Keeps the item's bytes in place beyond the view's end, whatever happens to
 * the key. NULL when 60,000 hold it already. */
#define ENGINE_HOLDERS_MAX 60000
struct item *engine_view_hold(struct engine_thread *thread,
                              struct engine_view *view);
void engine_item_release(struct engine_thread *thread, struct item **item);
/* The bytes of the value from offset on, as far as they lie together; empty
 * at the end. The item is held, reserved, or in an open view. */
struct slice engine_item_bytes(const struct engine_thread *thread,
                               const struct item *item, size_t offset);

/* The same for whoever goes through a large value from its beginning to its
 * end: the cursor remembers the part, so that no step walks the chain anew. It
 * begins as all zero and is good as long as the item is the caller's to read
 * or fill. */
struct engine_cursor {
    const struct item *part; /* NULL: before the first one. */
    size_t begin;            /* Of the value, where that part begins. */
};
struct slice engine_item_bytes_on(const struct engine_thread *thread,
                                  const struct item *item, size_t offset,
                                  struct engine_cursor *cursor);

/* ---- writing ---- */

enum engine_mode {
    ENGINE_SET,
    ENGINE_ADD,
    ENGINE_REPLACE,
    ENGINE_APPEND,
    ENGINE_PREPEND,
    ENGINE_CAS,
};

enum engine_outcome {
    ENGINE_STORED, /* Also: deleted, touched, counted. */
    ENGINE_NOT_STORED,
    ENGINE_EXISTS, /* Another version is there. */
    ENGINE_NOT_FOUND,
    ENGINE_NOT_A_NUMBER,
    ENGINE_TOO_LARGE,
    ENGINE_NO_MEMORY,
};

struct engine_write {
    struct engine_key key;
    enum engine_mode mode;
    uint32_t client_flags;
    uint32_t expires_at_s;
    stamp_t cas; /* Compared in ENGINE_CAS. */
    size_t value_size;
    /* The rest is for meta commands, and 0 for all others. */
    uint32_t state;    /* Of the new item: ITEM_STATE_*. */
    stamp_t given_cas; /* Its cas unique, instead of the stamp. */
    bool invalidate;   /* ENGINE_CAS below the item's: stored as stale, for as
                          long as the old value would have lived. */
    bool compare;      /* APPEND and PREPEND: cas is compared, too. */
    bool vivify;       /* APPEND and PREPEND to nothing: store as it is. */
    bool touch;        /* APPEND and PREPEND: lives until expires_at_s. */
    uint32_t vivify_expires_at_s;
    size_t *size_stored; /* NULL, or told how long the value is now. */
};

/* Stores a value that is there as a whole. *stamp: the cas unique of what was
 * stored; STAMP_NONE when nothing was.
 * Errors: the outcome. A set that fails for size or memory removes the old
 *         value: nobody may read what the client wanted replaced. */
enum engine_outcome engine_store(struct engine_thread *thread,
                                 const struct engine_write *write,
                                 const char *value, stamp_t *stamp);

/* The same in steps, for a value that arrives in pieces: reserve an item that
 * nobody sees yet, fill it, commit or discard it.
 * Owns: caller owns *item until commit or discard, which null it. */
enum engine_outcome engine_reserve(struct engine_thread *thread,
                                   const struct engine_write *write,
                                   struct item **item);
/* Where value bytes from offset on go; *room is 0 at the end. */
char *engine_item_space(struct engine_thread *thread, struct item *item,
                        size_t offset, size_t *room);
char *engine_item_space_on(struct engine_thread *thread, struct item *item,
                           size_t offset, size_t *room,
                           struct engine_cursor *cursor);
enum engine_outcome engine_commit(struct engine_thread *thread,
                                  const struct engine_write *write,
                                  struct item **item, stamp_t *stamp);
void engine_discard(struct engine_thread *thread, struct item **item);
/* A value that came with a wrong end is a set that was not stored. */
void engine_count_spoilt(struct engine_thread *thread,
                         const struct engine_write *write);

/* The slab class that a value is stored in; 0 when none is large enough. */
unsigned engine_class_of(const struct engine *engine,
                         const struct engine_write *write);

struct engine_arith {
    struct engine_key key;
    uint64_t delta;
    bool decrement;
    /* The rest is for meta commands, and 0 for all others. */
    bool compare; /* ENGINE_EXISTS unless the cas unique is cas. */
    bool touch;   /* Lives until expires_at_s from now on. */
    bool vivify;  /* An absent one becomes initial. */
    stamp_t cas;
    stamp_t given_cas; /* As in struct engine_write. */
    uint64_t initial;
    uint32_t expires_at_s;
    uint32_t vivify_expires_at_s;
    uint32_t state; /* Of the one made so. */
};

struct engine_counted {
    uint64_t value;
    stamp_t cas;
    uint32_t expires_at_s;
    uint32_t expired_at_s; /* Until now. */
};

/* incr wraps at 2^64, decr stops at 0; a shorter number is padded with blanks
 * on the right. */
enum engine_outcome engine_arith(struct engine_thread *thread,
                                 const struct engine_arith *arith,
                                 uint64_t *value, stamp_t *stamp);
/* The same, and more is told. */
enum engine_outcome engine_count(struct engine_thread *thread,
                                 const struct engine_arith *arith,
                                 struct engine_counted *counted);

/* A longer life keeps the version and a shorter one is a new version. */
enum engine_outcome engine_touch(struct engine_thread *thread,
                                 const struct engine_key *key,
                                 uint32_t expires_at_s);

enum engine_outcome engine_remove(struct engine_thread *thread,
                                  const struct engine_key *key);

/* ---- meta commands ---- */

/* A get with wishes. */
struct engine_look {
    bool silent;      /* Leaves no trace: no use, no place in the LRU. */
    bool touch;       /* Lives until expires_at_s from now on. */
    bool vivify;      /* A miss makes an empty item, which is a win. */
    bool recache;     /* A win if it would end before recache_before_s. */
    bool touch_first; /* Before that is decided. */
    uint32_t expires_at_s;
    uint32_t recache_before_s;
    uint32_t vivify_expires_at_s;
    stamp_t vivify_cas;    /* 0: the stamp. */
    uint32_t vivify_state; /* ITEM_STATE_*. */

    /* What it came to. */
    bool won;              /* The caller is the one to refresh the item. */
    uint32_t state;        /* Before that. */
    uint32_t expired_at_s; /* Before a touch. */
};

/* ENGINE_STORED: there is an item and view is open until engine_view_end().
 * A stale item is won by the first who looks. Who wins is told to the peer as
 * a hint: two who look at the two nodes at once may both win.
 * Errors: ENGINE_NOT_FOUND; ENGINE_NO_MEMORY when none can be made. */
enum engine_outcome engine_look(struct engine_thread *thread,
                                const struct engine_key *key,
                                struct engine_look *look,
                                struct engine_view *view);
/* Finds a live item; counts no get and marks nothing. When true, view is open.
 */
bool engine_peek(struct engine_thread *thread, const struct engine_key *key,
                 struct engine_view *view);

/* What becomes of an item that is there. With neither of stale and empty it is
 * removed. */
struct engine_removal {
    struct engine_key key;
    bool compare; /* ENGINE_EXISTS unless the cas unique is cas. */
    bool stale;   /* It stays, as a stale one, and is to be won again. */
    bool empty;   /* It stays, without value, client flags and end. */
    bool touch;   /* If it stays, it lives until expires_at_s. */
    stamp_t cas;
    stamp_t given_cas; /* If it stays: as in struct engine_write. */
    uint32_t expires_at_s;
    uint32_t client_flags; /* Of an empty one. */
};
enum engine_outcome engine_remove_as(struct engine_thread *thread,
                                     const struct engine_removal *removal);

/* delay_s 0: at once. */
void engine_flush(struct engine_thread *thread, uint64_t delay_s);

/* ---- replication ---- */

enum apply_result engine_apply(struct engine_thread *thread,
                               const struct mutation *mutation);
/* A SET whose value arrives in pieces: mutation->value is empty and value_size
 * says how long it will be; then engine_item_space(), then commit (or
 * engine_discard()). The decision falls at commit. */
enum apply_result engine_apply_reserve(struct engine_thread *thread,
                                       const struct mutation *mutation,
                                       size_t value_size, struct item **item);
enum apply_result engine_apply_commit(struct engine_thread *thread,
                                      const struct mutation *mutation,
                                      struct item **item);

void engine_flush_state(const struct engine *engine, struct flush_state *out);
/* Joins the peer's flush state into ours. True when ours changed. */
bool engine_flush_join(struct engine_thread *thread,
                       const struct flush_state *theirs);

/* Visits the live items with hashes in [from, to], each under its bucket's
 * lock, in no particular order inside a bucket; stops after the bucket in
 * which items_max was reached, or when fn says false (then that bucket will
 * be visited again). Returns the hash to go on with; sets *done when all of
 * the range was visited. Items that stay are visited exactly once however the
 * table grows meanwhile. */
typedef bool engine_visit_fn(void *ctx, uint64_t hash,
                             struct engine_view *view);
uint64_t engine_scan(struct engine_thread *thread, uint64_t from, uint64_t to,
                     size_t items_max, engine_visit_fn *fn, void *ctx,
                     bool *done);
/* About so many items are going to come, in the order of their hashes: makes
 * room in the table for them first. In the table of a few items all of them
 * would crowd into one bucket after the other. */
void engine_expect(struct engine *engine, uint64_t items);
/* Removes the live items in [from, to] that are not newer than floor and for
 * which keep() says false; local and silent. Returns how many. */
typedef bool engine_keep_fn(void *ctx, uint64_t hash);
size_t engine_purge(struct engine_thread *thread, uint64_t from, uint64_t to,
                    stamp_t floor, engine_keep_fn *keep, void *ctx);

/* ---- the crawler, and dumps ---- */

/* A set of slab classes. */
struct engine_classes {
    uint64_t bits[ENGINE_CLASSES_MAX / 64 + 1];
};

static inline void engine_classes_set_all(struct engine_classes *classes)
{
    for (size_t i = 0; i < COUNT_OF(classes->bits); i++)
        classes->bits[i] = UINT64_MAX;
}

static inline void engine_classes_add(struct engine_classes *classes,
                                      unsigned class)
{
    classes->bits[class / 64] |= (uint64_t)1 << class % 64;
}

static inline void engine_classes_remove(struct engine_classes *classes,
                                         unsigned class)
{
    classes->bits[class / 64] &= ~((uint64_t)1 << class % 64);
}

static inline bool engine_classes_have(const struct engine_classes *classes,
                                       unsigned class)
{
    return (classes->bits[class / 64] >> class % 64) & 1;
}

static inline bool engine_classes_are_none(const struct engine_classes *classes)
{
    for (size_t i = 0; i < COUNT_OF(classes->bits); i++) {
        if (classes->bits[i] != 0)
            return false;
    }
    return true;
}

/* How many classes there are: 1 to this. */
unsigned engine_classes_count(const struct engine *engine);
/* Items of one class. Thread: any. */
uint64_t engine_class_items(const struct engine *engine, unsigned class);

enum engine_crawl {
    ENGINE_CRAWL_STARTED,
    ENGINE_CRAWL_BUSY, /* There is a crawl or a dump under way. */
    ENGINE_CRAWL_DISABLED,
};

/* Lets the janitor look for dead items of these classes, once. */
enum engine_crawl engine_crawl(struct engine_thread *thread,
                               const struct engine_classes *classes);

struct engine_crawler {
    bool enabled; /* Off ends what is under way, but no dump. */
    uint32_t sleep_us;
    uint32_t tocrawl;
};
void engine_crawler_settings(const struct engine *engine,
                             struct engine_crawler *out);
void engine_crawler_set(struct engine *engine,
                        const struct engine_crawler *settings);

/* A walk over all live items of some classes: of those that stay each is
 * visited exactly once, however the table grows meanwhile. It begins with
 * next_hash 0. */
struct engine_walk {
    struct engine_classes classes;
    uint64_t next_hash; /* Where it goes on. */
};
/* Called under the lock of the view's bucket; does not end the view. */
typedef void engine_walk_fn(void *ctx, struct engine_view *view);
/* Visits the next hundred items, or some more. False: that was the end. */
bool engine_walk(struct engine_thread *thread, struct engine_walk *walk,
                 engine_walk_fn *fn, void *ctx);
/* Whether it is in the list of what has not been used for long. */
bool engine_view_is_cold(const struct engine_view *view);

/* A walk that counts as a crawl takes a ticket, of which there is one. Who
 * does not use it for some seconds may lose it to another one, but may go on
 * walking.
 * Owns: caller, until engine_dump_end(). */
enum engine_crawl engine_dump_begin(struct engine_thread *thread,
                                    uint64_t *ticket);
void engine_dump_use(struct engine_thread *thread, uint64_t ticket);
void engine_dump_end(struct engine_thread *thread, uint64_t ticket);

/* ---- upkeep ---- */

/* One bounded round: LRU balance, reclaim of the expired, table growth, a due
 * flush. Returns how long to rest in nanoseconds (0: there is more to do). For
 * one thread at a time: the janitor, or a test. */
uint64_t engine_upkeep(struct engine_thread *thread);
/* A thread that does that. Errors: -ERR_SYSTEM, -ERR_MEMORY. */
MUST_CHECK int engine_janitor_start(struct engine *engine,
                                    const struct clock *clock);
void engine_janitor_stop(struct engine *engine);

/* ---- statistics, with memcached's names ---- */

uint64_t engine_items(const struct engine *engine);
void engine_stats(struct engine *engine, struct stats_out *out);
void engine_stats_items(struct engine *engine, struct stats_out *out);
void engine_stats_slabs(struct engine *engine, struct stats_out *out);
/* How many items there are of each size, rounded up to 32 bytes. */
void engine_stats_sizes(struct engine *engine, struct stats_out *out);
bool engine_tracks_sizes(const struct engine *engine);
void engine_stats_reset(struct engine *engine);
/* "slab class   1: chunk size        96 perslab   10922", one call a class. */
void engine_print_classes(const struct engine *engine,
                          void (*line)(void *ctx, const char *text), void *ctx);

#endif

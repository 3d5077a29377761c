/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounded steps, each bucket under its own lock and nothing else. A crawl that
 * was asked for goes before the sweep, which then goes on where it was. */
#include "src/engine/crawler.h"

#include "src/base/invariant.h"
#include "src/engine/change.h"
#include "src/engine/lru.h"
#include "src/engine/read.h"
#include "src/engine/tell.h"

#define SWEEP_BUCKETS 64u /* Looked at in one round. */
#define SWEEP_EVERY_NS (60 * NS_PER_S)
#define SWEEP_REST_NS NS_PER_MS
#define CRAWL_ITEMS 1000u /* Between two rests. */
#define CRAWL_BUCKETS 1000u
#define WALK_ITEMS 100u
#define WALK_BUCKETS 256u

void crawler_init(struct crawler *crawler, const struct engine_config *config)
{
    lock_init(&crawler->lock, LOCK_RANK_STATS);
    atomic_init(&crawler->enabled, !config->no_crawler);
    atomic_init(&crawler->sleep_us, config->crawler_sleep_us);
    atomic_init(&crawler->tocrawl, config->crawler_tocrawl);
}

void crawler_fini(struct crawler *crawler)
{
    lock_fini(&crawler->lock);
}

bool crawler_is_running(const struct crawler *crawler)
{
    return atomic_load_explicit(&crawler->sweeping, memory_order_relaxed) ||
           atomic_load_explicit(&crawler->crawling, memory_order_relaxed) ||
           atomic_load_explicit(&crawler->dumping, memory_order_relaxed);
}

static void count_start(struct crawler *crawler)
{
    atomic_fetch_add_explicit(&crawler->starts, 1, memory_order_relaxed);
}

/* ---- settings ---- */

void engine_crawler_settings(const struct engine *engine,
                             struct engine_crawler *out)
{
    const struct crawler *crawler = &engine->crawler;

    out->enabled =
        atomic_load_explicit(&crawler->enabled, memory_order_relaxed);
    out->sleep_us =
        atomic_load_explicit(&crawler->sleep_us, memory_order_relaxed);
    out->tocrawl =
        atomic_load_explicit(&crawler->tocrawl, memory_order_relaxed);
}

void engine_crawler_set(struct engine *engine,
                        const struct engine_crawler *settings)
{
    struct crawler *crawler = &engine->crawler;

    atomic_store_explicit(&crawler->enabled, settings->enabled,
                          memory_order_relaxed);
    atomic_store_explicit(&crawler->sleep_us, settings->sleep_us,
                          memory_order_relaxed);
    atomic_store_explicit(&crawler->tocrawl, settings->tocrawl,
                          memory_order_relaxed);
    janitor_wake(engine);
}

/* ---- one at a time ---- */

/* The caller holds the lock. */
static enum engine_crawl may_start(const struct crawler *crawler,
                                   uint64_t now_ns)
{
    if (!atomic_load_explicit(&crawler->enabled, memory_order_relaxed))
        return ENGINE_CRAWL_DISABLED;
    if (atomic_load_explicit(&crawler->crawling, memory_order_acquire))
        return ENGINE_CRAWL_BUSY;
    if (crawler->ticket != 0 &&
        now_ns < crawler->ticket_at_ns + CRAWLER_STALLED_NS)
        return ENGINE_CRAWL_BUSY;
    return ENGINE_CRAWL_STARTED;
}

/* The caller holds the lock. */
static void set_ticket(struct crawler *crawler, uint64_t ticket,
                       uint64_t now_ns)
{
    crawler->ticket = ticket;
    crawler->ticket_at_ns = now_ns;
    atomic_store_explicit(&crawler->dumping, ticket != 0, memory_order_relaxed);
}

enum engine_crawl engine_dump_begin(struct engine_thread *thread,
                                    uint64_t *ticket)
{
    struct crawler *crawler = &thread->engine->crawler;
    enum engine_crawl outcome;

    lock_take(&crawler->lock);
    outcome = may_start(crawler, thread->now_ns);
    if (outcome == ENGINE_CRAWL_STARTED) {
        *ticket = ++crawler->ticket_last;
        set_ticket(crawler, *ticket, thread->now_ns);
        count_start(crawler);
    }
    lock_release(&crawler->lock);
    return outcome;
}

void engine_dump_use(struct engine_thread *thread, uint64_t ticket)
{
    struct crawler *crawler = &thread->engine->crawler;

    lock_take(&crawler->lock);
    if (crawler->ticket == ticket)
        crawler->ticket_at_ns = thread->now_ns;
    lock_release(&crawler->lock);
}

void engine_dump_end(struct engine_thread *thread, uint64_t ticket)
{
    struct crawler *crawler = &thread->engine->crawler;

    lock_take(&crawler->lock);
    if (crawler->ticket == ticket)
        set_ticket(crawler, 0, thread->now_ns);
    lock_release(&crawler->lock);
}

/* ---- passes ---- */

/* A pass that has a limit begins where the one before it reached it, or most
 * items would never be looked at. */
static void begin_pass(struct crawler_pass *pass, uint64_t now_ns,
                       uint32_t left_max)
{
    unsigned i;

    pass->began_ns = now_ns;
    pass->examined = 0;
    pass->reclaimed = 0;

    pass->next_hash = pass->cut && left_max != 0 ? pass->resume_hash : 0;
    pass->begin_hash = pass->next_hash;
    pass->wrapped = false;
    pass->cut = false;
    pass->left_max = left_max;
    for (i = 0; i <= ENGINE_CLASSES_MAX; i++)
        pass->left[i] = left_max;
}

/* Of the class that the item's page is of: an item that is not wanted need
 * not be touched. */
static bool is_wanted(const struct engine *engine, const struct item *item,
                      const struct engine_classes *classes)
{
    uint32_t page = region_page_of(&engine->region, item);

    return engine_classes_have(classes, region_class(&engine->region, page));
}

/* As memcached counts them: those that a client comes upon do not count, nor
 * do the flushed. */
static void count_unfetched(struct engine_thread *thread,
                            const struct item *item)
{
    struct slab_class *class =
        slab_class_at(&thread->engine->slabs, item->slab_class);

    if (engine_is_flushed(thread, item) || (item_marks(item) & ITEM_FETCHED))
        return;
    lock_take(&class->lock);
    METRIC_UP(class->counters.expired_unfetched);
    lock_release(&class->lock);
}

/* True when it was dead. */
static bool check_item(struct engine_thread *thread, struct place place,
                       struct item *item)
{
    struct table *table = &thread->engine->table;
    struct engine_class_counters *counts =
        engine_class_counts(thread, item->slab_class);
    uint64_t hash;

    METRIC_UP(counts->crawler_items_checked);
    if (!engine_is_dead(thread, item))
        return false;
    METRIC_UP(counts->crawler_reclaimed);
    count_unfetched(thread, item);
    hash = table_hash(table, item);
    change_forget(thread, hash, item);
    table_remove(table, place, table_find_item(table, place, hash, item));
    alloc_retire(thread, item);
    return true;
}

/* Takes what was looked at off the class's limit. */
static void use_limit(struct crawler_pass *pass, unsigned class)
{
    if (pass->left_max == 0)
        return;
    pass->left[class]--;
    if (pass->left[class] != 0)
        return;
    engine_classes_remove(&pass->classes, class);
    if (!pass->cut)
        pass->resume_hash = pass->next_hash;
    pass->cut = true;
}

/* Returns how many items it looked at. */
static unsigned pass_bucket(struct engine_thread *thread,
                            struct crawler_pass *pass)
{
    struct engine *engine = thread->engine;
    struct place place = table_lock(&engine->table, pass->next_hash);
    uint64_t last = table_last_hash(&engine->table, pass->next_hash);
    struct item *items[TABLE_ITEMS_MAX];
    unsigned count = table_list(&engine->table, place, items);
    unsigned seen = 0;
    unsigned i;

    for (i = 0; i < count; i++) {
        unsigned class;

        if (!is_wanted(engine, items[i], &pass->classes))
            continue;
        class = items[i]->slab_class;
        pass->reclaimed += check_item(thread, place, items[i]);
        use_limit(pass, class);
        seen++;
    }
    table_unlock(place);
    pass->examined += seen;
    pass->next_hash = last + 1;
    if (pass->next_hash == 0)
        pass->wrapped = true;
    return seen;
}

static bool pass_is_over(const struct crawler_pass *pass)
{
    return (pass->wrapped && pass->next_hash >= pass->begin_hash) ||
           engine_classes_are_none(&pass->classes);
}

static void tell_end(struct engine_thread *thread, const char *what,
                     const struct crawler_pass *pass)
{
    tell_event(
        thread,
        "type=lru_crawler crawler=%s elapsed=%llu examined=%llu "
        "reclaimed=%llu",
        what,
        (unsigned long long)((thread->now_ns - pass->began_ns) / NS_PER_S),
        (unsigned long long)pass->examined,
        (unsigned long long)pass->reclaimed);
}

/* ---- the crawl that was asked for ---- */

enum engine_crawl engine_crawl(struct engine_thread *thread,
                               const struct engine_classes *classes)
{
    struct crawler *crawler = &thread->engine->crawler;
    enum engine_crawl outcome;

    lock_take(&crawler->lock);
    outcome = may_start(crawler, thread->now_ns);
    if (outcome == ENGINE_CRAWL_STARTED) {
        begin_pass(
            &crawler->crawl, thread->now_ns,
            atomic_load_explicit(&crawler->tocrawl, memory_order_relaxed));
        crawler->crawl.classes = *classes;
        count_start(crawler);
        atomic_store_explicit(&crawler->crawling, true, memory_order_release);
    }
    lock_release(&crawler->lock);
    if (outcome == ENGINE_CRAWL_STARTED)
        janitor_wake(thread->engine);
    return outcome;
}

static void crawl(struct engine_thread *thread)
{
    struct crawler *crawler = &thread->engine->crawler;
    struct crawler_pass *pass = &crawler->crawl;
    unsigned items = 0;
    unsigned i;

    for (i = 0; i < CRAWL_BUCKETS && items < CRAWL_ITEMS && !pass_is_over(pass);
         i++)
        items += pass_bucket(thread, pass);
    if (!pass_is_over(pass))
        return;
    tell_end(thread, "crawl", pass);
    atomic_store_explicit(&crawler->crawling, false, memory_order_release);
}

/* ---- the sweep ---- */

/* A sweep begins every minute, and at once after a flush. */
static void begin_sweep(struct engine_thread *thread)
{
    struct engine *engine = thread->engine;
    struct crawler *crawler = &engine->crawler;
    stamp_t floor = atomic_load_explicit(&engine->floor, memory_order_relaxed);

    if (crawler->sweeping)
        return;
    if (thread->now_ns < crawler->sweep_due_ns && floor == crawler->swept_floor)
        return;
    begin_pass(&crawler->sweep, thread->now_ns, 0);
    engine_classes_set_all(&crawler->sweep.classes);
    crawler->swept_floor = floor;
    crawler->sweep_due_ns = thread->now_ns + SWEEP_EVERY_NS;
    count_start(crawler);
    atomic_store_explicit(&crawler->sweeping, true, memory_order_relaxed);
}

static void sweep(struct engine_thread *thread)
{
    struct crawler *crawler = &thread->engine->crawler;
    unsigned i;

    begin_sweep(thread);
    if (!crawler->sweeping)
        return;
    for (i = 0; i < SWEEP_BUCKETS && !pass_is_over(&crawler->sweep); i++)
        (void)pass_bucket(thread, &crawler->sweep);
    if (!pass_is_over(&crawler->sweep))
        return;
    tell_end(thread, "sweep", &crawler->sweep);
    atomic_store_explicit(&crawler->sweeping, false, memory_order_relaxed);
}

/* Both end where they are. */
static void give_up(struct crawler *crawler)
{
    atomic_store_explicit(&crawler->sweeping, false, memory_order_relaxed);
    atomic_store_explicit(&crawler->crawling, false, memory_order_release);
}

/* What is left of the rest that was asked for: the janitor comes by more
 * often when it has other work. */
static uint64_t rest_left(const struct crawler *crawler, uint64_t now_ns)
{
    return crawler->rest_until_ns > now_ns ? crawler->rest_until_ns - now_ns
                                           : 0;
}

uint64_t crawler_round(struct engine_thread *thread)
{
    struct crawler *crawler = &thread->engine->crawler;
    uint64_t sleep_ns = (uint64_t)atomic_load_explicit(&crawler->sleep_us,
                                                       memory_order_relaxed) *
                        NS_PER_US;

    if (!atomic_load_explicit(&crawler->enabled, memory_order_relaxed)) {
        give_up(crawler);
        return CRAWLER_IDLE;
    }
    if (rest_left(crawler, thread->now_ns) > 0)
        return rest_left(crawler, thread->now_ns);
    if (atomic_load_explicit(&crawler->crawling, memory_order_acquire)) {
        crawl(thread);
    } else {
        sweep(thread);
        if (crawler->sweeping && sleep_ns <= SWEEP_REST_NS)
            return SWEEP_REST_NS;
    }
    if (!crawler->sweeping && !crawler->crawling)
        return CRAWLER_IDLE;
    crawler->rest_until_ns = thread->now_ns + sleep_ns;
    return sleep_ns;
}

/* ---- walks of those who read ---- */

bool engine_view_is_cold(const struct engine_view *view)
{
    return item_list(view->item) == LRU_COLD;
}

static unsigned walk_bucket(struct engine_thread *thread,
                            struct engine_walk *walk, engine_walk_fn *fn,
                            void *ctx)
{
    struct engine *engine = thread->engine;
    struct place place = table_lock(&engine->table, walk->next_hash);
    uint64_t last = table_last_hash(&engine->table, walk->next_hash);
    struct item *items[TABLE_ITEMS_MAX];
    unsigned count = table_list(&engine->table, place, items);
    unsigned seen = 0;
    unsigned i;

    for (i = 0; i < count; i++) {
        struct engine_view view;

        if (!is_wanted(engine, items[i], &walk->classes))
            continue;
        seen++;
        if (engine_is_dead(thread, items[i]))
            continue;
        read_open_view(&view, items[i], place);
        fn(ctx, &view);
    }
    table_unlock(place);
    walk->next_hash = last + 1;
    return seen;
}

bool engine_walk(struct engine_thread *thread, struct engine_walk *walk,
                 engine_walk_fn *fn, void *ctx)
{
    unsigned items = 0;
    unsigned i;

    for (i = 0; i < WALK_BUCKETS && items < WALK_ITEMS; i++) {
        items += walk_bucket(thread, walk, fn, ctx);
        if (walk->next_hash == 0)
            return false;
    }
    return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* One table of prefixes for all threads, that only ever gets longer until it
 * is cleared as a whole: a prefix is found without waiting for anybody. Each
 * has as many sets of counts as there are stripes, and a thread counts in its
 * own stripe, under that stripe's lock, which is nearly always free.
 *
 * The lock of a stripe is also what clear() waits for: once it has had each,
 * nobody looks at an old prefix any more. */
#include "src/command/detail.h"

#include "src/base/hash.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/command/stream.h"
#include "src/command/value.h"
#include "src/protocol/text.h"

#define HEADS 16384u /* A power of two. */
#define STRIPES 8u
#define DUMP_HEADS 64u /* In one step. */
#define CACHE_LINE 64
#define LINE_BYTES_MAX (ENGINE_KEY_MAX + 4 * NUMBER_DIGITS_MAX + 64)

/* Written under the stripe's lock, read by anyone (relaxed). */
struct counts {
    uint64_t gets;
    uint64_t hits;
    uint64_t sets;
    uint64_t deletes;
    uint64_t unused[4]; /* A cache line of its own. */
};

struct prefix {
    struct prefix *next; /* Like size and bytes, never changes. */
    size_t size;
    struct counts counts[STRIPES];
    char bytes[];
};

struct stripe {
    _Atomic uint32_t word; /* Its lowest bit is the lock, rank PREFIXES. */
    char unused[CACHE_LINE - sizeof(uint32_t)];
};

struct detail {
    char delimiter;
    struct lock lock; /* Rank STATS: adding, clearing, showing. */
    unsigned count;
    struct stripe stripes[STRIPES];
    struct prefix *heads[HEADS]; /* Atomic; written under the lock. */
    struct prefix *gone[HEADS];  /* Under the lock: being cleared. */
};

struct detail *detail_new(char delimiter)
{
    struct detail *detail = memory_new(1, sizeof(*detail));

    if (detail == NULL)
        return NULL;
    detail->delimiter = delimiter;
    lock_init(&detail->lock, LOCK_RANK_STATS);
    return detail;
}

static void free_chain(struct prefix **head)
{
    while (*head != NULL) {
        struct prefix *prefix = *head;

        *head = prefix->next;
        memory_free(&prefix);
    }
}

void detail_free(struct detail **detail)
{
    if (*detail == NULL)
        return;
    for (unsigned i = 0; i < HEADS; i++)
        free_chain(&(*detail)->heads[i]);
    lock_fini(&(*detail)->lock);
    memory_free(detail);
}

/* ---- counting ---- */

static unsigned place_of(struct slice prefix)
{
    return (unsigned)(hash_key(0, prefix) % HEADS);
}

static struct prefix *head_at(const struct detail *detail, unsigned place)
{
    return __atomic_load_n(&detail->heads[place], __ATOMIC_ACQUIRE);
}

static struct prefix *find(const struct detail *detail, unsigned place,
                           struct slice bytes)
{
    struct prefix *prefix = head_at(detail, place);

    while (prefix != NULL &&
           !slice_equal(slice_make(prefix->bytes, prefix->size), bytes))
        prefix = prefix->next;
    return prefix;
}

/* False when there is no room. The caller holds the lock. */
static bool add(struct detail *detail, unsigned place, struct slice bytes)
{
    struct prefix *prefix;

    if (detail->count == DETAIL_PREFIXES_MAX)
        return false;
    prefix = memory_new(1, sizeof(*prefix) + bytes.size);
    if (prefix == NULL)
        return false;
    prefix->size = bytes.size;
    memcpy(prefix->bytes, bytes.data, bytes.size);
    prefix->next = detail->heads[place];
    __atomic_store_n(&detail->heads[place], prefix, __ATOMIC_RELEASE);
    detail->count++;
    return true;
}

static bool is_known_or_added(struct detail *detail, unsigned place,
                              struct slice bytes)
{
    bool known;

    lock_take(&detail->lock);
    known = find(detail, place, bytes) != NULL || add(detail, place, bytes);
    lock_release(&detail->lock);
    return known;
}

static void count(struct counts *counts, enum detail_event event)
{
    switch (event) {
    case DETAIL_HIT:
        METRIC_UP(counts->hits);
        METRIC_UP(counts->gets);
        return;
    case DETAIL_MISS:
        METRIC_UP(counts->gets);
        return;
    case DETAIL_SET:
        METRIC_UP(counts->sets);
        return;
    case DETAIL_DELETE:
        METRIC_UP(counts->deletes);
        return;
    }
}

/* False when the prefix is not known. */
static bool count_known(struct detail *detail, unsigned stripe, unsigned place,
                        struct slice bytes, enum detail_event event)
{
    _Atomic uint32_t *word = &detail->stripes[stripe].word;
    struct prefix *prefix;

    lock_bit_take(word, LOCK_RANK_PREFIXES);
    prefix = find(detail, place, bytes);
    if (prefix != NULL)
        count(&prefix->counts[stripe], event);
    lock_bit_release(word, LOCK_RANK_PREFIXES);
    return prefix != NULL;
}

void detail_record(struct command_thread *thread, struct slice key,
                   enum detail_event event)
{
    struct detail *detail = thread->commands->detail;
    unsigned stripe = thread->number % STRIPES;
    const char *end = memchr(key.data, detail->delimiter, key.size);
    struct slice bytes;
    unsigned place;

    if (end == NULL)
        return;
    bytes = slice_make(key.data, (size_t)(end - key.data));
    place = place_of(bytes);
    if (count_known(detail, stripe, place, bytes, event))
        return;
    if (is_known_or_added(detail, place, bytes))
        (void)count_known(detail, stripe, place, bytes, event);
}

/* ---- showing and forgetting ---- */

static void put_prefix(const struct prefix *prefix, struct sink *out)
{
    char *room = sink_room(out, LINE_BYTES_MAX);
    struct counts sum = {0};
    char *at = room;

    for (unsigned i = 0; i < STRIPES; i++)
        METRICS_ADD(&sum, &prefix->counts[i]);
    if (room == NULL)
        return;
    at = value_put_text(at, "PREFIX ", 7);
    at = value_put_text(at, prefix->bytes, prefix->size);
    at = value_put_text(at, " get", 4);
    at = value_put_number(at, sum.gets);
    at = value_put_text(at, " hit", 4);
    at = value_put_number(at, sum.hits);
    at = value_put_text(at, " set", 4);
    at = value_put_number(at, sum.sets);
    at = value_put_text(at, " del", 4);
    at = value_put_number(at, sum.deletes);
    at = value_put_text(at, "\r\n", 2);
    sink_used(out, (size_t)(at - room));
}

bool detail_dump(struct detail *detail, unsigned *place, struct sink *out)
{
    unsigned end = *place + DUMP_HEADS;

    INVARIANT(*place < HEADS);
    lock_take(&detail->lock);
    for (; *place < end; (*place)++) {
        const struct prefix *prefix = detail->heads[*place];

        for (; prefix != NULL; prefix = prefix->next)
            put_prefix(prefix, out);
    }
    lock_release(&detail->lock);
    return *place < HEADS;
}

/* The caller holds the lock. */
static void await_readers(struct detail *detail)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        lock_bit_take(&detail->stripes[i].word, LOCK_RANK_PREFIXES);
        lock_bit_release(&detail->stripes[i].word, LOCK_RANK_PREFIXES);
    }
}

void detail_clear(struct detail *detail)
{
    lock_take(&detail->lock);
    for (unsigned i = 0; i < HEADS && detail->count > 0; i++) {
        detail->gone[i] = detail->heads[i];
        __atomic_store_n(&detail->heads[i], NULL, __ATOMIC_RELAXED);
    }
    await_readers(detail);
    for (unsigned i = 0; i < HEADS && detail->count > 0; i++)
        free_chain(&detail->gone[i]);
    detail->count = 0;
    lock_release(&detail->lock);
}

/* ---- the command ---- */

struct detail_stream {
    struct stream stream; /* First. */
    unsigned place;
};

static enum stream_state step_stream(struct stream *stream,
                                     struct command_thread *thread,
                                     struct sink *out)
{
    struct detail_stream *own = (struct detail_stream *)(void *)stream;

    if (detail_dump(thread->commands->detail, &own->place, out))
        return STREAM_MORE;
    sink_put_literal(out, "END\r\n");
    return STREAM_END;
}

static void free_stream(struct stream *stream, struct command_thread *thread)
{
    struct detail_stream *own = (struct detail_stream *)(void *)stream;

    (void)thread;
    memory_free(&own);
}

static void start_stream(struct command_thread *thread, struct sink *out)
{
    struct detail_stream *own = memory_new(1, sizeof(*own));

    if (own == NULL) {
        sink_put_literal(out, "SERVER_ERROR out of memory writing stats\r\n");
        return;
    }
    own->stream = (struct stream){step_stream, free_stream};
    stream_start(thread, &own->stream);
}

void detail_switch(struct commands *commands, bool on)
{
    atomic_store_explicit(&commands->detail_on, on, memory_order_relaxed);
}

void detail_execute(struct command_thread *thread, struct slice words,
                    struct sink *out)
{
    struct slice word = text_take(&words);

    if (!thread->commands->config.dump_allowed) {
        sink_put_literal(out, "CLIENT_ERROR stats detail not allowed\r\n");
    } else if (slice_equal(word, SLICE_LITERAL("dump"))) {
        start_stream(thread, out);
    } else if (slice_equal(word, SLICE_LITERAL("on")) ||
               slice_equal(word, SLICE_LITERAL("off"))) {
        detail_switch(thread->commands, word.size == 2);
        sink_put_literal(out, "OK\r\n");
    } else {
        sink_put_literal(out,
                         "CLIENT_ERROR usage: stats detail on|off|dump\r\n");
    }
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine costs: processor time per operation and bytes per item, over
 * more items than the processor's caches hold.
 *
 *   engine_bench [ITEMS [VALUE_BYTES [THREADS [FILE]]]]
 *
 * FILE, made anew and removed: where items are kept, and a warm restart. */
#include "src/base/clock.h"
#include "src/base/cursor.h"
#include "src/base/hash.h"
#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "src/base/number.h"
#include "src/engine/engine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEY_BYTES 16
#define VALUE_BYTES_MAX 4096
#define BATCH 32
#define THREADS_MAX 16

static uint64_t items = 1000000;
static size_t value_bytes = 32;
static unsigned threads = 1;

struct worker {
    struct engine *engine;
    struct engine_thread *thread;
    struct clock clock;
    unsigned seed;
    uint64_t found;
};

/* Spreads consecutive numbers over all of them, so that no order helps. */
static uint64_t shuffled(uint64_t i)
{
    return i * 2654435761u % items;
}

/* Sixteen bytes that cost nothing to make: the engine is measured, not this. */
static void make_key(char *key, uint64_t number)
{
    uint64_t words[2] = {number, ~number};

    _Static_assert(sizeof(words) == KEY_BYTES, "a key is two words");
    memcpy(key, words, sizeof(words));
}

static struct engine_key key_for(const struct worker *worker, char *text,
                                 uint64_t number)
{
    make_key(text, number);
    return engine_key_of(worker->engine, slice_make(text, KEY_BYTES));
}

static void set_one(struct worker *worker, uint64_t number)
{
    static const char value[VALUE_BYTES_MAX];
    char text[KEY_BYTES];
    struct engine_write write = {.key = key_for(worker, text, number),
                                 .value_size = value_bytes};
    stamp_t stamp;

    (void)engine_store(worker->thread, &write, value, &stamp);
}

static void set_batched(struct worker *worker, uint64_t from, unsigned count)
{
    static const char value[VALUE_BYTES_MAX];
    char texts[BATCH][KEY_BYTES];
    struct engine_write writes[BATCH];
    stamp_t stamp;
    unsigned i;

    for (i = 0; i < count; i++) {
        writes[i] = (struct engine_write){
            .key = key_for(worker, texts[i], shuffled(from + i)),
            .value_size = value_bytes};
        engine_prefetch_bucket(worker->engine, writes[i].key.hash);
    }
    for (i = 0; i < count; i++)
        engine_prefetch_item(worker->engine, writes[i].key.hash,
                             writes[i].key.bytes.size + value_bytes);
    for (i = 0; i < count; i++)
        (void)engine_store(worker->thread, &writes[i], value, &stamp);
}

static void read_view(struct worker *worker, const struct engine_key *key)
{
    struct engine_view view;
    char copy[VALUE_BYTES_MAX];
    struct slice bytes;

    if (!engine_get(worker->thread, key, &view))
        return;
    bytes = engine_item_bytes(worker->thread, view.item, 0);
    memcpy(copy, bytes.data, bytes.size);
    __asm__ volatile("" : : "r"(copy) : "memory");
    engine_view_end(worker->thread, &view);
    worker->found++;
}

static void get_one(struct worker *worker, uint64_t number)
{
    char text[KEY_BYTES];
    struct engine_key key = key_for(worker, text, number);

    read_view(worker, &key);
}

static void get_batched(struct worker *worker, uint64_t from, unsigned count)
{
    char texts[BATCH][KEY_BYTES];
    struct engine_key keys[BATCH];
    unsigned i;

    for (i = 0; i < count; i++) {
        keys[i] = key_for(worker, texts[i], shuffled(from + i));
        engine_prefetch_bucket(worker->engine, keys[i].hash);
    }
    for (i = 0; i < count; i++)
        engine_prefetch_item(worker->engine, keys[i].hash, 0);
    for (i = 0; i < count; i++)
        read_view(worker, &keys[i]);
}

static void run_set_new(struct worker *worker)
{
    uint64_t i;

    for (i = worker->seed; i < items; i += threads)
        set_one(worker, i);
}

static void run_set_over(struct worker *worker)
{
    uint64_t i;

    for (i = worker->seed; i < items; i += threads)
        set_one(worker, shuffled(i));
}

static void run_set_batched(struct worker *worker)
{
    uint64_t i;

    for (i = worker->seed * (uint64_t)BATCH; i + BATCH <= items;
         i += threads * (uint64_t)BATCH)
        set_batched(worker, i, BATCH);
}

static void run_get(struct worker *worker)
{
    uint64_t i;

    for (i = worker->seed; i < items; i += threads)
        get_one(worker, shuffled(i));
}

static void run_get_batched(struct worker *worker)
{
    uint64_t i;

    for (i = worker->seed * (uint64_t)BATCH; i + BATCH <= items;
         i += threads * (uint64_t)BATCH)
        get_batched(worker, i, BATCH);
}

struct job {
    struct worker worker;
    void (*run)(struct worker *worker);
};

static void *run_job(void *ctx)
{
    struct job *job = ctx;

    job->run(&job->worker);
    return NULL;
}

/* Of all threads together: what others do on the machine does not count. */
static uint64_t processor_ns(void)
{
    struct timespec spent;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * NS_PER_S + (uint64_t)spent.tv_nsec;
}

/* Runs it on all threads; prints processor time per operation. */
static void measure(struct engine *engine, const char *name,
                    void (*run)(struct worker *worker))
{
    struct job jobs[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    struct clock clock;
    uint64_t start_ns;
    uint64_t spent_ns;
    uint64_t found = 0;
    unsigned i;

    clock_init_real(&clock);
    for (i = 0; i < threads; i++) {
        jobs[i] =
            (struct job){.worker = {.engine = engine, .seed = i}, .run = run};
        jobs[i].worker.thread = engine_thread_new(engine);
        INVARIANT(jobs[i].worker.thread != NULL);
        engine_thread_set_now(jobs[i].worker.thread, clock_now(&clock));
    }
    start_ns = processor_ns();
    for (i = 0; i < threads; i++) {
        int failed = pthread_create(&ids[i], NULL, run_job, &jobs[i]);

        INVARIANT(failed == 0);
    }
    for (i = 0; i < threads; i++)
        (void)pthread_join(ids[i], NULL);
    spent_ns = processor_ns() - start_ns;
    for (i = 0; i < threads; i++) {
        found += jobs[i].worker.found;
        engine_thread_free(&jobs[i].worker.thread);
    }
    printf("%-24s %6.1f ns (%" PRIu64 " found)\n", name,
           (double)spent_ns / (double)items, found);
}

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long size = 0;
    unsigned long long resident = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return resident * 4096;
}

static void upkeep_until_idle(struct engine *engine)
{
    struct engine_thread *thread = engine_thread_new(engine);
    unsigned i;

    INVARIANT(thread != NULL);
    for (i = 0; i < 100000 && engine_upkeep(thread) < NS_PER_S; i++)
        continue;
    engine_thread_free(&thread);
}

static int open_file(const char *path, struct engine_config *config)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file < 0 || unlink(path) != 0 ||
        posix_fallocate(file, 0, (off_t)engine_file_bytes(config)) != 0)
        return -ERR_SYSTEM;
    config->in_file = true;
    config->file = file;
    return 0;
}

static double since_ms(uint64_t start_ns)
{
    return (double)(processor_ns() - start_ns) / (double)NS_PER_MS;
}

/* What a stop and a start add. */
static void measure_restart(const struct engine_config *config,
                            struct engine **engine)
{
    size_t size = engine_save_bytes(*engine);
    char *saved = memory_new(1, size);
    char words[ENGINE_WORDS_MAX] = "";
    uint64_t start_ns = processor_ns();
    struct writer out;
    int error;

    INVARIANT(saved != NULL);
    writer_init(&out, saved, size);
    engine_save(*engine, &out);
    printf("%-24s %6.1f ms\n", "save", since_ms(start_ns));
    engine_free(engine);
    start_ns = processor_ns();
    error = engine_new(config, engine);
    if (error == 0)
        error = engine_restore(*engine, slice_make(saved, writer_used(&out)),
                               words);
    printf("%-24s %6.1f ms %s\n", "restore", since_ms(start_ns), words);
    INVARIANT(error == 0);
    memory_free(&saved);
}

static void read_arguments(int argc, char **argv)
{
    uint64_t value;

    if (argc > 1 && number_u64(slice_of(argv[1]), &value) == 0 && value > 0)
        items = value;
    if (argc > 2 && number_u64(slice_of(argv[2]), &value) == 0 &&
        value <= VALUE_BYTES_MAX)
        value_bytes = (size_t)value;
    if (argc > 3 && number_u64(slice_of(argv[3]), &value) == 0 && value > 0 &&
        value <= THREADS_MAX)
        threads = (unsigned)value;
}

int main(int argc, char **argv)
{
    struct engine_config config = {.memory_bytes = (uint64_t)4 << 30,
                                   .item_bytes_max = 1 << 20,
                                   .hash_seed = 42};
    struct engine *engine;
    uint64_t before;
    int error;

    read_arguments(argc, argv);
    error = argc > 4 ? open_file(argv[4], &config) : 0;
    if (error == 0)
        error = engine_new(&config, &engine);
    if (error != 0) {
        fprintf(stderr, "engine_bench: %s\n", error_words(error));
        return EXIT_FAILURE;
    }
    before = resident_bytes();
    measure(engine, "set, new", run_set_new);
    printf("%-24s %6.1f bytes\n", "resident per item",
           (double)(resident_bytes() - before) / (double)items);
    upkeep_until_idle(engine);
    printf("%-24s %6.1f bytes\n", "after upkeep",
           (double)(resident_bytes() - before) / (double)items);
    measure(engine, "set, overwrite", run_set_over);
    measure(engine, "set, overwrite, batched", run_set_batched);
    measure(engine, "get", run_get);
    measure(engine, "get, batched", run_get_batched);
    if (config.in_file)
        measure_restart(&config, &engine);
    engine_free(&engine);
    return EXIT_SUCCESS;
}

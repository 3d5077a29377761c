/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs worlds by seed.
 *
 *   sim [--seeds N] [--from S] [--jobs N] [--counts] [--trace]
 *       [--break RULE] | --list
 *
 * Without --trace a failing seed is run once more with it, and the end of the
 * trace is shown. --counts tells what was checked and what went wrong one by
 * one. --break switches a rule off and looks for the first seed that notices:
 * it succeeds when there is one. */
#include "tests/sim/sim.h"

#include "src/base/number.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEDS_DEFAULT 250
#define JOBS_MAX 64
#define TRACE_SHOWN_BYTES 12000 /* Of a failure that was not asked for. */
#define TRACES_MAX 3

int rule_broken = -1;
bool rule_yields;

static const char *const rule_names[] = {
#define X(name, words) #name,
    RULE_TABLE(X)
#undef X
};
static const char *const rule_words[] = {
#define X(name, words) words,
    RULE_TABLE(X)
#undef X
};

struct options {
    uint64_t seeds;
    uint64_t from;
    uint64_t jobs;
    bool counts;
    bool trace;
    bool breaks;
};

static struct world world; /* One at a time; large. */
static bool trace_all;     /* Asked for by --trace. */
static char last_failure[sizeof(world.failure)];

static void show_trace(bool all)
{
    size_t from = 0;

    if (!all && world.trace_size > TRACE_SHOWN_BYTES)
        from = world.trace_size - TRACE_SHOWN_BYTES;
    fwrite(world.trace + from, 1, world.trace_size - from, stdout);
}

/* True when it holds. */
static bool run_seed(uint64_t seed, bool trace, struct counts *counts)
{
    bool failed;

    world_init(&world, seed, trace);
    host_boot(&world, 0);
    host_boot(&world, 1);
    world_run(&world);
    world_end(&world);
    failed = world.failed;
    counts_add(counts, &world);
    if (trace)
        show_trace(trace_all);
    if (failed && (trace || rule_broken < 0))
        printf("seed %llu: step %u: %s\n", (unsigned long long)seed, world.step,
               world.failure);
    memcpy(last_failure, world.failure, sizeof(last_failure));
    world_fini(&world);
    return !failed;
}

static bool find_rule(const char *name)
{
    for (int i = 0; i < (int)COUNT_OF(rule_names); i++)
        if (strcmp(name, rule_names[i]) == 0)
            rule_broken = i;
    return rule_broken >= 0;
}

static void list_rules(void)
{
    for (unsigned i = 0; i < COUNT_OF(rule_names); i++)
        printf("%-10s %s\n", rule_names[i], rule_words[i]);
}

static bool read_number(const char *text, uint64_t *out)
{
    return text != NULL && number_u64(slice_of(text), out) == 0;
}

static bool read_option(char ***args, struct options *options)
{
    const char *name = **args;

    if (strcmp(name, "--trace") == 0)
        return options->trace = trace_all = true;
    if (strcmp(name, "--counts") == 0)
        return options->counts = true;
    if (strcmp(name, "--seeds") == 0)
        return read_number(*++*args, &options->seeds);
    if (strcmp(name, "--from") == 0)
        return read_number(*++*args, &options->from);
    if (strcmp(name, "--jobs") == 0)
        return read_number(*++*args, &options->jobs) && options->jobs > 0 &&
               options->jobs <= JOBS_MAX;
    options->breaks = strcmp(name, "--break") == 0;
    return options->breaks && *++*args != NULL && find_rule(**args);
}

static bool read_options(char **args, struct options *options)
{
    for (; *args != NULL; args++)
        if (!read_option(&args, options))
            return false;
    return true;
}

/* Every so many-th seed, into a place of its own. */
static void run_share(const struct options *options, uint64_t job,
                      struct counts *counts)
{
    struct counts again = {0};

    for (uint64_t i = job; i < options->seeds; i += options->jobs) {
        uint64_t seed = options->from + i;

        counts->seeds++;
        if (run_seed(seed, options->trace, counts))
            continue;
        counts->failures++;
        if (!options->trace && counts->failures <= TRACES_MAX)
            (void)run_seed(seed, true, &again);
        fflush(stdout);
    }
}

/* Shared with the processes that do the work. */
static struct counts *make_shares(uint64_t jobs)
{
    void *shares =
        mmap(NULL, jobs * sizeof(struct counts), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    INVARIANT(shares != MAP_FAILED);
    return shares;
}

static void start_job(const struct options *options, uint64_t job,
                      struct counts *counts)
{
    pid_t child = fork();

    INVARIANT(child >= 0);
    if (child > 0)
        return;
    run_share(options, job, counts);
    fflush(stdout);
    _exit(EXIT_SUCCESS);
}

/* True when all came to their end. */
static bool run_jobs(const struct options *options, struct counts *shares)
{
    bool sound = true;
    int status;

    for (uint64_t job = 0; job < options->jobs; job++)
        start_job(options, job, &shares[job]);
    for (uint64_t job = 0; job < options->jobs; job++)
        sound &= wait(&status) > 0 && status == 0;
    if (!sound)
        printf("a process died\n");
    return sound;
}

static int run_all(const struct options *options)
{
    struct counts *shares = make_shares(options->jobs);
    struct counts sum = {0};
    bool sound = true;

    if (options->jobs == 1)
        run_share(options, 0, &shares[0]);
    else
        sound = run_jobs(options, shares);
    for (uint64_t job = 0; job < options->jobs; job++)
        counts_join(&sum, &shares[job]);
    counts_show(&sum, options->counts);
    return sound && sum.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_broken(const struct options *options)
{
    static struct counts counts;

    for (uint64_t i = 0; i < options->seeds; i++) {
        if (run_seed(options->from + i, options->trace, &counts))
            continue;
        printf("without %-10s seed %llu fails: %s\n", rule_names[rule_broken],
               (unsigned long long)(options->from + i), last_failure);
        return EXIT_SUCCESS;
    }
    printf("without %-10s nothing fails in %llu seeds\n",
           rule_names[rule_broken], (unsigned long long)options->seeds);
    return EXIT_FAILURE;
}

int main(int count, char **args)
{
    struct options options = {.seeds = SEEDS_DEFAULT, .from = 1, .jobs = 1};

    if (count == 2 && strcmp(args[1], "--list") == 0) {
        list_rules();
        return EXIT_SUCCESS;
    }
    if (!read_options(args + 1, &options)) {
        fprintf(stderr, "sim [--seeds N] [--from S] [--jobs N] [--counts] "
                        "[--trace] [--break RULE] | --list\n");
        return EXIT_FAILURE;
    }
    return options.breaks ? run_broken(&options) : run_all(&options);
}

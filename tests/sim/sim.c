/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs worlds by seed.
 *
 *   sim [--seeds N] [--from S] [--trace] [--break RULE] [--list]
 *
 * Without --trace a failing seed is run once more with it, and the end of the
 * trace is shown. --break switches a rule off and looks for the first seed that
 * notices: it succeeds when there is one. */
#include "tests/sim/sim.h"

#include "src/base/number.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS_DEFAULT 250
#define TRACE_SHOWN_BYTES 12000 /* Of a failure that was not asked for. */
#define TRACES_MAX 3

int rule_broken = -1;

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
static const char *const check_names[] = {
#define X(name, words) #name,
    CHECK_TABLE(X)
#undef X
};
static const char *const check_words[] = {
#define X(name, words) words,
    CHECK_TABLE(X)
#undef X
};

struct options {
    uint64_t seeds;
    uint64_t from;
    bool trace;
    bool breaks;
};

static struct world world; /* One at a time; large. */
static uint64_t counts[CHECKS];
static bool trace_all; /* Asked for by --trace. */
static char last_failure[sizeof(world.failure)];

static void show_trace(bool all)
{
    size_t from = 0;

    if (!all && world.trace_size > TRACE_SHOWN_BYTES)
        from = world.trace_size - TRACE_SHOWN_BYTES;
    fwrite(world.trace + from, 1, world.trace_size - from, stdout);
}

/* True when it holds. */
static bool run_seed(uint64_t seed, bool trace)
{
    bool failed;

    world_init(&world, seed, trace);
    host_boot(&world, 0);
    host_boot(&world, 1);
    world_run(&world);
    failed = world.failed;
    for (unsigned i = 0; i < CHECKS; i++)
        counts[i] += world.checks[i];
    if (trace)
        show_trace(trace_all);
    if (failed && (trace || rule_broken < 0))
        printf("seed %llu: step %u: %s\n", (unsigned long long)seed, world.step,
               world.failure);
    memcpy(last_failure, world.failure, sizeof(last_failure));
    world_fini(&world);
    return !failed;
}

static void show_counts(void)
{
    for (unsigned i = 0; i < CHECKS; i++)
        printf("%12llu  %-11s %s\n", (unsigned long long)counts[i],
               check_names[i], check_words[i]);
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

static bool read_options(char **args, struct options *options)
{
    for (; *args != NULL; args++) {
        if (strcmp(*args, "--trace") == 0) {
            options->trace = trace_all = true;
        } else if (strcmp(*args, "--seeds") == 0) {
            if (!read_number(*++args, &options->seeds))
                return false;
        } else if (strcmp(*args, "--from") == 0) {
            if (!read_number(*++args, &options->from))
                return false;
        } else if (strcmp(*args, "--break") == 0) {
            options->breaks = true;
            if (*++args == NULL || !find_rule(*args))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

static int run_all(const struct options *options)
{
    uint64_t failures = 0;

    for (uint64_t i = 0; i < options->seeds; i++) {
        uint64_t seed = options->from + i;

        if (run_seed(seed, options->trace))
            continue;
        failures++;
        if (!options->trace && failures <= TRACES_MAX)
            (void)run_seed(seed, true);
    }
    show_counts();
    printf("%llu of %llu seeds fail\n", (unsigned long long)failures,
           (unsigned long long)options->seeds);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_broken(const struct options *options)
{
    for (uint64_t i = 0; i < options->seeds; i++) {
        if (run_seed(options->from + i, options->trace))
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
    struct options options = {.seeds = SEEDS_DEFAULT, .from = 1};

    if (count == 2 && strcmp(args[1], "--list") == 0) {
        list_rules();
        return EXIT_SUCCESS;
    }
    if (!read_options(args + 1, &options)) {
        fprintf(stderr, "sim [--seeds N] [--from S] [--trace] "
                        "[--break RULE] | --list\n");
        return EXIT_FAILURE;
    }
    return options.breaks ? run_broken(&options) : run_all(&options);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What was checked and what went wrong, in numbers: a check that never ran and
 * a fault that never came say nothing. */
#include "tests/sim/sim.h"

static const char *const law_words[] = {
#define X(number, words) [number] = (words),
    LAW_TABLE(X)
#undef X
};

static const struct {
    const char *name;
    unsigned law;
    const char *words;
} checks[] = {
#define X(name, law, words) {#name, law, words},
    CHECK_TABLE(X)
#undef X
};

static const struct {
    const char *name;
    const char *words;
} faults[] = {
#define X(name, words) {#name, words},
    FAULT_TABLE(X)
#undef X
};

#define NUMBER_BYTES 32

const char *counts_check_name(enum check check)
{
    return checks[check].name;
}

unsigned counts_check_law(enum check check)
{
    return checks[check].law;
}

/* 1234567 as 1,234,567. */
static const char *grouped(char text[NUMBER_BYTES], uint64_t number)
{
    char *at = text + NUMBER_BYTES - 1;
    unsigned digits = 0;

    *at = '\0';
    do {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
        number /= 10;
        digits++;
    } while (number > 0);
    return at;
}

void counts_add(struct counts *to, const struct world *world)
{
    for (unsigned i = 0; i < CHECKS; i++)
        to->checks[i] += world->checks[i];
    for (unsigned i = 0; i < FAULTS; i++)
        to->faults[i] += world->faults[i];
}

void counts_join(struct counts *to, const struct counts *from)
{
    for (unsigned i = 0; i < CHECKS; i++)
        to->checks[i] += from->checks[i];
    for (unsigned i = 0; i < FAULTS; i++)
        to->faults[i] += from->faults[i];
    to->seeds += from->seeds;
    to->failures += from->failures;
}

static void show_law(const struct counts *counts, unsigned law, bool each)
{
    char text[NUMBER_BYTES];
    uint64_t sum = 0;

    for (unsigned i = 0; i < CHECKS; i++)
        if (checks[i].law == law)
            sum += counts->checks[i];
    printf("I%-3u %s: %s checks\n", law, law_words[law], grouped(text, sum));
    for (unsigned i = 0; each && i < CHECKS; i++)
        if (checks[i].law == law)
            printf("%15s  %-11s %s\n", grouped(text, counts->checks[i]),
                   checks[i].name, checks[i].words);
}

static void show_faults(const struct counts *counts)
{
    char text[NUMBER_BYTES];

    for (unsigned i = 0; i < FAULTS; i++)
        printf("%15s  %-15s %s\n", grouped(text, counts->faults[i]),
               faults[i].name, faults[i].words);
}

void counts_show(const struct counts *counts, bool each)
{
    char text[2][NUMBER_BYTES];

    if (each)
        show_faults(counts);
    for (unsigned law = 1; law <= LAWS; law++)
        show_law(counts, law, each);
    printf("%s of %s seeds fail\n", grouped(text[0], counts->failures),
           grouped(text[1], counts->seeds));
}

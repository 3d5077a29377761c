/* SPDX-License-Identifier: BSD-3-Clause */
/* Two owners, one count of them. The answer is the executor's until `done`,
 * the asker's from then on. */
#include "src/base/errand.h"

#include "src/base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct errand {
    atomic_uint owners;
    atomic_bool dropped; /* By the asker. */
    atomic_bool done;
    errand_wake_fn *wake;
    void *ctx;
    size_t words_size;
    size_t answer_size;
    char words[ERRAND_WORDS_MAX];
    char answer[ERRAND_ANSWER_MAX];
};

struct errand *errand_new(struct slice words, errand_wake_fn *wake, void *ctx)
{
    struct errand *errand;

    if (words.size > ERRAND_WORDS_MAX)
        return NULL;
    errand = memory_new(1, sizeof(*errand));
    if (errand == NULL)
        return NULL;
    atomic_store(&errand->owners, 2);
    errand->wake = wake;
    errand->ctx = ctx;
    errand->words_size = words.size;
    memcpy(errand->words, words.data, words.size);
    return errand;
}

static void release(struct errand **errand)
{
    if (atomic_fetch_sub(&(*errand)->owners, 1) == 1)
        memory_free(errand);
    *errand = NULL;
}

bool errand_answer(const struct errand *errand, struct slice *answer)
{
    if (!atomic_load(&errand->done))
        return false;
    *answer = slice_make(errand->answer, errand->answer_size);
    return true;
}

void errand_drop(struct errand **errand)
{
    if (*errand == NULL)
        return;
    atomic_store(&(*errand)->dropped, true);
    release(errand);
}

struct slice errand_words(const struct errand *errand)
{
    return slice_make(errand->words, errand->words_size);
}

void errand_put(struct errand *errand, const char *format, ...)
{
    size_t room = sizeof(errand->answer) - errand->answer_size;
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(errand->answer + errand->answer_size, room, format, args);
    va_end(args);
    if (size > 0 && (size_t)size < room)
        errand->answer_size += (size_t)size;
}

/* The asker may be gone by the time that it is woken, but not its thread. */
void errand_done(struct errand **errand)
{
    errand_wake_fn *wake = (*errand)->wake;
    void *ctx = (*errand)->ctx;

    atomic_store(&(*errand)->done, true);
    release(errand);
    wake(ctx);
}

bool errand_is_dropped(const struct errand *errand)
{
    return atomic_load(&errand->dropped);
}

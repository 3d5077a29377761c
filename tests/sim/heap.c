/* SPDX-License-Identifier: BSD-3-Clause */
/* The linker leads every call of src/base/memory.h through here (--wrap). */
#include "tests/sim/heap.h"

#include "src/base/invariant.h"
#include "src/base/memory.h"
#include "tests/sim/sim.h"

#include <malloc.h>
#include <string.h>

static struct heap_use use;
static struct dice dice;
static unsigned fail_percent;
static uint64_t failures;

void *__real_memory_new(size_t count, size_t size);
void *__real_memory_resize(void *old, size_t count, size_t size);
void __real_memory_free_at(void *pointer_to_pointer);
void *__real_memory_reserve(size_t bytes);
void *__real_memory_reserve_closed(size_t bytes);
void __real_memory_unreserve(void *base, size_t bytes);
void *__wrap_memory_new(size_t count, size_t size);
void *__wrap_memory_resize(void *old, size_t count, size_t size);
void __wrap_memory_free_at(void *pointer_to_pointer);
void *__wrap_memory_reserve(size_t bytes);
void *__wrap_memory_reserve_closed(size_t bytes);
void __wrap_memory_unreserve(void *base, size_t bytes);

/* ---- the simulation's own ---- */

void *keep_new(size_t count, size_t size)
{
    void *made = __real_memory_new(count, size);

    INVARIANT(made != NULL);
    return made;
}

void *keep_resize(void *old, size_t count, size_t size)
{
    void *made = __real_memory_resize(old, count, size);

    INVARIANT(made != NULL);
    return made;
}

void keep_free_at(void *pointer_to_pointer)
{
    __real_memory_free_at(pointer_to_pointer);
}

/* ---- failing ---- */

void heap_fail(unsigned percent, uint64_t seed)
{
    fail_percent = percent;
    dice.state = seed;
}

uint64_t heap_failures(void)
{
    return failures;
}

static bool fails(void)
{
    if (fail_percent == 0 || !dice_percent(&dice, fail_percent))
        return false;
    failures++;
    return true;
}

/* ---- the nodes' ---- */

struct heap_use heap_use(void)
{
    return use;
}

static void *took(void *made)
{
    if (made == NULL)
        return NULL;
    use.pieces++;
    use.bytes += malloc_usable_size(made);
    return made;
}

static void gives_back(void *gone)
{
    if (gone == NULL)
        return;
    use.pieces--;
    use.bytes -= malloc_usable_size(gone);
}

void *__wrap_memory_new(size_t count, size_t size)
{
    return fails() ? NULL : took(__real_memory_new(count, size));
}

void *__wrap_memory_resize(void *old, size_t count, size_t size)
{
    void *made;

    if (fails())
        return NULL;
    gives_back(old);
    made = __real_memory_resize(old, count, size);
    (void)took(made != NULL ? made : old);
    return made;
}

void __wrap_memory_free_at(void *pointer_to_pointer)
{
    void *gone;

    memcpy(&gone, pointer_to_pointer, sizeof(gone));
    gives_back(gone);
    __real_memory_free_at(pointer_to_pointer);
}

static void *took_region(void *base)
{
    use.regions += base != NULL;
    return base;
}

void *__wrap_memory_reserve(size_t bytes)
{
    return fails() ? NULL : took_region(__real_memory_reserve(bytes));
}

void *__wrap_memory_reserve_closed(size_t bytes)
{
    return fails() ? NULL : took_region(__real_memory_reserve_closed(bytes));
}

void __wrap_memory_unreserve(void *base, size_t bytes)
{
    use.regions -= base != NULL;
    __real_memory_unreserve(base, bytes);
}

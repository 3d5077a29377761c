/* SPDX-License-Identifier: BSD-3-Clause */
/* The heap behind one door, so that a test can close it at any step. */
#include "src/base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SYSTEM_PAGE_MIN ((size_t)4096)

/* Allocations left until the one that fails; 0 in every real process. */
static _Atomic size_t until_failure;

void memory_fail_at(size_t nth)
{
    atomic_store_explicit(&until_failure, nth, memory_order_relaxed);
}

static bool must_fail(void)
{
    size_t left = atomic_load_explicit(&until_failure, memory_order_relaxed);

    if (left == 0)
        return false;
    memory_fail_at(left - 1);
    return left == 1;
}

void *memory_new(size_t count, size_t size)
{
    return must_fail() ? NULL : calloc(count, size);
}

void *memory_resize(void *old, size_t count, size_t size)
{
    /* Resized to nothing is still owned: the C library would free it. */
    if (count == 0 || size == 0)
        count = size = 1;
    return must_fail() ? NULL : reallocarray(old, count, size);
}

void memory_free_at(void *pointer_to_pointer)
{
    void *const none = NULL;
    void *freed;

    /* By bytes, since a T ** must not be read as a void **. */
    memcpy(&freed, pointer_to_pointer, sizeof(freed));
    memcpy(pointer_to_pointer, &none, sizeof(none));
    free(freed);
}

static void *reserve(size_t bytes, int access)
{
    void *base;

    if (must_fail())
        return NULL;
    base = mmap(NULL, bytes, access,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base != MAP_FAILED ? base : NULL;
}

void *memory_reserve(size_t bytes)
{
    return reserve(bytes, PROT_READ | PROT_WRITE);
}

void *memory_reserve_closed(size_t bytes)
{
    return reserve(bytes, PROT_NONE);
}

int memory_open(void *base, size_t bytes)
{
    if (must_fail() || mprotect(base, bytes, PROT_READ | PROT_WRITE) != 0)
        return -ERR_MEMORY;
    return 0;
}

void memory_prefer_huge(void *base, size_t bytes)
{
    /* Small pages will do, too. */
    (void)madvise(base, bytes, MADV_HUGEPAGE);
}

void memory_populate(void *base, size_t bytes)
{
    volatile char *at = base;
    size_t i;

    memory_prefer_huge(base, bytes);
#ifdef MADV_POPULATE_WRITE
    if (madvise(base, bytes, MADV_POPULATE_WRITE) == 0)
        return;
#endif
    for (i = 0; i < bytes; i += SYSTEM_PAGE_MIN)
        at[i] = 0;
}

void memory_discard(void *base, size_t bytes)
{
    /* Locked memory is refused; then it stays, which is what was asked for. */
    (void)madvise(base, bytes, MADV_DONTNEED);
}

void memory_unreserve(void *base, size_t bytes)
{
    if (base != NULL)
        (void)munmap(base, bytes);
}

int memory_map_file(void *at, size_t bytes, int file)
{
    const void *mapped;

    if (must_fail())
        return -ERR_SYSTEM;
    mapped = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                  file, 0);
    return mapped != MAP_FAILED ? 0 : -ERR_SYSTEM;
}

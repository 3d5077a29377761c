/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory from the heap, zeroed, through one door that tests can make fail. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "src/base/error.h"

#include <stddef.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Errors: NULL when memory is exhausted or count * size overflows; the old
 *         memory is untouched then.
 * Owns:   caller, until memory_free(). What a resize adds is not zeroed. */
MUST_CHECK void *memory_new(size_t count, size_t size);
MUST_CHECK void *memory_resize(void *old, size_t count, size_t size);

/* Takes a T **: frees and nulls; accepts a NULL inside. */
#define memory_free(pointer_to_pointer) \
    memory_free_at((void *)(pointer_to_pointer))
void memory_free_at(void *pointer_to_pointer);

/* Makes the n-th allocation from now fail once; 0 switches it off. For tests;
 * one thread. */
void memory_fail_at(size_t nth);

/* Reserves address space that costs nothing until touched (mmap, private,
 * no swap reservation); zeroed. NULL when refused. */
MUST_CHECK void *memory_reserve(size_t bytes);
void memory_unreserve(void *base, size_t bytes);

/* The same, but closed: it cannot be touched before it is opened, and counts
 * nowhere, not even where all memory is locked. memory_open() opens the bytes
 * from base on; more than before, or the same.
 * Errors: NULL; -ERR_MEMORY. */
MUST_CHECK void *memory_reserve_closed(size_t bytes);
MUST_CHECK int memory_open(void *base, size_t bytes);
/* Reserved space that is touched here and there takes huge pages, where the
 * system has them and where it is open: a look at it is then no look at the
 * system's tables. */
void memory_prefer_huge(void *base, size_t bytes);
/* Takes the memory for opened space at once, in huge pages where the system
 * has them. */
void memory_populate(void *base, size_t bytes);
/* Gives whole pages of reserved memory back to the system: they read as zero
 * and cost nothing until they are touched again. */
void memory_discard(void *base, size_t bytes);

/* Puts the first bytes of an open file over memory that was reserved: what is
 * written there is in the file, as soon as it is written.
 * Errors: -ERR_SYSTEM. Owns: memory_unreserve() ends it, too. */
MUST_CHECK int memory_map_file(void *at, size_t bytes, int file);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* The heap of the nodes under test, whose every piece is counted and which can
 * be made to fail; and one of the simulation's own, which is neither. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* The simulation's own. Owns: caller, until keep_free(). They do not fail. */
void *keep_new(size_t count, size_t size);
void *keep_resize(void *old, size_t count, size_t size);
#define keep_free(pointer_to_pointer) keep_free_at((void *)(pointer_to_pointer))
void keep_free_at(void *pointer_to_pointer);

/* From now on so many of 100 allocations fail; 0: none does. What fails follows
 * from the seed. */
void heap_fail(unsigned percent, uint64_t seed);
/* How many have failed so far. */
uint64_t heap_failures(void);

/* What the nodes hold by now. */
struct heap_use {
    size_t pieces, bytes, regions;
};
struct heap_use heap_use(void);

#endif

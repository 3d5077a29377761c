/* SPDX-License-Identifier: BSD-3-Clause */
/* The hash of a key: XXH3 with 64 bits (libxxhash), keyed by a seed. Both
 * nodes of a pair use the same seed, because hashes travel between them. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "src/base/slice.h"

#include <stdint.h>

/* Never 0, so that 0 can mean "no key". */
uint64_t hash_key(uint64_t seed, struct slice key);

/* The seed that a pair's name gives. */
uint64_t hash_seed(struct slice name);

/* Of any bytes: to see whether they are the same again. */
uint64_t hash_bytes(const void *data, size_t size);

/* A checksum of bytes on the wire or in a file (low half of XXH3). */
uint32_t hash_checksum(const void *data, size_t size);

#endif

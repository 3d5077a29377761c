/* SPDX-License-Identifier: BSD-3-Clause */
/* XXH3 is compiled in here and nowhere else: inlined it saves the calls into
 * the library, and its header is too large to put before every file. */
#include "src/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_key(uint64_t seed, struct slice key)
{
    uint64_t hash = XXH3_64bits_withSeed(key.data, key.size, seed);

    return hash != 0 ? hash : 1;
}

uint64_t hash_seed(struct slice name)
{
    return XXH3_64bits(name.data, name.size);
}

uint64_t hash_bytes(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

uint32_t hash_checksum(const void *data, size_t size)
{
    return (uint32_t)XXH3_64bits(data, size);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A list that is searched: there are as many queues as processors. */
#include "src/server/napi_map.h"

bool napi_map_find(struct napi_map *map, unsigned id, size_t *worker)
{
    for (*worker = 0; *worker < map->count; (*worker)++) {
        if (map->id[*worker] == id)
            return true;
    }
    if (map->count == map->max)
        return false;
    map->id[map->count++] = id;
    return true;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine counts, once: names, meaning, and by whom it is written.
 * The names are memcached's wherever memcached has the thing. */
#ifndef ENGINE_ENGINE_METRICS_H
#define ENGINE_ENGINE_METRICS_H

#include "src/base/metrics.h"

/* Written by one thread each; summed for `stats`. */
#define ENGINE_METRICS(X) \
    X(cmd_flush, "flush_all commands") \
    X(cmd_touch, "Keys whose expiry was to change (touch, gat)") \
    X(get_misses, "Keys asked for and not found") \
    X(get_expired, "Keys asked for and found expired") \
    X(get_flushed, "Keys asked for and found flushed") \
    X(delete_misses, "Deletes of absent keys") \
    X(incr_misses, "Increments of absent keys") \
    X(decr_misses, "Decrements of absent keys") \
    X(cas_misses, "Compare-and-sets of absent keys") \
    X(touch_misses, "Touches of absent keys") \
    X(store_too_large, "Stores refused for their size") \
    X(store_no_memory, "Stores refused for lack of memory") \
    X(total_items, "Items stored ever")

/* The same for each slab class. `bytes` goes up and down; only the sum over
 * all threads has a meaning. */
#define ENGINE_CLASS_METRICS(X) \
    X(hits_to_hot, "Keys found in the hot list") \
    X(hits_to_warm, "Keys found in the warm list") \
    X(hits_to_cold, "Keys found in the cold list") \
    X(hits_to_temp, "Keys found in the temporary list") \
    X(cmd_set, "Values given to store") \
    X(delete_hits, "Items deleted") \
    X(incr_hits, "Items incremented") \
    X(decr_hits, "Items decremented") \
    X(cas_hits, "Compare-and-sets that matched") \
    X(cas_badval, "Compare-and-sets of another version") \
    X(touch_hits, "Items touched") \
    X(crawler_reclaimed, "Dead items that the crawler freed") \
    X(crawler_items_checked, "Items that the crawler looked at") \
    X(bytes, "Bytes of items, headers included")

/* Written under the lock of the slab class that they belong to. */
#define ENGINE_LRU_METRICS(X) \
    X(evicted, "Live items that gave way to others") \
    X(evicted_nonzero, "Of these, with an expiry") \
    X(evicted_unfetched, "Of these, never asked for") \
    X(evicted_active, "Of these, asked for lately") \
    X(expired_unfetched, "Items that expired and were never asked for") \
    X(outofmemory, "Times that no chunk could be had") \
    X(tailrepairs, "Items freed whose holder was lost: always 0") \
    X(reclaimed, "Chunks taken from dead items at a list's tail") \
    X(lrutail_reflocked, "Items at a tail that somebody held") \
    X(moves_to_cold, "Moves from hot or warm to cold") \
    X(moves_to_warm, "Moves from hot or cold to warm") \
    X(moves_within_lru, "Active items put to the front of their list") \
    X(direct_reclaims, "Evictions by a thread that needed the chunk")

/* Written under the lock of the mover. */
#define ENGINE_MOVE_METRICS(X) \
    X(rescues, "Items moved off pages that change classes") \
    X(chunk_rescues, "Parts of large items moved likewise") \
    X(inline_reclaim, "Dead items found on such pages") \
    X(busy_items, "Chunks on such pages that could not be moved yet") \
    X(busy_deletes, "Items in use of which a copy was moved") \
    X(busy_nomem, "Chunks on such pages for which there was no other place") \
    X(slabs_moved, "Pages that changed classes")

/* Read off the engine, or off the others, when asked. */
#define ENGINE_GAUGES(X) \
    X(cmd_get, "Keys asked for: found or not") \
    X(curr_items, "Items stored now") \
    X(bytes, "Bytes of items stored now, headers included") \
    X(limit_maxbytes, "Room for items") \
    X(slab_global_page_pool, "Pages that no class owns") \
    X(hash_power_level, "Slots of the table, as a power of two") \
    X(hash_bytes, "Bytes of the table") \
    X(hash_is_expanding, "1 while the table grows")

METRICS_STRUCT(engine_counters, ENGINE_METRICS);
METRICS_STRUCT(engine_class_counters, ENGINE_CLASS_METRICS);
METRICS_STRUCT(engine_lru_counters, ENGINE_LRU_METRICS);
METRICS_STRUCT(engine_move_counters, ENGINE_MOVE_METRICS);

#endif

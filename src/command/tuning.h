/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that steer the memory of items while the daemon runs.
 *
 *   slabs reassign FROM TO       slabs automove 0|1|2
 *   slabs automove ratio|window|freeratio NUMBER
 *   lru tune HOT WARM HOT_FACTOR WARM_FACTOR
 *   lru mode flat|segmented      lru temp_ttl SECONDS
 *   cache_memlimit MEGABYTES
 *
 * Rows of the table in admin.c. Words behind the ones that are needed are not
 * looked at, as in memcached. */
#ifndef COMMAND_TUNING_H
#define COMMAND_TUNING_H

#include "src/command/admin.h"

#define TUNING_MEMORY_MIN_MIB 8u
#define TUNING_MEMORY_MAX_MIB 1000000000u

void tuning_slabs(const struct admin_call *call);
void tuning_lru(const struct admin_call *call);
void tuning_memory(const struct admin_call *call);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the warm restart share: restart.c has what is written
 * down beside the item memory and the order of things, restart_pages.c looks
 * at every chunk of the item memory. */
#ifndef ENGINE_RESTART_H
#define ENGINE_RESTART_H

#include "src/engine/state.h"

/* Counts up whenever item memory is laid out in another way, or what is
 * written down beside it: item.h, table hash, this file's friends. */
#define RESTART_LAYOUT 2u

/* An engine on its way back. */
struct restoring {
    struct engine *engine;
    char *words;                                         /* ENGINE_WORDS_MAX. */
    struct lru_ends ends[ENGINE_CLASSES_MAX][LRU_LISTS]; /* As written down. */
    uint64_t items_saved;
    /* Found in the item memory. */
    uint64_t listed[ENGINE_CLASSES_MAX][LRU_LISTS];
    uint64_t items;
    uint64_t parts;       /* Chunks that are a part of a large item... */
    uint64_t parts_owned; /* ...and those that one leads to. */
};

/* Says why not; the error is -ERR_CHECKSUM. */
__attribute__((format(printf, 2, 3))) int
restart_damaged(struct restoring *restoring, const char *format, ...);

/* One page that is known to be its class's: every item goes into the table,
 * all that is none becomes free. */
MUST_CHECK int restart_page(struct restoring *restoring, uint32_t page);
/* After all pages: the lists of all classes. */
MUST_CHECK int restart_lists(struct restoring *restoring);

#endif

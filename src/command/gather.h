/* SPDX-License-Identifier: BSD-3-Clause */
/* Parsing ahead: what one read delivered becomes the steps of a batch, and the
 * memory that they will need is fetched meanwhile. */
#ifndef COMMAND_GATHER_H
#define COMMAND_GATHER_H

#include "src/command/thread.h"

enum gather_stop {
    GATHER_FULL,  /* The batch is. */
    GATHER_INPUT, /* What follows is incomplete. */
    GATHER_CLOSE, /* What follows will never be complete. */
};

/* A line with several keys that some are left of. */
struct gather_line {
    uint32_t left; /* Bytes of it; 0: there is none. */
    uint32_t expires_at_s;
    unsigned char verb;
};

struct gathering {
    struct command_thread *thread; /* Its batch is filled. */
    struct slice input;
    struct gather_line line; /* At the front of input. */
    bool sasl;               /* Clients may authenticate by SASL, */
    bool locked;             /* and this one has to do so first. */
    size_t at;               /* Gathered up to here. */
    size_t scanned;          /* Bytes at the front without an end of line; in
                                the end, of what was not gathered. */
};

/* Fills the batch of the thread from the front of the input with at most
 * requests_max requests. */
enum gather_stop gather_text(struct gathering *g, size_t requests_max);
enum gather_stop gather_binary(struct gathering *g, size_t requests_max);

#endif

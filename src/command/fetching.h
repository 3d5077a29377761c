/* SPDX-License-Identifier: BSD-3-Clause */
/* While a node gets its data from the peer and serves already, what a client
 * asks for may be there and not here. All that a batch needs is fetched at
 * once, before any of it is executed. */
#ifndef COMMAND_FETCHING_H
#define COMMAND_FETCHING_H

#include "src/command/thread.h"

/* Begins to fetch what the thread's batch, of one protocol, asks for and is not
 * here. NULL: nothing is to be waited for.
 * Owns: the caller, until fetch_drop(). */
struct fetch *fetching_begin(struct command_thread *thread, bool binary);

#endif

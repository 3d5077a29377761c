/* SPDX-License-Identifier: BSD-3-Clause */
/* flush_all: a floor under all stamps. Inside the engine only. */
#ifndef ENGINE_FLUSH_H
#define ENGINE_FLUSH_H

#include "src/engine/state.h"

/* Raises the floor if a delayed flush is due. */
void flush_if_due(struct engine_thread *thread);

#endif

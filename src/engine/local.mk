# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libengine.a
libengine_a_SOURCES = \
	src/engine/alloc.c \
	src/engine/alloc.h \
	src/engine/apply.c \
	src/engine/change.c \
	src/engine/change.h \
	src/engine/crawler.c \
	src/engine/crawler.h \
	src/engine/engine.c \
	src/engine/engine.h \
	src/engine/engine_metrics.h \
	src/engine/engine_stats.c \
	src/engine/flush.c \
	src/engine/flush.h \
	src/engine/item.h \
	src/engine/janitor.c \
	src/engine/lru.c \
	src/engine/lru.h \
	src/engine/meta.c \
	src/engine/mutation.h \
	src/engine/read.c \
	src/engine/read.h \
	src/engine/region.c \
	src/engine/region.h \
	src/engine/scan.c \
	src/engine/sizes.c \
	src/engine/sizes.h \
	src/engine/slab.c \
	src/engine/slab.h \
	src/engine/slab_sizes.c \
	src/engine/slab_sizes.h \
	src/engine/state.h \
	src/engine/store.c \
	src/engine/table.c \
	src/engine/table.h \
	src/engine/table_match.h \
	src/engine/takeover.c \
	src/engine/takeover.h \
	src/engine/tell.c \
	src/engine/tell.h \
	src/engine/upkeep.c \
	src/engine/write.c

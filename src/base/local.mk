# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/clock.c \
	src/base/clock.h \
	src/base/confirm.c \
	src/base/confirm.h \
	src/base/cursor.h \
	src/base/errand.c \
	src/base/errand.h \
	src/base/error.c \
	src/base/error.h \
	src/base/fetch.c \
	src/base/fetch.h \
	src/base/hash.c \
	src/base/hash.h \
	src/base/histogram.c \
	src/base/histogram.h \
	src/base/invariant.c \
	src/base/invariant.h \
	src/base/lock.c \
	src/base/lock.h \
	src/base/log.c \
	src/base/log.h \
	src/base/memory.c \
	src/base/memory.h \
	src/base/metrics.c \
	src/base/metrics.h \
	src/base/number.c \
	src/base/number.h \
	src/base/slice.h \
	src/base/stamp.c \
	src/base/stamp.h \
	src/base/watch.c \
	src/base/watch.h \
	src/base/watch_ring.c \
	src/base/watch_ring.h \
	src/base/watcher.c \
	src/base/watcher.h

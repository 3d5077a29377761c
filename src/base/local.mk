# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/clock.h \
	src/base/cursor.h \
	src/base/error.h \
	src/base/error.c \
	src/base/hash.h \
	src/base/invariant.h \
	src/base/lock.h \
	src/base/log.h \
	src/base/memory.h \
	src/base/metrics.h \
	src/base/number.h \
	src/base/slice.h \
	src/base/stamp.h

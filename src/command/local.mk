# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libcommand.a
libcommand_a_SOURCES = \
	src/command/ack.c \
	src/command/ack.h \
	src/command/admin.c \
	src/command/admin.h \
	src/command/auth.c \
	src/command/auth.h \
	src/command/authenticator.h \
	src/command/binary.c \
	src/command/binary.h \
	src/command/binary_detail.c \
	src/command/binary_detail.h \
	src/command/body.c \
	src/command/body.h \
	src/command/command_metrics.h \
	src/command/commands.c \
	src/command/commands.h \
	src/command/crawler.c \
	src/command/crawler.h \
	src/command/debug.h \
	src/command/detail.c \
	src/command/detail.h \
	src/command/dump.c \
	src/command/dump.h \
	src/command/errands.c \
	src/command/errands.h \
	src/command/execute.c \
	src/command/execute.h \
	src/command/fetching.c \
	src/command/fetching.h \
	src/command/gather.c \
	src/command/gather.h \
	src/command/meta.c \
	src/command/meta.h \
	src/command/observe.c \
	src/command/observe.h \
	src/command/request_log.c \
	src/command/request_log.h \
	src/command/session.c \
	src/command/session.h \
	src/command/stats.c \
	src/command/stats.h \
	src/command/stream.h \
	src/command/thread.h \
	src/command/tuning.c \
	src/command/tuning.h \
	src/command/value.c \
	src/command/value.h \
	src/command/watching.c \
	src/command/watching.h
if DEBUG_COMMANDS
libcommand_a_SOURCES += src/command/debug.c
endif

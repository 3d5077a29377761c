# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libprotocol.a
libprotocol_a_SOURCES = \
	src/protocol/request.h \
	src/protocol/sink.c \
	src/protocol/sink.h \
	src/protocol/text.c \
	src/protocol/text.h

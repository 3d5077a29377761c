# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libprotocol.a
libprotocol_a_SOURCES = \
	src/protocol/base64.c \
	src/protocol/base64.h \
	src/protocol/binary.c \
	src/protocol/binary.h \
	src/protocol/meta.c \
	src/protocol/meta.h \
	src/protocol/request.h \
	src/protocol/sink.c \
	src/protocol/sink.h \
	src/protocol/text.c \
	src/protocol/text.h

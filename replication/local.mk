# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libreplication.a
libreplication_a_SOURCES = \
	replication/codec.c \
	replication/codec.h \
	replication/codec_control.c \
	replication/codec_inner.h \
	replication/codec_mutation.c \
	replication/codec_wire.h \
	replication/message.h
$(libreplication_a_OBJECTS): proto/replication.pb-c.h

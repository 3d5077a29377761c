# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libtls.a
libtls_a_SOURCES = \
	src/tls/tls.c \
	src/tls/tls.h \
	src/tls/tls_context.c \
	src/tls/tls_engine.c \
	src/tls/tls_engine.h \
	src/tls/tls_inner.h \
	src/tls/tls_peer.c \
	src/tls/tls_secret.c

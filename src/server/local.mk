# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libserver.a
libserver_a_SOURCES = \
	src/server/acceptor.c \
	src/server/acceptor.h \
	src/server/auth_file.c \
	src/server/auth_file.h \
	src/server/census.h \
	src/server/conn.c \
	src/server/conn.h \
	src/server/conn_events.c \
	src/server/conn_events.h \
	src/server/conns_stats.c \
	src/server/endpoint.c \
	src/server/endpoint.h \
	src/server/hold.c \
	src/server/hold.h \
	src/server/idle_wheel.c \
	src/server/idle_wheel.h \
	src/server/listener.c \
	src/server/listener.h \
	src/server/listener_spec.c \
	src/server/listener_spec.h \
	src/server/listener_unix.c \
	src/server/listener_unix.h \
	src/server/napi_map.c \
	src/server/napi_map.h \
	src/server/registry.c \
	src/server/registry.h \
	src/server/sasl_users.c \
	src/server/sasl_users.h \
	src/server/server.c \
	src/server/server.h \
	src/server/server_inner.h \
	src/server/server_metrics.h \
	src/server/server_stats.c \
	src/server/tls_link.c \
	src/server/tls_link.h \
	src/server/transport.c \
	src/server/transport.h \
	src/server/udp.c \
	src/server/udp.h \
	src/server/udp_frame.c \
	src/server/udp_frame.h \
	src/server/worker.c \
	src/server/worker.h

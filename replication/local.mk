# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libreplication.a

# Apart, since the simulation compiles these once more: they know no socket.
CODEC_SOURCES = \
	replication/codec.c \
	replication/codec.h \
	replication/codec_batch.c \
	replication/codec_control.c \
	replication/codec_digest.c \
	replication/codec_fields.h \
	replication/codec_inner.h \
	replication/codec_mutation.c \
	replication/codec_wire.h \
	replication/message.h
NODE_SOURCES = \
	replication/node.c \
	replication/node.h \
	replication/node_clock.c \
	replication/node_confirm.c \
	replication/node_digest.c \
	replication/node_fetch.c \
	replication/node_heal.c \
	replication/node_inner.h \
	replication/node_lag.c \
	replication/node_log.c \
	replication/node_orders.c \
	replication/node_receive.c \
	replication/node_restart.c \
	replication/node_scan.c \
	replication/node_send.c \
	replication/node_status.c \
	replication/node_touch.c \
	replication/node_verify.c

libreplication_a_SOURCES = \
	$(CODEC_SOURCES) \
	$(NODE_SOURCES) \
	replication/address.c \
	replication/address.h \
	replication/dialer.c \
	replication/dialer.h \
	replication/doorman.c \
	replication/doorman.h \
	replication/link.c \
	replication/link.h \
	replication/listener.c \
	replication/listener.h \
	replication/replication.c \
	replication/replication.h \
	replication/replication_inner.h \
	replication/replication_loop.c \
	replication/replication_metrics.h \
	replication/replication_orders.c \
	replication/replication_stats.c
$(libreplication_a_OBJECTS): proto/replication.pb-c.h

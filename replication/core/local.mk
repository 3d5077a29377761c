# SPDX-License-Identifier: BSD-3-Clause
noinst_LIBRARIES += libreplcore.a
CORE_SOURCES = \
	replication/core/bucket_map.h \
	replication/core/journal.c \
	replication/core/journal.h \
	replication/core/journal_inner.h \
	replication/core/journal_resync.c \
	replication/core/journal_snapshot.c \
	replication/core/lineage.c \
	replication/core/lineage.h \
	replication/core/peer.c \
	replication/core/peer.h \
	replication/core/peer_hello.c \
	replication/core/peer_inner.h \
	replication/core/rules.h \
	replication/core/tombstones.c \
	replication/core/tombstones.h
libreplcore_a_SOURCES = $(CORE_SOURCES)

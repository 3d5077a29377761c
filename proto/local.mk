# SPDX-License-Identifier: BSD-3-Clause
# The schema of the wire and the code that protoc-c makes of it. That code is
# never committed, and built without our warnings.
#
# A folder that includes the header says so, lest it compile before it exists:
#   $(libreplication_a_OBJECTS): proto/replication.pb-c.h

noinst_LIBRARIES += libreplwire.a
nodist_libreplwire_a_SOURCES = \
	proto/replication.pb-c.c \
	proto/replication.pb-c.h
libreplwire_a_CFLAGS = $(BUILD_CFLAGS) -w
$(libreplwire_a_OBJECTS): proto/replication.pb-c.h

proto/replication.pb-c.c: proto/replication.proto
	@$(MKDIR_P) proto
	$(AM_V_GEN)$(PROTOC_C) --proto_path=$(srcdir)/proto --c_out=proto \
		$(srcdir)/proto/replication.proto
proto/replication.pb-c.h: proto/replication.pb-c.c

EXTRA_DIST += proto/replication.proto
CLEANFILES += proto/replication.pb-c.c proto/replication.pb-c.h

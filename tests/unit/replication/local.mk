# SPDX-License-Identifier: BSD-3-Clause
check_PROGRAMS += tests/unit/replication/test_codec

tests_unit_replication_test_codec_SOURCES = \
	tests/unit/replication/test_codec.c \
	tests/unit/replication/codec_twin.h
tests_unit_replication_test_codec_LDADD = $(LINK_REPLICATION) $(CHECK_LIBS)
$(tests_unit_replication_test_codec_OBJECTS): proto/replication.pb-c.h

check_PROGRAMS += tests/unit/replication/test_replication
tests_unit_replication_test_replication_LDADD = $(LINK_REPLICATION) \
	$(CHECK_LIBS)

check_PROGRAMS += \
	tests/unit/replication/test_address \
	tests/unit/replication/test_dialer \
	tests/unit/replication/test_doorman
tests_unit_replication_test_address_LDADD = $(LINK_REPLICATION) $(CHECK_LIBS)
tests_unit_replication_test_dialer_LDADD = $(LINK_REPLICATION) $(CHECK_LIBS)
tests_unit_replication_test_doorman_LDADD = $(LINK_REPLICATION) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/replication/test_node
tests_unit_replication_test_node_SOURCES = \
	tests/unit/replication/sides.c \
	tests/unit/replication/sides.h \
	tests/unit/replication/test_node.c
tests_unit_replication_test_node_LDADD = $(LINK_REPLICATION) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/replication/test_node_fetch
tests_unit_replication_test_node_fetch_SOURCES = \
	tests/unit/replication/sides.c \
	tests/unit/replication/sides.h \
	tests/unit/replication/test_node_fetch.c
tests_unit_replication_test_node_fetch_LDADD = $(LINK_REPLICATION) \
	$(CHECK_LIBS)

check_PROGRAMS += tests/unit/replication/test_node_threads
tests_unit_replication_test_node_threads_LDADD = $(LINK_REPLICATION) \
	$(CHECK_LIBS)

check_PROGRAMS += tests/unit/replication/test_node_versions
tests_unit_replication_test_node_versions_LDADD = $(LINK_REPLICATION) \
	$(CHECK_LIBS)
$(tests_unit_replication_test_node_versions_OBJECTS): proto/replication.pb-c.h

check_PROGRAMS += tests/unit/replication/test_codec_limits
tests_unit_replication_test_codec_limits_LDADD = $(LINK_REPLICATION) \
	$(CHECK_LIBS)
$(tests_unit_replication_test_codec_limits_OBJECTS): proto/replication.pb-c.h

noinst_HEADERS += tests/unit/replication/played_peer.h
check_PROGRAMS += tests/unit/replication/test_node_lies
tests_unit_replication_test_node_lies_LDADD = $(LINK_REPLICATION) $(CHECK_LIBS)

noinst_HEADERS += tests/unit/replication/codec_room.h
check_PROGRAMS += tests/unit/replication/test_codec_bytes
tests_unit_replication_test_codec_bytes_LDADD = $(LINK_REPLICATION) \
	$(CHECK_LIBS)
$(tests_unit_replication_test_codec_bytes_OBJECTS): proto/replication.pb-c.h

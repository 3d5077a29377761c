# SPDX-License-Identifier: BSD-3-Clause
noinst_HEADERS += tests/unit/core/journal_fixture.h
check_PROGRAMS += \
	tests/unit/core/test_bucket_map \
	tests/unit/core/test_journal \
	tests/unit/core/test_journal_snapshot \
	tests/unit/core/test_lineage \
	tests/unit/core/test_peer \
	tests/unit/core/test_tombstones

tests_unit_core_test_bucket_map_LDADD = $(LINK_CORE) $(CHECK_LIBS)
tests_unit_core_test_journal_LDADD = $(LINK_CORE) $(CHECK_LIBS)
tests_unit_core_test_journal_snapshot_LDADD = $(LINK_CORE) $(CHECK_LIBS)
tests_unit_core_test_lineage_LDADD = $(LINK_CORE) $(CHECK_LIBS)
tests_unit_core_test_peer_LDADD = $(LINK_CORE) $(CHECK_LIBS)
tests_unit_core_test_tombstones_LDADD = $(LINK_CORE) $(CHECK_LIBS)

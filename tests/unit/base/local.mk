# SPDX-License-Identifier: BSD-3-Clause
check_PROGRAMS += \
	tests/unit/base/test_clock \
	tests/unit/base/test_confirm \
	tests/unit/base/test_cursor \
	tests/unit/base/test_errand \
	tests/unit/base/test_error \
	tests/unit/base/test_fetch \
	tests/unit/base/test_hash \
	tests/unit/base/test_histogram \
	tests/unit/base/test_lock \
	tests/unit/base/test_log \
	tests/unit/base/test_memory \
	tests/unit/base/test_metrics \
	tests/unit/base/test_number \
	tests/unit/base/test_slice \
	tests/unit/base/test_stamp \
	tests/unit/base/test_watch

tests_unit_base_test_clock_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_confirm_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_cursor_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_errand_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_histogram_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_error_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_fetch_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_hash_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_lock_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_log_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_memory_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_metrics_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_number_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_slice_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_stamp_LDADD = $(LINK_BASE) $(CHECK_LIBS)
tests_unit_base_test_watch_LDADD = $(LINK_BASE) $(CHECK_LIBS)

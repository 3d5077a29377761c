# SPDX-License-Identifier: BSD-3-Clause
check_PROGRAMS += \
	tests/unit/options/test_manual \
	tests/unit/options/test_options \
	tests/unit/options/test_process
tests_unit_options_test_manual_LDADD = \
	liboptions.a libserver.a $(LINK_BASE) $(CHECK_LIBS)
tests_unit_options_test_options_LDADD = \
	liboptions.a libserver.a $(LINK_BASE) $(CHECK_LIBS)
tests_unit_options_test_process_SOURCES = \
	src/process.c \
	src/process.h \
	tests/unit/options/test_process.c
tests_unit_options_test_process_LDADD = $(LINK_BASE) $(CHECK_LIBS)
dist_check_SCRIPTS += tests/unit/options/test_daemon

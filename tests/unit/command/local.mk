# SPDX-License-Identifier: BSD-3-Clause
noinst_HEADERS += tests/unit/command/client.h
check_PROGRAMS += \
	tests/unit/command/test_ack \
	tests/unit/command/test_admin \
	tests/unit/command/test_auth \
	tests/unit/command/test_binary \
	tests/unit/command/test_tuning \
	tests/unit/command/test_crawler \
	tests/unit/command/test_detail \
	tests/unit/command/test_errands \
	tests/unit/command/test_fetching \
	tests/unit/command/test_meta \
	tests/unit/command/test_observe \
	tests/unit/command/test_session \
	tests/unit/command/test_stats \
	tests/unit/command/test_stream

tests_unit_command_test_ack_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_auth_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_binary_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_observe_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_session_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_stats_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_errands_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_fetching_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_meta_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_admin_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_stream_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_crawler_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_detail_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)
tests_unit_command_test_tuning_LDADD = $(LINK_COMMAND) $(CHECK_LIBS)

# SPDX-License-Identifier: BSD-3-Clause
check_PROGRAMS += \
	tests/unit/protocol/test_binary \
	tests/unit/protocol/test_meta \
	tests/unit/protocol/test_sink \
	tests/unit/protocol/test_text

tests_unit_protocol_test_binary_LDADD = $(LINK_PROTOCOL) $(CHECK_LIBS)
tests_unit_protocol_test_sink_LDADD = $(LINK_PROTOCOL) $(CHECK_LIBS)
tests_unit_protocol_test_text_LDADD = $(LINK_PROTOCOL) $(CHECK_LIBS)
tests_unit_protocol_test_meta_LDADD = $(LINK_PROTOCOL) $(CHECK_LIBS)

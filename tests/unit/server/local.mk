# SPDX-License-Identifier: BSD-3-Clause
check_PROGRAMS += \
	tests/unit/server/test_endpoint \
	tests/unit/server/test_listener_spec \
	tests/unit/server/test_server
tests_unit_server_test_endpoint_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_listener_spec_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_server_LDADD = $(LINK_SERVER) $(CHECK_LIBS)

# SPDX-License-Identifier: BSD-3-Clause
check_LIBRARIES += libserverfixture.a
libserverfixture_a_SOURCES = \
	tests/unit/server/fixture.c \
	tests/unit/server/fixture.h
SERVER_TEST_LIBS = libserverfixture.a $(LINK_SERVER) $(CHECK_LIBS)

check_PROGRAMS += \
	tests/unit/server/test_auth_file \
	tests/unit/server/test_endpoint \
	tests/unit/server/test_idle_wheel \
	tests/unit/server/test_limits \
	tests/unit/server/test_listener_spec \
	tests/unit/server/test_napi_map \
	tests/unit/server/test_server \
	tests/unit/server/test_tls_link \
	tests/unit/server/test_udp \
	tests/unit/server/test_udp_frame \
	tests/unit/server/test_unix
tests_unit_server_test_auth_file_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_endpoint_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_idle_wheel_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_limits_LDADD = $(SERVER_TEST_LIBS)
tests_unit_server_test_listener_spec_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_napi_map_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_server_LDADD = $(SERVER_TEST_LIBS)
tests_unit_server_test_tls_link_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_udp_LDADD = $(SERVER_TEST_LIBS)
tests_unit_server_test_udp_frame_LDADD = $(LINK_SERVER) $(CHECK_LIBS)
tests_unit_server_test_unix_LDADD = $(SERVER_TEST_LIBS)

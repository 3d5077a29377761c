# SPDX-License-Identifier: BSD-3-Clause
check_PROGRAMS += tests/unit/tls/test_tls_engine tests/unit/tls/test_tls_secret
tests_unit_tls_test_tls_engine_LDADD = $(LINK_TLS) $(CHECK_LIBS)
tests_unit_tls_test_tls_secret_LDADD = $(LINK_TLS) $(CHECK_LIBS)

# SPDX-License-Identifier: BSD-3-Clause
check_LIBRARIES += libenginefixture.a
libenginefixture_a_SOURCES = \
	tests/unit/engine/fixture.c \
	tests/unit/engine/fixture.h
ENGINE_TEST_LIBS = libenginefixture.a $(LINK_ENGINE) $(CHECK_LIBS)

check_PROGRAMS += \
	tests/unit/engine/test_alloc \
	tests/unit/engine/test_apply \
	tests/unit/engine/test_automove \
	tests/unit/engine/test_crawler \
	tests/unit/engine/test_engine \
	tests/unit/engine/test_engine_stats \
	tests/unit/engine/test_flush \
	tests/unit/engine/test_janitor \
	tests/unit/engine/test_lru \
	tests/unit/engine/test_meta \
	tests/unit/engine/test_property \
	tests/unit/engine/test_read \
	tests/unit/engine/test_region \
	tests/unit/engine/test_restart \
	tests/unit/engine/test_scan \
	tests/unit/engine/test_sizes \
	tests/unit/engine/test_slab \
	tests/unit/engine/test_slab_sizes \
	tests/unit/engine/test_store \
	tests/unit/engine/test_table \
	tests/unit/engine/test_tally \
	tests/unit/engine/test_tell \
	tests/unit/engine/test_mover \
	tests/unit/engine/test_threads \
	tests/unit/engine/test_tuning \
	tests/unit/engine/test_upkeep \
	tests/unit/engine/test_write

tests_unit_engine_test_alloc_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_apply_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_crawler_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_engine_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_engine_stats_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_flush_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_janitor_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_lru_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_meta_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_property_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_read_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_region_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_restart_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_scan_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_sizes_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_slab_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_slab_sizes_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_store_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_table_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_tally_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_tell_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_mover_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_threads_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_upkeep_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_write_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_automove_LDADD = $(ENGINE_TEST_LIBS)
tests_unit_engine_test_tuning_LDADD = $(ENGINE_TEST_LIBS)

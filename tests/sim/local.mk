# SPDX-License-Identifier: BSD-3-Clause
# The simulation compiles the replication anew, with its rules breakable.
check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/sim/check.c \
	tests/sim/client.c \
	tests/sim/fetches.c \
	tests/sim/history.c \
	tests/sim/host.c \
	tests/sim/orders.c \
	tests/sim/restart.c \
	tests/sim/sim.c \
	tests/sim/sim.h \
	tests/sim/wire.c \
	tests/sim/world.c \
	$(CORE_SOURCES) \
	$(NODE_SOURCES) \
	$(CODEC_SOURCES)
tests_sim_sim_CPPFLAGS = $(AM_CPPFLAGS) -DRULES_BREAKABLE=1
tests_sim_sim_LDADD = libreplwire.a $(LINK_ENGINE) $(PROTOBUF_C_LIBS)
$(tests_sim_sim_OBJECTS): proto/replication.pb-c.h

if !INSTRUMENTED
dist_check_SCRIPTS += tests/sim/rules_bite tests/sim/run
endif

# SPDX-License-Identifier: BSD-3-Clause
# The simulation compiles the replication anew, with its rules breakable.
check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/sim/check.c \
	tests/sim/client.c \
	tests/sim/counts.c \
	tests/sim/counts.h \
	tests/sim/faults.c \
	tests/sim/fetches.c \
	tests/sim/heap.c \
	tests/sim/heap.h \
	tests/sim/history.c \
	tests/sim/host.c \
	tests/sim/knobs.c \
	tests/sim/links.c \
	tests/sim/orders.c \
	tests/sim/restart.c \
	tests/sim/sim.c \
	tests/sim/sim.h \
	tests/sim/stranger.c \
	tests/sim/talk.c \
	tests/sim/waits.c \
	tests/sim/wire.c \
	tests/sim/world.c \
	$(CORE_SOURCES) \
	$(NODE_SOURCES) \
	$(CODEC_SOURCES)
tests_sim_sim_CPPFLAGS = $(AM_CPPFLAGS) -DRULES_BREAKABLE=1
tests_sim_sim_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=memory_new -Wl,--wrap=memory_resize \
	-Wl,--wrap=memory_free_at -Wl,--wrap=memory_reserve \
	-Wl,--wrap=memory_reserve_closed -Wl,--wrap=memory_unreserve
tests_sim_sim_LDADD = libreplwire.a $(LINK_COMMAND) $(PROTOBUF_C_LIBS)
$(tests_sim_sim_OBJECTS): proto/replication.pb-c.h

if !INSTRUMENTED
dist_check_SCRIPTS += tests/sim/rules_bite tests/sim/run
endif

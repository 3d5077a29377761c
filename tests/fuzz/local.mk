# SPDX-License-Identifier: BSD-3-Clause
# A target fuzz_NAME is one name in FUZZ_TARGETS and its libraries:
#
#   FUZZ_TARGETS += tests/fuzz/fuzz_text
#   tests_fuzz_fuzz_text_LDADD = $(LINK_PROTOCOL) $(FUZZ_MAIN)
#   EXTRA_DIST += tests/fuzz/corpus/text
#
# An ordinary build links it with a main that replays tests/fuzz/corpus/NAME
# and is a test; --enable-fuzzers links libFuzzer's main instead.
FUZZ_TARGETS =

if FUZZERS
noinst_PROGRAMS += $(FUZZ_TARGETS)
FUZZ_MAIN = $(FUZZ_ENGINE)
EXTRA_DIST += tests/fuzz/replay_main.c

# Fuzzes every target for a while. What is found new goes to fuzz-found/NAME in
# the build tree; a crash ends it and leaves its input in fuzz-found.
FUZZ_SECONDS = 60
fuzz: $(FUZZ_TARGETS)
	@set -e; for target in $(FUZZ_TARGETS); do \
		name=$${target##*/fuzz_}; \
		$(MKDIR_P) fuzz-found/$$name; \
		echo "fuzzing $$name for $(FUZZ_SECONDS) s"; \
		$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
			-artifact_prefix=fuzz-found/ fuzz-found/$$name \
			$(srcdir)/tests/fuzz/corpus/$$name; \
	done
else
check_PROGRAMS += $(FUZZ_TARGETS)
check_LIBRARIES += libfuzzmain.a
libfuzzmain_a_SOURCES = tests/fuzz/replay_main.c
FUZZ_MAIN = libfuzzmain.a

fuzz:
	@echo "fuzzing takes configure CC=clang --enable-fuzzers" >&2; exit 1
endif

FUZZ_TARGETS += tests/fuzz/fuzz_codec
tests_fuzz_fuzz_codec_LDADD = $(LINK_REPLICATION) $(FUZZ_MAIN)
$(tests_fuzz_fuzz_codec_OBJECTS): proto/replication.pb-c.h
EXTRA_DIST += tests/fuzz/corpus/codec

FUZZ_TARGETS += tests/fuzz/fuzz_text
tests_fuzz_fuzz_text_LDADD = $(LINK_PROTOCOL) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/text

FUZZ_TARGETS += tests/fuzz/fuzz_binary
tests_fuzz_fuzz_binary_LDADD = $(LINK_COMMAND) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/binary

noinst_HEADERS += tests/fuzz/play.h
FUZZ_TARGETS += tests/fuzz/fuzz_session
tests_fuzz_fuzz_session_LDADD = $(LINK_COMMAND) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/session

noinst_HEADERS += tests/fuzz/node_world.h
FUZZ_TARGETS += tests/fuzz/fuzz_node
tests_fuzz_fuzz_node_LDADD = $(LINK_REPLICATION) $(FUZZ_MAIN)
$(tests_fuzz_fuzz_node_OBJECTS): proto/replication.pb-c.h
EXTRA_DIST += tests/fuzz/corpus/node

FUZZ_TARGETS += tests/fuzz/fuzz_peer
tests_fuzz_fuzz_peer_LDADD = $(LINK_REPLICATION) $(FUZZ_MAIN)
$(tests_fuzz_fuzz_peer_OBJECTS): proto/replication.pb-c.h
EXTRA_DIST += tests/fuzz/corpus/peer

FUZZ_TARGETS += tests/fuzz/fuzz_meta
tests_fuzz_fuzz_meta_LDADD = $(LINK_PROTOCOL) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/meta

FUZZ_TARGETS += tests/fuzz/fuzz_udp
tests_fuzz_fuzz_udp_LDADD = $(LINK_SERVER) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/udp

FUZZ_TARGETS += tests/fuzz/fuzz_restart
tests_fuzz_fuzz_restart_LDADD = $(LINK_ENGINE) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/restart

FUZZ_TARGETS += tests/fuzz/fuzz_tls
tests_fuzz_fuzz_tls_LDADD = $(LINK_TLS) $(FUZZ_MAIN)
EXTRA_DIST += tests/fuzz/corpus/tls

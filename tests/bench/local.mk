# SPDX-License-Identifier: BSD-3-Clause
# Figures, not verdicts: built by hand, or all of them by `make benches`.
EXTRA_PROGRAMS += tests/bench/engine_bench
tests_bench_engine_bench_LDADD = $(LINK_ENGINE)
EXTRA_DIST += tests/bench/pair_costs

CLEANFILES += $(EXTRA_PROGRAMS)
EXTRA_DIST += tests/bench/pair_faults
benches: $(EXTRA_PROGRAMS)

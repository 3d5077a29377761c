# SPDX-License-Identifier: BSD-3-Clause
# Real daemons, real clients. Not part of `make check`: scripts/test runs it.

EXTRA_DIST += README.md scripts/run-pair \
	tests/integration/packages.txt \
	tests/integration/run \
	tests/integration/record_differential \
	tests/integration/clients/Spy.java \
	tests/integration/clients/binary_memcached.py \
	tests/integration/clients/cache_memcached.pl \
	tests/integration/clients/dalli.rb \
	tests/integration/clients/gomemcache.go \
	tests/integration/clients/node/memcached.js \
	tests/integration/clients/node/memjs.js \
	tests/integration/clients/node/package.json \
	tests/integration/clients/php_user.php \
	tests/integration/clients/pylibmc_user.py \
	tests/integration/differential/__init__.py \
	tests/integration/differential/ask.py \
	tests/integration/differential/binary.py \
	tests/integration/differential/cases.py \
	tests/integration/differential/differences.txt \
	tests/integration/differential/memcached.txt \
	tests/integration/differential/record.py \
	tests/integration/harness/__init__.py \
	tests/integration/harness/client.py \
	tests/integration/harness/context.py \
	tests/integration/harness/haproxy.py \
	tests/integration/harness/hosts.py \
	tests/integration/harness/node.py \
	tests/integration/harness/process.py \
	tests/integration/harness/tls.py \
	tests/integration/harness/wait.py \
	tests/integration/test_client_libraries.py \
	tests/integration/test_command_line.py \
	tests/integration/test_differential.py \
	tests/integration/test_debug_clock.py \
	tests/integration/test_dumps.py \
	tests/integration/test_eviction.py \
	tests/integration/test_expiry.py \
	tests/integration/test_meta.py \
	tests/integration/test_options.py \
	tests/integration/test_pair_failover.py \
	tests/integration/test_pair_mirrors.py \
	tests/integration/test_pair_split.py \
	tests/integration/test_readme.py \
	tests/integration/test_real_clients.py \
	tests/integration/test_restart.py \
	tests/integration/test_sockets.py \
	tests/integration/test_statistics.py \
	tests/integration/test_text_protocol.py \
	tests/integration/test_tls.py \
	tests/integration/test_tutorial.py \
	tests/integration/test_watch.py \
	tests/integration/counter_cases.py \
	tests/integration/meta_cases.py \
	tests/integration/option_cases.py \
	tests/integration/text_cases.py

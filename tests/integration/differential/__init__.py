# SPDX-License-Identifier: BSD-3-Clause
"""The same bytes to memcached and to this daemon.

cases.py says what is sent, memcached.txt holds what memcached 1.6.18 answered,
known.py where and why this daemon answers otherwise."""

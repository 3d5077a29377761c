# SPDX-License-Identifier: BSD-3-Clause
noinst_HEADERS = tests/unit/unit.h

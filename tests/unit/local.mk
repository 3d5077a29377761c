# SPDX-License-Identifier: BSD-3-Clause
noinst_HEADERS = tests/unit/frames.h tests/unit/unit.h

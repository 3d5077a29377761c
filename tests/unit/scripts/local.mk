# SPDX-License-Identifier: BSD-3-Clause
# The lints of the tree, and the test that they bite.
dist_check_SCRIPTS += \
	scripts/check-banned \
	scripts/check-includes \
	tests/unit/scripts/test_lints

# SPDX-License-Identifier: BSD-3-Clause
"""What the integration tests stand on: real daemons, real sockets."""

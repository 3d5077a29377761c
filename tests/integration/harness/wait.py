# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for a condition, never for a time.

A test states what must come true.  The bound only keeps a broken daemon from
hanging the suite; nothing is asserted about how long a thing took."""

import time

POLL_S = 0.005
BOUND_S = 30


# Called while waiting; raises when there is no point in waiting on.
guards = []


class NotInTime(AssertionError):
    """What was waited for did not come true."""


def wait_for(what, condition, bound_s=BOUND_S):
    """Calls condition() until it is truthy, and returns what it returned.

    A refused or broken connection means "not yet": daemons come and go here.
    """
    end = time.monotonic() + bound_s
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (OSError, EOFError) as error:
            last = repr(error)
            for guard in guards:
                guard()
        if time.monotonic() > end:
            raise NotInTime(f'waited {bound_s} s for: {what}; last: {last!r}')
        time.sleep(POLL_S)

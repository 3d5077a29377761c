# SPDX-License-Identifier: BSD-3-Clause
"""Daemons that are told a wrong time by the system."""

import glob
import os

from harness.hosts import Skip

LIBRARY = '/usr/lib/*/faketime/libfaketimeMT.so.1'


class WrongClock:
    """The wall clock of one node, as far off as the test says; those that
    never step stay right, as they would."""

    def __init__(self, test, node, off_s=0):
        found = glob.glob(LIBRARY)
        if not found:
            raise Skip('no libfaketime')
        if test.sanitized():
            raise Skip('sanitizers and libfaketime do not go together')
        self.test = test
        self.path = test.path(node.name + '.clock')
        self.step(off_s)
        node.env = {
            'LD_PRELOAD': found[0], 'FAKETIME_TIMESTAMP_FILE': self.path,
            'FAKETIME_NO_CACHE': '1', 'FAKETIME_DONT_FAKE_MONOTONIC': '1'}
        test.defer(self.sweep)

    def step(self, off_s):
        """From now on it is so many seconds ahead."""
        with open(self.path + '.new', 'w') as file:
            file.write(f'{off_s:+d}\n')
        os.rename(self.path + '.new', self.path)

    def sweep(self):
        """What the library leaves behind of a process that was killed."""
        for _, process in self.test.processes:
            for word in ('faketime_shm_', 'sem.faketime_sem_'):
                path = f'/dev/shm/{word}{process.pid}'
                if os.path.exists(path):
                    os.unlink(path)

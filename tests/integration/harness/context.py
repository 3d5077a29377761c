# SPDX-License-Identifier: BSD-3-Clause
"""What one test is given: everything made through it ends with it."""

import os
import signal
import subprocess

from harness.haproxy import Haproxy
from harness.hosts import Hosts, Skip
from harness.node import Node, Pair
from harness.process import end_children
from harness.wait import guards

COMMAND_BOUND_S = 60


def deadline(seconds):
    """For tests that may take longer than the runner's usual bound."""
    def mark(function):
        function.deadline_s = seconds
        return function
    return mark


def image_of(path):
    with open(path, 'rb') as file:
        return file.read()


class Test:
    def __init__(self, name, directory, binary, long_run):
        self.name = name
        self.directory = directory
        self.binary = binary
        self.long_run = long_run
        self.processes = []
        self._deferred = []
        os.makedirs(directory)
        guards[:] = [self._check_alive]

    def _check_alive(self):
        for name, process in self.processes:
            assert process.alive() or process.end_expected, f'{name} is dead'

    def defer(self, function, *args):
        """Is called when the test is over, the last one first."""
        self._deferred.append((function, args))

    def path(self, name):
        return os.path.join(self.directory, name)

    def node(self, *args, name='node', **where):
        """A daemon that serves clients."""
        return Node(self, name, args, **where).start()

    def debug_node(self, *args, **how):
        """A daemon whose clock the test may move: `debugtime p` stops it,
        `debugtime SECONDS` puts it forward."""
        return self.node(*args, binary=self.debug_binary(), **how)

    def debug_binary(self):
        """One built with --enable-debug-commands; without one the test is
        skipped, and the summary counts it."""
        for path in (self.binary, os.environ.get('TWINCACHED_DEBUG')):
            if path and b'debugtime' in image_of(path):
                return os.path.abspath(path)
        raise Skip('no daemon with debug commands: say $TWINCACHED_DEBUG')

    def pair(self, *args, **how):
        """Two daemons on loopback, paired."""
        return Pair.on_loopback(self, args, **how).start()

    def hosts(self, count):
        return Hosts(self, count)

    def haproxy(self, pair, **how):
        return Haproxy(self, [(node.address, node.port)
                              for node in pair.nodes], **how)

    def run(self, *argv, netns=None, input=None, env=None):
        """Runs a program to its end; its status and output."""
        words = ['ip', 'netns', 'exec', netns] if netns else []
        return subprocess.run(
            [*words, *map(str, argv)], input=input, capture_output=True,
            text=True, errors='replace', timeout=COMMAND_BOUND_S,
            env=dict(os.environ, **(env or {})))

    def sanitized(self):
        """A sanitizer's build spends memory that is not the daemon's."""
        image = image_of(self.binary)
        return b'__asan_init' in image or b'__tsan_init' in image

    def complaints(self):
        """What daemons did that no test asked for."""
        return [f'{name}: {verdict}' for name, process in self.processes
                if (verdict := process.verdict())]

    def clean_up(self):
        """Ends what was started, then undoes what was set up."""
        for _, process in self.processes:
            if process.alive():
                process.signal(signal.SIGKILL)
                process.popen.wait()
        end_children()
        problems = []
        while self._deferred:
            function, args = self._deferred.pop()
            try:
                function(*args)
            except Exception as error:
                problems.append(f'clean-up: {error!r}')
        return problems

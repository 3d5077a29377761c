# SPDX-License-Identifier: BSD-3-Clause
"""Processes that end with the test that started them."""

import ctypes
import os
import signal
import socket
import subprocess

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
END_BOUND_S = 20

_libc = ctypes.CDLL(None, use_errno=True)
_ports_given = set()


def adopt_orphans():
    """A daemon that leaves its parent becomes our child, so that we can end
    it."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def children():
    """Pids of our children, adopted ones too."""
    pids = []
    for thread in os.listdir('/proc/self/task'):
        with open(f'/proc/self/task/{thread}/children') as file:
            pids += [int(word) for word in file.read().split()]
    return pids


def end_children():
    """Kills what is left, by pid, until nothing is."""
    while True:
        left = children()
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


def free_port():
    """A TCP port that is free now on IPv4 and IPv6, and not given before."""
    while True:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::', 0))
            port = probe.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


def status_field(pid, name):
    """A line of /proc/PID/status, without its name."""
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith(name + ':'):
                return line.split(':', 1)[1].strip()
    raise KeyError(name)


def resident_bytes(pid):
    return int(status_field(pid, 'VmRSS').split()[0]) * 1024


class Process:
    """A program whose output goes to a log; it may not die unasked."""

    def __init__(self, argv, log_path, env=None):
        self.argv = [str(word) for word in argv]
        self.log_path = log_path
        self.end_expected = False
        with open(log_path, 'ab') as log:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent,
                env=dict(os.environ, **(env or {})))
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def signal(self, number):
        self.popen.send_signal(number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """As a crash: no farewell."""
        self.end_expected = True
        self.popen.kill()
        self.popen.wait()

    def terminate(self):
        """SIGTERM; returns the exit status."""
        self.end_expected = True
        self.popen.terminate()
        return self.wait()

    def wait(self, bound_s=END_BOUND_S):
        self.end_expected = True
        try:
            return self.popen.wait(bound_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f'still running {bound_s} s after it was to end: '
                f'{" ".join(self.argv)}') from None

    def verdict(self):
        """None, or what is wrong with how it ended or what it logged."""
        if not self.alive() and not self.end_expected:
            return f'ended by itself with status {self.popen.returncode}'
        for mark in ('AddressSanitizer', 'ThreadSanitizer', 'runtime error:',
                     'LeakSanitizer', 'the stop took too long'):
            if mark in self.log():
                return f'its log has {mark}'
        return None

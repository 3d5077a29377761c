# SPDX-License-Identifier: BSD-3-Clause
"""Machines for tests: network namespaces on one switch.

All of it, the switch too, lives in namespaces of its own, so the machine's
own network is never touched."""

import os
import subprocess

PREFIX = 'twt'


class Skip(Exception):
    """The machine lacks something that the test cannot do without."""


def _run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f'{" ".join(argv)}: {done.stderr.strip()}')
    return done.stdout


def sweep():
    """Removes what a killed run has left behind."""
    try:
        names = os.listdir('/run/netns')
    except FileNotFoundError:
        return
    for name in names:
        words = name.split('-')
        if words[0] == PREFIX and len(words) == 3 and words[1].isdigit() \
                and not os.path.exists(f'/proc/{words[1]}'):
            _run('ip', 'netns', 'del', name)


class Host:
    """One machine, 10.77.0.N and fd77::N on its eth0."""

    def __init__(self, netns, number):
        self.netns = netns
        self.ip4 = f'10.77.0.{number}'
        self.ip6 = f'fd77::{number}'

    def address(self, family):
        return self.ip6 if family == 6 else self.ip4

    def run(self, *argv):
        """Runs a command there; returns what it printed."""
        return _run('ip', 'netns', 'exec', self.netns, *argv)

    def nft(self, rule):
        self.run('nft', rule)


class Hosts:
    """Several machines; iterable."""

    def __init__(self, test, count):
        if os.geteuid() != 0:
            raise Skip('network namespaces need root')
        self.test = test
        self.switch = self._namespace('sw')
        self._ip(self.switch, 'link add br0 type bridge')
        self._ip(self.switch, 'link set br0 up')
        self.hosts = [self._host(number) for number in range(1, count + 1)]

    def __iter__(self):
        return iter(self.hosts)

    def _namespace(self, word):
        name = f'{PREFIX}-{os.getpid()}-{word}'
        _run('ip', 'netns', 'add', name)
        self.test.defer(_run, 'ip', 'netns', 'del', name)
        self._ip(name, 'link set lo up')
        return name

    @staticmethod
    def _ip(netns, words):
        _run('ip', '-n', netns, *words.split())

    def _host(self, number):
        netns = self._namespace(f'h{number}')
        host = Host(netns, number)
        port = f'p{number}'
        self._ip(self.switch, f'link add {port} type veth peer name eth0 '
                              f'netns {netns}')
        self._ip(self.switch, f'link set {port} master br0 up')
        self._ip(netns, 'link set eth0 up')
        self._ip(netns, f'addr add {host.ip4}/24 dev eth0')
        self._ip(netns, f'addr add {host.ip6}/64 dev eth0 nodad')
        host.nft('table inet cut { chain in { type filter hook input '
                 'priority 0; }; chain out { type filter hook output '
                 'priority 0; }; }')
        return host

    @staticmethod
    def deafen(host, other):
        """What `other` sends reaches `host` no more; it is not told."""
        host.nft(f'add rule inet cut in ip saddr {other.ip4} drop')
        host.nft(f'add rule inet cut in ip6 saddr {other.ip6} drop')

    def cut(self, one, other):
        """Nothing passes between the two, silently."""
        self.deafen(one, other)
        self.deafen(other, one)

    @staticmethod
    def reset(host, other, port):
        """Every packet of `other` to or from `port` is answered by a reset."""
        for side in ('sport', 'dport'):
            host.nft(f'add rule inet cut in ip saddr {other.ip4} '
                     f'tcp {side} {port} reject with tcp reset')

    def heal(self):
        """Undoes every cut."""
        for host in self.hosts:
            host.nft('flush chain inet cut in')
            host.nft('flush chain inet cut out')

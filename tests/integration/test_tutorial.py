# SPDX-License-Identifier: BSD-3-Clause
"""The how-to that users of such pairs have followed for years, word for word
but for the daemon's name: two nodes, one balancer, three machines."""

import os
import re
import signal
import stat

from harness.client import Client
from harness.context import deadline
from harness.haproxy import TUTORIAL, Haproxy
from harness.process import Process
from harness.wait import wait_for

USER = 'memcached'


class Machines:
    """Hosts that have the user whom the how-to names, and the daemon under
    its plain name."""

    def __init__(self, t):
        self.t = t
        self.m1, self.m2, self.balancer = t.hosts(3)
        self._write_users()
        os.mkdir(t.path('bin'))
        os.symlink(t.binary, t.path('bin/twincached'))

    def _write_users(self):
        for name, line in (
                ('passwd', f'{USER}:x:977:977::/nonexistent:/bin/false\n'),
                ('group', f'{USER}:x:977:\n')):
            with open('/etc/' + name) as file:
                lines = [old for old in file
                         if not old.startswith(USER + ':')]
            path = self.t.path(name)
            with open(path, 'w') as file:
                file.writelines(lines + [line])
            os.chmod(path, stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP |
                     stat.S_IROTH)

    def words(self, host, command):
        """The command as typed on that host; the files of users are laid over
        its own in a mount namespace that dies with it."""
        setup = (f'mount --bind {self.t.path("passwd")} /etc/passwd && '
                 f'mount --bind {self.t.path("group")} /etc/group && '
                 f'PATH={self.t.path("bin")}:$PATH && exec {command}')
        return ['ip', 'netns', 'exec', host.netns, 'sh', '-c', setup]

    def type(self, host, command):
        done = self.t.run(*self.words(host, command))
        assert done.returncode == 0, done
        return done.stdout

    def start(self, host, peer):
        self.type(host, 'twincached -d -m 1024 -p 11211 -u memcached '
                        f'-c 2048 -x {peer.ip4}')
        return wait_for(f'{host.ip4} to serve', lambda: Client(
            host.ip4, 11211, self.balancer.netns))

    def kill(self, host):
        pid = int(self.telnet(host).stats()['pid'])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def telnet(self, host):
        return Client(host.ip4, 11211, self.balancer.netns)


def await_peer_has(machines, host, key, reply):
    def there():
        return machines.telnet(host).gives(f'get {key}\r\n'.encode(), reply)
    wait_for(f'{key} at {host.ip4}', there)


def value(key, text):
    return f'VALUE {key} 1 {len(text)}\r\n{text}\r\nEND\r\n'.encode()


@deadline(180)
def test_a_pair_behind_a_balancer(t):
    machines = Machines(t)
    m1, m2 = machines.m1, machines.m2
    machines.start(m1, m2)
    machines.start(m2, m1)
    for host in (m1, m2):
        listening = machines.type(host, 'ss -ltn')
        assert '0.0.0.0:11211 ' in listening, listening
        assert '[::]:11211 ' in listening, listening
        pid = int(machines.telnet(host).stats()['pid'])
        assert os.stat(f'/proc/{pid}').st_uid == 977
    machines.telnet(m1).ask(b'add name 1 0 3\r\nbob\r\n', b'STORED\r\n')
    await_peer_has(machines, m2, 'name', value('name', 'bob'))
    front = Haproxy(t, [(m1.ip4, 11211), (m2.ip4, 11211)], TUTORIAL,
                    machines.balancer.ip4, 11211, machines.balancer.netns)
    check_through_balancer(machines, front, 'class', m1, m2)
    for turn, (dead, left) in enumerate(((m1, m2), (m2, m1))):
        machines.kill(dead)
        check_through_balancer(machines, front, f'class{turn}', left)
        machines.start(dead, left)
        await_peer_has(machines, dead, f'class{turn}',
                       value(f'class{turn}', 'two'))
        check_through_balancer(machines, front, f'again{turn}', m1, m2)


def check_through_balancer(machines, front, key, *nodes):
    front.await_ask(b'get name\r\n', value('name', 'bob'))
    wait_for('a node to store through the balancer', lambda: front.try_ask(
        f'add {key} 1 0 3\r\ntwo\r\n'.encode(), b'STORED\r\n'))
    for node in nodes:
        await_peer_has(machines, node, key, value(key, 'two'))


def test_slab_classes_are_printed(t):
    machines = Machines(t)
    process = Process(machines.words(
        machines.m1, 'twincached -u memcached -f 2 -vv'), t.path('slabs.log'))
    t.processes.append(('slabs', process))
    wait_for('it to serve', lambda: Client(machines.m1.ip4, 11211,
                                           machines.balancer.netns))
    classes = re.findall(r'^slab class +\d+: chunk size +(\d+) perslab +\d+$',
                         process.log(), re.M)
    assert len(classes) > 5, process.log()
    assert len(re.findall(r'server listening', process.log())) >= 2


def test_memping_and_memstat_tell_whether_it_runs(t):
    machines = Machines(t)
    machines.start(machines.m1, machines.m2)
    for command in ('memcping', 'memcstat'):
        words = [command, f'--servers={machines.m1.ip4}:11211']
        netns = machines.balancer.netns
        assert t.run(*words, netns=netns).returncode == 0, command
    machines.kill(machines.m1)
    for command in ('memcping', 'memcstat'):
        words = [command, f'--servers={machines.m1.ip4}:11211']
        assert t.run(*words, netns=netns).returncode == 1, command

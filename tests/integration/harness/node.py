# SPDX-License-Identifier: BSD-3-Clause
"""A daemon under test, and a pair of them."""

import os

from harness.client import Client
from harness.process import Process, free_port, resident_bytes
from harness.wait import BOUND_S, NotInTime, wait_for


def bracketed(address):
    """HOST as it stands before :PORT."""
    return f'[{address}]' if ':' in address else address


class Node:
    """One daemon; start() may follow kill() as often as one likes."""

    def __init__(self, test, name, args=(), address='127.0.0.1', port=None,
                 netns=None, binary=None, env=None):
        self.test = test
        self.binary = binary or test.binary
        self.name = name
        self.address = address
        self.port = port or free_port()
        self.netns = netns
        self.env = env
        self.args = [str(word) for word in args]
        self.log_path = os.path.join(test.directory, name + '.log')
        self.process = None
        self._client = None

    def argv(self):
        words = []
        if self.netns:
            words = ['ip', 'netns', 'exec', self.netns]
        words += [self.binary, '-l', self.address, '-p', str(self.port)]
        if '-v' not in ' '.join(self.args):
            words.append('-v')
        if os.geteuid() == 0 and '-u' not in self.args:
            words += ['-u', 'root']
        return words + self.args

    def start(self, answer=True):
        """Starts it; returns when it serves clients, unless told not to
        wait."""
        self._client = None
        self.process = Process(self.argv(), self.log_path, self.env)
        self.test.processes.append((self.name, self.process))
        if answer:
            self.await_answer()
        return self

    def await_answer(self, bound_s=BOUND_S):
        def answers():
            client = self.client()
            client.send(b'version\r\n')
            line = client.line()
            client.close()
            return line.startswith(b'VERSION ')
        wait_for(f'{self.name} to serve clients', answers, bound_s)

    def client(self):
        """A new connection."""
        return Client(self.address, self.port, self.netns)

    @property
    def c(self):
        """The node's standing connection."""
        if self._client is None:
            self._client = self.client()
        return self._client

    @property
    def pid(self):
        return self.process.pid

    def forget_client(self):
        if self._client is not None:
            self._client.close()
            self._client = None

    def kill(self):
        self.forget_client()
        self.process.kill()

    def terminate(self):
        status = self.process.terminate()
        self.forget_client()
        return status

    def resident_bytes(self):
        return resident_bytes(self.pid)

    def log(self):
        return self.process.log()

    def stat(self, name):
        return int(self.c.stats()[name])

    def repl(self):
        """`stats replication`, numbers as numbers."""
        table = self.c.stats('replication')
        return {name: int(value) if value.lstrip('-').isdigit() else value
                for name, value in table.items()}

    def state(self):
        return self.repl()['repl_state']

    def await_state(self, *states, bound_s=BOUND_S):
        last = {}

        def reached():
            last.update(self.repl())
            return last['repl_state'] in states
        try:
            wait_for('', reached, bound_s)
        except NotInTime as error:
            raise NotInTime(f'{self.name} is to be {" or ".join(states)}; '
                            f'its statistics: {last or error}') from None


class Pair:
    """Two daemons that mirror each other."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.nodes = (a, b)

    @classmethod
    def on_loopback(cls, test, args=(), args_a=(), args_b=(),
                    address='127.0.0.1', binary=None):
        """Two nodes on one address, each with a replication port of its
        own."""
        port_a, port_b = free_port(), free_port()
        host = bracketed(address)
        a = Node(test, 'a', ['-X', port_a, '-x', f'{host}:{port_b}',
                             *args, *args_a], address, binary=binary)
        b = Node(test, 'b', ['-X', port_b, '-x', f'{host}:{port_a}',
                             *args, *args_b], address, binary=binary)
        a.repl_port, b.repl_port = port_a, port_b
        return cls(a, b)

    @classmethod
    def on_hosts(cls, test, host_a, host_b, args=(), family=4):
        """As users run it: one node a machine, default ports."""
        def make(name, host, peer):
            node = Node(test, name, ['-x', peer.address(family), *args],
                        host.address(family), 11211, host.netns)
            node.repl_port, node.host = 11212, host
            return node
        return cls(make('a', host_a, host_b), make('b', host_b, host_a))

    def start(self):
        self.a.start(answer=False)
        self.b.start(answer=False)
        for node in self.nodes:
            node.await_answer()
        return self.await_paired()

    def await_paired(self):
        for node in self.nodes:
            node.await_state('paired')
        return self

    def listener(self):
        """The node whose peer called it; the caller's port is closed."""
        return next(node for node in self.nodes
                    if node.repl()['repl_role'] == 'listener')

    def settle(self):
        """Returns when both have confirmed all that the other wrote."""
        def quiet():
            tables = [node.repl() for node in self.nodes]
            return all(table['repl_state'] == 'paired' and
                       table['repl_lag_ops'] == 0 for table in tables)
        wait_for('both nodes paired with nothing in flight', quiet)
        return self

    def verify(self):
        """Both nodes compare all that they hold, and find no difference."""
        for node in self.nodes:
            line = node.c.command('repl verify')
            assert line.startswith('VERIFY '), f'{node.name}: {line}'
            node.c.expect(b'END\r\n')
            found = dict(word.split('=') for word in line.split()[1:])
            del found['items']
            assert set(found.values()) == {'0'}, f'{node.name}: {line}'

    def await_equal(self, keys):
        """Returns when both nodes hold the same of these keys, with equal
        flags, versions and values; returns that content."""
        keys = list(keys)

        def difference():
            held_a, held_b = (node.c.get_many(keys) for node in self.nodes)
            return {key: (held_a.get(key), held_b.get(key)) for key in keys
                    if held_a.get(key) != held_b.get(key)}, held_a
        last = {}

        def equal():
            differing, held = difference()
            last['differing'] = differing
            last['held'] = held
            return not differing
        try:
            wait_for('equal contents', equal)
        except NotInTime:
            differing = last.get('differing', {})
            some = dict(list(differing.items())[:5])
            raise AssertionError(
                f'{len(differing)} of {len(keys)} keys differ (a, b): {some}'
            ) from None
        return last['held']

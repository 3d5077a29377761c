# SPDX-License-Identifier: BSD-3-Clause
"""A memcached client that hides nothing: bytes out, exact bytes in."""

import ctypes
import os
import re
import socket

REPLY_BOUND_S = 20
CLONE_NEWNET = 0x40000000
READ_BYTES = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns')


class inside:
    """While it lasts, sockets are made in the named network namespace."""

    def __init__(self, netns):
        self.netns = netns

    def __enter__(self):
        if self.netns is None:
            return
        self.home = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        there = os.open('/run/netns/' + self.netns, os.O_RDONLY)
        try:
            _setns(there)
        finally:
            os.close(there)

    def __exit__(self, *_):
        if self.netns is None:
            return
        _setns(self.home)
        os.close(self.home)


def connect(address, port, netns=None, bound_s=REPLY_BOUND_S):
    """A connected TCP socket that sends small writes at once."""
    with inside(netns):
        sock = socket.create_connection((address, port), timeout=bound_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def shorten(data, most=300):
    """Bytes for a message: long ones lose their middle."""
    data = bytes(data)
    if len(data) <= most:
        return repr(data)
    half = most // 2
    return f'{data[:half]!r}...{data[-half:]!r} ({len(data)} bytes)'


class Client:
    """One connection.

    expect() compares as the bytes arrive, so a wrong reply fails at once and
    a short one fails by the bound."""

    def __init__(self, address, port, netns=None):
        self.sock = connect(address, port, netns)
        self.pending = bytearray()  # Cheap to cut off the front of.

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def send_bytewise(self, data):
        """Each byte in a packet of its own."""
        for i in range(len(data)):
            self.sock.sendall(data[i:i + 1])

    def _more(self):
        data = self.sock.recv(READ_BYTES)
        if not data:
            raise EOFError(f'connection ended after {shorten(self.pending)}')
        self.pending += data

    def read(self, count):
        while len(self.pending) < count:
            self._more()
        data = bytes(self.pending[:count])
        del self.pending[:count]
        return data

    def read_until(self, end):
        """Everything up to and with the first `end`."""
        searched = 0
        while True:
            at = self.pending.find(end, searched)
            if at >= 0:
                return self.read(at + len(end))
            searched = max(0, len(self.pending) - len(end))
            self._more()

    def line(self):
        return self.read_until(b'\r\n')[:-2]

    def expect(self, reply):
        while len(self.pending) < len(reply):
            assert self.pending == reply[:len(self.pending)], (
                f'expected {shorten(reply)}, got {shorten(self.pending)}')
            try:
                self._more()
            except (TimeoutError, EOFError) as error:
                raise AssertionError(
                    f'expected {shorten(reply)}, got {shorten(self.pending)}, '
                    f'then {error!r}') from None
        got = self.read(len(reply))
        assert got == reply, f'expected {shorten(reply)}, got {shorten(got)}'

    def expect_end(self):
        """The server has closed, and said nothing more."""
        while True:
            try:
                data = self.sock.recv(READ_BYTES)
            except ConnectionResetError:
                data = b''
            if not data:
                break
            self.pending += data
        assert self.pending == b'', (
            f'expected the end, got {shorten(self.pending)}')

    def ask(self, request, reply):
        """Sends request; the reply must be these bytes."""
        self.send(request)
        self.expect(reply)

    def gives(self, request, reply):
        """Whether this is what comes back; a wrong byte is enough to know."""
        self.send(request)
        while len(self.pending) < len(reply) and \
                self.pending == reply[:len(self.pending)]:
            self._more()
        got = self.read(len(self.pending))
        return got == reply

    def command(self, text):
        """Sends one line; returns the one-line reply."""
        self.send(text.encode() + b'\r\n')
        return self.line().decode()

    def set(self, key, value, flags=0, ttl=0, verb='set'):
        if isinstance(value, str):
            value = value.encode()
        self.send(b'%s %s %d %d %d\r\n%s\r\n' % (
            verb.encode(), key.encode(), flags, ttl, len(value), value))
        return self.line().decode()

    def gets(self, key):
        """(flags, cas, value), or None on a miss."""
        self.send(b'gets %s\r\n' % key.encode())
        head = self.line()
        if head == b'END':
            return None
        match = re.fullmatch(rb'VALUE (\S+) (\d+) (\d+) (\d+)', head)
        assert match, f'not a VALUE line: {head!r}'
        value = self.read(int(match[3]))
        self.expect(b'\r\nEND\r\n')
        return int(match[2]), int(match[4]), value

    def get(self, key):
        """The value, or None on a miss."""
        found = self.gets(key)
        return None if found is None else found[2]

    def stats(self, what=''):
        """`stats WHAT` as a dictionary of strings."""
        self.send(f'stats {what}'.strip().encode() + b'\r\n')
        table = {}
        while True:
            line = self.line().decode()
            if line == 'END':
                return table
            word, name, value = (line.split(' ', 2) + ['', ''])[:3]
            assert word == 'STAT', f'stats {what}: {line!r}'
            table[name] = value

    def store_many(self, pairs, ttl=0, flags=0, batch=500):
        """Sets many keys, pipelined; every one must be STORED."""
        for group in _groups(pairs, batch):
            self.send(b''.join(
                b'set %s %d %d %d\r\n%s\r\n' % (
                    key.encode(), flags, ttl, len(value), value)
                for key, value in group))
            self.expect(b'STORED\r\n' * len(group))

    def get_many(self, keys, batch=500):
        """{key: (flags, cas, value)} of those that are there."""
        found = {}
        for group in _groups(keys, batch):
            self.send(b'gets ' + ' '.join(group).encode() + b'\r\n')
            while True:
                words = self.line().split(b' ')
                if words == [b'END']:
                    break
                assert words[0] == b'VALUE' and len(words) == 5, words
                value = self.read(int(words[3]))
                self.expect(b'\r\n')
                found[words[1].decode()] = (
                    int(words[2]), int(words[4]), value)
        return found


def _groups(things, size):
    things = list(things)
    return [things[i:i + size] for i in range(0, len(things), size)]

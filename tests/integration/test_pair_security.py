# SPDX-License-Identifier: BSD-3-Clause
"""TLS between the nodes: who is let in, what can be read on the way."""

import hashlib
import os
import random
import signal
import socket
import ssl
import threading

from harness.client import connect
from harness.context import deadline
from harness.node import Node, Pair
from harness.process import free_port
from harness.tls import Authority
from harness.wait import wait_for

SECRET = 'c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0\n'
OTHER_SECRET = 'b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=\n'
TLS_RECORDS = (0x14, 0x15, 0x16, 0x17)


def write_secret(t, name, text=SECRET, mode=0o600):
    path = t.path(name)
    with open(path, 'w') as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def by_secret(path):
    return ['-o', f'repl_secret={path}']


def by_certificate(authority, name, trusts=None, more='', days=2):
    cert, key = authority.issue(name, days=days)
    return by_files(trusts or authority, cert, key, more)


def by_files(authority, cert, key, more):
    return ['-o', f'repl_tls_cert={cert},repl_tls_key={key},'
                  f'repl_tls_ca={authority.cert}{more}']


def make_pair(t, args_a, args_b):
    return Pair.on_loopback(t, args_a=args_a, args_b=args_b)


def secret_pair(t):
    pair = make_pair(t, by_secret(write_secret(t, 'secret_a')),
                     by_secret(write_secret(t, 'secret_b')))
    return pair.start()


class Wiretap:
    """Stands before a port and keeps all that goes through."""

    def __init__(self, test, port):
        self.target = port
        self.heard = bytearray()
        self.first = []
        self.lock = threading.Lock()
        self.server = socket.create_server(('127.0.0.1', 0))
        self.port = self.server.getsockname()[1]
        self.sockets = [self.server]
        test.defer(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self):
        while True:
            try:
                caller, _ = self.server.accept()
            except OSError:
                return
            try:
                called = socket.create_connection(('127.0.0.1', self.target))
            except OSError:
                caller.close()
                continue
            self.sockets += [caller, called]
            for pair in ((caller, called), (called, caller)):
                threading.Thread(target=self._carry, args=pair,
                                 daemon=True).start()

    def _carry(self, source, target):
        began = False
        try:
            while data := source.recv(1 << 16):
                with self.lock:
                    self.heard += data
                    if not began:
                        self.first.append(data[0])
                began = True
                target.sendall(data)
        except OSError:
            pass
        for sock, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            try:
                sock.shutdown(how)
            except OSError:
                pass

    def bytes(self):
        with self.lock:
            return bytes(self.heard)


def tapped_pair(t, args=()):
    """All that two nodes say to each other goes by a wiretap."""
    ports = free_port(), free_port()
    taps = [Wiretap(t, port) for port in ports]
    nodes = [Node(t, name, ['-X', port, '-x', f'127.0.0.1:{tap.port}', *args])
             for name, port, tap in zip('ab', ports, reversed(taps))]
    return Pair(*nodes).start(), taps


def fill(pair, mark):
    big = os.urandom(30_000).hex().encode()
    pair.a.c.store_many([(f'{mark}key{n}', b'%sval%d' % (mark.encode(), n))
                         for n in range(200)])
    assert pair.b.c.set(f'{mark}big', big) == 'STORED'
    pair.settle()
    assert pair.b.c.command(f'delete {mark}key7') == 'DELETED'
    pair.settle()
    held = pair.await_equal([f'{mark}key{n}' for n in range(200)] +
                            [f'{mark}big'])
    assert len(held) == 200
    pair.verify()
    return big


def test_with_a_secret_nothing_is_readable_on_the_way(t):
    mark = f'm{random.randrange(1 << 40):x}'
    pair, taps = tapped_pair(t)
    big = fill(pair, mark)
    heard = b''.join(tap.bytes() for tap in taps)
    # Without a secret the tap hears everything: it is a tap.
    assert mark.encode() in heard and big[100:200] in heard
    for node in pair.nodes:
        assert node.repl()['repl_tls'] == 'none'
        node.terminate()

    path = write_secret(t, 'secret')
    pair, taps = tapped_pair(t, by_secret(path))
    big = fill(pair, mark)
    heard = b''.join(tap.bytes() for tap in taps)
    assert len(heard) > 30_000
    assert mark.encode() not in heard and big[100:200] not in heard
    assert SECRET.strip().encode() not in heard
    first = sum((tap.first for tap in taps), [])
    assert first and all(byte in TLS_RECORDS for byte in first), first
    for node in pair.nodes:
        assert node.repl()['repl_tls'].startswith('psk TLSv1.3 TLS_')


def test_a_pair_by_certificates(t):
    ca = Authority(t)
    alpha, beta = ca.issue('alpha'), ca.issue('beta')
    with open(alpha[0]) as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    pin = 'sha256:' + hashlib.sha256(der).hexdigest().upper()
    pair = make_pair(
        t, by_files(ca, *alpha, ',repl_tls_peer=127.0.0.1'),
        by_files(ca, *beta, f',repl_tls_peer={pin}'))
    for _ in pair.nodes:
        pair.start()
        assert pair.a.c.set('k', 'x') == 'STORED'
        pair.settle()
        assert pair.b.c.get('k') == b'x'
        for node in pair.nodes:
            assert node.repl()['repl_tls'].startswith('cert TLSv1.3 TLS_')
        # Who called is called, and the other way round.
        for node in pair.nodes:
            node.terminate()
        pair = Pair(pair.b, pair.a)


def has_words(node, *words):
    wait_for(f'{words} in the log of {node.name}',
             lambda: all(word in node.log() for word in words))


def refused(pair, words_a, words_b):
    """Node a serves and is called by b, which stays closed to clients."""
    pair.a.start()
    pair.a.await_state('alone')
    assert pair.a.c.set('mine', 'x') == 'STORED'
    pair.b.start(answer=False)
    has_words(pair.a, 'replication: refused a connection', words_a)
    has_words(pair.b, 'replication: no secure link', words_b)
    assert pair.a.repl()['repl_refused'] > 0
    assert pair.a.state() == 'alone'
    try:
        pair.b.client().close()
        raise AssertionError('b serves clients')
    except ConnectionRefusedError:
        pass


def test_another_secret_is_refused_until_it_is_the_same(t):
    path = write_secret(t, 'secret_b', OTHER_SECRET)
    pair = make_pair(t, by_secret(write_secret(t, 'secret_a')),
                     by_secret(path))
    refused(pair, 'the peer has another secret', 'the peer has another secret')
    log_lines = pair.b.log().count('no secure link')
    assert log_lines == 1, 'each try makes a line'
    write_secret(t, 'secret_b')
    os.kill(pair.b.pid, signal.SIGHUP)
    pair.b.await_answer()
    pair.await_paired()
    assert pair.b.c.get('mine') == b'x'


def test_one_node_without_a_secret_is_refused(t):
    path = write_secret(t, 'secret')
    pair = make_pair(t, by_secret(path), [])
    refused(pair, 'speaks without TLS', 'only one of the two nodes has')
    for node in pair.nodes:
        node.kill()
    pair = make_pair(t, [], by_secret(path))
    refused(pair, 'it speaks TLS, and this node has neither',
            'it speaks without TLS')


def test_certificates_of_others_and_of_yesterday_are_refused(t):
    ca, foreign = Authority(t), Authority(t, 'foreign')
    good = by_certificate(ca, 'good')
    for args, words_a, words_b in (
            (by_certificate(foreign, 'stray', trusts=ca),
             'unable to get local issuer', 'the peer objects'),
            (by_certificate(ca, 'late', days=0),
             'has expired', 'the peer objects'),
            (by_certificate(ca, 'choosy', more=',repl_tls_peer=else'),
             'the peer objects', 'is not that of repl_tls_peer (else)'),
            (by_secret(write_secret(t, 'secret')),
             'the peer objects', 'has certificates and no secret')):
        pair = make_pair(t, good, args)
        for node in pair.nodes:
            if os.path.exists(node.log_path):
                os.remove(node.log_path)
        refused(pair, words_a, words_b)
        for node in pair.nodes:
            node.kill()


def await_in_log(node, words, before):
    wait_for(f'{words} again in the log of {node.name}',
             lambda: node.log().count(words) > before)


def test_files_are_read_again_without_dropping_the_link(t):
    pair = secret_pair(t)
    old = [node.repl()['repl_reconnects'] for node in pair.nodes]
    for node in pair.nodes:
        write_secret(t, f'secret_{node.name}', OTHER_SECRET)
        os.kill(node.pid, signal.SIGHUP)
        await_in_log(node, 'reading files again', 0)
    assert pair.a.c.set('k', 'over the old one') == 'STORED'
    pair.settle()
    assert pair.b.c.get('k') == b'over the old one'
    assert [node.repl()['repl_reconnects'] for node in pair.nodes] == old
    # What cannot be used is said, and changes nothing.
    for node in pair.nodes:
        write_secret(t, f'secret_{node.name}', OTHER_SECRET, 0o644)
        os.kill(node.pid, signal.SIGHUP)
        has_words(node, 'goes on with the old secret', 'mode 0644')
        write_secret(t, f'secret_{node.name}', OTHER_SECRET)
    # The next link takes the new one: a node that starts has no other.
    pair.b.kill()
    pair.b.start()
    pair.await_paired()
    assert pair.b.c.get('k') == b'over the old one'


def test_garbage_and_half_handshakes_cost_nothing(t):
    pair = secret_pair(t)
    listener = pair.listener()
    assert listener.c.set('k', 'x') == 'STORED'
    rng = random.Random(1)
    hello = bytes.fromhex('160301020001 0001fc0303'.replace(' ', ''))
    cases = [b'', b'\x16', hello, hello + rng.randbytes(507),
             b'\x16\x03\x01\xff\xff' + rng.randbytes(70_000),
             b'\x00\x00\x00\x10\x00\x00\x00\x01', rng.randbytes(100_000),
             b'get k\r\n', b'\x17\x03\x03\x00\x20' + bytes(32)]
    for data in cases * 2:
        sock = connect('127.0.0.1', listener.repl_port)
        got = b''
        try:
            sock.sendall(data)
            while chunk := sock.recv(4096):
                got += chunk
        except ConnectionError:
            pass
        sock.close()
        assert b'x' not in got[12:] or len(got) < 300, (data[:20], got)
    assert pair.a.state() == pair.b.state() == 'paired'
    assert [node.repl()['repl_reconnects'] for node in pair.nodes] == [0, 0]
    other = pair.a if listener is pair.b else pair.b
    assert listener.c.set('k', 'y') == 'STORED'
    pair.settle()
    assert other.c.get('k') == b'y'


@deadline(180)
def test_two_hundred_thousand_items_come_over_tls(t):
    path = write_secret(t, 'secret')
    pair = Pair.on_loopback(t, ['-m', '256', *by_secret(path)])
    pair.a.start()
    keys = [f'k{number}' for number in range(200_000)]
    pair.a.c.store_many((key, b'v' * 100) for key in keys)
    large = os.urandom(900_000)
    assert pair.a.c.set('large', large) == 'STORED'
    pair.b.start()
    pair.await_paired()
    pair.settle()
    assert pair.b.stat('curr_items') == len(keys) + 1
    assert pair.b.c.get('large') == large
    assert len(pair.await_equal(keys[::37])) == len(keys[::37])
    assert pair.b.repl()['repl_resync_kind'] == 'full'
    pair.verify()


def fails(t, words, *args):
    done = t.run(t.binary, '-u', 'root', '-l', '127.0.0.1', '-p', free_port(),
                 '-X', free_port(), *args)
    assert done.returncode != 0, done
    assert words in done.stderr, done


def test_a_start_says_what_is_wrong_with_the_files(t):
    good = write_secret(t, 'good')
    cert, key = Authority(t).issue('node')
    fails(t, 'No such file', '-o', f'repl_secret={t.path("none")}')
    fails(t, 'make it 0600', '-o',
          f'repl_secret={write_secret(t, "open", mode=0o640)}')
    fails(t, 'too short', '-o',
          f'repl_secret={write_secret(t, "short", "x" * 15)}')
    fails(t, 'leave out one of them', '-o',
          f'repl_secret={good},repl_tls_cert={cert}')
    fails(t, 'repl_tls_ca', '-o', f'repl_tls_cert={cert},repl_tls_key={key}')
    fails(t, 'take a repl_tls_cert', '-o', f'repl_tls_ca={cert}')
    fails(t, 'repl_tls_key', '-o', f'repl_tls_cert={cert},repl_tls_ca={cert}')
    fails(t, 'CA certificates', '-o', f'repl_tls_cert={cert},repl_tls_key='
          f'{key},repl_tls_ca={good}')


def test_an_open_port_without_a_secret_is_said_once(t):
    warning = 'without repl_secret or repl_tls_cert'
    port = free_port()
    node = Node(t, 'open', ['-X', free_port(), '-x', f'127.0.0.1:{port}'],
                address='0.0.0.0')
    node.start()
    assert node.log().count(warning) == 1
    node.terminate()
    path = write_secret(t, 'secret')
    node = Node(t, 'closed', ['-X', free_port(), '-x', f'127.0.0.1:{port}',
                              *by_secret(path)], address='0.0.0.0').start()
    assert warning not in node.log()
    node = Node(t, 'inner', ['-X', free_port(), '-x',
                             f'127.0.0.1:{port}']).start()
    assert warning not in node.log()

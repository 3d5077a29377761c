# SPDX-License-Identifier: BSD-3-Clause
"""Replies that wait until the peer has what they tell of."""

import os
import random
import select
import signal
import threading

from harness.binary import count, encode, request, store, touch
from harness.client import REPLY_BOUND_S
from harness.context import deadline
from harness.node import Pair
from harness.tls import Authority, TlsNode
from harness.wait import wait_for

TURNS = 100_000
# Nothing here takes longer but what a test stops for good.
LONG = ('-t', '1', '-o', 'repl_ack_timeout=10000,repl_timeout=60000')
# A machine that tests run on may be busy for longer than any client waits.
PATIENT = ('-t', '2', '-o', 'repl_ack_timeout=5000,repl_timeout=10000')


def pair_of(t, mode, *args, **how):
    pair = t.pair(*(('-o', f'repl_ack={mode}') if mode else ()),
                  *args, **how)
    if mode != 'async':
        await_on(*pair.nodes)
    return pair


def await_on(*nodes):
    for node in nodes:
        wait_for(f'{node.name} to wait for its peer',
                 lambda: node.repl()['repl_semisync_on'])


def counts(node):
    table = node.repl()
    return [table['repl_semisync_' + name]
            for name in ('waits', 'timeouts', 'unconfirmed')]


def is_silent(client):
    return not client.pending and not select.select([client.sock], [], [],
                                                    0)[0]


def stop(node):
    """Returns when every thread of it stands still."""
    def stands(task):
        with open(f'/proc/{node.pid}/task/{task}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] == 'T'
    node.process.freeze()
    wait_for(f'{node.name} to stand still', lambda: all(
        map(stands, os.listdir(f'/proc/{node.pid}/task'))))


class stopped:
    """While it lasts the node does nothing."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        stop(self.node)

    def __exit__(self, *_):
        self.node.process.thaw()


def ask_held(pair, client, data, reply):
    """The reply comes, and not before the peer goes on."""
    before = counts(pair.a)[0]
    with stopped(pair.b):
        client.send(data)
        wait_for(f'{data[:40]!r} to wait',
                 lambda: counts(pair.a)[0] == before + 1)
        # Others go on, and it does not.
        pair.a.c.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
        assert is_silent(client), data[:40]
    client.expect(reply)


def ask_at_once(pair, client, data, reply):
    before = counts(pair.a)
    with stopped(pair.b):
        client.ask(data, reply)
    assert counts(pair.a) == before


BIG = b'x' * 500_000

TEXT = [
    (b'set k 0 0 1\r\n1\r\n', b'STORED\r\n'),
    (b'append k 0 0 1\r\n0\r\n', b'STORED\r\n'),
    (b'incr k 5\r\n', b'15\r\n'),
    (b'touch k 1000\r\n', b'TOUCHED\r\n'),
    (b'touch k 500\r\n', b'TOUCHED\r\n'),
    (b'gat 100 k\r\n', b'VALUE k 0 2\r\n15\r\nEND\r\n'),
    (b'delete k\r\n', b'DELETED\r\n'),
    (b'delete k\r\n', b'NOT_FOUND\r\n'),
    (b'add k 0 0 1\r\n7\r\n', b'STORED\r\n'),
    (b'set k 0 -1 1\r\n7\r\n', b'STORED\r\n'),
    (b'set big 0 0 %d\r\n%s\r\n' % (len(BIG), BIG), b'STORED\r\n'),
    (b'flush_all\r\n', b'OK\r\n'),
    (b'ms k 2 T90\r\nab\r\n', b'HD\r\n'),
    (b'md k I T30\r\n', b'HD\r\n'),
    (b'mg k v\r\n', b'VA 2 X W\r\nab\r\n'),
    (b'md k\r\n', b'HD\r\n'),
    (b'mg k N30 v\r\n', b'VA 0 W\r\n\r\n'),
    (b'ma n N0 J3 v\r\n', b'VA 1\r\n3\r\n'),
    (b'set quiet 0 0 1 noreply\r\nx\r\nincr n 1\r\n', b'4\r\n'),
    (b'ms q 1 q\r\nx\r\nmn\r\n', b'MN\r\n'),
]
AT_ONCE = [
    (b'get n\r\n', b'VALUE n 0 1\r\n4\r\nEND\r\n'),
    (b'set quiet 0 0 1 noreply\r\nx\r\nget nothing\r\n', b'END\r\n'),
    (b'add n 0 0 1\r\n1\r\n', b'NOT_STORED\r\n'),
    (b'verbosity 1\r\n', b'OK\r\n'),
]


def check_text(pair, client):
    for data, reply in TEXT:
        ask_held(pair, client, data, reply)
    for data, reply in AT_ONCE:
        ask_at_once(pair, client, data, reply)


@deadline(120)
def test_replies_to_writes_wait_for_the_peer(t):
    for mode in ('received', 'applied'):
        pair = pair_of(t, mode, *LONG)
        check_text(pair, pair.a.client())
        for node in pair.nodes:
            node.terminate()


@deadline(120)
def test_replies_of_the_binary_protocol_wait_for_the_peer(t):
    pair = pair_of(t, 'applied', *LONG)
    client = pair.a.client()
    for number, one in enumerate((
            store('set', b'k', b'1'), count('incr', b'k'),
            touch('touch', b'k', 100), request('append', b'k', b'0'),
            request('delete', b'k'), store('add', b'big', BIG),
            request('flush'))):
        before = counts(pair.a)[0]
        with stopped(pair.b):
            client.send(encode([one]))
            wait_for(f'request {number} to wait',
                     lambda: counts(pair.a)[0] == before + 1)
            assert is_silent(client), number
        head = client.read(24)
        assert head[:1] == b'\x81' and head[6:8] == b'\0\0', (number, head)
        client.read(int.from_bytes(head[8:12], 'big'))
    before = counts(pair.a)[0]
    with stopped(pair.b):
        client.send(encode([store('setq', b'k', b'1'), request('noop')]))
        wait_for('a quiet write to make the noop wait',
                 lambda: counts(pair.a)[0] == before + 1)
        assert is_silent(client)
    assert client.read(24)[1:2] == b'\x0a'


@deadline(120)
def test_replies_over_tls_wait_for_the_peer(t):
    pair = Pair.on_loopback(t, LONG, args_b=('-o', 'repl_ack=async'))
    a = TlsNode(t, Authority(t), [*pair.a.args, '-o', 'repl_ack=applied'],
                name='a')
    a.repl_port = pair.a.repl_port
    pair = Pair(a, pair.b).start()
    await_on(a)
    client = a.tls()
    client.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
    check_text(pair, client)


def test_a_pipeline_waits_once_and_stays_in_order(t):
    pair = pair_of(t, 'applied', *LONG)
    client = pair.a.client()
    keys = [b'k%d' % number for number in range(2000)]
    with stopped(pair.b):
        client.send(b''.join(b'set %s 0 0 %d\r\n%s\r\nget %s\r\n' % (
            key, len(key), key, key) for key in keys))
        wait_for('the pipeline to wait', lambda: counts(pair.a)[0] == 1)
        assert is_silent(client)
    client.expect(b''.join(b'STORED\r\nVALUE %s 0 %d\r\n%s\r\nEND\r\n' % (
        key, len(key), key) for key in keys))
    # A turn of a connection is what waits, and it has many requests.
    assert counts(pair.a)[0] < 400
    # Large replies behind a write, several sinks of them.
    client.ask(b'set big 0 0 %d\r\n%s\r\n' % (len(BIG), BIG), b'STORED\r\n')
    value = b'VALUE big 0 %d\r\n%s\r\nEND\r\n' % (len(BIG), BIG)
    client.send(b'set k 0 0 1\r\nx\r\n' + b'get big\r\n' * 20 +
                b'delete k\r\n')
    client.expect(b'STORED\r\n' + value * 20 + b'DELETED\r\n')
    client.send(b'set k 0 0 1\r\nx\r\nquit\r\n')
    client.expect(b'STORED\r\n')
    client.expect_end()


def test_only_keys_of_a_prefix_wait(t):
    pair = pair_of(t, None, *LONG, '-o',
                   'repl_ack_prefix=lock.:applied,'
                   'repl_ack_prefix=lock.own.:async', '-o',
                   'repl_ack_prefix=a:b:received')
    client = pair.a.client()
    for key in (b'lock.', b'lock.own', b'lock.x', b'a:b', b'a:bc'):
        ask_held(pair, client, b'set %s 0 0 1\r\n1\r\n' % key, b'STORED\r\n')
    ask_held(pair, client, b'mn\r\nset k 0 0 1\r\nx\r\ndelete lock.x\r\n',
             b'MN\r\nSTORED\r\nDELETED\r\n')
    ask_held(pair, client, b'flush_all\r\n', b'OK\r\n')
    for key in (b'lock', b'lock.own.', b'a:', b'k'):
        ask_at_once(pair, client, b'set %s 0 0 1\r\n1\r\n' % key,
                    b'STORED\r\n')
    settings = pair.a.c.stats('settings')
    assert settings['repl_ack'] == 'async'
    assert settings['repl_ack_prefix'] == \
        'lock.:applied,lock.own.:async,a:b:received'
    assert settings['repl_ack_timeout'] == '10000'


def test_without_a_peer_nothing_waits(t):
    pair = pair_of(t, 'applied', *LONG)
    client = pair.a.client()
    before = counts(pair.a)
    pair.b.kill()
    pair.a.await_state('alone')
    for number in range(100):
        client.ask(b'set k%d 0 0 1\r\nx\r\n' % number, b'STORED\r\n')
    waits, timeouts, unconfirmed = counts(pair.a)
    assert (waits, timeouts) == (before[0], 0)
    assert unconfirmed == 100
    assert pair.a.repl()['repl_semisync_on'] == 0
    pair.b.start()
    pair.await_paired()
    await_on(*pair.nodes)
    assert set(pair.b.c.get_many(f'k{n}' for n in range(100))) == {
        f'k{n}' for n in range(100)}
    ask_held(pair, client, b'set k 0 0 1\r\nx\r\n', b'STORED\r\n')


def test_a_reply_waits_no_more_when_the_peer_dies(t):
    pair = pair_of(t, 'applied', *LONG)
    client = pair.a.client()
    stop(pair.b)
    client.send(b'set k 0 0 1\r\nx\r\n')
    wait_for('it to wait', lambda: counts(pair.a)[0] == 1)
    pair.b.kill()
    client.expect(b'STORED\r\n')
    assert counts(pair.a)[1:] == [0, 1]


def test_who_takes_too_long_is_not_waited_for_until_quick_again(t):
    pair = pair_of(t, 'applied', '-o',
                   'repl_ack_timeout=400,repl_timeout=60000')
    clients = [pair.a.client() for _ in range(8)]
    for _ in range(2):
        before = counts(pair.a)
        with stopped(pair.b):
            for client in clients:
                client.send(b'set k 0 0 1\r\nx\r\n')
            for client in clients:
                client.expect(b'STORED\r\n')
            waits, timeouts, unconfirmed = counts(pair.a)
            assert 1 <= timeouts - before[1] <= len(clients)
            assert unconfirmed - before[2] == len(clients)
            assert pair.a.repl()['repl_semisync_on'] == 0
            for client in clients * 10:
                client.ask(b'set k 0 0 1\r\ny\r\n', b'STORED\r\n')
            assert counts(pair.a) == [waits, timeouts,
                                      unconfirmed + 10 * len(clients)]
            assert pair.a.repl()['repl_state'] == 'paired'
        # Writes go on, and are what shows that it is quick.
        wait_for('the peer to be waited for again', lambda: (
            clients[0].set('k', 'z') == 'STORED' and
            pair.a.repl()['repl_semisync_on']))
        assert clients[1].set('k', 'last') == 'STORED'
        assert pair.b.c.get('k') == b'last'
    assert 'takes long to confirm' in pair.a.log()
    assert 'quickly again' in pair.a.log()


def test_a_client_that_leaves_while_it_waits_harms_nobody(t):
    pair = pair_of(t, 'applied', *LONG)
    with stopped(pair.b):
        for number in range(50):
            client = pair.a.client()
            client.send(b'set k%d 0 0 1\r\nx\r\n' % number)
            if number % 2:
                client.close()
        wait_for('all to wait', lambda: counts(pair.a)[0] == 50)
    wait_for('those to be gone',
             lambda: pair.a.stat('curr_connections') <= 30)
    ask_held(pair, pair.a.client(), b'delete k1\r\n', b'DELETED\r\n')


def test_a_stop_waits_for_what_is_held_back(t):
    pair = pair_of(t, 'applied', *LONG)
    client = pair.a.client()
    stop(pair.b)
    client.send(b'set k 0 0 1\r\nx\r\n')
    wait_for('it to wait', lambda: counts(pair.a)[0] == 1)
    pair.a.forget_client()
    pair.a.process.end_expected = True
    pair.a.process.signal(signal.SIGTERM)
    pair.b.process.thaw()
    client.expect(b'STORED\r\n')
    client.expect_end()
    wait_for('the write at the peer', lambda: pair.b.c.get('k') == b'x')


# ---- reading through the other node ----

class Turns:
    """Writes through one connection and reads through the other at once."""

    def __init__(self, proxy, name, depth, turns):
        # Round robin: the two are at different nodes.
        self.ends = [proxy.client(), proxy.client()]
        self.name, self.depth, self.turns = name, depth, turns
        self.stale = 0

    def run(self):
        for number in range(0, self.turns, self.depth):
            writer, reader = self.ends[::1 if number // self.depth % 2 else -1]
            keys = [b'%s.%d' % (self.name, place % 500)
                    for place in range(number, number + self.depth)]
            value = b'%d' % number
            writer.send(b''.join(b'set %s 0 0 %d\r\n%s\r\n' % (
                key, len(value), value) for key in keys))
            writer.expect(b'STORED\r\n' * len(keys))
            reader.send(b''.join(b'get %s\r\n' % key for key in keys))
            for _ in keys:
                head = reader.line()
                if head == b'END':
                    self.stale += 1
                    continue
                self.stale += reader.line() != value
                assert reader.line() == b'END'


@deadline(300)
def test_behind_a_balancer_a_client_reads_what_it_wrote(t):
    pair = pair_of(t, 'applied', *PATIENT)
    proxy = t.haproxy(pair)
    depths = [1, 1, 10, 50, 100] if not t.long_run else [1] * 5
    singles = TURNS // 5 if t.long_run else 2000
    rest = (TURNS - singles * depths.count(1)) // (5 - depths.count(1) or 1)
    runs = [Turns(proxy, b'turns%d' % number, depth,
                  singles if depth == 1 else rest)
            for number, depth in enumerate(depths)]
    threads = [threading.Thread(target=run.run) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(run.turns for run in runs) >= TURNS - 5
    assert [run.stale for run in runs] == [0] * len(runs)
    for node in pair.nodes:
        waits, timeouts, unconfirmed = counts(node)
        assert waits > 0 and timeouts == unconfirmed == 0, node.name


# ---- a node that dies ----

class Writer(threading.Thread):
    """Writes until its node dies; knows what was acknowledged."""

    def __init__(self, node, name, depth):
        super().__init__()
        self.client = node.client()
        self.name_, self.depth = name, depth
        self.acknowledged = 0
        self.failure = None

    def key(self, number):
        return f'{self.name_}.{number}'

    def run(self):
        draw = random.Random(self.depth)
        try:
            while True:
                size = draw.choice((1, 100, 3000, 20_000))
                first = self.acknowledged
                self.client.send(b''.join(
                    b'set %s 0 0 %d\r\n%s\r\n' % (
                        self.key(number).encode(), size, b'x' * size)
                    for number in range(first, first + self.depth)))
                for _ in range(self.depth):
                    line = self.client.line()
                    assert line == b'STORED', line
                    self.acknowledged += 1
        except (OSError, EOFError):
            pass  # Its node is dead.
        except Exception as error:
            self.failure = error


@deadline(240)
def test_what_was_acknowledged_outlives_the_node(t):
    pair = pair_of(t, 'applied', *PATIENT, '-m', '512')
    for turn in range(6):
        dying, other = pair.nodes[::1 if turn % 2 else -1]
        writers = [Writer(dying, f't{turn}w{depth}', depth)
                   for depth in (1, 2, 20, 50)]
        for writer in writers:
            writer.start()
        wait_for('some writes', lambda: all(
            writer.acknowledged > 200 for writer in writers))
        assert counts(dying)[1:] == [0, 0]
        dying.kill()
        for writer in writers:
            writer.join(REPLY_BOUND_S)
            assert writer.failure is None, writer.failure
            keys = [writer.key(number)
                    for number in range(writer.acknowledged)]
            lost = set(keys) - set(other.c.get_many(keys))
            assert not lost, (turn, len(lost), len(keys))
        dying.start()
        pair.await_paired()
        await_on(*pair.nodes)
        assert other.c.command('flush_all') == 'OK'
        pair.settle()

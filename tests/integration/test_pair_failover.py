# SPDX-License-Identifier: BSD-3-Clause
"""A node dies, freezes, stops and comes back; its peer serves on."""

import random
import re
import signal
import socket

from harness.client import connect
from harness.context import deadline
from harness.node import Node, Pair
from harness.process import Process, free_port
from harness.wait import wait_for

MIB = 1 << 20


def keys_of(count, prefix='k'):
    return [f'{prefix}{number}' for number in range(count)]


def fill(node, keys, size=100):
    node.c.store_many((key, key.encode().ljust(size, b'.')) for key in keys)


def check_holds(node, keys, size=100):
    held = node.c.get_many(keys)
    assert len(held) == len(keys), (
        f'{node.name} holds {len(held)} of {len(keys)}')
    for key in keys:
        assert held[key][2] == key.encode().ljust(size, b'.'), key


def test_the_survivor_serves_on_and_listens(t):
    pair = t.pair()
    keys = keys_of(1000)
    fill(pair.a, keys)
    pair.settle()
    pair.a.kill()
    check_holds(pair.b, keys)
    pair.b.await_state('alone')
    assert pair.b.repl()['repl_role'] == 'listener'
    connect('127.0.0.1', pair.b.repl_port).close()
    assert pair.b.c.set('new', 'x') == 'STORED'


def test_a_node_comes_back_with_everything(t):
    pair = t.pair()
    before, meanwhile = keys_of(1000), keys_of(1000, 'm')
    fill(pair.a, before)
    pair.settle()
    for dead, left in (pair.nodes, pair.nodes[::-1]):
        dead.kill()
        fill(left, meanwhile)
        left.c.set('of', left.name, flags=5, ttl=10_000)
        assert left.c.command(f'delete {before.pop()}') == 'DELETED'
        dead.start()
        check_holds(dead, before + meanwhile)
        pair.await_paired()
        pair.settle()
        held = pair.await_equal(before + meanwhile + ['of'])
        assert held['of'][::2] == (5, left.name.encode())
        pair.verify()
        assert dead.c.set('again', dead.name) == 'STORED'
        wait_for('the restarted node to be heard',
                 lambda: left.c.get('again') == dead.name.encode())


@deadline(180)
def test_a_joining_node_opens_when_it_has_the_data(t):
    pair = t.pair('-m', '128')
    keys = keys_of(100_000)
    pair.a.kill()
    pair.b.await_state('alone')
    fill(pair.b, keys)
    for _ in range(2):
        pair.a.start(answer=False)

        def opened():
            return pair.a.client()
        client = wait_for('the joining node to open', opened)
        client.send(b'gets ' + ' '.join(keys[-500:]).encode() + b'\r\n')
        for _ in range(500):
            assert client.line().startswith(b'VALUE'), 'opened too early'
            client.line()
        client.expect(b'END\r\n')
        assert client.stats()['curr_items'] == '100000'
        table = client.stats('replication')
        assert table['repl_resync_kind'] == 'full', table
        check_holds(pair.a, keys)
        pair.await_paired()
        pair.settle()
        pair.await_equal(keys)
        pair.a.kill()
        pair.b.await_state('alone')


@deadline(180)
def test_a_full_copy_runs_beside_writes(t):
    pair = t.pair('-m', '128')
    keys = keys_of(50_000)
    fill(pair.b, keys)
    pair.settle()
    pair.a.kill()
    pair.a.start(answer=False)
    draw = random.Random(8)
    client = pair.b.client()
    for _ in range(200):
        changed = draw.sample(keys, 50)
        client.store_many((key, b'new' + key.encode()) for key in changed[10:])
        for key in changed[:10]:
            assert client.command(f'delete {key}') in ('DELETED', 'NOT_FOUND')
    pair.a.await_answer()
    pair.await_paired()
    pair.settle()
    held = pair.await_equal(keys)
    assert 40_000 < len(held) < 50_000


def test_both_may_die_and_start_empty(t):
    pair = t.pair()
    fill(pair.a, keys_of(100))
    pair.settle()
    for node in pair.nodes:
        node.kill()
    pair.start()
    for node in pair.nodes:
        assert node.c.get_many(keys_of(100)) == {}


@deadline(900)
def test_nodes_started_at_once_always_pair(t):
    for turn in range(1000 if t.long_run else 100):
        pair = Pair.on_loopback(t)
        pair.start()
        assert pair.a.c.set('k', str(turn)) == 'STORED'
        wait_for('the value at b', lambda: pair.b.c.get('k') == b'%d' % turn)
        roles = {node.repl()['repl_role'] for node in pair.nodes}
        assert roles == {'dialer', 'listener'}, roles
        for node in pair.nodes:
            node.kill()


@deadline(240)
def test_restarts_in_turn_lose_nothing(t):
    pair = t.pair()
    keys = keys_of(5000)
    fill(pair.a, keys)
    pair.settle()
    for turn in range(10):
        dead, left = pair.nodes[::1 if turn % 2 else -1]
        dead.kill()
        key = f'turn{turn}'
        keys.append(key)
        fill(left, [key])
        dead.start()
        pair.await_paired()
        pair.settle()
    for node in pair.nodes:
        check_holds(node, keys)
    pair.await_equal(keys)
    pair.verify()


def same_options(t, name, repl_port):
    return Node(t, name, ['-x', '127.0.0.1', '-X', repl_port])


def test_two_nodes_of_one_host_may_have_equal_options(t):
    pair = Pair(*(same_options(t, name, port) for port in [free_port()]
                  for name in 'ab'))
    pair.start()
    keys = keys_of(100)
    fill(pair.a, keys)
    pair.settle()
    pair.await_equal(keys)
    for dead, left in (pair.nodes, pair.nodes[::-1]):
        dead.kill()
        left.await_state('alone')
        fill(left, keys_of(100, left.name))
        dead.start()
        pair.await_paired()
        pair.settle()
        check_holds(dead, keys + keys_of(100, left.name))
        pair.verify()


def test_a_node_that_reaches_only_itself_serves_alone(t):
    node = same_options(t, 'self', free_port()).start()
    node.await_state('alone')
    assert node.c.set('k', 'x') == 'STORED'
    assert node.c.get('k') == b'x'
    node.await_state('alone')


def refuse_a_third(t, role):
    pair = t.pair()
    fill(pair.a, keys_of(100))
    pair.settle()
    asked = next(node for node in pair.nodes
                 if node.repl()['repl_role'] == role)
    third = Node(t, 'third', ['-x', f'127.0.0.1:{asked.repl_port}',
                              '-X', free_port()])
    third.start(answer=False)
    for node in (third, asked):
        wait_for(f'{node.name} to log the refusal', lambda: re.search(
            r'refused .*: already paired with another node', node.log()))
    # A stray master with a cache of its own would be worse than none.
    try:
        third.client()
        assert False, 'a refused node serves clients'
    except ConnectionRefusedError:
        pass
    assert asked.repl()['repl_refused'] > 0
    assert pair.a.c.set('k', 'x') == 'STORED'
    pair.settle()
    assert pair.b.c.get('k') == b'x'
    # It keeps asking, and takes the place of a node that is gone.
    next(node for node in pair.nodes if node is not asked).kill()
    third.await_answer()
    third.await_state('paired')
    check_holds(third, keys_of(100))


def test_a_third_node_is_refused_by_the_listener_with_a_reason(t):
    refuse_a_third(t, 'listener')


def test_a_third_node_is_refused_by_the_dialer_with_a_reason(t):
    refuse_a_third(t, 'dialer')


def test_a_pair_speaks_ipv6(t):
    pair = t.pair(address='::1')
    fill(pair.a, keys_of(100))
    pair.settle()
    pair.await_equal(keys_of(100))
    pair.a.kill()
    pair.b.await_state('alone')
    pair.a.start()
    pair.await_paired()
    check_holds(pair.a, keys_of(100))
    pair.verify()


@deadline(180)
def test_a_stopped_node_has_given_all_it_acknowledged(t):
    pair = t.pair()
    for turn in range(3):
        keys = keys_of(20_000, f't{turn}.')
        fill(pair.a, keys)
        assert pair.a.terminate() == 0
        check_holds(pair.b, keys)
        pair.b.await_state('alone')
        pair.a.start()
        pair.await_paired()


def test_a_node_stops_though_its_peer_is_frozen(t):
    pair = t.pair()
    pair.b.process.freeze()
    fill(pair.a, keys_of(1000))
    assert pair.a.terminate() == 0
    pair.b.process.thaw()
    pair.b.await_state('alone')


def test_a_second_signal_ends_a_stop_that_waits(t):
    pair = t.pair()
    pair.b.process.freeze()
    fill(pair.a, keys_of(1000))
    pair.a.process.end_expected = True
    for number in (signal.SIGTERM, signal.SIGTERM):
        pair.a.process.signal(number)
    pair.a.process.wait()
    pair.b.process.thaw()


def overwrite(node, count, turn):
    node.c.store_many((f'k{number}', b'%08d' % turn + b'v' * 92)
                      for number in range(count))


# What the ring may grow by, and what a client's pipeline takes meanwhile.
RING_BYTES = 1 * MIB
AROUND_BYTES = 1 * MIB


@deadline(240)
def test_a_frozen_peer_costs_nothing(t):
    count = 100_000
    last = 11 if t.long_run else 3
    pair = t.pair('-m', '128', '-o', f'repl_log={RING_BYTES}')
    overwrite(pair.a, count, 1)
    pair.settle()
    before = pair.a.resident_bytes()
    pair.b.process.freeze()
    for turn in range(2, last + 1):
        overwrite(pair.a, count, turn)
    pair.a.await_state('alone', 'lagging')
    if not t.sanitized():
        grown = pair.a.resident_bytes() - before
        assert grown <= RING_BYTES + AROUND_BYTES, (
            f'{grown} bytes for a frozen peer')
    latest = b'%08d' % last + b'v' * 92
    assert pair.a.c.get('k5') == latest
    pair.b.process.thaw()
    pair.await_paired()
    pair.settle()
    held = pair.await_equal(f'k{number}' for number in range(count))
    assert len(held) == count
    assert {value for _, _, value in held.values()} == {latest}
    pair.verify()


def test_a_frozen_peer_is_noticed_and_healed(t):
    pair = t.pair()
    pair.b.process.freeze()
    pair.a.await_state('alone')
    assert pair.a.repl()['repl_role'] == 'listener'
    fill(pair.a, keys_of(100))
    pair.b.process.thaw()
    pair.await_paired()
    pair.settle()
    pair.await_equal(keys_of(100))
    pair.verify()


def test_a_peer_that_does_not_answer_delays_the_start_shortly(t):
    with socket.socket() as mute:
        mute.bind(('127.0.0.1', 0))
        mute.listen()
        node = Node(t, 'node', ['-x', f'127.0.0.1:{mute.getsockname()[1]}',
                                '-X', free_port()])
        node.start(answer=False)
        node.await_answer(bound_s=10)
        node.await_state('alone')
        assert node.c.set('k', 'x') == 'STORED'


def test_the_log_tells_each_change_of_role(t):
    pair = t.pair()
    pair.a.kill()
    pair.b.await_state('alone')
    pair.a.start()
    pair.await_paired()
    pair.b.terminate()
    pair.a.await_state('alone')
    for node in pair.nodes:
        lines = [line for line in node.log().splitlines()
                 if 'replication' in line]
        assert len(lines) >= 3, node.log()
        assert any('listen' in line for line in lines), lines
        assert any('connected to peer' in line for line in lines), lines


# What strangers, port scanners and lost clients send.
GARBAGE = [
    b'', b'\0', b'get foo\r\n', b'stats\r\n', b'flush_all\r\n',
    b'set k 0 0 1\r\nx\r\n', b'quit\r\n', b'GET / HTTP/1.0\r\n\r\n',
    b'\x80\x0a' + b'\0' * 22, b'\xff' * 16, b'\xff' * 100_000,
    b'\0' * 16, b'\0' * 100_000, b'\0\0\0\x10', b'\x10\0\0\0',
    b'\x7f\xff\xff\xff' + b'\x01' * 60, b'\xff\xff\xff\x7f' + b'\x01' * 60,
    b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03' + b'x' * 500,
] + [random.Random(seed).randbytes(random.Random(seed).randrange(1, 400))
     for seed in range(60)]


def throw_garbage(port):
    """Each piece on a connection of its own; some are left half open."""
    left = []
    for number, piece in enumerate(GARBAGE):
        sock = connect('127.0.0.1', port)
        try:
            sock.sendall(piece)
        except OSError:
            pass
        if number % 4:
            sock.close()
        else:
            left.append(sock)
    return left


def test_garbage_does_not_disturb_a_pair(t):
    pair = t.pair()
    fill(pair.a, keys_of(100))
    for _ in pair.nodes:
        pair.settle()
        node = pair.listener()
        before = node.resident_bytes()
        left = throw_garbage(node.repl_port)
        assert pair.a.c.set('k', node.name) == 'STORED'
        pair.settle()
        assert pair.b.c.get('k') == node.name.encode()
        if not t.sanitized():
            assert node.resident_bytes() - before < 8 * MIB
        for sock in left:
            sock.close()
        # Now the other one listens.
        node.kill()
        node.start()
        pair.await_paired()
    pair.settle()
    for node in pair.nodes:
        check_holds(node, keys_of(100))
    pair.verify()


def test_garbage_does_not_keep_the_peer_out(t):
    pair = t.pair()
    fill(pair.a, keys_of(100))
    pair.settle()
    pair.b.kill()
    pair.a.await_state('alone')
    left = throw_garbage(pair.a.repl_port)
    assert pair.a.state() == 'alone'
    pair.b.start()
    pair.await_paired()
    pair.settle()
    check_holds(pair.b, keys_of(100))
    pair.verify()
    for sock in left:
        sock.close()


def test_a_peer_that_answers_garbage_is_parted_from(t):
    port = free_port()
    lines = ('import random, socket, sys\n'
             's = socket.create_server(("127.0.0.1", int(sys.argv[1])))\n'
             'while True:\n'
             '    c = s.accept()[0]\n'
             '    try:\n'
             '        c.sendall(random.randbytes(1000))\n'
             '        c.recv(100000)\n'
             '    except OSError:\n'
             '        pass\n'
             '    c.close()\n')
    liar = Process(['/usr/bin/python3', '-c', lines, port],
                   t.path('liar.log'))
    t.processes.append(('liar', liar))
    wait_for('the liar to listen',
             lambda: connect('127.0.0.1', port).close() or True)
    node = t.node('-x', f'127.0.0.1:{port}', '-X', free_port())
    for number in range(200):
        assert node.c.set(f'k{number}', 'x') == 'STORED'
    assert node.state() == 'alone'

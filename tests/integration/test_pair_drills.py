# SPDX-License-Identifier: BSD-3-Clause
"""Pairs as operators set them up, and what comes to their ports, under the
writes of several clients: afterwards both hold the same, and nothing that a
surviving node acknowledged is lost."""

import random
import re

from harness.client import connect
from harness.context import deadline
from harness.load import Load
from harness.node import Node, Pair
from harness.process import free_port
from harness.wait import wait_for

STRANGERS = [b'', b'\0', b'stats\r\n', b'GET / HTTP/1.0\r\n\r\n',
             b'\xff' * 100_000, b'\0' * 100_000, b'\0\0\0\x10', b'\x10\0\0\0',
             b'\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03' + b'x' * 500]


def answers(port):
    connect('127.0.0.1', port).close()
    return True


def die_in_turn(load, pair, turns=2):
    """Each node dies under writes and comes back; the other one serves on."""
    for turn in range(turns):
        dead, left = pair.nodes[::1 if turn % 2 else -1]
        load.await_writes()
        load.crash(dead)
        load.await_writes(nodes=[left])
        left.await_state('alone')
        dead.start()
        load.await_writes(nodes=[left])
        load.check()


def reconnects(pair):
    return [node.repl()['repl_reconnects'] for node in pair.nodes]


@deadline(180)
def test_roles_swap_under_writes(t):
    pair = t.pair()
    load = Load(t, pair)
    for turn in range(10 if t.long_run else 4):
        listener = pair.listener()
        caller = next(node for node in pair.nodes if node is not listener)
        load.await_writes()
        if turn % 2:
            load.crash(listener)
        else:
            load.terminate(listener)
        caller.await_state('alone')
        assert caller.repl()['repl_role'] == 'listener'
        load.await_writes(nodes=[caller])
        listener.start()
        load.check()
        assert pair.listener() is caller
        assert listener.repl()['repl_role'] == 'dialer'


@deadline(180)
def test_equal_options_on_one_host_under_writes(t):
    port = free_port()
    pair = Pair(*(Node(t, name, ['-x', '127.0.0.1', '-X', port])
                  for name in 'ab')).start()
    load = Load(t, pair)
    for turn in range(20 if t.long_run else 6):
        node, left = pair.nodes[::1 if turn % 2 else -1]
        load.await_writes()
        if turn % 3:
            load.crash(node)
        else:
            load.terminate(node)
        # One port for two: nobody is there before the other one has it.
        wait_for('the survivor', lambda: answers(port))
        left.await_state('alone')
        load.await_writes(nodes=[left])
        node.start()
        load.check()


@deadline(180)
def test_a_pair_over_ipv6_under_writes(t):
    hosts = t.hosts(2)
    pair = Pair.on_hosts(t, *hosts, family=6).start()
    load = Load(t, pair)
    load.await_writes()
    hosts.cut(*hosts)
    for node in pair.nodes:
        node.await_state('alone')
    load.await_writes()
    hosts.heal()
    load.check()
    die_in_turn(load, pair)


@deadline(180)
def test_the_queue_of_repcached_is_taken_under_writes(t):
    """-q can only make the log longer."""
    pair = t.pair('-q', '100000', '-o', 'repl_log=64k')
    for node in pair.nodes:
        assert 100_000 <= node.repl()['repl_ring_size'] < 200_000
    load = Load(t, pair)
    die_in_turn(load, pair)


@deadline(180)
def test_a_third_daemon_under_writes(t):
    pair = t.pair()
    load = Load(t, pair)
    before = reconnects(pair)
    for asked in pair.nodes:
        third = Node(t, f'third_{asked.name}', [
            '-x', f'127.0.0.1:{asked.repl_port}', '-X', free_port()])
        third.start(answer=False)
        wait_for('the third to be refused', lambda: re.search(
            'refused by .*: already paired with another node', third.log()))
        load.await_writes()
        load.check()
        assert reconnects(pair) == before
        try:
            third.client().close()
            assert False, 'a refused node serves clients'
        except ConnectionRefusedError:
            pass
        third.kill()
    # One that takes a dead node's place is one of the pair, with all of it.
    load.await_writes()
    load.crash(pair.b)
    third = Node(t, 'heir', ['-x', f'127.0.0.1:{pair.a.repl_port}',
                             '-X', free_port()])
    third.start()
    Pair(pair.a, third).await_paired()
    load.await_writes(nodes=[pair.a])
    load.pause()
    Pair(pair.a, third).settle().verify()
    third.kill()
    pair.a.await_state('alone')
    pair.b.start()
    load.resume()
    load.await_writes()
    load.check()


def strangers_at(t, ports, draw):
    """All sorts of callers, some of whom stay."""
    for number in range(200 if t.long_run else 60):
        sock = connect('127.0.0.1', draw.choice(ports))
        t.defer(sock.close)
        try:
            sock.sendall(draw.choice(STRANGERS) if number % 2 else
                         draw.randbytes(draw.randrange(1, 3000)))
        except ConnectionError:
            pass
        if number % 3:
            sock.close()


@deadline(180)
def test_strangers_at_the_ports_under_writes(t):
    pair = t.pair()
    load = Load(t, pair)
    draw = random.Random(t.name)
    before = reconnects(pair)
    load.await_writes()
    strangers_at(t, [node.repl_port for node in pair.nodes], draw)
    load.await_writes()
    load.check()
    assert reconnects(pair) == before, 'a stranger broke the link'
    # While one is away they stand in its peer's way.
    for dead, left in (pair.nodes, pair.nodes[::-1]):
        load.crash(dead)
        left.await_state('alone')
        strangers_at(t, [left.repl_port], draw)
        dead.start()
        load.await_writes()
        load.check()

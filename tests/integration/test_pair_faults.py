# SPDX-License-Identifier: BSD-3-Clause
"""Nodes and links fail under the writes of several clients: afterwards both
hold the same, and nothing that a surviving node acknowledged is lost."""

import itertools
import select
import socket
import time

from harness.client import connect
from harness.context import deadline
from harness.hosts import Skip
from harness.load import Load
from harness.node import Node, Pair
from harness.process import free_port
from harness.wait import wait_for

LONG_S = 120


def turns(t, count):
    """As many, or for two minutes with --long."""
    end = time.monotonic() + LONG_S
    for turn in itertools.count():
        if turn >= count and not (t.long_run and time.monotonic() < end):
            return
        yield turn


@deadline(240)
def test_nodes_killed_in_turn_under_writes(t):
    pair = t.pair()
    load = Load(t, pair)
    for turn in turns(t, 4):
        dead, left = pair.nodes[::1 if turn % 2 else -1]
        load.await_writes()
        load.crash(dead)
        load.await_writes(nodes=[left])
        dead.start()
        load.await_writes(nodes=[left])
        load.check()


@deadline(240)
def test_nodes_restarted_in_turn_under_writes_lose_nothing(t):
    pair = t.pair()
    load = Load(t, pair)
    for turn in turns(t, 4):
        node, left = pair.nodes[::1 if turn % 2 else -1]
        load.await_writes()
        load.terminate(node)
        load.await_writes(10, nodes=[left])
        node.start()
        load.check()


@deadline(240)
def test_nodes_frozen_in_turn_under_writes(t):
    pair = t.pair()
    load = Load(t, pair)
    for turn in turns(t, 4):
        frozen, left = pair.nodes[::1 if turn % 2 else -1]
        load.await_writes()
        frozen.process.freeze()
        left.await_state('alone')
        load.await_writes(nodes=[left])
        frozen.process.thaw()
        load.check()


def loaded_hosts(t):
    hosts = t.hosts(2)
    pair = Pair.on_hosts(t, *hosts).start()
    return hosts, pair, Load(t, pair)


def await_alone(pair):
    for node in pair.nodes:
        node.await_state('alone')


@deadline(240)
def test_silent_cuts_under_writes(t):
    hosts, pair, load = loaded_hosts(t)
    one, other = hosts
    cuts = [lambda: hosts.cut(one, other), lambda: hosts.deafen(one, other),
            lambda: hosts.deafen(other, one)]
    for turn in turns(t, len(cuts)):
        load.await_writes()
        cuts[turn % len(cuts)]()
        await_alone(pair)
        load.await_writes()
        hosts.heal()
        load.check()


@deadline(600)
def test_resets_of_all_that_one_host_sends_under_writes(t):
    hosts, pair, load = loaded_hosts(t)
    one, other = hosts
    for turn in turns(t, 2):
        hosts.reset(*((one, other) if turn % 2 else (other, one)), 11212)
        load.await_writes()
        await_alone(pair)
        hosts.heal()
        load.check()


def reset_link(host):
    """Ends the link's connection at this host, which tells the other one;
    whether there was one."""
    return len(host.run('ss', '-H', '-K', '-tn', 'state', 'established',
                        '( sport = :11212 or dport = :11212 )').splitlines())


@deadline(300)
def test_a_flapping_link_under_writes(t):
    hosts, pair, load = loaded_hosts(t)
    machines = list(hosts)
    if not reset_link(machines[0]):
        raise Skip('this kernel cannot end a connection (ss -K)')
    for turn in range(200 if t.long_run else 60):
        load.await_writes(2)
        if turn % 3:
            pair.await_paired()
        reset_link(machines[turn % 2])
    load.check()
    assert sum(node.repl()['repl_reconnects'] for node in pair.nodes) > 40
    roles = {node.repl()['repl_role'] for node in pair.nodes}
    assert roles == {'dialer', 'listener'}, roles


def hello_of(node):
    """What a node that dials says first; the node is ended."""
    with socket.create_server(('127.0.0.1', node.peer_port)) as listener:
        listener.settimeout(20)
        node.start(answer=False)
        link = listener.accept()[0]
        link.settimeout(20)
        said = link.recv(1 << 16)
        link.close()
    node.kill()
    return said


def hello_of_peer(t):
    """A node that may stand at the replication port of `served`, as bytes."""
    node = Node(t, 'recorded', [])
    node.peer_port = free_port()
    node.args = ['-x', f'127.0.0.1:{node.peer_port}', '-X', str(free_port())]
    return hello_of(node)


def hear(socks, bound_s):
    """What they said meanwhile; those that ended leave the set."""
    said = b''
    for sock in select.select(list(socks), [], [], bound_s)[0]:
        try:
            got = sock.recv(4096)
        except ConnectionError:
            got = b''
        said += got
        if not got:
            socks.discard(sock)
            sock.close()
    return said


def trickle(socks, data):
    """Sends a byte to each from time to time, then nothing; returns what was
    said to any when the other side has closed all."""
    said, left, rest = b'', set(socks), iter(data)

    def closed():
        nonlocal said
        said += hear(left, bound_s=0.05)
        byte = next(rest, None)
        for sock in left if byte is not None else ():
            try:
                sock.sendall(bytes([byte]))
            except ConnectionError:
                pass
        return not left
    wait_for('slow connections to be closed', closed)
    return said


def test_half_a_hello_is_nothing(t):
    hello = hello_of_peer(t)
    pair = t.pair()
    load = Load(t, pair)
    reconnects = [node.repl()['repl_reconnects'] for node in pair.nodes]
    port = pair.listener().repl_port
    socks = [connect('127.0.0.1', port) for _ in range(0, len(hello), 7)]
    for sock, size in zip(socks, range(0, len(hello), 7)):
        sock.sendall(hello[:size])
    load.await_writes()
    assert trickle(socks, b'') == b''
    load.check()
    assert reconnects == [node.repl()['repl_reconnects']
                          for node in pair.nodes]


def test_a_slow_hello_keeps_nobody_out(t):
    hello = hello_of_peer(t)
    pair = t.pair()
    load = Load(t, pair)
    load.await_writes()
    load.crash(pair.b)
    pair.a.await_state('alone')
    socks = [connect('127.0.0.1', pair.a.repl_port) for _ in range(50)]
    pair.b.start()
    assert trickle(socks, hello.ljust(2000, b'\0')) == b''
    load.check()


# After a good hello: nothing, a header alone, a frame without its end, noise.
AFTER_HELLO = [b'', b'\x01', b'\x10\0\0\0', b'\0\0\0\x10', b'\xff' * 4000,
               b'\0' * 4000, bytes(range(256)) * 16]


def test_a_peer_that_says_hello_and_then_nonsense_is_dropped(t):
    hello = hello_of_peer(t)
    node = t.node('-x', f'127.0.0.1:{free_port()}', '-X',
                  port := free_port())
    node.await_state('alone')
    node.c.store_many((f'k{number}', b'x' * 100) for number in range(1000))
    for tail in AFTER_HELLO:
        sock = connect('127.0.0.1', port)
        sock.sendall(hello)
        assert sock.recv(1), 'a good hello was not answered'
        sock.sendall(tail)
        try:
            while sock.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        sock.close()
        node.await_state('alone')
        assert node.c.set('k', 'x') == 'STORED'
    peer = Node(t, 'peer', ['-x', f'127.0.0.1:{port}', '-X', free_port()])
    peer.start()
    pair = Pair(node, peer).await_paired().settle()
    keys = [f'k{number}' for number in range(1000)] + ['k']
    assert len(pair.await_equal(keys)) == 1001
    pair.verify()

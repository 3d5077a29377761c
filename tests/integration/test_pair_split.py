# SPDX-License-Identifier: BSD-3-Clause
"""The network between two hosts fails in every way, and heals."""

import re

from harness.client import Client, connect
from harness.context import deadline
from harness.node import Pair
from harness.wait import wait_for


def pair_on_hosts(t, *args, family=4, count=2):
    hosts = t.hosts(count)
    machines = list(hosts)
    pair = Pair.on_hosts(t, *machines[:2], args=args, family=family)
    return hosts, machines, pair.start()


# By default a peer is dead after one second of silence.
SOON_S = 10


def await_alone(pair):
    for node in pair.nodes:
        node.await_state('alone', bound_s=SOON_S)


def rejoin(hosts, pair):
    hosts.heal()
    pair.await_paired()
    pair.settle()
    pair.verify()


def test_a_silent_cut_is_noticed_by_both(t):
    hosts, machines, pair = pair_on_hosts(t)
    hosts.cut(*machines)
    await_alone(pair)
    for node in pair.nodes:
        assert node.repl()['repl_role'] == 'listener'
        assert node.c.set('k', node.name) == 'STORED'
    rejoin(hosts, pair)
    roles = {node.repl()['repl_role'] for node in pair.nodes}
    assert roles == {'dialer', 'listener'}, roles


def test_a_cut_in_one_direction_is_noticed_by_both(t):
    hosts, machines, pair = pair_on_hosts(t)
    for number, (deaf, other) in enumerate((machines, machines[::-1])):
        told = pair.nodes[1 - number].log().count('reset by peer')
        hosts.deafen(deaf, other)
        await_alone(pair)
        # It does not have to find out: what it hears is a reset.
        assert pair.nodes[1 - number].log().count('reset by peer') > told
        for node in pair.nodes:
            assert node.c.set(node.name, deaf.netns) == 'STORED'
        rejoin(hosts, pair)
        pair.await_equal(['a', 'b'])


def test_after_a_split_the_later_write_wins(t):
    hosts, machines, pair = pair_on_hosts(t)
    a, b = pair.nodes
    for node in pair.nodes:
        node.c.store_many((f'of_{node.name}{number}', b'x')
                          for number in range(1000))
    pair.settle()
    hosts.cut(*machines)
    await_alone(pair)
    assert a.c.set('later_at_b', 'a') == 'STORED'
    assert b.c.set('later_at_b', 'b', flags=2) == 'STORED'
    assert b.c.set('later_at_a', 'b') == 'STORED'
    assert a.c.set('later_at_a', 'a', flags=1) == 'STORED'
    assert a.c.set('only_a', 'a') == 'STORED'
    assert b.c.set('only_b', 'b') == 'STORED'
    rejoin(hosts, pair)
    held = pair.await_equal(['later_at_a', 'later_at_b', 'only_a', 'only_b'])
    values = {key: (flags, value) for key, (flags, _, value) in held.items()}
    assert values == {'later_at_a': (1, b'a'), 'later_at_b': (2, b'b'),
                      'only_a': (0, b'a'), 'only_b': (0, b'b')}
    old = [f'of_{name}{number}' for name in 'ab' for number in range(1000)]
    assert len(pair.await_equal(old)) == 2000


def test_what_was_deleted_in_a_split_stays_deleted(t):
    hosts, machines, pair = pair_on_hosts(t)
    a, b = pair.nodes
    keys = [f'k{number}' for number in range(300)]
    a.c.store_many((key, b'x') for key in keys)
    pair.settle()
    hosts.cut(*machines)
    await_alone(pair)
    for key in keys[:100]:
        assert a.c.command(f'delete {key}') == 'DELETED'
    # An older write at the peer does not bring them back; a later one does.
    for key in keys[100:200]:
        assert b.c.set(key, 'written first') == 'STORED'
        assert a.c.command(f'delete {key}') == 'DELETED'
    for key in keys[200:]:
        assert a.c.command(f'delete {key}') == 'DELETED'
        assert b.c.set(key, 'written later') == 'STORED'
    rejoin(hosts, pair)
    held = pair.await_equal(keys)
    assert sorted(held) == sorted(keys[200:]), (
        f'{len(set(held) & set(keys[:200]))} deleted keys came back')
    assert {value for _, _, value in held.values()} == {b'written later'}


def test_what_both_count_in_a_split_adds_up(t):
    hosts, machines, pair = pair_on_hosts(t)
    a, b = pair.nodes
    for key in ('up', 'down', 'to_zero', 'again'):
        assert a.c.set(key, '1000') == 'STORED'
    pair.settle()
    hosts.cut(*machines)
    await_alone(pair)
    for turn in range(100):
        for node in pair.nodes:
            assert node.c.command('incr up 3') == str(1003 + 3 * turn)
            assert node.c.command('decr down 2').split()[0] == str(
                998 - 2 * turn)
    assert a.c.command('decr to_zero 700').split() == ['300']
    assert b.c.command('decr to_zero 600').split() == ['400']
    assert a.c.command('incr again 5') == '1005'
    assert b.c.set('again', '7') == 'STORED'
    rejoin(hosts, pair)
    held = pair.await_equal(['up', 'down', 'to_zero', 'again'])
    values = {key: value for key, (_, _, value) in held.items()}
    assert values == {'up': b'1600', 'down': b'600 ', 'to_zero': b'0   ',
                      'again': b'7'}, values
    assert b.c.command('incr to_zero 4') == '4'


def test_a_flush_in_a_split_reaches_the_peer(t):
    hosts, machines, pair = pair_on_hosts(t)
    a, b = pair.nodes
    a.c.store_many((f'k{number}', b'x') for number in range(100))
    pair.settle()
    hosts.cut(*machines)
    await_alone(pair)
    assert b.c.set('before', 'x') == 'STORED'
    assert a.c.command('flush_all') == 'OK'
    assert b.c.set('after', 'x') == 'STORED'
    rejoin(hosts, pair)
    keys = [f'k{number}' for number in range(100)] + ['before', 'after']
    assert list(pair.await_equal(keys)) == ['after']


@deadline(180)
def test_after_a_short_cut_only_what_changed_is_sent(t):
    hosts, machines, pair = pair_on_hosts(t)
    a, b = pair.nodes
    keys = [f'k{number}' for number in range(20_000)]
    a.c.store_many((key, b'v' * 100) for key in keys)
    pair.settle()
    hosts.cut(*machines)
    await_alone(pair)
    before = [node.repl() for node in pair.nodes]
    a.c.store_many((key, b'at a') for key in keys[:100])
    b.c.store_many((key, b'at b') for key in keys[100:200])
    rejoin(hosts, pair)
    assert len(pair.await_equal(keys)) == len(keys)
    for node, table in zip(pair.nodes, before):
        after = node.repl()
        assert after['repl_resync_kind'] in ('continue', 'delta'), after
        sent = after['repl_bytes_out'] - table['repl_bytes_out']
        assert sent < 200_000, f'{node.name} sent {sent} bytes for 100 keys'


@deadline(180)
def test_a_long_cut_with_many_writes_heals(t):
    hosts, machines, pair = pair_on_hosts(t, '-m', '128')
    a, b = pair.nodes
    keys = [f'k{number}' for number in range(100_000)]
    a.c.store_many((key, b'v' * 100) for key in keys)
    pair.settle()
    hosts.cut(*machines)
    await_alone(pair)
    for turn in range(3):
        a.c.store_many((key, b'a%d' % turn) for key in keys[:60_000])
    b.c.store_many((key, b'b') for key in keys[50_000:])
    rejoin(hosts, pair)
    held = pair.await_equal(keys)
    assert len(held) == len(keys)
    assert held['k0'][2] == b'a2' and held['k55000'][2] == b'b'


def test_a_reset_link_is_made_anew(t):
    hosts, machines, pair = pair_on_hosts(t)
    for turn in range(3):
        key = f'k{turn}'
        hosts.reset(*machines, 11212)
        pair.a.c.set(key, 'x')
        pair.b.c.set('of_b', str(turn))
        await_alone(pair)
        rejoin(hosts, pair)
        assert len(pair.await_equal([key, 'of_b'])) == 2


@deadline(180)
def test_a_flapping_link_ends_in_one_pair(t):
    hosts, machines, pair = pair_on_hosts(t)
    keys = [f'k{number}' for number in range(50)]
    for turn in range(50 if t.long_run else 20):
        hosts.cut(*machines)
        for node in pair.nodes:
            node.c.store_many((key, b'%d' % turn) for key in keys)
        if turn % 5 == 4:
            await_alone(pair)
        hosts.heal()
        if turn % 3 == 0:
            pair.await_paired()
    pair.await_paired()
    pair.settle()
    assert len(pair.await_equal(keys)) == len(keys)
    pair.verify()


def test_nodes_that_start_while_cut_pair_when_healed(t):
    hosts = t.hosts(2)
    hosts.cut(*hosts)
    pair = Pair.on_hosts(t, *hosts)
    for node in pair.nodes:
        node.start(answer=False)
    for node in pair.nodes:
        node.await_answer(SOON_S)
        node.await_state('alone')
        assert node.c.set('of' + node.name, 'x') == 'STORED'
    rejoin(hosts, pair)
    assert len(pair.await_equal(['ofa', 'ofb'])) == 2


def test_a_host_that_reboots_unheard_is_let_in(t):
    hosts, machines, pair = pair_on_hosts(t)
    pair.b.c.set('k', 'x')
    pair.settle()
    # No FIN and no RST of the dying node reaches its peer.
    hosts.cut(*machines)
    pair.a.kill()
    hosts.heal()
    pair.a.start()
    pair.await_paired()
    assert pair.a.c.get('k') == b'x'


def test_a_pair_over_ipv6(t):
    hosts, machines, pair = pair_on_hosts(t, family=6)
    pair.a.c.set('k', 'x')
    pair.settle()
    assert pair.b.c.get('k') == b'x'
    hosts.cut(*machines)
    await_alone(pair)
    pair.b.c.set('k', 'y')
    rejoin(hosts, pair)
    assert pair.a.c.get('k') == b'y'


def test_a_stranger_is_told_nothing(t):
    hosts, (host_a, _, stranger), pair = pair_on_hosts(t, count=3)
    pair.a.c.set('secret', 'x')
    pair.settle()

    def refused(node):
        sock = connect(node.address, 11212, netns=stranger.netns)
        got = b''
        try:
            sock.sendall(b'hello')
            while data := sock.recv(4096):
                got += data
        except ConnectionError:
            pass
        sock.close()
        assert got == b'', f'{node.name} told a stranger {got!r}'
    for _ in pair.nodes:
        listener = pair.listener()
        refused(listener)
        assert listener.repl()['repl_refused'] > 0
        assert stranger.ip4 in listener.log()
        # The other one then listens, to its peer alone.
        other = next(node for node in pair.nodes if node is not listener)
        listener.kill()
        other.await_state('alone')
        refused(other)
        listener.start()
        pair.await_paired()
        assert listener.c.get('secret') == b'x'


def test_a_host_that_is_not_the_peer_is_refused_with_a_reason(t):
    hosts, machines, pair = pair_on_hosts(t, count=3)
    third = machines[2]
    pair.a.c.set('secret', 'x')
    pair.settle()
    asked = pair.listener()
    stray = t.node('-x', asked.address, name='stray', address=third.ip4,
                   port=11211, netns=third.netns)
    stray.await_state('alone')
    wait_for('the reason in the log of the pair', lambda: re.search(
        rf'refused .*{re.escape(third.ip4)}: .*not .*peer', asked.log()))
    wait_for('the log of the stray node', lambda: re.search(
        'closed the connection|reset by peer', stray.log()))
    assert stray.c.get('secret') is None
    assert Client(asked.address, 11211, third.netns).get('secret') == b'x'
    assert pair.a.state() == pair.b.state() == 'paired'

# SPDX-License-Identifier: BSD-3-Clause
"""What both nodes did to a key at once is merged where it can be, and what one
did to it alone costs what it is worth."""

import re

from harness import binary
from harness.context import deadline
from harness.node import Pair
from harness.wait import wait_for

SESSION = b's' * 100_000


def seconds_left(node, key):
    """Of the key's life; None: it is not there."""
    found = re.match(r'HD t(-?\d+)', node.c.command(f'mg {key} t'))
    return int(found[1]) if found else None


def bytes_out(pair):
    pair.settle()
    return sum(node.repl()['repl_bytes_out'] for node in pair.nodes)


def prolong(node, key, ttl, how):
    """In each of the ways in which clients keep a session alive."""
    if how == 'touch':
        assert node.c.command(f'touch {key} {ttl}') == 'TOUCHED'
    elif how == 'gat':
        node.c.ask(f'gat {ttl} {key}\r\n'.encode(),
                   b'VALUE %s 0 %d\r\n%s\r\nEND\r\n' % (
                       key.encode(), len(SESSION), SESSION))
    else:
        assert node.c.command(f'mg {key} T{ttl}') == 'HD'


@deadline(120)
def test_sessions_touched_at_every_request_cost_tens_of_bytes(t):
    pair = t.pair('-m', '256')
    keys = [f'session{number}' for number in range(20)]
    before = bytes_out(pair)
    pair.a.c.store_many(((key, SESSION) for key in keys), ttl=600)
    per_set = (bytes_out(pair) - before) / len(keys)
    before = bytes_out(pair)
    touches = 0
    for turn in range(10):
        for how in ('touch', 'gat', 'meta'):
            ttl = 1000 + 100 * touches
            for key in keys:
                # On either node, whoever made the session.
                prolong(pair.nodes[touches % 2], key, ttl + touches, how)
                touches += 1
    per_touch = (bytes_out(pair) - before) / touches
    assert per_set > len(SESSION)
    assert per_touch < 100 and per_touch * 1000 < per_set, (per_touch, per_set)
    assert sum(node.repl()['repl_touches'] for node in pair.nodes) == touches
    assert len(pair.await_equal(keys)) == len(keys)
    for key in keys:
        assert abs(seconds_left(pair.a, key) - seconds_left(pair.b, key)) <= 1
    pair.verify()


def only_at_the_larger(pair):
    """Keys of which the smaller node, a, has let go by itself."""
    keys = [f'k{number}' for number in range(40_000)]
    pair.b.c.store_many(((key, b'v' * 1000) for key in keys), ttl=600)
    pair.settle()
    held_a, held_b = (set(node.c.get_many(keys)) for node in pair.nodes)
    assert held_b == set(keys) and len(held_a) < len(keys) - 1000
    return sorted(held_b - held_a)


@deadline(180)
def test_what_one_node_let_go_it_gets_again_when_it_is_touched(t):
    pair = t.pair(args_a=('-m', '16'), args_b=('-m', '128'))
    keys = only_at_the_larger(pair)[:50]
    for key in keys:
        assert pair.b.c.command(f'touch {key} 5000') == 'TOUCHED'
    pair.settle()
    assert len(pair.a.c.get_many(keys)) == len(keys)
    assert pair.a.repl()['repl_wanted'] == len(keys)
    for key in keys:
        assert seconds_left(pair.a, key) > 4900


@deadline(180)
def test_a_small_node_gets_what_is_used_and_leaves_the_rest(t):
    pair = t.pair(args_a=('-m', '256'), args_b=('-m', '32'))
    pair.b.kill()
    pair.a.await_state('alone')
    keys = [f'k{number}' for number in range(40_000)]
    pair.a.c.store_many((key, b'v' * 2000) for key in keys)
    wait_for('the lists to be tended', lambda: 30_000 < sum(
        int(value) for name, value in pair.a.c.stats('items').items()
        if name.endswith(':number_cold')))
    used = keys[:4000:2]
    assert len(pair.a.c.get_many(used)) == len(used)
    pair.b.start()
    pair.await_paired()
    pair.settle()
    assert len(pair.b.c.get_many(used)) == len(used)
    missing = len(keys) - int(pair.b.stat('curr_items'))
    assert missing > len(keys) // 3
    # They were not sent to be let go at once.
    assert int(pair.b.stat('evictions')) < missing // 4


@deadline(180)
def test_a_delete_is_forwarded_in_every_form(t):
    pair = t.pair(args_a=('-m', '16'), args_b=('-m', '128'))
    keys = only_at_the_larger(pair)[:60]
    kept = int(pair.b.stat('curr_items')) - len(keys)
    wire = pair.a.client()
    text = pair.a.client()
    for turn in range(0, len(keys), 6):
        plain, quiet, meta, silent, packet, packet_quiet = (
            key.encode() for key in keys[turn:turn + 6])
        text.ask(b'delete %s\r\n' % plain, b'NOT_FOUND\r\n')
        text.ask(b'delete %s noreply\r\nmn\r\n' % quiet, b'MN\r\n')
        text.ask(b'md %s\r\n' % meta, b'NF\r\n')
        text.ask(b'md %s q\r\nmn\r\n' % silent, b'NF\r\nMN\r\n')
        wire.send(binary.encode([binary.request('delete', packet),
                                 binary.request('deleteq', packet_quiet),
                                 binary.request('noop')]))
        for _ in range(3):  # Both misses are answered.
            head = wire.read(24)
            wire.read(int.from_bytes(head[8:12], 'big'))
    pair.settle()
    assert pair.b.c.get_many(keys) == {}
    # What a has let go is its own affair.
    assert int(pair.b.stat('curr_items')) == kept


def split(t):
    hosts = t.hosts(2)
    machines = list(hosts)
    pair = Pair.on_hosts(t, *machines).start()

    def cut():
        hosts.cut(*machines)
        for node in pair.nodes:
            node.await_state('alone', bound_s=10)

    def heal():
        hosts.heal()
        pair.await_paired()
        pair.settle()
    return pair, cut, heal


def test_of_two_longer_lives_the_longest_stays(t):
    pair, cut, heal = split(t)
    a, b = pair.nodes
    for key in ('at_a', 'at_b', 'short', 'ever', 'written'):
        assert a.c.set(key, 'x', ttl=500) == 'STORED'
    pair.settle()
    cut()
    for node, key, ttl in ((a, 'at_a', 9000), (b, 'at_a', 5000),
                           (b, 'at_b', 9000), (a, 'at_b', 5000),
                           # A shorter one is a write: it wins over longer
                           # lives of the version before.
                           (a, 'short', 9000), (b, 'short', 300),
                           (b, 'ever', 0), (a, 'ever', 5000),
                           (a, 'written', 9000)):
        assert node.c.command(f'touch {key} {ttl}') == 'TOUCHED'
    assert b.c.set('written', 'y', ttl=400) == 'STORED'
    heal()
    pair.await_equal(['at_a', 'at_b', 'short', 'ever', 'written'])
    for node in pair.nodes:
        assert 8900 < seconds_left(node, 'at_a') <= 9000
        assert 8900 < seconds_left(node, 'at_b') <= 9000
        assert 200 < seconds_left(node, 'short') <= 300
        assert seconds_left(node, 'ever') == -1
        assert 300 < seconds_left(node, 'written') <= 400
    pair.verify()


def test_of_stale_and_new_the_later_wins_and_one_client_refreshes(t):
    pair, cut, heal = split(t)
    a, b = pair.nodes
    for key in (b'stale', b'new', b'both'):
        a.c.ask(b'ms %s 3 T900\r\nold\r\n' % key, b'HD\r\n')
    pair.settle()
    cut()
    b.c.ask(b'ms stale 5 T900\r\nnewer\r\n', b'HD\r\n')
    a.c.ask(b'md stale I T60\r\nmd new I T60\r\nmd both I T60\r\n',
            b'HD\r\nHD\r\nHD\r\n')
    b.c.ask(b'ms new 5 T900\r\nnewer\r\n', b'HD\r\n')
    b.c.ask(b'md both I T60\r\n', b'HD\r\n')
    heal()
    pair.await_equal(['stale', 'new', 'both'])
    for node in pair.nodes:
        node.c.ask(b'mg new v\r\n', b'VA 5\r\nnewer\r\n')
    for key in (b'stale', b'both'):
        a.c.ask(b'mg %s v\r\n' % key, b'VA 3 X W\r\nold\r\n')
        pair.settle()
        for node in pair.nodes:
            node.c.ask(b'mg %s v\r\n' % key, b'VA 3 Z X\r\nold\r\n')
    pair.verify()


@deadline(120)
def test_counts_add_up_though_nodes_are_killed(t):
    pair = t.pair()
    assert pair.a.c.set('n', '0') == 'STORED'
    pair.settle()
    total = 0
    for victim in (pair.b, pair.a, pair.b):
        survivor = pair.a if victim is pair.b else pair.b
        for node in pair.nodes:
            node.c.send(b'incr n 7\r\n' * 500)
        for node in pair.nodes:
            for _ in range(500):
                node.c.line()
        pair.settle()
        total += 2 * 500 * 7
        for node in pair.nodes:
            assert node.c.get('n') == str(total).encode()
        victim.kill()
        survivor.await_state('alone')
        for _ in range(100):
            survivor.c.command('decr n 3')
        total -= 300
        victim.forget_client()
        victim.start()
        pair.await_paired()
        pair.settle()
    held = pair.await_equal(['n'])
    assert int(held['n'][2]) == total, (held, total)
    wait_for('the sum at both', lambda: {
        node.c.get('n').strip() for node in pair.nodes} == {
            str(total).encode()})
    pair.verify()

# SPDX-License-Identifier: BSD-3-Clause
"""Meta commands, at one node and across the pair."""

import random
import re

from harness.client import shorten
from harness.wait import wait_for
from meta_cases import CONVERSATION

BLOB = random.Random(7).randbytes(300000)


def pattern(reply):
    return re.compile(re.escape(reply).replace(re.escape(b'<n>'), rb'\d+'),
                      re.DOTALL)


def hold(client, send_name):
    """The whole conversation."""
    for request, reply in CONVERSATION:
        getattr(client, send_name)(request)
        client.send(b'verbosity 1\r\n')
        got = client.read_until(b'OK\r\n')[:-4]
        assert pattern(reply).fullmatch(got), (
            f'sent     {shorten(request)}\n'
            f'expected {shorten(reply)}\n'
            f'got      {shorten(got)}')
        if reply.startswith(b'VA 2 ka s2 '):
            wait_for('a second to be over',
                     lambda: client.command('mg a') == 'EN')


def test_a_conversation_goes_as_with_memcached(t):
    hold(t.node().client(), 'send')


def test_it_goes_the_same_when_each_byte_comes_alone(t):
    hold(t.node().client(), 'send_bytewise')


def test_a_large_value_is_stored_and_sent_with_its_flags(t):
    client = t.node().client()
    client.ask(b'ms blob %d k Oab c E7\r\n%b\r\n' % (len(BLOB), BLOB),
               b'HD kblob Oab c7\r\n')
    client.ask(b'mg blob v s c Ocd\r\n',
               b'VA %d s%d c7 Ocd\r\n%b\r\n' % (len(BLOB), len(BLOB), BLOB))
    client.ask(b'md blob I E8\r\nmg blob v c\r\n',
               b'HD\r\nVA %d c8 X W\r\n%b\r\n' % (len(BLOB), BLOB))


def test_they_are_counted(t):
    client = t.node().client()
    client.ask(b'ms a 1\r\nx\r\nmg a\r\nmg b\r\nmg a T9\r\nmg b T9\r\n'
               b'ma b\r\nmd b\r\nmd a\r\nmn\r\n',
               b'HD\r\nHD\r\nEN\r\nHD\r\nEN\r\nNF\r\nNF\r\nHD\r\nMN\r\n')
    client.ask(b'me a\r\n', b'EN\r\n')
    stats = client.stats()
    counted = {name: int(stats[name]) for name in (
        'cmd_set', 'cmd_get', 'get_hits', 'get_misses', 'cmd_touch',
        'touch_hits', 'touch_misses', 'incr_misses', 'delete_hits',
        'delete_misses', 'cmd_meta')}
    assert counted == {
        'cmd_set': 1, 'cmd_get': 3, 'get_hits': 1, 'get_misses': 2,
        'cmd_touch': 1, 'touch_hits': 1, 'touch_misses': 0, 'incr_misses': 1,
        'delete_hits': 1, 'delete_misses': 1, 'cmd_meta': 1}, counted


def test_stale_here_is_stale_there_and_one_client_wins(t):
    pair = t.pair()
    for one, other in (pair.nodes, pair.nodes[::-1]):
        for value in (b'small', BLOB):
            one.c.ask(b'ms k %d T600 F3\r\n%b\r\n' % (len(value), value),
                      b'HD\r\n')
            one.c.ask(b'md k I T60\r\n', b'HD\r\n')
            pair.settle()
            other.c.ask(b'mg k v f\r\n', b'VA %d f3 X W\r\n%b\r\n'
                        % (len(value), value))
            pair.settle()
            one.c.ask(b'mg k\r\n', b'HD Z X\r\n')
            other.c.ask(b'mg k\r\n', b'HD Z X\r\n')
            token = one.c.command('mg k c')
            assert other.c.command('mg k c') == token
            cas = re.search(r'c(\d+)', token).group(1)
            one.c.ask(b'ms k 5 C%b T600\r\nfresh\r\n' % cas.encode(),
                      b'HD\r\n')
            pair.settle()
            other.c.ask(b'mg k v\r\n', b'VA 5\r\nfresh\r\n')
            other.c.ask(b'ms k 3 I C%b\r\nold\r\n' % cas.encode(), b'HD\r\n')
            pair.settle()
            one.c.ask(b'mg k v\r\n', b'VA 3 X W\r\nold\r\n')


def test_one_client_of_the_pair_wins_the_recache(t):
    pair = t.pair()
    for one, other in (pair.nodes, pair.nodes[::-1]):
        one.c.ask(b'ms k 1 T300\r\nx\r\n', b'HD\r\n')
        pair.settle()
        token = one.c.command('mg k c')
        assert other.c.command('mg k c') == token
        other.c.ask(b'mg k R600\r\n', b'HD W\r\n')
        pair.settle()
        one.c.ask(b'mg k R600\r\n', b'HD Z\r\n')
        assert one.c.command('mg k c') == token + ' Z'
        one.c.ask(b'md k\r\n', b'HD\r\n')
        pair.settle()
        other.c.ask(b'mg k N300 v\r\n', b'VA 0 W\r\n\r\n')
        pair.settle()
        one.c.ask(b'mg k N300 v\r\n', b'VA 0 Z\r\n\r\n')
        one.c.ask(b'md k\r\n', b'HD\r\n')
        pair.settle()


def test_a_given_cas_is_the_same_at_both_nodes(t):
    pair = t.pair()
    for one, other in (pair.nodes, pair.nodes[::-1]):
        one.c.ask(b'ms k 1 E77 F5\r\nx\r\n', b'HD\r\n')
        pair.settle()
        other.c.ask(b'gets k\r\n', b'VALUE k 5 1 77\r\nx\r\nEND\r\n')
        other.c.ask(b'ms k 1 C76\r\ny\r\n', b'EX\r\n')
        other.c.ask(b'ms k 1 MA C77 E78 c s\r\ny\r\n', b'HD c78 s2\r\n')
        pair.settle()
        one.c.ask(b'mg k v c f\r\n', b'VA 2 c78 f5\r\nxy\r\n')
        one.c.ask(b'ma n N0 J5 E9 v c\r\n', b'VA 1 c9\r\n5\r\n')
        pair.settle()
        other.c.ask(b'ma n C9 E10 v c\r\n', b'VA 1 c10\r\n6\r\n')
        pair.settle()
        one.c.ask(b'mg n v c\r\n', b'VA 1 c10\r\n6\r\n')
        one.c.ask(b'md k x E11\r\n', b'HD\r\n')
        one.c.ask(b'md n C10\r\n', b'HD\r\n')
        pair.settle()
        other.c.ask(b'mg k v c f\r\n', b'VA 0 c11 f0\r\n\r\n')
        other.c.ask(b'mg n\r\n', b'EN\r\n')


def test_a_key_in_base64_stays_one(t):
    pair = t.pair()
    pair.a.c.ask(b'ms AAEC/w== 2 b k\r\nhi\r\n', b'HD kAAEC/w== b\r\n')
    pair.settle()
    pair.b.c.ask(b'mg AAEC/w== b k v\r\n', b'VA 2 kAAEC/w== b\r\nhi\r\n')
    assert pair.b.c.command('me AAEC/w== b').startswith('ME AAEC/w== ')


def test_a_node_that_comes_later_gets_all_of_it(t):
    pair = t.pair()
    pair.b.kill()
    pair.a.c.ask(b'ms k 1 E77\r\nx\r\nmd k I E78\r\nmg k\r\n',
                 b'HD\r\nHD\r\nHD X W\r\n')
    pair.a.c.ask(b'ms blob %d E5\r\n%b\r\n' % (len(BLOB), BLOB), b'HD\r\n')
    pair.b.start()
    pair.await_paired()
    pair.settle()
    pair.b.c.ask(b'mg k v c\r\n', b'VA 1 c78 Z X\r\nx\r\n')
    pair.b.c.ask(b'mg blob v c\r\n', b'VA %d c5\r\n%b\r\n' % (len(BLOB), BLOB))

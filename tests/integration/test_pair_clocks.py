# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that do not agree on what time it is, and clocks that step."""

import itertools
import time

from harness.context import deadline
from harness.faketime import WrongClock
from harness.load import Load
from harness.node import Pair
from harness.wait import wait_for

MINUTES_10_S = 600
DAY_S = 86_400


class PairApart(Pair):
    """libfaketime cuts the daemon's waits short, so that its statistics may
    be those of the question before."""

    marks = itertools.count()

    def settle(self):
        for writer, reader in (self.nodes, self.nodes[::-1]):
            mark = f'{next(self.marks)}'

            def arrived():
                return reader.c.get('mark') == mark.encode()
            assert writer.c.set('mark', mark) == 'STORED'
            wait_for(f'what {writer.name} wrote at {reader.name}', arrived)
        return self


def pair_apart(t, off_a_s=0, off_b_s=0):
    """Not started."""
    pair = PairApart.on_loopback(t)
    clocks = [WrongClock(t, node, off_s)
              for node, off_s in zip(pair.nodes, (off_a_s, off_b_s))]
    return pair, clocks


def remaining_s(node, key):
    """The seconds that the node still gives it."""
    reply = node.c.command(f'mg {key} t')
    assert reply.startswith('HD t'), f'{key} at {node.name}: {reply}'
    return int(reply[4:])


def check_remaining(pair, key):
    """Both give it the same time to live, but for a second."""
    a, b = pair.nodes
    before = remaining_s(a, key)
    at_b = remaining_s(b, key)
    after = remaining_s(a, key)
    assert after - 1 <= at_b <= before + 1, (key, before, at_b, after)


def watch_end(pair, key):
    """For each node when the key was last seen and when first missed, as
    the seconds before a question and those after its answer."""
    seen, missed = {}, {}

    def gone():
        for node in pair.nodes:
            asked = time.monotonic()
            if node.c.get(key) is not None:
                assert node not in missed, f'{key} is back at {node.name}'
                seen[node] = asked
            elif node not in missed:
                missed[node] = time.monotonic()
        return len(missed) == 2
    wait_for(f'{key} to expire at both', gone)
    return [(seen[node], missed[node]) for node in pair.nodes]


@deadline(180)
def test_nodes_ten_minutes_apart_expire_at_the_right_moment(t):
    for off_a_s in (MINUTES_10_S, -MINUTES_10_S):
        pair, _ = pair_apart(t, off_a_s)
        pair.start()
        for node, off_s in zip(pair.nodes, (-off_a_s, off_a_s)):
            wait_for('the difference of the clocks to be known', lambda: abs(
                node.repl()['repl_clock_offset_us'] - off_s * 10**6) < 10**6)
        for writer in pair.nodes:
            key = 'of_' + writer.name
            begin = time.monotonic()
            assert writer.c.set(key, 'x', ttl=2) == 'STORED'
            end = time.monotonic()
            pair.settle()
            ends = watch_end(pair, key)
            for seen, missed in ends:
                assert missed >= begin + 0.9, 'expired too early'
                assert seen <= end + 3, 'expired too late'
            # The two, among each other.
            (seen_a, missed_a), (seen_b, missed_b) = ends
            assert seen_a <= missed_b + 1 and seen_b <= missed_a + 1, ends
        for node in pair.nodes:
            node.kill()


def test_nodes_ten_minutes_apart_agree_on_times_to_live(t):
    pair, _ = pair_apart(t, MINUTES_10_S)
    pair.start()
    a, b = pair.nodes
    for writer, other in ((a, b), (b, a)):
        now_s = int(writer.c.stats()['time'])
        assert abs(now_s - int(other.c.stats()['time'])) >= 599
        name = writer.name
        writer.c.set(name + 'set', 'x', ttl=1000)
        writer.c.set(name + 'date', 'x', ttl=now_s + 5000)
        writer.c.set(name + 'touched', 'x', ttl=50)
        pair.settle()
        # By a touch at the other one, too.
        assert other.c.command(f'touch {name}touched 2000') == 'TOUCHED'
        pair.settle()
        for word in ('set', 'date', 'touched'):
            check_remaining(pair, name + word)
    # The same by a full copy.
    pair.b.kill()
    pair.b.start()
    pair.await_paired().settle()
    for name in 'ab':
        for word in ('set', 'date', 'touched'):
            check_remaining(pair, name + word)


def test_a_delayed_flush_at_nodes_apart(t):
    pair, _ = pair_apart(t, MINUTES_10_S)
    pair.start()
    for flusher in pair.nodes:
        pair.a.c.set('k', 'x')
        pair.settle()
        begin = time.monotonic()
        assert flusher.c.command('flush_all 2') == 'OK'
        (seen_a, missed_a), (seen_b, missed_b) = watch_end(pair, 'k')
        assert min(missed_a, missed_b) >= begin + 0.9, 'flushed too early'
        assert seen_a <= missed_b + 1 and seen_b <= missed_a + 1


def test_nodes_apart_converge_under_writes(t):
    pair, _ = pair_apart(t, 0, MINUTES_10_S)
    pair.start()
    load = Load(t, pair)
    for node in pair.nodes:
        load.await_writes()
        load.crash(node)
        load.await_writes(nodes=[other for other in pair.nodes
                                 if other is not node])
        node.start()
        load.check()


def test_a_wall_clock_that_steps_changes_nothing(t):
    pair, (clock_a, clock_b) = pair_apart(t)
    pair.start()
    pair.a.c.set('kept', 'x', ttl=100)
    load = Load(t, pair)
    before = [node.repl()['repl_reconnects'] for node in pair.nodes]
    for off_s in (MINUTES_10_S, -MINUTES_10_S, DAY_S, -DAY_S, 0):
        clock_a.step(off_s)
        load.await_writes()
        load.check()
        check_remaining(pair, 'kept')
        assert 0 < remaining_s(pair.a, 'kept') <= 100
    assert before == [node.repl()['repl_reconnects'] for node in pair.nodes]


def test_a_node_that_comes_back_with_another_time(t):
    pair, clocks = pair_apart(t)
    pair.start()
    pair.a.c.set('kept', 'x', ttl=1000)
    load = Load(t, pair)
    for off_s in (-DAY_S, DAY_S, -MINUTES_10_S, 0):
        for node, clock in zip(pair.nodes, clocks):
            load.crash(node)
            clock.step(off_s)
            node.start()
            load.await_writes(30)
            load.check()
            check_remaining(pair, 'kept')
            # A write is later than any before it, whatever the clocks say.
            for writer, reader in (pair.nodes, pair.nodes[::-1]):
                value = f'{writer.name} {off_s}'
                assert writer.c.set('last', value) == 'STORED'
                wait_for('the later write at the peer',
                         lambda: reader.c.get('last') == value.encode())
                assert writer.c.get('last') == value.encode()

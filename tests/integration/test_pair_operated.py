# SPDX-License-Identifier: BSD-3-Clause
"""The commands of the operator: repl status, pause, resume, resync, handoff;
and a stop, under load from several clients."""

import re
import threading

from harness.context import deadline
from harness.wait import wait_for

OK = 'OK'


def fill(node, prefix, count, size=100):
    node.c.store_many((f'{prefix}{number}', b'%d' % number + b'.' * size)
                      for number in range(count))


def status(node):
    """The lines of `repl status`."""
    client = node.client()
    client.send(b'repl status\r\n')
    lines = client.read_until(b'END\r\n').decode().split('\r\n')[:-2]
    client.close()
    return dict(line.split(' ', 2)[1:] for line in lines)


class Load:
    """Clients that write each on its own, and know what was acknowledged."""

    def __init__(self, node, clients=4):
        self.stop = threading.Event()
        self.stored = [{} for _ in range(clients)]
        self.refused = []
        connections = [node.client() for _ in range(clients)]
        self.threads = [
            threading.Thread(target=self._write, args=(number, client))
            for number, client in enumerate(connections)]
        for thread in self.threads:
            thread.start()

    def _write(self, number, client):
        turn = 0
        try:
            while not self.stop.is_set():
                turn += 1
                key, value = f'c{number}.{turn % 5000}', b'%d' % turn
                # Not acknowledged is neither stored nor not.
                self.stored[number].pop(key, None)
                answer = client.set(key, value)
                if answer != 'STORED':
                    self.refused.append(answer)
                    return
                self.stored[number][key] = value
        except (EOFError, OSError):
            pass

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert not self.refused, self.refused[:3]
        return {key: value for some in self.stored
                for key, value in some.items()}

    def count(self):
        return sum(len(some) for some in self.stored)

    def await_count(self, count):
        wait_for(f'{count} writes', lambda: self.count() >= count)


def check_has(node, acknowledged):
    held = node.c.get_many(sorted(acknowledged))
    missing = [key for key, value in acknowledged.items()
               if key not in held or held[key][2] != value]
    assert not missing, f'{len(missing)} of {len(acknowledged)}: {missing[:5]}'


def test_without_a_pair_there_is_nothing_to_order(t):
    client = t.node().c
    for words in ('status', 'pause', 'handoff', 'resync full', 'x'):
        assert (client.command('repl ' + words) ==
                'SERVER_ERROR replication not enabled')


def test_what_it_does_not_know_it_says(t):
    client = t.pair().a.c
    assert client.command('repl') == 'CLIENT_ERROR bad command line format'
    assert client.command('repl ' + 'x' * 65) == (
        'CLIENT_ERROR bad command line format')
    for words in ('foo', 'status now', 'resync half', 'Status'):
        assert client.command('repl ' + words).startswith(
            'CLIENT_ERROR usage: repl status|'), words


def test_status_tells_how_it_is(t):
    pair = t.pair()
    table = status(pair.a)
    assert table['state'] == 'paired'
    assert table['role'] in ('dialer', 'listener')
    assert table['peer'] == f'127.0.0.1:{pair.b.repl_port}'
    assert table['shipping'] == 'on'
    assert table['last_heal'] == 'never'
    pair.b.kill()
    wait_for('a to be alone', lambda: status(pair.a)['state'] == 'alone')
    pair.b.start()
    pair.await_paired()
    table = wait_for('a heal', lambda: (
        lambda found: 'last_heal_s_ago' in found and found)(status(pair.a)))
    assert table['last_heal_sent'].startswith('full')


def test_commands_may_be_pipelined_and_keep_their_order(t):
    pair = t.pair()
    client = pair.a.c
    client.send(b'set a 0 0 1\r\n1\r\nrepl pause\r\nget a\r\nrepl pause\r\n'
                b'repl resume\r\nset b 0 0 1\r\n2\r\nrepl resume\r\n')
    client.expect(b'STORED\r\nOK\r\nVALUE a 0 1\r\n1\r\nEND\r\n'
                  b'SERVER_ERROR already paused\r\nOK\r\nSTORED\r\n'
                  b'SERVER_ERROR not paused\r\n')


def test_paused_nothing_goes_and_resumed_everything(t):
    pair = t.pair()
    fill(pair.a, 'before', 100)
    pair.settle()
    assert pair.a.c.command('repl pause') == OK
    assert pair.a.state() == 'paused'
    assert status(pair.a)['shipping'] == 'paused'
    sent = pair.a.repl()['repl_sent']
    fill(pair.a, 'k', 1000)
    assert pair.a.c.command('delete before1') == 'DELETED'
    # The other way goes on.
    fill(pair.b, 'back', 100)
    wait_for("b's writes", lambda: pair.a.c.get('back99') is not None)
    table = pair.a.repl()
    assert table['repl_lag_ops'] >= 1001
    assert table['repl_sent'] == sent
    assert pair.b.c.get('k1') is None
    assert pair.b.c.get('before1') is not None
    assert pair.a.c.command('repl resume') == OK
    pair.settle()
    pair.await_equal([f'k{n}' for n in range(1000)] +
                     [f'before{n}' for n in range(100)])
    assert pair.b.c.get('before1') is None
    pair.verify()


@deadline(180)
def test_a_pause_longer_than_the_log_is_caught_up(t):
    pair = t.pair('-o', 'repl_log=64k')
    fill(pair.a, 'k', 5000)
    pair.settle()
    assert pair.a.c.command('repl pause') == OK
    pair.a.c.send(b''.join(b'delete k%d noreply\r\n' % number
                           for number in range(0, 5000, 2)))
    fill(pair.a, 'm', 5000)
    assert pair.a.repl()['repl_dirty_buckets'] > 0
    assert pair.a.c.command('repl resume') == OK
    pair.settle()
    held = pair.await_equal([f'k{n}' for n in range(5000)] +
                            [f'm{n}' for n in range(5000)])
    assert len(held) == 7500
    pair.verify()


def test_a_pause_ends_when_the_peer_starts_anew(t):
    pair = t.pair()
    fill(pair.a, 'k', 1000)
    pair.settle()
    assert pair.a.c.command('repl pause') == OK
    pair.b.kill()
    pair.b.start()
    pair.await_paired()
    pair.settle()
    pair.await_equal([f'k{n}' for n in range(1000)])


def test_a_stop_ends_a_pause(t):
    pair = t.pair()
    assert pair.a.c.command('repl pause') == OK
    fill(pair.a, 'k', 1000)
    assert pair.a.terminate() == 0
    check_has(pair.b, {f'k{n}': b'%d' % n + b'.' * 100 for n in range(1000)})


@deadline(180)
def test_a_resync_is_answered_when_it_is_done(t):
    pair = t.pair()
    fill(pair.a, 'k', 20_000)
    pair.settle()
    load = Load(pair.a)
    load.await_count(100)
    for kind in ('full', 'delta', ''):
        before = pair.a.repl()
        assert pair.a.c.command(f'repl resync {kind}'.strip()) == OK
        table = pair.a.repl()
        name = kind or 'full'
        assert table['repl_resync_kind'] == name
        assert (table[f'repl_{name}_total'] ==
                before[f'repl_{name}_total'] + 1)
        if name == 'full':
            assert table['repl_resync_items_done'] >= 20_000
            assert table['repl_resync_bytes'] > 20_000 * 100
        else:
            assert table['repl_resync_items_done'] < 5000
    acknowledged = load.end()
    pair.settle()
    check_has(pair.b, acknowledged)


def test_two_resyncs_at_once_are_one_too_many(t):
    pair = t.pair('-m', '128')
    fill(pair.a, 'k', 60_000)
    pair.settle()
    clients = [pair.a.client() for _ in range(4)]
    for client in clients:
        client.send(b'repl resync full\r\n')
    answers = sorted(client.line() for client in clients)
    assert answers.count(b'OK') >= 1, answers
    assert set(answers) <= {b'OK',
                            b'SERVER_ERROR a resync is under way'}, answers
    pair.b.kill()
    pair.a.await_state('alone')
    assert (pair.a.c.command('repl resync') == 'SERVER_ERROR not paired')


def test_who_leaves_before_the_answer_disturbs_nobody(t):
    pair = t.pair('-m', '128')
    fill(pair.a, 'k', 20_000)
    pair.settle()
    for _ in range(30):
        client = pair.a.client()
        client.send(b'repl resync full\r\nset x 0 0 1\r\nx\r\n')
        client.close()

    def free_again():
        return pair.a.c.command('repl resync delta') == OK
    wait_for('resyncs to end', free_again)
    fill(pair.a, 'm', 100)
    pair.settle()


def test_handoff_is_for_those_who_may_stop_it(t):
    pair = t.pair()
    assert (pair.a.c.command('repl handoff') ==
            'SERVER_ERROR shutdown not enabled')


def test_handoff_alone_is_refused(t):
    pair = t.pair('-A')
    pair.b.kill()
    pair.a.await_state('alone')
    assert pair.a.c.command('repl handoff') == 'SERVER_ERROR not paired'
    assert pair.a.c.set('k', 'x') == 'STORED'


@deadline(180)
def test_handoff_and_stop_lose_nothing_under_load(t):
    pair = t.pair('-A')
    for by in ('handoff', 'SIGTERM', 'handoff'):
        load = Load(pair.a)
        load.await_count(2000)
        if by == 'handoff':
            pair.a.process.end_expected = True
            assert pair.a.c.command('repl handoff') == OK
            assert pair.a.process.wait() == 0
        else:
            assert pair.a.terminate() == 0
        acknowledged = load.end()
        assert len(acknowledged) >= 2000
        check_has(pair.b, acknowledged)
        pair.b.await_state('alone')
        assert ' leaves: link dropped' in pair.b.log()
        pair.a.forget_client()
        pair.a.start()
        pair.await_paired()
        pair.settle()
        check_has(pair.a, acknowledged)
        pair.verify()


def test_handoff_to_a_frozen_peer_is_given_up(t):
    pair = t.pair('-A', '-o', 'repl_drain=300,repl_timeout=60000')
    pair.b.process.freeze()

    def frozen():
        fill(pair.a, 'k', 100)
        return pair.a.repl()['repl_lag_ms'] >= 50
    wait_for('b not to answer', frozen)
    assert (pair.a.c.command('repl handoff') ==
            'SERVER_ERROR the peer did not confirm it')
    assert pair.a.c.set('k', 'still here') == 'STORED'
    pair.b.process.thaw()
    pair.settle()


def test_a_heal_is_told_in_one_line(t):
    pair = t.pair()
    fill(pair.a, 'k', 1000)
    pair.settle()
    for node in pair.nodes:
        assert 'healed' not in node.log()
    pair.b.process.freeze()
    pair.a.await_state('alone')
    fill(pair.a, 'm', 500)
    pair.b.process.thaw()
    pair.await_paired()
    pair.settle()
    line = wait_for('the line', lambda: re.search(
        r'healed with \S+ after (\d+\.\d+) s apart, in \d+\.\d{3} s: '
        r'sent by (\w+) (\d+), received by (\w+) (\d+), '
        r'conflicts won 0, lost 0, dropped by floor 0\n', pair.a.log()))
    assert line[2] in ('continue', 'delta')
    assert 500 <= int(line[3]) <= 2000
    assert pair.a.log().count('healed') == 1


def test_lag_is_measured(t):
    pair = t.pair()
    fill(pair.a, 'k', 5000)
    pair.settle()
    table = pair.a.repl()
    assert 0 < table['repl_lag_us_p50'] <= table['repl_lag_us_p99']
    assert table['repl_lag_us_p99'] <= table['repl_lag_us_max'] < 10_000_000
    assert table['repl_lag_us'] == table['repl_lag_ms'] == 0
    assert pair.b.repl()['repl_lag_us_max'] == 0
    assert pair.a.c.command('repl pause') == OK
    fill(pair.a, 'm', 10)
    wait_for('lag to grow', lambda: pair.a.repl()['repl_lag_ms'] >= 50)
    assert pair.a.c.command('repl resume') == OK
    pair.settle()
    assert pair.a.repl()['repl_lag_us_max'] >= 50_000

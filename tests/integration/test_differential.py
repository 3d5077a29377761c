# SPDX-License-Identifier: BSD-3-Clause
"""The same bytes to Debian's memcached and to this daemon."""

from collections import Counter

from differential import record
from harness.context import deadline
from harness.hosts import Skip
from harness.process import Process, free_port
from harness.wait import wait_for
from harness.client import Client

SHOWN_MAX = 10
DEADLINE_S = 300


def compare(expected, got):
    """Fails with the first of the cases that are not as expected."""
    assert expected.keys() == got.keys(), (
        'cases without a record, or records without a case: '
        f'{list(expected.keys() ^ got.keys())[:SHOWN_MAX]}')
    wrong = [f'{group}: {case}\n    expected {expected[group, case]}\n'
             f'    got      {got[group, case]}'
             for group, case in expected
             if expected[group, case] != got[group, case]]
    assert not wrong, (f'{len(wrong)} of {len(expected)}\n' +
                       '\n'.join(wrong[:SHOWN_MAX]))


@deadline(DEADLINE_S)
def test_replies_are_memcached_s_but_for_explained_differences(t):
    def start(args):
        node = t.node(*args, name=f'node{len(t.processes)}')
        return node.address, node.port
    expected = record.read_recorded()
    reasons, differences = record.read_differences()
    for at, (reason, reply) in differences.items():
        assert reason in reasons, f'{at}: no explanation {reason!r}'
        assert at in expected, f'{at}: is no case'
        assert reply != expected[at], f'{at}: is no difference'
        expected[at] = reply
    used = Counter(reason for reason, _ in differences.values())
    assert used.keys() == reasons.keys(), (
        f'explains nothing: {reasons.keys() - used.keys()}')
    compare(expected, record.ask_all(start))


@deadline(DEADLINE_S)
def test_memcached_still_answers_what_is_recorded(t):
    version = t.run('memcached', '-V').stdout.strip()
    if not version.startswith('memcached 1.6.18'):
        raise Skip(f'recorded from memcached 1.6.18, this is {version}')

    def start(args):
        port = free_port()
        process = Process(['memcached', '-l', '127.0.0.1', '-p', port, '-u',
                           'root', *args], t.path(f'memcached{port}.log'))
        t.processes.append(('memcached', process))
        wait_for('memcached to listen', lambda: listens(port))
        return '127.0.0.1', port
    compare(record.read_recorded(), record.ask_all(start))


def listens(port):
    try:
        Client('127.0.0.1', port).close()
        return True
    except ConnectionRefusedError:
        return False

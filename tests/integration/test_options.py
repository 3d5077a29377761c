# SPDX-License-Identifier: BSD-3-Clause
"""Each option of memcached's, and each way to get it wrong."""

import os
import re
import shlex
import shutil

from harness.client import Client
from harness.context import deadline
from harness.hosts import Skip
from harness.process import Process, free_port
from harness.wait import wait_for
from option_cases import DIFFERENT, SAME

RECORDED = '1.6.18'
# Other ports in each run; and by threads, interfaces and moods.
NOT_COMPARED = ('tcpport', 'num_threads_per_udp')


def user_words():
    return ['-u', 'root'] if os.geteuid() == 0 else []


def settings_of(port):
    client = Client('127.0.0.1', port)
    table = client.stats('settings')
    client.close()
    return {name: value for name, value in table.items()
            if name not in NOT_COMPARED and not name.startswith('repl')}


def outcome(t, binary, arguments):
    """Settings, or (status, what it said)."""
    port = free_port()
    process = Process([binary, *user_words(), '-p', str(port), '-l',
                       '127.0.0.1', *shlex.split(arguments)],
                      t.path(f'{port}.log'))

    def verdict():
        return 'ended' if not process.alive() else settings_of(port)
    found = wait_for(f'{arguments}: an end or an answer', verdict)
    if found == 'ended':
        found = process.wait(), process.log()
    else:
        process.kill()
    os.unlink(process.log_path)
    return found


def as_difference(found, usual):
    if isinstance(found, tuple):
        return found
    return {name: value for name, value in found.items()
            if usual.get(name) != value}


def is_as(wanted, found):
    if isinstance(wanted, tuple) != isinstance(found, tuple):
        return False
    if isinstance(wanted, dict):
        return wanted == found
    return wanted[0] == found[0] and wanted[1] in found[1]


def compare(t, binary, cases):
    usual = outcome(t, binary, '')
    wrong = []
    for arguments, wanted in cases:
        found = as_difference(outcome(t, binary, arguments), usual)
        if not is_as(wanted, found):
            wrong.append(f'{arguments}: {found}, not {wanted}')
    assert not wrong, '\n'.join(wrong)


@deadline(300)
def test_options_mean_what_they_mean_in_memcached(t):
    compare(t, t.binary, SAME)


@deadline(300)
def test_differences_are_those_that_are_known(t):
    for reason, cases in DIFFERENT.items():
        compare(t, t.binary, [(arguments, ours)
                              for arguments, ours, _ in cases])


@deadline(300)
def test_the_record_is_what_memcached_does(t):
    memcached = shutil.which('memcached')
    if memcached is None:
        raise Skip('there is no memcached to ask')
    version = t.run(memcached, '-V').stdout.split()[-1]
    if version != RECORDED:
        raise Skip(f'recorded from {RECORDED}, here is {version}')
    compare(t, memcached, SAME + [(arguments, theirs)
                                  for cases in DIFFERENT.values()
                                  for arguments, _, theirs in cases])


def test_settings_have_memcacheds_names_in_its_order(t):
    names = list(t.node().c.stats('settings'))
    ours = [name for name in names
            if re.match('repl_|twincached_', name)]
    assert names[-len(ours):] == ours, 'ours come last'
    assert len(names) - len(ours) == 77, len(names) - len(ours)


def test_a_bad_command_line_changes_nothing(t):
    socket_path, pid_path = t.path('socket'), t.path('pid')
    for path in (socket_path, pid_path):
        with open(path, 'w') as file:
            file.write('mine')
    for words in (['-o', 'nonsense'], ['-p', '65536'], ['-u', 'no-such-user'],
                  ['-S', '-U', '11299'], ['-I', '40m']):
        done = t.run(t.binary, *user_words(), '-s', socket_path,
                     '-P', pid_path, *words)
        assert done.returncode in (1, 64, 67), (words, done)
    for path in (socket_path, pid_path):
        with open(path) as file:
            assert file.read() == 'mine'
    assert not os.path.exists(pid_path + '.tmp')


# (command, its reply, setting, value)
CHANGES = [
    ('verbosity 2', 'OK', 'verbosity', '2'),
    ('stats detail on', 'OK', 'detail_enabled', 'yes'),
    ('stats detail off', 'OK', 'detail_enabled', 'no'),
    ('lru_crawler disable', 'OK', 'lru_crawler', 'no'),
    ('lru_crawler enable', 'OK', 'lru_crawler', 'yes'),
    ('lru_crawler sleep 200', 'OK', 'lru_crawler_sleep', '200'),
    ('lru_crawler tocrawl 5', 'OK', 'lru_crawler_tocrawl', '5'),
    ('lru tune 10 25 0.1 3.0', 'OK', 'hot_lru_pct', '10'),
    ('lru tune 10 25 0.1 3.0', 'OK', 'warm_lru_pct', '25'),
    ('lru tune 10 25 0.1 3.0', 'OK', 'hot_max_factor', '0.10'),
    ('lru tune 10 25 0.1 3.0', 'OK', 'warm_max_factor', '3.00'),
    ('lru mode flat', 'OK', 'lru_segmented', 'no'),
    ('lru mode segmented', 'OK', 'lru_segmented', 'yes'),
    ('lru temp_ttl 30', 'OK', 'temporary_ttl', '30'),
    ('lru temp_ttl 30', 'OK', 'temp_lru', 'yes'),
    ('lru temp_ttl -1', 'OK', 'temp_lru', 'no'),
    ('slabs automove 2', 'OK', 'slab_automove', '2'),
    ('slabs automove ratio 0.5', 'OK', 'slab_automove_ratio', '0.50'),
    ('slabs automove window 20', 'OK', 'slab_automove_window', '20'),
    ('cache_memlimit 128', 'OK', 'maxbytes', str(128 << 20)),
]


def test_settings_that_commands_change_are_shown(t):
    client = t.node('-v').c
    for command, reply, setting, value in CHANGES:
        assert client.command(command) == reply, command
        assert client.stats('settings')[setting] == value, command


def test_a_flush_is_shown_as_the_oldest_second(t):
    client = t.node().c
    assert client.stats('settings')['oldest'] == '0'
    assert client.command('flush_all') == 'OK'
    first = int(client.stats('settings')['oldest'])
    assert first > 0
    assert client.command('flush_all 100') == 'OK'
    assert int(client.stats('settings')['oldest']) >= first + 99

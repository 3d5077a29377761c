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


def test_verbosity_that_a_command_sets_is_shown(t):
    client = t.node('-v').c
    assert client.stats('settings')['verbosity'] == '1'
    assert client.command('verbosity 2') == 'OK'
    assert client.stats('settings')['verbosity'] == '2'

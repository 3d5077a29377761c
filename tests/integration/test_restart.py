# SPDX-License-Identifier: BSD-3-Clause
"""Warm restart: a daemon stops by SIGUSR1, the next one has its items."""

import os
import shutil
import signal
import socket
import tempfile
import time

from harness.context import deadline
from harness.hosts import Skip
from harness.node import Node, Pair
from harness.process import Process
from harness.wait import wait_for

MIB = 1 << 20
EX_DATAERR = 65
EX_OSERR = 71


def keys_of(count, prefix='k'):
    return [f'{prefix}{number}' for number in range(count)]


def fill(node, keys, size=100):
    node.c.store_many((key, key.encode().ljust(size, b'.')) for key in keys)


def room(t):
    """A directory for memory files, in memory where there is any."""
    directory = tempfile.mkdtemp(
        prefix='twincached-', dir='/dev/shm' if os.access(
            '/dev/shm', os.W_OK) else t.directory)
    t.defer(shutil.rmtree, directory, True)
    return directory


def node_with_file(t, *args, name='node'):
    node = Node(t, name, [*args, '-e', os.path.join(room(t), name)])
    node.file = node.args[-1]
    node.meta = node.file + '.meta'
    return node


def stop(node, number=signal.SIGUSR1):
    """As an operator does it; the next start may go on from there."""
    node.forget_client()
    node.process.signal(number)
    status = node.process.wait()
    assert status == 0, status


def restart(node, **how):
    stop(node)
    return node.start(**how)


def log_of(node, function):
    """What the node logs meanwhile."""
    before = len(node.log()) if node.process else 0
    function()
    return node.log()[before:]


def expect_empty(node, words):
    """It starts, without an item, and says why."""
    log = log_of(node, node.start)
    assert words in log, log
    assert node.stat('curr_items') == 0
    assert not os.path.exists(node.meta)


def expect_refusal(node, status, words):
    """It does not start, and says why."""
    def try_it():
        node.start(answer=False)
        got = node.process.wait()
        assert got == status, got
    log = log_of(node, try_it)
    assert words in log, log


# ---- one node ----

def described(node):
    """What a dump says of all items."""
    node.c.send(b'lru_crawler metadump all\r\n')
    return sorted(node.c.read_until(b'END\r\n').splitlines())


def store_all_kinds(c):
    c.set('plain', 'value')
    c.set('flags', 'value', flags=4711)
    c.set('empty', '')
    c.set('mortal', 'value', ttl=10_000)
    c.set('k' * 250, 'long key')
    c.set('read', 'value')
    assert c.get('read') == b'value'
    c.set('number', '10')
    assert c.command('incr number 5') == '15'
    for size in (400_000, 900_000, 1_000_000):
        c.set(f'large{size}', os.urandom(size // 2).hex())
    c.ask(b'ms c3RhbGU= 5 b T90\r\nvalue\r\n', b'HD\r\n')
    c.ask(b'md c3RhbGU= b I\r\n', b'HD\r\n')
    c.set('won', 'value')
    c.ask(b'md won I\r\n', b'HD\r\n')
    c.ask(b'mg won\r\n', b'HD X W\r\n')
    c.ask(b'ms owncas 5 E123456\r\nvalue\r\n', b'HD\r\n')
    c.set('gone', 'value')
    assert c.command('delete gone') == 'DELETED'


ALL_KINDS = ['plain', 'flags', 'empty', 'mortal', 'k' * 250, 'read', 'number',
             'large400000', 'large900000', 'large1000000', 'won', 'owncas']


def test_items_of_all_kinds_are_back(t):
    node = node_with_file(t).start()
    store_all_kinds(node.c)
    held = node.c.get_many(ALL_KINDS)
    assert len(held) == len(ALL_KINDS)
    dump = described(node)
    figures = [node.stat(name) for name in ('curr_items', 'bytes')]
    log = log_of(node, lambda: restart(node))
    assert '13 items are saved' in log and '13 items of' in log, log
    assert not os.path.exists(node.meta)
    assert [node.stat(name) for name in ('curr_items', 'bytes')] == figures
    assert described(node) == dump
    assert node.c.get_many(ALL_KINDS + ['gone']) == held
    node.c.ask(b'mg won\r\n', b'HD Z X\r\n')
    node.c.ask(b'mg c3RhbGU= b\r\n', b'HD X W\r\n')
    node.c.ask(b'mg read h\r\n', b'HD h1\r\n')
    assert node.c.command('incr number 1') == '16'
    cas = held['plain'][1]
    node.c.ask(b'cas plain 0 0 1 %d\r\nx\r\n' % cas, b'STORED\r\n')
    assert node.c.gets('plain')[1] > cas


def test_many_restarts_with_work_in_between(t):
    node = node_with_file(t, '-m', '16').start()
    for turn in range(6):
        fill(node, keys_of(20_000, f't{turn}-'), 100 + 400 * (turn % 3))
        for key in keys_of(2000, f't{turn}-'):
            node.c.send(b'delete %s noreply\r\n' % key.encode())
        figures = [node.stat(name) for name in ('curr_items', 'bytes')]
        dump = described(node)
        restart(node)
        assert [node.stat(name)
                for name in ('curr_items', 'bytes')] == figures
        assert described(node) == dump
    assert node.stat('curr_items') > 10_000


def test_time_counts_while_it_is_down(t):
    node = node_with_file(t).start()
    end = int(time.time()) + 3
    node.c.set('short', 'value', ttl=end)
    node.c.set('long', 'value', ttl=end + 1000)
    stop(node)
    wait_for('the short life to end', lambda: time.time() > end + 0.1)
    node.start()
    assert node.c.get('short') is None
    node.c.send(b'mg long t\r\n')
    assert 900 < int(node.c.line().split(b't')[1]) <= 1000


def test_a_flush_is_not_forgotten(t):
    node = node_with_file(t).start()
    node.c.set('k', 'old')
    assert node.c.command('flush_all') == 'OK'
    node.c.set('new', 'value')
    restart(node)
    assert node.c.get('k') is None
    assert node.c.get('new') == b'value'


def test_only_a_graceful_stop_saves(t):
    node = node_with_file(t).start()
    for end in (node.kill, node.terminate,
                lambda: stop(node, signal.SIGTERM)):
        node.c.set('k', 'value')
        end()
        assert not os.path.exists(node.meta)
        node.start()
        assert node.c.get('k') is None
    restart(node)
    node.kill()
    node.start()
    assert node.stat('curr_items') == 0


def test_shutdown_graceful_saves(t):
    node = node_with_file(t, '-A').start()
    node.c.set('k', 'value')
    node.c.send(b'shutdown graceful\r\n')
    assert node.process.wait() == 0
    node.start()
    assert node.c.get('k') == b'value'


def test_a_daemon_in_the_background_saves(t):
    file = os.path.join(room(t), 'items')
    here = os.path.dirname(file)
    node = Node(t, 'node', ['-e', 'items'])
    pid_file = os.path.join(here, 'pid')
    words = ['sh', '-c', 'cd "$0" && exec "$@"', here, *node.argv(), '-d',
             '-P', pid_file]
    for value in (None, b'value'):
        starter = Process(words, node.log_path)
        assert starter.wait() == 0
        node.process = starter
        node.await_answer()
        assert node.c.get('k') == value
        node.c.set('k', 'value')
        node.forget_client()
        with open(pid_file) as pid:
            os.kill(int(pid.read()), signal.SIGUSR1)
        wait_for('the items to be saved',
                 lambda: os.path.exists(file + '.meta'))
        wait_for('the daemon to end',
                 lambda: not os.path.exists(pid_file))


# ---- refusals of one node ----

def test_other_options_start_empty_in_words(t):
    node = node_with_file(t, '-m', '64', '-X', '0')
    for options, words in (
            (['-I', '2m'], '-I was 1048576 bytes and is 2097152'),
            (['-m', '96'], 'it has 67108864 bytes and -m needs 100663296'),
            (['-f', '1.5'], 'it had other slab classes'),
            (['-n', '100'], 'it had other slab classes'),
            (['-o', 'repl_name=other'], 'the pair had another name')):
        node.start()
        node.c.set('k', 'value')
        stop(node)
        plain, node.args = node.args, node.args + options
        expect_empty(node, words)
        node.terminate()
        node.args = plain
        node.start()
        assert node.stat('curr_items') == 0
        stop(node)


def damage(meta):
    """Each way that a meta file can be wrong, and the words for it."""
    size = len(meta)
    flipped = bytearray(meta)
    flipped[size // 2] ^= 0x10
    return [(b'', 'it is empty'),
            (meta[:20], 'it is too short'),
            (meta[:-1], 'it has the wrong length'),
            (meta + b'?', 'it has the wrong length'),
            (bytes(flipped), 'its checksum does not match'),
            (b'X' + meta[1:], 'it is something else'),
            (meta[:11] + b'\xff' + meta[12:], 'it is of another version')]


def test_a_damaged_meta_file_is_refused(t):
    node = node_with_file(t).start()
    node.c.set('k', 'value')
    stop(node)
    with open(node.meta, 'rb') as file:
        meta = file.read()
    assert os.stat(node.meta).st_mode & 0o777 == 0o600
    for bytes_now, words in damage(meta):
        with open(node.meta, 'wb') as file:
            file.write(bytes_now)
        expect_refusal(node, EX_DATAERR, f'is damaged ({words})')
        with open(node.meta, 'rb') as file:
            assert file.read() == bytes_now
    with open(node.meta, 'wb') as file:
        file.write(meta)
    node.start()
    assert node.c.get('k') == b'value'


def test_a_damaged_item_file_starts_empty(t):
    node = node_with_file(t)
    for place in (40, 60, MIB + 60):
        node.start()
        fill(node, keys_of(10_000))
        node.c.set('large', 'x' * 900_000)
        stop(node)
        with open(node.file, 'r+b') as file:
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 4]))
        expect_empty(node, 'has changed since it was left')
        fill(node, keys_of(1000))
        node.terminate()


def test_an_item_file_of_another_length_starts_empty(t):
    node = node_with_file(t)
    for size in (0, 63 * MIB, 65 * MIB):
        node.start()
        node.c.set('k', 'value')
        stop(node)
        os.truncate(node.file, size)
        expect_empty(node, f'it has {size} bytes')
        assert os.stat(node.file).st_size == 64 * MIB
        stop(node)


def test_a_lost_meta_file_starts_empty(t):
    node = node_with_file(t).start()
    node.c.set('k', 'value')
    stop(node)
    os.unlink(node.meta)
    node.start()
    assert node.stat('curr_items') == 0


def test_two_daemons_do_not_share_a_file(t):
    node = node_with_file(t).start()
    node.c.set('k', 'value')
    other = Node(t, 'other', ['-e', node.file])
    expect_refusal(other, EX_OSERR, 'is in use by another process')
    restart(node)
    assert node.c.get('k') == b'value'


def test_a_place_that_is_none_is_refused(t):
    node = node_with_file(t)
    for path, status, words in (
            ('/nonexistent/file', EX_OSERR, 'cannot open the directory of'),
            (t.directory, EX_OSERR, 'Is a directory'),
            ('/dev/null', 64, 'is not a regular file')):
        node.args[-1] = path
        expect_refusal(node, status, words)


def test_a_full_disk_is_an_error_at_the_start(t):
    if os.geteuid() != 0:
        raise Skip('only root mounts a small file system')
    small = t.path('small')
    os.mkdir(small)
    if t.run('mount', '-t', 'tmpfs', '-o', 'size=16m', 'none',
             small).returncode != 0:
        raise Skip('this machine mounts nothing')
    t.defer(t.run, 'umount', small)
    node = Node(t, 'node', ['-e', os.path.join(small, 'items')])
    expect_refusal(node, EX_OSERR, 'there is no room for the 64 MiB of -m')
    node.args = ['-m', '8', *node.args]
    node.start()
    node.c.set('k', 'value')
    restart(node)
    assert node.c.get('k') == b'value'
    node.terminate()


def test_a_start_that_fails_loses_nothing(t):
    node = node_with_file(t).start()
    store_all_kinds(node.c)
    dump = described(node)
    stop(node)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((node.address, node.port))
        taken.listen()
        expect_refusal(node, EX_OSERR, 'items are saved for the next start')
    plain, node.args = node.args, node.args + ['-I', '60m']
    expect_refusal(node, 64, '-I')
    node.args = plain
    node.start()
    assert described(node) == dump


def test_memory_of_a_file_keeps_its_size(t):
    node = node_with_file(t).start()
    for mib in (32, 128):
        reply = node.c.command(f'cache_memlimit {mib}')
        assert reply.startswith('MEMLIMIT_ADJUST_FAILED'), reply
    assert node.stat('limit_maxbytes') == 64 * MIB


def test_another_user_keeps_its_file(t):
    if os.geteuid() != 0:
        raise Skip('only root switches users')
    node = node_with_file(t, '-u', 'nobody')
    log = log_of(node, node.start)
    assert 'cannot be written to' in log, log
    node.terminate()
    shutil.chown(os.path.dirname(node.file), 'nobody')
    log = log_of(node, node.start)
    assert 'cannot be written to' not in log, log
    node.c.set('k', 'value')
    restart(node)
    assert node.c.get('k') == b'value'


# ---- pairs ----

def pair_with_files(t, *args):
    pair = Pair.on_loopback(t, args)
    for node in pair.nodes:
        node.file = os.path.join(room(t), node.name)
        node.meta = node.file + '.meta'
        node.args += ['-e', node.file]
    return pair.start()


def filled_pair(t):
    """A pair with files that holds 10,000 keys, and these."""
    pair = pair_with_files(t)
    keys = keys_of(10_000)
    fill(pair.a, keys)
    pair.settle()
    return pair, keys


def other_of(pair, node):
    return pair.b if node is pair.a else pair.a


def expect_little(pair, node, items, kinds=('continue', 'delta')):
    """Both ways only so much went over the link since the node started."""
    pair.await_paired()
    pair.settle()
    table = node.repl()
    assert table['repl_resync_kind'] in kinds, table
    assert table['repl_resync_items_done'] <= items, table
    assert table['repl_applied'] <= items, table
    assert table['repl_bytes_in'] < 20_000 + 400 * items, table
    assert table['repl_bytes_out'] < 20_000 + 400 * items, table


@deadline(240)
def test_a_restart_is_sent_only_what_changed(t):
    pair = pair_with_files(t, '-m', '128')
    keys = keys_of(200_000)
    fill(pair.a, keys)
    pair.settle()
    for node in pair.nodes:
        left = other_of(pair, node)
        stop(node)
        left.await_state('alone')
        fill(left, keys[:50], 50)
        for key in keys[100:120]:
            left.c.command(f'delete {key}')
        left.c.set('since', node.name)
        node.start()
        expect_little(pair, node, 300)
        assert node.stat('curr_items') == left.stat('curr_items') > 199_900
        held = pair.await_equal(keys[:1000] + keys[-1000:] + ['since'])
        assert held['since'][2] == node.name.encode()
        assert not set(keys[100:120]) & set(held)
        fill(left, keys[100:120])
        pair.settle()
    pair.await_equal(keys)


@deadline(240)
def test_more_changes_than_the_log_holds_are_a_delta(t):
    pair = pair_with_files(t, '-m', '64', '-o',
                           'repl_log=64k,repl_tombstones=1024')
    keys = keys_of(60_000)
    fill(pair.a, keys)
    pair.settle()
    stop(pair.a)
    pair.b.await_state('alone')
    fill(pair.b, keys[:6000], 60)
    for key in keys[20_000:25_000]:
        pair.b.c.send(b'delete %s noreply\r\n' % key.encode())
    assert pair.b.c.get(keys[24_999]) is None
    pair.a.start()
    pair.await_paired()
    pair.settle()
    table = pair.a.repl()
    assert table['repl_resync_kind'] == 'delta', table
    assert table['repl_resync_items_done'] < 20_000, table
    held = pair.await_equal(keys)
    assert len(held) == 55_000
    assert pair.a.stat('curr_items') == pair.b.stat('curr_items') == 55_000


def test_a_flush_while_it_was_down(t):
    pair = pair_with_files(t)
    keys = keys_of(5000)
    fill(pair.a, keys)
    pair.settle()
    stop(pair.a)
    pair.b.await_state('alone')
    assert pair.b.c.command('flush_all') == 'OK'
    pair.b.c.set('new', 'value')
    pair.a.start()
    expect_little(pair, pair.a, 10)
    assert pair.a.c.get_many(keys) == {}
    assert pair.a.c.get('new') == b'value'


@deadline(240)
def test_both_restart_in_turn_under_writes(t):
    pair = pair_with_files(t, '-m', '64')
    keys = keys_of(20_000)
    fill(pair.a, keys)
    pair.settle()
    for turn in range(6):
        node, left = pair.nodes[::1 if turn % 2 else -1]
        client = left.client()
        node.forget_client()
        node.process.signal(signal.SIGUSR1)
        for part in range(20):
            some = keys[turn * 1000 + part * 50:][:50]
            client.store_many((key, b'%d' % turn) for key in some)
            client.ask(b'delete k%d noreply\r\nmn\r\n' %
                       (15_000 + turn * 100 + part), b'MN\r\n')
        assert node.process.wait() == 0
        node.start(answer=False)
        for part in range(20):
            some = keys[turn * 1000 + part * 50:][:20]
            client.store_many((key, b'later') for key in some)
        node.await_answer()
        pair.await_paired()
        pair.settle()
        assert node.repl()['repl_resync_kind'] != 'full', node.repl()
        client.close()
    held = pair.await_equal(keys)
    assert len(held) == 20_000 - 6 * 20


def test_what_was_not_told_before_the_stop_is_told_after_it(t):
    pair = pair_with_files(t, '-o', 'repl_drain=200')
    keys = keys_of(5000)
    fill(pair.a, keys)
    pair.settle()
    pair.b.process.freeze()
    fill(pair.a, keys[:500], 50)
    pair.a.c.command(f'delete {keys[1000]}')
    stop(pair.a)
    pair.b.process.thaw()
    pair.b.await_state('alone')
    pair.b.c.set('meanwhile', 'value')
    pair.a.start()
    pair.await_paired()
    pair.settle()
    assert pair.a.repl()['repl_resync_kind'] == 'delta', pair.a.repl()
    assert pair.a.repl()['repl_sent'] < 1000, pair.a.repl()
    held = pair.await_equal(keys + ['meanwhile'])
    assert len(held) == 5000
    assert held[keys[0]][2] == keys[0].encode().ljust(50, b'.')


def test_both_may_stop_and_start_again(t):
    pair, keys = filled_pair(t)
    stop(pair.a)
    pair.b.await_state('alone')
    fill(pair.b, keys[:10], 50)
    stop(pair.b)
    pair.start()
    for node in pair.nodes:
        expect_little(pair, node, 100)
    assert len(pair.await_equal(keys)) == 10_000


def test_it_comes_back_while_its_peer_is_down(t):
    pair, keys = filled_pair(t)
    stop(pair.b)
    pair.a.await_state('alone')
    restart(pair.a)
    pair.a.await_state('alone')
    assert len(pair.a.c.get_many(keys)) == 10_000
    fill(pair.a, keys[:10], 50)
    pair.b.start()
    expect_little(pair, pair.b, 100)
    assert len(pair.await_equal(keys)) == 10_000


def test_a_peer_that_begins_anew_gets_everything(t):
    pair, keys = filled_pair(t)
    stop(pair.a)
    pair.b.kill()
    pair.a.start()
    assert len(pair.a.c.get_many(keys)) == 10_000
    pair.b.start()
    pair.await_paired()
    pair.settle()
    assert pair.b.repl()['repl_resync_kind'] == 'full'
    assert len(pair.await_equal(keys)) == 10_000


def test_after_a_crash_a_node_begins_anew(t):
    pair, keys = filled_pair(t)
    restart(pair.a)
    pair.await_paired()
    pair.a.kill()
    pair.a.start()
    pair.await_paired()
    pair.settle()
    assert pair.a.repl()['repl_resync_kind'] == 'full'
    assert len(pair.await_equal(keys)) == 10_000


def expect_compared(pair, gone, log):
    """a kept what b holds as well: all but the keys that are gone."""
    assert 'of the 10000 items that came with the restart only those' in log
    table = pair.a.repl()
    assert table['repl_digest_total'] > 0 and table['repl_full_total'] == 0
    # Of each: that it is gone, and in the answers what else is in its group.
    assert table['repl_applied'] <= gone + 10, table
    assert table['repl_bytes_in'] < 30_000 + 40 * gone, table
    assert table['repl_bytes_out'] < 30_000 + 1000 * gone, table
    pair.verify()


def test_an_old_copy_of_the_files_is_not_trusted(t):
    pair, keys = filled_pair(t)
    stop(pair.a)
    copies = [(path, path + '.copy') for path in (pair.a.file, pair.a.meta)]
    for path, copied in copies:
        shutil.copyfile(path, copied)
    pair.a.start()
    pair.await_paired()
    for key in keys[:100]:
        pair.a.c.command(f'delete {key}')
    for key in keys[100:200]:
        pair.b.c.command(f'delete {key}')
    pair.settle()
    pair.a.terminate()
    pair.b.await_state('alone')
    for path, copied in copies:
        shutil.copyfile(copied, path)
    log = log_of(pair.a, pair.a.start)
    assert 'knows a later state' in log, log
    pair.await_paired()
    pair.settle()
    held = pair.await_equal(keys)
    assert len(held) == 9800 and not set(keys[:200]) & set(held)
    expect_compared(pair, 200, log)


def test_a_node_of_another_time_is_not_trusted(t):
    pair, keys = filled_pair(t)
    stop(pair.a)
    copies = [(path, path + '.copy') for path in (pair.a.file, pair.a.meta)]
    for path, copied in copies:
        os.rename(path, copied)
    pair.a.start()
    pair.await_paired()
    for key in keys[:100]:
        pair.b.c.command(f'delete {key}')
    pair.settle()
    pair.a.terminate()
    pair.b.await_state('alone')
    for path, copied in copies:
        os.rename(copied, path)
    log = log_of(pair.a, pair.a.start)
    assert 'had another node at its side' in log, log
    pair.await_paired()
    pair.settle()
    held = pair.await_equal(keys)
    assert len(held) == 9900 and not set(keys[:100]) & set(held)
    expect_compared(pair, 100, log)

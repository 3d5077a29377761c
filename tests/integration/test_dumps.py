# SPDX-License-Identifier: BSD-3-Clause
"""The crawler, dumps of the whole cache, and statistics of what is in it."""

import re
import socket
import struct
import threading

from harness.client import Client
from harness.context import deadline
from harness.tls import Authority, TlsNode
from harness.wait import wait_for

MIB = 1 << 20
META = re.compile(rb'key=(\S+) exp=(-1|\d+) la=(\d+) cas=(\d+) '
                  rb'fetch=(yes|no) cls=(\d+) size=(\d+) flags=(\d+) ')
BUSY = b'BUSY currently processing crawler request\r\n'


def key_of(number):
    return f'key{number:08d}'


def fill(client, numbers, size=1, ttl=0):
    client.store_many(((key_of(number), b'v' * size) for number in numbers),
                      ttl=ttl)


class SlowClient(Client):
    """Takes little at once, so that the daemon gets to feel it."""

    def __init__(self, node):
        self.pending = bytearray()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.sock.settimeout(20)
        self.sock.connect((node.address, node.port))


def dumped_keys(client):
    """Counts of the keys of a metadump whose OK was read."""
    counts = {}
    while True:
        line = client.read_until(b'\n')
        if line == b'END\r\n':
            return counts
        match = META.fullmatch(line[:-1])
        assert match, f'not a line of a metadump: {line!r}'
        counts[match[1]] = counts.get(match[1], 0) + 1


def test_pieces_of_a_dump_are_no_yields(t):
    node = t.node()
    node.c.set('a', b'1')
    node.c.ask(b'lru_crawler metadump all\r\n', b'OK\r\n')
    assert dumped_keys(node.c) == {b'a': 1}
    node.c.ask(b'stats detail dump\r\n', b'END\r\n')
    assert node.stat('conn_yields') == 0


@deadline(240)
def test_a_dump_lists_each_key_once_while_the_table_grows(t):
    node = t.node('-m', '256')
    stay, come = range(200_000), range(200_000, 600_000)
    fill(node.c, stay)
    power = node.stat('hash_power_level')
    reader = SlowClient(node)
    reader.ask(b'lru_crawler metadump hash\r\n', b'OK\r\n')
    # The dump stands where the socket is full, and the table grows under it.
    fill(node.c, come)
    for number in come[::2]:
        node.c.send(b'delete %s noreply\r\n' % key_of(number).encode())
    node.c.ask(b'mn\r\n', b'MN\r\n')
    wait_for('the table to grow', lambda:
             node.stat('hash_power_level') > power)
    counts = dumped_keys(reader)
    wrong = [number for number in stay
             if counts.get(key_of(number).encode()) != 1]
    assert not wrong, f'{len(wrong)} keys not listed once, first {wrong[0]}'
    assert max(counts.values()) == 1
    reader.ask(b'version\r\n', node.c.command('version').encode() + b'\r\n')


@deadline(240)
def test_writers_and_a_fast_dump_do_not_meet(t):
    node = t.node('-m', '256')
    stay = range(200_000)
    fill(node.c, stay)
    stop = threading.Event()

    def write():
        client = node.client()
        number = 200_000
        while not stop.is_set():
            fill(client, range(number, number + 500))
            number += 500
        client.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            reader = node.client()
            reader.ask(b'lru_crawler metadump all\r\n', b'OK\r\n')
            counts = dumped_keys(reader)
            reader.close()
            assert all(counts.get(key_of(number).encode()) == 1
                       for number in stay)
    finally:
        stop.set()
        for writer in writers:
            writer.join()


@deadline(240)
def test_a_reader_that_stalls_costs_little_and_blocks_nobody(t):
    node = t.node('-m', '256', '-t', '1')
    fill(node.c, range(300_000))
    before = node.resident_bytes()
    reader = SlowClient(node)
    reader.ask(b'lru_crawler metadump all\r\n', b'OK\r\n')
    fill(node.c, range(1000), size=2)
    assert node.c.get(key_of(7)) == b'vv'
    assert node.stat('lru_crawler_running') == 1
    node.c.ask(b'lru_crawler metadump all\r\n', BUSY)
    node.c.ask(b'lru_crawler mgdump 1\r\n', BUSY)
    node.c.ask(b'lru_crawler crawl all\r\n', BUSY)
    if not t.sanitized():
        assert node.resident_bytes() - before < 2 * MIB

    # Who stands still for some seconds is passed by the next one.
    def second_begins():
        other.send(b'lru_crawler mgdump all\r\n')
        return other.line() == b'OK'
    other = node.client()
    wait_for('another dump', second_begins)
    assert other.read_until(b'EN\r\n').count(b'mg key') == 300_000
    # And yet gets all of it.
    assert len(dumped_keys(reader)) == 300_000
    assert node.stat('lru_crawler_running') == 0


@deadline(240)
def test_gets_are_answered_in_the_midst_of_a_dump(t):
    node = t.node('-m', '256', '-t', '1')
    fill(node.c, range(300_000))
    reader = node.client()
    reader.send(b'lru_crawler metadump all\r\n')
    reader.line()
    lines, answered = 0, 0
    while reader.pending.find(b'END\r\n') < 0:
        reader._more()
        lines += reader.pending.count(b'\n')
        if reader.pending.find(b'END\r\n') < 0:
            del reader.pending[:-5]
        assert node.c.get(key_of(answered)) == b'v'
        answered += 1
    # One worker does both: the gets came between the pieces of the dump.
    assert answered > 20, f'{answered} gets while {lines} lines were dumped'


@deadline(120)
def test_a_client_that_leaves_ends_its_dump(t):
    node = t.node('-m', '256')
    fill(node.c, range(200_000))
    for _ in range(3):
        reader = SlowClient(node)
        reader.ask(b'lru_crawler metadump all\r\n', b'OK\r\n')
        assert node.stat('lru_crawler_running') == 1
        reader.read(10_000)
        reader.close()
        wait_for('the dump to end', lambda:
                 node.stat('lru_crawler_running') == 0)
    node.c.ask(b'lru_crawler crawl all\r\n', b'OK\r\n')


@deadline(120)
def test_a_dump_over_tls(t):
    node = TlsNode(t, Authority(t), name='tls', args=('-m', '256')).start()
    fill(node.c, range(100_000))
    client = node.tls()
    client.ask(b'lru_crawler metadump all\r\n', b'OK\r\n')
    assert len(dumped_keys(client)) == 100_000
    client.ask(b'lru_crawler mgdump 63\r\n', b'OK\r\nEN\r\n')


def test_a_crawl_frees_what_has_expired(t):
    node = t.node()
    fill(node.c, range(1000), ttl=1)
    fill(node.c, range(1000, 1100))

    def crawled():
        node.c.send(b'lru_crawler crawl all\r\n')
        node.c.line()
        return node.stat('curr_items') == 100
    wait_for('the expired to go', crawled)
    stats = node.c.stats()
    assert int(stats['crawler_reclaimed']) == 1000, stats
    assert int(stats['crawler_items_checked']) >= 1100
    items = node.c.stats('items')
    assert items['items:1:crawler_reclaimed'] == '1000'


def test_the_crawlers_settings_are_those_of_the_moment(t):
    def shown(node):
        settings = node.c.stats('settings')
        return [settings[name] for name in
                ('lru_crawler', 'lru_crawler_sleep', 'lru_crawler_tocrawl')]

    node = t.node('-o', 'lru_crawler_sleep=7,lru_crawler_tocrawl=8', name='on')
    assert shown(node) == ['yes', '7', '8']
    node.c.ask(b'lru_crawler disable\r\nlru_crawler sleep 9\r\n'
               b'lru_crawler tocrawl 10\r\n', b'OK\r\n' * 3)
    assert shown(node) == ['no', '9', '10']
    node.c.ask(b'lru_crawler enable\r\n', b'OK\r\n')
    assert shown(node) == ['yes', '9', '10']
    node = t.node('-o', 'no_lru_crawler', name='off')
    assert shown(node)[0] == 'no'
    node.c.ask(b'lru_crawler metadump all\r\n',
               b'CLIENT_ERROR lru crawler disabled\r\n')


def test_dumping_can_be_disabled(t):
    node = t.node('--disable-dumping')
    assert node.c.stats('settings')['dump_enabled'] == 'no'
    node.c.ask(b'lru_crawler metadump all\r\n',
               b'ERROR metadump not allowed\r\n')
    node.c.ask(b'lru_crawler mgdump all\r\n', b'ERROR mgdump not allowed\r\n')
    node.c.ask(b'stats cachedump 1 0\r\n',
               b'CLIENT_ERROR stats cachedump not allowed\r\n')
    node.c.ask(b'stats detail on\r\n',
               b'CLIENT_ERROR stats detail not allowed\r\n')


def test_sizes_are_counted_when_asked_for(t):
    node = t.node(name='plain')
    node.c.ask(b'stats sizes\r\n',
               b'STAT sizes_status disabled\r\nEND\r\n')
    node = t.node('-o', 'track_sizes', name='tracking')
    assert node.c.stats('settings')['track_sizes'] == 'yes'
    node.c.ask(b'stats sizes\r\n', b'END\r\n')
    fill(node.c, range(100), size=10)
    fill(node.c, range(100, 150), size=500)
    sizes = {int(size): int(count)
             for size, count in node.c.stats('sizes').items()}
    assert sorted(sizes.values()) == [50, 100]
    assert all(size % 32 == 0 for size in sizes)
    fill(node.c, range(100, 150), size=10)
    assert list(node.c.stats('sizes').values()) == ['150']
    node.c.ask(b'delete key00000001\r\n', b'DELETED\r\n')
    assert list(node.c.stats('sizes').values()) == ['149']


def stat_request(key):
    return struct.pack('>BBHBBHIIQ', 0x80, 0x10, len(key), 0, 0, 0, len(key),
                       7, 0) + key


def stat_reply(key=b'', value=b'', status=0):
    return struct.pack('>BBHBBHIIQ', 0x81, 0x10, len(key), 0, 0, status,
                       len(key) + len(value), 7, 0) + key + value


def test_prefixes_are_counted(t):
    node = t.node('-D', '/')
    settings = node.c.stats('settings')
    assert (settings['stat_key_prefix'], settings['detail_enabled']) == \
        ('/', 'yes')
    assert node.c.set('a/1', 'x') == 'STORED'
    for other in (node.client(), node.client()):
        assert other.get('a/1') == b'x'
        assert other.get('a/2') is None
    line = b'PREFIX a get 4 hit 2 set 1 del 0\r\nEND\r\n'
    node.c.ask(b'stats detail dump\r\n', line)
    binary = node.client()
    binary.ask(stat_request(b'detail dump'),
               stat_reply(b'detailed', line) + stat_reply())
    binary.ask(stat_request(b'detail off'), stat_reply())
    assert node.c.stats('settings')['detail_enabled'] == 'no'
    binary.ask(stat_request(b'detail'),
               stat_reply(value=b'Not found', status=1))
    binary.ask(stat_request(b'sizes'),
               stat_reply(b'sizes_status', b'disabled') + stat_reply())
    node.c.ask(b'stats reset\r\n', b'RESET\r\n')
    node.c.ask(b'stats detail dump\r\n', b'END\r\n')


def cold_items(node):
    items = node.c.stats('items')
    return sum(int(value) for name, value in items.items()
               if name.endswith(':number_cold'))


def test_the_tools_of_memcached_list_the_keys(t):
    node = t.node()
    server = f'127.0.0.1:{node.port}'
    names = {key_of(number) for number in range(500)}
    fill(node.c, range(250), size=20)
    fill(node.c, range(250, 500), size=2000, ttl=1000)
    wait_for('the items to be cold', lambda: cold_items(node) == 500)
    done = t.run('memcdump', f'--servers={server}')
    assert done.returncode == 0, done
    assert set(done.stdout.split()) == names
    done = t.run('memcstat', f'--servers={server}')
    assert done.returncode == 0 and 'curr_items: 500' in done.stdout, done
    tool = '/usr/share/memcached/scripts/memcached-tool'
    done = t.run('perl', tool, server, 'keys')
    assert done.returncode == 0, done
    assert names <= set(re.findall(r'key=(\S+)', done.stdout)), done
    done = t.run('perl', tool, server, 'dump')
    assert done.returncode == 0, done
    assert set(re.findall(r'^add (\S+)', done.stdout, re.M)) == names
    done = t.run('perl', tool, server, 'sizes')
    assert 'sizes_status' in done.stdout + done.stderr, done

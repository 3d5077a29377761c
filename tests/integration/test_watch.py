# SPDX-License-Identifier: BSD-3-Clause
"""watch: what is told, to whom, and what a watcher may cost."""

import re
import socket
import struct
import threading

from harness.client import Client
from harness.node import Pair
from harness.tls import Authority, TlsNode
from harness.wait import wait_for
from test_sockets import socket_path, unix_client

MIB = 1 << 20
LINE = re.compile(rb'ts=\d+\.\d+ gid=(\d+) (.*)\n')


def watcher(node_or_client, classes=''):
    client = (node_or_client.client() if hasattr(node_or_client, 'client')
              else node_or_client)
    client.ask(f'watch {classes}'.strip().encode() + b'\r\n', b'OK\r\n')
    return client


def next_line(client):
    """What the next line says, without its time and number."""
    line = client.read_until(b'\n')
    match = LINE.fullmatch(line)
    assert match, line
    return match[2].decode()


def masked(line):
    return re.sub(r'(clsid|cfd|rport)=[1-9]\d*', r'\1=N', line)


def told(client, count):
    return [masked(next_line(client)) for _ in range(count)]


# ---- classes ----

def test_fetchers_is_what_watch_alone_means(t):
    node = t.node()
    lines = watcher(node)
    client = node.c
    client.ask(b'get a b\r\n', b'END\r\n')
    client.ask(b'set a 0 0 3\r\nabc\r\n', b'STORED\r\n')
    client.ask(b'get a\r\n', b'VALUE a 0 3\r\nabc\r\nEND\r\n')
    client.ask(b'mg a\r\n', b'HD\r\n')
    client.ask(b'touch a 0\r\nincr a 1\r\ndelete a\r\n',
               b'TOUCHED\r\nCLIENT_ERROR cannot increment or decrement '
               b'non-numeric value\r\nDELETED\r\n')
    client.ask(b'set e 0 -1 1\r\nx\r\nget e\r\n', b'STORED\r\nEND\r\n')
    client.ask(b'set f 0 0 1\r\nx\r\nflush_all\r\ngat 0 f\r\n',
               b'STORED\r\nOK\r\nEND\r\n')
    client.ask(b'get k\x01\xff%~\r\n', b'END\r\n')
    none = 'status=not_found clsid=0 cfd=N size=0'
    some = 'status=found clsid=N cfd=N size=3'
    expected = [f'a {none}', f'b {none}', f'a {none}'] + [f'a {some}'] * 5 + [
        f'e {none}', 'e status=expired clsid=0 cfd=N size=0',
        f'f {none}', 'f status=flushed clsid=0 cfd=N size=0',
        f'k%01%FF%25~ {none}']
    got = told(lines, len(expected))
    assert got == ['type=item_get key=' + line for line in expected], got


def test_mutations_tell_each_outcome(t):
    node = t.node()
    lines = watcher(node, 'mutations')
    client = node.c
    rows = [
        (b'set a 7 0 3\r\nabc\r\n', b'STORED', 'a stored set 0 3'),
        (b'add a 0 0 1\r\nx\r\n', b'NOT_STORED', 'a not_stored add 0 1'),
        (b'replace a 0 100 2\r\nxy\r\n', b'STORED', 'a stored replace 100 2'),
        (b'append a 0 0 2\r\nzz\r\n', b'STORED', 'a stored append 100 4'),
        (b'prepend b 0 0 2\r\nzz\r\n', b'NOT_STORED',
         'b not_stored prepend 0 2'),
        (b'cas a 0 0 1 1\r\nx\r\n', b'EXISTS', 'a exists cas 0 1'),
        (b'cas b 0 0 1 1\r\nx\r\n', b'NOT_FOUND', 'b not_found cas 0 1'),
        (b'ms a 1 T9\r\nx\r\n', b'HD', 'a stored set 9 1'),
        (b'ms a 1 ME\r\nx\r\n', b'NS', 'a not_stored add 0 1'),
        (b'ms a 1 C1\r\nx\r\n', b'EX', 'a exists cas 0 1'),
        (b'ms Zm9v 1 b\r\nx\r\n', b'HD', 'foo stored set 0 1'),
        (b'ma n N0 J12\r\n', b'HD', 'n stored add 0 2'),
        (b'set big 0 0 20000\r\n' + b'x' * 20000 + b'\r\n', b'STORED',
         'big stored set 0 20000'),
        (b'set big 0 0 2000000\r\n' + b'x' * 2000000 + b'\r\n',
         b'SERVER_ERROR object too large for cache',
         'big too_large set 0 2000000'),
        (struct.pack('>BBHBBHIIQ', 0x80, 2, 1, 8, 0, 0, 10, 0, 0) +
         bytes(8) + b'zx', None, 'z stored add 0 1')]
    for request, reply, expected in rows:
        if reply is None:
            client = node.client()
            client.send(request)
            assert client.read(24)[6:8] == b'\0\0'
        else:
            client.ask(request, reply + b'\r\n')
        key, status, verb, ttl, size = expected.split()
        got = re.sub('clsid=0', 'clsid=N', told(lines, 1)[0])
        got = re.sub('ttl=99 ', 'ttl=100 ', got)
        assert got == (f'type=item_store key={key} status={status} '
                       f'cmd={verb} ttl={ttl} clsid=N cfd=N size={size}'), got


def test_deletions_tell_what_was_there(t):
    node = t.node()
    lines = watcher(node, 'deletions')
    client = node.c
    client.send(b'set a 0 0 3\r\nabc\r\nset b 0 0 1\r\nx\r\n'
                b'delete none\r\ndelete a\r\nmd b I\r\nmd b\r\n'
                b'set e 0 -1 1\r\nx\r\ndelete e\r\nset c 0 0 1\r\nx\r\n'
                b'delete c noreply\r\nmn\r\n')
    client.read_until(b'MN\r\n')
    assert told(lines, 3) == [
        'type=deleted key=a cmd=delete clsid=N size=3',
        'type=deleted key=b cmd=md clsid=N size=1',
        'type=deleted key=c cmd=delete clsid=N size=1']


def test_evictions_tell_who_gave_way(t):
    node = t.node('-m', '8')
    lines = watcher(node, 'evictions')
    value = b'x' * 100000
    for i in range(200):
        node.c.store_many([(f'key{i}', value)], ttl=[0, 1000][i % 2])
    evicted = node.stat('evictions')
    assert evicted > 20
    got = [next_line(lines) for _ in range(evicted)]
    for line in got:
        assert re.fullmatch(
            r'type=eviction key=key\d+ fetch=no ttl=(-1|9\d\d|1000) la=\d+ '
            r'clsid=\d+ size=100000', line), line
    assert len({line.split()[1] for line in got}) == evicted


def next_line_of(lines, port):
    """Passes over the connection that asked whether the daemon answers."""
    line = next_line(lines)
    while f' rport={port} ' not in line:
        line = next_line(lines)
    return line


def test_connevents_tell_who_came_and_why_they_left(t):
    node = t.node('-o', 'idle_timeout=1')
    lines = watcher(node, 'connevents')
    client = node.client()
    port = client.sock.getsockname()[1]
    assert next_line_of(lines, port).startswith(
        f'type=conn_new rip=127.0.0.1 rport={port} transport=tcp cfd=')
    client.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
    client.send(b'quit\r\n')
    assert next_line_of(lines, port).startswith(
        f'type=conn_close rip=127.0.0.1 rport={port} transport=tcp '
        'reason=normal cfd=')
    broken = node.client()
    next_line(lines)
    broken.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack('ii', 1, 0))
    broken.close()
    assert ' reason=error ' in next_line(lines)
    endless = node.client()
    next_line(lines)
    endless.send(b'x' * 5000)
    assert ' reason=error ' in next_line(lines)
    idle = node.client()
    next_line(lines)
    assert ' reason=idle_timeout ' in next_line(lines)
    idle.expect_end()
    # The watcher itself is never idle.
    assert node.client().stats()['log_watchers'] == '1'


def test_lines_of_all_workers_come_in_order(t):
    node = t.node('-t', '4')
    lines = watcher(node, 'fetchers mutations')

    def work(client):
        for _ in range(50):
            client.ask(b'set k 0 0 1\r\nx\r\nget k\r\n',
                       b'STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n')
    clients = [node.client() for _ in range(8)]
    threads = [threading.Thread(target=work, args=(client,))
               for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [int(LINE.fullmatch(lines.read_until(b'\n'))[1])
               for _ in range(8 * 50 * 3)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert node.stat('log_worker_written') == len(numbers)
    assert node.stat('log_watcher_sent') == len(numbers)


def test_what_the_peer_wrote_is_no_mutation_here(t):
    pair = Pair.on_loopback(t).start()
    lines = watcher(pair.b, 'mutations fetchers deletions')
    pair.a.c.ask(b'set a 0 0 1\r\nx\r\ndelete a\r\nset b 0 0 1\r\nx\r\n',
                 b'STORED\r\nDELETED\r\nSTORED\r\n')
    pair.settle()
    pair.b.c.ask(b'get b\r\n', b'VALUE b 0 1\r\nx\r\nEND\r\n')
    assert masked(next_line(lines)) == ('type=item_get key=b status=found '
                                        'clsid=N cfd=N size=1')


def test_sysevents_tell_what_the_daemon_does(t):
    node = t.node('-m', '16', '-o', 'slab_automove=0')
    lines = watcher(node, 'sysevents')
    node.c.ask(b'set e 0 -1 1\r\nx\r\n', b'STORED\r\n')
    node.c.store_many((f'key{i}', b'x' * 1000) for i in range(3000))
    assert node.c.command('lru_crawler crawl all') == 'OK'
    line = next_line(lines)
    while 'crawler=crawl' not in line:
        line = next_line(lines)
    assert re.fullmatch(r'type=lru_crawler crawler=crawl elapsed=\d+ '
                        r'examined=300[01] reclaimed=[01]', line), line
    slabs = node.c.stats('slabs')
    source = next(key.split(':')[0] for key, pages in slabs.items()
                  if key.endswith(':total_pages') and int(pages) > 2)
    wait_for('a page to move', lambda: node.c.command(
        f'slabs reassign {source} 1') in ('OK', 'BUSY currently processing '
                                          'reassign request'))
    line = next_line(lines)
    while 'slab_move' not in line:
        line = next_line(lines)
    assert line == f'type=slab_move src={source} dst=1', line


def test_sysevents_tell_of_the_peer(t):
    pair = Pair.on_loopback(t).start()
    lines = watcher(pair.a, 'sysevents')
    pair.b.kill()
    line = next_line(lines)
    assert re.fullmatch(r'type=peer_down peer=127\.0\.0\.1:\d+ '
                        r'reason=(lost|silent)', line), line
    pair.b.start()
    pair.await_paired()
    line = next_line(lines)
    assert re.fullmatch(r'type=peer_up peer=127\.0\.0\.1:\d+ '
                        r'node=[0-9a-f]{16}', line), line


# ---- who may watch ----

def test_refusals(t):
    node = t.node()
    client = node.client()
    for line in (b'watch bogus', b'watch fetchers bogus', b'watch all'):
        client.ask(line + b'\r\n', b'ERROR\r\n')
    client.ask(b'version\r\nwatch\r\n',
               b'VERSION 1.6.45\r\n'
               b'ERROR cannot pipeline other commands before watch\r\n')
    watcher(client, 'rawcmds proxyreqs proxyevents proxyuser sysevents')
    node = t.node('-W', name='without')
    node.c.ask(b'watch\r\nwatch fetchers\r\n',
               b'CLIENT_ERROR watch commands not allowed\r\n' * 2)


def test_there_are_twenty_watchers_at_most(t):
    node = t.node()
    watchers = [watcher(node) for _ in range(20)]
    node.client().ask(b'watch\r\n',
                      b'WATCHER_TOO_MANY log watcher limit reached\r\n')
    assert node.stat('log_watchers') == 20
    watchers.pop().close()
    wait_for('one to be gone', lambda: node.stat('log_watchers') == 19)
    watchers.append(watcher(node))
    node.c.ask(b'get a\r\n', b'END\r\n')
    for client in watchers:
        assert ' key=a ' in next_line(client)


def test_a_watcher_is_not_served_and_ends_when_it_leaves(t):
    node = t.node()
    lines = watcher(node)
    lines.send(b'set k 0 0 1\r\nx\r\nversion\r\nquit\r\n')
    node.c.ask(b'get k\r\n', b'END\r\n')
    assert ' key=k status=not_found' in next_line(lines)
    conns = node.c.stats('conns')
    assert 'conn_watch' in conns.values(), conns
    lines.sock.shutdown(socket.SHUT_WR)
    lines.expect_end()
    wait_for('the watcher to be gone',
             lambda: node.stat('log_watchers') == 0)


def test_watching_over_a_unix_socket_and_tls(t):
    path = socket_path(t)
    node = t.node('-s', path)
    lines = watcher(unix_client(path), 'fetchers connevents')
    other = unix_client(path)
    other.ask(b'get a\r\n', b'END\r\n')
    assert masked(next_line(lines)) == (
        'type=conn_new rip=unix rport=0 transport=local cfd=N')
    assert ' key=a ' in next_line(lines)
    node = TlsNode(t, Authority(t), name='tls').start()
    lines = watcher(node, 'fetchers')
    for _ in range(20):
        node.c.ask(b'get b\r\n' * 100, b'END\r\n' * 100)
        for _ in range(100):
            assert ' key=b ' in next_line(lines)


# ---- what it costs ----

def test_a_stalled_watcher_is_bounded_and_told_what_it_missed(t):
    node = t.node('-o', 'watcher_logbuf_size=64,worker_logbuf_size=32')
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((node.address, node.port))
    lines = node.client()
    lines.sock.close()
    lines.sock = sock
    sock.settimeout(20)
    watcher(lines)
    client = node.c
    request = b'get ' + b' '.join(b'key%d' % i for i in range(500)) + b'\r\n'
    client.ask(request, b'END\r\n')
    before = node.resident_bytes()

    def is_full():
        client.ask(request * 20, b'END\r\n' * 20)
        return node.stat('log_watcher_skipped') > 20000
    wait_for('the watcher to miss lines', is_full)
    assert node.resident_bytes() - before < 2 * MIB
    while True:
        # A line at a time makes room for what it missed, and more.
        line = lines.read_until(b'\n')
        if line.startswith(b'skipped='):
            break
        assert LINE.fullmatch(line), line
        if not lines.pending:
            client.ask(b'get more\r\n', b'END\r\n')
    assert int(line[8:]) > 0
    sock.close()
    wait_for('the watcher to be gone', lambda: node.stat('log_watchers') == 0)


def test_watchers_come_and_go_under_load(t):
    node = t.node('-t', '2')
    stop = threading.Event()
    failures = []

    def work():
        client = node.client()
        try:
            while not stop.is_set():
                client.ask(b'set k 0 0 1\r\nx\r\nget k\r\ndelete k\r\n' * 20,
                           b'STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n'
                           b'DELETED\r\n' * 20)
        except AssertionError as error:  # Another one took the key.
            failures.append(error)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        for i in range(200):
            client = watcher(node, 'fetchers mutations deletions connevents')
            if i % 2 == 0:
                client.read(1000)
            if i % 3 == 0:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack('ii', 1, 0))
            client.close()
    finally:
        stop.set()
        thread.join()
    assert not failures, failures
    wait_for('all to be gone', lambda: node.stat('log_watchers') == 0)


# ---- the operator's log, and the end ----

REQUESTS = [
    b'get foo', b'set foo 0 0 3\r\nbar', b'set foo 0 0 3 noreply\r\nbar',
    b'gets foo bar', b'add foo 0 0 1\r\nx', b'incr foo 1', b'delete foo',
    b'delete foo', b'mg foo v', b'ms foo 2\r\nab', b'mg foo v k O12',
    b'md foo q', b'me foo', b'bogus', b'touch a 1', b'gat 0 a',
    b'verbosity 2', b'stats reset', b'flush_all',
    b'set big 0 0 2000000\r\n' + b'x' * 2000000, b'verbosity a', b'verbosity 2 noreply', b'mg foo Y', b'stats slabs']


def logged(node, path):
    """What is logged of the requests of one client, the client called N."""
    client = Client(*node)
    number = None
    for request in REQUESTS:
        client.send(request + b'\r\nmn\r\n')
        client.read_until(b'MN\r\n')
    client.send(b'quit\r\n')
    client.expect_end()

    def whole():
        with open(path, errors='replace') as log:
            lines = log.read().splitlines()
        start = [i for i, line in enumerate(lines)
                 if line.endswith('Client using the ascii protocol')
                 and lines[i + 1] == lines[i].split(':')[0].join(
                     ['<', ' get foo'])]
        if not start:
            return None
        nonlocal number
        number = lines[start[0]].split(':')[0]
        own = [line for line in lines[start[0]:]
               if re.match(rf'[<>]?{number}\b', line)]
        end = f'<{number} connection closed.'
        return own[:own.index(end) + 1] if end in own else None
    lines = wait_for('the log of a client', whole)
    return [re.sub(rf'^([<>]?){number}\b', r'\1N', line) for line in lines]


def test_vv_logs_each_request_as_memcached_does(t):
    from test_statistics import memcached
    from harness.process import Process, free_port
    memcached(t)  # Skips where there is no such version.
    port = free_port()
    t.processes.append(('vv', Process(
        ['memcached', '-l', '127.0.0.1', '-p', str(port), '-u', 'root',
         '-vv'], t.path('vv.log'))))
    wait_for('memcached to listen', lambda: Client('127.0.0.1', port))
    node = t.node('-vv')
    expected = logged(('127.0.0.1', port), t.path('vv.log'))
    got = logged((node.address, node.port), node.log_path)
    assert got == expected, [pair for pair in zip(expected, got)
                             if pair[0] != pair[1]][:5]


def test_verbosity_is_changed_while_running(t):
    node = t.node()
    client = node.c

    def level():
        return client.stats('settings')['verbosity']
    assert level() == '1'
    client.ask(b'verbosity 2\r\n', b'OK\r\n')
    assert level() == '2'
    client.ask(b'get logged\r\n', b'END\r\n')
    client.ask(b'verbosity 5\r\n', b'OK\r\n')
    assert level() == '2'
    client.ask(b'verbosity 0 noreply\r\nget quiet\r\n', b'END\r\n')
    assert level() == '0'
    log = node.log()
    assert ' get logged' in log and ' get quiet' not in log, log
    client.ask(b'verbosity\r\nverbosity x\r\n',
               b'CLIENT_ERROR bad command line format\r\n' * 2)


def test_shutdown_needs_its_option(t):
    node = t.node()
    node.c.ask(b'shutdown\r\nshutdown graceful\r\nversion\r\n',
               b'SERVER_ERROR: shutdown not enabled\r\n' * 2 +
               b'VERSION 1.6.45\r\n')
    assert node.c.stats('settings')['shutdown_command'] == 'no'


def test_shutdown_stops_the_daemon(t):
    for words in (b'shutdown', b'shutdown graceful'):
        node = t.node('-A', name=words.decode().replace(' ', '-'))
        assert node.c.stats('settings')['shutdown_command'] == 'yes'
        node.c.ask(b'shutdown now\r\nshutdown graceful now\r\n',
                   b'CLIENT_ERROR invalid shutdown mode\r\n' * 2)
        node.process.end_expected = True
        node.c.send(words + b'\r\nversion\r\n')
        node.c.expect_end()
        wait_for('the daemon to end', lambda: not node.process.alive())

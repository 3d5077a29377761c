# SPDX-License-Identifier: BSD-3-Clause
"""The ways in: UNIX socket, UDP, several addresses; and what each may cost."""

import os
import re
import shutil
import socket
import stat
import struct
import tempfile
import threading

from harness.client import REPLY_BOUND_S, Client
from harness.process import Process, free_port, resident_bytes
from harness.wait import wait_for

MIB = 1 << 20


def user_words():
    return ['-u', 'root'] if os.geteuid() == 0 else []


def daemon(t, *args, name='daemon', env=None):
    """A daemon with these words alone."""
    process = Process([t.binary, *user_words(), *args], t.path(name + '.log'),
                      env)
    t.processes.append((name, process))
    return process


def socket_path(t):
    """A name short enough for a UNIX socket, wherever the test runs."""
    directory = tempfile.mkdtemp(prefix='twin-')
    t.defer(shutil.rmtree, directory, True)
    return os.path.join(directory, 's')


def unix_client(path):
    client = Client.__new__(Client)
    client.sock = socket.socket(socket.AF_UNIX)
    client.sock.settimeout(REPLY_BOUND_S)
    client.sock.connect(path)
    client.pending = bytearray()
    return client


def answers(client):
    return client.command('version').startswith('VERSION')


def await_tcp(port, address='127.0.0.1'):
    wait_for(f'{address}:{port} to answer',
             lambda: answers(Client(address, port)))


def await_unix(path):
    wait_for(f'{path} to answer', lambda: answers(unix_client(path)))


def listening(t, pid, what='-Hltnp'):
    """Local addresses of the sockets that a process listens on."""
    return {line.split()[3] for line in t.run('ss', what).stdout.splitlines()
            if f'pid={pid},' in line}


def refused(t, *args):
    """Runs the daemon, which must not start; the sentence it says."""
    done = t.run(t.binary, *user_words(), *args)
    assert done.returncode != 0, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


# ---- UNIX socket ----

def test_a_unix_socket_alone_has_no_ports(t):
    path = socket_path(t)
    process = daemon(t, '-s', path)
    await_unix(path)
    client = unix_client(path)
    client.ask(b'set a 0 0 1\r\nx\r\n', b'STORED\r\n')
    client.ask(b'get a\r\n', b'VALUE a 0 1\r\nx\r\nEND\r\n')
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert listening(t, process.pid) == set()
    assert client.stats('settings')['domain_socket'] == path
    assert process.terminate() == 0
    assert not os.path.exists(path)


def test_a_unix_socket_and_a_port_serve_the_same_cache(t):
    path = socket_path(t)
    node = t.node('-s', path, '-a', '0766')
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o766
    unix_client(path).ask(b'set a 0 0 1\r\nx\r\n', b'STORED\r\n')
    assert node.c.get('a') == b'x'
    assert node.c.stats('settings')['umask'] == '766'


def test_a_socket_left_by_a_crash_is_replaced_and_a_live_one_is_not(t):
    path = socket_path(t)
    first = daemon(t, '-s', path, name='first')
    await_unix(path)
    assert path in (said := refused(t, '-s', path)), said
    assert 'another program' in said, said
    first.kill()
    assert os.path.exists(path)
    daemon(t, '-s', path, name='second')
    await_unix(path)
    plain = path + '.plain'
    with open(plain, 'w') as file:
        file.write('precious')
    assert 'no socket' in refused(t, '-s', plain)
    with open(plain) as file:
        assert file.read() == 'precious'


def test_a_relative_unix_socket_of_a_daemon_is_removed(t):
    path = socket_path(t)
    done = t.run('sh', '-c', 'cd "$0" && exec "$@"', os.path.dirname(path),
                 t.binary,
                 *user_words(), '-d', '-s', 's', '-P', t.path('pid'))
    assert done.returncode == 0, done
    await_unix(path)
    with open(t.path('pid')) as file:
        pid = int(file.read())
    os.kill(pid, 15)
    wait_for('the socket to be gone', lambda: not os.path.exists(path))


PHP = '''
$m = new Memcached();
$m->addServer($argv[1], 0);
$m->set("k", ["a" => 1]) or exit(2);
$m->get("k") === ["a" => 1] or exit(3);
$m->increment("n", 1, 41) === 41 or exit(4);
$m->increment("n") === 42 or exit(5);
count($m->getMulti(["k", "n", "none"])) === 2 or exit(6);
echo count($m->getVersion());
'''


def test_php_memcached_comes_in_by_the_unix_socket(t):
    path = socket_path(t)
    daemon(t, '-s', path)
    await_unix(path)
    code = PHP.replace('$m->increment("n", 1, 41) === 41 or exit(4);',
                       '$m->set("n", 41) or exit(4);')
    done = t.run('php', '-d', 'display_errors=stderr', '-r', code, '--', path)
    assert (done.returncode, done.stderr) == (0, ''), done


# ---- UDP ----

class Udp:
    def __init__(self, port, family=socket.AF_INET, address='127.0.0.1'):
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * MIB)
        self.sock.settimeout(REPLY_BOUND_S)
        self.sock.connect((address, port))
        self.id = 0

    def send(self, payload, number=0, total=1, reserved=0):
        self.id = (self.id + 1) % 65536
        self.sock.send(struct.pack('>HHHH', self.id, number, total, reserved) +
                       payload)

    def receive(self):
        """The reply to the last request, and its number of datagrams."""
        parts = {}
        while True:
            datagram = self.sock.recv(65536)
            assert len(datagram) <= 1400, len(datagram)
            number, of, total, reserved = struct.unpack('>HHHH', datagram[:8])
            assert (number, reserved) == (self.id, 0), datagram[:8]
            assert of < total and of not in parts, (of, total)
            parts[of] = datagram[8:]
            if len(parts) == total:
                break
        return b''.join(parts[i] for i in range(total)), total

    def ask(self, payload):
        self.send(payload)
        return self.receive()[0]


def udp_node(t, *args):
    port = free_port()
    node = t.node('-U', port, *args)
    return node, Udp(port)


def test_udp_serves_text_and_meta_commands(t):
    node, udp = udp_node(t)
    assert udp.ask(b'set a 5 0 3\r\nabc\r\n') == b'STORED\r\n'
    assert udp.ask(b'get a\r\n') == b'VALUE a 5 3\r\nabc\r\nEND\r\n'
    assert udp.ask(b'mg a v f\r\n') == b'VA 3 f5\r\nabc\r\n'
    assert udp.ask(b'get b\r\n') == b'END\r\n'
    assert node.c.get('a') == b'abc'
    text = udp.ask(b'stats\r\n')
    assert text.startswith(b'STAT pid ') and text.endswith(b'\r\nEND\r\n')
    udp.send(b'quit\r\n')
    assert udp.ask(b'mn\r\n') == b'MN\r\n'


def test_udp_serves_the_binary_protocol(t):
    _, udp = udp_node(t)
    # version
    reply = udp.ask(b'\x80\x0b' + bytes(22))
    assert reply[:2] == b'\x81\x0b' and reply[24:].startswith(b'1.6.'), reply
    # set, then get
    body = bytes(8) + b'k' + b'value'
    assert udp.ask(struct.pack('>BBHBBHIIQ', 0x80, 1, 1, 8, 0, 0, len(body),
                               7, 0) + body)[6:8] == b'\0\0'
    reply = udp.ask(struct.pack('>BBHBBHIIQ', 0x80, 0, 1, 0, 0, 0, 1, 8, 0) +
                    b'k')
    assert reply[12:16] == b'\0\0\0\x08' and reply.endswith(b'value'), reply


def test_a_large_reply_over_udp_is_one_series(t):
    node, udp = udp_node(t)
    values = {f'key{i}': bytes([65 + i]) * 30000 for i in range(5)}
    for key, value in values.items():
        assert node.c.set(key, value) == 'STORED'
    udp.send(b'get ' + ' '.join(values).encode() + b' none\r\n')
    reply, count = udp.receive()
    assert reply == b''.join(
        b'VALUE %s 0 30000\r\n%s\r\n' % (key.encode(), value)
        for key, value in values.items()) + b'END\r\n'
    assert count == -(-len(reply) // 1392), count


def test_udp_is_silent_to_what_is_malformed(t):
    _, udp = udp_node(t)
    for datagram in (b'', b'\0', b'get a\r\n', bytes(8), bytes(7)):
        udp.sock.send(datagram)
    udp.send(b'get a\r\n', 0, 2)
    udp.send(b'get a\r\n', 1, 2)
    udp.send(b'get a\r\n', 0, 0)
    udp.send(b'get a')
    udp.send(b'')
    assert udp.ask(b'mn\r\n') == b'MN\r\n'


def test_udp_alone_and_over_ipv6(t):
    port = free_port()
    process = daemon(t, '-l', '::1', '-p', '0', '-U', port)
    wait_for('the UDP port', lambda: listening(t, process.pid, '-Hlunp') ==
             {f'[::1]:{port}'})
    udp = Udp(port, socket.AF_INET6, '::1')
    assert udp.ask(b'mn\r\n') == b'MN\r\n'
    assert listening(t, process.pid) == set()


# ---- several addresses ----

def test_several_addresses_with_ports_and_prefixes(t):
    ports = [free_port() for _ in range(4)]
    process = daemon(
        t, '-p', ports[0],
        '-l', f'127.0.0.1,proto[negotiating]:127.0.0.2:{ports[1]}',
        '-l', f'tag[b]:proto[ascii]:[::1]:{ports[2]};127.0.0.1',
        '-l', f'tag_abcdefgh_:*:{ports[3]}')
    for address, port in (('127.0.0.1', 0), ('127.0.0.2', 1), ('::1', 2),
                          ('127.0.0.1', 3), ('::1', 3)):
        await_tcp(ports[port], address)
    assert listening(t, process.pid) == {
        f'127.0.0.1:{ports[0]}', f'127.0.0.2:{ports[1]}', f'[::1]:{ports[2]}',
        f'0.0.0.0:{ports[3]}', f'[::]:{ports[3]}'}


def test_a_listener_may_have_a_protocol_of_its_own(t):
    auto, text, binary = (free_port() for _ in range(3))
    daemon(t, '-l', f'127.0.0.1:{auto},proto[ascii]:127.0.0.1:{text},'
           f'proto[binary]:127.0.0.1:{binary}')
    await_tcp(auto)
    version = b'\x80\x0b' + bytes(22)
    for port in (auto, binary):
        client = Client('127.0.0.1', port)
        client.send(version)
        assert client.read(2) == b'\x81\x0b'
    for port in (auto, text):
        assert answers(Client('127.0.0.1', port))
    client = Client('127.0.0.1', text)
    client.ask(version + b'\r\n', b'ERROR\r\n')
    client = Client('127.0.0.1', binary)
    client.send(b'version\r\n' + bytes(24))
    client.expect_end()


def test_prefixes_that_mean_nothing_are_told(t):
    for entry, part in (('proto[proxy]:127.0.0.1', 'proxy'),
                        ('proto[x]:127.0.0.1', 'proto[ascii]'),
                        ('tag[]:127.0.0.1', 'tag[NAME]'),
                        ('tag[123456789]:127.0.0.1', '1 to 8'),
                        ('tag_a:127.0.0.1', 'tag[NAME]'),
                        ('notls:127.0.0.1', 'only with TLS'),
                        ('btls:127.0.0.1', 'only with TLS'),
                        ('mtls:127.0.0.1', 'only with TLS')):
        said = refused(t, '-p', free_port(), '-l', entry)
        assert part in said, said


def test_the_peer_is_awaited_at_an_address_with_prefixes(t):
    port, repl_port = free_port(), free_port()
    process = daemon(t, '-p', port, '-X', repl_port, '-l',
                     f'tag[in]:127.0.0.1,tag[x]:127.0.0.2:{free_port()}')
    await_tcp(port)
    wait_for('the replication port', lambda: f'127.0.0.1:{repl_port}' in
             listening(t, process.pid))


def test_the_port_file_lists_every_socket(t):
    path, port_file = socket_path(t), t.path('ports')
    daemon(t, '-l', '127.0.0.1,::1', '-p', '-1', '-U', '-1', '-s', path,
           env={'MEMCACHED_PORT_FILENAME': port_file})
    await_unix(path)
    with open(port_file) as file:
        lines = sorted(file.read().splitlines())
    assert [re.sub(r': \d+$', ': N', line) for line in lines] == [
        'TCP INET6: N', 'TCP INET: N', 'UDP INET6: N', 'UDP INET: N',
        f'UNIX: {path}'], lines
    tcp = [line for line in lines if line.startswith('TCP INET:')]
    await_tcp(int(tcp[0].split()[-1]))


# ---- stats conns ----

def conns(client):
    """{fd: {field: value}}"""
    table = {}
    for name, value in client.stats('conns').items():
        fd, field = name.split(':', 1)
        table.setdefault(int(fd), {})[field] = value
    return table


def test_stats_conns_shows_every_socket_and_what_it_does(t):
    path, port, udp_port = socket_path(t), free_port(), free_port()
    daemon(t, '-l', '127.0.0.1,::1', '-p', port, '-U', udp_port, '-s', path,
           '-t', '2')
    await_unix(path)
    tcp, tcp6 = Client('127.0.0.1', port), Client('::1', port)
    unix = unix_client(path)
    half = Client('127.0.0.1', port)
    half.send(b'set a 0 0 100000\r\nxyz')
    for client in (tcp, tcp6, unix):
        assert answers(client)
    fresh = Client('127.0.0.1', port)

    def by_client(client):
        host, number = client.sock.getsockname()[:2]
        name = f'tcp6:[{host}]:{number}' if ':' in host else \
            f'tcp:{host}:{number}'
        found = [row for row in conns(tcp).values() if row['addr'] == name]
        assert len(found) <= 1, found
        return found[0] if found else {}
    wait_for('the value to be awaited',
             lambda: by_client(half).get('state') == 'conn_nread')
    wait_for('the new client', lambda: by_client(fresh).get('state') ==
             'conn_new_cmd')
    assert by_client(tcp)['state'] == 'conn_parse_cmd'
    assert by_client(tcp)['listen_addr'] == f'tcp:127.0.0.1:{port}'
    assert by_client(tcp6)['state'] == 'conn_read'
    assert by_client(tcp6)['listen_addr'] == f'tcp6:[::1]:{port}'
    rows = conns(tcp).values()
    assert all(int(row['secs_since_last_cmd']) < 100 for row in rows)
    assert sorted(row['addr'] for row in rows
                  if row['state'] == 'conn_listening') == sorted([
                      f'tcp:127.0.0.1:{port}', f'tcp6:[::1]:{port}',
                      f'unix:{path}'])
    assert sorted(row['addr'] for row in rows if 'UDP' in row) == [
        f'udp6:[::1]:{udp_port}'] * 2 + [f'udp:127.0.0.1:{udp_port}'] * 2
    assert [row['listen_addr'] for row in rows
            if row['addr'] == 'unix:<AF 0>'] == [f'unix:{path}']
    stats = tcp.stats()
    assert int(stats['curr_connections']) == len(rows) - 1, stats
    assert int(stats['connection_structures']) == len(rows), stats


# ---- limits ----

def test_a_listener_that_pauses_serves_later(t):
    node = t.node('-c', '10', '-o', 'no_maxconns_fast')
    others = [node.client() for _ in range(9)]
    for client in [node.c, *others]:
        assert answers(client)
    waiting = node.client()
    waiting.send(b'version\r\n')
    wait_for('the listener to pause',
             lambda: node.stat('accepting_conns') == 0)
    stats = node.c.stats()
    assert int(stats['listen_disabled_num']) >= 1
    assert 'rejected_connections' not in stats
    others.pop().close()
    assert waiting.line().startswith(b'VERSION')
    assert node.stat('accepting_conns') == 1
    assert node.stat('time_in_listen_disabled_us') > 0
    assert node.c.stats('settings')['maxconns_fast'] == 'no'


def test_a_daemon_out_of_descriptors_goes_on_when_it_has_some(t):
    port = free_port()
    process = daemon(t, '-l', '127.0.0.1', '-p', port, '-c', '10000')
    await_tcp(port)
    used = len(os.listdir(f'/proc/{process.pid}/fd'))
    t.run('prlimit', f'--pid={process.pid}', f'--nofile={used + 5}:')
    clients = [Client('127.0.0.1', port) for _ in range(20)]
    for client in clients:
        client.send(b'version\r\n')
    assert clients[0].line().startswith(b'VERSION')
    wait_for('the pause', lambda: 'cannot accept' in process.log())
    for client in clients[1:]:
        clients[0].close()
        assert client.line().startswith(b'VERSION')
        clients[0] = client


def test_idle_connections_are_closed_and_busy_ones_are_not(t):
    port, udp_port = free_port(), free_port()
    daemon(t, '-l', '127.0.0.1', '-p', port, '-U', udp_port,
           '-o', 'idle_timeout=2')
    await_tcp(port)
    busy, idle = Client('127.0.0.1', port), Client('127.0.0.1', port)
    assert answers(idle)
    half = Client('127.0.0.1', port)
    half.send(b'set a 0 0 10\r\nx')
    watcher = Client('127.0.0.1', port)
    watcher.ask(b'watch connevents\r\n', b'OK\r\n')
    kicks = int(busy.stats()['idle_kicks'])

    def kicked():
        return int(busy.stats()['idle_kicks']) >= kicks + 2
    wait_for('both to be closed', kicked)
    idle.expect_end()
    half.expect_end()
    while b'reason=idle_timeout' not in watcher.read_until(b'\n'):
        pass
    assert answers(busy)
    assert Udp(udp_port).ask(b'mn\r\n') == b'MN\r\n'
    assert busy.stats('settings')['idle_timeout'] == '2'


def test_slow_readers_cost_a_bounded_amount(t):
    """Each sends far more requests than it reads replies to."""
    readers, size, requests = 40, 100000, 20000
    node = t.node('-m', '64')
    assert node.c.set('k', b'v' * size) == 'STORED'
    clients = [node.client() for _ in range(readers)]
    before = node.resident_bytes()
    for client in clients:
        client.sock.settimeout(0)
        try:
            client.sock.send(b'get k\r\n' * requests)
        except BlockingIOError:
            pass
    states = {}

    def all_wait():
        states.update(conns(node.c))
        return sum(row['state'] == 'conn_mwrite'
                   for row in conns(node.c).values()) == readers
    wait_for('all of them to wait', all_wait)
    grown = resident_bytes(node.pid) - before
    # Whole replies would be 80 GB; one sink and one buffer each are 5 MiB.
    if not t.sanitized():
        assert grown < 16 * MIB, f'{grown} bytes for {readers} slow readers'
    assert node.c.get('k') == b'v' * size


def test_replies_that_wait_have_a_limit(t):
    node = t.node('-m', '64', '-t', '1', '-o', 'read_buf_mem_limit=1')
    assert node.c.set('k', b'v' * 4000) == 'STORED'
    clients = [node.client() for _ in range(60)]
    for client in clients:
        client.sock.settimeout(0)
        try:
            client.sock.send(b'get k\r\n' * 5000)
        except BlockingIOError:
            pass
    wait_for('some to be closed', lambda: node.stat('response_obj_oom') > 0)
    assert node.stat('read_buf_bytes') <= MIB + 64 * 1024
    assert answers(node.c)
    assert node.c.stats('settings')['read_buf_mem_limit'] == str(MIB)


def test_a_flood_leaves_others_their_turn(t):
    """One thread, a client that pipelines without end, one that asks and
    waits: the polite one gets its replies after bounded work."""
    node = t.node('-t', '1', '-R', '5')
    node.c.set('k', 'v' * 1000)
    flood = node.client()
    stop = threading.Event()

    def keep_sending():
        try:
            while not stop.is_set():
                flood.sock.sendall(b'get k\r\n' * 1000)
        except OSError:
            pass

    def keep_reading():
        try:
            while flood.sock.recv(1 << 20):
                pass
        except OSError:
            pass
    threads = [threading.Thread(target=keep_sending),
               threading.Thread(target=keep_reading)]
    for thread in threads:
        thread.start()
    try:
        polite = node.client()
        wait_for('the flood', lambda: node.stat('conn_yields') > 0)
        served = []
        for _ in range(20):
            before = node.stat('cmd_get')
            polite.ask(b'get none\r\n', b'END\r\n')
            served.append(node.stat('cmd_get') - before)
    finally:
        stop.set()
        flood.sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
    # Two turns of stats and one of get: each waits for a few turns of the
    # flood, each of at most some shares of -R requests.
    assert sorted(served)[len(served) // 2] < 3000, served


def test_sockets_carry_their_mark(t):
    if os.geteuid() != 0:
        return
    port = free_port()
    process = daemon(t, '-l', '127.0.0.1', '-p', port,
                     '-o', 'sock_cookie_id=7')
    await_tcp(port)
    lines = [line for line in t.run('ss', '-Hltnpe').stdout.splitlines()
             if f'pid={process.pid},' in line]
    assert len(lines) == 1 and 'fwmark:0x7' in lines[0], lines

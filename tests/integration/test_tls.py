# SPDX-License-Identifier: BSD-3-Clause
"""TLS on the client port: who gets in, what goes through, what is bounded."""

import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import bmemcached
from pymemcache.client.base import Client as Pymemcache

from harness.client import connect
from harness.haproxy import Haproxy
from harness.node import Pair
from harness.process import free_port
from harness.tls import Authority, TlsNode
from harness.wait import wait_for

MIB = 1 << 20
TLS_STATS = ['ssl_new_sessions', 'ssl_handshake_errors', 'ssl_proto_errors',
             'time_since_server_cert_refresh']


def tls_node(t, *args, **how):
    return TlsNode(t, Authority(t), args, **how).start()


def s_client(t, port, *words, say='version\r\nquit\r\n'):
    """What OpenSSL's own client prints when it says this."""
    return subprocess.run(
        ['openssl', 's_client', '-connect', f'127.0.0.1:{port}',
         '-ign_eof', *map(str, words)], input=say, text=True,
        errors='replace', capture_output=True, timeout=30)


def is_served(t, port, *words):
    return 'VERSION 1.6.45' in s_client(t, port, *words).stdout


# ---- the command line ----

def test_what_is_wrong_with_the_files_is_said_at_the_start(t):
    ca = Authority(t)
    cert, key = ca.issue('one')
    _, other_key = ca.issue('two')
    pair = f'ssl_chain_cert={cert},ssl_key={key}'
    for sub, part in (
            (None, 'say -o ssl_chain_cert=FILE'),
            ('ssl_chain_cert=/no/such', '/no/such: No such file'),
            (f'ssl_chain_cert={key}', 'cannot read a certificate chain from'),
            (f'ssl_chain_cert={cert}', 'for want of ssl_key'),
            (f'ssl_chain_cert={cert},ssl_key=/no/such', '/no/such: No such'),
            (f'ssl_chain_cert={cert},ssl_key={other_key}', 'mismatch'),
            (pair + ',ssl_ciphers=NONSENSE', 'ssl_ciphers=NONSENSE'),
            (pair + ',ssl_ca_cert=/no/such', 'CA certificates from /no/such'),
            (pair + ',ssl_keyformat=2', '(DER)'),
            (pair + ',ssl_keyformat=3', 'ssl_keyformat=3')):
        words = ['-o', sub] if sub else []
        done = t.run(t.binary, '-u', 'root', '-l', '127.0.0.1', '-p',
                     free_port(), '-Z', *words)
        assert done.returncode == 64, (sub, done)
        assert part in done.stderr, (sub, done)
        assert done.stderr.count('\n') == 1, done


def test_a_key_may_stand_behind_the_chain_or_be_der(t):
    ca = Authority(t)
    cert, key = ca.issue('one')
    both, der = t.path('both.pem'), t.path('key.der')
    with open(both, 'w') as file:
        for path in (cert, key):
            with open(path) as part:
                file.write(part.read())
    assert t.run('openssl', 'ec', '-in', key, '-outform', 'DER', '-out',
                 der).returncode == 0
    for name, files in (
            ('both', f'ssl_chain_cert={both}'),
            ('der', f'ssl_chain_cert={cert},ssl_key={der},ssl_keyformat=2')):
        node = TlsNode(t, ca, name=name, files=files).start()
        node.tls().ask(b'version\r\n', b'VERSION 1.6.45\r\n')


def test_the_settings_tell_what_was_asked_for(t):
    node = tls_node(t, sub='ssl_session_cache,ssl_min_version=3,'
                    'ssl_wbuf_size=8,ssl_ciphers=HIGH')
    settings = node.c.stats('settings')
    expected = {'ssl_enabled': 'yes', 'ssl_chain_cert': node.cert,
                'ssl_key': node.key, 'ssl_verify_mode': '0',
                'ssl_keyformat': '1', 'ssl_ciphers': 'HIGH',
                'ssl_ca_cert': 'NULL', 'ssl_wbuf_size': '8192',
                'ssl_session_cache': 'yes', 'ssl_kernel_tls': 'no',
                'ssl_min_version': 'tlsv1.3'}
    assert {name: settings[name] for name in expected} == expected


def test_plain_stats_have_lines_of_tls_only_with_tls(t):
    plain = t.node(name='plain')
    assert not [name for name in plain.c.stats() if name in TLS_STATS]
    node = tls_node(t, name='cached', sub='ssl_session_cache')
    names = list(node.c.stats())
    at = names.index(TLS_STATS[0])
    assert names[at - 1:at + 5] == ['log_watchers', *TLS_STATS,
                                    'unexpected_napi_ids']
    node = TlsNode(t, node.authority, name='uncached').start()
    assert [name for name in node.c.stats() if name in TLS_STATS] == \
        TLS_STATS[1:]


# ---- who gets in ----

def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(t):
    node = tls_node(t)
    assert is_served(t, node.tls_port, '-tls1_2')
    assert is_served(t, node.tls_port, '-tls1_3')
    # The client itself would be willing.
    old = ['-cipher', 'DEFAULT@SECLEVEL=0']
    for version in ('-tls1', '-tls1_1'):
        done = s_client(t, node.tls_port, version, *old)
        assert 'VERSION' not in done.stdout
        assert 'alert protocol version' in done.stderr, done
    assert node.stat('ssl_handshake_errors') == 2
    assert 'TLS handshake failed: unsupported protocol' in node.log()
    newest = TlsNode(t, node.authority, name='newest',
                     sub='ssl_min_version=3').start()
    assert is_served(t, newest.tls_port, '-tls1_3')
    assert not is_served(t, newest.tls_port, '-tls1_2')
    oldest = TlsNode(
        t, node.authority, name='oldest',
        sub='ssl_min_version=1,ssl_ciphers=DEFAULT@SECLEVEL=0').start()
    assert is_served(t, oldest.tls_port, '-tls1_1', *old)
    assert not is_served(t, oldest.tls_port, '-tls1', *old)


def test_only_the_ciphers_asked_for_are_taken(t):
    node = tls_node(t, sub='ssl_ciphers=ECDHE-ECDSA-AES256-GCM-SHA384')
    words = ['-tls1_2', '-cipher']
    assert is_served(t, node.tls_port, *words, 'ECDHE-ECDSA-AES256-GCM-SHA384')
    assert not is_served(t, node.tls_port, *words,
                         'ECDHE-ECDSA-AES128-GCM-SHA256')


def gets_in(node, context, mode=None):
    """Whether this client is answered."""
    try:
        client = node.tls(context, mode)
        client.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
        client.close()
        return True
    except (ssl.SSLError, ConnectionError, AssertionError):
        return False


def test_certificates_of_clients_are_asked_for_as_told(t):
    ca, stranger = Authority(t), Authority(t, 'stranger')
    bare = ca.context()
    known = ca.context(ca.issue('known'))
    foreign = ca.context(stranger.issue('foreign'))
    for mode, expected in ((0, (True, True, True)), (1, (True, True, False)),
                           (2, (False, True, False)),
                           (3, (False, True, False))):
        node = TlsNode(t, ca, name=f'mode{mode}', modes=('mtls', 'btls'),
                       sub=f'ssl_ca_cert={ca.cert},ssl_verify_mode={mode}')
        node.start()
        assert tuple(gets_in(node, context)
                     for context in (bare, known, foreign)) == expected, mode
        assert not gets_in(node, bare, 'mtls')
        assert gets_in(node, known, 'mtls')
        assert not gets_in(node, foreign, 'mtls')
        assert gets_in(node, bare, 'btls')
        assert node.stat('ssl_handshake_errors') == expected.count(False) + 2
        assert node.terminate() == 0


def test_a_session_made_without_a_certificate_opens_no_other_door(t):
    ca = Authority(t)
    node = TlsNode(t, ca, modes=('mtls', 'btls'),
                   sub=f'ssl_ca_cert={ca.cert},ssl_session_cache').start()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        bare = ca.context()
        bare.maximum_version = version
        first = node.tls(bare, 'btls')
        first.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
        session = first.sock.session
        again = node.tls(bare, 'btls', session)
        again.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
        assert again.sock.session_reused
        try:
            client = node.tls(bare, 'mtls', session)
            client.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
        except (ssl.SSLError, ConnectionError, AssertionError):
            continue
        raise AssertionError(f'{version}: the session was resumed')


def test_sessions_are_resumed_and_counted(t):
    node = tls_node(t, sub='ssl_session_cache')
    for words in (['-tls1_2'], ['-tls1_2', '-no_ticket'], ['-tls1_3']):
        before = node.stat('ssl_new_sessions')
        path = t.path('session.pem')
        done = s_client(t, node.tls_port, *words, '-sess_out', path)
        assert 'New, TLSv' in done.stdout
        done = s_client(t, node.tls_port, *words, '-sess_in', path)
        assert 'Reused, TLSv' in done.stdout, (words, done)
        assert node.stat('ssl_new_sessions') == before + 1


def test_listeners_without_tls_stay_without(t):
    path, udp = t.path('socket'), free_port()
    node = tls_node(t, '-s', path, '-U', udp)
    node.c.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(b'version\r\n')
        assert sock.recv(100) == b'VERSION 1.6.45\r\n'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.sendto(b'\0\1\0\0\0\1\0\0version\r\n', ('127.0.0.1', udp))
        assert sock.recv(100)[8:] == b'VERSION 1.6.45\r\n'
    node.tls().ask(b'version\r\n', b'VERSION 1.6.45\r\n')


# ---- what goes through ----

def requests_of_all_kinds(count):
    """A pipeline, and how its reply ends."""
    dice = random.Random(1)
    lines = []
    for number in range(count):
        key = b'k%d' % dice.randrange(300)
        size = dice.choice([0, 1, 10, 100, 1000, 5000, 20000])
        lines.append(dice.choice([
            b'set %s %d 0 %d\r\n%s\r\n' % (key, number, size, b'v' * size),
            b'get %s\r\n' % key, b'get %s k1 k2 k3\r\n' % key,
            b'delete %s\r\n' % key, b'mg %s v f O%d\r\n' % (key, number),
            b'append %s 0 0 3\r\nxyz\r\n' % key, b'nonsense\r\n']))
    return b''.join(lines) + b'version\r\n'


def answer(client, requests):
    """All that comes back; writes while it reads."""
    writer = threading.Thread(target=client.send, args=(requests,))
    writer.start()
    got = client.read_until(b'VERSION 1.6.45\r\n')
    writer.join()
    return got


def tls_answer(port, requests, version):
    """The same by a client that reads and writes at once over TLS."""
    return subprocess.run(
        ['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-quiet',
         version], input=requests + b'quit\r\n', capture_output=True,
        timeout=60).stdout


def test_a_pipeline_of_all_kinds_is_answered_as_without_tls(t):
    requests = requests_of_all_kinds(10000)
    plain = t.node('-m', 200, name='plain')
    expected = answer(plain.c, requests)
    ca = Authority(t)
    for sub in ('ssl_wbuf_size=1', 'ssl_wbuf_size=16', 'ssl_wbuf_size=256',
                'ssl_kernel_tls'):
        for version in ('-tls1_2', '-tls1_3'):
            node = TlsNode(t, ca, ['-m', '200'], name=sub + version, sub=sub)
            node.start()
            got = tls_answer(node.tls_port, requests, version)
            assert got == expected, (sub, version, len(got), len(expected))
            node.terminate()


def test_replies_are_gathered_into_full_records(t):
    node = tls_node(t, sub='ssl_wbuf_size=16')
    keys = [f'k{number}' for number in range(60)]
    node.c.store_many([(key, b'v' * 9000) for key in keys])
    client = node.by_hand()
    client.shake()
    client.tls.write(b'get %s\r\nquit\r\n' % ' '.join(keys).encode())
    client.sock.sendall(client.due())
    data = b''
    while chunk := client.sock.recv(1 << 16):
        data += chunk
    records = []
    while data:
        size = int.from_bytes(data[3:5], 'big')
        records.append(size)
        data = data[5 + size:]
    assert sum(records) > 60 * 9000
    # Tickets and the goodbye have records of their own.
    assert len(records) <= 60 * 9000 // 16384 + 20, records


def test_large_values_go_both_ways(t):
    node = tls_node(t, '-I', '16m', '-m', '128')
    client = node.tls()
    for size in (16 * 1024, MIB - 100, MIB, 9 * MIB + 77):
        value = random.Random(size).randbytes(size)
        assert client.set('big', value) == 'STORED'
        assert client.get('big') == value
        assert node.c.get('big') == value
    assert node.stat('ssl_proto_errors') == 0


def test_a_handshake_and_requests_byte_by_byte(t):
    node = tls_node(t)
    client = node.by_hand()

    def bytewise(data):
        for byte in data:
            client.sock.sendall(bytes([byte]))
    client.shake(bytewise)
    client.tls.write(b'set k 0 0 20000\r\n' + b'x' * 20000 +
                     b'\r\nget k\r\n')
    expected = b'STORED\r\nVALUE k 0 20000\r\n' + b'x' * 20000 + \
        b'\r\nEND\r\n'
    got = b''
    while len(got) < len(expected):
        got += client.do(client.tls.read, 1 << 16, send=bytewise)
    assert got == expected


def test_a_reader_that_pauses_gets_all_and_others_are_served(t):
    node = tls_node(t, '-I', '4m', '-t', '1')
    value = random.Random(5).randbytes(3 * MIB)
    node.c.set('big', value)
    slow = node.tls()
    reply = b'VALUE big 0 %d\r\n%s\r\nEND\r\n' % (len(value), value)
    slow.send(b'get big\r\n' * 8)
    for number in range(20):
        node.tls().ask(b'get none\r\n', b'END\r\n')
    slow.expect(reply * 8)
    slow.ask(b'version\r\n', b'VERSION 1.6.45\r\n')


class Interactive:
    """OpenSSL's own client at work; a line K makes it change its keys and ask
    the server to do so too, a line R makes it negotiate anew."""

    def __init__(self, t, port, version):
        self.log = t.path('s_client' + version)
        with open(self.log, 'wb') as log:
            self.popen = subprocess.Popen(
                ['openssl', 's_client', '-connect', f'127.0.0.1:{port}',
                 version], stdin=subprocess.PIPE, stdout=log, stderr=log)
        t.defer(self.end)

    def end(self):
        self.popen.kill()
        self.popen.wait()

    def heard(self, text):
        with open(self.log, errors='replace') as file:
            return file.read().count(text)

    def say(self, line, reply):
        """Waits for one more of these."""
        before = self.heard(reply)
        self.popen.stdin.write(line.encode() + b'\n')
        self.popen.stdin.flush()
        wait_for(f'{reply} to {line}', lambda: self.heard(reply) > before)


def test_new_keys_in_the_middle(t):
    node = tls_node(t)
    client = Interactive(t, node.tls_port, '-tls1_3')
    for _ in range(3):
        client.say('version', 'VERSION 1.6.45')
        client.say('K', 'KEYUPDATE')
    client.say('version', 'VERSION 1.6.45')
    assert node.stat('ssl_proto_errors') == 0


def test_nothing_is_negotiated_anew(t):
    node = tls_node(t)
    client = Interactive(t, node.tls_port, '-tls1_2')
    client.say('version', 'VERSION 1.6.45')
    client.say('R', 'no renegotiation')


def test_goodbyes_are_said_by_both(t):
    node = tls_node(t)
    client = node.tls()
    client.send(b'version\r\nquit\r\n')
    client.expect(b'VERSION 1.6.45\r\n')
    # Without the server's goodbye this would raise SSLEOFError.
    assert client.sock.recv(1) == b''
    node.c.set('big', b'x' * 500000)
    client = node.tls()
    client.send(b'get big\r\n' * 5)
    # The client ends its half first, then reads what it asked for.
    with socket.socket(fileno=os.dup(client.sock.fileno())) as raw:
        raw.shutdown(socket.SHUT_WR)
    reply = b'VALUE big 0 500000\r\n' + b'x' * 500000 + b'\r\nEND\r\n'
    client.expect(reply * 5)
    assert client.sock.recv(1) == b''
    assert node.stat('ssl_proto_errors') == 0


def test_a_goodbye_before_the_replies_is_no_reason_to_lose_them(t):
    node = tls_node(t)
    client = node.by_hand()
    client.shake()
    client.tls.write(b'version\r\n' * 3)
    client.say_goodbye()
    # One packet, and the socket stays open: nothing but these bytes tells the
    # server that there is something to do.
    client.sock.sendall(client.due())
    data = b''
    while chunk := client.sock.recv(1 << 16):
        data += chunk
    # Three replies, and the server's goodbye.
    assert len(data) > len(b'VERSION 1.6.45\r\n' * 3)
    assert node.stat('ssl_proto_errors') == 0


def test_pymemcache_over_tls(t):
    node = tls_node(t)
    client = Pymemcache(('localhost', node.tls_port), timeout=20,
                        tls_context=node.authority.context())
    assert client.set('k', b'v' * 100000, noreply=False)
    assert client.get('k') == b'v' * 100000
    pairs = {f'k{number}': b'%d' % number for number in range(1000)}
    assert client.set_many(pairs, noreply=False) == []
    assert client.get_many(list(pairs)) == pairs
    assert client.incr('k41', 1) == 42
    assert client.delete('k', noreply=False)
    client.close()


def test_the_binary_protocol_over_tls(t):
    node = tls_node(t)
    client = bmemcached.Client((f'127.0.0.1:{node.tls_port}',),
                               tls_context=node.authority.context())
    assert client.set('k', 'v' * 100000)
    assert client.get('k') == 'v' * 100000
    assert client.incr('n', 1, default=41) == 41
    assert client.incr('n', 1) == 42
    assert client.delete('k')
    assert client.get('k') is None
    client.disconnect_all()


DALLI = '''
require "dalli"
require "openssl"
context = OpenSSL::SSL::SSLContext.new
context.ca_file = ARGV[1]
context.verify_mode = OpenSSL::SSL::VERIFY_PEER
%i[binary meta].each do |protocol|
  client = Dalli::Client.new(ARGV[0], ssl_context: context, protocol: protocol)
  client.set("k", "v" * 100_000) or abort "set"
  client.get("k") == "v" * 100_000 or abort "get"
  client.multi { 500.times { |number| client.set("k#{number}", number) } }
  (0...500).all? { |number| client.get("k#{number}") == number } or abort "all"
  client.delete("k") or abort "delete"
  client.close
end
puts "fine"
'''


# Its get_multi of several keys knows no TLS (3.0.6).
def test_dalli_over_tls(t):
    node = tls_node(t)
    done = t.run('ruby', '-e', DALLI, f'localhost:{node.tls_port}',
                 node.authority.cert)
    assert (done.returncode, done.stdout) == (0, 'fine\n'), done


# Plain clients in front, TLS behind, as between two data centers.
HAPROXY = '''\
defaults
    mode tcp
    timeout connect 1s
    timeout client 1m
    timeout server 1m
listen mem
    bind {address}:{port}
    default-server check inter 1s fall 10 ssl verify required
    server m1 127.0.0.1:TLS_PORT ca-file CA crt IDENTITY
'''


def test_haproxy_speaks_tls_for_clients_that_do_not(t):
    ca = Authority(t)
    node = TlsNode(t, ca, sub=f'ssl_ca_cert={ca.cert},ssl_verify_mode=2')
    node.start()
    identity = t.path('identity.pem')
    with open(identity, 'w') as file:
        for path in ca.issue('haproxy'):
            with open(path) as part:
                file.write(part.read())
    front = Haproxy(t, [], HAPROXY.replace('TLS_PORT', str(node.tls_port))
                    .replace('CA', ca.cert).replace('IDENTITY', identity))
    client = front.client()
    value = random.Random(9).randbytes(900000)
    assert client.set('k', value) == 'STORED'
    assert client.get('k') == value
    assert node.c.get('k') == value
    assert node.stat('ssl_handshake_errors') == 0
    assert node.stat('ssl_proto_errors') == 0


def test_a_pair_with_tls_mirrors(t):
    pair = Pair.on_loopback(t)
    ca = Authority(t)
    pair.a, pair.b = nodes = [
        TlsNode(t, ca, node.args, name=node.name) for node in pair.nodes]
    pair.nodes = tuple(nodes)
    pair.start()
    assert pair.a.tls().set('k', b'v' * 300000) == 'STORED'
    pair.settle()
    client = pair.b.tls()
    assert client.get('k') == b'v' * 300000
    assert client.command('delete k') == 'DELETED'
    pair.settle()
    assert pair.a.tls().get('k') is None


# ---- certificates that change ----

def replace_certificate(node, name):
    """Puts another certificate where the node's was."""
    cert, key = node.authority.issue(name)
    shutil.copy(key, node.key)
    shutil.copy(cert, node.cert)


def test_new_certificates_are_for_new_connections(t):
    node = tls_node(t, '-I', '16m', '-m', '128')
    value = random.Random(6).randbytes(8 * MIB)
    node.c.set('big', value)
    reader, writer = node.tls(), node.tls()
    first = reader.certificate()
    reader.send(b'get big\r\n')
    writer.send(b'set new 0 0 %d\r\n' % len(value) + value[:4 * MIB])
    reader.read(MIB)
    replace_certificate(node, 'second')
    node.c.ask(b'refresh_certs\r\n', b'OK\r\n')
    second = node.tls().certificate()
    assert second != first
    reader.expect((b'VALUE big 0 %d\r\n%s\r\nEND\r\n' % (
        len(value), value))[MIB:])
    writer.ask(value[4 * MIB:] + b'\r\n', b'STORED\r\n')
    replace_certificate(node, 'third')
    node.process.signal(signal.SIGHUP)
    wait_for('the third certificate',
             lambda: node.tls().certificate() not in (first, second))
    reader.ask(b'version\r\n', b'VERSION 1.6.45\r\n')


def test_a_broken_file_leaves_the_old_certificate(t):
    node = tls_node(t)
    first = node.tls().certificate()
    with open(node.cert, 'w') as file:
        file.write('nothing of the kind\n')
    words = f'cannot read a certificate chain from {node.cert}'
    assert words in node.tls().command('refresh_certs')
    assert node.tls().certificate() == first
    node.process.signal(signal.SIGHUP)
    wait_for('the log to tell', lambda: words in node.log())
    assert node.tls().certificate() == first
    replace_certificate(node, 'second')
    node.c.ask(b'refresh_certs\r\n', b'OK\r\n')
    assert node.tls().certificate() != first


def test_a_daemon_finds_its_certificates_again(t):
    ca = Authority(t)
    cert, key = ca.issue('daemon')
    here = os.getcwd()
    os.chdir(t.directory)
    t.defer(os.chdir, here)
    node = TlsNode(t, ca, ['-d', '-P', t.path('pid')], name='daemon',
                   files=f'ssl_chain_cert={os.path.basename(cert)},'
                   f'ssl_key={os.path.basename(key)}')
    node.cert, node.key = cert, key
    node.start(answer=False)
    assert node.process.wait() == 0, node.log()
    first = node.tls().certificate()
    replace_certificate(node, 'second')
    node.c.ask(b'refresh_certs\r\n', b'OK\r\n')
    assert node.tls().certificate() != first


def test_without_tls_there_is_nothing_to_refresh(t):
    t.node().c.ask(b'refresh_certs\r\n', b'Error TLS not enabled\r\n')


# ---- trouble ----

def await_end(sock):
    """The server closes, whatever it says before."""
    try:
        while sock.recv(1000):
            pass
    except ConnectionResetError:
        pass


def test_what_is_no_tls_is_refused_and_counted(t):
    node = tls_node(t)
    for garbage in (b'get k\r\n', b'GET / HTTP/1.0\r\n\r\n',
                    bytes(range(256)) * 50, b'\x16\x03\x01\xff\xff' * 999):
        with connect('127.0.0.1', node.tls_port) as sock:
            sock.sendall(garbage)
            await_end(sock)
    assert node.stat('ssl_handshake_errors') == 4
    assert node.log().count('TLS handshake failed') == 4
    # A check of the port that says nothing is no error.
    connect('127.0.0.1', node.tls_port).close()
    # Garbage later on.
    client = node.tls()
    client.ask(b'version\r\n', b'VERSION 1.6.45\r\n')
    with socket.socket(fileno=os.dup(client.sock.fileno())) as raw:
        raw.sendall(b'garbage ' * 1000)
    wait_for('it to be counted', lambda: node.stat('ssl_proto_errors') == 1)
    assert node.stat('ssl_handshake_errors') == 4
    node.tls().ask(b'version\r\n', b'VERSION 1.6.45\r\n')


def test_who_watches_is_told_of_errors_and_may_watch_over_tls(t):
    node = tls_node(t)
    watchers = node.client(), node.tls()
    for watcher in watchers:
        watcher.ask(b'watch connevents\r\n', b'OK\r\n')
    with connect('127.0.0.1', node.tls_port) as sock:
        sock.sendall(b'get k\r\n')
        await_end(sock)
    for watcher in watchers:
        line = watcher.read_until(b'\n')
        while b'type=conntlserr' not in line:
            line = watcher.read_until(b'\n')
        assert re.fullmatch(
            rb'ts=\d+\.\d+ gid=\d+ type=conntlserr fd=\d+ msg=.+\n', line)


def test_handshakes_that_do_not_end_are_bounded(t):
    node = tls_node(t, '-t', '1', '-c', '400')
    hello = node.by_hand().hello()
    node.tls().ask(b'version\r\n', b'VERSION 1.6.45\r\n')
    before = node.resident_bytes()
    socks = [connect('127.0.0.1', node.tls_port) for _ in range(300)]
    for number, sock in enumerate(socks):
        sock.sendall(hello[:number % len(hello)])
    for _ in range(20):
        node.tls().ask(b'version\r\n', b'VERSION 1.6.45\r\n')
    if not t.sanitized():
        assert node.resident_bytes() - before < 300 * 64 * 1024
    # They are given up, not just kept.
    for sock in socks:
        await_end(sock)
        sock.close()
    assert 'it took too long' in node.log()
    assert node.stat('ssl_handshake_errors') > 290
    node.tls().ask(b'version\r\n', b'VERSION 1.6.45\r\n')

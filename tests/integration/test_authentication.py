# SPDX-License-Identifier: BSD-3-Clause
"""SASL (-S) and the file of users (-Y): who is let in, who is not, and that
nothing else is possible before."""

import base64
import hashlib
import hmac
import os
import shutil
import signal

import bmemcached
from pymemcache.client.base import Client as Pymemcache
from pymemcache.exceptions import MemcacheClientError

from harness.binary import HEADER, decode, encode, request, store
from harness.client import Client
from harness.node import Node
from harness.process import free_port
from harness.wait import wait_for

FAILED = "20 value='Auth failure.'"


def start(t, *args, env=None):
    """A node whose first word is not for everybody."""
    node = Node(t, 'node', args, env=env).start(answer=False)

    def serves():
        node.client().close()
        return True

    wait_for('the node to serve', serves)
    return node


def refuses(t, words, *args, env=None):
    done = t.run(t.binary, '-u', 'root', '-l', '127.0.0.1', '-p', '-1', *args,
                 env=env)
    assert done.returncode == 1, done
    assert words in done.stderr, done.stderr


def write(t, name, text):
    path = t.path(name)
    with open(path, 'w') as file:
        file.write(text)
    return path


# ---- SASL ----

def sasl_node(t, passwords='bob:secret:::\nalice:other\n'):
    conf = t.path('conf')
    os.mkdir(conf)
    write(t, 'conf/memcached.conf', 'mech_list: plain cram-md5\n')
    return start(t, '-S', env={
        'SASL_CONF_PATH': conf,
        'MEMCACHED_SASL_PWDB': write(t, 'passwords', passwords)})


def plain(user, password):
    return request('sasl_auth', b'PLAIN',
                   b'\0' + user.encode() + b'\0' + password.encode())


def answers(node, *requests):
    """Up to the end of the connection, or until a version asked for last."""
    client = node.client()
    client.send(encode(requests + (request('version'),)))
    data = b''
    while True:
        try:
            head = client.read(HEADER.size)
            data += head + client.read(HEADER.unpack(head)[6])
        except (EOFError, ConnectionResetError):
            return decode(data) + ['closed']
        if HEADER.unpack(head)[7] == len(requests):
            client.close()
            return decode(data)[:-1]


def test_sasl_lets_in_who_is_known(t):
    node = sasl_node(t)
    assert answers(node, request('sasl_list'), plain('bob', 'secret'),
                   store('set', b'k', b'v'), request('get', b'k')) == [
        "#0 sasl_list 00 value='PLAIN'",
        "#1 sasl_auth 00 value='Authenticated'",
        '#2 set 00 cas', "#3 get 00 cas extras=00000000 value='v'"]


def test_sasl_refuses_everybody_else(t):
    node = sasl_node(t)
    for user, password in (
            ('bob', 'secre'), ('bob', 'secrets'), ('bob', ''), ('bob', 'other'),
            ('bo', 'secret'), ('', ''), ('', 'secret'), ('eve', 'secret'),
            ('bob:secret', ''), ('bob', 'secret:'), ('x' * 300, 'secret'),
            ('bob', 'x' * 20000)):
        assert answers(node, plain(user, password), request('noop')) == [
            f'#0 sasl_auth {FAILED}', f'#1 noop {FAILED}', 'closed'], user
    assert answers(node, plain('bob', 'wrong'), plain('bob', 'secret'),
                   request('noop')) == [
        f'#0 sasl_auth {FAILED}', "#1 sasl_auth 00 value='Authenticated'",
        '#2 noop 00']


def test_sasl_allows_nothing_before(t):
    node = sasl_node(t)
    for locked in (request('noop'), request('get', b'k'), request('quitq'),
                   store('setq', b'k', b'v'), request('30'),
                   store('set', b'k', b'v' * 100000), request('get'),
                   request('stat')):
        assert answers(node, locked)[-2].endswith(FAILED), locked
        assert answers(node, locked)[-1] == 'closed'
    assert answers(node, request('version', b'k')) == [
        "#0 version 04 value='Invalid arguments'", 'closed']


def test_sasl_mechanisms_and_steps(t):
    node = sasl_node(t)
    token = b'\0bob\0secret'
    assert answers(
        node, request('sasl_auth', b'FOO', token),
        request('sasl_auth', b'CRAM-MD5', token),
        request('sasl_auth', b'ANONYMOUS', b'eve'),
        request('sasl_step', b'PLAIN', token),
        request('sasl_auth', b'X' * 33, token),
        request('sasl_auth', b'PLAIN'),
        request('sasl_step', b'PLAIN', token),
        request('noop')) == [
            f'#0 sasl_auth {FAILED}', f'#1 sasl_auth {FAILED}',
            f'#2 sasl_auth {FAILED}', f'#3 sasl_step {FAILED}',
            "#4 sasl_auth 04 value='Invalid arguments'",
            '#5 sasl_auth 21', "#6 sasl_step 00 value='Authenticated'",
            '#7 noop 00']


def test_sasl_who_starts_anew_is_nobody(t):
    assert answers(sasl_node(t), plain('bob', 'secret'), request('noop'),
                   plain('bob', 'wrong'), request('noop')) == [
        "#0 sasl_auth 00 value='Authenticated'", '#1 noop 00',
        f'#2 sasl_auth {FAILED}', f'#3 noop {FAILED}', 'closed']


def test_sasl_knows_no_text(t):
    client = sasl_node(t).client()
    client.send(b'version\r\n')
    assert client.sock.recv(100) == b''


def test_sasl_is_counted(t):
    node = sasl_node(t)
    got = answers(node, plain('bob', 'wrong'), plain('bob', 'secret'),
                  request('stat'))
    assert "#2 stat 00 key='auth_cmds' value='2'" in got
    assert "#2 stat 00 key='auth_errors' value='1'" in got
    got = answers(node, plain('bob', 'secret'), request('stat', b'settings'))
    assert "#1 stat 00 key='auth_enabled_sasl' value='yes'" in got
    assert "#1 stat 00 key='binding_protocol' value='binary'" in got


def test_sasl_reads_the_passwords_anew(t):
    node = sasl_node(t)
    write(t, 'passwords', 'bob:changed\n')
    assert answers(node, plain('bob', 'secret'), plain('bob', 'changed')) == [
        f'#0 sasl_auth {FAILED}', "#1 sasl_auth 00 value='Authenticated'"]
    os.unlink(t.path('passwords'))
    assert answers(node, plain('bob', 'changed')) == [f'#0 sasl_auth {FAILED}']


def database(t, user, password):
    """A folder with memcached.conf and the library's own database."""
    conf = t.path('conf')
    os.mkdir(conf)
    write(t, 'conf/memcached.conf', f'mech_list: cram-md5 plain\n'
          f'pwcheck_method: auxprop\nauxprop_plugin: sasldb\n'
          f'sasldb_path: {conf}/db\n')
    done = t.run(shutil.which('saslpasswd2') or '/usr/sbin/saslpasswd2', '-c',
                 '-p', '-a', 'memcached', '-f', conf + '/db',
                 '-u', os.uname().nodename, user, input=password)
    assert done.returncode == 0, done
    return conf


def test_sasl_asks_the_password_file_alone(t):
    conf = database(t, 'eve', 'known')
    node = start(t, '-S', env={'SASL_CONF_PATH': conf})
    assert answers(node, plain('eve', 'known')) == [
        "#0 sasl_auth 00 value='Authenticated'"]
    node = start(t, '-S', env={
        'SASL_CONF_PATH': conf,
        'MEMCACHED_SASL_PWDB': write(t, 'passwords', 'bob:secret\n')})
    assert answers(node, plain('eve', 'known'), plain('bob', 'secret')) == [
        f'#0 sasl_auth {FAILED}', "#1 sasl_auth 00 value='Authenticated'"]


def test_sasl_takes_several_steps(t):
    """CRAM-MD5, with the passwords in the library's own database."""
    conf = database(t, 'bob', 'secret')
    client = start(t, '-S', env={'SASL_CONF_PATH': conf}).client()
    for password, reply in ((b'wrong', f'#0 sasl_step {FAILED}'),
                            (b'secret',
                             "#0 sasl_step 00 value='Authenticated'")):
        client.send(encode([request('sasl_auth', b'CRAM-MD5')]))
        head = client.read(HEADER.size)
        assert HEADER.unpack(head)[5] == 0x21
        challenge = client.read(HEADER.unpack(head)[6])
        digest = hmac.new(password, challenge, hashlib.md5).hexdigest()
        client.send(encode([request('sasl_step', b'CRAM-MD5',
                                    b'bob ' + digest.encode())]))
        head = client.read(HEADER.size)
        assert decode(head + client.read(HEADER.unpack(head)[6])) == [reply]


def test_sasl_start_fails_in_words(t):
    refuses(t, 'MEMCACHED_SASL_PWDB', '-S',
            env={'MEMCACHED_SASL_PWDB': t.path('none')})
    conf = t.path('conf')
    os.mkdir(conf)
    write(t, 'conf/memcached.conf', 'mech_list: none-such\n')
    refuses(t, 'Error initializing sasl: no mechanism', '-S',
            env={'SASL_CONF_PATH': conf})


def test_bmemcached_authenticates(t):
    node = sasl_node(t)
    servers = (f'{node.address}:{node.port}',)
    client = bmemcached.Client(servers, 'bob', 'secret')
    assert client.set('k', {'a': [1, 2]}) is True
    assert client.get('k') == {'a': [1, 2]}
    assert client.add('k', 1) is False
    assert client.incr('n', 3, default=5) == 5
    assert client.incr('n', 3) == 8
    value, cas = client.gets('k')
    assert client.cas('k', 'new', cas) is True
    assert client.cas('k', 'newer', cas) is False
    assert client.set_multi({f'k{i}': 'v' * i for i in range(50)}) == []
    got = client.get_multi([f'k{i}' for i in range(60)])
    assert got == {f'k{i}': 'v' * i for i in range(50)}
    assert client.set('blob', base64.b64encode(os.urandom(300000)).decode())
    assert client.delete('k') is True
    assert client.get('k') is None
    assert client.flush_all() is True
    assert client.get('k1') is None
    client.disconnect_all()
    try:
        bmemcached.Client(servers, 'bob', 'wrong').get('k')
    except bmemcached.exceptions.MemcachedException as error:
        assert error.code == 0x20, error
        return
    raise AssertionError('a wrong password was let in')


# ---- -Y ----

def file_node(t, text='bob:secret\nalice:with:colon\n'):
    return start(t, '-Y', write(t, 'users', text))


def login(token, noreply=b''):
    return b'set any 0 0 %d%s\r\n%s\r\n' % (len(token), noreply, token)


REFUSED = [
    (b'bob secre', b'authentication failure'),
    (b'bob secrets', b'authentication failure'),
    (b'bo secret', b'authentication failure'),
    (b'alice colon', b'authentication failure'),
    (b'alice:with colon', b'authentication failure'),
    (b'bob secret\0', b'authentication failure'),
    (b'x' * 300 + b' y', b'authentication failure'),
    (b'x ' + b'y' * 300, b'authentication failure'),
    (b'bob', b'bad authentication token format'),
    (b'bob:secret', b'bad authentication token format'),
    (b'bob\tsecret', b'bad authentication token format'),
    (b'bob ', b'bad authentication token format'),
    (b'', b'bad authentication token format'),
    (b'x' * 16384, b'bad authentication token format'),
    (b'x' * 16385, b'auth token too long'),
]

LOCKED = [b'version', b'quit', b'get k', b'get any', b'mg any v', b'delete any', b'flush_all',
          b'SET any 0 0 10', b'set any 0 0', b'set any 0 0 x',
          b'set any 0 0 -1', b'set any 0 0 4294967295', b'add any 0 0 10',
          b'stats settings', b'shutdown', b'x' * 2000]


def test_a_user_of_the_file_is_let_in(t):
    node = file_node(t)
    for token in (b'bob secret', b' bob  secret ', b'bob secret more',
                  b'alice with:colon'):
        client = node.client()
        client.ask(login(token) + b'set k 0 0 1\r\nv\r\nget k any\r\n',
                   b'STORED\r\nSTORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
        client.close()
    client = node.client()
    client.send_bytewise(login(b'bob secret', b' noreply'))
    client.expect(b'STORED\r\n')
    assert client.stats('settings')['auth_enabled_ascii'] == 'yes'
    assert client.stats('settings')['binding_protocol'] == 'ascii'


def test_others_are_not(t):
    node = file_node(t)
    client = node.client()
    for token, words in REFUSED:
        client.ask(login(token), b'CLIENT_ERROR %b\r\n' % words)
    client.ask(b'set any 0 0 10\r\nbob secretXX',
               b'CLIENT_ERROR bad command line termination\r\n')
    for line in LOCKED:
        client.ask(line + b'\r\n', b'CLIENT_ERROR unauthenticated\r\n')
    client.ask(login(b'bob secret'), b'STORED\r\n')
    stats = client.stats()
    assert stats['auth_cmds'] == str(len(REFUSED) + 2)
    assert stats['auth_errors'] == str(len(REFUSED) + 1)
    assert stats['cmd_get'] == stats['cmd_set'] == stats['cmd_flush'] == '0'


def test_what_is_no_client_is_hung_up_on(t):
    node = file_node(t)
    for data in (b'\r\n', b'mn\r\n', b'x' * 3000, b'get ' + b'x' * 3000,
                 b'\x80\x0a' + b'\n' * 22):
        client = node.client()
        client.send(data)
        assert client.sock.recv(100) == b'', data
        client.close()


def test_a_listener_cannot_get_around_it(t):
    path = write(t, 'users', 'bob:secret\n')
    port = free_port()
    node = Node(t, 'node', ('-Y', path, '-l', 'proto[binary]:127.0.0.1:'
                            f'{port}')).start(answer=False)
    wait_for('the node to serve', lambda: node.client().close() or True)
    client = Client('127.0.0.1', port)
    client.ask(b'version\r\n', b'CLIENT_ERROR unauthenticated\r\n')
    client.ask(login(b'bob secret'), b'STORED\r\n')


def test_the_file_is_read_again_on_sighup(t):
    node = file_node(t)
    standing = node.client()
    standing.ask(login(b'bob secret'), b'STORED\r\n')

    def lets_in(token):
        client = node.client()
        client.send(login(token))
        line = client.line()
        client.close()
        return line == b'STORED'

    write(t, 'users', 'no colon here\n')
    node.process.signal(signal.SIGHUP)
    wait_for('the log to say so',
             lambda: 'users stay those of before' in node.process.log())
    assert lets_in(b'bob secret')
    write(t, 'users', 'carol:new\n')
    node.process.signal(signal.SIGHUP)
    wait_for('the new user', lambda: lets_in(b'carol new'))
    assert not lets_in(b'bob secret')
    standing.ask(b'get k\r\n', b'END\r\n')


def test_a_bad_file_is_refused_at_the_start(t):
    refuses(t, 'Could not open authfile', '-Y', t.path('none'))
    for text, words in (
            ('', 'has no entry'), ('bob\n', "Should be 'user:password'"),
            ('bob:secret\n\n', "Should be 'user:password'"),
            ('bob:secret\r\n', "Should be 'user:password'"),
            ('bob:sec\0ret\n', "Should be 'user:password'"),
            ('bob:' + 'x' * 252 + '\n', 'more than 255 bytes'),
            ('bob:secret\n' * 65, 'more than 64 users')):
        refuses(t, words, '-Y', write(t, 'bad', text))
    start(t, '-Y', write(t, 'good', 'bob:' + 'x' * 251 + '\n' + 'a:b'))


def test_pymemcache_logs_in(t):
    node = file_node(t)
    client = Pymemcache((node.address, node.port), timeout=5)
    try:
        client.get('k')
        raise AssertionError('let in without a login')
    except MemcacheClientError as error:
        assert b'unauthenticated' in bytes(error.args[0])
    client.close()
    client = Pymemcache((node.address, node.port), timeout=5)
    assert client.set('login', b'bob secret', noreply=False)
    assert client.set('k', b'v', noreply=False)
    assert client.get('k') == b'v'

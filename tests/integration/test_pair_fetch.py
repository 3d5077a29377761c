# SPDX-License-Identifier: BSD-3-Clause
"""With repl_fetch a node that joins serves at once: what its clients ask for
and is not there yet comes from the peer."""

import random
import socket

from harness.context import deadline
from harness.wait import wait_for

MANY = 500_000
SIZE = 100
DRAWS = 20_000


def keys_of(count, prefix='k'):
    return [f'{prefix}{number}' for number in range(count)]


def value_of(key):
    return key.encode().ljust(SIZE, b'.')


def fill(node, keys):
    node.c.store_many((key, value_of(key)) for key in keys)


def opened(node):
    return wait_for(f'{node.name} to open', node.client)


def pair_of(t, count, *args):
    """B is down, and A has so many items."""
    pair = t.pair('-m', '512', '-o', 'repl_fetch', *args)
    pair.b.kill()
    pair.a.await_state('alone')
    fill(pair.a, keys_of(count))
    return pair


def join_and_rest(pair):
    """B joins, and A is told to rest before B has it all: but for what B's
    clients ask for it will not get anything."""
    for _ in range(10):
        pair.b.start(answer=False)
        client = opened(pair.b)
        assert pair.a.c.command('repl pause') == 'OK'
        if client.stats('replication')['repl_state'] == 'joining':
            return client
        client.close()
        pair.a.c.command('repl resume')
        pair.b.kill()
        pair.a.await_state('alone')
    raise AssertionError('it joins too fast to be seen doing so')


def missing(client, keys):
    """Keys that B has not got yet: a fetch that finds nothing asks A."""
    before = int(client.stats('replication')['repl_fetches'])
    chosen = []
    for key in keys:
        client.send(f'get {key}\r\n'.encode())
        client.expect(f'VALUE {key} 0 {SIZE}\r\n'.encode() + value_of(key) +
                      b'\r\nEND\r\n')
        now = int(client.stats('replication')['repl_fetches'])
        if now > before:
            chosen.append(key)
        before = now
    return chosen


@deadline(300)
def test_every_key_is_a_hit_from_the_first_connection_on(t):
    pair = pair_of(t, MANY)
    pair.b.start(answer=False)
    client = opened(pair.b)
    draw = random.Random(11)
    first = client.stats('replication')['repl_state']
    for number in range(DRAWS):
        key = f'k{draw.randrange(MANY)}'
        client.send(f'get {key}\r\n'.encode())
        client.expect(f'VALUE {key} 0 {SIZE}\r\n'.encode() + value_of(key) +
                      b'\r\nEND\r\n')
        if number % 100 == 0:
            keys = [f'k{draw.randrange(MANY)}' for _ in range(80)]
            assert set(client.get_many(keys)) == set(keys)
    pair.await_paired()
    pair.settle()
    table = client.stats('replication')
    assert first == 'joining', first
    assert int(table['repl_fetch_hits']) > 0, table
    assert table['repl_fetches'] == table['repl_fetch_hits'], table
    assert table['repl_fetch_timeouts'] == '0', table
    assert table['repl_resync_items_done'] == str(MANY), table
    pair.verify()


@deadline(300)
def test_commands_act_on_what_the_peer_holds(t):
    pair = pair_of(t, MANY)
    a = pair.a.c
    for name in ('incr', 'decr', 'ma'):
        a.set(name, '40')
    for name in ('append', 'prepend', 'add', 'replace', 'delete', 'touch',
                 'gat', 'cas', 'ms', 'md', 'set'):
        a.set(name, 'old')
    client = join_and_rest(pair)

    def ask(request, *replies):
        got = client.command(request)
        assert got in replies, f'{request!r}: {got!r}'

    ask('incr incr 2', '42')
    ask('decr decr 2', '38')
    ask('append append 0 0 1\r\nx', 'STORED')
    ask('prepend prepend 0 0 1\r\nx', 'STORED')
    ask('add add 0 0 1\r\nx', 'NOT_STORED')
    ask('add new 0 0 1\r\nx', 'STORED')
    ask('replace replace 0 0 1\r\nx', 'STORED')
    ask('replace none 0 0 1\r\nx', 'NOT_STORED')
    ask('cas cas 0 0 1 1\r\nx', 'EXISTS')
    ask('touch touch 1000', 'TOUCHED')
    ask('delete delete', 'DELETED')
    ask('delete none', 'NOT_FOUND')
    ask('set set 0 0 1\r\nx', 'STORED')
    ask('ms ms 1 ME\r\nx', 'NS')
    ask('md md', 'HD')
    client.ask(b'ma ma v\r\n', b'VA 2\r\n41\r\n')
    client.ask(b'gat 1000 gat\r\n', b'VALUE gat 0 3\r\nold\r\nEND\r\n')
    client.ask(b'get delete none md add\r\n',
               b'VALUE add 0 3\r\nold\r\nEND\r\n')
    table = client.stats('replication')
    assert table['repl_state'] == 'joining', table
    assert table['repl_fetch_timeouts'] == '0', table
    assert a.command('repl resume') == 'OK'
    pair.await_paired()
    pair.settle()
    for node in pair.nodes:
        held = node.c.get_many(['incr', 'decr', 'append', 'prepend', 'add',
                                'new', 'replace', 'cas', 'delete', 'set',
                                'ms', 'md', 'ma'])
        assert {key: value for key, (_, _, value) in held.items()} == {
            'incr': b'42', 'decr': b'38', 'append': b'oldx',
            'prepend': b'xold', 'add': b'old', 'new': b'x', 'replace': b'x',
            'cas': b'old', 'set': b'x', 'ms': b'old', 'ma': b'41'}, node.name
    pair.verify()


@deadline(300)
def test_large_values_come_in_parts(t):
    pair = pair_of(t, MANY, '-I', '8m')
    values = {f'large{size}': bytes(random.Random(size).randbytes(size))
              for size in (32_768, 40_000, 1_000_000, 5_000_000)}
    for key, value in values.items():
        pair.a.c.set(key, value)
    client = join_and_rest(pair)
    client.send(b'get ' + ' '.join(values).encode() + b'\r\n')
    for key, value in values.items():
        client.expect(f'VALUE {key} 0 {len(value)}\r\n'.encode() + value +
                      b'\r\n')
    client.expect(b'END\r\n')
    assert client.stats('replication')['repl_state'] == 'joining'
    assert pair.a.c.command('repl resume') == 'OK'
    pair.await_paired()
    pair.settle()
    pair.await_equal(values)


@deadline(300)
def test_many_clients_wait_at_once(t):
    pair = pair_of(t, MANY)
    first = join_and_rest(pair)
    clients = [pair.b.client() for _ in range(300)]
    keys = [f'k{MANY - 1 - number}' for number in range(len(clients))]
    for client, key in zip(clients, keys):
        client.send(f'get {key}\r\nmn\r\n'.encode())
    for client, key in zip(clients, keys):
        client.expect(f'VALUE {key} 0 {SIZE}\r\n'.encode() + value_of(key) +
                      b'\r\nEND\r\nMN\r\n')
    assert int(first.stats('replication')['repl_fetch_hits']) > 0
    for client in clients:
        client.close()
    assert pair.a.c.command('repl resume') == 'OK'
    pair.await_paired()


@deadline(300)
def test_who_waits_goes_on_when_the_peer_dies(t):
    pair = pair_of(t, MANY)
    client = join_and_rest(pair)
    absent = [f'absent{number}' for number in range(10)]
    pair.a.process.freeze()
    client.send(b'get ' + ' '.join(absent).encode() + b'\r\n')
    pair.a.kill()
    client.expect(b'END\r\n')
    pair.b.await_state('alone')
    assert client.set('mine', 'x') == 'STORED'
    held = len(client.get_many(keys_of(MANY)[::100]))
    assert held < MANY // 100
    pair.a.start(answer=False)
    pair.await_paired()
    pair.settle()
    assert pair.a.c.get('mine') == b'x'
    pair.verify()


@deadline(300)
def test_a_lost_link_is_no_end_of_joining(t):
    """What B still lacks is fetched when A is there again."""
    pair = pair_of(t, MANY)
    client = join_and_rest(pair)
    lacks = missing(client, [f'k{number}' for number in range(0, MANY, 9973)])
    assert lacks
    client.set('mine', 'x')
    pair.a.process.freeze()
    pair.b.await_state('alone')
    pair.a.process.thaw()
    pair.await_paired()
    pair.settle()
    assert len(client.get_many(keys_of(MANY)[::100])) == MANY // 100
    assert pair.a.c.get('mine') == b'x'
    pair.verify()


@deadline(300)
def test_a_udp_client_does_not_wait(t):
    udp = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        udp = probe.getsockname()[1]
    pair = pair_of(t, MANY)
    pair.b.args += ['-U', str(udp)]
    pair.a.c.set('only-at-a', 'x')
    client = join_and_rest(pair)
    fetches = client.stats('replication')['repl_fetches']
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.sendto(b'\0\1\0\0\0\1\0\0get absent\r\n', ('127.0.0.1', udp))
        assert sock.recv(1500)[8:] == b'END\r\n'
    assert client.stats('replication')['repl_fetches'] == fetches
    assert pair.a.c.command('repl resume') == 'OK'
    pair.await_paired()


@deadline(300)
def test_without_the_option_on_the_peer_it_works_too(t):
    """To answer takes no option."""
    pair = t.pair('-m', '512')
    pair.b.kill()
    pair.a.await_state('alone')
    fill(pair.a, keys_of(MANY))
    pair.b.args += ['-o', 'repl_fetch']
    pair.b.start(answer=False)
    client = opened(pair.b)
    assert client.get(f'k{MANY - 1}') == value_of(f'k{MANY - 1}')
    pair.await_paired()

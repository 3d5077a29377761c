# SPDX-License-Identifier: BSD-3-Clause
"""Memory that is full makes room, or says that it has none."""

import random

from harness.context import deadline

MIB = 1 << 20


def key_of(number):
    return f'key{number:08d}'


def fill(client, numbers, size):
    client.store_many((key_of(number), b'%08d' % number + b'v' * (size - 8))
                      for number in numbers)


def check_newest(client, numbers, size):
    keys = [key_of(number) for number in numbers]
    held = client.get_many(keys)
    missing = [key for key in keys if key not in held]
    assert not missing, f'{len(missing)} of the newest {len(keys)} are gone'
    for number in numbers:
        value = held[key_of(number)][2]
        assert value == b'%08d' % number + b'v' * (size - 8), key_of(number)


@deadline(240)
def test_every_set_is_stored_however_full(t):
    node = t.node('-m', '64')
    count, size = 200_000, 1000
    fill(node.c, range(count), size)
    stats = node.c.stats()
    assert int(stats['evictions']) > count // 2
    assert 30 * MIB < int(stats['bytes']) <= 64 * MIB, stats['bytes']
    check_newest(node.c, range(count - 5000, count), size)
    assert node.c.get(key_of(0)) is None
    if not t.sanitized():
        assert node.resident_bytes() < 100 * MIB, node.resident_bytes()


@deadline(240)
def test_what_is_read_stays_longer_than_what_is_not(t):
    client = t.node('-m', '64').c
    favorites = range(1000)
    fill(client, favorites, 1000)
    for begin in range(1000, 120_000, 10_000):
        fill(client, range(begin, begin + 10_000), 1000)
        client.get_many(key_of(number) for number in favorites)
        client.get_many(key_of(number) for number in favorites)
    kept = client.get_many(key_of(number) for number in favorites)
    assert len(kept) > 900, f'{len(kept)} of 1000 that are in use are left'


@deadline(240)
def test_large_values_find_room_among_small_ones(t):
    client = t.node('-m', '64').c
    fill(client, range(500_000), 100)
    large = random.Random(3).randbytes(300 * 1024)
    for number in range(20):
        assert client.set(f'large{number}', large) == 'STORED', number
    assert client.get('large19') == large
    medium = b'm' * 3000
    client.store_many((f'medium{number}', medium) for number in range(2000))
    assert client.get('medium1999') == medium
    fill(client, range(500_000, 501_000), 100)
    check_newest(client, range(500_500, 501_000), 100)


@deadline(240)
def test_sizes_of_all_kinds_are_stored_for_ever(t):
    node = t.node('-m', '64')
    draw = random.Random(4)
    blob = draw.randbytes(700_000)
    newest = {}
    resident = []
    for number in range(3000):
        size = int(10 ** draw.uniform(0, 5.8))
        key = f'k{number % 1500}'
        assert node.c.set(key, blob[:size]) == 'STORED', (number, size)
        newest[key] = size
        assert node.c.get(key) == blob[:size], (number, size)
        if number % 1000 == 999:
            resident.append(node.resident_bytes())
    for key, (_, _, value) in node.c.get_many(newest, batch=20).items():
        assert value == blob[:newest[key]], key
    if not t.sanitized():
        assert resident[-1] < 100 * MIB, resident


@deadline(240)
def test_without_evictions_a_full_cache_says_so(t):
    client = t.node('-m', '64', '-M').c
    full = b'SERVER_ERROR out of memory storing object'
    value = b'v' * 10_000
    stored = []
    for number in range(20_000):
        client.send(b'set %s 0 0 10000\r\n%s\r\n' % (
            key_of(number).encode(), value))
        reply = client.line()
        if reply == full:
            break
        assert reply == b'STORED', reply
        stored.append(key_of(number))
    assert reply == full
    assert len(stored) * 10_000 > 40 * MIB, len(stored)
    assert len(client.get_many(stored, batch=50)) == len(stored)
    assert client.stats()['evictions'] == '0'
    # Room that a delete makes can be used again.
    for key in stored[:10]:
        assert client.command(f'delete {key}') == 'DELETED'
    assert client.set('again', value) == 'STORED'
    # A set that fails leaves no old value behind.
    while client.set('filler' + str(len(stored)), value) == 'STORED':
        stored.append('')
    assert client.set('again', b'w' * 10_000) in (
        'STORED', full.decode())
    assert client.get('again') in (None, b'w' * 10_000)


def test_a_small_cache_works_too(t):
    client = t.node('-m', '2', '-I', '512k').c
    fill(client, range(20_000), 500)
    check_newest(client, range(19_900, 20_000), 500)

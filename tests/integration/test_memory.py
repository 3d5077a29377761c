# SPDX-License-Identifier: BSD-3-Clause
"""Memory goes where it is needed: between sizes of values, and up and down."""

import random

from harness.context import deadline
from harness.wait import wait_for

MIB = 1 << 20


def key_of(size, number):
    return f'{size}-{number:07d}'


def value_of(size, number):
    return (b'%08d' % number) * (size // 8)


def fill(client, size, numbers):
    client.store_many((key_of(size, number), value_of(size, number))
                      for number in numbers)


def read_through(client, size, count):
    """What a user of a cache does; returns which part of it was there."""
    numbers = list(range(count))
    random.Random(size).shuffle(numbers)
    batch = max(1, min(1000, 3_000_000 // size))
    hits = 0
    for begin in range(0, count, batch):
        some = numbers[begin:begin + batch]
        held = client.get_many([key_of(size, number) for number in some],
                               batch=batch)
        for number in some:
            got = held.get(key_of(size, number))
            assert got is None or got[2] == value_of(size, number), number
        missing = [n for n in some if key_of(size, n) not in held]
        hits += len(some) - len(missing)
        fill(client, size, missing)  # Fails when one is not stored.
    return hits / count


def class_of(client, size):
    """The slab class with most items: here the one of that size."""
    items = client.stats('items')
    numbers = {name.split(':')[1]: int(value)
               for name, value in items.items() if name.endswith(':number')}
    return max(numbers, key=numbers.get)


@deadline(300)
def test_memory_follows_the_size_of_values(t):
    node = t.node('-m', '64', '-o', 'slab_automove_window=3')
    fill(node.c, 104, range(600_000))  # Now one class has all pages.
    assert node.stat('evictions') > 100_000
    for size, count in ((2048, 18_000), (300 * 1024, 110), (104, 200_000)):
        # Two thirds of the memory: all of it fits, once the pages have moved.
        moved = node.stat('slabs_moved')
        ratio = 0.0
        while ratio < 0.97:
            ratio = read_through(node.c, size, count)
        assert node.stat('slabs_moved') > moved
    stats = node.c.stats()
    assert stats['store_no_memory'] == '0'
    assert stats['malloc_fails'] == '0'
    assert int(stats['slab_reassign_rescues']) >= 0


@deadline(300)
def test_the_limit_falls_and_rises_under_load(t):
    node = t.node('-m', '128')
    draw = random.Random(1)

    def load(count):
        for _ in range(count):
            number = draw.randrange(100_000)
            key = key_of(1000, number)
            got = node.c.get(key)
            assert got is None or got == value_of(1000, number), key
            assert node.c.set(key, value_of(1000, number)) == 'STORED'

    fill(node.c, 1000, range(100_000))
    full = node.resident_bytes()
    assert node.c.command('cache_memlimit 32') == 'OK'
    assert node.stat('limit_maxbytes') == 32 * MIB
    assert node.c.stats('settings')['maxbytes'] == str(32 * MIB)

    def is_small():
        load(500)
        return node.stat('bytes') <= 32 * MIB and (
            t.sanitized() or node.resident_bytes() < 0.5 * full)
    wait_for('the memory to be given back', is_small)
    newest = range(99_000, 100_000)
    fill(node.c, 1000, newest)
    held = node.c.get_many([key_of(1000, number) for number in newest])
    assert len(held) == len(newest), len(held)
    assert node.stat('bytes') <= 32 * MIB

    assert node.c.command('cache_memlimit 256') == 'OK'
    evicted = node.stat('evictions')
    fill(node.c, 1000, range(150_000))
    load(500)
    assert node.stat('evictions') == evicted
    held = node.c.get_many([key_of(1000, n) for n in range(150_000)])
    assert len(held) == 150_000, len(held)
    if not t.sanitized():
        assert node.resident_bytes() > 1.2 * full


@deadline(120)
def test_a_page_is_moved_by_order_and_nothing_is_lost(t):
    node = t.node('-m', '64', '-o', 'no_slab_automove')
    fill(node.c, 1000, range(20_000))
    number = class_of(node.c, 1000)
    pages = int(node.c.stats('slabs')[f'{number}:total_pages'])
    for turn in range(3):
        assert node.c.command(f'slabs reassign {number} 0') == 'OK'
        wait_for('the page to have moved',
                 lambda: node.stat('slabs_moved') == turn + 1)
    assert node.stat('slab_reassign_running') == 0
    assert node.stat('slab_reassign_rescues') > 0
    held = node.c.get_many([key_of(1000, n) for n in range(20_000)])
    assert all(held[key_of(1000, n)][2] == value_of(1000, n)
               for n in range(20_000))
    assert node.stat('evictions') == 0
    assert node.c.command(f'slabs reassign {number} {number}').startswith(
        'SAME ')
    assert int(node.c.stats('slabs')[f'{number}:total_pages']) <= pages


def test_settings_change_while_it_runs(t):
    client = t.node('-m', '64', '-o', 'temporary_ttl=20').c
    assert client.stats('settings')['temp_lru'] == 'yes'
    assert client.stats('settings')['temporary_ttl'] == '20'
    assert client.command('set t 0 10 1\r\nx') == 'STORED'
    assert client.stats('items')['items:1:number_temp'] == '1'
    for command in ('lru temp_ttl -1', 'lru tune 10 25 0.1 2.5',
                    'slabs automove 0', 'slabs automove ratio 0.5',
                    'slabs automove window 30', 'lru mode flat',
                    'cache_memlimit 100'):
        assert client.command(command) == 'OK', command
    settings = client.stats('settings')
    assert {name: settings[name] for name in (
        'temp_lru', 'hot_lru_pct', 'warm_lru_pct', 'hot_max_factor',
        'warm_max_factor', 'slab_automove', 'slab_automove_ratio',
        'slab_automove_window', 'lru_segmented', 'maxbytes')} == {
            'temp_lru': 'no', 'hot_lru_pct': '10', 'warm_lru_pct': '25',
            'hot_max_factor': '0.10', 'warm_max_factor': '2.50',
            'slab_automove': '0', 'slab_automove_ratio': '0.50',
            'slab_automove_window': '30', 'lru_segmented': 'no',
            'maxbytes': str(100 * MIB)}


def test_without_upkeep_and_moves_it_works_too(t):
    node = t.node('-m', '8', '-I', '512k', '-o', 'no_modern')
    fill(node.c, 104, range(150_000))
    fill(node.c, 2048, range(5_000))
    assert node.c.get(key_of(2048, 4_999)) == value_of(2048, 4_999)
    stats = node.c.stats()
    assert 'slabs_moved' not in stats
    assert 'lru_maintainer_juggles' not in stats
    assert 'moves_to_cold' not in stats
    assert stats['store_no_memory'] == '0'
    assert node.c.command('slabs reassign 1 2') == (
        'CLIENT_ERROR slab reassignment disabled')


def test_classes_of_given_sizes(t):
    node = t.node('-m', '64', '-o',
                  'slab_sizes=100-200-400,slab_chunk_max=256,hashpower=14,'
                  'no_hashexpand')
    for size in (40, 140, 300, 900, 400_000):
        assert node.c.set(f'k{size}', b'v' * size) == 'STORED'
        assert node.c.get(f'k{size}') == b'v' * size
    slabs = node.c.stats('slabs')
    assert [slabs[f'{n}:chunk_size'] for n in (1, 2, 3, 4)] == [
        '104', '200', '400', str(256 * 1024)]
    assert node.stat('hash_power_level') == 14


@deadline(120)
def test_large_pages_are_taken_at_once(t):
    node = t.node('-m', '64', '-L')
    if not t.sanitized():
        assert node.resident_bytes() > 60 * MIB
    assert node.c.set('k', b'v' * 1000) == 'STORED'
    assert node.c.command('cache_memlimit 32').startswith(
        'MEMLIMIT_ADJUST_FAILED ')

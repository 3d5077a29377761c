# SPDX-License-Identifier: BSD-3-Clause
"""Expiry to the second, on a clock that the test moves."""

from harness.wait import wait_for

DAY_S = 24 * 60 * 60
MONTH_S = 30 * DAY_S


def stopped(t, *args, **how):
    """A client of a daemon whose clock stands."""
    client = t.debug_node(*args, **how).c
    assert client.command('debugtime p') == 'OK'
    return client


def advance(client, seconds):
    assert client.command(f'debugtime {seconds}') == 'OK'


def now(client):
    return int(client.stats()['time'])


def item(client, key):
    """What the cache knows of an item."""
    line = client.command(f'debugitem {key}')
    assert line.startswith(f'ITEM {key} '), line
    return dict(word.split('=') for word in line.split(' ')[2:])


def test_the_clock_stands_and_goes_on(t):
    client = stopped(t)
    before = now(client)
    advance(client, 100)
    assert now(client) == before + 100
    assert client.command('debugtime r') == 'OK'
    assert before + 100 <= now(client) < before + 160
    wait_for('the clock to tick', lambda: now(client) > before + 100)


def test_an_item_lives_to_its_last_second(t):
    client = stopped(t)
    for ttl in (1, 2, 60, DAY_S, MONTH_S):
        client.set('k', 'x', ttl=ttl)
        advance(client, ttl - 1)
        assert client.get('k') == b'x', ttl
        advance(client, 1)
        assert client.get('k') is None, ttl


def test_more_than_a_month_is_a_date(t):
    client = stopped(t)
    date = now(client) + MONTH_S + 10
    client.set('k', 'x', ttl=date)
    assert item(client, 'k')['exp'] == str(date)
    advance(client, MONTH_S + 9)
    assert client.get('k') == b'x'
    advance(client, 1)
    assert client.get('k') is None


def test_what_never_expires_outlives_the_year(t):
    client = stopped(t)
    client.set('k', 'x')
    advance(client, 366 * DAY_S)
    assert client.get('k') == b'x'
    assert item(client, 'k')['exp'] == '0'


def test_touch_counts_from_its_own_second(t):
    client = stopped(t)
    client.set('k', 'x', ttl=10)
    advance(client, 9)
    assert client.command('touch k 10') == 'TOUCHED'
    advance(client, 9)
    client.ask(b'gat 5 k\r\n', b'VALUE k 0 1\r\nx\r\nEND\r\n')
    advance(client, 4)
    assert client.get('k') == b'x'
    advance(client, 1)
    assert client.command('touch k 10') == 'NOT_FOUND'


def test_meta_tells_the_seconds_that_remain(t):
    client = stopped(t)
    client.set('k', 'x', ttl=100)
    advance(client, 30)
    client.ask(b'mg k t l h\r\n', b'HD t70 l30 h0\r\n')
    advance(client, 5)
    client.ask(b'mg k t l h\r\n', b'HD t65 l5 h1\r\n')
    advance(client, 60)
    client.ask(b'mg k t\r\n', b'HD t5\r\n')
    client.ask(b'mg k R10 t\r\n', b'HD t5 W\r\n')
    advance(client, 5)
    client.ask(b'mg k t\r\n', b'EN\r\n')


def test_a_delayed_flush_comes_in_its_second(t):
    client = stopped(t)
    client.set('old', 'x')
    assert client.command('flush_all 10') == 'OK'
    advance(client, 9)
    client.set('new', 'x')
    assert client.get('old') == b'x'
    advance(client, 1)
    wait_for('the flush', lambda: client.get_many(['old', 'new']) == {})
    client.set('later', 'x')
    assert client.get('later') == b'x'


def test_expired_items_are_taken_without_being_asked_for(t):
    client = stopped(t)
    client.store_many(((f'k{i}', b'v' * 100) for i in range(1000)), ttl=60)
    client.set('kept', 'x')
    advance(client, 60)
    wait_for('the dead to be cleared away',
             lambda: client.stats()['curr_items'] == '1', 60)
    assert client.get('kept') == b'x'


def test_a_peer_takes_the_time_that_remains(t):
    pair = t.pair(binary=t.debug_binary())
    client = pair.a.c
    client.set('k', 'x', ttl=1000)
    pair.settle()
    exp_a, exp_b = (int(item(node.c, 'k')['exp']) for node in pair.nodes)
    assert abs(exp_a - exp_b) <= 1


def test_an_item_is_shown_as_it_is(t):
    client = stopped(t)
    begin = now(client)
    client.set('k', 'hello', flags=7, ttl=50)
    seen = item(client, 'k')
    flags, cas, _ = client.gets('k')
    assert (seen['flags'], seen['cas'], seen['exp']) == (
        str(flags), str(cas), str(begin + 50))
    assert (seen['value'], seen['fetch'], seen['la']) == (
        '5', 'no', str(begin))
    assert item(client, 'k')['fetch'] == 'yes'
    assert client.command('debugitem absent') == 'NOT_FOUND'
    hits = client.stats()['get_hits']
    item(client, 'k')
    assert client.stats()['get_hits'] == hits


def test_bad_times_are_refused(t):
    client = stopped(t)
    for word in ('x', '-1', '1x', '99999999999999999999', ''):
        assert client.command(f'debugtime {word}') == \
            'CLIENT_ERROR bad command line format', word


def test_an_ordinary_daemon_has_no_such_commands(t):
    with open(t.binary, 'rb') as file:
        if b'debugtime' in file.read():
            return
    client = t.node().c
    for line in ('debugtime p', 'debugitem k'):
        assert client.command(line) == 'ERROR'

# SPDX-License-Identifier: BSD-3-Clause
"""What is over is gone, and only that."""

import time

from harness.wait import wait_for

MONTH_S = 60 * 60 * 24 * 30


def await_gone(client, *keys):
    wait_for(f'{", ".join(keys)} to be gone',
             lambda: client.get_many(keys) == {})


def test_an_item_goes_when_its_time_has_come(t):
    client = t.node().c
    client.set('short', 'x', ttl=1)
    client.set('longer', 'x', ttl=MONTH_S)
    client.set('forever', 'x')
    client.set('date', 'x', ttl=int(time.time()) + 2)
    client.set('far_date', 'x', ttl=int(time.time()) + 2 * MONTH_S)
    assert client.get('date') == b'x'
    await_gone(client, 'short', 'date')
    kept = ['longer', 'forever', 'far_date']
    assert set(client.get_many(kept)) == set(kept)


def test_no_item_goes_before_its_time(t):
    client = t.node().c
    begin = time.monotonic()
    client.set('k', 'x', ttl=2)
    wait_for('k to be gone', lambda: client.get('k') is None)
    # The clock of items ticks in seconds: up to one of them may be missing.
    assert time.monotonic() - begin > 0.9


def test_touch_and_gat_give_a_new_time(t):
    client = t.node().c
    for key in ('touched', 'got', 'got_with_token', 'shortened', 'left'):
        client.set(key, 'x', ttl=1 if key != 'shortened' else 0)
    assert client.command('touch touched 0') == 'TOUCHED'
    client.ask(b'gat 0 got\r\n', b'VALUE got 0 1\r\nx\r\nEND\r\n')
    client.send(b'gats 0 got_with_token\r\n')
    client.read_until(b'END\r\n')
    assert client.command('touch shortened 1') == 'TOUCHED'
    await_gone(client, 'shortened', 'left')
    kept = ['touched', 'got', 'got_with_token']
    assert set(client.get_many(kept)) == set(kept)


def test_what_expired_is_absent_for_every_command(t):
    client = t.node().c
    names = ('append', 'prepend', 'replace', 'incr', 'delete', 'touch', 'add')
    for name in names:
        client.set(name, '1', ttl=1)
    await_gone(client, *names)
    for verb in ('append', 'prepend', 'replace'):
        assert client.set(verb, '2', verb=verb) == 'NOT_STORED'
    assert client.command('incr incr 1') == 'NOT_FOUND'
    assert client.command('delete delete') == 'NOT_FOUND'
    assert client.command('touch touch 0') == 'NOT_FOUND'
    assert client.set('add', '2', verb='add') == 'STORED'
    assert client.get('add') == b'2'


def test_a_rewritten_value_keeps_its_time(t):
    client = t.node().c
    for key in ('appended', 'counted'):
        client.set(key, '1', ttl=1)
    client.set('appended', '2', ttl=0, verb='append')
    assert client.command('incr counted 1') == '2'
    await_gone(client, 'appended', 'counted')


def test_a_delayed_flush_comes_when_it_is_due(t):
    client = t.node().c
    client.set('old', 'x')
    assert client.command('flush_all 2') == 'OK'
    assert client.get('old') == b'x'
    client.set('new', 'x')
    await_gone(client, 'old', 'new')
    client.set('later', 'x')
    assert client.get('later') == b'x'


def test_a_flush_takes_all_that_was_before_it(t):
    client = t.node().c
    keys = [f'k{number}' for number in range(5000)]
    client.store_many((key, b'v' * 50) for key in keys)
    assert client.command('flush_all') == 'OK'
    assert client.get_many(keys) == {}
    client.store_many((key, b'w') for key in keys)
    assert len(client.get_many(keys)) == len(keys)

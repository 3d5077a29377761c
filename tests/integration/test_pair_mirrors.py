# SPDX-License-Identifier: BSD-3-Clause
"""What is written at one node is at the other, and stays so."""

import random

from harness.context import deadline
from harness.wait import wait_for

MIB = 1 << 20

# (what, bytes at one node, its reply), each going on from where the one
# before it ended.
WRITES = [
    ('set', b'set k 7 0 3\r\none\r\n', b'STORED\r\n'),
    ('set over it', b'set k 4294967295 0 5\r\nthree\r\n', b'STORED\r\n'),
    ('append', b'append k 0 0 4\r\nfour\r\n', b'STORED\r\n'),
    ('prepend', b'prepend k 0 0 4\r\nzero\r\n', b'STORED\r\n'),
    ('replace', b'replace k 9 0 2\r\n41\r\n', b'STORED\r\n'),
    ('incr', b'incr k 1\r\n', b'42\r\n'),
    ('decr', b'decr k 35\r\n', b'7\r\n'),
    ('delete', b'delete k\r\n', b'DELETED\r\n'),
    ('add', b'add k 2 0 1\r\n9\r\n', b'STORED\r\n'),
    ('incr that lengthens', b'incr k 1\r\n', b'10\r\n'),
    ('touch', b'touch k 1000\r\n', b'TOUCHED\r\n'),
    ('gat', b'gat 500 k\r\n', b'VALUE k 2 2\r\n10\r\nEND\r\n'),
    ('flush_all', b'flush_all\r\n', b'OK\r\n'),
    ('set after flush', b'set k 0 0 0\r\n\r\n', b'STORED\r\n'),
    ('flush_all 0', b'flush_all 0\r\n', b'OK\r\n'),
    ('set that is over at once', b'set k 0 -1 1\r\nx\r\n', b'STORED\r\n'),
    ('set in silence', b'set k 3 0 1 noreply\r\n5\r\n', b''),
    ('incr in silence', b'incr k 2 noreply\r\n', b''),
    ('append in silence', b'append k 0 0 1 noreply\r\n0\r\n', b''),
    ('prepend in silence', b'prepend k 0 0 1 noreply\r\n1\r\n', b''),
    ('decr in silence', b'decr k 1 noreply\r\n', b''),
    ('replace in silence', b'replace k 1 0 1 noreply\r\nx\r\n', b''),
    ('touch in silence', b'touch k 0 noreply\r\n', b''),
    ('delete in silence', b'delete k noreply\r\n', b''),
    ('add in silence', b'add k 6 0 1 noreply\r\ny\r\n', b''),
    ('flush_all in silence', b'flush_all noreply\r\n', b''),
]


def await_same(what, writer, reader, key='k'):
    """The reader comes to hold just what the writer holds."""
    def same():
        held = writer.gets(key)
        return reader.gets(key) == held and ('held', held)
    return wait_for(f'{what} to be at the peer', same)[1]


def check_writes(writer, reader):
    for what, request, reply in WRITES:
        writer.send(request)
        writer.expect(reply)
        writer.ask(b'verbosity 1\r\n', b'OK\r\n')
        await_same(what, writer, reader)


def test_every_write_at_a_is_at_b(t):
    pair = t.pair()
    check_writes(pair.a.c, pair.b.c)


def test_every_write_at_b_is_at_a(t):
    pair = t.pair()
    check_writes(pair.b.c, pair.a.c)


def test_both_nodes_may_write_one_key_in_turn(t):
    pair = t.pair()
    pair.a.c.set('n', '0')
    await_same('set', pair.a.c, pair.b.c, 'n')
    for number in range(200):
        writer, reader = pair.nodes[::1 if number % 2 else -1]
        assert writer.c.command('incr n 1') == str(number + 1)
        await_same('incr', writer.c, reader.c, 'n')


def test_a_token_from_one_node_is_good_at_the_other(t):
    pair = t.pair()
    pair.a.c.set('k', 'old')
    _, token, _ = await_same('set', pair.a.c, pair.b.c)
    pair.b.c.ask(b'cas k 8 0 3 %d\r\nnew\r\n' % token, b'STORED\r\n')
    flags, new_token, value = await_same('cas', pair.b.c, pair.a.c)
    assert (flags, value) == (8, b'new') and new_token > token
    pair.a.c.ask(b'cas k 0 0 1 %d\r\nx\r\n' % token, b'EXISTS\r\n')
    pair.a.c.ask(b'cas k 0 0 1 %d noreply\r\ny\r\n' % new_token, b'')
    assert await_same('silent cas', pair.a.c, pair.b.c)[2] == b'y'


def test_the_time_to_live_goes_along(t):
    pair = t.pair()
    for writer in pair.nodes:
        for how in ('set', 'touched', 'got', 'kept', 'prolonged'):
            key = how + writer.name
            ttl = 2 if how in ('set', 'kept', 'prolonged') else 0
            writer.c.set(key, 'x', ttl=ttl)
        name = writer.name
        assert writer.c.command(f'touch touched{name} 2') == 'TOUCHED'
        assert writer.c.command(f'touch kept{name} 0') == 'TOUCHED'
        for ttl, key in ((2, f'got{name}'), (3000, f'prolonged{name}')):
            writer.c.ask(b'gat %d %s\r\n' % (ttl, key.encode()),
                         b'VALUE %s 0 1\r\nx\r\nEND\r\n' % key.encode())
    pair.settle()
    going = [how + name for how in ('set', 'touched', 'got') for name in 'ab']
    staying = [how + name for how in ('kept', 'prolonged') for name in 'ab']
    for node in pair.nodes:
        wait_for(f'what is over to be gone at {node.name}',
                 lambda: node.c.get_many(going) == {})
        assert set(node.c.get_many(staying)) == set(staying), node.name


def test_no_touch_changes_a_cas_unique(t):
    pair = t.pair()
    for writer, reader in (pair.nodes, pair.nodes[::-1]):
        for size in (1, 7, 60, 500, 5000, 700000):
            key = f'k{size}'
            writer.c.set(key, b'x' * size)
            held = await_same('set', writer.c, reader.c, key)
            for ttl in (3000, 2000, 2500, 1000):
                assert writer.c.command(f'touch {key} {ttl}') == 'TOUCHED'
                assert await_same('touch', writer.c, reader.c, key) == held
        pair.settle()
        for size in (1, 7, 60, 500, 5000, 700000):
            for node in pair.nodes:
                left = node.c.command(f'mg k{size} t')
                assert 990 <= int(left.split('t')[1]) <= 1000, (node.name, left)


def test_keys_and_values_of_all_kinds_arrive_whole(t):
    pair = t.pair('-I', '4m', '-m', '128')
    draw = random.Random(5)
    kinds = {'k' * 250: b'long key', 'empty': b'',
             'bytes': bytes(range(256)) * 10,
             'commands': b'\r\nflush_all\r\nset x 0 0 1\r\nx\r\nEND\r\n',
             'mib': draw.randbytes(MIB), 'more': draw.randbytes(3 * MIB),
             '64k': draw.randbytes(65536), '64k+1': draw.randbytes(65537)}
    for writer, other in (pair.nodes, pair.nodes[::-1]):
        for flags, (key, value) in enumerate(kinds.items()):
            writer.c.set(key, value, flags=flags)
        held = pair.settle().await_equal(kinds)
        assert {key: held[key][2] for key in kinds} == kinds
        assert [held[key][0] for key in kinds] == list(range(len(kinds)))
        assert other.c.command('flush_all') == 'OK'
        pair.settle()
        assert writer.c.get_many(kinds) == {}


def test_heartbeats_do_not_wait_behind_large_values(t):
    pair = t.pair('-I', '32m', '-m', '256')
    reconnects = [node.repl()['repl_reconnects'] for node in pair.nodes]
    blob = random.Random(6).randbytes(24 * MIB)
    for number in range(4):
        assert pair.a.c.set(f'big{number}', blob) == 'STORED'
        assert pair.b.c.set(f'also{number}', blob) == 'STORED'
        pair.a.c.set('small', str(number))
    pair.settle()
    assert pair.b.c.get('small') == b'3'
    assert reconnects == [node.repl()['repl_reconnects']
                          for node in pair.nodes]


@deadline(180)
def test_a_delete_of_what_only_the_peer_holds_is_forwarded(t):
    pair = t.pair(args_a=('-m', '16'), args_b=('-m', '128'))
    keys = [f'k{number}' for number in range(40_000)]
    pair.b.c.store_many((key, b'v' * 1000) for key in keys)
    pair.settle()
    held_a, held_b = (set(node.c.get_many(keys)) for node in pair.nodes)
    # The smaller node has made room, and that was its own affair.
    assert held_b == set(keys)
    assert len(held_a) < len(keys)
    victims = sorted(held_b - held_a)[:100]
    for key in victims:
        assert pair.a.c.command(f'delete {key}') == 'NOT_FOUND'
    pair.settle()
    assert pair.b.c.get_many(victims) == {}
    assert len(pair.b.c.get_many(keys)) == len(keys) - len(victims)


def test_nothing_is_sent_back(t):
    pair = t.pair()
    pair.settle()
    before_a, before_b = (node.repl() for node in pair.nodes)
    keys = [f'k{number}' for number in range(1000)]
    pair.a.c.store_many((key, b'x') for key in keys)
    pair.settle()
    pair.b.c.set('mark', 'x')
    wait_for('the mark', lambda: pair.a.c.get('mark') == b'x')
    pair.settle()
    after_a, after_b = (node.repl() for node in pair.nodes)
    assert after_b['repl_sent'] - before_b['repl_sent'] == 1
    assert after_a['repl_applied'] - before_a['repl_applied'] == 1
    assert after_a['repl_sent'] - before_a['repl_sent'] == 1000
    assert after_b['repl_applied'] - before_b['repl_applied'] == 1000
    assert pair.a.repl()['repl_sent'] == after_a['repl_sent']


def test_an_equal_write_at_both_at_once_ends_equal(t):
    pair = t.pair()
    keys = [f'k{number}' for number in range(2000)]
    for verb in ('set', 'add', 'append', 'delete', 'set'):
        for key in keys:
            for node in pair.nodes:
                if verb == 'delete':
                    node.c.send(b'delete %s\r\n' % key.encode())
                else:
                    node.c.send(b'%s %s 0 0 1\r\n%s\r\n' % (
                        verb.encode(), key.encode(), node.name.encode()))
        for node in pair.nodes:
            for _ in keys:
                node.c.line()
        pair.settle()
        held = pair.await_equal(keys)
        assert len(held) == (0 if verb == 'delete' else len(keys)), verb


def test_counting_at_both_at_once_ends_equal(t):
    pair = t.pair()
    pair.a.c.set('n', '0')
    pair.settle()
    for node in pair.nodes:
        node.c.send(b'incr n 1\r\n' * 5000)
    for node in pair.nodes:
        for _ in range(5000):
            assert node.c.line().isdigit()
    pair.settle()
    held = pair.await_equal(['n'])
    assert 5000 <= int(held['n'][2]) <= 10_000


def test_a_later_write_at_the_peer_wins(t):
    pair = t.pair()
    for number in range(300):
        first, later = pair.nodes[::1 if number % 2 else -1]
        assert first.c.set('k', f'first{number}') == 'STORED'
        assert later.c.set('k', f'later{number}') == 'STORED'
        for node in pair.nodes:
            wait_for('the later value', lambda: node.c.get('k') ==
                     f'later{number}'.encode())


def test_a_delayed_flush_is_due_at_both(t):
    pair = t.pair()
    for node in pair.nodes:
        node.c.set('of' + node.name, 'x')
    pair.settle()
    assert pair.a.c.command('flush_all 1') == 'OK'
    pair.settle()
    for node in pair.nodes:
        wait_for(f'{node.name} to be empty',
                 lambda: node.c.get_many(['ofa', 'ofb']) == {})
        node.c.set('later' + node.name, 'x')
    pair.settle()
    assert len(pair.await_equal(['latera', 'laterb'])) == 2


def test_a_flush_at_one_spares_what_is_written_after_it(t):
    pair = t.pair()
    for number in range(100):
        key = f'k{number}'
        pair.b.c.set('old', 'x')
        assert pair.a.c.command('flush_all') == 'OK'
        assert pair.b.c.set(key, 'x') == 'STORED'
        pair.settle()
        held = pair.await_equal([key, 'old'])
        assert list(held) == [key], held


@deadline(180)
def test_writes_of_all_kinds_from_both_sides_end_equal(t):
    pair = t.pair()
    keys = [f'k{number}' for number in range(500)]
    draw = random.Random(7)
    for _ in range(40):
        for node in pair.nodes:
            node.c.send(b''.join(random_write(draw, draw.choice(keys))
                                 for _ in range(250)) + b'verbosity 1\r\n')
        for node in pair.nodes:
            node.c.expect(b'OK\r\n')
    pair.settle()
    assert len(pair.await_equal(keys)) > 50
    for node in pair.nodes:
        wait_for('no tombstone to be needed',
                 lambda: node.repl()['repl_tombstones'] == 0)


def random_write(draw, key):
    value = b'%d' % draw.randrange(1000)
    verb = draw.choice(('set', 'set', 'add', 'replace', 'append', 'prepend',
                        'incr', 'decr', 'delete', 'touch'))
    if verb in ('incr', 'decr', 'touch'):
        text = b'%s %s %d noreply' % (verb.encode(), key.encode(),
                                      draw.choice((1, 5, 1000)))
    elif verb == 'delete':
        text = b'delete %s noreply' % key.encode()
    else:
        text = b'%s %s %d 0 %d noreply\r\n%s' % (
            verb.encode(), key.encode(), draw.randrange(9), len(value), value)
    return text + b'\r\n'


REPL_STATS = '''
    repl_state repl_role repl_peer repl_gen repl_link_up_s repl_reconnects
    repl_seq_next repl_seq_sent repl_seq_acked repl_seq_applied
    repl_lag_ops repl_lag_bytes repl_lag_ms
    repl_lag_us repl_lag_us_p50 repl_lag_us_p99 repl_lag_us_max
    repl_apply_us_p99 repl_ring_size repl_ring_used repl_dirty_buckets
    repl_resync_kind repl_resync_items_done repl_resync_items_total
    repl_resync_bytes repl_resync_seconds
    repl_full_total repl_delta_total repl_continue_total repl_digest_total
    repl_tombstones repl_tombstone_overflows repl_floor_drops
    repl_conflicts repl_conflicts_won repl_conflicts_lost
    repl_rejected_old repl_touches repl_wanted repl_clock_offset_us
    repl_semisync_on repl_semisync_waits
    repl_semisync_timeouts repl_semisync_unconfirmed
    repl_digest_checked repl_digest_mismatch
    repl_sent repl_applied repl_bytes_in repl_bytes_out
    repl_refused repl_tls'''.split()


def test_stats_tell_how_the_pair_is(t):
    pair = t.pair()
    pair.a.c.store_many((f'k{number}', b'x') for number in range(100))
    pair.settle()
    table_a, table_b = (node.repl() for node in pair.nodes)
    for table in (table_a, table_b):
        missing = [name for name in REPL_STATS if name not in table]
        assert not missing, missing
    assert {table_a['repl_role'], table_b['repl_role']} == {
        'dialer', 'listener'}
    assert table_a['repl_peer'] == f'127.0.0.1:{pair.b.repl_port}'
    assert table_b['repl_peer'] == f'127.0.0.1:{pair.a.repl_port}'
    assert table_a['repl_seq_acked'] == table_a['repl_seq_sent']
    assert table_b['repl_seq_applied'] == table_a['repl_seq_acked']
    assert table_a['repl_bytes_out'] > 0 < table_b['repl_bytes_in']
    assert table_a['repl_lag_bytes'] == table_a['repl_lag_ms'] == 0
    assert abs(table_a['repl_clock_offset_us']) < 1_000_000


def test_stats_have_the_three_names_of_repcached(t):
    pair = t.pair('-q', '8192')
    for node in pair.nodes:
        stats = node.c.stats()
        assert stats['replication'] == 'MASTER', stats['replication']
        assert stats['repcached_version']
        assert stats['repcached_qi_free'].isdigit()
    alone = t.node(name='alone')
    for name in ('replication', 'repcached_version', 'repcached_qi_free'):
        assert name not in alone.c.stats()

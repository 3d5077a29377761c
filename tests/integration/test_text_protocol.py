# SPDX-License-Identifier: BSD-3-Clause
"""The classic text protocol, as a client of one node sees it."""

import random
import re

from harness.client import shorten
from harness.context import deadline
from harness.wait import wait_for
from text_cases import ANSWERED, ENDS

SMALL = [case for case in ANSWERED if len(case[0]) < 3000]
MIB = 1 << 20


def pattern(reply):
    """The reply as a regular expression."""
    return re.compile(re.escape(reply)
                      .replace(re.escape(b'<cas>'), rb'\d+')
                      .replace(re.escape(b'<version>'), rb'[^\r\n]+'),
                      re.DOTALL)


def ask_on_empty(client, request, send):
    """Everything that is said in answer to the request, no byte more."""
    client.ask(b'flush_all\r\n', b'OK\r\n')
    send(request)
    client.send(b'flush_all bad\r\nverbosity 1\r\n')
    end = b'CLIENT_ERROR invalid exptime argument\r\nOK\r\n'
    return client.read_until(end)[:-len(end)]


def run_cases(node, cases, send_name):
    client = node.client()
    wrong = []
    for request, reply in cases:
        got = ask_on_empty(client, request, getattr(client, send_name))
        if not pattern(reply).fullmatch(got):
            wrong.append(f'sent     {shorten(request)}\n'
                         f'expected {shorten(reply)}\n'
                         f'got      {shorten(got)}')
    assert not wrong, f'{len(wrong)} of {len(cases)}\n' + '\n'.join(wrong)


def test_every_request_has_its_exact_reply(t):
    run_cases(t.node(), ANSWERED, 'send')


def test_replies_are_the_same_when_each_byte_comes_alone(t):
    run_cases(t.node(), SMALL, 'send_bytewise')


def one_script():
    """All cases after one another, as one pipeline and its reply."""
    request = b''.join(b'flush_all\r\n' + case[0] for case in SMALL)
    reply = b''.join(b'OK\r\n' + case[1] for case in SMALL)
    return request + b'set last 0 0 7\r\nTHE END\r\nget last\r\n', reply


END_OF_SCRIPT = b'STORED\r\nVALUE last 0 7\r\nTHE END\r\nEND\r\n'


def check_script(got):
    _, reply = one_script()
    position = 0
    for request, expected in SMALL:
        match = pattern(b'OK\r\n' + expected).match(got, position)
        assert match, (f'after {shorten(request)}\n'
                       f'expected {shorten(expected)}\n'
                       f'got      {shorten(got[position:position + 400])}')
        position = match.end()
    assert position == len(got), f'and then {shorten(got[position:])}'


def test_replies_are_the_same_when_all_comes_at_once(t):
    client = t.node().client()
    client.send(one_script()[0])
    check_script(client.read_until(END_OF_SCRIPT)[:-len(END_OF_SCRIPT)])


def test_replies_are_the_same_wherever_packets_are_cut(t):
    node = t.node()
    request, _ = one_script()
    for seed in range(20):
        draw = random.Random(seed)
        client = node.client()
        position = 0
        while position < len(request):
            size = draw.choice((1, 2, 3, 5, 17, 100, 1400, 5000))
            client.send(request[position:position + size])
            position += size
        check_script(client.read_until(END_OF_SCRIPT)[:-len(END_OF_SCRIPT)])
        client.close()


def test_lines_that_end_the_connection_end_it(t):
    node = t.node()
    for request, reply, _ in ENDS:
        client = node.client()
        client.send(request)
        client.expect(reply)
        client.expect_end()
    node.c.ask(b'verbosity 1\r\n', b'OK\r\n')


def test_a_get_may_be_longer_than_other_lines(t):
    client = t.node().client()
    client.send(b'get ' + b' ' * 3000)
    client.send(b'a' + b' b' * 5000 + b'\r\n')
    client.expect(b'END\r\n')


def test_cas_takes_the_token_that_gets_gave(t):
    client = t.node().client()
    assert client.set('a', 'x') == 'STORED'
    _, token, _ = client.gets('a')
    client.ask(b'cas a 5 0 1 %d\r\ny\r\n' % token, b'STORED\r\n')
    flags, new_token, value = client.gets('a')
    assert (flags, value) == (5, b'y')
    assert new_token > token
    client.ask(b'cas a 0 0 1 %d\r\nz\r\n' % token, b'EXISTS\r\n')
    client.ask(b'cas a 0 0 1 %d noreply\r\nz\r\n' % new_token, b'')
    assert client.get('a') == b'z'


def test_every_write_gives_a_new_token(t):
    client = t.node().client()
    tokens = []
    for line, reply in ((b'set n 0 0 1\r\n1\r\n', b'STORED\r\n'),
                        (b'replace n 0 0 1\r\n2\r\n', b'STORED\r\n'),
                        (b'append n 0 0 1\r\n3\r\n', b'STORED\r\n'),
                        (b'prepend n 0 0 1\r\n4\r\n', b'STORED\r\n'),
                        (b'incr n 1\r\n', b'424\r\n'),
                        (b'decr n 1\r\n', b'423\r\n')):
        client.ask(line, reply)
        tokens.append(client.gets('n')[1])
    assert tokens == sorted(set(tokens)), tokens


def test_stats_count_what_was_done(t):
    client = t.node().client()
    before = client.stats()
    client.ask(b'set a 0 0 1\r\n5\r\n', b'STORED\r\n')
    client.ask(b'get a nokey\r\n', b'VALUE a 0 1\r\n5\r\nEND\r\n')
    client.ask(b'incr a 1\r\n', b'6\r\n')
    client.ask(b'decr nokey 1\r\n', b'NOT_FOUND\r\n')
    client.ask(b'cas a 0 0 1 1\r\n7\r\n', b'EXISTS\r\n')
    client.ask(b'cas nokey 0 0 1 1\r\n7\r\n', b'NOT_FOUND\r\n')
    client.ask(b'touch a 0\r\n', b'TOUCHED\r\n')
    client.ask(b'touch nokey 0\r\n', b'NOT_FOUND\r\n')
    client.ask(b'delete nokey\r\n', b'NOT_FOUND\r\n')
    client.ask(b'delete a\r\n', b'DELETED\r\n')
    client.ask(b'flush_all\r\n', b'OK\r\n')
    after = client.stats()
    gained = {name: int(after[name]) - int(before[name]) for name in (
        'cmd_get', 'cmd_set', 'cmd_flush', 'cmd_touch', 'get_hits',
        'get_misses', 'incr_hits', 'incr_misses', 'decr_hits', 'decr_misses',
        'cas_hits', 'cas_misses', 'cas_badval', 'touch_hits', 'touch_misses',
        'delete_hits', 'delete_misses', 'curr_items', 'total_items')}
    assert gained == {
        'cmd_get': 2, 'cmd_set': 3, 'cmd_flush': 1, 'cmd_touch': 2,
        'get_hits': 1, 'get_misses': 1, 'incr_hits': 1, 'incr_misses': 0,
        'decr_hits': 0, 'decr_misses': 1, 'cas_hits': 0, 'cas_misses': 1,
        'cas_badval': 1, 'touch_hits': 1, 'touch_misses': 1,
        'delete_hits': 1, 'delete_misses': 1, 'curr_items': 0,
        'total_items': gained['total_items']}, gained
    for name in ('pid', 'uptime', 'time', 'version', 'pointer_size',
                 'rusage_user', 'rusage_system', 'max_connections',
                 'curr_connections', 'total_connections', 'bytes_read',
                 'bytes_written', 'limit_maxbytes', 'accepting_conns',
                 'threads', 'bytes', 'evictions', 'reclaimed'):
        assert name in after, name
    assert 'replication' not in after


def test_stats_reset_starts_counting_anew(t):
    client = t.node().client()
    client.ask(b'set a 0 0 1\r\nx\r\nget a\r\n',
               b'STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n')
    client.ask(b'stats reset\r\n', b'RESET\r\n')
    stats = client.stats()
    assert (stats['get_hits'], stats['cmd_set']) == ('0', '0'), stats
    assert stats['curr_items'] == '1'


def test_stats_items_and_slabs_tell_of_each_class(t):
    client = t.node().client()
    assert client.stats('items') == {}
    client.set('small', 'x')
    client.set('larger', 'x' * 5000)
    items = client.stats('items')
    classes = {name.split(':')[1] for name in items}
    assert len(classes) == 2, items
    for number in classes:
        assert items[f'items:{number}:number'] == '1'
        assert items[f'items:{number}:evicted'] == '0'
        for name in ('age', 'mem_requested', 'outofmemory', 'reclaimed',
                     'number_hot', 'number_warm', 'number_cold',
                     'evicted_unfetched', 'expired_unfetched'):
            assert f'items:{number}:{name}' in items, name
    slabs = client.stats('slabs')
    assert slabs['active_slabs'].isdigit()
    assert int(slabs['total_malloced']) > 0
    for number in classes:
        assert int(slabs[f'{number}:used_chunks']) >= 1
        for name in ('chunk_size', 'chunks_per_page', 'total_pages',
                     'total_chunks', 'free_chunks', 'get_hits', 'cmd_set',
                     'delete_hits', 'cas_hits', 'touch_hits'):
            assert f'{number}:{name}' in slabs, name


def test_a_value_of_1_mib_is_kept_where_it_is_allowed(t):
    client = t.node('-I', '2m').client()
    value = random.Random(1).randbytes(MIB)
    assert client.set('big', value, flags=3) == 'STORED'
    assert client.gets('big')[2] == value
    client.ask(b'append big 0 0 3\r\nend\r\n', b'STORED\r\n')
    client.ask(b'prepend big 0 0 5\r\nbegin\r\n', b'STORED\r\n')
    assert client.get('big') == b'begin' + value + b'end'
    client.ask(b'get big nokey big\r\n', b''.join(
        [b'VALUE big 3 %d\r\nbegin' % (MIB + 8) + value + b'end\r\n'] * 2 +
        [b'END\r\n']))
    assert client.set('over', b'x' * (2 * MIB)) == (
        'SERVER_ERROR object too large for cache')
    client.ask(b'delete big\r\nget big\r\n', b'DELETED\r\nEND\r\n')


def test_a_large_value_may_trickle_in(t):
    node = t.node('-I', '2m')
    client = node.client()
    value = random.Random(2).randbytes(MIB)
    client.send(b'set big 0 0 %d\r\n' % MIB)
    for at in range(0, MIB, 20011):
        client.send(value[at:at + 20011])
        if at == 20011 * 20:
            node.c.ask(b'get big\r\n', b'END\r\n')
    client.ask(b'\r\n', b'STORED\r\n')
    assert node.c.get('big') == value


def test_a_client_that_leaves_in_mid_value_leaves_nothing(t):
    node = t.node('-I', '2m')
    node.c.set('big', 'old')
    for cut in (0, 1, 100, 1000, 100000, MIB - 1, MIB, MIB + 1):
        client = node.client()
        client.send((b'set big 0 0 %d\r\n' % MIB +
                     b'x' * MIB + b'\r\n')[:18 + cut])
        client.close()
    wait_for('connections to be gone',
             lambda: node.stat('curr_connections') <= 3)
    assert node.c.get('big') in (b'old', None)


@deadline(180)
def test_a_slow_reader_of_64_ki_requests_costs_bounded_memory(t):
    requests = 64 * 1024
    node = t.node()
    value = b'v' * 1000
    assert node.c.set('key', value) == 'STORED'
    reply = b'VALUE key 0 1000\r\n' + value + b'\r\nEND\r\n'
    sock = node.client().sock
    before = most = node.resident_bytes()
    turns = 0
    unsent = memoryview(b'get key\r\n' * requests)
    received = 0
    expected = reply * 64
    while received < len(reply) * requests:
        if unsent:
            sock.setblocking(False)
            try:
                unsent = unsent[sock.send(unsent):]
                continue
            except BlockingIOError:
                pass
            finally:
                sock.settimeout(20)
        if turns % 100 == 0:
            most = max(most, node.resident_bytes())
        turns += 1
        data = sock.recv(16384)
        assert data, 'the connection ended early'
        at = received % len(reply)
        assert data == expected[at:at + len(data)], (
            f'wrong byte after {received}')
        received += len(data)
    if not t.sanitized():
        assert most - before < 8 * MIB, (
            f'grew by {most - before} bytes for one slow client')
    node.c.ask(b'verbosity 1\r\n', b'OK\r\n')


def test_many_slow_readers_leave_others_served(t):
    node = t.node()
    node.c.set('big', b'v' * 500000)
    stuck = [node.client() for _ in range(20)]
    before = node.resident_bytes()
    for client in stuck:
        client.send(b'get big\r\n' * 200)
    for _ in range(1000):
        node.c.ask(b'get nokey\r\n', b'END\r\n')
    if not t.sanitized():
        assert node.resident_bytes() - before < 32 * MIB
    for client in stuck:
        client.close()


def test_idle_connections_hold_no_buffers(t):
    node = t.node('-c', '4096')
    node.c.ask(b'verbosity 1\r\n', b'OK\r\n')
    before = node.resident_bytes()
    idle = [node.client() for _ in range(500)]
    for client in idle:
        client.set('k', 'v' * 100)
        assert client.get('k') == b'v' * 100
    if not t.sanitized():
        each = (node.resident_bytes() - before) / len(idle)
        assert each < 4096, f'{each:.0f} bytes for an idle connection'

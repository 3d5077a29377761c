# SPDX-License-Identifier: BSD-3-Clause
"""The binary protocol: a recorded conversation, held with us and with Debian's
memcached, and the clients that speak it."""

import random
import shutil

from binary_cases import CASES
from harness.binary import HEADER, decode, encode, request, store, take
from harness.client import Client, shorten
from harness.process import Process, free_port
from harness.wait import wait_for

# Answers when all before it is answered.
LAST = 0xffffffff
END = HEADER.pack(0x80, 0x0a, 0, 0, 0, 0, 0, LAST, 0)
BLOB = random.Random(5).randbytes(400000)


def replies(client):
    """What is answered up to the end mark, or until the connection ends."""
    data, rest = b'', b''
    while True:
        try:
            client._more()
        except EOFError:
            return decode(data) + ['closed']
        except ConnectionResetError:
            return decode(data) + ['closed']
        rest += client.read(len(client.pending))
        while (taken := take(rest)) is not None:
            head, body, behind = taken
            if head[7] == LAST:
                assert not behind, f'behind the end: {shorten(behind)}'
                return decode(data)
            data += rest[:HEADER.size + len(body)]
            rest = behind


def ask(client, *requests):
    client.send(encode(requests) + END)
    return replies(client)


def hold(port, expected, send_name='send', cases=CASES):
    for case in cases:
        client = Client('127.0.0.1', port)
        getattr(client, send_name)(encode(case.requests) + END)
        got = replies(client)
        client.close()
        assert got == expected(case), (
            f'{case.title}\nexpected {expected(case)}\ngot      {got}')


def test_a_conversation_goes_as_with_memcached(t):
    hold(t.node().port, lambda case: case.replies)


def test_it_goes_the_same_when_each_byte_comes_alone(t):
    hold(t.node().port, lambda case: case.replies, 'send_bytewise',
         [case for case in CASES if 'closed' not in case.replies
          and len(encode(case.requests)) < 20000])


def test_memcached_itself_says_what_was_recorded(t):
    port = free_port()
    process = Process(['memcached', '-u', 'nobody', '-l', '127.0.0.1',
                       '-p', port], t.path('memcached.log'))
    t.processes.append(('memcached', process))

    def serves():
        Client('127.0.0.1', port).close()
        return True

    wait_for('memcached to serve', serves)
    hold(port, lambda case: case.old)


def test_statistics_are_those_of_the_text_protocol(t):
    node = t.node()
    client = node.client()
    for group in '', 'settings', 'items', 'slabs':
        got = ask(client, request('stat', group.encode()))
        assert got[-1] == '#0 stat 00', got[-1]
        names = [line.split("key='")[1].split("'")[0] for line in got[:-1]]
        assert names == list(node.client().stats(group)), group


def test_what_one_protocol_stores_the_other_reads(t):
    node = t.node()
    text, binary = node.client(), node.client()
    assert ask(binary, store('setq', b'k', BLOB, flags=0x80000001)) == []
    text.ask(b'get k\r\n',
             b'VALUE k 2147483649 %d\r\n%b\r\nEND\r\n' % (len(BLOB), BLOB))
    text.ask(b'set k 3 0 2\r\nhi\r\n', b'STORED\r\n')
    assert ask(binary, request('get', b'k')) == [
        "#0 get 00 cas extras=00000003 value='hi'"]


def test_a_deep_pipeline_is_answered_whole(t):
    client = t.node().client()
    requests = [store('set', b'k%d' % i, b'v' * (i % 500)) for i in range(500)]
    requests += [request('getkq', b'k%d' % i) for i in range(600)]
    got = ask(client, *requests)
    assert got[:500] == [f'#{i} set 00 cas' for i in range(500)]
    assert len(got) == 1000
    assert all(f"key='k{i}'" in got[500 + i] for i in range(500))


def test_it_reaches_the_peer(t):
    pair = t.pair()
    a, b = pair.nodes
    one, other = a.client(), b.client()
    ask(one, store('set', b's', b'set', flags=9), store('setq', b'g', b'gone'),
        store('setq', b'p', b'mid'), request('prependq', b'p', b'<'),
        request('appendq', b'p', b'>'), store('setq', b'large', BLOB),
        (0x80, 0x05, 1, 20, 0, 0, 21, 0,
         (5).to_bytes(8, 'big') + (40).to_bytes(8, 'big') + b'\0\0\0\0n'),
        request('deleteq', b'g'))
    wait_for('the removal to arrive', lambda: ask(
        other, request('get', b'n'), request('get', b'g')) == [
            "#0 get 00 cas extras=00000000 value='40'",
            "#1 get 01 value='Not found'"])
    assert ask(other, request('get', b's'), request('get', b'p'),
               request('get', b'large')) == [
        "#0 get 00 cas extras=00000009 value='set'",
        "#1 get 00 cas extras=00000000 value='<mid>'",
        f'#2 get 00 cas extras=00000000 value={len(BLOB)} bytes']
    ask(other, request('flushq'))
    wait_for('the flush to arrive', lambda: ask(
        one, request('get', b's')) == ["#0 get 01 value='Not found'"])


PHP = ['php', '-d', 'session.save_handler=memcached',
       '-d', 'memcached.sess_binary_protocol=On',
       '-d', 'memcached.sess_locking=On', '-d', 'session.use_cookies=0',
       '-d', 'session.use_only_cookies=0', '-d', 'session.cache_limiter=',
       '-d', 'display_errors=stderr', '-d', 'error_reporting=-1']

VISIT = '''
session_id("someone");
session_start() or exit(2);
$_SESSION["visits"] = ($_SESSION["visits"] ?? 0) + 1;
$_SESSION["blob"] = str_repeat("session data ", 5000);
echo $_SESSION["visits"];
session_write_close() or exit(3);
'''

USE = '''
$m = new Memcached();
$m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
$m->addServer($argv[1], (int)$argv[2]);
function must($what, $is) { if (!$is) { fwrite(STDERR, $what); exit(1); } }
must("set", $m->set("k", ["a" => [1, 2]], 60));
must("get", $m->get("k") === ["a" => [1, 2]]);
must("add", !$m->add("k", 1) && $m->add("fresh", 1));
must("append", $m->setOption(Memcached::OPT_COMPRESSION, false)
     && $m->set("s", "b") && $m->append("s", "c") && $m->prepend("s", "a")
     && $m->get("s") === "abc");
must("incr", $m->increment("n", 2, 40, 60) === 40
     && $m->increment("n", 2) === 42 && $m->decrement("n", 50) === 0);
$got = $m->get("k", null, Memcached::GET_EXTENDED);
must("cas", $m->cas($got["cas"], "k", "new") && !$m->cas($got["cas"], "k", 1));
must("touch", $m->touch("k", 60) && !$m->touch("none", 60));
must("many", $m->setMulti(array_fill_keys(range(1, 100), str_repeat("v", 999)))
     && count($m->getMulti(range(1, 200))) === 100);
must("delete", $m->delete("k") && $m->get("k") === false
     && $m->getResultCode() === Memcached::RES_NOTFOUND);
must("stats", count($m->getStats()) === 1);
must("flush", $m->flush() && $m->get("s") === false);
echo "done";
'''


def test_php_speaks_it(t):
    node = t.node()
    done = t.run(*PHP, '-r', USE, node.address, node.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'done', '')


def test_php_keeps_sessions_in_a_pair(t):
    pair = t.pair()
    for number, node in enumerate([pair.a, pair.b, pair.a, pair.b]):
        done = t.run(*PHP, '-d', f'session.save_path={node.address}:'
                     f'{node.port}', '-r', VISIT)
        assert (done.returncode, done.stdout, done.stderr) == (
            0, str(number + 1), '')
        pair.settle()


def memcapable(t, node, protocol):
    # Debian calls it so, its makers without the second c.
    program = shutil.which('memccapable') or shutil.which('memcapable')
    assert program, 'libmemcached-tools is missing'
    done = t.run(program, '-h', node.address, '-p', node.port, protocol)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'All tests passed' in done.stdout + done.stderr


def test_memcapable_passes_in_text(t):
    memcapable(t, t.node(), '-a')


def test_memcapable_passes_in_binary(t):
    memcapable(t, t.node(), '-b')

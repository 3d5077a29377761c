# SPDX-License-Identifier: BSD-3-Clause
"""The clients that people have, doing what people do with them."""

import subprocess

from pymemcache.client.base import Client as Pymemcache
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheError

from harness.process import Process
from harness.wait import wait_for

PHP = ['php', '-d', 'session.save_handler=memcached',
       '-d', 'memcached.sess_binary_protocol=Off',
       '-d', 'memcached.sess_locking=On', '-d', 'session.use_cookies=0',
       '-d', 'session.use_only_cookies=0', '-d', 'session.cache_limiter=',
       '-d', 'display_errors=stderr', '-d', 'error_reporting=-1']

COUNT_VISITS = '''
session_id($argv[1]);
session_start() or exit(2);
$_SESSION["visits"] = ($_SESSION["visits"] ?? 0) + 1;
$_SESSION["blob"] = str_repeat("session data ", 500);
echo $_SESSION["visits"];
session_write_close() or exit(3);
'''

# Says "open", holds the session until a line comes in, and adds a word.
HOLD_SESSION = '''
session_id($argv[1]);
session_start() or exit(2);
file_put_contents($argv[2], "open");
while (!file_exists($argv[3])) usleep(2000);
$_SESSION["words"] = ($_SESSION["words"] ?? "") . "held ";
session_write_close() or exit(3);
'''

ADD_WORD = '''
session_id($argv[1]);
session_start() or exit(2);
$_SESSION["words"] = ($_SESSION["words"] ?? "") . "then";
echo $_SESSION["words"];
session_write_close() or exit(3);
'''


def pymemcache(front):
    return RetryingClient(
        Pymemcache((front.address, front.port), timeout=5, connect_timeout=5),
        attempts=20, retry_delay=0.05,
        retry_for=[OSError, MemcacheError])


def test_pymemcache_lives_through_the_death_of_a_node(t):
    pair = t.pair()
    front = t.haproxy(pair)
    client = pymemcache(front)
    assert client.set('name', b'bob', noreply=False)
    assert client.add('name', b'eve', noreply=False) is False
    assert client.set_many({f'k{number}': b'%d' % number
                            for number in range(500)}, noreply=False) == []
    assert client.incr('k41', 1) == 42
    _, token = client.gets('name')
    assert client.cas('name', b'rob', token, noreply=False) is True
    assert client.cas('name', b'tim', token, noreply=False) is False
    pair.settle()
    for dead, left in (pair.nodes, pair.nodes[::-1]):
        dead.kill()
        wait_for('the other node through HAProxy',
                 lambda: client.get('name') == b'rob')
        assert len(client.get_many([f'k{number}'
                                    for number in range(500)])) == 500
        assert client.set('while' + left.name, b'x', noreply=False)
        assert client.touch('name', 1000, noreply=False)
        assert client.append('k1', b'!', noreply=False)
        dead.start()
        pair.await_paired()
        pair.settle()
        assert dead.c.get('while' + left.name) == b'x'
    assert client.delete('name', noreply=False)
    pair.settle()
    for node in pair.nodes:
        assert node.c.get('name') is None
        assert node.c.get('k1') == b'1!!'


def php_words(front, code, *args):
    path = f'session.save_path={front.address}:{front.port}'
    return [*PHP, '-d', path, '-r', code, '--', *args]


def visits(t, front, session='abcdef'):
    done = t.run(*php_words(front, COUNT_VISITS, session))
    assert (done.returncode, done.stderr) == (0, ''), done
    return int(done.stdout)


def test_a_php_session_outlives_a_node(t):
    pair = t.pair()
    front = t.haproxy(pair)
    for expected in (1, 2, 3, 4):
        assert visits(t, front) == expected
        pair.settle()
    for dead, left in (pair.nodes, pair.nodes[::-1]):
        pair.settle()
        dead.kill()
        front.await_answer()
        for _ in range(2):
            expected += 1
            assert visits(t, front) == expected
        dead.start()
        pair.await_paired()
        # Both nodes are behind HAProxy again, turn by turn.
        for _ in range(4):
            pair.settle()
            expected += 1
            assert visits(t, front) == expected


def test_a_php_session_lock_holds_across_the_nodes(t):
    pair = t.pair()
    front = t.haproxy(pair)
    opened, release = t.path('opened'), t.path('release')
    holder = Process(php_words(front, HOLD_SESSION, 'locked', opened,
                               release), t.path('holder.log'))
    holder.end_expected = True

    def is_open():
        with open(opened) as file:
            return file.read() == 'open'
    wait_for('the session to be open', is_open)
    pair.settle()
    # The holder's connection took one node; these take both.
    waiters = [subprocess.Popen(php_words(front, ADD_WORD, 'locked'),
                                stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
               for _ in range(2)]
    refused = [waiter for waiter in waiters if waiter.wait(60) != 0]
    assert len(refused) == 2, 'a second request got a locked session'
    for waiter in waiters:
        assert 'lock' in waiter.communicate()[1]
    with open(release, 'w'):
        pass
    assert holder.wait() == 0, holder.log()
    pair.settle()
    done = t.run(*php_words(front, ADD_WORD, 'locked'))
    assert (done.returncode, done.stdout) == (0, 'held then'), done


def servers(*nodes):
    return '--servers=' + ','.join(f'{node.address}:{node.port}'
                                   for node in nodes)


def test_memcping_and_memcstat_tell_whether_a_node_is_there(t):
    node = t.node()
    for command in ('memcping', 'memcstat'):
        done = t.run(command, servers(node))
        assert done.returncode == 0, done
    assert 'curr_items' in t.run('memcstat', servers(node)).stdout
    node.kill()
    for command in ('memcping', 'memcstat'):
        done = t.run(command, servers(node))
        assert done.returncode == 1, (command, done)


def test_memccp_and_memccat_copy_files_across_the_pair(t):
    pair = t.pair()
    content = 'a file\nof two lines\n' * 1000
    with open(t.path('letter'), 'w') as file:
        file.write(content)
    done = t.run('memccp', servers(pair.a), '--flag=7', '--set',
                 t.path('letter'))
    assert done.returncode == 0, done
    pair.settle()
    done = t.run('memccat', servers(pair.b), 'letter')
    assert (done.returncode, done.stdout) == (0, content + '\n'), done
    assert pair.b.c.gets('letter')[0] == 7
    assert t.run('memcexist', servers(pair.b), 'letter').returncode == 0
    assert t.run('memctouch', servers(pair.b), '--expire=500',
                 'letter').returncode == 0
    assert t.run('memcrm', servers(pair.b), 'letter').returncode == 0
    pair.settle()
    assert t.run('memccat', servers(pair.a), 'letter').returncode == 1
    assert t.run('memcexist', servers(pair.a), 'letter').returncode == 1


def test_memcflush_empties_both_nodes(t):
    pair = t.pair()
    pair.a.c.set('k', 'x')
    pair.settle()
    assert t.run('memcflush', servers(pair.b)).returncode == 0
    pair.settle()
    assert pair.a.c.get('k') is None


def test_counters_behind_haproxy_lose_nothing(t):
    """Connections are spread over both nodes, and all count the same keys."""
    clients, turns = 12, 50
    pair = t.pair()
    front = t.haproxy(pair)
    for key in ('visits', 'left'):
        assert front.client().set(key, '1000000') == 'STORED'
    pair.settle()
    crowd = [front.client() for _ in range(clients)]
    for _ in range(turns):
        for client in crowd:
            client.send(b'incr visits 1 noreply\r\n' * 10 +
                        b'decr left 3 noreply\r\n' * 10 + b'mn\r\n')
        for client in crowd:
            client.expect(b'MN\r\n')
    pair.settle()
    held = pair.await_equal(['visits', 'left'])
    counted = clients * turns * 10
    assert int(held['visits'][2]) == 1000000 + counted, held
    assert int(held['left'][2]) == 1000000 - 3 * counted, held
    for node in pair.nodes:
        assert int(node.stat('incr_hits')) > 0, 'all went to one node'

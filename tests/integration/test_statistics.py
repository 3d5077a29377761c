# SPDX-License-Identifier: BSD-3-Clause
"""Plain `stats`: which keys there are, and that they count what memcached's
count."""

import counter_cases
from harness.client import Client
from harness.context import deadline
from harness.hosts import Skip
from harness.node import Pair
from harness.process import Process, free_port
from harness.tls import Authority, TlsNode
from harness.wait import wait_for

DEFAULT = '''
pid uptime time version libevent pointer_size rusage_user rusage_system
max_connections curr_connections total_connections rejected_connections
connection_structures response_obj_oom response_obj_count response_obj_bytes
read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds
cmd_get cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired
get_flushed delete_misses delete_hits incr_misses incr_hits decr_misses
decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses
store_too_large store_no_memory auth_cmds auth_errors bytes_read bytes_written
limit_maxbytes accepting_conns listen_disabled_num time_in_listen_disabled_us
threads conn_yields hash_power_level hash_bytes hash_is_expanding
slab_reassign_rescues slab_reassign_chunk_rescues slab_reassign_inline_reclaim
slab_reassign_busy_items slab_reassign_busy_deletes slab_reassign_busy_nomem
slab_reassign_last_busy_status slab_reassign_running slabs_moved
lru_crawler_running lru_crawler_starts lru_maintainer_juggles malloc_fails
log_worker_dropped log_worker_written log_watcher_skipped log_watcher_sent
log_watchers unexpected_napi_ids round_robin_fallback bytes curr_items
total_items slab_global_page_pool expired_unfetched evicted_unfetched
evicted_active evictions reclaimed crawler_reclaimed crawler_items_checked
lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru direct_reclaims
lru_bumps_dropped'''.split()
MAINTAINER = {'lru_maintainer_juggles', 'evicted_active', 'moves_to_cold',
              'moves_to_warm', 'moves_within_lru', 'direct_reclaims',
              'lru_bumps_dropped'}
REASSIGN = {key for key in DEFAULT if key.startswith('slab_reassign_')
            } | {'slabs_moved'}
CRAWLER = {'lru_crawler_running', 'lru_crawler_starts'}
REPCACHED = {'replication', 'repcached_version', 'repcached_qi_free'}


def keys_of(node):
    return list(node.c.stats())


def without(keys):
    return [key for key in DEFAULT if key not in keys]


def with_behind(key, *more):
    at = DEFAULT.index(key) + 1
    return DEFAULT[:at] + list(more) + DEFAULT[at:]


def test_the_keys_are_memcached_s_in_its_order(t):
    assert len(DEFAULT) == 93
    node = t.node()
    assert keys_of(node) == DEFAULT
    assert node.c.command('stats reset') == 'RESET'
    assert keys_of(node) == DEFAULT


def test_keys_that_depend_on_options(t):
    rows = [('no_maxconns_fast', without({'rejected_connections'})),
            ('no_lru_maintainer', without(MAINTAINER)),
            ('no_slab_reassign', without(REASSIGN)),
            ('no_lru_crawler', without(CRAWLER)),
            ('no_modern', without({'rejected_connections'} | MAINTAINER |
                                  REASSIGN | CRAWLER)),
            ('idle_timeout=30', with_behind('auth_errors', 'idle_kicks'))]
    for option, expected in rows:
        node = t.node('-o', option, name=option.split('=')[0])
        assert keys_of(node) == expected, option
        node.kill()


def test_keys_with_tls(t):
    node = TlsNode(t, Authority(t)).start()
    more = ['ssl_handshake_errors', 'ssl_proto_errors',
            'time_since_server_cert_refresh']
    assert keys_of(node) == with_behind('log_watchers', *more)


def test_keys_with_replication(t):
    pair = Pair.on_loopback(t).start()
    got = keys_of(pair.a)
    assert [key for key in got if key not in REPCACHED] == DEFAULT
    assert set(got) - set(DEFAULT) == REPCACHED, set(got) - set(DEFAULT)


# ---- what they count ----

# Levels, times, memory as each has it, and what the upkeep does meanwhile.
NOT_COMPARED = {
    'bytes', 'bytes_read', 'bytes_written', 'connection_structures',
    'crawler_items_checked', 'crawler_reclaimed', 'curr_connections',
    'lru_crawler_running', 'lru_crawler_starts', 'lru_maintainer_juggles',
    'lrutail_reflocked', 'moves_to_cold', 'moves_to_warm',
    'moves_within_lru', 'pid',
    'read_buf_bytes', 'read_buf_bytes_free', 'read_buf_count', 'reclaimed',
    'response_obj_bytes', 'response_obj_count', 'rusage_system',
    'rusage_user', 'time', 'total_connections', 'uptime', 'version'}


# The upkeep of either may clear a dead item away between two looks.
LOOKS = 3


def numbers(client):
    return {key: int(value) for key, value in client.stats().items()
            if key not in NOT_COMPARED and value.lstrip('-').isdigit()}


class Server:
    """The standing connection of one of the two, and what a case does."""

    def __init__(self, address, port):
        self.where = address, port
        self.control = Client(*self.where)

    def forget_keys(self):
        for key in counter_cases.KEYS:
            self.control.command(f'delete {key.decode()}')

    def effect(self, request):
        """How the statistics change by a request that is answered."""
        self.control.ask(b'flush_all\r\n', b'OK\r\n')
        self.forget_keys()
        before = numbers(self.control)
        client = Client(*self.where)
        end, answer = b'\r\nmn\r\n', b'MN\r\n'
        if request[:1] == b'\x80':
            end = answer = counter_cases.NOOP
            answer = b'\x81' + answer[1:]
        elif request.endswith(b'\n'):
            end = end[2:]
        client.send(request + end)
        client.read_until(answer)
        after = numbers(self.control)
        client.close()
        return {key: after[key] - before[key] for key in after
                if after[key] != before.get(key)}


def memcached(t):
    version = t.run('memcached', '-V').stdout.strip()
    if not version.startswith('memcached 1.6.18'):
        raise Skip(f'to be compared with memcached 1.6.18, not {version!r}')
    port = free_port()
    t.processes.append(('memcached', Process(
        ['memcached', '-l', '127.0.0.1', '-p', str(port), '-u', 'root'],
        t.path('memcached.log'))))
    return wait_for('memcached to listen',
                    lambda: Server('127.0.0.1', port))


@deadline(300)
def test_each_request_counts_as_in_memcached(t):
    node = t.node()
    ours, theirs = Server(node.address, node.port), memcached(t)
    wrong = []
    for request in counter_cases.CASES:
        for _ in range(LOOKS):
            expected, got = theirs.effect(request), ours.effect(request)
            if got == expected:
                break
        else:
            wrong.append(f'{request[:60]!r}: memcached {expected}, '
                         f'this {got}')
    assert not wrong, '\n'.join(wrong)


def test_what_was_flushed_counts_so(t):
    node = t.node()
    client = node.c
    for key in 'abcdef':
        assert client.set(key, 'x') == 'STORED'
    client.ask(b'flush_all\r\n', b'OK\r\n')
    client.send(b'get a\r\nmg b\r\ngat 0 c\r\ndelete d\r\nincr e 1\r\n'
                b'add f 0 0 1\r\nx\r\n')
    client.expect(b'END\r\nEN\r\nEND\r\nNOT_FOUND\r\nNOT_FOUND\r\nSTORED\r\n')
    stats = client.stats()
    assert stats['get_flushed'] == '6', stats['get_flushed']
    assert stats['get_expired'] == '0', stats['get_expired']


# ---- flush_all, and its option ----

def test_flush_all_takes_every_argument(t):
    node = t.node()
    client = node.c
    rows = [(b'flush_all', b'OK\r\n', False), (b'flush_all 0', b'OK\r\n', False),
            (b'flush_all -1', b'OK\r\n', False),
            (b'flush_all noreply', b'', False),
            (b'flush_all 0 noreply', b'', False),
            (b'flush_all 3600', b'OK\r\n', True),
            (b'flush_all 4000000000', b'OK\r\n', True),
            (b'flush_all 1000000000', b'OK\r\n', False),
            (b'flush_all x', b'CLIENT_ERROR invalid exptime argument\r\n',
             True)]
    for line, reply, stays in rows:
        assert client.set('k', 'v') == 'STORED'
        client.ask(line + b'\r\n', reply)
        found = b'VALUE k 0 1\r\nv\r\nEND\r\n' if stays else b'END\r\n'
        client.ask(b'get k\r\n', found)
    assert node.stat('cmd_flush') == len(rows)


def test_flush_all_may_be_forbidden(t):
    node = t.node('-F')
    client = node.c
    assert client.stats('settings')['flush_enabled'] == 'no'
    assert client.set('k', 'v') == 'STORED'
    assert client.command('flush_all') == 'CLIENT_ERROR flush_all not allowed'
    client.ask(b'flush_all 10 noreply\r\nget k\r\n',
               b'VALUE k 0 1\r\nv\r\nEND\r\n')
    assert node.stat('cmd_flush') == 2

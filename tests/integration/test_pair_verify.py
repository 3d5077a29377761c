# SPDX-License-Identifier: BSD-3-Clause
"""`repl verify` proves that both nodes hold the same, or says what they do
not."""

from harness.node import Pair
from harness.wait import wait_for


def verify(node, repair=False):
    """The figures of its first line, and the keys of the others."""
    node.c.send(b'repl verify repair\r\n' if repair else b'repl verify\r\n')
    line = node.c.line()
    assert line.startswith(b'VERIFY '), line
    figures = dict(word.split(b'=') for word in line.split()[1:])
    keys = []
    line = node.c.line()
    while line.startswith(b'DIFFERS '):
        keys.append(line.split()[1].decode())
        line = node.c.line()
    assert line.strip() == b'END', line
    return {name.decode(): int(value)
            for name, value in figures.items()}, keys


def fill(node, count, size=100, prefix='k'):
    node.c.store_many((f'{prefix}{number}', b'v' * size)
                      for number in range(count))


def test_a_pair_at_rest_does_not_differ(t):
    pair = t.pair()
    fill(pair.a, 5000)
    fill(pair.b, 5000, prefix='of_b')
    pair.settle()
    for node in pair.nodes:
        figures, keys = verify(node)
        assert figures['items'] == 10000, figures
        assert figures['differing'] == 0 and not keys, figures
        assert int(node.repl()['repl_digest_checked']) > 1000
    assert int(pair.a.repl()['repl_digest_mismatch']) == 0


def test_a_pair_under_writes_does_not_differ(t):
    pair = t.pair()
    fill(pair.a, 20000)
    writer = pair.b.client()
    pair.a.c.send(b'repl verify\r\n')
    for turn in range(20):
        writer.store_many((f'k{number}', b'new') for number in
                          range(turn * 50, 20000, 97))
    line = pair.a.c.line()
    assert b' differing=0 ' in line, line


def test_what_one_evicted_is_found_and_brought_back(t):
    pair = t.pair(args_b=('-m', 8))
    fill(pair.a, 30000, size=500)
    pair.settle()
    held = int(pair.b.stat('curr_items'))
    assert held < 30000
    figures, keys = verify(pair.a)
    assert figures['missing_there'] == 30000 - held, (figures, held)
    assert figures['differing'] == figures['missing_there'], figures
    assert 0 < len(keys) <= 5, keys
    mirrored, _ = verify(pair.b)
    assert mirrored['missing_here'] == figures['missing_there'], mirrored
    for number in range(1000, 30000):
        pair.a.c.send(b'delete k%d noreply\r\n' % number)
    pair.a.c.ask(b'verbosity 1\r\n', b'OK\r\n')
    pair.settle()
    figures, _ = verify(pair.b, repair=True)
    assert figures['differing'] == figures['repaired'] > 0, figures

    def same():
        return verify(pair.a)[0]['differing'] == 0
    wait_for('the repair to come through', same)
    assert int(pair.b.stat('curr_items')) == 1000


def test_a_node_alone_cannot_verify(t):
    node = t.node('-X', 0, '-x', '127.0.0.1:1')
    node.c.ask(b'repl verify\r\n', b'SERVER_ERROR not paired\r\n')


def test_after_an_outage_little_more_than_what_changed_goes(t):
    """At an outage that one percent of the items changed in, at most three
    percent of the bytes of a full copy go; and so when nothing is known of
    what the peer has, and digests have to tell."""
    hosts = t.hosts(2)
    machines = list(hosts)
    pair = Pair.on_hosts(t, *machines).start()
    source = pair.listener()
    fill(source, 50000, size=400)
    pair.settle()

    def bytes_sent(order):
        before = sum(int(node.repl()['repl_bytes_out'])
                     for node in pair.nodes)
        if order:
            source.c.ask(f'repl resync {order}\r\n'.encode(), b'OK\r\n')
        pair.settle()
        return sum(int(node.repl()['repl_bytes_out'])
                   for node in pair.nodes) - before
    full = bytes_sent('full')
    assert full > 50000 * 400
    hosts.cut(*machines)
    for node in pair.nodes:
        node.await_state('alone')
    before = sum(int(node.repl()['repl_bytes_out']) for node in pair.nodes)
    source.c.store_many((f'k{number}', b'n' * 400)
                        for number in range(0, 50000, 100))
    hosts.heal()
    pair.await_paired()
    pair.settle()
    healed = sum(int(node.repl()['repl_bytes_out'])
                 for node in pair.nodes) - before
    assert healed < full * 3 // 100, (healed, full)
    digest = bytes_sent('digest')
    assert digest < full // 100, (digest, full)
    assert verify(source)[0]['differing'] == 0

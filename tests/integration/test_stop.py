# SPDX-License-Identifier: BSD-3-Clause
"""SIGTERM ends the daemon, soon, whatever it is at."""

import itertools
import os
import random
import signal
import socket
import subprocess
import threading
import time

from harness.context import deadline
from harness.load import Load
from harness.node import Node
from harness.process import Process, free_port
from harness.wait import wait_for

# Replies to slow readers, the drain, the last words to the peer, by default;
# and the time that a busy machine may take.
STOP_BOUND_S = 1 + 5 + 0.3 + 3
LONG_S = 120


def stop(*nodes):
    """SIGTERM to all at once; returns how long the last one took."""
    begin = time.monotonic()
    for node in nodes:
        node.process.end_expected = True
        node.process.signal(signal.SIGTERM)
    for node in nodes:
        assert node.process.wait() == 0, node.log()[-2000:]
        node.forget_client()
    return time.monotonic() - begin


# Servers that fail at once, as long as this one is not frozen.
NAME_SERVICE = '''
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    question, asker = s.recvfrom(512)
    s.sendto(question[:2] + b"\\x80\\x02" + question[4:], asker)
'''


def name_service(t, netns):
    """A host's own one, which knows nothing."""
    folder = f'/etc/netns/{netns}'
    os.makedirs(folder)
    t.defer(os.rmdir, folder)
    if not os.listdir('/etc/netns'):
        t.defer(os.rmdir, '/etc/netns')
    with open(f'{folder}/resolv.conf', 'w') as file:
        t.defer(os.remove, file.name)
        file.write('nameserver 127.0.0.1\noptions timeout:30 attempts:1\n')
    service = Process(['ip', 'netns', 'exec', netns, '/usr/bin/python3', '-c',
                       NAME_SERVICE], t.path('names.log'))
    t.processes.append(('names', service))
    wait_for('the name service', lambda: 'ready' in service.log())
    return service


def test_a_stop_does_not_wait_for_the_name_service(t):
    host, = t.hosts(1)
    service = name_service(t, host.netns)
    node = Node(t, 'node', ['-x', 'peer.example', '-X', free_port()],
                netns=host.netns).start()
    service.freeze()
    wait_for('a name to be asked for in vain', lambda: (
        'the name service does not answer' in node.log()))
    assert stop(node) < STOP_BOUND_S


def test_a_stop_does_not_wait_for_who_reads_the_log(t):
    """A pipe that nobody reads stops whoever has something to say, and the
    stop has."""
    read_end, write_end = os.pipe()
    t.defer(os.close, read_end)
    os.set_blocking(write_end, False)
    port = free_port()
    try:
        while True:
            os.write(write_end, b'.' * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write_end, True)
    words = [t.binary, '-l', '127.0.0.1', '-p', str(port), '-v', '-u', 'root']
    daemon = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=write_end)
    t.defer(daemon.wait)
    t.defer(daemon.kill)
    os.close(write_end)
    wait_for('the daemon', lambda: socket.create_connection(
        ('127.0.0.1', port)).close() or True)
    daemon.terminate()
    assert daemon.wait(60) == os.EX_SOFTWARE


class Orders(threading.Thread):
    """An operator who asks without end, and often leaves before there is an
    answer."""

    WORDS = ['repl status', 'repl verify', 'repl resync full',
             'repl resync digest', 'repl pause', 'repl resume',
             'stats replication']

    def __init__(self, t, pair):
        super().__init__(daemon=True)
        self.pair, self.draw = pair, random.Random(1)
        self.over = threading.Event()
        t.defer(self.end)
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                client = self.draw.choice(self.pair.nodes).client()
                client.send(self.draw.choice(self.WORDS).encode() + b'\r\n')
                if self.draw.random() < 0.5:
                    client.line()
                client.close()
            except (OSError, EOFError):
                self.over.wait(0.01)

    def end(self):
        self.over.set()
        self.join()


# What a node has just said, or is about to; the first is nothing at all.
MOMENTS = ['', 'connection from', 'connected to peer', 'resync from',
           'resync to', 'its data is here', 'listening on', 'healed']


def await_moment(node, begin, moment):
    """That it said so since, or is paired and has no more to say."""
    def come():
        said = node.log()[begin:]
        return said and (moment in said or node.state() in
                         ('paired', 'lagging', 'paused'))
    wait_for(f'{node.name} to say {moment}', come)


def stop_often(t, pair, count, draw):
    """Stops one or both in all that they may be at."""
    for _ in range(count):
        both = draw.random() < 0.3
        nodes = pair.nodes if both else [draw.choice(pair.nodes)]
        took_s = stop(*nodes)
        assert took_s < STOP_BOUND_S, f'a stop took {took_s:.1f} s'
        begins = [os.path.getsize(node.log_path) for node in nodes]
        for node in nodes:
            node.start(answer=False)
        for node, begin in zip(nodes, begins):
            await_moment(node, begin, draw.choice(MOMENTS))


def options_of_stops(t):
    secret = t.path('secret')
    with open(secret, 'w') as file:
        file.write('secret secret secret secret\n')
    os.chmod(secret, 0o600)
    return [[], ['-t', '8'], ['-o', 'repl_ack=applied'],
            ['-o', f'repl_secret={secret}'], ['-m', '4'],
            ['-o', f'repl_secret={secret},repl_ack=applied,repl_log=64k']]


def await_verified(node):
    """The last one that was ordered may still be under way."""
    def verified():
        line = node.c.command('repl verify')
        if line.startswith('VERIFY '):
            node.c.expect(b'END\r\n')
            assert ' differing=0 ' in line, line
            return True
        assert 'under way' in line or 'did not keep up' in line, line
        return False
    wait_for('a verify', verified)


@deadline(900)
def test_a_stop_ends_at_any_moment(t):
    draw = random.Random(t.name)
    end = time.monotonic() + LONG_S
    variants = options_of_stops(t)
    for turn in itertools.count():
        if turn >= len(variants) and not (t.long_run and
                                          time.monotonic() < end):
            return
        pair = t.pair(*variants[turn % len(variants)])
        load = Load(t, pair)
        orders = Orders(t, pair)
        stop_often(t, pair, 5, draw)
        orders.end()
        load.stop()
        for node in pair.nodes:
            node.await_answer()
            node.c.command('repl resume')
        pair.await_paired().settle()
        for node in pair.nodes:
            await_verified(node)
        stop(*pair.nodes)

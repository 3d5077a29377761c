# SPDX-License-Identifier: BSD-3-Clause
"""Clients that write all the time while a test breaks things, and remember
what was acknowledged."""

import random
import threading

from harness.wait import wait_for

KEYS = 40
SHARED = [f'shared{number}' for number in range(10)]
SUM = 'shared.sum'
RETRY_S = 0.01


class Writer(threading.Thread):
    """Writes keys of its own at one node, so what was acknowledged last is
    what must be there; and keys that all writers share, on one of which all
    count together."""

    def __init__(self, load, node, name):
        super().__init__(daemon=True)
        self.load, self.node = load, node
        self.draw = random.Random(name)
        self.keys = [f'{name}.{number}' for number in range(KEYS)]
        self.counter = name + '.sum'
        self.known = {}      # What the node has acknowledged: None is absent.
        self.crashes = False  # The node's end may lose what it acknowledged.
        self.counted = 0     # Ones added to the sum since the last check...
        self.unsure = 0      # ...and those that may have been.
        self.missed = 0      # Times that there was none to add to.
        self.done = 0
        self.client = None
        self.failure = None

    def run(self):
        try:
            while self.load.go_on():
                self.step()
        except Exception as error:
            self.failure = error

    def step(self):
        """One write; one that was not answered may have happened or not."""
        key = None
        with self.load.turn():
            try:
                self.client = self.client or self.node.client()
                key, write = self.choose()
                self.known.pop(key, None)
                self.known[key] = write(key)
                self.done += 1
                return
            except (OSError, EOFError):
                self.lost(key)
        self.load.stopping.wait(RETRY_S)

    def lost(self, key):
        if self.client is not None:
            self.client.close()
        self.client = None
        self.known.pop(key, None)
        self.unsure += key == SUM
        if self.crashes:
            self.known.clear()

    def choose(self):
        number = self.draw.random()
        if number < 0.1:
            return self.counter, self.count
        if number < 0.2:
            return SUM, self.add
        if number < 0.4:
            return self.draw.choice(self.keys), self.delete
        if number < 0.5:
            return self.draw.choice(SHARED), self.store
        return self.draw.choice(self.keys), self.store

    def store(self, key):
        value = f'{self.done}'.ljust(self.draw.randrange(10, 2000), '.')
        assert self.client.set(key, value) == 'STORED'
        return value.encode()

    def delete(self, key):
        reply = self.client.command(f'delete {key}')
        assert reply in ('DELETED', 'NOT_FOUND'), reply
        return None

    def count(self, key):
        reply = self.client.command(f'incr {key} 3')
        if reply == 'NOT_FOUND':
            reply = self.client.set(key, '100000', verb='add')
            assert reply == 'STORED', f'{key}: incr missed, add {reply}'
            return b'100000'
        return reply.encode()

    def add(self, key):
        reply = self.client.command(f'incr {key} 1')
        assert reply.isdigit() or reply == 'NOT_FOUND', f'{key}: {reply}'
        self.counted += reply.isdigit()
        self.missed += not reply.isdigit()


class Load:
    """Writers at both nodes of a pair."""

    def __init__(self, test, pair, per_node=2):
        self.pair = pair
        self.sum = 0          # At the last check...
        self.crashed = set()  # ...and the nodes that crashed since.
        assert pair.a.c.set(SUM, '0') == 'STORED'
        pair.settle()
        self.stopping = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Condition()
        self._busy = 0
        self.writers = [Writer(self, node, f'{node.name}{number}')
                        for node in pair.nodes for number in range(per_node)]
        for writer in self.writers:
            writer.start()
        test.defer(self.stop)

    def go_on(self):
        while not self._running.wait(RETRY_S):
            if self.stopping.is_set():
                break
        return not self.stopping.is_set()

    def turn(self):
        return _Turn(self)

    def of(self, node):
        return [writer for writer in self.writers if writer.node is node]

    def await_writes(self, count=50, nodes=None):
        """Each writer (of these nodes) gets that many more done."""
        goal = {writer: writer.done + count
                for node in nodes or self.pair.nodes
                for writer in self.of(node)}
        wait_for('clients to go on writing', lambda: self._healthy() and all(
            writer.done >= end for writer, end in goal.items()))

    def _healthy(self):
        for writer in self.writers:
            if writer.failure is not None:
                raise AssertionError(f'a client of {writer.node.name}: '
                                     f'{writer.failure!r}')
        return True

    def pause(self):
        """Returns when no write is under way."""
        self._running.clear()
        with self._lock:
            while self._busy:
                self._lock.wait()
        self._healthy()

    def resume(self):
        self._running.set()

    def stop(self):
        self.stopping.set()
        self._running.set()
        for writer in self.writers:
            writer.join()

    def crash(self, node):
        """kill -9 under the writes of the node's clients."""
        self.crashed.add(node)
        for writer in self.of(node):
            writer.crashes = True
        node.kill()

    def terminate(self, node):
        """SIGTERM: what the node has acknowledged is at the peer."""
        for writer in self.of(node):
            writer.crashes = False
        assert node.terminate() == 0

    def check(self):
        """Both nodes hold the same, and all that was acknowledged by nodes
        that did not crash since."""
        self.pause()
        self.pair.await_paired().settle()
        keys = SHARED + [SUM] + [key for writer in self.writers
                         for key in writer.keys + [writer.counter]]
        held = self.pair.await_equal(keys)
        self.pair.verify()
        for writer in self.writers:
            for key, value in writer.known.items():
                got = held[key][2] if key in held else None
                assert got == value or key in SHARED + [SUM], (
                    f'{key}: {writer.node.name} acknowledged {value!r}, '
                    f'both hold {got!r}')
        self.check_sum(int(held[SUM][2]))
        self.resume()

    def check_sum(self, held):
        """What was counted at both nodes adds up; but for what a node
        counted that crashed."""
        least = self.sum + sum(writer.counted for writer in self.writers
                               if writer.node not in self.crashed)
        most = self.sum + sum(writer.counted + writer.unsure
                              for writer in self.writers)
        assert least <= held <= most, (
            f'{SUM}: {held}, not {least} to {most}')
        assert not any(writer.missed for writer in self.writers), (
            f'{SUM} was away for a while')
        self.sum = held
        self.crashed.clear()
        for writer in self.writers:
            writer.counted = writer.unsure = 0


class _Turn:
    """While a write is under way."""

    def __init__(self, load):
        self.load = load

    def __enter__(self):
        with self.load._lock:
            self.load._busy += 1

    def __exit__(self, *_):
        with self.load._lock:
            self.load._busy -= 1
            self.load._lock.notify_all()

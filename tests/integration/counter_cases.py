# SPDX-License-Identifier: BSD-3-Clause
"""Requests whose effect on the statistics is compared with memcached's.

The keys are a, b, e, n, z and big; none is there before."""

import struct


def frame(opcode, key=b'', extras=b'', value=b'', cas=0):
    """A binary request."""
    return struct.pack('>BBHBBHIIQ', 0x80, opcode, len(key), len(extras), 0,
                       0, len(key) + len(extras) + len(value), 0,
                       cas) + extras + key + value


KEYS = [b'a', b'b', b'e', b'n', b'z', b'big']
LARGE = b'x' * 2000000
NOOP = frame(0x0a)
LIFE = struct.pack('>II', 0, 0)
TTL = struct.pack('>I', 10)
COUNT = struct.pack('>QQI', 1, 1, 0)
COUNT_ONLY = struct.pack('>QQI', 1, 1, 0xffffffff)
SET_A = b'set a 0 0 1\r\nx\r\n'
SET_N = b'set n 0 0 1\r\n5\r\n'
DEAD_E = b'set e 0 -1 1\r\nx\r\n'
BINARY_A = frame(1, b'a', LIFE, b'x')


def large(line, size=len(LARGE), tail=b''):
    return line % size + b'\r\n' + LARGE[:size] + tail + b'\r\n'


def behind(front, requests):
    return [front + request for request in requests]


RETRIEVAL = (
    [b'get a\r\n', b'gat 10 a\r\n', b'touch a 10\r\n', b'mg a\r\n',
     b'mg a v\r\n', b'mg a q\r\n', b'mg a T10\r\n', b'mg a N10\r\n',
     b'mg a N10 T10\r\n', b'me a\r\n', b'get\r\n',
     b'get ' + b'k' * 251 + b'\r\n', b'touch a x\r\n', b'gat x a\r\n',
     b'mg a ~\r\n'] +
    behind(SET_A, [
        b'get a\r\n', b'get a b a\r\n', b'gets a\r\n', b'gat 10 a\r\n',
        b'gats 0 a b\r\n', b'touch a 10\r\n', b'mg a v\r\n', b'mg a\r\n',
        b'mg a q\r\n', b'mg a T10\r\n', b'mg a N10\r\n', b'mg a R10\r\n',
        b'mg a R10 T0\r\n', b'mg a h l t u\r\n', b'me a\r\n']))

DEAD = behind(DEAD_E, [
    b'get e\r\n', b'touch e 1\r\n', b'gat 1 e\r\n', b'delete e\r\n',
    b'incr e 1\r\n', b'mg e\r\n', b'mg e T10\r\n', b'mg e N10\r\n',
    b'me e\r\n', b'md e\r\n', b'ma e\r\n', b'ma e N0\r\n',
    b'ms e 1\r\nx\r\n', b'add e 0 0 1\r\nx\r\n',
    b'replace e 0 0 1\r\nx\r\n', b'append e 0 0 1\r\nx\r\n',
    b'cas e 0 0 1 1\r\nx\r\n', DEAD_E])

STORAGE = (
    [SET_A, SET_A + SET_A, b'add a 0 0 1\r\nx\r\n',
     b'replace a 0 0 1\r\nx\r\n', b'append a 0 0 1\r\nx\r\n',
     b'cas a 0 0 1 1\r\nx\r\n', b'ms a 1\r\nx\r\n', b'ms a 1 MA\r\nx\r\n',
     b'ms a 1 C1\r\nx\r\n', b'set a 0 0 1\r\nxyz\r\n',
     b'set a x 0 1\r\nx\r\n', b'set a 0 0 -1\r\n'] +
    behind(SET_A, [
        b'add a 0 0 1\r\nx\r\n', b'replace a 0 0 1\r\nx\r\n',
        b'append a 0 0 1\r\nx\r\n', b'prepend a 0 0 1\r\nx\r\n',
        b'append a 0 0 500\r\n' + b'x' * 500 + b'\r\n',
        b'cas a 0 0 1 99999999\r\nx\r\n', b'ms a 1 ME\r\nx\r\n',
        b'ms a 1 MA\r\nx\r\n', b'ms a 1 C999999\r\nx\r\n',
        b'ms a 1 C1 I\r\nx\r\n']) +
    [large(b'set big 0 0 %d'), large(b'add big 0 0 %d'),
     large(b'ms big %d'), SET_A + large(b'set a 0 0 %d'),
     SET_A + large(b'append a 0 0 %d', 1048000),
     large(b'cas a 0 0 %d 1'), SET_A + large(b'cas a 0 0 %d 1'),
     large(b'set big 0 0 %d', 800000),
     large(b'set big 0 0 %d', 800000) + b'get big\r\n',
     large(b'set big 0 0 %d', 800000, b'xx') + b'get big\r\n'])

OTHERS = (
    [b'delete a\r\n', b'incr n 1\r\n', b'decr n 1\r\n', b'md a\r\n',
     b'ma n\r\n', b'ma n N0 J5\r\n', b'ma n N0 MD\r\n', b'incr n x\r\n',
     b'flush_all\r\n', b'flush_all 10\r\n', b'flush_all 0\r\n',
     b'flush_all -1\r\n', b'flush_all noreply\r\n',
     b'flush_all 10 noreply\r\n', b'flush_all x\r\n',
     b'flush_all 4000000000\r\n', b'mn\r\n', b'bogus\r\n', b'version\r\n',
     b'verbosity 0\r\n', b'stats\r\n'] +
    behind(SET_A, [
        b'delete a\r\n', b'delete a noreply\r\n', b'incr a 1\r\n',
        b'decr a 1\r\n', b'md a\r\n', b'md a I\r\n', b'md a I T30\r\n',
        b'md a C99999\r\n', b'ma a\r\n']) +
    behind(SET_N, [
        b'incr n 1\r\n', b'decr n 1\r\n', b'incr n 99999999999\r\n',
        b'ma n\r\n', b'ma n MD\r\n', b'ma n T30\r\n', b'ma n C9999\r\n']))

BINARY = [
    frame(0, b'a'), frame(9, b'a') + NOOP,
    BINARY_A + frame(0, b'a') + frame(9, b'a') + frame(0x0c, b'a') +
    frame(0x0d, b'a') + NOOP,
    frame(2, b'a', LIFE, b'x') + frame(2, b'a', LIFE, b'x'),
    frame(3, b'a', LIFE, b'x'), frame(0x0e, b'a', b'', b'x'),
    frame(1, b'a', LIFE, b'x', 99),
    BINARY_A + frame(1, b'a', LIFE, b'x', 99999), frame(4, b'a'),
    BINARY_A + frame(4, b'a'), BINARY_A + frame(4, b'a', cas=99999),
    frame(5, b'n', COUNT), frame(5, b'n', COUNT) + frame(5, b'n', COUNT) +
    frame(6, b'n', COUNT), frame(5, b'n', COUNT_ONLY),
    frame(6, b'n', COUNT_ONLY), frame(0x1c, b'a', TTL),
    BINARY_A + frame(0x1c, b'a', TTL) + frame(0x1d, b'a', TTL) +
    frame(0x1e, b'z', TTL) + NOOP, frame(8), frame(8, b'', TTL),
    frame(0x1b), frame(0x0b), frame(0x20),
    frame(0x21, b'PLAIN', b'', b'\0a\0b')]

CASES = RETRIEVAL + DEAD + STORAGE + OTHERS + BINARY

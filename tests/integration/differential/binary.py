# SPDX-License-Identifier: BSD-3-Clause
"""Requests and replies of the binary protocol."""

import itertools
import struct

HEADER = struct.Struct('>BBHBBHIIQ')
REQUEST, RESPONSE = 0x80, 0x81
NOOP = 0x0a
OPAQUE = 0x01020304
SENTINEL = HEADER.pack(REQUEST, NOOP, 0, 0, 0, 0, 0, 0xfeedbeef, 0)
GETS = (0x00, 0x09, 0x0c, 0x0d)
STORES = (0x01, 0x02, 0x03, 0x11, 0x12, 0x13)
DELETES = (0x04, 0x14)
COUNTS = (0x05, 0x06, 0x15, 0x16)
JOINS = (0x0e, 0x0f, 0x19, 0x1a)
TOUCHES = (0x1c, 0x1d, 0x1e, 0x23, 0x24)
FLUSHES = (0x08, 0x18)
PLAIN = (0x0a, 0x0b)
QUITS = (0x07, 0x17)
NEVER = (0x1b, 0x1f, 0x20, 0x21, 0x22, 0x25, 0x30, 0x3c, 0x3d, 0x80, 0xff)
USE_CAS = -1  # The token of the last reply.


def request(opcode, key=b'', extras=b'', value=b'', cas=0, magic=REQUEST,
            body=None, datatype=0, key_size=None, extras_size=None):
    """Sizes are those of the parts unless they are given."""
    size = len(key) + len(extras) + len(value) if body is None else body
    head = HEADER.pack(magic, opcode, len(key) if key_size is None
                       else key_size, len(extras) if extras_size is None
                       else extras_size, datatype, 0, size, OPAQUE,
                       0 if cas == USE_CAS else cas)
    return (b'<usecas>' if cas == USE_CAS else b'') + head + extras + key + \
        value


def with_cas(data, token):
    """Fills in the token where it is asked for."""
    while b'<usecas>' in data:
        at = data.index(b'<usecas>')
        head = data[at + 8:at + 32]
        data = data[:at] + head[:16] + struct.pack('>Q', token) + \
            data[at + 32:]
    return data


def store(opcode, key, value, flags=0, exptime=0, cas=0):
    return request(opcode, key, struct.pack('>II', flags, exptime), value, cas)


def count(opcode, key, delta, initial, exptime, cas=0):
    return request(opcode, key, struct.pack('>QQI', delta, initial, exptime),
                   cas=cas)


PRESENT = store(0x01, b'k', b'abc', 5)
NUMBER = store(0x01, b'k', b'10', 5)
DEAD = store(0x01, b'k', b'abc', 5, 0xffffffff)
SHOW = request(0x00, b'k')
NOT_MADE = 0xffffffff


def shaped():
    """Every opcode as it is meant to be, on every state of the key."""
    for opcode, state, cas in itertools.product(
            GETS + STORES + DELETES + COUNTS + JOINS + TOUCHES,
            (b'', PRESENT, NUMBER), (0, 1, USE_CAS)):
        if opcode in GETS:
            sent = request(opcode, b'k', cas=cas)
        elif opcode in STORES:
            sent = store(opcode, b'k', b'XY', 7, 0, cas)
        elif opcode in COUNTS:
            sent = count(opcode, b'k', 3, 40, 0, cas)
        elif opcode in JOINS:
            sent = request(opcode, b'k', value=b'XY', cas=cas)
        elif opcode in TOUCHES:
            sent = request(opcode, b'k', struct.pack('>I', 100), cas=cas)
        else:
            sent = request(opcode, b'k', cas=cas)
        yield (state + SHOW, sent + SHOW)
    for opcode, exptime in itertools.product(
            COUNTS, (0, 100, NOT_MADE, 0x80000000)):
        yield (count(opcode, b'k', 3, 40, exptime) + SHOW,)
    for opcode, delta in itertools.product((0x05, 0x06), (0, 2**64 - 1)):
        yield (NUMBER + count(opcode, b'k', delta, 0, 0) + SHOW,)
    for exptime in (0, 100, 2592001, 0x7fffffff, 0xffffffff):
        yield (store(0x01, b'k', b'x', 0, exptime) + SHOW,)
        yield (PRESENT + request(0x1c, b'k', struct.pack('>I', exptime)) +
               SHOW,)
    for opcode in FLUSHES:
        yield (PRESENT + request(opcode) + SHOW,)
        for delay in (0, 1000):
            yield (PRESENT + request(opcode, extras=struct.pack('>I', delay)) +
                   SHOW,)
    for opcode in PLAIN:
        yield (request(opcode),)
    for opcode in QUITS:
        yield (PRESENT + request(opcode) + SHOW,)
    for group in (b'x', b'reset', b'detail', b'detail x', b'detail on',
                  b'detail off', b'settingsx'):
        yield (request(0x10, group),)
    yield (DEAD + SHOW + store(0x02, b'k', b'y') + SHOW,)


def misshaped():
    """What is too much, too little, or nothing that is known."""
    for opcode in (GETS + STORES + DELETES + COUNTS + JOINS + TOUCHES +
                   FLUSHES + PLAIN + QUITS + NEVER):
        for key, extras, value in itertools.product(
                (b'', b'k'), (b'', b'1234', b'12345678'), (b'', b'v')):
            yield (request(opcode, key, extras, value) + PRESENT,)
        if opcode in NEVER:
            continue
        yield (request(opcode, b'k' * 250, body=None),)
        yield (request(opcode, b'k' * 251),)
        yield (request(opcode, b'k', body=0) + PRESENT,)
        yield (request(opcode, b'k', datatype=1),)
    for magic in (0x00, 0x7f, 0x81, 0x82, 0xff):
        yield (PRESENT + request(0x00, b'k', magic=magic),)
    yield (store(0x01, b'k', b'x' * (1 << 20)) + SHOW,)
    yield (PRESENT + store(0x01, b'k', b'x' * (1 << 20)) + SHOW,)


def cases():
    yield from shaped()
    yield from misshaped()
    for size in (1, 249, 250):
        key = b'\0\r\n \xff' * 50
        yield (store(0x01, key[:size], b'v') + request(0x0c, key[:size]),)
    quiet = [store(0x11, b'k%d' % i, b'v%d' % i) for i in range(40)]
    reads = [request(0x0d, b'k%d' % i) for i in range(50)]
    yield (b''.join(quiet) + b''.join(reads),)


def forbidden():
    yield (PRESENT + request(0x08) + SHOW,)
    yield (PRESENT + request(0x18) + SHOW,)


def parse(data):
    """Frames as (header, extras, key, value), and what is left."""
    frames = []
    while len(data) >= HEADER.size:
        head = HEADER.unpack_from(data)
        end = HEADER.size + head[6]
        if head[0] != RESPONSE or len(data) < end:
            break
        body = data[HEADER.size:end]
        extras, key = body[:head[3]], body[head[3]:head[3] + head[2]]
        frames.append((head, extras, key, body[head[3] + head[2]:]))
        data = data[end:]
    return frames, data


def is_sentinel(frame):
    head = frame[0]
    return head[1] == NOOP and head[7] == 0xfeedbeef

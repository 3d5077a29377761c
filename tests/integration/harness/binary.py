# SPDX-License-Identifier: BSD-3-Clause
"""Requests of the binary protocol, and replies as words that a test can
compare: `#1 get 00 cas extras=00000005 value='hello'` answers the second
request.  A cas unique is not shown, only that there is one."""

import struct

OPCODES = [
    'get', 'set', 'add', 'replace', 'delete', 'incr', 'decr', 'quit', 'flush',
    'getq', 'noop', 'version', 'getk', 'getkq', 'append', 'prepend', 'stat',
    'setq', 'addq', 'replaceq', 'deleteq', 'incrq', 'decrq', 'quitq', 'flushq',
    'appendq', 'prependq', '1b', 'touch', 'gat', 'gatq', '1f', 'sasl_list',
    'sasl_auth', 'sasl_step', 'gatk', 'gatkq']
HEADER = struct.Struct('>BBHBBHIIQ')


def opcode(name):
    return OPCODES.index(name) if name in OPCODES else int(name, 16)


def request(name, key=b'', value=b'', extras=b'', cas=0, magic=0x80,
            key_size=None, extras_size=None, body_size=None, data_type=0,
            vbucket=0):
    """One request, but for its opaque."""
    def size(given, real):
        return real if given is None else given
    return (magic, opcode(name), size(key_size, len(key)),
            size(extras_size, len(extras)), data_type, vbucket,
            size(body_size, len(extras) + len(key) + len(value)), cas,
            extras + key + value)


def store(name, key, value=b'', flags=0, exptime=0, **more):
    return request(name, key, value, struct.pack('>II', flags, exptime),
                   **more)


def count(name, key, delta=1, initial=0, exptime=0, **more):
    return request(name, key, b'',
                   struct.pack('>QQI', delta, initial, exptime), **more)


def touch(name, key, exptime=0, **more):
    return request(name, key, b'', struct.pack('>I', exptime), **more)


def encode(requests):
    """Opaques are the places of the requests; bytes go as they are."""
    data = b''
    for place, one in enumerate(requests):
        if isinstance(one, bytes):
            data += one
            continue
        *sizes, cas, body = one
        data += HEADER.pack(*sizes, place, cas) + body
    return data


def describe(head, body):
    _, code, key_size, extras_size, _, status, _, place, cas = head
    name = OPCODES[code] if code < len(OPCODES) else f'{code:02x}'
    words = [f'#{place} {name} {status:02x}']
    if cas:
        words.append('cas')
    if extras_size:
        words.append('extras=' + body[:extras_size].hex())
    key = body[extras_size:extras_size + key_size]
    value = body[extras_size + key_size:]
    for title, text in ('key', key), ('value', value):
        if text:
            shown = repr(text)[1:]
            words.append(f'{title}={shown}' if len(text) <= 64 else
                         f'{title}={len(text)} bytes')
    return ' '.join(words)


def take(data):
    """(head, body) of the first reply in data and what is behind it, or None
    if it is not whole."""
    if len(data) < HEADER.size:
        return None
    head = HEADER.unpack_from(data)
    end = HEADER.size + head[6]
    if head[0] != 0x81 or len(data) < end:
        return None
    return head, data[HEADER.size:end], data[end:]


def decode(data):
    """The replies as words; what is none, at the end, as bytes."""
    lines = []
    while (taken := take(data)) is not None:
        head, body, data = taken
        lines.append(describe(head, body))
    return lines + ([repr(data[:80])] if data else [])

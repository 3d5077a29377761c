# SPDX-License-Identifier: BSD-3-Clause
"""Sends cases and writes replies down so that two servers' can be compared:
what must differ between any two runs is replaced by a name."""

import hashlib
import re

from differential import binary
from harness.client import Client

SHOWN_BYTES_MAX = 240
END_OF_TEXT = b'MN\r\n'


class Tokens:
    """Names cas tokens in the order in which they appear."""

    def __init__(self):
        self.names = {0: '0'}
        self.last = 0

    def name(self, value):
        self.last = value
        return self.names.setdefault(value, f'<cas{len(self.names)}>')


def shown(data):
    """One line of ASCII; long ones as their ends and a digest."""
    line = repr(bytes(data))[2:-1]
    if len(line) > SHOWN_BYTES_MAX:
        digest = hashlib.sha256(data).hexdigest()[:16]
        line = f'{line[:80]}...{line[-40:]} [{len(data)} bytes, {digest}]'
    return line


def title(case):
    return ' | '.join(shown(request) for request in case)


# ---- text ----

HIDDEN = (
    (re.compile(rb'(?m)^VERSION \S+'), rb'VERSION <version>'),
    (re.compile(rb'(?m)^STAT (\S+) [^\r\n]*'), rb'STAT \1 <value>'),
    (re.compile(rb'(?m)^(ME .*?)exp=-?\d+'), rb'\1exp=<n>'),
    (re.compile(rb'(?m)^(ME .*?) la=\d+ cas=\d+'), rb'\1 la=<n> cas=<n>'),
    (re.compile(rb'(?m)^(ME .*?) cls=\d+ size=\d+'), rb'\1 cls=<n> size=<n>'),
)
TOKEN = re.compile(rb'(?m)^(VALUE \S+ \d+ \d+ |(?:HD|VA|EN|NS|EX|NF)\b[^\r\n]*'
                   rb' c)(\d+)(?=[ \r])')


def plain(reply, tokens):
    for pattern, name in HIDDEN:
        reply = pattern.sub(name, reply)
    return TOKEN.sub(lambda match: match[1] + tokens.name(
        int(match[2])).encode(), reply)


def read_text(client):
    """All that comes before the answer to `mn`, or before the end."""
    data = b''
    try:
        client.send(b'mn\r\n')
        while not data.endswith(END_OF_TEXT):
            data += client.read_until(END_OF_TEXT)
        return data[:-len(END_OF_TEXT)], True
    except (EOFError, ConnectionError):
        data += bytes(client.pending)
        return data, False


def ask_text(client, request, tokens):
    request = request.replace(b'<cas>', b'%d' % tokens.last)
    try:
        client.send(request)
    except ConnectionError:
        pass
    reply, is_open = read_text(client)
    return shown(plain(reply, tokens)) + ('' if is_open else ' <closed>'), \
        is_open


# ---- binary ----

def frame_text(frame, tokens):
    head, extras, key, value = frame
    _, opcode, _, _, datatype, status, _, opaque, cas = head
    if opcode == 0x0b and status == 0:
        value = b'<version>'
    if opcode == 0x10 and key:
        value = b'<value>'
    return (f'[op={opcode:02x} status={status:02x} cas={tokens.name(cas)}'
            f'{f" type={datatype}" if datatype else ""}'
            f'{" opaque" if opaque == binary.OPAQUE else f" opaque={opaque}"}'
            f'{f" extras={extras.hex()}" if extras else ""}'
            f'{f" key={shown(key)}" if key else ""}'
            f'{f" value={shown(value)}" if value else ""}]')


def ask_binary(client, request, tokens):
    data, is_open = b'', True
    try:
        client.send(binary.with_cas(request, tokens.last) + binary.SENTINEL)
    except ConnectionError:
        pass
    while True:
        frames, rest = binary.parse(data)
        if frames and binary.is_sentinel(frames[-1]) and not rest:
            frames.pop()
            break
        try:
            data += client.read(max(len(client.pending), 1))
        except (EOFError, ConnectionError):
            is_open = False
            break
    text = ''.join(frame_text(frame, tokens) for frame in frames)
    text += shown(rest) + ('' if is_open else ' <closed>')
    return text, is_open


# ---- requests that end the connection ----

def ask_ending(client, request, _):
    client.send(request)
    data = b''
    try:
        while True:
            data += client.read(1)
    except (EOFError, ConnectionError):
        return shown(data) + ' <closed>', False


DIALECTS = {'text': ask_text, 'binary': ask_binary, 'ending': ask_ending}


# ---- cases ----

def empty(address, request):
    """Removes what the case before has left, if this server lets us."""
    client = Client(*address)
    client.send(request + b'mn\r\n')
    client.read_until(END_OF_TEXT)
    client.close()


def answer(address, case, dialect):
    """What a server says to a case: one line."""
    client = Client(*address)
    tokens = Tokens()
    replies = []
    for request in case:
        reply, is_open = DIALECTS[dialect](client, request, tokens)
        replies.append(reply)
        if not is_open:
            break
    client.close()
    return ' | '.join(replies)

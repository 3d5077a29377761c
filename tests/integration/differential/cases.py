# SPDX-License-Identifier: BSD-3-Clause
"""What is sent: groups of cases, each group to a daemon of its own.

A case is a tuple of requests, sent one after the other on one connection to
an empty cache; each is answered before the next one goes out.  <cas> in a
request becomes the last token that a reply showed."""

import itertools
import random

from differential import binary
from meta_cases import CONVERSATION
from text_cases import ANSWERED, ENDS

BIG = 1 << 20
TIMES = ('0', '100', '2592000', '2592001', '-1', '-2147483648', '2147483647',
         '1000000000', 'x', '1.5', '+5', '0x10', '9223372036854775808')
FLAGS = ('0', '1', '65535', '65536', '4294967295', '4294967296', '-1', '+1',
         '1x', '0001', '18446744073709551615', '18446744073709551616')
SIZES = ('003', '+3', '3x', '-1', '2147483647', '4294967295')
NUMBERS = ('0', '1', '9', '10', '99', '100', '18446744073709551615',
           '18446744073709551616', '99999999999999999999', ' 5', '5 ', 'abc',
           '1a', '-1', '', '0000', '00000000000000000005', '+7', '5\t', '0x5')
DELTAS = ('0', '1', '5', '100', '18446744073709551615', '18446744073709551616',
          '-1', '+1', '1x', 'x', '01')


def text(*lines):
    """Lines and values, each with its CRLF."""
    return ''.join(line + '\r\n' for line in lines).encode('latin-1')


def store(verb, key, value, flags=0, exptime=0, tail=''):
    return text(f'{verb} {key} {flags} {exptime} {len(value)}{tail}', value)


PRESENT = store('set', 'k', 'abc', 5)
DEAD = store('set', 'k', 'abc', 5, -1)
STATES = (b'', PRESENT, DEAD)


def storage():
    for verb, state, tail in itertools.product(
            ('set', 'add', 'replace', 'append', 'prepend'), STATES,
            ('', ' noreply', ' extra', ' noreply noreply')):
        yield (state + store(verb, 'k', 'XY', 7, 0, tail) + text('get k'),)
    for state, token, tail in itertools.product(
            STATES, ('0', '1', '99999999999999999', 'x', '-1', ''),
            ('', ' noreply')):
        yield (state + store('cas', 'k', 'XY', 7, 0, f' {token}{tail}') +
               text('get k'),)
    for tail in ('', ' noreply'):
        yield (PRESENT + text('gets k'),
               store('cas', 'k', 'XY', 7, 0, ' <cas>' + tail) + text('gets k'),
               store('cas', 'k', 'Z', 7, 0, ' <cas>' + tail) + text('get k'))
    for exptime in TIMES:
        yield (store('set', 'k', 'abc', 0, exptime) + text('get k'),)
    for flags in FLAGS:
        yield (store('set', 'k', 'abc', flags) + text('get k'),)
    for size in SIZES:
        yield (text(f'set k 0 0 {size}', 'abc', 'get k'),)
    for count in range(1, 7):
        words = ('k', '0', '0', '1', 'noreply', 'x')[:count]
        for verb in ('set', 'append', 'cas'):
            yield (text(' '.join((verb,) + words)) + b'v\r\n',)
    for end in ('\n', '\r', '\r\r\n', ' \r\n', 'x\r\n'):
        yield (b'set k 0 0 3\r\nabc' + end.encode() + b'\r\nget k\r\n',)
    for size in (BIG // 2, BIG - 200, BIG):
        yield (store('set', 'k', 'v' * size), store('append', 'k', 'w' * 100),
               store('prepend', 'k', 'w' * 100), text('get k'))


def keys():
    for size in (1, 2, 249, 250, 251, 252, 1000):
        key = 'k' * size
        yield (store('set', key, 'v') + text(f'get {key}', f'delete {key}'),)
        yield (text(f'incr {key} 1', f'touch {key} 0', f'gat 0 {key}'),)
    for byte in itertools.chain(range(1, 10), range(11, 32), range(127, 256)):
        key = 'a' + chr(byte) + 'b'
        yield (store('set', key, 'v') + text(f'get {key}'),)
    yield (b'set a\0b 0 0 1\r\nv\r\nget a\0b\r\n',)
    for count in (1, 2, 23, 24, 25, 100):
        words = ' '.join(f'k{i}' for i in range(count))
        yield (store('set', 'k0', 'v') + store('set', f'k{count - 1}', 'w') +
               text('get ' + words, 'gat 0 ' + words, 'get ' + words + ' '),)


def numbers():
    for verb, value in itertools.product(('incr', 'decr'), NUMBERS):
        for delta in DELTAS:
            yield (store('set', 'n', value, 3) +
                   text(f'{verb} n {delta}', 'get n'),)
    for verb, tail in itertools.product(
            ('incr', 'decr'), ('', ' 1', ' 1 noreply', ' 1 x', ' x noreply',
                               ' noreply', ' 1 noreply x')):
        yield (store('set', 'n', '5') + text(f'{verb} n{tail}', 'get n'),)
        yield (text(f'{verb} n{tail}'),)


def others():
    for state in STATES:
        for tail in ('', ' 0', ' 1', ' -1', ' x', ' noreply', ' 0 noreply',
                     ' 5 noreply', ' noreply x'):
            yield (state + text('delete k' + tail, 'get k'),)
        for exptime in TIMES + ('',):
            for tail in ('', ' noreply'):
                yield (state + text(f'touch k {exptime}{tail}', 'get k'),)
            for verb in ('gat', 'gats'):
                yield (state + text(f'{verb} {exptime} k', 'get k'),)
    for tail in ('', ' 0', ' -1', ' 1000', ' x', ' noreply', ' 0 noreply',
                 ' -1 noreply', ' x noreply', ' 10 x', ' 1000 noreply',
                 ' 4294967296', ' 99999999999999999999'):
        yield (PRESENT + text('flush_all' + tail, 'get k'),)
    for tail in ('', ' x', ' 1', ' 1 noreply', ' noreply', ' x noreply',
                 ' -1', ' 0 0', ' 1'):
        yield (text('verbosity' + tail),)
    for line in ('version x', 'quit x', 'mn x', 'stats x', 'stats reset x',
                 'stats detail', 'stats detail x', 'stats detail dump',
                 'stats detail off', 'stats detail on', 'stats detail off',
                 'stats cachedump', 'stats cachedump 1', 'stats cachedump x 1',
                 'stats cachedump 1 x', 'stats cachedump 0 0',
                 'stats cachedump 300 0', 'stats cachedump 39 0',
                 'stats sizes_enable', 'help', '?', 'set', 'SET k 0 0 1',
                 'gets', 'gat', 'touch', 'incr', 'delete', 'cas', 'append'):
        yield (text(line),)


def admin():
    words = {
        'cache_memlimit': ('', ' x', ' 1', ' 7', ' -1', ' 64', ' 64 noreply',
                           ' 7 noreply', ' x noreply', ' noreply'),
        'slabs': ('', ' x', ' reassign', ' reassign 1', ' reassign x 1',
                  ' reassign 1 x', ' reassign 1 1', ' reassign 0 1',
                  ' reassign 1 300', ' reassign 300 1', ' reassign 60 61',
                  ' automove', ' automove x', ' automove 0', ' automove 1',
                  ' automove 2', ' automove 3', ' automove 1 noreply',
                  ' automove ratio', ' automove ratio x',
                  ' automove ratio 0.5', ' automove ratio 2',
                  ' automove ratio -1', ' automove 1'),
        'lru': ('', ' x', ' mode', ' mode x', ' mode flat', ' mode segmented',
                ' tune', ' tune 20', ' tune 20 40 0.2', ' tune 20 40 0.2 2.0',
                ' tune 0 40 0.2 2.0', ' tune 90 40 0.2 2.0',
                ' tune 40 60 0.2 2.0', ' tune 20 40 0 2.0',
                ' tune 20 40 0.2 0', ' tune x 40 0.2 2.0',
                ' tune 20 40 x 2.0', ' temp_ttl', ' temp_ttl x',
                ' temp_ttl 61', ' temp_ttl -1'),
        'lru_crawler': ('', ' x', ' enable', ' enable', ' enable x',
                        ' sleep', ' sleep x', ' sleep -1', ' sleep 100',
                        ' sleep 2000000', ' tocrawl', ' tocrawl x',
                        ' tocrawl 0', ' tocrawl -1', ' crawl', ' crawl x',
                        ' crawl 0', ' crawl 300', ' crawl 1,300', ' crawl 1,',
                        ' metadump', ' metadump x', ' metadump 300',
                        ' mgdump x'),
        'watch': (' x', ' fetchers x'),
        'shutdown': ('', ' x', ' graceful'),
        'extstore': ('', ' x'),
        'refresh_certs': ('', ' x'),
        'debugtime': ('', ' 1'),
        'verbosity': (' 0',),
    }
    for name, tails in words.items():
        for tail in tails:
            yield (text(name + tail),)


META_FLAGS = ('k', 's', 'v', 't', 'c', 'f', 'l', 'h', 'u', 'q', 'b', 'I',
              'O', 'O1', 'T30', 'T0', 'T-1', 'Tx', 'T', 'N30', 'N0', 'Nx',
              'R30', 'R-1', 'Rx', 'C5', 'Cx', 'C', 'F5', 'Fx', 'MS', 'ME',
              'MA', 'MP', 'MR', 'MI', 'MD', 'M+', 'M-', 'Mx', 'M', 'MSS',
              'J5', 'Jx', 'D5', 'D0', 'Dx', 'D', '!', 'X', 'W', 'Z', 'a',
              '1', '\t', 'kk', 'k1', 'v k c O9', 'q k O9 v', 'q')
SHOW = 'mg k v f t s c k'


def meta_line(verb, key, flags):
    """With its value, where it has one."""
    flags = ' ' + flags if flags else ''
    if verb == 'ms':
        return text(f'ms {key} 2{flags}', 'XY')
    return text(f'{verb} {key}{flags}')


def meta():
    numeric = store('set', 'k', '10', 5)
    for verb, flags in itertools.product(('mg', 'ms', 'md', 'ma'),
                                         ('',) + META_FLAGS):
        for state in (b'', PRESENT, DEAD) + (
                (numeric,) if verb == 'ma' else ()):
            yield (state + meta_line(verb, 'k', flags) + text(SHOW),)
    for verb in ('ms', 'md', 'ma'):
        for state in (PRESENT, numeric):
            yield (state + text('mg k c'),
                   meta_line(verb, 'k', 'C<cas> c') + text(SHOW))
    for first, second in itertools.product(
            ('md k I T30', 'md k I', 'mg k N30', 'ms k 2 T30\r\nab',
             'mg n N30 v', 'md k q', 'ma k N0 J13 v', 'ms k S 2\r\nab'),
            ('mg k v t', 'mg k c v W', 'ms k 2 I C1\r\ncd', 'mg k R60 v',
             'md k I', 'ms k 2 MA\r\ncd', 'ma k v', 'mg k N0 v')):
        yield (PRESENT + text(first, second, SHOW, 'mg k v', 'mg k v'),)
    draw = random.Random(1)
    known = [flag for flag in META_FLAGS
             if len(flag) < 4 and flag not in ('!', '\t', 'kk', 'k1', 'MSS')]
    for _ in range(300):
        verb = draw.choice(('mg', 'mg', 'ms', 'md', 'ma'))
        flags = ' '.join(draw.sample(known, draw.randint(2, 6)))
        state = draw.choice((b'', PRESENT, numeric))
        yield (state + meta_line(verb, 'k', flags) + text(SHOW),)
    for key in ('', 'k' * 250, 'k' * 251, '!!!!', 'Zm9v', 'Zm9', 'YQ==',
                'A' * 332, 'A' * 336):
        for verb in ('mg', 'ms', 'md', 'ma', 'me'):
            yield (meta_line(verb, key, 'b k'),)
            yield (meta_line(verb, key, 'k'),)
    for line in ('mg', 'ms', 'ms k', 'ms k x', 'ms k -1', 'md', 'ma', 'me',
                 'me k', 'me k x', 'mn', 'mx k', 'mg k' + ' k' * 30,
                 'mg  k  v  c', 'mg k v ', ' mg k v'):
        yield (text(line),)
    yield (text('ms k 2 c', 'abc'),)
    yield (text('ms k 2 q', 'abc') + text('mg k v'),)


def texts():
    for request, *_ in ANSWERED:
        yield (request,)


def endings():
    for request, *_ in ENDS:
        yield (request,)


def conversation():
    yield tuple(request for request, _ in CONVERSATION
                if not request.startswith(b'me'))


def forbidden():
    for line in ('flush_all', 'flush_all 0', 'flush_all noreply',
                 'flush_all x', 'stats cachedump 1 1', 'stats cachedump',
                 'lru_crawler metadump all', 'lru_crawler metadump hash',
                 'watch', 'watch fetchers', 'lru_crawler enable'):
        yield (text(line),)


def without_cas():
    yield (PRESENT + text('gets k', 'gat 0 k', 'gats 0 k'),)
    for token in ('0', '1', '5'):
        yield (PRESENT + store('cas', 'k', 'x', 0, 0, f' {token}') +
               text('gets k'),)
    for verb, flags in itertools.product(('mg', 'ms', 'md', 'ma'),
                                         ('c', 'C1', 'C0', 'I')):
        yield (PRESENT + meta_line(verb, 'k', flags) + text('mg k v c'),)


class Group:
    """Cases that a server with these arguments is asked, and what is said
    before each so that the cache is empty."""

    def __init__(self, name, args, cases, dialect='text',
                 empty=b'flush_all\r\n'):
        self.name = name
        self.args = args
        self.cases = list(dict.fromkeys(cases))
        self.dialect = dialect
        self.empty = empty


def groups():
    return [
        Group('text', (), texts()),
        Group('endings', (), endings(), 'ending'),
        Group('storage', (), storage()),
        Group('keys', (), keys()),
        Group('numbers', (), numbers()),
        Group('others', (), others()),
        Group('conversation', (), conversation()),
        Group('meta', (), meta()),
        Group('admin', (), admin()),
        Group('forbidden', ('-F', '--disable-dumping', '-W'), forbidden()),
        Group('without-cas', ('-C',), without_cas(), empty=b'delete k\r\n'),
        Group('binary', (), binary.cases(), 'binary'),
        Group('binary-forbidden', ('-F',), binary.forbidden(), 'binary'),
    ]

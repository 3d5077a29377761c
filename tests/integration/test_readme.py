# SPDX-License-Identifier: BSD-3-Clause
"""What README.md says to users, held against the daemon."""

import os
import re

from harness.haproxy import Haproxy
from harness.process import free_port

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')
README = os.path.join(ROOT, 'README.md')


def readme():
    with open(README) as file:
        return file.read()


def block(language):
    return re.search(rf'^```{language}\n(.*?)^```', readme(),
                     re.DOTALL | re.MULTILINE)[1]


def test_the_packages_it_installs_are_those_that_a_build_takes(t):
    with open(os.path.join(ROOT, 'scripts/packages.txt')) as file:
        needed = {line.strip() for line in file if line[0] not in '#\n'}
    text = re.search(r'apt install (autoconf.*?[^\\])\n', readme(),
                     re.DOTALL)[1]
    named = set(text.replace('\\\n', ' ').split())
    # gcc brings the C library's headers; check is for `make check`.
    assert named == needed - {'libc6-dev'} | {'check'}


def test_the_haproxy_recipe_works(t):
    pair = t.pair()
    text = block('haproxy')
    port = free_port()
    for old, new in (
            ('bind :11211', f'bind 127.0.0.1:{port}'),
            ('192.168.10.100:11211', f'127.0.0.1:{pair.a.port}'),
            ('192.168.10.101:11211', f'127.0.0.1:{pair.b.port}')):
        assert old in text
        text = text.replace(old, new)
    front = Haproxy(t, [], text.replace('{', '{{').replace('}', '}}'),
                    port=port)
    # While A lives, all clients are A's.
    for number in range(10):
        assert front.client().set(f'k{number}', 'x') == 'STORED'
    pair.settle()
    assert pair.b.repl()['repl_sent'] == 0
    pair.a.kill()
    front.await_ask(b'get k1\r\n', b'VALUE k1 0 1\r\nx\r\nEND\r\n')
    assert 'level error' not in front.process.log()


def test_the_statistics_it_explains_are_there_and_no_others(t):
    explained = set(re.findall(r'`(repl_\w+)`', re.search(
        r'^`stats replication` tells.*?^Plain', readme(),
        re.DOTALL | re.MULTILINE)[0]))
    pair = t.pair()
    assert explained == set(pair.a.repl())


def test_the_options_it_explains_are_in_the_help(t):
    table = re.search(r'^\| option \|.*?\n\n', readme(),
                      re.DOTALL | re.MULTILINE)[0]
    shown = t.run(t.binary, '-h').stdout
    for word in re.findall(r'^\| `(-\w)(?: (repl_\w+))?', table, re.M):
        name = word[1] or word[0]
        assert re.search(rf'(^|\s){name}\b', shown, re.M), name
    for name in set(re.findall(r'\brepl_\w+', shown)):
        assert name in table, f'{name} is not explained'

# SPDX-License-Identifier: BSD-3-Clause
"""What users of python3-binary-memcached do, with a user and a password where
the server asks for them.

binary_memcached.py ADDRESS [USER PASSWORD]"""

import sys

import bmemcached

checks = 0


def check(name, condition):
    global checks
    assert condition, f'{name} is wrong'
    checks += 1


def main(address, *login):
    c = bmemcached.Client((address,), *login)
    check('flush', c.flush_all())
    check('miss', c.get('user') is None)
    check('set', c.set('user', {'name': 'ada', 'tags': [1, 2]}, time=600))
    check('get', c.get('user')['tags'] == [1, 2])
    page = 'a page of text\n' * 60000
    check('page', c.set('page', page) and c.get('page') == page)
    check('add', c.add('lock', 1) and not c.add('lock', 2))
    check('replace', c.replace('lock', 3) and not c.replace('none', 1))
    check('delete', c.delete('lock') and c.get('lock') is None)
    value, token = c.gets('user')
    check('cas', value['name'] == 'ada' and c.cas('user', 'new', token))
    check('cas late', not c.cas('user', 'newer', token))
    check('incr', c.incr('n', 10, default=5) == 5 and c.incr('n', 10) == 15)
    check('decr', c.decr('n', 100) == 0)
    values = {f'k{i}': f'v{i}' for i in range(200)}
    check('set_multi', c.set_multi(values) == [])
    check('get_multi', c.get_multi([f'k{i}' for i in range(300)]) == values)
    check('delete_multi', c.delete_multi([f'k{i}' for i in range(100)]))
    check('half', len(c.get_multi(list(values))) == 100)
    stats = next(iter(c.stats().values()))
    check('stats', int(stats[b'curr_items' if b'pid' in stats
                             else 'curr_items']) > 100)
    check('left', c.set('left-behind', 'by bmemcached', time=600))
    c.disconnect_all()
    print(checks, 'checks')


main(*sys.argv[1:])

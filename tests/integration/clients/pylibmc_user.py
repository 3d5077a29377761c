# SPDX-License-Identifier: BSD-3-Clause
"""What Python's users do with pylibmc, in either protocol.

pylibmc_user.py ADDRESS text|binary"""

import os
import sys
import threading

import pylibmc

checks = 0


def check(name, condition):
    global checks
    assert condition, f'{name} is wrong'
    checks += 1


def refused(function, *args):
    """Told by a result in one protocol, by an exception in the other."""
    try:
        return not function(*args)
    except (pylibmc.NotFound, pylibmc.DataExists):
        return True


def main(address, protocol):
    c = pylibmc.Client([address], binary=protocol == 'binary',
                       behaviors={'tcp_nodelay': True, 'cas': True})
    c.flush_all()
    check('miss', c.get('user') is None)
    check('set', c.set('user', {'name': 'ada', 'tags': [1, 2]}, time=600))
    check('get', c.get('user')['tags'] == [1, 2])
    page = 'a page of text\n' * 60000
    check('compressed', c.set('page', page, min_compress_len=1000))
    check('page', c.get('page') == page)
    noise = os.urandom(500000)
    check('noise', c.set('noise', noise) and c.get('noise') == noise)
    check('add', c.add('lock', 1) and refused(c.add, 'lock', 2))
    check('replace', c.replace('lock', 3) and refused(c.replace, 'none', 1))
    check('delete', c.delete('lock') and refused(c.delete, 'lock'))
    value, token = c.gets('user')
    check('cas', value['name'] == 'ada' and c.cas('user', 'new', token))
    check('cas late', refused(c.cas, 'user', 'newer', token))
    c.set('n', 5)
    check('incr', c.incr('n') == 6 and c.incr('n', 10) == 16)
    check('decr', c.decr('n', 100) == 0)
    check('incr none', refused(c.incr, 'none'))
    c.set('text', 'b')
    check('append', c.append('text', 'c') and c.prepend('text', 'a') and
          c.get('text') == 'abc')
    values = {f'k{i}': f'v{i}' for i in range(200)}
    check('set_multi', c.set_multi(values) == [])
    check('get_multi', c.get_multi([f'k{i}' for i in range(300)]) == values)
    check('prefix', c.get_multi(['1', '2'], key_prefix='k') ==
          {'1': 'v1', '2': 'v2'})
    check('delete_multi', c.delete_multi([f'k{i}' for i in range(100)]))
    check('half', len(c.get_multi(list(values))) == 100)
    check('touch', c.touch('text', 500) and refused(c.touch, 'none', 500))
    stats = c.get_stats()[0][1]
    check('stats', int(stats[b'curr_items' if b'pid' in stats
                             else 'curr_items']) > 100)
    pool = pylibmc.ThreadMappedPool(c)
    failed = []

    def work(number):
        with pool.reserve() as own:
            for i in range(100):
                own.set(f't{number}.{i}', i)
                if own.get(f't{number}.{i}') != i:
                    failed.append((number, i))
        pool.relinquish()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check('threads', not failed)
    check('left', c.set('left-behind', b'by pylibmc', time=600))
    print(checks, 'checks')


main(*sys.argv[1:])

# SPDX-License-Identifier: BSD-3-Clause
"""What was answered, in files: memcached.txt has every case, differences.txt
those in which this daemon answers otherwise, with the reason of each."""

import os

from differential.ask import answer, empty, title
from differential.cases import groups

HERE = os.path.dirname(os.path.abspath(__file__))
MEMCACHED = os.path.join(HERE, 'memcached.txt')
DIFFERENCES = os.path.join(HERE, 'differences.txt')


def ask_all(start, only=''):
    """{(group, case): reply} of a server; start(args) gives its address."""
    replies = {}
    for group in groups():
        if only and group.name != only:
            continue
        address = start(group.args)
        for case in group.cases:
            empty(address, group.empty)
            replies[group.name, title(case)] = answer(address, case,
                                                      group.dialect)
    return replies


def read_recorded():
    replies = {}
    with open(MEMCACHED) as file:
        for line in file:
            if not line.startswith('#'):
                group, case, reply = line.rstrip('\n').split('\t')
                replies[group, case] = reply
    return replies


def write_recorded(replies):
    with open(MEMCACHED, 'w') as file:
        file.write('# Made by record_differential: group, case, what memcached '
                   '1.6.18 replied.\n')
        for (group, case), reply in replies.items():
            file.write(f'{group}\t{case}\t{reply}\n')


def read_differences():
    """The reasons, and {(group, case): (reason, reply)}."""
    reasons, differences = {}, {}
    with open(DIFFERENCES) as file:
        for line in file:
            if line.startswith('# '):
                name, text = line[2:].rstrip('\n').split(': ', 1)
                reasons[name] = text
            else:
                reason, group, case, reply = line.rstrip('\n').split('\t')
                differences[group, case] = reason, reply
    return reasons, differences


def write_differences(reasons, differences):
    with open(DIFFERENCES, 'w') as file:
        for name, text in reasons.items():
            file.write(f'# {name}: {text}\n')
        for (group, case), (reason, reply) in differences.items():
            file.write(f'{reason}\t{group}\t{case}\t{reply}\n')

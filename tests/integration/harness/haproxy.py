# SPDX-License-Identifier: BSD-3-Clause
"""HAProxy in front of a pair."""

import os

from harness.client import Client
from harness.process import Process, free_port
from harness.wait import wait_for

QUICK = '''\
global
    maxconn 1000
defaults
    mode tcp
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    option redispatch
    retries 3
listen mem
    bind {address}:{port}
    default-server check inter 100ms fall 1 rise 1 on-marked-down shutdown-sessions
{servers}
'''

# As it stands in the how-to that users of such pairs follow.
TUTORIAL = '''\
listen mem
    bind :{port}
    mode tcp
{servers}
'''


class Haproxy:
    """`nodes` are given as (address, port); turn by turn."""

    def __init__(self, test, nodes, config=QUICK, address='127.0.0.1',
                 port=None, netns=None):
        self.address, self.netns = address, netns
        self.port = port or free_port()
        check = ' check' if config is TUTORIAL else ''
        servers = '\n'.join(
            f'    server m{number} {host}:{server_port}{check}'
            for number, (host, server_port) in enumerate(nodes, 1))
        path = os.path.join(test.directory, 'haproxy.cfg')
        with open(path, 'w') as file:
            file.write(config.format(address=address, port=self.port,
                                     servers=servers))
        words = ['ip', 'netns', 'exec', netns] if netns else []
        self.process = Process(
            [*words, 'haproxy', '-db', '-f', path],
            os.path.join(test.directory, 'haproxy.log'))
        test.processes.append(('haproxy', self.process))
        self.await_answer()

    def client(self):
        return Client(self.address, self.port, self.netns)

    def try_ask(self, request, reply):
        """True when a new connection gives this reply; a connection that a
        dying node takes with it counts as not yet."""
        client = self.client()
        try:
            return client.gives(request, reply)
        finally:
            client.close()

    def await_ask(self, request, reply):
        wait_for(f'HAProxy to answer {request!r} with {reply!r}',
                 lambda: self.try_ask(request, reply))

    def await_answer(self):
        wait_for('HAProxy to have a node', lambda: self.client().command(
            'version').startswith('VERSION'))

# SPDX-License-Identifier: BSD-3-Clause
"""The client libraries of many languages, each doing what its users do, with
one node of a pair; then the other node has what they left."""

import os
import re
import urllib.error
import urllib.request

from harness.context import deadline
from harness.process import Process, free_port
from harness.wait import wait_for

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'clients')
SPY_JAR = '/usr/share/java/spymemcached.jar'
BUILD_DEADLINE_S = 400


def client_file(name):
    return os.path.join(CLIENTS, name)


def check_client(t, checks, left, make_words, env=None, node_args=()):
    """Runs a client program; it must have made so many checks, and what it
    left behind must have reached the other node."""
    pair = t.pair(*node_args)
    node = pair.a
    address = f'{node.address}:{node.port}'
    done = t.run(*make_words(address), env=env)
    assert done.returncode == 0, done
    assert re.fullmatch(rf'{checks} checks', done.stdout.strip()), done
    pair.settle()
    assert pair.b.c.get('left-behind') == left


def test_php_memcached_in_text(t):
    check_php(t, 'text', 29)


def test_php_memcached_in_binary(t):
    check_php(t, 'binary', 30)


def check_php(t, protocol, checks):
    check_client(t, checks, b'by PHP', lambda address: [
        'php', client_file('php_user.php'), *address.split(':'), protocol])


def test_pylibmc_in_text(t):
    check_pylibmc(t, 'text')


def test_pylibmc_in_binary(t):
    check_pylibmc(t, 'binary')


def check_pylibmc(t, protocol):
    check_client(t, 24, b'by pylibmc', lambda address: [
        '/usr/bin/python3', client_file('pylibmc_user.py'), address, protocol])


def test_python_binary_memcached(t):
    check_client(t, 18, b'by bmemcached', lambda address: [
        '/usr/bin/python3', client_file('binary_memcached.py'), address])


def test_ruby_dalli(t):
    check_client(t, 26, b'by dalli', lambda address: [
        'ruby', client_file('dalli.rb'), address])


def test_perl_cache_memcached(t):
    check_client(t, 16, b'by Perl', lambda address: [
        'perl', client_file('cache_memcached.pl'), address,
        'Cache::Memcached'])


def test_perl_cache_memcached_fast(t):
    check_client(t, 23, b'by Perl', lambda address: [
        'perl', client_file('cache_memcached.pl'), address,
        'Cache::Memcached::Fast'])


@deadline(BUILD_DEADLINE_S)
def test_npm_memjs_and_memcached(t):
    modules = t.path('node')
    os.mkdir(modules)
    with open(client_file('node/package.json')) as source, \
            open(os.path.join(modules, 'package.json'), 'w') as target:
        target.write(source.read())
    done = t.run('npm', 'install', '--prefix', modules, '--no-audit',
                 '--no-fund', '--ignore-scripts', '--loglevel=error')
    assert done.returncode == 0, done
    env = {'NODE_PATH': os.path.join(modules, 'node_modules')}
    for name, checks, left in (('memjs', 22, b'by memjs'),
                               ('memcached', 30, b'by memcached.js')):
        check_client(t, checks, left, lambda address: [
            'node', client_file(f'node/{name}.js'), address], env)


@deadline(BUILD_DEADLINE_S)
def test_java_spymemcached_in_text_and_binary(t):
    done = t.run('javac', '-cp', SPY_JAR, '-d', t.directory,
                 client_file('Spy.java'))
    assert done.returncode == 0, done
    for protocol in ('ascii', 'binary'):
        check_client(t, 230, b'by spymemcached', lambda address: [
            'java', '-cp', f'{t.directory}:{SPY_JAR}', 'Spy', address,
            protocol])


@deadline(BUILD_DEADLINE_S)
def test_go_gomemcache(t):
    program = t.path('gomemcache')
    done = t.run('go', 'build', '-o', program, client_file('gomemcache.go'),
                 env={'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode',
                      'GOCACHE': t.path('cache'), 'GOFLAGS': ''})
    assert done.returncode == 0, done
    check_client(t, 20, b'by gomemcache', lambda address: [program, address])


NGINX = '''\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory};
    proxy_temp_path {directory};
    fastcgi_temp_path {directory};
    uwsgi_temp_path {directory};
    scgi_temp_path {directory};
    upstream cache {{
        server {a};
        server {b} backup;
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            set $memcached_key $uri;
            memcached_pass cache;
            memcached_connect_timeout 1s;
            default_type text/html;
        }}
        location /gzip/ {{
            set $memcached_key $uri;
            memcached_pass cache;
            memcached_gzip_flag 2;
            default_type text/plain;
        }}
    }}
}}
'''


def fetch(port, path):
    """(status, headers, body) of a page."""
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}{path}',
                                    timeout=20) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_nginx_serves_pages_out_of_the_pair(t):
    pair = t.pair()
    a, b = (f'{node.address}:{node.port}' for node in pair.nodes)
    port = free_port()
    with open(t.path('nginx.conf'), 'w') as file:
        file.write(NGINX.format(directory=t.directory, a=a, b=b, port=port))
    nginx = Process(['nginx', '-p', t.directory, '-c', t.path('nginx.conf')],
                    t.path('nginx.log'))
    t.processes.append(('nginx', nginx))

    def answers():
        try:
            return fetch(port, '/nothing')[0] == 404
        except OSError:
            return False
    wait_for('nginx to answer', answers)
    large = os.urandom(900000)
    pair.b.c.set('/page', '<h1>a page</h1>')
    pair.b.c.set('/large', large)
    pair.b.c.set('/empty', '')
    pair.b.c.set('/gzip/page', b'packed', flags=2)
    pair.b.c.set('/a%20b', 'escaped')
    pair.settle()
    for _ in range(50):
        assert fetch(port, '/page')[2] == b'<h1>a page</h1>'
    assert fetch(port, '/large')[2] == large
    assert fetch(port, '/empty')[::2] == (200, b'')
    assert fetch(port, '/missing')[0] == 404
    status, headers, body = fetch(port, '/gzip/page')
    assert (status, headers['Content-Encoding'], body) == (
        200, 'gzip', b'packed')
    assert fetch(port, '/a%20b')[2] == b'escaped'
    pair.a.kill()
    assert fetch(port, '/page')[2] == b'<h1>a page</h1>'

# SPDX-License-Identifier: BSD-3-Clause
"""What may be typed, and what is answered to what may not."""

import os
import pwd
import re
import signal
import socket

from harness.client import Client
from harness.node import Node
from harness.process import Process, children, free_port, status_field
from harness.wait import wait_for

MIB = 1 << 20

# As repcached's and memcached's users type them.
OPTIONS = [
    ('-p', '--port'), ('-l', '--listen'), ('-d', '--daemon'),
    ('-u', '--user'), ('-m', '--memory-limit'), ('-M', '--disable-evictions'),
    ('-c', '--conn-limit'), ('-t', '--threads'), ('-v', '--verbose'),
    ('-P', '--pidfile'), ('-f', '--slab-growth-factor'),
    ('-n', '--slab-min-size'), ('-I', '--max-item-size'),
    ('-C', '--disable-cas'), ('-b', '--listen-backlog'),
    ('-R', '--max-reqs-per-event'), ('-r', '--enable-coredumps'),
    ('-k', '--lock-memory'), ('-h', '--help'), ('-V', '--version'),
    ('-i', '--license'), ('-x', None), ('-X', None), ('-q', None),
]

REFUSED = [
    ['-p', '70000'], ['-p', '-2'], ['-p', 'x'], ['-p', ''], ['-p', '11211x'],
    ['-t', '0'], ['-t', '-1'], ['-t', 'x'],
    ['-c', '0'], ['-c', '-5'], ['-c', 'x'],
    ['-m', 'x'], ['-m', '-1'], ['-m', '99999999999999999999'],
    ['-f', '1'], ['-f', '0.5'], ['-f', 'x'],
    ['-n', '0'], ['-n', 'x'],
    ['-I', '1'], ['-I', '0'], ['-I', '2000m'], ['-I', 'x'],
    ['-I', '40m', '-m', '64'],
    ['-b', 'x'], ['-R', '0'], ['-R', 'x'],
    ['-l', '999.1.1.1'], ['-l', 'no.such.host.invalid'],
    ['-u', 'no-such-user-here'],
    ['-X', '70000'], ['-X', 'x'], ['-X', '-1'],
    ['-x', ''], ['-x', '127.0.0.1:x'], ['-x', '127.0.0.1:70000'],
    ['-x', '127.0.0.1:0'], ['-x', '[::1'],
    ['-x', 'no.such.host.invalid'],
    ['-p'], ['-x'], ['-X'],
    ['--nonsense'], ['-?'], ['-y'],
]


def without_user(t, *words):
    return t.run(t.binary, *words)


def ended_without_serving(process, port):
    def verdict():
        if not process.alive():
            return 'ended'
        Client('127.0.0.1', port).close()
        return 'serves'
    return wait_for('it to end or to serve', verdict) == 'ended'


def user_words():
    return ['-u', 'root'] if os.geteuid() == 0 else []


def test_bad_values_get_one_sentence_and_nothing_starts(t):
    wrong = []
    for words in REFUSED:
        port = free_port()
        argv = [t.binary, *user_words(), '-l', '127.0.0.1', '-p', port,
                *words]
        process = Process(argv, t.path(f'refused{len(wrong)}.log'))
        if not ended_without_serving(process, port):
            process.kill()
            wrong.append(f'{words}: started')
            continue
        status = process.wait()
        lines = process.log().splitlines()
        if status <= 0:
            wrong.append(f'{words}: exit status {status}')
        if len(lines) != 1 or len(lines[0].split()) < 3:
            wrong.append(f'{words}: said {lines}')
        os.unlink(process.log_path)
    assert not wrong, '\n'.join(wrong)


def test_complaints_go_to_stderr(t):
    done = without_user(t, '-t', '0')
    assert done.returncode != 0
    assert done.stdout == ''
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_help_has_every_option(t):
    done = without_user(t, '-h')
    assert done.returncode == 0
    assert done.stdout == without_user(t, '--help').stdout
    missing = [short for short, _ in OPTIONS
               if not re.search(rf'^\s*{short}\b', done.stdout, re.M)]
    missing += [long for _, long in OPTIONS
                if long and not re.search(rf'{long}\b', done.stdout)]
    missing += [word for word in ('-vv', '-vvv')
                if word not in done.stdout]
    assert not missing, missing
    for short in ('-x', '-X', '-q'):
        assert re.search(rf'^\s*{short},? +(<\S+> +)?--[a-z][a-z-]+',
                         done.stdout, re.M), f'{short} has no long form'
    for word in ('--proxy', 'ext_path'):
        assert word not in done.stdout


def test_version_and_license_are_told(t):
    for word in ('-V', '--version'):
        done = without_user(t, word)
        assert done.returncode == 0
        assert re.fullmatch(r'twincached \d+\.\d+\S*\n', done.stdout)
    for word in ('-i', '--license'):
        done = without_user(t, word)
        assert done.returncode == 0
        assert 'Redistribution and use in source and binary forms' in \
            re.sub(r'\s+', ' ', done.stdout)


def test_clients_are_told_the_version_whose_protocol_this_is(t):
    client = t.node().c
    told = re.fullmatch(r'VERSION (1\.6\.\d+)', client.command('version'))[1]
    assert client.stats()['version'] == told


def settings(t, *words):
    return t.node(*words, name=f'node{len(t.processes)}').c.stats('settings')


def expect_settings(table, **expected):
    got = {name: table.get(name) for name in expected}
    assert got == expected, got


def test_settings_show_what_was_given(t):
    expect_settings(
        settings(t), maxbytes=str(64 * MIB), maxconns='1024', evictions='on',
        num_threads='4', reqs_per_event='20',
        cas_enabled='yes', tcp_backlog='1024', item_size_max=str(MIB),
        inter='127.0.0.1')
    expect_settings(
        settings(t, '-m', '128', '-c', '99', '-M', '-f', '1.5', '-n', '64',
                 '-t', '2', '-R', '33', '-C', '-b', '77', '-I', '2m', '-vv'),
        maxbytes=str(128 * MIB), maxconns='99', evictions='off',
        growth_factor='1.50', chunk_size='64', num_threads='2',
        reqs_per_event='33', cas_enabled='no', tcp_backlog='77',
        item_size_max=str(2 * MIB), verbosity='2')


def test_long_forms_mean_the_same(t):
    expect_settings(
        settings(t, '--memory-limit=128', '--conn-limit=99',
                 '--disable-evictions', '--slab-growth-factor=1.5',
                 '--slab-min-size', '64', '--threads', '2',
                 '--max-reqs-per-event=33', '--disable-cas',
                 '--listen-backlog=77', '--max-item-size=512k', '--verbose'),
        maxbytes=str(128 * MIB), maxconns='99', evictions='off',
        growth_factor='1.50', chunk_size='64', num_threads='2',
        reqs_per_event='33', cas_enabled='no', tcp_backlog='77',
        item_size_max=str(512 * 1024), verbosity='1')


def test_port_and_listen_have_long_forms(t):
    port = free_port()
    process = Process([t.binary, f'--port={port}', '--listen=127.0.0.1',
                       *user_words()], t.path('long.log'))
    t.processes.append(('long', process))
    wait_for('it to answer', lambda: Client('127.0.0.1', port).command(
        'version').startswith('VERSION'))


def test_without_cas_no_token_is_shown(t):
    client = t.node('-C').c
    client.ask(b'set a 0 0 1\r\nx\r\ngets a\r\n',
               b'STORED\r\nVALUE a 0 1 0\r\nx\r\nEND\r\n')


def test_one_thread_serves_many_connections(t):
    node = t.node('-t', '1', '-R', '1', '-b', '16')
    clients = [node.client() for _ in range(50)]
    for number, client in enumerate(clients):
        client.send(b'set k%d 0 0 1\r\nx\r\nget k%d\r\n' % (number, number)
                    * 40)
    for number, client in enumerate(clients):
        client.expect(b'STORED\r\nVALUE k%d 0 1\r\nx\r\nEND\r\n' % number
                      * 40)


def test_connections_over_the_limit_are_told_so(t):
    node = t.node('-c', '50')
    kept, refused = [], 0
    for _ in range(100):
        client = node.client()
        client.send(b'version\r\n')
        try:
            line = client.line()
        except (EOFError, ConnectionError):
            continue
        if line == b'ERROR Too many open connections':
            refused += 1
            continue
        assert line.startswith(b'VERSION'), line
        kept.append(client)
    assert 10 <= len(kept) <= 50, len(kept)
    assert refused > 0
    kept[0].ask(b'get a\r\n', b'END\r\n')
    for client in kept[1:]:
        client.close()
    wait_for('room for a new connection', lambda: node.client().command(
        'version').startswith('VERSION'))


def test_memory_locked_and_core_dumps_are_no_hindrance(t):
    node = t.node('-k', '-r', '-m', '16')
    assert node.c.set('a', 'x') == 'STORED'
    with open(f'/proc/{node.pid}/limits') as file:
        core = re.search(r'Max core file size +(\S+) +(\S+)', file.read())
    assert core[1] == core[2], core[0]


def test_locking_memory_is_no_hindrance_to_a_user(t):
    if os.geteuid() != 0:
        return
    node = t.node('-k', '-u', 'nobody', '-m', '16')
    assert node.c.set('a', 'x') == 'STORED'


def test_files_may_be_open_for_all_connections(t):
    node = t.node('-c', '5000')
    with open(f'/proc/{node.pid}/limits') as file:
        files = re.search(r'Max open files +(\d+)', file.read())
    assert int(files[1]) >= 5000, files[0]


def test_verbose_twice_prints_the_slab_classes(t):
    node = t.node('-f', '2', '-vv')
    rows = re.findall(r'^slab class +(\d+): chunk size +(\d+) perslab +(\d+)$',
                      node.log(), re.M)
    assert len(rows) > 5, node.log()
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    sizes = [int(row[1]) for row in rows]
    for smaller, larger in zip(sizes[:-2], sizes[1:]):
        assert 1.8 <= larger / smaller <= 2.2, sizes
    assert re.search(r'server listening', node.log())


def test_smallest_chunk_follows_its_option(t):
    def smallest(node):
        return int(re.search(r'slab class +1: chunk size +(\d+)',
                             node.log())[1])
    plain = smallest(t.node('-vv', name='plain'))
    wide = smallest(t.node('-vv', '-n', '512', name='wide'))
    assert plain < 150
    assert 512 < wide < 700, wide


def test_verbose_thrice_and_long_run_verbosity(t):
    node = t.node('-vvv')
    assert node.c.set('a', 'x') == 'STORED'
    assert node.c.command('verbosity 0') == 'OK'
    assert node.c.get('a') == b'x'


def test_listen_binds_the_replication_port_too(t):
    port, repl_port = free_port(), free_port()
    node = t.node('-X', repl_port, port=port)
    node.await_state('alone')

    def listening():
        lines = t.run('ss', '-Hltnp').stdout.splitlines()
        return {line.split()[3] for line in lines
                if f'pid={node.pid},' in line}
    expected = {f'127.0.0.1:{port}', f'127.0.0.1:{repl_port}'}
    wait_for('both ports', lambda: len(listening()) >= 2)
    assert listening() == expected, listening()


def test_without_listen_all_addresses_are_served(t):
    port = free_port()
    process = Process([t.binary, *user_words(), '-p', port],
                      t.path('all.log'))
    t.processes.append(('all', process))
    for address in ('127.0.0.1', '::1'):
        wait_for(f'{address} to answer', lambda: Client(
            address, port).command('version').startswith('VERSION'))
    out = t.run('ss', '-Hltnp').stdout
    ours = {line.split()[3] for line in out.splitlines()
            if f'pid={process.pid},' in line}
    assert ours == {f'0.0.0.0:{port}', f'[::]:{port}'}, (
        f'a node without -x and -X listens on {ours}')


def test_a_port_in_use_is_told(t):
    first = t.node(name='first')
    done = without_user(t, *user_words(), '-l', '127.0.0.1', '-p', first.port)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert str(first.port) in done.stderr
    assert 'in use' in done.stderr, done.stderr
    first.c.ask(b'get a\r\n', b'END\r\n')


def test_a_replication_port_held_by_another_program_is_told(t):
    with socket.socket() as holder:
        holder.bind(('127.0.0.1', 0))
        holder.listen()
        taken = holder.getsockname()[1]
        node = Node(t, 'node', ['-X', taken], port=free_port())
        node.start(answer=False)

        def told():
            return str(taken) in node.log()
        wait_for('the log to name the port', told)
        node.process.end_expected = True


def test_pid_file_is_written_and_removed(t):
    path = t.path('pid')
    port = free_port()
    done = without_user(t, *user_words(), '-l', '127.0.0.1', '-p', port,
                        '-d', '-P', path)
    assert done.returncode == 0, done
    client = wait_for('it to answer', lambda: Client('127.0.0.1', port))
    pid = int(client.stats()['pid'])
    with open(path) as file:
        assert file.read() == f'{pid}\n'
    assert not os.path.exists(path + '.tmp')
    os.kill(pid, signal.SIGTERM)
    wait_for('the pid file to be gone', lambda: not os.path.exists(path))


def test_a_daemon_leaves_its_terminal(t):
    port = free_port()
    done = without_user(t, *user_words(), '-l', '127.0.0.1', '-p', port, '-d')
    assert done.returncode == 0, done
    assert (done.stdout, done.stderr) == ('', '')
    client = wait_for('it to answer', lambda: Client('127.0.0.1', port))
    pid = int(client.stats()['pid'])
    assert pid in children(), 'its parent has not ended'
    assert os.getsid(pid) != os.getsid(0)
    assert os.readlink(f'/proc/{pid}/cwd') == '/'
    for fd in (0, 1, 2):
        assert os.readlink(f'/proc/{pid}/fd/{fd}') == '/dev/null'
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def started_daemon(t, *words):
    """Its pid; it is a child of ours, and to be ended."""
    path = t.path('daemon.pid')
    starter = Process([t.binary, *user_words(), '-l', '127.0.0.1', '-p', '-1',
                       '-d', '-P', path, *words], t.path('daemon.log'))
    assert starter.wait() == 0
    with open(path) as file:
        return int(file.read())


def end_daemon(pid):
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_daemon_for_core_files_stays_where_it_is(t):
    pid = started_daemon(t, '-r')
    assert os.readlink(f'/proc/{pid}/cwd') == os.getcwd()
    end_daemon(pid)


def test_a_verbose_daemon_keeps_its_output(t):
    pid = started_daemon(t, '-v')
    assert os.readlink(f'/proc/{pid}/fd/2') == t.path('daemon.log')
    end_daemon(pid)


def test_a_second_daemon_for_a_pid_file_is_warned_of_the_first(t):
    first = t.node('-P', t.path('pid'), name='first')
    second = t.node('-P', t.path('pid'), name='second')
    assert f'(running) pid: {first.pid}' in second.log()
    with open(t.path('pid')) as file:
        assert file.read() == f'{second.pid}\n'


def test_a_hangup_ends_nothing(t):
    node = t.node('-v')
    node.process.signal(signal.SIGHUP)
    wait_for('it to say so', lambda: 'SIGHUP' in node.log())
    assert node.c.set('a', 'x') == 'STORED'


def test_a_daemon_that_cannot_start_says_so_before_it_leaves(t):
    first = t.node(name='first')
    done = without_user(t, *user_words(), '-l', '127.0.0.1', '-p', first.port,
                        '-d')
    assert done.returncode != 0, 'the start-up script would think it runs'
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_root_must_name_a_user(t):
    if os.geteuid() != 0:
        return
    done = without_user(t, '-l', '127.0.0.1', '-p', free_port())
    assert done.returncode == 64
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert '-u' in done.stderr
    nobody = pwd.getpwnam('nobody')
    node = t.node('-u', 'nobody', '-X', free_port())
    assert status_field(node.pid, 'Uid').split() == [str(nobody.pw_uid)] * 4
    assert status_field(node.pid, 'Gid').split() == [str(nobody.pw_gid)] * 4
    assert node.c.set('a', 'x') == 'STORED'


def test_signals_end_it_with_status_0(t):
    for number in (signal.SIGTERM, signal.SIGINT):
        node = t.node(name=f'node{number}')
        node.process.end_expected = True
        node.process.signal(number)
        assert node.process.wait() == 0


def test_replication_options_in_every_spelling(t):
    shown = without_user(t, '-h').stdout
    longs = {short: re.search(rf'^\s*{short},? +(?:<\S+> +)?(--[a-z-]+)',
                              shown, re.M)[1]
             for short in ('-x', '-X', '-q')}
    port = free_port()
    node = t.node(f'{longs["-x"]}=127.0.0.1:{free_port()}',
                  f'{longs["-X"]}={port}', f'{longs["-q"]}=8192')
    node.await_state('alone')
    Client('127.0.0.1', port).close()
    stats = node.c.stats()
    for name in ('replication', 'repcached_version', 'repcached_qi_free'):
        assert name in stats, name

# SPDX-License-Identifier: BSD-3-Clause
"""Certificates, daemons that serve TLS, and clients that speak it."""

import ssl

from harness.client import Client, connect
from harness.node import Node
from harness.process import free_port


class Authority:
    """A CA of the test's own."""

    def __init__(self, test, name='ca'):
        self.test, self.name = test, name
        self.cert = self._path('pem')
        self.key = self._path('key')
        self._openssl('req', '-x509', *self._new_key(self.key), '-out',
                      self.cert, '-days', 2, '-subj', f'/CN={name}')

    def _path(self, end, name=None):
        return self.test.path(f'{self.name}-{name or "self"}.{end}')

    def _new_key(self, path):
        return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                '-nodes', '-keyout', path]

    def _openssl(self, *words):
        done = self.test.run('openssl', *words)
        assert done.returncode == 0, done

    def issue(self, name, days=2):
        """Paths of a certificate for `name` and of its key."""
        request, cert, key = (self._path(end, name)
                              for end in ('csr', 'pem', 'key'))
        extensions = self._path('ext', name)
        with open(extensions, 'w') as file:
            file.write('subjectAltName=DNS:localhost,IP:127.0.0.1\n')
        self._openssl('req', *self._new_key(key), '-out', request,
                      '-subj', f'/CN={name}')
        self._openssl('x509', '-req', '-in', request, '-CA', self.cert,
                      '-CAkey', self.key, '-CAcreateserial', '-out', cert,
                      '-days', days, '-extfile', extensions)
        return cert, key

    def context(self, identity=None):
        """For clients that trust this CA; identity: what issue() gave."""
        context = ssl.create_default_context(cafile=self.cert)
        # An end without a goodbye is to be seen.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        if identity is not None:
            context.load_cert_chain(*identity)
        return context


class TlsClient(Client):
    """As Client, over TLS."""

    def __init__(self, context, address, port, session=None):
        super().__init__(address, port)
        self.sock = context.wrap_socket(
            self.sock, server_hostname='localhost', session=session,
            suppress_ragged_eofs=False)

    def certificate(self):
        """Of the server, as text that tells it from others."""
        return ssl.DER_cert_to_PEM_cert(self.sock.getpeercert(True))


class TlsByHand:
    """A client that decides itself what its socket sends, and when."""

    def __init__(self, context, address, port):
        self.sock = connect(address, port)
        self.inbox, self.outbox = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inbox, self.outbox,
                                    server_hostname='localhost')

    def close(self):
        self.sock.close()

    def due(self):
        """Bytes that are to be sent."""
        return self.outbox.read()

    def do(self, step, *args, send=None):
        """A step of TLS, with as much talk as it takes."""
        send = send or self.sock.sendall
        while True:
            try:
                return step(*args)
            except ssl.SSLWantReadError:
                send(self.due())
                self.inbox.write(self.sock.recv(1 << 16))

    def shake(self, send=None):
        self.do(self.tls.do_handshake, send=send)

    def hello(self):
        """The first bytes of a client."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return self.due()

    def say_goodbye(self):
        """Only that: the server's own is not waited for."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass


class TlsNode(Node):
    """Serves TLS on tls_port; its own port stays without, for the harness.
    `modes` adds ports, each behind its prefix of -l: port['mtls']."""

    def __init__(self, test, authority, args=(), name='node', modes=(),
                 sub='', files=None):
        super().__init__(test, name, args)
        self.authority = authority
        if files is None:
            self.cert, self.key = authority.issue(name)
            files = f'ssl_chain_cert={self.cert},ssl_key={self.key}'
        self.sub = ','.join(filter(None, [files, sub]))
        self.tls_port = free_port()
        self.mode_port = {mode: free_port() for mode in modes}

    def argv(self):
        words = super().argv()
        at = words.index('-l') + 1
        words[at] = 'notls:' + words[at]
        words += ['-l', f'{self.address}:{self.tls_port}', '-Z', '-o',
                  self.sub]
        for mode, port in self.mode_port.items():
            words += ['-l', f'{mode}:{self.address}:{port}']
        return words

    def tls(self, context=None, mode=None, session=None):
        """A new connection with TLS."""
        port = self.mode_port[mode] if mode else self.tls_port
        return TlsClient(context or self.authority.context(), self.address,
                         port, session)

    def by_hand(self):
        return TlsByHand(self.authority.context(), self.address,
                         self.tls_port)

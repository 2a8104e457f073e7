"""A client of HTTP, plain or in TLS, that keeps every byte that TCP gave it: a capture can be compared with them."""

import socket
import ssl

from .client import parse

SECONDS = 300
PIECE = 1 << 18


def trusting(certificate, version=None, suites=None):
    """What a client of TLS goes by: it trusts one certificate alone, whatever its name."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    if version:
        context.minimum_version = context.maximum_version = version
    if suites:
        context.set_ciphers(suites)
    return context


class Plain:
    """A connection without TLS. `raw`: all bytes that TCP gave it."""

    port = 80

    def __init__(self, address, source=""):
        self.raw = bytearray()
        self.socket = socket.create_connection((address, self.port), SECONDS, (source, 0))
        self.local = self.socket.getsockname()
        self._left = b""

    def get(self, path, close=False):
        """(status, fields, body); with `close` to the connection's end, behind which nothing may come."""
        ending = "Connection: close\r\n" if close else ""
        self.write(f"GET {path} HTTP/1.1\r\nHost: first.example\r\n{ending}\r\n".encode())
        data, self._left = self._left, b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, rest = data.partition(b"\r\n\r\n")
        status, fields = parse(head)
        parts, length = [rest], len(rest)
        while length < int(fields["content-length"]):
            parts.append(self._more())
            length += len(parts[-1])
        body = b"".join(parts)
        if close:
            body += self.end()
        return status, fields, body

    def end(self):
        """What comes until the guest closes."""
        parts = []
        while part := self.read():
            parts.append(part)
        while self.take():
            pass
        self.socket.close()
        return b"".join(parts)

    def _more(self):
        part = self.read()
        if not part:
            raise ConnectionError("the guest closed in the middle of a response")
        return part

    def take(self):
        """Bytes that TCP gives, none at its end."""
        part = self.socket.recv(PIECE)
        self.raw += part
        return part

    def write(self, data):
        """Sends what HTTP has to say."""
        self.socket.sendall(data)

    def read(self):
        """What HTTP gets; nothing at the end."""
        return self.take()


class Secure(Plain):
    """A connection with TLS: what does not open by its key is an error."""

    port = 443

    def __init__(self, address, context, source="", name="first.example"):
        super().__init__(address, source)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=name)
        self._do(self.tls.do_handshake)

    def _do(self, action, *words):
        while True:
            try:
                done = action(*words)
            except ssl.SSLWantReadError:
                self._flush()
                self._in.write(part) if (part := self.take()) else self._in.write_eof()
            else:
                self._flush()
                return done

    def _flush(self):
        if self._out.pending:
            self.socket.sendall(self._out.read())

    def write(self, data):
        self._do(self.tls.write, data)

    def read(self):
        try:
            return self._do(self.tls.read, PIECE)
        except ssl.SSLZeroReturnError:
            return b""

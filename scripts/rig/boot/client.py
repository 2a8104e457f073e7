"""A plain HTTP client over sockets that knows its own port, so that a capture can be asked about it."""

import itertools
import socket

# Below the kernel's own choice of ports and nmap's: each is used once, so the capture is unambiguous.
PORTS = itertools.count(20000)


class Exchange:
    """One connection to the guest."""

    def __init__(self, address, seconds=20):
        self.port = next(PORTS)
        # Bytes of all heads so far, the empty line included.
        self.heads = 0
        self._socket = socket.socket()
        self._socket.settimeout(seconds)
        self._socket.bind(("", self.port))
        self._socket.connect((address, 80))

    def send(self, text):
        """Sends a request or part of one."""
        self._socket.sendall(text.encode())
        return self

    def response(self):
        """One response with a Content-Length: (status, headers, body)."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        self.heads += len(head) + 4
        status, headers = parse(head)
        while len(body) < int(headers.get("content-length", 0)):
            body += self._more()
        return status, headers, body

    def body(self):
        """The parts of a 200's body, as they come, until the guest closes."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, part = data.partition(b"\r\n\r\n")
        if parse(head)[0] != 200:
            raise ConnectionError(f"another status: {head}")
        while part:
            yield part
            part = self._socket.recv(65536)

    def rest(self):
        """All bytes until the guest closes."""
        data = b""
        while part := self._socket.recv(65536):
            data += part
        return data

    def _more(self):
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionError("the guest closed in the middle of a response")
        return part

    def close(self):
        """Closes our side."""
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def parse(head):
    """(status, headers with lower-case names) of a response's head."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


def get(address, path, *headers, method="GET"):
    """One request on a connection of its own, which the guest closes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", "Connection: close", *headers]
    with Exchange(address) as exchange:
        head, _, body = exchange.send("\r\n".join(lines) + "\r\n\r\n").rest().partition(b"\r\n\r\n")
    status, fields = parse(head)
    return status, fields, body

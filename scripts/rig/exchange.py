"""One HTTP request as raw bytes, and the response read as RFC 9112 says."""

import re
import socket
from dataclasses import dataclass, field

SECONDS = 10
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n]*")
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FOLLOWER = b"HEAD / HTTP/1.1\r\nHost: follower\r\nConnection: close\r\n\r\n"


@dataclass
class Response:
    """What came back. `fields` has names in lower case; `stays` says whether the connection took another request."""

    status: int
    fields: dict = field(default_factory=dict)
    body: bytes = b""
    stays: bool = False


class Malformed(Exception):
    """What came back is no response."""


class Reader:
    """Bytes of a connection."""

    def __init__(self, connection):
        self._connection = connection
        self._bytes = b""

    def _more(self):
        try:
            more = self._connection.recv(65_536)
        except ConnectionResetError:
            more = b""
        self._bytes += more
        return bool(more)

    def until(self, end):
        """The bytes up to and with `end`; none where the connection ended before the first."""
        while end not in self._bytes:
            if not self._more():
                if self._bytes:
                    raise Malformed(f"cut off: {self._bytes[:200]!r}")
                return b""
        taken, _, self._bytes = self._bytes.partition(end)
        return taken + end

    def exactly(self, count):
        """So many bytes."""
        while len(self._bytes) < count:
            if not self._more():
                raise Malformed(f"{len(self._bytes)} of {count} bytes of the body")
        taken, self._bytes = self._bytes[:count], self._bytes[count:]
        return taken

    def rest(self):
        """All bytes up to the end of the connection."""
        while self._more():
            pass
        taken, self._bytes = self._bytes, b""
        return taken


def read(reader, method):
    """A response to this method; None where the connection ended instead."""
    head = reader.until(b"\r\n\r\n")
    if not head:
        return None
    line, *lines = head[:-4].split(b"\r\n")
    match = STATUS.fullmatch(line)
    if not match:
        raise Malformed(f"status line {line!r}")
    response = Response(int(match[1]))
    for text in lines:
        name, colon, value = text.partition(b":")
        if not colon or not NAME.fullmatch(name):
            raise Malformed(f"field line {text!r}")
        key = name.decode().lower()
        if key in ("content-length", "date") and key in response.fields:
            raise Malformed(f"{key} twice")
        response.fields[key] = value.strip().decode("latin-1")
    if response.status < 200:
        return read(reader, method)
    if method != b"HEAD" and response.status not in (204, 304):
        length = response.fields.get("content-length")
        chunked = "transfer-encoding" in response.fields
        response.body = chunks(reader) if chunked else reader.rest() if length is None else reader.exactly(int(length))
    return response


def chunks(reader):
    """A chunked body."""
    body = b""
    while size := int(reader.until(b"\r\n"), 16):
        body += reader.exactly(size)
        reader.exactly(2)
    while reader.until(b"\r\n") != b"\r\n":
        pass
    return body


def ask(address, request):
    """Sends a request, and one more behind it that only a connection which stays answers."""
    with socket.create_connection(address, timeout=SECONDS) as connection:
        reader = Reader(connection)
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass
        response = read(reader, request.split(b" ", 1)[0])
        if response is None:
            return Response(0)
        try:
            connection.sendall(FOLLOWER)
            response.stays = read(reader, b"HEAD") is not None
        except (BrokenPipeError, ConnectionResetError, Malformed):
            response.stays = False
        return response

"""The honest client: it fetches pages throughout an attack, and every one has to come.

A process of its own, so that the attack does not share its time. Each round is a fetch on a fresh connection and one on
a connection that it keeps. Nothing is tried twice but by TCP itself.
"""

import hashlib
import multiprocessing
import socket
import statistics
import time

SECONDS = 30
PAUSE = 0.05

FRESH = "GET {} HTTP/1.1\r\nHost: honest\r\nConnection: close\r\n\r\n"
KEPT = "GET {} HTTP/1.1\r\nHost: honest\r\n\r\n"


class Told:
    """What the client has to tell: seconds of each fetch, how often the connection that it keeps was closed between two
    fetches, and what went wrong."""

    def __init__(self, fresh, kept, reopened, wrong):
        self.fresh, self.kept, self.reopened, self.wrong = fresh, kept, reopened, wrong

    def __str__(self):
        again = f", opened again {self.reopened} times" if self.reopened else ""
        return f"fresh {summary(self.fresh)}; kept {summary(self.kept)}{again}"


def summary(seconds):
    """Number, median and maximum, in milliseconds."""
    if not seconds:
        return "none"
    return f"{len(seconds)}: {statistics.median(seconds) * 1e3:.1f} ms, at most {max(seconds) * 1e3:.0f} ms"


class Honest:
    """The client beside a block of code."""

    def __init__(self, address, pages):
        self._pages = [(path, hashlib.sha256(body).digest()) for path, body in pages.items()]
        self._address = address
        self._ours, theirs = multiprocessing.Pipe()
        self._child = multiprocessing.Process(target=self._run, args=(theirs,), daemon=True)
        self.port = None

    def __enter__(self):
        self._child.start()
        self.port = self._ours.recv()
        return self

    def __exit__(self, *_):
        if self._child.is_alive():
            self._child.terminate()
        self._child.join()

    def end(self):
        """Ends it after the round in which it is; gives what it has to tell."""
        try:
            self._ours.send("end")
        except BrokenPipeError:
            # It has ended by itself, and told why.
            pass
        if not self._ours.poll(4 * SECONDS):
            return Told([], [], 0, ["it told nothing"])
        return Told(*self._ours.recv())

    def _run(self, pipe):
        fresh, kept, reopened, wrong = [], [], 0, []
        connection = None
        try:
            connection = self._connect()
            pipe.send(connection.getsockname()[1])
        except OSError as error:
            wrong.append(f"no connection: {error}")
            pipe.send(0)
        number = 0
        while not wrong and not pipe.poll():
            path, digest = self._pages[number % len(self._pages)]
            number += 1
            began = time.monotonic()
            try:
                found = None
                try:
                    found = fetch(connection, KEPT.format(path))
                except ClosedBefore:
                    # As a browser does: a server may close what is idle.
                    reopened += 1
                    connection = self._connect()
                    found = fetch(connection, KEPT.format(path))
                kept.append(time.monotonic() - began)
                began = time.monotonic()
                with self._connect() as once:
                    again = fetch(once, FRESH.format(path))
                fresh.append(time.monotonic() - began)
                if found != digest or again != digest:
                    wrong.append(f"{path}: another body")
            except (OSError, ValueError) as error:
                wrong.append(f"{path} after {time.monotonic() - began:.1f} s: {error!r}")
            time.sleep(PAUSE)
        pipe.send((fresh, kept, reopened, wrong))

    def _connect(self):
        return socket.create_connection((self._address, 80), timeout=SECONDS)


class ClosedBefore(ConnectionError):
    """The connection was closed before the request was sent, or before any of it was answered."""


def fetch(connection, request):
    """The digest of a body."""
    data = b""
    try:
        connection.sendall(request.encode())
        data = connection.recv(65536)
    except (ConnectionResetError, BrokenPipeError):
        pass
    if not data:
        raise ClosedBefore("closed before the response")
    while b"\r\n\r\n" not in data:
        data += more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if " 200 " not in lines[0]:
        raise ValueError(lines[0])
    length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
    while len(body) < length:
        body += more(connection)
    return hashlib.sha256(body).digest()


def more(connection):
    """The next bytes, which have to be there."""
    part = connection.recv(65536)
    if not part:
        raise ConnectionError("closed in the middle")
    return part

"""Every way in which we close a connection shows our FIN, and no frame of ours has a wrong checksum."""

import socket

from ..capture import examine
from ..checks import require
from ..segment import ADDRESS
from .client import Exchange

EACH = 20
IDLE_SECONDS = 150

KEPT = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
WAYS = {
    "Connection: close": "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
    "400": "no request at all\r\n\r\n",
}


class Closings:
    """The client ports of connections that the guest had to close, by the way in which."""

    def __init__(self, stage):
        self._stage = stage
        self._ports = {}
        self._open = []

    def at_once(self):
        """The ways that follow from the request."""
        for way, request in WAYS.items():
            with self._stage.check(f"closes {EACH} connections after {way}"):
                self._ports[way] = []
                for _ in range(EACH):
                    with Exchange(self._stage.address) as exchange:
                        answer = exchange.send(request).rest()
                    require(answer.startswith(b"HTTP/1."), f"answered {answer[:40]!r}")
                    require((b" 400 " in answer[:16]) == (way == "400"), f"answered {answer[:40]!r}")
                    self._ports[way].append(exchange.port)

    def begin_idle(self):
        """Opens connections that say nothing more after their first response."""
        self._kept("idle time-out", IDLE_SECONDS)

    def end_idle(self):
        """Waits until the guest has had enough of them."""
        with self._stage.check(f"closes {EACH} idle connections"):
            self._await_end()

    def before_shutdown(self):
        """Opens connections that the shutdown will close."""
        self._kept("shutdown", 30)

    def after_shutdown(self):
        """They have ended."""
        with self._stage.check(f"the shutdown closed {EACH} open connections"):
            self._await_end()

    def _kept(self, way, seconds):
        self._open = [Exchange(self._stage.address, seconds) for _ in range(EACH)]
        self._ports[way] = [exchange.port for exchange in self._open]
        for exchange in self._open:
            require(exchange.send(KEPT).response()[0] == 200, "another status")

    def _await_end(self):
        for exchange in self._open:
            require(exchange.rest() == b"", "bytes nobody asked for")
            exchange.close()

    def judge(self, capture):
        """Reads the capture, after all."""
        with self._stage.check("the capture reads"):
            found = examine(capture, self._stage.mac)
            require(found.packets > 1000, f"it has only {found.packets} packets of the guest")
        client = socket.inet_aton(ADDRESS)
        for way in (*WAYS, "idle time-out", "shutdown"):
            with self._stage.check(f"our FIN came first in {EACH} connections: {way}"):
                ports = self._ports.get(way, [])
                fins = sum(found.fins[client, port] > 0 for port in ports)
                require(fins >= EACH, f"{fins} of {len(ports)} connections show it")
        with self._stage.check("no frame of ours has a wrong checksum or length"):
            require(not found.wrong, f"{len(found.wrong)} of {found.packets}, the first: {found.wrong[:3]}")

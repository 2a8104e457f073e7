"""MSA00 over TLS: no byte of one connection goes out on another, though frames are lost, sent again and answered late.

Two clients with TLS and one without ask at once, each for a page of its own. What the guest sends stays in dom0's queue
for a while, so that the pages it lies in are free for TCP long before the backend is done with them, or the other way
round. A capture outside of QEMU's network card has every frame, those that no client saw too: of each connection it must
be what its client got, byte for byte, and what a client with TLS got was opened by its key.
"""

import contextlib
import itertools
import random
import shutil
import ssl
import subprocess
import threading
import time

from collections import Counter

from ..capture import ACK, SYN, Packet, frames
from ..checks import require
from ..segment import ADDRESS, TAP
from .counting import shown, whole
from .tls_client import Plain, Secure, trusting
from .tls_ramdisk import start, tar

# Little, so that pages of records come into use again soon.
MEMORY = 16
SIZE = 300_000
# Each line of a page begins so: a byte of it in clear is found on the wire.
MARK = "the page of {:<6} only: "
WIDTH = 96

LOSSY, PLAIN = "192.0.2.3", "192.0.2.4"
LOSS = 3
# What leaves dom0 waits so long, give or take, and overtakes.
LATE = "delay 40ms 35ms limit 100000"
SHORT, FULL = 2, 100
# Requests on each connection.
KEPT = 2
SECONDS = 900

RULES = """
table ip foreign {{
    chain out {{ type filter hook output priority 0; ip saddr {0} numgen random mod 100 < {1} drop; }}
    chain in {{ type filter hook input priority 0; ip daddr {0} numgen random mod 100 < {1} drop; }}
}}
"""


def mark(name):
    """What begins each line of a page."""
    return MARK.format(name).encode()


def page(name):
    """A page that says in every line whose it is."""
    numbers = random.Random(name)
    width = WIDTH - len(mark(name)) - 1
    lines = (mark(name) + numbers.randbytes(width // 2).hex().encode().ljust(width, b".") for _ in itertools.count())
    return b"".join(line + b"\n" for line, _ in zip(lines, range(SIZE // WIDTH), strict=False))


def site(folder, pages):
    """A folder with the pages."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>foreign</title>\n")
    for name, body in pages.items():
        (folder / f"{name}.bin").write_bytes(body)
    return folder


class Client(threading.Thread):
    """Asks for one page again and again, on connections that it keeps for some requests."""

    def __init__(self, name, body, connect, times):
        super().__init__(daemon=True)
        self.name = name
        self.bytes = 0
        self.failure = None
        # What TCP gave it: {(its address, its port, the guest's): bytes of each connection, since ports come again}.
        self.streams = {}
        self._body, self._connect, self._times = body, connect, times
        self.start()

    def run(self):
        try:
            for _ in range(self._times):
                connection = self._connect()
                self.streams.setdefault((*connection.local, connection.port), []).append(connection.raw)
                for number in range(KEPT):
                    status, _, body = connection.get(f"/{self.name}.bin", close=number == KEPT - 1)
                    require((status, body == self._body) == (200, True), f"status {status}, {len(body)} other bytes")
                    self.bytes += len(body)
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failure = error


class Wire:
    """What a capture has of the connections, beside what their clients got.

    strange: the first bytes that are no part of their connection; clear: the first that are in clear though they should
    not be; wrong: the first wrong checksums. counted: frames and bytes of the guest, of them those sent before.
    """

    MOST = 5

    def __init__(self, mac, clients):
        self.counted = Counter()
        self.strange, self.clear, self.wrong = [], [], []
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._streams = {
            key: list(map(bytes, raws)) for client in clients for key, raws in client.streams.items()
        }
        # Without TLS a page may be read, but only there.
        self._marks = {443: [mark(client.name) for client in clients]}
        self._marks[80] = [found for found in self._marks[443] if found != mark("plain")]
        # Of the connection that an address and a port have now: its first sequence number, what it is to carry, what of that was
        # seen.
        self._now = {}

    def read(self, path, begin):
        """Reads the capture from a size on that it once had."""
        for seconds, frame in frames(path, begin):
            if len(frame) >= 54 and frame[6:14] == self._mac + b"\x08\x00":
                self._take(seconds, Packet(frame))
        return self

    def _take(self, seconds, packet):
        if packet.wrong:
            self._note("wrong", self.wrong, (seconds, packet.wrong))
        if not hasattr(packet, "payload") or packet.ports[0] not in self._marks:
            return
        key = (".".join(map(str, packet.destination)), packet.ports[1], packet.ports[0])
        if packet.flags & (SYN | ACK) == SYN | ACK:
            self._begins(key, (packet.sequence + 1) % (1 << 32))
        payload = packet.payload
        if not payload:
            return
        first, stream, seen = self._now.get(key, (0, b"", bytearray()))
        at = (packet.sequence - first) % (1 << 32)
        part = slice(at, at + len(payload))
        if stream[part] == payload:
            self.counted.update(frames=1, bytes=len(payload), again=any(seen[part]))
            seen[part] = b"\1" * len(payload)
        else:
            self._note("strange", self.strange, (seconds, key, at, payload[:48]))
        if any(found in payload for found in self._marks[packet.ports[0]]):
            self._note("clear", self.clear, (seconds, key, at, payload[:48]))

    def _begins(self, key, first):
        """A SYN that is not sent again begins the next of the connections that have had this address and port."""
        if key not in self._now or self._now[key][0] != first:
            streams = self._streams.get(key, [])
            stream = streams.pop(0) if streams else b""
            self._now[key] = (first, stream, bytearray(len(stream)))

    def _note(self, name, first, what):
        self.counted[name] += 1
        if len(first) < self.MOST:
            first.append(what)


@contextlib.contextmanager
def troubled(stage):
    """While entered, one client's link loses frames, and what leaves dom0 is late."""
    for address in (LOSSY, PLAIN):
        subprocess.run(["ip", "addr", "replace", f"{address}/24", "dev", TAP], check=True)
    subprocess.run(["nft", "-f", "-"], input=RULES.format(LOSSY, LOSS), text=True, check=True)
    stage.machine.check(f"tc qdisc add dev eth0 root netem {LATE}")
    try:
        yield
    finally:
        stage.machine.check("tc qdisc del dev eth0 root")
        subprocess.run(["nft", "delete", "table", "ip", "foreign"], check=True)


def clients(stage, pair, pages, times):
    """Two with TLS, of different versions and ciphers, the second where frames are lost, and one without."""
    newest = trusting(pair[0])
    older = trusting(pair[0], ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305")
    ways = {
        "left": lambda: Secure(stage.address, newest, ADDRESS),
        "right": lambda: Secure(stage.address, older, LOSSY),
        "plain": lambda: Plain(stage.address, PLAIN),
    }
    return [Client(name, pages[name], connect, times) for name, connect in ways.items()]


def under_way(stage, asking):
    """Frames that wait for their response, at most, while somebody asks."""
    most = 0
    deadline = time.monotonic() + SECONDS
    while any(client.is_alive() for client in asking):
        require(time.monotonic() < deadline, f"after {SECONDS} s: {[client.bytes for client in asking]} bytes")
        most = max(most, int(shown(stage)[1]["ring"]["tx_in_flight"]))
        time.sleep(0.5)
    return most


def at_rest(stage):
    """The tables once no frame waits for its response."""
    deadline = time.monotonic() + SECONDS
    while (tables := shown(stage)[1])["ring"]["tx_in_flight"] != "0":
        require(time.monotonic() < deadline, f"it does not come to rest: {tables}")
    return tables


def none_goes_out(stage, config, pair, full):
    """All of it."""
    pages = {name: page(name) for name in ("left", "right", "plain")}
    with stage.check("https: a ramdisk brings the certificate; three clients to be kept apart"):
        content = site(stage.folder / "foreign-site", pages)
        start(stage, config, tar(stage.folder / "foreign.tar", content, {"": pair}), memory=MEMORY)
        require(f"listening on https://{stage.address}/" in stage.domain.said(), "it does not listen")
    if not stage.address:
        return
    apart(stage, pair, pages, FULL if full else SHORT)
    stage.destroy()


def apart(stage, pair, pages, times):
    """What they get, and what is on the wire."""
    asking, before, began = [], None, 0
    with stage.check(f"https: two clients with TLS and one without, {LOSS} % lost, responses late: all is as it was sent"):
        before, began = at_rest(stage), stage.capture.stat().st_size
        with troubled(stage):
            asking = clients(stage, pair, pages, times)
            most = under_way(stage, asking)
        failures = {client.name: client.failure for client in asking if client.failure}
        require(not failures, f"{failures}")
        got = {client.name: client.bytes for client in asking}
        print(f"figure https: {got} bytes; {most} frames at once without a response", flush=True)
        require(most > 0, "no frame ever waited for its response")
    with stage.check("https: no byte of one connection is on the wire in another, sent again or not"):
        wire = Wire(stage.mac, asking).read(stage.capture, began)
        print(f"figure https: the capture has {dict(wire.counted)}", flush=True)
        require(wire.counted["again"] > 0, "nothing was sent again")
        got = sum(len(raw) for client in asking for raws in client.streams.values() for raw in raws)
        require(wire.counted["bytes"] > got, f"it has less than the {got} bytes that they got")
        for what, found in (("foreign", wire.strange), ("in clear", wire.clear), ("with a wrong checksum", wire.wrong)):
            require(not found, f"{dict(wire.counted)}, {what}: {found}")
    with stage.check("https: no page and no grant is lost by it"):
        whole(before, at_rest(stage))

"""Long load: two clients at once, one of them behind a lossy link; then many connections one after another; and what
the guest has of its memory and grants when all is over."""

import hashlib
import itertools
import random
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ..checks import require
from ..segment import ADDRESS, TAP
from ..streams import Streams
from .client import parse
from .counting import shown

# Both clients are in the test's namespace; what the second one sends and gets is lost by the host, on either way.
LOSSY = "192.0.2.3"
LOSS = 2
# So many ports that none is used again while the guest or the host remembers it.
OTHERS = [f"192.0.2.{number}" for number in range(10, 20)]

CONNECTIONS = 64
# More than are open at any time later, those that still wait for a last ACK included: tables keep the room that their
# fullest moment took.
CROWD = 300
FILES, SIZE = 8, 1 << 20
MEMORY = 32
SECONDS = 300
# What ends by itself, such as the last retransmissions of a connection, takes its time.
REST_SECONDS = 180

# What the heap keeps for its fullest moment, which is chance, of the warm-up as of the load: its region never shrinks.
STEP = 65_536
KEPT = (("memory", "free_pages"), ("heap", "peak"), ("heap", "size"))

RULES = """
table ip soak {{
    chain out {{ type filter hook output priority 0; ip saddr {0} tcp dport 80 numgen random mod 100 < {1} drop; }}
    chain in {{ type filter hook input priority 0; ip daddr {0} tcp sport 80 numgen random mod 100 < {1} drop; }}
}}
"""


def site(folder):
    """Files of odd lengths, of which no two have a run of bytes in common."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>soak</title>\n", encoding="utf-8")
    for number in range(FILES):
        (folder / f"{number}.bin").write_bytes(random.Random(number).randbytes(SIZE + 4099 * number))
    return folder


class Load:
    """The clients, and what they found."""

    def __init__(self, stage, folder):
        self._stage = stage
        self.files = {f"/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
        self._digests = {name: hashlib.sha256(body).digest() for name, body in self.files.items()}
        self._large = [name for name in self.files if name.endswith(".bin")]
        for address in (LOSSY, *OTHERS):
            subprocess.run(["ip", "addr", "replace", f"{address}/24", "dev", TAP], check=True)
        subprocess.run(["nft", "-f", "-"], input=RULES.format(LOSSY, LOSS), text=True, check=True)

    def close(self):
        """Loses nothing any more."""
        subprocess.run(["nft", "delete", "table", "ip", "soak"], check=False)

    def get(self, source, name):
        """One page on a connection of its own, which the client closes; the length of its body, which must be right."""
        with socket.socket() as link:
            link.settimeout(SECONDS)
            link.bind((source, 0))
            link.connect((self._stage.address, 80))
            link.sendall(f"GET {name} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())
            data = b""
            while b"\r\n\r\n" not in data:
                part = link.recv(65536)
                require(part, f"{name}: no head")
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            status, headers = parse(head)
            left = int(headers["content-length"]) - len(body)
            digest = hashlib.sha256(body)
            while left > 0:
                part = link.recv(1 << 18)
                require(part, f"{name}: {left} bytes are missing")
                digest.update(part)
                left -= len(part)
        require((status, left) == (200, 0), f"{name}: status {status}, {-left} bytes too many")
        require(digest.digest() == self._digests[name], f"{name}: another digest")
        return len(self.files[name])

    def crowd(self, count):
        """So many connections that are all in the midst of a response, then end without having read it."""
        links = []
        try:
            for _ in range(count):
                links.append(socket.create_connection((self._stage.address, 80), SECONDS, (ADDRESS, 0)))
                links[-1].sendall(f"GET {self._large[0]} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())
            for link in links:
                require(link.recv(1), "a connection of the crowd got nothing")
        finally:
            for link in links:
                link.close()

    def at_once(self, total, seed):
        """So many bytes, half of the connections of each client; gives back the bytes each client had."""
        had = {ADDRESS: 0, LOSSY: 0}
        counting = threading.Lock()

        def work(number):
            source = (ADDRESS, LOSSY)[number % 2]
            names = random.Random(seed * 1000 + number)
            while sum(had.values()) < total:
                length = self.get(source, names.choice(self._large))
                with counting:
                    had[source] += length

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for done in [pool.submit(work, number) for number in range(CONNECTIONS)]:
                done.result()
        return had

    def in_a_row(self, count):
        """So many connections, one after another."""
        for source, _ in zip(itertools.cycle(OTHERS), range(count), strict=False):
            self.get(source, "/index.html")


def at_rest(stage):
    """What is left when nobody is connected: the tables, once they hold no connection."""
    deadline = time.monotonic() + REST_SECONDS
    while True:
        # The first look wakes the guest, which then takes what the backend has finished.
        shown(stage)
        counters, tables = shown(stage)
        busy = [tables["connections"][field] for field in ("half_open", "established", "time_wait")]
        busy.append(tables["ring"]["tx_in_flight"])
        if busy == ["0"] * 4:
            return counters, {(table, field): tables[table][field] for table in tables for field in tables[table]}
        require(time.monotonic() < deadline, f"it does not come to rest: {tables}")
        time.sleep(1)


def rate(done, began):
    """So many a second."""
    return done / (time.monotonic() - began)


def loaded(stage, load, total, in_a_row):
    """All of it."""
    before = None
    with stage.check("soak: the guest is warm, and at rest"):
        # Each page of the site is granted, each table has been used by more connections than will come.
        load.crowd(CROWD)
        load.at_once(CONNECTIONS * SIZE, 0)
        load.in_a_row(100)
        before = at_rest(stage)[1]
    if before is None:
        return
    began = time.monotonic()
    lossy = f"half of them with {LOSS} % lost both ways"
    with stage.check(f"soak: {total / 1e9:.2f} GB at {CONNECTIONS} connections, {lossy}"):
        had = load.at_once(total, 1)
        print(f"figure soak: {rate(sum(had.values()), began) / 1e6:.1f} MB/s, {had}", flush=True)
        require(all(had.values()) and sum(had.values()) >= total, f"it had {had}")
    began = time.monotonic()
    with stage.check(f"soak: {in_a_row:,} connections one after another"):
        load.in_a_row(in_a_row)
        print(f"figure soak: {rate(in_a_row, began):.0f} connections a second", flush=True)
    with stage.check("soak: memory, grants and rings are at the end what they were at the start"):
        counters, after = at_rest(stage)
        moved = {key: (value, after[key]) for key, value in before.items() if after[key] != value and key not in KEPT}
        require(not moved, f"before and after: {moved}")
        free, peak, size = ((int(before[key]), int(after[key])) for key in KEPT)
        print(f"figure soak: the heap gives out {after['heap', 'bytes']} bytes, as before; its fullest moment had", end=" ")
        print(f"{peak[0]}, then {peak[1]}, its region {size[0]}, then {size[1]}", flush=True)
        # Whatever is no longer free is the heap's, and it has no more than its fullest moment took, and a third of that
        # (what the stack's budgets reckon with: `Limits::for_guest`), in steps of the region.
        require((free[0] - free[1]) * 4096 == size[1] - size[0], f"pages: {free}, the heap's bytes: {size}")
        require(size[1] <= peak[1] // 3 * 4 + STEP, f"the heap's region has {size[1]} bytes for {peak[1]}")
        odd = {name: counters[name] for name in ("net_lies", "net_rx_quarantined", "static_grant_not_held",
                                                 "net_tx_backend_error") if counters.get(name)}  # fmt: skip
        require(not odd, f"it counted {odd}")


def judged(stage, streams, total):
    """What the capture shows of all that."""
    with stage.check("soak: no frame of ours has a wrong checksum, and none a foreign byte"):
        counted = streams.counted
        print(f"figure soak: the capture has {dict(counted)}", flush=True)
        require(counted["bytes"] >= total, f"it has {counted}")
        require(not counted["wrong"], f"{counted['wrong']} wrong, the first: {streams.wrong[:2]}")
        require(not counted["foreign"], f"{counted['foreign']} foreign, the first: {streams.foreign[:2]}")


SHORT_BYTES, SHORT_IN_A_ROW = 200_000_000, 2000


def short(stage, folder):
    """What CI has time for."""
    began = stage.capture.stat().st_size
    load = Load(stage, folder)
    try:
        loaded(stage, load, SHORT_BYTES, SHORT_IN_A_ROW)
    finally:
        load.close()
    judged(stage, Streams(stage.mac, load.files).read(stage.capture, began), SHORT_BYTES)

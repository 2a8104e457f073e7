"""A guest that is saved, restored, migrated, or called back, while somebody downloads from it."""

import email.utils
import hashlib
import random
import shlex
import socket
import struct
import threading
import time

from ..capture import ACK, SYN, TCP, frames
from ..checks import require
from .client import Exchange, get
from .counting import shown, whole

LENGTH = 50_000_000
PAGE = "long.bin"
# The guest, with the page in its image.
MEMORY = 96
# In dom0's memory.
FILE = "/tmp/saved"
SECONDS = 240
# So slowly goes a download that something is to happen to, in bytes a second, once so much of it is there.
PACE = 750_000
BEGUN = 3_000_000
# The first port of those whose connections' numbers are compared.
PORT = 19_000


def site(folder):
    """Adds the long page to a site."""
    (folder / PAGE).write_bytes(content())
    return folder


def content():
    """The long page."""
    return random.Random(2).randbytes(LENGTH)


class Download(threading.Thread):
    """The long page on its way, slowly until `hurry`."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.received = 0
        self._digest = hashlib.sha256()
        self._failure = None
        self._hurry = threading.Event()
        self._exchange = Exchange(address, SECONDS)
        self.start()

    def run(self):
        try:
            self._exchange.send(f"GET /{PAGE} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            for part in self._exchange.body():
                self._digest.update(part)
                self.received += len(part)
                if self.received > BEGUN:
                    self._hurry.wait(len(part) / PACE)
        except OSError as error:
            self._failure = error

    def begun(self, at=BEGUN):
        """Waits until so much is there."""
        deadline = time.monotonic() + SECONDS
        while self.received < at:
            require(self.is_alive(), f"the download ended at {self.received} bytes: {self._failure}")
            require(time.monotonic() < deadline, f"{self.received} bytes in {SECONDS} s")
            time.sleep(0.02)
        return self

    def whole(self):
        """Waits for the rest, which has to be there and right."""
        require(self.received < LENGTH, "it was over before it was to be disturbed")
        self._hurry.set()
        self.join(SECONDS)
        require(not self.is_alive(), f"only {self.received} bytes are there")
        require(self._failure is None, f"it ended at {self.received} bytes: {self._failure}")
        require(self.received == LENGTH, f"{self.received} bytes are there")
        require(self._digest.digest() == hashlib.sha256(content()).digest(), "the digest differs")


def save(stage, *words):
    """xl save."""
    name = stage.domain.name
    return stage.machine.check(f"rm -f {FILE}; xl save {' '.join(words)} {name} {FILE}", SECONDS)


def restore(stage):
    """xl restore."""
    stage.machine.check(f"xl restore {FILE}", SECONDS)


def announcements(stage):
    """How often the guest has announced its address (RFC 5227 section 2.3)."""
    address = socket.inet_aton(stage.address)
    mac = bytes.fromhex(stage.mac.replace(":", ""))
    return sum(
        frame[6:14] == mac + b"\x08\x06" and frame[28:32] == address == frame[38:42]
        for _, frame in frames(stage.capture)
    )


def calm(stage):
    """No warning since the last mark."""
    odd = [line for line in stage.domain.said().splitlines() if "] WARN " in line or "] ERROR" in line]
    require(not odd, f"the console says {odd[:3]}")


def in_order(stage):
    """The console's times since the last mark do not go back, and the time of day is right."""
    times = [float(line[1:11]) for line in stage.domain.said().splitlines() if line.startswith("[")]
    require(times == sorted(times), f"the console's times are {times}")
    before = int(stage.machine.check("date +%s"))
    told = email.utils.parsedate_to_datetime(get(stage.address, "/")[1]["date"]).timestamp()
    after = int(stage.machine.check("date +%s"))
    require(before - 1 <= told <= after + 1, f"it is {told} between {before} and {after}")


def restored(stage):
    """xl save and xl restore."""
    with stage.check("a download of 50 MB goes on across xl save and xl restore, digest right"):
        number, announced = stage.domid(), announcements(stage)
        stage.domain.mark()
        download = Download(stage.address).begun()
        save(stage)
        require(not stage.domain.alive(), "the guest is still there")
        restore(stage)
        stage.domain.expect(r"\] INFO  suspend: Restored\n", SECONDS)
        download.whole()
        require(stage.domid() != number, "it is the same domain")
    with stage.check("after it: no warning, time in order, address announced, store and counters there"):
        calm(stage)
        in_order(stage)
        require(announcements(stage) > announced, "no announcement of the address")
        found = stage.store("data/address"), stage.store("data/state")
        require(found == (stage.address, "listening"), f"the store has {found}")
        require(int(stage.store("data/counters/http_requests")) > 0, "the store has no counters")


def goes_on(stage):
    """What the guest says when the domain goes on that it is. Xen 4.14's toolstack tells it nothing of that, as after a restore."""
    return rf"\] INFO  suspend: {'Restored' if stage.machine.dom0.suite.xen == '4.14' else 'Cancelled'}\n"


def checkpointed(stage):
    """xl save -c."""
    with stage.check("a download goes on across xl save -c, as the same domain"):
        number, before = stage.domid(), shown(stage)[1]
        stage.domain.mark()
        download = Download(stage.address).begun()
        save(stage, "-c")
        stage.domain.expect(goes_on(stage), SECONDS)
        download.whole()
        require(stage.domid() == number, "it is another domain")
        whole(before, shown(stage)[1])
        calm(stage)
        in_order(stage)


def cancelled(stage):
    """A save that fails when the guest has stopped already: there is no room for the file."""
    with stage.check("a download goes on across a save that fails"):
        stage.domain.mark()
        download = Download(stage.address).begun()
        line = f"trap '' XFSZ; ulimit -f 8192; rm -f {FILE}; xl save {stage.domain.name} {FILE}"
        command = stage.machine.run(f"bash -c {shlex.quote(line)}", SECONDS)
        require(command.status != 0, f"xl save had room enough: {command.output}")
        stage.domain.expect(goes_on(stage), SECONDS)
        download.whole()
        calm(stage)


def migrated(stage):
    """xl migrate, to the same host."""
    with stage.check("a download goes on across xl migrate to the same host"):
        number, announced = stage.domid(), announcements(stage)
        download = Download(stage.address).begun()
        command = stage.machine.run(f"xl migrate -s '' {stage.domain.name} 'xl migrate-receive'", SECONDS)
        download.whole()
        if stage.machine.dom0.suite.xen == "4.20":
            # Debian's hypervisor of that version keeps no log of a PV guest's dirty pages, and migrates none.
            require("Failed to enable logdirty" in command.output, f"it says {command.output}")
            require(stage.domid() == number, "it is another domain")
            return
        require(command.status == 0, f"it says {command.output}")
        require(stage.domid() != number, "it is the same domain")
        require(announcements(stage) > announced, "no announcement of the address")
        stage.domain.logs_as(f"{stage.domain.name}--incoming")
        require("] INFO  suspend: Restored\n" in stage.domain.console(), f"it says {stage.domain.console()}")
        require("] WARN " not in stage.domain.console(), f"it says {stage.domain.console()}")


def initial(stage, port):
    """The guest's first sequence number of the newest connection from a port."""
    ends = bytes([0x0, 80]) + struct.pack("!H", port)
    found = [
        struct.unpack("!I", frame[38:42])[0]
        for _, frame in frames(stage.capture)
        if frame[12:14] == b"\x08\x00" and frame[23] == TCP and frame[34:38] == ends
        and frame[47] & (SYN | ACK) == SYN | ACK
    ]  # fmt: skip
    require(found, f"no connection from port {port} is in the capture")
    return found[-1]


def renewed(stage):
    """One state, restored twice: the random numbers are other ones."""
    with stage.check("of one state restored twice, initial sequence numbers have nothing in common"):
        save(stage)
        numbers = []
        for _ in range(2):
            restore(stage)
            numbers.append([connected(stage, PORT + n) for n in range(3)])
            stage.destroy()
        gaps = [(second - first) % (1 << 32) for first, second in zip(*numbers)]
        # The clock of RFC 6528 goes round in about five hours: within a minute it comes 1/256 of the way.
        far = [min(gap, (1 << 32) - gap) > 1 << 24 for gap in gaps]
        require(sum(far) >= 2, f"the numbers are {numbers}")


def watched(stage):
    """After a restore Xen's watchdog still ends a guest that stops: one that is paused looks like one that hangs."""
    with stage.check("after a restore, the watchdog ends a guest that stops"):
        stage.domain.logs_as(stage.domain.name)
        stage.domain.mark()
        restore(stage)
        number = stage.domid()
        stage.domain.expect(r"\] INFO  network: connected, ", SECONDS)
        stage.machine.check(f"xl pause {number}")
        gone = f"for n in $(seq {SECONDS}); do xl domid {stage.domain.name} || exit 0; sleep 0.5; done; exit 1"
        require(stage.machine.run(gone, SECONDS).status == 0, "it is still there")
        log = stage.machine.check(f"cat /var/log/xen/xl-{stage.domain.name}.log*")
        # SHUTDOWN_watchdog.
        require(f"Domain {number} has shut down, reason code 4 " in log, f"xl says: {log[-500:]}")


def connected(stage, port):
    """Opens a connection from a port, and resets it: gives the guest's initial sequence number."""
    deadline = time.monotonic() + SECONDS
    while True:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.settimeout(5)
            client.bind(("", port))
            try:
                client.connect((stage.address, 80))
                return initial(stage, port)
            except OSError as error:
                require(time.monotonic() < deadline, f"no connection: {error}")


def in_a_row(stage, times):
    """The same again and again: one download, and memory and grants as before."""
    with stage.check(f"a download goes on across {times} saves and restores in a row, and nothing is lost"):
        require(get(stage.address, "/")[0] == 200, "another status")
        before = shown(stage)[1]
        download = Download(stage.address)
        for number in range(times):
            # Short of the end, with all ten before it.
            download.begun((number + 1) * (LENGTH // 2 // times))
            save(stage)
            restore(stage)
        download.whole()
        after = shown(stage)[1]
        whole(before, after)

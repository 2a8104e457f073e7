"""The server on a tap of this namespace: the same target as a guest on its segment."""

import queue
import re
import signal
import socket
import subprocess
import threading
import time

from .machine import MachineError, die_with_parent
from .place import BUILD

SERVER = BUILD / "halfpage-tap"
HOST = "192.0.2.1"
ADDRESS = "192.0.2.10"
TAP = "hp0"
SECONDS = 30
ENDING_SECONDS = 20

# What would be our own fault.
FAULT = re.compile(r"panicked|^\S* *ERROR|CRASH", re.MULTILINE)


class Tapped:
    """build/halfpage-tap with a site, and this host's side of its tap."""

    interface = TAP
    host = HOST
    address = ADDRESS
    configured_by_dhcp = False
    # Connections that it holds at once.
    room = 100_000

    def __init__(self, folder, checks, site, *options):
        self.folder = folder
        self.check = checks
        self.honest_port = None
        self.mac = None
        self.log = folder / "halfpage-tap.log"
        self._words = [SERVER, "--tap", TAP, "--ip", f"{ADDRESS}/24", "--gw", HOST, "--site", site, *options]
        self._child = None
        self._lines = queue.Queue()
        self._judged = 0

    def __enter__(self):
        if not SERVER.exists():
            raise MachineError(f"{SERVER} is missing: make tap")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._child = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(self.log, "wb"), text=True,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()
        self._until("listening on ")
        for line in (f"addr add {HOST}/24 dev {TAP}", f"link set {TAP} up", "link set lo up"):
            subprocess.run(["ip", *line.split()], check=True)
        self.mac = self._resolve()
        return self

    def __exit__(self, *_):
        if self._child.poll() is None:
            self._child.terminate()
        self._child.wait()

    def _listen(self):
        for line in self._child.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _until(self, wanted):
        """The lines up to the one that begins so."""
        lines = []
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                raise MachineError(f"halfpage-tap does not say {wanted!r}") from None
            if line is None:
                raise MachineError(f"halfpage-tap ended: {self.log.read_text(errors='replace')[-1000:]}")
            lines.append(line)
            if line.startswith(wanted):
                return lines

    def _resolve(self):
        """The link address, which ARP finds."""
        socket.create_connection((ADDRESS, 80), timeout=SECONDS).close()
        said = subprocess.run(["ip", "neigh", "show", ADDRESS], capture_output=True, text=True, check=True).stdout
        return re.search(r"lladdr (\S+)", said)[1]

    def _ask(self):
        self._child.send_signal(signal.SIGUSR1)
        return "\n".join(self._until("that is all"))

    def counters(self):
        """What it counted; what is 0 is not there."""
        return named("counter", self._ask())

    def gauges(self):
        """What its tables hold, and the bytes that its heap has given out."""
        return named("gauge", self._ask())

    def complaints(self):
        """What it said since the last time that would be a fault of its own."""
        said = self.log.read_text(errors="replace")
        new, self._judged = said[self._judged :], len(said)
        ended = [] if self._child.poll() is None else [f"it ended with status {self._child.returncode}"]
        return FAULT.findall(new) + ended

    def end(self):
        """Ends it in order; gives its counters."""
        self._child.terminate()
        lines = []
        while (line := self._lines.get(timeout=ENDING_SECONDS)) is not None:
            lines.append(line)
        return named("counter", "\n".join(lines)), self._child.wait(ENDING_SECONDS)


def named(kind, text):
    """{name: value} of the lines of a kind."""
    return {name: int(value) for name, value in re.findall(rf"^{kind} (\w+)=(\d+)$", text, re.MULTILINE)}

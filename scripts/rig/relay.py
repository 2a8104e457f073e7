"""A client behind a link that loses packets by a seed, as a network beyond the router that this host is.

    target ---- this namespace ---- ra [lossy-link] rb ---- client
"""

import contextlib
import re
import signal
import subprocess
from pathlib import Path

from .machine import MachineError, die_with_parent
from .place import REPOSITORY

LINK = REPOSITORY / "target" / "release" / "lossy-link"
ROUTER, CLIENT, LENGTH = "203.0.113.1", "203.0.113.2", 24
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# The link loses by its seed alone: its taps' queues have room for all that can be in flight.
QUEUE = 20_000


class Relay:
    """The link and the client's namespace, beside a block of code. loss: of each direction, from 0 to 1."""

    def __init__(self, loss, delay=0, seed=1):
        self._words = ["--seed", str(seed), "--loss", str(loss), "--delay", str(delay)]
        self._stack = contextlib.ExitStack()
        self._client = self._link = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *details):
        return self._stack.__exit__(*details)

    def _build(self, stack):
        self._client = self._start(stack, ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"])
        if not LINK.exists():
            raise MachineError(f"{LINK} is missing: cargo build --release -p halfpage-bench")
        self._link = self._start(stack, [LINK, "ra", "rb", *self._words])
        ip(f"link set rb netns {self._client.pid}")
        ip(f"link set ra txqueuelen {QUEUE} up")
        ip(f"addr add {ROUTER}/{LENGTH} dev ra")
        for words in (
            f"link set rb txqueuelen {QUEUE} up", f"addr add {CLIENT}/{LENGTH} dev rb",
            f"route add default via {ROUTER}",
        ):  # fmt: skip
            subprocess.run(self.line("ip", *words.split()), check=True)
        before = FORWARD.read_text()
        FORWARD.write_text("1")
        stack.callback(FORWARD.write_text, before)

    @staticmethod
    def _start(stack, line):
        child = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent
        )

        def end():
            child.kill()
            child.wait()

        stack.callback(end)
        if not child.stdout.readline().startswith("ready"):
            raise MachineError(f"{line[0]} did not start")
        return child

    def line(self, *words):
        """A command line that runs where the client is."""
        return ["nsenter", "--target", str(self._client.pid), "--net", "--", *words]

    def losses(self):
        """Ends the link; (offered, lost) of each direction."""
        self._link.send_signal(signal.SIGTERM)
        said = self._link.communicate()[0]
        found = re.findall(r"^(?:there|back) .*?offered: (\d+).*?lost: (\d+)", said, re.MULTILINE)
        if len(found) != 2:
            raise MachineError(f"lossy-link said {said!r}")
        return [tuple(map(int, pair)) for pair in found]


def ip(words):
    """One ip command in this namespace."""
    subprocess.run(["ip", *words.split()], check=True)

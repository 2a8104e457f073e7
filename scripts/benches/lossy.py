"""A sender behind a lossy link, and curl before it.

    halfpage-tap --hp0--+
                     bridge --ra [lossy-link] rb-- curl
    nginx ------veth----+

Both senders' large packets are cut by the kernel where they enter the link, which carries frames of the MTU.
"""

import contextlib
import itertools
import json
import shutil
import signal
import subprocess

from . import senders
from .space import Space

CLIENT, LINUX, OURS = "198.18.0.1", "198.18.0.2", "198.18.0.3"
# The link must lose by its seed alone: the taps' queues have room for what a sender can have in flight.
QUEUE = 20_000

numbers = itertools.count()


class Lossy:
    """The network of one run, with the senders that it needs."""

    def __init__(self, site, folder, faults, linux, ours):
        self.site, self.folder, self.faults = site, folder, faults
        self.wanted = {"linux": linux, "ours": ours}
        self.number = next(numbers)
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def _build(self, stack):
        space = lambda name: stack.enter_context(Space(f"bench{self.number}-{name}"))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.client, self.switch = space("client"), space("switch")
        self.switch.ip("link add br0 type bridge forward_delay 0")
        self.switch.ip("link set br0 up")
        words = [word for option, value in self.faults.items() for word in (f"--{option}", str(value))]
        self.link = senders.lossy_link(self.switch, ("ra", "rb"), words)
        self.switch.ip(f"link set ra txqueuelen {QUEUE} master br0 up")
        self.switch.ip(f"link set rb netns {self.client.name}")
        self.client.ip(f"link set rb txqueuelen {QUEUE} up")
        self.client.ip(f"addr add {CLIENT}/24 dev rb")
        if self.wanted["linux"]:
            linux = space("linux")
            self.switch.ip(f"link add l1 type veth peer name l0 netns {linux.name}")
            self.switch.ip("link set l1 master br0 up")
            linux.ip(f"addr add {LINUX}/24 dev l0")
            linux.ip("link set l0 up")
            # A namespace may set only what its parent allows everyone; a route may name any that the kernel has.
            linux.ip(f"route replace 198.18.0.0/24 dev l0 src {LINUX} congctl cubic")
            self.linux = linux
            senders.nginx(linux, self.site, self.folder / "nginx")
        if self.wanted["ours"]:
            self.ours = senders.halfpage(self.switch, self.site, f"{OURS}/24", "hp0")
            self.switch.ip(f"link set hp0 txqueuelen {QUEUE} master br0 up")

    def __exit__(self, *details):
        return self._stack.__exit__(*details)

    def curl(self, sender, path, seconds, output):
        """Starts a download."""
        address = LINUX if sender == "linux" else OURS
        words = ["curl", "-sS", "--max-time", seconds, "-o", output, "-w", "%{json}", f"http://{address}/{path}"]
        return self.client.start(*words, stdout=-1, stderr=-1, text=True)

    def check_cubic(self):
        """That the flow of Linux is what it is said to be."""
        said = subprocess.run(self.linux.line("ss", "-tinH"), capture_output=True, text=True, check=True).stdout
        if " cubic " not in said:
            raise senders.BenchError(f"the flow of Linux is not CUBIC: {said.strip()}")

    def counters(self):
        """What our server and the link counted; both end."""
        lines = {}
        # The server ends its connections over the link.
        for name, child in (("ours", getattr(self, "ours", None)), ("link", self.link)):
            if child:
                child.send_signal(signal.SIGTERM)
                lines[name] = child.communicate()[0].strip().splitlines()
        return lines


def result(child):
    """(bytes, seconds) of a download; a time-out is a result too."""
    out, error = child.communicate()
    try:
        facts = json.loads(out)
    except json.JSONDecodeError:
        facts = {}
    if child.returncode not in (0, 28) or facts.get("http_code") != 200:
        raise senders.BenchError(f"curl: {error.strip()} {facts.get('http_code')}")
    return int(facts["size_download"]), float(facts["time_total"])

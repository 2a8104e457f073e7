"""What the toolstack tells a guest: words of its command line, requests in the store, a domain without an interface."""

import re
import subprocess

from ..checks import require
from ..segment import ADDRESS
from .client import get

STATIC = "192.0.2.50"
# Not on the segment: answers to it go through the gateway.
FAR = "198.51.100.1"
SECONDS = 30


def words_heeded(stage, config):
    """A static address, a gateway, the level of the log, and a word that nobody knows."""
    with stage.check("ip=, gw= and log=debug hold, and an unknown word is a warning"):
        stage.boot(config, "memory=8", f'extra="ip={STATIC}/24 gw={ADDRESS} log=debug frobnicate=1"')
        require(stage.address == STATIC, f"it listens on {stage.address}")
        require(" dhcp: " not in said(stage), "it asked for a lease")
        require(" WARN  command line: frobnicate=1: no such option" in said(stage), "no warning of the unknown word")
        require(re.search(r"\] DEBUG ", said(stage)), "no line of level debug")
        require(get(stage.address, "/")[0] == 200, "another status")
    with stage.check("answers through its gateway"):
        # It stays, to answer the guest's FIN; the namespace is ours.
        subprocess.run(["ip", "addr", "replace", f"{FAR}/32", "dev", "lo"], check=True)
        line = ["curl", "-sS", "--fail", "--max-time", "20", "--interface", FAR, "-o", "/dev/null"]
        result = subprocess.run([*line, f"http://{stage.address}/"], capture_output=True, text=True, check=False)
        require(result.returncode == 0, result.stderr.strip())


def requests_heeded(stage):
    """control/shutdown: a value that nobody knows, then halt; the counters come last."""
    with stage.check("an unknown value of control/shutdown is a line on the console, and it serves on"):
        ask(stage, "frobnicate")
        stage.domain.expect(r" WARN  control: no such request: frobnicate\n", SECONDS)
        require(get(stage.address, "/")[0] == 200, "another status")
    with stage.check("halt ends it with reason poweroff"):
        number = stage.domid()
        ask(stage, "halt")
        gone = f"for n in $(seq {SECONDS * 5}); do xl domid {stage.domain.name} || exit 0; sleep 0.2; done; exit 1"
        require(stage.machine.run(gone, SECONDS * 4).status == 0, "it is still there")
        log = stage.machine.check(f"cat /var/log/xen/xl-{stage.domain.name}.log*")
        require(f"Domain {number} has shut down, reason code 0 " in log, f"xl says: {log[-500:]}")
    with stage.check("its counters are on the console at the end, zeros apart"):
        counters = dict(re.findall(r"\] INFO  counter (\w+)=(\d+)\n", said(stage)))
        # Three above: one client near, one far, one after the unknown request.
        require(counters.get("http_requests") == "3", f"it counted {counters}")
        require("0" not in counters.values(), f"it counted {counters}")


def without_interface(stage, config):
    """It has nothing to do, says so, and ends when it is asked to."""
    with stage.check("a guest without an interface says so and is shut down"):
        stage.start(config, "memory=8", "vif=[]")
        stage.domain.expect(r" WARN  network: no interface; add vif = ", SECONDS)
        reason = stage.shutdown()
        require(reason == 0, f"the reason is {reason}")


def said(stage):
    """The console since the guest's start."""
    return stage.domain.said()


def ask(stage, request):
    """Writes a request as a toolstack does."""
    stage.machine.check(f"xenstore-write /local/domain/{stage.domid()}/control/shutdown {request}")

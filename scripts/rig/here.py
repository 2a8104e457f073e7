"""The guest on this machine, where it is itself a Xen dom0."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from .machine import MachineError

CAPABILITIES = Path("/proc/xen/capabilities")
LISTENING_SECONDS = 60


def is_dom0(path=CAPABILITIES):
    """Whether this machine is a Xen dom0."""
    return path.exists() and "control_d" in path.read_text()


class Here:
    """The guest under this machine's own xl."""

    def __init__(self, config, words, interrupt):
        self._config = config
        self._words = words
        self._interrupt = interrupt
        self._name = re.search(r'^name *= *"([^"]+)"', Path(config).read_text(), re.MULTILINE)[1]
        self._console = None
        self._created = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._interrupt.hold()
        if self._created:
            if tool("timeout", "10", "xl", "shutdown", "-w", self._name) is None:
                tool("xl", "destroy", self._name)
        if self._console:
            self._console.terminate()
            self._console.wait()

    def run(self, out):
        """Creates the guest, shows its console, and its URL as soon as it has an address; until it ends."""
        if tool("xl", "create", str(self._config), *self._words, err=None) is None:
            raise MachineError("xl create failed")
        self._created = True
        self._console = subprocess.Popen(
            ["xl", "console", self._name], stdin=subprocess.DEVNULL, stdout=out, process_group=0
        )
        address = self._address()
        secure = self._stored("tls/status") == "ok"
        if not (secure and "http=off" in os.environ.get("EXTRA", "").split()):
            print(f"http://{address}/", file=out, flush=True)
        if secure:
            print(f"https://{address}/", file=out, flush=True)
        while tool("xl", "domid", self._name) is not None:
            time.sleep(1)
        self._created = False

    def _address(self):
        deadline = time.monotonic() + LISTENING_SECONDS
        while time.monotonic() < deadline:
            if address := self._stored("address"):
                return address
            time.sleep(0.2)
        raise MachineError("the guest has no address in xenstore (data/address)")

    def _stored(self, key):
        """What the guest says of itself in the store; nothing where it says nothing."""
        domid = (tool("xl", "domid", self._name) or "").strip()
        return (tool("xenstore-read", f"/local/domain/{domid}/data/{key}") or "").strip()


def tool(*line, err=subprocess.DEVNULL):
    """The output of a tool, or None where it failed."""
    result = subprocess.run(line, stdout=subprocess.PIPE, stderr=err or sys.stderr, text=True, check=False)
    return result.stdout if result.returncode == 0 else None
